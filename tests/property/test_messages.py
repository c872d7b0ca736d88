"""Round trips of framing and protection, over every shape that a message can have."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.crypto import PrivateKey
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import describe
from smetslab.gbcs.message import Message, OtherInformation, content_offset, decode_message, encode_message
from smetslab.gbcs.security import (
    EncryptionContext,
    verify_mac,
    verify_signature,
    with_mac,
    with_signature,
)
from smetslab.ids import Eui64

KEY = PrivateKey.from_seed(b"property" * 4)
EUIS = st.binary(min_size=8, max_size=8).map(Eui64)
COUNTERS = st.integers(0, 2**64 - 1)
SECRETS = st.binary(min_size=32, max_size=32)
SIGNATURES = st.sampled_from([b"", bytes(64), b"\xdf" * 64])


@st.composite
def other_informations(draw: st.DrawFn) -> OtherInformation:
    fields = draw(st.integers(0, 4))
    return OtherInformation(
        message_code=draw(st.integers(0, 0xFFFF)),
        supplementary_remote_party_id=draw(EUIS) if fields >= 1 else None,
        supplementary_remote_party_counter=draw(COUNTERS) if fields >= 2 else None,
        supplementary_originator_counter=draw(COUNTERS) if fields == 3 else None,
        key_agreement_certificate=draw(st.binary(min_size=9, max_size=500)) if fields == 4 else None,
    )


@st.composite
def messages(draw: st.DrawFn) -> Message:
    maced = draw(st.booleans())
    return Message(
        cra=draw(st.sampled_from(Cra)),
        originator_counter=draw(COUNTERS),
        business_originator_id=draw(EUIS),
        business_target_id=draw(EUIS),
        date_time=draw(st.none() | st.binary(min_size=12, max_size=12)),
        other_information=draw(other_informations()),
        content=draw(st.binary(max_size=40) | st.integers(100, 70_000).map(bytes)),
        signature=draw(SIGNATURES if maced else st.none() | SIGNATURES),
        message_mac=draw(st.binary(min_size=12, max_size=12)) if maced else None,
    )


@settings(max_examples=300)
@given(messages())
def test_any_message_reads_back(message: Message) -> None:
    octets = encode_message(message)
    assert decode_message(octets) == message
    start = content_offset(message)
    assert octets[start : start + len(message.content)] == message.content


@given(messages())
def test_any_message_is_shown_whole(message: Message) -> None:
    octets = encode_message(message)
    root = describe(octets)
    assert root.raw == octets
    assert b"".join([leaf.raw for leaf in root.leaves()]) == octets


@given(messages(), SECRETS)
def test_mac_survives_the_wire(message: Message, secret: bytes) -> None:
    arrived = decode_message(encode_message(with_mac(message, secret)))
    assert verify_mac(arrived, secret)
    assert not verify_mac(arrived, bytes(32)) or secret == bytes(32)


@settings(max_examples=30)
@given(messages())
def test_signature_survives_the_wire(message: Message) -> None:
    arrived = decode_message(encode_message(with_signature(message, KEY)))
    assert verify_signature(arrived, KEY.public)
    counter = (message.originator_counter + 1) % 2**64
    assert not verify_signature(replace(arrived, originator_counter=counter), KEY.public)


@given(messages(), SECRETS, st.binary(max_size=200))
def test_protected_content_opens_again(message: Message, secret: bytes, plaintext: bytes) -> None:
    context = EncryptionContext.of(message)
    sealed = context.encrypt(secret, plaintext)
    assert context.decrypt(secret, sealed) == plaintext
    assert len(sealed) == len(plaintext) + 17
