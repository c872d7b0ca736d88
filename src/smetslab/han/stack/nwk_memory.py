"""What a network layer remembers for a few seconds, to take nothing twice: broadcasts and route requests.

Both are numbered with one octet, which comes round: what is older than its time is forgotten.

Spec: ZigBee 3.6.5 (broadcast transaction table), 3.6.3.5 (route discovery table)
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from smetslab.han.air.medium import Scheduler
from smetslab.zigbee.nwk import NwkFrame

BROADCAST_MEMORY_S: Final = 9.0
"""Spec: ZigBee 3.5.1 (nwkNetworkBroadcastDeliveryTime)."""
ROUTE_REQUEST_MEMORY_S: Final = 10.0
"""Spec: ZigBee 3.5.1 (nwkcRouteDiscoveryTime)."""


@dataclass(slots=True)
class Broadcast:
    """A broadcast that has been seen: who has passed it on, and when it is forgotten."""

    heard_from: dict[int, None]
    until: float


class Broadcasts:
    """By source and sequence number."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._seen: OrderedDict[tuple[int, int], Broadcast] = OrderedDict()

    def find(self, frame: NwkFrame) -> Broadcast | None:
        """What is known of the broadcast that a frame carries; None when it is new."""
        found = self._seen.get((frame.source, frame.sequence))
        return None if found is None or found.until <= self._scheduler.time() else found

    def remember(self, frame: NwkFrame) -> Broadcast:
        """From now on the broadcast is known."""
        now = self._scheduler.time()
        while self._seen and next(iter(self._seen.values())).until <= now:
            self._seen.popitem(last=False)
        entry = self._seen[frame.source, frame.sequence] = Broadcast({}, now + BROADCAST_MEMORY_S)
        return entry

    def clear(self) -> None:
        """The power goes."""
        self._seen.clear()


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A route request that has passed: its best cost, the way back, and when it is forgotten."""

    cost: int
    way: int
    until: float


class RouteRequests:
    """By originator and identifier."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._passed: OrderedDict[tuple[int, int], RouteRequest] = OrderedDict()

    def find(self, originator: int, identifier: int) -> RouteRequest | None:
        """A request that has passed a moment ago."""
        found = self._passed.get((originator, identifier))
        return None if found is None or found.until <= self._scheduler.time() else found

    def keep(self, originator: int, identifier: int, cost: int, way: int) -> None:
        """A request has passed, or has come again at a lower cost."""
        now = self._scheduler.time()
        while self._passed and next(iter(self._passed.values())).until <= now:
            self._passed.popitem(last=False)
        index = (originator, identifier)
        self._passed[index] = RouteRequest(cost, way, now + ROUTE_REQUEST_MEMORY_S)
        self._passed.move_to_end(index)

    def clear(self) -> None:
        """The power goes."""
        self._passed.clear()
