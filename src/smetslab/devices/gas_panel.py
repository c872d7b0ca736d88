"""What the display of a gas meter can show to who stands before it.

Spec: SMETS 4.5 (user interface); which items are personal is unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from smetslab.devices.clock import DeviceClock
from smetslab.devices.esme_panel import NO_TIME
from smetslab.devices.gas_account import GasAccount
from smetslab.devices.gas_meter import LITRE_ML, GasMeter
from smetslab.devices.gas_tariff import GasTariff
from smetslab.devices.supplier_message import SupplierMessage
from smetslab.devices.valve import Valve
from smetslab.gbcs.values import Value, utc_text


class Shown(Protocol):
    """What of a meter its own display shows."""

    clock: DeviceClock
    valve: Valve
    meter: GasMeter
    tariff: GasTariff
    account: GasAccount
    message: SupplierMessage


class GasPanel:
    """The items of one meter. Money counts thousandths of a penny, volumes litres."""

    def __init__(self, meter: Shown) -> None:
        self._meter = meter

    def public(self, now: datetime) -> Mapping[str, Value]:
        meter = self._meter
        return {
            "time": utc_text(meter.clock.time(now)) if meter.clock.running else NO_TIME,
            "supply": meter.valve.state.name.lower(),
            "total_import_l": meter.meter.shown()[0],
        }

    def personal(self, now: datetime) -> Mapping[str, Value]:
        meter, time = self._meter, self._meter.clock.time(now)
        registers, account = meter.meter.registers, meter.account
        state = account.state
        shown: dict[str, Value] = {
            "rate": meter.tariff.tier(time),
            "price_millipence_per_kwh": meter.tariff.price(time, registers.block_mwh),
            "tier_registers_l": {
                str(tier): value // LITRE_ML for tier, value in enumerate(registers.tiers, 1) if value
            },
            "payment_mode": "prepayment" if state.prepayment else "credit",
        }
        if state.prepayment:
            shown |= {
                "meter_balance_millipence": state.meter_balance,
                "emergency_credit": state.emergency.value,
                "emergency_credit_remaining_millipence": account.emergency_remaining,
                "emergency_credit_owed_millipence": account.account.emergency_owed,
                "debt_to_clear_millipence": account.account.debt_to_clear(),
                "aggregated_debt_millipence": state.time_debt_1 + state.time_debt_2 + state.payment_debt,
                "non_disablement_period": state.non_disablement,
            }
        else:
            shown["cost_to_date_millipence"] = state.cost_to_date
        shown["message"] = meter.message.text(now)
        return shown
