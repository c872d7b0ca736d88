"""How a gas meter keeps its proxy up to date: what it reports when it wakes, and what the proxy does with it.

Attributes go as Report Attributes, only those that have changed; entries of logs as the commands that publish
them. Both ends keep what has arrived in non-volatile memory, so a report that was lost is made again.

Spec: ZCL 2.5.11 (Report Attributes); ZSE 1.4 D.3 (mirroring); GBCS 10.4 (GPF data)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from smetslab.devices.events import HanEvent
from smetslab.devices.gas_meter import DAY_S, HALF_HOUR_S
from smetslab.devices.gas_model import MIRRORED
from smetslab.devices.gas_records import (
    BALANCES,
    PREPAY_SNAPSHOT_TYPE,
    PROFILE_SAMPLES,
    REGISTERS,
    SNAPSHOT_TYPE,
    GasRecords,
    debt_entries,
    top_up_entries,
)
from smetslab.devices.han_events import event_of, event_record
from smetslab.devices.work import Work
from smetslab.devices.zcl.logs import RecordLog, Samples, Snapshot, SnapshotLog, snapshot_record
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.errors import ZclDecodeError
from smetslab.gbcs.values import seconds_since_2000
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, Command, Record, ZclFrame, find_command
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.foundation import AttributeValue, ReportAttributes, decode_general, general_frame
from smetslab.zigbee.zcl.values import ZclValue

_UPDATED: Final = "mirror_updated"
MOST_EVENTS: Final = 8
"""Of one report; of more the oldest are left out. Unverified."""
MOST_SAMPLES: Final = 96
"""Half hours in one report: what a meter that was away for longer catches up with at one waking."""


@dataclass(slots=True)
class _Told:
    """What the proxy has been told since the meter has power."""

    values: dict[int, ZclValue] = field(default_factory=dict)
    """By place among the attributes that are mirrored."""
    snapshots: dict[int, int] = field(default_factory=dict)
    """By place of the log: seconds of the newest snapshot told."""
    records: dict[int, Mapping[str, int | str]] = field(default_factory=dict)
    """By place of the list: the newest entry told."""
    profile: int = 0
    """Seconds of the newest half hour told."""

    def copy(self) -> _Told:
        return _Told(dict(self.values), dict(self.snapshots), dict(self.records), self.profile)


REPORTING_STATUS: Final = 0xFFFE
"""AttributeReportingStatus, of every cluster: 1 in the last report of a waking. Spec: ZCL 2.3.4 (global
attributes); ZSE 1.4 D.3.4.4."""
_ENUM_8: Final = 0x30
_COMPLETE: Final = AttributeValue(REPORTING_STATUS, _ENUM_8, 1)

Frames = list[tuple[int, ZclFrame]]
"""Clusters and frames, in the order in which they are sent."""


class MirrorReporter:
    """The meter's end. Volatile: after a power cut everything is told anew."""

    def __init__(self, memory: Callable[[], ZclMemory], records: GasRecords) -> None:
        self._memory = memory
        self._records = records
        self._told = _Told()
        self._telling = _Told()
        self._events: list[HanEvent] = []
        self._telling_events: list[HanEvent] = []

    def tell(self, event: HanEvent) -> None:
        """An event is for the home: the proxy hears of it with the next report."""
        self._events = [*self._events, event][-MOST_EVENTS:]

    def frames(self, now: datetime, seconds: int) -> Frames:
        """Everything that the proxy does not know yet; `seconds`: the device's time. Call `delivered` when
        all of it has arrived."""
        self._telling = self._told.copy()
        frames = [
            *self._snapshots(),
            *self._lists(),
            *self._half_hours(seconds),
            *self._of_events(),
            *self._attributes(now),
        ]
        return [(cluster, _numbered(frame, place)) for place, (cluster, frame) in enumerate(frames)]

    def delivered(self) -> None:
        """What `frames` gave last has arrived."""
        self._told = self._telling
        told = {id(event) for event in self._telling_events}
        self._events = [event for event in self._events if id(event) not in told]
        self._telling_events = []

    def _of_events(self) -> Iterator[tuple[int, ZclFrame]]:
        self._telling_events = list(self._events)
        command = Events.publish_event
        for event in self._telling_events:
            yield command.cluster, command.frame(event_record(event), sequence=0)

    def _attributes(self, now: datetime) -> Iterator[tuple[int, ZclFrame]]:
        memory = self._memory()
        changed: dict[int, list[AttributeValue]] = {}
        told = self._told.values
        for place, attribute in enumerate(MIRRORED):
            value = memory.get(attribute, now)
            if place in told and told[place] == value:
                continue
            self._telling.values[place] = value
            changed.setdefault(attribute.cluster, []).append(
                AttributeValue(attribute.id, attribute.type.code or 0, value)
            )
        # The last report says that it is the last.
        changed[Metering.id] = [*changed.pop(Metering.id, ()), _COMPLETE]
        for cluster, values in changed.items():
            report = ReportAttributes(tuple(values))
            yield cluster, general_frame(report, direction=SERVER_TO_CLIENT, sequence=0)

    def _snapshots(self) -> Iterator[tuple[int, ZclFrame]]:
        halves = (
            (self._records.metering_logs, Metering.publish_snapshot, SNAPSHOT_TYPE, REGISTERS),
            (self._records.prepay_logs, Prepayment.publish_prepay_snapshot, PREPAY_SNAPSHOT_TYPE, BALANCES),
        )
        place = 0
        for logs, command, kind, payload in halves:
            for log in logs:
                told = self._told.snapshots.get(place, -1)
                for number, snapshot in enumerate(log.entries):
                    if snapshot.seconds > told:
                        self._telling.snapshots[place] = snapshot.seconds
                        record = snapshot_record(snapshot, number, 1, command, kind, payload)
                        yield command.cluster, command.frame(record, sequence=0)
                place += 1

    def _lists(self) -> Iterator[tuple[int, ZclFrame]]:
        lists = (
            (self._records.top_ups, Prepayment.publish_top_up_log, "top_up_time", top_up_entries),
            (self._records.debt_payments, Prepayment.publish_debt_log, "collection_time", debt_entries),
        )
        for place, (log, command, time, entries) in enumerate(lists):
            told = self._told.records.get(place)
            since = -1 if told is None else int(told[time])
            # Of one second there may be more than the log has room for: which is the newest tells.
            new = [entry for entry in log.entries if int(entry[time]) >= since]
            if new and new[-1] != told:
                self._telling.records[place] = dict(new[-1])
                name = command.fields.names[-1]
                record = command.record(command_index=0, number_of_commands=1, **{name: entries(new)})
                yield command.cluster, command.frame(record, sequence=0)

    def _half_hours(self, seconds: int) -> Iterator[tuple[int, ZclFrame]]:
        first = max(self._told.profile + HALF_HOUR_S, seconds - (MOST_SAMPLES - 1) * HALF_HOUR_S)
        samples = self._records.profile.samples(first, MOST_SAMPLES)
        if not samples.values:
            return
        self._telling.profile = samples.start + (len(samples.values) - 1) * samples.interval
        command = Metering.get_sampled_data_response
        record = command.record(
            sample_id=PROFILE_SAMPLES,
            sample_start_time=samples.start,
            sample_type=0,
            sample_request_interval=samples.interval,
            samples=samples.values,
        )
        yield command.cluster, command.frame(record, sequence=0)


def _numbered(frame: ZclFrame, place: int) -> ZclFrame:
    return replace(frame, sequence=place & 0xFF, disable_default_response=True)


def ends_report(frame: ZclFrame) -> bool:
    """Whether this is the last report of a waking. Raises ZclDecodeError."""
    general = decode_general(frame)
    return isinstance(general, ReportAttributes) and any(
        (value.attribute, value.value) == (REPORTING_STATUS, 1) for value in general.values
    )


class Mirror:
    """The proxy's end."""

    def __init__(self, memory: Callable[[], ZclMemory], records: GasRecords) -> None:
        self._memory = memory
        self._records = records
        self._known = {(attribute.cluster, attribute.id): attribute for attribute in MIRRORED}

    @property
    def updated(self) -> int | None:
        """When the meter has reported last, in seconds since 2000; None: never."""
        kept = self._memory().document(_UPDATED)
        return kept if isinstance(kept, int) else None

    def take(self, work: Work, cluster: int, frame: ZclFrame, time: datetime) -> bool:
        """Note what the meter reports; False for what is no report of a meter."""
        try:
            general = decode_general(frame)
            if isinstance(general, ReportAttributes):
                self._note_attributes(work, cluster, general)
            else:
                command = find_command(cluster, frame)
                if command is None:
                    return False
                if not self._note_record(work, command, command.decode(frame.payload)):
                    return False
        except ZclDecodeError as error:
            work.note("ReportRefused", cluster=f"{cluster:04X}", why=str(error))
            return False
        self._memory().keep(work, _UPDATED, seconds_since_2000(time))
        return True

    def _note_attributes(self, work: Work, cluster: int, report: ReportAttributes) -> None:
        for value in report.values:
            if value.attribute == REPORTING_STATUS:
                continue
            attribute = self._known.get((cluster, value.attribute))
            if attribute is None or attribute.type.code != value.type:
                work.note("ReportRefused", cluster=f"{cluster:04X}", why=f"attribute {value.attribute:04X}")
                continue
            self._memory().put(work, attribute, value.value)

    def _note_record(self, work: Work, command: Command, record: Record) -> bool:
        if command is Metering.publish_snapshot:
            _note_snapshot(work, self._records.metering_logs, record, REGISTERS)
        elif command is Prepayment.publish_prepay_snapshot:
            _note_snapshot(work, self._records.prepay_logs, record, BALANCES)
        elif command is Prepayment.publish_top_up_log:
            _note_entries(work, self._records.top_ups, record.records("top_up_entries"), "top_up_time")
        elif command is Prepayment.publish_debt_log:
            entries = record.records("debt_entries")
            _note_entries(work, self._records.debt_payments, entries, "collection_time")
        elif command is Events.publish_event:
            event_of(record)  # for the displays; the proxy keeps none
        elif command is Metering.get_sampled_data_response and record.integer("sample_id") == PROFILE_SAMPLES:
            self._note_half_hours(work, record)
        else:
            return False
        return True

    def _note_half_hours(self, work: Work, record: Record) -> None:
        """Keep half hours; at a midnight the day that ends there is added up."""
        start, samples = record.integer("sample_start_time"), record["samples"]
        for place, volume in enumerate(samples if isinstance(samples, tuple) else ()):
            seconds = start + place * HALF_HOUR_S
            if not isinstance(volume, int) or seconds % HALF_HOUR_S:
                continue
            self._records.profile.put(work, seconds, volume)
            if not seconds % DAY_S and seconds > self._records.daily_consumption.end:
                day: Samples = self._records.profile.samples(
                    seconds - DAY_S + HALF_HOUR_S, DAY_S // HALF_HOUR_S
                )
                self._records.daily_consumption.put(work, seconds, sum(day.values))


def _note_snapshot(
    work: Work, logs: tuple[SnapshotLog, ...], record: Record, payload: tuple[str, ...]
) -> None:
    """Keep a snapshot in the log of its cause, once."""
    seconds, cause = record.integer("snapshot_time"), record.integer("snapshot_cause")
    values = record["snapshot_payload"]
    if not isinstance(values, Record):
        return
    taken: dict[str, int | list[int]] = {}
    for name in payload:
        value = values[name]
        if isinstance(value, int):
            taken[name] = value
        elif isinstance(value, tuple):
            taken[name] = [one for one in value if isinstance(one, int)]
    for log in logs:
        if log.causes & cause:
            if all(one.seconds < seconds for one in log.entries):
                log.append(work, Snapshot(seconds, cause, taken))
            return


def _note_entries(work: Work, log: RecordLog, entries: list[Record], time: str) -> None:
    """Keep entries of a list that are newer than those there, or of the same second and others."""
    newest = max((int(entry[time]) for entry in log.entries), default=-1)
    known = [dict(entry) for entry in log.entries]
    for entry in entries:
        if entry.integer(time) < newest:
            continue
        kept: dict[str, int | str] = {}
        for name, value in entry.items():
            if isinstance(value, int):
                kept[name] = value
            elif isinstance(value, bytes):
                kept[name] = value.decode("ascii", "replace")
        if kept not in known:
            log.append(work, kept)
