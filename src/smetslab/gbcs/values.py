"""Named values: the JSON-able form of parameters, and the text forms of dates, shared by every payload kind.

Each text form maps one to one onto octets: a value that has no readable form is written as `hex:` and its
octets, so that decoding and encoding again always gives the same bytes.

Spec: GBCS 9.2 (special date-times); IEC 62056-6-2 4.1.6.1 (date, time, date-time octets).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from struct import Struct
from typing import TypeAlias

from smetslab.errors import GbcsDecodeError, GbcsEncodeError

Value: TypeAlias = "bool | int | str | list[Value] | dict[str, Value] | None"
Parameters: TypeAlias = dict[str, Value]

IMMEDIATE = "immediate"
NEVER = "never"
HEX_PREFIX = "hex:"

_SUFFIX = bytes.fromhex("008000FF")
_IMMEDIATE_OCTETS = bytes(9) + _SUFFIX[1:]
_NEVER_OCTETS = b"\xff" * 9 + _SUFFIX[1:]
EPOCH_2000 = datetime(2000, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = EPOCH_2000.replace(tzinfo=None)
_ANY = 0xFF
_LEAP_YEAR = (2000).to_bytes(2, "big")
"""Stands for every year: 29 February may come."""
_DATE = re.compile(r"(\*|\d{4})-\d\d-\d\d", re.ASCII)


def to_hex(octets: bytes) -> str:
    return octets.hex().upper()


def from_hex(text: Value, path: str) -> bytes:
    """Octets of an upper- or lower-case hex string. Raises GbcsEncodeError."""
    if not isinstance(text, str):
        raise GbcsEncodeError("not a hex string", path=path, found=repr(text))
    try:
        return bytes.fromhex(text.removeprefix(HEX_PREFIX))
    except ValueError as error:
        raise GbcsEncodeError("not a hex string", path=path, found=repr(text)) from error


def date_time_to_text(octets: bytes) -> str:
    """`2030-01-15T09:00:00Z`, `immediate`, `never`, or `hex:` and the 12 octets."""
    if octets == _IMMEDIATE_OCTETS:
        return IMMEDIATE
    if octets == _NEVER_OCTETS:
        return NEVER
    if len(octets) == 12 and octets[4] == _ANY and octets[8:] == _SUFFIX:
        day, (hour, minute, second) = _day_text(octets[:4]), octets[5:8]
        if day and hour < 24 and minute < 60 and second < 60:
            return f"{day}T{hour:02}:{minute:02}:{second:02}Z"
    return HEX_PREFIX + to_hex(octets)


@lru_cache(maxsize=1024)
def _day_text(octets: bytes) -> str:
    """`2015-05-01` for year, month and day in four octets, nothing where there is no such day.

    Kept, because messages are full of days and these are few.
    """
    try:
        return date(int.from_bytes(octets[:2], "big"), octets[2], octets[3]).isoformat()
    except ValueError:
        return ""


def date_time_from_text(text: Value, path: str = "date-time") -> bytes:
    """The 12 octets of a text that `date_time_to_text` gives. Raises GbcsEncodeError."""
    if text == IMMEDIATE:
        return _IMMEDIATE_OCTETS
    if text == NEVER:
        return _NEVER_OCTETS
    if isinstance(text, str) and text.startswith(HEX_PREFIX):
        return from_hex(text, path)
    return _octets(_naive(text, path), 0xFF)


def date_time_octets(moment: datetime, *, status: int = 0xFF) -> bytes:
    """The 12-octet date-time of GBCS: UTC, day of week and deviation unspecified. `moment` must be aware."""
    return _octets(moment.astimezone(UTC), status)


_DATE_TIME = Struct(">HBBBBBB3sB")


def _octets(utc: datetime, status: int) -> bytes:
    return _DATE_TIME.pack(
        utc.year, utc.month, utc.day, _ANY, utc.hour, utc.minute, utc.second, _SUFFIX[:3], status
    )


def date_time_value(octets: bytes) -> datetime | None:
    """The moment that 12 octets name, None when they name none (immediate, never, wildcards)."""
    text = date_time_to_text(octets)
    if text in {IMMEDIATE, NEVER} or text.startswith(HEX_PREFIX):
        return None
    return parse_utc(text)


def as_moment(value: Value) -> datetime | None:
    """The moment that a text of `date_time_to_text` names, None when it names none."""
    named = isinstance(value, str) and value not in {IMMEDIATE, NEVER} and not value.startswith(HEX_PREFIX)
    return parse_utc(value) if named else None


def utc_text(moment: datetime) -> str:
    """`2015-01-01T00:00:00Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_utc(text: Value, path: str = "date-time") -> datetime:
    """The moment of an ISO text in UTC. Raises GbcsEncodeError."""
    return _naive(text, path).replace(tzinfo=UTC)


def _naive(text: Value, path: str) -> datetime:
    """The same without time zone."""
    if isinstance(text, str) and text.endswith("Z"):
        try:
            moment = datetime.fromisoformat(text[:-1])
        except ValueError:
            pass
        else:
            if (
                moment.tzinfo is None and not moment.microsecond
            ):  # else octets could not say what the text says
                return moment
    raise GbcsEncodeError(
        "not a date-time", path=path, expected="such as 2030-01-15T09:00:00Z", found=repr(text)
    )


def seconds_from_text(text: Value, path: str = "time") -> int:
    """Seconds since 2000-01-01T00:00:00Z of an ISO text in UTC. Raises GbcsEncodeError."""
    since = _naive(text, path) - _NAIVE_EPOCH
    return since.days * 86400 + since.seconds


def seconds_since_2000(moment: datetime) -> int:
    """Whole seconds since 2000-01-01T00:00:00Z, as logs and ZCL count them."""
    return int((moment - EPOCH_2000).total_seconds())


def date_to_text(octets: bytes) -> str:
    """`2015-05-01`, `*-12-25` for every year, or `hex:` and the 5 octets."""
    if len(octets) == 5 and octets[4] == _ANY:
        wild = octets[:2] == b"\xff\xff"
        text = _day_text(_LEAP_YEAR + octets[2:4] if wild else octets[:4])
        if text:
            return f"*{text[4:]}" if wild else text
    return HEX_PREFIX + to_hex(octets)


def date_from_text(text: Value, path: str = "date") -> bytes:
    if isinstance(text, str) and text.startswith(HEX_PREFIX):
        return from_hex(text, path)
    octets = _day_octets(text) if isinstance(text, str) else b""
    if not octets:
        raise GbcsEncodeError(
            "not a date", path=path, expected="such as 2015-05-01 or *-12-25", found=repr(text)
        )
    return octets


@lru_cache(maxsize=1024)
def _day_octets(text: str) -> bytes:
    """The five octets of a date, nothing where there is no such day. Kept as `_day_text` keeps its days."""
    try:
        day = date.fromisoformat(text.replace("*", "2000")) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        return b""
    year = b"\xff\xff" if text.startswith("*") else day.year.to_bytes(2, "big")
    return year + bytes((day.month, day.day, _ANY))


def time_to_text(octets: bytes) -> str:
    """`07:00:00`, or `hex:` and the 4 octets."""
    if len(octets) == 4 and octets[0] < 24 and octets[1] < 60 and octets[2] < 60 and octets[3] == 0:
        return f"{octets[0]:02}:{octets[1]:02}:{octets[2]:02}"
    return HEX_PREFIX + to_hex(octets)


def time_from_text(text: Value, path: str = "time") -> bytes:
    if isinstance(text, str) and text.startswith(HEX_PREFIX):
        return from_hex(text, path)
    if isinstance(text, str):
        parts = text.split(":")
        if len(parts) == 3 and all(len(part) == 2 and part.isdecimal() for part in parts):
            octets = bytes([int(part) for part in parts]) + b"\x00"
            if time_to_text(octets) == text:
                return octets
    raise GbcsEncodeError("not a time", path=path, expected="such as 07:00:00", found=repr(text))


def dig(value: Value, *path: str | int) -> Value:
    """The value at `path` inside named values. Raises GbcsDecodeError at the first step that is missing."""
    for place, step in enumerate(path):
        in_record = isinstance(value, dict) and isinstance(step, str) and step in value
        in_list = isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value)
        if not (in_record or in_list):
            raise GbcsDecodeError("no such value", path=".".join(str(part) for part in path[: place + 1]))
        value = value[step]  # type: ignore[index]
    return value


def number_at(value: Value, *path: str | int) -> int:
    """The number at `path`. Raises GbcsDecodeError when there is none."""
    found = dig(value, *path)
    if isinstance(found, int):
        return found
    raise _not_a("number", found, path)


def text_at(value: Value, *path: str | int) -> str:
    """The text at `path`. Raises GbcsDecodeError when there is none."""
    found = dig(value, *path)
    if isinstance(found, str):
        return found
    raise _not_a("text", found, path)


def list_at(value: Value, *path: str | int) -> list[Value]:
    """The list at `path`. Raises GbcsDecodeError when there is none."""
    found = dig(value, *path)
    if isinstance(found, list):
        return found
    raise _not_a("list", found, path)


def _not_a(kind: str, found: Value, path: tuple[str | int, ...]) -> GbcsDecodeError:
    return GbcsDecodeError(
        f"not a {kind}", path=".".join(str(part) for part in path), expected=kind, found=repr(found)[:80]
    )
