"""What a value has to keep besides its shape: sizes of tables, indices of prices, calendars, possible dates.

A check is given the value that is written and a way to read the others by name; it says what is wrong.

Spec: SMETS 5.7.4 (sizes); GBCS 7.3.7 (prices); IEC 62056-6-2 (Activity Calendar).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from typing import TypeAlias

from smetslab.gbcs.values import NEVER, Value

ValueOf: TypeAlias = Callable[[str], Value]
Check: TypeAlias = Callable[[Value, ValueOf], str | None]
"""What is wrong with a value, None when nothing is."""

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def at_most(count: int) -> Check:
    """A table of at most `count` entries."""

    def check(value: Value, value_of: ValueOf) -> str | None:
        del value_of
        if isinstance(value, list) and len(value) > count:
            return f"{len(value)} entries, at most {count}"
        return None

    return check


def at_most_each(member: str, count: int) -> Check:
    """Entries whose list `member` has at most `count` entries."""

    def check(value: Value, value_of: ValueOf) -> str | None:
        del value_of
        for entry in _entries(value):
            inner = entry.get(member)
            if isinstance(inner, list) and len(inner) > count:
                return f"{len(inner)} entries of {member}, at most {count}"
        return None

    return check


def unique(member: str) -> Check:
    """Entries that differ in `member`."""

    def check(value: Value, value_of: ValueOf) -> str | None:
        del value_of
        found = [entry.get(member) for entry in _entries(value)]
        twice = next((one for one in found if found.count(one) > 1), None)
        return None if twice is None else f"{member} {twice} stands there twice"

    return check


def same_indices(active: str) -> Check:
    """A charge whose table has just the indices that the active one has. Spec: GBCS 7.3.7."""

    def check(value: Value, value_of: ValueOf) -> str | None:
        wanted, given = _indices(value_of(active)), _indices(value)
        missing = [index for index in wanted if index not in given]
        unknown = [index for index in given if index not in wanted]
        if missing or unknown:
            return f"prices missing: {missing[:3]}, unknown: {unknown[:3]}"
        return None

    return check


def hangs_together(seasons: str, weeks: str, days: str) -> Check:
    """An activation of a calendar all of whose seasons name a week, and all of whose weeks name days."""

    def check(value: Value, value_of: ValueOf) -> str | None:
        if value == NEVER:
            return None
        known_weeks = [entry.get("week_profile_name") for entry in _entries(value_of(weeks))]
        known_days = [entry.get("day_identifier") for entry in _entries(value_of(days))]
        for season in _entries(value_of(seasons)):
            if season.get("week_name") not in known_weeks:
                return f"season {season.get('season_profile_name')} names no week of the calendar"
        for week in _entries(value_of(weeks)):
            for weekday in _WEEKDAYS:
                if week.get(weekday) not in known_days:
                    return f"week {week.get('week_profile_name')} has no day for {weekday}"
        return None

    return check


def _entries(value: Value) -> Iterator[dict[str, Value]]:
    return (entry for entry in (value if isinstance(value, list) else []) if isinstance(entry, dict))


def _indices(charge: Value) -> list[Value]:
    table = charge.get("charge_table") if isinstance(charge, dict) else None
    return [entry.get("index") for entry in _entries(table)]


_ANY = 0xFF
_DAYLIGHT_SAVING = (0xFD, 0xFE)
"""As a month: where daylight saving ends and begins; as a day: the second last and the last of the month."""


def is_on_the_calendar(octets: bytes, form: str) -> bool:
    """Whether the fields of a date or time are possible. Wildcards are, and so are the values that mean now
    and never in an activation. Spec: IEC 62056-6-2 (date and time); GBCS 9.2.
    """
    if form == "date-time" and len(octets) == _DATE_TIME_OCTETS and octets[:9] == bytes(9):
        return True
    date, time = {
        "date-time": (octets[:5], octets[5:9]),
        "date": (octets, b""),
        "time": (b"", octets),
    }[form]
    return _is_date(date) and _is_time(time)


_DATE_TIME_OCTETS = 12


def _is_date(octets: bytes) -> bool:
    if not octets:
        return True
    year, month, day, weekday = int.from_bytes(octets[:2], "big"), octets[2], octets[3], octets[4]
    if not (1 <= month <= 12 or month in (*_DAYLIGHT_SAVING, _ANY)) or not (
        1 <= weekday <= 7 or weekday == _ANY
    ):
        return False
    if day in (*_DAYLIGHT_SAVING, _ANY):
        return True
    longest = 31
    if month <= 12:
        leap_or_given = year if 1 <= year <= 9999 else 2000
        longest = monthrange(leap_or_given, month)[1]
    return 1 <= day <= longest


def _is_time(octets: bytes) -> bool:
    limits = (23, 59, 59, 99)
    return all(field <= limit or field == _ANY for field, limit in zip(octets, limits, strict=False))
