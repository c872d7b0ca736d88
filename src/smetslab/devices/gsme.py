"""The virtual gas meter: a core with a battery, that wakes to report, to fetch and to tell.

Between two wakings it can be reached by nobody but who stands before it. What it has to say it says at once;
commands wait at the hub until it fetches them.

Spec: GBCS 10.3 (store and fetch), 10.4 (mirror); SMETS 4
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Unpack

from smetslab.clock import timeout
from smetslab.devices import gas_faults
from smetslab.devices.base import Carry
from smetslab.devices.faults import FaultHandler, FaultValue
from smetslab.devices.fetch import Header, Transfer, decode_transfer
from smetslab.devices.gas_flow import DailyVolumes, GasProfile, RecordedVolumes
from smetslab.devices.gas_settings import read_gsme_settings
from smetslab.devices.gsme_core import GsmeCore, GsmePlant
from smetslab.devices.gsme_waking import MirrorClient, Waking
from smetslab.devices.han_applications import han_station
from smetslab.devices.han_clients import HanClients
from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.meter import Meter, MeterKeypad
from smetslab.devices.ota_rules import ClientRules
from smetslab.devices.parts import DeviceParts, shell_of, station_of
from smetslab.devices.prepay.token import Refusal
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import settings_of
from smetslab.devices.work import Workplace
from smetslab.devices.zcl_endpoint import ENDPOINT
from smetslab.errors import HanError, LocalProtocolError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.gbt import is_block
from smetslab.gbcs.values import seconds_since_2000
from smetslab.han import TunnelClient, TunnelRules
from smetslab.ids import Eui64
from smetslab.inbox import Signal

TUNNEL_ENDPOINT = 1
GET_TIMEOUT_S: Final = 40.0
"""How long a meter stays awake for the answer to a GET: until its hub has tried for the last time.

Unverified.
"""
REPEAT_MEMORY: Final = timedelta(hours=1)
"""How long a fetched message is remembered: until the waking after the next. Unverified."""
FIRST_WAKE: Final = timedelta(seconds=10)
"""After power on. Unverified."""


class Gsme(Meter[GsmeCore]):
    """One gas meter."""

    device_type: Final = DeviceType.GSME

    def __init__(
        self,
        *,
        hub: Eui64,
        proxy: Eui64 | None,
        volumes: DailyVolumes | None = None,
        tunnel_rules: TunnelRules | None = None,
        ota_rules: ClientRules | None = None,
        **parts: Unpack[DeviceParts],
    ) -> None:
        """`hub` and `proxy`: HAN addresses; without a proxy nobody mirrors the meter. `volumes`: what the
        home burns, by default what the meter's chance decides.

        Raises UsageError when the profile names a quirk or setting that a gas meter does not have.
        """
        super().__init__(**shell_of(parts))
        profile, eui64 = parts["profile"], parts["eui64"]
        settings = read_gsme_settings(profile)
        self.profile = profile
        self.wakings = 0
        """How often it has woken."""
        self._han = parts["han"]
        self._hub = hub
        self._proxy = proxy
        self._tunnel_rules = tunnel_rules
        security = settings_of(profile, eui64)
        self._clients = HanClients(hub, security, ota_rules)
        self._interval = settings.wake_interval
        self._answer: asyncio.Future[Transfer] | None = None
        self._fetched: dict[bytes, datetime] = {}
        """What the hub has given lately, and until when a second one is a repeat."""
        self._woken = Signal()
        station = station_of(
            parts,
            self.device_type,
            answers_to=RemotePartyRole.SUPPLIER,
            first_alert_counter=settings.first_alert_counter,
            key_seed=parts["rng"].child(f"keys.{eui64}"),
        )
        if volumes is None and settings.volumes_file is not None:
            volumes = RecordedVolumes.read(Path(settings.volumes_file))
        burnt = GasProfile(parts["rng"].octets(f"gas.{eui64}", 16), settings.size_permille)
        self._plant = GsmePlant(
            station=station,
            settings=settings,
            volumes=burnt if volumes is None else volumes,
            hub_time=lambda: self._clients.hub_time(self.clock.now()),
            security=security,
        )

    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> GsmeCore:
        return GsmeCore(self._plant, workplace, now, off_since)

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Carry]:
        tunnel = TunnelClient(
            self._han,
            self.clock,
            self.trace,
            endpoint=TUNNEL_ENDPOINT,
            on_data=lambda _peer, data: self._from_hub(data),
            rules=self._tunnel_rules,
            nvm=self._nvm,
        )
        self._fetched.clear()
        outbox, core = HanOutbox(), self._core
        mirror = None if self._proxy is None else MirrorClient(outbox, self._nvm, self._proxy)
        applications = self._clients.begin(
            outbox,
            self._workplace,
            self.clock.now(),
            own=core.clock.time,
            firmware=core.security.firmware,
            by_itself=False,
        )
        station = han_station(
            self._han,
            self.clock,
            self.trace,
            outbox,
            applications if mirror is None else [*applications, mirror],
            clusters={},
            taken=self._ignore_frame,
            failed=self._ignore_frame,
            worked=self.carry_out,
        )
        waking = Waking(
            self._han,
            self.clock,
            self.trace,
            endpoint=ENDPOINT,
            proxy=self._proxy,
            mirror=mirror,
            clients=self._clients,
            reporter=core.reporter,
            settled=self._settled,
            fetch=lambda: self._fetch(tunnel),
        )
        try:
            async with self._han, tunnel, station, asyncio.TaskGroup() as group:
                tunnel.add(self._hub)
                wakings = group.create_task(
                    self._wake_again_and_again(waking), name=f"gas meter {self.eui64}"
                )
                try:
                    yield lambda octets: tunnel.send(self._hub, Transfer(Header.PUT, octets).encode())
                finally:
                    wakings.cancel()
        finally:
            self._clients.end()

    def _settled(self, now: datetime) -> int:
        core = self._core
        core.settle(now)
        return seconds_since_2000(core.clock.time(now))

    def _ignore_frame(self, frame: HanFrame) -> None:
        self.trace.record(
            "device", "FrameIgnored", source=str(self.eui64), peer=str(frame.peer), cluster=frame.cluster
        )

    def _from_hub(self, data: bytes) -> None:
        transfer = decode_transfer(data)
        if transfer is None or transfer.header is not Header.GET_RESPONSE:
            self.trace.record(
                "device", "MessageDropped", source=str(self.eui64), data=data, reason="transfer"
            )
        else:
            # Taken also when nobody waits for it any more: the hub knows that it has arrived.
            if transfer.message and not self._is_repeat(transfer.message):
                self.receive(transfer.message)
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(transfer)

    def _is_repeat(self, message: bytes) -> bool:
        """Whether the hub gives a message again because it has not seen that it arrived. No two messages are
        alike, for each has its originator's counter; blocks may be: their sender asks with them.
        """
        if is_block(message):
            return False
        now = self.clock.now()
        self._fetched = {one: until for one, until in self._fetched.items() if until > now}
        if message in self._fetched:
            self.trace.record(
                "device", "MessageDropped", source=str(self.eui64), data=message, reason="repeat"
            )
            return True
        self._fetched[message] = now + REPEAT_MEMORY
        return False

    # ---------------------------------------------------------------------------- waking

    async def _wake_again_and_again(self, waking: Waking) -> None:
        """Wake at every interval, or when somebody presses a button."""
        wait_s = FIRST_WAKE.total_seconds()
        while True:
            self._woken.clear()
            try:
                async with timeout(self.clock, wait_s):
                    await self._woken.wait()
            except TimeoutError:
                pass
            wait_s = self._interval.total_seconds()
            self.wakings += 1
            self.trace.record("device", "Woken", source=str(self.eui64))
            await waking.once()

    async def _fetch(self, tunnel: TunnelClient) -> None:
        """Get every message that waits at the hub."""
        while self._power is not None:
            self._answer = asyncio.get_running_loop().create_future()
            try:
                async with timeout(self.clock, GET_TIMEOUT_S):
                    self._han.expect(GET_TIMEOUT_S)
                    await tunnel.send(self._hub, Transfer(Header.GET).encode())
                    transfer = await self._answer
            except (HanError, TimeoutError) as error:
                self.trace.record("device", "FetchFailed", source=str(self.eui64), detail=str(error))
                return
            finally:
                self._answer = None
                self._han.expect(0.0)
            if not transfer.left:
                return

    # ---------------------------------------------------------------------------- the world around it

    @property
    def keypad(self) -> GasKeypad:
        """What a person can do at the meter."""
        return GasKeypad(self)

    def press_button(self) -> None:
        """Somebody presses a button: the meter wakes."""
        self._woken.set()

    def open_valve(self) -> bool:
        """Somebody asks for gas and confirms it; True when the flow is being checked, or gas flows."""
        if self._power is None:
            return False
        opened = self._core.open_by_hand(self.clock.now())
        self.look()  # the check of the flow has a deadline
        self.carry_out()
        return opened

    def enter_code(self, digits: str) -> Refusal | int | None:
        """Somebody enters a top-up code: its value, or why it is refused; None without power."""
        if self._power is None:
            return None
        verdict = self._core.enter_code(digits, self.clock.now())
        self.carry_out()
        return verdict

    def select_emergency_credit(self) -> bool:
        """Somebody asks for emergency credit; True when it is active afterwards. Raises LocalProtocolError
        without power."""
        active = self._core.select_emergency_credit(self.clock.now())
        self.look()
        self.carry_out()
        return active

    def receive_firmware(self, image: bytes) -> Receipt:
        """A whole OTA file has come; what became of it. Raises LocalProtocolError without power."""
        receipt = self._core.receive_firmware(image, self.clock.now())
        self.carry_out()
        return receipt

    def tamper(self, code: int) -> None:
        """Somebody interferes with the meter."""
        self._core.tamper(code, self.clock.now())
        self.carry_out()

    def leave_appliance_on(self, millilitres_per_hour: int) -> None:
        """From now on gas flows whenever the valve is open, whatever the household does."""
        self._core.settle(self.clock.now())
        self._core.life.leak_ml_per_hour = millilitres_per_hour

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        return {
            **super().fault_handlers(),
            "firmware-corruption": self._fault_firmware,
            "hardware-fault": self._happening(lambda p: self.inject_hardware_fault(int(p["item"]))),
            "activation-fault": self._happening(lambda p: self.inject_activation_fault(int(p["item"]))),
            "clock-drift": self._happening(
                lambda p: gas_faults.drift_clock(self._core, self.clock.now(), int(p["seconds"]))
            ),
            "clock-loss": self._happening(lambda _p: gas_faults.lose_clock(self._core, self.clock.now())),
            "tamper": self._happening(
                lambda p: gas_faults.tamper(
                    self._core, self.clock.now(), str(p["kind"]), begins=p["phase"] == "begins"
                )
            ),
            "switch-failure": self._happening(lambda p: gas_faults.break_valve(self._core, str(p["fails"]))),
            "gas-flow": self._happening(
                lambda p: gas_faults.disturb_flow(self._core, self.clock.now(), str(p["kind"]))
            ),
        }

    def _happening(self, act: Callable[[Mapping[str, FaultValue]], None]) -> FaultHandler:
        """A fault that happens to a meter with power, which acts on it at once."""

        async def handle(parameters: Mapping[str, FaultValue]) -> None:
            act(parameters)
            self.look()

        return handle


class GasKeypad(MeterKeypad["Gsme"]):
    """The buttons and digits of one gas meter."""

    def enter(self, utrn: str) -> Refusal | None:
        """Type a code; None when it was credited, else why not. Raises LocalProtocolError without power."""
        verdict = self._meter.enter_code(utrn)
        if verdict is None:
            raise LocalProtocolError(f"{self._meter.eui64} has no power")
        return verdict if isinstance(verdict, Refusal) else None

    def enable_supply(self) -> bool:
        """Ask for gas and confirm that appliances are off; True when the flow is being checked, or gas
        flows."""
        return self._meter.open_valve()

    def select_emergency_credit(self) -> bool:
        """Ask for emergency credit; True when it is active afterwards."""
        return self._meter.select_emergency_credit()
