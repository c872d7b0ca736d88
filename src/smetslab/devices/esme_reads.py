"""What an ESME computes when it is read: clock, power, registers of all rates, maximum demand, logs.

Spec: SMETS 5.7.5; GBCS use cases ECS17a to ECS22c, ECS24, ECS26c, ECS35a, ECS35b, ECS35e, ECS66.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import BufferSource, Computed, CosemServer
from smetslab.devices.demand import Peak
from smetslab.devices.esme_life import EsmeLife, secondary_rate
from smetslab.devices.esme_logs import BUFFER_NAMES, EsmeLogs
from smetslab.devices.esme_monitors import EsmeMonitors
from smetslab.devices.esme_objects import VAR_HOUR, WATT_HOUR
from smetslab.devices.esme_objects.common import WATT
from smetslab.devices.event_log import EventLog, LogName
from smetslab.devices.metering import MILLI, EnergyMeter
from smetslab.devices.quirks import Quirks
from smetslab.devices.schedule import after_2000
from smetslab.devices.supply import Supply
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import CompactArray, Data, StructureDescription, Tag
from smetslab.gbcs.values import date_time_octets

_UNSIGNED = Tag.DOUBLE_LONG_UNSIGNED
_EVENT = StructureDescription((_UNSIGNED, Tag.LONG_UNSIGNED, Tag.OCTET_STRING))
_SECURITY = StructureDescription((_UNSIGNED, Tag.LONG_UNSIGNED))
_POWER = StructureDescription((_UNSIGNED, Tag.LONG_UNSIGNED, _UNSIGNED))
_NO_THRESHOLD = 0xFFFFFFFF
_NEVER = bytes.fromhex("FFFFFFFFFFFFFFFFFF8000FF")

_BALANCES = (
    "meter_balance",
    "emergency_credit_balance",
    "accumulated_debt",
    "time_debt_1",
    "time_debt_2",
    "payment_debt",
)


class Parts(Protocol):
    """The parts of a meter that are read."""

    application: Application
    server: CosemServer
    clock: DeviceClock
    meter: EnergyMeter
    supply: Supply
    life: EsmeLife
    logs: EsmeLogs
    monitors: EsmeMonitors
    twin: bool
    quirks: Quirks


class EsmeReads:
    """Computed attributes and logs of one meter, by the names of its attributes."""

    def __init__(self, parts: Parts) -> None:
        """`parts` may still be under construction."""
        self._parts = parts

    def computed(self) -> Mapping[str, Computed]:
        return {
            "clock_time": lambda now: axdr.octet_string(date_time_octets(self._parts.clock.time(now))),
            "clock_status": lambda _now: axdr.unsigned(self._parts.clock.status),
            "supply_state": lambda _now: axdr.enum(self._parts.supply.state),
            "active_export_register": lambda now: _energy(self._parts.meter.registers(now).active_export),
            "reactive_export_register": lambda now: _energy(self._parts.meter.registers(now).reactive_export),
            "import_register_collection": self._import_registers,
            "power_import_collection": self._power,
            "prepayment_balance_collection": self._balance_collection,
            "active_tariff_price": lambda _now: _energy(self._parts.life.active_price),
            "secondary_active_tariff_price": lambda _now: _energy(self._secondary_price()),
            "tariff_tou_register_collection": self._tou_registers,
            "tariff_block_tou_register_collection": self._block_registers,
            "randomised_offset": self._randomised_offset,
            **self._peak("maximum_demand_active_energy_import", lambda life: life.state.demand.imported),
            **self._peak("maximum_demand_active_power_export", lambda life: life.state.demand.exported),
            **self._peak(
                "maximum_demand_configurable_time_active_power_import",
                lambda life: life.state.demand.configurable,
            ),
        }

    def buffers(self) -> Mapping[str, BufferSource]:
        logs: Mapping[str, tuple[LogName, StructureDescription]] = {
            "event_log": ("event", _EVENT),
            "security_log": ("security", _SECURITY),
            "power_event_log": ("power", _POWER),
        }
        return {
            **{name: self._log(name) for name in BUFFER_NAMES},
            **{
                f"phase_{phase}_average_rms_voltage_profile_data_log": self._voltages(phase)
                for phase in (1, 2, 3)
            },
            **{name: self._events(log, description) for name, (log, description) in logs.items()},
        }

    # ---------------------------------------------------------------------------- registers

    def _import_registers(self, now: datetime) -> Data:
        registers = self._parts.meter.registers(now)
        scaler = 3 if self._parts.quirks.wrong_register_scaler else 0
        return axdr.structure(
            _energy(registers.active_import),
            axdr.structure(axdr.integer(scaler), axdr.enum(WATT_HOUR)),
            _energy(registers.reactive_import),
            axdr.structure(axdr.integer(scaler), axdr.enum(VAR_HOUR)),
            *([_energy(registers.secondary_import)] if self._parts.twin else []),
        )

    def _power(self, now: datetime) -> Data:
        """Both elements together, then each. Spec: GBCS use case ECS17c."""
        power = self._parts.meter.power_w(now)
        primary, secondary = power.active_import, power.secondary_import
        return axdr.structure(
            _energy(primary + secondary),
            axdr.structure(axdr.integer(0), axdr.enum(WATT)),
            _energy(primary),
            *([_energy(secondary)] if self._parts.twin else []),
        )

    def _balance_collection(self, now: datetime) -> Data:
        del now
        return axdr.structure(*(axdr.double_long(self._parts.server.number(name)) for name in _BALANCES))

    def _secondary_price(self) -> int:
        life = self._parts.life
        rate = secondary_rate(life.state.secondary_script)
        return life.configuration.secondary_prices.get(f"{rate:02X}", 0)

    def _tou_registers(self, now: datetime) -> Data:
        del now
        state = self._parts.life.state
        secondary = [_array(value // MILLI for value in state.secondary)] if self._parts.twin else []
        return axdr.structure(_array(value // MILLI for value in state.rates.tou), *secondary)

    def _block_registers(self, now: datetime) -> Data:
        """For each block eight registers, then its share of the eight counters."""
        del now
        registers = self._parts.life.state.rates
        values: list[int] = []
        for block, row in enumerate(registers.blocks):
            values += [value // MILLI for value in row]
            values += [
                self._share(column, counter, block) for column, counter in enumerate(registers.counters)
            ]
        return axdr.structure(_array(values))

    def _share(self, column: int, counter: int, block: int) -> int:
        """How much of the counter of a column lies in a block, in Wh."""
        limits = self._parts.life.configuration.thresholds[column]
        borders = [0, *(limit for limit in limits if limit != _NO_THRESHOLD), counter // MILLI]
        if block + 1 >= len(borders):
            return 0
        return max(0, min(counter // MILLI, borders[block + 1]) - borders[block])

    def _randomised_offset(self, now: datetime) -> Data:
        """Spec: SMETS 5.7.5 (Randomised Offset): number times limit, in ten thousandths."""
        del now
        return axdr.long_unsigned(int(self._parts.life.configuration.switching_offset.total_seconds()))

    def _peak(self, name: str, register: Callable[[EsmeLife], Peak]) -> Mapping[str, Computed]:
        """Value, time and last reset of a maximum demand register."""

        def time(seconds: int) -> Data:
            octets = date_time_octets(after_2000(seconds)) if seconds else _NEVER
            return axdr.octet_string(octets)

        return {
            name: lambda _now: _energy(register(self._parts.life).value_w),
            f"{name}_time": lambda _now: time(register(self._parts.life).at),
            f"{name}_reset": lambda _now: time(register(self._parts.life).reset_at),
        }

    # ---------------------------------------------------------------------------- logs

    def _log(self, name: str) -> BufferSource:
        def read(now: datetime, first: datetime | None, last: datetime | None) -> Data:
            return self._parts.logs.buffers()[name](now, first, last)  # the logs come after what reads them

        return read

    def _voltages(self, phase: int) -> BufferSource:
        def read(now: datetime, first: datetime | None, last: datetime | None) -> Data:
            return self._parts.monitors.profile(phase, now, first, last)

        return read

    def _events(self, log: LogName, description: StructureDescription) -> BufferSource:
        """A log of codes, with or without other information: octets, or a number in the power event log.
        Spec: GBCS use cases ECS35a, ECS35b, ECS35e.
        """
        others: Mapping[StructureDescription, Callable[[bytes], tuple[Data, ...]]] = {
            _EVENT: lambda extra: (axdr.octet_string(extra),),
            _SECURITY: lambda _extra: (),
            _POWER: lambda extra: (_energy(int.from_bytes(extra, "big")),),
        }
        other = others[description]

        def read(now: datetime, first: datetime | None, last: datetime | None) -> Data:
            del now
            found: EventLog = self._parts.application.logs[log]
            entries = (
                axdr.structure(
                    _energy(entry.seconds),
                    axdr.long_unsigned(entry.code),
                    *other(entry.extra),
                )
                for entry in found.between(first, last)
            )
            return CompactArray(description, tuple(entries))

        return read


def _energy(value: int) -> Data:
    return axdr.double_long_unsigned(value)


def _array(values: Iterator[int] | list[int]) -> Data:
    return axdr.array(*(axdr.double_long_unsigned(value) for value in values))
