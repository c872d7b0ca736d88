"""Random bodies of service requests, made from their shapes: every element, choice and length they allow."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from smetslab.duis.srv import ServiceRequest
from smetslab.duis.srv.shapes import Attributed, Child, OneGroup, OneOf, Particle, Present, Sequence
from smetslab.duis.srv.simple import (
    CERTIFICATE,
    Boolean,
    CalendarDay,
    Decimals,
    Eui,
    Matching,
    Moment,
    Number,
    Octets,
    Shape,
    Text,
    TimeOfDay,
    Word,
)
from smetslab.gbcs.values import Parameters, Value

_START: Final = datetime(2015, 1, 1, tzinfo=UTC)
_MOST_ITEMS: Final = 6
_MOST_OCTETS: Final = 40
_ALPHABETS: Final = (string.digits, string.digits + " ", string.ascii_letters + " .,'-#&<", "äß€漢")
_SAMPLES: Final = (
    "2030-01-15Z",
    "07:00:00Z",
    "00-DB-12-34-56-78-90-A0",
    "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:1000",
)


def random_body(row: ServiceRequest, rng: random.Random, certificates: tuple[bytes, ...]) -> Parameters:
    """The elements of a body that the shape of the variant allows.

    Some have hardly any, some nearly all; half of them keep to small numbers, which most commands can say.
    """
    maker = _Maker(rng, rng.choice((0.0, 0.5, 0.9, 1.0)), rng.random() < 0.5, certificates)
    value = maker.value(row.body)
    return value if isinstance(value, dict) else {}


class _Maker:
    def __init__(
        self, rng: random.Random, fullness: float, mild: bool, certificates: tuple[bytes, ...]
    ) -> None:
        self.rng = rng
        self.fullness = fullness
        self.mild = mild
        self.certificates = certificates
        self._simple: dict[type[object], Callable[..., Value]] = {
            Boolean: self._boolean,
            Number: self._number,
            Word: self._word,
            Decimals: self._decimal,
            Octets: self._octets,
            Eui: self._eui,
            Moment: self._moment,
            TimeOfDay: self._time,
            CalendarDay: self._day,
            Text: self._text,
            Matching: self._matching,
        }

    def value(self, shape: Shape) -> Value:
        if isinstance(shape, Sequence):
            return self._members(shape)
        if isinstance(shape, Attributed):
            return self._attributed(shape)
        if isinstance(shape, Present):
            return True
        return self._simple[type(shape)](shape)

    def _boolean(self, shape: Boolean) -> bool:
        del shape
        return self.rng.random() < 0.5

    def _word(self, shape: Word) -> str:
        return self.rng.choice(shape.words)

    def _octets(self, shape: Octets) -> str:
        if shape == CERTIFICATE:
            return self.rng.choice(self.certificates).hex().upper()
        most = max(shape.minimum, min(shape.maximum, _MOST_OCTETS))
        return self.rng.randbytes(self.rng.randint(shape.minimum, most)).hex().upper()

    def _eui(self, shape: Eui) -> str:
        del shape
        return self.rng.randbytes(8).hex().upper()

    def _moment(self, shape: Moment) -> str:
        del shape
        moment = _START + timedelta(seconds=self.rng.randrange(30 * 365 * 86400))
        known = ("2030-02-28T23:59:59Z", "3000-12-31T00:00:00Z")
        return self.rng.choice((moment.strftime("%Y-%m-%dT%H:%M:%SZ"), *known))

    def _time(self, shape: TimeOfDay) -> str:
        del shape
        seconds = self.rng.choice((0, 60 * self.rng.randrange(24 * 60), 86399))
        seconds -= seconds % 60 if self.mild else 0
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def _day(self, shape: CalendarDay) -> str:
        del shape
        year = self.rng.choice(("*", "2024", str(self.rng.randint(2000, 2099))))
        return f"{year}-{self.rng.randint(1, 12):02}-{self.rng.randint(1, 28):02}"

    def _matching(self, shape: Matching) -> str:
        return next(sample for sample in _SAMPLES if shape.pattern.fullmatch(sample))

    def _number(self, shape: Number) -> int:
        rng = self.rng
        if self.mild:
            return min(shape.low + rng.randrange(28), shape.high)
        return rng.choice(
            (
                shape.low,
                shape.high,
                rng.randint(shape.low, shape.high),
                min(shape.low + rng.randrange(4), shape.high),
                min(max(shape.low, rng.randrange(100)), shape.high),
            )
        )

    def _decimal(self, shape: Decimals) -> str:
        low, high = (int(Decimal(one).scaleb(shape.digits)) for one in (shape.low, shape.high))
        number = self.rng.choice((low, high, self.rng.randint(low, high)))
        return f"{Decimal(number).scaleb(-shape.digits):.{shape.digits}f}"

    def _text(self, shape: Text) -> str:
        rng = self.rng
        length = rng.choice((shape.minimum, shape.maximum, rng.randint(shape.minimum, shape.maximum)))
        alphabets = [
            one
            for one in _ALPHABETS
            if shape.pattern is None
            or all(re.fullmatch(shape.pattern, letter * max(length, 1)) for letter in one)
        ]
        return "".join(rng.choice(rng.choice(alphabets)) for _ in range(length))

    def _attributed(self, shape: Attributed) -> Value:
        result: dict[str, Value] = {}
        for attribute in shape.attributes:
            if not attribute.optional or self.rng.random() < self.fullness:
                result[f"@{attribute.name}"] = self.value(attribute.simple)
        inner = self.value(shape.shape)
        return {**result, **inner} if isinstance(inner, dict) else {**result, "value": inner}

    def _members(self, shape: Sequence) -> Value:
        result: dict[str, Value] = {}
        for particle in shape.particles:
            for child in self._chosen(particle):
                self._put(result, child)
        return result

    def _chosen(self, particle: Particle) -> Iterator[Child]:
        rng = self.rng
        match particle:
            case Child():
                yield particle
            case OneOf():
                if particle.minimum or rng.random() < self.fullness:
                    yield rng.choice(particle.children)
            case OneGroup():
                yield from rng.choice(particle.groups)

    def _put(self, result: dict[str, Value], child: Child) -> None:
        rng = self.rng
        if child.maximum == 1:
            if child.minimum or rng.random() < self.fullness:
                result[child.name] = self.value(child.shape)
            return
        most = min(child.maximum, child.minimum + _MOST_ITEMS) if rng.random() < 0.9 else child.maximum
        count = child.minimum if self.fullness == 0 else rng.randint(child.minimum, min(most, 100))
        items = [self.value(child.shape) for _ in range(count)]
        self._number_items(child, items)
        self._words_once(child, items)
        if items:
            result[child.name] = items

    def _words_once(self, child: Child, items: list[Value]) -> None:
        """Items that say nothing but a word mostly say each word once."""
        shape = child.shape
        if not isinstance(shape, Sequence) or len(shape.particles) != 1:
            return
        (only,) = shape.particles
        if not isinstance(only, Child) or not isinstance(only.shape, Word) or self.rng.random() < 0.2:
            return
        del items[len(only.shape.words) :]
        words = self.rng.sample(only.shape.words, len(items))
        items[:] = [{only.name: word} for word in words]

    def _number_items(self, child: Child, items: list[Value]) -> None:
        """Number items by their attribute: each number once, mostly without gaps, not always in order."""
        rng, shape = self.rng, child.shape
        name, simple = "", None
        if isinstance(shape, Attributed):
            name, simple = f"@{shape.attributes[0].name}", shape.attributes[0].simple
        elif isinstance(shape, Sequence) and isinstance(shape.particles[0], Child):
            name, simple = shape.particles[0].name, shape.particles[0].shape
        if not isinstance(simple, Number) or (name[:1] != "@" and name != "Phase"):
            return
        bounds = simple
        del items[bounds.high - bounds.low + 1 :]
        if self.mild or rng.random() < 0.8:
            numbers = list(range(bounds.low, bounds.low + len(items)))
        else:
            numbers = rng.sample(range(bounds.low, bounds.high + 1), len(items))
        if rng.random() < 0.3:
            rng.shuffle(numbers)
        for item, number in zip(items, numbers, strict=True):
            if isinstance(item, dict):
                item[name] = number
