"""Readable trees of octets: which field stands where and what it says.

`Node` is the tree, `Cursor` builds one over octets that have been decoded, `TracingReader` remembers what was
read of octets that could not be, so that a person sees how far understanding went.

Knows no message: `smetslab.gbcs.describe` and `smetslab.gbcs.dlms.tree` do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

from smetslab.errors import GbcsDecodeError, joined
from smetslab.wire import Reader


@dataclass(frozen=True, slots=True)
class Node:
    """One field: `raw` is its octets, at `offset` from the start of the outermost message.

    The children of a node, where it has any, follow each other without a gap and cover it whole. A child
    that is `derived` is not part of that: it was made from its parent's octets (by decryption), and its
    offsets count from its own start. `error` says why the octets of this node, or of one below it, are not
    what they should be.
    """

    name: str
    offset: int
    raw: bytes
    text: str = ""
    children: tuple[Node, ...] = ()
    derived: bool = False
    error: GbcsDecodeError | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        return len(self.raw)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> Iterator[Node]:
        """The nodes that cover the octets of this one, each once: those without children of their own."""
        parts = [child for child in self.children if not child.derived]
        if not parts:
            yield self
        for child in parts:
            yield from child.leaves()


class Cursor:
    """Makes nodes over `data`, one after the other, from `position` on."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    def leaf(self, name: str, length: int, text: str = "") -> Node:
        """The next `length` octets."""
        start = self.position
        self.position = start + length
        return Node(name, start, self.data[start : self.position], text)

    def group(self, name: str, children: Iterable[Node], text: str = "") -> Node:
        """A node around `children`, made while they are taken or just before; without any it is empty."""
        inside = tuple(children)
        start = inside[0].offset if inside else self.position
        return Node(name, start, self.data[start : self.position], text, inside)


class TracingReader(Reader):
    """A reader that remembers each read: the field path it was for, where it began and ended."""

    __slots__ = ("_outer", "_reached", "reads")

    traces = True

    def __init__(self, data: bytes, *, position: int = 0, end: int | None = None) -> None:
        super().__init__(data, position=position, end=end)
        self.reads: list[tuple[str, int, int]] = []
        self._outer = ""
        self._reached = position

    @contextmanager
    def at(self, path: str) -> Iterator[None]:
        outer, self._outer = self._outer, joined(self._outer, path)
        with super().at(path):
            yield
        self._skip(self.position)
        self._outer = outer

    def take(self, count: int, path: str = "") -> bytes:
        start = self.position
        taken = super().take(count, path)
        self._remember(path, start)
        return taken

    def u8(self, path: str = "") -> int:
        start = self.position
        value = super().u8(path)
        self._remember(path, start)
        return value

    def expect(self, wanted: bytes, path: str, spec: str = "") -> None:
        start = self.position
        super().expect(wanted, path, spec)
        self._remember(path, start)

    def _remember(self, path: str, start: int) -> None:
        self._skip(start)
        self.reads.append((joined(self._outer, path), start, self.position))
        self._reached = self.position

    def _skip(self, start: int) -> None:
        """What was read without a name of its own, up to `start`."""
        if self._reached < start:
            self.reads.append((self._outer, self._reached, start))
            self._reached = start


_STEPS = re.compile(r"\[\d+\]|[^.\[]+")


def understood(
    data: bytes, start: int, end: int, reads: Iterable[tuple[str, int, int]], stop: int
) -> tuple[Node, ...]:
    """What `reads` understood of `data[start:end]` before `stop`, and one node for the rest."""
    known = [
        (_STEPS.findall(path) or ["octets"], first, last)
        for path, first, last in reads
        if start <= first < last <= stop
    ]
    nodes = list(_nest(data, known, 0))
    reached = nodes[-1].offset + nodes[-1].length if nodes else start
    if reached < end:
        nodes.append(Node("not decoded", reached, data[reached:end]))
    return tuple(nodes)


def _nest(data: bytes, reads: list[tuple[list[str], int, int]], depth: int) -> Iterator[Node]:
    """Nodes for reads whose paths agree up to `depth`; neighbours with the same next step share a node."""
    for step, group in groupby(reads, key=lambda read: read[0][depth] if len(read[0]) > depth else None):
        members = list(group)
        first, last = members[0][1], members[-1][2]
        raw = data[first:last]
        if step is None:
            yield Node("octets", first, raw)
        elif all(len(path) == depth + 1 for path, _, _ in members):
            yield Node(step, first, raw)
        else:
            yield Node(step, first, raw, children=tuple(_nest(data, members, depth + 1)))
