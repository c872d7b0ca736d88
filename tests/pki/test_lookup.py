"""A key ring answers what messages ask: by entity, every credential that may fit."""

from __future__ import annotations

import pytest

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError, SecurityError
from smetslab.gbcs.codes import Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.keys import NoKeys, check_mac, check_signature, mac_secrets, role_of, verification_keys
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.ids import Eui64
from smetslab.pki import Authority, Entry, KeyRing
from smetslab.pki.lookup import RingLookup
from smetslab.rng import RootSeed

BROKER, SUPPLIER = Eui64.parse("90B3D51F30000002"), Eui64.parse("90B3D51F30010000")
ESME, PPMID, STRANGER = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A4"), Eui64(b"\x55" * 8)
RING = Authority(RootSeed(5)).keystore((ESME, PPMID))
LOOKUP = RingLookup(RING)


def secret(one: Eui64, other: Eui64) -> bytes:
    peer = RING.find(other, KeyUsage.KEY_AGREEMENT).certificate.public_key
    return RING.private_key(one, KeyUsage.KEY_AGREEMENT).exchange(peer)


def message(cra: Cra, originator: Eui64, target: Eui64) -> Message:
    return Message(
        cra=cra,
        originator_counter=1,
        business_originator_id=originator,
        business_target_id=target,
        other_information=OtherInformation(message_code=1),
        content=b"\x05\x00",
    )


def test_certificates_say_entity_role_and_use() -> None:
    notes = LOOKUP.certificates_of(SUPPLIER)
    assert {(note.usage, note.role, note.is_device) for note in notes} == {
        (KeyUsage.DIGITAL_SIGNATURE, RemotePartyRole.SUPPLIER, False),
        (KeyUsage.KEY_AGREEMENT, RemotePartyRole.SUPPLIER, False),
    }
    assert all(note.entity == SUPPLIER and str(SUPPLIER) in note.text for note in notes)
    assert all(note.is_device and note.role is None for note in LOOKUP.certificates_of(ESME))
    assert LOOKUP.certificates_of(STRANGER) == ()
    assert role_of(BROKER, LOOKUP) is RemotePartyRole.ACCESS_CONTROL_BROKER
    assert role_of(ESME, LOOKUP) is None


def test_certificate_of_a_message_is_read() -> None:
    der = RING.find(SUPPLIER, KeyUsage.KEY_AGREEMENT).certificate.der
    assert LOOKUP.read_certificate(der) in LOOKUP.certificates_of(SUPPLIER)
    with pytest.raises(CertificateError):
        LOOKUP.read_certificate(b"\x30\x03\x02\x01\x05")


def test_secrets_are_those_of_the_pairs_of_keys_and_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = RingLookup(RING)
    assert lookup.shared_secrets(ESME, SUPPLIER) == (secret(ESME, SUPPLIER),)
    assert lookup.shared_secrets(SUPPLIER, ESME) == (secret(ESME, SUPPLIER),)
    monkeypatch.setattr(PrivateKey, "exchange", lambda self, other: pytest.fail("made again"))
    assert lookup.shared_secrets(ESME, SUPPLIER) == (secret_kept := lookup.shared_secrets(SUPPLIER, ESME))
    assert len(secret_kept) == 1
    assert lookup.shared_secrets(ESME, STRANGER) == ()


def test_generations_of_a_credential_give_a_secret_each() -> None:
    other = Authority(RootSeed(6)).keystore((ESME, PPMID))
    both = RingLookup(other.merged(RING))
    assert secret(ESME, SUPPLIER) in both.shared_secrets(ESME, SUPPLIER)
    assert len(both.shared_secrets(ESME, SUPPLIER)) == 4
    assert len(verification_keys(SUPPLIER, both)) == 2


def test_mac_of_a_command_is_the_brokers_and_between_devices_their_own() -> None:
    assert mac_secrets(message(Cra.COMMAND, SUPPLIER, ESME), LOOKUP) == (secret(ESME, BROKER),)
    assert mac_secrets(message(Cra.RESPONSE, ESME, SUPPLIER), LOOKUP) == (secret(ESME, SUPPLIER),)
    assert mac_secrets(message(Cra.COMMAND, PPMID, ESME), LOOKUP) == (secret(PPMID, ESME),)


def test_outcomes_of_checks() -> None:
    plain = message(Cra.COMMAND, SUPPLIER, ESME)
    key = LOOKUP.signing_key(SUPPLIER)
    assert key is not None
    sound = with_mac(with_signature(plain, key), secret(ESME, BROKER))
    wrong = with_mac(with_signature(plain, key), bytes(32))
    assert (check_mac(sound, LOOKUP), check_signature(sound, LOOKUP)) == ("verified", "verified")
    assert (check_mac(wrong, LOOKUP), check_signature(sound, NoKeys())) == ("failed", "uncheckable")
    assert (check_mac(plain, LOOKUP), check_signature(plain, LOOKUP)) == ("absent", "absent")


def test_signing_key_is_given_only_where_it_is_held() -> None:
    public = KeyRing([Entry(name=e.name, certificate=e.certificate) for e in RING.entries])
    assert RingLookup(public).signing_key(SUPPLIER) is None
    assert RingLookup(public).shared_secrets(ESME, SUPPLIER) == ()
    assert LOOKUP.signing_key(STRANGER) is None


def test_entities_are_those_of_the_ring_in_its_order() -> None:
    assert set(LOOKUP.entities()) >= {BROKER, SUPPLIER, ESME, PPMID}
    assert len(set(LOOKUP.entities())) == len(LOOKUP.entities())


def test_nobodys_keys_know_nothing() -> None:
    nobody = NoKeys()
    assert nobody.certificates_of(SUPPLIER) == ()
    assert nobody.shared_secrets(SUPPLIER, ESME) == ()
    assert nobody.signing_key(SUPPLIER) is None
    assert nobody.entities() == ()
    with pytest.raises(SecurityError):
        nobody.read_certificate(b"")
