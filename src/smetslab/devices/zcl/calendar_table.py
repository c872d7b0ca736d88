"""A calendar as tables: seasons, week profiles, day profiles and special days, asked what applies when.

Spec: ZSE 1.4 D.9; GBCS use cases GCS01a, GCS05
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import cast

from smetslab.store import Json

TARIFF, NON_DISABLEMENT = 0, 3
"""Calendar types that a gas meter has. Spec: ZSE 1.4 D.9.2.3.1."""
REQUESTED = {0xFFFFFFFF: TARIFF, 0xFFFFFFFE: NON_DISABLEMENT}
"""What a request asks for that does not name a calendar. Spec: GBCS use cases GCS21f, GCS21b."""

_ANY = 0xFF
_FIRST_YEAR = 1900
_DAY = timedelta(days=1)
_DAYS_KEPT = 8
WEEKDAYS = tuple(
    f"day_id_ref_{name}"
    for name in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarTable:
    """One calendar. Dates are ZCL dates as numbers; switches are minutes after midnight with what begins.

    `expected`: numbers of seasons, week profiles and day profiles. `due`: its time has come, it is put in
    force as soon as it is complete. `withdrawn`: it was cancelled, its parts mean nothing.
    """

    identifier: int
    expected: tuple[int, int, int] = (0, 0, 0)
    seasons: tuple[tuple[int, int], ...] = ()
    weeks: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    days: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    due: bool = False
    withdrawn: bool = False

    @property
    def complete(self) -> bool:
        return (len(self.seasons), len(self.weeks), len(self.days)) == self.expected

    def to_json(self) -> dict[str, Json]:
        record = asdict(self)
        record["weeks"] = [[number, list(days)] for number, days in self.weeks.items()]
        record["days"] = [[number, [list(s) for s in switches]] for number, switches in self.days.items()]
        return cast("dict[str, Json]", record)

    @classmethod
    def from_json(cls, record: Json) -> CalendarTable:
        """What `to_json` made."""
        found = cast("dict[str, object]", record)
        seasons = cast("list[list[int]]", found["seasons"])
        weeks = cast("list[tuple[int, list[int]]]", found["weeks"])
        days = cast("list[tuple[int, list[list[int]]]]", found["days"])
        first, second, third = cast("list[int]", found["expected"])
        return cls(
            identifier=cast("int", found["identifier"]),
            expected=(first, second, third),
            seasons=tuple((start, week) for start, week in seasons),
            weeks={number: tuple(refs) for number, refs in weeks},
            days={number: tuple((minute, what) for minute, what in rows) for number, rows in days},
            due=bool(found["due"]),
            withdrawn=bool(found["withdrawn"]),
        )


SpecialDays = tuple[tuple[int, int], ...]
"""Dates as numbers, with the day profile that replaces that of the week."""


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar with its special days, asked what applies."""

    table: CalendarTable
    special: SpecialDays = ()
    _days: dict[date, tuple[tuple[int, int], ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """The switches of days that somebody has asked for."""

    def value(self, time: datetime) -> int | None:
        """What applies at a moment of the device's time; None when the calendar says nothing."""
        minute = time.hour * 60 + time.minute
        begun = [what for start, what in self._switches(time.date()) if start <= minute]
        return begun[-1] if begun else None

    def next_switch(self, time: datetime) -> datetime | None:
        """The next moment at which something else may apply; None when nothing ever does."""
        if not self.table.days:
            return None
        midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
        for minute, _ in self._switches(time.date()):
            moment = midnight + timedelta(minutes=minute)
            if moment > time:
                return moment
        return midnight + _DAY

    def _switches(self, day: date) -> tuple[tuple[int, int], ...]:
        """In the order of time."""
        known = self._days.get(day)
        if known is None:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            known = tuple(sorted(self.table.days.get(self._day_identifier(day), ())))
            self._days[day] = known
        return known

    def _day_identifier(self, day: date) -> int:
        for number, identifier in self.special:
            if _matches(number, day):
                return identifier
        week = self.table.weeks.get(self._week(day))
        return 0 if week is None else week[day.weekday()]

    def _week(self, day: date) -> int:
        """The week profile of the season that started last; a start without a year comes back every year."""
        latest: tuple[date, int] | None = None
        for number, week in self.table.seasons:
            year, month, day_of_month = _parts(number)
            years = (day.year, day.year - 1) if year is None else (year,)
            for candidate in years:
                start = _date(candidate, month, day_of_month)
                if start is not None and start <= day and (latest is None or start > latest[0]):
                    latest = (start, week)
        return 0 if latest is None else latest[1]


def _parts(number: int) -> tuple[int | None, int | None, int | None]:
    """Year, month, day of a ZCL date; None: any. Spec: ZCL 2.6.2.20."""
    year, month, day, _ = number.to_bytes(4, "little")
    return (
        None if year == _ANY else _FIRST_YEAR + year,
        None if month == _ANY else month,
        None if day == _ANY else day,
    )


def _date(year: int, month: int | None, day: int | None) -> date | None:
    """None for a date that the year does not have."""
    try:
        return date(year, month or 1, day or 1)
    except ValueError:
        return None


def _matches(number: int, day: date) -> bool:
    return all(
        wanted is None or wanted == found
        for wanted, found in zip(_parts(number), (day.year, day.month, day.day), strict=True)
    )
