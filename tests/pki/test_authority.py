"""The test authority: same seed, same hierarchy, and everything in it says that it is for tests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from smetslab.crypto import PrivateKey
from smetslab.errors import UsageError
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.pki import PARTIES, TEST_DEVICES, Authority, KeyRing, check_profile, oids
from smetslab.pki.authority import published_name
from smetslab.pki.limits import SERIAL_BYTES
from smetslab.rng import RootSeed

SUPPLIER = Eui64.parse("90B3D51F30010000")
METER = Eui64.parse("00DB1234567890A0")
DS = KeyUsage.DIGITAL_SIGNATURE
KA = KeyUsage.KEY_AGREEMENT


def test_same_seed_makes_the_same_certificates_octet_for_octet() -> None:
    one, two = (Authority(RootSeed(5)).keystore(TEST_DEVICES) for _ in range(2))
    assert [c.der for c in one.certificates()] == [c.der for c in two.certificates()]
    assert [e.private_key.to_pem() for e in one.entries if e.private_key] == [
        e.private_key.to_pem() for e in two.entries if e.private_key
    ]
    assert Authority(RootSeed(5)).laboratory().certificate == Authority(RootSeed(5)).laboratory().certificate


def test_another_seed_makes_other_keys_and_serials() -> None:
    one, two = (Authority(RootSeed(seed)).keystore([METER]) for seed in (5, 6))
    for mine, yours in zip(one.entries, two.entries, strict=True):
        assert mine.name == yours.name
        assert mine.certificate.public_key != yours.certificate.public_key
        assert mine.certificate.serial != yours.certificate.serial


def test_a_certificate_does_not_depend_on_which_were_asked_for_before() -> None:
    busy = Authority(RootSeed(5))
    busy.keystore(TEST_DEVICES)
    assert busy.device(METER, KA).certificate == Authority(RootSeed(5)).device(METER, KA).certificate


def test_every_key_and_every_serial_is_different(ring: KeyRing) -> None:
    keys = {certificate.public_key for certificate in ring.certificates()}
    serials = {certificate.serial for certificate in ring.certificates()}
    assert len(keys) == len(serials) == len(ring)
    assert {(s.bit_length() + 7) // 8 for s in serials} == {SERIAL_BYTES}


def test_certificates_that_differ_in_anything_differ_in_their_serial(
    authority: Authority, key: PrivateKey
) -> None:
    end = datetime(2020, 1, 1, tzinfo=UTC)
    made = [
        authority.organisation(SUPPLIER, 2, KA),
        authority.organisation(SUPPLIER, 2, KA, CellUsage.PREPAYMENT_TOP_UP),
        authority.organisation(SUPPLIER, 2, KA, generation=1),
        authority.organisation(SUPPLIER, 2, KA, not_after=end),
        authority.organisation(SUPPLIER, 2, KA, common_name="TEST"),
        authority.organisation(SUPPLIER, 3, KA),
        Authority(authority.seed, end).organisation(SUPPLIER, 2, KA),
    ]
    certificates = [entry.certificate for entry in made]
    certificates += [authority.certify_device(METER, KA, key.public), authority.device(METER, KA).certificate]
    certificates += [authority.certify_device(METER, KA, key.public, not_after=end)]
    assert len({certificate.serial for certificate in certificates}) == len(certificates)


def test_every_role_has_its_well_known_test_identity(ring: KeyRing) -> None:
    identities = {party.name: (str(party.entity_id), party.role) for party in PARTIES}
    assert identities == {
        "recovery": ("90B3D51F30000001", RemotePartyRole.RECOVERY),
        "accessControlBroker": ("90B3D51F30000002", RemotePartyRole.ACCESS_CONTROL_BROKER),
        "transitionalCoS": ("90B3D51F30000004", RemotePartyRole.TRANSITIONAL_COS),
        "wanProvider": ("90B3D51F30000007", RemotePartyRole.WAN_PROVIDER),
        "supplier": ("90B3D51F30010000", RemotePartyRole.SUPPLIER),
        "loadController": ("90B3D51F30010008", RemotePartyRole.LOAD_CONTROLLER),
        "networkOperator": ("90B3D51F30020000", RemotePartyRole.NETWORK_OPERATOR),
        "supplier2": ("90B3D51F30030000", RemotePartyRole.SUPPLIER),
        "otherUser": ("00DB123456780004", RemotePartyRole.OTHER),
    }
    assert [str(device) for device in TEST_DEVICES] == [f"00DB1234567890A{digit}" for digit in range(7)]
    for party in PARTIES:
        for usage, cell_usage in party.uses:
            assert ring.find(party.entity_id, usage, cell_usage).certificate.role is party.role


def test_names_are_those_of_the_published_key_store(ring: KeyRing, zaz1: KeyRing) -> None:
    published = {entry.name for entry in zaz1.entries if entry.active}
    ours = {entry.name for entry in ring.entries if entry.certificate.role not in {None, 0, 7}}
    # The published names of the other user do not begin with Z1-, so tools would not choose them.
    assert published - ours == {"otherUser-ds", "otherUser-ka"}
    assert published_name(Eui64(bytes(8)), 2, KA, CellUsage.PREPAYMENT_TOP_UP) == "Z1-supplierPP-ka"
    assert published_name(Eui64(bytes(8)), 0x55, DS) == "Z1-role55-ds"


def test_every_certificate_says_that_it_is_for_tests(ring: KeyRing, authority: Authority) -> None:
    for certificate in ring.certificates():
        assert "TEST" in f"{certificate.subject}{certificate.issuer}"
        assert "TEST" in str(certificate.issuer)
    assert str(authority.laboratory().certificate.subject) == "CN=smetslab laboratory (TEST)"


def test_laboratory_signs_its_own_certificate(authority: Authority) -> None:
    identity = authority.laboratory()
    assert identity.certificate.signed_by(identity.private_key.public)
    assert identity.certificate.key_usage is DS
    assert identity.certificate.public_key.verify(identity.private_key.sign(b"pack"), b"pack")


def test_a_device_keeps_the_key_that_it_made(authority: Authority, key: PrivateKey) -> None:
    certificate = authority.certify_device(METER, KA, key.public)
    assert certificate.public_key == key.public
    assert certificate.entity_id == METER
    assert check_profile(certificate) == []


def test_device_policy_is_that_of_the_devices_and_those_above_them() -> None:
    made = Authority(RootSeed(1), device_policy=oids.RTDS_DEVICE_POLICY, hardware_type="1.2.3")
    device = made.device(METER, KA).certificate
    assert (device.policies, device.hardware_type) == ((oids.RTDS_DEVICE_POLICY,), "1.2.3")
    assert made.device_issuing.certificate.policies == (oids.RTDS_DEVICE_POLICY,)
    assert made.issuing.certificate.policies == (oids.ORGANISATION_POLICY,)


@pytest.mark.parametrize(
    "valid_from",
    [datetime(2015, 1, 1), datetime(2015, 1, 1, 0, 0, 0, 1, tzinfo=UTC)],  # noqa: DTZ001 - naive on purpose
)
def test_start_of_validity_is_a_whole_second_of_utc(valid_from: datetime) -> None:
    with pytest.raises(UsageError, match="time zone and whole seconds"):
        Authority(RootSeed(1), valid_from)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2015, 1, 1, tzinfo=UTC), datetime(2114, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2000, 2, 29, 12, tzinfo=UTC), datetime(2100, 2, 28, 11, 59, 59, tzinfo=UTC)),
    ],
)
def test_organisations_are_valid_for_whole_years(start: datetime, end: datetime) -> None:
    certificate = Authority(RootSeed(1), start).organisation(SUPPLIER, 2, DS).certificate
    assert (certificate.not_before, certificate.not_after) == (start, end)


def test_another_library_verifies_and_reads_our_certificates(ring: KeyRing, authority: Authority) -> None:
    issuers = {
        str(entry.certificate.subject): x509.load_der_x509_certificate(entry.certificate.der)
        for entry in authority.authorities()
    }
    for certificate in ring.certificates():
        read = x509.load_der_x509_certificate(certificate.der)
        read.verify_directly_issued_by(issuers[str(certificate.issuer)])
        assert isinstance(read.public_key(), ec.EllipticCurvePublicKey)
        digest = x509.SubjectKeyIdentifier.from_public_key(read.public_key()).digest
        short = bytes((0x40 | digest[12] & 0x0F,)) + digest[13:]
        assert read.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest == short
