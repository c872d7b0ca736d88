"""What an electricity meter tells the displays of its home.

Spec: SMETS 5.5.7 (information on the HAN); ZSE 1.4 D.2 to D.5
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

from smetslab.devices import display_server
from smetslab.devices.clock import DeviceClock
from smetslab.devices.display_server import (
    MOST_SAMPLES,
    DisplayServer,
    change_of_tenancy,
    first_shown,
    samples_told,
)
from smetslab.devices.esme_life import EsmeLife
from smetslab.devices.esme_logs import EsmeLogs
from smetslab.devices.gas_meter import DAY_S, HALF_HOUR_S, NO_INTERVAL
from smetslab.devices.load import Energies
from smetslab.devices.metering import EnergyMeter
from smetslab.devices.supply import Supply
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.zcl.logs import Samples
from smetslab.gbcs.values import Value, dig
from smetslab.zigbee.zcl import Attribute, Command, Record
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.named import EPOCH
from smetslab.zigbee.zcl.values import ZclValue

KILOWATT_HOURS: Final = 0
DIVISOR: Final = 1000
"""Registers count watt hours, prices thousandths of a penny."""
POUND: Final = 826
TRAILING_DIGITS: Final = 5
"""Decimal places of a price in pounds."""
NO_END: Final = 0xFFFF
_SUPPLY: Final = {"enabled": 2, "armed": 1, "disabled": 0}
_PREPAYMENT_ENABLED: Final = 0x0002
_NOW: Final = 0


class Server(Protocol):
    """The stored values of the meter."""

    def value(self, name: str) -> Value: ...

    def number(self, name: str) -> int: ...


class Shown(Protocol):
    """What of a meter is shown."""

    clock: DeviceClock
    supply: Supply
    meter: EnergyMeter
    life: EsmeLife
    logs: EsmeLogs
    tenancy: Tenancy

    @property
    def server(self) -> Server: ...


class EsmeDisplays:
    """The readings of one meter as attributes and commands."""

    def __init__(self, meter: Shown) -> None:
        self._meter = meter

    def server(self) -> DisplayServer:
        """The answers to displays."""
        return DisplayServer(
            self.readings,
            {
                Price.get_current_price: self.price,
                Messaging.get_last_message: self.message,
                Metering.get_sampled_data: self.samples,
                DeviceManagement.get_change_of_tenancy: lambda _now, _asked: change_of_tenancy(
                    self._meter.tenancy
                ),
            },
        )

    def readings(self, now: datetime) -> dict[Attribute, ZclValue]:
        meter, server = self._meter, self._meter.server
        registers, power = meter.meter.registers(now), meter.meter.power_w(now)
        watts = power.active_import + power.secondary_import - power.active_export
        prepayment = dig(server.value("account_mode"), "payment_mode") == "prepayment"
        return {
            Metering.current_summation_delivered: _import_wh(registers),
            Metering.supply_status: _SUPPLY[meter.supply.state.name.lower()],
            Metering.ambient_consumption_indicator: self._ambient(watts),
            Metering.unit_of_measure: KILOWATT_HOURS,
            Metering.multiplier: 1,
            Metering.divisor: DIVISOR,
            Metering.instantaneous_demand: watts,
            Price.standing_charge: meter.life.configuration.standing_charge,
            Price.currency: POUND,
            Prepayment.payment_control_configuration: _PREPAYMENT_ENABLED if prepayment else 0,
            Prepayment.credit_remaining: server.number("meter_balance"),
            Prepayment.emergency_credit_remaining: server.number("emergency_credit_balance"),
            Prepayment.accumulated_debt: server.number("accumulated_debt"),
            Prepayment.emergency_credit_limit: server.number("emergency_credit_limit"),
            Prepayment.emergency_credit_threshold: server.number("emergency_credit_threshold"),
            Prepayment.low_credit_warning_level: server.number("low_credit_threshold"),
        }

    def _ambient(self, watts: int) -> int:
        """Low, medium or high. Spec: SMETS 5.7.4 (power thresholds)."""
        thresholds = self._meter.server.value("power_thresholds")
        limits = [dig(thresholds, f"{name}_power_threshold") for name in ("low_medium", "medium_high")]
        return sum(isinstance(limit, int) and watts >= limit for limit in limits)

    def samples(self, now: datetime, asked: Record) -> tuple[Command, Record] | None:
        """Half hours or days of import, none from before a change of tenancy. Spec: ZSE 1.4 D.3.3.2."""
        logs, hidden = self._meter.logs, self._meter.tenancy.hidden_before(self._meter.clock.time(now))
        most = min(asked.integer("number_of_samples"), MOST_SAMPLES)
        match asked.integer("sample_id"):
            case display_server.HALF_HOURS:
                first = first_shown(asked, hidden, HALF_HOUR_S)
                found, interval = logs.half_hours_from(now, first, most), HALF_HOUR_S
            case display_server.DAYS:
                found, interval = logs.days_from(now, first_shown(asked, hidden, DAY_S), most), NO_INTERVAL
            case _:
                return None
        start = found[0][0] if found else 0
        return samples_told(asked, Samples(start, interval, tuple(value for _, value in found)))

    def price(self, now: datetime, asked: Record) -> tuple[Command, Record]:
        """The price that is active. Spec: ZSE 1.4 D.4.2.4.1."""
        del asked
        seconds = self._seconds(now)
        index = self._meter.life.active_index
        command = Price.publish_price
        return command, command.record(
            provider_id=0,
            rate_label=index.encode(),
            issuer_event_id=seconds,
            current_time=seconds,
            unit_of_measure=KILOWATT_HOURS,
            currency=POUND,
            price_trailing_digit_and_price_tier=TRAILING_DIGITS << 4,
            number_of_price_tiers_and_register_tier=0,
            start_time=_NOW,
            duration_in_minutes=NO_END,
            price=max(0, self._meter.life.active_price),
        )

    def message(self, now: datetime, asked: Record) -> tuple[Command, Record] | None:
        """The supplier's last message. Spec: ZSE 1.4 D.5.2.3.1; GBCS use case ECS10."""
        del asked
        text = self._meter.server.value("supplier_message")
        if not isinstance(text, str) or not text:
            return None
        command = Messaging.display_message
        return command, command.record(
            message_id=self._seconds(now),
            message_control=0,
            start_time=_NOW,
            duration_in_minutes=NO_END,
            message=text.encode(),
        )

    def _seconds(self, now: datetime) -> int:
        return int((self._meter.clock.time(now) - EPOCH).total_seconds())


def _import_wh(energies: Energies) -> int:
    return energies.active_import + energies.secondary_import
