"""The prepayment account of an ESME: its registers are COSEM attributes, its rules too; top-ups by command
and by hand.

Spec: SMETS 5.7.4, 5.7.5 (prepayment); GBCS use cases CS01a, ECS02 to ECS09.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from smetslab.devices import events
from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.counters import UtrnCache
from smetslab.devices.esme_configuration import prices as unit_prices
from smetslab.devices.esme_settings import PrepaymentSettings
from smetslab.devices.prepay.account import Account
from smetslab.devices.prepay.lockout import LockOut
from smetslab.devices.prepay.rules import DebtPeriod, Rules, TimeDebt
from smetslab.devices.prepay.state import AccountState, Events
from smetslab.devices.prepay.token import (
    Genuine,
    Refusal,
    Rejected,
    TokenContext,
    TokenSource,
    judge_token,
)
from smetslab.devices.quirks import Quirks
from smetslab.devices.ring import read_kept
from smetslab.devices.work import Work
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.gbcs.values import Value, dig
from smetslab.ids import Eui64
from smetslab.store import Nvm

_STATE, _LOCK = "prepay/account", "prepay/lock"

REGISTERS = {
    "meter_balance": "meter_balance",
    "emergency_credit_balance": "emergency_balance",
    "accumulated_debt": "accumulated_debt",
    "payment_debt": "payment_debt",
    "time_debt_1": "time_debt_1",
    "time_debt_2": "time_debt_2",
}
"""Attributes of the meter, and the fields of the account that they show."""


RULE_ATTRIBUTES = (
    "disablement_threshold",
    "emergency_credit_limit",
    "emergency_credit_threshold",
    "low_credit_threshold",
    "debt_recovery_per_payment",
    "debt_recovery_rate_cap",
    "debt_recovery_rate_1",
    "debt_recovery_rate_2",
    "debt_recovery_rate_1_period",
    "debt_recovery_rate_2_period",
    "maximum_credit",
    "maximum_meter_balance",
)
MODE_ATTRIBUTES = ("account_mode", "credit_charge_configuration")
_ACCUMULATED_DEBT = "0000130A02FF"
_TIME_DEBTS = {"0000131401FF", "0000131402FF"}
_SUSPENDED = "110"


class EsmePrepayment:
    """The account of one meter while it has power."""

    def __init__(
        self,
        *,
        nvm: Nvm,
        server: CosemServer,
        application: Application,
        device: Eui64,
        quirks: Quirks,
        clock: DeviceClock,
        settings: PrepaymentSettings,
        told: Callable[[Work, Events], None],
        credited: Callable[[Work, datetime, int, int], None],
    ) -> None:
        """`told` acts on the events of the account; `credited` writes the time, the value and the repaid debt
        of a top-up into the logs."""
        self._server = server
        self._application = application
        self._device = device
        self._quirks = quirks
        self._clock = clock
        self._settings = settings
        self._told = told
        self._credited = credited
        self.utrns = UtrnCache(nvm)
        kept, self.damaged = read_kept(nvm, _STATE, AccountState.from_json)
        state = kept or AccountState()
        lock = nvm.get_json(_LOCK)
        self.lock_out = LockOut(settings.lock_out)
        if lock is not None:
            self.lock_out = LockOut.from_json(lock, settings.lock_out)
        for attribute, name in REGISTERS.items():
            setattr(state, name, server.number(attribute))
        self.account = Account(state, self._rules(), settings.options)
        if kept is None:
            self._set_mode()
            self.account.settle()

    # ---------------------------------------------------------------------------- attributes

    def _rules(self) -> Rules:
        server = self._server
        return Rules(
            disablement_threshold=_first(server.value("disablement_threshold")),
            emergency_limit=server.number("emergency_credit_limit"),
            emergency_threshold=server.number("emergency_credit_threshold"),
            low_credit_threshold=server.number("low_credit_threshold"),
            per_payment=0 if self._quirks.recovers_no_debt else server.number("debt_recovery_per_payment"),
            rate_cap=server.number("debt_recovery_rate_cap"),
            time_debts=(self._time_debt(1), self._time_debt(2)),
            maximum_credit=server.number("maximum_credit"),
            maximum_balance=server.number("maximum_meter_balance"),
        )

    def _time_debt(self, number: int) -> TimeDebt:
        period = self._server.number(f"debt_recovery_rate_{number}_period")
        rates = unit_prices(self._server.value(f"debt_recovery_rate_{number}"))
        hourly = period == DebtPeriod.HOURLY.value
        return TimeDebt(
            rate=next(iter(rates.values()), 0),
            period=DebtPeriod.HOURLY if hourly else DebtPeriod.DAILY,
        )

    def _mode(self) -> tuple[bool, bool, bool]:
        """Prepayment, Suspend Debt Emergency, Suspend Debt Disabled.

        The second is read from the charges of the accumulated debt (unverified), the third from the bits of
        the time-based debts. Spec: GBCS use cases ECS02, ECS03.
        """
        prepayment = dig(self._server.value("account_mode"), "payment_mode") == "prepayment"
        charges = self._server.value("credit_charge_configuration")
        rows = [row for row in charges if isinstance(row, dict)] if isinstance(charges, list) else []
        emergency = any(row["credit_reference"] == _ACCUMULATED_DEBT for row in rows)
        disabled = any(
            row["charge_reference"] in _TIME_DEBTS and row["collection_configuration"] == _SUSPENDED
            for row in rows
        )
        if self._settings.suspend_debt_emergency is not None:
            emergency = self._settings.suspend_debt_emergency
        return prepayment, emergency, disabled

    def _set_mode(self) -> Events:
        prepayment, emergency, disabled = self._mode()
        return self.account.set_mode(
            prepayment=prepayment, suspend_debt_emergency=emergency, suspend_debt_disabled=disabled
        )

    def mode_written(self, work: Work) -> None:
        """A command or an activation has written the payment mode."""
        self.tell(work, self._set_mode())

    def rules_written(self, work: Work) -> None:
        """A command or an activation has written the rules; nonsense of a supplier changes nothing."""
        try:
            rules = self._rules()
        except ValueError as error:
            work.note("ConfigurationIgnored", reason=str(error))
            return
        self.tell(work, self.account.configure(rules))

    def keep(self, work: Work) -> None:
        """Write to memory what has changed."""
        state = self.account.state
        state.bound()
        before = self._server.number("meter_balance")
        for attribute, name in REGISTERS.items():
            value: int = getattr(state, name)
            if value != self._server.number(attribute):
                self._server.put(work, attribute, value)
        work.tx.put_json(_STATE, state.to_json())
        if state.meter_balance != before:
            work.note("StateChanged", what="meter balance", value=state.meter_balance, before=before)

    def tell(self, work: Work, told: Events) -> None:
        """Keep the account, and act on what it has to say."""
        self.keep(work)
        self._told(work, told)

    # ---------------------------------------------------------------------------- acts

    def adjust(self, work: Work, value: int) -> None:
        """Spec: GBCS use case ECS04a."""
        self.tell(work, self.account.adjust_balance(value))

    def reset(self, work: Work, register: str) -> None:
        """One of the three resets: balance, emergency credit, accumulated debt. Spec: GBCS use case
        ECS04b."""
        self.account.reset(register)
        self.keep(work)

    def adjust_debt(self, work: Work, register: str, value: int) -> bool:
        """Add a signed amount to a debt register; False when that would make it negative. Spec: GBCS use
        case ECS05."""
        amount: int = getattr(self.account.state, register) + value
        if amount < 0:
            return False
        setattr(self.account.state, register, amount)
        self.keep(work)
        return True

    def activate_emergency_credit(self, work: Work) -> bool:
        """Select emergency credit; True when it is active afterwards. Spec: GBCS use case ECS09."""
        done, told = self.account.activate_emergency_credit()
        self.tell(work, told)
        return done

    # ---------------------------------------------------------------------------- top-ups

    def top_up(
        self, work: Work, text: str, source: TokenSource, counter: int | None = None
    ) -> Refusal | None:
        """Judge and credit a code; None when it was credited. `counter`: that of the command with it."""
        now = self._clock.time(work.now)
        local = source is TokenSource.KEYPAD
        if local and self.lock_out.locked(now):
            return self._refused(work, Refusal.LOCKED_OUT, now, local=False)
        cell = self._application.trust_anchors.find(
            RemotePartyRole.SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP
        )
        if cell is None:
            return self._refused(work, Refusal.NOT_AUTHENTIC, now, local=local)
        reused = self._quirks.accepts_reused_utrn
        context = TokenContext(
            supplier=cell.entity_id,
            device=self._device,
            counter=counter,
            highest=self.utrns.highest,
            secret=self._application.scribe.secret(cell.public_key),
            refuses=lambda value: self.utrns.refuses(value) and not reused,
        )
        verdict = judge_token(text, context, self.account, now)
        if isinstance(verdict, Genuine) and not verdict.value and self._quirks.refuses_zero_top_up:
            verdict = Rejected(Refusal.NOT_AUTHENTIC)
        if isinstance(verdict, Rejected):
            return self._refused(work, verdict.refusal, now, local=local)
        self._credit(work, verdict, now, source)
        return None

    def _refused(self, work: Work, refusal: Refusal, now: datetime, *, local: bool) -> Refusal:
        self._application.raise_event(work, refusal.code)
        if local and refusal.counts_towards_lock_out:
            if self.lock_out.refuse(now):
                self._application.raise_event(work, events.UTRN_ENTRY_SUSPENDED)
            work.tx.put_json(_LOCK, self.lock_out.to_json())
        work.note("TopUpRefused", reason=refusal.words, code=f"{refusal.code:04X}")
        return refusal

    def _credit(self, work: Work, genuine: Genuine, now: datetime, source: TokenSource) -> None:
        self.utrns.remember(work, genuine.counter)
        split, told = self.account.top_up(genuine.value, now)
        self._credited(work, now, genuine.value, split.debt)
        if source is not TokenSource.WAN:
            self.lock_out.accept()
            work.tx.put_json(_LOCK, self.lock_out.to_json())
            self._application.raise_event(work, events.CREDIT_ADDED_LOCALLY)
        self.tell(work, told)


def _first(value: Value) -> int:
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, int) else 0
