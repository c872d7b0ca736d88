"""What every WAN offers, and what its users need besides."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, TypeAlias

from smetslab.ids import Eui64

Kind: TypeAlias = Literal["gbcs", "firmware", "hub-firmware"]


@dataclass(frozen=True, slots=True)
class WanMessage:
    """One message on its way. `identity` is the sender's and names the message for ever: the WAN may
    deliver it again, and then with the same identity. `hub` is the hub it goes to or comes from. A payload
    of the kind `firmware` is an `ImageDelivery`; one of the kind `hub-firmware` says on the way down which
    image the hub itself is to run, by its hash, and on the way up is a `HubFirmwareReport`; any other is
    GBCS.
    """

    identity: str
    hub: Eui64
    payload: bytes
    kind: Kind = "gbcs"


Receive: TypeAlias = Callable[[WanMessage], None]
"""Called for every message that arrives: put it into an inbox and return."""


class Wan(Protocol):
    """Carries messages at least once, in order per hub and direction but for repeats; receivers drop repeats.

    The DCC attaches as the head, every hub as itself. A sender whose message is refused (`WanError`) keeps
    it and decides about a retry; a message that was taken is not lost any more. A WAN is an async context
    manager.
    """

    def attach_hub(self, hub: Eui64, receive: Receive) -> Callable[[], None]:
        """Called by a hub when it has power; the result detaches it."""
        ...

    def attach_head(self, receive: Receive) -> Callable[[], None]:
        """Called by the DCC when it comes up; the result detaches it."""
        ...

    async def to_hub(self, message: WanMessage) -> None:
        """Called by the DCC; returns when the WAN has taken the message."""
        ...

    async def to_head(self, message: WanMessage) -> None:
        """Called by a hub; returns when the WAN has taken the message."""
        ...

    async def __aenter__(self) -> Wan: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Seen:
    """Identities that have been received, the latest `limit` of them: how a receiver drops repeats."""

    __slots__ = ("_identities", "_limit")

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._identities: OrderedDict[str, None] = OrderedDict()

    def first(self, identity: str) -> bool:
        """True when `identity` is new; from now on it is not."""
        if identity in self._identities:
            self._identities.move_to_end(identity)
            return False
        self._identities[identity] = None
        if len(self._identities) > self._limit:
            self._identities.popitem(last=False)
        return True
