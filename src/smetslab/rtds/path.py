"""The way of a replayed message over the home network: from the hub into the device's tunnel, and back.

Every message goes, block by block where it is long, through a tunnel on the simulated air: sealed frames
with acknowledgements, fragments, and for a gas meter the polls and fetches of one that sleeps. What arrives
is what is compared.

Spec: GBCS 10.2.2 (tunnels), 10.3 (GSME tunnel header), 7.2.11 (block transfer)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Literal, TypeAlias

from smetslab.clock import LoopClock, run_virtual, timeout
from smetslab.devices.fetch import Header, Transfer, decode_transfer
from smetslab.errors import TransportError
from smetslab.gbcs.gbt import BlockTransfer
from smetslab.han import TunnelClient, TunnelServer
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.link import RadioLink
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.trace import Trace

Reach: TypeAlias = Literal["tunnel", "fetch", "hub"]
"""How a device gets its messages: they are put into its tunnel, it fetches them, or it is in the hub."""

HUB: Final = Eui64(b"THE PATH")
PATIENCE_S: Final = 600.0
ENDPOINT: Final = 1

_Send: TypeAlias = Callable[[bytes], Awaitable[None]]


class RadioPath:
    """Carries messages between a hub and a device that stands alone with it on the air."""

    def __init__(self, seed: int = 2015) -> None:
        self._seed = RootSeed(seed)
        self.messages = 0
        self.frames = 0
        """How many messages it has carried, in how many frames on the air."""

    def down(self, device: Eui64, reach: Reach, message: bytes) -> bytes:
        """What arrives at the device of a message that the hub has for it."""
        return self._carry(device, reach, message, upwards=False)

    def up(self, device: Eui64, reach: Reach, message: bytes) -> bytes:
        """What arrives at the hub of a message of the device."""
        return self._carry(device, reach, message, upwards=True)

    def _carry(self, device: Eui64, reach: Reach, message: bytes, *, upwards: bool) -> bytes:
        if reach == "hub":
            return message

        async def main(clock: LoopClock) -> bytes:
            home = RadioHome(clock, Trace(clock), self._seed.child(f"message {self.messages}"))
            hub, link = home.link(HUB), home.link(device, sleepy=reach == "fetch")
            carrying = _Carrying(clock, hub, link, fetched=reach == "fetch")
            async with hub, link:
                arrived = await carrying.carry(message, upwards=upwards)
            self.frames += home.medium.counts["sent"]
            return arrived

        self.messages += 1
        try:
            return run_virtual(main)
        except TimeoutError:
            raise TransportError(f"a message of {len(message)} octets did not arrive") from None


class _End:
    """One end of the way: what it has to say, and the blocks that it puts together."""

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self.blocks = BlockTransfer()
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue()

    def say(self, message: bytes) -> None:
        for octets in self.blocks.send(message, self._clock.time()):
            self.waiting.put_nowait(octets)

    def hear(self, data: bytes) -> bytes | None:
        """A message that is whole now. Raises GbcsDecodeError."""
        received = self.blocks.receive(data, self._clock.time())
        for reply in received.replies:
            self.waiting.put_nowait(reply)
        return received.message


class _Carrying:
    """One message under way. The client of the tunnel is the hub, or a meter that fetches."""

    def __init__(self, clock: LoopClock, hub: RadioLink, device: RadioLink, *, fetched: bool) -> None:
        self._clock = clock
        self._hub, self._device = hub, device
        self._fetched = fetched
        self._at_hub, self._at_device = _End(clock), _End(clock)
        self._arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked = asyncio.Event()
        """A meter has asked for a message."""
        self._answered = asyncio.Event()
        """It has been given one, or told that there is none."""

    async def carry(self, message: bytes, *, upwards: bool) -> bytes:
        """What arrives of it. Raises TimeoutError."""
        sender = self._at_device if upwards else self._at_hub
        sender.say(message)
        client, server = (self._device, self._hub) if self._fetched else (self._hub, self._device)
        trace = Trace(self._clock)
        opened = asyncio.Event()
        to_client = TunnelServer(
            server,
            self._clock,
            trace,
            endpoint=ENDPOINT,
            on_data=lambda _peer, data: self._at_server(data),
            on_opened=lambda _peer: opened.set(),
        )
        to_server = TunnelClient(
            client, self._clock, trace, endpoint=ENDPOINT, on_data=lambda _peer, data: self._at_client(data)
        )
        async with to_client, to_server:
            to_server.add(server.eui64)
            async with timeout(self._clock, PATIENCE_S):
                await opened.wait()
                tasks = [
                    asyncio.create_task(self._told(one))
                    for one in self._pumps(
                        lambda data: to_server.send(server.eui64, data),
                        lambda data: to_client.send(client.eui64, data),
                    )
                ]
                try:
                    return await self._arrived
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

    def _pumps(self, to_server: _Send, to_client: _Send) -> list[Coroutine[Any, Any, None]]:
        if not self._fetched:
            return [_pump(self._at_hub, to_server), _pump(self._at_device, to_client)]
        return [self._put_all(to_server), self._get(to_server), self._answer(to_client)]

    async def _told(self, pump: Coroutine[Any, Any, None]) -> None:
        """What goes wrong on the way is what the carrying ends with."""
        try:
            await pump
        except TransportError as error:
            if not self._arrived.done():
                self._arrived.set_exception(error)

    def _take(self, end: _End, data: bytes) -> None:
        message = end.hear(data)
        if message is not None and not self._arrived.done():
            self._arrived.set_result(message)

    def _at_server(self, data: bytes) -> None:
        if not self._fetched:
            self._take(self._at_device, data)
            return
        transfer = decode_transfer(data)
        if transfer is not None and transfer.header is Header.PUT:
            self._take(self._at_hub, transfer.message)
        elif transfer is not None and transfer.header is Header.GET:
            self._asked.set()

    def _at_client(self, data: bytes) -> None:
        if not self._fetched:
            self._take(self._at_hub, data)
            return
        transfer = decode_transfer(data)
        self._answered.set()
        if transfer is not None and transfer.message:
            self._take(self._at_device, transfer.message)

    async def _put_all(self, send: _Send) -> None:
        """The meter puts what it has to say."""
        while True:
            await send(Transfer(Header.PUT, await self._at_device.waiting.get()).encode())

    async def _get(self, send: _Send) -> None:
        """The meter asks for what waits, and again."""
        while True:
            self._answered.clear()
            await send(Transfer(Header.GET).encode())
            await self._answered.wait()
            await self._clock.sleep(1.0)

    async def _answer(self, send: _Send) -> None:
        """The hub gives one message for each question."""
        waiting = self._at_hub.waiting
        while True:
            await self._asked.wait()
            self._asked.clear()
            message = b"" if waiting.empty() else waiting.get_nowait()
            await send(Transfer(Header.GET_RESPONSE, message, waiting.qsize()).encode())


async def _pump(end: _End, send: _Send) -> None:
    while True:
        await send(await end.waiting.get())
