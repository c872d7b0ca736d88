"""Shapes: what a DLMS Data value must look like, and the named value it stands for.

A use case declares a shape for each item of its access list. One shape serves both directions: `decode` turns
Data into a named value and fails at the first member that differs, `encode` turns the named value into Data.

Shapes hold no state and know no message; class 30 data protection, which needs the grouping header, is in
`smetslab.gbcs.dlms.protection`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs import values
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import Obis
from smetslab.gbcs.dlms.axdr import (
    ArrayDescription,
    BitString,
    Boolean,
    CompactArray,
    Data,
    Number,
    Octets,
    Sequence,
    StructureDescription,
    Tag,
    TypeDescription,
)
from smetslab.gbcs.elements import Elements, elements_of
from smetslab.gbcs.values import HEX_PREFIX, Value, from_hex, to_hex
from smetslab.zigbee.zcl.named import seconds_to_text


class Shape(Protocol):
    """What one Data value must look like."""

    def decode(self, data: Data, path: str) -> Value:
        """The named value. Raises GbcsDecodeError naming `path` and what differs."""

    def encode(self, value: Value, path: str) -> Data:
        """The Data value. Raises GbcsEncodeError naming `path` and what does not fit."""

    def type_of(self, value: Value) -> TypeDescription:
        """The type description of `value` as an element of a compact-array; None means a typical value."""


def kind_of(data: Data) -> str:
    """The type of a Data value in the words of the standard: `long-unsigned`, `structure of 3`."""
    kind = data.tag.name.lower().replace("_", "-")
    if isinstance(data, Sequence):
        return f"{kind} of {len(data.items)}"
    if isinstance(data, Octets) and data.tag is Tag.OCTET_STRING:
        return f"{kind} of {len(data.value)}"
    return kind


def mismatch(data: Data, path: str, expected: str) -> GbcsDecodeError:
    """The error for a value that is not of the declared shape."""
    return GbcsDecodeError("not the shape of the use case", path=path, expected=expected, found=kind_of(data))


def _refuse(value: Value, path: str, expected: str) -> GbcsEncodeError:
    return GbcsEncodeError(
        "value does not fit the use case", path=path, expected=expected, found=repr(value)[:80]
    )


@dataclass(frozen=True, slots=True)
class Num:
    """A number of type `tag`; `names` gives meanings to some values, `unit` and `scaler` tell what it
    counts."""

    tag: Tag
    names: Mapping[int, str] = field(default_factory=dict)
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    _numbers: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _low: int = field(init=False, repr=False, compare=False)
    _high: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size, signed = axdr.NUMBER_FORMS[self.tag]
        values = 1 << (8 * size)
        object.__setattr__(self, "_low", -values // 2 if signed else 0)
        object.__setattr__(self, "_high", self._low + values - 1)
        # Of two numbers with one name the first is meant.
        numbers = {name: number for number, name in reversed(list(self.names.items()))}
        object.__setattr__(self, "_numbers", numbers)

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Number or data.tag is not self.tag:
            raise mismatch(data, path, self.tag.name.lower().replace("_", "-"))
        return self.names.get(data.value, data.value)

    def encode(self, value: Value, path: str) -> Data:
        if type(value) is int and self._low <= value <= self._high:
            return Number(self.tag, value)
        if isinstance(value, str) and value in self._numbers:
            return Number(self.tag, self._numbers[value])
        if not isinstance(value, int) or isinstance(value, bool):
            wanted = " or ".join(("a number", *self.names.values()))
            raise _refuse(value, path, wanted)
        raise _refuse(value, path, f"{self._low} to {self._high}")

    def in_range(self, data: Data) -> bool:
        """False when a declared minimum or maximum is broken."""
        if not isinstance(data, Number):
            return False
        return (self.minimum is None or data.value >= self.minimum) and (
            self.maximum is None or data.value <= self.maximum
        )

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return self.tag


@dataclass(frozen=True, slots=True)
class Bool:
    """A boolean; true is FF. `names` are the words for false and true, where the specification has them."""

    names: tuple[str, str] | None = None

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Boolean:
            raise mismatch(data, path, "boolean")
        if data.octet not in {0x00, 0xFF}:
            return data.octet
        return data.value if self.names is None else self.names[data.value]

    def encode(self, value: Value, path: str) -> Data:
        if self.names is not None and value in self.names:
            return axdr.boolean(self.names.index(str(value)) == 1)
        if isinstance(value, bool):
            return axdr.boolean(value)
        if isinstance(value, int) and 0 < value < 0xFF:
            return Boolean(value)
        raise _refuse(value, path, "true or false" if self.names is None else " or ".join(self.names))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.BOOLEAN


@dataclass(frozen=True, slots=True)
class Text:
    """A string of type `tag` that people read; octets that are not printable text appear as `hex:`."""

    tag: Tag = Tag.OCTET_STRING
    maximum: int | None = None
    unit: str = ""

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Octets or data.tag is not self.tag:
            raise mismatch(data, path, self.tag.name.lower().replace("_", "-"))
        try:
            text = data.value.decode("utf-8")
        except UnicodeDecodeError:
            return HEX_PREFIX + to_hex(data.value)
        if not text.isprintable() or text.startswith(HEX_PREFIX):
            return HEX_PREFIX + to_hex(data.value)
        return text

    def encode(self, value: Value, path: str) -> Data:
        if not isinstance(value, str):
            raise _refuse(value, path, "text")
        if value.startswith(HEX_PREFIX):
            return Octets(self.tag, from_hex(value, path))
        try:
            return Octets(self.tag, value.encode())
        except UnicodeEncodeError as error:
            raise _refuse(value, path, "text that UTF-8 can write") from error

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return self.tag


Form = Literal["hex", "date-time", "date", "time"]

_FORMS = {
    "hex": (to_hex, from_hex),
    "date-time": (values.date_time_to_text, values.date_time_from_text),
    "date": (values.date_to_text, values.date_from_text),
    "time": (values.time_to_text, values.time_from_text),
}


@dataclass(frozen=True, slots=True)
class Bytes:
    """An octet-string of `length` octets (any number when None), shown as hex or as a date or time."""

    length: int | None = None
    form: Form = "hex"
    minimum: int | None = None
    maximum: int | None = None

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Octets or data.tag is not Tag.OCTET_STRING:
            raise mismatch(data, path, "octet-string")
        if self.length is not None and len(data.value) != self.length:
            raise GbcsDecodeError(
                "not the shape of the use case",
                path=path,
                expected=f"octet-string of {self.length}",
                found=kind_of(data),
            )
        return _FORMS[self.form][0](data.value)

    def encode(self, value: Value, path: str) -> Data:
        octets = _FORMS[self.form][1](value, path)
        if self.length is not None and len(octets) != self.length:
            raise _refuse(value, path, f"{self.length} octets")
        return Octets(Tag.OCTET_STRING, octets)

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.OCTET_STRING


@dataclass(frozen=True, slots=True)
class Seconds:
    """A double-long-unsigned that counts seconds since 2000-01-01 UTC; shown as a date-time."""

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Number or data.tag is not Tag.DOUBLE_LONG_UNSIGNED:
            raise mismatch(data, path, "double-long-unsigned")
        return seconds_to_text(data.value)

    def encode(self, value: Value, path: str) -> Data:
        seconds = values.seconds_from_text(value, path)
        if not 0 <= seconds < 1 << 32:
            raise _refuse(value, path, "2000-01-01 to 2136-02-07")
        return axdr.double_long_unsigned(seconds)

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.DOUBLE_LONG_UNSIGNED


@dataclass(frozen=True, slots=True)
class Bits:
    """A bit-string, shown as a text of 0 and 1, first bit first."""

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not BitString:
            raise mismatch(data, path, "bit-string")
        return f"{int.from_bytes(data.raw, 'big'):0{8 * len(data.raw)}b}"[: data.length]

    def encode(self, value: Value, path: str) -> Data:
        if not isinstance(value, str) or value.strip("01"):
            raise _refuse(value, path, "a text of 0 and 1")
        padded = value + "0" * (-len(value) % 8)
        return BitString(len(value), int(padded or "0", 2).to_bytes(len(padded) // 8, "big"))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.BIT_STRING


@dataclass(frozen=True, slots=True)
class Const:
    """Exactly this Data value, which therefore needs no name."""

    data: Data

    def decode(self, data: Data, path: str) -> Value:
        if data != self.data:
            raise GbcsDecodeError(
                "not the constant of the use case",
                path=path,
                expected=to_hex(axdr.encode_data(self.data)),
                found=to_hex(axdr.encode_data(data))[:80],
            )
        return None

    def encode(self, value: Value, path: str) -> Data:
        del value, path
        return self.data

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return axdr.describe_type(self.data)


class Struct:
    """A structure of named members in order. Names in `optional` may be absent, from the last one
    backwards."""

    __slots__ = ("_constants", "_named", "_readers", "_writers", "elements", "members", "required")

    def __init__(self, members: Mapping[str, Shape], optional: tuple[str, ...] = ()) -> None:
        names = tuple([str(name) for name in members])
        if names[len(names) - len(optional) :] != optional:
            raise ValueError("optional members come last and in order")
        self.members = tuple(zip(names, members.values(), strict=True))
        self.required = len(names) - len(optional)
        self.elements = {str(name): elements_of(name) for name in members if elements_of(name)}
        self._readers = tuple([(name, shape.decode) for name, shape in self.members])
        self._writers = tuple([(name, shape.encode) for name, shape in self.members])
        self._constants = tuple([name for name, shape in self.members if isinstance(shape, Const)])
        self._named = frozenset(names[: self.required]).difference(self._constants)

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Sequence or data.tag is not Tag.STRUCTURE:
            raise mismatch(data, path, "structure")
        items = data.items
        if not self.required <= len(items) <= len(self.members):
            wanted = (
                str(self.required)
                if self.required == len(self.members)
                else f"{self.required} to {len(self.members)}"
            )
            raise GbcsDecodeError(
                "not the shape of the use case",
                path=path,
                expected=f"structure of {wanted}",
                found=f"structure of {len(items)}",
            )
        try:
            found = {
                name: decode(item, name) for (name, decode), item in zip(self._readers, items, strict=False)
            }
        except GbcsDecodeError as error:
            raise error.within(path) from None
        for name in self._constants:
            found.pop(name, None)
        return found

    def encode(self, value: Value, path: str) -> Data:
        count = len(self._present(value, path))
        given = value if isinstance(value, dict) else {}
        try:
            items = tuple([encode(given.get(name), name) for name, encode in self._writers[:count]])
        except GbcsEncodeError as error:
            raise error.within(path) from None
        return Sequence(Tag.STRUCTURE, items)

    def type_of(self, value: Value) -> TypeDescription:
        present = self.members[: self.required] if value is None else self._present(value, "element")
        given = value if isinstance(value, dict) else {}
        return StructureDescription(tuple(shape.type_of(given.get(name)) for name, shape in present))

    def _present(self, value: Value, path: str) -> tuple[tuple[str, Shape], ...]:
        if not isinstance(value, dict):
            raise _refuse(value, path, "named members")
        if value.keys() == self._named:
            return self.members[: self.required]
        known = {name for name, shape in self.members if not isinstance(shape, Const)}
        for name in value:
            if name not in known:
                raise GbcsEncodeError(
                    "no such member", path=f"{path}.{name}", expected=", ".join(sorted(known))
                )
        count = self.required
        while count < len(self.members) and self.members[count][0] in value:
            count += 1
        for place, (name, shape) in enumerate(self.members):
            if place < count and name not in value and not isinstance(shape, Const):
                raise GbcsEncodeError("missing", path=f"{path}.{name}")
            if place >= count and name in value:
                raise GbcsEncodeError("an earlier optional member is missing", path=f"{path}.{name}")
        return self.members[:count]


def _decode_each(shape: Shape, items: tuple[Data, ...], path: str) -> list[Value]:
    decode = shape.decode
    found: list[Value] = []
    try:
        for item in items:
            found.append(decode(item, ""))  # noqa: PERF401 - errors say how far it came
    except GbcsDecodeError as error:
        raise error.within(f"{path}[{len(found)}]") from None
    return found


def _encode_each(shape: Shape, values: list[Value], path: str) -> tuple[Data, ...]:
    encode = shape.encode
    made: list[Data] = []
    try:
        for value in values:
            made.append(encode(value, ""))  # noqa: PERF401 - errors say how far it came
    except GbcsEncodeError as error:
        raise error.within(f"{path}[{len(made)}]") from None
    return tuple(made)


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array of elements of one shape; `count` fixes how many."""

    element: Shape
    count: int | None = None

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Sequence or data.tag is not Tag.ARRAY:
            raise mismatch(data, path, "array")
        if self.count is not None and len(data.items) != self.count:
            raise GbcsDecodeError(
                "not the shape of the use case",
                path=path,
                expected=f"array of {self.count}",
                found=f"array of {len(data.items)}",
            )
        return _decode_each(self.element, data.items, path)

    def encode(self, value: Value, path: str) -> Data:
        if not isinstance(value, list) or (self.count is not None and len(value) != self.count):
            raise _refuse(value, path, "a list" if self.count is None else f"a list of {self.count}")
        return Sequence(Tag.ARRAY, _encode_each(self.element, value, path))

    def type_of(self, value: Value) -> TypeDescription:
        if isinstance(value, list) and value:
            return ArrayDescription(len(value), self.element.type_of(value[0]))
        return ArrayDescription(self.count or 0, self.element.type_of(None))


@dataclass(frozen=True, slots=True)
class Compact:
    """A compact-array of elements of one shape: the buffer of a log.

    Shown as the list of entries. An empty one whose type description is not the shape's own keeps it as
    `{"type": hex, "entries": []}`.
    """

    element: Shape

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not CompactArray:
            raise mismatch(data, path, "compact-array")
        entries = _decode_each(self.element, data.elements, path)
        if not entries and data.description != self.element.type_of(None):
            return {"type": to_hex(axdr.encode_data(data)[1:-1]), "entries": []}
        return entries

    def encode(self, value: Value, path: str) -> Data:
        if isinstance(value, dict):
            raw = b"\x13" + from_hex(value.get("type"), f"{path}.type") + b"\x00"
            try:
                return axdr.decode_data(raw)
            except GbcsDecodeError as error:
                raise _refuse(value.get("type"), f"{path}.type", "a type description") from error
        if not isinstance(value, list):
            raise _refuse(value, path, "a list of entries")
        description = self.element.type_of(value[0] if value else None)
        return CompactArray(description, _encode_each(self.element, value, path))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.COMPACT_ARRAY


PackedForm = Literal["int", "hex", "message-code", "logical-name"]


@dataclass(frozen=True, slots=True)
class Packed:
    """An octet-string that is a row of fixed-size fields: (name, octets, form). Spec: GBCS 16 (alert
    payloads)."""

    fields: tuple[tuple[str, int, PackedForm], ...]
    elements: Elements = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {str(name): elements_of(name) for name, _, _ in self.fields if elements_of(name)}
        object.__setattr__(self, "elements", known)
        object.__setattr__(
            self, "fields", tuple([(str(name), size, form) for name, size, form in self.fields])
        )

    @property
    def length(self) -> int:
        return sum(size for _, size, _ in self.fields)

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Octets or data.tag is not Tag.OCTET_STRING or len(data.value) != self.length:
            raise mismatch(data, path, f"octet-string of {self.length}")
        result: dict[str, Value] = {}
        position = 0
        for name, size, form in self.fields:
            octets = data.value[position : position + size]
            position += size
            if form == "int":
                result[name] = int.from_bytes(octets, "big")
            elif form == "logical-name":
                result[name] = str(Obis(octets))
            else:
                result[name] = ("0x" if form == "message-code" else "") + to_hex(octets)
        return result

    def encode(self, value: Value, path: str) -> Data:
        if not isinstance(value, dict):
            raise _refuse(value, path, "named members")
        out = b""
        for name, size, form in self.fields:
            item = value.get(name)
            place = f"{path}.{name}"
            if form == "int":
                if not isinstance(item, int) or not 0 <= item < 1 << (8 * size):
                    raise _refuse(item, place, f"a number of {size} octets")
                octets = item.to_bytes(size, "big")
            elif form == "logical-name":
                try:
                    octets = Obis.parse(str(item)).raw
                except ValueError as error:
                    raise _refuse(item, place, "a logical name") from error
            else:
                octets = from_hex(item.removeprefix("0x") if isinstance(item, str) else item, place)
            if len(octets) != size:
                raise _refuse(item, place, f"{size} octets")
            out += octets
        return Octets(Tag.OCTET_STRING, out)

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.OCTET_STRING


@dataclass(frozen=True, slots=True)
class Code:
    """A long-unsigned shown as four hex digits: alert codes and event codes."""

    def decode(self, data: Data, path: str) -> Value:
        if type(data) is not Number or data.tag is not Tag.LONG_UNSIGNED:
            raise mismatch(data, path, "long-unsigned")
        return f"{data.value:04X}"

    def encode(self, value: Value, path: str) -> Data:
        octets = from_hex(value, path)
        if len(octets) != 2:
            raise _refuse(value, path, "four hex digits")
        return axdr.long_unsigned(int.from_bytes(octets, "big"))

    def type_of(self, value: Value) -> TypeDescription:
        del value
        return Tag.LONG_UNSIGNED


@dataclass(frozen=True, slots=True)
class Nullable:
    """`shape`, or null-data where there is nothing."""

    shape: Shape

    def decode(self, data: Data, path: str) -> Value:
        return None if isinstance(data, axdr.Null) else self.shape.decode(data, path)

    def encode(self, value: Value, path: str) -> Data:
        return axdr.null() if value is None else self.shape.encode(value, path)

    def type_of(self, value: Value) -> TypeDescription:
        return self.shape.type_of(value)


# The names that declarations use.

INTEGER = Num(Tag.INTEGER)
LONG = Num(Tag.LONG)
UNSIGNED = Num(Tag.UNSIGNED)
LONG_UNSIGNED = Num(Tag.LONG_UNSIGNED)
DOUBLE_LONG = Num(Tag.DOUBLE_LONG)
DOUBLE_LONG_UNSIGNED = Num(Tag.DOUBLE_LONG_UNSIGNED)
ENUM = Num(Tag.ENUM)
BOOLEAN = Bool()
BIT_STRING = Bits()
OCTETS = Bytes()
DATE_TIME = Bytes(12, "date-time")
DATE = Bytes(5, "date")
TIME = Bytes(4, "time")
TIME_STAMP = Seconds()
EUI64 = Bytes(8)
LOGICAL_NAME = Bytes(6)
CODE = Code()
