"""The HAN as direct in-process links: no radio, but delays, losses, unreachable devices and
acknowledgements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from smetslab.clock import Clock
from smetslab.errors import HanError, LocalProtocolError
from smetslab.han.limits import APS_ACKNOWLEDGEMENT_TIMEOUT_S, APS_MAX_RETRIES
from smetslab.han.service import ApsFrame, ClusterRole, Handler
from smetslab.ids import Eui64
from smetslab.rng import Draws, RootSeed
from smetslab.store import Nvm
from smetslab.trace import Detail, Trace

_TICK_S = 1e-6
"""Frames of one link never arrive at the same moment, so their order does not depend on a timer heap."""


@dataclass(frozen=True, slots=True)
class _Registration:
    profile: int
    cluster: int
    role: ClusterRole
    handler: Handler


@dataclass(slots=True)
class _Path:
    """From one device to another: its chance, and when its last frame arrives."""

    draws: Draws
    free_at: float = 0.0


class DirectMedium:
    """What connects the devices of one premises: each frame takes `latency_s` plus up to `jitter_s`.

    Chance comes from one stream per pair of devices, so that another device never changes it. A frame that is
    lost, or meets a device that is off or out of reach, is sent again like an unacknowledged APS frame.
    """

    def __init__(
        self,
        clock: Clock,
        trace: Trace,
        seed: RootSeed,
        *,
        latency_s: float = 0.02,
        jitter_s: float = 0.01,
        loss_probability: float = 0.0,
    ) -> None:
        if not 0 <= loss_probability <= 1:
            raise LocalProtocolError("the loss probability of a HAN must be between 0 and 1")
        self._clock = clock
        self._trace = trace
        self._seed = seed
        self._latency_s = latency_s
        self._jitter_s = jitter_s
        self.loss_probability = loss_probability
        self._links: dict[Eui64, DirectLink] = {}
        self._out_of_reach: dict[Eui64, None] = {}
        self._paths: dict[tuple[Eui64, Eui64], _Path] = {}

    def link(
        self, eui64: Eui64, *, on: Eui64 | None = None, sleepy: bool = False, nvm: Nvm | None = None
    ) -> DirectLink:
        """The place of one device; off the air until its `async with` block is entered.

        Here is no radio to share, nothing sleeps, and no link has anything to remember.
        """
        del on, sleepy, nvm
        if eui64 in self._links:
            raise LocalProtocolError(f"device {eui64} has its place on this HAN already")
        link = DirectLink(self, eui64)
        self._links[eui64] = link
        return link

    def set_reachable(self, eui64: Eui64, reachable: bool) -> None:
        """Carry a device out of radio reach, or back."""
        if reachable:
            self._out_of_reach.pop(eui64, None)
        else:
            self._out_of_reach[eui64] = None
        self._trace.record("han", "DeviceReachable" if reachable else "DeviceUnreachable", source=str(eui64))

    def members(self) -> tuple[Eui64, ...]:
        """Every device that has a place here, the first first."""
        return tuple(self._links)

    def is_reachable(self, eui64: Eui64) -> bool:
        """Whether a device is in reach of the others."""
        return eui64 not in self._out_of_reach

    async def carry(self, frame: ApsFrame) -> None:
        """Take a frame to its destination; `DirectLink.send` calls this."""
        sent = self._record("FrameSent", frame, data=frame.payload)
        path = self._path(frame.source, frame.destination)
        for attempt in range(1 + APS_MAX_RETRIES):
            await self._pass(path)
            target = self._hears(frame.source, frame.destination)
            if target is not None and path.draws.random() >= self.loss_probability:
                target.deliver(frame, sent)
                return
            self._record("FrameLost", frame, sent=sent, attempt=attempt + 1)
            await self._clock.sleep(APS_ACKNOWLEDGEMENT_TIMEOUT_S)
        raise HanError(f"no acknowledgement from {frame.destination} after {1 + APS_MAX_RETRIES} attempts")

    async def match(self, asking: Eui64, peer: Eui64, profile: int, cluster: int, role: ClusterRole) -> int:
        """Endpoint discovery; `DirectLink.find_endpoint` calls this."""
        await self._pass(self._path(asking, peer))
        target = self._hears(asking, peer)
        if target is None:
            raise HanError(f"no answer from {peer} about its endpoints")
        endpoint = target.endpoint_with(profile, cluster, role)
        if endpoint is None:
            raise HanError(f"device {peer} has no endpoint with cluster 0x{cluster:04X}", transient=False)
        return endpoint

    async def _pass(self, path: _Path) -> None:
        """The way through the air, in order for each pair of devices."""
        delay = self._latency_s + path.draws.uniform(0, self._jitter_s)
        path.free_at = max(self._clock.time() + delay, path.free_at + _TICK_S)
        there = asyncio.get_running_loop().create_future()
        self._clock.alarm(path.free_at, _arrive, there)
        await there

    def _path(self, source: Eui64, destination: Eui64) -> _Path:
        path = self._paths.get((source, destination))
        if path is None:
            path = _Path(self._seed.draws(f"han.direct.{source}.{destination}"))
            self._paths[source, destination] = path
        return path

    def _hears(self, source: Eui64, destination: Eui64) -> DirectLink | None:
        """The destination when it can hear the source now."""
        link = self._links.get(destination)
        if link is None or not link.on_air:
            return None
        if source in self._out_of_reach or destination in self._out_of_reach:
            return None
        return link

    def dropped(self, frame: ApsFrame, sent: int) -> None:
        """Note a frame that no application of its destination wants."""
        self._record("FrameDropped", frame, sent=sent)

    def delivered(self, frame: ApsFrame, sent: int) -> None:
        """Note a frame that has reached an application."""
        self._record("FrameDelivered", frame, sent=sent)

    def _record(self, event: str, frame: ApsFrame, *, data: bytes = b"", **detail: Detail) -> int:
        detail["source_endpoint"] = frame.source_endpoint
        detail["target_endpoint"] = frame.destination_endpoint
        detail["profile"] = frame.profile
        detail["cluster"] = frame.cluster
        source, target = str(frame.source), str(frame.destination)
        return self._trace.note("han", event, source=source, target=target, data=data, detail=detail)


def _arrive(there: asyncio.Future[None]) -> None:
    if not there.done():
        there.set_result(None)


class DirectLink:
    """One device's `ApsService` on a `DirectMedium`."""

    def __init__(self, medium: DirectMedium, eui64: Eui64) -> None:
        self._medium = medium
        self._eui64 = eui64
        self._registrations: dict[int, list[_Registration]] = {}
        self.on_air = False

    async def __aenter__(self) -> DirectLink:
        self.on_air = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.on_air = False

    @property
    def eui64(self) -> Eui64:
        return self._eui64

    def register(
        self, endpoint: int, profile: int, cluster: int, role: ClusterRole, handler: Handler
    ) -> Callable[[], None]:
        if not 1 <= endpoint <= 240:
            raise LocalProtocolError(f"an application endpoint is 1 to 240, not {endpoint}")
        places = self._registrations.setdefault(endpoint, [])
        if any(place.profile == profile and place.cluster == cluster for place in places):
            raise LocalProtocolError(f"cluster 0x{cluster:04X} is registered on endpoint {endpoint} already")
        registration = _Registration(profile, cluster, role, handler)
        places.append(registration)

        def take_back() -> None:
            if registration in places:
                places.remove(registration)

        return take_back

    async def send(self, frame: ApsFrame) -> None:
        if not self.on_air:
            raise HanError(f"device {self._eui64} is off the air")
        if frame.source != self._eui64:
            raise LocalProtocolError(f"device {self._eui64} cannot send as {frame.source}")
        await self._medium.carry(frame)

    async def find_endpoint(self, peer: Eui64, profile: int, cluster: int, role: ClusterRole) -> int:
        if not self.on_air:
            raise HanError(f"device {self._eui64} is off the air")
        return await self._medium.match(self._eui64, peer, profile, cluster, role)

    def expect(self, seconds: float) -> None:
        """Nothing sleeps here."""

    def endpoint_with(self, profile: int, cluster: int, role: ClusterRole) -> int | None:
        """The lowest endpoint that has `cluster` in `role`."""
        for endpoint in sorted(self._registrations):
            for place in self._registrations[endpoint]:
                if place.profile == profile and place.cluster == cluster and role in place.role:
                    return endpoint
        return None

    def deliver(self, frame: ApsFrame, sent: int) -> None:
        """Hand an arrived frame to the application it is for; the medium calls this."""
        for place in self._registrations.get(frame.destination_endpoint, ()):
            if place.profile == frame.profile and place.cluster == frame.cluster:
                self._medium.delivered(frame, sent)
                # Not called from here: the sender must not feel what the receiver makes of the frame.
                asyncio.get_running_loop().call_soon(place.handler, frame)
                return
        self._medium.dropped(frame, sent)
