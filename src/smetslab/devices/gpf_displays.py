"""What a gas proxy tells the displays of its home: its mirror of the meter.

Spec: SMETS 4.5.7, CHTS 4.5 (information on the HAN); ZSE 1.4 D.2 to D.5
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from smetslab.devices import display_server
from smetslab.devices.display_server import (
    MOST_SAMPLES,
    Act,
    DisplayServer,
    Reader,
    Teller,
    change_of_tenancy,
    events_told,
    not_before,
)
from smetslab.devices.display_terms import (
    ALL_TIERS,
    BLOCKS_OF_RATES,
    KILOWATT_HOURS,
    MOST_ENTRIES,
    NO_END,
    POUND,
    PRICE_DIGITS,
    RATES,
)
from smetslab.devices.event_log import EventLog
from smetslab.devices.gas_meter import DAY_S, HALF_HOUR_S, LITRE_ML
from smetslab.devices.gas_model import (
    BLOCK_COUNTERS,
    BLOCK_PRICES,
    BLOCK_THRESHOLDS,
    TIER_PRICES,
    TIER_REGISTERS,
)
from smetslab.devices.gas_records import (
    BALANCES,
    PREPAY_SNAPSHOT_TYPE,
    REGISTERS,
    SNAPSHOT_TYPE,
    GasRecords,
    debt_entries,
    top_up_entries,
)
from smetslab.devices.gas_tariff import GasTariff, Scheme
from smetslab.devices.history import History, Length
from smetslab.devices.schedule import after_2000
from smetslab.devices.supplier_message import SupplierMessage
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.zcl.calendar import Calendars
from smetslab.devices.zcl.calendar_told import CalendarTeller
from smetslab.devices.zcl.logs import answer_samples, answer_snapshot
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError
from smetslab.gbcs.values import seconds_since_2000
from smetslab.zigbee.zcl import Attribute, Command, Record
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import JsonValue

_TARIFF: Final = (
    Price.standing_charge,
    Price.conversion_factor,
    Price.conversion_factor_trailing_digit,
    Price.calorific_value,
    Price.calorific_value_unit,
    Price.calorific_value_trailing_digit,
    Price.currency,
    Price.unit_of_measure,
    Price.price_trailing_digits,
    Price.threshold_multiplier,
    Price.threshold_divisor,
    *BLOCK_THRESHOLDS,
    *BLOCK_PRICES,
    *TIER_PRICES,
)
_SHOWN: Final = (
    Metering.current_summation_delivered,
    Metering.supply_status,
    Metering.unit_of_measure,
    Metering.multiplier,
    Metering.divisor,
    *TIER_REGISTERS,
    *BLOCK_COUNTERS,
    Metering.bill_to_date_delivered,
    *_TARIFF,
    Prepayment.payment_control_configuration,
    Prepayment.credit_remaining,
    Prepayment.emergency_credit_remaining,
    Prepayment.accumulated_debt,
    Prepayment.emergency_credit_limit,
    Prepayment.emergency_credit_threshold,
    Prepayment.low_credit_warning_level,
    Prepayment.debt_amount_1,
    Prepayment.debt_amount_2,
    Prepayment.debt_amount_3,
)
"""What displays may read of the mirror. Spec: SMETS 4.5.7; which attributes these are is unverified beyond
what displays were seen to read."""
_LADDERS: Final[Sequence[tuple[Length, Sequence[Attribute]]]] = (
    ("day", Metering.alternative_day_consumption),
    ("week", Metering.alternative_week_consumption),
    ("month", Metering.alternative_month_consumption),
)
_DOCUMENTS: Final = ("tariff", "block_period", "billing_period", "supplier")
_HISTORY_DAYS: Final = 400
_MWH_PER_WH: Final = 1000
_TIME_OF_USE, _NOW = 0, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What a proxy knows of its meter. `time`: the proxy's own, at a moment of laboratory time."""

    memory: Callable[[], ZclMemory]
    calendars: Calendars
    tariff: GasTariff
    records: GasRecords
    event_log: EventLog
    message: SupplierMessage
    tenancy: Tenancy
    time: Callable[[datetime], datetime]


class GpfDisplays:
    """The mirror of one proxy as attributes and commands."""

    def __init__(self, mirrored: Mirrored) -> None:
        self._mirrored = mirrored
        self._calendars = CalendarTeller(mirrored.calendars.held, mirrored.time, most=MOST_ENTRIES)
        self._known: tuple[datetime, History] | None = None

    def server(self, acts: Mapping[Command, Act]) -> DisplayServer:
        """The answers to displays."""
        calendars, tenancy = self._calendars, self._mirrored.tenancy
        tellers: dict[Command, Teller] = {
            Price.get_current_price: self.price,
            Price.get_tariff_information: self._information,
            Price.get_price_matrix: self._matrix,
            Price.get_block_thresholds: self._thresholds,
            Price.get_block_periods: self._kept("block_period", Price.publish_block_period),
            Price.get_billing_period: self._kept("billing_period", Price.publish_billing_period),
            Price.get_conversion_factor: self._conversion_factor,
            Price.get_calorific_value: self._calorific_value,
            Calendar.get_calendar: calendars.calendars,
            Calendar.get_day_profiles: calendars.days,
            Calendar.get_week_profiles: calendars.weeks,
            Calendar.get_seasons: calendars.seasons,
            Calendar.get_special_days: calendars.special_days,
            Messaging.get_last_message: lambda now, _asked: self._mirrored.message.standing(now),
            Metering.get_sampled_data: self.samples,
            Metering.get_snapshot: self._snapshot,
            Prepayment.get_prepay_snapshot: self._prepay_snapshot,
            Prepayment.get_top_up_log: self._top_ups,
            Prepayment.get_debt_repayment_log: self._debt_payments,
            Events.get_event_log: lambda now, asked: events_told(
                asked, self._mirrored.event_log, self._hidden(now)
            ),
            DeviceManagement.get_change_of_supplier: self._kept(
                "supplier", DeviceManagement.publish_change_of_supplier
            ),
            DeviceManagement.get_change_of_tenancy: lambda _now, _asked: change_of_tenancy(tenancy),
        }
        readers: dict[Attribute, Reader] = {attribute: self._shown(attribute) for attribute in _SHOWN}
        for length, ladder in _LADDERS:
            readers |= {row: self._used(length, back) for back, row in enumerate(ladder)}
        return DisplayServer(readers, tellers, self._revision, acts)

    def _shown(self, attribute: Attribute) -> Reader:
        def read(now: datetime) -> object:
            memory = self._mirrored.memory()
            return memory.get(attribute, now) if memory.has(attribute) else None

        return cast("Reader", read)

    def _revision(self) -> object:
        memory = self._mirrored.memory()
        numbers = [memory.number(attribute) for attribute in _TARIFF]
        documents = [memory.document(name) for name in _DOCUMENTS]
        return numbers, documents, self._mirrored.calendars.held()

    def _hidden(self, now: datetime) -> datetime | None:
        return self._mirrored.tenancy.hidden_before(self._mirrored.time(now))

    def _seconds(self, now: datetime) -> int:
        return seconds_since_2000(self._mirrored.time(now))

    # ---------------------------------------------------------------------------- consumption

    def samples(self, now: datetime, asked: Record) -> Answer:
        """Half hours or days of the mirror, none from before a change of tenancy. Spec: ZSE 1.4 D.3.3.2."""
        records, hidden = self._mirrored.records, self._hidden(now)
        most, name = min(asked.integer("number_of_samples"), MOST_SAMPLES), "earliest_sample_time"
        match asked.integer("sample_id"):
            case display_server.HALF_HOURS:
                first = not_before(asked, name, hidden, HALF_HOUR_S).integer(name)
                return answer_samples(
                    asked, records.profile.samples(max(records.profile.oldest, first), most)
                )
            case display_server.DAYS:
                first = not_before(asked, name, hidden, DAY_S).integer(name)
                return answer_samples(asked, records.daily_consumption.samples(first, most))
            case number:
                raise ComponentError(Status.NOT_FOUND, f"no samples {number}")

    def _used(self, length: Length, back: int) -> Reader:
        return lambda now: self._history(now).used(length, back)

    def _history(self, now: datetime) -> History:
        """In Wh, at the calorific value of today (unverified: a meter would use that of each day)."""
        if self._known is None or self._known[0] != now:
            mirrored, since, seconds = self._mirrored, self._since(now), self._seconds(now)
            energy = mirrored.tariff.conversion().milliwatt_hours_per_ml * LITRE_ML / _MWH_PER_WH
            first = max(seconds - _HISTORY_DAYS * DAY_S, since + DAY_S)
            log = mirrored.records.daily_consumption.samples(max(0, first), _HISTORY_DAYS)
            days = {
                after_2000(log.start + (place - 1) * DAY_S).date(): int(litres * energy)
                for place, litres in enumerate(log.values)
            }
            begun = max(seconds // DAY_S * DAY_S, since) + HALF_HOUR_S
            halves = mirrored.records.profile.samples(
                max(mirrored.records.profile.oldest, begun), DAY_S // HALF_HOUR_S
            )
            history = History(mirrored.time(now).date(), days, int(sum(halves.values) * energy))
            self._known = now, history
        return self._known[1]

    # ---------------------------------------------------------------------------- tariff

    def _head(self, now: datetime) -> dict[str, int]:
        return {"provider_id": 0, "issuer_event_id": self._seconds(now)}

    def price(self, now: datetime, asked: Record) -> Record:
        """The price of the active rate, per kWh. Spec: ZSE 1.4 D.4.2.4.1."""
        del asked
        return Price.publish_price.record(
            **self._head(now),
            rate_label=b"",
            current_time=self._seconds(now),
            unit_of_measure=KILOWATT_HOURS,
            currency=POUND,
            price_trailing_digit_and_price_tier=PRICE_DIGITS,
            number_of_price_tiers_and_register_tier=0,
            start_time=_NOW,
            duration_in_minutes=NO_END,
            price=max(0, self._mirrored.tariff.price(self._mirrored.time(now), 0)),
        )

    def _document(self, name: str, command: Command) -> Record | None:
        kept = self._mirrored.memory().document(name)
        return command.from_json(cast("JsonValue", kept)) if isinstance(kept, dict) else None

    def _kept(self, name: str, command: Command) -> Teller:
        """What the supplier has sent, as it came."""
        return lambda _now, _asked: self._document(name, command)

    @property
    def _identifier(self) -> int:
        """The tariff in force; 0: the supplier has not named one."""
        kept = self._document("tariff", Price.publish_tariff_information)
        return 0 if kept is None else kept.integer("issuer_tariff_id")

    def _asked(self, asked: Record) -> int:
        wanted, ours = asked.integer("issuer_tariff_id"), self._identifier
        if wanted not in {0, ours}:
            raise ComponentError(Status.NOT_FOUND, f"no tariff {wanted:08X}")
        return ours

    def _thresholds_in_use(self) -> list[int]:
        """The thresholds that end a block."""
        number = self._mirrored.memory().number
        found = [number(threshold) for threshold in BLOCK_THRESHOLDS]
        unused = [place for place, limit in enumerate(found) if limit == 0xFFFFFFFFFFFF]
        return found[: unused[0]] if unused else found

    def _information(self, now: datetime, asked: Record) -> Record:
        """As the supplier sent it; before that, what the attributes say."""
        del asked
        kept = self._document("tariff", Price.publish_tariff_information)
        if kept is not None:
            return kept
        number, blocks = self._mirrored.memory().number, self._thresholds_in_use()
        return Price.publish_tariff_information.record(
            **self._head(now),
            issuer_tariff_id=0,
            start_time=_NOW,
            tariff_type_charging_scheme=_TIME_OF_USE,
            tariff_label=b"",
            number_of_price_tiers_in_use=len(TIER_PRICES),
            number_of_block_thresholds_in_use=len(blocks),
            unit_of_measure=KILOWATT_HOURS,
            currency=number(Price.currency),
            price_trailing_digit=number(Price.price_trailing_digits),
            standing_charge=number(Price.standing_charge),
            tier_block_mode=0xFF,
            block_threshold_multiplier=number(Price.threshold_multiplier),
            block_threshold_divisor=number(Price.threshold_divisor),
        )

    def _matrix(self, now: datetime, asked: Record) -> Record:
        tariff, number = self._asked(asked), self._mirrored.memory().number
        blocks = self._mirrored.tariff.scheme is Scheme.BLOCK
        used = BLOCK_PRICES[: len(self._thresholds_in_use()) + 1] if blocks else TIER_PRICES
        return Price.publish_price_matrix.record(
            **self._head(now),
            start_time=_NOW,
            issuer_tariff_id=tariff,
            command_index=0,
            number_of_commands=1,
            sub_payload_control=BLOCKS_OF_RATES if blocks else RATES,
            price_entries=[
                {"tier_block_id": place, "price": number(price)}
                for place, price in enumerate(used, 0 if blocks else 1)
            ],
        )

    def _thresholds(self, now: datetime, asked: Record) -> Record:
        tariff, limits = self._asked(asked), self._thresholds_in_use()
        if not limits:
            raise ComponentError(Status.NOT_FOUND, "no block ends")
        return Price.publish_block_thresholds.record(
            **self._head(now),
            start_time=_NOW,
            issuer_tariff_id=tariff,
            command_index=0,
            number_of_commands=1,
            sub_payload_control=ALL_TIERS,
            threshold_entries=[{"tier_number_of_block_thresholds": len(limits), "block_thresholds": limits}],
        )

    def _conversion_factor(self, now: datetime, asked: Record) -> Record:
        del asked
        number = self._mirrored.memory().number
        return Price.publish_conversion_factor.record(
            issuer_event_id=self._seconds(now),
            start_time=_NOW,
            conversion_factor=number(Price.conversion_factor),
            conversion_factor_trailing_digit=number(Price.conversion_factor_trailing_digit),
        )

    def _calorific_value(self, now: datetime, asked: Record) -> Record:
        del asked
        number = self._mirrored.memory().number
        return Price.publish_calorific_value.record(
            issuer_event_id=self._seconds(now),
            start_time=_NOW,
            calorific_value=number(Price.calorific_value),
            calorific_value_unit=number(Price.calorific_value_unit),
            calorific_value_trailing_digit=number(Price.calorific_value_trailing_digit),
        )

    # ---------------------------------------------------------------------------- logs

    def _snapshot(self, now: datetime, asked: Record) -> Record:
        since = not_before(asked, "earliest_start_time", self._hidden(now))
        logs = self._mirrored.records.metering_logs
        return answer_snapshot(since, logs, Metering.publish_snapshot, SNAPSHOT_TYPE, REGISTERS)

    def _prepay_snapshot(self, now: datetime, asked: Record) -> Record:
        since = not_before(asked, "earliest_start_time", self._hidden(now))
        logs, publish = self._mirrored.records.prepay_logs, Prepayment.publish_prepay_snapshot
        return answer_snapshot(since, logs, publish, PREPAY_SNAPSHOT_TYPE, BALANCES)

    def _since(self, now: datetime) -> int:
        hidden = self._hidden(now)
        return 0 if hidden is None else seconds_since_2000(hidden)

    def _top_ups(self, now: datetime, asked: Record) -> Record:
        found = self._mirrored.records.top_ups.find(
            self._since(now), asked.integer("latest_end_time"), asked.integer("number_of_records")
        )
        return Prepayment.publish_top_up_log.record(
            command_index=0, number_of_commands=1, top_up_entries=top_up_entries(found)
        )

    def _debt_payments(self, now: datetime, asked: Record) -> Record:
        found = self._mirrored.records.debt_payments.find(
            self._since(now), asked.integer("latest_end_time"), asked.integer("number_of_debts")
        )
        return Prepayment.publish_debt_log.record(
            command_index=0, number_of_commands=1, debt_entries=debt_entries(found)
        )
