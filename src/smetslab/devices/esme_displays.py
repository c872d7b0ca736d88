"""What an electricity meter tells the displays of its home.

Spec: SMETS 5.5.7 (information on the HAN); ZSE 1.4 D.2 to D.5
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.display_server import Act, DisplayServer, change_of_tenancy
from smetslab.devices.display_terms import (
    BLOCK_REGISTERS,
    KILOWATT_HOURS,
    NO_END,
    PRICE_DIGITS,
    RATE_REGISTERS,
)
from smetslab.devices.esme_history_told import EsmeHistoryTold
from smetslab.devices.esme_life import EsmeLife
from smetslab.devices.esme_logs import EsmeLogs
from smetslab.devices.esme_prepay import EsmePrepayment
from smetslab.devices.esme_tariff_told import EsmeTariffTold
from smetslab.devices.gas_account import PREPAYMENT_ENABLED
from smetslab.devices.load import Energies
from smetslab.devices.metering import MILLI, EnergyMeter
from smetslab.devices.supplier_message import SupplierMessage
from smetslab.devices.supply import Supply
from smetslab.devices.tariff import BLOCK_COLUMNS, BLOCKS, TOU_REGISTERS
from smetslab.devices.tenancy import Tenancy
from smetslab.gbcs.values import Value, dig, seconds_since_2000
from smetslab.zigbee.zcl import Attribute, Command, Record
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.values import ZclValue

DIVISOR: Final = 1000
"""Registers count watt hours, prices thousandths of a penny."""
_SUPPLY: Final = {"enabled": 2, "armed": 1, "disabled": 0}
_NOW: Final = 0
_CONTACT: Final = ("supplier_name", "supplier_telephone_number", "customer_identification_number")


class Server(Protocol):
    """The stored values of the meter."""

    def value(self, name: str) -> Value: ...

    def number(self, name: str) -> int: ...

    def entries(self, name: str) -> list[Value]: ...


class Shown(Protocol):
    """What of a meter is shown."""

    clock: DeviceClock
    supply: Supply
    meter: EnergyMeter
    life: EsmeLife
    logs: EsmeLogs
    tenancy: Tenancy
    message: SupplierMessage
    application: Application
    prepayment: EsmePrepayment

    @property
    def server(self) -> Server: ...


class EsmeDisplays:
    """The readings of one meter as attributes and commands."""

    def __init__(self, meter: Shown) -> None:
        self._meter = meter
        self.tariff = EsmeTariffTold(meter.life, meter.server, meter.clock.time)
        self.history = EsmeHistoryTold(meter)

    def server(self, acts: Mapping[Command, Act]) -> DisplayServer:
        """The answers to displays."""
        return DisplayServer(
            {**{row: partial(read, self) for row, read in _READINGS.items()}, **self.history.readers()},
            {
                Price.get_current_price: self.price,
                Messaging.get_last_message: lambda now, _asked: self._meter.message.standing(now),
                DeviceManagement.get_change_of_tenancy: lambda _now, _asked: change_of_tenancy(
                    self._meter.tenancy
                ),
                DeviceManagement.get_change_of_supplier: self._supplier,
                DeviceManagement.get_cin: self._customer,
                **self.tariff.tellers(),
                **self.history.tellers(),
            },
            lambda: (self.tariff.revision, *map(self._meter.server.value, _CONTACT)),
            acts,
        )

    # ---------------------------------------------------------------------------- attributes

    def _import_wh(self, now: datetime) -> int:
        registers: Energies = self._meter.meter.registers(now)
        return registers.active_import + registers.secondary_import

    def _watts(self, now: datetime) -> int:
        power = self._meter.meter.power_w(now)
        return power.active_import + power.secondary_import - power.active_export

    def _ambient(self, now: datetime) -> int:
        """Low, medium or high. Spec: SMETS 5.7.4 (power thresholds)."""
        thresholds, watts = self._meter.server.value("power_thresholds"), self._watts(now)
        limits = [dig(thresholds, f"{name}_power_threshold") for name in ("low_medium", "medium_high")]
        return sum(isinstance(limit, int) and watts >= limit for limit in limits)

    def _payment(self, now: datetime) -> int:
        del now
        prepayment = dig(self._meter.server.value("account_mode"), "payment_mode") == "prepayment"
        return PREPAYMENT_ENABLED if prepayment else 0

    def _stored(self, name: str, now: datetime) -> int:
        del now
        return self._meter.server.number(name)

    def _tier(self, place: int, now: datetime) -> int:
        del now
        return self._meter.life.state.rates.tou[place] // MILLI

    def _block(self, column: int, block: int, now: datetime) -> int:
        del now
        return self._meter.life.state.rates.blocks[block][column] // MILLI

    # ---------------------------------------------------------------------------- commands

    def price(self, now: datetime, asked: Record) -> Record:
        """The price that is active. Spec: ZSE 1.4 D.4.2.4.1."""
        del asked
        seconds = self._seconds(now)
        index = self._meter.life.active_index
        return Price.publish_price.record(
            provider_id=0,
            rate_label=index.encode(),
            issuer_event_id=seconds,
            current_time=seconds,
            unit_of_measure=KILOWATT_HOURS,
            currency=self.tariff.currency,
            price_trailing_digit_and_price_tier=PRICE_DIGITS,
            number_of_price_tiers_and_register_tier=0,
            start_time=_NOW,
            duration_in_minutes=NO_END,
            price=max(0, self._meter.life.active_price),
        )

    def _supplier(self, now: datetime, asked: Record) -> Record | None:
        """Who supplies, and how to reach them. Spec: ZSE 1.4 D.10.2.4.2; GBCS use case ECS16."""
        del asked
        name, telephone, _ = (str(self._meter.server.value(one) or "") for one in _CONTACT)
        if not name and not telephone:
            return None
        return DeviceManagement.publish_change_of_supplier.record(
            current_provider_id=0,
            issuer_event_id=self._seconds(now),
            tariff_type=0,
            proposed_provider_id=0,
            provider_change_implementation_time=_NOW,
            provider_change_control=0,
            proposed_provider_name=name.encode(),
            proposed_provider_contact_details=telephone.encode(),
        )

    def _customer(self, now: datetime, asked: Record) -> Record | None:
        """Spec: ZSE 1.4 D.10.2.4.7; GBCS use case ECS50."""
        del asked
        number = str(self._meter.server.value("customer_identification_number") or "")
        if not number:
            return None
        return DeviceManagement.update_cin.record(
            issuer_event_id=self._seconds(now),
            cin_implementation_time=_NOW,
            provider_id=0,
            customer_id_number=number.encode(),
        )

    def _seconds(self, now: datetime) -> int:
        return seconds_since_2000(self._meter.clock.time(now))


_Read = Callable[[EsmeDisplays, datetime], "ZclValue | None"]


def _fixed(value: int) -> _Read:
    return lambda _shown, _now: value


def _register(name: str) -> _Read:
    return lambda shown, now: shown._stored(name, now)


def _of_tier(place: int) -> _Read:
    return lambda shown, now: shown._tier(place, now)


def _of_block(column: int, block: int) -> _Read:
    return lambda shown, now: shown._block(column, block, now)


_READINGS: Final[Mapping[Attribute, _Read]] = {
    Metering.current_summation_delivered: EsmeDisplays._import_wh,
    Metering.supply_status: lambda shown, _now: _SUPPLY[shown._meter.supply.state.name.lower()],
    Metering.ambient_consumption_indicator: EsmeDisplays._ambient,
    Metering.unit_of_measure: _fixed(KILOWATT_HOURS),
    Metering.multiplier: _fixed(1),
    Metering.divisor: _fixed(DIVISOR),
    Metering.instantaneous_demand: EsmeDisplays._watts,
    **{RATE_REGISTERS[place]: _of_tier(place) for place in range(TOU_REGISTERS)},
    **{
        BLOCK_REGISTERS[(column + 1) * BLOCKS + block]: _of_block(column, block)
        for column in range(BLOCK_COLUMNS)
        for block in range(BLOCKS)
    },
    Price.standing_charge: lambda shown, _now: shown._meter.life.configuration.standing_charge,
    Price.currency: lambda shown, _now: shown.tariff.currency,
    Price.unit_of_measure: _fixed(KILOWATT_HOURS),
    Price.price_trailing_digits: _fixed(PRICE_DIGITS),
    Prepayment.payment_control_configuration: EsmeDisplays._payment,
    Prepayment.credit_remaining: _register("meter_balance"),
    Prepayment.emergency_credit_remaining: _register("emergency_credit_balance"),
    Prepayment.accumulated_debt: _register("accumulated_debt"),
    Prepayment.emergency_credit_limit: _register("emergency_credit_limit"),
    Prepayment.emergency_credit_threshold: _register("emergency_credit_threshold"),
    Prepayment.low_credit_warning_level: _register("low_credit_threshold"),
    Prepayment.debt_amount_1: _register("time_debt_1"),
    Prepayment.debt_amount_2: _register("time_debt_2"),
    Prepayment.debt_amount_3: _register("payment_debt"),
}
"""What displays may read, and where it comes from. Spec: SMETS 5.5.7; which attribute tells what is
unverified beyond what displays were seen to read."""
