"""What a log of a device has recorded: a ring of entries in non-volatile memory.

Spec: IEC 62056-6-2 (Profile Generic); SMETS 5.7.5 (logs and their sizes).
"""

from __future__ import annotations

from datetime import datetime

from smetslab.devices.cosem.objects import CompiledAttribute
from smetslab.devices.work import Work
from smetslab.gbcs.dlms.axdr import (
    CompactArray,
    Data,
    Number,
    Octets,
    Sequence,
    TypeDescription,
    decode_data,
    describe_type,
    encode_data,
)
from smetslab.gbcs.values import Value, date_time_value, seconds_since_2000
from smetslab.store import Nvm


class Recording:
    """The recorded entries of one log. Each begins with its time."""

    def __init__(self, attribute: CompiledAttribute, seed: Value, nvm: Nvm) -> None:
        """`seed`: the entries of a new device, encoded when the log is first used; those in memory overrule
        them."""
        self._attribute = attribute
        self._prefix = f"{attribute.memory_key}/"
        self._description: TypeDescription | None = None
        self._seed = seed
        self._nvm = nvm
        self._next = 0
        self._found: list[tuple[int, Data]] | None = None

    @property
    def _entries(self) -> list[tuple[int, Data]]:
        if self._found is None:
            self._found = self._load()
            self._trim()
        return self._found

    def _load(self) -> list[tuple[int, Data]]:
        """What memory holds, after those entries of a new device that it has not overwritten or cleared."""
        whole = None if self._seed is None else self._attribute.shape.encode(self._seed, self._attribute.name)
        seeds = whole.elements if isinstance(whole, CompactArray) else ()
        self._description = whole.description if isinstance(whole, CompactArray) else None
        entries: list[tuple[int, Data]] = list(enumerate(seeds))
        self._next = len(entries)
        kept = [
            (int.from_bytes(octets[:8], "big"), octets[8:]) for _, octets in self._nvm.items(self._prefix)
        ]
        if not kept:
            return entries
        cleared = max((number for number, octets in kept if not octets), default=-1)
        first = min((number for number, octets in kept if octets), default=cleared + 1)
        self._next = max(number for number, _ in kept) + 1
        later = sorted(
            ((number, decode_data(octets)) for number, octets in kept if octets and number > cleared),
            key=lambda entry: entry[0],
        )
        entries = [entry for entry in entries if cleared < entry[0] < first] + later
        if entries:
            self._description = describe_type(entries[-1][1])
        return entries

    @property
    def empty(self) -> bool:
        return not self._entries

    def append(self, work: Work, entry: Value) -> None:
        """Add an entry; the oldest goes when the log is full."""
        whole = self._attribute.shape.encode([entry], self._attribute.name)
        if not isinstance(whole, CompactArray):
            raise TypeError(f"{self._attribute.name} is no log")
        entries = self._entries
        self._description = whole.description
        data = whole.elements[0]
        entries.append((self._next, data))
        self._trim()
        self._keep(work, self._next, encode_data(data))
        self._next += 1

    def clear(self, work: Work) -> None:
        """Forget everything; a mark of it stays, so that entries of a new device do not come back."""
        self._entries.clear()
        self._keep(work, self._next, b"")
        self._next += 1

    def values(self) -> list[Value]:
        """The entries as named values, the oldest first."""
        listed = self._attribute.shape.decode(self.window(None, None, None), self._attribute.name)
        return listed if isinstance(listed, list) else []

    def window(self, first: datetime | None, last: datetime | None, made: Data | None) -> Data:
        """The entries from `first` to `last`, both inclusive, together with those that were `made`."""
        low = None if first is None else seconds_since_2000(first)
        high = None if last is None else seconds_since_2000(last)
        found = [
            data
            for _, data in self._entries
            if (low is None or _seconds(data) >= low) and (high is None or _seconds(data) <= high)
        ]
        description = self._description
        if isinstance(made, CompactArray) and made.elements:
            found = sorted([*found, *made.elements], key=_seconds)
            description = made.description if description is None else description
        if not found or description is None:
            return self._attribute.shape.encode([], self._attribute.name)
        return CompactArray(description, tuple(found))

    def _keep(self, work: Work, number: int, octets: bytes) -> None:
        place = number % max(1, self._attribute.capacity)
        work.tx.put(f"{self._prefix}{place:05}", number.to_bytes(8, "big") + octets)

    def _trim(self) -> None:
        if self._attribute.capacity and self._found is not None:
            del self._found[: -self._attribute.capacity]


def _seconds(entry: Data) -> int:
    """When an entry was made, in seconds since 2000; 0 when it does not say."""
    stamp = entry.items[0] if isinstance(entry, Sequence) and entry.items else entry
    if isinstance(stamp, Number):
        return stamp.value
    moment = date_time_value(stamp.value) if isinstance(stamp, Octets) else None
    return 0 if moment is None else seconds_since_2000(moment)
