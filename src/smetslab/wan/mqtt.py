"""The WAN over an MQTT broker: DCC and hubs in any processes, on any machines.

Messages travel with QoS 1, but the broker's word is not enough: a sender believes that a message has
arrived when its receiver says so (a receipt by identity), behind everything that follows from it there.
So neither a broker that restarts with nothing in its memory nor a process that dies between taking a
message and keeping it loses anything; what arrives twice is known by its identity.

A node that dies without farewell is announced by its last will, and its hubs are lost with it. Lost
connections are made again, ever more rarely while that fails.

Nagle's algorithm is off on every socket here, but a broker's own sockets have it on unless it is told
otherwise (`set_tcp_nodelay`): two small packets to one client then wait for a delayed acknowledgement,
some 40 ms. So each node has two connections, one on which it sends and one on which it receives, and
answers everything on the one where it came: no acknowledgement has to wait.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

from smetslab.clock import Clock, timeout
from smetslab.errors import CodecError, LocalProtocolError, StoreError, UsageError, WanError
from smetslab.ids import Eui64
from smetslab.trace import Detail, Trace
from smetslab.wan.service import Receive, WanMessage
from smetslab.wan.topics import (
    HEAD_NODE,
    HERE,
    LOST,
    Direction,
    MqttAddress,
    Topics,
    decode_message,
    encode_message,
)

if TYPE_CHECKING:
    import aiomqtt

NO_DELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

_LOG: Final = logging.getLogger("smetslab.wan.mqtt")
_LOG.setLevel(logging.CRITICAL)
"""What the library logs of a lost connection is in the trace."""

_IN_FLIGHT: Final = 10_000
"""How many messages may be under way at once. A choice."""

_CLOSING_S: Final = 2.0
"""How long a farewell to the broker may take."""
_CANCEL_AGAIN_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttRules:
    """Times of a connection, all choices: how long a receipt may take, how long a hub is waited for that is
    not there, and how long a hub waits for the head, how long between two attempts to connect at first and at
    most, after which silence the broker gives a node up (the last will is published at one and a half of it).
    They are in real seconds, whatever the scale of the laboratory: the broker knows no other. How long a hub
    may be lost before somebody is told is in laboratory seconds.
    """

    receipt_timeout_s: float = 10.0
    presence_s: float = 1.0
    head_patience_s: float = 60.0
    first_retry_s: float = 0.25
    longest_retry_s: float = 30.0
    keep_alive_s: int = 20
    lost_after_s: float = 180.0


class _PatientLoop:
    """The loop as the library sees it. It asks to watch its socket a moment after it has closed it, when the
    connection is lost while something is written; that is no fault of anybody.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_writer(self, descriptor: int, callback: Callable[[], object]) -> None:
        if descriptor >= 0:
            with suppress(OSError):
                self._loop.add_writer(descriptor, callback)

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        if descriptor >= 0:
            with suppress(OSError):
                self._loop.add_reader(descriptor, callback)

    def remove_writer(self, descriptor: int) -> None:
        if descriptor >= 0:
            self._loop.remove_writer(descriptor)


@dataclass(slots=True)
class _Waiting:
    """Who waits for a receipt."""

    futures: list[asyncio.Future[None]] = field(default_factory=list)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended. Once may not do: `asyncio.wait_for` of Python 3.11, which the
    library stands on, loses a cancellation that comes when what it waits for is done.
    """
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=_CANCEL_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: why a connection was lost is told by whoever waited for it


async def _is_durable() -> None:
    """Whatever was committed is in the database already."""


class MqttWan:
    """A `Wan` whose carrier is a broker; the head, any number of hubs, or both.

    `node` names this process on the broker: no other may have the name. Only an instance with `head` may
    attach the head. `hub_lost` is told of a hub whose node is gone for long, `hub_back` of one that has come
    back or come new. `durable` is `Store.durable`: messages and receipts leave this process behind it.
    """

    def __init__(
        self,
        address: MqttAddress,
        clock: Clock,
        trace: Trace,
        *,
        node: str,
        head: bool,
        rules: MqttRules | None = None,
        hub_lost: Callable[[Eui64], None] | None = None,
        hub_back: Callable[[Eui64], None] | None = None,
        head_name: str = "dcc",
        durable: Callable[[], Awaitable[None]] = _is_durable,
    ) -> None:
        self._durable = durable
        self.address = address
        self._clock = clock
        self._trace = trace
        self._node = HEAD_NODE if head else node
        self._is_head = head
        self._rules = MqttRules() if rules is None else rules
        self._hub_lost = hub_lost
        self._hub_back = hub_back
        self._head_name = head_name
        self._topics = Topics(address.site)
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None
        self._client: aiomqtt.Client | None = None
        self._out: aiomqtt.Client | None = None
        self._head: Receive | None = None
        self._hubs: dict[Eui64, Receive] = {}
        self._hub_nodes: dict[Eui64, str] = {}
        self._nodes: dict[str, bool] = {}
        self._receipts: dict[tuple[str, Eui64, str], _Waiting] = {}
        self._timers: dict[Eui64, asyncio.TimerHandle] = {}
        self._said: dict[Eui64, None] = {}
        self._changed = asyncio.Event()
        self._is_out = False
        self._presence: list[asyncio.Future[None]] = []
        self._connected = asyncio.Event()
        self.connections = 0
        """How often the broker was reached."""

    # Life ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> MqttWan:
        if self._group is not None:
            raise LocalProtocolError("the WAN is open already")
        _library()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._task = self._group.create_task(self._stay_connected(), name=f"wan {self._node}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        await self._farewell()
        if self._task is not None:
            await _end([self._task])
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await group.__aexit__(None, None, None)

    async def connected(self, timeout_s: float) -> None:
        """Wait until the broker is reached. Raises WanError when that takes too long."""
        try:
            async with timeout(self._clock, timeout_s):
                await self._connected.wait()
        except TimeoutError:
            raise WanError(f"no broker at {self.address} within {timeout_s:g} s", transient=True) from None

    @property
    def is_connected(self) -> bool:
        """Whether the broker is reached now, as far as is known."""
        return self._client is not None

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The open connections to the broker, for looking at their options."""
        clients: list[Any] = [self._client, self._out]
        found = [client._client.socket() for client in clients if client is not None]
        return tuple(one for one in found if one is not None)

    def reachable(self, hub: Eui64) -> bool:
        """Whether a hub is on the WAN, as far as the head knows."""
        return self._client is not None and self._nodes.get(self._hub_nodes.get(hub, ""), False)

    async def _stay_connected(self) -> None:
        library = _library()
        delay_s = self._rules.first_retry_s
        while True:
            try:
                async with self._connection(library, "out") as out, self._connection(library, "in") as client:
                    delay_s = self._rules.first_retry_s
                    await self._introduce(client, out)
                    await self._until_lost(client, out)
            except (library.MqttError, OSError) as error:
                self._lose_connection(str(error))
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, self._rules.longest_retry_s)

    @asynccontextmanager
    async def _connection(self, library: Any, direction: str) -> AsyncIterator[aiomqtt.Client]:
        client = self._new_client(library, direction)
        opening = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # A thread of the library is connecting: it must come to its end, or its socket stays open.
            await asyncio.wait([opening])
            if opening.exception() is None:
                await client.__aexit__(None, None, None)
            raise
        try:
            yield client
        finally:
            await client.__aexit__(None, None, None)
            # The library keeps why a connection was lost, for somebody who may not have asked.
            lost: asyncio.Future[None] = client._disconnected
            if lost.done() and not lost.cancelled():
                lost.exception()

    def _new_client(self, library: Any, direction: str) -> aiomqtt.Client:
        """A connection not yet made. The one on which messages come in has the last will."""
        address = self.address
        will = library.Will(self._topics.node(self._node), LOST, qos=1, retain=True)
        tls = (
            library.TLSParameters(
                ca_certs=address.ca_file, certfile=address.certificate_file, keyfile=address.key_file
            )
            if address.tls
            else None
        )
        client: aiomqtt.Client = library.Client(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            identifier=f"smetslab-{address.site}-{self._node}-{direction}",
            will=will if direction == "in" else None,
            tls_params=tls,
            keepalive=self._rules.keep_alive_s,
            socket_options=[NO_DELAY],
            timeout=self._rules.receipt_timeout_s,
            max_inflight_messages=_IN_FLIGHT,
            logger=_LOG,
        )
        # It warns of more calls at once than that; requests of a thousand homes are no mistake.
        client.pending_calls_threshold = _IN_FLIGHT
        client._loop = cast("asyncio.AbstractEventLoop", _PatientLoop(asyncio.get_running_loop()))
        return client

    async def _introduce(self, client: aiomqtt.Client, out: aiomqtt.Client) -> None:
        """Listen first, then say who is here: whoever is told may send at once."""
        topics = self._topics
        await client.subscribe([(topic, 1) for topic in self._subscriptions()])
        self._client, self._out = client, out
        self.connections += 1
        self._connected.set()
        self._record("WanConnected", str(self.address), node=self._node)
        await client.publish(topics.node(self._node), HERE, qos=1, retain=True)
        # Hubs that were switched off meanwhile are still said to be here.
        self._said = {hub: None for hub in self._said if hub not in self._hubs}
        self._changed.set()

    def _subscriptions(self) -> list[str]:
        topics = self._topics
        found = [topics.node(None if self._is_head else HEAD_NODE)]
        if self._is_head:
            found += [topics.message(None, "up"), topics.receipt(None, "down"), topics.hub(None)]
        return found

    def _hub_subscriptions(self, hub: Eui64) -> list[str]:
        return [self._topics.message(hub, "down"), self._topics.receipt(hub, "up")]

    async def _until_lost(self, client: aiomqtt.Client, out: aiomqtt.Client) -> None:
        """Take what comes, and say which hubs come and go, until one of the connections is lost. Raises
        MqttError.
        """
        works = (self._serve(client), self._watch(out), self._say_changes(client))
        tasks = [asyncio.get_running_loop().create_task(work, name=f"wan {self._node}") for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _end(tasks)

    async def _serve(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            self._take(str(message.topic), bytes(message.payload))

    async def _watch(self, out: aiomqtt.Client) -> None:
        """Nothing comes in on the other connection, but its loss."""
        async for message in out.messages:
            self._record("NoiseDropped", str(message.topic)[:120], reason="on the connection for sending")

    async def _say_changes(self, client: aiomqtt.Client) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for hub in [one for one in self._hubs if one not in self._said]:
                await client.subscribe([(topic, 1) for topic in self._hub_subscriptions(hub)])
                await client.publish(self._topics.hub(hub), self._node.encode(), qos=1, retain=True)
                self._said[hub] = None
            for hub in [one for one in self._said if one not in self._hubs]:
                await client.publish(self._topics.hub(hub), b"", qos=1, retain=True)
                await client.unsubscribe(self._hub_subscriptions(hub))
                del self._said[hub]

    def _lose_connection(self, reason: str) -> None:
        if self._client is not None:
            self._record("WanDisconnected", str(self.address), node=self._node, reason=reason)
        self._client = self._out = None
        self._connected.clear()
        # What the broker remembers of others is told again behind the next connection.
        self._nodes.clear()
        for waiting in list(self._receipts.values()):
            for future in waiting.futures:
                if not future.done():
                    future.set_exception(WanError("the connection to the broker was lost", transient=True))

    async def _farewell(self) -> None:
        client = self._client
        if client is None:
            return
        library = _library()
        try:
            async with asyncio.timeout(_CLOSING_S):
                for hub in list(self._hubs):
                    await client.publish(self._topics.hub(hub), b"", qos=1, retain=True)
                await client.publish(self._topics.node(self._node), b"", qos=1, retain=True)
        except (library.MqttError, TimeoutError) as error:
            self._record("FarewellFailed", str(self.address), node=self._node, reason=str(error))

    # What comes ---------------------------------------------------------------------------------------------

    def _take(self, topic: str, payload: bytes) -> None:
        try:
            kind, name = self._topics.read(topic)
            if kind == "node":
                self._node_says(name, payload)
                return
            hub = Eui64.parse(name)
            if kind == "hub":
                self._hub_says(hub, payload)
                return
            direction: Direction = "down" if kind.startswith("down") else "up"
            if kind.endswith("receipt"):
                self._resolve(direction, hub, payload.decode())
                return
            message = decode_message(hub, payload)
        except (CodecError, ValueError) as error:
            self._record("NoiseDropped", topic[:120], reason=str(error))
            return
        receive = self._head if direction == "up" else self._hubs.get(hub)
        if receive is None or self._is_out:
            return  # without a receipt it comes again
        self._record_message("MessageDelivered", message, direction)
        receive(message)
        if self._group is not None:
            receipt = self._give_receipt(self._topics.receipt(hub, direction), message.identity)
            self._group.create_task(receipt, name=f"wan receipt {message.identity}")

    async def _give_receipt(self, topic: str, identity: str) -> None:
        """Say that a message was dealt with; when that fails it comes again, and so does the receipt."""
        library = _library()
        try:
            await self._durable()
            if self._out is not None:
                await self._out.publish(topic, identity.encode(), qos=1)
        except (library.MqttError, StoreError) as error:
            self._record("ReceiptFailed", topic, reason=str(error))

    def _node_says(self, name: str, payload: bytes) -> None:
        """A node is there, is lost, or has left."""
        self._nodes[name] = payload == HERE
        self._presence_changed()
        if not self._is_head or name == HEAD_NODE:
            return
        for hub in [one for one, node in self._hub_nodes.items() if node == name]:
            if payload == HERE:
                self._back(hub)
            elif payload == LOST:
                self._lost(hub)

    def _hub_says(self, hub: Eui64, payload: bytes) -> None:
        """Which node has a hub; none when it was switched off in good order."""
        node = payload.decode()
        if node:
            self._hub_nodes[hub] = node
            self._presence_changed()
            if self._nodes.get(node, False):
                self._back(hub)
        else:
            self._hub_nodes.pop(hub, None)
            self._stop_timer(hub)
            self._record("HubDetached", str(hub))

    def _lost(self, hub: Eui64) -> None:
        self._record("HubLost", str(hub))
        if self._hub_lost is None or hub in self._timers:
            return
        lost = self._hub_lost

        def tell() -> None:
            del self._timers[hub]
            lost(hub)

        self._timers[hub] = self._clock.call_at(self._clock.time() + self._rules.lost_after_s, tell)

    def _back(self, hub: Eui64) -> None:
        self._stop_timer(hub)
        self._record("HubAttached", str(hub))
        if self._hub_back is not None:
            self._hub_back(hub)

    def _stop_timer(self, hub: Eui64) -> None:
        timer = self._timers.pop(hub, None)
        if timer is not None:
            timer.cancel()

    def outage(self, on: bool) -> None:
        """Begin or end an outage of this node: it refuses what is sent, and what comes in comes again."""
        self._is_out = on
        self._record("OutageStarted" if on else "OutageEnded", self._node)

    # The Wan ------------------------------------------------------------------------------------------------

    def attach_hub(self, hub: Eui64, receive: Receive) -> Callable[[], None]:
        if hub in self._hubs:
            raise LocalProtocolError(f"hub {hub} is attached to the WAN already")
        self._hubs[hub] = receive
        self._changed.set()

        def detach() -> None:
            if self._hubs.get(hub) is receive:
                del self._hubs[hub]
                self._changed.set()

        return detach

    def attach_head(self, receive: Receive) -> Callable[[], None]:
        if not self._is_head:
            raise LocalProtocolError("this node of the WAN is not the head")
        if self._head is not None:
            raise LocalProtocolError("the head of the WAN is attached already")
        self._head = receive

        def detach() -> None:
            if self._head is receive:
                self._head = None

        return detach

    async def to_hub(self, message: WanMessage) -> None:
        if not await self._present(lambda: self.reachable(message.hub), self._rules.presence_s):
            raise self._refuse(message, "down", f"hub {message.hub} is not on the WAN")
        await self._send(message, "down")

    async def to_head(self, message: WanMessage) -> None:
        # A hub that finds the WAN down tries it again after a minute: better that its message goes as soon as
        # the head is back. Whoever cuts this node off by hand does not wait.
        loop = asyncio.get_running_loop()
        until = loop.time() + self._rules.head_patience_s
        while True:
            patience_s = self._rules.presence_s if self._is_out else until - loop.time()
            if not await self._present(lambda: self._nodes.get(HEAD_NODE, False), patience_s):
                raise self._refuse(message, "up", "nobody at the head of the WAN")
            try:
                await self._send(message, "up")
            except WanError:
                if self._is_out or loop.time() >= until:
                    raise
                await asyncio.sleep(self._rules.first_retry_s)
            else:
                return

    async def _present(self, condition: Callable[[], bool], patience_s: float) -> bool:
        """Whether somebody is there, or comes within a moment: who has just connected learns it in a
        moment.
        """
        try:
            async with asyncio.timeout(patience_s):
                while not condition():
                    change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._presence.append(change)
                    await change
        except TimeoutError:
            return False
        return True

    def _presence_changed(self) -> None:
        waiting, self._presence = self._presence, []
        for change in waiting:
            if not change.done():
                change.set_result(None)

    async def _send(self, message: WanMessage, direction: Direction) -> None:
        """Publish, and wait until the receiver says that it has dealt with it."""
        try:
            await self._durable()
        except StoreError as error:
            raise self._refuse(message, direction, str(error)) from error
        out, library = self._out, _library()
        if self._is_out:
            raise self._refuse(message, direction, "the WAN is down")
        if out is None:
            raise self._refuse(message, direction, f"no connection to the broker at {self.address}")
        key = (direction, message.hub, message.identity)
        receipt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._receipts.setdefault(key, _Waiting())
        waiting.futures.append(receipt)
        self._record_message("MessageSent", message, direction, data=message.payload)
        try:
            async with asyncio.timeout(self._rules.receipt_timeout_s):
                await out.publish(
                    self._topics.message(message.hub, direction), encode_message(message), qos=1
                )
                await receipt
        except (library.MqttError, TimeoutError) as error:
            reason = "no receipt in time" if isinstance(error, TimeoutError) else str(error)
            raise self._refuse(message, direction, reason) from error
        finally:
            receipt.cancel()
            waiting.futures.remove(receipt)
            if not waiting.futures:
                self._receipts.pop(key, None)

    def _resolve(self, direction: Direction, hub: Eui64, identity: str) -> None:
        waiting = self._receipts.get((direction, hub, identity))
        for future in [] if waiting is None else waiting.futures:
            if not future.done():
                future.set_result(None)

    def _refuse(self, message: WanMessage, direction: Direction, what: str) -> WanError:
        self._record_message("MessageRefused", message, direction, reason=what)
        return WanError(what, transient=True)

    def _record_message(
        self, event: str, message: WanMessage, direction: Direction, *, data: bytes = b"", **detail: Detail
    ) -> None:
        ends = (self._head_name, str(message.hub))
        source, target = ends if direction == "down" else ends[::-1]
        self._trace.record(
            "wan", event, source=source, target=target, data=data, identity=message.identity, **detail
        )

    def _record(self, event: str, source: str, **detail: Detail) -> None:
        self._trace.record("wan", event, source=source, target=self._head_name, data=b"", **detail)


def _library() -> Any:
    try:
        import aiomqtt  # noqa: PLC0415 - an extra: the core runs without it
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the WAN over MQTT needs {error.name}", hint="pip install 'smetslab[mqtt]'"
        ) from error
    return aiomqtt
