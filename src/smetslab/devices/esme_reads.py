"""What an ESME computes when it is read: power, registers of all rates, profiles and daily logs.

Spec: SMETS 5.7.5; GBCS use cases ECS17b to ECS17e, ECS21a to ECS22c, ECS26c, ECS35a, ECS35b, ECS66.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import BufferSource, Computed, CosemServer
from smetslab.devices.esme_objects.common import WATT
from smetslab.devices.event_log import EventLog
from smetslab.devices.limits import DAILY_CONSUMPTION_ENTRIES, DAILY_READ_LOG_ENTRIES, EXPORT_LOG_ENTRIES
from smetslab.devices.load import Energies
from smetslab.devices.metering import EnergyMeter, microseconds, whole
from smetslab.devices.tariff import TariffRegisters
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import CompactArray, Data, StructureDescription, Tag
from smetslab.gbcs.values import seconds_since_2000

_DAY = timedelta(days=1)
_POWER_WINDOW = timedelta(seconds=10)
"""Over how long active power is averaged. Unverified."""

_UNSIGNED = Tag.DOUBLE_LONG_UNSIGNED
_PAIR = StructureDescription((_UNSIGNED, _UNSIGNED))
_TRIPLE = StructureDescription((_UNSIGNED, _UNSIGNED, _UNSIGNED))
_EVENT = StructureDescription((_UNSIGNED, Tag.LONG_UNSIGNED, Tag.OCTET_STRING))
_SECURITY = StructureDescription((_UNSIGNED, Tag.LONG_UNSIGNED))

_NO_THRESHOLD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class EsmeReads:
    """Computed attributes and logs of one meter. `tariff` and `server` are there once the meter is built."""

    meter: EnergyMeter
    clock: DeviceClock
    application: Application
    tariff: Callable[[], TariffRegisters]
    server: Callable[[], CosemServer]

    def computed(self) -> Mapping[str, Computed]:
        return {
            "power_import_collection": self._power,
            "tariff_tou_register_collection": self._tou_registers,
            "tariff_block_tou_register_collection": self._block_registers,
            "randomised_offset": self._randomised_offset,
        }

    def buffers(self) -> Mapping[str, BufferSource]:
        return {
            "profile_data_log_export": self._export_profile,
            "profile_data_log_reactive_import": self._reactive_profile,
            "daily_read_log_export": self._daily_export,
            "daily_consumption_log": self._daily_consumption,
            "event_log": lambda _now, first, last: _events(self.application.event_log, first, last),
            "security_log": lambda _now, first, last: _security(self.application.security_log, first, last),
        }

    # ---------------------------------------------------------------------------- registers

    def _power(self, now: datetime) -> Data:
        seconds = _POWER_WINDOW // timedelta(seconds=1)
        before = self.meter.reading(microseconds(now - _POWER_WINDOW))
        energy_mwh = self.meter.reading(microseconds(now)).active_import - before.active_import
        power_w = axdr.double_long_unsigned(energy_mwh * 3600 // seconds // 1000)
        return axdr.structure(power_w, axdr.structure(axdr.integer(0), axdr.enum(WATT)), power_w)

    def _tou_registers(self, now: datetime) -> Data:
        registers = self.tariff().at(now)
        return axdr.structure(_array(value // 1000 for value in registers.tou))

    def _block_registers(self, now: datetime) -> Data:
        """For each block eight registers, then its share of the eight counters."""
        registers = self.tariff().at(now)
        values: list[int] = []
        for block, row in enumerate(registers.blocks):
            values += [value // 1000 for value in row]
            values += [
                self._share(column, counter, block) for column, counter in enumerate(registers.counters)
            ]
        return axdr.structure(_array(values))

    def _share(self, column: int, counter: int, block: int) -> int:
        """How much of the counter of a column lies in a block, in Wh."""
        limits = self.server().value(f"tariff_threshold_matrix_tou_{column + 1}")
        found = [limit for limit in limits if isinstance(limit, int)] if isinstance(limits, list) else []
        borders = [0, *(limit for limit in found if limit != _NO_THRESHOLD), counter // 1000]
        if block + 1 >= len(borders):
            return 0
        return max(0, min(counter // 1000, borders[block + 1]) - borders[block])

    def _randomised_offset(self, now: datetime) -> Data:
        """Spec: SMETS 5.7.5 (Randomised Offset): number times limit, in ten thousandths."""
        del now
        server = self.server()
        product = server.number("randomised_offset_number") * server.number("randomised_offset_limit")
        return axdr.long_unsigned((product + 5000) // 10_000)

    # ---------------------------------------------------------------------------- profiles

    def _half_hours(
        self, now: datetime, first: datetime | None, last: datetime | None
    ) -> Iterator[tuple[int, Energies]]:
        """The half hours of the shorter profiles."""
        oldest = self.clock.time(now) - EXPORT_LOG_ENTRIES * timedelta(minutes=30)
        first = oldest if first is None else max(first, oldest)
        return self.meter.half_hours(now, first, last)

    def _export_profile(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        return CompactArray(
            _TRIPLE,
            tuple(
                _entry(seconds, energies.active_export, energies.reactive_export)
                for seconds, energies in self._half_hours(now, first, last)
            ),
        )

    def _reactive_profile(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        entries = (
            _entry(seconds, energies.reactive_import)
            for seconds, energies in self._half_hours(now, first, last)
        )
        return CompactArray(_PAIR, tuple(entries))

    # ---------------------------------------------------------------------------- days

    def _midnights(
        self, now: datetime, first: datetime | None, last: datetime | None, count: int
    ) -> Iterator[datetime]:
        """The midnights of device time in a window, of the last `count`, since the meter was fitted."""
        newest = self.clock.time(now).replace(hour=0, minute=0, second=0, microsecond=0)
        for days in range(count - 1, -1, -1):
            midnight = newest - days * _DAY
            fitted_us = self.meter.segments[0].start_us
            if microseconds(self.clock.moment(midnight)) < fitted_us:
                continue
            if (first is None or midnight >= first) and (last is None or midnight <= last):
                yield midnight

    def _reading(self, midnight: datetime) -> Energies:
        return whole(self.meter.reading(microseconds(self.clock.moment(midnight))))

    def _daily_export(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        midnights = self._midnights(now, first, last, DAILY_READ_LOG_ENTRIES)
        return CompactArray(
            _PAIR,
            tuple(
                _entry(seconds_since_2000(midnight), self._reading(midnight).active_export)
                for midnight in midnights
            ),
        )

    def _daily_consumption(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        midnights = self._midnights(now, first, last, DAILY_CONSUMPTION_ENTRIES)
        entries = (
            _entry(
                seconds_since_2000(midnight),
                self._reading(midnight).minus(self._reading(midnight - _DAY)).active_import,
            )
            for midnight in midnights
        )
        return CompactArray(_PAIR, tuple(entries))


def _entry(*values: int) -> Data:
    return axdr.structure(*(axdr.double_long_unsigned(value) for value in values))


def _array(values: Iterator[int] | list[int]) -> Data:
    return axdr.array(*(axdr.double_long_unsigned(value) for value in values))


def _events(log: EventLog, first: datetime | None, last: datetime | None) -> Data:
    entries = (
        axdr.structure(
            axdr.double_long_unsigned(entry.seconds),
            axdr.long_unsigned(entry.code),
            axdr.octet_string(entry.extra),
        )
        for entry in log.between(first, last)
    )
    return CompactArray(_EVENT, tuple(entries))


def _security(log: EventLog, first: datetime | None, last: datetime | None) -> Data:
    entries = (
        axdr.structure(axdr.double_long_unsigned(entry.seconds), axdr.long_unsigned(entry.code))
        for entry in log.between(first, last)
    )
    return CompactArray(_SECURITY, tuple(entries))
