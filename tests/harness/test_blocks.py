"""Blocks of long messages as trees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbt import Block
from smetslab.harness.blocks import describe_gbcs
from smetslab.harness.decoders import standard_decoders
from smetslab.ids import Eui64


def block(data: bytes, *, number: int = 3, last: bool = False) -> bytes:
    return Block(
        cra=Cra.RESPONSE,
        originator_counter=1001,
        business_originator_id=Eui64.parse("00DB1234567890A0"),
        business_target_id=Eui64.parse("90B3D51F30010000"),
        message_code=0x0033,
        number=number,
        acknowledged=2,
        last=last,
        window=8,
        data=data,
    ).encode()


@given(st.binary(max_size=1300), st.integers(1, 0xFFFF), st.booleans())
def test_the_fields_of_a_block_follow_each_other_and_cover_it(data: bytes, number: int, last: bool) -> None:
    octets = block(data, number=number, last=last)
    node = describe_gbcs(octets)
    assert b"".join(child.raw for child in node.children) == octets
    fields = {child.name: child.raw for child in node.children}
    assert fields["block number"] == number.to_bytes(2)
    assert fields["block data"] == data
    assert fields["business target id"] == bytes.fromhex("90B3D51F30010000")


def test_a_block_and_an_acknowledgement_say_what_they_are() -> None:
    assert standard_decoders().meaning("wan", block(b"abc", last=True), {}) == (
        "0x0033 block 3: 00DB1234567890A0 to 90B3D51F30010000, counter 1001, 3 octets, the last"
    )
    assert describe_gbcs(block(b"")).name == "0x0033 acknowledgement up to block 2"


def test_a_block_cut_short_is_not_decodable_and_says_where() -> None:
    with pytest.raises(GbcsDecodeError):
        describe_gbcs(block(b"abc")[:-1])
    meaning = standard_decoders().meaning("wan", block(b"abc")[:-1], {})
    assert meaning is not None
    assert meaning.startswith("not decodable: ")
