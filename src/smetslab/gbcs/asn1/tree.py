"""Trees of ASN.1 content: every element with its tag and length, under the names of the schema.

Spec: GBCS Annex 3; X.690 8.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from smetslab.gbcs.alert_codes import alert_text
from smetslab.gbcs.asn1.codec import types
from smetslab.gbcs.asn1.constructed import Choice, Sequence, SequenceOf
from smetslab.gbcs.asn1.der import Asn1Type
from smetslab.gbcs.asn1.der import Cursor as DerCursor
from smetslab.gbcs.asn1.primitives import Number
from smetslab.gbcs.tree import Cursor, Node
from smetslab.gbcs.values import HEX_PREFIX, Value
from smetslab.wire import Reader

_LONG = 40
_CONSTRUCTED = 0x20
_MAX_DEPTH = 32


def element_nodes(cursor: Cursor, length: int, type_name: str) -> Iterator[Node]:
    """The fields of content that is one element of the type, whose octets start at the cursor.

    Raises GbcsDecodeError for content that is none.
    """
    start = cursor.position
    reader = _Writer(cursor, DerCursor(cursor.data[start : start + length]), start)
    yield from reader.inside(types()[type_name], length)


def tag_nodes(cursor: Cursor, length: int) -> Iterator[Node]:
    """The elements of content of an unknown type by their tags.

    Raises GbcsDecodeError for content that is no row of elements.
    """
    yield from _tags(cursor, cursor.position + length, _MAX_DEPTH)


def _tags(cursor: Cursor, end: int, depth: int) -> Iterator[Node]:
    while cursor.position < end:
        start = cursor.position
        reader = Reader(cursor.data, position=start, end=end)
        tag = reader.u8("tag")
        length = reader.ber_length("length")
        head = reader.position - start
        reader.take(length, "contents")
        if tag & _CONSTRUCTED and length and depth:
            parts = [cursor.leaf("tag and length", head), *_tags(cursor, start + head + length, depth - 1)]
            yield cursor.group(f"element {tag:02X}", parts)
        else:
            yield cursor.leaf(f"element {tag:02X}", head + length)


class _Writer:
    """Walks types and octets side by side. Places of the DER cursor count from `base`."""

    def __init__(self, cursor: Cursor, der: DerCursor, base: int) -> None:
        self._cursor = cursor
        self._der = der
        self._base = base

    def inside(self, kind: Asn1Type, end: int) -> Iterator[Node]:
        """The head of an element and what is in it, without a group around them."""
        position = self._cursor.position - self._base
        if isinstance(kind, Choice):
            tag = self._der.data[position] if position < end else -1
            if tag in kind.by_tag:
                name, chosen = kind.by_tag[tag]
                yield self._node(name, chosen, end)
                return
        if not isinstance(kind, (Sequence, SequenceOf)):
            yield self._leaf("value", kind, end)
            return
        start, stop = self._der.open(position, end, kind.tag, kind.label)
        yield self._cursor.leaf("tag and length", start - position, kind.label)
        yield from self._members(kind, stop) if isinstance(kind, Sequence) else self._elements(kind, stop)

    def _members(self, kind: Sequence, stop: int) -> Iterator[Node]:
        for member in kind.members:
            position = self._cursor.position - self._base
            if member.can_be_absent and (
                position >= stop or self._der.data[position] not in member.type.tags
            ):
                continue
            yield self._node(member.name, member.type, stop)

    def _elements(self, kind: SequenceOf, stop: int) -> Iterator[Node]:
        place = 0
        while self._cursor.position - self._base < stop:
            yield self._node(f"[{place}]", kind.element, stop)
            place += 1

    def _node(self, name: str, kind: Asn1Type, end: int) -> Node:
        if isinstance(kind, (Sequence, SequenceOf, Choice)):
            return self._cursor.group(name, self.inside(kind, end))
        return self._leaf(name, kind, end)

    def _leaf(self, name: str, kind: Asn1Type, end: int) -> Node:
        position = self._cursor.position - self._base
        value, stop = kind.decode(self._der, position, end)
        text = _shown(value)
        if isinstance(kind, Number) and kind.form == "code":
            text = alert_text(int(text, 16))
        return self._cursor.leaf(name, stop - position, f"{text} ({kind.label})")


def _shown(value: Value) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return ", ".join([_shown(inner) for inner in value]) or "none"
    text = str(value).removeprefix(HEX_PREFIX)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
