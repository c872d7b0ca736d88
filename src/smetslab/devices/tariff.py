"""The tariff of an ESME: which rate is active when, and the registers of each rate.

A script of the tariff script table selects a rate: 1 to 48 a time-of-use register, 101 to 108 a time-of-use
column whose energy goes through the blocks.

Spec: SMETS 5.7.4.47, 5.7.5.33 to 35; GBCS use cases ECS17d, ECS17e, ECS21a, ECS24.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from smetslab.devices.metering import MILLI
from smetslab.devices.schedule import midnight
from smetslab.gbcs.values import Value, date_from_text, date_time_from_text, time_from_text
from smetslab.store import Json

TOU_REGISTERS = 48
BLOCKS = 4
BLOCK_COLUMNS = 8
FIRST_BLOCK_SCRIPT = 100
NO_THRESHOLD = 0xFFFFFFFF

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

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
        """The script that was selected last before or at `time`; 0: none in the week before."""
        for days_back in range(8):
            day = time.date() - days_back * _DAY
            for seconds, script in reversed(self.switches(day)):
                if midnight(day) + seconds * _SECOND <= time:
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


def price_index(script: int, block: int = 0) -> str:
    """The index of a price in the charge table: `01` to `30`, or block letter and column (`A1`)."""
    column = script - FIRST_BLOCK_SCRIPT - 1
    if 0 <= column < BLOCK_COLUMNS:
        return f"{'ABCD'[block]}{column + 1}"
    return f"{script:02X}"


@dataclass(slots=True)
class RateRegisters:
    """Thousandths of Wh: time-of-use registers, blocks by column, and the block counters of each column."""

    tou: list[int] = field(default_factory=lambda: [0] * TOU_REGISTERS)
    blocks: list[list[int]] = field(default_factory=lambda: [[0] * BLOCK_COLUMNS for _ in range(BLOCKS)])
    counters: list[int] = field(default_factory=lambda: [0] * BLOCK_COLUMNS)

    def add(self, script: int, energy: int, thresholds: list[list[int]]) -> list[tuple[str, int]]:
        """Give `energy` to the rate of `script`; returns the index of each price and its part of the energy.

        Spec: SMETS 5.7.5.33; a threshold splits what crosses it.
        """
        column = script - FIRST_BLOCK_SCRIPT - 1
        if not 0 <= column < BLOCK_COLUMNS:
            # Where no rate is active the first register takes it: nothing may be lost.
            self.tou[script - 1 if 1 <= script <= TOU_REGISTERS else 0] += energy
            return [(price_index(script), energy)]
        parts: list[tuple[str, int]] = []
        while energy:
            block, room = self.block(column, thresholds)
            part = energy if room is None else min(energy, room)
            self.blocks[block][column] += part
            self.counters[column] += part
            energy -= part
            parts.append((price_index(script, block), part))
        return parts

    def parts(self, script: int, energy: int, thresholds: list[list[int]]) -> list[tuple[str, int]]:
        """What `add` would return; nothing changes."""
        column = script - FIRST_BLOCK_SCRIPT - 1
        if not 0 <= column < BLOCK_COLUMNS:
            return [(price_index(script), energy)]
        before = self.counters[column]
        blocks = [row[column] for row in self.blocks]
        parts = self.add(script, energy, thresholds)
        self.counters[column] = before
        for row, value in zip(self.blocks, blocks, strict=True):
            row[column] = value
        return parts

    def reset_counters(self) -> None:
        """The block counters begin anew; registers never do. Spec: SMETS 5.7.5.35."""
        self.counters = [0] * BLOCK_COLUMNS

    def to_json(self) -> Json:
        """For non-volatile memory."""
        rows: list[Json] = [list(row) for row in (self.tou, *self.blocks, self.counters)]
        return rows

    @classmethod
    def from_json(cls, record: Json) -> RateRegisters:
        """What `to_json` made. Raises ValueError on anything else."""
        match record:
            case [[*tou], *blocks, [*counters]] if len(blocks) == BLOCKS:
                rows = [[int(str(value)) for value in row] for row in blocks if isinstance(row, list)]
                return cls([int(str(v)) for v in tou], rows, [int(str(v)) for v in counters])
            case _:
                raise ValueError("not the registers of a tariff")

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
