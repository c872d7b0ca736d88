"""How two messages differ, field by field.

Fields are paired by their names; members of a list, which have numbers only, by what they say, so that an
entry more does not make all that follow differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from smetslab.gbcs.describe import describe
from smetslab.gbcs.tree import Node
from smetslab.gbcs.values import to_hex

_STEP = " > "
_LONG = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that differs; None on the side that does not have it."""

    path: str
    left: str | None
    right: str | None
    left_offset: int | None
    right_offset: int | None


def compare(left: bytes, right: bytes) -> tuple[Difference, ...]:
    """The fields in which two messages differ, in order. Octets that are no message are compared too."""
    return tuple(_differences(describe(left), describe(right), ""))


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
    for one, other in _pairs(ours, theirs):
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


def _pairs(left: Sequence[Node], right: Sequence[Node]) -> Iterator[tuple[Node | None, Node | None]]:
    """Which field of the one is which of the other."""
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
    octets = to_hex(node.raw[:_LONG]) + ("..." if len(node.raw) > _LONG else "")
    if not node.text:
        return octets
    if beside is not None and beside.text == node.text:
        return f"{node.text} [{octets}]"
    return node.text
