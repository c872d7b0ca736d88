"""Calendars made of schedule entries (class 10) with special days (class 11): when which script runs.

The non-disablement calendar, the calendar of auxiliary controllers and the window of the configurable maximum
demand are such calendars.

Spec: IEC 62056-6-2 (Schedule, Special days table); GBCS use cases ECS08, ECS08a, ECS37, ECS46c.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from smetslab.gbcs.values import EPOCH_2000, Value, date_from_text, time_from_text

_DAY = timedelta(days=1)
_LOOK_BACK_DAYS = 400
_ANY_YEAR, _ANY = 0xFFFF, 0xFF


@dataclass(frozen=True, slots=True)
class _Date:
    """A date with wildcards."""

    year: int
    month: int
    day: int
    weekday: int = _ANY

    @classmethod
    def of(cls, text: Value) -> _Date:
        octets = date_from_text(text)
        return cls(int.from_bytes(octets[:2], "big"), octets[2], octets[3], octets[4])

    def matches(self, day: date) -> bool:
        return (
            self.year in {day.year, _ANY_YEAR}
            and self.month in {day.month, _ANY}
            and self.day in {day.day, _ANY}
            and self.weekday in {day.isoweekday(), _ANY}
        )

    def order(self, day: date, *, wild: int) -> tuple[int, int, int]:
        """For comparison with `day`: a wildcard year is that of the day, other wildcards are `wild`."""
        return (
            day.year if self.year == _ANY_YEAR else self.year,
            wild if self.month == _ANY else self.month,
            wild if self.day == _ANY else self.day,
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    seconds: int
    script: int
    weekdays: str
    special_days: str
    begin: _Date
    end: _Date

    def covers(self, day: date) -> bool:
        """Whether `day` is in its season; one without a year may run over the turn of the year."""
        first, last = self.begin.order(day, wild=0), self.end.order(day, wild=99)
        today = (day.year, day.month, day.day)
        if first <= last:
            return first <= today <= last
        return today >= first or today <= last


class Schedule:
    """One such calendar."""

    def __init__(self, entries: Value, special_days: Value = None) -> None:
        """The named values of class 10 attribute 2 and of class 11 attribute 2."""
        self._entries = (
            [
                _Entry(
                    _seconds(row["switch_time"]),
                    _number(row["script_selector"]),
                    str(row.get("exec_weekdays", "1111111")),
                    str(row.get("exec_special_days", "")),
                    _Date.of(row["begin_date"]),
                    _Date.of(row["end_date"]),
                )
                for row in entries
                if isinstance(row, dict) and row.get("enable", True)
            ]
            if isinstance(entries, list)
            else []
        )
        self._special = (
            [
                (_Date.of(row["date"]), _number(row["day_identifier"]))
                for row in special_days
                if isinstance(row, dict)
            ]
            if isinstance(special_days, list)
            else []
        )

    def switches(self, day: date) -> list[tuple[int, int]]:
        """Seconds after midnight UTC and script, in order. On a special day the entries for it run alone."""
        special = next((number for when, number in self._special if when.matches(day)), None)
        found: list[tuple[int, int]] = []
        for entry in self._entries:
            if special is None:
                runs = entry.weekdays[day.weekday() : day.weekday() + 1] == "1"
            else:
                runs = entry.special_days[special - 1 : special] == "1" if special else False
            if runs and entry.covers(day):
                found.append((entry.seconds, entry.script))
        return sorted(found)

    def script_before(self, time: datetime) -> int:
        """The script that ran last before or at `time`; 0: none within a year."""
        if not self._entries:
            return 0
        for days_back in range(_LOOK_BACK_DAYS):
            day = time.date() - days_back * _DAY
            for seconds, script in reversed(self.switches(day)):
                if midnight(day) + timedelta(seconds=seconds) <= time:
                    return script
        return 0


class ExecutionTimes:
    """The times of a single action schedule (class 22): a date, maybe with wildcards, and a time.

    The billing calendar is one: daily, weekly, monthly, quarterly, half-yearly or yearly. Spec: GBCS use
    cases ECS30, ECS30a, ECS48.
    """

    def __init__(self, times: Value) -> None:
        """The named value of class 22 attribute 4."""
        rows = [row for row in times if isinstance(row, dict)] if isinstance(times, list) else []
        self._times = [(_Date.of(row["date"]), _seconds(row["time"])) for row in rows]

    def on(self, day: date) -> list[int]:
        """Seconds after midnight UTC at which it runs on a day."""
        return sorted(seconds for when, seconds in self._times if when.matches(day))

    @property
    def any(self) -> bool:
        """Whether it ever runs."""
        return bool(self._times)

    def before(self, time: datetime, days: int) -> datetime | None:
        """When it ran last, at `time` or in so many days before it."""
        for back in range(days + 1):
            day = time.date() - back * _DAY
            for seconds in reversed(self.on(day)):
                moment = midnight(day) + timedelta(seconds=seconds)
                if moment <= time:
                    return moment
        return None

    def after(self, time: datetime, days: int) -> datetime | None:
        """When it runs next, in so many days after `time`."""
        for ahead in range(days + 1):
            day = time.date() + ahead * _DAY
            for seconds in self.on(day):
                moment = midnight(day) + timedelta(seconds=seconds)
                if moment > time:
                    return moment
        return None


def after_2000(seconds: int) -> datetime:
    """A time in seconds since 2000."""
    return EPOCH_2000 + timedelta(seconds=seconds)


def midnight(day: date) -> datetime:
    """The first moment of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=EPOCH_2000.tzinfo)


def _seconds(text: Value) -> int:
    hour, minute, second, _ = time_from_text(text)
    return hour * 3600 + minute * 60 + second


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0
