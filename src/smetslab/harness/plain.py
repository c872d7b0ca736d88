"""Plain values: what evidence records, as JSON can hold it, and the closed set of comparisons between them.

A comparison is a name and two plain values, so that whoever reads the evidence can make it again.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from types import NoneType
from typing import Any

from pydantic import JsonValue

from smetslab.ids import Eui64

Plain = JsonValue
"""None, bool, int, float, str, and lists and string-keyed dicts of these."""

MAX_DEPTH = 32


def utc_text(moment: datetime, timespec: str = "auto") -> str:
    """ISO 8601 in UTC with `Z`; a fraction only where there is one. ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError(f"a naive time has no place in evidence: {moment!r}")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def moment_text(moment: datetime) -> str:
    """Like `utc_text`, always to the microsecond, as records are stamped."""
    return utc_text(moment, "microseconds")


def parse_utc(text: str) -> datetime:
    """The inverse of `utc_text` and `moment_text`; ValueError for anything else."""
    if not text.endswith("Z"):
        raise ValueError(f"not a UTC time: {text!r}")
    moment = datetime.fromisoformat(text)
    if text not in (utc_text(moment), moment_text(moment)):
        raise ValueError(f"not a UTC time as this laboratory writes it: {text!r}")
    return moment


def to_plain(value: object, depth: int = 0) -> Plain:
    """`value` as JSON holds it: bytes in upper-case hex, times as UTC text, enumerations by name.

    Members stand in the order of their names, as in the evidence, so that a value reads the same whether it
    was just recorded or is read again. TypeError for what has no such form, so that nothing is recorded as
    a meaningless representation.
    """
    if depth > MAX_DEPTH:
        raise TypeError(f"a value nested deeper than {MAX_DEPTH} levels")
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    match value:
        case Mapping():
            return _sorted({_key(key): to_plain(item, depth + 1) for key, item in value.items()})
        case list() | tuple():
            return [to_plain(item, depth + 1) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return _sorted(
                {
                    field.name: to_plain(getattr(value, field.name), depth + 1)
                    for field in dataclasses.fields(value)
                }
            )
    raise TypeError(f"{type(value).__name__} has no plain form to record")


def _sorted(members: dict[str, Plain]) -> Plain:
    return dict(sorted(members.items()))


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise TypeError(f"{value} is no JSON number")
    return value


_FORMS: tuple[tuple[tuple[type, ...], Callable[[Any], Plain]], ...] = (
    ((enum.Enum,), lambda value: value.name),
    ((NoneType, bool, int, str), lambda value: value),
    ((float,), _number),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).hex().upper()),
    ((datetime,), utc_text),
    ((date,), lambda value: value.isoformat()),
    ((timedelta,), lambda value: value.total_seconds()),
    ((Eui64,), str),
)
"""How a single value is written. The first that fits counts: an IntEnum is an int, a datetime a date."""


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"a recorded mapping has text keys, not {type(key).__name__}")


def canonical_json(value: object) -> bytes:
    """The one way to write a plain value: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def display(value: Plain) -> str:
    """A plain value for a person, on one line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case str():
            return value or '""'
    return json.dumps(value, ensure_ascii=False)


def _equal(left: Plain, right: Plain) -> bool:
    """JSON equality: true is not 1, though Python says so."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return left == right


def _ordered(left: Plain, right: Plain) -> tuple[float, float]:
    """Both as numbers to order by; TypeError when they are not two numbers or two times."""
    match left, right:
        case bool(), _:
            pass
        case _, bool():
            pass
        case ((int() | float()), (int() | float())):
            return left, right
        case str(), str():
            try:
                return parse_utc(left).timestamp(), parse_utc(right).timestamp()
            except ValueError as error:
                raise TypeError(str(error)) from error
    raise TypeError(f"{display(left)} and {display(right)} have no order")


def _at_least(actual: Plain, expected: Plain) -> bool:
    left, right = _ordered(actual, expected)
    return left >= right


def _at_most(actual: Plain, expected: Plain) -> bool:
    left, right = _ordered(actual, expected)
    return left <= right


def _within(actual: Plain, expected: Plain) -> bool:
    if not isinstance(expected, list) or len(expected) != 2:
        raise TypeError("`within` compares with [lowest, highest]")
    return _at_least(actual, expected[0]) and _at_most(actual, expected[1])


def _contains(actual: Plain, expected: Plain) -> bool:
    match actual:
        case str():
            return isinstance(expected, str) and expected in actual
        case list():
            return any(_equal(item, expected) for item in actual)
        case dict():
            return isinstance(expected, str) and expected in actual
    return False


def _one_of(actual: Plain, expected: Plain) -> bool:
    if not isinstance(expected, list):
        raise TypeError("`one_of` compares with a list")
    return any(_equal(actual, item) for item in expected)


COMPARISONS: Mapping[str, Callable[[Plain, Plain], bool]] = {
    "equals": _equal,
    "differs": lambda actual, expected: not _equal(actual, expected),
    "at_least": _at_least,
    "at_most": _at_most,
    "within": _within,
    "contains": _contains,
    "one_of": _one_of,
}

PHRASES: Mapping[str, str] = {
    "equals": "",
    "differs": "anything but",
    "at_least": "at least",
    "at_most": "at most",
    "within": "within",
    "contains": "containing",
    "one_of": "one of",
}


def compare(comparison: str, actual: Plain, expected: Plain) -> bool:
    """Make the comparison. An actual value that cannot be ordered (a missing one, say) does not fit: False.

    TypeError when the *expected* value makes no sense for the comparison: that is the case's mistake.
    """
    if comparison in ("at_least", "at_most"):
        _ordered(expected, expected)
    elif comparison == "within":
        if not isinstance(expected, list) or len(expected) != 2:
            raise TypeError("`within` compares with [lowest, highest]")
        _ordered(expected[0], expected[1])
    try:
        return COMPARISONS[comparison](actual, expected)
    except TypeError:
        if comparison == "one_of":
            raise
        return False


def expectation(comparison: str, expected: Plain) -> str:
    """What a check expected, for a person: `at most 30`."""
    if comparison == "within" and isinstance(expected, list) and len(expected) == 2:
        return f"{display(expected[0])} to {display(expected[1])}"
    phrase = PHRASES[comparison]
    return f"{phrase} {display(expected)}" if phrase else display(expected)
