"""A device's place on a radio: `RadioLink` is an `ApsService`.

Spec: GBCS 10 (one radio for CHF and GPF)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from smetslab.errors import HanError, LocalProtocolError
from smetslab.han.service import ApsFrame, ClusterRole, Handler
from smetslab.han.stack.binding import Binding
from smetslab.han.stack.node import MAX_ENDPOINT, RadioNode
from smetslab.ids import Eui64
from smetslab.zigbee.zdo import ZdoStatus


@dataclass(frozen=True, slots=True)
class Place:
    """What an application has registered. `endpoint`: the node's number for it."""

    link: RadioLink
    endpoint: int
    own_endpoint: int
    profile: int
    cluster: int
    role: ClusterRole
    handler: Handler


class RadioLink:
    """One device's place on a radio home: an `ApsService`."""

    def __init__(self, node: RadioNode, eui64: Eui64) -> None:
        self.node = node
        self._eui64 = eui64
        self.on_air = False

    async def __aenter__(self) -> RadioLink:
        self.on_air = True
        self.node.switch_on()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.on_air = False
        self.node.switch_off()

    @property
    def eui64(self) -> Eui64:
        return self._eui64

    def register(
        self, endpoint: int, profile: int, cluster: int, role: ClusterRole, handler: Handler
    ) -> Callable[[], None]:
        if not 1 <= endpoint <= MAX_ENDPOINT:
            raise LocalProtocolError(f"an application endpoint is 1 to {MAX_ENDPOINT}, not {endpoint}")
        number = self.node.node_endpoint(self._eui64, endpoint)
        places = self.node.places
        index = (number, profile, cluster)
        if index in places:
            raise LocalProtocolError(f"cluster 0x{cluster:04X} is registered on endpoint {endpoint} already")
        place = Place(self, number, endpoint, profile, cluster, role, handler)
        places[index] = place

        def take_back() -> None:
            if places.get(index) is place:
                del places[index]

        return take_back

    def _must_be_there(self) -> None:
        if not self.on_air:
            raise HanError(f"device {self._eui64} is off the air")
        if not self.node.in_network:
            raise HanError(f"device {self._eui64} has not joined the network")

    async def send(self, frame: ApsFrame) -> None:
        self._must_be_there()
        if frame.source != self._eui64:
            raise LocalProtocolError(f"device {self._eui64} cannot send as {frame.source}")
        await self.node.home.carry(self.node, frame)

    async def find_endpoint(self, peer: Eui64, profile: int, cluster: int, role: ClusterRole) -> int:
        self._must_be_there()
        return await self.node.home.match(self.node, peer, profile, cluster, role)

    def expect(self, seconds: float) -> None:
        if self.node.sleeper is not None:
            self.node.sleeper.expect(seconds)

    # ---------------------------------------------------------------------------- bindings

    async def bind(
        self, peer: Eui64, peer_endpoint: int, cluster: int, endpoint: int, *, on: bool = True
    ) -> None:
        """Have a peer send what one of its clusters tells of its own accord to an endpoint of this device, or
        no longer. Raises HanError when it does not answer, or refuses.

        Spec: ZigBee 2.4.3.2.2, 2.4.3.2.3
        """
        self._must_be_there()
        status = await self.node.home.bind(
            self.node,
            peer,
            Binding(peer_endpoint, cluster, self.node.eui64, self.node.node_endpoint(self._eui64, endpoint)),
            on=on,
        )
        if status is not ZdoStatus.SUCCESS:
            what = "bind" if on else "unbind"
            raise HanError(f"device {peer} does not {what} cluster 0x{cluster:04X}: {status.name.lower()}")

    def bound(self, endpoint: int, cluster: int) -> list[Binding]:
        """Who has asked for what a cluster of this device tells, the first first."""
        return self.node.profile.bindings.bound(self.node.node_endpoint(self._eui64, endpoint), cluster)
