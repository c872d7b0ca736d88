"""The shell of a device: power, inbox, timers, and the way out.

The core is synchronous and holds everything that a power cut destroys. The shell gives it messages and the
time, one event after the other from one inbox, and carries what it has put into the outbox. Everything runs
in tasks
that the shell owns, so a power cut may strike at any await.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from smetslab.clock import Clock, timeout
from smetslab.devices.faults import FaultHandler, FaultValue
from smetslab.devices.limits import FORGET_AFTER_S, RESPONSE_ATTEMPTS, RETRY_FIRST_S, RETRY_LONGEST_S
from smetslab.devices.security.firmware_store import damage_running_image
from smetslab.devices.work import Outgoing, Workplace
from smetslab.errors import GbcsDecodeError, LocalProtocolError, TransportError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.gbt import BlockRules, BlockTransfer
from smetslab.gbcs.values import Value
from smetslab.han import TunnelServer
from smetslab.ids import Eui64
from smetslab.inbox import Inbox, Signal
from smetslab.store import Nvm, PowerCut
from smetslab.trace import Trace

Carry: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes octets on their way to the remote parties. Raises TransportError."""


class Core(Protocol):
    """A device between power on and power off."""

    def receive(self, data: bytes, now: datetime) -> None:
        """A whole GBCS message has come."""

    def next_deadline(self) -> datetime | None:
        """When `tick` has something to do, in laboratory time."""

    def tick(self, now: datetime) -> None:
        """Do what is due."""

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state, for diagnosis."""


C = TypeVar("C", bound=Core)


class _Power(Generic[C]):
    """What one stretch of power consists of: volatile, gone with it."""

    def __init__(self, core: C, workplace: Workplace, rules: BlockRules | None) -> None:
        self.core = core
        self.workplace = workplace
        self.inbox: Inbox[bytes | None] = Inbox()
        """Octets from the transport; None: look at the time."""
        self.transfer = BlockTransfer(rules)
        self.in_blocks: list[Outgoing] = []
        """Messages whose blocks are under way: memory keeps them until all have come."""
        self.left: list[tuple[float, Outgoing]] = []
        """What has left and when, and memory still keeps: whether the hub has kept it nobody says."""
        self.wake = Signal()
        """Something may be ready to be sent."""
        self.ready = Signal()
        """The device is on the air, or will not be."""
        self.task: asyncio.Task[None] | None = None


class Device(ABC, Generic[C]):
    """One device. An async context manager: it has power inside its block, unless that is cut."""

    def __init__(
        self, *, eui64: Eui64, nvm: Nvm, clock: Clock, trace: Trace, block_rules: BlockRules | None = None
    ) -> None:
        self.eui64 = eui64
        self.clock = clock
        self.trace = trace
        self._nvm = nvm
        self._block_rules = block_rules
        self._group: asyncio.TaskGroup | None = None
        self._power: _Power[C] | None = None
        self._off_since: datetime | None = None
        self.tunnel_server: TunnelServer | None = None
        """The server end of its tunnel, where it has one and has power."""
        self.inside: list[Device[Any]] = []
        """Logical devices in the same box: they lose power with it, and get it back."""
        self._restoring: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------------------- what a kind of device adds

    @property
    @abstractmethod
    def device_type(self) -> DeviceType:
        """What it is."""

    @abstractmethod
    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> C:
        """A new core from what memory holds."""

    @abstractmethod
    def _transport(self) -> AbstractAsyncContextManager[Carry]:
        """Everything that needs power besides the core: on the air, tunnels. Feeds `receive`."""

    # ---------------------------------------------------------------------------- life

    async def __aenter__(self) -> Self:
        group = asyncio.TaskGroup()
        await group.__aenter__()
        self._group = group
        try:
            await self._power_on()
        except BaseException as error:
            # Nobody leaves a block that was not entered: what has been started ends here.
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        power, self._power = self._power, None
        if power is not None:
            self._off_since = self.clock.now()
            self._forget_left(power, self.clock.time())
            if power.task is not None:
                power.task.cancel()
        restoring, self._restoring = self._restoring, None
        if restoring is not None:
            restoring.cancel()
        group, self._group = self._group, None
        if group is None:
            return
        if isinstance(error, asyncio.CancelledError):
            # A task of the device may have failed and cancelled its owner: the group knows.
            await group.__aexit__(kind, error, traceback)
        else:
            # What went wrong in the block is not the device's: it goes on as it is, not inside a group.
            await group.__aexit__(None, None, None)

    @property
    def powered(self) -> bool:
        return self._power is not None

    async def power_cut(self) -> None:
        """The mains goes, at once: volatile memory is lost. Returns when nothing of the device runs any
        more."""
        for one in self.inside:
            await one.power_cut()
        power = self._power
        if power is None:
            return
        self._power_lost()
        if power.task is not None:
            power.task.cancel()
            await asyncio.wait([power.task])

    async def power_restore(self) -> None:
        """The mains comes back: the device starts from what its memory holds."""
        if self._power is None:
            self.trace.record("device", "PowerRestored", source=str(self.eui64))
            await self._power_on()
        for one in self.inside:
            await one.power_restore()

    async def _power_on(self) -> None:
        """Start, and wait until the device can be reached."""
        if self._group is None:
            raise LocalProtocolError(f"device {self.eui64} is used outside its `async with` block")
        workplace = Workplace(self.eui64, self._nvm, self.trace)
        try:
            core = self._build(workplace, self.clock.now(), self._off_since)
        except PowerCut:
            self.trace.record("device", "PowerCut", source=str(self.eui64))
            return
        power = _Power(core, workplace, self._block_rules)
        self._power, self._off_since = power, None
        power.wake.set()
        power.task = self._group.create_task(self._live(power), name=f"device {self.eui64}")
        await power.ready.wait()

    def _power_lost(self) -> None:
        """The instant of a power cut; nothing is awaited."""
        power, self._power = self._power, None
        self._off_since = self.clock.now()
        if power is not None:
            self._forget_left(power, self.clock.time())
        self.trace.record("device", "PowerCut", source=str(self.eui64))

    async def _live(self, power: _Power[C]) -> None:
        """Everything the device does with this power."""
        try:
            async with self._transport() as carry, asyncio.TaskGroup() as group:
                power.ready.set()
                group.create_task(self._process(power), name=f"device {self.eui64} inbox")
                group.create_task(self._transmit(power, carry), name=f"device {self.eui64} outbox")
        except* PowerCut:
            if self._power is power:
                self._power_lost()
        finally:
            power.ready.set()

    # ---------------------------------------------------------------------------- events

    def receive(self, data: bytes) -> None:
        """Octets from the transport. Without power they are lost."""
        if self._power is not None:
            self._power.inbox.put_nowait(data)

    def look(self) -> None:
        """Say that something has happened besides the transport: deadlines may have changed."""
        if self._power is not None:
            self._power.inbox.put_nowait(None)

    def carry_out(self) -> None:
        """Say that something may be ready to be sent, or that the way out is open again."""
        if self._power is not None:
            self._power.wake.set()

    @property
    def _core(self) -> C:
        """The core. Raises LocalProtocolError without power."""
        if self._power is None:
            raise LocalProtocolError(f"device {self.eui64} has no power")
        return self._power.core

    @property
    def _workplace(self) -> Workplace:
        """Where the device works. Raises LocalProtocolError without power."""
        if self._power is None:
            raise LocalProtocolError(f"device {self.eui64} has no power")
        return self._power.workplace

    # ---------------------------------------------------------------------------- faults

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        """The faults that can happen to any device; a kind of device adds its own."""
        handlers: dict[str, FaultHandler] = {
            "power-cut": self._fault_power_cut,
            "power-restore": self._fault_power_restore,
        }
        if self.tunnel_server is not None:
            handlers["tunnel-busy"] = self._fault_tunnel_busy
        return handlers

    async def _fault_tunnel_busy(self, parameters: Mapping[str, FaultValue]) -> None:
        server = self.tunnel_server
        if server is not None:
            server.set_busy(True)
            until = self.clock.time() + int(parameters["seconds"])
            self.clock.call_at(until, server.set_busy, False)

    def _fault_in_command(self, inject: Callable[[int], None]) -> FaultHandler:
        """A fault of item `item` of what is executed next."""

        async def handle(parameters: Mapping[str, FaultValue]) -> None:
            inject(int(parameters["item"]))

        return handle

    async def _fault_firmware(self, parameters: Mapping[str, FaultValue]) -> None:
        """The image that runs is damaged, and the device restarts."""
        del parameters
        await self.power_cut()
        damage_running_image(self._nvm)
        await self.power_restore()

    async def _fault_power_cut(self, parameters: Mapping[str, FaultValue]) -> None:
        await self.power_cut()
        seconds = int(parameters["seconds"])
        if seconds and self._group is not None:
            self._restoring = self._group.create_task(
                self._restore_after(seconds), name=f"device {self.eui64} power"
            )

    async def _restore_after(self, seconds: int) -> None:
        await self.clock.sleep(seconds)
        await self.power_restore()

    async def _fault_power_restore(self, parameters: Mapping[str, FaultValue]) -> None:
        del parameters
        await self.power_restore()

    def inspect(self) -> dict[str, Value]:
        """The state of the device, for diagnosis: JSON-able."""
        head: dict[str, Value] = {"device": str(self.eui64), "powered": self.powered}
        return head if self._power is None else {**head, **self._power.core.inspect(self.clock.now())}

    async def _process(self, power: _Power[C]) -> None:
        """One event after the other."""
        deadline = power.core.next_deadline()
        while True:
            timer = self._arm(power, deadline)
            try:
                data = await power.inbox.get()
            finally:
                if timer is not None:
                    timer.cancel()
            if self._power is not power:
                return  # the power went while this event was on its way
            if data is not None:
                self._take(power, data)
            deadline = self._tick(power)
            if power.workplace.outbox:
                power.wake.set()

    def _arm(self, power: _Power[C], moment: datetime | None) -> asyncio.TimerHandle | None:
        """A timer for whatever comes next: `moment` is when the core has something to do."""
        deadlines: list[float] = []
        if moment is not None:
            deadlines.append(self.clock.time() + (moment - self.clock.now()).total_seconds())
        transfer = power.transfer.next_deadline()
        if transfer is not None:
            deadlines.append(transfer)
        if power.left:
            deadlines.append(power.left[0][0] + FORGET_AFTER_S)
        if not deadlines:
            return None
        return self.clock.call_at(min(deadlines), power.inbox.put_nowait, None)

    def _take(self, power: _Power[C], data: bytes) -> None:
        try:
            received = power.transfer.receive(data, self.clock.time())
        except GbcsDecodeError as error:
            power.workplace.note(
                "MessageDropped", data=data, reason="not-a-message", step=1, detail=str(error)
            )
            return
        power.workplace.outbox += [_block(reply) for reply in received.replies]
        if received.message is not None:
            power.core.receive(received.message, self.clock.now())

    def _tick(self, power: _Power[C]) -> datetime | None:
        """Do what is due; when the core has something to do next."""
        deadline = power.core.next_deadline()
        if deadline is not None and deadline <= self.clock.now():
            power.core.tick(self.clock.now())
            deadline = power.core.next_deadline()
        transfer = power.transfer.next_deadline()
        if transfer is not None and transfer <= self.clock.time():
            power.workplace.outbox += [
                _block(octets) for octets in power.transfer.expire(self.clock.time()).resend
            ]
        now = self.clock.time()
        for message in [one for one in power.in_blocks if not power.transfer.is_sending(one.data)]:
            power.in_blocks.remove(message)
            power.left.append((now, message))
        if power.left and power.left[0][0] + FORGET_AFTER_S <= now:
            # A few at once: what has left a moment ago has its own turn.
            self._forget_left(power, now - FORGET_AFTER_S / 2)
        return deadline

    @staticmethod
    def _forget_left(power: _Power[C], until: float) -> None:
        """Forget what had left by then."""
        gone = [message for moment, message in power.left if moment <= until]
        power.left = [(moment, message) for moment, message in power.left if moment > until]
        if gone:
            power.workplace.sent(*gone)

    # ---------------------------------------------------------------------------- the way out

    async def _transmit(self, power: _Power[C], carry: Carry) -> None:
        """Carry out what stands in the outbox, in order."""
        outbox = power.workplace.outbox
        while True:
            while outbox:
                await self._deliver(power, outbox[0], carry)
            power.wake.clear()
            await power.wake.wait()

    async def _deliver(self, power: _Power[C], message: Outgoing, carry: Carry) -> None:
        """Carry one message: alerts until they have gone, anything else a few times."""
        place = power.workplace
        if message.event:
            place.note(message.event, data=message.data, target=str(message.target), **message.detail)
        delay_s = RETRY_FIRST_S
        for attempt in range(1, 1_000_000):
            try:
                await self._carry(power, message, carry)
                break
            except TransportError as error:
                if not message.alert and (attempt >= RESPONSE_ATTEMPTS or not error.transient):
                    place.note("MessageDropped", data=message.data, reason="undeliverable", detail=str(error))
                    break
            await self._pause(power, delay_s)
            delay_s = min(2 * delay_s, RETRY_LONGEST_S)
        if message in place.outbox:
            place.outbox.remove(message)
        if message.memory_key is None:
            return
        if power.transfer.is_sending(message.data):
            power.in_blocks.append(message)
            return
        if not power.left:
            power.inbox.put_nowait(None)  # forgetting it has a deadline
        power.left.append((self.clock.time(), message))

    async def _carry(self, power: _Power[C], message: Outgoing, carry: Carry) -> None:
        if not message.event:
            await carry(message.data)
            return
        for octets in power.transfer.send(message.data, self.clock.time()):
            await carry(octets)
        if power.transfer.next_deadline() is not None:
            power.inbox.put_nowait(None)  # a block transfer has a deadline of its own

    async def _pause(self, power: _Power[C], delay_s: float) -> None:
        """Wait for a while, or until the way out is open again."""
        power.wake.clear()
        try:
            async with timeout(self.clock, delay_s):
                await power.wake.wait()
        except TimeoutError:
            pass


def _block(octets: bytes) -> Outgoing:
    """A block or its acknowledgement: no message of its own."""
    return Outgoing(data=octets, target=Eui64(bytes(8)), event="", detail={})
