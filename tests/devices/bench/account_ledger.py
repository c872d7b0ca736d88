"""What a prepaying household has and owes, by plain arithmetic on whole numbers.

The other side of a test that reconciles a meter's account, of which it knows nothing. Money in thousandths of
a penny.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(kw_only=True)
class AccountLedger:
    """One account, of electricity or gas. `supply`: the switch or valve is on; `cause`: off for want of
    credit. Debt is taken neither from emergency credit nor while the supply is off."""

    now: datetime
    balance: int = 1_000_000
    emergency: int = 1_000_000
    limit: int = 1_000_000
    emergency_threshold: int = 200_000
    threshold: int = -100_000
    taken: bool = False
    accumulated: int = 0
    payment_debt: int = 3_000_000
    debts: list[int] = field(default_factory=lambda: [4_000_000, 500_000])
    rates: tuple[int, int] = (15_000, 2_500)
    share_basis_points: int = 2_000
    weekly_cap: int = 60_000
    standing: int = 31_000
    week: dict[datetime, int] = field(default_factory=dict)
    supply: bool = True
    cause: bool = False
    power: bool = True
    recovered_debt: int = 0
    credited: int = 0
    charged: int = 0

    @property
    def flows(self) -> bool:
        return self.supply and self.power

    @property
    def credit(self) -> int:
        return self.balance + (self.emergency if self.taken else 0)

    @property
    def worth(self) -> int:
        """What is left when all but the debts is settled."""
        return self.balance - self.accumulated - (self.limit - self.emergency if self.taken else 0)

    def take(self, amount: int, *, energy: bool) -> None:
        self.charged += amount
        part = min(amount, max(0, self.balance - self.threshold))
        self.balance, amount = self.balance - part, amount - part
        if amount and self.taken and energy:
            part = min(amount, max(0, self.credit - self.threshold))
            self.emergency, amount = self.emergency - part, amount - part
        if energy:
            self.balance -= amount
        else:
            self.accumulated += amount
        self.judge()

    def judge(self) -> None:
        if self.credit <= self.threshold and not self.cause:
            self.hold()
            self.cause, self.supply = True, False
        elif self.credit > self.threshold:
            self.cause = False

    def hold(self) -> None:
        """The flow is about to change."""

    def recover(self, number: int) -> None:
        """One instalment of a time-based debt."""
        amount = min(self.rates[number], self.debts[number])
        self.debts[number] -= amount
        self.recovered_debt += amount
        if amount:
            self.take(amount, energy=False)

    def top_up(self, value: int) -> None:
        monday = (self.now - timedelta(days=self.now.weekday())).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        share = min(
            value * self.share_basis_points // 10_000,
            self.payment_debt,
            self.weekly_cap - self.week.get(monday, 0),
        )
        self.week[monday] = self.week.get(monday, 0) + share
        self.payment_debt -= share
        rest = value - share
        self.credited += rest
        repaid = min(rest, self.accumulated)
        self.accumulated, rest = self.accumulated - repaid, rest - repaid
        if self.taken:
            repaid = min(rest, self.limit - self.emergency)
            self.emergency, rest = self.emergency + repaid, rest - repaid
        self.balance += rest
        if self.taken and self.emergency == self.limit and self.balance > self.threshold:
            self.taken = False
        self.judge()

    def activate(self) -> bool:
        if not self.taken and self.balance >= self.emergency_threshold:
            return False
        if not self.taken:
            self.taken, self.emergency = True, self.limit
            self.judge()
        return True
