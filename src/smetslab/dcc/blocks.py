"""A WAN that carries messages of any length: what is too long goes and comes in blocks.

Wraps the DCC's side of a `Wan`. The DCC sees whole messages alone; hubs pass blocks on without reading them,
and the device at the other end has the same engine.

Spec: GBCS 7.2.11 (general block transfer).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from smetslab.clock import Clock
from smetslab.errors import GbcsDecodeError, LocalProtocolError, WanError
from smetslab.gbcs.gbt import BlockRules, BlockTransfer, routing
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.wan import Receive, Wan, WanMessage


class BlockWan:
    """The head's end of a WAN, with block transfer. An async context manager: in its block it is attached."""

    def __init__(
        self,
        wan: Wan,
        clock: Clock,
        trace: Trace,
        next_identity: Callable[[], str],
        rules: BlockRules | None = None,
    ) -> None:
        """`next_identity` names what this end sends of its own accord: never the same twice, over restarts
        too.
        """
        self._wan = wan
        self._clock = clock
        self._trace = trace
        self._transfer = BlockTransfer(rules)
        self._hubs: dict[Eui64, Eui64] = {}
        self._outbox: asyncio.Queue[tuple[Eui64, bytes] | None] = asyncio.Queue()
        self._next_identity = next_identity
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._group is not None:
            raise LocalProtocolError("block transfer is running already")
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._task = self._group.create_task(self._run(), name="dcc block transfer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        if group is not None and self._task is not None:
            self._task.cancel()
            await group.__aexit__(None, None, None)

    async def to_hub(self, message: WanMessage) -> None:
        """Hand a message to the WAN, in blocks where it is long. Raises WanError."""
        try:
            parts = self._transfer.send(message.payload, self._clock.time())
        except GbcsDecodeError:
            parts = (message.payload,)  # octets of a negative test, which are no message: they go as they are
        if parts == (message.payload,):
            await self._wan.to_hub(message)
            return
        # By what the blocks say themselves, because that is all there is when they are sent again.
        _, target = routing(parts[0])
        self._hubs[target] = message.hub
        for number, part in enumerate(parts, start=1):
            await self._wan.to_hub(WanMessage(f"{message.identity}/{number}", message.hub, part))
        self._outbox.put_nowait(None)  # there is a deadline now

    def attach_head(self, receive: Receive) -> Callable[[], None]:
        """Call `receive` with each whole message from a hub."""

        def take(arrived: WanMessage) -> None:
            if arrived.kind != "gbcs":
                receive(arrived)
                return
            try:
                received = self._transfer.receive(arrived.payload, self._clock.time())
            except GbcsDecodeError as error:
                self._trace.record(
                    "dcc",
                    "MessageDropped",
                    source=str(arrived.hub),
                    target="dcc",
                    data=arrived.payload,
                    reason=f"not a block: {error}",
                )
                return
            if received.message is not None:
                # First what follows from it, then its acknowledgement: nothing acknowledged is lost.
                receive(WanMessage(arrived.identity, arrived.hub, received.message))
            for reply in received.replies:
                self._outbox.put_nowait((arrived.hub, reply))
            if received.message is None:
                self._outbox.put_nowait(None)

        return self._wan.attach_head(take)

    async def _run(self) -> None:
        """Send acknowledgements and what is to be sent again."""
        while True:
            timer = self._arm()
            try:
                entry = await self._outbox.get()
            finally:
                if timer is not None:
                    timer.cancel()
            if entry is not None:
                await self._send(*entry)
            for octets in self._transfer.expire(self._clock.time()).resend:
                _, target = routing(octets)
                await self._send(self._hubs[target], octets)

    def _arm(self) -> asyncio.TimerHandle | None:
        deadline = self._transfer.next_deadline()
        return None if deadline is None else self._clock.call_at(deadline, self._outbox.put_nowait, None)

    async def _send(self, hub: Eui64, octets: bytes) -> None:
        try:
            await self._wan.to_hub(WanMessage(self._next_identity(), hub, octets))
        except WanError as error:
            # The peer asks again when an acknowledgement does not come, and so does the timer here.
            self._trace.record(
                "dcc", "BlockNotSent", source="dcc", target=str(hub), data=octets, reason=str(error)
            )
