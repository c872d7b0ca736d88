"""DLMS Data: every type of the A-XDR `Data` choice, decoded to frozen values and back byte for byte.

Spec: IEC 62056-6-2 (Data, compact-array), as used by GBCS 7.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from smetslab.errors import CodecError, GbcsEncodeError
from smetslab.wire import Reader, ber_length

MAX_DEPTH = 16
"""Deepest nesting that is read. The published vectors nest to 7."""
MAX_ITEMS = 200_000
"""Most data items in one value. Thirteen months of half-hours are 57,168 items."""
MAX_ITEMS_PER_OCTET = 16
SPARE_ITEMS = 1000
"""Most data items in so many octets, and this many more: only null-data in a compact-array takes no octet,
and its counts multiply."""

MAX_DESCRIBED_COUNT = 0xFFFF
"""Most elements of an array inside a compact-array: its count has two octets."""

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


class Budget:
    """How many more items may be read. One for a whole APDU, of so many octets: nothing multiplies it."""

    __slots__ = ("left", "most")

    def __init__(self, octets: int) -> None:
        self.left = self.most = min(MAX_ITEMS, SPARE_ITEMS + MAX_ITEMS_PER_OCTET * octets)

    def spend(self, reader: Reader, path: str) -> None:
        """Count one item. Raises GbcsDecodeError when there are too many."""
        self.left -= 1
        if self.left < 0:
            raise reader.fail(
                "too many data items", path=path, expected=f"at most {self.most}", found="more", spec=_SPEC
            )


def decode_data(data: bytes, *, base: int = 0, path: str = "data") -> Data:
    """Read exactly one Data value. Raises GbcsDecodeError; `base` is added to the offsets it names."""
    reader = Reader(data, base=base)
    value = read_data(reader, path)
    reader.finish(path)
    return value


def read_data(reader: Reader, path: str = "data", budget: Budget | None = None) -> Data:
    """Read one Data value from `reader` and leave the rest."""
    return _read(reader, path, MAX_DEPTH, budget or Budget(reader.remaining))


def _read(reader: Reader, path: str, depth: int, budget: Budget) -> Data:
    return _read_value(reader, reader.u8(path), path, depth, budget)


def _read_value(reader: Reader, tag: int, path: str, depth: int, budget: Budget) -> Data:
    """One value whose tag byte has been taken, or is known from a type description."""
    budget.spend(reader, path)
    form = _NUMBER_BY_OCTET.get(tag)
    if form is not None:  # nine values of ten
        number_tag, size, signed = form
        return Number(number_tag, int.from_bytes(reader.take(size, path), "big", signed=signed))
    string_tag = _STRING_BY_OCTET.get(tag)
    if string_tag is not None:
        return Octets(string_tag, reader.take(reader.ber_length(path), path))
    nested = _NESTED_BY_OCTET.get(tag)
    if nested is not None:
        if depth == 0:
            raise _too_deep(reader, path)
        return nested(reader, path, depth, budget)
    other = _OTHER_BY_OCTET.get(tag)
    if other is None:
        reader.position -= 1
        raise reader.fail(
            "unknown data type",
            path=path,
            expected="a tag of the Data choice",
            found=f"{tag:02X}",
            spec=_SPEC,
        )
    return other(reader, path)


def _read_items(tag: Tag) -> Callable[[Reader, str, int, Budget], Data]:
    def read(reader: Reader, path: str, depth: int, budget: Budget) -> Data:
        count = _member_count(reader, path)
        items = [_read(reader, f"{path}[{i}]", depth - 1, budget) for i in range(count)]
        return Sequence(tag, tuple(items))

    return read


def _member_count(reader: Reader, path: str) -> int:
    start = reader.position
    count = reader.ber_length(path)
    room = reader.remaining
    if count > room:  # every member takes at least one byte
        reader.position = start
        raise reader.fail(
            "more members than bytes", path=path, expected=f"at most {room}", found=str(count), spec=_SPEC
        )
    return count


def _too_deep(reader: Reader, path: str) -> CodecError:
    return reader.fail(
        "nested too deeply", path=path, expected=f"at most {MAX_DEPTH} levels", found="more", spec=_SPEC
    )


def _read_fixed(tag: Tag, size: int) -> Callable[[Reader, str], Data]:
    return lambda reader, path: Octets(tag, reader.take(size, path))


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


def _read_compact_array(reader: Reader, path: str, depth: int, budget: Budget) -> CompactArray:
    description = _read_description(reader, path, depth)
    start = reader.position
    length = reader.ber_length(path)
    if length > reader.remaining:
        room = reader.remaining
        reader.position = start
        raise reader.fail(
            "truncated", path=path, expected=f"{length} bytes of contents", found=str(room), spec=_SPEC
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
        raise _too_deep(reader, path)
    octet = reader.u8(path)
    if octet == Tag.ARRAY:
        return ArrayDescription(reader.unsigned(2, path), _read_description(reader, path, depth - 1))
    if octet == Tag.STRUCTURE:
        members = range(_member_count(reader, path))
        return StructureDescription(tuple([_read_description(reader, path, depth - 1) for _ in members]))
    if octet == Tag.COMPACT_ARRAY or octet not in _TAGS:
        reader.position -= 1
        raise reader.fail(
            "type not allowed in a type description",
            path=path,
            expected="a tag of the Data choice but compact-array",
            found=f"{octet:02X}",
            spec=_SPEC,
        )
    return Tag(octet)


def _read_described(
    reader: Reader, description: TypeDescription, path: str, depth: int, budget: Budget
) -> Data:
    """A value without tags. Counts of nested arrays multiply, which only `budget` bounds."""
    if isinstance(description, Tag):
        return _read_value(reader, description, path, depth, budget)
    budget.spend(reader, path)
    if isinstance(description, StructureDescription):
        members = description.elements
        return Sequence(
            Tag.STRUCTURE,
            tuple(
                [_read_described(reader, m, f"{path}[{i}]", depth - 1, budget) for i, m in enumerate(members)]
            ),
        )
    element = description.element
    places = range(description.count)
    return Sequence(
        Tag.ARRAY,
        tuple([_read_described(reader, element, f"{path}[{i}]", depth - 1, budget) for i in places]),
    )


_TAGS = frozenset(int(tag) for tag in Tag)
_NUMBER_BY_OCTET = {int(tag): (tag, size, signed) for tag, (size, signed) in NUMBER_FORMS.items()}
_STRING_BY_OCTET = {int(tag): tag for tag in STRING_TAGS}
_NESTED_BY_OCTET: dict[int, Callable[[Reader, str, int, Budget], Data]] = {
    Tag.STRUCTURE: _read_items(Tag.STRUCTURE),
    Tag.ARRAY: _read_items(Tag.ARRAY),
    Tag.COMPACT_ARRAY: _read_compact_array,
}
_OTHER_BY_OCTET: dict[int, Callable[[Reader, str], Data]] = {
    Tag.NULL_DATA: lambda reader, path: Null(),
    Tag.DONT_CARE: lambda reader, path: DontCare(),
    Tag.BOOLEAN: lambda reader, path: Boolean(reader.u8(path)),
    Tag.BIT_STRING: _read_bit_string,
    **{tag: _read_fixed(tag, size) for tag, size in FIXED_OCTETS.items()},
}


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
                spec=_SPEC,
            )
        return value.value
    if isinstance(value, Boolean):
        return bytes((value.octet,))
    if isinstance(value, BitString):
        unused = -value.length % 8
        if len(value.raw) * 8 != value.length + unused or (unused and value.raw[-1] & ((1 << unused) - 1)):
            raise GbcsEncodeError(
                "wrong length, or unused bits set",
                path="bit_string",
                expected=f"{value.length} bits, then zeros",
                found=value.raw.hex().upper(),
                spec=_SPEC,
            )
        return ber_length(value.length) + value.raw
    return b""


def _encode_description(description: TypeDescription) -> bytes:
    if isinstance(description, ArrayDescription):
        if description.count > MAX_DESCRIBED_COUNT:
            raise GbcsEncodeError(
                "array too long for a type description",
                path="compact-array",
                expected=f"at most {MAX_DESCRIBED_COUNT} elements",
                found=str(description.count),
                spec=_SPEC,
            )
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
                spec=_SPEC,
            )
        return _encode_contents(value)
    if isinstance(description, StructureDescription):
        tag, members = Tag.STRUCTURE, description.elements
    else:
        tag, members = Tag.ARRAY, (description.element,) * description.count
    items = value.items if isinstance(value, Sequence) and value.tag is tag else None
    if items is None or len(items) != len(members):
        raise GbcsEncodeError(
            "element does not match the type description",
            path="compact-array",
            expected=f"{tag.name} of {len(members)}",
            found=tag_of(value).name if items is None else f"{tag.name} of {len(items)}",
            spec=_SPEC,
        )
    return b"".join([_encode_described(item, member) for item, member in zip(items, members, strict=True)])


def contents_length(value: CompactArray) -> int:
    """How many octets the elements of a compact-array take together."""
    return sum([len(_encode_described(element, value.description)) for element in value.elements])


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
    "Budget",
    "CompactArray",
    "Data",
    "DontCare",
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
    "contents_length",
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
