"""Shapes of request bodies: which elements, in which order, with which attributes, holding which kind of
value.

A shape reads an element into a JSON-able value and writes it back. Elements become members of an object
by their DUIS name, repeated ones become lists, attributes become members named `@index`, the value
beside attributes becomes the member `value`. Empty elements are `{}`, or `true` where presence alone is
the meaning.

Spec: DUIS schema 5.4; XML Schema part 2 (lexical forms of the simple types).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from smetslab.duis.document import leaf_text, parse_date_time
from smetslab.duis.element import Children, Element
from smetslab.duis.limits import MAX_NUMBER_DIGITS
from smetslab.errors import DuisError, GbcsEncodeError
from smetslab.gbcs.values import Value, parse_utc, utc_text
from smetslab.ids import Eui64

_NUMBER = re.compile(r"[+-]?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")


class _Refusal(Exception):
    """A text or value that a simple type refuses; turned into a DuisError where its place is known."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(expected)


class Shape(Protocol):
    """What an element holds."""

    def read(self, element: Element, path: str) -> Value:
        """The value of `element`. Raises DuisError."""
        ...

    def write(self, name: str, value: Value, path: str) -> Element:
        """The element of that name for `value`. Raises DuisError."""
        ...

    def leaves(self) -> Iterator[str]:
        """The dotted names of the values below, "" for a value itself."""
        ...


class _Simple:
    """An element, or attribute, that holds one text."""

    keeps_space: ClassVar[bool] = False

    def parse(self, text: str) -> Value:
        """Raises _Refusal."""
        raise NotImplementedError

    def format(self, value: Value) -> str:
        """Raises _Refusal."""
        raise NotImplementedError

    def read(self, element: Element, path: str) -> Value:
        text = leaf_text(element, path)
        try:
            return self.parse(element.text if self.keeps_space else text)
        except _Refusal as refusal:
            raise element.fail("wrong value", path, expected=refusal.expected, found=text) from None

    def write(self, name: str, value: Value, path: str) -> Element:
        try:
            return Element(name, text=self.format(value))
        except _Refusal as refusal:
            raise DuisError(
                "wrong value", path=path, expected=refusal.expected, found=repr(value)[:60]
            ) from None

    def leaves(self) -> Iterator[str]:
        yield ""


@dataclass(frozen=True, slots=True)
class Number(_Simple):
    """An integer from `low` to `high`."""

    low: int
    high: int

    def parse(self, text: str) -> Value:
        if len(text) > MAX_NUMBER_DIGITS or not (text.isascii() and _NUMBER.fullmatch(text)):
            raise self._refusal()
        return int(self.format(int(text)))

    def format(self, value: Value) -> str:
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise self._refusal()
        return str(value)

    def _refusal(self) -> _Refusal:
        return _Refusal(f"{self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Text(_Simple):
    """A text of `minimum` to `maximum` characters that match `pattern` as a whole. White space counts."""

    keeps_space: ClassVar[bool] = True
    minimum: int
    maximum: int
    pattern: re.Pattern[str] | None = None
    expected: str = ""

    def parse(self, text: str) -> Value:
        return self.format(text)

    def format(self, value: Value) -> str:
        if (
            not isinstance(value, str)
            or not self.minimum <= len(value) <= self.maximum
            or (self.pattern is not None and not self.pattern.fullmatch(value))
        ):
            raise _Refusal(self.expected or f"{self.minimum} to {self.maximum} characters")
        return value


@dataclass(frozen=True, slots=True)
class Word(_Simple):
    """One of a closed list of words."""

    words: tuple[str, ...]

    def parse(self, text: str) -> Value:
        return self.format(text)

    def format(self, value: Value) -> str:
        if value not in self.words:
            raise _Refusal(" or ".join(self.words))
        return str(value)


@dataclass(frozen=True, slots=True)
class Boolean(_Simple):
    """xs:boolean."""

    def parse(self, text: str) -> Value:
        if text not in {"true", "false", "1", "0"}:
            raise _Refusal("true or false")
        return text in {"true", "1"}

    def format(self, value: Value) -> str:
        if not isinstance(value, bool):
            raise _Refusal("true or false")
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Moment(_Simple):
    """xs:dateTime with its offset, as UTC to the second: GBCS knows no fractions, so they are cut off."""

    def parse(self, text: str) -> Value:
        moment = parse_date_time(text)
        if moment is None:
            raise _Refusal("a date-time such as 2030-01-15T09:00:00.00Z")
        return utc_text(moment)

    def format(self, value: Value) -> str:
        try:
            moment = parse_utc(value)
        except GbcsEncodeError:
            raise _Refusal("a date-time such as 2030-01-15T09:00:00Z") from None
        # Two digits of a second, as every published request writes it.
        return f"{utc_text(moment)[:-1]}.00Z"


@dataclass(frozen=True, slots=True)
class Matching(_Simple):
    """A text kept as it is that has the form of `pattern`: dates and times with or without wildcards,
    numbers of meter points.
    """

    pattern: re.Pattern[str]
    expected: str

    def parse(self, text: str) -> Value:
        return self.format(text)

    def format(self, value: Value) -> str:
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            raise _Refusal(self.expected)
        return value


@dataclass(frozen=True, slots=True)
class Octets(_Simple):
    """base64 or hex, shown as upper-case hex."""

    form: str
    minimum: int
    maximum: int

    def parse(self, text: str) -> Value:
        compact = "".join(text.split())
        try:
            octets = b64decode(compact, validate=True) if self.form == "base64" else bytes.fromhex(compact)
        except (binascii.Error, ValueError):
            raise self._refusal() from None
        self._check(octets)
        return octets.hex().upper()

    def format(self, value: Value) -> str:
        try:
            octets = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            raise self._refusal() from None
        if not isinstance(value, str):
            raise self._refusal()
        self._check(octets)
        return b64encode(octets).decode("ascii") if self.form == "base64" else octets.hex().upper()

    def _check(self, octets: bytes) -> None:
        if not self.minimum <= len(octets) <= self.maximum:
            raise self._refusal()

    def _refusal(self) -> _Refusal:
        return _Refusal(f"{self.form} of {self.minimum} to {self.maximum} octets")


@dataclass(frozen=True, slots=True)
class Eui(_Simple):
    """A dashed EUI-64, shown as 16 upper-case digits."""

    def parse(self, text: str) -> Value:
        if len(text) != 23 or text.count("-") != 7:
            raise _Refusal("8 pairs of hex digits joined by '-'")
        return str(self._eui(text))

    def format(self, value: Value) -> str:
        return self._eui(value).dashed()

    def _eui(self, value: Value) -> Eui64:
        try:
            return Eui64.parse(str(value))
        except ValueError:
            raise _Refusal("an EUI-64") from None


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
    simple: _Simple
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
        simple = isinstance(self.shape, _Simple | Present)
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


Particle: TypeAlias = Child | OneOf


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
                found = (
                    parts.required(*particle.names())
                    if particle.minimum
                    else parts.optional(*particle.names())
                )
                if found is not None:
                    child = next(one for one in particle.children if one.name == found.name)
                    result[child.name] = child.shape.read(found, f"{path}/{child.name}")
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
            else:
                children.extend(_write_child(particle, members, path))
        if members:
            raise DuisError(
                "no such element",
                path=f"{path}/{next(iter(members))}",
                expected=", ".join(self._names) or "none",
            )
        return Element(name, tuple(children))

    def leaves(self) -> Iterator[str]:
        for particle in self.particles:
            for child in particle.children if isinstance(particle, OneOf) else (particle,):
                for leaf in child.shape.leaves():
                    yield f"{child.name}.{leaf}" if leaf else child.name


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
    return [child.shape.write(child.name, members.pop(child.name), f"{path}/{child.name}") for child in given]


def optional(name: str, shape: Shape) -> Child:
    """An element that may be absent."""
    return Child(name, shape, minimum=0)


def many(name: str, shape: Shape, minimum: int, maximum: int) -> Child:
    """An element that is repeated; its value is a list."""
    if maximum < 2:
        raise ValueError("a repeated element may stand there more than once")
    return Child(name, shape, minimum, maximum)


# The names that declarations use. Spec: XML Schema part 2, 3.3 (ranges of the built-in types).

EMPTY = Sequence()
UNSIGNED_INT = Number(0, 2**32 - 1)
BOOLEAN = Boolean()
DATE_TIME = Moment()
DATE = Matching(_DATE, "a date such as 2030-01-15")
TIME = Matching(_TIME, "a time such as 07:00:00")
EUI = Eui()
CERTIFICATE = Octets("base64", 1, 4096)
PRESENT = Present()
