"""Shapes of what GBCS itself packs into DLMS values: slots, channels, event masks, named octets.

Each maps one to one onto its Data value, as every shape does: what has no readable form keeps its number or
its octets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import (
    ArrayDescription,
    BitString,
    Data,
    Number,
    Octets,
    Sequence,
    Tag,
    TypeDescription,
)
from smetslab.gbcs.dlms.shapes import Shape, Struct, mismatch
from smetslab.gbcs.elements import Elements, elements_of
from smetslab.gbcs.values import HEX_PREFIX, Value, from_hex, to_hex


def _refuse(value: Value, path: str, expected: str) -> GbcsEncodeError:
    return GbcsEncodeError(
        "value does not fit the use case", path=path, expected=expected, found=repr(value)[:80]
    )


def _number(value: Value, names: Mapping[int, str], limit: int, path: str) -> int:
    """The number of a name, or the number itself. Raises GbcsEncodeError unless 0 <= number <= limit."""
    for number, name in names.items():
        if name == value:
            return number
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit:
        return value
    raise _refuse(value, path, " or ".join((f"0 to {limit}", *names.values())))


def _members(value: Value, names: tuple[str, ...], path: str) -> tuple[Value, ...]:
    """The values of exactly these members, in order."""
    if not isinstance(value, dict):
        raise _refuse(value, path, f"members {', '.join(names)}")
    for name in value:
        if name not in names:
            raise GbcsEncodeError("no such member", path=f"{path}.{name}", expected=", ".join(names))
    for name in names:
        if name not in value:
            raise GbcsEncodeError("missing", path=f"{path}.{name}")
    return tuple(value[name] for name in names)


class Either:
    """A value of one of two shapes: an attribute that sibling use cases write in different forms."""

    __slots__ = ("first", "second")

    def __init__(self, first: Shape, second: Shape) -> None:
        self.first = first
        self.second = second

    def decode(self, data: Data, path: str) -> Value:
        try:
            return self.first.decode(data, path)
        except GbcsDecodeError:
            return self.second.decode(data, path)

    def encode(self, value: Value, path: str) -> Data:
        try:
            return self.first.encode(value, path)
        except GbcsEncodeError:
            return self.second.encode(value, path)

    def type_of(self, value: Value) -> TypeDescription:
        return self.first.type_of(value)


class OneOf:
    """A structure of one of several layouts, told apart by how many members they have.

    Single and twin element meters log different columns: the twin's extra ones stand between the others.
    """

    __slots__ = ("variants",)

    def __init__(self, *variants: Struct) -> None:
        counts = [len(variant.members) for variant in variants]
        if len(set(counts)) != len(counts) or any(v.required != len(v.members) for v in variants):
            raise ValueError("the layouts need different numbers of members, none of them optional")
        self.variants = variants

    def of_data(self, data: Data) -> Struct | None:
        """The layout of a decoded structure, None when it has none of these."""
        if type(data) is Sequence and data.tag is Tag.STRUCTURE:
            for variant in self.variants:
                if len(variant.members) == len(data.items):
                    return variant
        return None

    def of_value(self, value: Value) -> Struct:
        """The layout with most of the members that are named; it says itself what does not fit."""
        given = set(value) if isinstance(value, dict) else set()
        return min(
            self.variants, key=lambda v: len(given.symmetric_difference(name for name, _ in v.members))
        )

    def decode(self, data: Data, path: str) -> Value:
        variant = self.of_data(data)
        if variant is None:
            counts = " or ".join([str(len(variant.members)) for variant in self.variants])
            raise mismatch(data, path, f"structure of {counts}")
        return variant.decode(data, path)

    def encode(self, value: Value, path: str) -> Data:
        return self.of_value(value).encode(value, path)

    def type_of(self, value: Value) -> TypeDescription:
        return (self.variants[0] if value is None else self.of_value(value)).type_of(value)


@dataclass(frozen=True, slots=True)
class NamedList:
    """An array of a fixed number of elements, each with a name of its own."""

    names: tuple[str, ...]
    element: Shape
    elements: Elements = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {str(name): elements_of(name) for name in self.names if elements_of(name)}
        object.__setattr__(self, "elements", known)
        object.__setattr__(self, "names", tuple([str(name) for name in self.names]))

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Sequence or data.tag is not Tag.ARRAY or len(data.items) != len(self.names):
            raise mismatch(data, path, f"array of {len(self.names)}")
        decode = self.element.decode
        try:
            return {name: decode(item, name) for name, item in zip(self.names, data.items, strict=True)}
        except GbcsDecodeError as error:
            raise error.within(path) from None

    def encode(self, value: Value, path: str) -> Data:
        given = _members(value, self.names, path)
        encode = self.element.encode
        try:
            items = tuple([encode(item, name) for name, item in zip(self.names, given, strict=True)])
        except GbcsEncodeError as error:
            raise error.within(path) from None
        return Sequence(Tag.ARRAY, items)

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return ArrayDescription(len(self.names), self.element.type_of(None))


@dataclass(frozen=True, slots=True)
class NamedOctets:
    """An octet-string of `length` octets (any number when None), with words for some contents; else hex."""

    names: Mapping[bytes, str]
    length: int | None = None

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Octets or data.tag is not Tag.OCTET_STRING:
            raise mismatch(data, path, "octet-string")
        if self.length is not None and len(data.value) != self.length:
            raise mismatch(data, path, f"octet-string of {self.length}")
        return self.names.get(data.value, to_hex(data.value))

    def encode(self, value: Value, path: str) -> Data:
        for octets, name in self.names.items():
            if name == value:
                return axdr.octet_string(octets)
        octets = from_hex(value, path)
        if self.length is not None and len(octets) != self.length:
            raise _refuse(value, path, f"{self.length} octets")
        return axdr.octet_string(octets)

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.OCTET_STRING


@dataclass(frozen=True, slots=True)
class Flags:
    """A bit-string with a name for each bit, first bit first; `None` where the standard reserves a bit.

    Shown as true and false by name, or as a text of 0 and 1 when its length is another or a reserved bit is
    set.
    """

    names: tuple[str | None, ...]

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not BitString:
            raise mismatch(data, path, "bit-string")
        bits = "".join(f"{octet:08b}" for octet in data.raw)[: data.length]
        pairs = list(zip(self.names, bits, strict=False))
        if data.length != len(self.names) or any(name is None and bit == "1" for name, bit in pairs):
            return bits
        return {name: bit == "1" for name, bit in pairs if name is not None}

    def encode(self, value: Value, path: str) -> Data:
        if isinstance(value, dict):
            named = tuple(name for name in self.names if name is not None)
            for name, bit in zip(named, _members(value, named, path), strict=True):
                if not isinstance(bit, bool):
                    raise _refuse(bit, f"{path}.{name}", "true or false")
            bits = "".join("01"[name is not None and value[name] is True] for name in self.names)
        elif isinstance(value, str) and not value.strip("01"):
            bits = value
        else:
            raise _refuse(value, path, "named bits, or a text of 0 and 1")
        return _bit_string(bits)

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.BIT_STRING


def _bit_string(bits: str) -> BitString:
    padded = bits + "0" * (-len(bits) % 8)
    return BitString(len(bits), int(padded or "0", 2).to_bytes(len(padded) // 8, "big"))


# -- auxiliary controllers -----------------------------------------------------------------------------------

DIRECTIONS = {1: "output", 2: "input"}
"""Output, or input from the controlled load. Spec: GBCS 7.3; DUIS InputFromControlledLoad."""

LEVEL_IN_CALENDAR = 0x80


@dataclass(frozen=True, slots=True)
class ControllerNumber:
    """A long-unsigned that names a slot for an auxiliary controller and what it is to do.

    Shown as `slot` and `action`, or as `direction`, `slot` and `level` in percent. `form` says when: `switch`
    always has an action, `level` always a level, `calendar` a level where its top bit is set, `log` a level
    where there is a direction.

    Spec: GBCS use cases ECS35g, ECS46c, ECS46d, ECS47, ECS47a, ECS47e.
    """

    form: Literal["switch", "level", "calendar", "log"]
    actions: Mapping[int, str]

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Number or data.tag is not Tag.LONG_UNSIGNED:
            raise mismatch(data, path, "long-unsigned")
        high, low = divmod(data.value, 0x100)
        if self._is_level(high, low):
            direction, slot = divmod(high, 0x10)
            return {
                "direction": DIRECTIONS.get(direction, direction),
                "slot": slot,
                "level": low - self._base,
            }
        return {"slot": high, "action": self.actions.get(low, low)}

    def encode(self, value: Value, path: str) -> Data:
        if isinstance(value, dict) and "level" in value:
            high, low = self._level(value, path)
        else:
            slot, action = _members(value, ("slot", "action"), path)
            high = _number(slot, {}, 0xFF, f"{path}.slot")
            low = _number(action, self.actions, 0xFF, f"{path}.action")
        if self._is_level(high, low) != (isinstance(value, dict) and "level" in value):
            raise _refuse(value, path, "what this form of the number can say")
        return axdr.long_unsigned(high << 8 | low)

    def _level(self, value: Value, path: str) -> tuple[int, int]:
        direction, slot, level = _members(value, ("direction", "slot", "level"), path)
        high = _number(direction, DIRECTIONS, 0xF, f"{path}.direction") << 4
        high |= _number(slot, {}, 0xF, f"{path}.slot")
        return high, self._base + _number(level, {}, 0xFF - self._base, f"{path}.level")

    @property
    def _base(self) -> int:
        return LEVEL_IN_CALENDAR if self.form == "calendar" else 0

    def _is_level(self, high: int, low: int) -> bool:
        match self.form:
            case "switch":
                return False
            case "level":
                return True
            case "calendar":
                return low >= LEVEL_IN_CALENDAR
            case "log":
                return high >= 0x10

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.LONG_UNSIGNED


@dataclass(frozen=True, slots=True)
class ControllerOctet:
    """An unsigned that is the high octet of a `ControllerNumber`: `direction` and `slot`."""

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Number or data.tag is not Tag.UNSIGNED:
            raise mismatch(data, path, "unsigned")
        direction, slot = divmod(data.value, 0x10)
        return {"direction": DIRECTIONS.get(direction, direction), "slot": slot}

    def encode(self, value: Value, path: str) -> Data:
        direction, slot = _members(value, ("direction", "slot"), path)
        high = _number(direction, DIRECTIONS, 0xF, f"{path}.direction") << 4
        return axdr.unsigned(high | _number(slot, {}, 0xF, f"{path}.slot"))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.UNSIGNED


# -- event and alert settings --------------------------------------------------------------------------------

EVENT_BITS = 256
"""Codes of one prefix: as many as a second octet can say. Spec: GBCS use cases ECS25a to ECS25r2."""


@dataclass(frozen=True, slots=True)
class EventSet:
    """A bit-string of 256 bits, one for each code with this first octet; shown as the list of codes.

    The last bit of the string is code xx00.
    """

    prefix: int

    def decode(self, data: Data, path: str) -> Value:
        return self.codes(_bits(data, EVENT_BITS, path))

    def encode(self, value: Value, path: str) -> Data:
        return BitString(EVENT_BITS, self.mask(value, path).to_bytes(EVENT_BITS // 8, "big"))

    def codes(self, mask: int) -> list[Value]:
        bits = f"{mask:b}"[::-1]
        return [f"{self.prefix:02X}{low:02X}" for low, bit in enumerate(bits) if bit == "1"]

    def mask(self, value: Value, path: str) -> int:
        """The bits of a list of codes. Raises GbcsEncodeError."""
        if not isinstance(value, list):
            raise _refuse(value, path, "a list of codes")
        mask = 0
        for place, code in enumerate(value):
            octets = from_hex(code, f"{path}[{place}]")
            if len(octets) != 2 or octets[0] != self.prefix:
                raise _refuse(code, f"{path}[{place}]", f"a code {self.prefix:02X}00 to {self.prefix:02X}FF")
            if mask >> octets[1] & 1:
                raise _refuse(code, f"{path}[{place}]", "each code once")
            mask |= 1 << octets[1]
        return mask

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.BIT_STRING


@dataclass(frozen=True, slots=True)
class EventSettings:
    """A bit-string of 512 bits: which codes to set (`mask`), and which of them to (`actions`).

    A code that is not in the mask keeps its setting. Spec: GBCS use cases ECS25a to ECS25b3.
    """

    prefix: int

    def decode(self, data: Data, path: str) -> Value:
        mask, actions = divmod(_bits(data, 2 * EVENT_BITS, path), 1 << EVENT_BITS)
        codes = EventSet(self.prefix).codes
        return {"mask": codes(mask), "actions": codes(actions)}

    def encode(self, value: Value, path: str) -> Data:
        mask, actions = _members(value, ("mask", "actions"), path)
        bits = EventSet(self.prefix).mask
        whole = bits(mask, f"{path}.mask") << EVENT_BITS | bits(actions, f"{path}.actions")
        return BitString(2 * EVENT_BITS, whole.to_bytes(EVENT_BITS // 4, "big"))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.BIT_STRING


def _bits(data: Data, length: int, path: str) -> int:
    """The number that a bit-string of `length` bits is, the last bit counting 1."""
    if type(data) is not BitString:
        raise mismatch(data, path, f"bit-string of {length}")
    if data.length != length:
        raise GbcsDecodeError(
            "not the shape of the use case",
            path=path,
            expected=f"bit-string of {length}",
            found=f"bit-string of {data.length}",
        )
    return int.from_bytes(data.raw, "big")


# -- sub-GHz channels ----------------------------------------------------------------------------------------

_PAGE_BITS, _CHANNEL_BITS = 5, 27
_FIRST_CHANNEL = {28: 0, 29: 27, 30: 35, 31: 0}
"""The channel of the last bit of a mask: pages 28 to 30 are the lower band, page 31 is the upper one.

Spec: GBCS use case DBCH04; DUIS service reference 6.28.
"""

SCAN_TRIGGERS = {
    0: "RemotePartyCommand",
    1: "GSMERequest",
    2: "GSMEMissedItsCurfew",
    3: "GSMEMissingForTheLastDay",
    4: "CHDetectedMessageFailureProblems",
    5: "CHDetectedMessageRetryProblems",
    6: "SubGHzNon-GSMEDeviceRequest",
    7: "SMHANFormation",
}
"""Why a hub scanned for another channel. Spec: MMC ScanTrigger, in its order."""


def _channels_of(mask: int) -> dict[str, Value]:
    page, bits = divmod(mask, 1 << _CHANNEL_BITS)
    first = _FIRST_CHANNEL.get(page, 0)
    return {"page": page, "channels": [first + bit for bit in range(_CHANNEL_BITS) if bits >> bit & 1]}


def _mask_of(page: Value, channels: Value, path: str) -> int:
    number = _number(page, {}, (1 << _PAGE_BITS) - 1, f"{path}.page")
    first = _FIRST_CHANNEL.get(number, 0)
    if not isinstance(channels, list):
        raise _refuse(channels, f"{path}.channels", "a list of channels")
    bits = 0
    for place, channel in enumerate(channels):
        bit = _number(channel, {}, first + _CHANNEL_BITS - 1, f"{path}.channels[{place}]") - first
        if bit < 0 or bits >> bit & 1:
            raise _refuse(channel, f"{path}.channels[{place}]", f"each channel once, from {first}")
        bits |= 1 << bit
    return number << _CHANNEL_BITS | bits


@dataclass(frozen=True, slots=True)
class ChannelMask:
    """A bit-string of 32 bits: a page in the first five, a bit for each channel of the page in the others."""

    def decode(self, data: Data, path: str) -> Value:
        return _channels_of(_bits(data, _PAGE_BITS + _CHANNEL_BITS, path))

    def encode(self, value: Value, path: str) -> Data:
        page, channels = _members(value, ("page", "channels"), path)
        return BitString(_PAGE_BITS + _CHANNEL_BITS, _mask_of(page, channels, path).to_bytes(4, "big"))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.BIT_STRING


@dataclass(frozen=True, slots=True)
class ChannelLogDetail:
    """The other information of a sub-GHz channel log entry: channel mask, and reason as a DLMS octet-string.

    Anything else is shown as `hex:` and its octets. Spec: GBCS use case DBCH02.
    """

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Octets or data.tag is not Tag.OCTET_STRING:
            raise mismatch(data, path, "octet-string")
        if len(data.value) != 7 or data.value[4:6] != b"\x09\x01":
            return HEX_PREFIX + to_hex(data.value)
        trigger = data.value[6]
        return {
            **_channels_of(int.from_bytes(data.value[:4], "big")),
            "scan_trigger": SCAN_TRIGGERS.get(trigger, trigger),
        }

    def encode(self, value: Value, path: str) -> Data:
        if isinstance(value, str):
            return axdr.octet_string(from_hex(value, path))
        page, channels, trigger = _members(value, ("page", "channels", "scan_trigger"), path)
        mask = _mask_of(page, channels, path).to_bytes(4, "big")
        reason = _number(trigger, SCAN_TRIGGERS, 0xFF, f"{path}.scan_trigger")
        return axdr.octet_string(mask + b"\x09\x01" + bytes((reason,)))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.OCTET_STRING
