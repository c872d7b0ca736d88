"""Protection, judged by the same steps made with the library alone, without our code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from smetslab.crypto import PrivateKey
from smetslab.errors import GbcsDecodeError, GbcsEncodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import (
    EncryptionContext,
    MacParties,
    compute_mac,
    mac_parties,
    verify_mac,
    verify_signature,
    with_mac,
    with_signature,
)
from smetslab.ids import Eui64

USER, DEVICE, BROKER = (Eui64(bytes((n,)) * 8) for n in (0x11, 0x22, 0x33))
SECRET = bytes(range(32))
KEY = PrivateKey.from_seed(b"security" * 4)

COMMAND = Message(
    cra=Cra.COMMAND,
    originator_counter=1000,
    business_originator_id=USER,
    business_target_id=DEVICE,
    other_information=OtherInformation(message_code=0x0059),
    content=b"\x05\x00",
)
RESPONSE = replace(COMMAND, cra=Cra.RESPONSE, business_originator_id=DEVICE, business_target_id=USER)


def judged_mac(octets: bytes, secret: bytes) -> bytes:
    """The MAC of the message in `octets`, from the layout alone."""
    start = octets.index(b"\xdf\x09")
    grouping = octets[start:-12]
    cra, counter, originator, recipient = grouping[2], grouping[3:11], grouping[12:20], grouping[21:29]
    info = bytes.fromhex("60857406080300") + originator + bytes((9, cra)) + counter + recipient
    key = ConcatKDFHash(algorithm=hashes.SHA256(), length=16, otherinfo=info).derive(secret)
    encryptor = Cipher(AES(key), GCM(originator + bytes(4))).encryptor()
    encryptor.authenticate_additional_data(bytes.fromhex("110000000000") + grouping)
    encryptor.finalize()
    return encryptor.tag[:12]


@pytest.mark.parametrize("message", [COMMAND, RESPONSE, replace(COMMAND, cra=Cra.ALERT)])
@pytest.mark.parametrize("signed", [False, True])
def test_mac_is_the_one_of_the_specification(message: Message, signed: bool) -> None:
    ready = with_mac(with_signature(message, KEY) if signed else message, SECRET)
    octets = encode_message(ready)
    assert octets[-12:] == judged_mac(octets, SECRET)
    assert verify_mac(decode_message(octets), SECRET)


@pytest.mark.parametrize(
    "change",
    [
        {"originator_counter": 1001},
        {"business_originator_id": BROKER},
        {"business_target_id": BROKER},
        {"cra": Cra.RESPONSE},
        {"content": b"\x05\x01"},
        {"signature": bytes(64)},
        {"date_time": bytes(12)},
        {"message_mac": bytes(12)},
        {"other_information": OtherInformation(message_code=0x0058)},
    ],
)
def test_mac_covers_every_field(change: dict[str, object]) -> None:
    assert not verify_mac(replace(with_mac(COMMAND, SECRET), **change), SECRET)


def test_mac_of_another_secret_is_refused() -> None:
    assert not verify_mac(with_mac(COMMAND, SECRET), bytes(32))


def test_message_without_mac_is_never_verified() -> None:
    assert not verify_mac(COMMAND, SECRET)
    assert not verify_mac(replace(COMMAND, message_mac=bytes(12)), SECRET)


def test_mac_needs_a_signature_part() -> None:
    with pytest.raises(GbcsEncodeError, match="signature part"):
        compute_mac(COMMAND, SECRET)
    assert with_mac(COMMAND, SECRET).signature == b""


def test_signature_is_over_all_after_the_tag() -> None:
    signed = with_signature(COMMAND, KEY)
    octets = encode_message(signed)
    assert octets[-65] == 64
    r, s = (int.from_bytes(half, "big") for half in (octets[-64:-32], octets[-32:]))
    der = utils.encode_dss_signature(r, s)
    KEY.public.library_key.verify(der, octets[1:-65], ec.ECDSA(hashes.SHA256()))
    assert verify_signature(signed, KEY.public)


@pytest.mark.parametrize(
    "change",
    [
        {"originator_counter": 1},
        {"content": b""},
        {"signature": bytes(64)},
        {"signature": b""},
        {"signature": None},
    ],
)
def test_signature_covers_the_message(change: dict[str, object]) -> None:
    assert not verify_signature(replace(with_signature(COMMAND, KEY), **change), KEY.public)


def test_signature_does_not_depend_on_the_mac_and_signing_drops_one() -> None:
    signed = with_signature(COMMAND, KEY)
    maced = with_mac(signed, SECRET)
    assert verify_signature(maced, KEY.public)
    assert with_signature(maced, KEY) == signed


def test_key_pair_of_a_mac_follows_the_direction() -> None:
    assert mac_parties(COMMAND, BROKER) == MacParties(device=DEVICE, remote_party=BROKER)
    assert mac_parties(RESPONSE, BROKER) == MacParties(device=DEVICE, remote_party=USER)
    assert mac_parties(replace(RESPONSE, cra=Cra.ALERT), BROKER) == MacParties(
        device=DEVICE, remote_party=USER
    )


def judged_encryption(device: Eui64, recipient: Eui64, counter: int, plaintext: bytes) -> bytes:
    info = (
        bytes.fromhex("60857406080300")
        + device.raw
        + b"\x09\x04"
        + counter.to_bytes(8, "big")
        + recipient.raw
    )
    key = ConcatKDFHash(algorithm=hashes.SHA256(), length=16, otherinfo=info).derive(SECRET)
    sealed = AESGCM(key).encrypt(device.raw + bytes(4), plaintext, b"\x31")
    return bytes.fromhex("3100000000") + sealed[:-4]


def test_encryption_is_the_one_of_the_specification() -> None:
    context = EncryptionContext.of(RESPONSE)
    sealed = context.encrypt(SECRET, b"plaintext")
    assert sealed == judged_encryption(DEVICE, USER, 1000, b"plaintext")
    assert context.decrypt(SECRET, sealed) == b"plaintext"


@pytest.mark.parametrize(("own_counter", "used"), [(None, 1000), (77, 77)])
def test_unknown_party_and_its_counter_stand_in_for_those_of_the_header(
    own_counter: int | None, used: int
) -> None:
    other = OtherInformation(
        message_code=1,
        supplementary_remote_party_id=BROKER,
        supplementary_remote_party_counter=5,
        supplementary_originator_counter=own_counter,
    )
    context = EncryptionContext.of(replace(RESPONSE, other_information=other))
    assert context == EncryptionContext(device=DEVICE, recipient=BROKER, counter=used)
    assert context.encrypt(SECRET, b"x") == judged_encryption(DEVICE, BROKER, used, b"x")


def test_protected_content_with_another_header_is_refused() -> None:
    context = EncryptionContext.of(RESPONSE)
    with pytest.raises(GbcsDecodeError) as caught:
        context.decrypt(SECRET, b"\x11" + bytes(20))
    assert (caught.value.expected, caught.value.found) == ("3100000000", "1100000000")
    with pytest.raises(SecurityError):
        context.decrypt(SECRET, bytes.fromhex("3100000000"))
    with pytest.raises(SecurityError):
        context.decrypt(bytes(32), context.encrypt(SECRET, b"x"))
