"""The tariff of an ESME: which rate is active, the registers of each rate, and the daily read log.

Like the energy registers, the registers of the rates follow from the history of the meter and are added up
when somebody asks. A script of the tariff script table selects a rate: 1 to 48 a time-of-use register, 101 to
108
a time-of-use column whose energy goes through the blocks.

Spec: SMETS 5.7.4.47, 5.7.5.33 to 35; GBCS use cases ECS17d, ECS17e, ECS21a, ECS24.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from smetslab.devices.limits import DAILY_READ_LOG_ENTRIES
from smetslab.devices.load import Energies
from smetslab.devices.metering import MILLI, SECOND_US, EnergyMeter, microseconds, whole
from smetslab.gbcs.values import EPOCH_2000, Value, date_from_text, date_time_from_text, time_from_text

TOU_REGISTERS = 48
BLOCKS = 4
BLOCK_COLUMNS = 8
FIRST_BLOCK_SCRIPT = 100
NO_THRESHOLD = 0xFFFFFFFF

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_BILLING_DAY, _BILLING_HOUR = 1, 12

Record = dict[str, Value]


def _records(value: Value) -> list[Record]:
    return [record for record in value if isinstance(record, dict)] if isinstance(value, list) else []


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class TariffCalendar:
    """Which script is active when, from the active attributes of the activity calendar and its special
    days."""

    def __init__(self, *, seasons: Value, weeks: Value, days: Value, special_days: Value) -> None:
        """The named values of class 20 attributes 3, 4 and 5 and of class 11 attribute 2."""
        self._seasons = [
            (date_time_from_text(row["season_start"]), str(row["week_name"])) for row in _records(seasons)
        ]
        self._weeks = {
            str(row["week_profile_name"]): tuple(_int(row[day]) for day in _WEEKDAYS)
            for row in _records(weeks)
        }
        self._days = {
            _int(row["day_identifier"]): [
                (_seconds(entry["start_time"]), _int(entry["script_selector"]))
                for entry in _records(row["day_schedule"])
            ]
            for row in _records(days)
        }
        self._special = [
            (date_from_text(row["date"]), _int(row["day_identifier"])) for row in _records(special_days)
        ]

    def switches(self, day: date) -> list[tuple[int, int]]:
        """The switch points of a day: seconds after midnight UTC and script, in order. Special days come
        first."""
        return sorted(self._days.get(self._day_identifier(day), []))

    def script_before(self, time: datetime) -> int:
        """The script that was selected last before or at `time`."""
        for days_back in range(8):
            day = time.date() - days_back * _DAY
            for seconds, script in reversed(self.switches(day)):
                if _midnight(day) + seconds * _SECOND <= time:
                    return script
        return 0

    def _day_identifier(self, day: date) -> int:
        for octets, identifier in self._special:
            year = int.from_bytes(octets[:2], "big")
            if year in {day.year, 0xFFFF} and (octets[2], octets[3]) == (day.month, day.day):
                return identifier
        week = self._weeks.get(self._week_name(day))
        return 0 if week is None else week[day.weekday()]

    def _week_name(self, day: date) -> str:
        """The week profile of the season that started last; a start without a year comes back every year."""
        latest: tuple[date, str] | None = None
        for octets, week_name in self._seasons:
            year = int.from_bytes(octets[:2], "big")
            years = (day.year, day.year - 1) if year == 0xFFFF else (year,)
            for candidate in years:
                start = date(candidate, octets[2], octets[3])
                if start <= day and (latest is None or start > latest[0]):
                    latest = (start, week_name)
        return "" if latest is None else latest[1]


def _seconds(text: Value) -> int:
    hour, minute, second, _ = time_from_text(text)
    return hour * 3600 + minute * 60 + second


@dataclass(slots=True)
class RateRegisters:
    """Thousandths of Wh: time-of-use registers, blocks by column, and the block counters of each column."""

    tou: list[int] = field(default_factory=lambda: [0] * TOU_REGISTERS)
    blocks: list[list[int]] = field(default_factory=lambda: [[0] * BLOCK_COLUMNS for _ in range(BLOCKS)])
    counters: list[int] = field(default_factory=lambda: [0] * BLOCK_COLUMNS)

    def add(self, script: int, energy: int, thresholds: list[list[int]]) -> None:
        """Give `energy` to the rate of `script`. Spec: SMETS 5.7.5.33; a threshold splits what crosses it."""
        if 1 <= script <= TOU_REGISTERS:
            self.tou[script - 1] += energy
            return
        column = script - FIRST_BLOCK_SCRIPT - 1
        if not 0 <= column < BLOCK_COLUMNS:
            self.tou[0] += energy  # no rate is active: nothing may be lost
            return
        while energy:
            block, room = self.block(column, thresholds)
            part = energy if room is None else min(energy, room)
            self.blocks[block][column] += part
            self.counters[column] += part
            energy -= part

    def block(self, column: int, thresholds: list[list[int]]) -> tuple[int, int | None]:
        """The active block of a column, and how much energy it still takes (None: no end)."""
        counter = self.counters[column]
        limits = thresholds[column] if column < len(thresholds) else []
        for block, limit in enumerate(limits[: BLOCKS - 1]):
            if limit == NO_THRESHOLD:
                return block, None
            if counter < limit * MILLI:
                return block, limit * MILLI - counter
        return min(len(limits), BLOCKS - 1), None


@dataclass(frozen=True, slots=True)
class DailyRead:
    """One entry of the daily read log, in Wh; `seconds` since 2000 by the device's clock, at midnight UTC."""

    seconds: int
    active_import: int
    tou: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]


class TariffRegisters:
    """The registers of all rates of one meter, brought up to date when they are read."""

    def __init__(self, meter: EnergyMeter, calendar: TariffCalendar, thresholds: list[list[int]]) -> None:
        """`thresholds`: for each column up to three, in Wh."""
        self._meter = meter
        self._calendar = calendar
        self._thresholds = thresholds
        first = meter.segments[0]
        self._registers = RateRegisters()
        # What the meter had measured when it was fitted belongs to the first register, so that the sums
        # agree.
        self._registers.tou[0] = first.start.active_import
        self._daily: deque[DailyRead] = deque(maxlen=DAILY_READ_LOG_ENTRIES)
        self._reached_us = first.start_us
        self._script = self._calendar.script_before(_device_time(first.start_us, first.offset_us))

    def at(self, now: datetime) -> RateRegisters:
        self._advance(microseconds(now))
        return self._registers

    def daily_reads(self, now: datetime, first: datetime | None, last: datetime | None) -> list[DailyRead]:
        """The daily read log in a window of device time, both bounds inclusive."""
        self._advance(microseconds(now))
        low = None if first is None else microseconds(first) // SECOND_US
        high = None if last is None else microseconds(last) // SECOND_US
        return [
            read
            for read in self._daily
            if (low is None or read.seconds >= low) and (high is None or read.seconds <= high)
        ]

    def script(self, now: datetime) -> int:
        """The active script; 0 when the calendar selects none."""
        self._advance(microseconds(now))
        return self._script

    def price_index(self, now: datetime) -> str:
        """The index of the active price in the charge table: `01` to `30`, or block letter and column
        (`A1`)."""
        script = self.script(now)
        column = script - FIRST_BLOCK_SCRIPT - 1
        if 0 <= column < BLOCK_COLUMNS:
            return f"{'ABCD'[self._registers.block(column, self._thresholds)[0]]}{column + 1}"
        return f"{script:02X}"

    def _advance(self, target_us: int) -> None:
        if target_us <= self._reached_us:
            return
        for start_us, end_us, segment in self._meter.pieces(self._reached_us, target_us):
            if not segment.clock_runs:
                self._add(start_us, end_us)
                continue
            time = _device_time(start_us, segment.offset_us)
            self._script = self._calendar.script_before(time)
            position = start_us
            for event_time, action in self._events(time, _device_time(end_us, segment.offset_us)):
                event_us = microseconds(event_time) - segment.offset_us
                self._add(position, event_us)
                position = event_us
                self._act(action, event_time, event_us)
            self._add(position, end_us)
        self._reached_us = target_us

    def _events(self, first: datetime, last: datetime) -> list[tuple[datetime, int | str]]:
        """What happens after `first` up to and including `last`: switches, ends of billing periods,
        midnights."""
        found: list[tuple[datetime, int, int | str]] = []
        day = first.date()
        while _midnight(day) <= last:
            midnight = _midnight(day)
            if day.day == _BILLING_DAY:
                found.append((midnight + timedelta(hours=_BILLING_HOUR), 0, "billing"))
            found += [
                (midnight + seconds * _SECOND, 1, script) for seconds, script in self._calendar.switches(day)
            ]
            found.append((midnight, 2, "midnight"))
            day += _DAY
        found = [event for event in found if first < event[0] <= last]
        return [(time, action) for time, _, action in sorted(found, key=lambda event: event[:2])]

    def _act(self, action: int | str, time: datetime, moment_us: int) -> None:
        if isinstance(action, int):
            self._script = action
        elif action == "billing":
            self._registers.counters = [0] * BLOCK_COLUMNS
        elif not self._daily or self._daily[-1].seconds < microseconds(time) // SECOND_US:
            self._daily.append(self._daily_read(time, whole(self._meter.reading(moment_us))))

    def _daily_read(self, time: datetime, reading: Energies) -> DailyRead:
        return DailyRead(
            microseconds(time) // SECOND_US,
            reading.active_import,
            tuple(value // MILLI for value in self._registers.tou),
            tuple(tuple(value // MILLI for value in row) for row in self._registers.blocks),
        )

    def _add(self, first_us: int, last_us: int) -> None:
        energy = self._meter.reading(last_us).active_import - self._meter.reading(first_us).active_import
        if energy > 0:
            self._registers.add(self._script, energy, self._thresholds)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=EPOCH_2000.tzinfo)


def _device_time(moment_us: int, offset_us: int) -> datetime:
    return EPOCH_2000 + timedelta(microseconds=moment_us + offset_us)
