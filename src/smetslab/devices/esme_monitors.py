"""What an ESME watches besides money: load limit, voltage, interruptions.

Spec: SMETS 5.6.3.7, 5.7.4 (Load Limit), 5.7.5.34 to 5.7.5.41 (voltage); GBCS 16.2; use cases ECS28a, ECS29a,
ECS80.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from smetslab.devices import events
from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.esme_alerts import LONG_OUTAGE, EsmeAlerts
from smetslab.devices.esme_duties import EsmeDuties
from smetslab.devices.limits import VOLTAGE_LOG_ENTRIES
from smetslab.devices.load import DAY_US, HALF_HOUR_US
from smetslab.devices.metering import SECOND_US, EnergyMeter, microseconds
from smetslab.devices.quirks import Quirks
from smetslab.devices.supply import SupplyEvent
from smetslab.devices.voltage import Monitor, Voltage
from smetslab.devices.work import Work
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import CompactArray, Data, StructureDescription, Tag

_AHEAD_DAYS = 14
_MOST_PERIODS = 1000
_OUTSIDE = ("rms_extreme_over_voltage", "rms_voltage_swell", "rms_extreme_under_voltage", "rms_voltage_sag")
_BREACH = (0x8020, 0x8024, 0x8028, 0x802C)
_RETURN = (0x808D, 0x8091, 0x8095, 0x8099)
_ABOVE = (True, True, False, False)
AVERAGE_OVER, AVERAGE_UNDER = (0x8002, 0x8085), (0x8006, 0x8089)
_DECI = 10

WATCHED_ATTRIBUTES = (
    "load_limit_power_threshold",
    "load_limit_period",
    "load_limit_restoration_period",
    "load_limit_supply_state",
    *(f"{name}_{part}" for name in _OUTSIDE for part in ("threshold", "measurement_period")),
    *(
        f"phase_{phase}_average_rms_{part}"
        for phase in (1, 2, 3)
        for part in ("over_voltage_threshold", "under_voltage_threshold", "voltage_measurement_period")
    ),
)
"""What a supplier or a network operator sets of the monitors."""


class Parts(Protocol):
    """The parts of a meter that are watched and told."""

    application: Application
    server: CosemServer
    clock: DeviceClock
    meter: EnergyMeter
    alerts: EsmeAlerts
    duties: EsmeDuties
    quirks: Quirks


@dataclass(slots=True)
class _Average:
    """The average of one phase: `state` 1 above, -1 below, 0 inside; the period that ends next."""

    phase: int
    state: int = 0


class EsmeMonitors:
    """The monitors of one meter while it has power; a power cut starts every period anew."""

    def __init__(self, parts: Parts, voltage: Voltage, *, phases: int, now: datetime) -> None:
        self._parts = parts
        self._voltage = voltage
        self._phases = range(1, phases + 1)
        self._suffix = phases > 1
        self._reached_us = microseconds(now)
        self._over_since_us: int | None = None
        self._over_told = False
        self._restore_at_us: int | None = None
        self._monitors = [
            (name, Monitor(phase, above, breach + self._place(phase), back + self._place(phase)))
            for phase in self._phases
            for name, breach, back, above in zip(_OUTSIDE, _BREACH, _RETURN, _ABOVE, strict=True)
        ]
        self._averages = [_Average(phase) for phase in self._phases]
        self._next_us: int | None = None

    def _place(self, phase: int) -> int:
        """Codes of single-phase meters come first, then those of the phases."""
        return phase if self._suffix else 0

    def changed(self) -> None:
        """Thresholds, load or voltage have changed: look ahead anew."""
        self._next_us = None

    # ---------------------------------------------------------------------------- time

    def next_deadline_us(self) -> int:
        """When `tick` is due, in laboratory time."""
        if self._next_us is None:
            self._next_us = self._look_ahead()
        return self._next_us

    def _look_ahead(self) -> int:
        horizon_us = (self._reached_us // DAY_US + _AHEAD_DAYS) * DAY_US
        due = [horizon_us]
        if self._restore_at_us is not None:
            due.append(self._restore_at_us)
        due += self._overload_from(horizon_us)
        for name, monitor in self._monitors:
            threshold_dv, period_us = self._limits(name)
            if period_us:
                at = monitor.next_change_us(
                    self._voltage, self._reached_us, horizon_us, threshold_dv, period_us
                )
                due += [] if at is None else [at]
        for average in self._averages:
            due += self._next_average(average, horizon_us)
        return max(self._reached_us + 1, min(due))

    def tick(self, work: Work) -> None:
        """Work through everything up to now."""
        now_us = microseconds(work.now)
        if now_us <= self._reached_us:
            return
        first_us, self._reached_us = self._reached_us, now_us
        self._watch_load(work, first_us, now_us)
        if self._parts.meter.segments[-1].powered:
            self._watch_voltage(work, first_us, now_us)
        self._next_us = None

    # ---------------------------------------------------------------------------- load limit

    def _limit(self) -> tuple[int, int, int, bool]:
        """Threshold in W, period and restoration period in us, whether supply is disabled."""
        server = self._parts.server
        return (
            server.number("load_limit_power_threshold"),
            server.number("load_limit_period") * SECOND_US,
            server.number("load_limit_restoration_period") * SECOND_US,
            server.value("load_limit_supply_state") in {True, "Disable"},
        )

    def _power_w(self, moment_us: int) -> int:
        power = self._parts.meter.load_power_w(moment_us)
        return power.active_import + power.secondary_import

    def _slots(self, first_us: int, last_us: int) -> Iterator[tuple[int, int]]:
        """The stretches of constant power, skipping days without any above the limit."""
        threshold = self._limit()[0]
        position = first_us
        while position < last_us:
            end = min(last_us, (position // HALF_HOUR_US + 1) * HALF_HOUR_US)
            if self._over_since_us is None and not self._over_told:
                peak = self._parts.meter.load_peak_w(position // DAY_US)
                if peak <= threshold:
                    position = min(last_us, (position // DAY_US + 1) * DAY_US)
                    continue
            yield position, end
            position = end

    def _overload_from(self, horizon_us: int) -> list[int]:
        """When the power has been above the limit for its period, if it will be."""
        threshold, period_us, _, _ = self._limit()
        if not threshold or not self._parts.meter.segments[-1].flows:
            return []
        since = self._over_since_us
        for start, end in self._slots(self._reached_us, horizon_us):
            if self._power_w(start) <= threshold:
                since = None
                if self._over_told:
                    return [start + 1]
                continue
            since = start if since is None else since
            if not self._over_told and since + period_us <= end:
                return [max(since + period_us, start)]
        return []

    def _watch_load(self, work: Work, first_us: int, last_us: int) -> None:
        if self._restore_at_us is not None and last_us >= self._restore_at_us:
            self._restore_at_us = None
            self._parts.duties.switch(work, SupplyEvent.LOAD_LIMIT_RESTORED)
            return
        threshold, period_us, restoration_us, disables = self._limit()
        if not threshold or not self._parts.meter.segments[-1].flows:
            self._over_since_us, self._over_told = None, False
            return
        for start, end in self._slots(first_us, last_us):
            if self._power_w(start) <= threshold:
                self._over_since_us, self._over_told = None, False
                continue
            since = start if self._over_since_us is None else self._over_since_us
            self._over_since_us = since
            if not self._over_told and since + period_us <= end:
                self._exceeded(work, restoration_us if disables else None)
                if disables:
                    return

    def _exceeded(self, work: Work, restoration_us: int | None) -> None:
        """Count it and tell it; `restoration_us` None: the supply stays. Spec: SMETS 5.6.3.7."""
        server, application = self._parts.server, self._parts.application
        server.put(work, "load_limit_counter", server.number("load_limit_counter") + 1)
        application.raise_event(work, events.IMPORT_ABOVE_LOAD_LIMIT)
        self._over_told = True
        if restoration_us is not None:
            self._parts.duties.switch(work, SupplyEvent.LOAD_LIMIT_EXCEEDED)
            self._over_since_us, self._over_told = None, False
            self._restore_at_us = microseconds(work.now) + restoration_us

    # ---------------------------------------------------------------------------- voltage

    def _limits(self, name: str) -> tuple[int, int]:
        """Threshold in tenths of a volt and period in us."""
        server = self._parts.server
        period = server.number(f"{name}_measurement_period")
        return server.number(f"{name}_threshold") * _DECI, period * SECOND_US

    def _average_limits(self, phase: int) -> tuple[int, int, int]:
        """Thresholds above and below in tenths of a volt, period in us."""
        server, name = self._parts.server, f"phase_{phase}_average_rms"
        return (
            server.number(f"{name}_over_voltage_threshold") * _DECI,
            server.number(f"{name}_under_voltage_threshold") * _DECI,
            server.number(f"{name}_voltage_measurement_period") * SECOND_US,
        )

    def _watch_voltage(self, work: Work, first_us: int, last_us: int) -> None:
        told: list[tuple[int, int]] = []
        for name, monitor in self._monitors:
            threshold_dv, period_us = self._limits(name)
            if period_us:
                told += monitor.advance(self._voltage, first_us, last_us, threshold_dv, period_us)
        for average in self._averages:
            told += self._advance_average(work, average, first_us, last_us)
        for _, code in sorted(told):
            self._parts.application.raise_event(work, code)

    def _periods(self, first_us: int, last_us: int, period_us: int) -> Iterator[tuple[int, int]]:
        """The whole measurement periods that end after one moment, up to and including another."""
        offset_us = self._parts.meter.segments[-1].offset_us
        end = ((first_us + offset_us) // period_us + 1) * period_us - offset_us
        while end <= last_us:
            if end - period_us >= self._parts.meter.powered_since_us:
                yield end - period_us, end
            end += period_us

    def _judge(self, phase: int, first_us: int, last_us: int) -> int:
        over_dv, under_dv, _ = self._average_limits(phase)
        mean_dv = self._voltage.mean_dv(phase, first_us, last_us)
        return 1 if mean_dv > over_dv else -1 if mean_dv < under_dv else 0

    def _watched(self, average: _Average) -> bool:
        over_dv, under_dv, period_us = self._average_limits(average.phase)
        away = average.state != 0 or self._voltage.may_leave(average.phase, under_dv, over_dv)
        return bool(period_us) and away

    def _next_average(self, average: _Average, horizon_us: int) -> list[int]:
        if not self._watched(average):
            return []
        period_us = self._average_limits(average.phase)[2]
        periods = self._periods(self._reached_us, horizon_us, period_us)
        for number, (first_us, last_us) in enumerate(periods, 1):
            # Of short periods only some are looked at in one go: a wake without a change harms nobody.
            if number == _MOST_PERIODS or self._judge(average.phase, first_us, last_us) != average.state:
                return [last_us]
        return []

    def _advance_average(
        self, work: Work, average: _Average, first_us: int, last_us: int
    ) -> Iterator[tuple[int, int]]:
        """A counter goes up in the first period of a breach; that and the first period back inside are
        told."""
        if not self._watched(average):
            return
        place = self._place(average.phase)
        for start, end in self._periods(first_us, last_us, self._average_limits(average.phase)[2]):
            before, average.state = average.state, self._judge(average.phase, start, end)
            if before == average.state:
                continue
            if before:
                yield end, (AVERAGE_OVER if before > 0 else AVERAGE_UNDER)[1] + place
            if average.state:
                side = "over" if average.state > 0 else "under"
                counter = f"phase_{average.phase}_average_rms_{side}_voltage_counter"
                self._parts.server.put(work, counter, self._parts.server.number(counter) + 1)
                yield end, (AVERAGE_OVER if average.state > 0 else AVERAGE_UNDER)[0] + place

    def profile(self, phase: int, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        """The log of averages, in volts; periods without power are not in it."""
        period_us = self._average_limits(phase)[2]
        rows: list[Data] = []
        if period_us:
            offset_us = self._parts.meter.segments[-1].offset_us
            now_us = microseconds(now)
            oldest_us = max(self._parts.meter.segments[0].start_us, now_us - VOLTAGE_LOG_ENTRIES * period_us)
            if first is not None:
                oldest_us = max(oldest_us, microseconds(first) - offset_us - 1)
            newest_us = now_us if last is None else min(now_us, microseconds(last) - offset_us)
            end = ((oldest_us + offset_us) // period_us + 1) * period_us - offset_us
            while end <= newest_us:
                if self._parts.meter.powered_during(end - period_us, end):
                    volts = self._voltage.mean_dv(phase, end - period_us, end) // _DECI
                    rows.append(
                        axdr.structure(
                            axdr.double_long_unsigned((end + offset_us) // SECOND_US),
                            axdr.double_long_unsigned(volts),
                        )
                    )
                end += period_us
        return CompactArray(
            StructureDescription((Tag.DOUBLE_LONG_UNSIGNED, Tag.DOUBLE_LONG_UNSIGNED)), tuple(rows)
        )

    # ---------------------------------------------------------------------------- interruptions

    def power_restored(self, work: Work, off_since: datetime) -> None:
        """Log an interruption with both its times, and tell the network operator. Spec: GBCS use case
        ECS80."""
        parts = self._parts
        interrupted, restored = parts.clock.time(off_since), parts.clock.time(work.now)
        log = parts.application.logs["power"]
        log.append(work, events.SUPPLY_INTERRUPTED, interrupted)
        long = restored - interrupted >= LONG_OUTAGE
        log.append(work, events.SUPPLY_RESTORED_AFTER_LONG if long else events.SUPPLY_RESTORED, restored)
        if not parts.quirks.outage_not_told:
            parts.alerts.supply_restored(work, interrupted, restored)
