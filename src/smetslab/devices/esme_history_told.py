"""What an electricity meter has recorded, as displays are told it: billing snapshots, credits, payments of
debt, events, and the consumption of past days, weeks and months.

What began before a change of tenancy is hidden.

Spec: SMETS 5.5.7 (information on the HAN), 5.7.5 (logs); ZSE 1.4 D.3.3.3, D.7.2.4, D.11.2
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from smetslab.devices import display_server, limits
from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.display_server import MOST_SAMPLES, Reader, Teller, events_told, not_before
from smetslab.devices.esme_logs import EsmeLogs
from smetslab.devices.esme_prepay import EsmePrepayment
from smetslab.devices.gas_meter import DAY_S, HALF_HOUR_S, NO_INTERVAL
from smetslab.devices.gas_records import (
    BALANCES,
    CHANGE_OF_MODE,
    CHANGE_OF_TARIFF,
    END_OF_BILLING_PERIOD,
    PREPAY_SNAPSHOT_TYPE,
    REGISTERS,
    SNAPSHOT_TYPE,
)
from smetslab.devices.history import History, Length
from smetslab.devices.schedule import after_2000
from smetslab.devices.tariff import BLOCK_COLUMNS, BLOCKS
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.zcl.logs import (
    Samples,
    Snapshot,
    SnapshotList,
    Values,
    answer_samples,
    answer_snapshot,
)
from smetslab.devices.zcl.model import Answer, ComponentError
from smetslab.gbcs.values import Value, as_moment, seconds_since_2000
from smetslab.zigbee.zcl import Attribute, Command, Record
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.fields import FieldInput
from smetslab.zigbee.zcl.foundation import Status

PAYMENT_DEBT: Final = 2
"""Debt type of the debt that payments repay. Spec: GBCS use case GCS15d."""
MOST_ENTRIES: Final = 5
"""Of one answer, so that its frame stays small. Unverified."""
_HISTORY_DAYS: Final = 400
_CHANGES: Final = CHANGE_OF_TARIFF | CHANGE_OF_MODE
LADDERS: Final[Sequence[tuple[Length, Sequence[Attribute]]]] = (
    ("day", Metering.day_consumption),
    ("week", Metering.week_consumption),
    ("month", Metering.month_consumption),
)


class Server(Protocol):
    """The logs of the meter."""

    def entries(self, name: str) -> list[Value]: ...


class Recorded(Protocol):
    """What of a meter has been recorded."""

    clock: DeviceClock
    logs: EsmeLogs
    tenancy: Tenancy

    application: Application
    prepayment: EsmePrepayment

    @property
    def server(self) -> Server: ...


class EsmeHistoryTold:
    """The records of one meter. One that is hidden is as one that was never made."""

    def __init__(self, meter: Recorded) -> None:
        self._meter = meter
        self._known: tuple[datetime, History] | None = None
        self._bills = (
            self._snapshots("billing_calendar_triggered_billing_data_log", END_OF_BILLING_PERIOD, _registers),
            self._snapshots("mode_or_tariff_triggered_billing_data_log", _CHANGES, _registers),
        )
        self._balances = (
            self._snapshots("billing_calendar_triggered_balances_log", END_OF_BILLING_PERIOD, _balances),
            self._snapshots("mode_or_tariff_triggered_billing_data_log", _CHANGES, _balances),
        )

    def tellers(self) -> dict[Command, Teller]:
        return {
            Metering.get_snapshot: self._snapshot,
            Metering.get_sampled_data: self._samples,
            Prepayment.get_prepay_snapshot: self._prepay_snapshot,
            Prepayment.get_top_up_log: self._top_ups,
            Prepayment.get_debt_repayment_log: self._debt_payments,
            Events.get_event_log: self._events,
        }

    def readers(self) -> dict[Attribute, Reader]:
        """The consumption of past days, weeks and months."""
        return {
            attribute: self._used(length, back)
            for length, ladder in LADDERS
            for back, attribute in enumerate(ladder)
        }

    def _hidden(self, now: datetime) -> datetime | None:
        return self._meter.tenancy.hidden_before(self._meter.clock.time(now))

    # ---------------------------------------------------------------------------- consumption

    def _used(self, length: Length, back: int) -> Reader:
        return lambda now: self._history(now).used(length, back)

    def _history(self, now: datetime) -> History:
        if self._known is None or self._known[0] != now:
            today = self._meter.clock.time(now).date()
            hidden = self._hidden(now)
            first = seconds_since_2000(self._meter.clock.time(now)) - _HISTORY_DAYS * DAY_S
            if hidden is not None:
                first = max(first, seconds_since_2000(hidden) + DAY_S)
            days = {
                after_2000(seconds).date() - timedelta(days=1): used
                for seconds, used in self._meter.logs.days_since(now, max(0, first))
            }
            self._known = now, History(today, days, self._meter.logs.today(now, hidden))
        return self._known[1]

    def _samples(self, now: datetime, asked: Record) -> Answer:
        """Half hours or days of import. Spec: ZSE 1.4 D.3.3.2."""
        logs, hidden = self._meter.logs, self._hidden(now)
        most = min(asked.integer("number_of_samples"), MOST_SAMPLES)
        match asked.integer("sample_id"):
            case display_server.HALF_HOURS:
                first = not_before(asked, "earliest_sample_time", hidden, HALF_HOUR_S)
                found = logs.half_hours_from(now, first.integer("earliest_sample_time"), most)
                interval = HALF_HOUR_S
            case display_server.DAYS:
                first = not_before(asked, "earliest_sample_time", hidden, DAY_S)
                found = logs.days_from(now, first.integer("earliest_sample_time"), most)
                interval = NO_INTERVAL
            case number:
                raise ComponentError(Status.NOT_FOUND, f"no samples {number}")
        start = found[0][0] if found else 0
        return answer_samples(asked, Samples(start, interval, tuple(value for _, value in found)))

    # ---------------------------------------------------------------------------- snapshots

    def _snapshots(self, log: str, causes: int, values: Callable[[dict[str, Value]], Values]) -> SnapshotList:
        """A log of the meter as snapshots; which of its causes made one the log does not say."""
        cause = causes & -causes
        return SnapshotList(
            lambda: [
                Snapshot(seconds_since_2000(moment), cause, values(entry))
                for entry in self._meter.server.entries(log)
                if isinstance(entry, dict) and (moment := as_moment(entry["timestamp"])) is not None
            ],
            capacity=limits.BILLING_LOG_ENTRIES,
            causes=causes,
        )

    def _snapshot(self, now: datetime, asked: Record) -> Record:
        since = not_before(asked, "earliest_start_time", self._hidden(now))
        return answer_snapshot(since, self._bills, Metering.publish_snapshot, SNAPSHOT_TYPE, REGISTERS)

    def _prepay_snapshot(self, now: datetime, asked: Record) -> Record:
        since = not_before(asked, "earliest_start_time", self._hidden(now))
        publish = Prepayment.publish_prepay_snapshot
        return answer_snapshot(since, self._balances, publish, PREPAY_SNAPSHOT_TYPE, BALANCES)

    # ---------------------------------------------------------------------------- lists

    def _amounts(self, log: str, now: datetime) -> list[tuple[int, int]]:
        """The amounts of a log, the oldest first: when, and how much."""
        hidden = self._hidden(now)
        first = 0 if hidden is None else seconds_since_2000(hidden)
        return [
            (seconds, amount)
            for entry in self._meter.server.entries(log)
            if isinstance(entry, dict) and (moment := as_moment(entry["timestamp"])) is not None
            if first <= (seconds := seconds_since_2000(moment))
            if isinstance(amount := entry["amount"], int)
        ]

    def _top_ups(self, now: datetime, asked: Record) -> Record:
        """The codes of its top-ups a meter does not keep."""
        amounts = self._amounts("prepayment_credits", now)
        found = _newest(amounts, asked.integer("latest_end_time"), asked.integer("number_of_records"))
        return Prepayment.publish_top_up_log.record(
            command_index=0,
            number_of_commands=1,
            top_up_entries=[
                {"top_up_code": b"", "top_up_amount": amount, "top_up_time": seconds}
                for seconds, amount in found
            ],
        )

    def _debt_payments(self, now: datetime, asked: Record) -> Record:
        """What was owed after each is what is owed now and was repaid since; a supplier's adjustments since
        then are left out."""
        amounts, last = self._amounts("payment_based_debt_repayments", now), asked.integer("latest_end_time")
        found = _newest(amounts, last, asked.integer("number_of_debts"))
        owed = self._meter.prepayment.account.state.payment_debt
        owed += sum(amount for seconds, amount in amounts if seconds > last)
        entries: list[FieldInput] = []
        for seconds, amount in reversed(found):
            entries.insert(
                0,
                {
                    "collection_time": seconds,
                    "amount_collected": amount,
                    "debt_type": PAYMENT_DEBT,
                    "outstanding_debt": owed,
                },
            )
            owed += amount
        return Prepayment.publish_debt_log.record(command_index=0, number_of_commands=1, debt_entries=entries)

    def _events(self, now: datetime, asked: Record) -> Answer:
        return events_told(asked, self._meter.application.event_log, self._hidden(now))


def _newest(amounts: list[tuple[int, int]], last: int, most: int) -> list[tuple[int, int]]:
    """The newest amounts up to a time, the oldest of them first."""
    found = [one for one in amounts if one[0] <= last]
    if not found:
        raise ComponentError(Status.NOT_FOUND, "no such records")
    return found[-min(most or MOST_ENTRIES, MOST_ENTRIES) :]


def _registers(entry: dict[str, Value]) -> Values:
    """A billing snapshot: rates up to the last that has counted anything, then four blocks of each column."""
    tou = _numbers(entry["tariff_tou_register_matrix"])
    last = max((number for number, value in enumerate(tou, 1) if value), default=0)
    blocks = [_numbers(entry[f"tariff_block_{number}_tou_registers"]) for number in range(1, BLOCKS + 1)]
    columns = max(
        (number for number in range(1, BLOCK_COLUMNS + 1) if any(row[number - 1] for row in blocks)),
        default=0,
    )
    imported = entry["active_import_register"]
    second = entry.get("secondary_active_import_register", 0)
    return {
        "current_summation_delivered": sum(one for one in (imported, second) if isinstance(one, int)),
        "current_tier_summations_delivered": tou[:last],
        "number_of_tiers_and_block_thresholds_in_use": columns << 4 | (BLOCKS if columns else 0),
        "current_block_summations_delivered": [row[number] for number in range(columns) for row in blocks],
    }


def _balances(entry: dict[str, Value]) -> Values:
    return {name: value for name in BALANCES if isinstance(value := entry[name], int)}


def _numbers(value: Value) -> list[int]:
    return [one for one in value if isinstance(one, int)] if isinstance(value, list) else []
