"""What a display knows of one meter: its readings, tariff, calendars, messages, and what it has recorded.

Spec: IHDTS 4, PPMIDTS 4 (information shown); ZSE 1.4 D.3 to D.11
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, cast

from smetslab.devices.consumption import Ledger
from smetslab.devices.display_terms import NO_END
from smetslab.devices.gas_account import PREPAYMENT_ENABLED
from smetslab.devices.gas_model import CUBIC_METRES
from smetslab.devices.history import Length
from smetslab.devices.schedule import after_2000, midnight
from smetslab.devices.zcl.calendar_table import TARIFF, WEEKDAYS, CalendarTable, CalendarView, SpecialDays
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import Value, seconds_since_2000, utc_text
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.named import seconds_to_text
from smetslab.zigbee.zcl.values import ZclValue

ELECTRICITY_INTERVAL: Final = timedelta(seconds=10)
GAS_INTERVAL: Final = timedelta(minutes=30)
STALE_AFTER: Final = 3
"""Intervals without an answer after which a meter counts as out of reach."""
EVENTS_KEPT: Final = 8
ANSWERS_KEPT: Final = 32
"""Answers of which some commands are missing: the oldest is given up for another. Unverified."""
_MEGAJOULES_PER_KWH: Final = 3.6
_CONFIRM: Final = 1 << 7
"""The bit of a message that its sender wants to know it read. Spec: ZSE 1.4 D.5.2.3.1."""


@dataclass(frozen=True, slots=True)
class ShownMeter:
    """A meter that a display asks: the ESME itself, or the proxy of a gas meter."""

    device: Eui64
    kind: DeviceType

    @property
    def interval(self) -> timedelta:
        return ELECTRICITY_INTERVAL if self.kind is DeviceType.ESME else GAS_INTERVAL


@dataclass(frozen=True, slots=True)
class Message:
    """The message of a supplier. Times in seconds since 2000; `until` None: it has no end."""

    text: str
    identifier: int
    begin: int
    until: int | None
    confirm: bool = False

    def shown(self, time: datetime | None) -> bool:
        """Whether it is to be shown; who does not know the time shows it."""
        if time is None:
            return True
        seconds = seconds_since_2000(time)
        return self.begin <= seconds and (self.until is None or seconds < self.until)


@dataclass(slots=True)
class ShownTariff:
    """Prices count thousandths of a penny per kWh. A block is counted from 1, and so is a
    tier; 0 stands for a tariff without tiers."""

    identifier: int | None = None
    tiers: int = 0
    standing_charge: int | None = None
    rates: dict[int, int] = field(default_factory=dict)
    """By rate."""
    blocks: dict[tuple[int, int], int] = field(default_factory=dict)
    """By tier and block."""
    thresholds: dict[int, list[int]] = field(default_factory=dict)
    """By tier, times `scale`; 0: of all tiers."""
    scale: float = 0.001
    """What a threshold counts, in kWh."""
    billing_period: tuple[int, int] | None = None
    block_period: tuple[int, int] | None = None
    """Beginning in seconds since 2000, and how long, in the unit of the period's duration type."""


@dataclass(frozen=True, slots=True)
class Bill:
    """The registers at the end of a billing period. `time` in seconds since 2000."""

    time: int
    total: int
    tiers: tuple[int, ...]


@dataclass(slots=True)
class Reading:
    """What a meter has told; None: not yet, or never. Money counts thousandths of a penny."""

    meter: ShownMeter
    values: dict[str, int] = field(default_factory=dict)
    price: int | None = None
    """Per kWh."""
    rate: str = ""
    notice: Message | None = None
    at: datetime | None = None
    ledger: Ledger = field(default_factory=Ledger)
    supplier: str = ""
    """Name and telephone number."""
    customer: str = ""
    """The customer identification number."""
    tenancy: datetime | None = None
    """When the tenants change, or have changed."""
    history: dict[str, int] = field(default_factory=dict)
    """Units of the meter's register used in each of the last days, by its date."""
    tariff: ShownTariff = field(default_factory=ShownTariff)
    calendars: dict[int, CalendarTable] = field(default_factory=dict)
    special_days: dict[int, SpecialDays] = field(default_factory=dict)
    bill: Bill | None = None
    bills: int = 0
    """How many there are."""
    top_ups: list[tuple[int, int]] = field(default_factory=list)
    debt_payments: list[tuple[int, int]] = field(default_factory=list)
    """When, in seconds since 2000, and how much, the oldest first."""
    events: list[tuple[int, int]] = field(default_factory=list)
    """When, and the code, the oldest first."""
    forgotten: datetime | None = None
    """The change of tenancy at which it has forgotten what was before."""
    interval: timedelta | None = None
    """How often the meter is asked, where that is not the usual."""
    since: datetime | None = None
    """The time when the meter was heard first."""
    time: datetime | None = None
    """What the display knew of the time when the meter was heard last."""
    pieces: dict[tuple[object, ...], dict[int, Sequence[object]]] = field(default_factory=dict)
    """Answers of several commands that are not complete yet."""

    @property
    def total(self) -> float | None:
        """The register, in the meter's unit."""
        return self.units(self.values.get("current_summation_delivered"))

    def units(self, register: int | None) -> float | None:
        """A number of the meter's register in its unit."""
        if register is None:
            return None
        return register * self.values.get("multiplier", 1) / max(1, self.values.get("divisor", 1))

    def used_wh(self, period: Length) -> int | None:
        """What the meter says that was used in the period that runs."""
        gas = self.values.get(f"current_{period}_alternative_consumption_delivered")
        if gas is not None:
            return gas
        used = self.units(self.values.get(f"current_{period}_consumption_delivered"))
        return None if used is None else round(used * 1000)

    @property
    def energy_kwh(self) -> float | None:
        """The register in kWh: gas by its calorific value. Spec: SMETS 4.6.4.3, 4.6.4.5."""
        total = self.total
        if total is None or self.values.get("unit_of_measure") != CUBIC_METRES:
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
        return bool(self.values.get("payment_control_configuration", 0) & PREPAYMENT_ENABLED)

    def reachable(self, now: datetime) -> bool:
        """Whether the meter has answered lately."""
        interval = self.meter.interval if self.interval is None else self.interval
        return self.at is not None and now - self.at <= STALE_AFTER * interval

    def message(self, time: datetime | None) -> str:
        """The supplier's message, as long as it is to be shown; empty when there is none."""
        return self.notice.text if self.notice is not None and self.notice.shown(time) else ""

    def calendar(self, kind: int) -> CalendarView | None:
        """A calendar, as soon as every part of it has come."""
        table = self.calendars.get(kind)
        if table is None or not table.complete:
            return None
        return CalendarView(table, self.special_days.get(kind, ()))

    def forget_before(self, change: datetime) -> None:
        """The tenants have changed: what was the business of those before is gone. Spec: ZSE 1.4 D.10.2.4.1
        (clear IHD data); what this is is unverified."""
        self.ledger.change_tenancy(change)
        seconds, first = seconds_since_2000(change), f"{change:%Y-%m-%dT%H:%M:%SZ}"
        self.history = {day: used for day, used in self.history.items() if f"{day}T00:00:00Z" >= first}
        if self.forgotten == change:
            return
        self.forgotten = change
        if self.since is not None and change <= self.since:
            return  # the meter has hidden it before the display asked
        if self.notice is not None and self.notice.begin < seconds:
            self.notice = None
        if self.bill is not None and self.bill.time < seconds:
            self.bill, self.bills = None, 0
        self.top_ups = [one for one in self.top_ups if one[0] >= seconds]
        self.debt_payments = [one for one in self.debt_payments if one[0] >= seconds]
        self.events = [one for one in self.events if one[0] >= seconds]
        for name in [name for name in self.values if name.endswith("consumption_delivered")]:
            del self.values[name]

    def describe(self, now: datetime, time: datetime | None) -> dict[str, Value]:
        """What is known of the meter, for people. `time`: what the display knows of it."""
        tariff, view = self.tariff, self.calendar(TARIFF)
        return {
            "device": str(self.meter.device),
            "kind": self.meter.kind.name,
            "reachable": self.reachable(now),
            "price": self.price,
            "message": self.message(time),
            "readings": dict(self.values),
            "today_wh": self.ledger.day.energy_wh,
            "supplier": self.supplier,
            "customer": self.customer,
            "change_of_tenancy": None if self.tenancy is None else utc_text(self.tenancy),
            "days": dict(self.history),
            "tariff": {
                "identifier": tariff.identifier,
                "standing_charge": tariff.standing_charge,
                "rates": {str(rate): price for rate, price in tariff.rates.items()},
                "blocks": {f"{tier}/{block}": price for (tier, block), price in tariff.blocks.items()},
                "thresholds": {str(tier): list(rows) for tier, rows in tariff.thresholds.items()},
                "billing_period": _period(tariff.billing_period),
                "block_period": _period(tariff.block_period),
            },
            "switches": []
            if view is None or time is None
            else [f"{at:%a %H:%M} {what}" for at, what in switches(view, time)],
            "last_bill": None
            if self.bill is None
            else {"time": seconds_to_text(self.bill.time), "register": self.bill.total},
            "top_ups": [{"time": seconds_to_text(at), "amount": amount} for at, amount in self.top_ups],
            "debt_payments": [
                {"time": seconds_to_text(at), "amount": amount} for at, amount in self.debt_payments
            ],
            "events": [f"{seconds_to_text(at)} {code:04X}" for at, code in self.events],
        }

    def hear(self, time: datetime | None) -> None:
        """The meter is heard. `time`: what the display knows of it."""
        self.time = time
        self.since = time if self.since is None else self.since

    def take(self, command: Command, record: Record) -> bool:
        """A meter has published something; False when a display has no use for it. Raises ZclDecodeError."""
        take = TAKEN.get(command)
        if take is not None:
            take(self, record)
        return take is not None

    def gather(self, key: tuple[object, ...], record: Record, entries: Sequence[ZclValue]) -> list[ZclValue]:
        """One command of an answer that has several: all entries once it is complete, nothing before."""
        count = record.integer("number_of_commands")
        found = self.pieces.setdefault(key, {})
        if len(self.pieces) > ANSWERS_KEPT:
            del self.pieces[next(iter(self.pieces))]
        found[record.integer("command_index")] = entries
        if any(index not in found for index in range(count)):
            return []
        del self.pieces[key]
        return [cast("ZclValue", one) for index in range(count) for one in found[index]]


def applies(view: CalendarView, time: datetime) -> int | None:
    """What applies now: what began last, on this day or one of the week before it; None: nothing."""
    for back in range(8):
        at = time if not back else midnight(time.date()) - timedelta(days=back - 1, minutes=1)
        what = view.value(at)
        if what is not None:
            return what
    return None


def switches(view: CalendarView, time: datetime) -> list[tuple[datetime, int]]:
    """When something else applies within a day from now, and what."""
    found: list[tuple[datetime, int]] = []
    last, following = applies(view, time), view.next_switch(time)
    while following is not None and following <= time + timedelta(days=1):
        what = view.value(following)
        if what is not None and what != last:
            found.append((following, what))
            last = what
        following = view.next_switch(following)
    return found


def _period(period: tuple[int, int] | None) -> Value:
    return None if period is None else {"begin": seconds_to_text(period[0]), "length": period[1]}


def _scaled(values: Mapping[str, int], name: str) -> float | None:
    """A number whose decimal places stand beside it. Spec: ZSE 1.4 D.4.2.2.4."""
    number = values.get(name)
    if number is None:
        return None
    return float(number) / float(10 ** (values.get(f"{name}_trailing_digit", 0) >> 4))


# What is published ------------------------------------------------------------------------------------------


def _price(reading: Reading, record: Record) -> None:
    digits = record.integer("price_trailing_digit_and_price_tier") >> 4
    reading.price = round(record.integer("price") * 10 ** (5 - digits))
    reading.rate = record.octets("rate_label").decode("utf-8", "replace")


def _tariff(reading: Reading, record: Record) -> None:
    tariff = reading.tariff
    tariff.identifier = record.integer("issuer_tariff_id")
    tariff.tiers = record.integer("number_of_price_tiers_in_use")
    tariff.standing_charge = record.integer("standing_charge")
    tariff.scale = record.integer("block_threshold_multiplier") / max(
        1, record.integer("block_threshold_divisor")
    )


def _matrix(reading: Reading, record: Record) -> None:
    basis = record.integer("sub_payload_control")
    entries: list[ZclValue] = [
        (basis, entry.integer("tier_block_id"), entry.integer("price"))
        for entry in record.records("price_entries")
    ]
    found = reading.gather(("matrix", record.integer("issuer_tariff_id")), record, entries)
    rows = cast("list[tuple[int, int, int]]", found)
    if rows:
        reading.tariff.rates = {number: price for basis, number, price in rows if basis}
        reading.tariff.blocks = {
            (number >> 4, (number & 0x0F) + 1): price for basis, number, price in rows if not basis
        }


def _thresholds(reading: Reading, record: Record) -> None:
    entries: list[ZclValue] = [
        (row.integer("tier_number_of_block_thresholds") >> 4, row["block_thresholds"])
        for row in record.records("threshold_entries")
    ]
    found = reading.gather(("thresholds", record.integer("issuer_tariff_id")), record, entries)
    rows = cast("list[tuple[int, tuple[int, ...]]]", found)
    if rows:
        reading.tariff.thresholds = {tier: list(limits) for tier, limits in rows}


def _billing_period(reading: Reading, record: Record) -> None:
    begin = record.integer("billing_period_start_time")
    reading.tariff.billing_period = begin, record.integer("billing_period_duration")


def _block_period(reading: Reading, record: Record) -> None:
    begin = record.integer("block_period_start_time")
    reading.tariff.block_period = begin, record.integer("block_period_duration")


def _attributes(*names: str) -> Callable[[Reading, Record], None]:
    """What is an attribute too, and kept as one."""

    def take(reading: Reading, record: Record) -> None:
        reading.values.update({name: record.integer(name) for name in names})

    return take


def _calendar(reading: Reading, record: Record) -> None:
    """The head of a calendar; what is known of another one is void."""
    kind = record.integer("calendar_type")
    head = CalendarTable(
        identifier=record.integer("issuer_calendar_id"),
        expected=(
            record.integer("number_of_seasons"),
            record.integer("number_of_week_profiles"),
            record.integer("number_of_day_profiles"),
        ),
    )
    known = reading.calendars.get(kind)
    if known is None or (known.identifier, known.expected) != (head.identifier, head.expected):
        reading.calendars[kind] = head


def _part_of(reading: Reading, record: Record, add: Callable[[CalendarTable], CalendarTable]) -> None:
    """A part of the calendar that has its identifier."""
    wanted = record.integer("issuer_calendar_id")
    for kind, table in reading.calendars.items():
        if table.identifier == wanted:
            reading.calendars[kind] = add(table)
            return


def _day(reading: Reading, record: Record) -> None:
    number = record.integer("day_id")
    entries: list[ZclValue] = [
        tuple(cast("int", value) for value in entry.values) for entry in record.records("schedule_entries")
    ]
    found = reading.gather(("day", record.integer("issuer_calendar_id"), number), record, entries)
    switches = cast("tuple[tuple[int, int], ...]", tuple(found))
    if switches:
        _part_of(reading, record, lambda table: replace(table, days={**table.days, number: switches}))


def _week(reading: Reading, record: Record) -> None:
    number = record.integer("week_id")
    days = tuple(record.integer(name) for name in WEEKDAYS)
    _part_of(reading, record, lambda table: replace(table, weeks={**table.weeks, number: days}))


def _seasons(reading: Reading, record: Record) -> None:
    entries: list[ZclValue] = [
        (entry.integer("season_start_date"), entry.integer("season_week_id_ref"))
        for entry in record.records("season_entries")
    ]
    found = reading.gather(("seasons", record.integer("issuer_calendar_id")), record, entries)
    seasons = cast("tuple[tuple[int, int], ...]", tuple(found))
    _part_of(reading, record, lambda table: replace(table, seasons=seasons or table.seasons))


def _special_days(reading: Reading, record: Record) -> None:
    kind = record.integer("calendar_type")
    entries: list[ZclValue] = [
        (entry.integer("special_day_date"), entry.integer("special_day_day_id_ref"))
        for entry in record.records("special_day_entries")
    ]
    found = reading.gather(("special days", kind), record, entries)
    if found or not record.integer("number_of_special_days"):
        reading.special_days[kind] = cast("SpecialDays", tuple(found))


def _message(reading: Reading, record: Record) -> None:
    begin, minutes = record.integer("start_time"), record.integer("duration_in_minutes")
    if not begin and reading.time is not None:
        begin = seconds_since_2000(reading.time)
    reading.notice = Message(
        text=record.octets("message").decode("utf-8", "replace"),
        identifier=record.integer("message_id"),
        begin=begin,
        until=None if minutes == NO_END else begin + 60 * minutes,
        confirm=bool(record.integer("message_control") & _CONFIRM),
    )


def _cancel_message(reading: Reading, record: Record) -> None:
    if reading.notice is not None and reading.notice.identifier == record.integer("message_id"):
        reading.notice = None


def _cancel_all(reading: Reading, record: Record) -> None:
    """Spec: ZSE 1.4 D.5.2.3.4; one with a time ahead is done at once (unverified)."""
    del record
    reading.notice = None


def _tenancy(reading: Reading, record: Record) -> None:
    reading.tenancy = after_2000(record.integer("implementation_date_time"))


def _supplier(reading: Reading, record: Record) -> None:
    """One whose time is yet to come is shown at once (unverified)."""
    parts = [
        record.octets(name).decode("utf-8", "replace")
        for name in ("proposed_provider_name", "proposed_provider_contact_details")
    ]
    reading.supplier = " ".join(part for part in parts if part)


def _customer(reading: Reading, record: Record) -> None:
    reading.customer = record.octets("customer_id_number").decode("utf-8", "replace")


def _days(reading: Reading, record: Record) -> None:
    """The days that a meter tells, in place of those that it told before: what it hides now is gone."""
    ends = after_2000(record.integer("sample_start_time"))
    samples = cast("tuple[int, ...]", record["samples"])
    reading.history = {
        (ends + timedelta(days=number - 1)).date().isoformat(): used for number, used in enumerate(samples)
    }


def _bill(reading: Reading, record: Record) -> None:
    """The youngest of those that are told."""
    reading.bills = record.integer("snapshots_found")
    payload = record["snapshot_payload"]
    if isinstance(payload, Record) and (
        reading.bill is None or record.integer("snapshot_time") >= reading.bill.time
    ):
        tiers = cast("tuple[int, ...]", payload["current_tier_summations_delivered"])
        total = payload.integer("current_summation_delivered")
        reading.bill = Bill(record.integer("snapshot_time"), total, tiers)


def _top_ups(reading: Reading, record: Record) -> None:
    reading.top_ups = [
        (entry.integer("top_up_time"), entry.integer("top_up_amount"))
        for entry in record.records("top_up_entries")
    ]


def _debt_payments(reading: Reading, record: Record) -> None:
    reading.debt_payments = [
        (entry.integer("collection_time"), entry.integer("amount_collected"))
        for entry in record.records("debt_entries")
    ]


def _event(reading: Reading, record: Record) -> None:
    _add_events(reading, [(record.integer("event_time"), record.integer("event_id"))])


def _event_log(reading: Reading, record: Record) -> None:
    _add_events(
        reading,
        [(entry.integer("event_time"), entry.integer("event_id")) for entry in record.records("log_payload")],
    )


def _add_events(reading: Reading, told: list[tuple[int, int]]) -> None:
    new = [one for one in told if one not in reading.events]
    reading.events = sorted([*reading.events, *new], key=lambda one: one[0])[-EVENTS_KEPT:]


TAKEN: Final[Mapping[Command, Callable[[Reading, Record], None]]] = {
    Price.publish_price: _price,
    Price.publish_tariff_information: _tariff,
    Price.publish_price_matrix: _matrix,
    Price.publish_block_thresholds: _thresholds,
    Price.publish_block_period: _block_period,
    Price.publish_billing_period: _billing_period,
    Price.publish_conversion_factor: _attributes("conversion_factor", "conversion_factor_trailing_digit"),
    Price.publish_calorific_value: _attributes("calorific_value", "calorific_value_trailing_digit"),
    Calendar.publish_calendar: _calendar,
    Calendar.publish_day_profile: _day,
    Calendar.publish_week_profile: _week,
    Calendar.publish_seasons: _seasons,
    Calendar.publish_special_days: _special_days,
    Messaging.display_message: _message,
    Messaging.cancel_message: _cancel_message,
    Messaging.cancel_all_messages: _cancel_all,
    DeviceManagement.publish_change_of_tenancy: _tenancy,
    DeviceManagement.publish_change_of_supplier: _supplier,
    DeviceManagement.update_cin: _customer,
    Metering.get_sampled_data_response: _days,
    Metering.publish_snapshot: _bill,
    Prepayment.publish_top_up_log: _top_ups,
    Prepayment.publish_debt_log: _debt_payments,
    Events.publish_event: _event,
    Events.publish_event_log: _event_log,
}
"""What a display does with what meters publish, asked for or not."""
