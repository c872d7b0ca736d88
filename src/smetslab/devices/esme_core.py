"""The electricity meter as long as it has power: clock, load switch, energy, tariff, prepayment, and the
application.

Synchronous; a power cut throws it away, a restore builds a new one from non-volatile memory.

Spec: SMETS 5; GBCS use cases of the ESME.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smetslab.devices import events
from smetslab.devices.application import Application, Station
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import Bindings, ItemError
from smetslab.devices.cosem_engine import CosemEngine
from smetslab.devices.esme_alerts import EsmeAlerts
from smetslab.devices.esme_auxiliary import AuxiliaryControllers
from smetslab.devices.esme_objects import RIGHTS, VAR_HOUR, WATT_HOUR, model_of
from smetslab.devices.esme_prepay import EsmePrepayment
from smetslab.devices.esme_reads import EsmeReads
from smetslab.devices.esme_settings import EsmeSettings
from smetslab.devices.limits import CLOCK_CHECK_INTERVAL, CLOCK_RESERVE
from smetslab.devices.load import LoadProfile
from smetslab.devices.metering import EnergyMeter, Segment, microseconds
from smetslab.devices.payload_engine import Call
from smetslab.devices.prepay.token import TokenSource
from smetslab.devices.security.installed import Hooks, SecuritySettings, install_security
from smetslab.devices.supply import SCRIPTS, Supply, SupplyEvent
from smetslab.devices.tariff import TariffCalendar, TariffRegisters
from smetslab.devices.work import Work, Workplace
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.dlms.axdr import (
    ArrayDescription,
    CompactArray,
    Data,
    Number,
    Octets,
    Sequence,
    StructureDescription,
    Tag,
)
from smetslab.gbcs.values import Value, date_time_octets, date_time_value, utc_text

SECONDARY_SCRIPT, RESET_BLOCK_COUNTERS = 200, 99
"""Scripts of the tariff script table: the secondary rates count from the first, the other resets. Spec: GBCS
use cases ECS01c, ECS05."""

_UNSIGNED = Tag.DOUBLE_LONG_UNSIGNED
_PROFILE_ENTRY = StructureDescription((_UNSIGNED, _UNSIGNED))
_DAILY_ENTRY = StructureDescription(
    (_UNSIGNED, _UNSIGNED, ArrayDescription(48, _UNSIGNED), *((ArrayDescription(8, _UNSIGNED),) * 4))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmePlant:
    """What outlives a power cut without being memory: the meter's place in the world."""

    station: Station
    settings: EsmeSettings
    load: LoadProfile
    hub_time: Callable[[], datetime | None]
    security: SecuritySettings = field(default_factory=SecuritySettings)


class EsmeCore:
    """One ESME between power on and power off."""

    def __init__(
        self, plant: EsmePlant, workplace: Workplace, now: datetime, off_since: datetime | None
    ) -> None:
        """`off_since`: when the power went, None when it was never there."""
        nvm, settings, quirks = workplace.nvm, plant.settings, plant.station.quirks
        self._plant = plant
        self._place = workplace
        self.clock = DeviceClock(nvm, quirks, status=settings.clock_status, offset=settings.clock_offset)
        self.supply = Supply(nvm, settings.supply_state)
        self.meter = EnergyMeter(nvm, plant.load, self._first_segment(now))
        self._interval: tuple[datetime, datetime] | None = None
        self._next_check = now + CLOCK_CHECK_INTERVAL
        attributes = {"entity_identifier": str(plant.station.eui64), **settings.attributes}
        if quirks.wrong_register_scaler:
            attributes["active_export_register_scaler_unit"] = {"scaler": 3, "unit": WATT_HOUR}
            attributes["reactive_export_register_scaler_unit"] = {"scaler": 3, "unit": VAR_HOUR}
        self.application = Application(station=plant.station, workplace=workplace, clock=self.clock)
        self.reads = EsmeReads(
            meter=self.meter,
            clock=self.clock,
            application=self.application,
            tariff=lambda: self.tariff,
            server=lambda: self.server,
        )
        self.auxiliary = AuxiliaryControllers(
            nvm=nvm,
            application=self.application,
            server=lambda: self.server,
            time=self.clock.time,
            moment=self.clock.moment,
        )
        self.alerts = EsmeAlerts(application=self.application, server=lambda: self.server)
        model = model_of(settings.variant)
        cosem = CosemEngine(
            model=model,
            rights=RIGHTS,
            bindings=self._bindings(),
            future_dated=self.application.future_dated,
            nvm=nvm,
            quirks=quirks,
            state=attributes,
        )
        self.server = self.application.install(cosem).server
        self.tariff = self._tariff()
        self.prepayment = EsmePrepayment(
            nvm=nvm,
            server=self.server,
            station=plant.station,
            clock=self.clock,
            secret=self.application.scribe.secret,
            raise_event=self.application.raise_event,
        )
        self.security = install_security(
            self.application,
            station=plant.station,
            workplace=workplace,
            clock=self.clock,
            settings=plant.security,
            hooks=Hooks(set_top_up_floor=self.prepayment.utrns.restart, firmware_changed=self._show_firmware),
        )
        with workplace.work(now) as work:
            self._boot(work, off_since)

    def _first_segment(self, now: datetime) -> Segment:
        settings = self._plant.settings
        return Segment(
            start_us=microseconds(now - settings.history),
            start=settings.registers,
            closed=self.supply.closed,
            powered=True,
            offset_us=settings.clock_offset // timedelta(microseconds=1),
            clock_runs=self.clock.running,
        )

    def _tariff(self) -> TariffRegisters:
        server = self.server
        calendar = TariffCalendar(
            seasons=server.value("tariff_seasons"),
            weeks=server.value("tariff_weeks"),
            days=server.value("tariff_days"),
            special_days=server.value("tariff_special_days"),
        )
        columns = [server.value(f"tariff_threshold_matrix_tou_{column}") for column in range(1, 9)]
        thresholds = [
            [limit for limit in column if isinstance(limit, int)] if isinstance(column, list) else []
            for column in columns
        ]
        return TariffRegisters(self.meter, calendar, thresholds)

    def _show_firmware(self, work: Work, version: bytes) -> None:
        """The version that runs is what reads show."""
        self.server.put(work, "firmware_version", version.hex().upper())

    def _boot(self, work: Work, off_since: datetime | None) -> None:
        """Bring the history up to date with the time without power."""
        self._show_firmware(work, self.security.firmware.store.version)
        self.meter.begin(work)
        if off_since is None:
            return
        self.meter.change(work, off_since, powered=False)
        if work.now - off_since > CLOCK_RESERVE:
            self.clock.invalidate(work)
        self.meter.change(work, work.now, powered=True, clock_runs=self.clock.running)

    # ---------------------------------------------------------------------------- events from outside

    def receive(self, data: bytes, now: datetime) -> None:
        """A message has come through the tunnel."""
        self.application.receive(data, now)

    def press_enable_button(self, now: datetime) -> bool:
        """The consumer asks the meter for supply; True when there is supply afterwards."""
        with self._place.work(now) as work:
            self._switch(work, SupplyEvent.CONSUMER_ENABLE)
        return self.supply.closed

    def next_deadline(self) -> datetime:
        """When `tick` has something to do, in laboratory time."""
        waiting = (self.application.next_deadline(), self.auxiliary.next_deadline())
        return min((self._next_check, *(moment for moment in waiting if moment is not None)))

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        self.application.tick(now)
        limited = self.auxiliary.next_deadline()
        if limited is not None and limited <= now:
            with self._place.work(now) as work:
                self.auxiliary.tick(work)
        if now < self._next_check:
            return
        self._next_check = now + CLOCK_CHECK_INTERVAL
        hub_time = self._plant.hub_time()
        if hub_time is None:
            return
        with self._place.work(now) as work:
            if not self.clock.compare_with_hub(work, hub_time):
                self.application.raise_event(work, events.CLOCK_BEYOND_TOLERANCE)
            self._clock_changed(work)

    # ---------------------------------------------------------------------------- bindings

    def _bindings(self) -> Bindings:
        return Bindings(
            computed={
                "clock_time": lambda now: axdr.octet_string(date_time_octets(self.clock.time(now))),
                "clock_status": lambda _now: axdr.unsigned(self.clock.status),
                "supply_state": lambda _now: axdr.enum(self.supply.state),
                "active_export_register": lambda now: _energy(self.meter.registers(now).active_export),
                "reactive_export_register": lambda now: _energy(self.meter.registers(now).reactive_export),
                "import_register_collection": self._import_registers,
                "prepayment_balance_collection": self._balance_collection,
                "active_tariff_price": self._active_price,
                "secondary_active_tariff_price": self._secondary_price,
                **self.reads.computed(),
            },
            buffers={
                "active_energy_imported_log": self._profile_log,
                "daily_read_log": self._daily_read_log,
                **self.reads.buffers(),
            },
            methods={
                "preset_adjusting_time": self._preset_time,
                "adjust_to_preset_time": self._adjust_time,
                "execute_disconnect_script": self._run_script,
                "enter_token": self._enter_token,
                "activate_emergency_credit": self._activate_emergency_credit,
                "clear_event_log": self._clear_event_log,
                "execute_tariff_script": self._run_tariff_script,
                "execute_auxiliary_script": self.auxiliary.execute,
                "execute_auxiliary_level_script": self.auxiliary.limit,
            },
            device_time=self.clock.time,
        )

    def _import_registers(self, now: datetime) -> Data:
        registers = self.meter.registers(now)
        scaler = 3 if self._plant.station.quirks.wrong_register_scaler else 0
        return axdr.structure(
            _energy(registers.active_import),
            axdr.structure(axdr.integer(scaler), axdr.enum(WATT_HOUR)),
            _energy(registers.reactive_import),
            axdr.structure(axdr.integer(scaler), axdr.enum(VAR_HOUR)),
        )

    def _balance_collection(self, now: datetime) -> Data:
        del now
        names = (
            "meter_balance",
            "emergency_credit_balance",
            "accumulated_debt",
            "time_debt_1",
            "time_debt_2",
            "payment_debt",
        )
        return axdr.structure(*(axdr.double_long(self.server.number(name)) for name in names))

    def _active_price(self, now: datetime) -> Data:
        """The price of the active rate; zero while the calendar selects none."""
        charge = self.server.value("tariff_prices")
        table = charge["charge_table"] if isinstance(charge, dict) else []
        wanted = self.tariff.price_index(now)
        for row in table if isinstance(table, list) else []:
            if isinstance(row, dict) and row["index"] == wanted:
                price = row["charge_per_unit"]
                return axdr.double_long_unsigned(max(0, price) if isinstance(price, int) else 0)
        return axdr.double_long_unsigned(0)

    def _secondary_price(self, now: datetime) -> Data:
        """The price of the active rate of the secondary element; zero while its calendar selects none."""
        calendar = TariffCalendar(
            seasons=self.server.value("secondary_tariff_seasons"),
            weeks=self.server.value("secondary_tariff_weeks"),
            days=self.server.value("secondary_tariff_days"),
            special_days=self.server.value("secondary_tariff_special_days"),
        )
        script = calendar.script_before(self.clock.time(now))
        charge = self.server.value("secondary_tariff_prices")
        table = charge["charge_table"] if isinstance(charge, dict) else []
        for row in table if isinstance(table, list) else []:
            if isinstance(row, dict) and row["index"] == f"{max(0, script - SECONDARY_SCRIPT):02X}":
                price = row["charge_per_unit"]
                return axdr.double_long_unsigned(max(0, price) if isinstance(price, int) else 0)
        return axdr.double_long_unsigned(0)

    def _activate_emergency_credit(self, call: Call, data: Data) -> Data:
        """invoke_credit on emergency credit. Spec: SMETS 5.6.3.1; GBCS use case ECS09."""
        del data
        if not self.prepayment.activate_emergency_credit(call.work):
            raise ItemError(DataAccessResult.HARDWARE_FAULT, "emergency credit is not available")
        return axdr.null()

    def _clear_event_log(self, call: Call, data: Data) -> Data:
        """reset of the Event Log. Spec: SMETS 5.6.3.5; GBCS 16.2 (0x8F52)."""
        del data
        self.application.event_log.clear(call.work)
        self.server.clear(call.work, "event_log")
        self.application.raise_event(call.work, events.EVENT_LOG_CLEARED)
        return axdr.null()

    def _run_tariff_script(self, call: Call, data: Data) -> Data:
        """execute on the tariff script table: reset the block counters. Spec: GBCS use case ECS05."""
        if not isinstance(data, Number) or data.value != RESET_BLOCK_COUNTERS:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no such script")
        registers = self.tariff.at(call.work.now)
        registers.counters = [0] * len(registers.counters)
        return axdr.null()

    def _profile_log(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        entries = [
            axdr.structure(
                axdr.double_long_unsigned(seconds), axdr.double_long_unsigned(energies.active_import)
            )
            for seconds, energies in self.meter.half_hours(now, first, last)
        ]
        return CompactArray(_PROFILE_ENTRY, tuple(entries))

    def _daily_read_log(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        entries = [
            axdr.structure(
                axdr.double_long_unsigned(read.seconds),
                axdr.double_long_unsigned(read.active_import),
                _numbers(read.tou),
                *(_numbers(block) for block in read.blocks),
            )
            for read in self.tariff.daily_reads(now, first, last)
        ]
        return CompactArray(_DAILY_ENTRY, tuple(entries))

    # ---------------------------------------------------------------------------- clock

    def _preset_time(self, call: Call, data: Data) -> Data:
        """preset_adjusting_time: remember the validity interval for the adjustment that follows."""
        del call
        bounds = data.items[1:] if isinstance(data, Sequence) else ()
        moments = [date_time_value(bound.value) for bound in bounds if isinstance(bound, Octets)]
        if len(moments) != 2 or moments[0] is None or moments[1] is None:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no validity interval")
        self._interval = (moments[0], moments[1])
        return axdr.null()

    def _adjust_time(self, call: Call, data: Data) -> Data:
        """adjust_to_preset_time: take the hub's time if it lies in the interval. Spec: GBCS 9.1."""
        del data
        interval, self._interval = self._interval, None
        if interval is None:
            raise ItemError(DataAccessResult.OTHER_REASON, "no validity interval")
        adjusted = self.clock.set_from_hub(call.work, self._plant.hub_time(), *interval)
        self._clock_changed(call.work)
        self.application.raise_event(
            call.work, events.CLOCK_ADJUSTED if adjusted else events.CLOCK_NOT_ADJUSTED
        )
        return axdr.null()

    def _clock_changed(self, work: Work) -> None:
        self.meter.change(work, work.now, offset=self.clock.offset, clock_runs=self.clock.running)

    # ---------------------------------------------------------------------------- supply

    def _run_script(self, call: Call, data: Data) -> Data:
        """execute on the disconnect script table."""
        event = SCRIPTS.get(data.value) if isinstance(data, Number) else None
        if event is None:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no such script")
        self._switch(call.work, event)
        return axdr.null()

    def _switch(self, work: Work, event: SupplyEvent) -> None:
        codes = self.supply.handle(work, event)
        self.meter.change(work, work.now, closed=self.supply.closed)
        for code in codes:
            self.application.raise_event(work, code)

    # ---------------------------------------------------------------------------- prepayment

    def _enter_token(self, call: Call, data: Data) -> Data:
        """enter on the token gateway. A refused top-up is answered with result 1. Spec: GBCS use case CS01a,
        14.6."""
        if not isinstance(data, Octets):
            raise ItemError(DataAccessResult.HARDWARE_FAULT, "no octets")
        refusal = self.prepayment.top_up(
            call.work,
            data.value.decode("ascii", "replace"),
            TokenSource.WAN,
            call.command.originator_counter,
        )
        if refusal is not None:
            raise ItemError(DataAccessResult.HARDWARE_FAULT, f"top-up refused: {refusal.code:04X}")
        return axdr.null()

    # ---------------------------------------------------------------------------- for people

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state of the meter, for diagnosis."""
        server = self.server
        registers = self.meter.registers(now)
        names = ("meter_balance", "emergency_credit_balance", "accumulated_debt", "payment_debt")
        limits = (
            "load_limit_supply_state",
            "load_limit_power_threshold",
            "load_limit_period",
            "load_limit_restoration_period",
            "load_limit_counter",
        )
        return {
            "clock": {
                "time": utc_text(self.clock.time(now)),
                "status": self.clock.status.name.lower(),
            },
            "supply": self.supply.state.name.capitalize(),
            "registers": dict(zip(registers._fields, registers, strict=True)),
            "tariff": {"script": self.tariff.script(now), "price_index": self.tariff.price_index(now)},
            "account": {name: server.value(name) for name in (*names, "account_mode")},
            "load_limit": {name: server.value(name) for name in limits},
            "supplier_message": server.value("supplier_message"),
            "utrn_counters": list(self.prepayment.utrns.counters),
            **self.application.inspect(),
        }


def _energy(value: int) -> Data:
    return axdr.double_long_unsigned(value)


def _numbers(values: tuple[int, ...]) -> Data:
    return axdr.array(*(axdr.double_long_unsigned(value) for value in values))
