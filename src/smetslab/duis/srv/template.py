"""Templates: the parameters of a command written down, with holes for what the elements of a request say.

One template works both ways. Building fills its holes from the elements; matching compares a command with it
and finds the elements again. What stands in a template beside holes is what every such command says.

A path names an element from where the template stands, dotted (`PriceElements.PriceScale`); one that begins
with `/` starts at the body again. Attributes are members `@index`, a value beside attributes is `value`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Final, Literal, Protocol, TypeAlias

from smetslab.errors import DuisError
from smetslab.gbcs.values import Value

Path: TypeAlias = tuple[str | int, ...]


class _Absence(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absence.ABSENT
"""What a hole gives for a member that the command leaves out."""

Built: TypeAlias = Value | Literal[_Absence.ABSENT]


class NoMatch(Exception):
    """The command does not say what the template says; caught where another template may be tried."""


class Facts(Protocol):
    """What a command says that no element does: see `smetslab.duis.srv.model.Context`."""

    def fact(self, name: str) -> Value:
        """Raises DuisError when the fact is not known."""
        ...


@dataclass(slots=True)
class Reading:
    """One building: what was read of the elements, and which element each parameter came from.

    `root` is what errors call the place of the elements.
    """

    facts: Facts
    root: str = "Request/Body"
    read: set[Path] = field(default_factory=set)
    origins: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where in the elements a template stands while it is built. `place` is where in the parameters."""

    body: Value
    value: Value
    path: Path
    reading: Reading
    place: str = ""
    position: int = 0

    def at(self, place: str) -> Scope:
        return Scope(self.body, self.value, self.path, self.reading, place, self.position)

    def item(self, value: Value, path: Path, position: int, place: str) -> Scope:
        return Scope(self.body, value, path, self.reading, place, position)

    def find(self, path: str) -> tuple[Built, Path]:
        """The element there, marked as read, and its path from the body."""
        found: Value = self.body if path.startswith("/") else self.value
        steps: Path = () if path.startswith("/") else self.path
        for part in path.removeprefix("/").split(".") if path.strip("/") else ():
            steps = (*steps, part)
            if not isinstance(found, dict) or part not in found:
                self.reading.read.add(steps[:-1])
                return ABSENT, steps
            found = found[part]
        self.reading.read.add(steps)
        return found, steps

    def consume(self, value: Value, path: Path) -> None:
        """Mark all that is below an element as read."""
        self.reading.read.update(leaf_paths(value, path))

    def fail(self, what: str, path: Path, *, expected: str = "", found: str = "") -> DuisError:
        place = shown(path)
        root = self.reading.root
        return DuisError(what, path=f"{root}/{place}" if place else root, expected=expected, found=found)


def leaf_paths(value: Value, path: Path = ()) -> Iterator[Path]:
    """The path of every value below, of empty elements too."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaf_paths(inner, (*path, name))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from leaf_paths(inner, (*path, place))
    else:
        yield path


def shown(path: Path) -> str:
    """`Season[1]/SeasonName`; the value beside attributes is the element itself."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else "" if part == "value" else f"/{part}"
    return text.removeprefix("/")


Saved: TypeAlias = tuple[dict[Path, Value], dict[str, Value], dict[Path, None]]


class Found:
    """The elements that a matching has found so far, and the facts."""

    def __init__(self) -> None:
        self.entries: dict[Path, Value] = {}
        self.facts: dict[str, Value] = {}
        self.marks: dict[Path, None] = {}

    def save(self) -> Saved:
        return dict(self.entries), dict(self.facts), dict(self.marks)

    def restore(self, saved: Saved) -> None:
        self.entries, self.facts, self.marks = dict(saved[0]), dict(saved[1]), dict(saved[2])

    def mark(self, path: Path) -> None:
        """The element is there; where nothing else is found about it, its presence is its meaning."""
        self.marks[path] = None

    def put(self, path: Path, value: Value) -> None:
        if self.entries.setdefault(path, value) != value:
            raise NoMatch(shown(path))

    def fact(self, name: str, value: Value) -> None:
        if self.facts.setdefault(name, value) != value:
            raise NoMatch(name)

    def elements(self) -> dict[str, Value]:
        """What was found, as nested members. Raises NoMatch when it does not fit together."""
        result: dict[str, Value] = {}
        for path, value in self.entries.items():
            _place(result, path, value)
        for path in self.marks:
            if not _is_there(result, path):
                _place(result, path, True)
        return result


def _place(result: dict[str, Value], path: Path, value: Value) -> None:
    """Write a value at its path. Members of one element come in several pieces."""
    holder: Value = result
    for part, following in pairwise(path):
        empty: Value = [] if isinstance(following, int) else {}
        if isinstance(part, int) and isinstance(holder, list):
            while len(holder) <= part:
                holder.append({})
            if holder[part] == {} and empty == []:
                holder[part] = empty
            holder = holder[part]
        elif isinstance(part, str) and isinstance(holder, dict):
            holder = holder.setdefault(part, empty)
        else:
            raise NoMatch(shown(path))
    last = path[-1] if path else ""
    if isinstance(last, int) and isinstance(holder, list):
        while len(holder) <= last:
            holder.append({})
        holder[last] = _merged(holder[last], value)
    elif isinstance(last, str) and isinstance(holder, dict):
        holder[last] = _merged(holder.get(last, {}), value)
    else:
        raise NoMatch(shown(path))


def _is_there(holder: Value, path: Path) -> bool:
    for part in path:
        if isinstance(holder, dict) and isinstance(part, str):
            found = holder.get(part)
        elif isinstance(holder, list) and isinstance(part, int) and part < len(holder):
            found = holder[part]
        else:
            return False
        if found is None:
            return False
        holder = found
    return True


def _merged(present: Value, value: Value) -> Value:
    if isinstance(present, dict) and isinstance(value, dict):
        return {**present, **value}
    if present not in ({}, []):
        raise NoMatch("two values for one element")
    return value


@dataclass(frozen=True, slots=True)
class Stand:
    """Where in the elements a template stands while it is matched."""

    path: Path
    found: Found
    position: int = 0

    def resolve(self, path: str) -> Path:
        steps = tuple(path.removeprefix("/").split(".")) if path.strip("/") else ()
        return steps if path.startswith("/") else (*self.path, *steps)

    def put(self, path: str, value: Value) -> None:
        self.found.put(self.resolve(path), value)

    def get(self, path: str) -> Value:
        resolved = self.resolve(path)
        if resolved not in self.found.entries:
            raise NoMatch(shown(resolved))
        return self.found.entries[resolved]


class Hole(ABC):
    """A place in a template where elements or facts speak."""

    __slots__ = ()

    @abstractmethod
    def build(self, scope: Scope) -> Built:
        """Raises DuisError."""

    @abstractmethod
    def match(self, value: Value, stand: Stand) -> None:
        """Raises NoMatch."""

    @abstractmethod
    def missing(self, stand: Stand) -> None:
        """The command leaves the member out. Raises NoMatch when it may not."""

    @abstractmethod
    def uses(self) -> Iterator[str]:
        """The paths of the elements that it reads, dotted; nested holes below their own."""


class Run(ABC):
    """A place in a list where any number of items stand."""

    __slots__ = ()

    @abstractmethod
    def build_items(self, scope: Scope, start: int) -> list[Value]:
        """Raises DuisError."""

    @abstractmethod
    def match_items(self, items: Sequence[Value], stand: Stand) -> int:
        """How many of the items belong to it."""

    @abstractmethod
    def uses(self) -> Iterator[str]:
        """As `Hole.uses`."""


Template: TypeAlias = "Built | Hole | Run | Mapping[str, Template] | Sequence[Template]"
"""ABSENT as a template: the command leaves the member out."""


def build(template: Template, scope: Scope) -> Built:
    """The value that the template has here. Raises DuisError."""
    if isinstance(template, Hole):
        return template.build(scope)
    if isinstance(template, Mapping):
        result: dict[str, Value] = {}
        for name, inner in template.items():
            value = build(inner, scope.at(f"{scope.place}.{name}" if scope.place else name))
            if value is not ABSENT:
                result[name] = value
        return result
    if isinstance(template, Sequence) and not isinstance(template, str):
        items: list[Value] = []
        for inner in template:
            if isinstance(inner, Run):
                items += inner.build_items(scope, len(items))
                continue
            value = build(inner, scope.at(f"{scope.place}[{len(items)}]"))
            if value is not ABSENT:
                items.append(value)
        return items
    if isinstance(template, Run):
        raise TypeError("a run of items stands outside a list")
    return template


def match(template: Template, value: Value, stand: Stand) -> None:
    """Find the elements that make `value` of the template. Raises NoMatch."""
    if isinstance(template, Hole):
        template.match(value, stand)
    elif isinstance(template, Mapping):
        _match_members(template, value, stand)
    elif isinstance(template, Sequence) and not isinstance(template, str):
        _match_items(template, value, stand)
    elif type(value) is not type(template) or value != template:
        raise NoMatch(repr(template))


def _match_members(template: Mapping[str, Template], value: Value, stand: Stand) -> None:
    if not isinstance(value, dict) or not value.keys() <= template.keys():
        raise NoMatch("members")
    for name, inner in template.items():
        if name in value:
            match(inner, value[name], stand)
        elif isinstance(inner, Hole):
            inner.missing(stand)
        else:
            raise NoMatch(name)


def _match_items(template: Sequence[Template], value: Value, stand: Stand) -> None:
    if not isinstance(value, list):
        raise NoMatch("a list")
    at = 0
    for inner in template:
        if isinstance(inner, Run):
            at += inner.match_items(value[at:], stand)
        elif at < len(value):
            saved = stand.found.save()
            try:
                match(inner, value[at], stand)
            except NoMatch:
                if not isinstance(inner, Hole):
                    raise
                stand.found.restore(saved)
                inner.missing(stand)
            else:
                at += 1
        elif isinstance(inner, Hole):
            inner.missing(stand)
        else:
            raise NoMatch("an item")
    if at != len(value):
        raise NoMatch("no more items")


def uses(template: Template) -> Iterator[str]:
    """The dotted paths of all elements that a template reads."""
    if isinstance(template, Hole | Run):
        yield from template.uses()
    elif isinstance(template, Mapping):
        for inner in template.values():
            yield from uses(inner)
    elif isinstance(template, Sequence) and not isinstance(template, str):
        for inner in template:
            yield from uses(inner)


def below(path: str, inner: str) -> str:
    """An inner path as seen from outside of `path`."""
    if inner.startswith("/"):
        return inner
    return f"{path}.{inner}" if path and inner else path or inner
