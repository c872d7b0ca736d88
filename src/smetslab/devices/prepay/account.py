"""A prepayment account, electricity or gas: every step that changes what a consumer has and owes.

Free of I/O and integer-exact. Whoever owns the meter calls the steps in the order of time (on equal times:
energy to that instant, calendar switches, snapshots, charges, future-dated changes) and acts on the events
that they return; what it must keep is `Account.state`.

For every single step, K = balance - (limit - emergency balance, if taken) - accumulated debt changes by
exactly what was credited, charged and recovered (`Account.worth`).

Spec: SMETS 5.5, 5.7.4, 5.7.5 (prepayment); the order of a top-up is known through a quotation, the rest from
makers' manuals where the texts leave room.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from smetslab.devices.prepay.rules import (
    MICRO_PER_KILOWATT_HOUR,
    PERCENTAGE_UNIT,
    CapWeek,
    DebtPeriod,
    Options,
    Rules,
)
from smetslab.devices.prepay.state import AccountEvent, AccountState, EmergencyState, Events, Recovery
from smetslab.gbcs.values import seconds_since_2000

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Where the money of one top-up went."""

    debt: int = 0
    accumulated_debt: int = 0
    emergency: int = 0
    balance: int = 0

    @property
    def value(self) -> int:
        return self.debt + self.accumulated_debt + self.emergency + self.balance


class Account:
    """One account. `state` is its memory, `rules` what the supplier has configured."""

    def __init__(self, state: AccountState, rules: Rules, options: Options | None = None) -> None:
        self.state = state
        self.rules = rules
        self.options = options or Options()

    # ---------------------------------------------------------------------------- what it is worth

    @property
    def emergency_usable(self) -> int:
        """The emergency credit that counts as credit now."""
        state = self.state
        if not state.emergency.taken:
            return 0
        sealed = self.options.full_repay_first and state.emergency is EmergencyState.EXHAUSTED
        return 0 if sealed else state.emergency_balance

    @property
    def credit(self) -> int:
        """Combined credit: the balance, and emergency credit if it was taken."""
        return self.state.meter_balance + self.emergency_usable

    @property
    def emergency_owed(self) -> int:
        """What a top-up must repay of emergency credit."""
        return self.rules.emergency_limit - self.state.emergency_balance if self.state.emergency.taken else 0

    @property
    def worth(self) -> int:
        """K of the conservation rule."""
        return self.state.meter_balance - self.emergency_owed - self.state.accumulated_debt

    def debt_to_clear(self) -> int:
        """What a top-up must first fill, with the share of it that payment-based debt takes.

        From a maker's manual; its parts are unverified.
        """
        state, rules = self.state, self.rules
        shortfall = max(0, rules.disablement_threshold - state.meter_balance)
        due = state.accumulated_debt + shortfall + self.emergency_owed
        return due + min(due * rules.per_payment // PERCENTAGE_UNIT, state.payment_debt)

    # ---------------------------------------------------------------------------- charges

    def energy(self, milliwatt_hours: int, price: int) -> Events:
        """Energy was used, in thousandths of a watt hour, at a price per kilowatt hour."""
        if milliwatt_hours < 0 or price < 0:
            raise ValueError("energy and price cannot be negative")
        amount, self.state.remainder = divmod(
            milliwatt_hours * price + self.state.remainder, MICRO_PER_KILOWATT_HOUR
        )
        return self._take(amount, energy=True)

    def standing_charge(self, amount: int, *, supply_open: bool) -> Events:
        """One standing charge. `supply_open`: the load switch or valve is not Enabled."""
        if supply_open and self.options.suspend_covers_standing and self._suspended_while_open:
            return ()
        return self._take(amount, energy=False)

    def debt_tick(self, period: DebtPeriod, now: datetime, *, supply_open: bool) -> Events:
        """A full hour, or a midnight, of the device's clock: the time-based debts of that period, 1 then 2.

        What emergency credit or balance cannot bear moves to the accumulated debt.
        """
        state = self.state
        if not state.prepayment or (supply_open and self._suspended_while_open):
            return ()
        found: list[AccountEvent] = []
        for register, debt, cleared in (
            ("time_debt_1", self.rules.time_debts[0], AccountEvent.TIME_DEBT_1_CLEARED),
            ("time_debt_2", self.rules.time_debts[1], AccountEvent.TIME_DEBT_2_CLEARED),
        ):
            remaining: int = getattr(state, register)
            amount = min(debt.rate, remaining) if debt.period is period else 0
            if self.options.cap_covers_time_debts:
                amount = self._within_cap(amount, now)
            if not amount:
                continue
            setattr(state, register, remaining - amount)
            if self.options.cap_covers_time_debts:
                self._remember_recovery(amount, now)
            found += self._take(amount, energy=False)
            if amount == remaining:
                found.append(cleared)
        return tuple(found)

    @property
    def _suspended_while_open(self) -> bool:
        return self.state.prepayment and self.state.suspend_debt_disabled

    def _take(self, amount: int, *, energy: bool) -> Events:
        state = self.state
        if amount < 0:
            raise ValueError(f"a charge of {amount}")
        if not state.prepayment:
            if self.options.cost_to_date:
                state.cost_to_date += amount
            else:
                state.meter_balance -= amount
            return ()
        threshold = self.rules.disablement_threshold
        part = min(amount, max(0, state.meter_balance - threshold))
        state.meter_balance -= part
        amount -= part
        if amount and self.emergency_usable and (energy or not state.suspend_debt_emergency):
            part = min(amount, max(0, self.credit - threshold), state.emergency_balance)
            state.emergency_balance -= part
            amount -= part
        if energy:
            state.meter_balance -= amount
        else:
            state.accumulated_debt += amount
        return self.check()

    # ---------------------------------------------------------------------------- credit

    def top_up(self, value: int, now: datetime) -> tuple[Split, Events]:
        """Credit a top-up that has passed all checks."""
        if value < 0:
            raise ValueError(f"a top-up of {value}")
        state, split = self.state, self.split(value, now)
        state.meter_balance += split.balance
        if not state.prepayment:
            return split, ()
        found: list[AccountEvent] = []
        if split.debt:
            state.payment_debt -= split.debt
            self._remember_recovery(split.debt, now)
            if not state.payment_debt:
                found.append(AccountEvent.PAYMENT_DEBT_CLEARED)
        state.accumulated_debt -= split.accumulated_debt
        state.emergency_balance += split.emergency
        self._release_emergency()
        found += self.check()
        return split, tuple(found)

    def split(self, value: int, now: datetime) -> Split:
        """Where a top-up of `value` would go; nothing changes."""
        state, rules = self.state, self.rules
        if not state.prepayment:
            return Split(balance=value)
        debt = min(value * rules.per_payment // PERCENTAGE_UNIT, state.payment_debt)
        debt = self._within_cap(debt, now)
        rest = value - debt
        repaid = min(rest, state.accumulated_debt)
        rest -= repaid
        lifted = 0
        if self.options.threshold_first:
            lifted = min(rest, max(0, rules.disablement_threshold - state.meter_balance))
        emergency = min(rest - lifted, max(0, self.emergency_owed))
        return Split(debt=debt, accumulated_debt=repaid, emergency=emergency, balance=rest - emergency)

    def exceeds_maximum_balance(self, value: int, now: datetime) -> bool:
        """Whether a top-up would lift the balance above its maximum."""
        return self.state.meter_balance + self.split(value, now).balance > self.rules.maximum_balance

    def _release_emergency(self) -> None:
        """Emergency credit that a top-up has repaid is given back; a new use needs a new selection."""
        state = self.state
        repaid = state.emergency.taken and state.emergency_balance >= self.rules.emergency_limit
        if repaid and state.meter_balance > self.rules.disablement_threshold:
            below = self._below(state.meter_balance, self.rules.emergency_threshold)
            state.emergency = EmergencyState.AVAILABLE if below else EmergencyState.UNAVAILABLE

    def _cap_window(self, now: datetime) -> int:
        """The first second that the weekly cap counts."""
        if self.options.cap_week is CapWeek.ROLLING:
            return seconds_since_2000(now - _WEEK) + 1
        monday = now - timedelta(days=now.weekday())
        return seconds_since_2000(monday.replace(hour=0, minute=0, second=0, microsecond=0))

    def recovered_this_week(self, now: datetime) -> int:
        """W: the debt recovered that counts towards the cap."""
        first = self._cap_window(now)
        return sum(item.amount for item in self.state.recovered if item.at >= first)

    def _within_cap(self, amount: int, now: datetime) -> int:
        if not self.rules.rate_cap:
            return amount
        return min(amount, max(0, self.rules.rate_cap - self.recovered_this_week(now)))

    def _remember_recovery(self, amount: int, now: datetime) -> None:
        """One item for a second in a rolling week, one for all of a calendar week."""
        first, at = self._cap_window(now), seconds_since_2000(now)
        kept = [item for item in self.state.recovered if item.at >= first]
        if kept and (self.options.cap_week is CapWeek.MONDAY or kept[-1].at == at):
            kept[-1] = Recovery(kept[-1].at, kept[-1].amount + amount)
        else:
            kept.append(Recovery(at, amount))
        self.state.recovered = tuple(kept)

    # ---------------------------------------------------------------------------- acts

    def activate_emergency_credit(self) -> tuple[bool, Events]:
        """The consumer or the supplier asks for emergency credit; True when it is active afterwards."""
        state = self.state
        if state.prepayment and state.emergency.taken:
            return True, ()
        if not state.prepayment or state.emergency is not EmergencyState.AVAILABLE:
            return False, ()
        state.emergency = EmergencyState.SELECTED
        state.emergency_balance = self.rules.emergency_limit
        return True, (AccountEvent.EMERGENCY_ACTIVATED, *self.check())

    def set_mode(
        self, *, prepayment: bool, suspend_debt_emergency: bool, suspend_debt_disabled: bool
    ) -> Events:
        """Change the payment mode and the two flags with it; energy was charged to this instant before.

        To prepayment: no cut now, the next charge decides. To credit: the supply is no longer off for want
        of credit, and all debts keep their values.
        """
        state = self.state
        changed = state.prepayment is not prepayment
        state.prepayment = prepayment
        state.suspend_debt_emergency = suspend_debt_emergency
        state.suspend_debt_disabled = suspend_debt_disabled
        if not changed or prepayment or not state.credit_cause:
            return ()
        state.credit_cause = False
        return (AccountEvent.CREDIT_BACK,)

    def adjust_balance(self, value: int) -> Events:
        """Add a signed amount to the balance as it is. Spec: GBCS use case ECS04a."""
        self.state.meter_balance += value
        return self.check()

    def reset_balance(self) -> None:
        """Nothing had, nothing owed; the next charge decides what follows. Spec: GBCS use case ECS04b."""
        for register in ("meter_balance", "accumulated_debt", "emergency_balance"):
            self.reset(register)

    def reset(self, register: str) -> None:
        """One of the three registers of a reset; the emergency balance goes to its limit."""
        state = self.state
        if register == "emergency_balance":
            state.emergency_balance = self.rules.emergency_limit
            state.emergency = EmergencyState.UNAVAILABLE
        elif register == "meter_balance":
            state.meter_balance = 0
        elif register == "accumulated_debt":
            state.accumulated_debt = 0
        else:
            raise ValueError(f"{register} cannot be reset")

    def adjust_cost_to_date(self, value: int) -> None:
        """Take a signed amount off the cost to date, which never falls below zero. Spec: GBCS GCS40c."""
        self.state.cost_to_date = max(0, self.state.cost_to_date - value)

    def reset_cost_to_date(self) -> None:
        """Spec: GBCS GCS40d."""
        self.state.cost_to_date = 0

    def set_debts(
        self,
        *,
        time_debt_1: int | None = None,
        time_debt_2: int | None = None,
        payment_debt: int | None = None,
    ) -> None:
        """The supplier sets what is owed. Spec: GBCS use case ECS07."""
        for name, value in (
            ("time_debt_1", time_debt_1),
            ("time_debt_2", time_debt_2),
            ("payment_debt", payment_debt),
        ):
            if value is not None:
                if value < 0:
                    raise ValueError(f"{name} is {value}")
                setattr(self.state, name, value)

    def configure(self, rules: Rules) -> Events:
        """New rules. While emergency credit is taken, limit and balance of it move together: what is owed
        stays owed. Owed above a new limit goes to the balance. Unverified."""
        state, owed, changed = (
            self.state,
            self.emergency_owed,
            rules.emergency_limit != self.rules.emergency_limit,
        )
        self.rules = rules
        if changed:
            state.emergency_balance = max(0, rules.emergency_limit - owed)
            state.meter_balance -= max(0, owed - rules.emergency_limit)
        return self.check()

    # ---------------------------------------------------------------------------- non-disablement, checks

    def begin_non_disablement(self) -> None:
        """From now on the supply stays on without credit; it does not come back either."""
        self.state.non_disablement = True
        self.state.suspension_told = False

    def end_non_disablement(self) -> Events:
        """From now on credit decides again, at once."""
        self.state.non_disablement = False
        return self.check()

    def settle(self) -> None:
        """Take the state as it stands for known: nothing that already is so raises an event later."""
        state, rules = self.state, self.rules
        if state.prepayment:
            state.low_credit = self._below(self.credit, rules.low_credit_threshold)
            self._emergency_step([])

    def check(self) -> Events:
        """What follows from the credit there is."""
        state, rules = self.state, self.rules
        if not state.prepayment:
            return ()
        found: list[AccountEvent] = []
        low = self._below(self.credit, rules.low_credit_threshold)
        if low and not state.low_credit:
            found.append(AccountEvent.LOW_CREDIT)
        state.low_credit = low
        self._emergency_step(found)
        if self.credit > rules.disablement_threshold:
            enough = self.credit > rules.disablement_threshold + self.options.minimum_credit_to_arm
            if state.credit_cause and enough:
                state.credit_cause = False
                found.append(AccountEvent.CREDIT_BACK)
        elif state.non_disablement:
            if not state.credit_cause and not state.suspension_told:
                state.suspension_told = True
                found.append(AccountEvent.DISABLEMENT_SUSPENDED)
        elif not state.credit_cause:
            state.credit_cause = True
            found.append(AccountEvent.CREDIT_GONE)
        return tuple(found)

    def _emergency_step(self, found: list[AccountEvent]) -> None:
        state, rules = self.state, self.rules
        if not state.emergency.taken:
            low = self._below(state.meter_balance, rules.emergency_threshold) and rules.emergency_limit > 0
            if low and state.emergency is EmergencyState.UNAVAILABLE:
                found.append(AccountEvent.EMERGENCY_AVAILABLE)
            state.emergency = EmergencyState.AVAILABLE if low else EmergencyState.UNAVAILABLE
            return
        if state.emergency is EmergencyState.EXHAUSTED and self.options.full_repay_first:
            return
        usable = state.emergency_balance and self.credit > rules.disablement_threshold
        if not usable:
            if state.emergency is not EmergencyState.EXHAUSTED:
                found.append(AccountEvent.EMERGENCY_EXHAUSTED)
            state.emergency = EmergencyState.EXHAUSTED
        elif state.meter_balance <= rules.disablement_threshold:
            state.emergency = EmergencyState.IN_USE
        else:
            state.emergency = EmergencyState.SELECTED

    def _below(self, value: int, threshold: int) -> bool:
        return value <= threshold if self.options.inclusive_thresholds else value < threshold

    def charge_to_next_event(self) -> int | None:
        """The smallest charge for energy after which an event or a change of state can follow, at least 1;
        None when none can."""
        state, rules = self.state, self.rules
        if not state.prepayment:
            return None
        strict = 0 if self.options.inclusive_thresholds else 1
        threshold = rules.disablement_threshold
        distances = []
        if not state.low_credit:
            distances.append(self.credit - rules.low_credit_threshold + strict)
        if state.emergency is EmergencyState.UNAVAILABLE and rules.emergency_limit:
            distances.append(state.meter_balance - rules.emergency_threshold + strict)
        if state.emergency is EmergencyState.SELECTED:
            distances.append(state.meter_balance - threshold)
        if state.emergency in {EmergencyState.SELECTED, EmergencyState.IN_USE}:
            distances.append(self.credit - threshold)
        if not state.credit_cause and not (state.non_disablement and state.suspension_told):
            distances.append(self.credit - threshold)
        return max(1, min(distances)) if distances else None
