"""DLMS Data: every type of the A-XDR `Data` choice as a value; `axdr` beside this reads and writes them.

Spec: IEC 62056-6-2 (Data, compact-array), as used by GBCS 7.3.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, TypeAlias

from smetslab.value_class import value_class


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


@value_class(frozen=True, slots=True)
class Null:
    """null-data."""

    tag: ClassVar[Tag] = Tag.NULL_DATA


@value_class(frozen=True, slots=True)
class DontCare:
    """dont-care: leaves a member of a value unconstrained."""

    tag: ClassVar[Tag] = Tag.DONT_CARE


@value_class(frozen=True, slots=True)
class Boolean:
    """boolean. Any octet but zero is true; GBCS devices write FF."""

    tag: ClassVar[Tag] = Tag.BOOLEAN
    octet: int

    @property
    def value(self) -> bool:
        return self.octet != 0


@value_class(frozen=True, slots=True)
class Number:
    """Any of the integer types, bcd and enum."""

    tag: Tag
    value: int


@value_class(frozen=True, slots=True)
class Octets:
    """octet-string, visible-string, utf8-string, and the fixed-size float, date and time types, as octets."""

    tag: Tag
    value: bytes


@value_class(frozen=True, slots=True)
class BitString:
    """bit-string of `length` bits, left aligned in `raw`."""

    tag: ClassVar[Tag] = Tag.BIT_STRING
    length: int
    raw: bytes


@value_class(frozen=True, slots=True)
class Sequence:
    """array or structure."""

    tag: Tag
    items: tuple[Data, ...]


@value_class(frozen=True, slots=True)
class ArrayDescription:
    """Type description of an array of `count` elements inside a compact-array."""

    count: int
    element: TypeDescription


@value_class(frozen=True, slots=True)
class StructureDescription:
    """Type description of a structure inside a compact-array."""

    elements: tuple[TypeDescription, ...]


@value_class(frozen=True, slots=True)
class CompactArray:
    """compact-array: one description of the element type, then elements without tags."""

    tag: ClassVar[Tag] = Tag.COMPACT_ARRAY
    description: TypeDescription
    elements: tuple[Data, ...]


TypeDescription: TypeAlias = Tag | ArrayDescription | StructureDescription
Data: TypeAlias = Null | DontCare | Boolean | Number | Octets | BitString | Sequence | CompactArray


NULL = Null()


def null() -> Null:
    return NULL


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


def describe_type(value: Data) -> TypeDescription:
    """The type description under which `value` can be an element of a compact-array."""
    if isinstance(value, Sequence):
        if value.tag is Tag.STRUCTURE:
            return StructureDescription(tuple([describe_type(item) for item in value.items]))
        return ArrayDescription(
            len(value.items), describe_type(value.items[0]) if value.items else Tag.NULL_DATA
        )
    return value.tag


def compact_array(element: TypeDescription, elements: tuple[Data, ...]) -> CompactArray:
    """A compact-array of `elements`, each of which must have the type `element`."""
    return CompactArray(element, elements)
