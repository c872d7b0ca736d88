"""The electricity meter as long as it has power: clock, load switch, energy, tariff, prepayment, and the
application.

Synchronous; a power cut throws it away, a restore builds a new one from non-volatile memory.

Spec: SMETS 5; GBCS use cases of the ESME.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from smetslab.devices import events
from smetslab.devices.application import Application, Station
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import Bindings, Changed, CosemServer, ItemError
from smetslab.devices.cosem_engine import CosemEngine
from smetslab.devices.esme_alerts import EsmeAlerts
from smetslab.devices.esme_auxiliary import AuxiliaryControllers
from smetslab.devices.esme_configuration import (
    CALENDAR_ATTRIBUTES,
    TARIFF_ATTRIBUTES,
    read_configuration,
)
from smetslab.devices.esme_displays import EsmeDisplays
from smetslab.devices.esme_duties import EsmeDuties
from smetslab.devices.esme_han import EsmeHan, SwitchState
from smetslab.devices.esme_inspection import inspect_esme
from smetslab.devices.esme_life import Configuration, EsmeLife, moment
from smetslab.devices.esme_logs import EsmeLogs
from smetslab.devices.esme_monitors import WATCHED_ATTRIBUTES, EsmeMonitors
from smetslab.devices.esme_objects import POLYPHASE, RIGHTS, TWIN, VAR_HOUR, WATT_HOUR, model_of
from smetslab.devices.esme_objects.auxiliary import SLOTS
from smetslab.devices.esme_objects.logs import MASKS
from smetslab.devices.esme_panel import EsmePanel
from smetslab.devices.esme_prepay import MODE_ATTRIBUTES, RULE_ATTRIBUTES, EsmePrepayment
from smetslab.devices.esme_reads import EsmeReads
from smetslab.devices.esme_settings import EsmeSettings
from smetslab.devices.esme_switching import AuxiliarySwitching, BoostAnswer
from smetslab.devices.event_settings import EventRoutes, masked
from smetslab.devices.limits import CLOCK_CHECK_INTERVAL, CLOCK_RESERVE
from smetslab.devices.load import Energies, Load
from smetslab.devices.metering import EnergyMeter, Segment, microseconds
from smetslab.devices.payload_engine import Call
from smetslab.devices.prepay.token import Refusal, TokenSource
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import Hooks, SecuritySettings, install_security
from smetslab.devices.supplier_message import SupplierMessage, confirmations, written_message
from smetslab.devices.supply import Supply, SupplyEvent
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.user_interface import PinAnswer, PrivacyPin, UserInterface
from smetslab.devices.voltage import Voltage
from smetslab.devices.work import Work, Workplace
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.dlms.axdr import Data, Octets, Sequence
from smetslab.gbcs.values import IMMEDIATE, Value, as_moment, date_time_value
from smetslab.ids import Eui64


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmePlant:
    """What outlives a power cut without being memory: the meter's place in the world."""

    station: Station
    settings: EsmeSettings
    load: Load
    hub_time: Callable[[], datetime | None]
    security: SecuritySettings = field(default_factory=SecuritySettings)
    voltage: Voltage = field(default_factory=lambda: Voltage(b"voltage"))

    @property
    def twin(self) -> bool:
        """Whether it has a second element."""
        return self.settings.variant[0] == TWIN

    @property
    def phases(self) -> int:
        return 3 if self.settings.variant[0] == POLYPHASE else 1


class EsmeCore:
    """One ESME between power on and power off."""

    def __init__(
        self, plant: EsmePlant, workplace: Workplace, now: datetime, off_since: datetime | None
    ) -> None:
        """`off_since`: when the power went, None when it was never there."""
        nvm, settings, quirks = workplace.nvm, plant.settings, plant.station.quirks
        self._plant = plant
        self._place = workplace
        self._snapshot_at: datetime | None = None
        self.clock = DeviceClock(nvm, quirks, status=settings.clock_status, offset=settings.clock_offset)
        self.supply = Supply(nvm, settings.supply_state)
        self.meter = EnergyMeter(nvm, plant.load, self._first_segment(now))
        self._interval: tuple[datetime, datetime] | None = None
        self._next_check = now + CLOCK_CHECK_INTERVAL
        attributes = {"entity_identifier": str(plant.station.eui64), **settings.attributes}
        if quirks.wrong_register_scaler:
            attributes["active_export_register_scaler_unit"] = {"scaler": 3, "unit": WATT_HOUR}
            attributes["reactive_export_register_scaler_unit"] = {"scaler": 3, "unit": VAR_HOUR}
        self.routes = EventRoutes(self._setting)
        self.application = Application(
            station=plant.station, workplace=workplace, clock=self.clock, routes=self.routes.route
        )
        self.twin, self.quirks = plant.twin, quirks
        self.reads = EsmeReads(self)
        self.switching = AuxiliarySwitching(
            nvm,
            self._cosem,
            self._switching_offset,
            self.clock.time(off_since or now),
        )
        self.auxiliary = AuxiliaryControllers(
            nvm=nvm,
            application=self.application,
            server=lambda: self.server,
            switching=self.switching,
            time=self.clock.time,
            moment=self.clock.moment,
        )
        self.pin, panel = PrivacyPin(nvm), EsmePanel(self)
        self.interface = UserInterface(pin=self.pin, public=panel.public, personal=panel.personal)
        self.tenancy = Tenancy(nvm)
        self.message = SupplierMessage(
            nvm,
            lambda: written_message(self.server.value("supplier_message")),
            self.clock.time,
            self.tenancy.hidden_before,
        )
        self.alerts = EsmeAlerts(application=self.application, server=lambda: self.server)
        self.duties = EsmeDuties(self)
        self.life = EsmeLife(
            nvm,
            self.meter,
            self.duties,
            self._configuration,
            charging=settings.charging,
            switching=not quirks.stuck_rate,
        )
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
        self.server: CosemServer = self.application.install(cosem).server
        self.logs = EsmeLogs(
            nvm,
            self.server,
            self.meter,
            self.life,
            twin=plant.twin,
            account=lambda: self.prepayment.account.state,
        )
        self.prepayment: EsmePrepayment = EsmePrepayment(
            nvm=nvm,
            server=self.server,
            application=self.application,
            device=plant.station.eui64,
            quirks=quirks,
            clock=self.clock,
            settings=settings.prepayment,
            told=self.duties.tell,
            credited=self.logs.credited,
        )
        self.voltage = plant.voltage
        self.monitors = EsmeMonitors(self, plant.voltage, phases=plant.phases, now=now)
        self.security = install_security(
            self.application,
            station=plant.station,
            workplace=workplace,
            clock=self.clock,
            settings=plant.security,
            hooks=Hooks(
                set_top_up_floor=self.prepayment.utrns.restart,
                firmware_changed=self._show_firmware,
                log_changed=self._assign_slots,
            ),
        )
        self.slots = [
            slot for slot in SLOTS if f"auxiliary_controller_{slot}_type_and_identifier" in model.by_name
        ]
        self.han = EsmeHan(
            application=self.application,
            log=self.security.log,
            workplace=workplace,
            meter=self,
            switches=self._switches_of,
            switched=self._switched,
            displays=cache(lambda: EsmeDisplays(self).server(confirmations(workplace))),
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

    def _switching_offset(self) -> timedelta:
        return self.life.configuration.switching_offset

    def _cosem(self) -> CosemServer:
        return self.server

    def _setting(self, name: str) -> Value:
        return self.server.value(name)

    def _configuration(self) -> Configuration:
        settings = self._plant.settings
        return read_configuration(
            self.server, twin=self._plant.twin, offset_number=settings.randomised_offset_number
        )

    def _show_firmware(self, work: Work, version: bytes) -> None:
        """The version that runs is what reads show."""
        self.server.put(work, "firmware_version", version.hex().upper())

    def _boot(self, work: Work, off_since: datetime | None) -> None:
        """Bring the history up to date with the time without power."""
        self.security.firmware.power_on(work)
        self._show_firmware(work, self.security.firmware.store.version)
        self.meter.begin(work)
        if self.life.damaged:
            self.life.start_anew(off_since or work.now)
        if self.life.fitted_now:
            self.life.settle(work, work.now, charging=False)
            self.life.start(work)
        if off_since is not None:
            self.life.settle(work, off_since)
            self.meter.change(work, off_since, powered=False)
            if work.now - off_since > CLOCK_RESERVE:
                self.clock.invalidate(work)
            self.life.settle(work, work.now)
            self.meter.change(work, work.now, powered=True, clock_runs=self.clock.running)
            self.monitors.power_restored(work, off_since)
        if any(part.damaged for part in (self.clock, self.supply, self.life, self.prepayment)):
            # What is damaged is written anew: the next start finds nothing wrong.
            self.supply.keep(work)
            if self.clock.damaged:
                self.clock.invalidate(work)
            self.meter.change(
                work,
                work.now,
                closed=self.supply.closed,
                clock_runs=self.clock.running,
                offset=self.clock.offset,
            )
            self.application.raise_event(work, events.INTEGRITY_WARNING)
            self.alerts.integrity_warning(work, "Error Non Volatile Memory")
        self.prepayment.keep(work)

    # ---------------------------------------------------------------------------- devices of the home

    def number(self, name: str) -> int:
        """A stored number, for a display."""
        return self.server.number(name)

    def _assign_slots(self, work: Work) -> None:
        """The device log has changed: an HCALCS that was paired gets a slot."""
        log = self.security.log.entries
        switches = [str(entry.device) for entry in log if entry.device_type is DeviceType.HCALCS]
        self.auxiliary.assign(work, self.slots, switches)

    def pair_display(self, device: Eui64, now: datetime) -> None:
        """Put a Type 2 device on the device log, if it is not there."""
        if self.security.log.find(device) is None:
            with self._place.work(now) as work:
                self.security.log.add(work, device, DeviceType.TYPE_2)

    def _switches_of(self, device: Eui64) -> tuple[SwitchState, ...]:
        """The slots that an HCALCS stands in, numbered as its switches, and what they have to be."""
        slots = [
            slot
            for slot in self.slots
            if self.server.value(f"auxiliary_controller_{slot}_type_and_identifier") == str(device)
        ]
        return tuple(
            SwitchState(
                number,
                bool(self.server.value(f"auxiliary_controller_{slot}_switch_state")),
                self.switching.command_id(slot),
            )
            for number, slot in enumerate(slots, 1)
        )

    def _switched(self, command_id: int, now: datetime, *, done: bool) -> None:
        """An HCALCS has carried out a command, or has not. Spec: SMETS 5.22; GBCS 16.2 (0x811A)."""
        with self._place.work(now) as work:
            awaited = self.switching.outcome(work, command_id, self.clock.time(now), done=done)
            if awaited and not done:
                self.application.raise_event(work, events.AUXILIARY_SWITCH_FAILED)

    # ---------------------------------------------------------------------------- the passing of time

    def settle(self, now: datetime) -> None:
        """Work through everything up to `now`."""
        if microseconds(now) > self.life.state.reached_us:
            with self._place.work(now) as work:
                self._settle(work)

    def _settle(self, work: Work) -> None:
        self.life.settle(work, work.now)
        self.prepayment.keep(work)

    def _changed(self) -> dict[str, Changed]:
        """What a write to an attribute sets going, once for all that one command writes."""
        tariff = dict.fromkeys(TARIFF_ATTRIBUTES, self._tariff_written)
        calendars = dict.fromkeys(CALENDAR_ATTRIBUTES, self._calendar_written)
        rules = dict.fromkeys(RULE_ATTRIBUTES, self._rules_written)
        mode = dict.fromkeys(MODE_ATTRIBUTES, self._mode_written)
        watched = dict.fromkeys(WATCHED_ATTRIBUTES, lambda _work: self.monitors.changed())
        auxiliary = dict.fromkeys(
            ("auxiliary_calendar", "auxiliary_special_days"), lambda _work: self.switching.changed()
        )
        masks = {mask: self._masked(mask, shown) for mask, shown in MASKS.items()}
        masks["privacy_pin_disabled"] = self.pin.disable
        masks["restricted_data_date_time"] = self._tenancy_written
        masks["supplier_message"] = self.message.came
        return {**tariff, **calendars, **rules, **mode, **watched, **auxiliary, **masks}

    def _masked(self, mask: str, shown: str) -> Changed:
        """A write of mask and actions changes the settings that are shown. Spec: GBCS use case ECS25a."""

        def write(work: Work) -> None:
            self.server.put(work, shown, masked(self.server.value(shown), self.server.value(mask)))
            self.routes.forget()

        return write

    def _tariff_written(self, work: Work) -> None:
        """A change of tariff is a snapshot. Spec: SMETS 5.7.5 (Billing Data Log)."""
        if self._snapshot_at != work.now:
            self._snapshot_at = work.now
            self.logs.configuration_changed(work, self.clock.time(work.now))
        self._calendar_written(work)

    def _calendar_written(self, work: Work) -> None:
        self.life.reconfigured()
        self.life.keep(work)

    def _tenancy_written(self, work: Work) -> None:
        """Spec: GBCS use case ECS12."""
        given = self.server.value("restricted_data_date_time")
        date = self.clock.time(work.now) if given == IMMEDIATE else as_moment(given)
        self.tenancy.set(work, date)

    def _rules_written(self, work: Work) -> None:
        self.prepayment.rules_written(work)
        self.life.reconfigured()

    def _mode_written(self, work: Work) -> None:
        if self._snapshot_at != work.now:
            self._snapshot_at = work.now
            self.logs.configuration_changed(work, self.clock.time(work.now))
        self.prepayment.mode_written(work)
        self.life.changed()

    # ---------------------------------------------------------------------------- events from outside

    def receive(self, data: bytes, now: datetime) -> None:
        """A message has come through the tunnel."""
        self.settle(now)
        self.han.refresh(now)  # what changes from here on is news
        self.application.receive(data, now)
        self.han.refresh(now)

    def press_enable_button(self, now: datetime, *, ppmid: bool = False) -> bool:
        """The consumer asks the meter for supply; True when there is supply afterwards."""
        self.settle(now)
        if not ppmid and not self._pressed(now):
            return self.supply.closed
        with self._place.work(now) as work:
            event = SupplyEvent.PPMID_ENABLE if ppmid else SupplyEvent.CONSUMER_ENABLE
            self.duties.switch(work, event)
        return self.supply.closed

    def enter_utrn(
        self, digits: str, now: datetime, source: TokenSource = TokenSource.KEYPAD
    ) -> Refusal | None:
        """The consumer types a code, or a PPMID hands it over; None when it was credited."""
        self.settle(now)
        if source is TokenSource.KEYPAD:
            self.pin.press(now)  # a code may be typed without the PIN
        with self._place.work(now) as work:
            refusal = self.prepayment.top_up(work, digits, source)
            self.life.changed()
        return refusal

    def _pressed(self, now: datetime) -> bool:
        """Somebody presses a button: whether the Privacy PIN keeps nothing from them."""
        admitted = self.pin.press(now)
        if not admitted:
            self._place.note("PrivacyPinWanted")
        return admitted

    def select_emergency_credit(self, now: datetime, *, ppmid: bool = False) -> bool:
        """The consumer asks for emergency credit; True when it is active afterwards."""
        self.settle(now)
        if not ppmid and not self._pressed(now):
            return self.prepayment.account.state.emergency.taken
        with self._place.work(now) as work:
            done = self.prepayment.activate_emergency_credit(work)
            self.life.changed()
        return done

    def consume(self, energies: Energies, now: datetime) -> None:
        """Energy flows on top of the load, at once, in thousandths."""
        self.settle(now)
        with self._place.work(now) as work:
            self.meter.add(work, now, energies)
            self.life.added(work, energies)
            self.prepayment.keep(work)

    def change_pin(self, now: datetime, act: Callable[[Work], PinAnswer]) -> PinAnswer:
        """The consumer sets the Privacy PIN, or takes it away."""
        with self._place.work(now) as work:
            answer = act(work)
            code = events.USER_COMMAND_DONE if answer.done else events.USER_COMMAND_FAILED
            self.application.raise_event(work, code)
        return answer

    def press_boost(self, slot: int, now: datetime, *, cancel: bool = False) -> BoostAnswer:
        """The consumer presses the boost button of a slot, or cancels its boost."""
        self.settle(now)
        self.pin.press(now)  # a boost may be had without the PIN
        act = self.switching.cancel_boost if cancel else self.switching.press_boost
        with self._place.work(now) as work:
            return act(work, slot, self.clock.time(now))

    def happen(self, now: datetime, act: Callable[[Work], None]) -> None:
        """Something happens to the meter."""
        self.settle(now)
        with self._place.work(now) as work:
            act(work)
        self.life.changed()

    def receive_firmware(self, image: bytes, now: datetime) -> Receipt:
        """A whole OTA file has come; what became of it."""
        with self._place.work(now) as work:
            return self.security.firmware.receive(work, image)

    def next_deadline(self) -> datetime:
        """When `tick` has something to do, in laboratory time."""
        waiting = (self.application.next_deadline(), self.auxiliary.next_deadline())
        due = [self._next_check, *(at for at in waiting if at is not None)]
        due.append(moment(self.monitors.next_deadline_us()))
        if self.clock.running:
            # A clock that was set may show a time after what is due: that is due at once then.
            switching = self.switching.next_deadline(self.clock.time(moment(self.life.state.reached_us)))
            due += [] if switching is None else [self.clock.moment(switching)]
        life_us = self.life.next_deadline_us(prepayment=self.prepayment.account.state.prepayment)
        if life_us is not None:
            due.append(moment(life_us))
        return min(due)

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        self.settle(now)
        time = self.clock.time(now)
        switching = self.switching.next_deadline(time) if self.clock.running else None
        if switching is not None and switching <= time:
            with self._place.work(now) as work:
                self.switching.tick(work, time)
        if microseconds(now) >= self.monitors.next_deadline_us():
            with self._place.work(now) as work:
                self.monitors.tick(work)
        self.application.tick(now)
        self.han.refresh(now)
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
            computed=self.reads.computed(),
            buffers=self.reads.buffers(),
            methods={
                "preset_adjusting_time": self._preset_time,
                "adjust_to_preset_time": self._adjust_time,
                "clear_event_log": self._clear_event_log,
                "execute_auxiliary_script": self.auxiliary.execute,
                "execute_auxiliary_level_script": self.auxiliary.limit,
                **self.duties.methods(),
            },
            changed=self._changed(),
            device_time=self.clock.time,
        )

    def _clear_event_log(self, call: Call, data: Data) -> Data:
        """reset of the Event Log. Spec: SMETS 5.6.3.5; GBCS 16.2 (0x8F52)."""
        del data
        self.application.event_log.clear(call.work)
        if self.quirks.clears_security_log:
            self.application.security_log.clear(call.work)
        self.server.clear(call.work, "event_log")
        self.application.raise_event(call.work, events.EVENT_LOG_CLEARED)
        return axdr.null()

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

    # ---------------------------------------------------------------------------- for people

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state of the meter, for diagnosis."""
        self.settle(now)
        return inspect_esme(self, now)
