"""Past days, weeks and months of consumption, added up from a daily log: what displays show as history.

Spec: SMETS 4.6.5, 5.7.5 (cumulative and historical value store: 8 days, 5 weeks, 13 months); ZSE 1.4
D.3.2.2.5, D.3.2.2.13. Weeks begin on Mondays, all periods at midnight UTC (unverified).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

_DAY: Final = timedelta(days=1)
Length = Literal["day", "week", "month"]


def first_day(length: Length, today: date, back: int) -> date:
    """The first day of the period that runs today, or of the one so many periods before it."""
    match length:
        case "day":
            return today - back * _DAY
        case "week":
            return today - (today.weekday() + 7 * back) * _DAY
        case "month":
            months = today.year * 12 + today.month - 1 - back
            return date(months // 12, months % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class History:
    """Consumption by day; `days`: those that are over, `so_far`: that of today, which runs."""

    today: date
    days: Mapping[date, int]
    so_far: int

    def used(self, length: Length, back: int) -> int:
        """What was used in the period that runs (0), or so many periods ago; a day that nobody knows is 0."""
        first = first_day(length, self.today, back)
        following = first_day(length, self.today, back - 1) if back else self.today + _DAY
        total = sum(
            self.days.get(first + number * _DAY, 0) for number in range(int((following - first) / _DAY))
        )
        return total + (0 if back else self.so_far)
