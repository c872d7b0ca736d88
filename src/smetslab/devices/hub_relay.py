"""What a hub keeps as a relay: what waits for the WAN, for its devices and for gas meters that sleep.

Spec: GBCS 10.2 (tunnels), CHTS 4.4 (transport); sizes and order of the buffer are unverified.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from smetslab.clock import Clock, timeout
from smetslab.devices.fetch import FetchQueue
from smetslab.devices.limits import (
    HUB_BUFFER_MESSAGES,
    HUB_BUFFER_OCTETS,
    WAN_RETRY_FIRST_S,
    WAN_RETRY_LONGEST_S,
)
from smetslab.errors import GbcsDecodeError, WanError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbt import decode_block, is_block
from smetslab.gbcs.message import decode_message
from smetslab.han import TunnelClient, TunnelServer
from smetslab.ids import Eui64
from smetslab.inbox import Inbox, Signal
from smetslab.store import Nvm
from smetslab.wan import Kind, Seen, Wan, WanMessage

_UP = "up/"
_BOOT = "up-boot"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message on its way up. `memory_key`: where it is kept, where it is."""

    message: WanMessage
    memory_key: str | None
    alert: bool


class UpwardBuffer:
    """What waits for the WAN, in order. Whole messages and blocks of alerts survive a power cut, with the
    identity they had; blocks of responses come again from their device.

    When it is full the oldest that is no alert gives way, and the oldest alert when there are only alerts.
    """

    def __init__(self, hub: Eui64, nvm: Nvm) -> None:
        self._hub = hub
        self._nvm = nvm
        self._waiting: list[Waiting] = []
        for key, octets in nvm.items(_UP):
            length = octets[0]
            identity, payload = octets[1 : 1 + length].decode("ascii"), octets[1 + length :]
            self._waiting.append(Waiting(WanMessage(identity, hub, payload), key, _cra(payload) is Cra.ALERT))
        with nvm.transaction() as tx:
            self._boot = int.from_bytes(tx.get(_BOOT) or b"", "big") + 1
            tx.put(_BOOT, self._boot.to_bytes(8, "big"))
        self._next = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, payload: bytes, kind: Kind = "gbcs") -> tuple[Waiting, ...]:
        """Take a message; returns those that had to give way."""
        number, self._next = self._next, self._next + 1
        identity = f"{self._hub}/{self._boot}/{number}"
        cra = _cra(payload) if kind == "gbcs" else None
        alert = cra is Cra.ALERT
        kept = alert or (cra is Cra.RESPONSE and not is_block(payload))
        key = f"{_UP}{self._boot:012}/{number:012}" if kept else None
        if key is not None:
            with self._nvm.transaction() as tx:
                tx.put(key, bytes((len(identity),)) + identity.encode("ascii") + payload)
        self._waiting.append(Waiting(WanMessage(identity, self._hub, payload, kind), key, alert))
        dropped: list[Waiting] = []
        while self._overflows():
            dropped.append(self._give_way())
        return tuple(dropped)

    def first(self) -> Waiting | None:
        """What goes next."""
        return self._waiting[0] if self._waiting else None

    def done(self, waiting: Waiting) -> None:
        """The WAN has taken it, or never will."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        if waiting.memory_key is not None:
            with self._nvm.transaction() as tx:
                tx.delete(waiting.memory_key)

    def _overflows(self) -> bool:
        octets = sum(len(waiting.message.payload) for waiting in self._waiting)
        return len(self._waiting) > 1 and (
            len(self._waiting) > HUB_BUFFER_MESSAGES or octets > HUB_BUFFER_OCTETS
        )

    def _give_way(self) -> Waiting:
        chosen = next((one for one in self._waiting if not one.alert), self._waiting[0])
        self.done(chosen)
        return chosen


def _cra(payload: bytes) -> Cra | None:
    """What a message or block is; None for octets that are neither."""
    try:
        return decode_block(payload).cra if is_block(payload) else decode_message(payload).cra
    except GbcsDecodeError:
        return None


_Exchange: TypeAlias = tuple[Eui64, Eui64, int]


class HandHeldTerminal:
    """Who stands in the home and brings commands: the responses go back to it, not to the WAN.

    What comes in blocks goes to the WAN all the same. Spec: GBCS 10.2 (tunnels); unverified.
    """

    def __init__(self) -> None:
        self._waiting: dict[_Exchange, asyncio.Future[bytes]] = {}

    @contextmanager
    def expect(self, command: bytes) -> Iterator[asyncio.Future[bytes]]:
        """Expect the response to a command while the block is open. Raises GbcsDecodeError."""
        message = decode_message(command)
        asked = message.business_target_id, message.business_originator_id, message.originator_counter
        waiting = self._waiting[asked] = asyncio.get_running_loop().create_future()
        try:
            yield waiting
        finally:
            if self._waiting.get(asked) is waiting:
                del self._waiting[asked]  # and not what somebody expects who has brought it again

    def takes(self, payload: bytes) -> bool:
        """Whether this is a response that the terminal waits for; it has it then."""
        if not self._waiting or is_block(payload):
            return False
        try:
            message = decode_message(payload)
        except GbcsDecodeError:
            return False
        said = message.business_originator_id, message.business_target_id, message.originator_counter
        waiting = self._waiting.get(said) if message.cra is Cra.RESPONSE else None
        if waiting is None or waiting.done():
            return False
        waiting.set_result(payload)
        return True


@dataclass(slots=True)
class FetchDesk:
    """What waits for one gas meter. `wake`: something has begun to wait."""

    queue: FetchQueue
    wake: Signal = field(default_factory=Signal)


class Relay:
    """The relaying of one stretch of power: a queue and a task for each device, and the way up."""

    def __init__(
        self,
        tunnel: TunnelClient,
        gas_tunnels: TunnelServer,
        group: asyncio.TaskGroup,
        upward: UpwardBuffer,
    ) -> None:
        self.tunnel = tunnel
        self.gas_tunnels = gas_tunnels
        self.group = group
        self.upward = upward
        self.seen = Seen()
        self.terminal = HandHeldTerminal()
        self.wake = Signal()
        self.queues: dict[Eui64, Inbox[bytes]] = {}
        self.desks: dict[Eui64, FetchDesk] = {}
        """What waits for gas meters, which fetch their messages themselves."""
        self.tasks: dict[Eui64, asyncio.Task[None]] = {}


async def carry_up(
    relay: Relay,
    wan: Wan,
    clock: Clock,
    *,
    buffered: Callable[[bytes, int], None],
    refused: Callable[[bytes, str], None],
) -> None:
    """Give the WAN what waits, in order; while it is down, try again ever more rarely, and when a new message
    comes.

    `buffered`: a message waits on, one of so many; `refused`: the WAN will never take it, and why.
    """
    delay_s = WAN_RETRY_FIRST_S
    while True:
        waiting = relay.upward.first()
        if waiting is None:
            relay.wake.clear()
            await relay.wake.wait()
            continue
        try:
            await wan.to_head(waiting.message)
        except WanError as error:
            if error.transient:
                buffered(waiting.message.payload, len(relay.upward))
                relay.wake.clear()
                try:
                    async with timeout(clock, delay_s):
                        await relay.wake.wait()
                except TimeoutError:
                    pass
                delay_s = min(2 * delay_s, WAN_RETRY_LONGEST_S)
                continue
            refused(waiting.message.payload, str(error))
        delay_s = WAN_RETRY_FIRST_S
        relay.upward.done(waiting)
