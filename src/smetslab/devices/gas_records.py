"""What a gas meter has recorded, and how it answers who asks for it; its proxy has the same.

Billing snapshots by the calendar and by changes, daily reads, half hours and days, the network data log,
prepayment credits and debt payments, events, the billing calendar, the price that applies.

Spec: GBCS use cases GCS15b to GCS18, GCS21d, GCS21f, GCS21k, GCS61, CS10, CS11; SMETS 4.6.5 (logs)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from smetslab.devices import events
from smetslab.devices.event_log import EventLog
from smetslab.devices.gas_meter import DailyConsumption, HalfHourProfile
from smetslab.devices.gas_model import TIERS
from smetslab.devices.limits import DAILY_READ_LOG_ENTRIES
from smetslab.devices.prepay.records import CREDITS_KEPT, PAYMENTS_KEPT
from smetslab.devices.work import Work
from smetslab.devices.zcl.logs import (
    GENERAL_EVENT_LOG,
    SECURITY_EVENT_LOG,
    RecordLog,
    Samples,
    Snapshot,
    SnapshotLog,
    answer_events,
    answer_samples,
    answer_snapshot,
)
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, Handler, ZclCall
from smetslab.gbcs.values import seconds_since_2000
from smetslab.store import Json, Nvm
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.fields import FieldInput
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import JsonValue

BILLING_LOG_ENTRIES: Final = 12

GENERAL: Final = 1 << 0
END_OF_BILLING_PERIOD: Final = 1 << 1
CHANGE_OF_TARIFF: Final = 1 << 3
CHANGE_OF_SUPPLIER: Final = 1 << 13
CHANGE_OF_MODE: Final = 1 << 14
"""Causes of snapshots. Spec: ZSE 1.4 D.3.2.3."""

TIERS_AND_BLOCKS: Final = 0x14
"""One tier and four blocks, as every published snapshot says. Spec: RTDS 4.5.0."""
SNAPSHOT_TYPE: Final = 6
PREPAY_SNAPSHOT_TYPE: Final = 0
REGISTERS: Final = (
    "current_summation_delivered",
    "current_tier_summations_delivered",
    "number_of_tiers_and_block_thresholds_in_use",
    "current_block_summations_delivered",
)
BALANCES: Final = (
    "accumulated_debt_register",
    "time_debt_register_1",
    "time_debt_register_2",
    "payment_debt_register",
    "emergency_credit_balance",
    "meter_balance",
)

PROFILE_SAMPLES, DAILY_SAMPLES, FIRST_NETWORK_SAMPLES = 0, 1, 2
"""Sample ids. Spec: GBCS use cases GCS17, GCS61, GCS18."""
_NETWORK = "network_data_log"


@dataclass(frozen=True, slots=True)
class NetworkLog:
    """The network data log: litres per interval, the first ending at `start`. `total_ml`: the register at
    the last sample."""

    sample_id: int
    start: int
    interval: int
    most: int
    values: tuple[int, ...] = ()
    total_ml: int = 0

    @property
    def next_sample(self) -> int | None:
        """When the next sample is due; None when all are there."""
        return None if len(self.values) >= self.most else self.start + len(self.values) * self.interval

    def to_json(self) -> Json:
        return [self.sample_id, self.start, self.interval, self.most, list(self.values), self.total_ml]

    @classmethod
    def from_json(cls, record: Json) -> NetworkLog | None:
        if not isinstance(record, list):
            return None
        numbers = cast("list[int]", record)
        values = cast("list[int]", record[4])
        return cls(numbers[0], numbers[1], numbers[2], numbers[3], tuple(values), numbers[5])


class GasRecords:
    """The logs of one device. It is told which tier applies at a moment of laboratory time, for how many
    minutes, and at what price."""

    def __init__(
        self,
        *,
        nvm: Nvm,
        memory: Callable[[], ZclMemory],
        device_time: Callable[[datetime], datetime],
        tier: Callable[[datetime], int],
        minutes_of_tier: Callable[[datetime], int],
        price: Callable[[datetime], int],
        event_log: EventLog,
        security_log: EventLog,
        raise_event: Callable[[Work, int], None],
        profile: HalfHourProfile,
        daily: DailyConsumption,
    ) -> None:
        self._memory = memory
        self._time = device_time
        self._tier = tier
        self._minutes = minutes_of_tier
        self._price = price
        self._raise_event = raise_event
        self._event_log = event_log
        self._logs: Mapping[int, EventLog] = {GENERAL_EVENT_LOG: event_log, SECURITY_EVENT_LOG: security_log}
        self.profile = profile
        self.daily_consumption = daily
        changes = CHANGE_OF_TARIFF | CHANGE_OF_SUPPLIER | CHANGE_OF_MODE
        self.billing = SnapshotLog(nvm, "billing", capacity=BILLING_LOG_ENTRIES, causes=END_OF_BILLING_PERIOD)
        self.changes = SnapshotLog(
            nvm, "changes", capacity=BILLING_LOG_ENTRIES, causes=changes, first_id=BILLING_LOG_ENTRIES
        )
        self.daily = SnapshotLog(nvm, "daily", capacity=DAILY_READ_LOG_ENTRIES, causes=GENERAL, whole=True)
        self.prepay_billing = SnapshotLog(
            nvm, "prepay-billing", capacity=BILLING_LOG_ENTRIES, causes=END_OF_BILLING_PERIOD
        )
        self.prepay_changes = SnapshotLog(nvm, "prepay-changes", capacity=BILLING_LOG_ENTRIES, causes=changes)
        self.prepay_daily = SnapshotLog(
            nvm, "prepay-daily", capacity=DAILY_READ_LOG_ENTRIES, causes=GENERAL, whole=True
        )
        self.top_ups = RecordLog(nvm, "top-ups", capacity=CREDITS_KEPT, time="top_up_time")
        self.debt_payments = RecordLog(nvm, "debt", capacity=PAYMENTS_KEPT, time="collection_time")

    @property
    def metering_logs(self) -> tuple[SnapshotLog, ...]:
        return self.billing, self.changes, self.daily

    @property
    def prepay_logs(self) -> tuple[SnapshotLog, ...]:
        return self.prepay_billing, self.prepay_changes, self.prepay_daily

    def handlers(self) -> dict[str, Handler]:
        return {
            "find_snapshot": self._find_snapshot,
            "find_prepay_snapshot": self._find_prepay_snapshot,
            "find_samples": self._find_samples,
            "find_top_ups": self._find_top_ups,
            "find_debt_payments": self._find_debt_payments,
            "find_events": lambda _call, record: answer_events(record, self._logs),
            "clear_event_log": self._clear_events,
            "list_billing_periods": self._billing_periods,
            "tell_current_price": self._current_price,
        }

    # ---------------------------------------------------------------------------- snapshots and samples

    def _find_snapshot(self, call: ZclCall, record: Record) -> Answer:
        del call
        return answer_snapshot(
            record, self.metering_logs, Metering.publish_snapshot, SNAPSHOT_TYPE, REGISTERS
        )

    def _find_prepay_snapshot(self, call: ZclCall, record: Record) -> Answer:
        del call
        publish = Prepayment.publish_prepay_snapshot
        return answer_snapshot(record, self.prepay_logs, publish, PREPAY_SNAPSHOT_TYPE, BALANCES)

    @property
    def network(self) -> NetworkLog | None:
        """The network data log that runs or ran last."""
        return NetworkLog.from_json(self._memory().document(_NETWORK))

    def keep_network(self, work: Work, log: NetworkLog) -> None:
        self._memory().keep(work, _NETWORK, log.to_json())

    def _find_samples(self, call: ZclCall, record: Record) -> Answer:
        del call
        first, most = record.integer("earliest_sample_time"), record.integer("number_of_samples")
        match record.integer("sample_id"):
            case 0:
                samples = self.profile.samples(first, most)
            case 1:
                samples = self.daily_consumption.samples(first, most)
            case number:
                samples = self._network_samples(number, first, most)
        return answer_samples(record, samples)

    def _network_samples(self, number: int, first: int, most: int) -> Samples:
        log = self.network
        if log is None or log.sample_id != number or not log.interval:
            return Samples(first, 0, ())
        skipped = max(0, -(-(first - log.start) // log.interval))
        return Samples(log.start + skipped * log.interval, log.interval, log.values[skipped : skipped + most])

    def has_snapshot_at(self, seconds: int) -> bool:
        """Whether a change of this very second was recorded already."""
        return any(one.seconds == seconds for one in self.changes.entries)

    def take(
        self,
        work: Work,
        log: SnapshotLog,
        prepay: SnapshotLog,
        *,
        seconds: int,
        cause: int,
        registers: Mapping[str, int | list[int]],
        balances: Mapping[str, int | list[int]],
    ) -> Snapshot:
        """Record both halves of a snapshot; returns that of the registers."""
        taken = Snapshot(seconds, cause, dict(registers))
        log.append(work, taken)
        prepay.append(work, Snapshot(seconds, cause, dict(balances)))
        return taken

    # ---------------------------------------------------------------------------- lists

    def _find_top_ups(self, call: ZclCall, record: Record) -> Answer:
        found = self.top_ups.find(
            call.from_date_time or 0, record.integer("latest_end_time"), record.integer("number_of_records")
        )
        return Prepayment.publish_top_up_log.record(
            command_index=0, number_of_commands=1, top_up_entries=top_up_entries(found)
        )

    def _find_debt_payments(self, call: ZclCall, record: Record) -> Answer:
        found = self.debt_payments.find(
            call.from_date_time or 0, record.integer("latest_end_time"), record.integer("number_of_debts")
        )
        return Prepayment.publish_debt_log.record(
            command_index=0, number_of_commands=1, debt_entries=debt_entries(found)
        )

    def _clear_events(self, call: ZclCall, record: Record) -> Answer:
        """Only the event log can be cleared, never the security log. Spec: GBCS use case CS11."""
        if record.integer("log_id") != GENERAL_EVENT_LOG:
            raise ComponentError(Status.NOT_AUTHORIZED, "only the event log can be cleared")
        self._event_log.clear(call.work)
        self._raise_event(call.work, events.EVENT_LOG_CLEARED)
        return Events.clear_event_log_response.record(cleared_event_logs=1 << GENERAL_EVENT_LOG)

    # ---------------------------------------------------------------------------- billing, price

    def _billing_periods(self, call: ZclCall, record: Record) -> Answer:
        kept = self._memory().document("billing_period")
        if not isinstance(kept, dict):
            raise ComponentError(Status.NOT_FOUND, "no billing calendar")
        values: dict[str, FieldInput] = dict(
            Price.publish_billing_period.from_json(cast("JsonValue", kept)).items()
        )
        values["issuer_event_id"] = seconds_since_2000(self._time(call.work.now))
        values["tariff_type"] = record.integer("tariff_type")
        return Price.publish_billing_period.record(**values)

    def _current_price(self, call: ZclCall, record: Record) -> Answer:
        """The price of the tier in force. Spec: GBCS use case GCS21f."""
        del record
        memory, now = self._memory(), call.work.now
        seconds = seconds_since_2000(self._time(now))
        tier = self._tier(now)
        digits = memory.number(Price.price_trailing_digits)
        return Price.publish_price.record(
            provider_id=0,
            rate_label=b"",
            issuer_event_id=seconds,
            current_time=seconds,
            unit_of_measure=memory.number(Metering.unit_of_measure),
            currency=memory.number(Price.currency),
            price_trailing_digit_and_price_tier=digits & 0xF0 | tier,
            number_of_price_tiers_and_register_tier=TIERS << 4 | tier,
            start_time=0,
            duration_in_minutes=self._minutes(now),
            price=self._price(now),
        )


def top_up_entries(found: Sequence[Mapping[str, int | str]]) -> list[FieldInput]:
    """Prepayment credits as they are published."""
    return [
        {
            "top_up_code": str(entry["top_up_code"]).encode("ascii"),
            "top_up_amount": int(entry["top_up_amount"]),
            "top_up_time": int(entry["top_up_time"]),
        }
        for entry in found
    ]


def debt_entries(found: Sequence[Mapping[str, int | str]]) -> list[FieldInput]:
    """Payments towards payment-based debt as they are published."""
    return [{name: int(value) for name, value in entry.items()} for entry in found]
