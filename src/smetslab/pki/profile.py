"""The certificate profiles as declared rules: organisation, device, authority.

Each rule is one row: which kinds of certificate it binds, what it asks, and a function that says what is
wrong. `check_profile` reports every breach; `require_profile` raises at the first. Knows one certificate at
a time: who issued it, and whether it is in date, are questions of `smetslab.pki.chain`.

Spec: GBCS 12 (profile that a device has to check); RFC 5280; RFC 5759; SMKI organisation and device profiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from smetslab.crypto import PublicKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.pki import der, oids
from smetslab.pki.certificate import (
    DSP_XML_SIGN_ROLE,
    XML_SIGN_ROLE,
    Certificate,
    CertificateKind,
)
from smetslab.pki.limits import KEY_IDENTIFIER_BYTES, SERIAL_BYTES

NO_EXPIRY: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""99991231235959Z: a certificate without a well-defined end. Spec: RFC 5280 4.1.2.5."""

ORGANISATION_POLICIES: Final = (oids.ORGANISATION_POLICY,)
DEVICE_POLICIES: Final = (oids.ORGANISATION_POLICY, oids.RTDS_DEVICE_POLICY)

ALGORITHM: Final = der.sequence(der.object_identifier(oids.ECDSA_WITH_SHA256))
"""AlgorithmIdentifier of ecdsa-with-SHA256: no parameters, not even NULL. Spec: RFC 5758 3.2."""

ORGANISATION: Final = CertificateKind.ORGANISATION
DEVICE: Final = CertificateKind.DEVICE
AUTHORITY: Final = CertificateKind.AUTHORITY

_EVERY = (ORGANISATION, DEVICE, AUTHORITY)
_KNOWN_CRITICAL = frozenset(
    {
        oids.KEY_USAGE,
        oids.BASIC_CONSTRAINTS,
        oids.CERTIFICATE_POLICIES,
        oids.SUBJECT_ALTERNATIVE_NAME,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.AUTHORITY_KEY_IDENTIFIER,
    }
)
_ORGANISATION_ROLES = frozenset(
    {
        role.value
        for role in RemotePartyRole
        if role not in {RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY}
    }
    | {XML_SIGN_ROLE, DSP_XML_SIGN_ROLE}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a profile."""

    rule: str
    what: str
    spec: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what} ({self.spec})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a profile. `check` returns what is wrong, or an empty text."""

    name: str
    kinds: tuple[CertificateKind, ...]
    spec: str
    check: Callable[[Certificate], str]


def key_identifier(key: PublicKey) -> bytes:
    """Eight octets: 0100 and the last 60 bits of SHA-1 over the point. Spec: RFC 5280 4.2.1.2 method 2."""
    tail = hashlib.sha1(key.point, usedforsecurity=False).digest()[-KEY_IDENTIFIER_BYTES:]
    return bytes((0x40 | tail[0] & 0x0F,)) + tail[1:]


def public_key_info(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo of a P-256 key with an uncompressed point. Spec: RFC 5480 2.1; RFC 5759 3.1."""
    algorithm = der.sequence(der.object_identifier(oids.EC_PUBLIC_KEY), der.object_identifier(oids.P256))
    return der.sequence(algorithm, der.bit_string(key.point))


def _criticality(certificate: Certificate, oid: str, *, critical: bool) -> str:
    """Whether the extension is there, and as critical as the profile has it."""
    for extension in certificate.extensions:
        if extension.oid == oid:
            if extension.critical is critical:
                return ""
            return f"is {'critical' if extension.critical else 'not critical'}"
    return "is absent"


def _version(certificate: Certificate) -> str:
    return "" if certificate.version == 3 else f"is {certificate.version}, expected 3"


def _serial(certificate: Certificate) -> str:
    octets = (certificate.serial.bit_length() + 7) // 8
    return "" if octets <= SERIAL_BYTES else f"has {octets} octets, at most {SERIAL_BYTES} are allowed"


def _algorithm(certificate: Certificate) -> str:
    if certificate.signature_algorithms == (ALGORITHM, ALGORITHM):
        return ""
    inner, outer = (raw.hex().upper() for raw in certificate.signature_algorithms)
    return f"is {inner} inside and {outer} outside, expected {ALGORITHM.hex().upper()} twice"


def _public_key(certificate: Certificate) -> str:
    expected = public_key_info(certificate.public_key)
    return (
        "" if certificate.public_key_info == expected else "is not an uncompressed point of named curve P-256"
    )


def _subject_key_id(certificate: Certificate) -> str:
    found = certificate.subject_key_id
    if found is None:
        return "is absent"
    if critical := _criticality(certificate, oids.SUBJECT_KEY_IDENTIFIER, critical=False):
        return critical
    if len(found) != KEY_IDENTIFIER_BYTES:
        return f"has {len(found)} octets, expected {KEY_IDENTIFIER_BYTES}"
    expected = key_identifier(certificate.public_key)
    if found != expected:
        return f"is {found.hex().upper()}, but method 2 over this key gives {expected.hex().upper()}"
    return ""


def _authority_key_id(certificate: Certificate) -> str:
    found = certificate.authority_key_id
    if all(extension.oid != oids.AUTHORITY_KEY_IDENTIFIER for extension in certificate.extensions):
        root = certificate.kind is CertificateKind.AUTHORITY and certificate.self_issued
        # The published certificates for XML signatures have none either.
        return "" if root or certificate.signs_xml else "is absent"
    if critical := _criticality(certificate, oids.AUTHORITY_KEY_IDENTIFIER, critical=False):
        return critical
    if found is None or not certificate.authority_key_id_only:
        return "is not in the keyIdentifier form alone"
    return (
        ""
        if len(found) == KEY_IDENTIFIER_BYTES
        else f"has {len(found)} octets, expected {KEY_IDENTIFIER_BYTES}"
    )


def _end_entity_usage(certificate: Certificate) -> str:
    if critical := _criticality(certificate, oids.KEY_USAGE, critical=True):
        return critical
    if certificate.usage_bits in {("digital_signature",), ("key_agreement",)}:
        return ""
    return f"is {_usage(certificate)}, expected digital_signature or key_agreement alone"


def _authority_usage(certificate: Certificate) -> str:
    if critical := _criticality(certificate, oids.KEY_USAGE, critical=True):
        return critical
    if certificate.usage_bits in {("key_cert_sign",), ("key_cert_sign", "crl_sign")}:
        return ""
    return f"is {_usage(certificate)}, expected key_cert_sign, crl_sign beside it allowed"


def _usage(certificate: Certificate) -> str:
    return " + ".join(certificate.usage_bits) or "empty"


def _policies_present(certificate: Certificate) -> str:
    if critical := _criticality(certificate, oids.CERTIFICATE_POLICIES, critical=True):
        return critical
    return "" if certificate.policies else "names no policy"


def _one_policy(certificate: Certificate) -> str:
    count = len(certificate.policies)
    return "" if count == 1 else f"names {count} policies, expected exactly 1"


def _unknown_critical(certificate: Certificate) -> str:
    unknown = [e.oid for e in certificate.extensions if e.critical and e.oid not in _KNOWN_CRITICAL]
    return f"{', '.join(unknown)} is unknown" if unknown else ""


def _not_an_authority(certificate: Certificate) -> str:
    constraints = certificate.basic_constraints
    return "claim an authority" if constraints is not None and constraints.is_authority else ""


def _an_authority(certificate: Certificate) -> str:
    if critical := _criticality(certificate, oids.BASIC_CONSTRAINTS, critical=True):
        return critical
    constraints = certificate.basic_constraints
    return "" if constraints is not None and constraints.is_authority else "do not claim an authority"


def _organisation_role(certificate: Certificate) -> str:
    units = certificate.subject.values(oids.ORGANISATIONAL_UNIT)
    if certificate.role is None:
        shown = ", ".join(str(unit) for unit in units) or "absent"
        return f"is {shown}, expected one OU of two hex digits"
    if units[0].tag != der.UTF8_STRING:
        return "is not a UTF8String"
    return (
        ""
        if int(certificate.role) in _ORGANISATION_ROLES
        else f"{int(certificate.role):02X} is no organisation's"
    )


def _unique_identifier(certificate: Certificate) -> str:
    return "" if certificate.entity_id is not None else "is not one BIT STRING of 64 bits"


def _subject_order(certificate: Certificate) -> str:
    found = tuple(attribute.oid for attribute in certificate.subject.attributes)
    core = (oids.ORGANISATIONAL_UNIT, oids.UNIQUE_IDENTIFIER)
    if found in {core, (oids.COMMON_NAME, *core)}:
        return ""
    return f"is {certificate.subject}, expected optional CN, OU, uniqueIdentifier"


def _organisation_issuer(certificate: Certificate) -> str:
    units = certificate.issuer.values(oids.ORGANISATIONAL_UNIT)
    if [unit.text for unit in units] == ["07"] and certificate.issuer.common_name:
        return ""
    return f"is {certificate.issuer}, expected OU=07 and a CN"


def _authority_subject(certificate: Certificate) -> str:
    if (
        certificate.role in {RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY}
        and certificate.subject.common_name
    ):
        return ""
    return f"is {certificate.subject}, expected OU 00 or 07 and a CN"


def _empty_subject(certificate: Certificate) -> str:
    return f"is {certificate.subject}, expected none" if certificate.subject.attributes else ""


def _hardware_name(certificate: Certificate) -> str:
    if critical := _criticality(certificate, oids.SUBJECT_ALTERNATIVE_NAME, critical=True):
        return critical
    if certificate.alternative_names != 1:
        return f"holds {certificate.alternative_names} names, expected exactly 1"
    return "" if certificate.entity_id is not None else "is no hardwareModuleName with an EUI-64"


def _no_expiry(certificate: Certificate) -> str:
    return (
        ""
        if certificate.not_after == NO_EXPIRY
        else f"is {certificate.not_after:%Y%m%d%H%M%SZ}, expected 9999..."
    )


RULES: Final = (
    Rule(name="version", kinds=_EVERY, spec="GBCS 12; RFC 5280 4.1.2.1", check=_version),
    Rule(name="serial number", kinds=_EVERY, spec="SMKI certificate profiles", check=_serial),
    Rule(name="signature algorithm", kinds=_EVERY, spec="GBCS 12; RFC 5759 3.4", check=_algorithm),
    Rule(name="public key", kinds=_EVERY, spec="GBCS 12; RFC 5759 3.1", check=_public_key),
    Rule(
        name="subject key identifier", kinds=_EVERY, spec="GBCS 12; RFC 5280 4.2.1.2", check=_subject_key_id
    ),
    Rule(
        name="authority key identifier",
        kinds=_EVERY,
        spec="GBCS 12; RFC 5280 4.2.1.1",
        check=_authority_key_id,
    ),
    Rule(name="key usage", kinds=(ORGANISATION, DEVICE), spec="GBCS 12", check=_end_entity_usage),
    Rule(name="key usage", kinds=(AUTHORITY,), spec="GBCS 12; RFC 5280 4.2.1.3", check=_authority_usage),
    Rule(name="certificate policies", kinds=_EVERY, spec="GBCS 12", check=_policies_present),
    Rule(name="one policy", kinds=(DEVICE,), spec="GBCS 12", check=_one_policy),
    Rule(name="critical extension", kinds=_EVERY, spec="RFC 5280 4.2", check=_unknown_critical),
    Rule(
        name="basic constraints",
        kinds=(ORGANISATION, DEVICE),
        spec="RFC 5280 4.2.1.9",
        check=_not_an_authority,
    ),
    Rule(name="basic constraints", kinds=(AUTHORITY,), spec="RFC 5280 4.2.1.9", check=_an_authority),
    Rule(name="role", kinds=(ORGANISATION,), spec="SMKI organisation profile", check=_organisation_role),
    Rule(
        name="unique identifier",
        kinds=(ORGANISATION,),
        spec="SMKI organisation profile",
        check=_unique_identifier,
    ),
    Rule(name="subject", kinds=(ORGANISATION,), spec="SMKI organisation profile", check=_subject_order),
    Rule(name="issuer", kinds=(ORGANISATION,), spec="SMKI organisation profile", check=_organisation_issuer),
    Rule(name="subject", kinds=(AUTHORITY,), spec="SMKI organisation profile", check=_authority_subject),
    Rule(name="subject", kinds=(DEVICE,), spec="GBCS 12", check=_empty_subject),
    Rule(name="alternative name", kinds=(DEVICE,), spec="GBCS 12; RFC 4108 5", check=_hardware_name),
    Rule(name="not after", kinds=(DEVICE,), spec="SMKI device profile; RFC 5280 4.1.2.5", check=_no_expiry),
)
"""Every rule of every profile, in the order in which breaches are reported."""


def check_profile(
    certificate: Certificate,
    kind: CertificateKind | None = None,
    *,
    policies: Collection[str] | None = None,
) -> list[Finding]:
    """Every breach of the profile of `kind`, by default of the kind that the certificate claims.

    `policies`: the accepted policy ids, of which the certificate has to name one; by default those of the
    published test certificates of its kind. An empty collection accepts any.
    """
    wanted = kind or certificate.kind
    if wanted not in _EVERY:
        return [Finding("kind", "is of no profile: neither organisation, device nor authority", "GBCS 12")]
    findings = [
        Finding(rule.name, what, rule.spec)
        for rule in RULES
        if wanted in rule.kinds and (what := rule.check(certificate))
    ]
    if wanted is not certificate.kind:
        findings.insert(0, Finding("kind", f"is {certificate.kind}, expected {wanted}", "GBCS 12"))
    default = ORGANISATION_POLICIES if wanted is ORGANISATION else DEVICE_POLICIES
    accepted = default if policies is None else policies
    if accepted and certificate.policies and not set(accepted).intersection(certificate.policies):
        what = f"{', '.join(certificate.policies)} is not accepted, only {', '.join(sorted(accepted))}"
        findings.append(Finding("accepted policy", what, "GBCS 12; RFC 5280 6.1"))
    return findings


def require_profile(
    certificate: Certificate,
    kind: CertificateKind | None = None,
    *,
    policies: Collection[str] | None = None,
) -> None:
    """Raise CertificateError at the first breach of the profile."""
    findings = check_profile(certificate, kind, policies=policies)
    if findings:
        first = findings[0]
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        raise CertificateError(f"{certificate.title}: {first.rule} {first.what}{more}", spec=first.spec)
