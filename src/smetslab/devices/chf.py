"""The virtual Communications Hub: relays between the WAN and the tunnels of its devices, and is a device
itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final, Unpack

from smetslab.clock import timeout
from smetslab.devices import events
from smetslab.devices.base import Carry, Device
from smetslab.devices.chf_core import FIRST_ALERT_COUNTER, HubCore, read_settings
from smetslab.devices.chf_objects import DUAL_BAND_USE_CASES
from smetslab.devices.clock import ClockStatus
from smetslab.devices.faults import FaultHandler, FaultValue
from smetslab.devices.fetch import FetchQueue, Header, decode_transfer
from smetslab.devices.han_applications import han_station
from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.han_time import TimeServer
from smetslab.devices.hub_log import HubDeviceLog, Refusal
from smetslab.devices.hub_radio import HubRadio
from smetslab.devices.hub_relay import FetchDesk, Relay, UpwardBuffer, carry_up
from smetslab.devices.limits import (
    HUB_DELIVERY_ATTEMPTS,
    HUB_RETRY_S,
    LOCAL_DELIVERY_S,
)
from smetslab.devices.ota_rules import ACTIVATED_BY_COMMAND, ServerRules
from smetslab.devices.ota_server import Ending, OtaServer
from smetslab.devices.ota_server import Home as OtaHome
from smetslab.devices.parts import DeviceParts, shell_of, station_of
from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import settings_of
from smetslab.devices.work import Work, Workplace
from smetslab.errors import (
    CodecError,
    GbcsDecodeError,
    HanError,
    LocalProtocolError,
    TransportError,
)
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.gbt import routing
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Value
from smetslab.han import TunnelClient, TunnelRules, TunnelServer
from smetslab.ids import Eui64
from smetslab.inbox import Inbox
from smetslab.wan import Kind, Wan, WanMessage
from smetslab.wan.image import HubFirmwareReport, ImageDelivery, Step
from smetslab.zigbee.zcl.clusters.metering import NEW_OTA_FIRMWARE, TUNNEL_MESSAGE_PENDING

TUNNEL_ENDPOINT = 1
GAS_TUNNEL_ENDPOINT = 12
"""Where gas meters open their tunnels; found by Match_Desc."""

SERVER_ENDPOINT = 3
"""Where the hub is a server: time, images."""

_ENDINGS: Final[dict[Ending, int]] = {"success": 0, "discarded": 1, "hardware mismatch": 2, "failed": 3}
"""Spec: GBCS use case CCS08 (transferResponseCode)."""

Watch = Callable[[Eui64, bytes, bool], None]
"""Is shown what passes the hub: of which device, its octets, whether it goes down."""


_OUTCOMES = ("success", "no image held", "hash mismatch", "activation failure")
"""What came of an activation, by its code."""


class CommunicationsHub(Device[HubCore]):
    """One CHF. Downward messages go where their grouping header says, unless nobody of that name is known."""

    device_type: Final = DeviceType.CHF

    def __init__(
        self,
        *,
        wan: Wan,
        tunnel_rules: TunnelRules | None = None,
        ota_rules: ServerRules | None = None,
        **parts: Unpack[DeviceParts],
    ) -> None:
        """Raises UsageError when the profile names a quirk or setting that a hub does not have."""
        super().__init__(**shell_of(parts))
        profile, eui64 = parts["profile"], parts["eui64"]
        self.profile = profile
        self.dropped = 0
        """Messages that could not be passed on."""
        self.removed: Callable[[Eui64], None] = lambda _device: None
        """Told of each device that is taken off the Device Log."""
        self._images: OtaServer | None = None
        self._han = parts["han"]
        self._wan = wan
        self._tunnel_rules = tunnel_rules
        self._ota_rules = ota_rules
        self._settings = replace(read_settings(profile), security=settings_of(profile, eui64))
        self.device_log = HubDeviceLog(parts["nvm"], self._log_changed, network=self._settings.network)
        self._relay: Relay | None = None
        self.radio = HubRadio(
            self.clock, lambda: None if self._power is None else self._core, self.carry_out, self._drop
        )
        """Its sub-GHz radio, where it has one on the air."""
        self._housed: dict[Eui64, tuple[Callable[[bytes], None], Watch]] = {}
        self._station = station_of(
            parts,
            self.device_type,
            answers_to=RemotePartyRole.ACCESS_CONTROL_BROKER,
            first_alert_counter=FIRST_ALERT_COUNTER,
            key_seed=parts["rng"].child("keys"),
            supported=self._has_band,
        )

    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> HubCore:
        del off_since
        self.device_log.load()
        core = HubCore(self._station, self._settings, workplace, self.device_log, now)
        self.radio.begin(core, now)
        return core

    def _has_band(self, use_case: UseCase) -> bool:
        """The use cases of a sub-GHz radio are for dual band hubs."""
        return self._settings.dual_band or use_case.name not in DUAL_BAND_USE_CASES

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Carry]:
        tunnel = TunnelClient(
            self._han,
            self.clock,
            self.trace,
            endpoint=TUNNEL_ENDPOINT,
            on_data=self._from_device,
            rules=self._tunnel_rules,
            nvm=self._nvm,
        )
        gas_tunnels = TunnelServer(
            self._han,
            self.clock,
            self.trace,
            endpoint=GAS_TUNNEL_ENDPOINT,
            on_data=self._from_gas_meter,
            on_opened=lambda _peer: None,
            rules=self._tunnel_rules,
            nvm=self._nvm,
        )
        upward = UpwardBuffer(self.eui64, self._nvm)
        station = self._station_on_han()
        async with self._han, tunnel, gas_tunnels, station, asyncio.TaskGroup() as group:
            self._relay = relay = Relay(tunnel, gas_tunnels, group, upward)
            for device in [entry.device for entry in self.device_log.entries]:
                self._serve(relay, device)
            detach = self._wan.attach_hub(self.eui64, self._from_wan)
            self.tunnel_server = gas_tunnels
            up = carry_up(relay, self._wan, self.clock, buffered=self._buffered, refused=self._refused_by_wan)
            group.create_task(up, name=f"hub {self.eui64} to the WAN")
            try:
                yield self._to_head
            finally:
                detach()
                self._relay = self._images = self.tunnel_server = None

    def _station_on_han(self) -> AbstractAsyncContextManager[None]:
        """The hub as a server of its home: time, and images."""
        outbox = HanOutbox()
        self._images = images = OtaServer(
            outbox,
            self._workplace,
            OtaHome(
                time=self._settings.clock.time,
                ended=self._image_ended,
                at_once=lambda device: self._type_of(device) not in ACTIVATED_BY_COMMAND,
                sleeps=lambda device: self._type_of(device) is DeviceType.GSME,
            ),
            self._ota_rules,
        )
        return han_station(
            self._han,
            self.clock,
            self.trace,
            outbox,
            (TimeServer(outbox, self.hub_time), images),
            clusters={},
            taken=self._ignore_frame,
            failed=self._ignore_frame,
            endpoint=SERVER_ENDPOINT,
            worked=self.carry_out,
        )

    def _type_of(self, device: Eui64) -> DeviceType | None:
        return self.device_log.devices().get(device)

    def _ignore_frame(self, frame: HanFrame) -> None:
        self._note("FrameIgnored", b"", device=str(frame.peer), cluster=frame.cluster)

    # ---------------------------------------------------------------------------- downwards

    def _from_wan(self, message: WanMessage) -> None:
        """A message has come from the WAN, perhaps again."""
        relay = self._relay
        if relay is None or not relay.seen.first(message.identity):
            return
        if message.kind == "firmware":
            self._take_images(message.payload)
            return
        if message.kind == "hub-firmware":
            self._activate(message.payload)
            return
        try:
            _, target = routing(message.payload)
        except GbcsDecodeError as error:
            self._drop(message.payload, "not-a-message", detail=str(error))
            return
        if target == self.eui64:
            self.receive(message.payload)
        elif not self._hand_over(relay, target, message.payload):
            self._drop(message.payload, "unknown-target", target=str(target))

    def _hand_over(self, relay: Relay, target: Eui64, payload: bytes) -> bool:
        """Bring a message on its way to a device of this home; False when nobody here has that name."""
        if self.radio.holds_back(target, payload):
            return True
        if target in self._housed:
            self._housed[target][0](payload)
        elif target in relay.desks:
            self._keep_for_gas_meter(relay.desks[target], target, payload)
        elif target in relay.queues:
            relay.queues[target].put_nowait(payload)
        else:
            return False
        return True

    def _take_images(self, payload: bytes) -> None:
        """A firmware image for devices of the home has come, perhaps for the hub itself. Spec: GBCS 11."""
        try:
            delivery = ImageDelivery.decode(payload)
        except CodecError as error:
            self._drop(payload[:64], "not-an-image", detail=str(error))
            return
        for device in delivery.devices:
            if device == self.eui64:
                self._report("image", self.receive_firmware(delivery.image))
            elif self._images is not None and self._is_at_home(device):
                with self._working() as work:
                    self._images.offer(work, device, delivery.image)
                self.carry_out()
            else:
                self._drop(b"", "no-way-for-image", target=str(device))

    def _is_at_home(self, device: Eui64) -> bool:
        relay = self._relay
        return relay is not None and (device in relay.queues or device in relay.desks)

    def _image_ended(self, work: Work, device: Eui64, version: bytes, ending: Ending) -> None:
        """Tell the ACB what became of an image. Spec: GBCS use cases CS05b, CS05c, CCS08."""
        self._core.transferred(work, device, version, _ENDINGS[ending])
        self.carry_out()

    def functional_flags(self, device: Eui64) -> int:
        """What waits in the hub for a gas meter, as notification flags. Spec: ZSE 1.4 D.3.3.3.1.1."""
        relay = self._relay
        desk = None if relay is None else relay.desks.get(device)
        # A meter that the hub does not know as one yet shows itself when it fetches.
        waiting = desk is None or len(desk.queue) > 0
        image = self._images is not None and self._images.pending(device)
        return (NEW_OTA_FIRMWARE * image) | (TUNNEL_MESSAGE_PENDING * waiting) | self.radio.flags

    async def deliver_locally(self, command: bytes, timeout_s: float = LOCAL_DELIVERY_S) -> bytes:
        """A command that somebody brings to a device of this home, or to the hub, and the device's response.

        Raises GbcsDecodeError when it is no message, LocalProtocolError when nobody here has its recipient's
        name, TransportError when there is no response in time.
        """
        relay, (_, target) = self._relay, routing(command)
        if relay is None:
            raise LocalProtocolError(f"hub {self.eui64} has no power")
        with relay.terminal.expect(command) as response:
            if target == self.eui64:
                self.receive(command)
            elif not self._hand_over(relay, target, command):
                raise LocalProtocolError(f"{target} is not on the Device Log of hub {self.eui64}")
            try:
                async with timeout(self.clock, timeout_s):
                    return await response
            except TimeoutError:
                raise TransportError(f"{target} gave no response within {timeout_s:g} s") from None

    def deliver(self, device: Eui64, payload: bytes) -> None:
        """Put octets into the tunnel of `device`, whatever their grouping header says."""
        if self._relay is None or device not in self._relay.queues:
            raise LocalProtocolError(f"hub {self.eui64} has no tunnel to {device}")
        self._relay.queues[device].put_nowait(payload)

    def _log_changed(self, device: Eui64, added: bool) -> None:
        relay = self._relay
        if relay is None:
            return
        if added:
            self._serve(relay, device)
        else:
            self._stop_serving(device)
            self.removed(device)

    def _stop_serving(self, device: Eui64) -> None:
        relay = self._relay
        if relay is None:
            return
        if self._images is not None and self._images.pending(device):
            relay.group.create_task(
                self._forget_image(self._images, device), name=f"hub {self.eui64} forgets an image"
            )
        if device in relay.desks:
            relay.tasks.pop(device).cancel()
            relay.group.create_task(self._forget(relay.desks.pop(device)), name=f"hub {self.eui64} forgets")
        elif device in relay.queues:
            relay.tunnel.remove(device)
            del relay.queues[device]
            relay.tasks.pop(device).cancel()

    def _serve(self, relay: Relay, device: Eui64) -> None:
        """Keep a tunnel with a device, and a task that hands messages to it."""
        device_type = self.device_log.devices().get(device)
        if device_type is DeviceType.GSME:
            self._open_desk(relay, device)
            return
        if device_type is DeviceType.TYPE_2:
            return  # it takes no GBCS messages, and has no tunnel. Spec: GBCS 10.2.2
        queue: Inbox[bytes] = Inbox()
        relay.queues[device] = queue
        relay.tunnel.add(device)
        relay.tasks[device] = relay.group.create_task(
            self._hand_down(relay, device, queue), name=f"hub {self.eui64} to {device}"
        )

    async def _hand_down(self, relay: Relay, device: Eui64, queue: Inbox[bytes]) -> None:
        while True:
            payload = await queue.get()
            self._note("MessageRelayed", payload, target=str(device))
            for attempt in range(1, HUB_DELIVERY_ATTEMPTS + 1):
                try:
                    await relay.tunnel.send(device, payload)
                    break
                except HanError as error:
                    if attempt == HUB_DELIVERY_ATTEMPTS or not error.transient:
                        self._undelivered(device, payload, str(error))
                        break
                await self.clock.sleep(HUB_RETRY_S)

    def _undelivered(self, device: Eui64, payload: bytes, why: str) -> None:
        """A device cannot be reached: an ESME's case has an event of its own."""
        self._drop(payload, "undeliverable", target=str(device), detail=why)
        if self._power is not None and self.device_log.devices().get(device) is DeviceType.ESME:
            with self._power.workplace.work(self.clock.now()) as work:
                self._power.core.undelivered(work, payload)
            self.carry_out()

    # ---------------------------------------------------------------------------- gas

    def house(self, entity: Eui64, receive: Callable[[bytes], None], watch: Watch) -> Callable[[], None]:
        """Bring messages for a logical device inside this hub to `receive`, and show it what passes."""
        self._housed[entity] = (receive, watch)

        def end() -> None:
            self._housed.pop(entity, None)

        return end

    def send_up(self, payload: bytes) -> None:
        """Carry a message of a logical device inside this hub to the WAN."""
        self._add_upward(payload)

    def _show(self, device: Eui64, payload: bytes, *, down: bool) -> None:
        for _, watch in self._housed.values():
            watch(device, payload, down)

    def _keep_for_gas_meter(self, desk: FetchDesk, device: Eui64, payload: bytes) -> None:
        """Keep a message until its meter fetches it. Spec: GBCS 10.3."""
        self._show(device, payload, down=True)
        with self._working() as work:
            kept = desk.queue.put(work, payload)
        if kept:
            desk.wake.set()
        else:
            self._drop(payload, "queue-full", target=str(device))

    def _open_desk(self, relay: Relay, device: Eui64) -> FetchDesk:
        """Keep messages for a gas meter from now on."""
        relay.desks[device] = desk = FetchDesk(FetchQueue(self._nvm, str(device)))
        relay.tasks[device] = relay.group.create_task(
            self._throw_away(desk), name=f"hub {self.eui64} for {device}"
        )
        return desk

    def _known_to_sleep(self, relay: Relay, device: Eui64) -> bool:
        """Whether a device fetches its messages; one that does so for the first time shows what it is."""
        if device in relay.desks:
            return True
        if device not in relay.queues or self.device_log.devices().get(device) is not None:
            return False
        relay.tunnel.remove(device)
        relay.tasks.pop(device).cancel()
        waiting = relay.queues.pop(device)
        desk = self._open_desk(relay, device)
        for payload in waiting.take():
            self._keep_for_gas_meter(desk, device, payload)
        return True

    async def _forget_image(self, images: OtaServer, device: Eui64) -> None:
        """A device has left, and nobody will fetch its image."""
        with self._working() as work:
            images.forget(work, device)

    async def _forget(self, desk: FetchDesk) -> None:
        """The meter has left: nobody will fetch what waits for it."""
        with self._working() as work:
            desk.queue.clear(work)

    def _from_gas_meter(self, device: Eui64, data: bytes) -> None:
        """A gas meter fetches a message, or brings one of its own."""
        relay = self._relay
        transfer = decode_transfer(data)
        if relay is None or transfer is None or not self._known_to_sleep(relay, device):
            self._drop(data, "not-a-transfer", device=str(device))
            return
        self.device_log.heard(self.clock.now(), device)
        if transfer.header is Header.PUT:
            self._show(device, transfer.message, down=False)
            self._pass_on(device, transfer.message)
        elif transfer.header is Header.GET:
            relay.group.create_task(self._give(relay, device), name=f"hub {self.eui64} gives to {device}")

    async def _give(self, relay: Relay, device: Eui64) -> None:
        """Answer a GET with the oldest message, which waits on until the meter has acknowledged it."""
        queue = relay.desks[device].queue
        number, transfer = queue.give()
        if transfer.message:
            self._note("MessageRelayed", transfer.message, target=str(device))
        try:
            await relay.gas_tunnels.send(device, transfer.encode())
        except HanError as error:
            if transfer.message:
                detail = str(error)
                self._note("MessageKept", transfer.message, target=str(device), detail=detail)
            return
        if number is not None:
            with self._working() as work:
                queue.taken(work, number)

    async def _throw_away(self, desk: FetchDesk) -> None:
        """Forget messages that their meter has not fetched in time. Spec: GBCS 16.2 (0x819D)."""
        while True:
            deadline = desk.queue.next_deadline()
            if deadline is None:
                desk.wake.clear()
                await desk.wake.wait()
                continue
            await self.clock.sleep(max(0.0, (deadline - self.clock.now()).total_seconds()))
            with self._working() as work:
                for payload in desk.queue.expire(work):
                    self._drop(payload, "not-fetched")
                    self._core.application.raise_event(work, events.NOT_FETCHED)
            self.carry_out()

    # ---------------------------------------------------------------------------- upwards

    def _from_device(self, device: Eui64, payload: bytes) -> None:
        """A device has put a message into its tunnel."""
        self.device_log.heard(self.clock.now(), device)
        self._pass_on(device, payload)

    def _pass_on(self, device: Eui64, payload: bytes) -> None:
        """Carry what a device of this home has sent to its neighbour, or to the WAN."""
        relay = self._relay
        if relay is None:
            return
        try:
            _, target = routing(payload)
        except GbcsDecodeError:
            target = None
        at_home = target is not None and (target in relay.queues or target in relay.desks)
        self._note("MessageRelayed", payload, target=str(target) if at_home else "", device=str(device))
        if target is None or not self._hand_over(relay, target, payload):
            self._add_upward(payload)

    async def _to_head(self, payload: bytes) -> None:
        """A message of the hub's own."""
        self._add_upward(payload)

    def _buffered(self, payload: bytes, waiting: int) -> None:
        self._note("MessageBuffered", payload, waiting=waiting)

    def _refused_by_wan(self, payload: bytes, why: str) -> None:
        self._drop(payload, "undeliverable", detail=why)

    def _add_upward(self, payload: bytes, kind: Kind = "gbcs") -> None:
        relay = self._relay
        if relay is None or relay.terminal.takes(payload):
            return
        for dropped in relay.upward.add(payload, kind):
            self._drop(dropped.message.payload, "buffer-full")
        relay.wake.set()

    # ---------------------------------------------------------------------------- the world around it

    def hub_time(self) -> datetime | None:
        """The time that the hub gives its devices; None when it has none to give. Spec: GBCS 9.1."""
        if not self.powered or self._settings.clock.status is not ClockStatus.RELIABLE:
            return None
        return self._settings.clock.time(self.clock.now())

    def device_knocks(self, device: Eui64, device_type: DeviceType, link_key: bytes) -> Refusal | None:
        """A device on the air wants to join the network with this link key; None when it is let in."""
        refusal = self._core.device_knocks(self.clock.now(), device, device_type, link_key)
        self.carry_out()
        return refusal

    def admission_key(self, device: Eui64) -> bytes | None:
        """The key of the install code of a device that may join now; None: it may not, or has no hub."""
        return self.device_log.admission_key(self.clock.now(), device) if self.powered else None

    def device_joined(self, device: Eui64, device_type: DeviceType, link_key: bytes) -> None:
        """A device on the air has agreed this link key with the hub."""
        self._core.device_joined(self.clock.now(), device, device_type, link_key)
        if device_type is DeviceType.GSME:
            # Its messages wait for it; until now it was served like a device that is always there.
            self._stop_serving(device)
            if self._relay is not None:
                self._serve(self._relay, device)
        self.carry_out()

    def receive_firmware(self, image: bytes) -> Receipt:
        """An OTA file for the hub itself has come; what became of it."""
        with self._working() as work:
            receipt = self._core.security.firmware.receive(work, image)
        self.carry_out()
        return receipt

    def activate_firmware(self, image_hash: bytes) -> str:
        """The WAN provider has the held image run that has this hash: one of the outcomes of CS06. Spec: CHTS
        4.5 (firmware); GBCS 11.
        """
        with self._working() as work:
            code = self._core.security.firmware.run_named(work, image_hash)
        self.carry_out()
        return _OUTCOMES[code]

    def _activate(self, image_hash: bytes) -> None:
        """The WAN provider's order to run an image, and the report of it."""
        self._report("activation", self.activate_firmware(image_hash))

    def _report(self, step: Step, outcome: str) -> None:
        """Tell the WAN provider what became of the hub's own firmware."""
        version = self._core.security.firmware.store.version
        self._note("HubFirmwareReported", b"", step=step, outcome=outcome, version=version.hex().upper())
        self._add_upward(HubFirmwareReport(step, outcome, version).encode(), "hub-firmware")

    def _working(self) -> AbstractContextManager[Work]:
        """A piece of work of the hub's own. Raises LocalProtocolError without power."""
        if self._power is None:
            raise LocalProtocolError(f"hub {self.eui64} has no power")
        return self._power.workplace.work(self.clock.now())

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        """Those of every device, and faults in its hardware and its firmware."""
        return {
            **super().fault_handlers(),
            "hardware-fault": self._fault_in_command(self.inject_hardware_fault),
            "firmware-corruption": self._fault_firmware,
            "device-log-full": self._fault_log_full,
        }

    async def _fault_log_full(self, parameters: Mapping[str, FaultValue]) -> None:
        """Strangers take the free places of the Device Log."""
        self.device_log.fill(int(parameters["free"]))

    def inject_hardware_fault(self, item: int) -> None:
        """Item `item` (from 0) of the next command to the hub fails with a hardware fault, once."""
        self._core.application.command_fault = Fault(item)

    def inspect(self) -> dict[str, Value]:
        """The state of the hub, for diagnosis: JSON-able."""
        log: list[Value] = [
            {"device": str(device), "type": device_type.name}
            for device, device_type in self.device_log.devices().items()
        ]
        waiting = 0 if self._relay is None else len(self._relay.upward)
        return {**super().inspect(), "device_log": log, "waiting_for_wan": waiting, "dropped": self.dropped}

    def _drop(
        self, payload: bytes, reason: str, *, target: str = "", device: str = "", detail: str = ""
    ) -> None:
        self.dropped += 1
        self._note("MessageDropped", payload, target=target, reason=reason, detail=detail or device)

    def _note(self, event: str, data: bytes, *, target: str = "", **detail: str | int) -> None:
        self.trace.record("device", event, source=str(self.eui64), target=target, data=data, **detail)
