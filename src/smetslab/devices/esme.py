"""The virtual electricity meter: its core in the shell, on the HAN, with a tunnel to the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from smetslab.clock import Clock
from smetslab.crypto import SharedSecrets
from smetslab.devices.application import Station
from smetslab.devices.base import Carry, Device
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.esme_core import EsmeCore, EsmePlant
from smetslab.devices.esme_settings import known_state, read_settings
from smetslab.devices.han_frames import HanFrame
from smetslab.devices.load import LoadProfile
from smetslab.devices.payload_engine import Fault
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import settings_of
from smetslab.devices.work import Workplace
from smetslab.devices.zcl_endpoint import zcl_endpoint
from smetslab.errors import LocalProtocolError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.gbt import BlockRules
from smetslab.han import ApsService, ClusterRole, TunnelRules, TunnelServer
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.store import Nvm
from smetslab.trace import Trace
from smetslab.zigbee.zcl.clusters.load_control import LoadControl
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment

TUNNEL_ENDPOINT = 1


class Esme(Device[EsmeCore]):
    """One ESME."""

    device_type: Final = DeviceType.ESME

    def __init__(
        self,
        *,
        profile: DeviceProfile,
        eui64: Eui64,
        keys: DeviceKeys,
        trust_anchors: TrustAnchorStore,
        nvm: Nvm,
        han: ApsService,
        hub: Eui64,
        clock: Clock,
        trace: Trace,
        rng: RootSeed,
        hub_time: Callable[[], datetime | None],
        secrets: SharedSecrets | None = None,
        block_rules: BlockRules | None = None,
        tunnel_rules: TunnelRules | None = None,
    ) -> None:
        """`hub`: the HAN address of the hub; `hub_time`: what its clock shows, None when it has no time to
        give.

        Raises UsageError when the profile names a quirk or setting that an ESME does not have.
        """
        super().__init__(eui64=eui64, nvm=nvm, clock=clock, trace=trace, block_rules=block_rules)
        settings = read_settings(profile)
        self.profile = profile
        self._han = han
        self._hub = hub
        self._tunnel_rules = tunnel_rules
        station = Station(
            eui64=eui64,
            device_type=self.device_type,
            keys=keys,
            trust_anchors=trust_anchors,
            secrets=SharedSecrets() if secrets is None else secrets,
            quirks=Quirks.of(quirk.name for quirk in profile.quirks),
            supported=lambda use_case: profile.conforms(use_case.name) != "no",
            answers_to=RemotePartyRole.SUPPLIER,
            first_alert_counter=settings.first_alert_counter,
            seed=rng.child("keys"),
        )
        load = LoadProfile(
            rng.octets(f"load.{eui64}", 16),
            generation_peak_w=settings.generation_peak_w,
            scale_percent=settings.load_scale_percent,
            heating_w=settings.secondary_heating_w,
        )
        self._plant = EsmePlant(
            station=station,
            settings=settings,
            load=load,
            hub_time=hub_time,
            security=settings_of(profile, eui64),
        )

    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> EsmeCore:
        return EsmeCore(self._plant, workplace, now, off_since)

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Carry]:
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
        frames = zcl_endpoint(
            self._han,
            self.trace,
            dict.fromkeys((Prepayment.id, Metering.id, LoadControl.id), ClusterRole.SERVER),
            self._core.han.outbox,
            taken=self._take_frame,
            failed=self._lose_frame,
        )
        async with self._han, tunnel, frames:
            yield lambda octets: tunnel.send(self._hub, octets)

    def _take_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han.receive(frame, self.clock.now())
            self.look()

    def _lose_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han.failed(frame)

    # ---------------------------------------------------------------------------- the world around it

    def press_enable_button(self) -> bool:
        """The consumer asks the meter for supply; True when there is supply afterwards."""
        if self._power is None:
            return False
        enabled = self._core.press_enable_button(self.clock.now())
        self.carry_out()
        return enabled

    def receive_firmware(self, image: bytes) -> Receipt:
        """A whole OTA file has come; what became of it. Raises LocalProtocolError without power."""
        if self._power is None:
            raise LocalProtocolError(f"device {self.eui64} has no power")
        with self._power.workplace.work(self.clock.now()) as work:
            receipt = self._core.security.firmware.receive(work, image)
        self.carry_out()
        return receipt

    def inject_hardware_fault(self, item: int) -> None:
        """Item `item` (from 0) of the next command that is executed fails with a hardware fault, once."""
        self._core.application.command_fault = Fault(item)

    def inject_activation_fault(self, item: int = 0) -> None:
        """Activation `item` (from 0) of the next future-dated execution fails, once."""
        self._core.application.activation_fault = Fault(item)


__all__ = ["Esme", "known_state"]
