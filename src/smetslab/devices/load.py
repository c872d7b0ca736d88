"""What a household draws and generates: a deterministic function of its seed and the time.

Every half hour has its energies, in thousandths of a watt hour, made of integers alone so that every machine
makes the same ones. Within a half hour power is constant.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, timedelta
from hashlib import shake_128
from itertools import accumulate, chain
from operator import sub
from typing import NamedTuple, Protocol

from smetslab.gbcs.values import EPOCH_2000

HALF_HOUR_US = 1_800_000_000
_DAY_HALF_HOURS = 48
DAY_US = _DAY_HALF_HOURS * HALF_HOUR_US

# Watts of an average household at the start of each half hour, from midnight: asleep, breakfast, day, evening
# peak.
_WORKDAY_W = (
    210, 195, 185, 180, 175, 172, 170, 170, 172, 178, 190, 230,
    330, 520, 690, 720, 610, 480, 410, 380, 360, 350, 350, 360,
    400, 410, 390, 370, 360, 370, 410, 490, 640, 860, 1040, 1150,
    1180, 1120, 1030, 950, 870, 800, 730, 650, 540, 430, 330, 260,
)  # fmt: skip
_WEEKEND_W = (
    250, 220, 205, 195, 185, 180, 175, 172, 172, 175, 180, 190,
    215, 260, 340, 450, 580, 690, 740, 730, 690, 660, 650, 670,
    720, 730, 680, 620, 580, 570, 590, 640, 740, 880, 990, 1060,
    1070, 1010, 940, 880, 820, 770, 710, 640, 560, 470, 380, 300,
)  # fmt: skip
_MONTH_PERMILLE = (1220, 1180, 1090, 980, 900, 850, 830, 840, 900, 990, 1110, 1230)
"""Winter needs more light and heat than summer."""

_SUN_PERMILLE = tuple(max(0, 1000 - (abs(2 * slot - 47) * 1000) // 26) for slot in range(_DAY_HALF_HOURS))
"""A roof in Britain over the day, noon at its highest."""
_SUN_MONTH_PERMILLE = (180, 300, 480, 680, 820, 900, 880, 780, 600, 400, 230, 150)


class Energies(NamedTuple):
    """Thousandths of Wh and varh. `secondary_import` is that of a second element, beside the first."""

    active_import: int = 0
    reactive_import: int = 0
    active_export: int = 0
    reactive_export: int = 0
    secondary_import: int = 0

    def plus(self, other: Energies) -> Energies:
        return Energies(
            self.active_import + other.active_import,
            self.reactive_import + other.reactive_import,
            self.active_export + other.active_export,
            self.reactive_export + other.reactive_export,
            self.secondary_import + other.secondary_import,
        )

    def minus(self, other: Energies) -> Energies:
        return Energies(
            self.active_import - other.active_import,
            self.reactive_import - other.reactive_import,
            self.active_export - other.active_export,
            self.reactive_export - other.reactive_export,
            self.secondary_import - other.secondary_import,
        )

    def share(self, part: int, whole: int) -> Energies:
        return Energies(
            self.active_import * part // whole,
            self.reactive_import * part // whole,
            self.active_export * part // whole,
            self.reactive_export * part // whole,
            self.secondary_import * part // whole,
        )


class Load(Protocol):
    """What flows through a meter, whoever draws it."""

    def day(self, number: int) -> tuple[Energies, ...]:
        """The energies of the 48 half hours of day `number`, counted from 2000-01-01, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """One household. `seed`: 16 octets or more; `generation_peak_w`: its solar panels, 0 for none;
    `scale_percent`: how much of an average household it is, 0 for none at all; `heating_w`: storage heaters
    on a second element, charged from 00:00 to 07:00 UTC, more in winter."""

    seed: bytes
    generation_peak_w: int = 0
    scale_percent: int = 100
    heating_w: int = 0

    def day(self, number: int) -> tuple[Energies, ...]:
        """The energies of the 48 half hours of day `number`, counted from 2000-01-01, in UTC."""
        day = _EPOCH_DAY + timedelta(days=number)
        shape = _WEEKEND_W if day.weekday() >= 5 else _WORKDAY_W
        size = (700 + int.from_bytes(self._chance(b"size", 0, 2), "big") % 701) * self.scale_percent // 100
        season = _MONTH_PERMILLE[day.month - 1]
        sky = 250 + int.from_bytes(self._chance(b"sky", number, 2), "big") % 751
        peak_w = self.generation_peak_w * _SUN_MONTH_PERMILLE[day.month - 1] // 1000 * sky // 1000
        heating_w = self.heating_w * max(0, season - 850) // 380
        chance = self._chance(b"day", number, 5 * _DAY_HALF_HOURS)
        energies: list[Energies] = []
        for slot in range(_DAY_HALF_HOURS):
            level, event, extra, phase, cloud = chance[5 * slot : 5 * slot + 5]
            power_w = shape[slot] * season // 1000 * size // 1000 * (700 + level * 600 // 255) // 1000
            if event < 18 and slot >= 12:
                power_w += (900 + extra * 6) * self.scale_percent // 100  # an oven, a shower, a kettle
            if peak_w:
                power_w -= peak_w * _SUN_PERMILLE[slot] // 1000 * (800 + cloud * 200 // 255) // 1000
            drawn, fed = max(power_w, 0), max(-power_w, 0)
            heated = heating_w if slot < _HEATING_SLOTS else 0
            # Half an hour of one watt is 500 thousandths of a watt hour.
            energies.append(
                Energies(
                    drawn * 500,
                    drawn * (120 + phase) // 2,
                    fed * 500,
                    fed * (120 + phase) // 8,
                    heated * 500,
                )
            )
        return tuple(energies)

    def _chance(self, purpose: bytes, number: int, count: int) -> bytes:
        return shake_128(self.seed + purpose + number.to_bytes(8, "big", signed=True)).digest(count)


_HEATING_SLOTS = 14
_EPOCH_DAY = EPOCH_2000.astimezone(UTC).date()
_DAYS_KEPT = 3
_PEAKS_KEPT = 32
_FIELDS = len(Energies._fields)


class Consumption:
    """Cumulative energies of a household since the day of `origin_us`, as if its supply were never off.

    Times are microseconds since 2000-01-01. Days are added up once, in order, as far as somebody has asked.
    """

    def __init__(self, load: Load, origin_us: int) -> None:
        self._load = load
        self._first = origin_us // DAY_US
        self._sums = array("q", bytes(8 * _FIELDS))
        self._days: OrderedDict[int, array[int]] = OrderedDict()
        self._peaks: dict[int, Energies] = {}

    def at(self, moment_us: int) -> Energies:
        """Monotonic, and additive to the last thousandth: at(b) - at(a) + at(c) - at(b) == at(c) - at(a)."""
        day, rest_us = divmod(moment_us, DAY_US)
        place = day - self._first
        if place < 0:
            return Energies()
        while len(self._sums) <= place * _FIELDS:
            reached = len(self._sums) // _FIELDS
            last = Energies._make(self._sums[-_FIELDS:])
            self._sums.extend(last.plus(_border(self._day(self._first + reached - 1), _DAY_HALF_HOURS)))
        slot, part_us = divmod(rest_us, HALF_HOUR_US)
        # Added up by hand: a meter asks some hundred thousand times a year.
        a0, a1, a2, a3, a4 = self._sums[place * _FIELDS : (place + 1) * _FIELDS]
        within = self._day(day)
        at = slot * _FIELDS
        if not part_us:
            b0, b1, b2, b3, b4 = within[at : at + _FIELDS]
            return Energies(a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4)
        b0, b1, b2, b3, b4, c0, c1, c2, c3, c4 = within[at : at + 2 * _FIELDS]
        return Energies(
            a0 + b0 + (c0 - b0) * part_us // HALF_HOUR_US,
            a1 + b1 + (c1 - b1) * part_us // HALF_HOUR_US,
            a2 + b2 + (c2 - b2) * part_us // HALF_HOUR_US,
            a3 + b3 + (c3 - b3) * part_us // HALF_HOUR_US,
            a4 + b4 + (c4 - b4) * part_us // HALF_HOUR_US,
        )

    def between(self, first_us: int, last_us: int) -> Energies:
        return self.at(last_us).minus(self.at(first_us))

    def power_w(self, moment_us: int) -> Energies:
        """Mean power in W and var during the half hour of `moment_us`: as Energies, without thousandths."""
        day, rest_us = divmod(moment_us, DAY_US)
        slot = rest_us // HALF_HOUR_US
        within = self._day(day)
        return Energies(*(value // 500 for value in _border(within, slot + 1).minus(_border(within, slot))))

    def peak_w(self, day: int) -> Energies:
        """The highest mean power of any half hour of a day, each for itself."""
        known = self._peaks.get(day)
        if known is None:
            if len(self._peaks) > _PEAKS_KEPT:
                self._peaks.clear()
            within = self._day(day)
            fields = (within[place::_FIELDS] for place in range(_FIELDS))
            known = Energies(*(max(map(sub, one[1:], one)) // 500 for one in fields))
            self._peaks[day] = known
        return known

    def _day(self, number: int) -> array[int]:
        """The cumulative energies at the 49 borders of the half hours of a day, flat, to be small."""
        known = self._days.get(number)
        if known is None:
            columns = (accumulate(column, initial=0) for column in zip(*self._load.day(number), strict=True))
            known = array("q", chain.from_iterable(zip(*columns, strict=True)))
            self._days[number] = known
            if len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return known


def _border(day: array[int], slot: int) -> Energies:
    """What a day has come to at one border of its half hours."""
    return Energies._make(day[slot * _FIELDS : (slot + 1) * _FIELDS])
