"""How two messages differ, field by field.

Fields are paired by their names; members of a list, which have numbers only, by what they say, so that an
entry more does not make all that follow differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest

from smetslab.errors import CodecError, SecurityError
from smetslab.gbcs.describe import describe
from smetslab.gbcs.keys import KeyLookup, opening_secret
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.tree import Node
from smetslab.gbcs.values import to_hex

_STEP = " > "
_LONG = 32
_MOST_PAIRINGS = 10_000
"""Lists that differ over more than a hundred members each are paired by place: the time of a search for the
best pairs grows with the third power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that differs; None on the side that does not have it."""

    path: str
    left: str | None
    right: str | None
    left_offset: int | None
    right_offset: int | None


def compare(left: bytes, right: bytes, keys: KeyLookup | None = None) -> tuple[Difference, ...]:
    """The fields in which two messages differ, in order. Octets that are no message are compared too.

    With keys what is protected in both is compared in clear, too; its offsets count in the plaintext. Where
    one of two equally long messages cannot be read to its end, the fields are those of the other.
    """
    ours, theirs = _described(left, keys), _described(right, keys)
    if len(left) == len(right) and (ours.error is None) != (theirs.error is None):
        guide = ours if ours.error is None else theirs
        return tuple(_by_place(guide, left, right, ""))
    return tuple(_differences(ours, theirs, ""))


def _described(data: bytes, keys: KeyLookup | None) -> Node:
    secret: bytes | None = None
    if keys is not None:
        try:
            secret = opening_secret(decode_message(data), keys)
        except (CodecError, SecurityError):  # what cannot be opened is compared as it is
            secret = None
    return describe(data, secret_for=lambda device, party: secret)


def _by_place(guide: Node, left: bytes, right: bytes, path: str) -> Iterator[Difference]:
    """The fields of `guide` whose octets differ."""
    parts = _parts(guide)
    for part in parts:
        yield from _by_place(part, left, right, f"{path}{_STEP}{part.name}" if path else part.name)
    start, stop = guide.offset, guide.offset + guide.length
    if not parts and left[start:stop] != right[start:stop]:
        yield Difference(
            path=path,
            left=_octets(left[start:stop]),
            right=_octets(right[start:stop]),
            left_offset=start,
            right_offset=start,
        )


def _differences(left: Node, right: Node, path: str) -> Iterator[Difference]:
    if left.raw == right.raw:
        return
    ours, theirs = _parts(left), _parts(right)
    if not ours or not theirs:
        yield Difference(
            path=path or "message",
            left=_shown(left, right),
            right=_shown(right, left),
            left_offset=left.offset,
            right_offset=right.offset,
        )
        return
    clear = _pairs(_derived(left), _derived(right))
    for one, other in (*_pairs(ours, theirs), *clear):
        present = one or other
        below = f"{path}{_STEP}{present.name}" if path and present else (present.name if present else path)
        if one is not None and other is not None:
            yield from _differences(one, other, below)
        else:
            yield Difference(
                path=below,
                left=None if one is None else _shown(one),
                right=None if other is None else _shown(other),
                left_offset=None if one is None else one.offset,
                right_offset=None if other is None else other.offset,
            )


def _parts(node: Node) -> list[Node]:
    return [child for child in node.children if not child.derived]


def _derived(node: Node) -> list[Node]:
    return [child for child in node.children if child.derived]


def _pairs(left: Sequence[Node], right: Sequence[Node]) -> Iterator[tuple[Node | None, Node | None]]:
    """Which field of the one is which of the other."""
    same = _agreeing(left, right)
    yield from zip(left[:same], right[:same], strict=True)
    left, right = left[same:], right[same:]
    same = _agreeing(left[::-1], right[::-1])
    yield from _unlike_pairs(left[: len(left) - same], right[: len(right) - same])
    yield from zip(left[len(left) - same :], right[len(right) - same :], strict=True)


def _agreeing(left: Sequence[Node], right: Sequence[Node]) -> int:
    """How many fields from the first one on have the same key."""
    return sum(
        1 for _ in takewhile(lambda pair: _key(pair[0]) == _key(pair[1]), zip(left, right, strict=False))
    )


def _unlike_pairs(left: Sequence[Node], right: Sequence[Node]) -> Iterator[tuple[Node | None, Node | None]]:
    """The pairs between the equal ends."""
    if len(left) * len(right) > _MOST_PAIRINGS:
        yield from zip_longest(left, right)
        return
    matcher = SequenceMatcher(None, [_key(one) for one in left], [_key(one) for one in right], autojunk=False)
    for kind, first, last, start, stop in matcher.get_opcodes():
        ours, theirs = left[first:last], right[start:stop]
        if kind == "equal":
            yield from zip(ours, theirs, strict=True)
            continue
        shared = min(len(ours), len(theirs))
        for one, other in zip(ours[:shared], theirs[:shared], strict=True):
            if _is_numbered(one) == _is_numbered(other) and (_is_numbered(one) or one.name == other.name):
                yield one, other
            else:
                yield one, None
                yield None, other
        for one in ours[shared:]:
            yield one, None
        for other in theirs[shared:]:
            yield None, other


def _is_numbered(node: Node) -> bool:
    return node.name.startswith("[")


def _key(node: Node) -> str | bytes:
    """What pairs a field: its name, or for a member of a list what it says."""
    return node.raw if _is_numbered(node) else node.name


def _shown(node: Node, beside: Node | None = None) -> str:
    """What a field says; its octets too, where the words do not tell the difference."""
    octets = _octets(node.raw)
    if not node.text:
        return octets
    if beside is not None and beside.text == node.text:
        return f"{node.text} [{octets}]"
    return node.text


def _octets(raw: bytes) -> str:
    return to_hex(raw[:_LONG]) + ("..." if len(raw) > _LONG else "")
