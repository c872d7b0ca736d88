"""Field lists: the payload of a command, or of a record inside one, declared once and compiled to both
directions.

A field has a data type, or is made by `optional` (may be missing at the end), `counted` (a list behind its
number of elements), `exactly` (so many elements), `to_end` (a list that fills the rest), `rest` (the rest as
octets) or `variant` (what it is depends on an earlier field). Elements of lists are data types or field
lists. More kinds of field are further subclasses of `DataType`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.value_class import value_class
from smetslab.zigbee.zcl.types import DataType, Integer, NoData
from smetslab.zigbee.zcl.values import FieldValue, JsonValue, ZclValue, octets_from_json

FieldInput: TypeAlias = ZclValue | Mapping[str, "FieldInput"] | Sequence["FieldInput"]
"""What a caller may give for a field: its value, a mapping for a record, any sequence for a list."""


class _Absent(FieldValue):
    """The one value of an optional field that is not there."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()

TRAILING: Final = "trailing"
"""The member of a record's JSON form that holds octets behind its last field."""


@value_class(frozen=True, slots=True)
class Record(FieldValue):
    """Values of a field list, in order. `trailing` holds octets behind the last field, which is a finding."""

    shape: Fields
    values: tuple[ZclValue, ...]
    trailing: bytes = b""

    def __getitem__(self, name: str) -> ZclValue:
        return self.values[self.shape.index[name]]

    def has(self, name: str) -> bool:
        """False for an optional field that is not there."""
        return self[name] is not ABSENT

    def integer(self, name: str) -> int:
        """The field as a number; ZclDecodeError when it is something else."""
        value = self[name]
        if isinstance(value, int):
            return value
        raise self._refuse(name, "a number")

    def octets(self, name: str) -> bytes:
        """The field as octets; ZclDecodeError when it is something else, for instance the invalid string."""
        value = self[name]
        if isinstance(value, bytes):
            return value
        raise self._refuse(name, "octets")

    def text(self, name: str) -> str:
        """The field as text; ZclDecodeError when it is something else, for instance the invalid string."""
        value = self[name]
        if isinstance(value, str):
            return value
        raise self._refuse(name, "text")

    def records(self, name: str) -> list[Record]:
        """The field as a list of records."""
        value = self[name]
        if isinstance(value, tuple):
            records = [item for item in value if isinstance(item, Record)]
            if len(records) == len(value):
                return records
        raise self._refuse(name, "a list of records")

    def as_dict(self) -> dict[str, object]:
        """Names and values, records inside as mappings too; absent fields are left out."""
        return {name: _plain(value) for name, value in self.items() if value is not ABSENT}

    def items(self) -> Iterator[tuple[str, ZclValue]]:
        """Names and values in order."""
        return zip(self.shape.names, self.values, strict=True)

    def _refuse(self, name: str, expected: str) -> ZclDecodeError:
        return ZclDecodeError("unusable value", path=name, expected=expected, found=repr(self[name]))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"Record({inside}{f', trailing={self.trailing!r}' if self.trailing else ''})"


def _plain(value: ZclValue) -> object:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


class Fields(DataType):
    """A field list. Runs of fixed-size integers are read and written in one go."""

    __slots__ = ("_json", "_plan", "_variant", "index", "kinds", "names")

    def __init__(self, kinds: Mapping[str, DataType]) -> None:
        super().__init__("record", None)
        self.names = tuple(kinds)
        self.kinds = tuple(kinds.values())
        self.index = {name: place for place, name in enumerate(self.names)}
        for place, kind in enumerate(self.kinds[:-1]):
            follower = self.kinds[place + 1]
            if isinstance(kind, (_Rest, _ToEnd, _Variant)) or (
                isinstance(kind, _Optional) and not isinstance(follower, (_Optional, _Rest, _ToEnd))
            ):
                raise ZclEncodeError(
                    "a field that fills or may miss the rest must be last", path=self.names[place]
                )
        last = self.kinds[-1] if self.kinds else None
        self._variant = last if isinstance(last, _Variant) else None
        fixed = self.kinds if self._variant is None else self.kinds[:-1]
        self._plan = tuple(_compile(fixed))
        self._json: tuple[tuple[str, Callable[[ZclValue], JsonValue] | None], ...] = tuple(
            (name, None if kind.plain_json else kind.to_json)
            for name, kind in zip(self.names, fixed, strict=False)
        )

    def paths(self) -> tuple[str, ...]:
        """The names of all fields, those of records inside as `outer.inner`, each once."""
        return tuple(dict.fromkeys(_paths(self, "")))

    def variant_for(self, values: Sequence[ZclValue]) -> DataType | None:
        """What the last field is when the fields before it have these values; None without a variant."""
        return None if self._variant is None else self._variant.pick(values[self.index[self._variant.on]])

    def decode(self, data: bytes, position: int, end: int) -> tuple[Record, int]:
        values: list[ZclValue] = []
        try:
            for run, kinds in self._plan:
                if run is not None and position + run.size <= end:
                    values += run.unpack_from(data, position)
                    position += run.size
                    continue
                for kind in kinds:
                    value, position = kind.decode(data, position, end)
                    values.append(value)
            if self._variant is not None:
                value, position = self._variant.pick(values[self.index[self._variant.on]]).decode(
                    data, position, end
                )
                values.append(value)
        except ZclDecodeError as error:
            raise error.within(self.names[len(values)]) from None
        return Record(self, tuple(values)), position

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if not isinstance(value, Record) or value.shape is not self:
            raise self.refuse(value, "a record of this field list")
        place = 0
        for run, kinds in self._plan:
            stop = place + len(kinds)
            if run is not None:
                try:
                    out += run.pack(*value.values[place:stop])
                except struct.error:
                    pass  # one value does not fit: the loop below finds which
                else:
                    place = stop
                    continue
            for kind in kinds:
                try:
                    kind.encode(value.values[place], out)
                except ZclEncodeError as error:
                    raise error.within(self.names[place]) from None
                place += 1
        varying = self.variant_for(value.values)
        if varying is not None:
            try:
                varying.encode(value.values[-1], out)
            except ZclEncodeError as error:
                raise error.within(self.names[-1]) from None
        out += value.trailing

    def to_json(self, value: ZclValue) -> JsonValue:
        if not isinstance(value, Record) or value.shape is not self:
            raise self.refuse(value, "a record of this field list")
        out: dict[str, JsonValue] = {}
        for (name, convert), item in zip(self._json, value.values, strict=False):
            if convert is None:
                out[name] = item  # type: ignore[assignment] # `plain_json` says that it is its own JSON form
            elif item is not ABSENT:
                out[name] = convert(item)
        varying = self.variant_for(value.values)
        if varying is not None:
            out[self.names[-1]] = varying.to_json(value.values[-1])
        if value.trailing:
            out[TRAILING] = value.trailing.hex().upper()
        return out

    def from_json(self, value: JsonValue) -> Record:
        if not isinstance(value, dict):
            raise self.refuse(value, "named fields")
        trailing = octets_from_json(value[TRAILING]) if TRAILING in value else b""
        found: list[ZclValue] = []
        for name, declared in zip(self.names, self.kinds, strict=True):
            kind = (self.variant_for(found) or declared) if declared is self._variant else declared
            if name not in value:
                if not isinstance(kind, _Optional):
                    raise ZclEncodeError("missing field", path=name)
                found.append(ABSENT)
                continue
            try:
                found.append(kind.from_json(value[name]))
            except ZclEncodeError as error:
                raise error.within(name) from None
        for name in value:
            if name not in self.index and name != TRAILING:
                raise ZclEncodeError("unknown field", path=name, expected=", ".join(self.names) or "no field")
        self._refuse_gaps(found)
        return Record(self, tuple(found), trailing)

    def record(self, values: Mapping[str, FieldInput], *, trailing: bytes = b"") -> Record:
        """Values by name as a `Record`; ZclEncodeError for a name that is missing or not declared."""
        for name in values:
            if name not in self.index:
                raise ZclEncodeError("unknown field", path=name, expected=", ".join(self.names) or "no field")
        found: list[ZclValue] = []
        for name, kind in zip(self.names, self.kinds, strict=True):
            if name not in values:
                if not isinstance(kind, _Optional):
                    raise ZclEncodeError("missing field", path=name)
                found.append(ABSENT)
                continue
            actual = kind.pick(found[self.index[kind.on]]) if isinstance(kind, _Variant) else kind
            try:
                found.append(_adopt(actual, values[name]))
            except ZclEncodeError as error:
                raise error.within(name) from None
        self._refuse_gaps(found)
        return Record(self, tuple(found), trailing)

    def _refuse_gaps(self, found: Sequence[ZclValue]) -> None:
        if ABSENT not in found:
            return
        for place in range(1, len(found)):
            if found[place - 1] is ABSENT and found[place] not in (ABSENT, b"", ()):
                raise ZclEncodeError("a field stands behind a missing one", path=self.names[place])


def _adopt(kind: DataType, value: FieldInput) -> ZclValue:
    """`value` in the form in which the codec keeps it."""
    if isinstance(value, (int, bytes, str)) and not isinstance(kind, (_Optional, _List)):
        return value
    if isinstance(kind, _Optional) and value is not ABSENT:
        return _adopt(kind.kind, value)
    if isinstance(kind, _List):
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            raise kind.refuse(value, "a list")
        return tuple(_adopt(kind.element, item) for item in value)
    if isinstance(kind, Fields) and isinstance(value, Mapping):
        return kind.record(value)
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, (str, bytes))):
        raise kind.refuse(value, "a single value")
    return value


def _compile(kinds: Sequence[DataType]) -> Iterator[tuple[struct.Struct | None, tuple[DataType, ...]]]:
    """Runs of fields that one `Struct` reads, and single fields between them."""
    run: list[DataType] = []
    for kind in (*kinds, None):
        if kind is not None and kind.struct_code is not None:
            run.append(kind)
            continue
        if run:
            yield struct.Struct("<" + "".join(part.struct_code or "" for part in run)), tuple(run)
            run = []
        if kind is not None:
            yield None, (kind,)


def _paths(kind: DataType, before: str) -> Iterator[str]:
    match kind:
        case Fields():
            for name, inner in zip(kind.names, kind.kinds, strict=True):
                yield before + name
                yield from _paths(inner, f"{before}{name}.")
        case _Optional():
            yield from _paths(kind.kind, before)
        case _List():
            yield from _paths(kind.element, before)
        case _Variant():
            for inner in (*kind.kinds.values(), kind.otherwise):
                yield from _paths(inner, before)


class _Rest(DataType):
    """Everything that is left, as octets."""

    __slots__ = ()

    def decode(self, data: bytes, position: int, end: int) -> tuple[bytes, int]:
        return bytes(data[position:end]), end

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if not isinstance(value, bytes):
            raise self.refuse(value, "octets")
        out += value

    def to_json(self, value: ZclValue) -> JsonValue:
        if isinstance(value, bytes):
            return value.hex().upper()
        raise self.refuse(value, "octets")

    def from_json(self, value: JsonValue) -> ZclValue:
        return octets_from_json(value)


class _Optional(DataType):
    """A field that may be missing where the data ends."""

    __slots__ = ("kind",)

    def __init__(self, kind: DataType) -> None:
        super().__init__(f"optional {kind.name}", None)
        self.kind = kind

    def decode(self, data: bytes, position: int, end: int) -> tuple[ZclValue, int]:
        if position >= end:
            return ABSENT, position
        return self.kind.decode(data, position, end)

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if value is not ABSENT:
            self.kind.encode(value, out)

    def to_json(self, value: ZclValue) -> JsonValue:
        return self.kind.to_json(value)

    def from_json(self, value: JsonValue) -> ZclValue:
        return self.kind.from_json(value)


class _Variant(DataType):
    """A field whose type the value of an earlier field decides; `otherwise` is for all other values.

    `Fields` picks the type. By itself, without that earlier field, it is `otherwise`.
    """

    __slots__ = ("kinds", "on", "otherwise")

    def __init__(self, on: str, kinds: Mapping[int, DataType], otherwise: DataType) -> None:
        super().__init__(f"variant on {on}", None)
        self.on = on
        self.kinds = dict(kinds)
        self.otherwise = otherwise

    def pick(self, value: ZclValue) -> DataType:
        """The type of the field when the field `on` has this value."""
        return self.kinds.get(value, self.otherwise) if isinstance(value, int) else self.otherwise

    def decode(self, data: bytes, position: int, end: int) -> tuple[ZclValue, int]:
        return self.otherwise.decode(data, position, end)

    def encode(self, value: ZclValue, out: bytearray) -> None:
        self.otherwise.encode(value, out)

    def to_json(self, value: ZclValue) -> JsonValue:
        return self.otherwise.to_json(value)

    def from_json(self, value: JsonValue) -> ZclValue:
        return self.otherwise.from_json(value)


class _List(DataType):
    """What the two kinds of list share."""

    __slots__ = ("element",)

    def __init__(self, name: str, element: DataType) -> None:
        super().__init__(name, None)
        self.element = element

    def encode_elements(self, value: ZclValue, out: bytearray) -> None:
        if not isinstance(value, tuple):
            raise self.refuse(value, "a tuple")
        for place, item in enumerate(value):
            try:
                self.element.encode(item, out)
            except ZclEncodeError as error:
                raise error.within(f"[{place}]") from None

    def decode_element(self, data: bytes, position: int, end: int, place: int) -> tuple[ZclValue, int]:
        try:
            return self.element.decode(data, position, end)
        except ZclDecodeError as error:
            raise error.within(f"[{place}]") from None

    def to_json(self, value: ZclValue) -> JsonValue:
        if not isinstance(value, tuple):
            raise self.refuse(value, "a tuple")
        convert = self.element.to_json
        return [convert(item) for item in value]

    def from_json(self, value: JsonValue) -> ZclValue:
        if not isinstance(value, list):
            raise self.refuse(value, "a list")
        items: list[ZclValue] = []
        for place, item in enumerate(value):
            try:
                items.append(self.element.from_json(item))
            except ZclEncodeError as error:
                raise error.within(f"[{place}]") from None
        return tuple(items)


class _Counted(_List):
    """The number of elements, then the elements."""

    __slots__ = ("count",)

    def __init__(self, count: Integer, element: DataType) -> None:
        super().__init__(f"list of {element.name}", element)
        self.count = count

    def decode(self, data: bytes, position: int, end: int) -> tuple[tuple[ZclValue, ...], int]:
        number, position = self.count.decode(data, position, end)
        items: list[ZclValue] = []
        for place in range(number):
            item, position = self.decode_element(data, position, end, place)
            items.append(item)
        return tuple(items), position

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if isinstance(value, tuple):
            self.count.encode(len(value), out)
        self.encode_elements(value, out)


class _Exactly(_List):
    """A number of elements that is known beforehand."""

    __slots__ = ("number",)

    def __init__(self, number: int, element: DataType) -> None:
        super().__init__(f"{number} of {element.name}", element)
        self.number = number

    def decode(self, data: bytes, position: int, end: int) -> tuple[tuple[ZclValue, ...], int]:
        items: list[ZclValue] = []
        for place in range(self.number):
            item, position = self.decode_element(data, position, end, place)
            items.append(item)
        return tuple(items), position

    def encode(self, value: ZclValue, out: bytearray) -> None:
        if isinstance(value, tuple) and len(value) != self.number:
            raise self.refuse(value, f"{self.number} elements")
        self.encode_elements(value, out)


class _ToEnd(_List):
    """Elements up to the end of the data."""

    __slots__ = ()

    def decode(self, data: bytes, position: int, end: int) -> tuple[tuple[ZclValue, ...], int]:
        items: list[ZclValue] = []
        while position < end:
            item, position = self.decode_element(data, position, end, len(items))
            items.append(item)
        return tuple(items), position

    def encode(self, value: ZclValue, out: bytearray) -> None:
        self.encode_elements(value, out)


def fields(**kinds: DataType) -> Fields:
    """Declare a field list: `fields(tunnel_id=UInt16, data=rest())`."""
    return Fields(kinds)


def rest() -> DataType:
    """The rest of the payload as octets; the last field."""
    return _Rest("rest", None)


def optional(kind: DataType) -> DataType:
    """A field that senders of older versions leave out; only such fields may follow."""
    return _Optional(kind)


def variant(on: str, kinds: Mapping[int, DataType], otherwise: DataType | None = None) -> DataType:
    """A last field that depends on the earlier field `on`: `variant("calendar_type", {0: ..., 3: ...})`.

    Where `on` has a value that is not named the field is `otherwise`, by default the rest as octets.
    """
    return _Variant(on, kinds, rest() if otherwise is None else otherwise)


def counted(count: Integer, element: DataType) -> DataType:
    """A list behind its number of elements: `counted(UInt8, fields(...))`."""
    _must_take_space(element)
    return _Counted(count, element)


def exactly(number: int, element: DataType) -> DataType:
    """A list of so many elements, for a `variant` whose earlier field is their number."""
    _must_take_space(element)
    return _Exactly(number, element)


def to_end(element: DataType) -> DataType:
    """A list that fills the rest of the payload; the last field."""
    _must_take_space(element)
    return _ToEnd(f"list of {element.name} to the end", element)


def _must_take_space(element: DataType) -> None:
    """An element that may be empty would make an endless list out of a few octets."""
    if not _takes_space(element):
        raise ZclEncodeError("an element of a list must take space", found=element.name)


def _takes_space(kind: DataType) -> bool:
    if isinstance(kind, Fields):
        return any(_takes_space(part) for part in kind.kinds)
    return not isinstance(kind, (NoData, _Rest, _Optional, _ToEnd, _Variant))
