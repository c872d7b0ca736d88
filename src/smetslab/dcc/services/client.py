"""A service user's side of the services: posts signed requests, takes call-backs, finds certificates.

Checks what it receives as strictly as it signs what it sends. `DuisClient` stands in the place of a DCC for
`smetslab.dcc.ServiceUser`.

Spec: DUIS web services and SMKI repository as published clients use them.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from smetslab.dcc.services.bodies import XML, BodyRefusedError, read_xml_body
from smetslab.dcc.services.doorkeeper import DocumentSigner, tree_signer
from smetslab.dcc.services.duis_app import empty_error, refused_body
from smetslab.dcc.services.settings import SMKI_API_KEY
from smetslab.duis import document as duis
from smetslab.duis.codes import ResponseCode, WebService
from smetslab.duis.element import Element, parse_document
from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.duis.xmldsig import parse_tree
from smetslab.errors import (
    CertificateError,
    DuisError,
    RemoteProtocolError,
    SecurityError,
    TransportError,
)
from smetslab.ids import Eui64
from smetslab.pki import Certificate, Entry, KeyRing, parse_certificate

REQUEST_TIMEOUT_S: Final = 15.0
"""For one answer over HTTP; published clients wait 3 seconds."""

_BODY_TIMEOUT_S: Final = 30.0
_HEADERS: Final = {"Content-Type": XML}

Step: TypeAlias = Literal["request", "answer", "call-back"]
Observe: TypeAlias = Callable[[Step, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedResponse:
    """A response document whose signature, where it has one, is good."""

    document: bytes
    response: duis.Response
    signer: Certificate | None


def check_response(document: bytes, keystore: KeyRing) -> CheckedResponse:
    """Read a response. Raises DuisError, or SecurityError when it is signed wrongly; unsigned ones pass, as
    with published clients.
    """
    response = duis.parse_response(document)
    signer: Certificate | None = None
    if b"Signature" in document:
        tree = parse_tree(document)
        signer = tree_signer(tree, lambda serial: _certificate(keystore, serial))
    return CheckedResponse(document=document, response=response, signer=signer)


def _certificate(keystore: KeyRing, serial: int) -> Certificate | None:
    entry = keystore.by_serial(serial)
    return None if entry is None else entry.certificate


class CallbackListener:
    """Takes call-backs; `app` is the ASGI application to run at the call-back address.

    A response that somebody expects goes to them. Everything else, alerts above all, goes to `unexpected`.
    """

    def __init__(
        self,
        path: str,
        keystore: Callable[[], KeyRing],
        unexpected: Callable[[CheckedResponse], None] = lambda received: None,
    ) -> None:
        self._keystore = keystore
        self._unexpected = unexpected
        self._expected: dict[str, asyncio.Future[bytes]] = {}
        self.app = Starlette(
            routes=[Route(path, self._take, methods=["POST"])],
            exception_handlers={
                HTTPException: empty_error,
                BodyRefusedError: refused_body,
                ClientDisconnect: refused_body,
            },
        )

    def expect(self, request_id: duis.RequestId) -> asyncio.Future[bytes]:
        """What will be the final response to a request."""
        expected: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._expected[request_id.key] = expected
        return expected

    def forget(self, request_id: duis.RequestId) -> None:
        """Nobody waits for that any more."""
        self._expected.pop(request_id.key, None)

    async def _take(self, request: Request) -> Response:
        body = await read_xml_body(request, limit=MAX_DOCUMENT_BYTES, timeout_s=_BODY_TIMEOUT_S)
        try:
            received = check_response(body, self._keystore())
        except (DuisError, SecurityError):
            return Response(status_code=400)
        request_id = received.response.request_id
        expected = None if request_id is None else self._expected.pop(request_id.key, None)
        if expected is not None and not expected.done():
            expected.set_result(body)
        else:
            self._unexpected(received)
        return Response(status_code=204)


class DuisClient:
    """Talks to the DUIS services at `base_url`. `keystore` holds the keys of the users it speaks for."""

    def __init__(
        self,
        base_url: str,
        http: httpx.AsyncClient,
        keystore: KeyRing,
        listener: CallbackListener,
        *,
        timeout_s: float = 120.0,
        observe: Observe = lambda step, document: None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._keystore = keystore
        self._listener = listener
        self._timeout_s = timeout_s
        self._observe = observe

    async def submit(self, xml: bytes, service: WebService | None = None) -> bytes:
        """Sign a request unless it is signed, post it, and return its last answer: the call-back where the
        first was an acknowledgement.

        Raises TimeoutError when no call-back comes in time, TransportError when there is no connection,
        RemoteProtocolError for an answer outside of DUIS, CertificateError without a key to sign with,
        SecurityError for an answer that is signed wrongly, DuisError for a document that is none.
        """
        request = duis.parse_request(xml, limit=max(len(xml), MAX_DOCUMENT_BYTES))
        request_id = request.header.request_id
        where = service or request.header.command_variant.service
        if where is None:
            raise DuisError(
                "no service takes this command variant", found=str(request.header.command_variant.value)
            )
        if not request.signed:
            xml = DocumentSigner(self._keystore.xml_signer(request_id.originator)).sign(xml)
        expected = self._listener.expect(request_id)
        try:
            self._observe("request", xml)
            answer = await self._post(f"{self._base_url}/api/v1/{where.value}", xml)
            self._observe("answer", answer)
            if check_response(answer, self._keystore).response.code != ResponseCode.ACKNOWLEDGED:
                return answer
            async with asyncio.timeout(self._timeout_s):
                final = await expected
        finally:
            self._listener.forget(request_id)
        self._observe("call-back", final)
        return final

    async def health(self) -> Mapping[str, object]:
        """What `GET /health` says. Raises TransportError, RemoteProtocolError."""
        response = await _reached(self._http.get(f"{self._base_url}/health"))
        try:
            found = response.json()
        except ValueError as error:
            raise RemoteProtocolError("/health does not answer with JSON") from error
        if response.status_code != 200 or not isinstance(found, dict):
            raise RemoteProtocolError(f"/health answers HTTP {response.status_code}")
        return found

    async def _post(self, url: str, xml: bytes) -> bytes:
        response = await _reached(self._http.post(url, content=xml, headers=_HEADERS))
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != 200 or media != XML:
            raise RemoteProtocolError(
                f"{url} answers HTTP {response.status_code} ({_REASONS.get(response.status_code, media)})",
                code=response.status_code,
            )
        return response.content


_REASONS: Final = {
    400: "not a valid request",
    403: "the signature is not good",
    404: "no such service",
    413: "the document is too long",
    415: "not XML",
    503: "the DCC is not available",
}


async def _reached(call: Awaitable[httpx.Response]) -> httpx.Response:
    try:
        return await call
    except httpx.HTTPError as error:
        where = (
            f" from {error.request.url.copy_with(query=None)}"
            if isinstance(error, httpx.RequestError)
            else ""
        )
        raise TransportError(f"no answer{where}: {type(error).__name__} {error}".rstrip()) from error


# Certificates -----------------------------------------------------------------------------------------------


async def find_certificates(
    base_url: str, http: httpx.AsyncClient, device: Eui64, *, api_key: str = SMKI_API_KEY
) -> tuple[Entry, ...]:
    """The certificates of a device that are in use, from an SMKI repository; none when it has none.

    Raises TransportError, RemoteProtocolError, CertificateError.
    """
    url = f"{base_url.rstrip('/')}/services"
    name = device.dashed().lower()
    found = await _repository(
        http,
        f"{url}/certificatesearch",
        api_key,
        "<CertificateSearchRequest><CertificateSubjectAltName>"
        f"{name}</CertificateSubjectAltName></CertificateSearchRequest>",
    )
    entries: list[Entry] = []
    for result in () if found is None else found.children:
        facts = {child.name: child.text for child in result.children}
        if result.name != "Result" or facts.get("CertificateStatus") != "I":
            continue
        serial = facts.get("CertificateSerial", "")
        answer = await _repository(
            http,
            f"{url}/retrievecertificate",
            api_key,
            f"<CertificateDataRequest><CertificateSerial>{serial}</CertificateSerial></CertificateDataRequest>",
        )
        if answer is not None:
            entries.append(Entry(name=f"{name} {serial}", certificate=_body(answer)))
    return tuple(entries)


async def _repository(http: httpx.AsyncClient, url: str, api_key: str, body: str) -> Element | None:
    response = await _reached(
        http.post(url, params={"apikey": api_key}, content=body.encode(), headers=_HEADERS)
    )
    if response.status_code == 402:
        return None
    if response.status_code != 200:
        raise RemoteProtocolError(f"{url} answers HTTP {response.status_code}", code=response.status_code)
    try:
        return parse_document(response.content)
    except DuisError as error:
        raise RemoteProtocolError(f"{url} answers with no XML: {error}") from error


def _body(answer: Element) -> Certificate:
    for part in answer.children:
        for child in part.children:
            if child.name == "CertificateBody":
                try:
                    return parse_certificate(b64decode("".join(child.text.split()), validate=True))
                except (binascii.Error, ValueError) as error:
                    raise CertificateError(f"CertificateBody is no base64: {error}") from error
    raise RemoteProtocolError("the SMKI repository answers without a CertificateBody")
