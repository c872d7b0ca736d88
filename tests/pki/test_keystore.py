"""Which credential a key store gives for which use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import PARTIES, Authority, Entry, KeyRing, KeyStore, Skipped
from smetslab.rng import RootSeed

SUPPLIER = Eui64.parse("90B3D51F30010000")
BROKER = Eui64.parse("90B3D51F30000002")
RECOVERY = Eui64.parse("90B3D51F30000001")
METER = Eui64.parse("00DB1234567890A0")
DS = KeyUsage.DIGITAL_SIGNATURE
KA = KeyUsage.KEY_AGREEMENT


@pytest.mark.parametrize(
    ("entity", "usage", "cell_usage", "name"),
    [
        (SUPPLIER, DS, CellUsage.MANAGEMENT, "Z1-supplier-ds"),
        (SUPPLIER, KA, CellUsage.MANAGEMENT, "Z1-supplier-ka"),
        (SUPPLIER, KA, CellUsage.PREPAYMENT_TOP_UP, "Z1-supplierPP-ka"),
        (BROKER, DS, CellUsage.MANAGEMENT, "Z1-accessControlBroker-ds"),
        (METER, KA, CellUsage.MANAGEMENT, "00db1234567890a0-ka"),
    ],
)
def test_one_credential_for_each_use(
    ring: KeyRing, entity: Eui64, usage: KeyUsage, cell_usage: CellUsage, name: str
) -> None:
    found = ring.find(entity, usage, cell_usage)
    assert found.name == name
    assert found.certificate.entity_id == entity
    assert found.certificate.key_usage is usage
    assert ring.private_key(entity, usage, cell_usage).public == found.certificate.public_key


@pytest.mark.parametrize(
    ("entity", "usage", "cell_usage", "reason"),
    [
        (RECOVERY, KA, CellUsage.MANAGEMENT, "no keyAgreement certificate of 90B3D51F30000001$"),
        (BROKER, KA, CellUsage.PREPAYMENT_TOP_UP, "of 90B3D51F30000002 for prepayment top-up$"),
        (Eui64(bytes(8)), DS, CellUsage.MANAGEMENT, "no digitalSignature certificate of 0000000000000000$"),
    ],
)
def test_a_credential_that_is_not_there_is_named(
    ring: KeyRing, entity: Eui64, usage: KeyUsage, cell_usage: CellUsage, reason: str
) -> None:
    with pytest.raises(CertificateError, match=reason):
        ring.find(entity, usage, cell_usage)


def test_two_active_credentials_for_one_use_are_not_chosen_between(authority: Authority) -> None:
    first = authority.device(METER, DS)
    second = replace(authority.device(METER, DS, generation=1), name="other", active=True)
    with pytest.raises(CertificateError, match=r"more than one .*: 00db1234567890a0-ds, other"):
        KeyRing([first, second]).find(METER, DS)
    assert KeyRing([first, replace(second, active=False)]).find(METER, DS) == first


def test_other_generations_are_candidates_behind_the_active_one(authority: Authority) -> None:
    first, second = authority.device(METER, DS), authority.device(METER, DS, generation=1)
    assert KeyRing([second, first]).candidates(METER, DS) == (first, second)


def test_xml_signing_keys_are_no_gbcs_keys(ring: KeyRing) -> None:
    signer = ring.xml_signer(SUPPLIER)
    assert signer.name == "xml-sign-90B3D51F30010000-ds"
    assert signer not in ring.candidates(SUPPLIER, DS)
    assert ring.xml_signer(BROKER).name == "dsp-xml-sign-90B3D51F30000002-ds"


def test_a_party_without_xml_signing_key_signs_documents_with_its_own(ring: KeyRing) -> None:
    assert ring.xml_signer(RECOVERY).name == "Z1-recovery-ds"


def test_certificate_without_private_key_is_found_but_signs_nothing(authority: Authority) -> None:
    ring = KeyRing([replace(authority.device(METER, DS), private_key=None)])
    assert ring.find(METER, DS).certificate.entity_id == METER
    with pytest.raises(CertificateError, match="holds no private key for 00db1234567890a0-ds"):
        ring.private_key(METER, DS)


def test_a_key_of_another_certificate_is_refused(authority: Authority, key: PrivateKey) -> None:
    with pytest.raises(CertificateError, match="private key is not that of the certificate"):
        KeyRing([replace(authority.device(METER, DS), private_key=key)])


def test_keys_and_certificates_are_found_by_public_key_and_serial(ring: KeyRing, key: PrivateKey) -> None:
    entry = ring.find(SUPPLIER, KA, CellUsage.PREPAYMENT_TOP_UP)
    assert ring.private_key_for(entry.certificate.public_key) is entry.private_key
    assert ring.private_key_for(key.public) is None
    assert ring.by_serial(entry.certificate.serial) is entry
    assert ring.by_serial(1) is None


def test_merging_lets_the_first_store_decide_and_keeps_both(authority: Authority) -> None:
    ours = KeyRing([authority.device(METER, DS)], [Skipped("a", "b")])
    theirs = Authority(RootSeed(99)).keystore([METER])
    both = ours.merged(theirs)
    assert both.find(METER, DS) == ours.find(METER, DS)
    assert both.find(METER, KA) == theirs.find(METER, KA)
    assert len(both) == len(theirs) + 1
    assert len(both.candidates(METER, DS)) == 2
    assert both.skipped == (Skipped("a", "b"),)


def test_merging_adds_the_key_that_one_store_lacks(authority: Authority) -> None:
    entry = authority.device(METER, DS)
    both = KeyRing([replace(entry, private_key=None)]).merged(KeyRing([entry]))
    assert len(both) == 1
    assert both.private_key(METER, DS).public == entry.certificate.public_key


def test_published_and_own_xml_signers_merge_by_the_same_rule(authority: Authority) -> None:
    both = authority.keystore().merged(Authority(RootSeed(98)).keystore())
    assert both.xml_signer(SUPPLIER).certificate == authority.keystore().xml_signer(SUPPLIER).certificate


def test_nothing_shows_a_private_key(ring: KeyRing) -> None:
    entry = ring.find(SUPPLIER, DS)
    assert entry.private_key is not None
    secret = entry.private_key.library_key.private_numbers().private_value
    for shown in (repr(ring), repr(entry), str(entry), repr(entry.certificate)):
        assert f"{secret:x}" not in shown
        assert str(secret) not in shown
    assert repr(ring).startswith("KeyRing(")


def test_key_ring_is_a_key_store(ring: KeyRing) -> None:
    store: KeyStore = ring  # checked by mypy where tests are, and by the calls above in any case
    names = {member for member in vars(KeyStore) if not member.startswith("_")}
    assert names == {"find", "private_key", "xml_signer", "private_key_for", "certificates"}
    assert all(callable(getattr(store, member)) for member in names)


def test_every_party_has_its_credentials(ring: KeyRing) -> None:
    expected = sum(len(party.uses) + (party.xml_role is not None) for party in PARTIES)
    organisations: list[Entry] = [e for e in ring.entries if e.certificate.role not in {None, 0, 7}]
    assert len(organisations) == expected == 24
