"""The voltage at a meter, and the monitors that watch it.

Voltage is a deterministic function of a seed and the time: constant during each half hour, in tenths of a
volt. A disturbance overrides it for a while. A monitor changes its mind when the voltage has been on the
other side of its threshold without a break for its period.

Spec: SMETS 5.7.4.4 to 5.7.4.6, 5.7.5.34 to 5.7.5.41; GBCS 16.2 (0x8002 to 0x809C).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import shake_128

from smetslab.devices.load import DAY_US, HALF_HOUR_US
from smetslab.gbcs.values import EPOCH_2000

NOMINAL_DV = 2_400
LOWEST_DV, HIGHEST_DV = 2_260, 2_490
"""Tenths of a volt that a household sees at the worst, without disturbances."""

_SLOTS = 48
_EVENING_DROP_DV = (0,) * 32 + (20, 35, 50, 60, 65, 60, 50, 40, 30, 20, 10, 5) + (0,) * 4


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A voltage that is forced upon one phase. `end_us` None: until it is lifted."""

    phase: int
    level_dv: int
    start_us: int
    end_us: int | None = None


@dataclass(slots=True)
class Voltage:
    """The voltage of up to three phases. Times are microseconds of laboratory time since 2000."""

    seed: bytes
    disturbances: list[Disturbance] = field(default_factory=list)
    _days: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)

    def _day(self, phase: int, number: int) -> tuple[int, ...]:
        known = self._days.get((phase, number))
        if known is None:
            if len(self._days) > 16:
                self._days.clear()
            chance = shake_128(self.seed + bytes((phase,)) + number.to_bytes(4, "big")).digest(_SLOTS + 1)
            summer = 10 if (EPOCH_2000 + timedelta(days=number)).month in range(4, 10) else 0
            day = chance[-1] % 41 - 20
            known = tuple(
                max(LOWEST_DV, min(HIGHEST_DV, NOMINAL_DV + summer + day + chance[slot] % 61 - 30 - drop))
                for slot, drop in enumerate(_EVENING_DROP_DV)
            )
            self._days[phase, number] = known
        return known

    def pieces(self, phase: int, first_us: int, last_us: int) -> Iterator[tuple[int, int, int]]:
        """Start, end and level of each stretch of constant voltage between two moments."""
        active = [d for d in self.disturbances if d.phase == phase]
        position = first_us
        while position < last_us:
            end = min(last_us, (position // HALF_HOUR_US + 1) * HALF_HOUR_US)
            level = self._day(phase, position // DAY_US)[position % DAY_US // HALF_HOUR_US]
            for disturbance in active:
                over = disturbance.end_us
                if disturbance.start_us <= position and (over is None or position < over):
                    level = disturbance.level_dv
                    end = end if over is None else min(end, over)
                elif disturbance.start_us > position:
                    end = min(end, disturbance.start_us)
            yield position, end, level
            position = end

    def level_dv(self, phase: int, moment_us: int) -> int:
        """Tenths of a volt at a moment."""
        return next(self.pieces(phase, moment_us, moment_us + 1))[2]

    def mean_dv(self, phase: int, first_us: int, last_us: int) -> int:
        """The average over a period, rounded down."""
        total = sum((end - start) * level for start, end, level in self.pieces(phase, first_us, last_us))
        return total // (last_us - first_us)

    def may_leave(self, phase: int, low_dv: int, high_dv: int) -> bool:
        """Whether the voltage can ever be outside these limits."""
        disturbed = any(d.phase == phase for d in self.disturbances)
        return disturbed or low_dv > LOWEST_DV or high_dv < HIGHEST_DV


@dataclass(slots=True)
class Monitor:
    """Watches one threshold of one phase. `above`: a breach is a voltage above it. `period_us` 0: off."""

    phase: int
    above: bool
    breach_code: int
    return_code: int
    breached: bool = False
    since_us: int | None = None

    def beyond(self, level_dv: int, threshold_dv: int) -> bool:
        return level_dv > threshold_dv if self.above else level_dv < threshold_dv

    def advance(
        self, voltage: Voltage, first_us: int, last_us: int, threshold_dv: int, period_us: int
    ) -> Iterator[tuple[int, int]]:
        """Work through a stretch: the moments at which it changes its mind, with the code of each."""
        for start, end, level in voltage.pieces(self.phase, first_us, last_us):
            if self.beyond(level, threshold_dv) is self.breached:
                self.since_us = None
                continue
            since = start if self.since_us is None else self.since_us
            self.since_us = since
            if since + period_us <= end:
                self.breached = not self.breached
                self.since_us = None
                yield since + period_us, self.breach_code if self.breached else self.return_code

    def next_change_us(
        self, voltage: Voltage, first_us: int, last_us: int, threshold_dv: int, period_us: int
    ) -> int | None:
        """When it changes its mind next, before a moment; nothing changes."""
        limits = (0, threshold_dv) if self.above else (threshold_dv, 1 << 20)
        if not self.breached and self.since_us is None and not voltage.may_leave(self.phase, *limits):
            return None
        copy = Monitor(self.phase, self.above, 0, 0, self.breached, self.since_us)
        found = next(copy.advance(voltage, first_us, last_us, threshold_dv, period_us), None)
        return None if found is None else found[0]
