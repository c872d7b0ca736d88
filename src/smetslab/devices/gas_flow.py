"""How much gas a household would burn: a deterministic function of its seed and the time, in millilitres.

Every half hour has its volume, made of integers alone so that every machine makes the same ones. Within a
half hour the flow is constant.
"""

from __future__ import annotations

import csv
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from hashlib import shake_128
from pathlib import Path
from typing import Protocol

from smetslab.devices.load import HALF_HOUR_US
from smetslab.errors import UsageError
from smetslab.gbcs.values import EPOCH_2000

_DAY_HALF_HOURS = 48
_DAY_US = _DAY_HALF_HOURS * HALF_HOUR_US
_DAYS_KEPT = 8
_EPOCH_DAY = EPOCH_2000.astimezone(UTC).date()

# Litres of gas of a centrally heated house in each half hour of a winter's day, from midnight.
_HEATING_L = (
    20, 10, 10, 10, 10, 10, 10, 10, 10, 20, 60, 160,
    300, 420, 460, 440, 360, 260, 180, 140, 120, 110, 100, 100,
    100, 100, 110, 120, 130, 150, 180, 230, 300, 380, 420, 440,
    430, 400, 360, 320, 280, 240, 200, 150, 100, 60, 40, 30,
)  # fmt: skip
_WATER_L = (
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5,
    20, 45, 55, 40, 20, 10, 5, 5, 5, 5, 5, 10,
    15, 10, 5, 5, 5, 5, 5, 10, 20, 30, 35, 30,
    25, 20, 20, 25, 30, 20, 10, 5, 0, 0, 0, 0,
)  # fmt: skip
_HEATING_PERMILLE = (1150, 1080, 860, 520, 220, 60, 20, 20, 110, 420, 800, 1080)
"""How much of a winter's heating each month needs in Britain."""


class DailyVolumes(Protocol):
    """Where volumes come from."""

    def day(self, number: int) -> tuple[int, ...]:
        """Millilitres of the 48 half hours of day `number`, counted from 2000-01-01, in UTC."""


@dataclass(frozen=True, slots=True)
class GasProfile:
    """A household made from a seed of 16 octets or more. `permille`: its size, 1000 is a terraced house."""

    seed: bytes
    permille: int = 1000

    def day(self, number: int) -> tuple[int, ...]:
        month = (_EPOCH_DAY + timedelta(days=number)).month - 1
        size = self.permille * (700 + int.from_bytes(self._chance(b"size", 0, 2), "big") % 601) // 1000
        cold = 600 + int.from_bytes(self._chance(b"cold", number, 2), "big") % 801
        heating = _HEATING_PERMILLE[month] * cold // 1000
        chance = self._chance(b"day", number, _DAY_HALF_HOURS)
        return tuple(
            (_HEATING_L[slot] * heating // 1000 + _WATER_L[slot])
            * size
            * (700 + chance[slot] * 600 // 255)
            // 1000
            for slot in range(_DAY_HALF_HOURS)
        )

    def _chance(self, purpose: bytes, number: int, count: int) -> bytes:
        return shake_128(self.seed + b"gas" + purpose + number.to_bytes(8, "big", signed=True)).digest(count)


@dataclass(frozen=True, slots=True)
class RecordedVolumes:
    """Half hours that were measured somewhere, by day; a day without data burns nothing."""

    days: dict[int, tuple[int, ...]]

    def day(self, number: int) -> tuple[int, ...]:
        return self.days.get(number, (0,) * _DAY_HALF_HOURS)

    @classmethod
    def read(cls, path: Path) -> RecordedVolumes:
        """A CSV file with a row per day: its date, then the cubic metres of 48 half hours from 00:00 UTC.

        Raises UsageError with row and reason.
        """
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.reader(file) if row]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {error}") from error
        return cls(dict(_recorded_day(path, place, row) for place, row in enumerate(rows, 1)))


def _recorded_day(path: Path, place: int, row: list[str]) -> tuple[int, tuple[int, ...]]:
    try:
        number = (date.fromisoformat(row[0]) - _EPOCH_DAY).days
        volumes = tuple(round(float(cell) * 1_000_000) for cell in row[1:])
    except ValueError as error:
        raise UsageError(f"{path} row {place}: {error}", hint="a date, then 48 volumes in m3") from error
    if len(volumes) != _DAY_HALF_HOURS or any(volume < 0 for volume in volumes):
        raise UsageError(f"{path} row {place}: {len(volumes)} volumes, expected 48 of 0 or more")
    return number, volumes


class GasFlow:
    """What would flow through an open valve, at any moment. Times are microseconds since 2000-01-01."""

    def __init__(self, volumes: DailyVolumes) -> None:
        self._volumes = volumes
        self._days: OrderedDict[int, tuple[int, ...]] = OrderedDict()

    def between(self, first_us: int, last_us: int) -> int:
        """Millilitres; additive within a half hour to the last one."""
        total = 0
        while first_us < last_us:
            border = (first_us // HALF_HOUR_US + 1) * HALF_HOUR_US
            end = min(border, last_us)
            volume = self._half_hour(first_us)
            start = border - HALF_HOUR_US
            total += volume * (end - start) // HALF_HOUR_US - volume * (first_us - start) // HALF_HOUR_US
            first_us = end
        return total

    def moment_of(self, volume_ml: int, from_us: int) -> int | None:
        """When so much more has flowed, if that is within the half hour of `from_us`; None otherwise."""
        rate = self._half_hour(from_us)
        border = (from_us // HALF_HOUR_US + 1) * HALF_HOUR_US
        if rate <= 0:
            return None
        start = border - HALF_HOUR_US
        flowed = rate * (from_us - start) // HALF_HOUR_US
        moment = start - (-(flowed + volume_ml) * HALF_HOUR_US // rate)
        return moment if moment < border else None

    def _half_hour(self, moment_us: int) -> int:
        number, rest = divmod(moment_us, _DAY_US)
        return self._day(number)[rest // HALF_HOUR_US]

    def _day(self, number: int) -> tuple[int, ...]:
        known = self._days.get(number)
        if known is None:
            known = self._volumes.day(number)
            self._days[number] = known
            if len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return known
