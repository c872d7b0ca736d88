"""Trees of DLMS content: every data item down to its members, under the names that a declaration gives.

What is decoded already is walked again beside its octets. The encoding is canonical, so each value says how
long it is; the tests hold the trees against the octets of every published message.

Spec: GBCS 7.3, 8.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from smetslab.crypto import TAG_BYTES
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.alert_codes import alert_text
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Apdu,
    Choice,
    DataAccessResult,
    DataNotification,
    Specification,
)
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
from smetslab.gbcs.dlms.forms import NamedList, OneOf
from smetslab.gbcs.dlms.protection import (
    DATA_PROTECTION_CLASS,
    GET_PROTECTED_ATTRIBUTES,
    ProtectedObject,
    ProtectedRead,
    is_sealed,
)
from smetslab.gbcs.dlms.shapes import (
    Code,
    Compact,
    Const,
    ListOf,
    Nullable,
    Num,
    Packed,
    Shape,
    Struct,
    kind_of,
)
from smetslab.gbcs.security import ENCRYPTED_HEADER
from smetslab.gbcs.tree import Cursor, Node
from smetslab.gbcs.values import HEX_PREFIX, Value, date_time_to_text
from smetslab.wire import ber_length

Open: TypeAlias = Callable[[bytes], bytes | str]
"""Decrypts protected octets: the plaintext, or why there is none."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the octets are that protect the values of `objects` (of unknown ones when None)."""

    objects: tuple[ProtectedObject, ...] | None


@dataclass(frozen=True, slots=True)
class ProtectedAnswer:
    """The structure that answers a protected read of `objects`."""

    objects: tuple[ProtectedObject, ...]


@dataclass(frozen=True, slots=True)
class SealedBody:
    """The structure of an alert that ends with protected values of `objects`."""

    head: Struct
    objects: tuple[ProtectedObject, ...]


Naming: TypeAlias = Shape | Sealed | ProtectedAnswer | SealedBody | None


@dataclass(frozen=True, slots=True)
class ItemNaming:
    """How to name one item of an access list; None where a declaration says nothing."""

    name: str
    command: Naming = None
    response: Naming = None
    selection: Naming = None


def item_naming(
    name: str,
    command: Shape | None,
    response: Shape | None,
    protected: ProtectedRead | None,
    selection: Shape | None,
) -> ItemNaming:
    """The naming of an item that is declared with these shapes."""
    if protected is not None:
        return ItemNaming(name, PROTECTED_REQUEST, ProtectedAnswer(protected.objects))
    return ItemNaming(name, command, response, selection)


PROTECTION_PARAMETERS = ListOf(
    Struct(
        {
            "protection": Num(Tag.ENUM, {2: "authentication and encryption"}),
            "options": Struct(
                {
                    "transaction_id": shapes.OCTETS,
                    "originator": shapes.EUI64,
                    "recipient": shapes.EUI64,
                    "other_information": shapes.OCTETS,
                    "key_information": Struct(
                        {
                            "kind": Num(Tag.ENUM, {2: "agreed key"}),
                            "options": Struct({"parameters": shapes.OCTETS, "ciphered_data": shapes.OCTETS}),
                        }
                    ),
                }
            ),
        }
    )
)

PROTECTED_REQUEST = Struct(
    {
        "objects": ListOf(
            Struct(
                {
                    "class": shapes.LONG_UNSIGNED,
                    "logical_name": shapes.LOGICAL_NAME,
                    "attribute": shapes.INTEGER,
                    "data_index": shapes.LONG_UNSIGNED,
                    "restriction": Struct(
                        {
                            "kind": Num(Tag.ENUM, {0: "none", 1: "by date"}),
                            "period": Nullable(Struct({"from": shapes.DATE_TIME, "to": shapes.DATE_TIME})),
                        }
                    ),
                }
            )
        ),
        "protection_parameters": PROTECTION_PARAMETERS,
    }
)


def apdu_nodes(
    cursor: Cursor, apdu: Apdu, items: tuple[ItemNaming | None, ...], open_sealed: Open
) -> tuple[Node, ...]:
    """The fields of `apdu`, whose octets start at the cursor. `items` name its items as far as they reach."""
    writer = _Writer(cursor, open_sealed)
    if isinstance(apdu, AccessRequest):
        return tuple(writer.request(apdu, items))
    if isinstance(apdu, AccessResponse):
        return tuple(writer.response(apdu, items))
    return tuple(writer.notification(apdu, items))


def apdu_kind(apdu: Apdu) -> str:
    """`access-request`, `access-response` or `data-notification`."""
    if isinstance(apdu, AccessRequest):
        return "access-request"
    return "access-response" if isinstance(apdu, AccessResponse) else "data-notification"


class _Writer:
    """Walks decoded values and octets side by side."""

    def __init__(self, cursor: Cursor, open_sealed: Open) -> None:
        self._cursor = cursor
        self._open = open_sealed

    # -- APDUs -------------------------------------------------------------------------------------------

    def request(self, apdu: AccessRequest, items: tuple[ItemNaming | None, ...]) -> Iterator[Node]:
        known = items[: len(apdu.specifications)] + (None,) * (len(apdu.specifications) - len(items))
        items = tuple([n or _undeclared(s) for n, s in zip(known, apdu.specifications, strict=True)])
        yield from self._head(apdu)
        yield self._cursor.group("access list", self._specifications(apdu.specifications, items))
        yield self._cursor.group("data list", self._data_list(apdu.data, items, "command"))

    def response(self, apdu: AccessResponse, items: tuple[ItemNaming | None, ...]) -> Iterator[Node]:
        yield from self._head(apdu)
        yield self._cursor.group("access list", self._specifications(apdu.specifications, ()))
        yield self._cursor.group("data list", self._data_list(apdu.data, items, "response"))
        yield self._cursor.group("result list", self._results(apdu.results, items))

    def notification(self, apdu: DataNotification, items: tuple[ItemNaming | None, ...]) -> Iterator[Node]:
        yield from self._head(apdu)
        name, naming = _name(items, 0, "notification body", "response")
        yield self.value(name, apdu.body, naming)

    def _head(self, apdu: Apdu) -> Iterator[Node]:
        yield self._cursor.leaf("tag", 1, apdu_kind(apdu))
        yield self._cursor.leaf("long-invoke-id-and-priority", 4, _invoke_id_text(apdu.long_invoke_id))
        yield self._cursor.leaf("date-time length", len(ber_length(len(apdu.date_time))))
        if apdu.date_time:
            yield self._cursor.leaf("date-time", len(apdu.date_time), date_time_to_text(apdu.date_time))

    def _count(self, count: int) -> Node:
        return self._cursor.leaf("count", len(ber_length(count)), str(count))

    def _specifications(
        self, specifications: tuple[Specification, ...], items: tuple[ItemNaming | None, ...]
    ) -> Iterator[Node]:
        yield self._count(len(specifications))
        for place, specification in enumerate(specifications):
            item = items[place] if place < len(items) else None
            name = f"[{place}]" if item is None else item.name
            selection = None if item is None else item.selection
            parts = self._specification(specification, selection)
            text = str(specification)
            yield self._cursor.group(name, parts, "" if name == text else text)

    def _specification(self, specification: Specification, selection: Naming) -> Iterator[Node]:
        leaf = self._cursor.leaf
        yield leaf("choice", 1, _words(specification.choice.name))
        yield leaf("class", 2, str(specification.class_id))
        yield leaf("logical name", 6, str(specification.obis))
        yield leaf(
            "method" if specification.choice is Choice.ACTION else "attribute", 1, str(specification.index)
        )
        if specification.selector is not None and specification.parameters is not None:
            yield leaf("selector", 1, str(specification.selector))
            yield self.value("selection", specification.parameters, selection)

    def _data_list(
        self, data: tuple[Data, ...], items: tuple[ItemNaming | None, ...], direction: str
    ) -> Iterator[Node]:
        yield self._count(len(data))
        for place, value in enumerate(data):
            name, naming = _name(items, place, f"[{place}]", direction)
            yield self.value(name, value, None if isinstance(value, axdr.Null) else naming)

    def _results(
        self, results: tuple[AccessResult, ...], items: tuple[ItemNaming | None, ...]
    ) -> Iterator[Node]:
        yield self._count(len(results))
        for place, result in enumerate(results):
            name, _ = _name(items, place, f"[{place}]", "response")
            outcome = _result_text(result.result)
            parts = (
                self._cursor.leaf("choice", 1, _words(result.choice.name)),
                self._cursor.leaf("result", 1, outcome),
            )
            yield self._cursor.group(name, parts, outcome)

    # -- Data --------------------------------------------------------------------------------------------

    def value(
        self, name: str, value: Data, naming: Naming = None, described: TypeDescription | None = None
    ) -> Node:
        """One value; without its tag where it is an element whose type is `described`."""
        if isinstance(naming, Nullable):
            naming = None if isinstance(value, axdr.Null) else naming.shape
        if isinstance(naming, OneOf):
            naming = naming.of_data(value)
        if isinstance(value, CompactArray):
            return self._cursor.group(name, self._compact_array(value, naming), kind_of(value))
        if isinstance(value, Sequence):
            return self._cursor.group(name, self._sequence(value, naming, described), kind_of(value))
        size = len(axdr.encode_data(value)) - (0 if described is None else 1)
        if isinstance(value, Octets) and described is None:
            if isinstance(naming, Sealed):
                return self._cursor.group(name, self._sealed(value.value, naming, size), "protected octets")
            if isinstance(naming, Packed) and _is_packed(value, naming):
                return self._cursor.group(name, self._packed(value, naming, size), kind_of(value))
        return self._cursor.leaf(name, size, value_text(value, naming))

    def _sequence(self, value: Sequence, naming: Naming, described: TypeDescription | None) -> Iterator[Node]:
        if described is None:
            head = 1 + len(ber_length(len(value.items)))
            yield self._cursor.leaf("type and count", head, kind_of(value))
        names = _member_names(value, naming)
        for place, item in enumerate(value.items):
            inner: TypeDescription | None = None
            if isinstance(described, StructureDescription):
                inner = described.elements[place]
            elif isinstance(described, ArrayDescription):
                inner = described.element
            member_name, member_naming = names[place]
            yield self.value(member_name, item, member_naming, inner)

    def _compact_array(self, value: CompactArray, naming: Naming) -> Iterator[Node]:
        whole = len(axdr.encode_data(value))
        description = len(axdr.encode_data(CompactArray(value.description, ()))) - 2
        length = whole - 1 - description - axdr.contents_length(value)
        yield self._cursor.leaf("type", 1, "compact-array")
        yield self._cursor.leaf("type description", description, description_text(value.description))
        yield self._cursor.leaf("length", length)
        element = naming.element if isinstance(naming, Compact) else None
        for place, item in enumerate(value.elements):
            yield self.value(f"[{place}]", item, element, value.description)

    def _packed(self, value: Octets, naming: Packed, size: int) -> Iterator[Node]:
        yield self._cursor.leaf("type and length", size - len(value.value), kind_of(value))
        fields = naming.decode(value, "")
        texts = fields if isinstance(fields, dict) else {}
        for name, octets, _ in naming.fields:
            yield self._cursor.leaf(name, octets, _shown(texts.get(name)))

    def _sealed(self, octets: bytes, naming: Sealed, size: int) -> Iterator[Node]:
        yield self._cursor.leaf("type and length", size - len(octets), f"octet-string of {len(octets)}")
        if not octets.startswith(ENCRYPTED_HEADER) or len(octets) < len(ENCRYPTED_HEADER) + TAG_BYTES:
            yield self._cursor.leaf("octets", len(octets), "not protected content")
            return
        yield self._cursor.leaf("security header", len(ENCRYPTED_HEADER), "authentication and encryption")
        opened = self._open(octets)
        secret = len(octets) - len(ENCRYPTED_HEADER) - TAG_BYTES
        yield self._cursor.leaf(
            "ciphertext", secret, opened if isinstance(opened, str) else "decrypted below"
        )
        yield self._cursor.leaf("tag", TAG_BYTES)
        if isinstance(opened, bytes):
            yield self._plaintext(opened, naming)

    def _plaintext(self, plaintext: bytes, naming: Sealed) -> Node:
        try:
            data = axdr.decode_data(plaintext, path="plaintext")
        except GbcsDecodeError as error:
            return Node("plaintext", 0, plaintext, f"not decodable: {error}", derived=True, error=error)
        inner = _Writer(Cursor(plaintext), self._open)
        objects = naming.objects or ()
        shape = None
        if isinstance(data, Sequence) and len(objects) == len(data.items):
            shape = Struct({item.name: item.shape for item in objects})
        node = inner.value("plaintext", data, shape)
        return Node(node.name, node.offset, node.raw, node.text, node.children, derived=True)


def _undeclared(specification: Specification) -> ItemNaming:
    """What the data of an item is called that no declaration names."""
    protected = (
        specification.choice is Choice.ACTION
        and specification.class_id == DATA_PROTECTION_CLASS
        and specification.index == GET_PROTECTED_ATTRIBUTES
    )
    return ItemNaming(str(specification), PROTECTED_REQUEST if protected else None)


def _name(
    items: tuple[ItemNaming | None, ...], place: int, otherwise: str, direction: str
) -> tuple[str, Naming]:
    item = items[place] if place < len(items) else None
    if item is None:
        return otherwise, None
    return item.name, item.command if direction == "command" else item.response


def _member_names(value: Sequence, naming: Naming) -> list[tuple[str, Naming]]:
    """Name and naming of each member, as far as `naming` fits."""
    count = len(value.items)
    if isinstance(naming, ProtectedAnswer) and count == 2:
        return [("protection_parameters", PROTECTION_PARAMETERS), ("protected", Sealed(naming.objects))]
    element = naming.element if isinstance(naming, ListOf) and value.tag is Tag.ARRAY else None
    names: list[tuple[str, Naming]] = [(f"[{place}]", element) for place in range(count)]
    if isinstance(naming, Struct) and value.tag is Tag.STRUCTURE:
        names[: len(naming.members)] = naming.members[:count]
    if isinstance(naming, NamedList) and value.tag is Tag.ARRAY:
        names[: len(naming.names)] = [(name, naming.element) for name in naming.names[:count]]
    for place, (first, second) in enumerate(pairwise(value.items)):
        if names[place][1] is None and is_sealed(first, second):
            names[place] = ("protection_parameters", PROTECTION_PARAMETERS)
            names[place + 1] = ("protected", Sealed(None))
    return names


def _is_packed(value: Octets, naming: Packed) -> bool:
    return value.tag is Tag.OCTET_STRING and len(value.value) == naming.length


def value_text(value: Data, naming: Naming = None) -> str:
    """What a simple value says, in the words of its declaration where it has one that fits."""
    if naming is None or isinstance(naming, (Sealed, ProtectedAnswer, SealedBody)):
        return plain_text(value)
    if isinstance(naming, Const):
        return (
            f"{plain_text(value)}, {'as declared' if value == naming.data else 'not the declared constant'}"
        )
    try:
        text = _shown(naming.decode(value, ""))
    except GbcsDecodeError as error:
        return f"{plain_text(value)}, expected {error.expected}"
    if isinstance(naming, Code) and isinstance(value, Number):
        return alert_text(value.value)
    unit = getattr(naming, "unit", "")
    return f"{text} {unit}" if unit else text


def plain_text(value: Data) -> str:
    """A simple value with its type."""
    kind = kind_of(value)
    match value:
        case Number():
            return f"{value.value} ({kind})"
        case Boolean():
            return f"{'true' if value.value else 'false'} ({kind})"
        case BitString():
            return f"{_shown(shapes.BIT_STRING.decode(value, ''))} ({kind})"
        case Octets():
            return _octets_text(value, kind)
    return kind


def _octets_text(value: Octets, kind: str) -> str:
    if len(value.value) == 12:
        text = date_time_to_text(value.value)
        if not text.startswith(HEX_PREFIX):
            return f"{text} ({kind})"
    try:
        text = value.value.decode("utf-8" if value.tag is Tag.UTF8_STRING else "ascii")
    except UnicodeDecodeError:
        return kind
    return f'"{text}" ({kind})' if text and text.isprintable() else kind


def description_text(description: TypeDescription) -> str:
    """A type description in words: `{double-long-unsigned, array of 48 double-long-unsigned}`."""
    if isinstance(description, StructureDescription):
        return "{" + ", ".join([description_text(member) for member in description.elements]) + "}"
    if isinstance(description, ArrayDescription):
        return f"array of {description.count} {description_text(description.element)}"
    return _words(description.name)


def _shown(value: Value) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join([f"{name} {_shown(inner)}" for name, inner in value.items()])
    if isinstance(value, list):
        return ", ".join([_shown(inner) for inner in value]) or "none"
    return str(value)


def _words(name: str) -> str:
    return name.lower().replace("_", "-")


def _result_text(result: int) -> str:
    try:
        return _words(DataAccessResult(result).name)
    except ValueError:
        return f"result {result}"


def _invoke_id_text(value: int) -> str:
    priority = "break on error" if value >> 24 == 0x20 else f"priority octet {value >> 24:02X}"
    return f"{priority}, low 24 bits of the counter {value & 0xFFFFFF}"
