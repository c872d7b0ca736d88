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

The library takes its time for each publication, so messages and receipts for one node go in batches: what
comes while one is under way goes with the next.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from smetslab.clock import Clock, timeout
from smetslab.errors import CodecError, LocalProtocolError, StoreError, WanError
from smetslab.ids import Eui64
from smetslab.trace import Detail, Trace
from smetslab.wan.broker import MqttRules, connection, library
from smetslab.wan.courier import Courier
from smetslab.wan.parcels import FULL_OCTETS, Parcel, Receipt, decode_parcels, encode_parcels
from smetslab.wan.service import Receive, WanMessage
from smetslab.wan.topics import HEAD_NODE, HERE, LOST, Direction, MqttAddress, Topics, is_name

if TYPE_CHECKING:
    import aiomqtt

_CLOSING_S: Final = 2.0
"""How long a farewell to the broker may take."""
_CANCEL_AGAIN_S: Final = 0.5


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


def _octets(parcel: Parcel) -> int:
    """About how much of a publication a parcel takes."""
    what = parcel[1]
    return len(what.identity) + (0 if isinstance(what, Receipt) else len(what.payload))


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
        if not is_name(self._node):
            raise LocalProtocolError(f"{node!r} is no name of a node of the WAN")
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
        self._couriers: dict[str, Courier[Parcel]] = {}
        self._publishing: dict[str, asyncio.Timeout] = {}
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
        library()
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
        mqtt = library()
        delay_s = self._rules.first_retry_s
        while True:
            try:
                async with self._connection("out") as out, self._connection("in") as client:
                    delay_s = self._rules.first_retry_s
                    await self._introduce(client, out)
                    await self._until_lost(client, out)
            except (mqtt.MqttError, OSError) as error:
                self._lose_connection(str(error))
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, self._rules.longest_retry_s)

    def _connection(self, direction: str) -> AbstractAsyncContextManager[aiomqtt.Client]:
        """The one on which messages come in has the last will."""
        will = (self._topics.node(self._node), LOST) if direction == "in" else None
        identifier = f"smetslab-{self.address.site}-{self._node}-{direction}"
        return connection(self.address, identifier, self._rules, will=will)

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
            found.append(topics.hub(None))
        return [*found, topics.post(self._node)]

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
                await client.publish(self._topics.hub(hub), self._node.encode(), qos=1, retain=True)
                self._said[hub] = None
            for hub in [one for one in self._said if one not in self._hubs]:
                await client.publish(self._topics.hub(hub), b"", qos=1, retain=True)
                del self._said[hub]

    def _lose_connection(self, reason: str) -> None:
        if self._client is not None:
            self._record("WanDisconnected", str(self.address), node=self._node, reason=reason)
        self._client = self._out = None
        self._connected.clear()
        # What the broker remembers of others is told again behind the next connection.
        self._nodes.clear()
        # The library waits for the broker's word on what it published though the connection is gone.
        for publication in self._publishing.values():
            publication.reschedule(0)
        for waiting in list(self._receipts.values()):
            for future in waiting.futures:
                if not future.done():
                    future.set_exception(WanError("the connection to the broker was lost", transient=True))

    async def _farewell(self) -> None:
        client = self._client
        if client is None:
            return
        mqtt = library()
        try:
            async with asyncio.timeout(_CLOSING_S):
                for hub in list(self._hubs):
                    await client.publish(self._topics.hub(hub), b"", qos=1, retain=True)
                await client.publish(self._topics.node(self._node), b"", qos=1, retain=True)
        except (mqtt.MqttError, TimeoutError) as error:
            self._record("FarewellFailed", str(self.address), node=self._node, reason=str(error))

    # What comes ---------------------------------------------------------------------------------------------

    def _take(self, topic: str, payload: bytes) -> None:
        try:
            kind, name = self._topics.read(topic)
            if kind == "node":
                self._node_says(name, payload)
            elif kind == "hub":
                self._hub_says(Eui64.parse(name), payload)
            else:
                self._take_parcels(*decode_parcels(payload))
        except (CodecError, ValueError) as error:
            self._record("NoiseDropped", topic[:120], reason=str(error))

    def _take_parcels(self, sender: str, parcels: list[Parcel]) -> None:
        receipts: list[Parcel] = []
        for direction, what in parcels:
            if isinstance(what, Receipt):
                self._resolve(direction, what)
                continue
            receive = self._head if direction == "up" else self._hubs.get(what.hub)
            if receive is None or self._is_out:
                continue  # without a receipt it comes again
            self._record_message("MessageDelivered", what, direction)
            receive(what)
            receipts.append((direction, Receipt(what.identity, what.hub)))
        if receipts and self._group is not None:
            self._group.create_task(self._give_receipts(sender, receipts), name=f"wan receipts to {sender}")

    async def _give_receipts(self, sender: str, receipts: list[Parcel]) -> None:
        """Say that messages were dealt with; when that fails they come again, and so do the receipts."""
        try:
            await self._durable()
        except StoreError as error:
            self._record("ReceiptFailed", sender, reason=str(error))
            return
        for receipt in receipts:
            self._post(sender, receipt)

    def _post(self, node: str, parcel: Parcel) -> None:
        """Have a parcel published to a node."""
        courier = self._couriers.get(node)
        if courier is None:
            if self._group is None:
                return  # the WAN closes: what nobody has said to have got comes again
            courier = self._couriers[node] = Courier(
                self._group,
                f"wan to {node}",
                lambda parcels: self._publish(node, parcels),
                size=_octets,
                full=FULL_OCTETS,
            )
        courier.put(parcel)

    async def _publish(self, node: str, parcels: list[Parcel]) -> None:
        """Publish, or tell those who wait for a receipt why not."""
        mqtt, out = library(), self._out
        failure = f"no connection to the broker at {self.address}"
        if out is not None:
            try:
                async with asyncio.timeout(None) as self._publishing[node]:
                    await out.publish(self._topics.post(node), encode_parcels(self._node, parcels), qos=1)
            except TimeoutError:
                failure = "the connection to the broker was lost"
            except (mqtt.MqttError, CodecError) as error:
                failure = str(error)
            else:
                return
            finally:
                del self._publishing[node]
        for direction, what in parcels:
            if isinstance(what, Receipt):
                self._record("ReceiptFailed", node, reason=failure)
            else:
                self._fail(direction, what, failure)

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
        if node and not is_name(node):
            raise CodecError("no name of a node", path="state", found=node[:64])
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
        if condition():
            return True
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
        if self._is_out or self._group is None:
            raise self._refuse(message, direction, "the WAN is down")
        if self._out is None:
            raise self._refuse(message, direction, f"no connection to the broker at {self.address}")
        node = HEAD_NODE if direction == "up" else self._hub_nodes.get(message.hub)
        if node is None:
            raise self._refuse(message, direction, f"hub {message.hub} has left the WAN")
        key = (direction, message.hub, message.identity)
        receipt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._receipts.setdefault(key, _Waiting())
        waiting.futures.append(receipt)
        self._record_message("MessageSent", message, direction, data=message.payload)
        try:
            async with asyncio.timeout(self._rules.receipt_timeout_s):
                self._post(node, (direction, message))
                await receipt
        except (WanError, TimeoutError) as error:
            reason = "no receipt in time" if isinstance(error, TimeoutError) else str(error)
            raise self._refuse(message, direction, reason) from error
        finally:
            receipt.cancel()
            waiting.futures.remove(receipt)
            if not waiting.futures:
                self._receipts.pop(key, None)

    def _resolve(self, direction: Direction, receipt: Receipt) -> None:
        waiting = self._receipts.get((direction, receipt.hub, receipt.identity))
        for future in [] if waiting is None else waiting.futures:
            if not future.done():
                future.set_result(None)

    def _fail(self, direction: Direction, message: WanMessage, reason: str) -> None:
        waiting = self._receipts.get((direction, message.hub, message.identity))
        for future in [] if waiting is None else waiting.futures:
            if not future.done():
                future.set_exception(WanError(reason, transient=True))

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
