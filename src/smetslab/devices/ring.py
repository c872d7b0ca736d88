"""A log of a fixed size in non-volatile memory: the newest entries stay, nothing is allocated before it is
written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar, cast

from smetslab.devices.work import Work
from smetslab.errors import StoreError
from smetslab.store import Json, Nvm

_INDEX_DIGITS = 5


T = TypeVar("T")


def read_kept(nvm: Nvm, key: str, decode: Callable[[Json], T]) -> tuple[T | None, bool]:
    """What memory keeps under a key, None when there is nothing; and whether what is there is damaged."""
    try:
        kept = nvm.get_json(key)
        return (None, False) if kept is None else (decode(kept), False)
    except (ValueError, StoreError):
        return None, True


class Ring:
    """Entries are lists of whole numbers, the first of them the time stamp in seconds since 2000."""

    def __init__(self, nvm: Nvm, name: str, capacity: int) -> None:
        self._nvm = nvm
        self._prefix = f"ring/{name}/"
        self._capacity = capacity
        self._next = 1 + max((self._number(octets) for _, octets in nvm.items(self._prefix)), default=-1)

    @staticmethod
    def _number(octets: bytes) -> int:
        return int.from_bytes(octets[:8], "big")

    def append(self, work: Work, entry: list[int]) -> None:
        """Add the newest entry; it replaces the oldest when the log is full."""
        place = self._next % self._capacity
        octets = self._next.to_bytes(8, "big") + json.dumps(entry, separators=(",", ":")).encode()
        work.tx.put(f"{self._prefix}{place:0{_INDEX_DIGITS}}", octets)
        self._next += 1

    def entries(self, first: int | None = None, last: int | None = None) -> list[list[int]]:
        """What is committed, the oldest first, with a time stamp from `first` to `last`, both inclusive."""
        found = sorted(self._nvm.items(self._prefix), key=lambda item: self._number(item[1]))
        entries = [cast(list[int], json.loads(octets[8:])) for _, octets in found]
        return [
            entry
            for entry in entries
            if (first is None or entry[0] >= first) and (last is None or entry[0] <= last)
        ]
