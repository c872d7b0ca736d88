"""Store and fetch: how a sleeping gas meter gets its messages from the hub, and gives it its own.

The meter opens the tunnel. Every transfer begins with one octet: GET asks for the next message, the answer
says how many more there are, PUT brings a message of the meter. Sans-I/O.

Spec: GBCS 10.3 (GSME tunnel header); life and size of the queue: from an open hub, unverified
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from smetslab.devices.work import Work
from smetslab.gbcs.values import parse_utc, utc_text
from smetslab.store import Nvm

MESSAGE_LIFE: Final = timedelta(hours=24)
"""How long a message waits for its meter."""
MOST_WAITING: Final = 255
"""So many can be announced in one octet."""
_PREFIX: Final = "fetch/"


class Header(IntEnum):
    """The first octet of a transfer."""

    GET = 1
    GET_RESPONSE = 2
    PUT = 3


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer. `left`: how many messages wait besides this one, in a GET-RESPONSE."""

    header: Header
    message: bytes = b""
    left: int = 0

    def encode(self) -> bytes:
        left = bytes((self.left,)) if self.header is Header.GET_RESPONSE else b""
        return bytes((self.header,)) + left + self.message


def decode_transfer(data: bytes) -> Transfer | None:
    """A transfer; None for octets that are none."""
    if not data or data[0] not in list(Header):
        return None
    header = Header(data[0])
    if header is not Header.GET_RESPONSE:
        return Transfer(header, data[1:])
    return Transfer(header, data[2:], data[1]) if len(data) > 1 else None


@dataclass(frozen=True, slots=True)
class _Waiting:
    number: int
    until: datetime
    message: bytes


class FetchQueue:
    """What waits at the hub for one meter; it survives a power cut."""

    def __init__(self, nvm: Nvm, device: str) -> None:
        self._prefix = f"{_PREFIX}{device}/"
        self._waiting: list[_Waiting] = []
        for key, octets in nvm.items(self._prefix):
            until = parse_utc(octets[:24].decode("ascii").strip())
            self._waiting.append(_Waiting(int(key.removeprefix(self._prefix)), until, octets[24:]))
        self._next = self._waiting[-1].number + 1 if self._waiting else 0
        """A number means one message as long as there is power: none is used again."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, work: Work, message: bytes) -> bool:
        """Keep a message; False when there is no room."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        number, self._next = self._next, self._next + 1
        waiting = _Waiting(number, (work.now + MESSAGE_LIFE).replace(microsecond=0), message)
        self._waiting.append(waiting)
        work.tx.put(self._key(waiting), utc_text(waiting.until).encode("ascii").ljust(24) + message)
        return True

    def give(self) -> tuple[int | None, Transfer]:
        """The answer to a GET: the oldest message and how many are left besides it, and its number here.

        The message waits on until `taken` is told that it has arrived: an answer that is lost is given again.
        """
        if not self._waiting:
            return None, Transfer(Header.GET_RESPONSE)
        waiting = self._waiting[0]
        return waiting.number, Transfer(Header.GET_RESPONSE, waiting.message, len(self._waiting) - 1)

    def taken(self, work: Work, number: int) -> None:
        """The meter has acknowledged a message, perhaps for the second time: it waits no longer."""
        for waiting in self._waiting:
            if waiting.number == number:
                self._waiting.remove(waiting)
                work.tx.delete(self._key(waiting))
                return

    def next_deadline(self) -> datetime | None:
        """When the oldest message has waited too long."""
        return self._waiting[0].until if self._waiting else None

    def expire(self, work: Work) -> list[bytes]:
        """The messages that were not fetched in time; they are gone."""
        old = [waiting for waiting in self._waiting if waiting.until <= work.now]
        for waiting in old:
            self._waiting.remove(waiting)
            work.tx.delete(self._key(waiting))
        return [waiting.message for waiting in old]

    def clear(self, work: Work) -> None:
        """Forget everything: the device has left."""
        for waiting in self._waiting:
            work.tx.delete(self._key(waiting))
        self._waiting.clear()

    def _key(self, waiting: _Waiting) -> str:
        return f"{self._prefix}{waiting.number:08}"
