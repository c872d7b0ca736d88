"""Shapes of request bodies: which elements, in which order, with which attributes, holding which kind of
value.

A shape reads an element into a JSON-able value and writes it back. Elements become members of an object
by their DUIS name, repeated ones become lists, attributes become members named `@index`, the value
beside attributes becomes the member `value`. Empty elements are `{}`, or `true` where presence alone is
the meaning.

Spec: DUIS schema 5.4; XML Schema part 2 (lexical forms of the simple types).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from smetslab.duis.element import Children, Element
from smetslab.duis.srv.simple import Shape, Simple
from smetslab.errors import DuisError
from smetslab.gbcs.values import Value


@dataclass(frozen=True, slots=True)
class Present:
    """An empty element whose presence is its meaning; its value is always true."""

    def read(self, element: Element, path: str) -> Value:
        Children(element, path).finish()
        return True

    def write(self, name: str, value: Value, path: str) -> Element:
        if value is not True:
            raise DuisError(
                "wrong value", path=path, expected="true (leave it out otherwise)", found=repr(value)
            )
        return Element(name)

    def leaves(self) -> Iterator[str]:
        yield ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an element with a simple value."""

    name: str
    simple: Simple
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Attributed:
    """A shape on an element that has attributes too. They are members `@name`; a simple value is the member
    `value`.
    """

    shape: Shape
    attributes: tuple[Attribute, ...]

    def read(self, element: Element, path: str) -> Value:
        given = dict(element.attributes)
        result: dict[str, Value] = {}
        for attribute in self.attributes:
            text = given.pop(attribute.name, None)
            place = f"{path}/@{attribute.name}"
            if text is None and not attribute.optional:
                raise element.fail("attribute missing", place, expected=attribute.name)
            if text is not None:
                result[f"@{attribute.name}"] = attribute.simple.read(
                    Element(attribute.name, text=text, line=element.line, offset=element.offset), place
                )
        if given:
            raise element.fail("unexpected attribute", path, found=", ".join(given))
        value = self.shape.read(
            Element(element.name, element.children, element.text, line=element.line), path
        )
        if isinstance(value, dict):
            result.update(value)
        else:
            result["value"] = value
        return result

    def write(self, name: str, value: Value, path: str) -> Element:
        members = _members(value, path)
        attributes: list[tuple[str, str]] = []
        for attribute in self.attributes:
            key = f"@{attribute.name}"
            if key in members:
                written = attribute.simple.write(attribute.name, members.pop(key), f"{path}/{key}")
                attributes.append((attribute.name, written.text))
            elif not attribute.optional:
                raise DuisError("attribute missing", path=f"{path}/{key}")
        simple = isinstance(self.shape, Simple | Present)
        inner = self.shape.write(name, members.get("value") if simple else members, path)
        return Element(name, inner.children, inner.text, tuple(attributes))

    def leaves(self) -> Iterator[str]:
        for attribute in self.attributes:
            yield f"@{attribute.name}"
        for name in self.shape.leaves():
            yield name or "value"


@dataclass(frozen=True, slots=True)
class Child:
    """One element in a sequence: `maximum` above 1 makes its value a list."""

    name: str
    shape: Shape
    minimum: int = 1
    maximum: int = 1

    def names(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A place in a sequence where one of several elements stands."""

    children: tuple[Child, ...]
    minimum: int = 1

    def names(self) -> tuple[str, ...]:
        return tuple(child.name for child in self.children)


@dataclass(frozen=True, slots=True)
class OneGroup:
    """A place in a sequence where one of several rows of elements stands. No two rows begin alike."""

    groups: tuple[tuple[Child, ...], ...]

    def names(self) -> tuple[str, ...]:
        return tuple(child.name for group in self.groups for child in group)


Particle: TypeAlias = Child | OneOf | OneGroup


class Sequence:
    """Elements in a fixed order; the value is an object with one member for each that is there."""

    __slots__ = ("_names", "particles")

    def __init__(self, *particles: Particle) -> None:
        self.particles = particles
        self._names = [name for particle in particles for name in particle.names()]
        if len(set(self._names)) != len(self._names):
            raise ValueError("an element is named twice in one sequence")

    def read(self, element: Element, path: str) -> Value:
        parts = Children(element, path)
        result: dict[str, Value] = {}
        for particle in self.particles:
            if isinstance(particle, OneOf):
                _read_one_of(particle, parts, path, result)
            elif isinstance(particle, OneGroup):
                _read_group(particle, parts, path, result)
            else:
                _read_child(particle, parts, path, result)
        parts.finish()
        return result

    def write(self, name: str, value: Value, path: str) -> Element:
        members = _members(value, path)
        children: list[Element] = []
        for particle in self.particles:
            if isinstance(particle, OneOf):
                children.extend(_write_one_of(particle, members, path))
            elif isinstance(particle, OneGroup):
                group = next((one for one in particle.groups if one[0].name in members), particle.groups[0])
                for child in group:
                    children.extend(_write_child(child, members, path))
            else:
                children.extend(_write_child(particle, members, path))
        if members:
            raise DuisError(
                "no such element",
                path=f"{path}/{next(iter(members))}",
                expected=", ".join(self._names) or "none",
            )
        return Element(name, tuple(children))

    def children(self) -> Iterator[Child]:
        """Every element that it may hold, in their order."""
        for particle in self.particles:
            yield from _children(particle)

    def leaves(self) -> Iterator[str]:
        for child in self.children():
            own = False
            for leaf in child.shape.leaves():
                own = True
                yield f"{child.name}.{leaf}" if leaf else child.name
            if not own:
                yield child.name


def _children(particle: Particle) -> tuple[Child, ...]:
    if isinstance(particle, OneOf):
        return particle.children
    if isinstance(particle, OneGroup):
        return tuple(child for group in particle.groups for child in group)
    return (particle,)


def _read_one_of(choice: OneOf, parts: Children, path: str, result: dict[str, Value]) -> None:
    following = parts.peek()
    name = "" if following is None else following.name
    child = next((one for one in choice.children if one.name == name), None)
    if child is not None:
        _read_child(child, parts, path, result)
    elif choice.minimum:
        parts.required(*choice.names())


def _read_group(choice: OneGroup, parts: Children, path: str, result: dict[str, Value]) -> None:
    first = parts.required(*(group[0].name for group in choice.groups))
    group = next(one for one in choice.groups if one[0].name == first.name)
    result[first.name] = group[0].shape.read(first, f"{path}/{first.name}")
    for child in group[1:]:
        _read_child(child, parts, path, result)


def _members(value: Value, path: str) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise DuisError("wrong value", path=path, expected="named members", found=repr(value)[:60])
    return dict(value)


def _read_child(child: Child, parts: Children, path: str, result: dict[str, Value]) -> None:
    place = f"{path}/{child.name}"
    if child.maximum == 1:
        found = parts.required(child.name) if child.minimum else parts.optional(child.name)
        if found is not None:
            result[child.name] = child.shape.read(found, place)
        return
    items: list[Value] = []
    while len(items) < child.maximum:
        found = parts.required(child.name) if len(items) < child.minimum else parts.optional(child.name)
        if found is None:
            break
        items.append(child.shape.read(found, f"{place}[{len(items)}]"))
    if items:
        result[child.name] = items


def _write_child(child: Child, members: dict[str, Value], path: str) -> list[Element]:
    place = f"{path}/{child.name}"
    if child.name not in members:
        if child.minimum:
            raise DuisError("element missing", path=place)
        return []
    value = members.pop(child.name)
    if child.maximum == 1:
        return [child.shape.write(child.name, value, place)]
    if not isinstance(value, list) or not child.minimum <= len(value) <= child.maximum:
        raise DuisError("wrong value", path=place, expected=f"a list of {child.minimum} to {child.maximum}")
    return [child.shape.write(child.name, item, f"{place}[{index}]") for index, item in enumerate(value)]


def _write_one_of(choice: OneOf, members: dict[str, Value], path: str) -> list[Element]:
    given = [child for child in choice.children if child.name in members]
    if len(given) > 1 or (not given and choice.minimum):
        raise DuisError(
            "not exactly one of the alternatives" if given else "element missing",
            path=path,
            expected="one of " + ", ".join(choice.names()),
            found=", ".join(child.name for child in given),
        )
    return [element for child in given for element in _write_child(child, members, path)]


def optional(name: str, shape: Shape) -> Child:
    """An element that may be absent."""
    return Child(name, shape, minimum=0)


def many(name: str, shape: Shape, minimum: int, maximum: int) -> Child:
    """An element that is repeated; its value is a list."""
    if maximum < 2:
        raise ValueError("a repeated element may stand there more than once")
    return Child(name, shape, minimum, maximum)


EMPTY = Sequence()
PRESENT = Present()
"""An element whose presence is its meaning. Spec: DUIS schema 5.4, type NoType."""
