"""Certificate profiles: published certificates keep them, ours are built alike, each breach is found."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import (
    Authority,
    Certificate,
    CertificateKind,
    KeyRing,
    check_profile,
    der,
    load_pem_folder,
    oids,
    require_profile,
)
from smetslab.pki import template as write
from smetslab.pki.names import DistinguishedName, NameAttribute, name
from smetslab.pki.profile import RULES, key_identifier

SUPPLIER = Eui64.parse("90B3D51F30010000")
METER = Eui64.parse("00DB1234567890A0")
UNIT, IDENTIFIER = write.organisation_subject(SUPPLIER, 2, "").attributes
STRANGER = PrivateKey.from_seed(b"s" * 32).public


def subject(*attributes: NameAttribute) -> DistinguishedName:
    return DistinguishedName(attributes)


def unit(text: str, tag: int = der.UTF8_STRING) -> NameAttribute:
    return NameAttribute(oids.ORGANISATIONAL_UNIT, tag, text.encode())


def usage(bits: bytes, unused: int, *, critical: bool = True) -> bytes:
    return write.extension(oids.KEY_USAGE, der.bit_string(bits, unused), critical=critical)


def other_name(*octets: bytes, critical: bool = True) -> bytes:
    """SubjectAltName with one hardwareModuleName for each of `octets`."""
    names = [
        der.tlv(
            0xA0,
            der.object_identifier(oids.HARDWARE_MODULE_NAME),
            der.tlv(0xA0, der.sequence(der.object_identifier("1.2.3"), der.octet_string(one))),
        )
        for one in octets
    ]
    return write.extension(oids.SUBJECT_ALTERNATIVE_NAME, der.sequence(*names), critical=critical)


def identifier(oid: str, octets: bytes, *, critical: bool = False) -> bytes:
    if oid == oids.AUTHORITY_KEY_IDENTIFIER:
        return write.extension(oid, der.sequence(der.tlv(0x80, octets)), critical=critical)
    return write.extension(oid, der.octet_string(octets), critical=critical)


SKI = oids.SUBJECT_KEY_IDENTIFIER
AKI = oids.AUTHORITY_KEY_IDENTIFIER
SAN = oids.SUBJECT_ALTERNATIVE_NAME
POLICIES = oids.CERTIFICATE_POLICIES
KNOWN_POLICY = der.sequence(der.object_identifier(oids.ORGANISATION_POLICY))
TWO_POLICIES = write.policies(oids.ORGANISATION_POLICY, oids.RTDS_DEVICE_POLICY)
AKI_WITH_SERIAL = write.extension(
    AKI,
    der.sequence(
        der.tlv(0x80, bytes(8)),
        der.tlv(0xA1, der.tlv(0xA4, name((oids.COMMON_NAME, "x")).encode())),
        der.tlv(0x82, b"\x01"),
    ),
    critical=False,
)

ORGANISATION_BREACHES = {
    "version 1": ({"version": 1, "instead": dict.fromkeys((oids.KEY_USAGE, SKI, POLICIES, AKI))}, "version"),
    "serial of 17 octets": ({"serial": 1 << 128}, "serial number"),
    "no subject key identifier": ({"instead": {SKI: None}}, "subject key identifier"),
    "critical subject key identifier": (
        {"instead": {SKI: identifier(SKI, key_identifier(STRANGER), critical=True)}},
        "subject key identifier",
    ),
    "subject key identifier of 20 octets": (
        {"instead": {SKI: identifier(SKI, bytes(20))}},
        "subject key identifier",
    ),
    "subject key identifier of another key": (
        {"instead": {SKI: write.subject_key_id(STRANGER)}},
        "subject key identifier",
    ),
    "no authority key identifier": ({"instead": {AKI: None}}, "authority key identifier"),
    "critical authority key identifier": (
        {"instead": {AKI: identifier(AKI, bytes(8), critical=True)}},
        "authority key identifier",
    ),
    "authority key identifier of 20 octets": (
        {"instead": {AKI: identifier(AKI, bytes(20))}},
        "authority key identifier",
    ),
    "authority key identifier with a serial number": (
        {"instead": {AKI: AKI_WITH_SERIAL}},
        "authority key identifier",
    ),
    "no key usage": ({"instead": {oids.KEY_USAGE: None}}, "key usage"),
    "key usage not critical": ({"instead": {oids.KEY_USAGE: usage(b"\x80", 7, critical=False)}}, "key usage"),
    "two key usages": ({"instead": {oids.KEY_USAGE: usage(b"\x88", 3)}}, "key usage"),
    "key encipherment": ({"instead": {oids.KEY_USAGE: usage(b"\x20", 5)}}, "key usage"),
    "signature and CRL": ({"instead": {oids.KEY_USAGE: usage(b"\x82", 1)}}, "key usage"),
    "no policies": ({"instead": {POLICIES: None}}, "certificate policies"),
    "policies not critical": (
        {"instead": {POLICIES: write.extension(POLICIES, der.sequence(KNOWN_POLICY), critical=False)}},
        "certificate policies",
    ),
    "unknown policy": ({"instead": {POLICIES: write.policies("1.2.3.4")}}, "accepted policy"),
    "unknown critical extension": (
        {"extra": (write.extension("1.2.3.4", b"\x05\x00", critical=True),)},
        "critical extension",
    ),
    "claims to be an authority": ({"extra": (write.basic_constraints(0),)}, "basic constraints"),
    "decimal role": ({"subject": subject(unit("137"), IDENTIFIER)}, "role"),
    "no role": ({"subject": subject(IDENTIFIER)}, "role"),
    "two roles": ({"subject": subject(unit("02"), unit("03"), IDENTIFIER)}, "role"),
    "unknown role": ({"subject": subject(unit("55"), IDENTIFIER)}, "role"),
    "role as PrintableString": ({"subject": subject(unit("02", der.PRINTABLE_STRING), IDENTIFIER)}, "role"),
    "no unique identifier": ({"subject": subject(UNIT)}, "unique identifier"),
    "unique identifier as octet string": (
        {
            "subject": subject(
                UNIT, NameAttribute(oids.UNIQUE_IDENTIFIER, der.OCTET_STRING, b"\0" + SUPPLIER.raw)
            )
        },
        "unique identifier",
    ),
    "subject the other way round": ({"subject": subject(IDENTIFIER, UNIT)}, "subject"),
}

DEVICE_BREACHES = {
    "subject not empty": ({"subject": name((oids.COMMON_NAME, "meter"))}, "subject"),
    "no alternative name": ({"instead": {SAN: None}}, "alternative name"),
    "alternative name not critical": (
        {"instead": {SAN: other_name(METER.raw, critical=False)}},
        "alternative name",
    ),
    "two alternative names": ({"instead": {SAN: other_name(METER.raw, METER.raw)}}, "alternative name"),
    "identifier of 7 octets": ({"instead": {SAN: other_name(METER.raw[:7])}}, "alternative name"),
    "two policies": ({"instead": {POLICIES: TWO_POLICIES}}, "one policy"),
    "unknown policy": ({"instead": {POLICIES: write.policies("1.2.3.4")}}, "accepted policy"),
    "an end": ({"not_after": datetime(2040, 1, 1, tzinfo=UTC)}, "not after"),
    "two key usages": ({"instead": {oids.KEY_USAGE: usage(b"\x88", 3)}}, "key usage"),
    "no authority key identifier": ({"instead": {AKI: None}}, "authority key identifier"),
}


@pytest.mark.parametrize(
    ("changes", "rule"), ORGANISATION_BREACHES.values(), ids=ORGANISATION_BREACHES.keys()
)
def test_breach_of_the_organisation_profile_is_found(forge, changes, rule: str) -> None:
    assert rule in {finding.rule for finding in check_profile(forge(**changes), CertificateKind.ORGANISATION)}


@pytest.mark.parametrize(("changes", "rule"), DEVICE_BREACHES.values(), ids=DEVICE_BREACHES.keys())
def test_breach_of_the_device_profile_is_found(forge, changes, rule: str) -> None:
    found = {finding.rule for finding in check_profile(forge(device=True, **changes), CertificateKind.DEVICE)}
    assert rule in found


def authority_extensions(key: PublicKey, **instead: bytes | None) -> tuple[bytes, ...]:
    sound = {
        "usage": write.key_usage(KeyUsage.KEY_CERT_SIGN),
        "constraints": write.basic_constraints(0),
        "policies": write.policies(oids.ORGANISATION_POLICY),
        "ski": write.subject_key_id(key),
        "aki": write.authority_key_id(STRANGER),
    }
    return tuple(one for one in (sound | instead).values() if one is not None)


AUTHORITY_BREACHES = {
    "signs messages too": ({"usage": usage(b"\x84", 2)}, "07", "key usage"),
    "no basic constraints": ({"constraints": None}, "07", "basic constraints"),
    "is no authority": (
        {"constraints": write.extension(oids.BASIC_CONSTRAINTS, der.sequence(), critical=True)},
        "07",
        "basic constraints",
    ),
    "basic constraints not critical": (
        {
            "constraints": write.extension(
                oids.BASIC_CONSTRAINTS, der.sequence(der.boolean(True)), critical=False
            )
        },
        "07",
        "basic constraints",
    ),
    "no authority key identifier though not self-signed": ({"aki": None}, "07", "authority key identifier"),
    "role of a supplier": ({}, "02", "subject"),
}


@pytest.mark.parametrize(
    ("changes", "role", "rule"), AUTHORITY_BREACHES.values(), ids=AUTHORITY_BREACHES.keys()
)
def test_breach_of_the_authority_profile_is_found(
    forge, key: PrivateKey, changes, role: str, rule: str
) -> None:
    found = forge(
        subject=name((oids.ORGANISATIONAL_UNIT, role), (oids.COMMON_NAME, "x")),
        extensions=authority_extensions(key.public, **changes),
    )
    assert [finding.rule for finding in check_profile(found, CertificateKind.AUTHORITY)] == [rule]


def test_every_rule_is_broken_by_some_certificate_above() -> None:
    broken = {rule for _changes, rule in (*ORGANISATION_BREACHES.values(), *DEVICE_BREACHES.values())}
    broken |= {rule for *_changes, rule in AUTHORITY_BREACHES.values()}
    # The writer cannot make these three; they have tests of their own below.
    assert {rule.name for rule in RULES} - broken == {"signature algorithm", "public key", "issuer"}


def test_other_signature_algorithm_is_a_breach(authority: Authority) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    from smetslab.pki import parse_certificate

    who, day = x509.Name([]), datetime(2015, 1, 1, tzinfo=UTC)
    key = authority.root.private_key.library_key
    builder = x509.CertificateBuilder(who, who, key.public_key(), 1, day, day.replace(year=2016))
    found = parse_certificate(builder.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.DER))
    assert "signature algorithm" in {finding.rule for finding in check_profile(found)}


def test_compressed_point_is_a_breach(forge, key: PrivateKey) -> None:
    from smetslab.pki import parse_certificate

    sound = forge()
    point = key.public.point
    compressed = der.sequence(
        der.sequence(der.object_identifier(oids.EC_PUBLIC_KEY), der.object_identifier(oids.P256)),
        der.bit_string(bytes((2 + point[-1] % 2,)) + point[1:33]),
    )
    body = der.element(sound.signed_part).content.replace(sound.public_key_info, compressed)
    _old, algorithm, signature = der.elements(der.element(sound.der).content)
    found = parse_certificate(der.sequence(der.sequence(body), algorithm.raw, signature.raw))
    assert found.public_key == sound.public_key
    assert [finding.rule for finding in check_profile(found)] == ["public key"]


def test_issuer_without_the_issuing_role_is_a_breach(forge, authority: Authority) -> None:
    assert [f.rule for f in check_profile(forge(issuer=authority.root))] == ["issuer"]


def test_sound_certificates_have_no_finding(forge, ring: KeyRing) -> None:
    assert check_profile(forge()) == []
    assert check_profile(forge(device=True)) == []
    assert {
        entry.name: check_profile(entry.certificate)
        for entry in ring.entries
        if check_profile(entry.certificate)
    } == {}


def test_accepted_policies_are_the_callers_choice(forge) -> None:
    found = forge(device=True, instead={POLICIES: write.policies("1.2.3.4")})
    assert check_profile(found, policies=["1.2.3.4"]) == []
    assert check_profile(found, policies=[]) == []
    assert [finding.rule for finding in check_profile(forge(device=True), policies=["1.2.3.4"])] == [
        "accepted policy"
    ]


def test_wrong_kind_is_the_first_finding_and_is_raised(forge) -> None:
    assert check_profile(forge(device=True), CertificateKind.ORGANISATION)[0].rule == "kind"
    with pytest.raises(CertificateError, match=r"kind is device, expected organisation, and \d+ more"):
        require_profile(forge(device=True), CertificateKind.ORGANISATION)
    require_profile(forge(device=True), CertificateKind.DEVICE)


def test_a_certificate_of_no_kind_keeps_no_profile(authority: Authority) -> None:
    assert [finding.rule for finding in check_profile(authority.laboratory().certificate)] == ["kind"]


# Against the published certificates ----------------------------------------------------------------------


def rebuilt(found: Certificate, issuer: PublicKey, extensions: tuple[bytes, ...]) -> bytes:
    """The part that is signed, as our writer makes it from the values that a published certificate has."""
    by = PrivateKey.from_seed(b"i" * 32)
    template = write.Template(
        serial=found.serial,
        subject=found.subject,
        not_before=found.not_before,
        not_after=found.not_after,
        extensions=extensions,
    )
    return write.issue(template, found.public_key, found.issuer, by).signed_part


def test_published_organisation_certificates_keep_the_profile(zaz1: KeyRing) -> None:
    assert {c.title: check_profile(c) for c in zaz1.certificates() if check_profile(c)} == {}


def test_published_issuing_authority_keeps_the_profile(z1: Certificate) -> None:
    assert z1.kind is CertificateKind.AUTHORITY
    assert check_profile(z1) == []


def test_rtds_certificates_keep_the_profile_but_for_one_party(rtds_folder: Path) -> None:
    found = Counter(
        (str(c.entity_id), finding.rule)
        for c in load_pem_folder(rtds_folder).certificates()
        for finding in check_profile(c)
    )
    assert found == {("90B3D51F30010008", "authority key identifier"): 2}


def test_our_writer_makes_published_organisation_certificates_octet_for_octet(
    zaz1: KeyRing, z1: Certificate
) -> None:
    compared = 0
    for found in zaz1.certificates():
        if found.issuer.common_name != "Z1":
            continue  # those of OB have basic constraints as well, which the profile leaves open
        extensions = (
            write.key_usage(found.key_usage),
            write.subject_key_id(found.public_key),
            write.policies(oids.ORGANISATION_POLICY),
        )
        if found.signs_xml:
            expected = rebuilt(found, z1.public_key, tuple(reversed(extensions)))
        else:
            expected = rebuilt(found, z1.public_key, (*extensions, write.authority_key_id(z1.public_key)))
        assert expected == found.signed_part, found.title
        compared += 1
    assert compared == 29


def test_our_writer_makes_published_device_certificates_octet_for_octet(rtds_folder: Path) -> None:
    issuer_key_id = bytes.fromhex("47D40AF3412904A0")  # the issuer's own certificate was never published
    compared = 0
    for found in load_pem_folder(rtds_folder).certificates():
        if found.kind is not CertificateKind.DEVICE:
            continue
        extensions = (
            write.key_usage(found.key_usage),
            write.subject_key_id(found.public_key),
            write.hardware_module_name(found.entity_id, oids.HARDWARE_TYPE),
            write.policies(oids.RTDS_DEVICE_POLICY),
            identifier(AKI, issuer_key_id),
        )
        assert rebuilt(found, found.public_key, extensions) == found.signed_part, found.title
        compared += 1
    assert compared == 400


def test_our_writer_makes_the_published_issuing_authority_octet_for_octet(z1: Certificate) -> None:
    extensions = (
        write.key_usage(KeyUsage.KEY_CERT_SIGN),
        write.basic_constraints(0),
        write.policies(oids.ORGANISATION_POLICY),
        write.subject_key_id(z1.public_key),
        identifier(AKI, bytes.fromhex("48CF1B32697C4669")),
    )
    assert rebuilt(z1, z1.public_key, extensions) == z1.signed_part


@pytest.mark.parametrize("role", [1, 2, 3, 4, 5, 6, 8, 0x87, 0x89])
def test_our_organisations_have_the_extensions_of_the_published_ones(
    authority: Authority, zaz1: KeyRing, role: int
) -> None:
    published = next(
        c for c in zaz1.certificates() if c.role == role and c.key_usage is KeyUsage.DIGITAL_SIGNATURE
    )
    ours = authority.organisation(SUPPLIER, role, KeyUsage.DIGITAL_SIGNATURE).certificate
    assert ours.extensions == published.extensions
    assert [(a.oid, a.tag) for a in ours.subject.attributes][-2:] == [
        (a.oid, a.tag) for a in published.subject.attributes
    ][-2:]
    assert len(ours.der) - len(published.der) < 80  # our names are longer, nothing else


def test_our_devices_and_authorities_have_the_extensions_of_the_published_ones(
    authority: Authority, rtds_folder: Path, z1: Certificate
) -> None:
    published = load_pem_folder(rtds_folder).find(METER, KeyUsage.KEY_AGREEMENT).certificate
    assert authority.device(METER, KeyUsage.KEY_AGREEMENT).certificate.extensions == published.extensions
    assert authority.issuing.certificate.extensions == z1.extensions
    assert authority.device_issuing.certificate.extensions == z1.extensions
