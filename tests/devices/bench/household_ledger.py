"""What a prepaying household uses, has and owes, by plain arithmetic on whole numbers.

The other side of a test that reconciles meters, of which it knows nothing: no code of a device, and no time
but that it is told. Half hours come as lists of whole numbers. Money in thousandths of a penny, electricity
in thousandths of a watt hour, gas in millilitres.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SLOT, TICK, DAY = timedelta(minutes=30), timedelta(seconds=10), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
SLOT_US = SLOT // MICROSECOND
CHECK = timedelta(seconds=130)
"""Ten seconds in which the flow of an opened valve settles, and two minutes in which it is measured."""

HalfHours = Mapping[int, tuple[int, ...]]
"""What is used in each of the 48 half hours of a day, by its number since 2000-01-01."""
Switches = tuple[tuple[int, int], ...]
"""The hours of a day from which on another register counts, and which; above `COLUMN` it is a column of
blocks."""
COLUMN = 100
BLOCKS, COLUMNS = 4, 2


def never(moment: datetime) -> bool:
    """No period without disablement."""
    del moment
    return False


def within(half_hours: HalfHours, first: datetime, last: datetime) -> int:
    """What is used between two moments of the same half hour, of which each part is as good as another."""
    number, rest = divmod(first - EPOCH, DAY)
    slot, start = divmod(rest, SLOT)
    whole = half_hours[number][slot]
    begin, end = start // MICROSECOND, (start + (last - first)) // MICROSECOND
    return whole * end // SLOT_US - whole * begin // SLOT_US


@dataclass(kw_only=True)
class AccountLedger(ABC):
    """One account. `supply`: switch or valve is on; `cause`: off for want of credit; `spared`: when nobody is
    cut off for want of credit. Debt is taken neither from emergency credit nor while the supply is off."""

    now: datetime
    half_hours: HalfHours
    balance: int = 0
    emergency: int = 0
    limit: int = 0
    emergency_threshold: int = 0
    threshold: int = 0
    taken: bool = False
    accumulated: int = 0
    payment_debt: int = 0
    debts: list[int] = field(default_factory=lambda: [0, 0])
    rates: tuple[int, int] = (0, 0)
    share_basis_points: int = 0
    weekly_cap: int = 0
    standing: int = 0
    week: dict[datetime, int] = field(default_factory=dict)
    supply: bool = True
    cause: bool = False
    power: bool = True
    prepayment: bool = False
    cost_to_date: int | None = None
    """Where a meter in credit mode has a register of its own for what was used."""
    spared: Callable[[datetime], bool] = never
    total: int = 0
    registers: list[int] = field(default_factory=lambda: [0] * 4)
    prices: tuple[int, ...] = (0, 0, 0, 0)
    recovered: int = 0
    owed: int = 0
    paid: int = 0
    credited: int = 0
    charged: int = 0
    disabled: int = 0
    """How often the supply went off."""

    # ------------------------------------------------------------------------ money

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

    @property
    def emergency_shown(self) -> int:
        """Where nothing is owed, all of the limit."""
        return self.emergency if self.taken else self.limit

    @property
    def conserved(self) -> bool:
        """No debt is made or lost: what was ever owed was recovered, was paid, or is owed."""
        return self.owed == self.recovered + self.paid + sum(self.debts) + self.payment_debt

    def take(self, amount: int, *, energy: bool) -> None:
        self.charged += amount
        if not self.prepayment:
            if self.cost_to_date is None:
                self.balance -= amount
            else:
                self.cost_to_date += amount
            return
        part = min(amount, max(0, self.balance - self.threshold))
        self.balance, amount = self.balance - part, amount - part
        if amount and self.taken and energy:
            part = min(amount, max(0, self.credit - self.threshold), self.emergency)
            self.emergency, amount = self.emergency - part, amount - part
        if energy:
            self.balance -= amount
        else:
            self.accumulated += amount
        self.judge()

    def judge(self) -> None:
        if not self.prepayment:
            return
        if self.credit > self.threshold:
            self.cause = False
        elif not self.cause and not self.spared(self.now):
            self.cause, self.supply = True, False
            self.disabled += 1

    def owe(self, added: tuple[int, int, int], rates: tuple[int, int], share: int) -> None:
        """The supplier adds to the debts, and says how they are recovered."""
        first, second, at_payment = added
        self.debts = [self.debts[0] + first, self.debts[1] + second]
        self.payment_debt += at_payment
        self.owed += first + second + at_payment
        self.rates, self.share_basis_points = rates, share

    def pay_in_advance(self, threshold: int) -> None:
        """From now on, until the balance is at the threshold; the next charge decides about the supply."""
        self.prepayment, self.threshold = True, threshold

    def adjust(self, value: int) -> None:
        """The supplier changes the balance."""
        self.balance += value
        self.credited += value
        self.judge()

    def configure(self, *, limit: int, emergency_threshold: int, weekly_cap: int) -> None:
        """New rules; of emergency credit that is in use the same is owed as before."""
        used = self.limit - self.emergency if self.taken else 0
        self.limit, self.emergency = limit, max(0, limit - used)
        self.balance -= max(0, used - limit)
        self.emergency_threshold, self.weekly_cap = emergency_threshold, weekly_cap
        self.judge()

    def recover(self, number: int) -> None:
        """One instalment of a time-based debt."""
        if not self.prepayment:
            return
        amount = min(self.rates[number], self.debts[number])
        self.debts[number] -= amount
        self.recovered += amount
        if amount:
            self.take(amount, energy=False)

    def top_up(self, value: int) -> None:
        monday = (self.now - timedelta(days=self.now.weekday())).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        share = min(
            value * self.share_basis_points // 10_000,
            self.payment_debt,
            max(0, self.weekly_cap - self.week.get(monday, 0)),
        )
        self.week[monday] = self.week.get(monday, 0) + share
        self.payment_debt -= share
        self.paid += share
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
        """Emergency credit is asked for; True when it is in use afterwards."""
        if not self.taken and self.balance >= self.emergency_threshold:
            return False
        if not self.taken:
            self.taken, self.emergency = True, self.limit
            self.judge()
        return True

    @property
    def armed(self) -> bool:
        """The supply is off, and somebody at the meter can have it back."""
        return not self.supply and not self.cause

    # ------------------------------------------------------------------------ time

    @abstractmethod
    def register(self) -> int:
        """The place of the register that counts now."""

    @abstractmethod
    def cost(self, used: int) -> tuple[int, object]:
        """Of what is used now: thousandths of a penny, and what is left over of finer parts."""

    @abstractmethod
    def leave_over(self, rest: object) -> None:
        """Remember what `cost` has left over."""

    def count(self, used: int) -> None:
        """What is used goes to the register that counts now."""
        self.registers[self.register()] += used

    def step_to(self, moment: datetime) -> None:
        """Up to a moment within one half hour."""
        if not self.flows:
            self.now = moment
            return
        used = within(self.half_hours, self.now, moment)
        self.total += used
        money, rest = self.cost(used)
        self.leave_over(rest)
        self.count(used)
        self.now = moment
        self.take(money, energy=True)

    def gone(self, moment: datetime) -> bool:
        """Whether the supply goes off up to a moment within one half hour."""
        used = within(self.half_hours, self.now, moment)
        return self.credit - self.cost(used)[0] <= self.threshold

    @abstractmethod
    def ends(self, border: datetime) -> datetime:
        """When the supply goes off, of which it is known that it does so before the border."""

    def run(self, end: datetime) -> None:
        """Half hour by half hour."""
        while self.now < end:
            border = min(end, self.now + SLOT - (self.now - EPOCH) % SLOT)
            watched = self.flows and self.prepayment and not self.spared(self.now)
            if watched and self.gone(border):
                self.step_to(min(border, self.ends(border)))
            if self.now < border:
                self.step_to(border)
            if not (border - EPOCH) % SLOT:
                self.judge()
                self.border()

    @abstractmethod
    def border(self) -> None:
        """What falls due at the end of a half hour."""

    def cut(self, end: datetime) -> None:
        """No power: standing charges alone fall due."""
        self.power = False
        self.run(end)
        self.power = True


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a log keeps of a moment: registers, blocks by block and column, and the account."""

    at: datetime
    total: int
    registers: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]
    account: tuple[int, ...]
    """Balance, emergency credit, payment debt, both time debts, accumulated debt."""


@dataclass(kw_only=True)
class ElectricityLedger(AccountLedger):
    """The meter watches the credit every ten seconds. Both time-based debts fall due at midnight.

    What is used in a column of blocks counts until the end of the month: each of the `thresholds` that is
    passed brings the next block, with a register of its own and its own of the `block_prices`.
    """

    working_days: Switches = ((0, 1),)
    weekends: Switches = ((0, 1),)
    exported: HalfHours = field(default_factory=dict)
    export: int = 0
    remainder: int = 0
    thresholds: tuple[int, ...] = ()
    block_prices: tuple[tuple[int, ...], ...] = ()
    """By column and block."""
    blocks: list[list[int]] = field(default_factory=lambda: [[0] * COLUMNS for _ in range(BLOCKS)])
    counters: list[int] = field(default_factory=lambda: [0] * COLUMNS)
    months: list[Recorded] = field(default_factory=list)
    changes: list[Recorded] = field(default_factory=list)
    passed: int = 0
    """How often a threshold was passed."""

    def register(self) -> int:
        day = self.weekends if self.now.weekday() >= 5 else self.working_days
        return [number for hour, number in day if hour <= self.now.hour][-1] - 1

    def parts(self, used: int) -> list[tuple[int, int]]:
        """What of it belongs to which block of the column that counts now."""
        found, counted = list[tuple[int, int]](), self.counters[self.register() - COLUMN]
        bounds = (*self.thresholds, None)
        for block, bound in enumerate(bounds):
            part = used if bound is None else min(used, max(0, bound - counted))
            if part:
                found.append((block, part))
            used, counted = used - part, counted + part
        return found

    def cost(self, used: int) -> tuple[int, int]:
        place = self.register()
        if place < COLUMN:
            return divmod(used * self.prices[place] + self.remainder, 1_000_000)
        prices = self.block_prices[place - COLUMN]
        money = sum(part * prices[block] for block, part in self.parts(used))
        return divmod(money + self.remainder, 1_000_000)

    def count(self, used: int) -> None:
        place = self.register()
        if place < COLUMN:
            super().count(used)
            return
        parts = self.parts(used)
        for block, part in parts:
            self.blocks[block][place - COLUMN] += part
        self.counters[place - COLUMN] += used
        self.passed += max(0, len(parts) - 1)

    def recorded(self) -> Recorded:
        """The state of this moment, in whole seconds and watt hours."""
        return Recorded(
            at=self.now.replace(microsecond=0),
            total=self.total // 1_000,
            registers=tuple(one // 1_000 for one in self.registers),
            blocks=tuple(tuple(one // 1_000 for one in row) for row in self.blocks),
            account=(
                self.balance, self.emergency_shown, self.payment_debt, *self.debts, self.accumulated
            ),
        )  # fmt: skip

    def leave_over(self, rest: object) -> None:
        assert isinstance(rest, int)
        self.remainder = rest

    def step_to(self, moment: datetime) -> None:
        if self.flows and self.exported:
            self.export += within(self.exported, self.now, moment)
        super().step_to(moment)

    def ends(self, border: datetime) -> datetime:
        tick = self.now + TICK - (self.now - EPOCH) % TICK
        while tick < border and not self.gone(tick):
            tick += TICK
        return tick

    def border(self) -> None:
        if (self.now - EPOCH) % DAY:
            return
        if self.now.day == 1:
            self.months.append(self.recorded())
            self.counters = [0] * COLUMNS
        off = not self.supply
        self.take(self.standing, energy=False)
        if not off and self.power:
            for number in (0, 1):
                self.recover(number)


@dataclass(kw_only=True)
class GasLedger(AccountLedger):
    """The valve closes at the microsecond. The first debt falls due every hour, the second at midnight.

    Energy is counted in parts of 3 600 000 to a thousandth of a watt hour, so that a tenth of a MJ/m3 by a
    hundred-thousandth of a conversion factor is a whole number: `worth_of_ml`. Blocks are bounded by the
    energy of a month, in thousandths of a watt hour; the millilitre that reaches a threshold is the last of
    its block.
    """

    working_days: int = 1
    """The tier that counts, 0 for none; at weekends alike."""
    weekends: int = 1
    worth_of_ml: int = 0
    energy_rest: int = 0
    price_rest: int = 0
    thresholds: tuple[int, ...] = ()
    block_prices: tuple[int, ...] = ()
    """Where the tariff has blocks."""
    blocks: list[int] = field(default_factory=lambda: [0] * BLOCKS)
    block_energy: int = 0
    upcoming: list[tuple[int, int]] = field(default_factory=list)
    months: list[Recorded] = field(default_factory=list)
    passed: int = 0

    def register(self) -> int:
        return (self.weekends if self.now.weekday() >= 5 else self.working_days) - 1

    def energy(self, used: int) -> tuple[int, int]:
        return divmod(used * self.worth_of_ml + self.energy_rest, 3_600_000)

    def parts(self, energy: int) -> list[tuple[int, int]]:
        """What of it belongs to which block."""
        found, counted = list[tuple[int, int]](), self.block_energy
        for block, bound in enumerate((*self.thresholds, None)):
            if bound is not None and counted >= bound:
                continue
            part = energy if bound is None else min(energy, bound - counted)
            found.append((block, part))
            energy, counted = energy - part, counted + part
            if not energy:
                break
        return found

    def cost(self, used: int) -> tuple[int, tuple[int, int]]:
        energy, energy_rest = self.energy(used)
        if self.block_prices:
            worth = sum(part * self.block_prices[block] for block, part in self.parts(energy))
        else:
            worth = energy * self.prices[self.register()]
        money, price_rest = divmod(worth + self.price_rest, 1_000_000)
        return money, (energy_rest, price_rest)

    def leave_over(self, rest: object) -> None:
        assert isinstance(rest, tuple)
        self.energy_rest, self.price_rest = rest

    def step_to(self, moment: datetime) -> None:
        if self.flows:
            self.count_blocks(within(self.half_hours, self.now, moment))
        super().step_to(moment)

    def count_blocks(self, used: int) -> None:
        """Before anything else of the step, for what is left over of finer parts is still the old."""
        energy, _ = self.energy(used)
        self.upcoming = self.parts(energy)
        counted = done = 0
        for block, part in self.upcoming:
            counted += part
            reached = -((self.energy_rest - counted * 3_600_000) // self.worth_of_ml)
            reached = used if counted == energy else reached
            self.blocks[block] += reached - done
            done = reached

    def count(self, used: int) -> None:
        if self.register() >= 0:
            super().count(used)
        self.block_energy += sum(part for _, part in self.upcoming)
        self.passed += max(0, len(self.upcoming) - 1)

    def ends(self, border: datetime) -> datetime:
        early, late = 0, (border - self.now) // MICROSECOND
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (early, middle) if self.gone(self.now + middle * MICROSECOND) else (middle, late)
        return self.now + late * MICROSECOND

    def recorded(self) -> Recorded:
        """The state of this moment, in litres."""
        return Recorded(
            at=self.now.replace(microsecond=0),
            total=self.total // 1_000,
            registers=tuple(one // 1_000 for one in self.registers),
            blocks=(tuple(one // 1_000 for one in self.blocks),),
            account=(
                self.balance, self.emergency_shown, self.payment_debt, *self.debts, self.accumulated
            ),
        )  # fmt: skip

    def border(self) -> None:
        midnight = not (self.now - EPOCH) % DAY
        if midnight and self.now.day == 1:
            self.months.append(self.recorded())
            self.blocks, self.block_energy = [0] * BLOCKS, 0
        if midnight:
            self.take(self.standing, energy=False)
        if self.flows and not (self.now - EPOCH) % timedelta(hours=1):
            self.recover(0)
        if self.flows and midnight:
            self.recover(1)
