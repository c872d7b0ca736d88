"""Holes whose value several elements make together.

Spec: DUIS to GBCS transformation rules as they follow from the published templates and their messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from smetslab.duis.srv.forms import seconds_after
from smetslab.duis.srv.holes import At, items_of
from smetslab.duis.srv.simple import Refusal
from smetslab.duis.srv.template import (
    ABSENT,
    Built,
    Found,
    Hole,
    NoMatch,
    Run,
    Scope,
    Stand,
    Template,
    below,
    build,
    match,
    shown,
    uses,
)
from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.values import Value, parse_utc, utc_text


@dataclass(frozen=True, slots=True)
class Joined(Hole):
    """Texts of elements, each of `length` characters, one behind the other. Only the last may be absent."""

    paths: tuple[str, ...]
    length: int

    def build(self, scope: Scope) -> Built:
        text = ""
        for path in self.paths:
            value = At(path, absent="").build(scope)
            text += value if isinstance(value, str) else ""
        return text

    def match(self, value: Value, stand: Stand) -> None:
        if not isinstance(value, str) or not value or len(value) % self.length:
            raise NoMatch("text")
        parts = [value[at : at + self.length] for at in range(0, len(value), self.length)]
        if len(parts) > len(self.paths):
            raise NoMatch("text")
        for path, part in zip(self.paths, parts, strict=False):
            stand.put(path, part)

    def missing(self, stand: Stand) -> None:
        raise NoMatch(self.paths[0])

    def uses(self) -> Iterator[str]:
        yield from self.paths


@dataclass(frozen=True, slots=True)
class Later(Hole):
    """The moment so many seconds after another element; the other one stands before it in the template."""

    moment: str
    seconds: str

    def build(self, scope: Scope) -> Built:
        start, _ = scope.find(self.moment)
        seconds, path = scope.find(self.seconds)
        if start is ABSENT or seconds is ABSENT:
            raise scope.fail("element missing", path)
        end = seconds_after(start, seconds)
        if end is None:
            raise scope.fail("the interval ends behind the last year", path, found=f"{start} and {seconds} s")
        scope.reading.origins.setdefault(scope.place, shown(path))
        return utc_text(end)

    def match(self, value: Value, stand: Stand) -> None:
        try:
            width = parse_utc(value) - parse_utc(stand.get(self.moment))
        except GbcsEncodeError as error:
            raise NoMatch(self.moment) from error
        stand.put(self.seconds, int(width.total_seconds()))

    def missing(self, stand: Stand) -> None:
        raise NoMatch(self.seconds)

    def uses(self) -> Iterator[str]:
        yield self.seconds


@dataclass(frozen=True, slots=True)
class DayBits(Hole):
    """Which special days an entry of a schedule is for: a bit for each day of the table, first day first.

    `days` is the table with the attribute `by`; `applicable` the list in the entry, `name` the member that
    names a day of the table there. Spec: GBCS 4.7; IEC 62056-6-2 (class 10, exec_specialdays).
    """

    days: str
    by: str
    applicable: str
    name: str

    def build(self, scope: Scope) -> Built:
        table = [
            item.get(self.by) for item, _ in items_of(scope, self.days, self.by) if isinstance(item, dict)
        ]
        wanted: set[Value] = set()
        for item, path in items_of(scope, self.applicable, None):
            number = item.get(self.name) if isinstance(item, dict) else None
            scope.reading.read.add((*path, self.name))
            if number not in table:
                raise scope.fail(
                    "no such special day in this request",
                    (*path, self.name),
                    expected=", ".join(map(str, table)) or "none",
                    found=str(number),
                )
            if number in wanted:
                raise scope.fail("the special day is named twice", path, found=str(number))
            wanted.add(number)
        return "".join("1" if number in wanted else "0" for number in table)

    def match(self, value: Value, stand: Stand) -> None:
        if not isinstance(value, str) or value.strip("01"):
            raise NoMatch("bits")
        table = stand.resolve(self.days)
        numbers = [
            number
            for path, number in stand.found.entries.items()
            if path[:-2] == table and path[-1] == self.by
        ]
        if len(numbers) != len(value):
            raise NoMatch("special days")
        path = stand.resolve(self.applicable)
        for depth in range(len(stand.path) + 1, len(path)):
            stand.found.entries.setdefault(path[:depth], {})
        chosen = [number for number, bit in zip(numbers, value, strict=True) if bit == "1"]
        for place, number in enumerate(chosen):
            stand.found.put((*path, place, self.name), number)

    def missing(self, stand: Stand) -> None:
        raise NoMatch(self.applicable)

    def uses(self) -> Iterator[str]:
        yield below(self.applicable, self.name)


@dataclass(frozen=True, slots=True)
class Samples(Hole):
    """How many samples a window has, one every so many seconds, both ends counted.

    Spec: GBCS use cases GCS17 and GCS61 (number of samples); published messages.
    """

    start: str
    end: str
    every_s: int

    def build(self, scope: Scope) -> Built:
        (start, _), (end, path) = scope.find(self.start), scope.find(self.end)
        if start is ABSENT or end is ABSENT:
            raise scope.fail("element missing", path)
        count = int((parse_utc(end) - parse_utc(start)).total_seconds()) // self.every_s + 1
        if count < 1:
            raise scope.fail("the period ends before it begins", path, found=f"{start} to {end}")
        scope.reading.origins.setdefault(scope.place, shown(path))
        return count

    def match(self, value: Value, stand: Stand) -> None:
        if not isinstance(value, int) or value < 1:
            raise NoMatch(self.end)
        try:
            moment = seconds_after(stand.get(self.start), (value - 1) * self.every_s)
        except GbcsEncodeError as error:
            raise NoMatch(self.start) from error
        if moment is None:
            raise NoMatch(self.end)
        stand.put(self.end, utc_text(moment))

    def missing(self, stand: Stand) -> None:
        raise NoMatch(self.end)

    def uses(self) -> Iterator[str]:
        yield self.end


@dataclass(frozen=True, slots=True)
class Grouped(Run):
    """One item for each group that an element falls into; the template sees the groups, not the element.

    `split` makes the groups of an element, `join` the element of the groups; both raise Refusal.
    """

    path: str
    split: Callable[[Value], list[Value]]
    join: Callable[[list[Value]], Value]
    template: Template

    def build_items(self, scope: Scope, start: int) -> list[Value]:
        found, path = scope.find(self.path)
        if found is ABSENT:
            raise scope.fail("element missing", path)
        scope.consume(found, path)
        try:
            groups = self.split(found)
        except Refusal as refusal:
            raise scope.fail("cannot be said in the command", path, expected=refusal.expected) from None
        result: list[Value] = []
        for position, group in enumerate(groups):
            inner = scope.item(group, path, position, f"{scope.place}[{start + position}]")
            value = build(self.template, inner)
            if value is not ABSENT:
                result.append(value)
        return result

    def match_items(self, items: Sequence[Value], stand: Stand) -> int:
        groups: list[Value] = []
        for item in items:
            found = Found()
            match(self.template, item, Stand((), found))
            groups.append(found.elements())
            for name, value in found.facts.items():
                stand.found.fact(name, value)
        try:
            stand.put(self.path, self.join(groups))
        except Refusal as refusal:
            raise NoMatch(refusal.expected) from None
        return len(items)

    def uses(self) -> Iterator[str]:
        yield self.path


@dataclass(frozen=True, slots=True)
class NotEmpty(Hole):
    """A list with at least one item; `path` is the element that says none of them otherwise."""

    path: str
    items: tuple[Template, ...]

    def build(self, scope: Scope) -> Built:
        result = build(self.items, scope)
        if not result:
            _, path = scope.find(self.path)
            expected = " or ".join(sorted({name.rpartition(".")[2].rstrip("?") for name in self.uses()}))
            raise scope.fail("element missing", path, expected=expected)
        return result

    def match(self, value: Value, stand: Stand) -> None:
        match(self.items, value, stand)

    def missing(self, stand: Stand) -> None:
        raise NoMatch(self.path)

    def uses(self) -> Iterator[str]:
        yield from uses(self.items)
