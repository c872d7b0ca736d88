"""The virtual gas proxy function: a logical device inside its hub, with identity and credentials of its own.

Messages reach it through the hub, and reports of its gas meter over the HAN.

Spec: GBCS 10.3.4 (tap-off), 10.4 (mirror)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from typing import Final, Protocol, Unpack

from smetslab.devices.base import Carry, Device
from smetslab.devices.faults import FaultHandler, FaultValue
from smetslab.devices.gas_settings import read_gpf_settings
from smetslab.devices.gpf_core import GpfCore, GpfPlant
from smetslab.devices.han_applications import han_station
from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.mirror_desk import MirrorDesk
from smetslab.devices.parts import DeviceParts, shell_of, station_of
from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.installed import settings_of
from smetslab.devices.work import Workplace
from smetslab.errors import ZclDecodeError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.values import Value
from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame, ClusterRole
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import decode_frame
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price

MIRROR_ENDPOINT = 11
DISPLAYED_CLUSTERS: Final = (
    Metering.id,
    Prepayment.id,
    Price.id,
    Messaging.id,
    Calendar.id,
    DeviceManagement.id,
    Events.id,
)
"""Of which the proxy is the server for displays."""
MIRRORED_CLUSTERS: Final = (Metering.id, Prepayment.id, Price.id, Events.id)


class ProxyHome(Protocol):
    """The hub that a proxy lives in."""

    def house(
        self, entity: Eui64, receive: Callable[[bytes], None], watch: Callable[[Eui64, bytes, bool], None]
    ) -> Callable[[], None]:
        """Bring messages for `entity` to `receive`, and show every message of other devices to `watch`: of
        which device, its octets, and whether it goes down. The result ends it."""

    def send_up(self, payload: bytes) -> None:
        """Carry a message to the WAN."""

    def hub_time(self) -> datetime | None:
        """What the hub's clock shows; None when it has no time."""

    def functional_flags(self, device: Eui64) -> int:
        """What waits in the hub for a gas meter, as FunctionalNotificationFlags."""


class GasProxy(Device[GpfCore]):
    """One gas proxy function."""

    device_type: Final = DeviceType.GPF

    def __init__(
        self,
        *,
        hub: ProxyHome,
        **parts: Unpack[DeviceParts],
    ) -> None:
        """Raises UsageError when the profile names a quirk or setting that a proxy does not have."""
        super().__init__(**shell_of(parts))
        profile, eui64 = parts["profile"], parts["eui64"]
        settings = read_gpf_settings(profile)
        self.profile = profile
        self.meter: Eui64 | None = None
        """The gas meter that it mirrors: the one that has reported last, or that the hub has been told of."""
        self._han = parts["han"]
        self._hub = hub
        self._desk = MirrorDesk(HanOutbox(), MIRROR_ENDPOINT, hub.functional_flags)
        station = station_of(
            parts,
            self.device_type,
            answers_to=RemotePartyRole.SUPPLIER,
            first_alert_counter=settings.first_alert_counter,
            key_seed=parts["rng"].child(f"keys.{eui64}"),
        )
        self._plant = GpfPlant(
            station=station,
            settings=settings,
            hub_time=hub.hub_time,
            lab_time=self.clock.now,
            security=settings_of(profile, eui64),
        )

    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> GpfCore:
        return GpfCore(self._plant, workplace, now, off_since)

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Carry]:
        core = self._core
        self._desk = MirrorDesk(core.han, MIRROR_ENDPOINT, self._hub.functional_flags)
        frames = han_station(
            self._han,
            self.clock,
            self.trace,
            core.han,
            [self._desk],
            clusters=dict.fromkeys(DISPLAYED_CLUSTERS, ClusterRole.SERVER),
            taken=self._take_frame,
            failed=self._lose_frame,
        )
        async with self._han, frames:
            with ExitStack() as stack:
                for cluster in MIRRORED_CLUSTERS:
                    stack.callback(
                        self._han.register(
                            MIRROR_ENDPOINT,
                            SMART_ENERGY_PROFILE,
                            cluster,
                            ClusterRole.CLIENT,
                            self._reported,
                        )
                    )
                stack.callback(self._hub.house(self.eui64, self.receive, self._watch))
                yield self._carry_up

    def _take_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han_receive(frame, self.clock.now())

    def _lose_frame(self, frame: HanFrame) -> None:
        self.trace.record(
            "device", "FrameNotDelivered", source=str(self.eui64), peer=str(frame.peer), cluster=frame.cluster
        )

    def pair_display(self, device: Eui64) -> None:
        """Put a Type 2 device on the device log, as one that joined before the laboratory began."""
        self._core.pair_display(device, self.clock.now())

    async def _carry_up(self, octets: bytes) -> None:
        self._hub.send_up(octets)

    def _reported(self, frame: ApsFrame) -> None:
        """The meter reports."""
        if self._power is None:
            return
        try:
            zcl = decode_frame(frame.payload)
        except ZclDecodeError as error:
            self.trace.record("device", "ReportRefused", source=str(self.eui64), why=str(error))
            return
        if self._power.core.reported(frame.cluster, zcl, self.clock.now()):
            self.meter = frame.source
            self._desk.reported(frame.source, zcl)

    def _watch(self, device: Eui64, payload: bytes, down: bool) -> None:
        """A message of another device passes through the hub."""
        if self._power is None or device != self.meter:
            return
        core, now = self._power.core, self.clock.now()
        if down:
            core.passed_down(device, payload, now)
        else:
            core.passed_up(device, payload, now)
        self.carry_out()
        self._power.inbox.put_nowait(None)  # what was tapped off may be dated

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        return {**super().fault_handlers(), "hardware-fault": self._hardware_fault}

    async def _hardware_fault(self, parameters: Mapping[str, FaultValue]) -> None:
        self._core.application.command_fault = Fault(int(parameters["item"]))

    def inspect(self) -> dict[str, Value]:
        """The state of the proxy, for diagnosis: JSON-able."""
        return {**super().inspect(), "meter": None if self.meter is None else str(self.meter)}
