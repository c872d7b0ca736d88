"""The prepayment account of an ESME: its registers are COSEM attributes, its rules too; top-ups by command
and by hand.

Spec: SMETS 5.7.4, 5.7.5 (prepayment); GBCS use cases CS01a, ECS02 to ECS09.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from smetslab.crypto import PublicKey
from smetslab.devices import events
from smetslab.devices.application import Station
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.counters import UtrnCache
from smetslab.devices.prepay.account import Account
from smetslab.devices.prepay.lockout import LockOut
from smetslab.devices.prepay.records import Amount, PaymentRecords
from smetslab.devices.prepay.rules import DebtPeriod, Options, Rules, TimeDebt
from smetslab.devices.prepay.state import CODES, AccountEvent, AccountState, Events
from smetslab.devices.prepay.token import (
    Genuine,
    Refusal,
    Rejected,
    TokenContext,
    TokenSource,
    judge_token,
)
from smetslab.devices.work import Work
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.gbcs.values import Value, dig, seconds_since_2000
from smetslab.store import Nvm

_STATE, _RECORDS, _LOCK = "prepay/account", "prepay/records", "prepay/lock"

REGISTERS = {
    "meter_balance": "meter_balance",
    "emergency_credit_balance": "emergency_balance",
    "accumulated_debt": "accumulated_debt",
    "payment_debt": "payment_debt",
    "time_debt_1": "time_debt_1",
    "time_debt_2": "time_debt_2",
}
"""Attributes of the meter, and the fields of the account that they show."""


class EsmePrepayment:
    """The account of one meter while it has power."""

    def __init__(
        self,
        *,
        nvm: Nvm,
        server: CosemServer,
        station: Station,
        clock: DeviceClock,
        secret: Callable[[PublicKey], bytes],
        raise_event: Callable[[Work, int], None],
        options: Options | None = None,
        suspend_debt_emergency: bool = False,
    ) -> None:
        """`secret`: of a public key and the meter's own."""
        self._server = server
        self._station = station
        self._clock = clock
        self._secret = secret
        self._raise_event = raise_event
        self.utrns = UtrnCache(nvm)
        kept = nvm.get_json(_STATE)
        state = (
            AccountState(suspend_debt_emergency=suspend_debt_emergency)
            if kept is None
            else AccountState.from_json(kept)
        )
        records = nvm.get_json(_RECORDS)
        self.records = PaymentRecords() if records is None else PaymentRecords.from_json(records)
        lock = nvm.get_json(_LOCK)
        self.lock_out = LockOut() if lock is None else LockOut.from_json(lock)
        self.account = Account(state, Rules(), options)
        self.refresh()
        if kept is None:
            self.account.settle()

    # ---------------------------------------------------------------------------- attributes

    def refresh(self) -> None:
        """Take over what commands have written."""
        server, state = self._server, self.account.state
        for attribute, name in REGISTERS.items():
            setattr(state, name, server.number(attribute))
        state.prepayment = dig(server.value("account_mode"), "payment_mode") == "prepayment"
        self.account.rules = Rules(
            disablement_threshold=_first(server.value("disablement_threshold")),
            emergency_limit=server.number("emergency_credit_limit"),
            emergency_threshold=server.number("emergency_credit_threshold"),
            low_credit_threshold=server.number("low_credit_threshold"),
            per_payment=server.number("debt_recovery_per_payment"),
            rate_cap=server.number("debt_recovery_rate_cap"),
            time_debts=(self._time_debt(1), self._time_debt(2)),
            maximum_credit=server.number("maximum_credit"),
            maximum_balance=server.number("maximum_meter_balance"),
        )

    def _time_debt(self, number: int) -> TimeDebt:
        period = self._server.number(f"debt_recovery_rate_{number}_period")
        rate = dig(self._server.value(f"debt_recovery_rate_{number}"), "charge_table", 0, "charge_per_unit")
        hourly = period == DebtPeriod.HOURLY.value
        return TimeDebt(
            rate=rate if isinstance(rate, int) else 0,
            period=DebtPeriod.HOURLY if hourly else DebtPeriod.DAILY,
        )

    def _keep(self, work: Work) -> None:
        state = self.account.state
        before = self._server.number("meter_balance")
        for attribute, name in REGISTERS.items():
            value: int = getattr(state, name)
            if value != self._server.number(attribute):
                self._server.put(work, attribute, value)
        work.tx.put_json(_STATE, state.to_json())
        if state.meter_balance != before:
            work.note("StateChanged", what="meter balance", value=state.meter_balance, before=before)

    # ---------------------------------------------------------------------------- top-ups

    def top_up(
        self, work: Work, text: str, source: TokenSource, counter: int | None = None
    ) -> Refusal | None:
        """Judge and credit a code; None when it was credited. `counter`: that of the command with it."""
        now = self._clock.time(work.now)
        local = source is TokenSource.KEYPAD
        if local and self.lock_out.locked(now):
            return self._refused(work, Refusal.LOCKED_OUT, now, local=False)
        cell = self._station.trust_anchors.find(
            RemotePartyRole.SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP
        )
        if cell is None:
            return self._refused(work, Refusal.NOT_AUTHENTIC, now, local=local)
        self.refresh()
        reused = self._station.quirks.accepts_reused_utrn
        context = TokenContext(
            supplier=cell.entity_id,
            device=self._station.eui64,
            counter=counter,
            highest=self.utrns.highest,
            secret=self._secret(cell.public_key),
            refuses=lambda value: self.utrns.refuses(value) and not reused,
        )
        verdict = judge_token(text, context, self.account, now)
        if isinstance(verdict, Rejected):
            return self._refused(work, verdict.refusal, now, local=local)
        self._credit(work, verdict, now, source)
        return None

    def activate_emergency_credit(self, work: Work) -> bool:
        """Use emergency credit from now on; False when none is available. Spec: SMETS 5.6.3.1."""
        self.refresh()
        activated, told = self.account.activate_emergency_credit()
        if activated:
            self._keep(work)
            self._tell(work, told)
        return activated

    def _refused(self, work: Work, refusal: Refusal, now: datetime, *, local: bool) -> Refusal:
        self._raise_event(work, refusal.code)
        if local and refusal.counts_towards_lock_out:
            if self.lock_out.refuse(now):
                self._raise_event(work, events.UTRN_ENTRY_SUSPENDED)
            work.tx.put_json(_LOCK, self.lock_out.to_json())
        work.note("TopUpRefused", reason=refusal.words, code=f"{refusal.code:04X}")
        return refusal

    def _credit(self, work: Work, genuine: Genuine, now: datetime, source: TokenSource) -> None:
        self.utrns.remember(work, genuine.counter)
        split, told = self.account.top_up(genuine.value, now)
        seconds = seconds_since_2000(now)
        self.records.credits.append(Amount(seconds, genuine.value))
        if split.debt:
            self.records.debt_payments.append(Amount(seconds, split.debt))
        work.tx.put_json(_RECORDS, self.records.to_json())
        self._keep(work)
        if source is not TokenSource.WAN:
            self.lock_out.accept()
            work.tx.put_json(_LOCK, self.lock_out.to_json())
            self._raise_event(work, events.CREDIT_ADDED_LOCALLY)
        self._tell(work, told)

    def _tell(self, work: Work, told: Events) -> None:
        for event in told:
            if event in CODES:
                self._raise_event(work, CODES[event])


def _first(value: Value) -> int:
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, int) else 0


__all__ = ["REGISTERS", "AccountEvent", "EsmePrepayment"]
