"""The prepayment account of a gas meter, bound to its attributes: commands in, events and valve out.

The arithmetic is the account's (`smetslab.devices.prepay`); here is what the gas commands mean for it. In
Credit Mode a gas meter counts a cost that rises.

Spec: GBCS use cases GCS02 to GCS06, GCS40a to GCS40d, CS01b, PCS01, PCS02; SMETS 4.6.4, 4.6.5 (payment)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from smetslab.devices import events
from smetslab.devices.counters import UtrnCache
from smetslab.devices.gas_records import GasRecords
from smetslab.devices.prepay.account import Account, Split
from smetslab.devices.prepay.rules import PERCENTAGE_UNIT, DebtPeriod, Options, Rules, TimeDebt
from smetslab.devices.prepay.state import AccountState, Events
from smetslab.devices.prepay.token import Genuine, Refusal, Rejected, TokenContext, judge_token
from smetslab.devices.work import Work
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, Handler, ZclCall
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.foundation import Status

PREPAYMENT_ENABLED: Final = 1 << 1
DEBT_SUSPENDED: Final = 1 << 10
EMERGENCY_DEBT_COLLECTED: Final = 1 << 11
"""Bits of the payment control configuration. Spec: ZSE 1.4 D.7.2.2.1.1; what 10 and 11 follow: RTDS 4.5.0."""
NO_CUT_OFF: Final = -1
"""A cut off value that says nothing, as Credit Mode sends it. Spec: RTDS 4.5.0 (GCS02)."""

_KEY = "account"
_PERIODS = {0: DebtPeriod.HOURLY, 1: DebtPeriod.DAILY}
_PERCENTAGE_BASED = 1
_INCREMENTAL, _ABSOLUTE, _CREDIT_ABSOLUTE, _CREDIT_INCREMENTAL = 0, 1, 2, 3
"""Types of Credit Adjustment. Spec: ZSE 1.4 D.7.2.3.6; 2 and 3: GBCS use cases GCS40c, GCS40d."""

_RESULTS: Final = {
    Refusal.DUPLICATE: 0x02,
    Refusal.EXCEEDS_CREDIT: 0x06,
    Refusal.EXCEEDS_BALANCE: 0x04,
    Refusal.LOCKED_OUT: 0x05,
}
"""Results of a top-up that is refused; any other reason is 01, invalid. Spec: ZSE 1.4 D.7.2.4.3."""
ACCEPTED, ACCEPTED_ARMED = 0x00, 0x12

TopUpSecret = Callable[[], "tuple[Eui64, bytes] | None"]
"""The supplier of the top-up cell, and the secret shared with it; None while that cell is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GasAccountHost:
    """What the account needs of its meter. `apply`: acts on events; `armed`: whether the supply is armed."""

    device: Eui64
    secret: TopUpSecret
    device_time: Callable[[datetime], datetime]
    apply: Callable[[Work, Events], None]
    raise_event: Callable[[Work, int], None]
    armed: Callable[[], bool]
    mode_changing: Callable[[Work], None]
    friendly_credit: Callable[[], tuple[bool, int]]
    """Whether there is a non-disablement calendar, and the number that the meter knows it by."""
    accepts_reused_utrn: bool


class GasAccount:
    """The account of one gas meter."""

    def __init__(
        self,
        *,
        nvm: Nvm,
        memory: Callable[[], ZclMemory],
        first: AccountState,
        host: GasAccountHost,
        records: GasRecords,
        options: Options | None = None,
    ) -> None:
        """`first`: what a new meter holds and owes; memory overrules it. Needs `configure` before use."""
        kept = nvm.get_json(_KEY)
        self._new = kept is None
        state = first if kept is None else AccountState.from_json(kept)
        self._memory = memory
        self._host = host
        self._records = records
        self.utrns = UtrnCache(nvm)
        self.account = Account(state, Rules(), replace(options or Options(), cost_to_date=True))

    @property
    def state(self) -> AccountState:
        return self.account.state

    def handlers(self) -> dict[str, Handler]:
        return {
            "prepayment_configured": self._configured,
            "change_payment_mode": self._change_payment_mode,
            "acknowledge_payment_mode": self._acknowledge_payment_mode,
            "change_debt": self._change_debt,
            "activate_emergency_credit": self._activate_emergency_credit,
            "adjust_credit": self._adjust_credit,
            "top_up": self._top_up,
        }

    def keep(self, work: Work) -> None:
        """Make the account durable."""
        self.state.bound()
        work.tx.put_json(_KEY, self.state.to_json())

    def begin(self) -> None:
        """Take the configuration as it stands in the attributes: nothing that a new meter begins with raises
        an event."""
        self.account.rules = self._rules()
        if self._new:
            self.account.settle()

    # ---------------------------------------------------------------------------- configuration

    def _rules(self) -> Rules:
        number = self._memory().number
        return Rules(
            disablement_threshold=number(Prepayment.cut_off_value),
            emergency_limit=number(Prepayment.emergency_credit_limit),
            emergency_threshold=number(Prepayment.emergency_credit_threshold),
            low_credit_threshold=number(Prepayment.low_credit_warning_level),
            per_payment=number(Prepayment.debt_recovery_top_up_percentage_3),
            rate_cap=number(Prepayment.overall_debt_cap),
            time_debts=(
                TimeDebt(
                    rate=number(Prepayment.debt_recovery_amount_1),
                    period=_PERIODS[number(Prepayment.debt_recovery_frequency_1)],
                ),
                TimeDebt(
                    rate=number(Prepayment.debt_recovery_amount_2),
                    period=_PERIODS[number(Prepayment.debt_recovery_frequency_2)],
                ),
            ),
            maximum_credit=number(Prepayment.max_credit_per_top_up),
            maximum_balance=number(Prepayment.max_credit_limit),
        )

    def configure(self, work: Work) -> None:
        """The supplier has changed an attribute of the account's configuration."""
        self._host.apply(work, self.account.configure(self._rules()))
        self.keep(work)

    def _configured(self, call: ZclCall, record: Record) -> Answer:
        del record
        self.configure(call.work)
        return None

    def _change_payment_mode(self, call: ZclCall, record: Record) -> Answer:
        control = record.integer("proposed_payment_control_configuration")
        cut_off = record.integer("cut_off_value")
        self._host.mode_changing(call.work)
        memory = self._memory()
        memory.put(call.work, Prepayment.payment_control_configuration, control)
        if control & PREPAYMENT_ENABLED or cut_off != NO_CUT_OFF:
            memory.put(call.work, Prepayment.cut_off_value, cut_off)
            self.account.rules = self._rules()
        changed = self.account.set_mode(
            prepayment=bool(control & PREPAYMENT_ENABLED),
            suspend_debt_disabled=bool(control & DEBT_SUSPENDED),
            suspend_debt_emergency=not control & EMERGENCY_DEBT_COLLECTED,
        )
        self._host.apply(call.work, changed)
        self.keep(call.work)
        return self._acknowledge_payment_mode(call, record)

    def _acknowledge_payment_mode(self, call: ZclCall, record: Record) -> Answer:
        del call, record
        there, number = self._host.friendly_credit()
        memory = self._memory()
        return Prepayment.change_payment_mode_response.record(
            friendly_credit=int(there),
            friendly_credit_calendar_id=number,
            emergency_credit_limit=memory.number(Prepayment.emergency_credit_limit),
            emergency_credit_threshold=memory.number(Prepayment.emergency_credit_threshold),
        )

    def _change_debt(self, call: ZclCall, record: Record) -> Answer:
        """Set or add to one of three debts, and how it is recovered. Spec: ZSE 1.4 D.7.2.3.3."""
        number, incremental = divmod(record.integer("debt_amount_type"), 2)
        amount, frequency = record.integer("debt_amount"), record.integer("debt_recovery_frequency")
        if number > 2 or frequency not in _PERIODS:
            raise ComponentError(Status.INVALID_VALUE, f"debt {number + 1}, frequency {frequency}")
        percentage = record.integer("debt_recovery_method") == _PERCENTAGE_BASED
        if percentage is not (number == 2):
            raise ComponentError(Status.INVALID_VALUE, "method of debt recovery")
        name = ("time_debt_1", "time_debt_2", "payment_debt")[number]
        owed: int = amount + (getattr(self.state, name) if incremental else 0)
        rate = record.integer("debt_recovery_amount")
        if owed < 0 or rate < 0:
            raise ComponentError(Status.INVALID_VALUE, f"debt {owed}, rate {rate}")
        share = record.integer("debt_recovery_balance_percentage")
        if number == 2 and share > PERCENTAGE_UNIT:
            raise ComponentError(Status.INVALID_VALUE, f"{share} hundredths of a percent")
        memory = self._memory()
        if number == 2:
            memory.put(call.work, Prepayment.debt_recovery_top_up_percentage_3, share)
        else:
            rates = (Prepayment.debt_recovery_amount_1, Prepayment.debt_recovery_amount_2)
            periods = (Prepayment.debt_recovery_frequency_1, Prepayment.debt_recovery_frequency_2)
            memory.put(call.work, rates[number], rate)
            memory.put(call.work, periods[number], frequency)
        setattr(self.state, name, owed)
        self.configure(call.work)
        return None

    # ---------------------------------------------------------------------------- credit

    def _activate_emergency_credit(self, call: ZclCall, record: Record) -> Answer:
        del record
        if not self.activate_emergency_credit(call.work):
            raise ComponentError(Status.FAILURE, "emergency credit is not available")
        return None

    def activate_emergency_credit(self, work: Work) -> bool:
        """Select emergency credit; True when it is active afterwards."""
        active, found = self.account.activate_emergency_credit()
        self._host.apply(work, found)
        self.keep(work)
        return active

    def _adjust_credit(self, call: ZclCall, record: Record) -> Answer:
        """Spec: GBCS use cases GCS40a to GCS40d."""
        value = record.integer("credit_adjustment_value")
        match record.integer("credit_adjustment_type"):
            case 0:
                self._host.apply(call.work, self.account.adjust_balance(value))
            case 1:
                self.account.reset_balance()
            case 2:
                self.account.reset_cost_to_date()
            case 3:
                self.account.adjust_cost_to_date(value)
            case other:
                raise ComponentError(Status.INVALID_VALUE, f"credit adjustment type {other}")
        self.keep(call.work)
        return None

    def _top_up(self, call: ZclCall, record: Record) -> Answer:
        """A code from the supplier, or from a PPMID. Spec: GBCS 14.6, use cases CS01b, PCS01."""
        command = call.command
        by_hand = command is None or not command.use_case.originator_roles
        counter = None if by_hand or command is None else command.command.originator_counter
        code = record.octets("top_up_code").decode("ascii", "replace")
        verdict = self.enter(call.work, code, counter)
        source = record.integer("originating_device")
        if isinstance(verdict, Refusal):
            answer = Prepayment.consumer_top_up_response.record(
                result_type=_RESULTS.get(verdict, 0x01),
                top_up_value=-1,
                source_of_top_up=source,
                credit_remaining=-1,
            )
            raise ComponentError(Status.FAILURE, f"top-up refused: {verdict.words}", answer)
        value, armed = verdict
        if by_hand:
            self._host.raise_event(call.work, events.CREDIT_ADDED_LOCALLY)
        return Prepayment.consumer_top_up_response.record(
            result_type=ACCEPTED_ARMED if armed else ACCEPTED,
            top_up_value=value,
            source_of_top_up=source,
            credit_remaining=self.state.meter_balance,
        )

    def enter(self, work: Work, code: str, counter: int | None) -> Refusal | tuple[int, bool]:
        """Judge and credit a code: its value and whether it has armed the supply, or why it is refused.

        `counter`: that of the command which carried it; None for a code entered by hand.
        """
        found = self._host.secret()
        if found is None:
            return Refusal.NOT_AUTHENTIC
        supplier, secret = found
        seen = (lambda _counter: False) if self._host.accepts_reused_utrn else self.utrns.refuses
        context = TokenContext(
            supplier=supplier,
            device=self._host.device,
            counter=counter,
            highest=max(self.utrns.counters, default=0),
            secret=secret,
            refuses=seen,
        )
        now = self._host.device_time(work.now)
        verdict = judge_token(code, context, self.account, now)
        if isinstance(verdict, Rejected):
            self._host.raise_event(work, verdict.code)
            return verdict.refusal
        self.utrns.remember(work, verdict.counter)
        return verdict.value, self._credit(work, code, verdict, now)

    def _credit(self, work: Work, code: str, genuine: Genuine, now: datetime) -> bool:
        """Credit a genuine code; True when the supply has become armed by it."""
        before = self._host.armed()
        split, found = self.account.top_up(genuine.value, now)
        seconds = seconds_since_2000(now)
        self._records.top_ups.append(
            work, {"top_up_code": code, "top_up_amount": genuine.value, "top_up_time": seconds}
        )
        self._record_debt(work, split, seconds)
        self._host.apply(work, found)
        self.keep(work)
        work.note("StateChanged", what="meter balance", value=self.state.meter_balance)
        return self._host.armed() and not before

    def _record_debt(self, work: Work, split: Split, seconds: int) -> None:
        if split.debt:
            self._records.debt_payments.append(
                work,
                {
                    "collection_time": seconds,
                    "amount_collected": split.debt,
                    "debt_type": 2,
                    "outstanding_debt": self.state.payment_debt,
                },
            )

    def balances(self) -> dict[str, int | list[int]]:
        """The account as a snapshot records it."""
        state = self.state
        return {
            "accumulated_debt_register": state.accumulated_debt,
            "time_debt_register_1": state.time_debt_1,
            "time_debt_register_2": state.time_debt_2,
            "payment_debt_register": state.payment_debt,
            "emergency_credit_balance": self.emergency_remaining,
            "meter_balance": state.meter_balance,
        }

    @property
    def emergency_remaining(self) -> int:
        """The emergency credit balance; all of the limit where nothing is owed. Spec: GBCS use case GCS14."""
        taken = self.state.emergency.taken
        return self.state.emergency_balance if taken else self.account.rules.emergency_limit
