"""Simple types of request bodies: what one text may say, as a JSON-able value, both ways.

Spec: DUIS schema 5.4; XML Schema part 2 (lexical forms of the simple types).
"""

from __future__ import annotations

import binascii
import re
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar, Final, Protocol

from smetslab.duis.document import leaf_text, parse_date_time
from smetslab.duis.element import Element
from smetslab.duis.limits import MAX_NUMBER_DIGITS
from smetslab.errors import DuisError, GbcsEncodeError
from smetslab.gbcs.values import Value, parse_utc, utc_text
from smetslab.ids import Eui64

_NUMBER = re.compile(r"[+-]?[0-9]+")
_DATE = re.compile(r"([0-9]{4,5})-([0-9]{2})-([0-9]{2})(Z|[+-]00:00)?")
_TIME = re.compile(
    r"(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9]):(?P<seconds>[0-5][0-9])(?:\.[0-9]+)?"
    r"(?P<offset>Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])?"
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DAY_S: Final = 86400
EVERY_YEAR: Final = 65535
"""The year of a date that means every year. Spec: DUIS templates 2.1; IEC 62056-6-2 (date, year FFFF)."""


class Refusal(Exception):
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


class Simple(ABC):
    """An element, or attribute, that holds one text."""

    keeps_space: ClassVar[bool] = False

    @abstractmethod
    def parse(self, text: str) -> Value:
        """Raises Refusal."""

    @abstractmethod
    def format(self, value: Value) -> str:
        """Raises Refusal."""

    def read(self, element: Element, path: str) -> Value:
        text = leaf_text(element, path)
        try:
            return self.parse(element.text if self.keeps_space else text)
        except Refusal as refusal:
            raise element.fail("wrong value", path, expected=refusal.expected, found=text) from None

    def write(self, name: str, value: Value, path: str) -> Element:
        try:
            return Element(name, text=self.format(value))
        except Refusal as refusal:
            raise DuisError(
                "wrong value", path=path, expected=refusal.expected, found=repr(value)[:60]
            ) from None

    def leaves(self) -> Iterator[str]:
        yield ""


@dataclass(frozen=True, slots=True)
class Number(Simple):
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

    def _refusal(self) -> Refusal:
        return Refusal(f"{self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Text(Simple):
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
            raise Refusal(self.expected or f"{self.minimum} to {self.maximum} characters")
        return value


@dataclass(frozen=True, slots=True)
class Word(Simple):
    """One of a closed list of words."""

    words: tuple[str, ...]

    def parse(self, text: str) -> Value:
        return self.format(text)

    def format(self, value: Value) -> str:
        if value not in self.words:
            raise Refusal(" or ".join(self.words))
        return str(value)


@dataclass(frozen=True, slots=True)
class Boolean(Simple):
    """xs:boolean."""

    def parse(self, text: str) -> Value:
        if text not in {"true", "false", "1", "0"}:
            raise Refusal("true or false")
        return text in {"true", "1"}

    def format(self, value: Value) -> str:
        if not isinstance(value, bool):
            raise Refusal("true or false")
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Moment(Simple):
    """xs:dateTime with its offset, as UTC to the second: GBCS knows no fractions, so they are cut off."""

    def parse(self, text: str) -> Value:
        moment = parse_date_time(text)
        if moment is None:
            raise Refusal("a date-time such as 2030-01-15T09:00:00.00Z")
        return utc_text(moment)

    def format(self, value: Value) -> str:
        try:
            moment = parse_utc(value)
        except GbcsEncodeError:
            raise Refusal("a date-time such as 2030-01-15T09:00:00Z") from None
        # Two digits of a second, as every published request writes it.
        return f"{utc_text(moment)[:-1]}.00Z"


@dataclass(frozen=True, slots=True)
class Matching(Simple):
    """A text kept as it is that has the form of `pattern`: dates and times with or without wildcards,
    numbers of meter points.
    """

    pattern: re.Pattern[str]
    expected: str

    def parse(self, text: str) -> Value:
        return self.format(text)

    def format(self, value: Value) -> str:
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            raise Refusal(self.expected)
        return value


@dataclass(frozen=True, slots=True)
class Octets(Simple):
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

    def _refusal(self) -> Refusal:
        return Refusal(f"{self.form} of {self.minimum} to {self.maximum} octets")


@dataclass(frozen=True, slots=True)
class Eui(Simple):
    """A dashed EUI-64, shown as 16 upper-case digits."""

    def parse(self, text: str) -> Value:
        if len(text) != 23 or text.count("-") != 7:
            raise Refusal("8 pairs of hex digits joined by '-'")
        return str(self._eui(text))

    def format(self, value: Value) -> str:
        return self._eui(value).dashed()

    def _eui(self, value: Value) -> Eui64:
        try:
            return Eui64.parse(str(value))
        except ValueError:
            raise Refusal("an EUI-64") from None


@dataclass(frozen=True, slots=True)
class Decimals(Simple):
    """A decimal number from `low` to `high`, shown as a text with exactly `digits` digits after the point."""

    digits: int
    low: str
    high: str

    def parse(self, text: str) -> Value:
        if len(text) > MAX_NUMBER_DIGITS or not (text.isascii() and _DECIMAL.fullmatch(text)):
            raise self._refusal()
        return self.format(text)

    def format(self, value: Value) -> str:
        if not isinstance(value, str) or not (value.isascii() and _DECIMAL.fullmatch(value)):
            raise self._refusal()
        number = Decimal(value)
        scaled = number.scaleb(self.digits)
        if scaled != int(scaled) or not Decimal(self.low) <= number <= Decimal(self.high):
            raise self._refusal()
        return f"{number:.{self.digits}f}"

    def _refusal(self) -> Refusal:
        return Refusal(f"{self.low} to {self.high} with at most {self.digits} digits after the point")


@dataclass(frozen=True, slots=True)
class TimeOfDay(Simple):
    """xs:time with its offset, as UTC to the second: `07:00:00`. Fractions are cut off."""

    def parse(self, text: str) -> Value:
        found = _TIME.fullmatch(text) if text.isascii() else None
        if found is None:
            raise Refusal("a time such as 07:00:00.00Z")
        seconds = int(found["hours"]) * 3600 + int(found["minutes"]) * 60 + int(found["seconds"])
        offset = found["offset"] or "Z"
        if offset != "Z":
            distance = int(offset[1:3]) * 3600 + int(offset[4:6]) * 60
            seconds -= distance if offset[0] == "+" else -distance
        return str(timedelta(seconds=seconds % _DAY_S)).rjust(8, "0")

    def format(self, value: Value) -> str:
        found = _TIME.fullmatch(value) if isinstance(value, str) else None
        if not isinstance(value, str) or found is None or len(value) != len("07:00:00"):
            raise Refusal("a time such as 07:00:00")
        # Two digits of a second, as every published request writes it.
        return f"{value}.00Z"


@dataclass(frozen=True, slots=True)
class CalendarDay(Simple):
    """xs:date in UTC, as `2014-10-27`, or `*-04-29` for the day of every year, which DUIS writes with the
    year 65535.
    """

    def parse(self, text: str) -> Value:
        found = _DATE.fullmatch(text) if text.isascii() else None
        if found is None:
            raise self._refusal()
        return self._checked(int(found[1]), int(found[2]), int(found[3]))

    def format(self, value: Value) -> str:
        given = value if isinstance(value, str) else ""
        found = _DATE.fullmatch(given.replace("*", str(EVERY_YEAR)))
        if found is None or found[4] or self._checked(int(found[1]), int(found[2]), int(found[3])) != given:
            raise self._refusal()
        return f"{given.replace('*', str(EVERY_YEAR))}Z"

    def _checked(self, year: int, month: int, day: int) -> str:
        every = year == EVERY_YEAR
        try:
            known = date(2000 if every else year, month, day)
        except ValueError:
            raise self._refusal() from None
        return f"*{known.isoformat()[4:]}" if every else known.isoformat()

    @staticmethod
    def _refusal() -> Refusal:
        return Refusal(f"a UTC date such as 2030-01-15Z; the year {EVERY_YEAR} is every year")


# The names that declarations use. Spec: XML Schema part 2, 3.3 (ranges of the built-in types).

UNSIGNED_INT = Number(0, 2**32 - 1)
UNSIGNED_SHORT = Number(0, 2**16 - 1)
INT = Number(-(2**31), 2**31 - 1)
SHORT = Number(-(2**15), 2**15 - 1)
BOOLEAN = Boolean()
DATE_TIME = Moment()
DATE = CalendarDay()
TIME = TimeOfDay()
EUI = Eui()
CERTIFICATE = Octets("base64", 1, 4096)
