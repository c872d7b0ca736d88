"""What the display of an ESME can show to who stands before it.

Spec: SMETS 5.5 (user interface), the lists are a maker's; which items are personal is unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.esme_life import EsmeLife
from smetslab.devices.esme_prepay import EsmePrepayment
from smetslab.devices.metering import MILLI, EnergyMeter
from smetslab.devices.supply import Supply
from smetslab.gbcs.values import Value, utc_text

NO_TIME = "--"
"""What the clock shows while it has no time. Spec: a maker's manual."""


class Shown(Protocol):
    """What of a meter its own display shows."""

    clock: DeviceClock
    supply: Supply
    meter: EnergyMeter
    life: EsmeLife
    server: CosemServer
    prepayment: EsmePrepayment


class EsmePanel:
    """The items of one meter. Money counts thousandths of a penny, energy Wh."""

    def __init__(self, meter: Shown) -> None:
        self._meter = meter

    def public(self, now: datetime) -> Mapping[str, Value]:
        meter, server = self._meter, self._meter.server
        registers = meter.meter.registers(now)
        return {
            "time": utc_text(meter.clock.time(now)) if meter.clock.running else NO_TIME,
            "supply": meter.supply.state.name.lower(),
            "total_import_wh": registers.active_import + registers.secondary_import,
            "total_export_wh": registers.active_export,
            "supplier": server.value("supplier_name"),
            "supplier_telephone": server.value("supplier_telephone_number"),
        }

    def personal(self, now: datetime) -> Mapping[str, Value]:
        meter, server, life = self._meter, self._meter.server, self._meter.life
        power, rates = meter.meter.power_w(now), life.state.rates
        return {
            "power_w": power.active_import + power.secondary_import - power.active_export,
            "rate": life.active_index,
            "price_millipence_per_kwh": life.active_price,
            "tou_registers_wh": {
                str(rate): value // MILLI for rate, value in enumerate(rates.tou, 1) if value
            },
            "block_counters_wh": {
                str(column): value // MILLI for column, value in enumerate(rates.counters, 1) if value
            },
            **self._account(),
            "message": server.value("supplier_message"),
            "customer_identification_number": server.value("customer_identification_number"),
        }

    def _account(self) -> dict[str, Value]:
        """Debts of a meter in Credit Mode are not shown: nothing is collected."""
        account = self._meter.prepayment.account
        state = account.state
        shown: dict[str, Value] = {
            "payment_mode": "prepayment" if state.prepayment else "credit",
            "meter_balance_millipence": state.meter_balance,
        }
        if state.prepayment:
            shown["emergency_credit"] = state.emergency.value
            shown["emergency_credit_remaining_millipence"] = state.emergency_balance
            shown["emergency_credit_owed_millipence"] = account.emergency_owed
            shown["debt_to_clear_millipence"] = account.debt_to_clear()
            shown["aggregated_debt_millipence"] = state.time_debt_1 + state.time_debt_2 + state.payment_debt
            shown["non_disablement_period"] = state.non_disablement
        return shown
