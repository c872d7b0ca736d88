"""What the devices of one network share, and what each remembers: settings, addresses, frame counters.

Spec: ZigBee 3.6.1 (network), 4.3.1 (outgoing frame counter), 4.3.3 (incoming frame counters)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from smetslab.crypto import CcmStar
from smetslab.errors import LocalProtocolError
from smetslab.han.air.bands import Channel
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.zigbee.security import MAX_FRAME_COUNTER

COORDINATOR_ADDRESS: Final = 0x0000
COUNTER_STEP: Final = 1024
"""How far ahead a frame counter is stored, so that it is written once for so many frames (unverified)."""


class NodeKind(Enum):
    """What a device is in the network."""

    COORDINATOR = auto()
    ROUTER = auto()
    SLEEPY_END_DEVICE = auto()
    END_DEVICE = auto()
    """Awake, and still only its parent's: what a device on sub-GHz with mains is."""

    @property
    def routes(self) -> bool:
        """Whether it passes on what others send; an end device has a parent for everything."""
        return self in {NodeKind.COORDINATOR, NodeKind.ROUTER}

    @property
    def sleeps(self) -> bool:
        """Whether its receiver is off most of the time."""
        return self is NodeKind.SLEEPY_END_DEVICE


@dataclass(slots=True)
class NetworkSettings:
    """A network as its members know it. `extended_pan` is the address of the hub's radio. Spec: GBCS 10."""

    pan: int
    extended_pan: Eui64
    channel: Channel
    key: bytes = field(repr=False)
    key_sequence: int = 0
    update_id: int = 0
    sub_ghz: Channel | None = None
    """Where a hub with two bands has the lower one."""
    next_channel: Channel | None = field(default=None, compare=False)
    """Where an end device was told that its network goes: it is looked for there too."""
    alternate_key: bytes | None = field(default=None, repr=False)
    """The key before this one, or the one after it. Spec: ZigBee 4.3.3 (two network keys)."""
    alternate_sequence: int = 0

    def key_of(self, sequence: int) -> bytes | None:
        """The key of a sequence number, None for one that the device does not have."""
        if sequence == self.key_sequence:
            return self.key
        return self.alternate_key if sequence == self.alternate_sequence else None

    def offer(self, key: bytes, sequence: int) -> None:
        """A key to switch to later."""
        self.alternate_key, self.alternate_sequence = key, sequence

    def switch(self, sequence: int) -> bool:
        """Use the alternate key if it is the one meant. Spec: ZigBee 4.4.8.3."""
        if self.alternate_key is None or sequence != self.alternate_sequence:
            return False
        former = self.key, self.key_sequence
        self.key, self.key_sequence = self.alternate_key, self.alternate_sequence
        self.offer(*former)
        return True


class KeyTable:
    """Ciphers by key, made once. Shows no key."""

    def __init__(self) -> None:
        self._ciphers: dict[bytes, CcmStar] = {}

    def cipher(self, key: bytes) -> CcmStar:
        found = self._ciphers.get(key)
        if found is None:
            found = self._ciphers[key] = CcmStar(key)
        return found

    def keys(self) -> tuple[bytes, ...]:
        """Every key that was asked for, the oldest first."""
        return tuple(self._ciphers)


class FrameCounter:
    """An outgoing frame counter that never goes back, over power cuts too.

    What is stored is ahead of what is used; after a restart counting goes on from there. Spec: ZigBee 4.3.1.1
    """

    def __init__(self, nvm: Nvm | None, key: str) -> None:
        self._nvm = nvm
        self._key = key
        stored = None if nvm is None else nvm.get(key)
        self._next = 1 if stored is None else int.from_bytes(stored, "big")
        self._stored = self._next

    def next(self) -> int:
        """The counter of the next frame. Raises LocalProtocolError when the key is used up."""
        value = self._next
        if value >= MAX_FRAME_COUNTER:
            raise LocalProtocolError("the frame counter has run out: the key must be changed")
        self._next = value + 1
        if value >= self._stored:
            self._stored = min(value + COUNTER_STEP, MAX_FRAME_COUNTER)
            if self._nvm is not None:
                with self._nvm.transaction() as tx:
                    tx.put(self._key, self._stored.to_bytes(4, "big"))
        return value

    def restart(self) -> None:
        """The power was away: counting goes on from what is stored."""
        self._next = max(self._next, self._stored)

    def jump(self, by: int) -> None:
        """Move the counter, for faults: a device that has lost count. It does not fall below 1."""
        self._next = max(1, self._next + by)


class IncomingCounters:
    """The last frame counter of each sender under each key: what is not higher is a replay."""

    def __init__(self) -> None:
        self._last: dict[tuple[bytes, int], int] = {}

    def admit(self, sender: Eui64, key: int, counter: int) -> bool:
        """Whether a frame is new, and if so, remember it. Spec: ZigBee 4.3.1.2."""
        index = (sender.raw, key)
        if counter <= self._last.get(index, -1):
            return False
        self._last[index] = counter
        return True

    def forget(self, sender: Eui64) -> None:
        """A device joins anew."""
        for index in [index for index in self._last if index[0] == sender.raw]:
            del self._last[index]


class AddressMap:
    """Short addresses and EUI-64s of a network, both ways."""

    def __init__(self) -> None:
        self._short: dict[Eui64, int] = {}
        self._eui64: dict[int, Eui64] = {}

    def learn(self, short_address: int, eui64: Eui64) -> None:
        """A device has this address now, and no other."""
        if self._eui64.get(short_address) == eui64:
            return
        self.forget(eui64)
        former = self._eui64.pop(short_address, None)
        if former is not None:
            self._short.pop(former, None)
        self._short[eui64] = short_address
        self._eui64[short_address] = eui64

    def forget(self, eui64: Eui64) -> None:
        short_address = self._short.pop(eui64, None)
        if short_address is not None:
            self._eui64.pop(short_address, None)

    def short_address(self, eui64: Eui64) -> int | None:
        return self._short.get(eui64)

    def eui64(self, short_address: int) -> Eui64 | None:
        return self._eui64.get(short_address)

    def items(self) -> list[tuple[int, Eui64]]:
        """Pairs by short address."""
        return sorted(self._eui64.items())
