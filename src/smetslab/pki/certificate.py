"""X.509 certificates as frozen values: what GBCS and DUIS need of them, and what the profiles ask about them.

A certificate that is not exactly DER, not on P-256 or out of bounds is refused here; whether one that can
be read also keeps its profile is the question of `smetslab.pki.profile`.

Spec: RFC 5280; GBCS 12; SMKI certificate profiles.
"""

from __future__ import annotations

import binascii
import re
import warnings
from base64 import b64decode, b64encode
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeVar, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from smetslab.crypto import PublicKey, sha256
from smetslab.errors import CertificateError, CodecError, SecurityError
from smetslab.gbcs.codes import KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.pki import der, oids
from smetslab.pki.limits import MAX_CERTIFICATE_BYTES, MAX_PEM_BYTES
from smetslab.pki.names import DistinguishedName

XML_SIGN_ROLE: Final = 0x87
"""Role of a user's certificate for signing DUIS documents; no role of a GBCS remote party."""

DSP_XML_SIGN_ROLE: Final = 0x89
"""Role of the certificate with which the DCC signs DUIS responses."""

_ECDSA = ec.ECDSA(hashes.SHA256())
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)
_ROLE = re.compile(r"[0-9A-Fa-f]{2}")
_ROLES: dict[int, RemotePartyRole] = {role.value: role for role in RemotePartyRole}
_USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_USAGES = {
    "digital_signature": KeyUsage.DIGITAL_SIGNATURE,
    "key_agreement": KeyUsage.KEY_AGREEMENT,
    "key_cert_sign": KeyUsage.KEY_CERT_SIGN,
}


class CertificateKind(StrEnum):
    """Which profile a certificate claims by its form."""

    ORGANISATION = "organisation"
    DEVICE = "device"
    AUTHORITY = "authority"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that the certificate carries, in its order."""

    oid: str
    critical: bool


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """Spec: RFC 5280 4.2.1.9."""

    is_authority: bool
    path_length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One parsed certificate. None means that the certificate does not say it, or not in the one right way.

    `entity_id`: an organisation's from the subject's unique identifier, a device's from its hardware module
    name. `role`: from the subject's OU; a plain number where GBCS has no name for it (0x87, 0x89).
    `key_usage`: the one usage of the three that GBCS knows; `usage_bits` are all bits that are set, by
    their RFC 5280 names. `alternative_names` is the number of them; which they are is the profile's concern.
    """

    der: bytes = field(repr=False)
    version: int
    serial: int
    kind: CertificateKind
    entity_id: Eui64 | None
    role: RemotePartyRole | int | None
    key_usage: KeyUsage | None
    usage_bits: tuple[str, ...] = field(repr=False)
    subject: DistinguishedName
    issuer: DistinguishedName
    not_before: datetime
    not_after: datetime
    subject_key_id: bytes | None
    authority_key_id: bytes | None
    authority_key_id_only: bool = field(repr=False)
    policies: tuple[str, ...]
    basic_constraints: BasicConstraints | None = field(repr=False)
    alternative_names: int = field(repr=False)
    hardware_type: str | None = field(repr=False)
    extensions: tuple[Extension, ...] = field(repr=False)
    signature_algorithms: tuple[bytes, bytes] = field(repr=False)
    public_key_info: bytes = field(repr=False)
    public_key: PublicKey
    signed_part: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the DER."""
        return sha256(self.der)

    @property
    def signs_xml(self) -> bool:
        """Whether this certificate is for DUIS documents, so that no GBCS key may be taken from it."""
        return self.role in {XML_SIGN_ROLE, DSP_XML_SIGN_ROLE}

    @property
    def self_issued(self) -> bool:
        """Subject and issuer are the same name."""
        return self.subject.matches(self.issuer)

    @property
    def title(self) -> str:
        """A short name for messages to people: entity, use and serial."""
        who = str(self.entity_id) if self.entity_id else str(self.subject)
        return f"{who} {self.key_usage or 'of no single usage'} (serial {self.serial:X})"

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` made the signature on this certificate."""
        try:
            key.library_key.verify(self.signature, self.signed_part, _ECDSA)
        except InvalidSignature:
            return False
        return True

    def to_pem(self) -> bytes:
        text = b64encode(self.der)
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


def parse_certificate(data: bytes) -> Certificate:
    """Read one certificate, DER or PEM. Raises CertificateError, never anything else."""
    encoded = _from_pem(data) if b"-----BEGIN" in data else data
    if len(encoded) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(
            f"{len(encoded)} octets are too long, at most {MAX_CERTIFICATE_BYTES} are read"
        )
    try:
        # What the library would warn about is either checked below or a finding of the profile.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(encoded, x509.load_der_x509_certificate(encoded))
    except (ValueError, OverflowError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"not readable as X.509 in DER: {_brief(error)}", spec="RFC 5280 4.1"
        ) from error
    except (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateError(
            f"not an X.509 v3 certificate: {_brief(error)}", spec="RFC 5280 4.1"
        ) from error
    except CodecError as error:
        raise CertificateError(f"not readable as X.509 in DER: {error}", spec="RFC 5280 4.1") from error
    except CertificateError:
        raise
    except SecurityError as error:
        raise CertificateError(f"public key: {error}", spec="GBCS 12") from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _from_pem(data: bytes) -> bytes:
    if len(data) > MAX_PEM_BYTES:
        raise CertificateError(f"{len(data)} octets of PEM are too long, at most {MAX_PEM_BYTES} are read")
    blocks = _PEM.findall(data)
    if len(blocks) != 1:
        bare = b"-----BEGIN PUBLIC KEY-----" in data
        found = "a bare public key" if bare else f"{len(blocks)} certificates"
        raise CertificateError(f"a PEM file of one certificate is wanted, found {found}")
    try:
        return b64decode(b"".join(blocks[0].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CertificateError("the PEM text is not base64") from error


def _read(encoded: bytes, parsed: x509.Certificate) -> Certificate:
    fields = list(der.elements(der.element(parsed.tbs_certificate_bytes).content))
    if fields[0].tag == 0xA0:
        fields.pop(0)
    _serial, inner_algorithm, issuer_field, _validity, subject_field, key_info, *_rest = fields
    outer_algorithm = der.elements(der.element(encoded).content)[1]
    key = parsed.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CertificateError("public key is not on an elliptic curve, expected P-256", spec="GBCS 12")
    serial = parsed.serial_number
    if serial <= 0:
        raise CertificateError(f"serial number {serial} is not positive", spec="RFC 5280 4.1.2.2")

    subject = DistinguishedName.decode(subject_field.content)
    seen = _Extensions.of(parsed.extensions)
    role = _role(subject)
    kind = _kind(subject, role, seen)
    return Certificate(
        der=encoded,
        version=parsed.version.value + 1,
        serial=serial,
        kind=kind,
        entity_id=seen.hardware_serial if kind is CertificateKind.DEVICE else _unique_identifier(subject),
        role=role,
        key_usage=_one_usage(seen.usage_bits),
        usage_bits=_shared(seen.usage_bits),
        subject=subject,
        issuer=_shared(DistinguishedName.decode(issuer_field.content)),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        subject_key_id=seen.subject_key_id,
        authority_key_id=seen.authority_key_id,
        authority_key_id_only=seen.authority_key_id_only,
        policies=_shared(seen.policies),
        basic_constraints=seen.basic_constraints,
        alternative_names=seen.alternative_names,
        hardware_type=seen.hardware_type,
        extensions=_shared(seen.present),
        signature_algorithms=_shared((inner_algorithm.raw, outer_algorithm.raw)),
        public_key_info=key_info.raw,
        public_key=PublicKey.of(key),
        signed_part=parsed.tbs_certificate_bytes,
        signature=parsed.signature,
    )


H = TypeVar("H", bound=Hashable)


@lru_cache(maxsize=1024)
def _same(value: Hashable) -> Hashable:
    return value


def _shared(value: H) -> H:
    """The same object for values that are alike: what an authority writes is alike in all certificates."""
    return cast(H, _same(value))


@dataclass(slots=True)
class _Extensions:
    """What the extensions say, gathered while they are walked once."""

    present: tuple[Extension, ...] = ()
    usage_bits: tuple[str, ...] = ()
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    authority_key_id_only: bool = False
    policies: tuple[str, ...] = ()
    basic_constraints: BasicConstraints | None = None
    alternative_names: int = 0
    hardware_type: str | None = None
    hardware_serial: Eui64 | None = None

    @classmethod
    def of(cls, extensions: x509.Extensions) -> _Extensions:
        seen = cls(present=tuple(Extension(e.oid.dotted_string, e.critical) for e in extensions))
        for extension in extensions:
            match extension.value:
                case x509.KeyUsage() as usage:
                    seen.usage_bits = tuple(bit for bit in _USAGE_BITS if getattr(usage, bit))
                case x509.SubjectKeyIdentifier() as identifier:
                    seen.subject_key_id = identifier.digest
                case x509.AuthorityKeyIdentifier() as authority:
                    seen.authority_key_id = authority.key_identifier
                    seen.authority_key_id_only = (
                        authority.authority_cert_issuer is None
                        and authority.authority_cert_serial_number is None
                    )
                case x509.CertificatePolicies() as policies:
                    seen.policies = tuple(p.policy_identifier.dotted_string for p in policies)
                case x509.BasicConstraints() as constraints:
                    seen.basic_constraints = BasicConstraints(constraints.ca, constraints.path_length)
                case x509.SubjectAlternativeName() as names:
                    seen.alternative_names = len(list(names))
                    seen._read_hardware_name(names)
                case _:
                    pass
        return seen

    def _read_hardware_name(self, names: x509.SubjectAlternativeName) -> None:
        """HardwareModuleName ::= SEQUENCE { hwType OID, hwSerialNum OCTET STRING }. Spec: RFC 4108 5."""
        found = [
            other.value
            for other in names.get_values_for_type(x509.OtherName)
            if other.type_id.dotted_string == oids.HARDWARE_MODULE_NAME
        ]
        if len(found) != 1:
            return
        try:
            outer = der.element(found[0])
            parts = der.elements(outer.content)
            if [outer.tag, *(p.tag for p in parts)] == [
                der.SEQUENCE,
                der.OBJECT_IDENTIFIER,
                der.OCTET_STRING,
            ]:
                self.hardware_type = der.dotted(parts[0].content)
                self.hardware_serial = Eui64(parts[1].content) if len(parts[1].content) == 8 else None
        except CodecError:
            return  # a hardware name of another form names no device: the profile reports it


def _one_usage(bits: tuple[str, ...]) -> KeyUsage | None:
    known = [usage for bit, usage in _USAGES.items() if bit in bits]
    return known[0] if len(known) == 1 else None


def _role(subject: DistinguishedName) -> RemotePartyRole | int | None:
    """Exactly one OU of two hex digits; a longer or a decimal one is no role."""
    units = subject.values(oids.ORGANISATIONAL_UNIT)
    text = units[0].text if len(units) == 1 else None
    if text is None or not _ROLE.fullmatch(text):
        return None
    number = int(text, 16)
    return _ROLES.get(number, number)


def _unique_identifier(subject: DistinguishedName) -> Eui64 | None:
    found = subject.values(oids.UNIQUE_IDENTIFIER)
    if len(found) != 1 or found[0].tag != der.BIT_STRING or len(found[0].value) != 9 or found[0].value[0]:
        return None
    return Eui64(found[0].value[1:])


def _kind(
    subject: DistinguishedName, role: RemotePartyRole | int | None, seen: _Extensions
) -> CertificateKind:
    if not subject.attributes or seen.hardware_serial is not None:
        return CertificateKind.DEVICE
    if "key_cert_sign" in seen.usage_bits or role in {
        RemotePartyRole.ROOT,
        RemotePartyRole.ISSUING_AUTHORITY,
    }:
        return CertificateKind.AUTHORITY
    if role is not None or subject.values(oids.UNIQUE_IDENTIFIER):
        return CertificateKind.ORGANISATION
    return CertificateKind.OTHER
