"""What was used and what it cost: today, this week, this month, as a display adds it up from a register.

Energy between two readings costs the price that was last told; the standing charge comes with each midnight.

Spec: IHDTS 4 (cumulative consumption and cost)
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from smetslab.devices.history import Length

PERIODS: Final[tuple[Length, ...]] = ("day", "week", "month")


@dataclass(slots=True)
class Period:
    """One day, week or month. `cost` counts 10^-8 GBP: thousandths of a penny times thousandths of a kWh."""

    begun: str = ""
    energy_wh: int = 0
    cost: int = 0
    seen_from: str = ""
    """When the display began, where the energy before it is the meter's word; the cost is since then."""

    @property
    def cost_millipence(self) -> int:
        return self.cost // 1000


@dataclass(slots=True)
class Ledger:
    """The sums of one meter, of the present periods and of the day before."""

    register_wh: int | None = None
    day: Period = field(default_factory=Period)
    week: Period = field(default_factory=Period)
    month: Period = field(default_factory=Period)
    yesterday: Period = field(default_factory=Period)
    tenancy: str = ""
    """The change of tenancy that it has followed last."""
    first: str = ""
    """When the first reading came."""

    def change_tenancy(self, date: datetime) -> None:
        """A new tenant begins at `date`: sums of periods that began before it are nobody's business."""
        if self.tenancy == date.isoformat():
            return
        self.tenancy = date.isoformat()
        for period in (self.day, self.week, self.month, self.yesterday):
            if period.begun and datetime.fromisoformat(period.begun).replace(tzinfo=date.tzinfo) < date:
                period.energy_wh, period.cost, period.seen_from = 0, 0, ""

    def add(self, time: datetime, *, energy_wh: int, price: int, standing_charge: int) -> None:
        """A reading of the register. `price` and `standing_charge` in thousandths of a penny. UTC days."""
        today = time.date()
        self.first = self.first or time.isoformat()
        used = 0 if self.register_wh is None else max(0, energy_wh - self.register_wh)
        days = _days_since(self.day.begun, today)
        self._turn(today)
        for period in (self.day, self.week, self.month):
            period.energy_wh += used
            period.cost += used * price
        # One for each midnight that has passed; in a period that has just begun, those inside it.
        for period in (self.day, self.week, self.month):
            inside = min(days, (today - date.fromisoformat(period.begun)).days + 1)
            period.cost += inside * standing_charge * 1000
        self.register_wh = energy_wh

    def told(self, name: Length, energy_wh: int) -> None:
        """What the meter says of the period that runs; it counts for one that began before the display."""
        period: Period = getattr(self, name)
        if period.begun <= self.first and energy_wh > period.energy_wh:
            period.energy_wh, period.seen_from = energy_wh, self.first

    def _turn(self, today: date) -> None:
        monday = today - timedelta(days=today.weekday())
        if self.day.begun != today.isoformat():
            self.yesterday = self.day
            self.day = Period(today.isoformat())
        if self.week.begun != monday.isoformat():
            self.week = Period(monday.isoformat())
        if self.month.begun != today.replace(day=1).isoformat():
            self.month = Period(today.replace(day=1).isoformat())

    def encode(self) -> bytes:
        """For non-volatile memory."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def decode(cls, octets: bytes) -> Ledger:
        kept = json.loads(octets)
        register, tenancy, first = (kept.pop(name) for name in ("register_wh", "tenancy", "first"))
        periods = {name: Period(**period) for name, period in kept.items()}
        return cls(register, tenancy=tenancy, first=first, **periods)


def _days_since(begun: str, today: date) -> int:
    """Midnights since the day that was last added to; none on the first day."""
    return 0 if not begun else max(0, (today - date.fromisoformat(begun)).days)
