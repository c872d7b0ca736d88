"""The kinds of holes in templates.

Spec: DUIS to GBCS transformation rules as they follow from the published templates and their messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from smetslab.duis.srv.forms import SAME, Form
from smetslab.duis.srv.simple import Refusal
from smetslab.duis.srv.template import (
    ABSENT,
    Built,
    Hole,
    NoMatch,
    Path,
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
from smetslab.gbcs.values import Value


class _Necessity(Enum):
    REQUIRED = "required"


REQUIRED: Final = _Necessity.REQUIRED
Otherwise: TypeAlias = "Template | Literal[_Necessity.REQUIRED]"
"""What is said where an element is missing; REQUIRED: it may not be."""


@dataclass(frozen=True, slots=True)
class At(Hole):
    """The value of an element, in another form where the command has one.

    `absent` is what the command says when there is no such element: a value, or ABSENT to say nothing.
    """

    path: str
    form: Form = SAME
    absent: Otherwise = REQUIRED

    def build(self, scope: Scope) -> Built:
        found, path = scope.find(self.path)
        if found is ABSENT:
            if self.absent is REQUIRED:
                raise scope.fail("element missing", path, expected="what the command has to say")
            return build(self.absent, scope)
        scope.consume(found, path)
        scope.reading.origins.setdefault(scope.place, shown(path))
        try:
            return self.form.to_parameter(found)
        except Refusal as refusal:
            raise scope.fail(
                "cannot be said in the command", path, expected=refusal.expected, found=repr(found)[:60]
            ) from None

    def match(self, value: Value, stand: Stand) -> None:
        if self.absent not in (REQUIRED, ABSENT) and value == self.absent:
            return
        try:
            stand.put(self.path, self.form.to_element(value))
        except Refusal as refusal:
            raise NoMatch(refusal.expected) from None

    def missing(self, stand: Stand) -> None:
        del stand
        if self.absent is not ABSENT:
            raise NoMatch(self.path)

    def uses(self) -> Iterator[str]:
        yield self.path


def items_of(scope: Scope, path: str, by: str | None) -> list[tuple[Value, Path]]:
    """The items of a repeated element, in the order of their attribute `by` where it has one."""
    found, steps = scope.find(path)
    given = [] if found is ABSENT else found if isinstance(found, list) else [found]
    items: list[tuple[Value, Path]] = [
        (item, (*steps, place) if isinstance(found, list) else steps) for place, item in enumerate(given)
    ]
    if by is None:
        return items
    seen: dict[int, tuple[Value, Path]] = {}
    for item, where in items:
        scope.reading.read.add((*where, by))
        number = item.get(by) if isinstance(item, dict) else None
        if not isinstance(number, int):
            raise scope.fail("attribute missing", (*where, by))
        if number in seen:
            raise scope.fail(
                f"two elements have this {by.removeprefix('@')}",
                where,
                expected="each once",
                found=str(number),
            )
        seen[number] = (item, where)
    return [seen[number] for number in sorted(seen)]


@dataclass(frozen=True, slots=True)
class ForEach(Run):
    """One item for each element of a list; `by` names the attribute that gives their order."""

    path: str
    template: Template
    by: str | None = None

    def build_items(self, scope: Scope, start: int) -> list[Value]:
        result: list[Value] = []
        for position, (item, path) in enumerate(items_of(scope, self.path, self.by)):
            place = f"{scope.place}[{start + position}]"
            value = build(self.template, scope.item(item, path, position, place))
            if value is not ABSENT:
                result.append(value)
        return result

    def match_items(self, items: Sequence[Value], stand: Stand) -> int:
        path = stand.resolve(self.path)
        for depth in range(len(stand.path) + 1, len(path)):
            stand.found.entries.setdefault(path[:depth], {})
        for position, item in enumerate(items):
            saved = stand.found.save()
            try:
                match(self.template, item, Stand((*path, position), stand.found, position))
            except NoMatch:
                stand.found.restore(saved)
                return position
        return len(items)

    def uses(self) -> Iterator[str]:
        if self.by is not None:
            yield below(self.path, self.by)
        yield self.path + "[]"
        for inner in uses(self.template):
            yield below(self.path, inner)


@dataclass(frozen=True, slots=True)
class Items(Run):
    """Several items that stand or fall together with a condition, or are tried one after another."""

    items: tuple[Template, ...]

    def build_items(self, scope: Scope, start: int) -> list[Value]:
        result: list[Value] = []
        for item in self.items:
            value = build(item, scope.at(f"{scope.place}[{start + len(result)}]"))
            if value is not ABSENT:
                result.append(value)
        return result

    def match_items(self, items: Sequence[Value], stand: Stand) -> int:
        if len(items) < len(self.items):
            raise NoMatch("items")
        for item, value in zip(self.items, items, strict=False):
            match(item, value, stand)
        return len(self.items)

    def uses(self) -> Iterator[str]:
        for item in self.items:
            yield from uses(item)


@dataclass(frozen=True, slots=True)
class Repeat(Run):
    """The same item a fixed number of times; `Position` tells them apart."""

    times: int
    template: Template

    def build_items(self, scope: Scope, start: int) -> list[Value]:
        result: list[Value] = []
        for position in range(self.times):
            inner = scope.item(scope.value, scope.path, position, f"{scope.place}[{start + position}]")
            value = build(self.template, inner)
            if value is not ABSENT:
                result.append(value)
        return result

    def match_items(self, items: Sequence[Value], stand: Stand) -> int:
        if len(items) < self.times:
            raise NoMatch("items")
        for position in range(self.times):
            match(self.template, items[position], Stand(stand.path, stand.found, position))
        return self.times

    def uses(self) -> Iterator[str]:
        yield from uses(self.template)


@dataclass(frozen=True, slots=True)
class Position(Hole):
    """The place of an item in its list, counted from `first`."""

    first: int = 0

    def build(self, scope: Scope) -> Built:
        return scope.position + self.first

    def match(self, value: Value, stand: Stand) -> None:
        if value != stand.position + self.first:
            raise NoMatch("position")

    def missing(self, stand: Stand) -> None:
        raise NoMatch("position")

    def uses(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Count(Hole):
    """How many elements of a list there are, but for `less`. The list itself says it again, so matching does
    not look.
    """

    path: str
    less: int = 0

    def build(self, scope: Scope) -> Built:
        found, _ = scope.find(self.path)
        return max(0, len(found) - self.less) if isinstance(found, list) else 0

    def match(self, value: Value, stand: Stand) -> None:
        del value, stand

    def missing(self, stand: Stand) -> None:
        raise NoMatch(self.path)

    def uses(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Unsaid(Hole):
    """An element that the command has no place for. Its name in the template says why.

    Going back, `default` stands for it unless it was found elsewhere; ABSENT: requests need not have it.
    """

    path: str
    default: Built

    def build(self, scope: Scope) -> Built:
        found, path = scope.find(self.path)
        if found is not ABSENT:
            scope.consume(found, path)
        return ABSENT

    def match(self, value: Value, stand: Stand) -> None:
        raise NoMatch(self.path)

    def missing(self, stand: Stand) -> None:
        if self.default is not ABSENT:
            stand.found.entries.setdefault(stand.resolve(self.path), self.default)

    def uses(self) -> Iterator[str]:
        yield self.path


@dataclass(frozen=True, slots=True)
class Indexed(Hole):
    """The one element of a list whose attribute `by` is `index`; the template stands in it.

    `absent`: as in `At`; going back the element is always there when the command has a value for it.
    """

    elements: str
    index: int
    template: Template = At("value")
    by: str = "@index"
    absent: Otherwise = REQUIRED

    def build(self, scope: Scope) -> Built:
        for item, where in items_of(scope, self.elements, self.by):
            if isinstance(item, dict) and item.get(self.by) == self.index:
                return build(self.template, scope.item(item, where, self.index, scope.place))
        if self.absent is REQUIRED:
            _, path = scope.find(self.elements)
            raise scope.fail("element missing", path, expected=f"one with {self.by[1:]} {self.index}")
        return build(self.absent, scope)

    def match(self, value: Value, stand: Stand) -> None:
        match(self.template, value, self._item(stand))

    def _item(self, stand: Stand) -> Stand:
        """The element with the index, found before or put behind those that were."""
        path = stand.resolve(self.elements)
        known = {
            entry[-2]: number
            for entry, number in stand.found.entries.items()
            if entry[-1:] == (self.by,) and entry[:-2] == path
        }
        place = next((one for one, number in known.items() if number == self.index), len(known))
        stand.found.put((*path, place, self.by), self.index)
        return Stand((*path, int(place)), stand.found, self.index)

    def missing(self, stand: Stand) -> None:
        if self.absent is ABSENT:
            return
        if not isinstance(self.template, Hole):
            raise NoMatch(self.elements)
        self.template.missing(self._item(stand))

    def uses(self) -> Iterator[str]:
        yield below(self.elements, self.by)
        for inner in uses(self.template):
            yield below(self.elements, inner)


@dataclass(frozen=True, slots=True)
class Switch(Hole):
    """What is said depends on the value of an element."""

    path: str
    cases: Mapping[bool | int | str, Template]

    def build(self, scope: Scope) -> Built:
        found, path = scope.find(self.path)
        for value, template in self.cases.items():
            if found == value and type(found) is type(value):
                scope.consume(value, path)
                scope.reading.origins.setdefault(scope.place, shown(path))
                return build(template, scope)
        if found is ABSENT:
            raise scope.fail("element missing", path)
        raise scope.fail(
            "cannot be said in the command",
            path,
            expected=" or ".join(str(value) for value in self.cases),
            found=repr(found)[:60],
        )

    def match(self, value: Value, stand: Stand) -> None:
        for case, template in self.cases.items():
            saved = stand.found.save()
            try:
                match(template, value, stand)
                stand.put(self.path, case)
            except NoMatch:
                stand.found.restore(saved)
            else:
                return
        raise NoMatch(self.path)

    def missing(self, stand: Stand) -> None:
        for case, template in self.cases.items():
            if template is ABSENT:
                stand.put(self.path, case)
                return
        raise NoMatch(self.path)

    def uses(self) -> Iterator[str]:
        yield self.path
        for template in self.cases.values():
            yield from uses(template)


@dataclass(frozen=True, slots=True)
class Choose(Hole):
    """What is said depends on which of several elements there is."""

    cases: Mapping[str, Template]
    otherwise: Otherwise = REQUIRED

    def build(self, scope: Scope) -> Built:
        for name, template in self.cases.items():
            found, _ = scope.find(name)
            if found is not ABSENT:
                return build(template, scope)
        if self.otherwise is REQUIRED:
            _, path = scope.find(next(iter(self.cases)))
            expected = " or ".join(name.rpartition(".")[2] for name in self.cases)
            raise scope.fail("element missing", path[:-1], expected=expected)
        return build(self.otherwise, scope)

    def match(self, value: Value, stand: Stand) -> None:
        for name, template in self.cases.items():
            saved = stand.found.save()
            try:
                match(template, value, stand)
                stand.found.mark(stand.resolve(name))
            except NoMatch:
                stand.found.restore(saved)
            else:
                return
        if self.otherwise is REQUIRED:
            raise NoMatch(" or ".join(self.cases))
        match(self.otherwise, value, stand)

    def missing(self, stand: Stand) -> None:
        if isinstance(self.otherwise, Hole):
            self.otherwise.missing(stand)
        elif self.otherwise is not ABSENT:
            raise NoMatch(" or ".join(self.cases))

    def uses(self) -> Iterator[str]:
        for name, template in self.cases.items():
            yield name + "?"
            yield from uses(template)
        if self.otherwise is not REQUIRED and self.otherwise is not ABSENT:
            yield from uses(self.otherwise)


@dataclass(frozen=True, slots=True)
class Fact(Hole):
    """What the DCC knows and no element says; matching takes it from the command.

    `optional`: the command does not say it where the DCC knows that there is none, which is the fact "".
    """

    name: str
    optional: bool = False

    def build(self, scope: Scope) -> Built:
        known = scope.reading.facts.fact(self.name)
        return ABSENT if self.optional and known == "" else known

    def match(self, value: Value, stand: Stand) -> None:
        stand.found.fact(self.name, value)

    def missing(self, stand: Stand) -> None:
        if not self.optional:
            raise NoMatch(self.name)
        stand.found.fact(self.name, "")

    def uses(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True, slots=True)
class When(Hole):
    """A member that the command has only where an element has this value."""

    path: str
    value: Value
    template: Template

    def build(self, scope: Scope) -> Built:
        found, _ = scope.find(self.path)
        return build(self.template, scope) if found == self.value else ABSENT

    def match(self, value: Value, stand: Stand) -> None:
        stand.put(self.path, self.value)
        match(self.template, value, stand)

    def missing(self, stand: Stand) -> None:
        del stand

    def uses(self) -> Iterator[str]:
        yield self.path
        yield from uses(self.template)


@dataclass(frozen=True, slots=True)
class Unless(Hole):
    """A member that the command has but where an element has this value."""

    path: str
    value: Value
    template: Template

    def build(self, scope: Scope) -> Built:
        found, _ = scope.find(self.path)
        return ABSENT if found == self.value else build(self.template, scope)

    def match(self, value: Value, stand: Stand) -> None:
        match(self.template, value, stand)

    def missing(self, stand: Stand) -> None:
        stand.put(self.path, self.value)

    def uses(self) -> Iterator[str]:
        yield self.path
        yield from uses(self.template)


@dataclass(frozen=True, slots=True)
class IfFact(Run):
    """Items that the command has only where a fact about the device holds."""

    name: str
    items: tuple[Template, ...]

    def build_items(self, scope: Scope, start: int) -> list[Value]:
        if scope.reading.facts.fact(self.name) is not True:
            return []
        return Items(self.items).build_items(scope, start)

    def match_items(self, items: Sequence[Value], stand: Stand) -> int:
        saved = stand.found.save()
        try:
            count = Items(self.items).match_items(items, stand)
        except NoMatch:
            stand.found.restore(saved)
            count = 0
        stand.found.fact(self.name, count > 0)
        return count

    def uses(self) -> Iterator[str]:
        return Items(self.items).uses()
