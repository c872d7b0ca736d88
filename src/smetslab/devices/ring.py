"""A log of a fixed size in non-volatile memory: the newest entries stay, nothing is allocated before it is
written."""

from __future__ import annotations

import json
from typing import cast

from smetslab.devices.work import Work
from smetslab.store import Nvm

_INDEX_DIGITS = 5


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
