"""Types whose values mean something: their JSON forms, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from smetslab.errors import ZclEncodeError
from smetslab.zigbee.zcl import fields, rest, to_end, variant
from smetslab.zigbee.zcl.named import (
    Bits,
    Code,
    Enumeration,
    Flags,
    IssueTime,
    Label,
    Part,
    StartTime,
    StartTimeFE,
    Time,
    ZclDate,
    seconds_from_text,
    seconds_to_text,
)
from smetslab.zigbee.zcl.types import (
    Bitmap8,
    Bool,
    DataType,
    Enum8,
    Octets,
    Single,
    Text,
    UInt8,
    UInt16,
)

Colour = Enumeration(Enum8, {0: "red", 1: "green"})
Switches = Flags(Bitmap8, {0: "heat", 2: "light"})
Mixed = Bits(
    Bitmap8,
    level=Part(3, {0: "off", 7: "full"}),
    armed=Part(1),
    reserved_low=Part(1),
    number=Part(2),
)


def date(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        (Colour, 1, "green"),
        (Colour, 9, 9),
        (Switches, 0b101, ["heat", "light"]),
        (Switches, 0b10001010, [1, 3, 7]),
        (Switches, 0, []),
        (Mixed, 0, {"level": "off", "armed": False, "number": 0}),
        (Mixed, 0b01001111, {"level": "full", "armed": True, "number": 2}),
        (Mixed, 0b10010101, {"level": 5, "armed": False, "number": 0, "reserved_low": 1, "reserved": 1}),
        (Time, 0, "2000-01-01T00:00:00Z"),
        (Time, 473385600, "2015-01-01T00:00:00Z"),
        (Time, 0xFFFFFFFF, "2136-02-07T06:28:15Z"),
        (StartTime, 0, "immediate"),
        (StartTime, 0xFFFFFFFF, "never"),
        (StartTime, 0xFFFFFFFE, "2136-02-07T06:28:14Z"),
        (StartTimeFE, 0xFFFFFFFE, "never"),
        (StartTimeFE, 0xFFFFFFFF, "2136-02-07T06:28:15Z"),
        (IssueTime, 0, "not_given"),
        (ZclDate, date("720917FF"), "2014-09-23"),
        (ZclDate, date("FF031DFF"), "*-03-29"),
        (ZclDate, date("FFFFFFFF"), "*-*-*"),
        (ZclDate, date("FF021DFF"), "*-02-29"),
        (ZclDate, date("73021DFF"), "hex:73021DFF"),
        (ZclDate, date("72091702"), "hex:72091702"),
        (Code(UInt16), 0x8F1F, "8F1F"),
        (Label(), b"E-ON", "E-ON"),
        (Label(), b"", ""),
        (Label(), b"\x00\xdb", "hex:00DB"),
        (Label(), b"hex:00", "hex:6865783A3030"),
        (Label(), None, None),
        (Text, "caf\u00e9", "caf\u00e9"),
        (Text, "\udcff", "hex:FF"),
        (Octets, b"\x01\x23", "0123"),
        (Octets, None, None),
        (Bool, None, None),
        (Single, 1.0, "hex:0000803F"),
    ],
)
def test_form_of_a_value(kind: DataType, value: Any, form: Any) -> None:
    assert kind.to_json(value) == form
    assert kind.from_json(form) == value


def test_numbers_are_taken_where_names_are() -> None:
    assert Colour.from_json(1) == 1
    assert StartTime.from_json(0) == 0
    assert Switches.from_json([0, "light"]) == 0b101
    assert Mixed.from_json({"level": 7, "armed": True, "number": 2}) == 0b01001111


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (Colour, "blue"),
        (Colour, True),
        (Colour, 256),
        (Colour, None),
        (Switches, "heat"),
        (Switches, ["heat", "heat"]),
        (Switches, ["heat", 0]),
        (Switches, [8]),
        (Switches, ["cold"]),
        (Mixed, {"level": "off", "armed": False}),
        (Mixed, {"level": "off", "armed": 0, "number": 0}),
        (Mixed, {"level": "half", "armed": False, "number": 0}),
        (Mixed, {"level": "off", "armed": False, "number": 4}),
        (Mixed, {"level": "off", "armed": False, "number": True}),
        (Mixed, {"level": "off", "armed": False, "number": 0, "other": 0}),
        (Mixed, 3),
        (Time, "2015-01-01"),
        (Time, "2015-01-01T00:00:00"),
        (Time, "2015-01-01T00:00:00.5Z"),
        (Time, "2015-01-01T01:00:00+01:00"),
        (Time, "1999-12-31T23:59:59Z"),
        (Time, "2136-02-07T06:28:16Z"),
        (Time, "immediate"),
        (StartTime, "sometimes"),
        (ZclDate, "2015-3-20"),
        (ZclDate, "2015-02-30"),
        (ZclDate, "2156-01-01"),
        (ZclDate, "2015-03"),
        (ZclDate, "hex:0102"),
        (ZclDate, 5),
        (Code(UInt16), "8F"),
        (Code(UInt16), 0x8F1F),
        (Label(), 5),
        (Label(), "\ud800"),
        (Octets, "0G"),
        (UInt8, "5"),
        (UInt8, -1),
    ],
)
def test_what_is_no_value_is_refused(kind: DataType, form: Any) -> None:
    with pytest.raises(ZclEncodeError):
        kind.from_json(form)


def test_what_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="one name"):
        Enumeration(Enum8, {0: "same", 1: "same"})
    with pytest.raises(ValueError, match="do not fit"):
        Bits(Bitmap8, wide=Part(9))


@pytest.mark.parametrize("seconds", [0, 1, 86399, 86400, 951782400 - 946684800, 473385600, 0xFFFFFFFF])
def test_seconds_and_texts_are_reversible(seconds: int) -> None:
    assert seconds_from_text(seconds_to_text(seconds)) == seconds


SHAPE = fields(
    kind=UInt8,
    body=variant("kind", {0: to_end(fields(x=UInt8)), 1: fields(y=UInt16)}),
)


@pytest.mark.parametrize(
    ("octets", "form"),
    [
        ("000102", {"kind": 0, "body": [{"x": 1}, {"x": 2}]}),
        ("00", {"kind": 0, "body": []}),
        ("010203", {"kind": 1, "body": {"y": 0x0302}}),
        ("02AABB", {"kind": 2, "body": "AABB"}),
    ],
)
def test_a_variant_is_what_an_earlier_field_says(octets: str, form: Any) -> None:
    data = bytes.fromhex(octets)
    record, position = SHAPE.decode(data, 0, len(data))
    assert position == len(data)
    assert SHAPE.to_json(record) == form
    assert SHAPE.from_json(form) == record
    out = bytearray()
    SHAPE.encode(record, out)
    assert out == data


def test_a_variant_is_adopted_from_plain_values() -> None:
    assert SHAPE.record({"kind": 1, "body": {"y": 5}}) == SHAPE.from_json({"kind": 1, "body": {"y": 5}})


def test_a_variant_stands_last() -> None:
    with pytest.raises(ZclEncodeError, match="must be last"):
        fields(kind=UInt8, body=variant("kind", {0: UInt8}), more=UInt8)


def test_errors_of_forms_name_the_field() -> None:
    with pytest.raises(ZclEncodeError, match=r"^body\[1\]\.x: "):
        SHAPE.from_json({"kind": 0, "body": [{"x": 1}, {"x": 999}]})
    with pytest.raises(ZclEncodeError, match=r"^body: missing field"):
        SHAPE.from_json({"kind": 0})
    with pytest.raises(ZclEncodeError, match=r"^more: unknown field"):
        SHAPE.from_json({"kind": 0, "body": [], "more": 1})
    with pytest.raises(ZclEncodeError, match="named fields"):
        SHAPE.from_json([])


def test_trailing_octets_stay_in_the_form() -> None:
    shape = fields(a=UInt8)
    record = shape.from_json({"a": 1, "trailing": "FF"})
    assert record.trailing == b"\xff"
    assert shape.to_json(record) == {"a": 1, "trailing": "FF"}
    assert fields(a=rest()).from_json({"a": "0102"})["a"] == b"\x01\x02"
