"""The virtual electricity meter: its core in the shell, on the HAN, with a tunnel to the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, Unpack

from smetslab.devices.base import Carry
from smetslab.devices.esme_core import EsmeCore, EsmePlant
from smetslab.devices.esme_faults import (
    GARBAGE,
    MEMORY_AREAS,
    break_switch,
    disturb_voltage,
    drift_clock,
    lose_clock,
    tamper,
)
from smetslab.devices.esme_settings import known_state, read_settings
from smetslab.devices.esme_switching import BoostAnswer
from smetslab.devices.faults import FaultHandler, FaultValue
from smetslab.devices.han_applications import han_station
from smetslab.devices.han_clients import HanClients
from smetslab.devices.han_frames import HanFrame
from smetslab.devices.load import Energies, Load, LoadProfile
from smetslab.devices.load_file import read_load
from smetslab.devices.meter import Meter, MeterKeypad
from smetslab.devices.ota_rules import ClientRules
from smetslab.devices.parts import DeviceParts, shell_of, station_of
from smetslab.devices.prepay.token import Refusal, TokenSource
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import settings_of
from smetslab.devices.work import Work, Workplace
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.han import ClusterRole, TunnelRules, TunnelServer
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.load_control import LoadControl
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price

TUNNEL_ENDPOINT = 1
HAN_CLUSTERS = (
    Prepayment.id,
    Metering.id,
    LoadControl.id,
    Price.id,
    Messaging.id,
    Calendar.id,
    DeviceManagement.id,
    Events.id,
)
"""Of which the meter is the server on the HAN."""


class Esme(Meter[EsmeCore]):
    """One ESME."""

    device_type: Final = DeviceType.ESME

    def __init__(
        self,
        *,
        hub: Eui64,
        tunnel_rules: TunnelRules | None = None,
        ota_rules: ClientRules | None = None,
        **parts: Unpack[DeviceParts],
    ) -> None:
        """`hub`: the HAN address of the hub.

        Raises UsageError when the profile names a quirk or setting that an ESME does not have.
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
            answers_to=RemotePartyRole.SUPPLIER,
            first_alert_counter=settings.first_alert_counter,
            key_seed=parts["rng"].child("keys"),
        )
        load: Load = LoadProfile(
            parts["rng"].octets(f"load.{eui64}", 16),
            generation_peak_w=settings.generation_peak_w,
            scale_percent=settings.load_scale_percent,
            heating_w=settings.secondary_heating_w,
        )
        if settings.load_file is not None:
            load = read_load(settings.load_file)
        self._plant = EsmePlant(
            station=station,
            settings=settings,
            load=load,
            hub_time=lambda: self._clients.hub_time(self.clock.now()),
            security=security,
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
        core = self._core
        applications = self._clients.begin(
            core.han.outbox,
            self._workplace,
            self.clock.now(),
            own=core.clock.time,
            firmware=core.security.firmware,
        )
        frames = han_station(
            self._han,
            self.clock,
            self.trace,
            core.han.outbox,
            applications,
            clusters=dict.fromkeys(HAN_CLUSTERS, ClusterRole.SERVER),
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
            self._core.han.receive(frame, self.clock.now())
            self.look()

    def _lose_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han.failed(frame, self.clock.now())

    # ---------------------------------------------------------------------------- the world around it

    @property
    def keypad(self) -> Keypad:
        """What a person can do at the meter."""
        return Keypad(self)

    def consume(self, *, kwh: float = 0, wh: int = 0) -> None:
        """Energy flows on top of the load, at once; nothing does without supply."""
        if self._power is not None:
            milliwatt_hours = round(kwh * 1_000_000) + wh * 1_000
            self._core.consume(Energies(active_import=milliwatt_hours), self.clock.now())
            self.look()

    def enter_utrn(self, digits: str, *, ppmid: bool = False) -> Refusal | None:
        """A code is typed, or a PPMID hands it over; None when it was credited. Raises LocalProtocolError
        without power."""
        source = TokenSource.PPMID if ppmid else TokenSource.KEYPAD
        refusal = self._core.enter_utrn(digits, self.clock.now(), source)
        self.look()
        return refusal

    def select_emergency_credit(self) -> bool:
        """Emergency credit is asked for; True when it is active afterwards."""
        done = self._core.select_emergency_credit(self.clock.now())
        self.look()
        return done

    def press_boost(self, slot: int, *, cancel: bool = False) -> BoostAnswer:
        """The boost button of a slot. Raises LocalProtocolError without power."""
        answer = self._core.press_boost(slot, self.clock.now(), cancel=cancel)
        self._core.han.refresh(self.clock.now())
        self.look()
        return answer

    # ---------------------------------------------------------------------------- faults

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        return {
            **super().fault_handlers(),
            "firmware-corruption": self._fault_firmware,
            "hardware-fault": self._immediate(lambda p: self.inject_hardware_fault(int(p["item"]))),
            "activation-fault": self._immediate(lambda p: self.inject_activation_fault(int(p["item"]))),
            "clock-drift": self._worked(lambda c, w, p: drift_clock(c, w, int(p["seconds"]))),
            "clock-loss": self._worked(lambda c, w, _p: lose_clock(c, w)),
            "tamper": self._worked(
                lambda c, w, p: tamper(c, w, str(p["kind"]), begins=p["phase"] == "begins")
            ),
            "switch-failure": self._worked(lambda c, _w, p: break_switch(c, str(p["fails"]))),
            "voltage": self._worked(
                lambda c, w, p: disturb_voltage(
                    c, w, volts=int(p["volts"]), seconds=int(p["seconds"]), phase=int(p["phase"])
                )
            ),
            "memory-corruption": self._corrupt_memory,
        }

    def _immediate(self, act: Callable[[Mapping[str, FaultValue]], None]) -> FaultHandler:
        async def handle(parameters: Mapping[str, FaultValue]) -> None:
            act(parameters)

        return handle

    def _worked(self, act: Callable[[EsmeCore, Work, Mapping[str, FaultValue]], None]) -> FaultHandler:
        """A fault that happens inside a piece of work of a meter with power."""

        async def handle(parameters: Mapping[str, FaultValue]) -> None:
            self._core.happen(self.clock.now(), lambda work: act(self._core, work, parameters))
            self.look()

        return handle

    async def _corrupt_memory(self, parameters: Mapping[str, FaultValue]) -> None:
        """The area is overwritten while the meter restarts."""
        await self.power_cut()
        with self._nvm.transaction() as tx:
            tx.put(MEMORY_AREAS[str(parameters["area"])], GARBAGE)
        await self.power_restore()

    def pair_display(self, device: Eui64) -> None:
        """Put a Type 2 device on the device log, as one that joined before the laboratory began."""
        self._core.pair_display(device, self.clock.now())

    def press_enable_button(self) -> bool:
        """The consumer asks the meter for supply; True when there is supply afterwards."""
        if self._power is None:
            return False
        enabled = self._core.press_enable_button(self.clock.now())
        self.look()
        return enabled

    def receive_firmware(self, image: bytes) -> Receipt:
        """A whole OTA file has come; what became of it. Raises LocalProtocolError without power."""
        receipt = self._core.receive_firmware(image, self.clock.now())
        self.carry_out()
        return receipt


class Keypad(MeterKeypad["Esme"]):
    """The buttons and digits of one meter."""

    def enter(self, utrn: str) -> Refusal | None:
        """Type a code; None when it was credited, else why not."""
        return self._meter.enter_utrn(utrn)

    def enable_supply(self) -> bool:
        """Ask for supply and confirm it; True when there is supply afterwards."""
        return self._meter.press_enable_button()

    def select_emergency_credit(self) -> bool:
        """Ask for emergency credit; True when it is active afterwards."""
        return self._meter.select_emergency_credit()

    def boost(self, slot: int) -> BoostAnswer:
        """Press the boost button of an auxiliary switch: a quarter of an hour more, up to an hour."""
        return self._meter.press_boost(slot)

    def cancel_boost(self, slot: int) -> BoostAnswer:
        """End a running boost."""
        return self._meter.press_boost(slot, cancel=True)


__all__ = ["Esme", "Keypad", "known_state"]
