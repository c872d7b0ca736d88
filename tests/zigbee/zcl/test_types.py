"""ZCL data types: wire forms from the specification, round trips, and refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest

from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import types
from smetslab.zigbee.zcl.types import (
    TYPES,
    Array,
    Collection,
    DataType,
    OctetString,
    Struct,
    Structure,
    Unknown,
    ZclValue,
    decode_typed,
    encode_typed,
)

# Number, wire form and value of each, by hand from ZCL 2.6.2.
WIRE: list[tuple[int, str, Any]] = [
    (0x00, "", None),
    (0x08, "FF", 255),
    (0x0B, "01020304", 0x04030201),
    (0x0F, "0102030405060708", 0x0807060504030201),
    (0x10, "00", False),
    (0x10, "01", True),
    (0x10, "FF", None),
    (0x18, "81", 0x81),
    (0x1A, "010203", 0x030201),
    (0x20, "FE", 254),
    (0x21, "DC05", 1500),
    (0x22, "A08601", 100_000),
    (0x25, "FFFFFFFFFFFF", 2**48 - 1),
    (0x27, "0000000000000080", 2**63),
    (0x28, "80", -128),
    (0x2A, "FFFFFF", -1),
    (0x2B, "FEFFFFFF", -2),
    (0x2F, "0000000000000080", -(2**63)),
    (0x30, "06", 6),
    (0x31, "0200", 2),
    (0x38, "003C", 1.0),
    (0x39, "000020C1", -10.0),
    (0x3A, "000000000000F03F", 1.0),
    (0x41, "03DDDF00", b"\xdd\xdf\x00"),
    (0x41, "00", b""),
    (0x41, "FF", None),
    (0x42, "03C2A331", "£1"),
    (0x42, "01FF", "\udcff"),
    (0x42, "FF", None),
    (0x43, "0100AA", b"\xaa"),
    (0x43, "FFFF", None),
    (0x44, "02006F6B", "ok"),
    (0x48, "2102000100FFFF", Collection(0x21, (1, 0xFFFF))),
    (0x4C, "020010012005", Structure(((0x10, True), (0x20, 5)))),
    (0x50, "200000", Collection(0x20, ())),
    (0x51, "4801002001000 7".replace(" ", ""), Collection(0x48, (Collection(0x20, (7,)),))),
    (0xE2, "00E1380C", 205_054_208),
    (0xE8, "0407", 0x0704),
    (0xF0, "A290785634 12DB00".replace(" ", ""), Eui64.parse("00DB1234567890A2")),
    (0xF1, "00112233445566778899AABBCCDDEEFF", bytes.fromhex("00112233445566778899AABBCCDDEEFF")),
]


@pytest.mark.parametrize(("code", "wire", "value"), WIRE)
def test_wire_form(code: int, wire: str, value: ZclValue) -> None:
    octets = bytes.fromhex(wire)
    assert decode_typed(code, b"\xee" + octets + b"\xee", 1, 1 + len(octets)) == (value, 1 + len(octets))
    out = bytearray()
    encode_typed(code, value, out)
    assert out == octets


def test_every_type_of_the_specification_is_declared() -> None:
    expected = [
        0x00, *range(0x08, 0x11), *range(0x18, 0x32), *range(0x38, 0x3B), *range(0x41, 0x45),
        0x48, 0x4C, 0x50, 0x51, 0xE0, 0xE1, 0xE2, 0xE8, 0xE9, 0xEA, 0xF0, 0xF1,
    ]  # fmt: skip
    assert sorted(TYPES) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (types.UInt8, 256),
        (types.UInt8, -1),
        (types.UInt8, True),
        (types.UInt8, "1"),
        (types.Int24, 2**23),
        (types.Bool, 1),
        (types.Octets, "text"),
        (types.Octets, b"x" * 255),
        (OctetString(maximum=4), b"12345"),
        (types.Text, b"octets"),
        (types.Text, "\ud800"),
        (types.Text, "x" * 255),
        (types.Ieee, b"12345678"),
        (types.Key128, b"short"),
        (types.Single, 1),
        (types.Single, 1e300),
        (types.NO_DATA, 0),
        (Array, Collection(0x77, (1,))),
        (Array, Collection(0x00, (None,))),
        (Array, [1]),
        (Struct, Structure(((0x77, 1),))),
    ],
)
def test_a_value_that_is_not_of_the_type_is_refused(kind: DataType, value: Any) -> None:
    with pytest.raises(ZclEncodeError):
        kind.encode(value, bytearray())


def test_a_string_above_its_maximum_is_refused_when_read() -> None:
    with pytest.raises(ZclDecodeError, match="string too long at byte 0, expected at most 4, found 5"):
        OctetString(maximum=4).decode(b"\x0512345", 0, 6)


@pytest.mark.parametrize("wire", ["02", "FE"])
def test_a_boolean_is_zero_one_or_invalid(wire: str) -> None:
    with pytest.raises(ZclDecodeError, match="not a boolean"):
        decode_typed(0x10, bytes.fromhex(wire), 0, 1)


def test_nesting_is_bounded() -> None:
    def nested(depth: int) -> bytes:
        return bytes.fromhex("480100") * (depth - 1) + bytes.fromhex("200000")

    value, position = Array.decode(nested(15), 0, 45)
    assert isinstance(value, Collection)
    assert position == 45
    for depth in (16, 20_000):
        with pytest.raises(ZclDecodeError, match="nested too deeply"):
            Array.decode(nested(depth), 0, 3 * depth)


def test_a_huge_count_is_refused_where_the_data_ends() -> None:
    with pytest.raises(ZclDecodeError, match="truncated"):
        Array.decode(bytes.fromhex("20FEFF00"), 0, 4)
    with pytest.raises(ZclDecodeError, match="collection of nothing"):
        Array.decode(bytes.fromhex("00FEFF"), 0, 3)
    for kind, wire in ((Array, "20FFFF"), (Struct, "FFFF")):
        with pytest.raises(ZclDecodeError, match="invalid"):
            kind.decode(bytes.fromhex(wire), 0, len(wire) // 2)


def test_an_unknown_type_keeps_its_octets() -> None:
    value, position = decode_typed(0x99, b"\x01\x02\x03", 1, 3)
    assert (value, position) == (Unknown(0x99, b"\x02\x03"), 3)
    out = bytearray()
    encode_typed(0x99, value, out)
    assert out == b"\x02\x03"
    with pytest.raises(ZclEncodeError):
        encode_typed(0x98, value, bytearray())
    with pytest.raises(ZclEncodeError):
        encode_typed(0x98, 1, bytearray())


def test_not_a_number_survives() -> None:
    value, _ = decode_typed(0x39, bytes.fromhex("0000C07F"), 0, 4)
    assert isinstance(value, float)
    assert math.isnan(value)
