"""Periods that repeat by the calendar: when the next billing or block period of a gas meter begins.

Spec: ZSE 1.4 D.4.2.4.2, D.4.2.4.9 (duration and its timebase); GBCS use cases GCS25, GCS25a
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum


class Timebase(IntEnum):
    """The unit of a duration: the low four bits of its type."""

    MINUTES = 0
    DAYS = 1
    WEEKS = 2
    MONTHS = 3


_LENGTHS = {
    Timebase.MINUTES: timedelta(minutes=1),
    Timebase.DAYS: timedelta(days=1),
    Timebase.WEEKS: timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class RepeatingPeriod:
    """A period that begins at `start` and then every `duration` units again. `duration` 0: only once."""

    start: datetime
    duration: int
    timebase: Timebase

    def next_after(self, time: datetime) -> datetime | None:
        """The first beginning later than `time`; None when there is none, or it is later than all dates."""
        if time < self.start:
            return self.start
        try:
            return self._following(time) if self.duration else None
        except (OverflowError, ValueError):
            return None

    def _following(self, time: datetime) -> datetime:
        if self.timebase is Timebase.MONTHS:
            passed = (time.year - self.start.year) * 12 + time.month - self.start.month
            count = max(0, passed // self.duration)
            moment = self._month(count)
            while moment <= time:
                count += 1
                moment = self._month(count)
            return moment
        length = _LENGTHS[self.timebase] * self.duration
        return self.start + length * ((time - self.start) // length + 1)

    def _month(self, count: int) -> datetime:
        months = self.start.month - 1 + count * self.duration
        year, month = self.start.year + months // 12, months % 12 + 1
        return self.start.replace(year=year, month=month, day=min(self.start.day, monthrange(year, month)[1]))
