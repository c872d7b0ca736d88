"""What a supplier has configured of a prepayment account, and how makers differ where the texts leave room.

Money counts thousandths of a penny (10^-5 GBP) everywhere in this package, energy thousandths of a watt hour.

Spec: SMETS 5.7.4, 4.6.4 (payment configuration).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

PERCENTAGE_UNIT = 10_000
"""Debt Recovery per Payment counts hundredths of a percent."""

MICRO_PER_KILOWATT_HOUR = 1_000_000
"""Thousandths of a watt hour in a kilowatt hour, the unit of a price."""


class DebtPeriod(Enum):
    """How often a time-based debt is recovered."""

    HOURLY = 3_600
    DAILY = 86_400


class CapWeek(Enum):
    """The week that the debt recovery rate cap counts in."""

    MONDAY = "monday"
    """Monday 00:00 UTC to Monday. From a maker's manual."""
    ROLLING = "rolling"
    """The last 604 800 s. Unverified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDebt:
    """One time-based debt: the amount recovered per period."""

    rate: int = 0
    period: DebtPeriod = DebtPeriod.DAILY


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The configuration of one account. `rate_cap` 0: no cap."""

    disablement_threshold: int = 0
    emergency_limit: int = 0
    emergency_threshold: int = 0
    low_credit_threshold: int = 0
    per_payment: int = 0
    rate_cap: int = 0
    time_debts: tuple[TimeDebt, TimeDebt] = (TimeDebt(), TimeDebt())
    maximum_credit: int = 2**31 - 1
    maximum_balance: int = 2**31 - 1

    def __post_init__(self) -> None:
        """Raises ValueError on an impossible configuration."""
        for name in ("emergency_limit", "rate_cap", "maximum_credit"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if not 0 <= self.per_payment <= PERCENTAGE_UNIT:
            raise ValueError(f"per_payment is {self.per_payment}, expected 0 to {PERCENTAGE_UNIT}")
        if any(debt.rate < 0 for debt in self.time_debts):
            raise ValueError("a debt recovery rate is negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a make behaves where makers differ; every default is what most of them do.

    threshold_first: a top-up lifts the balance to the disablement threshold before it repays emergency
      credit.
    full_repay_first: exhausted emergency credit stays unusable until all of it is repaid.
    inclusive_thresholds: low credit and emergency credit come at the threshold, not below it.
    suspend_covers_standing: Suspend Debt Disabled suspends the standing charge as well.
    cap_covers_time_debts: the weekly cap limits time-based debts too.
    minimum_credit_to_arm: how far above the threshold the credit must be before the supply is armed.
    cost_to_date: Credit Mode counts a cost that rises instead of a balance that falls (gas).
    """

    threshold_first: bool = False
    full_repay_first: bool = False
    inclusive_thresholds: bool = False
    suspend_covers_standing: bool = False
    cap_covers_time_debts: bool = False
    cap_week: CapWeek = CapWeek.MONDAY
    minimum_credit_to_arm: int = 0
    cost_to_date: bool = False
