"""Shapes: Data to named values and back, and what is refused, with its path."""

from __future__ import annotations

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.axdr import ArrayDescription, BitString, Boolean, Data, StructureDescription, Tag
from smetslab.gbcs.dlms.shapes import (
    Bits,
    Bool,
    Bytes,
    Compact,
    Const,
    ListOf,
    Nullable,
    Num,
    Packed,
    Seconds,
    Shape,
    Struct,
    Text,
    kind_of,
)
from smetslab.gbcs.values import Value

STATUS = Num(Tag.ENUM, {0: "off", 1: "on"})
POINT = Struct({"x": shapes.INTEGER, "fixed": Const(axdr.null()), "y": shapes.UNSIGNED}, optional=("y",))
LOG = Compact(
    Struct({"time": Seconds(), "value": shapes.UNSIGNED, "extra": shapes.UNSIGNED}, optional=("extra",))
)
PACKED = Packed(
    (("code", 2, "message-code"), ("counter", 4, "int"), ("object", 6, "logical-name"), ("rest", 1, "hex"))
)

FITTING: dict[str, tuple[Shape, Data, Value]] = {
    "number": (shapes.LONG, axdr.long(-5), -5),
    "named number": (STATUS, axdr.enum(1), "on"),
    "number without a name": (STATUS, axdr.enum(7), 7),
    "true": (shapes.BOOLEAN, axdr.boolean(True), True),
    "false": (shapes.BOOLEAN, axdr.boolean(False), False),
    "another true": (shapes.BOOLEAN, Boolean(1), 1),
    "named true": (Bool(("No", "Yes")), axdr.boolean(True), "Yes"),
    "text": (Text(), axdr.octet_string("Grüße".encode()), "Grüße"),
    "no text": (Text(), axdr.octet_string(b""), ""),
    "text that is none": (Text(), axdr.octet_string(b"\xff\x00"), "hex:FF00"),
    "text with a control character": (Text(), axdr.octet_string(b"a\nb"), "hex:610A62"),
    "text that looks like hex": (Text(), axdr.octet_string(b"hex:00"), "hex:6865783A3030"),
    "utf8 text": (Text(Tag.UTF8_STRING), axdr.utf8_string("x"), "x"),
    "octets": (shapes.OCTETS, axdr.octet_string(b"\x0a"), "0A"),
    "date-time": (
        shapes.DATE_TIME,
        axdr.octet_string(bytes.fromhex("07EE010FFF090000008000FF")),
        "2030-01-15T09:00:00Z",
    ),
    "date": (shapes.DATE, axdr.octet_string(bytes.fromhex("FFFF0C19FF")), "*-12-25"),
    "time": (shapes.TIME, axdr.octet_string(bytes.fromhex("07000000")), "07:00:00"),
    "seconds": (Seconds(), axdr.double_long_unsigned(473385600), "2015-01-01T00:00:00Z"),
    "bits": (Bits(), BitString(3, b"\xa0"), "101"),
    "no bits": (Bits(), BitString(0, b""), ""),
    "code": (shapes.CODE, axdr.long_unsigned(0x8F66), "8F66"),
    "nothing": (Nullable(shapes.LONG), axdr.null(), None),
    "something": (Nullable(shapes.LONG), axdr.long(1), 1),
    "structure": (POINT, axdr.structure(axdr.integer(1), axdr.null(), axdr.unsigned(2)), {"x": 1, "y": 2}),
    "structure without its optional member": (POINT, axdr.structure(axdr.integer(1), axdr.null()), {"x": 1}),
    "list": (ListOf(shapes.INTEGER), axdr.array(axdr.integer(1), axdr.integer(2)), [1, 2]),
    "empty list": (ListOf(shapes.INTEGER), axdr.array(), []),
    "list of two": (ListOf(shapes.INTEGER, 2), axdr.array(axdr.integer(1), axdr.integer(2)), [1, 2]),
    "packed": (
        PACKED,
        axdr.octet_string(bytes.fromhex("0043 000003EC 0000010000FF 7F")),
        {"code": "0x0043", "counter": 1004, "object": "0-0:1.0.0.255", "rest": "7F"},
    ),
    "log": (
        LOG,
        axdr.compact_array(
            StructureDescription((Tag.DOUBLE_LONG_UNSIGNED, Tag.UNSIGNED)),
            (axdr.structure(axdr.double_long_unsigned(0), axdr.unsigned(9)),),
        ),
        [{"time": "2000-01-01T00:00:00Z", "value": 9}],
    ),
    "longer log": (
        LOG,
        axdr.compact_array(
            StructureDescription((Tag.DOUBLE_LONG_UNSIGNED, Tag.UNSIGNED, Tag.UNSIGNED)),
            (axdr.structure(axdr.double_long_unsigned(0), axdr.unsigned(9), axdr.unsigned(8)),),
        ),
        [{"time": "2000-01-01T00:00:00Z", "value": 9, "extra": 8}],
    ),
    "empty log": (
        LOG,
        axdr.compact_array(StructureDescription((Tag.DOUBLE_LONG_UNSIGNED, Tag.UNSIGNED)), ()),
        [],
    ),
    "empty log of another type": (LOG, axdr.compact_array(Tag.UNSIGNED, ()), {"type": "11", "entries": []}),
    "log of lists": (
        Compact(ListOf(shapes.UNSIGNED)),
        axdr.compact_array(
            ArrayDescription(2, Tag.UNSIGNED), (axdr.array(axdr.unsigned(1), axdr.unsigned(2)),)
        ),
        [[1, 2]],
    ),
}


@pytest.mark.parametrize("name", FITTING)
def test_data_and_named_value_are_one(name: str) -> None:
    shape, data, value = FITTING[name]
    assert shape.decode(data, "item") == value
    assert shape.encode(value, "item") == data


@pytest.mark.parametrize("name", FITTING)
def test_type_in_a_compact_array_is_that_of_the_value(name: str) -> None:
    shape, data, value = FITTING[name]
    if isinstance(data, axdr.Null):
        return
    assert shape.type_of(value) == axdr.describe_type(data) or data == axdr.array()


UNFITTING: dict[str, tuple[Shape, Data, str, str, str]] = {
    "number of another type": (shapes.LONG, axdr.integer(1), "item", "long", "integer"),
    "text for a number": (shapes.LONG, axdr.octet_string(b"ab"), "item", "long", "octet-string of 2"),
    "number for a boolean": (shapes.BOOLEAN, axdr.unsigned(1), "item", "boolean", "unsigned"),
    "number for a text": (Text(), axdr.unsigned(1), "item", "octet-string", "unsigned"),
    "text of another type": (Text(), axdr.utf8_string("x"), "item", "octet-string", "utf8-string"),
    "number for octets": (shapes.OCTETS, axdr.unsigned(1), "item", "octet-string", "unsigned"),
    "octets of another length": (
        shapes.DATE_TIME,
        axdr.octet_string(bytes(11)),
        "item",
        "octet-string of 12",
        "octet-string of 11",
    ),
    "number for bits": (Bits(), axdr.unsigned(1), "item", "bit-string", "unsigned"),
    "another number for seconds": (Seconds(), axdr.unsigned(1), "item", "double-long-unsigned", "unsigned"),
    "another number for a code": (shapes.CODE, axdr.unsigned(1), "item", "long-unsigned", "unsigned"),
    "another constant": (Const(axdr.enum(5)), axdr.enum(6), "item", "1605", "1606"),
    "array for a structure": (POINT, axdr.array(axdr.integer(1)), "item", "structure", "array of 1"),
    "too few members": (
        POINT,
        axdr.structure(axdr.integer(1)),
        "item",
        "structure of 2 to 3",
        "structure of 1",
    ),
    "too many members": (
        POINT,
        axdr.structure(*(axdr.null(),) * 4),
        "item",
        "structure of 2 to 3",
        "structure of 4",
    ),
    "wrong member": (POINT, axdr.structure(axdr.unsigned(1), axdr.null()), "item.x", "integer", "unsigned"),
    "wrong constant member": (
        POINT,
        axdr.structure(axdr.integer(1), axdr.integer(1)),
        "item.fixed",
        "00",
        "0F01",
    ),
    "structure for an array": (ListOf(shapes.LONG), axdr.structure(), "item", "array", "structure of 0"),
    "another count": (ListOf(shapes.LONG, 2), axdr.array(axdr.long(1)), "item", "array of 2", "array of 1"),
    "wrong element": (
        ListOf(shapes.LONG),
        axdr.array(axdr.long(1), axdr.null()),
        "item[1]",
        "long",
        "null-data",
    ),
    "array for a log": (LOG, axdr.array(), "item", "compact-array", "array of 0"),
    "wrong element of a log": (
        Compact(shapes.LONG),
        axdr.compact_array(Tag.UNSIGNED, (axdr.unsigned(1),)),
        "item[0]",
        "long",
        "unsigned",
    ),
    "packed of another length": (
        PACKED,
        axdr.octet_string(b""),
        "item",
        "octet-string of 13",
        "octet-string of 0",
    ),
    "wrong value that may be absent": (Nullable(shapes.LONG), axdr.enum(1), "item", "long", "enum"),
}


@pytest.mark.parametrize("name", UNFITTING)
def test_data_of_another_shape_is_named(name: str) -> None:
    shape, data, path, expected, found = UNFITTING[name]
    with pytest.raises(GbcsDecodeError) as caught:
        shape.decode(data, "item")
    assert (caught.value.path, caught.value.expected, caught.value.found) == (path, expected, found)


REFUSED: dict[str, tuple[Shape, Value, str]] = {
    "number too big": (shapes.UNSIGNED, 256, "item"),
    "number too small": (shapes.INTEGER, -129, "item"),
    "boolean for a number": (shapes.UNSIGNED, True, "item"),
    "unknown name": (STATUS, "maybe", "item"),
    "nothing for a number": (STATUS, None, "item"),
    "number for a boolean": (shapes.BOOLEAN, 0, "item"),
    "number too big for a boolean": (shapes.BOOLEAN, 255, "item"),
    "text for a boolean": (shapes.BOOLEAN, "Yes", "item"),
    "list for a named boolean": (Bool(("No", "Yes")), ["Yes"], "item"),
    "number for a text": (Text(), 5, "item"),
    "half a character": (Text(), "\ud800", "item"),
    "broken hex for a text": (Text(), "hex:0", "item"),
    "too few octets": (Bytes(2), "00", "item"),
    "no hex": (Bytes(2), "zz", "item"),
    "no date-time": (shapes.DATE_TIME, "tomorrow", "item"),
    "time before the epoch": (Seconds(), "1999-12-31T23:59:59Z", "item"),
    "time after the last": (Seconds(), "2136-02-07T06:28:16Z", "item"),
    "no bits": (Bits(), "012", "item"),
    "number for bits": (Bits(), 101, "item"),
    "code of three digits": (shapes.CODE, "8F6", "item"),
    "code of three octets": (shapes.CODE, "8F6600", "item"),
    "no members": (POINT, [], "item"),
    "missing member": (POINT, {"y": 1}, "item.x"),
    "unknown member": (POINT, {"x": 1, "z": 1}, "item.z"),
    "constant member": (POINT, {"x": 1, "fixed": None}, "item.fixed"),
    "wrong member": (POINT, {"x": "a"}, "item.x"),
    "no list": (ListOf(shapes.LONG), {}, "item"),
    "list of another length": (ListOf(shapes.LONG, 2), [1], "item"),
    "wrong element": (ListOf(shapes.LONG), [1, "a"], "item[1]"),
    "no log": (LOG, "x", "item"),
    "wrong type of an empty log": (LOG, {"type": "07", "entries": []}, "item.type"),
    "no type of an empty log": (LOG, {"entries": []}, "item.type"),
    "packed without a member": (PACKED, {"code": "0x0043"}, "item.counter"),
    "packed of something else": (PACKED, "0043", "item"),
    "packed number too big": (PACKED, {"code": "0x0043", "counter": 2**32}, "item.counter"),
    "packed logical name": (PACKED, {"code": "0043", "counter": 1, "object": "0-0:1"}, "item.object"),
    "packed octets": (
        PACKED,
        {"code": "0043", "counter": 1, "object": "0-0:1.0.0", "rest": "0102"},
        "item.rest",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_value_that_does_not_fit_is_named(name: str) -> None:
    shape, value, path = REFUSED[name]
    with pytest.raises(GbcsEncodeError) as caught:
        shape.encode(value, "item")
    assert caught.value.path == path


def test_earlier_optional_member_may_not_be_skipped() -> None:
    shape = Struct({"a": shapes.LONG, "b": shapes.LONG, "c": shapes.LONG}, optional=("b", "c"))
    with pytest.raises(GbcsEncodeError, match="earlier optional member"):
        shape.encode({"a": 1, "c": 3}, "item")


def test_optional_members_come_last() -> None:
    with pytest.raises(ValueError, match="optional members come last"):
        Struct({"a": shapes.LONG, "b": shapes.LONG}, optional=("a",))


def test_kinds_are_named_as_the_standard_names_them() -> None:
    named = [kind_of(data) for _, data, _ in list(FITTING.values())[:3]]
    assert named == ["long", "enum", "enum"]
    assert kind_of(axdr.compact_array(Tag.UNSIGNED, ())) == "compact-array"


def test_declared_limits_judge_a_number_without_changing_it() -> None:
    shape = Num(Tag.UNSIGNED, minimum=2, maximum=4)
    assert [n for n in range(7) if shape.in_range(axdr.unsigned(n))] == [2, 3, 4]
    assert not shape.in_range(axdr.null())
    assert shape.decode(axdr.unsigned(9), "item") == 9
