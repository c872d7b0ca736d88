"""Shapes of GBCS's own encodings: Data to named values and back, and what is refused, with its path."""

from __future__ import annotations

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.axdr import ArrayDescription, BitString, Data, StructureDescription, Tag
from smetslab.gbcs.dlms.forms import (
    ChannelLogDetail,
    ChannelMask,
    ControllerNumber,
    ControllerOctet,
    EventSet,
    EventSettings,
    Flags,
    NamedList,
    NamedOctets,
    OneOf,
)
from smetslab.gbcs.dlms.shapes import Compact, Shape, Struct
from smetslab.gbcs.values import Value

SINGLE = Struct({"time": shapes.UNSIGNED, "primary": shapes.UNSIGNED})
TWIN = Struct({"time": shapes.UNSIGNED, "secondary": shapes.UNSIGNED, "primary": shapes.UNSIGNED})
LAYOUTS = OneOf(SINGLE, TWIN)
LIMITS = NamedList(("low", "high"), shapes.UNSIGNED)
KIND = NamedOctets({bytes(2): "none", b"\xff": "all"})
REASON = NamedOctets({b"\x00": "other"}, length=1)
STATUS = Flags(("authorised", "reporting", None))
ACTIONS = {1: "activate", 2: "deactivate"}
SWITCH = ControllerNumber("switch", ACTIONS)
LEVEL = ControllerNumber("level", ACTIONS)
CALENDAR = ControllerNumber("calendar", ACTIONS)
LOG = ControllerNumber("log", ACTIONS)


def event_bits(*numbers: int) -> bytes:
    """256 bits with these set, the last one being number 0."""
    return sum(1 << number for number in numbers).to_bytes(32, "big")


FITTING: dict[str, tuple[Shape, Data, Value]] = {
    "the first layout": (
        LAYOUTS,
        axdr.structure(axdr.unsigned(1), axdr.unsigned(2)),
        {"time": 1, "primary": 2},
    ),
    "a layout with a member inside": (
        LAYOUTS,
        axdr.structure(axdr.unsigned(1), axdr.unsigned(3), axdr.unsigned(2)),
        {"time": 1, "secondary": 3, "primary": 2},
    ),
    "named elements": (LIMITS, axdr.array(axdr.unsigned(1), axdr.unsigned(9)), {"low": 1, "high": 9}),
    "octets with a word": (KIND, axdr.octet_string(bytes(2)), "none"),
    "octets without a word": (KIND, axdr.octet_string(b"\x01\x02\x03"), "010203"),
    "one octet without a word": (REASON, axdr.octet_string(b"\x09"), "09"),
    "named bits": (STATUS, BitString(3, b"\x40"), {"authorised": False, "reporting": True}),
    "a reserved bit": (STATUS, BitString(3, b"\x60"), "011"),
    "more bits than named": (STATUS, BitString(5, b"\x88"), "10001"),
    "a switch": (SWITCH, axdr.long_unsigned(0x0502), {"slot": 5, "action": "deactivate"}),
    "a switch with an unknown action": (SWITCH, axdr.long_unsigned(0x1599), {"slot": 0x15, "action": 0x99}),
    "a level": (LEVEL, axdr.long_unsigned(0x1564), {"direction": "output", "slot": 5, "level": 100}),
    "a level of the input": (
        LEVEL,
        axdr.long_unsigned(0x2332),
        {"direction": "input", "slot": 3, "level": 50},
    ),
    "a level without a known direction": (
        LEVEL,
        axdr.long_unsigned(0x03FF),
        {"direction": 0, "slot": 3, "level": 0xFF},
    ),
    "a level in a calendar": (
        CALENDAR,
        axdr.long_unsigned(0x11B2),
        {"direction": "output", "slot": 1, "level": 50},
    ),
    "a switch in a calendar": (CALENDAR, axdr.long_unsigned(0x0101), {"slot": 1, "action": "activate"}),
    "a switch in a log": (LOG, axdr.long_unsigned(0x0382), {"slot": 3, "action": 0x82}),
    "a level in a log": (LOG, axdr.long_unsigned(0x1164), {"direction": "output", "slot": 1, "level": 100}),
    "the high octet alone": (ControllerOctet(), axdr.unsigned(0x21), {"direction": "input", "slot": 1}),
    "a set of events": (EventSet(0x80), BitString(256, event_bits(0x14, 0x15)), ["8014", "8015"]),
    "no event": (EventSet(0x80), BitString(256, bytes(32)), []),
    "event settings": (
        EventSettings(0x81),
        BitString(512, event_bits(0x0D, 0xC4, 0xFF) + event_bits(0x0D, 0x00)),
        {"mask": ["810D", "81C4", "81FF"], "actions": ["8100", "810D"]},
    ),
    "channels of the lower band": (
        ChannelMask(),
        BitString(32, bytes.fromhex("E8000006")),
        {"page": 29, "channels": [28, 29]},
    ),
    "channels of the upper band": (
        ChannelMask(),
        BitString(32, bytes.fromhex("F8000009")),
        {"page": 31, "channels": [0, 3]},
    ),
    "channels of an unknown page": (
        ChannelMask(),
        BitString(32, bytes.fromhex("00000001")),
        {"page": 0, "channels": [0]},
    ),
    "a channel change": (
        ChannelLogDetail(),
        axdr.octet_string(bytes.fromhex("F0000004090102")),
        {"page": 30, "channels": [37], "scan_trigger": "GSMEMissedItsCurfew"},
    ),
    "a channel change for an unknown reason": (
        ChannelLogDetail(),
        axdr.octet_string(bytes.fromhex("E0000000090109")),
        {"page": 28, "channels": [], "scan_trigger": 9},
    ),
    "another detail": (ChannelLogDetail(), axdr.octet_string(b"\x01"), "hex:01"),
    "a log of a layout": (
        Compact(LAYOUTS),
        axdr.compact_array(
            StructureDescription((Tag.UNSIGNED,) * 3),
            (axdr.structure(axdr.unsigned(1), axdr.unsigned(3), axdr.unsigned(2)),),
        ),
        [{"time": 1, "secondary": 3, "primary": 2}],
    ),
    "an empty log": (Compact(LAYOUTS), axdr.compact_array(StructureDescription((Tag.UNSIGNED,) * 2), ()), []),
}


@pytest.mark.parametrize(("shape", "data", "value"), FITTING.values(), ids=FITTING.keys())
def test_a_value_goes_both_ways(shape: Shape, data: Data, value: Value) -> None:
    assert shape.decode(data, "here") == value
    assert shape.encode(value, "here") == data


UNDECODABLE: dict[str, tuple[Shape, Data, str]] = {
    "no structure": (LAYOUTS, axdr.null(), "here: not the shape"),
    "no layout of that length": (LAYOUTS, axdr.structure(axdr.null()), "structure of 2 or 3"),
    "a wrong member": (LAYOUTS, axdr.structure(axdr.unsigned(1), axdr.null()), "here.primary"),
    "too few elements": (LIMITS, axdr.array(axdr.unsigned(1)), "array of 2"),
    "a wrong element": (LIMITS, axdr.array(axdr.unsigned(1), axdr.null()), "here.high"),
    "no octets": (KIND, axdr.null(), "octet-string"),
    "too many octets": (REASON, axdr.octet_string(bytes(2)), "octet-string of 1"),
    "no bits": (STATUS, axdr.null(), "bit-string"),
    "no long-unsigned": (SWITCH, axdr.unsigned(1), "long-unsigned"),
    "no unsigned": (ControllerOctet(), axdr.long_unsigned(1), "unsigned"),
    "no event bits": (EventSet(0x80), axdr.null(), "bit-string of 256"),
    "too few event bits": (EventSettings(0x80), BitString(256, bytes(32)), "bit-string of 512"),
    "too few channel bits": (ChannelMask(), BitString(8, b"\x00"), "bit-string of 32"),
    "no detail": (ChannelLogDetail(), axdr.null(), "octet-string"),
}


@pytest.mark.parametrize(("shape", "data", "reason"), UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_other_data_is_refused(shape: Shape, data: Data, reason: str) -> None:
    with pytest.raises(GbcsDecodeError, match=reason):
        shape.decode(data, "here")


UNENCODABLE: dict[str, tuple[Shape, Value, str]] = {
    "no members": (LAYOUTS, 5, "here"),
    "a member of no layout": (LAYOUTS, {"time": 1, "primary": 2, "third": 3}, "here.third"),
    "a member too few": (LAYOUTS, {"time": 1}, "here.primary"),
    "a name too many": (LIMITS, {"low": 1, "high": 2, "middle": 3}, "here.middle"),
    "a name too few": (LIMITS, {"low": 1}, "here.high"),
    "no named elements": (LIMITS, [1, 2], "here"),
    "no hex": (KIND, "some", "here"),
    "hex of another length": (REASON, "0001", "1 octets"),
    "bits that are none": (STATUS, "012", "here"),
    "a bit that is no boolean": (STATUS, {"authorised": 1, "reporting": True}, "here.authorised"),
    "an unknown bit": (STATUS, {"authorised": True, "reporting": True, "other": True}, "here.other"),
    "an unknown action": (SWITCH, {"slot": 1, "action": "explode"}, "here.action"),
    "a slot out of range": (SWITCH, {"slot": 256, "action": 1}, "here.slot"),
    "a level where an action belongs": (SWITCH, {"direction": 1, "slot": 1, "level": 1}, "this form"),
    "an action where a level belongs": (LEVEL, {"slot": 1, "action": "activate"}, "this form"),
    "an action that reads as a level": (CALENDAR, {"slot": 1, "action": 0x80}, "this form"),
    "a level that reads as an action": (LOG, {"direction": 0, "slot": 1, "level": 5}, "this form"),
    "a level out of range": (CALENDAR, {"direction": 1, "slot": 1, "level": 128}, "here.level"),
    "an unknown direction": (ControllerOctet(), {"direction": "up", "slot": 1}, "here.direction"),
    "a slot that does not fit": (ControllerOctet(), {"direction": 1, "slot": 16}, "here.slot"),
    "no list of codes": (EventSet(0x80), "8014", "a list of codes"),
    "a code of another party": (EventSet(0x80), ["8114"], r"here\[0\]"),
    "a code twice": (EventSettings(0x81), {"mask": ["810D", "810D"], "actions": []}, r"here.mask\[1\]"),
    "no actions": (EventSettings(0x81), {"mask": []}, "here.actions"),
    "a page that does not fit": (ChannelMask(), {"page": 32, "channels": []}, "here.page"),
    "a channel of another page": (ChannelMask(), {"page": 29, "channels": [26]}, r"here.channels\[0\]"),
    "a channel beyond the mask": (ChannelMask(), {"page": 28, "channels": [27]}, r"here.channels\[0\]"),
    "a channel twice": (ChannelMask(), {"page": 28, "channels": [1, 1]}, r"here.channels\[1\]"),
    "no list of channels": (ChannelMask(), {"page": 28, "channels": 1}, "here.channels"),
    "an unknown trigger": (
        ChannelLogDetail(),
        {"page": 28, "channels": [], "scan_trigger": "Boredom"},
        "here.scan_trigger",
    ),
}


@pytest.mark.parametrize(("shape", "value", "reason"), UNENCODABLE.values(), ids=UNENCODABLE.keys())
def test_other_values_are_refused(shape: Shape, value: Value, reason: str) -> None:
    with pytest.raises(GbcsEncodeError, match=reason):
        shape.encode(value, "here")


def test_layouts_must_differ_in_length() -> None:
    with pytest.raises(ValueError, match="different numbers"):
        OneOf(SINGLE, SINGLE)
    with pytest.raises(ValueError, match="none of them optional"):
        OneOf(Struct({"one": shapes.UNSIGNED, "two": shapes.UNSIGNED}, optional=("two",)))


def test_type_descriptions_are_those_of_the_data() -> None:
    unsigned = Tag.UNSIGNED
    assert LAYOUTS.type_of({"time": 1, "primary": 2}) == StructureDescription((unsigned, unsigned))
    assert LAYOUTS.type_of({"time": 1, "secondary": 3, "primary": 2}) == StructureDescription((unsigned,) * 3)
    assert LIMITS.type_of(None) == ArrayDescription(2, unsigned)
    described = (KIND, STATUS, SWITCH, ControllerOctet(), EventSet(0), EventSettings(0), ChannelMask())
    assert [shape.type_of(None) for shape in described] == [
        Tag.OCTET_STRING,
        Tag.BIT_STRING,
        Tag.LONG_UNSIGNED,
        Tag.UNSIGNED,
        *(Tag.BIT_STRING,) * 3,
    ]
    assert ChannelLogDetail().type_of(None) is Tag.OCTET_STRING
