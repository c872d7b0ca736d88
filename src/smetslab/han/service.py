"""The APS boundary: what the application layer of a ZigBee device stands on."""

from __future__ import annotations

from collections.abc import Callable
from enum import Flag, auto
from types import TracebackType
from typing import Protocol, TypeAlias

from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class ApsFrame:
    """An APS data frame: from endpoint to endpoint, with a ZCL frame as payload (profile 0x0109)."""

    source: Eui64
    source_endpoint: int
    destination: Eui64
    destination_endpoint: int
    profile: int
    cluster: int
    payload: bytes

    def answer(self, payload: bytes) -> ApsFrame:
        """A frame back to where this one came from."""
        return ApsFrame(
            source=self.destination,
            source_endpoint=self.destination_endpoint,
            destination=self.source,
            destination_endpoint=self.source_endpoint,
            profile=self.profile,
            cluster=self.cluster,
            payload=payload,
        )


Handler: TypeAlias = Callable[[ApsFrame], None]
"""Called for every frame to a registered endpoint and cluster: put it into an inbox and return."""


class ClusterRole(Flag):
    """On which side of a cluster an endpoint stands; both is possible."""

    SERVER = auto()
    CLIENT = auto()


class ApsService(Protocol):
    """One device's place on the HAN; an async context manager: the device is on the air inside its block."""

    @property
    def eui64(self) -> Eui64:
        """The device's own address."""
        ...

    def register(
        self, endpoint: int, profile: int, cluster: int, role: ClusterRole, handler: Handler
    ) -> Callable[[], None]:
        """Called by an application for each cluster of each of its endpoints; the result takes it back."""
        ...

    async def send(self, frame: ApsFrame) -> None:
        """Send with acknowledgement; returns when it has come, HanError when it has not after all retries."""
        ...

    async def find_endpoint(self, peer: Eui64, profile: int, cluster: int, role: ClusterRole) -> int:
        """Ask `peer` for an endpoint (Match_Desc); never assume a number. HanError when there is none."""
        ...

    def expect(self, seconds: float) -> None:
        """Called by a sleepy device that waits for an answer so long: its radio asks for it until then. 0: it
        has come, or is not waited for any more.
        """
        ...

    async def __aenter__(self) -> ApsService: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Han(Protocol):
    """What joins the devices of one premises, whatever carries their frames."""

    def link(
        self, eui64: Eui64, *, on: Eui64 | None = None, sleepy: bool = False, nvm: Nvm | None = None
    ) -> ApsService:
        """The place of one device, the hub's first; off the air until its `async with` block is entered.

        `on`: another device whose radio it shares; `sleepy`: its receiver is off most of the time; `nvm`:
        where what the place must remember survives a restart.
        """
        ...

    def set_reachable(self, eui64: Eui64, reachable: bool) -> None:
        """Carry a device out of radio reach, or back."""
        ...
