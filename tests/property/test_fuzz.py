"""Any octets give a value or a GbcsDecodeError: never another exception, deep recursion or unbounded work.

Mutations are seeded, so a failure is a file name and a number. Half of them are made inside the content and
framed again, because a broken frame would hide the decoders behind it.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import describe
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import AccessResponse, AccessResult, Choice, DataNotification, decode_apdu
from smetslab.gbcs.dlms.axdr import decode_data
from smetslab.gbcs.gbt import decode_block
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.notation import message_octets
from smetslab.gbcs.security import with_mac
from smetslab.gbcs.usecases import USE_CASES, decode_content, find
from smetslab.gbcs.utrn import parse_utrn
from smetslab.ids import Eui64

MUTATIONS = 10_000
LENGTH_OCTETS = b"\x00\x01\x7f\x80\x81\x82\x83\x84\x85\xfe\xff"


def mutated(octets: bytes, other: bytes, chance: random.Random) -> bytes:
    """`octets` with one to three faults of the kinds that broken senders and attackers make."""
    data = bytearray(octets)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(data)) if data else 0
        match chance.randrange(8):
            case 0 if data:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                del data[place:]
            case 2:
                data[place:place] = chance.randbytes(chance.randint(1, 4))
            case 3:
                del data[place : place + chance.randint(1, 4)]
            case 4 if data:
                data[place] = chance.choice(LENGTH_OCTETS)
            case 5 if data:
                data[place] = (data[place] + chance.choice((-1, 1))) % 256
            case 6:
                data[place:] = other[chance.randrange(len(other)) :]
            case 7:
                data += chance.randbytes(chance.randint(1, 20))
            case _:
                data += b"\x00"
    return bytes(data)


def outcome(octets: bytes) -> str:
    """Push `octets` through every decoder; how far they came."""
    root = describe(octets)
    assert b"".join([leaf.raw for leaf in root.leaves()]) == octets
    try:
        message = decode_message(octets)
    except GbcsDecodeError as error:
        assert root.error is not None
        assert error.offset is None or 0 <= error.offset <= len(octets)
        return "no message"
    assert encode_message(message) == octets
    try:
        assert decode_apdu(message.content).encode() == message.content
    except GbcsDecodeError as error:
        assert error.offset is not None
        assert error.offset <= len(message.content)
        found = "no APDU"
    else:
        found = "APDU"
    use_case = find(message)
    if use_case is None:
        return found
    try:
        decode_content(use_case, message)
    except GbcsDecodeError as error:
        assert root.error is not None
        assert error.path or error.offset is not None
        return f"{found}, not as declared"
    return f"{found}, as declared"


def mutations(corpus: list[tuple[str, bytes]], count: int) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(20_260_101)
    for number in range(count):
        name, octets = corpus[number % len(corpus)]
        _, other = chance.choice(corpus)
        if number % 2:
            yield f"{name} #{number}", mutated(octets, other, chance)
        else:
            message = decode_message(octets)
            changed = replace(message, content=mutated(message.content, other, chance))
            yield f"{name} #{number}", encode_message(changed)


def run(corpus: list[tuple[str, bytes]], count: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for name, octets in mutations(corpus, count):
        try:
            outcomes[outcome(octets)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be shown with the octets
            pytest.fail(f"{name}: {type(error).__name__}: {error}\n{octets.hex()}")
    return outcomes


def message(content: bytes, cra: Cra = Cra.RESPONSE, code: int = 0x7FFF) -> bytes:
    return encode_message(
        with_mac(
            Message(
                cra=cra,
                originator_counter=1000,
                business_originator_id=Eui64(b"\x22" * 8),
                business_target_id=Eui64(b"\x11" * 8),
                other_information=OtherInformation(message_code=code),
                content=content,
            ),
            bytes(32),
        )
    )


def own_corpus() -> list[tuple[str, bytes]]:
    """Messages with every kind of value in them."""
    entry = axdr.structure(
        axdr.double_long_unsigned(1), axdr.array(axdr.long(2), axdr.long(3)), axdr.octet_string(b"x")
    )
    values = axdr.structure(
        axdr.compact_array(axdr.describe_type(entry), (entry, entry)),
        axdr.array(axdr.boolean(True), axdr.enum(3), axdr.BitString(9, b"\xff\x80")),
        axdr.octet_string(bytes(200)),
        axdr.utf8_string("text"),
        axdr.null(),
    )
    results = (AccessResult(Choice.GET, 0), AccessResult(Choice.ACTION, 250))
    firmware = USE_CASES["ECS52"].code
    return [
        ("response", message(AccessResponse(0x200003E8, (values, axdr.null()), results).encode())),
        ("alert", message(DataNotification(0x200003E8, values).encode(), Cra.ALERT)),
        (
            "declared",
            message(
                AccessResponse(0x200003E8, (axdr.octet_string(b"1234"),), results[:1]).encode(), code=firmware
            ),
        ),
    ]


def test_mutated_messages_of_our_own_raise_nothing_else() -> None:
    outcomes = run(own_corpus(), 1_500)
    assert outcomes["no message"] > 100
    assert outcomes["no APDU"] > 100
    assert outcomes["APDU, not as declared"] + outcomes["no APDU, not as declared"] > 100


def test_ten_thousand_mutated_published_messages_raise_nothing_else(rtds: Path) -> None:
    files = sorted(rtds.rglob("*.HEX"))
    corpus = [(file.name, message_octets(file.read_bytes())) for file in files]
    outcomes = run(corpus, MUTATIONS)
    assert outcomes.total() == MUTATIONS
    assert outcomes["no message"] > MUTATIONS // 10
    assert outcomes["no APDU"] + outcomes["no APDU, not as declared"] > MUTATIONS // 10
    assert outcomes["APDU, not as declared"] > MUTATIONS // 100


@settings(max_examples=300)
@given(
    st.binary(max_size=200),
    st.sampled_from(["", "dd000000000000", "df0901", "dd09", "d9", "da", "0f", "13", "0201"]),
)
def test_random_octets_raise_nothing_else(rest: bytes, start: str) -> None:
    octets = bytes.fromhex(start) + rest
    describe(octets)
    for decode in (decode_message, decode_apdu, decode_data, decode_block, message_octets):
        try:
            decode(octets)
        except GbcsDecodeError as error:
            assert error.offset is None or error.offset <= len(octets)


@given(st.text(max_size=30) | st.text("0123456789", min_size=20, max_size=20))
def test_random_text_is_a_utrn_or_refused(text: str) -> None:
    try:
        assert parse_utrn(text).digits == text
    except GbcsDecodeError as error:
        assert error.path == "UTRN"


HOSTILE = {
    "nested structures": "0201" * 100_000,
    "nested arrays": "0101" * 100_000 + "00",
    "nested descriptions": "13" + "0201" * 100_000 + "11 00",
    "nested counts of four octets": "0184FFFFFFFF" * 1000,
    "array of 2^32": "01 84FFFFFFFF",
    "many small values": "01 82EA60" + "00" * 60_000,
    "more values than are read": "01 830493E0" + "00" * 300_000,
    "counts that multiply": "13" + "01FFFF" * 14 + "0200 01 00",
    "null-data for each octet": "13 02 02 01 FFFF 00 11 820400" + "00" * 1024,
    "string of 4 GiB": "09 84FFFFFFFF 00",
    "bits of 512 MiB": "04 84FFFFFFFF 00",
    "structure of structures without members": "02 81C8" + "0200" * 200,
    "wide description": "13 02 820400" + "11" * 1024 + "820800" + "00" * 2048,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_end_soon_without_deep_recursion(name: str) -> None:
    octets = bytes.fromhex(HOSTILE[name])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)  # well below the default, and enough for what the limits of the decoder allow
    try:
        try:
            decode_data(octets)
        except GbcsDecodeError as error:
            assert error.offset is not None
        whole = message(bytes.fromhex("0F200003E8 00") + octets, Cra.ALERT)
        root = describe(whole)
    finally:
        sys.setrecursionlimit(limit)
    assert b"".join([leaf.raw for leaf in root.leaves()]) == whole
