"""What a log of a device has recorded: a ring of entries in non-volatile memory.

Spec: IEC 62056-6-2 (Profile Generic); SMETS 5.7.5 (logs and their sizes).
"""

from __future__ import annotations

from datetime import datetime

from smetslab.devices.cosem.objects import CompiledAttribute
from smetslab.devices.work import Work
from smetslab.gbcs.dlms.axdr import CompactArray, Data, Number, Octets, Sequence, decode_data, encode_data
from smetslab.gbcs.values import Value, date_time_value, seconds_since_2000
from smetslab.store import Nvm


class Recording:
    """The recorded entries of one log. Each begins with its time."""

    def __init__(self, attribute: CompiledAttribute, seed: Data | None, nvm: Nvm) -> None:
        """`seed`: the entries of a new device; those in memory overrule them."""
        self._attribute = attribute
        self._prefix = f"{attribute.memory_key}/"
        self._description = seed.description if isinstance(seed, CompactArray) else None
        seeds = seed.elements if isinstance(seed, CompactArray) else ()
        self._entries: list[tuple[int, Data]] = list(enumerate(seeds))
        self._next = len(self._entries)
        kept = nvm.items(self._prefix)
        if kept:
            found = [(int.from_bytes(octets[:8], "big"), octets[8:]) for _, octets in kept]
            numbers = {number for number, octets in found if octets}
            cleared = max((number for number, octets in found if not octets), default=-1)
            first = min(numbers, default=cleared + 1)
            self._entries = [entry for entry in self._entries if cleared < entry[0] < first]
            self._entries += sorted(
                ((number, decode_data(octets)) for number, octets in found if octets and number > cleared),
                key=lambda entry: entry[0],
            )
            self._next = max(number for number, _ in found) + 1
            self._trim()

    @property
    def empty(self) -> bool:
        return not self._entries

    def append(self, work: Work, entry: Value) -> None:
        """Add an entry; the oldest goes when the log is full."""
        whole = self._attribute.shape.encode([entry], self._attribute.name)
        if not isinstance(whole, CompactArray):
            raise TypeError(f"{self._attribute.name} is no log")
        self._description = whole.description
        data = whole.elements[0]
        self._entries.append((self._next, data))
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
        if self._attribute.capacity:
            del self._entries[: -self._attribute.capacity]


def _seconds(entry: Data) -> int:
    """When an entry was made, in seconds since 2000; 0 when it does not say."""
    stamp = entry.items[0] if isinstance(entry, Sequence) and entry.items else entry
    if isinstance(stamp, Number):
        return stamp.value
    moment = date_time_value(stamp.value) if isinstance(stamp, Octets) else None
    return 0 if moment is None else seconds_since_2000(moment)
