"""The broker's MAC, and what it makes of the protection of messages from devices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.crypto import PrivateKey
from smetslab.dcc.acb import AccessControlBroker
from smetslab.errors import CertificateError, SecurityError
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.ids import Eui64
from smetslab.pki import KeyRing, load_zaz1_keystore

BROKER = Eui64.parse("90B3D51F30000002")
SUPPLIER = Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")


@pytest.fixture(scope="module")
def broker(keys: KeyRing) -> AccessControlBroker:
    return AccessControlBroker(BROKER, keys)


def response(target: Eui64 = BROKER) -> Message:
    return Message(
        cra=Cra.RESPONSE,
        originator_counter=1000,
        business_originator_id=ESME,
        business_target_id=target,
        other_information=OtherInformation(message_code=0x0059),
        content=b"\xda",
    )


def _secret(keys: KeyRing, target: Eui64) -> bytes:
    own = keys.private_key(ESME, KeyUsage.KEY_AGREEMENT)
    return own.exchange(keys.find(target, KeyUsage.KEY_AGREEMENT).certificate.public_key)


def test_the_mac_of_the_published_example_is_computed(keystore_json, rtds) -> None:  # type: ignore[no-untyped-def]
    """With the published key of the broker and the published certificate of the meter."""
    from smetslab.pki import load_pem_folder

    ring = load_zaz1_keystore(keystore_json).merged(load_pem_folder(rtds / "keystore"))
    published = next((rtds / "gbcs" / "4.1.1_ECS17b").glob("*TWIN_SUCCESS_COMMAND_GBCS.HEX"))
    octets = bytes.fromhex(published.read_text().strip())
    bare = replace(decode_message(octets), message_mac=None)
    assert encode_message(AccessControlBroker(BROKER, ring).protect(bare)) == octets


def test_what_the_device_macs_for_the_broker_is_checked(broker: AccessControlBroker, keys: KeyRing) -> None:
    good = with_mac(response(), _secret(keys, BROKER))
    assert broker.check_from_device(good, critical=False) is True
    assert broker.check_from_device(good, critical=None) is True
    for wrong in (replace(good, content=b"\xdb"), replace(good, message_mac=bytes(12))):
        with pytest.raises(SecurityError, match="MAC: not that of the device"):
            broker.check_from_device(wrong, critical=False)


def test_what_the_device_macs_for_a_user_cannot_be_checked(
    broker: AccessControlBroker, keys: KeyRing
) -> None:
    good = with_mac(response(SUPPLIER), _secret(keys, SUPPLIER))
    assert broker.check_from_device(good, critical=False) is False


def test_what_the_device_signs_is_checked(broker: AccessControlBroker, keys: KeyRing) -> None:
    good = with_signature(response(SUPPLIER), keys.private_key(ESME, KeyUsage.DIGITAL_SIGNATURE))
    assert broker.check_from_device(good, critical=True) is True
    forged = with_signature(response(SUPPLIER), PrivateKey.from_seed(b"nobody" * 8))
    for wrong in (replace(good, content=b"\xdb"), forged):
        with pytest.raises(SecurityError, match="signature: not that of the originator"):
            broker.check_from_device(wrong, critical=True)


def test_the_kind_of_protection_must_be_that_of_the_use_case(
    broker: AccessControlBroker, keys: KeyRing
) -> None:
    signed = with_signature(response(), keys.private_key(ESME, KeyUsage.DIGITAL_SIGNATURE))
    macd = with_mac(response(), _secret(keys, BROKER))
    both = with_mac(signed, _secret(keys, BROKER))
    for message, critical in (
        (signed, False),
        (macd, True),
        (both, True),
        (both, None),
        (response(), False),
        (response(), None),
    ):
        with pytest.raises(SecurityError, match="protection: not the protection"):
            broker.check_from_device(message, critical=critical)


def test_without_keys_there_is_no_broker_and_no_secret(broker: AccessControlBroker, keys: KeyRing) -> None:
    with pytest.raises(CertificateError):
        AccessControlBroker(Eui64(bytes(8)), keys)
    with pytest.raises(CertificateError):
        broker.secret(Eui64(bytes(8)))
    with pytest.raises(CertificateError):
        broker.signing_key(Eui64(bytes(8)))
