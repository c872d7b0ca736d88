"""Certificates are read into the values that GBCS and DUIS ask for, or refused with CertificateError."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.pki import Authority, Certificate, CertificateKind, KeyRing, der, oids, parse_certificate
from smetslab.pki import template as write
from smetslab.pki.limits import MAX_CERTIFICATE_BYTES, MAX_PEM_BYTES
from smetslab.pki.names import DistinguishedName, NameAttribute, name
from smetslab.rng import RootSeed

SUPPLIER = Eui64.parse("90B3D51F30010000")
METER = Eui64.parse("00DB1234567890A0")
DAY = datetime(2015, 1, 1, tzinfo=UTC)
MADE = Authority(RootSeed(3))


def test_organisation_certificate_tells_entity_role_and_use(authority: Authority) -> None:
    found = authority.organisation(
        SUPPLIER, 2, KeyUsage.KEY_AGREEMENT, common_name="smetslab TEST x"
    ).certificate
    assert (found.kind, found.entity_id, found.role, found.key_usage) == (
        CertificateKind.ORGANISATION,
        SUPPLIER,
        RemotePartyRole.SUPPLIER,
        KeyUsage.KEY_AGREEMENT,
    )
    assert str(found.subject) == "CN=smetslab TEST x, OU=02, uniqueIdentifier=0090B3D51F30010000"
    assert str(found.issuer) == "OU=07, CN=smetslab TEST issuing"
    assert found.not_before == datetime(2015, 1, 1, tzinfo=UTC)
    assert found.authority_key_id == authority.issuing.certificate.subject_key_id
    assert found.policies == ("1.2.826.0.1.8641679.1.2.1.4",)
    assert not found.signs_xml


def test_device_certificate_tells_entity_from_its_hardware_name(authority: Authority) -> None:
    found = authority.device(METER, KeyUsage.DIGITAL_SIGNATURE).certificate
    assert (found.kind, found.entity_id, found.role, found.key_usage) == (
        CertificateKind.DEVICE,
        METER,
        None,
        KeyUsage.DIGITAL_SIGNATURE,
    )
    assert found.not_after == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert str(found.subject) == "(empty)"


@pytest.mark.parametrize(("role", "expected"), [(0x87, 0x87), (0x89, 0x89), (0x7F, RemotePartyRole.OTHER)])
def test_roles_outside_gbcs_are_plain_numbers(authority: Authority, role: int, expected: int) -> None:
    found = authority.organisation(SUPPLIER, role, KeyUsage.DIGITAL_SIGNATURE).certificate
    assert found.role == expected
    assert isinstance(found.role, RemotePartyRole) is (role == 0x7F)
    assert found.signs_xml is (role != 0x7F)


@pytest.mark.parametrize("unit", ["137", "2", "0x", "é2"])
def test_a_role_of_other_than_two_hex_digits_is_none(forge, unit: str) -> None:
    subject = write.organisation_subject(SUPPLIER, 2, "")
    units = NameAttribute(oids.ORGANISATIONAL_UNIT, der.UTF8_STRING, unit.encode())
    found = forge(subject=DistinguishedName((units, subject.attributes[1])))
    assert (found.role, found.entity_id) == (None, SUPPLIER)


@pytest.mark.parametrize("value", ["0090B3D51F3001", "0190B3D51F30010000", "0090B3D51F3001000000"])
def test_a_unique_identifier_of_other_than_64_bits_names_nobody(forge, value: str) -> None:
    unit = write.organisation_subject(SUPPLIER, 2, "").attributes[0]
    identifier = NameAttribute(oids.UNIQUE_IDENTIFIER, der.BIT_STRING, bytes.fromhex(value))
    assert forge(subject=DistinguishedName((unit, identifier))).entity_id is None


def test_several_uses_are_no_use(forge) -> None:
    both = write.extension(oids.KEY_USAGE, der.bit_string(b"\x88", 3), critical=True)
    found = forge(instead={oids.KEY_USAGE: both})
    assert found.key_usage is None
    assert found.usage_bits == ("digital_signature", "key_agreement")


def test_values_are_frozen(authority: Authority) -> None:
    with pytest.raises(FrozenInstanceError):
        authority.root.certificate.serial = 1  # type: ignore[misc]


def test_pem_and_der_give_the_same_value(authority: Authority) -> None:
    certificate = authority.root.certificate
    assert parse_certificate(certificate.der) == certificate
    assert parse_certificate(b"any text before\n" + certificate.to_pem()) == certificate
    assert x509.load_pem_x509_certificate(certificate.to_pem()).fingerprint(hashes.SHA256()) == (
        certificate.fingerprint
    )


def test_names_compare_without_regard_to_string_type_case_and_space() -> None:
    one = name((oids.COMMON_NAME, "Test  Root"), (oids.ORGANISATIONAL_UNIT, "07"))
    printable = tuple(NameAttribute(a.oid, der.PRINTABLE_STRING, a.value.lower()) for a in one.attributes)
    assert one.matches(DistinguishedName(printable))
    assert one.matches(name((oids.COMMON_NAME, " test root "), (oids.ORGANISATIONAL_UNIT, "07")))
    assert not one.matches(DistinguishedName(tuple(reversed(one.attributes))))
    assert not one.matches(name((oids.COMMON_NAME, "Test Root")))


# What is refused --------------------------------------------------------------------------------------


def library_certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TEST")])
    builder = x509.CertificateBuilder(who, who, key.public_key(), 1, DAY, DAY.replace(year=2016))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"0",
        bytes(MAX_CERTIFICATE_BYTES + 1),
        b"-----BEGIN " + bytes(MAX_PEM_BYTES),
        b"-----BEGIN CERTIFICATE-----\n####\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        MADE.root.certificate.der + b"\x00",
        MADE.root.certificate.der[:-1],
        MADE.root.certificate.to_pem() + MADE.issuing.certificate.to_pem(),
        library_certificate(ec.derive_private_key(5, ec.SECP384R1())),
        library_certificate(rsa.generate_private_key(65537, 2048)),
    ],
    ids=[
        "nothing",
        "one octet",
        "too long",
        "PEM too long",
        "no base64",
        "no DER",
        "PEM without end",
        "bare public key",
        "trailing octet",
        "truncated",
        "two certificates",
        "P-384",
        "RSA",
    ],
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(CertificateError):
        parse_certificate(data)


def test_a_bare_public_key_is_called_one() -> None:
    pem = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    with pytest.raises(CertificateError, match="found a bare public key"):
        parse_certificate(pem)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"serial": 0}, "not positive"),
        ({"serial": -5}, "not positive"),
        ({"extra": (write.key_usage(KeyUsage.KEY_AGREEMENT),)}, "2.5.29.15"),
        ({"extra": (write.extension(oids.BASIC_CONSTRAINTS, b"\x30\x05", critical=True),)}, "X.509"),
    ],
    ids=["serial 0", "negative serial", "extension twice", "broken extension"],
)
def test_certificates_that_break_the_format_are_refused(forge, changes, reason: str) -> None:
    with pytest.raises(CertificateError, match=reason):
        forge(**changes)


@given(st.data())
def test_mutated_certificates_give_a_value_or_a_certificate_error(data: st.DataObject) -> None:
    source = data.draw(
        st.sampled_from(
            [
                MADE.root.certificate.der,
                MADE.organisation(SUPPLIER, 2, KeyUsage.KEY_AGREEMENT).certificate.der,
                MADE.device(METER, KeyUsage.DIGITAL_SIGNATURE).certificate.der,
            ]
        )
    )
    mutated = bytearray(source)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["set", "delete", "insert"])):
            case "set":
                mutated[position] = data.draw(st.integers(0, 255))
            case "delete":
                del mutated[position]
            case _:
                mutated.insert(position, data.draw(st.integers(0, 255)))
    with suppress(CertificateError):
        assert isinstance(parse_certificate(bytes(mutated)), Certificate)


def test_many_single_octet_mutations_give_a_value_or_a_certificate_error(key: PrivateKey, forge) -> None:
    """Wider than the property test, which spends its time on shrinking: every octet of three certificates."""
    rng = random.Random(7)
    read = refused = 0
    for source in (MADE.root.certificate.der, forge().der, forge(device=True).der):
        for position in range(len(source)):
            for _ in range(4):
                mutated = source[:position] + bytes((rng.randrange(256),)) + source[position + 1 :]
                try:
                    parse_certificate(mutated).signed_by(key.public)
                    read += 1
                except CertificateError:
                    refused += 1
    assert read > 1000  # most octets are names, numbers, keys and signatures
    assert refused > 500


@given(st.binary(max_size=300))
def test_random_bytes_give_a_certificate_error(data: bytes) -> None:
    with pytest.raises(CertificateError):
        parse_certificate(data)


# The published certificates ----------------------------------------------------------------------------


def test_published_organisations_are_read(zaz1: KeyRing) -> None:
    found = {
        entry.name: (str(entry.certificate.entity_id), int(entry.certificate.role or 0))
        for entry in zaz1.entries
        if not entry.name.startswith("Z1b-")
    }
    assert found == {
        "xml-sign-00DB123456780004-ds": ("00DB123456780004", 0x87),
        "otherUser-ds": ("00DB123456780004", 0x7F),
        "otherUser-ka": ("00DB123456780004", 0x7F),
        "Z1-wanProvider-ds": ("90B3D51F30000007", 6),
        "Z1-accessControlBroker-ds": ("90B3D51F30000002", 4),
        "Z1-accessControlBroker-ka": ("90B3D51F30000002", 4),
        "dsp-xml-sign-90B3D51F30000002-ds": ("90B3D51F30000002", 0x89),
        "Z1-loadController-ka": ("90B3D51F30010008", 8),
        "Z1-loadController-ds": ("90B3D51F30010008", 8),
        "Z1-supplier-ka": ("90B3D51F30010000", 2),
        "Z1-supplierPP-ka": ("90B3D51F30010000", 2),
        "xml-sign-90B3D51F30010000-ds": ("90B3D51F30010000", 0x87),
        "Z1-supplier-ds": ("90B3D51F30010000", 2),
        "Z1-supplier2-ds": ("90B3D51F30030000", 2),
        "Z1-supplier2-ka": ("90B3D51F30030000", 2),
        "Z1-supplier2PP-ka": ("90B3D51F30030000", 2),
        "Z1-transitionalCoS-ds": ("90B3D51F30000004", 5),
        "Z1-recovery-ds": ("90B3D51F30000001", 1),
        "Z1-networkOperator-ds": ("90B3D51F30020000", 3),
        "xml-sign-90B3D51F30020000-ds": ("90B3D51F30020000", 0x87),
        "Z1-networkOperator-ka": ("90B3D51F30020000", 3),
    }


def test_published_certificates_are_signed_by_z1(zaz1: KeyRing, z1: Certificate) -> None:
    by_z1 = [c for c in zaz1.certificates() if c.issuer.common_name == "Z1" and not c.signs_xml]
    assert len(by_z1) == 25
    assert all(certificate.signed_by(z1.public_key) for certificate in by_z1)
