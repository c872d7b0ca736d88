"""Who has asked to be sent what: the binding table of one device.

Spec: ZigBee 2.2.8.2.2 (binding), 2.4.3.2 (bind and unbind requests)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smetslab.ids import Eui64
from smetslab.store.nvm import Json
from smetslab.zigbee.zdo import ZdoStatus

MAX_BINDINGS: Final = 32
"""How many a device keeps (unverified)."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A cluster of an endpoint of this device, and where its messages go."""

    endpoint: int
    cluster: int
    peer: Eui64
    peer_endpoint: int


class BindingTable:
    """The bindings of one device, the oldest first."""

    def __init__(self) -> None:
        self._entries: dict[Binding, None] = {}

    def entries(self) -> list[Binding]:
        return list(self._entries)

    def bind(self, binding: Binding) -> ZdoStatus:
        """Enter one; a second time changes nothing."""
        if binding not in self._entries and len(self._entries) >= MAX_BINDINGS:
            return ZdoStatus.TABLE_FULL
        self._entries[binding] = None
        return ZdoStatus.SUCCESS

    def unbind(self, binding: Binding) -> ZdoStatus:
        """Take one away."""
        if binding not in self._entries:
            return ZdoStatus.NO_ENTRY
        del self._entries[binding]
        return ZdoStatus.SUCCESS

    def bound(self, endpoint: int, cluster: int) -> list[Binding]:
        """Where messages of a cluster of an endpoint go."""
        return [one for one in self._entries if (one.endpoint, one.cluster) == (endpoint, cluster)]

    def forget(self, peer: Eui64) -> None:
        """A device has left."""
        self._entries = {one: None for one in self._entries if one.peer != peer}

    def clear(self) -> None:
        """This device has left its network."""
        self._entries.clear()

    def to_json(self) -> Json:
        """The table as memory keeps it."""
        return [[one.endpoint, one.cluster, str(one.peer), one.peer_endpoint] for one in self._entries]

    def read(self, kept: Json) -> None:
        """Take what memory has kept; what is no binding is passed over."""
        for row in kept if isinstance(kept, list) else ():
            match row:
                case [int(endpoint), int(cluster), str(peer), int(peer_endpoint)]:
                    self.bind(Binding(endpoint, cluster, Eui64.parse(peer), peer_endpoint))
