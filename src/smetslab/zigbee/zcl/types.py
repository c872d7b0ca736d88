"""ZCL data types: each knows its number, its wire form and its value.

Values are plain Python: integers for every kind of number, enumeration and bitmap, `bool`, `str`, `bytes`,
`Eui64`. None stands for the invalid value where a type has one that no ordinary value can express (strings,
booleans); the invalid numbers stay the numbers they are. All multi-octet numbers are little-endian.

Each type also has a JSON form for people and files (`to_json`, `from_json`). It maps one to one onto
values; types whose values have meanings (`smetslab.zigbee.zcl.named`) show those.

Spec: ZCL 2.6 (data types)
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import Final

from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.values import (
    HEX_PREFIX,
    Collection,
    JsonValue,
    Structure,
    Unknown,
    ZclValue,
    octets_from_json,
    text_from_json,
    text_to_json,
    truncated,
)

_SPEC: Final = "ZCL 2.6"
MAX_NESTING: Final = 15
"""Arrays and structures inside each other. Spec: ZCL 2.6.2."""


class DataType(ABC):
    """A type of values in ZCL payloads. `code` is None for types that only fields have, never attributes."""

    __slots__ = ("code", "name")

    struct_code: str | None = None
    """The `struct` letter for integers that can be read in one go with their neighbours."""
    plain_json: bool = False
    """True when the JSON form of every value is that value."""

    def __init__(self, name: str, code: int | None) -> None:
        self.name = name
        self.code = code

    @abstractmethod
    def decode(self, data: bytes, position: int, end: int) -> tuple[ZclValue, int]:
        """The value at `position` and the position behind it; ZclDecodeError with the offset in `data`."""

    @abstractmethod
    def encode(self, value: ZclValue, out: bytearray) -> None:
        """Append the wire form of `value`; ZclEncodeError when it is not of this type."""

    @abstractmethod
    def to_json(self, value: ZclValue) -> JsonValue:
        """The JSON form of a value of this type."""

    @abstractmethod
    def from_json(self, value: JsonValue) -> ZclValue:
        """The value of a JSON form; ZclEncodeError when it is none of this type."""

    def refuse(self, value: object, expected: str) -> ZclEncodeError:
        """The error for a value that is not of this type; the caller raises it."""
        return ZclEncodeError(
            "not a value of the type", expected=f"{self.name}: {expected}", found=repr(value)
        )

    def __repr__(self) -> str:
        return self.name


_LETTERS: Final = MappingProxyType({1: "b", 2: "h", 4: "i", 8: "q"})


class Integer(DataType):
    """A number of `size` octets: unsigned and signed integers, bitmaps, enumerations, general data, times."""

    __slots__ = ("high", "low", "signed", "size", "struct_code")

    plain_json = True

    def __init__(self, name: str, code: int, size: int, *, signed: bool = False) -> None:
        super().__init__(name, code)
        self.size = size
        self.signed = signed
        self.low = -(1 << (8 * size - 1)) if signed else 0
        self.high = (1 << (8 * size - 1)) - 1 if signed else (1 << (8 * size)) - 1
        letter = _LETTERS.get(size)
        self.struct_code = letter if signed or letter is None else letter.upper()

    def decode(self, data: bytes, position: int, end: int) -> tuple[int, int]:
        stop = position + self.size
        if stop > end:
            raise truncated(position, self.size, end)
        return int.from_bytes(data[position:stop], "little", signed=self.signed), stop

    def encode(self, value: ZclValue, out: bytearray) -> None:
        self.check(value)
        out += int.to_bytes(value, self.size, "little", signed=self.signed)  # type: ignore[arg-type] # checked

    def check(self, value: ZclValue) -> None:
        """ZclEncodeError unless `value` is an integer that fits."""
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise self.refuse(value, f"{self.low}..{self.high}")

    def number(self, value: ZclValue) -> int:
        """`value`, which must be a number; ZclEncodeError otherwise."""
        if isinstance(value, int):
            return value
        raise self.refuse(value, "a number")

    def to_json(self, value: ZclValue) -> JsonValue:
        return self.number(value)

    def from_json(self, value: JsonValue) -> ZclValue:
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise self.refuse(value, f"{self.low}..{self.high}")
        return value


class Boolean(DataType):
    """One octet: 0, 1, or FF for the invalid value."""

    __slots__ = ()

    def decode(self, data: bytes, position: int, end: int) -> tuple[bool | None, int]:
        if position >= end:
            raise truncated(position, 1, end)
        octet = data[position]
        if octet <= 1:
            return octet == 1, position + 1
        if octet == 0xFF:
            return None, position + 1
        raise ZclDecodeError(
            "not a boolean", offset=position, expected="00, 01 or FF", found=f"{octet:02X}", spec=_SPEC
        )

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if value is None:
            out.append(0xFF)
        elif isinstance(value, bool):
            out.append(int(value))
        else:
            raise self.refuse(value, "True, False or None")

    def to_json(self, value: ZclValue) -> JsonValue:
        if value is None or isinstance(value, bool):
            return value
        raise self.refuse(value, "True, False or None")

    def from_json(self, value: JsonValue) -> ZclValue:
        if value is None or isinstance(value, bool):
            return value
        raise self.refuse(value, "true, false or null")


class Float(DataType):
    """An IEEE 754 number of 2, 4 or 8 octets. A NaN that Python's floats cannot keep stays octets."""

    __slots__ = ("_codec",)

    def __init__(self, name: str, code: int, letter: str) -> None:
        super().__init__(name, code)
        self._codec = struct.Struct("<" + letter)

    def decode(self, data: bytes, position: int, end: int) -> tuple[float | bytes, int]:
        stop = position + self._codec.size
        if stop > end:
            raise truncated(position, self._codec.size, end)
        (value,) = self._codec.unpack_from(data, position)
        octets = bytes(data[position:stop])
        return float(value) if self._codec.pack(value) == octets else octets, stop

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if isinstance(value, bytes) and len(value) == self._codec.size:
            out += value
            return
        if not isinstance(value, float):
            raise self.refuse(value, "a float")
        try:
            out += self._codec.pack(value)
        except OverflowError:
            raise self.refuse(value, f"a float of {self._codec.size} octets") from None

    def to_json(self, value: ZclValue) -> JsonValue:
        # As octets: not every bit pattern of a float has a number in JSON.
        out = bytearray()
        self.encode(value, out)
        return HEX_PREFIX + bytes(out).hex().upper()

    def from_json(self, value: JsonValue) -> ZclValue:
        octets = octets_from_json(value)
        if len(octets) != self._codec.size:
            raise self.refuse(value, f"{self._codec.size} octets")
        return self.decode(octets, 0, len(octets))[0]


class OctetString(DataType):
    """A length of `prefix` octets, then octets; all length bits set stands for the invalid value, None.

    `maximum` is the longest the specification of the field allows; a longer one is refused both ways.
    """

    __slots__ = ("maximum", "prefix")

    def __init__(self, prefix: int = 1, *, maximum: int | None = None) -> None:
        super().__init__(
            "octet string" if prefix == 1 else "long octet string", 0x41 if prefix == 1 else 0x43
        )
        self.prefix = prefix
        self.maximum = (1 << (8 * prefix)) - 2 if maximum is None else maximum

    def decode(self, data: bytes, position: int, end: int) -> tuple[ZclValue, int]:
        octets, stop = self.octets(data, position, end)
        return octets, stop

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if value is not None and not isinstance(value, bytes):
            raise self.refuse(value, "bytes or None")
        self.append(value, out)

    def octets(self, data: bytes, position: int, end: int) -> tuple[bytes | None, int]:
        """The octets at `position`, without interpretation."""
        start = position + self.prefix
        if start > end:
            raise truncated(position, self.prefix, end)
        length = int.from_bytes(data[position:start], "little")
        if length == (1 << (8 * self.prefix)) - 1:
            return None, start
        if length > self.maximum:
            raise ZclDecodeError(
                "string too long", offset=position, expected=f"at most {self.maximum}", found=str(length)
            )
        stop = start + length
        if stop > end:
            raise truncated(start, length, end)
        return bytes(data[start:stop]), stop

    def append(self, octets: bytes | None, out: bytearray) -> None:
        """Append the wire form of octets, None for the invalid value."""
        if octets is None:
            out += b"\xff" * self.prefix
            return
        if len(octets) > self.maximum:
            raise self.refuse(octets, f"at most {self.maximum} octets")
        out += len(octets).to_bytes(self.prefix, "little")
        out += octets

    def to_json(self, value: ZclValue) -> JsonValue:
        if value is None:
            return None
        if isinstance(value, bytes):
            return value.hex().upper()
        raise self.refuse(value, "bytes or None")

    def from_json(self, value: JsonValue) -> ZclValue:
        return None if value is None else octets_from_json(value)


class CharacterString(OctetString):
    """An octet string that is text: UTF-8, octets that are not are kept as lone surrogates."""

    __slots__ = ()

    def __init__(self, prefix: int = 1, *, maximum: int | None = None) -> None:
        super().__init__(prefix, maximum=maximum)
        self.name = "character string" if prefix == 1 else "long character string"
        self.code = 0x42 if prefix == 1 else 0x44

    def decode(self, data: bytes, position: int, end: int) -> tuple[ZclValue, int]:
        octets, stop = self.octets(data, position, end)
        return None if octets is None else octets.decode("utf-8", "surrogateescape"), stop

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if value is None:
            self.append(None, out)
            return
        if not isinstance(value, str):
            raise self.refuse(value, "text or None")
        try:
            octets = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise self.refuse(value, "text that UTF-8 can express") from None
        self.append(octets, out)

    def to_json(self, value: ZclValue) -> JsonValue:
        if value is None:
            return None
        if isinstance(value, str):
            return text_to_json(value.encode("utf-8", "surrogateescape"))
        raise self.refuse(value, "text or None")

    def from_json(self, value: JsonValue) -> ZclValue:
        return None if value is None else text_from_json(value).decode("utf-8", "surrogateescape")


class IeeeAddress(DataType):
    """An EUI-64, least significant octet first: the reverse of a GBCS Entity Identifier."""

    __slots__ = ()

    def decode(self, data: bytes, position: int, end: int) -> tuple[Eui64, int]:
        stop = position + 8
        if stop > end:
            raise truncated(position, 8, end)
        return Eui64(bytes(data[position:stop][::-1])), stop

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if not isinstance(value, Eui64):
            raise self.refuse(value, "an Eui64")
        out += value.raw[::-1]

    def to_json(self, value: ZclValue) -> JsonValue:
        return str(value)

    def from_json(self, value: JsonValue) -> ZclValue:
        try:
            return Eui64.parse(str(value))
        except ValueError:
            raise self.refuse(value, "an EUI-64") from None


class FixedOctets(DataType):
    """Exactly `size` octets, for instance a key."""

    __slots__ = ("size",)

    def __init__(self, name: str, size: int, code: int | None = None) -> None:
        super().__init__(name, code)
        self.size = size

    def decode(self, data: bytes, position: int, end: int) -> tuple[bytes, int]:
        stop = position + self.size
        if stop > end:
            raise truncated(position, self.size, end)
        return bytes(data[position:stop]), stop

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if not isinstance(value, bytes) or len(value) != self.size:
            raise self.refuse(value, f"{self.size} octets")
        out += value

    def to_json(self, value: ZclValue) -> JsonValue:
        if isinstance(value, bytes):
            return value.hex().upper()
        raise self.refuse(value, f"{self.size} octets")

    def from_json(self, value: JsonValue) -> ZclValue:
        return octets_from_json(value)


class NoData(DataType):
    """The type without a value."""

    __slots__ = ()

    def decode(self, data: bytes, position: int, end: int) -> tuple[None, int]:
        return None, position

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if value is not None:
            raise self.refuse(value, "None")

    def to_json(self, value: ZclValue) -> JsonValue:
        return None

    def from_json(self, value: JsonValue) -> ZclValue:
        if value is not None:
            raise self.refuse(value, "null")
        return None


class CollectionType(DataType):
    """Array, set or bag: element type, count, elements. Spec: ZCL 2.6.2."""

    __slots__ = ()

    def decode(self, data: bytes, position: int, end: int) -> tuple[Collection, int]:
        return self.decode_nested(data, position, end, 1)

    def decode_nested(self, data: bytes, position: int, end: int, depth: int) -> tuple[Collection, int]:
        if position + 3 > end:
            raise truncated(position, 3, end)
        element = data[position]
        count = data[position + 1] | data[position + 2] << 8
        position += 3
        if count == 0xFFFF:
            raise ZclDecodeError("invalid collection", offset=position - 2, found="count FFFF", spec=_SPEC)
        kind = _element_type(element, position - 3)
        if isinstance(kind, NoData) and count:
            raise ZclDecodeError("collection of nothing", offset=position - 3, spec=_SPEC)
        items: list[ZclValue] = []
        for _ in range(count):
            item, position = _decode_element(kind, data, position, end, depth)
            items.append(item)
        return Collection(element, tuple(items)), position

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if not isinstance(value, Collection) or len(value.items) >= 0xFFFF:
            raise self.refuse(value, "a Collection of less than 65535 elements")
        kind = TYPES.get(value.element)
        if kind is None or (isinstance(kind, NoData) and value.items):
            raise self.refuse(value, "elements of a known type")
        out.append(value.element)
        out += len(value.items).to_bytes(2, "little")
        for item in value.items:
            kind.encode(item, out)

    def to_json(self, value: ZclValue) -> JsonValue:
        if not isinstance(value, Collection):
            raise self.refuse(value, "a Collection")
        kind = TYPES[value.element]
        return {"element": kind.name, "items": [kind.to_json(item) for item in value.items]}

    def from_json(self, value: JsonValue) -> ZclValue:
        if not isinstance(value, dict) or set(value) != {"element", "items"}:
            raise self.refuse(value, "element and items")
        kind, items = type_named(value["element"]), value["items"]
        if not isinstance(items, list):
            raise self.refuse(items, "a list")
        return Collection(kind.code or 0, tuple([kind.from_json(item) for item in items]))


class StructureType(DataType):
    """Structure: count, then type and value of each element. Spec: ZCL 2.6.2."""

    __slots__ = ()

    def decode(self, data: bytes, position: int, end: int) -> tuple[Structure, int]:
        return self.decode_nested(data, position, end, 1)

    def decode_nested(self, data: bytes, position: int, end: int, depth: int) -> tuple[Structure, int]:
        if position + 2 > end:
            raise truncated(position, 2, end)
        count = data[position] | data[position + 1] << 8
        position += 2
        if count == 0xFFFF:
            raise ZclDecodeError("invalid structure", offset=position - 2, found="count FFFF", spec=_SPEC)
        items: list[tuple[int, ZclValue]] = []
        for _ in range(count):
            if position >= end:
                raise truncated(position, 1, end)
            code = data[position]
            item, position = _decode_element(_element_type(code, position), data, position + 1, end, depth)
            items.append((code, item))
        return Structure(tuple(items)), position

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if not isinstance(value, Structure) or len(value.items) >= 0xFFFF:
            raise self.refuse(value, "a Structure of less than 65535 elements")
        out += len(value.items).to_bytes(2, "little")
        for code, item in value.items:
            kind = TYPES.get(code)
            if kind is None:
                raise self.refuse(value, "elements of a known type")
            out.append(code)
            kind.encode(item, out)

    def to_json(self, value: ZclValue) -> JsonValue:
        if not isinstance(value, Structure):
            raise self.refuse(value, "a Structure")
        kinds = [(TYPES[code], item) for code, item in value.items]
        return [{"type": kind.name, "value": kind.to_json(item)} for kind, item in kinds]

    def from_json(self, value: JsonValue) -> ZclValue:
        if not isinstance(value, list):
            raise self.refuse(value, "a list of types and values")
        items: list[tuple[int, ZclValue]] = []
        for item in value:
            if not isinstance(item, dict) or set(item) != {"type", "value"}:
                raise self.refuse(item, "type and value")
            kind = type_named(item["type"])
            items.append((kind.code or 0, kind.from_json(item["value"])))
        return Structure(tuple(items))


def _element_type(code: int, position: int) -> DataType:
    kind = TYPES.get(code)
    if kind is None:
        # The length of an unknown type is unknown, and so is the place of everything behind it.
        raise ZclDecodeError("unknown data type", offset=position, found=f"{code:02X}", spec=_SPEC)
    return kind


def _decode_element(kind: DataType, data: bytes, position: int, end: int, depth: int) -> tuple[ZclValue, int]:
    if not isinstance(kind, (CollectionType, StructureType)):
        return kind.decode(data, position, end)
    if depth >= MAX_NESTING:
        raise ZclDecodeError(
            "nested too deeply", offset=position, expected=f"at most {MAX_NESTING}", spec=_SPEC
        )
    return kind.decode_nested(data, position, end, depth + 1)


NO_DATA = NoData("no data", 0x00)
Data8, Data16, Data24, Data32, Data40, Data48, Data56, Data64 = (
    Integer(f"data{8 * size}", 0x07 + size, size) for size in range(1, 9)
)
Bool = Boolean("boolean", 0x10)
Bitmap8, Bitmap16, Bitmap24, Bitmap32, Bitmap40, Bitmap48, Bitmap56, Bitmap64 = (
    Integer(f"bitmap{8 * size}", 0x17 + size, size) for size in range(1, 9)
)
UInt8, UInt16, UInt24, UInt32, UInt40, UInt48, UInt56, UInt64 = (
    Integer(f"uint{8 * size}", 0x1F + size, size) for size in range(1, 9)
)
Int8, Int16, Int24, Int32, Int40, Int48, Int56, Int64 = (
    Integer(f"int{8 * size}", 0x27 + size, size, signed=True) for size in range(1, 9)
)
Enum8 = Integer("enum8", 0x30, 1)
Enum16 = Integer("enum16", 0x31, 2)
Semi = Float("semi-precision", 0x38, "e")
Single = Float("single precision", 0x39, "f")
Double = Float("double precision", 0x3A, "d")
Octets = OctetString()
Text = CharacterString()
LongOctets = OctetString(2)
LongText = CharacterString(2)
Array = CollectionType("array", 0x48)
Struct = StructureType("structure", 0x4C)
Set = CollectionType("set", 0x50)
Bag = CollectionType("bag", 0x51)
TimeOfDay = Integer("time of day", 0xE0, 4)
Date = Integer("date", 0xE1, 4)
UtcTime = Integer("UTC time", 0xE2, 4)
"""Seconds since 2000-01-01T00:00:00Z."""
ClusterId = Integer("cluster id", 0xE8, 2)
AttributeId = Integer("attribute id", 0xE9, 2)
BacnetOid = Integer("BACnet OID", 0xEA, 4)
Ieee = IeeeAddress("IEEE address", 0xF0)
Key128 = FixedOctets("128-bit security key", 16, 0xF1)

TYPES: dict[int, DataType] = {}
"""Every type an attribute can have, by its number. Spec: ZCL 2.6.2, table of data types."""

for _type in (
    NO_DATA,
    *(Data8, Data16, Data24, Data32, Data40, Data48, Data56, Data64),
    Bool,
    *(Bitmap8, Bitmap16, Bitmap24, Bitmap32, Bitmap40, Bitmap48, Bitmap56, Bitmap64),
    *(UInt8, UInt16, UInt24, UInt32, UInt40, UInt48, UInt56, UInt64),
    *(Int8, Int16, Int24, Int32, Int40, Int48, Int56, Int64),
    *(Enum8, Enum16, Semi, Single, Double, Octets, Text, LongOctets, LongText, Array, Struct, Set, Bag),
    *(TimeOfDay, Date, UtcTime, ClusterId, AttributeId, BacnetOid, Ieee, Key128),
):
    if _type.code is not None:
        TYPES[_type.code] = _type
del _type

_TYPES_BY_NAME: Final = MappingProxyType({kind.name: kind for kind in TYPES.values()})


def type_named(name: JsonValue) -> DataType:
    """The type of attributes with this name; ZclEncodeError when there is none."""
    kind = _TYPES_BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ZclEncodeError("unknown data type", found=repr(name), spec=_SPEC)
    return kind


def decode_typed(code: int, data: bytes, position: int, end: int) -> tuple[ZclValue, int]:
    """A value of the type with number `code`; an unknown type takes everything up to `end`."""
    kind = TYPES.get(code)
    if kind is None:
        return Unknown(code, bytes(data[position:end])), end
    return kind.decode(data, position, end)


def encode_typed(code: int, value: ZclValue, out: bytearray) -> None:
    """Append a value of the type with number `code`."""
    if isinstance(value, Unknown):
        if value.code != code:
            raise ZclEncodeError("type code differs", expected=f"{code:02X}", found=f"{value.code:02X}")
        out += value.raw
        return
    kind = TYPES.get(code)
    if kind is None:
        raise ZclEncodeError("unknown data type", found=f"{code:02X}", spec=_SPEC)
    kind.encode(value, out)
