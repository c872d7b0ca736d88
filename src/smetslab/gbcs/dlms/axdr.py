"""DLMS Data: every type of the A-XDR `Data` choice, decoded to frozen values and back byte for byte.

Spec: IEC 62056-6-2 (Data, compact-array), as used by GBCS 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.wire import Reader, ber_length

MAX_DEPTH = 16
"""Deepest nesting that is read. The published vectors nest to 7."""
MAX_ITEMS = 200_000
"""Most data items in one value. Thirteen months of half-hours are 57,168 items."""

_SPEC = "IEC 62056-6-2 Data"


class Tag(IntEnum):
    """Tags of the Data choice."""

    NULL_DATA = 0x00
    ARRAY = 0x01
    STRUCTURE = 0x02
    BOOLEAN = 0x03
    BIT_STRING = 0x04
    DOUBLE_LONG = 0x05
    DOUBLE_LONG_UNSIGNED = 0x06
    OCTET_STRING = 0x09
    VISIBLE_STRING = 0x0A
    UTF8_STRING = 0x0C
    BCD = 0x0D
    INTEGER = 0x0F
    LONG = 0x10
    UNSIGNED = 0x11
    LONG_UNSIGNED = 0x12
    COMPACT_ARRAY = 0x13
    LONG64 = 0x14
    LONG64_UNSIGNED = 0x15
    ENUM = 0x16
    FLOAT32 = 0x17
    FLOAT64 = 0x18
    DATE_TIME = 0x19
    DATE = 0x1A
    TIME = 0x1B
    DONT_CARE = 0xFF


NUMBER_FORMS: dict[Tag, tuple[int, bool]] = {
    Tag.DOUBLE_LONG: (4, True),
    Tag.DOUBLE_LONG_UNSIGNED: (4, False),
    Tag.BCD: (1, True),
    Tag.INTEGER: (1, True),
    Tag.LONG: (2, True),
    Tag.UNSIGNED: (1, False),
    Tag.LONG_UNSIGNED: (2, False),
    Tag.LONG64: (8, True),
    Tag.LONG64_UNSIGNED: (8, False),
    Tag.ENUM: (1, False),
}
"""Octets and signedness of the number types."""

STRING_TAGS = (Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING)

FIXED_OCTETS: dict[Tag, int] = {Tag.FLOAT32: 4, Tag.FLOAT64: 8, Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}
"""Types kept as their octets: equal bytes in and out matter more than arithmetic."""


@dataclass(frozen=True, slots=True)
class Null:
    """null-data."""


@dataclass(frozen=True, slots=True)
class DontCare:
    """dont-care: leaves a member of a value unconstrained."""


@dataclass(frozen=True, slots=True)
class Boolean:
    """boolean. Any octet but zero is true; GBCS devices write FF."""

    octet: int

    @property
    def value(self) -> bool:
        return self.octet != 0


@dataclass(frozen=True, slots=True)
class Number:
    """Any of the integer types, bcd and enum."""

    tag: Tag
    value: int


@dataclass(frozen=True, slots=True)
class Octets:
    """octet-string, visible-string, utf8-string, and the fixed-size float, date and time types, as octets."""

    tag: Tag
    value: bytes


@dataclass(frozen=True, slots=True)
class BitString:
    """bit-string of `length` bits, left aligned in `raw`."""

    length: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Sequence:
    """array or structure."""

    tag: Tag
    items: tuple[Data, ...]


@dataclass(frozen=True, slots=True)
class ArrayDescription:
    """Type description of an array of `count` elements inside a compact-array."""

    count: int
    element: TypeDescription


@dataclass(frozen=True, slots=True)
class StructureDescription:
    """Type description of a structure inside a compact-array."""

    elements: tuple[TypeDescription, ...]


@dataclass(frozen=True, slots=True)
class CompactArray:
    """compact-array: one description of the element type, then elements without tags."""

    description: TypeDescription
    elements: tuple[Data, ...]


TypeDescription: TypeAlias = Tag | ArrayDescription | StructureDescription
Data: TypeAlias = Null | DontCare | Boolean | Number | Octets | BitString | Sequence | CompactArray


def null() -> Null:
    return Null()


def boolean(value: bool) -> Boolean:
    return Boolean(0xFF if value else 0x00)


def integer(value: int) -> Number:
    return Number(Tag.INTEGER, value)


def long(value: int) -> Number:
    return Number(Tag.LONG, value)


def double_long(value: int) -> Number:
    return Number(Tag.DOUBLE_LONG, value)


def unsigned(value: int) -> Number:
    return Number(Tag.UNSIGNED, value)


def long_unsigned(value: int) -> Number:
    return Number(Tag.LONG_UNSIGNED, value)


def double_long_unsigned(value: int) -> Number:
    return Number(Tag.DOUBLE_LONG_UNSIGNED, value)


def enum(value: int) -> Number:
    return Number(Tag.ENUM, value)


def octet_string(value: bytes) -> Octets:
    return Octets(Tag.OCTET_STRING, value)


def visible_string(value: str) -> Octets:
    return Octets(Tag.VISIBLE_STRING, value.encode("ascii"))


def utf8_string(value: str) -> Octets:
    return Octets(Tag.UTF8_STRING, value.encode())


def array(*items: Data) -> Sequence:
    return Sequence(Tag.ARRAY, items)


def structure(*items: Data) -> Sequence:
    return Sequence(Tag.STRUCTURE, items)


# ---------------------------------------------------------------------------------------------- decoding


class _Budget:
    """How many more items one value may have; shared by a whole decode so that nesting cannot multiply it."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_ITEMS


def decode_data(data: bytes, *, base: int = 0) -> Data:
    """Read exactly one Data value. Raises GbcsDecodeError; `base` is added to the offsets it names."""
    reader = Reader(data, base=base)
    value = read_data(reader)
    reader.finish("data")
    return value


def read_data(reader: Reader, path: str = "data") -> Data:
    """Read one Data value from `reader` and leave the rest."""
    return _read(reader, path, MAX_DEPTH, _Budget())


def _read(reader: Reader, path: str, depth: int, budget: _Budget) -> Data:
    tag = reader.u8(path)
    if tag == Tag.COMPACT_ARRAY:
        return _read_compact_array(reader, path, depth, budget)
    return _read_value(reader, tag, path, depth, budget)


def _read_value(reader: Reader, tag: int, path: str, depth: int, budget: _Budget) -> Data:
    """One value whose tag byte has been taken."""
    budget.left -= 1
    if budget.left < 0:
        raise reader.fail("too many data items", path=path, expected=f"at most {MAX_ITEMS}", spec=_SPEC)
    form = _NUMBER_BY_OCTET.get(tag)
    if form is not None:
        number_tag, size, signed = form
        return Number(number_tag, int.from_bytes(reader.take(size, path), "big", signed=signed))
    if tag in _STRING_BY_OCTET:
        return Octets(_STRING_BY_OCTET[tag], reader.take(reader.ber_length(path), path))
    if tag in {Tag.STRUCTURE, Tag.ARRAY}:
        if depth == 0:
            raise reader.fail(
                "nested too deeply", path=path, expected=f"at most {MAX_DEPTH} levels", spec=_SPEC
            )
        count = reader.ber_length(path)
        if count > reader.remaining:  # every member takes at least one byte
            raise reader.fail(
                "more members than bytes",
                path=path,
                expected=f"at most {reader.remaining}",
                found=str(count),
                spec=_SPEC,
            )
        return Sequence(
            Tag(tag), tuple([_read(reader, f"{path}[{i}]", depth - 1, budget) for i in range(count)])
        )
    if tag == Tag.NULL_DATA:
        return Null()
    if tag == Tag.BOOLEAN:
        return Boolean(reader.u8(path))
    if tag == Tag.BIT_STRING:
        return _read_bit_string(reader, path)
    if tag in FIXED_OCTETS:
        return Octets(Tag(tag), reader.take(FIXED_OCTETS[Tag(tag)], path))
    if tag == Tag.DONT_CARE:
        return DontCare()
    reader.position -= 1
    raise reader.fail(
        "unknown data type", path=path, expected="a tag of the Data choice", found=f"{tag:02X}", spec=_SPEC
    )


def _read_bit_string(reader: Reader, path: str) -> BitString:
    length = reader.ber_length(path)
    raw = reader.take((length + 7) // 8, path)
    if length % 8 and raw[-1] & (0xFF >> (length % 8)):
        reader.position -= 1
        raise reader.fail(
            "unused bits set",
            path=path,
            expected=f"{length} bits, then zeros",
            found=f"{raw[-1]:02X}",
            spec=_SPEC,
        )
    return BitString(length, raw)


def _read_compact_array(reader: Reader, path: str, depth: int, budget: _Budget) -> CompactArray:
    description = _read_description(reader, path, depth)
    length = reader.ber_length(path)
    if length > reader.remaining:
        raise reader.fail(
            "truncated", path=path, expected=f"{length} bytes of contents", found=str(reader.remaining)
        )
    outer_end, reader.end = reader.end, reader.position + length
    elements: list[Data] = []
    while reader.remaining:
        before = reader.position
        elements.append(_read_described(reader, description, f"{path}[{len(elements)}]", depth, budget))
        if reader.position == before:
            raise reader.fail(
                "element type without any octet",
                path=path,
                expected="no contents",
                found=f"{reader.remaining} bytes",
                spec=_SPEC,
            )
    reader.end = outer_end
    return CompactArray(description, tuple(elements))


def _read_description(reader: Reader, path: str, depth: int) -> TypeDescription:
    if depth == 0:
        raise reader.fail("nested too deeply", path=path, expected=f"at most {MAX_DEPTH} levels", spec=_SPEC)
    octet = reader.u8(path)
    if octet == Tag.ARRAY:
        return ArrayDescription(reader.unsigned(2, path), _read_description(reader, path, depth - 1))
    if octet == Tag.STRUCTURE:
        count = reader.ber_length(path)
        if count > reader.remaining:
            raise reader.fail(
                "more members than bytes",
                path=path,
                expected=f"at most {reader.remaining}",
                found=str(count),
                spec=_SPEC,
            )
        return StructureDescription(tuple([_read_description(reader, path, depth - 1) for _ in range(count)]))
    if octet == Tag.COMPACT_ARRAY or octet not in _TAGS:
        reader.position -= 1
        raise reader.fail(
            "type not allowed in a type description", path=path, found=f"{octet:02X}", spec=_SPEC
        )
    return Tag(octet)


def _read_described(
    reader: Reader, description: TypeDescription, path: str, depth: int, budget: _Budget
) -> Data:
    if isinstance(description, Tag):
        return _read_value(reader, description, path, 0, budget)
    if depth == 0:
        raise reader.fail("nested too deeply", path=path, expected=f"at most {MAX_DEPTH} levels", spec=_SPEC)
    budget.left -= 1
    if isinstance(description, StructureDescription):
        members = [_read_described(reader, d, path, depth - 1, budget) for d in description.elements]
        return Sequence(Tag.STRUCTURE, tuple(members))
    element = description.element
    items = [_read_described(reader, element, path, depth - 1, budget) for _ in range(description.count)]
    return Sequence(Tag.ARRAY, tuple(items))


_TAGS = frozenset(int(tag) for tag in Tag)
_NUMBER_BY_OCTET = {int(tag): (tag, size, signed) for tag, (size, signed) in NUMBER_FORMS.items()}
_STRING_BY_OCTET = {int(tag): tag for tag in STRING_TAGS}


# ---------------------------------------------------------------------------------------------- encoding


def encode_data(value: Data) -> bytes:
    """Write one Data value. Raises GbcsEncodeError when a number does not fit its type."""
    if isinstance(value, CompactArray):
        contents = b"".join([_encode_described(e, value.description) for e in value.elements])
        return b"\x13" + _encode_description(value.description) + ber_length(len(contents)) + contents
    if isinstance(value, Sequence):
        return (
            bytes((value.tag,))
            + ber_length(len(value.items))
            + b"".join([encode_data(i) for i in value.items])
        )
    return bytes((tag_of(value),)) + _encode_contents(value)


def tag_of(value: Data) -> Tag:
    """The tag that `value` is written with."""
    if isinstance(value, (Number, Octets, Sequence)):
        return value.tag
    if isinstance(value, Boolean):
        return Tag.BOOLEAN
    if isinstance(value, BitString):
        return Tag.BIT_STRING
    if isinstance(value, CompactArray):
        return Tag.COMPACT_ARRAY
    return Tag.NULL_DATA if isinstance(value, Null) else Tag.DONT_CARE


def _encode_contents(value: Data) -> bytes:
    """A simple value without its tag."""
    if isinstance(value, Number):
        size, signed = NUMBER_FORMS[value.tag]
        try:
            return value.value.to_bytes(size, "big", signed=signed)
        except OverflowError as error:
            sign = "signed" if signed else "unsigned"
            raise GbcsEncodeError(
                "number out of range",
                path=value.tag.name.lower(),
                expected=f"{size} octets {sign}",
                found=str(value.value),
                spec=_SPEC,
            ) from error
    if isinstance(value, Octets):
        fixed = FIXED_OCTETS.get(value.tag)
        if fixed is None:
            return ber_length(len(value.value)) + value.value
        if len(value.value) != fixed:
            raise GbcsEncodeError(
                "wrong length",
                path=value.tag.name.lower(),
                expected=f"{fixed} octets",
                found=str(len(value.value)),
            )
        return value.value
    if isinstance(value, Boolean):
        return bytes((value.octet,))
    if isinstance(value, BitString):
        if len(value.raw) != (value.length + 7) // 8:
            raise GbcsEncodeError(
                "wrong length",
                path="bit_string",
                expected=f"{(value.length + 7) // 8} octets",
                found=str(len(value.raw)),
            )
        return ber_length(value.length) + value.raw
    return b""


def _encode_description(description: TypeDescription) -> bytes:
    if isinstance(description, ArrayDescription):
        return b"\x01" + description.count.to_bytes(2, "big") + _encode_description(description.element)
    if isinstance(description, StructureDescription):
        members = b"".join([_encode_description(d) for d in description.elements])
        return b"\x02" + ber_length(len(description.elements)) + members
    return bytes((description,))


def _encode_described(value: Data, description: TypeDescription) -> bytes:
    if isinstance(description, Tag):
        if tag_of(value) != description:
            raise GbcsEncodeError(
                "element does not match the type description",
                path="compact-array",
                expected=description.name,
                found=tag_of(value).name,
            )
        return _encode_contents(value)
    items = value.items if isinstance(value, Sequence) else ()
    members = (
        description.elements
        if isinstance(description, StructureDescription)
        else (description.element,) * description.count
    )
    if not isinstance(value, Sequence) or len(items) != len(members):
        raise GbcsEncodeError(
            "element does not match the type description",
            path="compact-array",
            expected=f"{len(members)} members",
            found=str(len(items)),
        )
    return b"".join([_encode_described(item, member) for item, member in zip(items, members, strict=True)])


def describe_type(value: Data) -> TypeDescription:
    """The type description under which `value` can be an element of a compact-array."""
    if isinstance(value, Sequence):
        if value.tag is Tag.STRUCTURE:
            return StructureDescription(tuple(describe_type(item) for item in value.items))
        return ArrayDescription(
            len(value.items), describe_type(value.items[0]) if value.items else Tag.NULL_DATA
        )
    return tag_of(value)


def compact_array(element: TypeDescription, elements: tuple[Data, ...]) -> CompactArray:
    """A compact-array of `elements`, each of which must have the type `element`."""
    return CompactArray(element, elements)


__all__ = [
    "MAX_DEPTH",
    "MAX_ITEMS",
    "ArrayDescription",
    "BitString",
    "Boolean",
    "CompactArray",
    "Data",
    "DontCare",
    "GbcsDecodeError",
    "Null",
    "Number",
    "Octets",
    "Sequence",
    "StructureDescription",
    "Tag",
    "TypeDescription",
    "array",
    "boolean",
    "compact_array",
    "decode_data",
    "describe_type",
    "double_long",
    "double_long_unsigned",
    "encode_data",
    "enum",
    "integer",
    "long",
    "long_unsigned",
    "null",
    "octet_string",
    "read_data",
    "structure",
    "tag_of",
    "unsigned",
    "utf8_string",
    "visible_string",
]
