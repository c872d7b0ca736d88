"""What a display asks its meters, and how often: rows, and the one engine that asks. Sans-I/O.

Nothing has a timer of its own: what is due is asked with the next poll of a meter. A question that is not
answered is asked again; what is published by itself is taken as an answer.

Spec: IHDTS 4; GBCS 7.4; the intervals are those that users see, or choices (unverified)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from smetslab.devices.display_reading import Reading
from smetslab.devices.display_server import ANSWERS, DAYS
from smetslab.devices.display_terms import BLOCK_REGISTERS, RATE_REGISTERS
from smetslab.devices.gas_records import END_OF_BILLING_PERIOD
from smetslab.devices.han_frames import HanFrame, HanOutbox, readings_in
from smetslab.devices.tariff import BLOCKS
from smetslab.devices.zcl.calendar_table import NON_DISABLEMENT, TARIFF
from smetslab.devices.zcl.logs import GENERAL_EVENT_LOG
from smetslab.errors import ZclDecodeError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Attribute, Command, find_command
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.fields import FieldInput
from smetslab.zigbee.zcl.foundation import DefaultResponse, Status

PRICE_INTERVAL: Final = timedelta(minutes=5)
HISTORY_INTERVAL: Final = timedelta(hours=1)
DAILY: Final = timedelta(days=1)
RETRY: Final = timedelta(minutes=5)
"""When a question without an answer is asked again."""
AFTER_MIDNIGHT: Final = timedelta(minutes=1)
HISTORY_DAYS: Final = 8
EVENTS_SINCE: Final = timedelta(days=1)
_END: Final = 0xFFFFFFFE
_ANY_TARIFF_CALENDAR: Final = 0xFFFFFFFF
_BOTH: Final = frozenset({DeviceType.ESME, DeviceType.GPF})

Fields = Callable[[Reading, "datetime | None"], "Mapping[str, FieldInput] | None"]
"""What a question says, by what is known of the meter and of the time; None: it is not asked now."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A command that is asked `every` so often, of meters of some kinds; `after_midnight`: when a day has
    ended, as soon as that."""

    command: Command
    every: timedelta
    fields: Fields = lambda _reading, _time: {}
    kinds: frozenset[DeviceType] = _BOTH
    after_midnight: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Attributes of one cluster that are read `every` so often; `attributes` depends on what is known."""

    attributes: Callable[[Reading], Sequence[Attribute]]
    every: timedelta
    kinds: frozenset[DeviceType] = _BOTH
    after_midnight: bool = False


Row = Question | Read


def _fixed(**fields: FieldInput) -> Fields:
    return lambda _reading, _time: fields


def _since_midnight(_reading: Reading, time: datetime | None) -> Mapping[str, FieldInput] | None:
    if time is None:
        return None
    since = time.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=HISTORY_DAYS - 1)
    return {
        "sample_id": DAYS,
        "earliest_sample_time": seconds_since_2000(since),
        "sample_type": 0,
        "number_of_samples": HISTORY_DAYS,
    }


def _when_prepaying(**fields: FieldInput) -> Fields:
    return lambda reading, _time: fields if reading.prepayment else None


def _last_day(_reading: Reading, time: datetime | None) -> Mapping[str, FieldInput] | None:
    if time is None:
        return None
    seconds = seconds_since_2000(time)
    return {
        "event_control_log_id": GENERAL_EVENT_LOG,
        "event_id": 0,
        "start_time": max(0, seconds - int(EVENTS_SINCE.total_seconds())),
        "end_time": _END,
        "number_of_events": 0,
        "event_offset": 0,
    }


def _bill(reading: Reading, _time: datetime | None) -> Mapping[str, FieldInput]:
    """The last of the bills, as far as their number is known."""
    return {
        "earliest_start_time": 0,
        "latest_end_time": _END,
        "snapshot_offset": max(0, reading.bills - 1),
        "snapshot_cause": END_OF_BILLING_PERIOD,
    }


def _parts(kind: int, **fields: FieldInput) -> Fields:
    """Parts of a calendar, as long as some are missing."""

    def ask(reading: Reading, _time: datetime | None) -> Mapping[str, FieldInput] | None:
        table = reading.calendars.get(kind)
        if table is None or table.complete:
            return None
        return {"provider_id": 0, "issuer_calendar_id": table.identifier, **fields}

    return ask


def _head(kind: int) -> Fields:
    return _fixed(
        earliest_start_time=0,
        minimum_issuer_event_id=0xFFFFFFFF,
        number_of_calendars=0,
        calendar_type=kind,
        provider_id=0,
    )


MOST_REGISTERS: Final = 12
"""Of one read, so that its answer stays small. Unverified."""


def _rates(first: int) -> Callable[[Reading], Sequence[Attribute]]:
    """The registers of the rates that have a price, from one on as many as a read may have."""

    def read(reading: Reading) -> Sequence[Attribute]:
        tariff = reading.tariff
        rates = [
            RATE_REGISTERS[rate - 1] for rate in sorted(tariff.rates) if 1 <= rate <= len(RATE_REGISTERS)
        ]
        places = [tier * BLOCKS + block - 1 for tier, block in sorted(tariff.blocks) if block <= BLOCKS]
        blocks = [BLOCK_REGISTERS[place] for place in places if place < len(BLOCK_REGISTERS)]
        return [*rates, *blocks][first : first + MOST_REGISTERS]

    return read


_DEBTS: Final = (Prepayment.debt_amount_1, Prepayment.debt_amount_2, Prepayment.debt_amount_3)
_PRICE: Final = (
    Price.standing_charge,
    Price.conversion_factor,
    Price.conversion_factor_trailing_digit,
    Price.calorific_value,
    Price.calorific_value_trailing_digit,
)
METERING: Final = (
    Metering.current_summation_delivered,
    Metering.unit_of_measure,
    Metering.multiplier,
    Metering.divisor,
    Metering.supply_status,
    Metering.instantaneous_demand,
    Metering.ambient_consumption_indicator,
)
PREPAYMENT: Final = (
    Prepayment.payment_control_configuration,
    Prepayment.credit_remaining,
    Prepayment.emergency_credit_remaining,
    Prepayment.accumulated_debt,
    Prepayment.low_credit_warning_level,
)
_ESME: Final = frozenset({DeviceType.ESME})
_GPF: Final = frozenset({DeviceType.GPF})

POLLED: Final[tuple[Row, ...]] = (
    Read(lambda _reading: METERING, timedelta()),
    Read(lambda reading: PREPAYMENT if reading.prepayment else (), timedelta()),
)
"""What is read with every poll; balances only of a meter that takes credit down as it goes."""

TOLD: Final[tuple[Row, ...]] = (
    Question(Price.get_current_price, PRICE_INTERVAL, _fixed(command_options=0)),
    Question(Messaging.get_last_message, HISTORY_INTERVAL),
    Question(DeviceManagement.get_change_of_tenancy, HISTORY_INTERVAL),
)
"""What changes by somebody's will; meters publish it, too. Who was away meanwhile asks within the hour."""

PARTIES: Final[tuple[Row, ...]] = (
    Question(DeviceManagement.get_change_of_supplier, DAILY),
    Question(DeviceManagement.get_cin, DAILY, kinds=_ESME),
)
"""Who supplies whom."""

TARIFF_ROWS: Final[tuple[Row, ...]] = (
    Question(
        Price.get_tariff_information,
        DAILY,
        _fixed(
            earliest_start_time=0, minimum_issuer_event_id=0xFFFFFFFF, number_of_commands=1, tariff_type=0
        ),
    ),
    Question(Price.get_price_matrix, DAILY, _fixed(issuer_tariff_id=0)),
    Question(Price.get_block_thresholds, DAILY, _fixed(issuer_tariff_id=0)),
    Question(Price.get_block_periods, DAILY, _fixed(start_time=0, number_of_events=1, tariff_type=0)),
    Question(
        Price.get_billing_period,
        DAILY,
        _fixed(
            earliest_start_time=0, minimum_issuer_event_id=0xFFFFFFFF, number_of_commands=1, tariff_type=0
        ),
    ),
    Question(Calendar.get_calendar, DAILY, _head(TARIFF)),
    Question(Calendar.get_calendar, DAILY, _head(NON_DISABLEMENT), _GPF),
    Question(
        Calendar.get_special_days,
        DAILY,
        _fixed(
            start_time=0,
            number_of_events=0,
            calendar_type=TARIFF,
            provider_id=0,
            issuer_calendar_id=_ANY_TARIFF_CALENDAR,
        ),
    ),
    *(
        Question(command, RETRY, _parts(kind, **fields), kinds)
        for kind, kinds in ((TARIFF, _BOTH), (NON_DISABLEMENT, _GPF))
        for command, fields in (
            (Calendar.get_day_profiles, {"start_day_id": 0, "number_of_days": 0}),
            (Calendar.get_week_profiles, {"start_week_id": 0, "number_of_weeks": 0}),
            (Calendar.get_seasons, {}),
        )
    ),
)
"""Tariff and calendars: once a day; meters publish what changes. The parts of a calendar are asked for when
its head has come."""

RECORDS: Final[tuple[Row, ...]] = (
    Question(Metering.get_sampled_data, HISTORY_INTERVAL, _since_midnight),
    Question(Metering.get_snapshot, DAILY, _bill, after_midnight=True),
    Question(Prepayment.get_top_up_log, DAILY, _when_prepaying(latest_end_time=_END, number_of_records=5)),
    Question(
        Prepayment.get_debt_repayment_log,
        DAILY,
        _when_prepaying(latest_end_time=_END, number_of_debts=5, debt_type=0xFF),
    ),
    Question(Events.get_event_log, DAILY, _last_day),
    Read(
        lambda _reading: (*Metering.day_consumption[:1], *Metering.week_consumption),
        DAILY,
        _ESME,
        after_midnight=True,
    ),
    Read(lambda _reading: Metering.month_consumption, DAILY, _ESME, after_midnight=True),
    Read(
        lambda _reading: (*Metering.alternative_day_consumption[:1], *Metering.alternative_week_consumption),
        DAILY,
        _GPF,
        after_midnight=True,
    ),
    Read(lambda _reading: Metering.alternative_month_consumption, DAILY, _GPF, after_midnight=True),
    *(
        Read(_rates(first), HISTORY_INTERVAL)
        for first in range(0, len(RATE_REGISTERS) + len(BLOCK_REGISTERS), MOST_REGISTERS)
    ),
    Read(lambda reading: _DEBTS if reading.prepayment else (), HISTORY_INTERVAL),
)
"""What a meter has recorded."""

DISPLAY_ROWS: Final[tuple[Row, ...]] = (
    *POLLED,
    Read(lambda reading: () if reading.prepayment else PREPAYMENT, PRICE_INTERVAL),
    Read(lambda _reading: _PRICE, PRICE_INTERVAL),
    *TOLD,
    *PARTIES,
    *TARIFF_ROWS,
    *RECORDS,
)
"""What an in-home display and a consumer access device ask."""


class Asker:
    """Asks meters what is due, and knows by their answers what is not due any more."""

    def __init__(self, outbox: HanOutbox, rows: Sequence[Row]) -> None:
        self._outbox = outbox
        self._rows = tuple(rows)
        self._due: dict[tuple[Eui64, Row], datetime] = {}
        self._asked: dict[tuple[Eui64, int], Row] = {}
        """Questions on their way, by meter and sequence number."""
        self.refusals = 0
        """Answers that refused something."""
        self.turned_away = 0
        """Those of them that say that the meter does not know who asks."""

    def ask(self, reading: Reading, now: datetime, time: datetime | None) -> None:
        """Ask a meter what is due. `time`: what the display knows of it."""
        for row in self._rows:
            self._ask(row, reading, now, time)

    def _ask(self, row: Row, reading: Reading, now: datetime, time: datetime | None) -> None:
        meter = reading.meter
        if meter.kind not in row.kinds or now < self._due.get((meter.device, row), now):
            return
        sequence: int | None = None
        if isinstance(row, Read):
            attributes = row.attributes(reading)
            if attributes:
                sequence = self._outbox.read(meter.device, attributes)
        else:
            fields = row.fields(reading, time)
            if fields is not None:
                sequence = self._outbox.send(meter.device, row.command, row.command.record(**fields))
        if sequence is not None:
            self._asked[meter.device, sequence] = row
            self._due[meter.device, row] = now + min(row.every, RETRY)

    def again(self, reading: Reading, command: Command) -> None:
        """Something has changed: ask with the next poll."""
        for row in self._rows:
            if isinstance(row, Question) and row.command is command:
                self._due.pop((reading.meter.device, row), None)

    def read(self, reading: Reading, frame: HanFrame, now: datetime, time: datetime | None) -> dict[str, int]:
        """A frame of a meter: the numbers that it answers a read with, by name, noted; nothing when it is
        another one."""
        values = readings_in(frame)
        if values is None:
            return {}
        reading.hear(time)
        reading.at = now
        reading.values.update(values)
        row = self._asked.get((frame.peer, frame.frame.sequence))
        self._answered(reading, row if isinstance(row, Read) else None, now)
        return values

    def heard(self, reading: Reading, frame: HanFrame, now: datetime, time: datetime | None) -> bool:
        """Any other frame of a meter: note what it tells. False for one that means nothing to a display.
        Raises ZclDecodeError."""
        reading.hear(time)
        row = self._asked.get((frame.peer, frame.frame.sequence))
        if not frame.frame.cluster_specific:
            return self._last_word(reading, frame, row, now)
        command = find_command(frame.cluster, frame.frame)
        if command is None:
            return False
        record = command.decode(frame.frame.payload)
        bills, prior = reading.bills, dict(reading.calendars)
        if not reading.take(command, record):
            return False
        if isinstance(row, Question) and ANSWERS.get(row.command) is command:
            self._answered(reading, row, now)
        if command is Metering.publish_snapshot and reading.bills > max(bills, 1):
            self.again(reading, Metering.get_snapshot)
        if command is Calendar.publish_calendar and reading.calendars != prior:
            self.ask_parts(reading, now, time)
        return True

    def ask_parts(self, reading: Reading, now: datetime, time: datetime | None) -> None:
        """The head of a calendar has come: ask for the rest of it at once."""
        for row in self._rows:
            if isinstance(row, Question) and row.command in _PARTS:
                self._due.pop((reading.meter.device, row), None)
                self._ask(row, reading, now, time)

    def _last_word(self, reading: Reading, frame: HanFrame, row: Row | None, now: datetime) -> bool:
        """A meter answers with a status alone: it has nothing, or does not know the display yet."""
        if frame.frame.command != DefaultResponse.code:
            return False
        try:
            said = DefaultResponse.decode(frame.frame.payload)
        except ZclDecodeError:
            return False
        self.refusals += 1
        self.turned_away += said.status == Status.NOT_AUTHORIZED
        if isinstance(row, Question) and row.command.id == said.command and said.status == Status.NOT_FOUND:
            self._answered(reading, row, now)
        return True

    def _answered(self, reading: Reading, row: Row | None, now: datetime) -> None:
        if row is None or row.every <= RETRY:
            return
        due = now + row.every
        if row.after_midnight and reading.time is not None:
            time = reading.time
            midnight = time.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            due = min(due, now + (midnight - time) + AFTER_MIDNIGHT)
        self._due[reading.meter.device, row] = due


_PARTS: Final = frozenset({Calendar.get_day_profiles, Calendar.get_week_profiles, Calendar.get_seasons})
