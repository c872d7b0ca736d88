"""The virtual PPMID and HCALCS: their cores in the shell, on the HAN, with a tunnel to the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, Final, Generic, TypeVar, Unpack

from smetslab.devices.base import Carry, Device
from smetslab.devices.display_reading import Reading
from smetslab.devices.faults import FaultHandler
from smetslab.devices.han_applications import han_station
from smetslab.devices.han_clients import HanClients
from smetslab.devices.han_frames import HanFrame
from smetslab.devices.hcalcs_core import HcalcsCore, Switch
from smetslab.devices.ihd_screen import lines
from smetslab.devices.ota_rules import ClientRules
from smetslab.devices.parts import DeviceParts, shell_of, station_of
from smetslab.devices.payload_engine import Fault
from smetslab.devices.ppmid_core import Display, PpmidCore
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import settings_of
from smetslab.devices.type1_core import Type1Core, Type1Plant, known_state, read_settings
from smetslab.devices.type2 import CLUSTERS
from smetslab.devices.work import Workplace
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.values import Value
from smetslab.han import ClusterRole, TunnelRules, TunnelServer
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.clusters.load_control import LoadControl

TUNNEL_ENDPOINT = 1

T = TypeVar("T", bound=Type1Core)


class Type1Device(Device[T], Generic[T]):
    """One Type 1 device; its kinds differ in their core and in the clusters that they are clients of."""

    device_type: ClassVar[DeviceType]
    clusters: ClassVar[tuple[int, ...]]

    def __init__(
        self,
        *,
        hub: Eui64,
        tunnel_rules: TunnelRules | None = None,
        ota_rules: ClientRules | None = None,
        **parts: Unpack[DeviceParts],
    ) -> None:
        """`hub`: the HAN address of the hub.

        Raises UsageError when the profile names a quirk or setting that the device does not have.
        """
        super().__init__(**shell_of(parts))
        profile, eui64 = parts["profile"], parts["eui64"]
        settings = read_settings(profile)
        self.profile = profile
        self._han = parts["han"]
        self._hub = hub
        self._tunnel_rules = tunnel_rules
        security = settings_of(profile, eui64)
        self._clients = HanClients(hub, security, ota_rules)
        station = station_of(
            parts,
            self.device_type,
            answers_to=RemotePartyRole.ACCESS_CONTROL_BROKER,
            first_alert_counter=settings.first_alert_counter,
            key_seed=parts["rng"].child("keys"),
        )
        self._plant = Type1Plant(
            station=station,
            settings=settings,
            hub_time=lambda: self._clients.hub_time(self.clock.now()),
            security=security,
        )

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Carry]:
        core = self._core
        tunnel = TunnelServer(
            self._han,
            self.clock,
            self.trace,
            endpoint=TUNNEL_ENDPOINT,
            on_data=lambda _peer, data: self.receive(data),
            on_opened=lambda _peer: self.carry_out(),
            rules=self._tunnel_rules,
            nvm=self._nvm,
        )
        applications = self._clients.begin(
            core.han,
            self._workplace,
            self.clock.now(),
            own=core.clock.time,
            firmware=core.security.firmware,
        )
        frames = han_station(
            self._han,
            self.clock,
            self.trace,
            core.han,
            applications,
            clusters=dict.fromkeys(self.clusters, ClusterRole.CLIENT),
            taken=self._take_frame,
            failed=self._lose_frame,
            worked=self.carry_out,
        )
        try:
            async with self._han, tunnel, frames:
                self.tunnel_server = tunnel
                yield lambda octets: tunnel.send(self._hub, octets)
        finally:
            self.tunnel_server = None
            self._clients.end()

    def _take_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han_receive(frame, self.clock.now())
            self.look()

    def _lose_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han_failed(frame, self.clock.now())
            self.look()

    # ---------------------------------------------------------------------------- the world around it

    def receive_firmware(self, image: bytes) -> Receipt:
        """A whole OTA file has come; what became of it. Raises LocalProtocolError without power."""
        receipt = self._core.receive_firmware(image, self.clock.now())
        self.carry_out()
        return receipt

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        """Those of every device, and faults in its hardware and its firmware."""
        return {
            **super().fault_handlers(),
            "hardware-fault": self._fault_in_command(self.inject_hardware_fault),
            "firmware-corruption": self._fault_firmware,
        }

    def inject_hardware_fault(self, item: int) -> None:
        """Item `item` (from 0) of the next command that is executed fails, once."""
        self._core.application.command_fault = Fault(item)


class Ppmid(Type1Device[PpmidCore]):
    """One PPMID: what its consumer does and sees."""

    device_type: ClassVar[DeviceType] = DeviceType.PPMID
    clusters: ClassVar[tuple[int, ...]] = CLUSTERS

    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> PpmidCore:
        del off_since
        return PpmidCore(self._plant, workplace, now)

    @property
    def display(self) -> Display:
        """What it shows. Raises LocalProtocolError without power."""
        return self._core.display

    def enter_top_up(self, digits: str, meter: Eui64 | None = None) -> Display:
        """The consumer keys in a code, for `meter` or the only one it is paired with."""
        return self._shown(self._core.enter_top_up(self.clock.now(), digits, meter))

    def activate_emergency_credit(self, meter: Eui64 | None = None) -> Display:
        """The consumer chooses emergency credit."""
        return self._shown(self._core.activate_emergency_credit(self.clock.now(), meter))

    def enable_supply(self, meter: Eui64 | None = None) -> Display:
        """The consumer asks for supply."""
        return self._shown(self._core.enable_supply(self.clock.now(), meter))

    def read_meter(self, meter: Eui64) -> None:
        """Ask an electricity meter for the balance page."""
        self._core.read_meter(meter)

    @property
    def screen(self) -> list[str]:
        """What it shows of its meters, as lines of text. Raises LocalProtocolError without power."""
        now = self.clock.now()
        return lines(list(self._core.readings.values()), now, self._core.clock.time(now))

    def inspect(self) -> dict[str, Value]:
        """The state of the device, for diagnosis, with what it shows: JSON-able."""
        return {**super().inspect(), **({"screen": list(self.screen)} if self.powered else {})}

    @property
    def readings(self) -> dict[Eui64, Reading]:
        """What each meter has told. Raises LocalProtocolError without power."""
        return dict(self._core.readings)

    def _shown(self, display: Display) -> Display:
        self.look()
        return display


class Hcalcs(Type1Device[HcalcsCore]):
    """One HCALCS: its switches, and the button that opts out."""

    device_type: ClassVar[DeviceType] = DeviceType.HCALCS
    clusters: ClassVar[tuple[int, ...]] = (LoadControl.id,)

    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> HcalcsCore:
        del off_since
        return HcalcsCore(self._plant, workplace, now)

    @property
    def switches(self) -> tuple[Switch, ...]:
        """Its switches. Raises LocalProtocolError without power."""
        return self._core.switches

    def opt_out(self, number: int, *, out: bool = True) -> Switch:
        """The consumer has a switch stay open, or lets the meter have it again."""
        switch = self._core.opt_out(self.clock.now(), number, out=out)
        self.look()
        return switch


TYPE_1: Final[Mapping[DeviceType, type[Type1Device[Any]]]] = {
    DeviceType.PPMID: Ppmid,
    DeviceType.HCALCS: Hcalcs,
}

__all__ = ["TYPE_1", "Hcalcs", "Ppmid", "Type1Device", "known_state"]
