"""Energy registers and the half-hour profile of an ESME, computed from its history.

What a meter has measured follows from the load and from when energy could flow. The history is a list of
segments: in each, the load switch, the mains and the offset of the clock stayed as they were. A register
reading, past or
present, is the reading at the start of its segment plus what flowed since, so a year costs nothing until
somebody
reads it, and a power cut loses nothing.

Spec: SMETS 5.7.5 (registers, Profile Data Log); time stamps are the ends of periods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from smetslab.devices.limits import MAX_REGISTER, METER_SEGMENTS, PROFILE_LOG_ENTRIES
from smetslab.devices.load import DAY_US, HALF_HOUR_US, Consumption, Energies, Load
from smetslab.devices.work import Work
from smetslab.gbcs.values import EPOCH_2000
from smetslab.store import Nvm

_PREFIX = "meter/"
_MICROSECOND = timedelta(microseconds=1)
MILLI = 1000
SECOND_US = 1_000_000
_UNBOUNDED = Energies(*(2**40,) * len(Energies._fields))


def microseconds(moment: datetime) -> int:
    """Since 2000-01-01T00:00:00Z."""
    return (moment - EPOCH_2000) // _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of laboratory time. `start` are the registers at its beginning, in thousandths."""

    start_us: int
    start: Energies
    closed: bool
    powered: bool
    offset_us: int
    clock_runs: bool

    @property
    def flows(self) -> bool:
        return self.closed and self.powered

    def encode(self) -> bytes:
        flags = self.closed | self.powered << 1 | self.clock_runs << 2
        return b"".join(
            (
                bytes((flags,)),
                self.offset_us.to_bytes(9, "big", signed=True),
                *(e.to_bytes(8, "big") for e in self.start),
            )
        )

    @classmethod
    def decode(cls, start_us: int, octets: bytes) -> Segment:
        return cls(
            start_us=start_us,
            start=Energies(*(int.from_bytes(octets[i : i + 8], "big") for i in range(10, len(octets), 8))),
            closed=bool(octets[0] & 1),
            powered=bool(octets[0] & 2),
            offset_us=int.from_bytes(octets[1:10], "big", signed=True),
            clock_runs=bool(octets[0] & 4),
        )


class EnergyMeter:
    """The measuring part of one ESME."""

    def __init__(self, nvm: Nvm, load: Load, first: Segment) -> None:
        """`first` begins the history of a new meter; memory overrules it."""
        kept = [Segment.decode(int(key.removeprefix(_PREFIX)), octets) for key, octets in nvm.items(_PREFIX)]
        self._segments = kept or [first]
        self._load = Consumption(load, self._segments[0].start_us)
        self._boosted: set[int] = set()
        self._before: dict[int, Energies] = {}
        """What the registers had more than the load, by the start of the segment."""
        self.version = 0
        """Counts the segments that were begun."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    def begin(self, work: Work) -> None:
        """Keep the history of a new meter in memory."""
        if work.tx.get(_memory_key(self._segments[0])) is None:
            for segment in self._segments:
                work.tx.put(_memory_key(segment), segment.encode())

    def change(
        self,
        work: Work,
        at: datetime,
        *,
        closed: bool | None = None,
        powered: bool | None = None,
        offset: timedelta | None = None,
        clock_runs: bool | None = None,
    ) -> None:
        """Begin a new segment at `at` if anything differs from the present one."""
        last = self._segments[-1]
        segment = replace(
            last,
            closed=last.closed if closed is None else closed,
            powered=last.powered if powered is None else powered,
            offset_us=last.offset_us if offset is None else offset // _MICROSECOND,
            clock_runs=last.clock_runs if clock_runs is None else clock_runs,
        )
        if segment == last:
            return
        at_us = max(microseconds(at), last.start_us)
        self._append(work, replace(segment, start_us=at_us, start=self._at(last, at_us)))

    def _append(self, work: Work, segment: Segment) -> None:
        self.version += 1
        self._before.clear()
        if segment.start_us == self._segments[-1].start_us:
            self._segments.pop()
        self._segments.append(segment)
        work.tx.put(_memory_key(segment), segment.encode())
        for old in self._segments[:-METER_SEGMENTS]:
            work.tx.delete(_memory_key(old))
        del self._segments[:-METER_SEGMENTS]

    def add(self, work: Work, at: datetime, energies: Energies) -> None:
        """Let energy flow at once, on top of the load, in thousandths; nothing flows without supply."""
        last = self._segments[-1]
        if not last.flows:
            return
        at_us = max(microseconds(at), last.start_us)
        segment = replace(last, start_us=at_us, start=self._at(last, at_us).plus(energies))
        self._boosted.add(at_us // DAY_US)
        self._append(work, segment)

    def peak_w(self, day: int) -> Energies:
        """The highest powers of any half hour of a day of laboratory time, counted from 2000; without bound
        where energy has come on top of the load."""
        return _UNBOUNDED if day in self._boosted else self._load.peak_w(day)

    def power_w(self, now: datetime) -> Energies:
        """What flows now, in W and var."""
        last = self._segments[-1]
        return self._load.power_w(microseconds(now)) if last.flows else Energies()

    def load_peak_w(self, day: int) -> int:
        """The highest import of both elements that any half hour of a day can have, in W."""
        peak = self._load.peak_w(day)
        return peak.active_import + peak.secondary_import

    @property
    def powered_since_us(self) -> int:
        """Since when there is power without a break, as far as the history goes; the present moment when
        there is none."""
        since = self._segments[-1].start_us
        for segment in reversed(self._segments):
            if not segment.powered:
                break
            since = segment.start_us
        return since

    def powered_during(self, first_us: int, last_us: int) -> bool:
        """Whether there was power during the whole of a stretch of laboratory time."""
        return first_us >= self._segments[0].start_us and all(
            segment.powered for _, _, segment in self.pieces(first_us, last_us)
        )

    def load_power_w(self, moment_us: int) -> Energies:
        """What would flow at a moment of laboratory time, if there were supply."""
        return self._load.power_w(moment_us)

    def registers(self, now: datetime) -> Energies:
        """The registers in Wh and varh."""
        return whole(self._reading(microseconds(now)))

    def reading(self, moment_us: int) -> Energies:
        """The registers in thousandths at a moment of laboratory time."""
        return self._reading(moment_us)

    def _reading(self, moment_us: int) -> Energies:
        for segment in reversed(self._segments):
            if segment.start_us <= moment_us:
                return self._at(segment, moment_us)
        return self._segments[0].start

    def _at(self, segment: Segment, moment_us: int) -> Energies:
        if not segment.flows:
            return segment.start
        before = self._before.get(segment.start_us)
        if before is None:
            before = segment.start.minus(self._load.at(segment.start_us))
            self._before[segment.start_us] = before
        return before.plus(self._load.at(moment_us))

    def pieces(self, first_us: int, last_us: int) -> Iterator[tuple[int, int, Segment]]:
        """The segments that a stretch of laboratory time lies in, with their bounds inside it."""
        for place, segment in enumerate(self._segments):
            following = self._segments[place + 1].start_us if place + 1 < len(self._segments) else last_us
            low, high = max(segment.start_us, first_us), min(following, last_us)
            if low < high:
                yield low, high, segment

    def half_hours(
        self,
        now: datetime,
        first: datetime | None,
        last: datetime | None,
        entries: int = PROFILE_LOG_ENTRIES,
    ) -> Iterator[tuple[int, Energies]]:
        """The profile log: (end of the half hour in seconds since 2000 by the device's clock, Wh and varh in
        it).

        Both bounds are inclusive; the log has the newest `entries`. A half hour without mains has zeros; one
        in which the clock was invalid, or that a setting of the clock jumped over, is not there.
        """
        now_us = microseconds(now)
        present = self._segments[-1]
        oldest = (now_us + present.offset_us) // HALF_HOUR_US - entries + 1
        low = oldest if first is None else max(oldest, -(-microseconds(first) // HALF_HOUR_US))
        high = None if last is None else microseconds(last) // HALF_HOUR_US
        newest = oldest - 1
        newest_us = 0
        for start_us, end_us, segment in self.pieces(self._segments[0].start_us, now_us):
            offset_us = segment.offset_us
            begin = max((start_us + offset_us) // HALF_HOUR_US + 1, newest + 1)
            end = (end_us + offset_us) // HALF_HOUR_US
            if not segment.clock_runs or end < begin:
                continue
            for number in range(max(begin, low), (end if high is None else min(end, high)) + 1):
                border_us = number * HALF_HOUR_US - offset_us
                # After a setting of the clock a half hour begins no earlier than the one before it ended.
                since_us = border_us - HALF_HOUR_US
                since_us = max(since_us, newest_us) if number == begin else since_us
                energies = whole(self._reading(border_us)).minus(whole(self._reading(since_us)))
                yield number * HALF_HOUR_US // SECOND_US, energies
            newest, newest_us = end, end * HALF_HOUR_US - offset_us


def whole(reading: Energies) -> Energies:
    """Thousandths to the units of a register, which rolls over. Spec: SMETS 5.7.5."""
    return Energies(*(value // MILLI % MAX_REGISTER for value in reading))


def _memory_key(segment: Segment) -> str:
    return f"{_PREFIX}{segment.start_us:020}"
