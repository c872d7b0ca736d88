"""Looks at a request before the DCC does: XML, schema, signature, and whether the signer is the originator.

Spec: DUIS schema 5.4; DUIS signature profile; service user certificates of the published key store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from lxml import etree

from smetslab.dcc.services.settings import DoorSettings
from smetslab.duis.document import Request, parse_request
from smetslab.duis.schema import DuisSchema
from smetslab.duis.xmldsig import CHECK, parse_tree, read_signature, sign_document
from smetslab.errors import CertificateError, DuisError, SecurityError
from smetslab.gbcs.codes import KeyUsage, RemotePartyRole
from smetslab.pki import Certificate, CertificateKind, Entry

FIRMWARE_VARIANTS: Final = frozenset({"11.1", "11.4"})
"""The requests that carry a firmware image, and so may be long. Spec: DUIS schema 5.4."""

FindCertificate = Callable[[int], Certificate | None]
"""The certificate with a serial number, None when it is not known."""


class Doorkeeper:
    """Admits requests. Pure: it may run in any thread."""

    def __init__(
        self, find_certificate: FindCertificate, settings: DoorSettings, schema: DuisSchema | None = None
    ) -> None:
        self._find_certificate = find_certificate
        self._settings = settings
        self._schema = schema

    def admit(self, xml: bytes, now: datetime) -> Request:
        """The request in a document that is valid and rightly signed.

        Raises DuisError when it is no valid request, RefusedSignatureError when its signature is not good.
        """
        request = self._read(xml)
        tree = parse_tree(xml, limit=max(len(xml), self._settings.document_limit))
        if self._schema is not None:
            self._schema.validate_tree(tree)
        if self._settings.verify_signatures:
            try:
                check_signer(tree_signer(tree, self._find_certificate), request, self._expiry(now))
            except SecurityError as error:
                raise RefusedSignatureError(request, error) from error
        return request

    def _read(self, xml: bytes) -> Request:
        settings = self._settings
        request = parse_request(xml, limit=max(settings.firmware_limit, settings.document_limit))
        if len(xml) > settings.document_limit and request.header.variant not in FIRMWARE_VARIANTS:
            raise DuisError(
                "document too long",
                offset=settings.document_limit,
                path="document",
                expected=f"at most {settings.document_limit} octets without a firmware image",
                found=str(len(xml)),
            )
        return request

    def _expiry(self, now: datetime) -> datetime | None:
        return now if self._settings.check_validity else None


class RefusedSignatureError(SecurityError):
    """A signature that is not good; `request` is what it should have protected."""

    def __init__(self, request: Request, reason: SecurityError) -> None:
        self.request = request
        super().__init__(reason.check, str(reason).removeprefix(f"{reason.check}: "))


def tree_signer(tree: etree._Element, find_certificate: FindCertificate) -> Certificate:
    """The certificate whose key signed a document; `tree` comes from `parse_tree` and loses its signature.

    Raises SecurityError: no signature, an unknown certificate, another document.
    """
    signature = read_signature(tree)
    certificate = find_certificate(signature.serial)
    if certificate is None:
        raise SecurityError(CHECK, f"certificate {signature.serial} is not known")
    signature.verify(certificate.public_key)
    return certificate


def check_signer(certificate: Certificate, request: Request, now: datetime | None) -> None:
    """Raises SecurityError when the holder of a certificate may not sign this request.

    `now` of None does not ask whether the certificate has run out.
    """
    originator = request.header.request_id.originator
    if certificate.kind is not CertificateKind.ORGANISATION or not _may_sign(certificate):
        raise CertificateError(f"{certificate.title} is not for signing documents")
    if certificate.entity_id != originator:
        raise CertificateError(f"{certificate.title} is not of the originator {originator}")
    if now is not None and not certificate.not_before <= now <= certificate.not_after:
        raise CertificateError(f"{certificate.title} is not valid at {now:%Y-%m-%d}")


def _may_sign(certificate: Certificate) -> bool:
    """Roles 87 and 89 are for documents; a party may also use the signing certificate of its own role."""
    if certificate.key_usage is not KeyUsage.DIGITAL_SIGNATURE:
        return False
    return certificate.signs_xml or (
        isinstance(certificate.role, RemotePartyRole)
        and certificate.role not in {RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY}
    )


class DocumentSigner:
    """Signs documents with one credential."""

    def __init__(self, entry: Entry) -> None:
        """Raises CertificateError when the private key is not there."""
        if entry.private_key is None:
            raise CertificateError(f"the key store holds no private key for {entry.name}")
        self.certificate = entry.certificate
        self._key = entry.private_key
        self._issuer = entry.certificate.issuer.rfc2253

    def sign(self, document: bytes) -> bytes:
        """`document` with a signature; equal documents get equal ones."""
        return sign_document(
            document, key=self._key, issuer_name=self._issuer, serial=self.certificate.serial
        )
