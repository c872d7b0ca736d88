"""What a gas proxy tells the displays of its home: its mirror of the meter.

Spec: SMETS 4.5.7, CHTS 4.5 (information on the HAN); ZSE 1.4 D.2 to D.5
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast

from smetslab.devices import display_server
from smetslab.devices.display_server import (
    MOST_SAMPLES,
    DisplayServer,
    change_of_tenancy,
    first_shown,
    samples_told,
)
from smetslab.devices.gas_meter import DAY_S, HALF_HOUR_S
from smetslab.devices.gas_records import GasRecords
from smetslab.devices.gas_tariff import GasTariff
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.zigbee.zcl import Attribute, Command, Record
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.named import EPOCH
from smetslab.zigbee.zcl.values import JsonValue, ZclValue

_SHOWN = (
    Metering.current_summation_delivered,
    Metering.supply_status,
    Metering.unit_of_measure,
    Metering.multiplier,
    Metering.divisor,
    Price.standing_charge,
    Price.conversion_factor,
    Price.conversion_factor_trailing_digit,
    Price.calorific_value,
    Price.calorific_value_trailing_digit,
    Price.currency,
    Prepayment.payment_control_configuration,
    Prepayment.credit_remaining,
    Prepayment.emergency_credit_remaining,
    Prepayment.accumulated_debt,
    Prepayment.emergency_credit_limit,
    Prepayment.emergency_credit_threshold,
    Prepayment.low_credit_warning_level,
)
_KILOWATT_HOURS, _POUND, _TRAILING_DIGITS, _NOW, _NO_END = 0, 826, 5, 0, 0xFFFF


class GpfDisplays:
    """The mirror of one proxy as attributes and commands. `time`: the proxy's own."""

    def __init__(
        self,
        memory: Callable[[], ZclMemory],
        tariff: GasTariff,
        records: GasRecords,
        tenancy: Tenancy,
        time: Callable[[datetime], datetime],
    ) -> None:
        self._memory = memory
        self._tariff = tariff
        self._records = records
        self._tenancy = tenancy
        self._time = time

    def server(self) -> DisplayServer:
        """The answers to displays."""
        return DisplayServer(
            self.readings,
            {
                Price.get_current_price: self.price,
                Messaging.get_last_message: self.message,
                Metering.get_sampled_data: self.samples,
                DeviceManagement.get_change_of_tenancy: lambda _now, _asked: change_of_tenancy(self._tenancy),
            },
        )

    def readings(self, now: datetime) -> dict[Attribute, ZclValue]:
        memory = self._memory()
        return {attribute: memory.get(attribute, now) for attribute in _SHOWN if memory.has(attribute)}

    def samples(self, now: datetime, asked: Record) -> tuple[Command, Record] | None:
        """Half hours or days of the mirror, none from before a change of tenancy. Spec: ZSE 1.4 D.3.3.2."""
        hidden = self._tenancy.hidden_before(self._time(now))
        most = min(asked.integer("number_of_samples"), MOST_SAMPLES)
        match asked.integer("sample_id"):
            case display_server.HALF_HOURS:
                profile = self._records.profile
                first = max(profile.oldest, first_shown(asked, hidden, HALF_HOUR_S))
                found = profile.samples(first, most)
            case display_server.DAYS:
                found = self._records.daily_consumption.samples(first_shown(asked, hidden, DAY_S), most)
            case _:
                return None
        return samples_told(asked, found)

    def price(self, now: datetime, asked: Record) -> tuple[Command, Record]:
        """The price of the active rate, per kWh. Spec: ZSE 1.4 D.4.2.4.1."""
        del asked
        seconds = self._seconds(now)
        command = Price.publish_price
        return command, command.record(
            provider_id=0,
            rate_label=b"",
            issuer_event_id=seconds,
            current_time=seconds,
            unit_of_measure=_KILOWATT_HOURS,
            currency=_POUND,
            price_trailing_digit_and_price_tier=_TRAILING_DIGITS << 4,
            number_of_price_tiers_and_register_tier=0,
            start_time=_NOW,
            duration_in_minutes=_NO_END,
            price=max(0, self._tariff.price(self._time(now), 0)),
        )

    def message(self, now: datetime, asked: Record) -> tuple[Command, Record] | None:
        """The supplier's last message, as it came. Spec: ZSE 1.4 D.5.2.3.1; GBCS use case GCS07."""
        del now, asked
        kept = self._memory().document("message")
        if not isinstance(kept, dict):
            return None
        command = Messaging.display_message
        return command, command.from_json(cast("JsonValue", kept))

    def _seconds(self, now: datetime) -> int:
        return int((self._time(now) - EPOCH).total_seconds())
