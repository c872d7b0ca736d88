"""What an ESME does when something falls due: charges, snapshots, supply, and the events of each.

Spec: SMETS 5.5 (prepayment and supply), 5.7.5 (logs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import CosemServer, Handler, ItemError
from smetslab.devices.demand import Peak
from smetslab.devices.esme_alerts import EsmeAlerts
from smetslab.devices.esme_life import EsmeLife, Owner, moment
from smetslab.devices.esme_logs import EsmeLogs
from smetslab.devices.esme_prepay import EsmePrepayment
from smetslab.devices.metering import EnergyMeter
from smetslab.devices.payload_engine import Call
from smetslab.devices.prepay.rules import DebtPeriod
from smetslab.devices.prepay.state import CODES, AccountEvent, Events
from smetslab.devices.prepay.token import TokenSource
from smetslab.devices.quirks import Quirks
from smetslab.devices.supply import SCRIPTS, Outcome, Supply, SupplyEvent
from smetslab.devices.work import Work
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.dlms.axdr import Data, Number, Octets
from smetslab.gbcs.values import seconds_since_2000

RESET_BLOCK_COUNTERS = 99
"""Script of the tariff script table. Spec: GBCS use case ECS05."""


class Parts(Protocol):
    """The parts of a meter that its duties act on."""

    application: Application
    clock: DeviceClock
    server: CosemServer
    meter: EnergyMeter
    supply: Supply
    prepayment: EsmePrepayment
    life: EsmeLife
    logs: EsmeLogs
    alerts: EsmeAlerts
    quirks: Quirks


class EsmeDuties(Owner):
    """Between the passing of time, the account, the load switch, and who has to be told."""

    def __init__(self, parts: Parts) -> None:
        """`parts` may still be under construction."""
        self._parts = parts

    # ---------------------------------------------------------------------------- what falls due

    def energy(self, work: Work, costs: Sequence[tuple[int, int]]) -> None:
        told: list[AccountEvent] = []
        for milliwatt_hours, price in costs:
            told += self._parts.prepayment.account.energy(milliwatt_hours, price)
        self.tell(work, tuple(told))

    def midnight(self, work: Work, at: datetime, *, missed: bool, charging: bool) -> None:
        """Snapshots first, then the standing charge, then debts: those that were missed are not made up."""
        parts = self._parts
        if not parts.quirks.daily_log_stops:
            parts.logs.midnight(work, at)
        if not charging:
            return
        account, off = parts.prepayment.account, not parts.supply.closed
        standing = parts.life.configuration.standing_charge
        self.tell(work, account.standing_charge(standing, supply_open=off))
        if not missed and not parts.quirks.skips_time_debts:
            self.tell(work, account.debt_tick(DebtPeriod.DAILY, at, supply_open=off))
            self.hour(work, at)

    def hour(self, work: Work, at: datetime) -> None:
        account, off = self._parts.prepayment.account, not self._parts.supply.closed
        self.tell(work, account.debt_tick(DebtPeriod.HOURLY, at, supply_open=off))

    def billing(self, work: Work, at: datetime, *, charging: bool) -> None:
        self._parts.logs.period_ended(work, at)
        if charging:
            self._parts.alerts.billing_updated(work)

    def non_disablement(self, work: Work, *, begins: bool) -> None:
        account = self._parts.prepayment.account
        if begins and not account.state.non_disablement:
            account.begin_non_disablement()
        elif not begins and account.state.non_disablement:
            self.tell(work, account.end_non_disablement())

    def charge_to_next_event(self) -> int | None:
        return self._parts.prepayment.account.charge_to_next_event()

    @property
    def charge_remainder(self) -> int:
        return self._parts.prepayment.account.state.remainder

    # ---------------------------------------------------------------------------- what the account says

    def tell(self, work: Work, told: Events) -> None:
        """Act on the events of the account, and raise their codes."""
        raise_event = self._parts.application.raise_event
        emergency = AccountEvent.EMERGENCY_ACTIVATED in told
        for event in told:
            if event in CODES:
                raise_event(work, CODES[event])
            if event is AccountEvent.CREDIT_GONE and not self._parts.quirks.never_disables:
                self.switch(work, SupplyEvent.CREDIT_GONE)
            elif event is AccountEvent.CREDIT_BACK:
                back = SupplyEvent.EMERGENCY_CREDIT_BACK if emergency else SupplyEvent.CREDIT_BACK
                self.switch(work, back)
                if self._parts.quirks.enables_on_credit:
                    self.switch(work, SupplyEvent.CONSUMER_ENABLE)

    def switch(self, work: Work, event: SupplyEvent) -> Outcome:
        """Something happens to the load switch, at the moment that has been worked through."""
        parts = self._parts
        outcome = parts.supply.handle(work, event)
        parts.meter.change(work, moment(parts.life.state.reached_us), closed=parts.supply.closed)
        parts.life.changed()
        for code in outcome.codes:
            parts.application.raise_event(work, code)
        return outcome

    # ---------------------------------------------------------------------------- what commands ask for

    def methods(self) -> Mapping[str, Handler]:
        """By the names of the meter's methods."""
        return {
            "execute_disconnect_script": self._run_script,
            "execute_tariff_script": self._run_tariff_script,
            "enter_token": self._enter_token,
            "adjust_meter_balance": self._adjust_balance,
            "reset_meter_balance": self._reset("meter_balance"),
            "reset_emergency_credit": self._reset("emergency_balance"),
            "reset_accumulated_debt": self._reset("accumulated_debt"),
            "activate_emergency_credit": self._select_emergency_credit,
            "adjust_payment_debt": self._adjust_debt("payment_debt"),
            "adjust_time_debt_1": self._adjust_debt("time_debt_1"),
            "adjust_time_debt_2": self._adjust_debt("time_debt_2"),
            "reset_maximum_demand_active_energy_import": self._reset_demand("imported"),
            "reset_maximum_demand_active_power_export": self._reset_demand("exported"),
            "reset_maximum_demand_configurable_time_active_power_import": self._reset_demand("configurable"),
        }

    def _run_script(self, call: Call, data: Data) -> Data:
        """execute on the disconnect script table. Refused for want of credit: unverified."""
        event = SCRIPTS.get(data.value) if isinstance(data, Number) else None
        if event is None:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no such script")
        if self.switch(call.work, event).refused:
            raise ItemError(DataAccessResult.OTHER_REASON, "credit is below the disablement threshold")
        return axdr.null()

    def _run_tariff_script(self, call: Call, data: Data) -> Data:
        """execute on the tariff script table: reset the block counters. Spec: GBCS use case ECS05."""
        if not isinstance(data, Number) or data.value != RESET_BLOCK_COUNTERS:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no such script")
        life = self._parts.life
        life.state.rates.reset_counters()
        life.keep(call.work)
        life.changed()
        return axdr.null()

    def _reset_demand(self, register: str) -> Handler:
        def reset(call: Call, data: Data) -> Data:
            del data
            life = self._parts.life
            peak: Peak = getattr(life.state.demand, register)
            peak.reset(seconds_since_2000(self._parts.clock.time(call.work.now)))
            life.demand_changed()
            life.keep(call.work)
            return axdr.null()

        return reset

    def _enter_token(self, call: Call, data: Data) -> Data:
        """enter on the token gateway. A refused top-up is answered with result 1. Spec: GBCS use case CS01a,
        14.6."""
        if not isinstance(data, Octets):
            raise ItemError(DataAccessResult.HARDWARE_FAULT, "no octets")
        refusal = self._parts.prepayment.top_up(
            call.work,
            data.value.decode("ascii", "replace"),
            TokenSource.WAN,
            call.command.originator_counter,
        )
        if refusal is not None:
            raise ItemError(DataAccessResult.HARDWARE_FAULT, f"top-up refused: {refusal.code:04X}")
        self._parts.life.changed()
        return axdr.null()

    def _adjust_balance(self, call: Call, data: Data) -> Data:
        self._parts.prepayment.adjust(call.work, _amount(data))
        self._parts.life.changed()
        return axdr.null()

    def _reset(self, register: str) -> Handler:
        def reset(call: Call, data: Data) -> Data:
            del data
            self._parts.prepayment.reset(call.work, register)
            self._parts.life.changed()
            return axdr.null()

        return reset

    def _select_emergency_credit(self, call: Call, data: Data) -> Data:
        del data
        if not self._parts.prepayment.activate_emergency_credit(call.work):
            raise ItemError(DataAccessResult.OTHER_REASON, "emergency credit is not available")
        self._parts.life.changed()
        return axdr.null()

    def _adjust_debt(self, register: str) -> Handler:
        def adjust(call: Call, data: Data) -> Data:
            if not self._parts.prepayment.adjust_debt(call.work, register, _amount(data)):
                raise ItemError(DataAccessResult.OTHER_REASON, f"{register} would become negative")
            return axdr.null()

        return adjust


def _amount(data: Data) -> int:
    if not isinstance(data, Number):
        raise ItemError(DataAccessResult.TYPE_UNMATCHED, "no amount")
    return data.value
