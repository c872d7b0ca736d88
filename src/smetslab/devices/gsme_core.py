"""The core of a gas meter: everything between power on and power off, synchronous and free of I/O.

It puts the parts together: what passes with time is in `gas_life`, what commands do in the ZCL engine and the
account, and here is what moves the valve and what somebody at the meter can do.

Spec: SMETS 4 (GSME); GBCS use cases GCS01a to GCS60a, CS01b, CS10, CS11, PCS01, PCS02
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from smetslab.devices import events
from smetslab.devices.application import Application, Station
from smetslab.devices.clock import DeviceClock
from smetslab.devices.gas_account import GasAccount, GasAccountHost
from smetslab.devices.gas_events import EventSettings
from smetslab.devices.gas_flow import DailyVolumes, GasFlow
from smetslab.devices.gas_life import GasLife, moment_of
from smetslab.devices.gas_meter import GasMeter
from smetslab.devices.gas_model import (
    BLOCK_COUNTERS,
    CALENDAR_LIMITS,
    GSME_MODEL,
    TIER_REGISTERS,
    alert_frame_control,
)
from smetslab.devices.gas_panel import GasPanel
from smetslab.devices.gas_records import (
    CHANGE_OF_MODE,
    CHANGE_OF_SUPPLIER,
    CHANGE_OF_TARIFF,
    REGISTERS,
    SNAPSHOT_TYPE,
    GasRecords,
)
from smetslab.devices.gas_settings import GsmeSettings
from smetslab.devices.gas_tariff import GasTariff
from smetslab.devices.limits import CLOCK_CHECK_INTERVAL, CLOCK_RESERVE
from smetslab.devices.metering import microseconds
from smetslab.devices.mirror import MirrorReporter
from smetslab.devices.prepay.lockout import LockOut
from smetslab.devices.prepay.state import CODES, AccountEvent, Events
from smetslab.devices.prepay.token import Refusal
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import Hooks, SecuritySettings, install_security
from smetslab.devices.supplier_message import SupplierMessage, kept_message
from smetslab.devices.user_interface import PinAnswer, PrivacyPin, UserInterface
from smetslab.devices.valve import FlowCheck, Valve, ValveEvent, ValveState
from smetslab.devices.work import Work, Workplace
from smetslab.devices.zcl.calendar import Calendars
from smetslab.devices.zcl.calendar_table import NON_DISABLEMENT
from smetslab.devices.zcl.engine import ZclEngine
from smetslab.devices.zcl.logs import Snapshot, snapshot_record
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, Computed, Handler, ZclBindings, ZclCall
from smetslab.gbcs.codes import CellUsage, CounterFamily, KeyUsage, RemotePartyRole
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value, utc_text
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.cluster import Attribute
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import ZclValue

_MICROSECOND: Final = timedelta(microseconds=1)
_AT: Final = "gas/at"
_OFF, _ARMED = 0, 1
_PRIVACY_PIN: Final = 2
"""Password type. Spec: GBCS use case GCS11."""
LOCKED: Final = 0
"""Supply tamper and depletion state: what happens closes the valve. Spec: SMETS 4.6.4.24, 4.6.4.25."""
TAMPER_CODES: Final = (
    events.TAMPER,
    events.BATTERY_COVER_OPENED,
    events.METER_COVER_OPENED,
    events.STRONG_MAGNET,
    events.TAMPER_OTHER,
    events.TILT,
)


HubTime = Callable[[], "datetime | None"]
"""What the hub's clock shows; None when it has no time to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GsmePlant:
    """What a gas meter is made of, whatever its power does. `hub_time`: what the hub's clock shows."""

    station: Station
    settings: GsmeSettings
    volumes: DailyVolumes
    hub_time: Callable[[], datetime | None]
    security: SecuritySettings = field(default_factory=SecuritySettings)


class GsmeCore:
    """One gas meter with power."""

    def __init__(
        self, plant: GsmePlant, workplace: Workplace, now: datetime, off_since: datetime | None
    ) -> None:
        """`off_since`: when it lost its power, where the shell knows."""
        settings, nvm = plant.settings, workplace.nvm
        self._plant = plant
        self._place = workplace
        quirks = plant.station.quirks
        self.clock = DeviceClock(nvm, quirks, status=settings.clock_status, offset=settings.clock_offset)
        self.event_settings = EventSettings(self._memory)
        self.application = Application(
            station=plant.station,
            workplace=workplace,
            clock=self.clock,
            routes=self.event_settings.route,
            stamp=self._stamp,
        )
        self.valve = Valve(nvm, settings.valve)
        self.meter = GasMeter(nvm, replace(settings.registers))
        self.calendars = Calendars(self._memory, CALENDAR_LIMITS, self.clock.time, self._calendar_changed)
        self.tariff = GasTariff(self._memory, self.calendars)
        self.records = GasRecords(
            nvm=nvm,
            memory=self._memory,
            device_time=self.clock.time,
            tier=lambda at: self.tariff.tier(self.clock.time(at)),
            minutes_of_tier=lambda at: self.tariff.minutes(self.clock.time(at)),
            price=lambda at: self.tariff.price(self.clock.time(at), self.meter.registers.block_mwh),
            event_log=self.application.event_log,
            security_log=self.application.security_log,
            raise_event=self.application.raise_event,
            profile=self.meter.profile,
            daily=self.meter.daily,
        )
        self.account = GasAccount(
            nvm=nvm,
            memory=self._memory,
            first=replace(settings.account),
            host=self._account_host(),
            records=self.records,
            options=settings.options,
        )
        self.firmware_version = b""
        self.life = GasLife(
            nvm=nvm,
            now=now,
            memory=self._memory,
            clock=self.clock,
            valve=self.valve,
            meter=self.meter,
            flow=GasFlow(plant.volumes),
            calendars=self.calendars,
            tariff=self.tariff,
            records=self.records,
            account=self.account,
            daily_read_minute=settings.daily_read_minute,
            apply=self._apply,
            push=self.push_billing,
        )
        self.message = SupplierMessage(nvm, lambda: kept_message(self._memory()), self.clock.time)
        self.pin, panel = PrivacyPin(nvm), GasPanel(self)
        self.interface = UserInterface(pin=self.pin, public=panel.public, personal=panel.personal)
        self.battery_days = settings.battery_days
        self.lock_out = LockOut()
        self._check: FlowCheck | None = None
        self.engine = self.application.install(
            ZclEngine(
                model=GSME_MODEL,
                bindings=self._bindings(),
                future_dated=self.application.future_dated,
                nvm=nvm,
                quirks=quirks,
                state={**settings.attributes},
                alert_frame_control=alert_frame_control,
            )
        )
        self.reporter = MirrorReporter(self._memory, self.records)
        self.application.tell_home = self.reporter.tell
        self.security = install_security(
            self.application,
            station=plant.station,
            workplace=workplace,
            clock=self.clock,
            settings=plant.security,
            hooks=Hooks(
                set_top_up_floor=self.account.utrns.restart,
                set_clock=self._set_clock,
                firmware_changed=self._show_firmware,
                supplier_changed=self.replaced_supplier,
            ),
        )
        self.firmware_version = self.security.firmware.store.version
        self.account.begin()
        self._next_check = now + CLOCK_CHECK_INTERVAL
        with workplace.work(now) as work:
            self._boot(work, off_since)

    def _memory(self) -> ZclMemory:
        return self.engine.memory

    def _boot(self, work: Work, off_since: datetime | None) -> None:
        """Come back from a time without power: nothing was measured in it, midnights that passed are
        charged."""
        since = self.life.since if off_since is None else off_since
        if since is not None:
            self.life.catch_up(work, since)
            if work.now - since > CLOCK_RESERVE:
                self.clock.invalidate(work)
            elif self.clock.running:
                self.life.pass_without_power(work, since)
            if self._memory().number(Metering.supply_depletion_state) == LOCKED:
                self._move(work, ValveEvent.DEPLETION)
        self.security.firmware.power_on(work)
        self.life.keep(work)

    # ---------------------------------------------------------------------------- events from outside

    def receive(self, data: bytes, now: datetime) -> None:
        """A message has come."""
        self.settle(now)
        self.application.receive(data, now)

    def open_by_hand(self, now: datetime) -> bool:
        """Somebody at the meter asks for gas and confirms it; True when the flow is being checked, or gas
        flows already."""
        self.settle(now)
        if not self._pressed(now):
            return self.valve.open
        with self._place.work(now) as work:
            armed = self.valve.state is ValveState.ARMED
            self._move(work, ValveEvent.LOCAL_OPEN)
            if armed and self._check is None:
                self._check = self._flow_check(now)
                work.note("FlowCheckBegun", until=utc_text(moment_of(self._check.ends_us)))
        return armed or self.valve.open

    def _flow_check(self, now: datetime) -> FlowCheck:
        """Spec: SMETS 4.6.4.33."""
        number = self._memory().number
        divisor = number(Metering.uncontrolled_flow_divisor)
        litres = number(Metering.uncontrolled_flow_threshold) * number(Metering.uncontrolled_flow_multiplier)
        return FlowCheck.begin(
            microseconds(now),
            stabilisation_ds=number(Metering.flow_stabilisation_period),
            measurement_s=number(Metering.flow_measurement_period),
            limit_ml_per_hour=litres * 1_000_000 // max(1, divisor),
        )

    def _pressed(self, now: datetime) -> bool:
        """Somebody presses a button: whether the Privacy PIN keeps nothing from them."""
        admitted = self.pin.press(now)
        if not admitted:
            self._place.note("PrivacyPinWanted")
        return admitted

    def select_emergency_credit(self, now: datetime) -> bool:
        """Somebody at the meter asks for emergency credit; True when it is active afterwards."""
        self.settle(now)
        if not self._pressed(now):
            return self.account.state.emergency.taken
        with self._place.work(now) as work:
            return self.account.activate_emergency_credit(work)

    def change_pin(self, now: datetime, act: Callable[[Work], PinAnswer]) -> PinAnswer:
        """The consumer sets the Privacy PIN, or takes it away."""
        with self._place.work(now) as work:
            answer = act(work)
            code = events.USER_COMMAND_DONE if answer.done else events.USER_COMMAND_FAILED
            self.application.raise_event(work, code)
        return answer

    def enter_code(self, digits: str, now: datetime) -> Refusal | int:
        """Somebody enters a top-up code at the meter: its value, or why it is refused. Spec: GBCS 14.6."""
        self.settle(now)
        self.pin.press(now)  # a code may be typed without the PIN
        time = self.clock.time(now)
        with self._place.work(now) as work:
            if self.lock_out.locked(time):
                self.application.raise_event(work, events.UTRN_LOCKED_OUT)
                return Refusal.LOCKED_OUT
            verdict = self.account.enter(work, digits, None)
            if isinstance(verdict, Refusal):
                if verdict.counts_towards_lock_out and self.lock_out.refuse(time):
                    self.application.raise_event(work, events.UTRN_ENTRY_SUSPENDED)
                return verdict
            self.lock_out.accept()
            self.application.raise_event(work, events.CREDIT_ADDED_LOCALLY)
            return verdict[0]

    def receive_firmware(self, image: bytes, now: datetime) -> Receipt:
        """A whole OTA file has come; what became of it."""
        with self._place.work(now) as work:
            return self.security.firmware.receive(work, image)

    def tamper(self, code: int, now: datetime) -> None:
        """Somebody interferes with the meter. Spec: SMETS 4.6.4.24 (Supply Tamper State)."""
        if code not in TAMPER_CODES:
            raise ValueError(f"{code:04X} is no tamper event")
        self.settle(now)
        with self._place.work(now) as work:
            self.application.raise_event(work, code)
            if self._memory().number(Metering.supply_tamper_state) == LOCKED:
                self._move(work, ValveEvent.TAMPER)

    def working(self, now: datetime) -> AbstractContextManager[Work]:
        """A piece of work of the meter."""
        return self._place.work(now)

    def raise_event(self, code: int, now: datetime) -> None:
        """Let an event happen that changes nothing else: a cover, a fault of the battery or the gas flow."""
        with self._place.work(now) as work:
            self.application.raise_event(work, code)

    def warn(self, warning: str, now: datetime) -> None:
        """The meter doubts itself. Spec: GBCS use case MIIWA."""
        supplier = self.application.trust_anchors.party(RemotePartyRole.SUPPLIER)
        with self._place.work(now) as work:
            self.application.event_log.append(work, events.INTEGRITY_WARNING, self.clock.time(now))
            if supplier is not None:
                use_case = USE_CASES["MIIWA-ZigBee"]
                told: Parameters = {"warning": warning}
                self.application.send_alert(work, use_case, events.INTEGRITY_WARNING, supplier, told)

    def replaced_supplier(self, work: Work) -> None:
        """The supplier's credentials were replaced: billing data of the old one are recorded."""
        self.life.snapshot_change(work, CHANGE_OF_SUPPLIER)

    def _set_clock(self, work: Work, first: datetime, last: datetime) -> tuple[datetime, int]:
        """Take the hub's time if it lies in an interval. Spec: GBCS 9.1, use case GCS28."""
        adjusted = self.clock.set_from_hub(work, self._plant.hub_time(), first, last)
        self.application.raise_event(work, events.CLOCK_ADJUSTED if adjusted else events.CLOCK_NOT_ADJUSTED)
        return self.clock.time(work.now), int(self.clock.status)

    def _show_firmware(self, work: Work, version: bytes) -> None:
        del work
        self.firmware_version = version

    # ---------------------------------------------------------------------------- time

    def next_deadline(self) -> datetime:
        """When `tick` has something to do, in laboratory time."""
        moments = [self._next_check, self.life.next_deadline()]
        if self._check is not None:
            moments.append(moment_of(self._check.ends_us))
        waiting = self.application.next_deadline()
        if waiting is not None:
            moments.append(waiting)
        return min(moments)

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        self.settle(now)
        self._finish_check(now)
        self.application.tick(now)
        if now >= self._next_check:
            self._next_check = now + CLOCK_CHECK_INTERVAL
            self._compare_clock(now)

    def settle(self, now: datetime) -> None:
        """Bring registers, account and logs up to a moment."""
        with self._place.work(now) as work:
            self.life.settle(work)

    def _compare_clock(self, now: datetime) -> None:
        hub_time = self._plant.hub_time()
        if hub_time is not None:
            with self._place.work(now) as work:
                if not self.clock.compare_with_hub(work, hub_time):
                    self.application.raise_event(work, events.CLOCK_BEYOND_TOLERANCE)

    def _calendar_changed(self, work: Work, kind: int) -> None:
        if kind == NON_DISABLEMENT:
            self.life.follow_non_disablement(work, self.clock.time(work.now))
        else:
            self.life.snapshot_change(work, CHANGE_OF_TARIFF)

    def _finish_check(self, now: datetime) -> None:
        """The flow of a valve that was opened by hand is known. Spec: SMETS 4.6.4.33."""
        check = self._check
        if check is None or microseconds(now) < check.ends_us:
            return
        self._check = None
        with self._place.work(now) as work:
            fine = check.passes(self.life.leak_ml_per_hour)
            lasted_us = check.ends_us - check.begins_us
            volume = self.life.leak_ml_per_hour * lasted_us // 3_600_000_000
            self.life.count(work, volume, self.clock.time(now))
            self._move(work, ValveEvent.FLOW_IS_FINE if fine else ValveEvent.UNCONTROLLED_FLOW)
            self.life.keep(work)

    # ---------------------------------------------------------------------------- snapshots, periods, samples

    def push_billing(self, work: Work, snapshot: Snapshot) -> None:
        """Tell the supplier the newest billing snapshot. Spec: GBCS use case GCS53."""
        supplier = self.application.trust_anchors.party(RemotePartyRole.SUPPLIER)
        if supplier is None:
            return
        number = len(self.records.billing.entries) - 1 if snapshot.identifier is None else snapshot.identifier
        command = Metering.publish_snapshot
        record = snapshot_record(snapshot, number, 1, command, SNAPSHOT_TYPE, REGISTERS)
        component: dict[str, Value] = {"cluster": "metering", "command": command.name}
        component |= command.to_json(record)
        use_case = USE_CASES["GCS53"]
        self.application.send_alert(
            work, use_case, events.BILLING_DATA_LOG_UPDATED, supplier, {"billing_data_log": component}
        )

    # ---------------------------------------------------------------------------- account and valve

    def _account_host(self) -> GasAccountHost:
        return GasAccountHost(
            device=self._plant.station.eui64,
            secret=self._top_up_secret,
            device_time=self.clock.time,
            apply=self._apply,
            raise_event=self.application.raise_event,
            armed=lambda: self.valve.state is ValveState.ARMED,
            mode_changing=lambda work: self.life.snapshot_change(work, CHANGE_OF_MODE),
            friendly_credit=self._friendly_credit,
            accepts_reused_utrn=self._plant.station.quirks.accepts_reused_utrn,
        )

    def _top_up_secret(self) -> tuple[Eui64, bytes] | None:
        cell = self.application.trust_anchors.find(
            RemotePartyRole.SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP
        )
        return None if cell is None else (cell.entity_id, self.application.scribe.secret(cell.public_key))

    def _friendly_credit(self) -> tuple[bool, int]:
        table = self.calendars.view(NON_DISABLEMENT).table
        number = self._plant.settings.friendly_credit_calendar
        return bool(table.days), table.identifier if number is None else number

    def _apply(self, work: Work, found: Events) -> None:
        """Raise what an account has to say, and move the valve with it."""
        for event in found:
            if event in CODES:
                self.application.raise_event(work, CODES[event])
            if event is AccountEvent.CREDIT_GONE:
                self._move(work, ValveEvent.CREDIT_GONE)
            elif event is AccountEvent.CREDIT_BACK:
                self._move(work, ValveEvent.CREDIT_BACK)
                if AccountEvent.EMERGENCY_ACTIVATED in found and self.valve.state is ValveState.ARMED:
                    self.application.raise_event(work, events.ARMED_BY_EMERGENCY_CREDIT)

    def _move(self, work: Work, event: ValveEvent) -> None:
        for code in self.valve.handle(work, event):
            self.application.raise_event(work, code)
        if self.valve.state is not ValveState.ARMED:
            self._check = None

    def _change_supply(self, call: ZclCall, record: Record) -> Answer:
        """Spec: GBCS use cases GCS32, GCS39; a gas valve is never opened from afar."""
        wanted = record.integer("proposed_supply_status")
        if wanted not in {_OFF, _ARMED}:
            raise ComponentError(Status.INVALID_VALUE, f"supply status {wanted}")
        if wanted == _ARMED and not self.valve.can_arm():
            raise ComponentError(Status.FAILURE, "there is no credit")
        self._move(call.work, ValveEvent.REMOTE_ARM if wanted == _ARMED else ValveEvent.REMOTE_CLOSE)
        if self.valve.state != wanted:
            raise ComponentError(Status.HARDWARE_FAILURE, "the valve does not move")
        return Metering.supply_status_response.record(
            provider_id=record.integer("provider_id"),
            issuer_event_id=record.integer("issuer_event_id"),
            implementation_date_time=record.integer("implementation_date_time"),
            supply_status=int(self.valve.state),
        )

    # ---------------------------------------------------------------------------- bindings

    def _bindings(self) -> ZclBindings:
        handlers: dict[str, Handler] = {
            **self.calendars.handlers(),
            **self.records.handlers(),
            **self.account.handlers(),
            **self.event_settings.handlers(),
            "tariff_changed": self._tariff_changed,
            "start_sampling": self.life.start_sampling,
            "change_supply": self._change_supply,
            "disable_privacy_pin": self._disable_privacy_pin,
            "message_came": self.message.taken,
        }
        for name in ("top_up", "activate_emergency_credit"):
            handlers[name] = self._noting(handlers[name])
        return ZclBindings(computed=self._computed(), handlers=handlers, stagers=self.calendars.stagers())

    def _computed(self) -> dict[Attribute, Computed]:
        account, state = self.account, self.account.state
        computed: dict[Attribute, Computed] = {
            Metering.current_summation_delivered: lambda _now: self.meter.shown()[0],
            Metering.supply_status: lambda _now: int(self.valve.state),
            Metering.remaining_battery_life_in_days: lambda _now: self.battery_days,
            Metering.current_meter_id: lambda _now: self.firmware_version,
            Metering.bill_to_date_delivered: lambda _now: state.cost_to_date,
            Prepayment.credit_remaining: lambda _now: state.meter_balance,
            Prepayment.emergency_credit_remaining: lambda _now: account.emergency_remaining,
            Prepayment.accumulated_debt: lambda _now: state.accumulated_debt,
            Prepayment.debt_amount_1: lambda _now: state.time_debt_1,
            Prepayment.debt_amount_2: lambda _now: state.time_debt_2,
            Prepayment.debt_amount_3: lambda _now: state.payment_debt,
        }
        for place, attribute in enumerate(TIER_REGISTERS):
            computed[attribute] = partial(self._tier_shown, place)
        for place, attribute in enumerate(BLOCK_COUNTERS):
            computed[attribute] = partial(self._block_shown, place)
        return computed

    def _tier_shown(self, place: int, now: datetime) -> ZclValue:
        del now
        return self.meter.shown()[1][place]

    def _block_shown(self, place: int, now: datetime) -> ZclValue:
        del now
        return self.meter.shown()[2][place]

    def _noting(self, handler: Handler) -> Handler:
        """What a device of the HAN asks for stands in the event log, done or not. Spec: GBCS 16.2."""

        def noting(call: ZclCall, record: Record) -> Answer:
            use_case = None if call.command is None else call.command.use_case
            local = use_case is not None and not use_case.originator_roles
            extra = b"" if use_case is None else use_case.code.to_bytes(2, "big")
            try:
                answer = handler(call, record)
            except ComponentError:
                if local:
                    self.application.raise_event(call.work, events.HAN_COMMAND_FAILED, extra)
                raise
            if local:
                self.application.raise_event(call.work, events.HAN_COMMAND_DONE, extra)
            return answer

        return noting

    def _tariff_changed(self, call: ZclCall, record: Record) -> Answer:
        del record
        self.life.snapshot_change(call.work, CHANGE_OF_TARIFF)
        return None

    def _disable_privacy_pin(self, call: ZclCall, record: Record) -> Answer:
        """Spec: GBCS use case GCS11."""
        if record.integer("password_type") != _PRIVACY_PIN:
            raise ComponentError(Status.INVALID_VALUE, "no password but the Privacy PIN")
        self.pin.disable(call.work)
        return None

    def _stamp(self, use_case: UseCase, now: datetime) -> int | None:
        """Date-times of reads say how good the clock is. Spec: GBCS use cases GCS13, GCS14, GCS60a."""
        del now
        is_read = use_case.counter_family is CounterFamily.ORDINARY and not use_case.replay_protected
        return int(self.clock.status) if is_read and use_case.date_time_in_response else None

    # ---------------------------------------------------------------------------- for people

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state of the meter, for diagnosis."""
        state = self.account.state
        time = self.clock.time(now)
        return {
            "clock": {"time": utc_text(time), "status": self.clock.status.name.lower()},
            "supply": self.valve.state.name.capitalize(),
            "supply_causes": [str(cause) for cause in self.valve.causes],
            "tier": self.tariff.tier(time),
            "account": {
                "mode": "prepayment" if state.prepayment else "credit",
                "meter_balance": state.meter_balance,
                "emergency_credit": state.emergency.value,
                "emergency_balance": state.emergency_balance,
                "accumulated_debt": state.accumulated_debt,
                "time_debt_1": state.time_debt_1,
                "time_debt_2": state.time_debt_2,
                "payment_debt": state.payment_debt,
                "cost_to_date": state.cost_to_date,
            },
            "attributes": self._memory().describe(now),
            "user_interface": self.interface.inspect(now),
            "utrn_counters": list(self.account.utrns.counters),
            "security": self.security.inspect(),
            **self.application.inspect(),
        }
