"""Every type of Data, octet for octet, and the first octet that does not fit is named."""

from __future__ import annotations

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import (
    ArrayDescription,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DontCare,
    Null,
    Number,
    Octets,
    Sequence,
    StructureDescription,
    Tag,
    decode_data,
    encode_data,
)

ENTRY = StructureDescription((Tag.DOUBLE_LONG_UNSIGNED, ArrayDescription(2, Tag.UNSIGNED), Tag.OCTET_STRING))

VALUES: dict[str, tuple[str, Data]] = {
    "null-data": ("00", Null()),
    "dont-care": ("FF", DontCare()),
    "boolean true": ("03 FF", axdr.boolean(True)),
    "boolean false": ("03 00", axdr.boolean(False)),
    "boolean of another device": ("03 01", Boolean(1)),
    "no bits": ("04 00", BitString(0, b"")),
    "seven bits": ("04 07 FE", BitString(7, b"\xfe")),
    "nine bits": ("04 09 0180", BitString(9, b"\x01\x80")),
    "double-long": ("05 FFFFFFFE", axdr.double_long(-2)),
    "double-long-unsigned": ("06 FFFFFFFE", axdr.double_long_unsigned(0xFFFFFFFE)),
    "octet-string": ("09 03 010203", axdr.octet_string(b"\x01\x02\x03")),
    "empty octet-string": ("09 00", axdr.octet_string(b"")),
    "long octet-string": ("09 8180" + "AA" * 128, axdr.octet_string(b"\xaa" * 128)),
    "visible-string": ("0A 02 4869", axdr.visible_string("Hi")),
    "utf8-string": ("0C 02 C2A3", axdr.utf8_string("£")),
    "bcd": ("0D 99", Number(Tag.BCD, -103)),
    "integer": ("0F 80", axdr.integer(-128)),
    "long": ("10 8000", axdr.long(-32768)),
    "unsigned": ("11 FF", axdr.unsigned(255)),
    "long-unsigned": ("12 FFFF", axdr.long_unsigned(65535)),
    "long64": ("14 8000000000000000", Number(Tag.LONG64, -(2**63))),
    "long64-unsigned": ("15 FFFFFFFFFFFFFFFF", Number(Tag.LONG64_UNSIGNED, 2**64 - 1)),
    "enum": ("16 1E", axdr.enum(30)),
    "float32": ("17 3F800000", Octets(Tag.FLOAT32, bytes.fromhex("3F800000"))),
    "float64": ("18 3FF0000000000000", Octets(Tag.FLOAT64, bytes.fromhex("3FF0000000000000"))),
    "date-time": (
        "19 07DF0101FF000000008000FF",
        Octets(Tag.DATE_TIME, bytes.fromhex("07DF0101FF000000008000FF")),
    ),
    "date": ("1A 07DF0101FF", Octets(Tag.DATE, bytes.fromhex("07DF0101FF"))),
    "time": ("1B 07000000", Octets(Tag.TIME, bytes.fromhex("07000000"))),
    "empty array": ("01 00", axdr.array()),
    "array": ("01 02 1101 1102", axdr.array(axdr.unsigned(1), axdr.unsigned(2))),
    "structure": ("02 02 00 0201 16 05", axdr.structure(Null(), axdr.structure(axdr.enum(5)))),
    "long array": ("01 8180" + "00" * 128, Sequence(Tag.ARRAY, (Null(),) * 128)),
    "compact-array of numbers": (
        "13 12 04 00010002",
        CompactArray(Tag.LONG_UNSIGNED, (axdr.long_unsigned(1), axdr.long_unsigned(2))),
    ),
    "empty compact-array": ("13 06 00", CompactArray(Tag.DOUBLE_LONG_UNSIGNED, ())),
    "compact-array of nothing": ("13 02 00 00", CompactArray(StructureDescription(()), ())),
    "compact-array of structures": (
        "13 02 03 06 01 0002 11 09  11  0000000A 0102 02 ABCD  0000000B 0304 01 EF",
        CompactArray(
            ENTRY,
            (
                axdr.structure(
                    axdr.double_long_unsigned(10),
                    axdr.array(axdr.unsigned(1), axdr.unsigned(2)),
                    axdr.octet_string(b"\xab\xcd"),
                ),
                axdr.structure(
                    axdr.double_long_unsigned(11),
                    axdr.array(axdr.unsigned(3), axdr.unsigned(4)),
                    axdr.octet_string(b"\xef"),
                ),
            ),
        ),
    ),
    "compact-array of boolean, bits, time, dont-care": (
        "13 02 04 03 04 1B FF  07  FF 03 A0 07000000",
        CompactArray(
            StructureDescription((Tag.BOOLEAN, Tag.BIT_STRING, Tag.TIME, Tag.DONT_CARE)),
            (
                axdr.structure(
                    axdr.boolean(True), BitString(3, b"\xa0"), Octets(Tag.TIME, b"\x07\0\0\0"), DontCare()
                ),
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_value_is_read_and_written(name: str) -> None:
    text, value = VALUES[name]
    assert decode_data(bytes.fromhex(text)) == value
    assert encode_data(value) == bytes.fromhex(text)


@pytest.mark.parametrize("name", VALUES)
def test_every_truncation_is_refused(name: str) -> None:
    whole = bytes.fromhex(VALUES[name][0])
    for length in range(len(whole)):
        with pytest.raises(GbcsDecodeError) as caught:
            decode_data(whole[:length])
        assert caught.value.offset is not None
        assert caught.value.offset <= length


@pytest.mark.parametrize("name", VALUES)
def test_described_type_can_stand_in_a_compact_array(name: str) -> None:
    value = VALUES[name][1]
    if isinstance(value, CompactArray) or not encode_data(value)[1:] or value == axdr.array():
        return  # a compact-array does not nest, and what has no octets cannot be counted by them
    if isinstance(value, Sequence) and value.items[0] == Null():
        return
    whole = axdr.compact_array(axdr.describe_type(value), (value, value))
    assert decode_data(encode_data(whole)) == whole


DEEP = "0201" * 16
DEEPER = "0201" * 17

BROKEN = {
    "nothing": ("", 0, "data", "1 more byte", "0"),
    "unknown tag": ("07", 0, "data", "a tag of the Data choice", "07"),
    "unknown tag inside": ("02 02 00 1C", 3, "data[1]", "a tag of the Data choice", "1C"),
    "trailing octet": ("00 00", 1, "data", "the end", "1 more bytes"),
    "number cut": ("06 0000", 1, "data", "4 more bytes", "2"),
    "string cut": ("09 05 0102", 2, "data", "5 more bytes", "2"),
    "length not shortest": ("09 8105 0102030405", 1, "data", "05", "8105"),
    "more members than octets": ("01 84FFFFFFFF 00", 1, "data", "at most 1", "4294967295"),
    "nested too deeply": (DEEPER + "00", 33, "data" + "[0]" * 16, "at most 16 levels", "more"),
    "bits beyond the length": ("04 07 FF", 2, "data", "7 bits, then zeros", "FF"),
    "bits cut": ("04 09 FF", 2, "data", "2 more bytes", "1"),
    "compact-array of compact-array": (
        "13 13 06 00 00",
        1,
        "data",
        "a tag of the Data choice but compact-array",
        "13",
    ),
    "compact-array of an unknown type": (
        "13 07 00",
        1,
        "data",
        "a tag of the Data choice but compact-array",
        "07",
    ),
    "description cut": ("13 02 02 06", 2, "data", "at most 1", "2"),
    "description too deep": ("13" + "0201" * 16 + "0600", 33, "data", "at most 16 levels", "more"),
    "contents cut": ("13 12 04 0001", 2, "data", "4 bytes of contents", "2"),
    "contents end inside an element": ("13 12 03 000100", 5, "data[1]", "2 more bytes", "1"),
    "member of an element cut": ("13 02 02 11 12 02 0100", 7, "data[0][1]", "2 more bytes", "1"),
    "contents of an empty type": ("13 02 00 01 00", 4, "data", "no contents", "1 bytes"),
    "contents of null-data": ("13 00 01 00", 3, "data", "no contents", "1 bytes"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_first_octet_that_does_not_fit_is_named(fault: str) -> None:
    text, offset, path, expected, found = BROKEN[fault]
    with pytest.raises(GbcsDecodeError) as caught:
        decode_data(bytes.fromhex(text), base=1000)
    error = caught.value
    assert (error.offset, error.path, error.expected, error.found) == (1000 + offset, path, expected, found)


def test_deepest_nesting_is_read() -> None:
    assert encode_data(decode_data(bytes.fromhex(DEEP + "00"))) == bytes.fromhex(DEEP + "00")


@pytest.mark.parametrize(
    "text",
    [
        "13 01 FFFF 01 FFFF 01 FFFF 02 00 01 00",  # nested arrays of empty structures: 2^48 items, no octets
        "13 02 02 01 FFFF 00 11 04 01020304",  # 65,535 null-data for each octet
        "13 01 FFFF 01 FFFF 00 01 00",
    ],
)
def test_counts_that_multiply_are_bounded_by_the_octets(text: str) -> None:
    octets = bytes.fromhex(text)
    with pytest.raises(GbcsDecodeError, match="too many data items") as caught:
        decode_data(octets)
    most = axdr.SPARE_ITEMS + axdr.MAX_ITEMS_PER_OCTET * len(octets)
    assert caught.value.expected == f"at most {most}"
    assert most < axdr.MAX_ITEMS


NO_VALUES = {
    "number too big": (axdr.unsigned(256), "unsigned"),
    "number too small": (axdr.integer(-129), "integer"),
    "negative unsigned": (axdr.long_unsigned(-1), "long_unsigned"),
    "date of 4": (Octets(Tag.DATE, bytes(4)), "date"),
    "bit string too short": (BitString(9, b"\x00"), "bit_string"),
    "bits beyond the length": (BitString(7, b"\xff"), "bit_string"),
    "element of another type": (CompactArray(Tag.UNSIGNED, (axdr.integer(1),)), "compact-array"),
    "element with a member too many": (
        CompactArray(
            StructureDescription((Tag.UNSIGNED,)), (axdr.structure(axdr.unsigned(1), axdr.unsigned(2)),)
        ),
        "compact-array",
    ),
    "array for a structure": (
        CompactArray(StructureDescription((Tag.UNSIGNED,)), (axdr.array(axdr.unsigned(1)),)),
        "compact-array",
    ),
    "number for a structure": (
        CompactArray(StructureDescription((Tag.UNSIGNED,)), (axdr.unsigned(1),)),
        "compact-array",
    ),
    "array too long for its description": (
        CompactArray(ArrayDescription(65536, Tag.UNSIGNED), ()),
        "compact-array",
    ),
}


@pytest.mark.parametrize("name", NO_VALUES)
def test_value_that_its_type_cannot_hold_is_not_written(name: str) -> None:
    value, path = NO_VALUES[name]
    with pytest.raises(GbcsEncodeError) as caught:
        encode_data(value)
    assert caught.value.path == path
    assert caught.value.spec == "IEC 62056-6-2 Data"


def test_half_hours_of_thirteen_months_are_read() -> None:
    entries = 397 * 48
    raw = bytes.fromhex("13 02 02 06 06") + b"\x83" + (entries * 8).to_bytes(3, "big") + bytes(entries * 8)
    value = decode_data(raw)
    assert isinstance(value, CompactArray)
    assert len(value.elements) == entries
    assert encode_data(value) == raw
