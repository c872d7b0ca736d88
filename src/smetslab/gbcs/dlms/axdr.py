"""DLMS Data in A-XDR: every type of the `Data` choice, read to values and written back byte for byte.

What reads and what writes a type is made once, at import, and found by its tag or class. Field paths of
errors are put together while an error climbs out of a nest, so that sound data pays nothing for them.

Spec: IEC 62056-6-2 (Data, compact-array), as used by GBCS 7.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import repeat
from struct import Struct
from struct import error as StructError
from typing import NoReturn, TypeAlias

from smetslab.errors import CodecError, GbcsEncodeError
from smetslab.gbcs.dlms.data import (
    FIXED_OCTETS,
    NULL,
    NUMBER_FORMS,
    STRING_TAGS,
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
    TypeDescription,
    array,
    boolean,
    compact_array,
    describe_type,
    double_long,
    double_long_unsigned,
    enum,
    integer,
    long,
    long_unsigned,
    null,
    octet_string,
    structure,
    unsigned,
    utf8_string,
    visible_string,
)
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

_LONG_LENGTH = 0x80
"""From here on a length takes more than one octet."""
_SPEC = "IEC 62056-6-2 Data"
_LETTER_OF = {
    tag: "bhiq"[size.bit_length() - 1] if signed else "BHIQ"[size.bit_length() - 1]
    for tag, (size, signed) in NUMBER_FORMS.items()
}
"""The number types in the language of `struct`."""


# ---------------------------------------------------------------------------------------------- decoding


class Budget:
    """How many more items may be read. One for a whole APDU, of so many octets: nothing multiplies it."""

    __slots__ = ("left", "most")

    def __init__(self, octets: int) -> None:
        self.left = self.most = min(MAX_ITEMS, SPARE_ITEMS + MAX_ITEMS_PER_OCTET * octets)

    def spend(self, items: int, reader: Reader) -> None:
        """Count so many items before they are read. Raises GbcsDecodeError when there are too many."""
        self.left -= items
        if self.left < 0:
            raise reader.fail(
                "too many data items", expected=f"at most {self.most}", found="more", spec=_SPEC
            )


_Read: TypeAlias = Callable[[Reader, int, Budget], Data]
"""Reads one value whose tag has been taken: reader, how much deeper it may nest, what may still be read."""


def decode_data(data: bytes, *, base: int = 0, path: str = "data") -> Data:
    """Read exactly one Data value. Raises GbcsDecodeError; `base` is added to the offsets it names."""
    reader = Reader(data, base=base)
    value = read_data(reader, path)
    reader.finish(path)
    return value


def read_data(reader: Reader, path: str = "data", budget: Budget | None = None) -> Data:
    """Read one Data value from `reader` and leave the rest."""
    return read_list(reader, 1, budget or Budget(reader.remaining), lambda place: path)[0]


def read_list(
    reader: Reader, count: int, budget: Budget, path_of: Callable[[int], str], depth: int = MAX_DEPTH
) -> list[Data]:
    """Read `count` Data values, one after the other. `path_of` names the place of one in errors."""
    budget.spend(count, reader)
    if reader.traces:
        return reader.each(count, lambda: _READERS[reader.u8()](reader, depth, budget), path_of)
    data, end = reader.data, reader.end
    items: list[Data] = []
    try:
        for _ in range(count):
            position = reader.position
            if position >= end:
                reader.u8()  # which fails
            reader.position = position + 1
            items.append(_READERS[data[position]](reader, depth, budget))
    except CodecError as error:
        raise error.within(path_of(len(items))) from None
    return items


def _in_brackets(place: int) -> str:
    return f"[{place}]"


def _number_reader(tag: Tag) -> _Read:
    layout = Struct(">" + _LETTER_OF[tag])
    size, unpack = layout.size, layout.unpack_from
    if size == 1:
        # Values are immutable: one of each is enough.
        every = tuple([Number(tag, unpack(bytes((octet,)))[0]) for octet in range(256)])
        return lambda reader, depth, budget: every[reader.u8()]

    def read(reader: Reader, depth: int, budget: Budget) -> Number:
        start = reader.position
        stop = start + size
        if stop > reader.end:
            reader.take(size)  # which fails
        reader.position = stop
        return Number(tag, unpack(reader.data, start)[0])

    return read


def _string_reader(tag: Tag) -> _Read:
    def read(reader: Reader, depth: int, budget: Budget) -> Octets:
        data, start = reader.data, reader.position
        if start < reader.end and (length := data[start]) < _LONG_LENGTH:
            stop = start + 1 + length
            if stop <= reader.end and not reader.traces:
                reader.position = stop
                return Octets(tag, data[start + 1 : stop])
        return Octets(tag, reader.take(reader.ber_length()))

    return read


def _fixed_reader(tag: Tag) -> _Read:
    size = FIXED_OCTETS[tag]
    return lambda reader, depth, budget: Octets(tag, reader.take(size))


def _sequence_reader(tag: Tag) -> _Read:
    def read(reader: Reader, depth: int, budget: Budget) -> Sequence:
        if depth == 0:
            raise _too_deep(reader)
        start = reader.position
        count = reader.data[start] if start < reader.end else _LONG_LENGTH
        if count < _LONG_LENGTH and start + count < reader.end and not reader.traces:
            reader.position = start + 1
        else:
            count = _member_count(reader)
        return Sequence(tag, tuple(read_list(reader, count, budget, _in_brackets, depth - 1)))

    return read


def _member_count(reader: Reader) -> int:
    start = reader.position
    count = reader.ber_length()
    room = reader.remaining
    if count > room:  # every member takes at least one byte
        reader.position = start
        raise reader.fail("more members than bytes", expected=f"at most {room}", found=str(count), spec=_SPEC)
    return count


def _too_deep(reader: Reader) -> CodecError:
    return reader.fail("nested too deeply", expected=f"at most {MAX_DEPTH} levels", found="more", spec=_SPEC)


def _read_boolean(reader: Reader, depth: int, budget: Budget) -> Boolean:
    return Boolean(reader.u8())


def _read_bit_string(reader: Reader, depth: int, budget: Budget) -> BitString:
    length = reader.ber_length()
    raw = reader.take((length + 7) // 8)
    if length % 8 and raw[-1] & (0xFF >> (length % 8)):
        reader.position -= 1
        raise reader.fail(
            "unused bits set", expected=f"{length} bits, then zeros", found=f"{raw[-1]:02X}", spec=_SPEC
        )
    return BitString(length, raw)


def _read_unknown(reader: Reader, depth: int, budget: Budget) -> NoReturn:
    reader.position -= 1
    raise reader.fail(
        "unknown data type",
        expected="a tag of the Data choice",
        found=f"{reader.data[reader.position]:02X}",
        spec=_SPEC,
    )


def _read_compact_array(reader: Reader, depth: int, budget: Budget) -> CompactArray:
    if depth == 0:
        raise _too_deep(reader)
    description = _read_description(reader, depth)
    start = reader.position
    length = reader.ber_length()
    if length > reader.remaining:
        room = reader.remaining
        reader.position = start
        raise reader.fail("truncated", expected=f"{length} bytes of contents", found=str(room), spec=_SPEC)
    outer_end, reader.end = reader.end, reader.position + length
    element = partial(_described_reader(description), reader, depth, budget)
    elements: list[Data] = []
    while reader.position < reader.end:
        before = reader.position
        budget.spend(1, reader)
        elements.extend(reader.each(1, element, lambda _: _in_brackets(len(elements))))
        if reader.position == before:
            raise reader.fail(
                "element type without any octet",
                expected="no contents",
                found=f"{reader.remaining} bytes",
                spec=_SPEC,
            )
    reader.end = outer_end
    return CompactArray(description, tuple(elements))


def _read_description(reader: Reader, depth: int) -> TypeDescription:
    if depth == 0:
        raise _too_deep(reader)
    octet = reader.u8()
    if octet == Tag.ARRAY:
        return ArrayDescription(reader.unsigned(2), _read_description(reader, depth - 1))
    if octet == Tag.STRUCTURE:
        members = range(_member_count(reader))
        return StructureDescription(tuple([_read_description(reader, depth - 1) for _ in members]))
    if octet == Tag.COMPACT_ARRAY or octet not in _TAGS:
        reader.position -= 1
        raise reader.fail(
            "type not allowed in a type description",
            expected="a tag of the Data choice but compact-array",
            found=f"{octet:02X}",
            spec=_SPEC,
        )
    return _TAGS[octet]


def _described_reader(description: TypeDescription) -> _Read:
    """Reads values without tags, made once for the elements of one array.

    Counts of nested arrays multiply, which only the budget bounds.
    """
    if isinstance(description, Tag):
        return _READERS[description]
    if isinstance(description, StructureDescription):
        members = description.elements
        readers = tuple([_described_reader(member) for member in members])
        numbers = _numbers_reader(members)

        def read_structure(reader: Reader, depth: int, budget: Budget) -> Sequence:
            budget.spend(len(readers), reader)
            items = None if numbers is None else numbers(reader)
            if items is None:
                left = iter(readers)
                items = reader.each(len(readers), lambda: next(left)(reader, depth, budget), _in_brackets)
            return Sequence(Tag.STRUCTURE, tuple(items))

        return read_structure
    count, element = description.count, _described_reader(description.element)

    def read_array(reader: Reader, depth: int, budget: Budget) -> Sequence:
        budget.spend(count, reader)
        items = reader.each(count, lambda: element(reader, depth, budget), _in_brackets)
        return Sequence(Tag.ARRAY, tuple(items))

    return read_array


def _numbers_reader(members: tuple[TypeDescription, ...]) -> Callable[[Reader], list[Data] | None] | None:
    """Reads a structure of nothing but numbers in one go, as the entries of most logs are.

    It gives None, and takes nothing, where there are not octets enough.
    """
    tags = [member for member in members if isinstance(member, Tag) and member in NUMBER_FORMS]
    if not tags or len(tags) != len(members):
        return None
    layout = Struct(">" + "".join([_LETTER_OF[tag] for tag in tags]))
    size, unpack = layout.size, layout.unpack_from

    def read(reader: Reader) -> list[Data] | None:
        start = reader.position
        if start + size > reader.end or reader.traces:
            return None
        reader.position = start + size
        return list(map(Number, tags, unpack(reader.data, start)))

    return read


_TAGS = {int(tag): tag for tag in Tag}
_BY_TAG: dict[Tag, _Read] = {
    Tag.STRUCTURE: _sequence_reader(Tag.STRUCTURE),
    Tag.ARRAY: _sequence_reader(Tag.ARRAY),
    Tag.COMPACT_ARRAY: _read_compact_array,
    Tag.NULL_DATA: lambda reader, depth, budget: NULL,
    Tag.DONT_CARE: lambda reader, depth, budget: DontCare(),
    Tag.BOOLEAN: _read_boolean,
    Tag.BIT_STRING: _read_bit_string,
    **{tag: _number_reader(tag) for tag in NUMBER_FORMS},
    **{tag: _string_reader(tag) for tag in STRING_TAGS},
    **{tag: _fixed_reader(tag) for tag in FIXED_OCTETS},
}
_READERS = tuple([_BY_TAG[_TAGS[octet]] if octet in _TAGS else _read_unknown for octet in range(256)])
"""What reads the value behind each possible tag octet."""


# ---------------------------------------------------------------------------------------------- encoding


def encode_data(value: Data) -> bytes:
    """Write one Data value. Raises GbcsEncodeError when a number does not fit its type."""
    return _WRITERS[type(value)](value)


def _write_number(value: Number) -> bytes:
    try:
        return _PACKERS[value.tag](value.tag, value.value)
    except StructError as error:
        size, signed = NUMBER_FORMS[value.tag]
        raise GbcsEncodeError(
            "number out of range",
            path=value.tag.name.lower(),
            expected=f"{size} octets {'signed' if signed else 'unsigned'}",
            found=str(value.value),
            spec=_SPEC,
        ) from error


def _write_octets(value: Octets) -> bytes:
    octets = value.value
    fixed = FIXED_OCTETS.get(value.tag)
    if fixed is None:
        length = len(octets)
        return (bytes((value.tag, length)) if length < _LONG_LENGTH else _head(value.tag, length)) + octets
    if len(octets) != fixed:
        raise GbcsEncodeError(
            "wrong length",
            path=value.tag.name.lower(),
            expected=f"{fixed} octets",
            found=str(len(octets)),
            spec=_SPEC,
        )
    return bytes((value.tag,)) + octets


def _write_sequence(value: Sequence) -> bytes:
    items = value.items
    return _head(value.tag, len(items)) + b"".join([_WRITERS[type(item)](item) for item in items])


def _head(tag: int, length: int) -> bytes:
    """A tag and the length or count behind it."""
    return bytes((tag, length)) if length < _LONG_LENGTH else bytes((tag,)) + ber_length(length)


def _write_bit_string(value: BitString) -> bytes:
    unused = -value.length % 8
    if len(value.raw) * 8 != value.length + unused or (unused and value.raw[-1] & ((1 << unused) - 1)):
        raise GbcsEncodeError(
            "wrong length, or unused bits set",
            path="bit_string",
            expected=f"{value.length} bits, then zeros",
            found=value.raw.hex().upper(),
            spec=_SPEC,
        )
    return _head(Tag.BIT_STRING, value.length) + value.raw


def _write_compact_array(value: CompactArray) -> bytes:
    contents = _contents(value)
    return b"\x13" + _encode_description(value.description) + ber_length(len(contents)) + contents


def contents_length(value: CompactArray) -> int:
    """How many octets the elements of a compact-array take together."""
    return len(_contents(value))


def _contents(value: CompactArray) -> bytes:
    return b"".join([_encode_described(element, value.description) for element in value.elements])


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
        members = b"".join([_encode_description(member) for member in description.elements])
        return b"\x02" + ber_length(len(description.elements)) + members
    return bytes((description,))


def _encode_described(value: Data, description: TypeDescription) -> bytes:
    if isinstance(description, Tag):
        if value.tag is not description:
            raise _undescribed(description.name, value.tag.name)
        return encode_data(value)[1:]
    if isinstance(description, StructureDescription):
        tag, count = Tag.STRUCTURE, len(description.elements)
        members: Iterable[TypeDescription] = description.elements
    else:
        tag, count = Tag.ARRAY, description.count
        members = repeat(description.element)
    items = value.items if isinstance(value, Sequence) and value.tag is tag else None
    if items is None or len(items) != count:
        found = value.tag.name if items is None else f"{tag.name} of {len(items)}"
        raise _undescribed(f"{tag.name} of {count}", found)
    return b"".join(map(_encode_described, items, members))


def _undescribed(expected: str, found: str) -> GbcsEncodeError:
    return GbcsEncodeError(
        "element does not match the type description",
        path="compact-array",
        expected=expected,
        found=found,
        spec=_SPEC,
    )


_PACKERS = {tag: Struct(">B" + letter).pack for tag, letter in _LETTER_OF.items()}
_WRITERS: dict[type, Callable[..., bytes]] = {
    Null: lambda value: b"\x00",
    DontCare: lambda value: b"\xff",
    Boolean: lambda value: bytes((Tag.BOOLEAN, value.octet)),
    Number: _write_number,
    Octets: _write_octets,
    BitString: _write_bit_string,
    Sequence: _write_sequence,
    CompactArray: _write_compact_array,
}
"""What writes the values of each class."""


__all__ = [
    "FIXED_OCTETS",
    "MAX_DEPTH",
    "MAX_ITEMS",
    "NUMBER_FORMS",
    "STRING_TAGS",
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
    "read_list",
    "structure",
    "unsigned",
    "utf8_string",
    "visible_string",
]
