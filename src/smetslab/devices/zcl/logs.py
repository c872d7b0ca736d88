"""Logs of a ZCL device that are read by command: snapshots, samples, lists of records, events.

Each log is a ring in non-volatile memory, filled only as far as there is something to keep. What was not
found in a window is status NOT_FOUND, an answer and no failure.

Spec: ZSE 1.4 D.3.3 (snapshots, sampled data), D.7.2.3 (top-up and debt logs), D.11 (events); GBCS use cases
GCS15b to GCS18, GCS61, CS10a, CS10b
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from smetslab.devices.event_log import EventLog
from smetslab.devices.work import Work
from smetslab.devices.zcl.model import ComponentError
from smetslab.store import Json, Nvm
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.fields import FieldInput
from smetslab.zigbee.zcl.foundation import Status

Values = dict[str, "int | list[int]"]

GENERAL_EVENT_LOG, SECURITY_EVENT_LOG = 3, 4
"""Spec: ZSE 1.4 D.11.2.3.1."""
_LOG_ID_BITS = 0x0F


def _not_found(what: str) -> ComponentError:
    return ComponentError(Status.NOT_FOUND, what)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Registers as they were. `seconds` since 2000, the device's time; `identifier`: one that was given."""

    seconds: int
    cause: int
    values: Values
    identifier: int | None = None

    def encode(self) -> bytes:
        return json.dumps([self.seconds, self.cause, self.values, self.identifier]).encode()

    @classmethod
    def decode(cls, octets: bytes) -> Snapshot:
        return cls(*json.loads(octets))


class SnapshotList:
    """Snapshots to be asked for. `causes`: which it holds, as bits; `first_id`: where its numbers begin.

    `whole`: it says how many it can hold, `capacity`, instead of how many were found, as the daily read logs
    do.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[Snapshot]],
        *,
        capacity: int,
        causes: int,
        first_id: int = 0,
        whole: bool = False,
    ) -> None:
        """`read`: what there is, the oldest first."""
        self._read = read
        self.capacity = capacity
        self.causes = causes
        self._first_id = first_id
        self._whole = whole

    @property
    def entries(self) -> tuple[Snapshot, ...]:
        """The oldest first."""
        return tuple(self._read())

    def find(self, first: int, last: int, cause: int) -> list[tuple[int, Snapshot]]:
        """The snapshots of a window, both ends inclusive, with their numbers."""
        found = [one for one in self.entries if first <= one.seconds <= last and one.cause & cause]
        return [
            (self._first_id + place if one.identifier is None else one.identifier, one)
            for place, one in enumerate(found)
        ]

    def announced(self, found: int) -> int:
        """How many snapshots an answer says that there are."""
        return self.capacity if self._whole else found


class SnapshotLog(SnapshotList):
    """A ring of snapshots in non-volatile memory."""

    def __init__(
        self, nvm: Nvm, name: str, *, capacity: int, causes: int, first_id: int = 0, whole: bool = False
    ) -> None:
        super().__init__(
            lambda: [snapshot for _, snapshot in self._entries],
            capacity=capacity,
            causes=causes,
            first_id=first_id,
            whole=whole,
        )
        self._prefix = f"zcl/snapshot/{name}/"
        found = [(int(octets[:20]), Snapshot.decode(octets[20:])) for _, octets in nvm.items(self._prefix)]
        self._entries = sorted(found, key=lambda entry: entry[0])

    def append(self, work: Work, snapshot: Snapshot) -> None:
        """Add a snapshot; the oldest gives way."""
        number = self._entries[-1][0] + 1 if self._entries else 0
        self._entries.append((number, snapshot))
        del self._entries[: -self.capacity]
        key = f"{self._prefix}{number % self.capacity:03}"
        work.tx.put(key, b"%020d" % number + snapshot.encode())


def answer_snapshot(
    record: Record, logs: Sequence[SnapshotList], publish: Command, payload_type: int, payload: Sequence[str]
) -> Record:
    """The snapshot that Get Snapshot asks for. `payload`: names of its values in order."""
    cause = record.integer("snapshot_cause")
    first, last = record.integer("earliest_start_time"), record.integer("latest_end_time")
    for log in logs:
        if not log.causes & cause:
            continue
        found = log.find(first, last, cause)
        offset = record.integer("snapshot_offset")
        if offset < len(found):
            identifier, snapshot = found[offset]
            announced = log.announced(len(found))
            return snapshot_record(snapshot, identifier, announced, publish, payload_type, payload)
    raise _not_found("no such snapshot")


def snapshot_record(  # noqa: PLR0917 - the fields of one command
    snapshot: Snapshot,
    identifier: int,
    found: int,
    publish: Command,
    payload_type: int,
    payload: Sequence[str],
) -> Record:
    """A Publish Snapshot, of Metering or of Prepayment."""
    fields: dict[str, FieldInput] = {name: snapshot.values[name] for name in payload}
    return publish.record(
        snapshot_id=identifier,
        snapshot_time=snapshot.seconds,
        snapshots_found=found,
        command_index=0,
        number_of_commands=1,
        snapshot_cause=snapshot.cause,
        snapshot_payload_type=payload_type,
        snapshot_payload=fields,
    )


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples at equal intervals. `start`: of the first, in seconds since 2000; `interval`: as announced."""

    start: int
    interval: int
    values: tuple[int, ...]


def answer_samples(record: Record, samples: Samples) -> Record:
    """The answer to Get Sampled Data; NOT_FOUND when there are none."""
    if not samples.values:
        raise _not_found("no samples")
    return Metering.get_sampled_data_response.record(
        sample_id=record.integer("sample_id"),
        sample_start_time=samples.start,
        sample_type=record.integer("sample_type"),
        sample_request_interval=samples.interval,
        samples=samples.values,
    )


class RecordLog:
    """A ring of records with a time each, of one kind of command."""

    def __init__(self, nvm: Nvm, name: str, *, capacity: int, time: str) -> None:
        """`time`: the member that holds the time of a record."""
        self._key = f"zcl/records/{name}"
        self._capacity = capacity
        self._time = time
        self._entries = cast("list[dict[str, int | str]]", nvm.get_json(self._key) or [])

    def append(self, work: Work, entry: Mapping[str, int | str]) -> None:
        """Add a record; the oldest gives way."""
        self._entries = [*self._entries, dict(entry)][-self._capacity :]
        work.tx.put_json(self._key, cast("Json", self._entries))

    @property
    def entries(self) -> tuple[Mapping[str, int | str], ...]:
        """The oldest first."""
        return tuple(self._entries)

    def find(self, first: int, last: int, most: int) -> list[Mapping[str, int | str]]:
        """The newest `most` records of a window (0: all), both ends inclusive; NOT_FOUND when there is
        none."""
        found: list[Mapping[str, int | str]] = [
            entry for entry in self._entries if first <= int(entry[self._time]) <= last
        ]
        if not found:
            raise _not_found("no such records")
        return found[-most:] if most else found


def answer_events(record: Record, logs: Mapping[int, EventLog], *, most: int = 0) -> Record:
    """The answer to Get Event Log, in one frame. `most` (0: no bound) is for who tells few: the newest, where
    nobody says how many."""
    log_id = record.integer("event_control_log_id") & _LOG_ID_BITS
    log = logs.get(log_id)
    if log is None:
        raise _not_found(f"no log {log_id}")
    first, last = record.integer("start_time"), record.integer("end_time")
    wanted = record.integer("event_id")
    found = [
        entry
        for entry in log.entries
        if first <= entry.seconds <= last and (not wanted or entry.code == wanted)
    ][record.integer("event_offset") :]
    wanted_number = record.integer("number_of_events")
    number = min(wanted_number, most) if most else wanted_number
    found = found[:number] if number else found[-most:]
    if not found:
        raise _not_found("no events")
    return Events.publish_event_log.record(
        number_of_events=len(found),
        command_index=0,
        total_commands=1,
        log_payload_control=0,
        log_payload=[
            {
                "log_id": log_id,
                "event_id": entry.code,
                "event_time": entry.seconds,
                "event_data": entry.extra,
            }
            for entry in found
        ],
    )
