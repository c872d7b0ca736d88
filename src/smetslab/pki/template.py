"""Writes certificates, octet for octet after the published profiles: one `Template` becomes one certificate.

Written on `der` instead of a certificate builder because the profiles fix what builders decide for
themselves: string types, the order of extensions, a bit string in a name. Signatures are deterministic, so
a template, its keys and its serial number fix every octet.

Spec: GBCS 12; RFC 5280; SMKI organisation and device profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import der, oids
from smetslab.pki.certificate import Certificate, parse_certificate
from smetslab.pki.names import DistinguishedName, NameAttribute
from smetslab.pki.profile import ALGORITHM, key_identifier, public_key_info

_USAGE = {
    KeyUsage.DIGITAL_SIGNATURE: der.bit_string(b"\x80", 7),
    KeyUsage.KEY_AGREEMENT: der.bit_string(b"\x08", 3),
    KeyUsage.KEY_CERT_SIGN: der.bit_string(b"\x06", 1),  # with cRLSign beside it, as the published authority
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What a certificate says but for key, issuer and signature; `extensions` complete and in order."""

    serial: int
    subject: DistinguishedName
    not_before: datetime
    not_after: datetime
    extensions: tuple[bytes, ...]
    version: int = 3


def issue(
    template: Template, key: PublicKey, issuer: DistinguishedName, issuer_key: PrivateKey
) -> Certificate:
    """Sign a certificate for `key`."""
    version = der.tlv(0xA0, der.integer(template.version - 1)) if template.version > 1 else b""
    extensions = der.tlv(0xA3, der.sequence(*template.extensions)) if template.extensions else b""
    body = der.sequence(
        version,
        der.integer(template.serial),
        ALGORITHM,
        issuer.encode(),
        der.sequence(der.time(template.not_before), der.time(template.not_after)),
        template.subject.encode(),
        public_key_info(key),
        extensions,
    )
    raw = issuer_key.sign(body)
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return parse_certificate(der.sequence(body, ALGORITHM, der.bit_string(signature)))


def extension(oid: str, value: bytes, *, critical: bool) -> bytes:
    """Spec: RFC 5280 4.1; FALSE is the default and left out."""
    flag = der.boolean(True) if critical else b""
    return der.sequence(der.object_identifier(oid), flag, der.octet_string(value))


def key_usage(usage: KeyUsage) -> bytes:
    return extension(oids.KEY_USAGE, _USAGE[usage], critical=True)


def subject_key_id(key: PublicKey) -> bytes:
    return extension(oids.SUBJECT_KEY_IDENTIFIER, der.octet_string(key_identifier(key)), critical=False)


def authority_key_id(key: PublicKey) -> bytes:
    """The keyIdentifier form `[0]` alone."""
    value = der.sequence(der.tlv(0x80, key_identifier(key)))
    return extension(oids.AUTHORITY_KEY_IDENTIFIER, value, critical=False)


def policies(*dotted: str) -> bytes:
    value = der.sequence(*(der.sequence(der.object_identifier(policy)) for policy in dotted))
    return extension(oids.CERTIFICATE_POLICIES, value, critical=True)


def basic_constraints(path_length: int | None) -> bytes:
    """Of an authority."""
    limit = b"" if path_length is None else der.integer(path_length)
    return extension(oids.BASIC_CONSTRAINTS, der.sequence(der.boolean(True), limit), critical=True)


def hardware_module_name(entity_id: Eui64, hardware_type: str) -> bytes:
    """SubjectAltName with one otherName of type hardwareModuleName. Spec: RFC 4108 5; GBCS 12."""
    module = der.sequence(der.object_identifier(hardware_type), der.octet_string(entity_id.raw))
    other = der.tlv(0xA0, der.object_identifier(oids.HARDWARE_MODULE_NAME), der.tlv(0xA0, module))
    return extension(oids.SUBJECT_ALTERNATIVE_NAME, der.sequence(other), critical=True)


def organisation_subject(entity_id: Eui64, role: int, common_name: str) -> DistinguishedName:
    """Optional CN, OU of two hex digits, unique identifier, in this order."""
    parts = [NameAttribute(oids.COMMON_NAME, der.UTF8_STRING, common_name.encode())] if common_name else []
    parts += [
        NameAttribute(oids.ORGANISATIONAL_UNIT, der.UTF8_STRING, f"{role:02X}".encode()),
        NameAttribute(oids.UNIQUE_IDENTIFIER, der.BIT_STRING, b"\x00" + entity_id.raw),
    ]
    return DistinguishedName(tuple(parts))
