"""A Type 2 device: it asks the meters of its home and keeps what they tell. It writes nothing and has no
credentials.

Spec: IHDTS 4; GBCS 7.4 (Type 2 devices); the intervals are those that users see (unverified)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, cast

from smetslab.devices.consumption import Ledger
from smetslab.devices.display_server import DAYS
from smetslab.devices.han_frames import HanFrame, HanOutbox, readings_in
from smetslab.devices.schedule import after_2000
from smetslab.devices.work import Workplace
from smetslab.errors import ZclDecodeError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import Value, utc_text
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Attribute, Record, find_command
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.foundation import DefaultResponse

ELECTRICITY_INTERVAL: Final = timedelta(seconds=10)
GAS_INTERVAL: Final = timedelta(minutes=30)
PRICE_INTERVAL: Final = timedelta(minutes=5)
HISTORY_INTERVAL: Final = timedelta(hours=1)
HISTORY_DAYS: Final = 8
TIME_WAIT, TIME_LOOK = timedelta(seconds=5), timedelta(seconds=0.5)
"""How long a display waits for the time before it asks its meters, and how often it looks. Unverified."""
STALE_AFTER: Final = 3
"""Intervals without an answer after which a meter counts as out of reach."""

_METERING: Final = (
    Metering.current_summation_delivered,
    Metering.unit_of_measure,
    Metering.multiplier,
    Metering.divisor,
    Metering.supply_status,
    Metering.instantaneous_demand,
    Metering.ambient_consumption_indicator,
)
_PREPAYMENT: Final = (
    Prepayment.payment_control_configuration,
    Prepayment.credit_remaining,
    Prepayment.emergency_credit_remaining,
    Prepayment.accumulated_debt,
    Prepayment.low_credit_warning_level,
)
_PRICE: Final = (
    Price.standing_charge,
    Price.conversion_factor,
    Price.conversion_factor_trailing_digit,
    Price.calorific_value,
    Price.calorific_value_trailing_digit,
)
_OFTEN: Final[tuple[tuple[Attribute, ...], ...]] = (_METERING, _PREPAYMENT)
_PREPAYMENT_ENABLED: Final = 0x0002
_CUBIC_METRES: Final = 1
_MEGAJOULES_PER_KWH: Final = 3.6


@dataclass(frozen=True, slots=True)
class ShownMeter:
    """A meter that a display asks: the ESME itself, or the proxy of a gas meter."""

    device: Eui64
    kind: DeviceType

    @property
    def interval(self) -> timedelta:
        return ELECTRICITY_INTERVAL if self.kind is DeviceType.ESME else GAS_INTERVAL


@dataclass(slots=True)
class Reading:
    """What a meter has told; None: not yet, or never. Money counts thousandths of a penny."""

    meter: ShownMeter
    values: dict[str, int] = field(default_factory=dict)
    price: int | None = None
    """Per kWh."""
    rate: str = ""
    message: str = ""
    at: datetime | None = None
    ledger: Ledger = field(default_factory=Ledger)
    tenancy: datetime | None = None
    """When the tenants change, or have changed."""
    history: dict[str, int] = field(default_factory=dict)
    """Units of the meter's register used in each of the last days, by its date."""

    @property
    def total(self) -> float | None:
        """The register, in the meter's unit."""
        register = self.values.get("current_summation_delivered")
        if register is None:
            return None
        return register * self.values.get("multiplier", 1) / max(1, self.values.get("divisor", 1))

    @property
    def energy_kwh(self) -> float | None:
        """The register in kWh: gas by its calorific value. Spec: SMETS 4.6.4.3, 4.6.4.5."""
        total = self.total
        if total is None or self.values.get("unit_of_measure") != _CUBIC_METRES:
            return total
        factor = _scaled(self.values, "conversion_factor")
        calorific = _scaled(self.values, "calorific_value")
        if factor is None or calorific is None:
            return None
        return total * factor * calorific / _MEGAJOULES_PER_KWH

    @property
    def power_w(self) -> int | None:
        return self.values.get("instantaneous_demand")

    @property
    def prepayment(self) -> bool:
        """Whether the meter is in Prepayment Mode."""
        return bool(self.values.get("payment_control_configuration", 0) & _PREPAYMENT_ENABLED)

    def reachable(self, now: datetime) -> bool:
        """Whether the meter has answered lately."""
        return self.at is not None and now - self.at <= STALE_AFTER * self.meter.interval


def _scaled(values: Mapping[str, int], name: str) -> float | None:
    """A number whose decimal places stand beside it. Spec: ZSE 1.4 D.4.2.2.4."""
    number = values.get(name)
    if number is None:
        return None
    return float(number) / float(10 ** (values.get(f"{name}_trailing_digit", 0) >> 4))


class DisplayCore:
    """One Type 2 device between power on and power off."""

    def __init__(
        self,
        workplace: Workplace,
        meters: tuple[ShownMeter, ...],
        now: datetime,
        time: Callable[[datetime], datetime | None] = lambda now: now,
    ) -> None:
        """`time`: what the display has been told of the time, at a moment of laboratory time."""
        self._place = workplace
        self._time = time
        self._patience = now + TIME_WAIT
        self.han = HanOutbox()
        self.readings = {meter.device: Reading(meter) for meter in meters}
        for reading in self.readings.values():
            octets = workplace.nvm.get(_key(reading))
            if octets is not None:
                reading.ledger = Ledger.decode(octets)
        self._due = {meter.device: now for meter in meters}
        self._price_due = {meter.device: now for meter in meters}
        self._history_due = dict(self._price_due)
        self.refusals = 0
        """Answers that refused something."""

    # ---------------------------------------------------------------------------- time

    def next_deadline(self) -> datetime | None:
        return min(self._due.values(), default=None)

    def tick(self, now: datetime) -> None:
        """Ask the meters whose turn it is; at the beginning, wait a little until the time is known."""
        if self._time(now) is None and now < self._patience:
            self._due = dict.fromkeys(self._due, min(now + TIME_LOOK, self._patience))
            return
        for reading in self.readings.values():
            meter = reading.meter
            if now < self._due[meter.device]:
                continue
            self._due[meter.device] = now + meter.interval
            for attributes in _OFTEN:
                self.han.read(meter.device, attributes)
            if now >= self._price_due[meter.device]:
                self._price_due[meter.device] = now + PRICE_INTERVAL
                self.han.read(meter.device, _PRICE)
                self.han.command(meter.device, Price.get_current_price, {"command_options": []})
                self.han.command(meter.device, Messaging.get_last_message, {})
                self.han.command(meter.device, DeviceManagement.get_change_of_tenancy, {})
            if now >= self._history_due[meter.device]:
                self._history_due[meter.device] = now + HISTORY_INTERVAL
                self._ask_history(meter, now)

    def _ask_history(self, meter: ShownMeter, now: datetime) -> None:
        time = self._time(now)
        if time is None:
            self._history_due[meter.device] = now + meter.interval
            return
        since = time.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=HISTORY_DAYS - 1)
        self.han.command(
            meter.device,
            Metering.get_sampled_data,
            {
                "sample_id": DAYS,
                "earliest_sample_time": utc_text(since),
                "sample_type": "consumption_delivered",
                "number_of_samples": HISTORY_DAYS,
            },
        )

    def receive(self, data: bytes, now: datetime) -> None:
        """A GBCS message: nobody sends one to a Type 2 device."""
        del now
        self._place.note("MessageDropped", data=data, reason="type-2-device")

    # ---------------------------------------------------------------------------- answers

    def han_receive(self, frame: HanFrame, now: datetime) -> None:
        """A frame of a meter."""
        reading = self.readings.get(frame.peer)
        if reading is None or not frame.frame.server_to_client:
            self._place.note("FrameIgnored", peer=str(frame.peer), cluster=frame.cluster)
            return
        values = readings_in(frame)
        if values is not None:
            self._told(reading, values, now)
        elif frame.frame.cluster_specific:
            self._published(reading, frame)
        elif frame.frame.command == DefaultResponse.code:
            self.refusals += 1

    def _told(self, reading: Reading, values: dict[str, int], now: datetime) -> None:
        reading.values.update(values)
        reading.at = now
        energy, time = reading.energy_kwh, self._time(now)
        if "current_summation_delivered" not in values or energy is None or time is None:
            return  # without the time nobody knows whose day it counts for
        before = replace(reading.ledger)
        if reading.tenancy is not None and reading.tenancy <= time:
            reading.ledger.change_tenancy(reading.tenancy)
            first = utc_text(reading.tenancy)
            reading.history = {
                day: used for day, used in reading.history.items() if f"{day}T00:00:00Z" >= first
            }
        reading.ledger.add(
            time,
            energy_wh=round(energy * 1000),
            price=reading.price or 0,
            standing_charge=reading.values.get("standing_charge", 0),
        )
        if before != reading.ledger:
            with self._place.work(now) as work:
                work.tx.put(_key(reading), reading.ledger.encode())

    def _published(self, reading: Reading, frame: HanFrame) -> None:
        command = find_command(frame.cluster, frame.frame)
        try:
            if command is Price.publish_price:
                record = command.decode(frame.frame.payload)
                digits = record.integer("price_trailing_digit_and_price_tier") >> 4
                reading.price = round(record.integer("price") * 10 ** (5 - digits))
                reading.rate = record.octets("rate_label").decode("utf-8", "replace")
            elif command is Messaging.display_message:
                text = command.decode(frame.frame.payload).octets("message")
                reading.message = text.decode("utf-8", "replace")
            elif command is DeviceManagement.publish_change_of_tenancy:
                record = command.decode(frame.frame.payload)
                reading.tenancy = after_2000(record.integer("implementation_date_time"))
            elif command is Metering.get_sampled_data_response:
                _remember(reading, command.decode(frame.frame.payload))
        except ZclDecodeError as error:
            self._place.note("FrameIgnored", peer=str(frame.peer), reason=str(error))

    def han_failed(self, frame: HanFrame, now: datetime) -> None:
        """A question did not arrive: the next one may."""
        del now
        self._place.note("FrameNotDelivered", peer=str(frame.peer), cluster=frame.cluster)

    # ---------------------------------------------------------------------------- for people

    def inspect(self, now: datetime) -> dict[str, Value]:
        """What has been read, for diagnosis."""
        return {
            "meters": [
                {
                    "device": str(reading.meter.device),
                    "kind": reading.meter.kind.name,
                    "reachable": reading.reachable(now),
                    "price": reading.price,
                    "message": reading.message,
                    "readings": dict(reading.values),
                    "today_wh": reading.ledger.day.energy_wh,
                    "change_of_tenancy": None if reading.tenancy is None else utc_text(reading.tenancy),
                    "days": dict(reading.history),
                }
                for reading in self.readings.values()
            ]
        }


def _remember(reading: Reading, record: Record) -> None:
    """The days that a meter tells, in place of those that it told before: what it hides now is gone."""
    ends = after_2000(record.integer("sample_start_time"))
    samples = cast("tuple[int, ...]", record["samples"])
    reading.history = {
        (ends + timedelta(days=number - 1)).date().isoformat(): used for number, used in enumerate(samples)
    }


def _key(reading: Reading) -> str:
    return f"display/ledger/{reading.meter.device}"
