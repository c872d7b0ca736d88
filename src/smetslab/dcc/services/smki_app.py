"""The SMKI repository as an ASGI application: search for certificates, retrieve one by its serial number.

The answers have the shape that published clients read. What is not found is HTTP 402, what is asked wrongly
401, as those clients have it.

Spec: SMKI repository services as the published key store client uses them.
"""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from hmac import compare_digest
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from smetslab.dcc.services.bodies import XML, BodyRefusedError, read_xml_body
from smetslab.dcc.services.duis_app import empty_error, refused_body
from smetslab.dcc.services.log import log_event
from smetslab.dcc.services.settings import SMKI_API_KEY
from smetslab.duis.element import Element, parse_document, write_document
from smetslab.errors import DuisError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Certificate, CertificateKind, Entry, KeyRing

BODY_LIMIT: Final = 16 * 1024
BODY_TIMEOUT_S: Final = 10.0

IN_USE: Final = "I"
NOT_IN_USE: Final = "N"

_USAGES: Final = {KeyUsage.DIGITAL_SIGNATURE: "DS", KeyUsage.KEY_AGREEMENT: "KA"}
_SERIAL: Final = re.compile(r"[0-9A-Fa-f]{1,64}")
_BY_ALTERNATIVE_NAME: Final = "CertificateSubjectAltName"
_BY_NAME: Final = "CertificateSubjectName"


class _BadParametersError(Exception):
    """The request does not ask for anything that could be found."""


class SmkiRepository:
    """Handlers of the repository; `app` is the application. `keystore` is asked at each request."""

    def __init__(self, keystore: Callable[[], KeyRing], *, api_key: str | None = SMKI_API_KEY) -> None:
        """`api_key` of None takes every request."""
        self._keystore = keystore
        self._api_key = api_key
        self._count = 0
        self.app = Starlette(
            routes=[
                Route("/services/certificatesearch", self._search, methods=["POST"]),
                Route("/services/retrievecertificate", self._retrieve, methods=["POST"]),
            ],
            exception_handlers={
                HTTPException: empty_error,
                BodyRefusedError: refused_body,
                ClientDisconnect: refused_body,
                _BadParametersError: _bad_parameters,
            },
        )

    async def _search(self, request: Request) -> Response:
        wanted = await self._read(request, "CertificateSearchRequest")
        found = [
            entry for entry in _searched(self._keystore().entries, wanted) if _matches(_facts(entry), wanted)
        ]
        results = [_plain("Result", *_facts(entry).items()) for entry in found]
        return self._answer("CertificateSearchResponse", results)

    async def _retrieve(self, request: Request) -> Response:
        wanted = await self._read(request, "CertificateDataRequest")
        text = wanted.get("CertificateSerial", "")
        if not _SERIAL.fullmatch(text):
            raise _BadParametersError("CertificateSerial is no hex number")
        entry = self._keystore().by_serial(int(text, 16))
        if entry is None or entry.certificate.key_usage not in _USAGES:
            return self._answer("CertificateDataResponse", [])
        body = ("CertificateBody", b64encode(entry.certificate.der).decode())
        return self._answer(
            "CertificateDataResponse", [_plain("CertificateResponse", *_facts(entry).items(), body)]
        )

    async def _read(self, request: Request, name: str) -> dict[str, str]:
        """The values in the body."""
        key = request.query_params.get("apikey", "")
        if self._api_key is not None and not compare_digest(key.encode(), self._api_key.encode()):
            raise _BadParametersError("wrong apikey")
        body = await read_xml_body(request, limit=BODY_LIMIT, timeout_s=BODY_TIMEOUT_S)
        try:
            root = parse_document(body, limit=BODY_LIMIT)
        except DuisError as error:
            raise _BadParametersError(str(error)) from error
        if root.name != name:
            raise _BadParametersError(f"{root.name} is not {name}")
        return {child.name: child.text.strip() for child in root.children}

    def _answer(self, name: str, parts: Sequence[Element]) -> Response:
        self._count += 1
        status = 200 if parts else 402
        log_event(logging.INFO, "certificates", answer=name, status=status, found=len(parts))
        if not parts:
            return Response(status_code=status)
        document = write_document(
            Element(
                name,
                (
                    _leaf("ResponseCode", str(status)),
                    _leaf("ResponseMessage", "OK"),
                    _leaf("AuditReference", f"smetslab-{self._count}"),
                    *parts,
                ),
                namespace="",
            )
        )
        return Response(document, media_type=XML)


def _searched(entries: Iterable[Entry], wanted: dict[str, str]) -> list[Entry]:
    """What the request asks for by name."""
    by_device, by_name = wanted.get(_BY_ALTERNATIVE_NAME), wanted.get(_BY_NAME)
    if (by_device is None) == (by_name is None):
        raise _BadParametersError(f"one of {_BY_ALTERNATIVE_NAME} and {_BY_NAME} is needed")
    usable = [entry for entry in entries if entry.certificate.key_usage in _USAGES]
    if by_device is not None:
        try:
            eui64 = Eui64.parse(by_device)
        except ValueError as error:
            raise _BadParametersError(str(error)) from error
        return [entry for entry in usable if _is_device(entry.certificate) and _is_of(entry, eui64)]
    name = by_name or ""
    if not name:
        raise _BadParametersError(f"{_BY_NAME} is empty")
    return [entry for entry in usable if not _is_device(entry.certificate) and name.lower() in _names(entry)]


def _is_device(certificate: Certificate) -> bool:
    return certificate.kind is CertificateKind.DEVICE


def _is_of(entry: Entry, eui64: Eui64) -> bool:
    return entry.certificate.entity_id == eui64


def _names(entry: Entry) -> set[str]:
    """Every way to name an organisation: its EUI, its common name, its whole subject."""
    certificate = entry.certificate
    names = [certificate.subject.common_name, certificate.subject.rfc2253]
    if certificate.entity_id is not None:
        names += [certificate.entity_id.dashed(), str(certificate.entity_id)]
    return {name.lower() for name in names if name}


def _facts(entry: Entry) -> dict[str, str]:
    """The elements that describe a certificate, in the order in which they are written."""
    certificate = entry.certificate
    eui64 = "" if certificate.entity_id is None else certificate.entity_id.dashed()
    # Which of the two names there is tells a client how to read the certificate.
    name = (_BY_ALTERNATIVE_NAME, eui64)
    role: dict[str, str] = {}
    if not _is_device(certificate):
        name = (_BY_NAME, certificate.subject.common_name or eui64)
        role = {} if certificate.role is None else {"CertificateRole": str(int(certificate.role))}
    return {
        "CertificateSerial": f"{certificate.serial:X}",
        name[0]: name[1],
        "CertificateStatus": IN_USE if entry.active else NOT_IN_USE,
        "CertificateUsage": "" if certificate.key_usage is None else _USAGES[certificate.key_usage],
        **role,
        "ManufacturingFlag": "false",
    }


def _matches(facts: dict[str, str], wanted: dict[str, str]) -> bool:
    """Usage, status and role count where the request names them."""
    filters = ("CertificateUsage", "CertificateStatus", "CertificateRole")
    return all(not wanted.get(name) or facts.get(name) == wanted[name] for name in filters)


def _plain(name: str, *members: tuple[str, str]) -> Element:
    return Element(name, tuple(_leaf(key, value) for key, value in members), namespace="")


def _leaf(name: str, text: str) -> Element:
    return Element(name, text=text, namespace="")


async def _bad_parameters(request: Request, error: Exception) -> Response:
    log_event(
        logging.WARNING,
        "certificate request refused",
        path=request.url.path[:200],
        status=401,
        reason=str(error)[:500],
    )
    return Response(status_code=401)
