"""The core of a gas proxy function: the mirror of one gas meter, with credentials and a log of its own.

Remote parties and displays read gas data here while the meter sleeps. Whatever it tells comes from the meter:
by its reports, and by commands to the meter that pass through the hub and that the meter has acknowledged
(tap-off). Its own are the device log, the date of a change of tenancy, and its event log.

Spec: GBCS 10.3.4 (tap-off), use cases GCS09, GCS13 to GCS18, GCS21, GCS33, GCS38, GCS46, GCS59 to GCS62
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from smetslab.devices.application import Application, Station
from smetslab.devices.display_publisher import SHOW, DisplayPublisher
from smetslab.devices.display_server import DisplayServer
from smetslab.devices.gas_meter import DailyConsumption, HalfHourProfile
from smetslab.devices.gas_model import CALENDAR_LIMITS, GPF_MODEL
from smetslab.devices.gas_records import GasRecords
from smetslab.devices.gas_settings import GpfSettings
from smetslab.devices.gas_tariff import GasTariff
from smetslab.devices.gpf_displays import GpfDisplays, Mirrored
from smetslab.devices.han_events import event_of
from smetslab.devices.han_frames import HanFrame, HanOutbox, default_response
from smetslab.devices.mirror import Mirror
from smetslab.devices.security.installed import Hooks, SecuritySettings, install_security
from smetslab.devices.supplier_message import SupplierMessage, confirmations, kept_message
from smetslab.devices.tap_off import TapOff
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.work import Work, Workplace
from smetslab.devices.zcl.calendar import Calendars
from smetslab.devices.zcl.engine import ZclEngine
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ZclBindings, ZclCall
from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import IMMEDIATE, Value, as_moment, utc_text
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Record, ZclFrame, find_command
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.named import seconds_to_text

GPF_LOG_CHANGED: Final = 0x8071
NO_TIME: Final = 0x01
"""Clock status of a hub without time. Spec: GBCS 9.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpfPlant:
    """What a proxy is made of. `hub_time`: what the hub's clock shows, `lab_time`: laboratory time.

    `clock_status`: what date-times of its reads say while the hub's time is good: 00 its own time, 04 the
    meter's (RTDS 4.5.0).
    """

    station: Station
    settings: GpfSettings
    hub_time: Callable[[], datetime | None]
    lab_time: Callable[[], datetime]
    clock_status: int = 0x00
    security: SecuritySettings = field(default_factory=SecuritySettings)


class HubClock:
    """The proxy's time is its hub's."""

    def __init__(self, hub_time: Callable[[], datetime | None], lab_time: Callable[[], datetime]) -> None:
        self._hub_time = hub_time
        self._lab_time = lab_time

    @property
    def running(self) -> bool:
        return self._hub_time() is not None

    @property
    def offset(self) -> timedelta:
        """How far the hub's clock is ahead of laboratory time; zero while it has no time."""
        shown = self._hub_time()
        return timedelta() if shown is None else shown - self._lab_time()

    def time(self, now: datetime) -> datetime:
        """The hub's time at a moment of laboratory time."""
        return now + self.offset

    def moment(self, time: datetime) -> datetime:
        """The moment of laboratory time at which the hub's clock will show `time`."""
        return time - self.offset


class GpfCore:
    """One gas proxy function with power."""

    def __init__(
        self, plant: GpfPlant, workplace: Workplace, now: datetime, off_since: datetime | None
    ) -> None:
        del now, off_since
        nvm = workplace.nvm
        self._plant = plant
        self._place = workplace
        self.clock = HubClock(plant.hub_time, plant.lab_time)
        self.application = Application(
            station=plant.station, workplace=workplace, clock=self.clock, stamp=self._stamp
        )
        self.calendars = Calendars(self._memory, CALENDAR_LIMITS, self.clock.time, lambda _work, _kind: None)
        self.tariff = GasTariff(self._memory, self.calendars)
        self.records = GasRecords(
            nvm=nvm,
            memory=self._memory,
            device_time=self.clock.time,
            tier=lambda at: self.tariff.tier(self.clock.time(at)),
            minutes_of_tier=lambda at: self.tariff.minutes(self.clock.time(at)),
            price=lambda at: self.tariff.price(self.clock.time(at), 0),
            event_log=self.application.event_log,
            security_log=self.application.security_log,
            raise_event=self.application.raise_event,
            profile=HalfHourProfile(nvm),
            daily=DailyConsumption(nvm),
        )
        self.tenancy = Tenancy(nvm)
        self._message = SupplierMessage(
            nvm, lambda: kept_message(self._memory()), self.clock.time, self.tenancy.hidden_before
        )
        self.engine = self.application.install(
            ZclEngine(
                model=GPF_MODEL,
                bindings=ZclBindings(
                    handlers={
                        **self.calendars.handlers(),
                        **self.records.handlers(),
                        "tenancy_changed": self._tenancy_changed,
                        "message_came": self._message.taken,
                    },
                    stagers=self.calendars.stagers(),
                ),
                future_dated=self.application.future_dated,
                nvm=nvm,
                quirks=plant.station.quirks,
                state={**plant.settings.attributes},
            )
        )
        self.security = install_security(
            self.application,
            station=plant.station,
            workplace=workplace,
            clock=self.clock,
            settings=plant.security,
            hooks=Hooks(log_changed=self.back_up_device_log),
        )
        self.mirror = Mirror(self._memory, self.records)
        self.han = HanOutbox()
        self._displays = cache(self._make_displays)
        self._publisher = DisplayPublisher(self._displays, self.security.log, self.han)
        self.application.tell_home = self._publisher.tell
        self.tap_off = TapOff(nvm, self.engine, self.application.raise_event)

    def _make_displays(self) -> DisplayServer:
        """The answers to displays, made for the first of them."""
        mirrored = Mirrored(
            memory=self._memory,
            calendars=self.calendars,
            tariff=self.tariff,
            records=self.records,
            event_log=self.application.event_log,
            message=self._message,
            tenancy=self.tenancy,
            time=self.clock.time,
        )
        return GpfDisplays(mirrored).server(confirmations(self._place))

    def _memory(self) -> ZclMemory:
        return self.engine.memory

    # ---------------------------------------------------------------------------- events from outside

    def receive(self, data: bytes, now: datetime) -> None:
        """A message to the proxy has come from the WAN."""
        self._publisher.refresh(now)  # what changes from here on is news
        self.application.receive(data, now)
        self._publisher.refresh(now)

    def reported(self, cluster: int, frame: ZclFrame, now: datetime) -> bool:
        """The meter reports something; False when the proxy has no use for it."""
        self._publisher.refresh(now)
        with self._place.work(now) as work:
            taken = self.mirror.take(work, cluster, frame, self.clock.time(now))
        self._publisher.refresh(now)
        if taken and find_command(cluster, frame) is Events.publish_event:
            self._publisher.tell(event_of(Events.publish_event.decode(frame.payload)))
        return taken

    def han_receive(self, frame: HanFrame, now: datetime) -> None:
        """A frame of a display: only those on the device log are answered."""
        entry = self.security.log.find(frame.peer)
        if entry is None or entry.device_type not in SHOW:
            self._place.note("FrameRefused", peer=str(frame.peer), cluster=frame.cluster)
            self.han.put(default_response(frame, Status.NOT_AUTHORIZED))
            return
        for told in self._displays().receive(frame, now):
            self.han.put(told)

    def pair_display(self, device: Eui64, now: datetime) -> None:
        """Put a Type 2 device on the device log, if it is not there."""
        if self.security.log.find(device) is None:
            with self._place.work(now) as work:
                self.security.log.add(work, device, DeviceType.TYPE_2)

    def passed_down(self, meter: Eui64, data: bytes, now: datetime) -> None:
        """A message to the meter passes through the hub."""
        with self._place.work(now) as work:
            self.tap_off.command(work, meter, data)

    def passed_up(self, meter: Eui64, data: bytes, now: datetime) -> None:
        """A message of the meter passes through the hub."""
        self._publisher.refresh(now)
        with self._place.work(now) as work:
            self.tap_off.response(work, meter, data)
        self._publisher.refresh(now)

    def back_up_device_log(self, work: Work) -> None:
        """Tell the access control broker what the device log holds. Spec: GBCS use case GCS62."""
        broker = self.application.trust_anchors.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
        if broker is not None:
            entries = self.security.pairing.entries()
            self.application.send_alert(
                work, USE_CASES["GCS62"], GPF_LOG_CHANGED, broker, {"device_log_entries": entries}
            )

    def _tenancy_changed(self, call: ZclCall, record: Record) -> Answer:
        """Spec: GBCS use case GCS09."""
        match DeviceManagement.publish_change_of_tenancy.to_json(record)["implementation_date_time"]:
            case str(text) if text == IMMEDIATE:
                self.tenancy.set(call.work, self.clock.time(call.work.now))
            case other:
                self.tenancy.set(call.work, as_moment(str(other)))
        return None

    def next_deadline(self) -> datetime | None:
        """When `tick` has something to do, in laboratory time."""
        dated = self.tap_off.next_deadline()
        moments = [self.application.next_deadline(), None if dated is None else self.clock.moment(dated)]
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        self.application.tick(now)
        dated = self.tap_off.next_deadline()
        if dated is not None and dated <= self.clock.time(now):
            with self._place.work(now) as work:
                self.tap_off.tick(work, self.clock.time(now))
        self._publisher.refresh(now)

    def _stamp(self, use_case: UseCase, now: datetime) -> int | None:
        del now
        is_read = use_case.counter_family is CounterFamily.ORDINARY and not use_case.replay_protected
        if not (is_read and use_case.date_time_in_response):
            return None
        return self._plant.clock_status if self.clock.running else NO_TIME

    # ---------------------------------------------------------------------------- for people

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state of the proxy, for diagnosis."""
        updated = self.mirror.updated
        return {
            "time": utc_text(self.clock.time(now)),
            "mirror_updated": None if updated is None else seconds_to_text(updated),
            "change_of_tenancy": self.tenancy.describe(),
            "security": self.security.inspect(),
            "attributes": self._memory().describe(now),
            **self.application.inspect(),
        }
