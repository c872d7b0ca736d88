"""The WAN inside one process, with the delays, losses, repeats and outages a test asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, TypeAlias

from smetslab.clock import Clock
from smetslab.errors import CodecError, LocalProtocolError, StoreError, WanError
from smetslab.ids import Eui64
from smetslab.rng import Draws, RootSeed
from smetslab.store import Nvm
from smetslab.trace import Detail, Trace
from smetslab.wan.service import Receive, WanMessage
from smetslab.wan.topics import decode_message, encode_message

_TICK_S = 1e-6
"""Messages of one route never arrive at the same moment, so their order does not depend on a timer heap."""

_WAY: Final = "way/"
_EUI_BYTES: Final = 8

_Direction: TypeAlias = Literal["to-hub", "to-head"]


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A message at the far end. `key` is where the memory has it, until it is delivered."""

    message: WanMessage
    repeated: bool
    key: str | None


@dataclass(slots=True)
class _Route:
    """One direction of one hub's connection."""

    hub: Eui64
    direction: _Direction
    draws: Draws
    free_at: float = 0.0
    waiting: list[_Arrived] = field(default_factory=list)
    """What has arrived at the far end while nobody could take it."""


class InProcessWan:
    """A `Wan` whose messages take `latency_s` plus up to `jitter_s`.

    A lost transfer is repeated by the carrier after `repeat_after_s`, so a loss is a delay; a duplicated
    one arrives again that much later. Chance comes from one stream per hub and direction, so that another
    hub never changes it. During an outage sending is refused, and what is under way arrives when the outage
    ends.

    With `nvm` what is under way outlives the process: a message that was taken is delivered by the next one.
    """

    def __init__(
        self,
        clock: Clock,
        trace: Trace,
        seed: RootSeed,
        *,
        latency_s: float = 0.2,
        jitter_s: float = 0.05,
        loss_probability: float = 0.0,
        duplicate_probability: float = 0.0,
        repeat_after_s: float = 2.0,
        head: str = "dcc",
        nvm: Nvm | None = None,
    ) -> None:
        if not (0 <= loss_probability < 1 and 0 <= duplicate_probability < 1):
            raise LocalProtocolError("probabilities of the WAN must be at least 0 and below 1")
        self._clock = clock
        self._trace = trace
        self._seed = seed
        self._latency_s = latency_s
        self._jitter_s = jitter_s
        self._loss_probability = loss_probability
        self._duplicate_probability = duplicate_probability
        self._repeat_after_s = repeat_after_s
        self._head_name = head
        self._nvm = nvm
        self._next_key = 0
        self._head: Receive | None = None
        self._hubs: dict[Eui64, Receive | None] = {}
        self._routes: dict[tuple[Eui64, str], _Route] = {}
        self._all_out = False
        self._hubs_out: dict[Eui64, None] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._next_timer = 0
        self._open = False

    async def __aenter__(self) -> InProcessWan:
        self._open = True
        for key, octets in [] if self._nvm is None else self._nvm.items(_WAY):
            self._go_on(key, octets)
        return self

    def _go_on(self, key: str, octets: bytes) -> None:
        """A message that was under way when the process before this one ended. Raises StoreError."""
        number, _, direction = key.removeprefix(_WAY).partition("/")
        try:
            message = decode_message(Eui64(octets[:_EUI_BYTES]), octets[_EUI_BYTES:])
            self._next_key = max(self._next_key, int(number) + 1)
        except (CodecError, ValueError) as error:
            raise StoreError(f"the WAN's memory is damaged at {key}: {error}") from error
        route = self._route(message.hub, "to-hub" if direction == "to-hub" else "to-head")
        self._at(max(self._clock.time(), route.free_at) + _TICK_S, route, message, repeated=False, key=key)
        route.free_at = max(self._clock.time(), route.free_at) + _TICK_S

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def attach_hub(self, hub: Eui64, receive: Receive) -> Callable[[], None]:
        if self._hubs.get(hub) is not None:
            raise LocalProtocolError(f"hub {hub} is attached to the WAN already")
        self._hubs[hub] = receive
        self._record("HubAttached", str(hub), self._head_name)

        def detach() -> None:
            if self._hubs.get(hub) is receive:
                self._hubs[hub] = None
                self._record("HubDetached", str(hub), self._head_name)

        self._flush(self._route(hub, "to-hub"))
        return detach

    def attach_head(self, receive: Receive) -> Callable[[], None]:
        if self._head is not None:
            raise LocalProtocolError("the head of the WAN is attached already")
        self._head = receive

        def detach() -> None:
            if self._head is receive:
                self._head = None

        for route in list(self._routes.values()):
            if route.direction == "to-head":
                self._flush(route)
        return detach

    async def to_hub(self, message: WanMessage) -> None:
        if message.hub not in self._hubs:
            raise self._refuse(message, "to-hub", f"no hub {message.hub} on the WAN", transient=False)
        if self._hubs[message.hub] is None:
            raise self._refuse(message, "to-hub", f"hub {message.hub} is off", transient=True)
        self._take(message, "to-hub")

    async def to_head(self, message: WanMessage) -> None:
        if self._head is None:
            raise self._refuse(message, "to-head", "nobody at the head of the WAN", transient=True)
        self._take(message, "to-head")

    def outage(self, on: bool, hub: Eui64 | None = None) -> None:
        """Begin or end an outage, of one hub's connection or of the whole WAN."""
        if hub is None:
            self._all_out = on
        elif on:
            self._hubs_out[hub] = None
        else:
            self._hubs_out.pop(hub, None)
        self._record(
            "OutageStarted" if on else "OutageEnded", self._head_name, "" if hub is None else str(hub)
        )
        if not on:
            for route in list(self._routes.values()):
                self._flush(route)

    def _is_out(self, hub: Eui64) -> bool:
        return self._all_out or hub in self._hubs_out

    def _take(self, message: WanMessage, direction: _Direction) -> None:
        if not self._open:
            raise LocalProtocolError("the WAN is not open: use it inside its `async with` block")
        if self._is_out(message.hub):
            raise self._refuse(message, direction, "the WAN is down", transient=True)
        route = self._route(message.hub, direction)
        key = self._keep(message, direction)
        self._record_message("MessageSent", message, direction, data=message.payload)
        delay = self._latency_s + route.draws.uniform(0, self._jitter_s)
        while route.draws.random() < self._loss_probability:
            self._record_message("TransferLost", message, direction)
            delay += self._repeat_after_s
        arrival = max(self._clock.time() + delay, route.free_at + _TICK_S)
        route.free_at = arrival
        self._at(arrival, route, message, repeated=False, key=key)
        if route.draws.random() < self._duplicate_probability:
            self._at(arrival + self._repeat_after_s, route, message, repeated=True, key=None)

    def _keep(self, message: WanMessage, direction: _Direction) -> str | None:
        if self._nvm is None:
            return None
        key = f"{_WAY}{self._next_key:012}/{direction}"
        self._next_key += 1
        with self._nvm.transaction() as transaction:
            transaction.put(key, message.hub.raw + encode_message(message))
        return key

    def _at(
        self, time_s: float, route: _Route, message: WanMessage, *, repeated: bool, key: str | None
    ) -> None:
        number = self._next_timer
        self._next_timer += 1

        def arrive() -> None:
            del self._timers[number]
            route.waiting.append(_Arrived(message, repeated, key))
            self._flush(route)

        self._timers[number] = self._clock.call_at(time_s, arrive)

    def _flush(self, route: _Route) -> None:
        """Deliver what has arrived, as far as somebody can take it."""
        while route.waiting and not self._is_out(route.hub):
            receive = self._hubs.get(route.hub) if route.direction == "to-hub" else self._head
            if receive is None:
                return
            arrived = route.waiting.pop(0)
            message = arrived.message
            self._record_message("MessageDelivered", message, route.direction, repeated=arrived.repeated)
            receive(message)
            if self._nvm is not None and arrived.key is not None:
                # Behind what its receiver keeps of it: should the process die between, it comes again.
                with self._nvm.transaction() as transaction:
                    transaction.delete(arrived.key)

    def _route(self, hub: Eui64, direction: _Direction) -> _Route:
        route = self._routes.get((hub, direction))
        if route is None:
            route = _Route(hub, direction, self._seed.draws(f"wan.{hub}.{direction}"))
            self._routes[hub, direction] = route
        return route

    def _refuse(self, message: WanMessage, direction: str, what: str, *, transient: bool) -> WanError:
        self._record_message("MessageRefused", message, direction, reason=what)
        return WanError(what, transient=transient)

    def _record_message(
        self, event: str, message: WanMessage, direction: str, *, data: bytes = b"", **detail: Detail
    ) -> None:
        ends = (self._head_name, str(message.hub))
        source, target = ends if direction == "to-hub" else ends[::-1]
        self._trace.record(
            "wan", event, source=source, target=target, data=data, identity=message.identity, **detail
        )

    def _record(self, event: str, source: str, target: str) -> None:
        self._trace.record("wan", event, source=source, target=target)
