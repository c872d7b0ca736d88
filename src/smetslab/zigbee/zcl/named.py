"""Data types whose values mean something: enumerations, bitmaps, times, dates, texts.

On the wire, and as values of records, they are the plain types that they are made of. Their JSON form says
what a value means. It maps one to one onto values: a number without a name stays a number, and numbers are
taken wherever names are.

Spec: ZCL 2.6 (data types); ZSE 1.4 (meanings)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from smetslab.errors import ZclEncodeError
from smetslab.zigbee.zcl.types import Date, Integer, OctetString, UInt16, UtcTime
from smetslab.zigbee.zcl.values import (
    HEX_PREFIX,
    JsonValue,
    ZclValue,
    octets_from_json,
    text_from_json,
    text_to_json,
)

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Where UTCTime counts from. Spec: ZCL 2.6.2.21."""
RESERVED: Final = "reserved"
"""How names of parts of a bitmap begin that have no meaning; the JSON form has them when they are not
zero."""

_SECOND: Final = timedelta(seconds=1)
_BEFORE: Final = EPOCH - _SECOND
_FULL: Final = 0xFFFFFFFF
_ANY: Final = 0xFF
_CACHED_BITS: Final = 8


class _Derived(Integer):
    """An integer with a JSON form of its own."""

    __slots__ = ()

    plain_json = False

    def __init__(self, base: Integer) -> None:
        super().__init__(base.name, base.code or 0, base.size, signed=base.signed)
        self.code = base.code


class Enumeration(_Derived):
    """A number some of whose values have names."""

    __slots__ = ("_numbers", "names")

    def __init__(self, base: Integer, names: Mapping[int, str]) -> None:
        super().__init__(base)
        self.names = dict(names)
        self._numbers = {name: number for number, name in names.items()}
        if len(self._numbers) != len(self.names):
            raise ValueError(f"two values of {self.names} have one name")

    def to_json(self, value: ZclValue) -> JsonValue:
        number = self.number(value)
        return self.names.get(number, number)

    def from_json(self, value: JsonValue) -> ZclValue:
        if not isinstance(value, str):
            return super().from_json(value)
        if value not in self._numbers:
            raise self.refuse(value, ", ".join(self._numbers) + f", or {self.low}..{self.high}")
        return self._numbers[value]


class Flags(_Derived):
    """A bitmap of single bits: a list of the names of those that are set, lowest first, numbers of nameless
    ones.
    """

    __slots__ = ("_bits", "names")

    def __init__(self, base: Integer, names: Mapping[int, str]) -> None:
        super().__init__(base)
        self.names = dict(names)
        self._bits = {name: bit for bit, name in names.items()}

    def to_json(self, value: ZclValue) -> JsonValue:
        number = self.number(value)
        return [self.names.get(bit, bit) for bit in range(number.bit_length()) if number >> bit & 1]

    def from_json(self, value: JsonValue) -> ZclValue:
        if not isinstance(value, list):
            raise self.refuse(value, "a list of " + ", ".join(self._bits))
        number = 0
        for item in value:
            bit = self._bits.get(item) if isinstance(item, str) else item
            if not isinstance(bit, int) or isinstance(bit, bool) or not 0 <= bit < 8 * self.size:
                raise self.refuse(item, ", ".join(self._bits) + ", or the number of a bit")
            if number >> bit & 1:
                raise self.refuse(item, "each bit once")
            number |= 1 << bit
        return number


class Part(NamedTuple):
    """A part of a `Bits`: so many bits, a boolean when it is one bit without names."""

    bits: int
    names: Mapping[int, str] = MappingProxyType({})


class Bits(_Derived):
    """A bitmap of parts, from the lowest bit up: `Bits(Bitmap8, price_tier=Part(4), trailing_digit=Part(4))`.

    Bits above the last part are `reserved`.
    """

    __slots__ = ("_cache", "_numbers", "_parts")

    def __init__(self, base: Integer, **parts: Part) -> None:
        super().__init__(base)
        used = sum(part.bits for part in parts.values())
        spare = 8 * base.size - used
        if spare < 0:
            raise ValueError(f"{used} bits do not fit into {base.name}")
        if spare:
            parts[RESERVED] = Part(spare)
        self._parts = parts
        self._numbers = {
            name: {text: number for number, text in part.names.items()} for name, part in parts.items()
        }
        self._cache: dict[int, dict[str, JsonValue]] = {}

    @property
    def parts(self) -> Mapping[str, Part]:
        """The parts by name, lowest first, the reserved one included."""
        return self._parts

    def to_json(self, value: ZclValue) -> JsonValue:
        number = self.number(value)
        known = self._cache.get(number)
        if known is None:
            known = self._split(number)
            if number >> _CACHED_BITS == 0:
                self._cache[number] = known
        return dict(known)

    def _split(self, number: int) -> dict[str, JsonValue]:
        out: dict[str, JsonValue] = {}
        for name, (bits, names) in self._parts.items():
            part = number & ((1 << bits) - 1)
            number >>= bits
            if name.startswith(RESERVED):
                if part:
                    out[name] = part
            elif bits == 1 and not names:
                out[name] = bool(part)
            else:
                out[name] = names.get(part, part)
        return out

    def from_json(self, value: JsonValue) -> ZclValue:
        if not isinstance(value, dict):
            raise self.refuse(value, "members " + ", ".join(self._parts))
        for name in value:
            if name not in self._parts:
                raise ZclEncodeError("unknown member", path=name, expected=", ".join(self._parts))
        number, shift = 0, 0
        for name, (bits, names) in self._parts.items():
            reserved = name.startswith(RESERVED)
            if name not in value and not reserved:
                raise ZclEncodeError("missing member", path=name)
            item = value.get(name, 0)
            part = self._numbers[name].get(item) if isinstance(item, str) else item
            boolean = bits == 1 and not names and not reserved
            if (
                not isinstance(part, int)
                or isinstance(part, bool) is not boolean
                or not 0 <= part < 1 << bits
            ):
                wanted = ("true", "false") if boolean else (*names.values(), f"0..{(1 << bits) - 1}")
                raise ZclEncodeError(
                    "not a value of the member", path=name, expected=", ".join(wanted), found=repr(item)
                )
            number |= int(part) << shift
            shift += bits
        return number


class Moment(Enumeration):
    """A UTCTime: `2015-01-01T00:00:00Z`, or the name of a value that is no time."""

    __slots__ = ()

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        super().__init__(UtcTime, names or {})

    def to_json(self, value: ZclValue) -> JsonValue:
        number = self.number(value)
        name = self.names.get(number)
        return seconds_to_text(number) if name is None else name

    def from_json(self, value: JsonValue) -> ZclValue:
        if isinstance(value, str) and value not in self._numbers:
            return seconds_from_text(value)
        return super().from_json(value)


class DateForm(_Derived):
    """A ZCL date, year, month, day and day of week: `2015-03-20`, `*-12-25` for every year; otherwise octets.

    Any of year, month and day may be `*`.  Spec: ZCL 2.6.2.20
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(Date)

    def to_json(self, value: ZclValue) -> JsonValue:
        octets = self.number(value).to_bytes(4, "little")
        year, month, day, week_day = octets
        if week_day == _ANY:
            try:
                # A leap year stands in for any year: 29 February may come.
                date(
                    2000 if year == _ANY else 1900 + year,
                    1 if month == _ANY else month,
                    1 if day == _ANY else day,
                )
            except ValueError:
                return HEX_PREFIX + octets.hex().upper()
            shown = ("*" if n == _ANY else f"{n:02}" for n in (month, day))
            return "-".join(("*" if year == _ANY else f"{1900 + year}", *shown))
        return HEX_PREFIX + octets.hex().upper()

    def from_json(self, value: JsonValue) -> ZclValue:
        octets = b""
        if isinstance(value, str) and value.startswith(HEX_PREFIX):
            octets = octets_from_json(value)
        elif isinstance(value, str):
            octets = _date_octets(value)
        number = int.from_bytes(octets, "little")
        if len(octets) != 4 or (not str(value).startswith(HEX_PREFIX) and self.to_json(number) != value):
            raise self.refuse(value, "such as 2015-03-20 or *-12-25, or hex: and 4 octets")
        return number


def _date_octets(text: str) -> bytes:
    """The octets of year, month and day, nothing when the text has not these."""
    parts = text.split("-")
    if len(parts) != 3 or not all(part == "*" or (part.isascii() and part.isdecimal()) for part in parts):
        return b""
    numbers = [None if part == "*" else int(part) for part in parts]
    offsets = (1900, 0, 0)
    values = [_ANY if n is None else n - offset for n, offset in zip(numbers, offsets, strict=True)]
    return bytes((*values, _ANY)) if all(0 <= n <= _ANY for n in values) else b""


class Code(_Derived):
    """A number shown as upper-case hex digits, as GBCS prints event and alert codes."""

    __slots__ = ()

    def to_json(self, value: ZclValue) -> JsonValue:
        return f"{self.number(value):0{2 * self.size}X}"

    def from_json(self, value: JsonValue) -> ZclValue:
        octets = octets_from_json(value)
        if len(octets) != self.size:
            raise self.refuse(value, f"{2 * self.size} hex digits")
        return int.from_bytes(octets, "big")


class Label(OctetString):
    """An octet string that people read."""

    __slots__ = ()

    def to_json(self, value: ZclValue) -> JsonValue:
        if value is None:
            return None
        if isinstance(value, bytes):
            return text_to_json(value)
        raise self.refuse(value, "bytes or None")

    def from_json(self, value: JsonValue) -> ZclValue:
        return None if value is None else text_from_json(value)


def seconds_to_text(seconds: int) -> str:
    """`2015-01-01T00:00:00Z` for seconds since 2000."""
    days, rest = divmod(seconds, 86400)
    return f"{_day_text(days)}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


@lru_cache(maxsize=1024)
def _day_text(days: int) -> str:
    # Messages are full of times and these of few days: this is four times as fast as formatting a datetime.
    return (EPOCH + timedelta(days=days)).date().isoformat()


def seconds_from_text(text: str) -> int:
    """The reverse of `seconds_to_text`; ZclEncodeError for any other text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _BEFORE
    if moment.tzinfo is None:
        moment = _BEFORE
    seconds = (moment - EPOCH) // _SECOND
    if not 0 <= seconds <= _FULL or seconds_to_text(seconds) != text:
        raise ZclEncodeError(
            "not a time", expected="such as 2030-01-15T09:00:00Z, 2000 to 2136", found=repr(text)
        )
    return seconds


Time = Moment()
"""A moment that is nothing but a moment."""
NOW = "immediate"
CANCEL = "never"
StartTime = Moment({0: NOW, _FULL: CANCEL})
"""When something takes effect: 0 at once, all ones cancels what was planned. Spec: GBCS 9.2; ZSE 1.4."""
StartTimeFE = Moment({0: NOW, _FULL - 1: CANCEL})
"""As `StartTime`, in the commands whose cancel value is FFFFFFFE. Spec: GBCS 9.2; ZSE 1.4 (Price, Calendar).
"""
FromTime = Moment({0: NOW})
"""The start of what is asked for. Spec: ZSE 1.4 (0 is now)."""
IssueTime = Moment({0: "not_given"})
"""When a command was issued, where senders may leave that open."""
ZclDate = DateForm()
EventCode = Code(UInt16)
