"""Counters of a device: what it has executed for whom, which top-ups it has seen, and its own.

Spec: GBCS 4.3.1 (originator and execution counters), 14.6 (UTRN counter cache).
"""

from __future__ import annotations

from smetslab.devices.limits import UTRN_CACHE_ENTRIES
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.gbcs.codes import CounterFamily
from smetslab.ids import Eui64
from smetslab.store import Nvm

_EXECUTION = "counter/execution/"
_OWN = "counter/own"
_UTRN = "counter/utrn"
_UTRN_FLOOR = "counter/utrn-floor"


class ExecutionCounters:
    """The highest originator counter executed, for each remote party and counter family. Starts at zero."""

    def __init__(self, nvm: Nvm, quirks: Quirks) -> None:
        self._quirks = quirks
        self._values: dict[tuple[Eui64, CounterFamily], int] = {}
        for key, octets in nvm.items(_EXECUTION):
            family, _, party = key.removeprefix(_EXECUTION).partition("/")
            self._values[Eui64.parse(party), CounterFamily(family)] = int.from_bytes(octets, "big")

    def get(self, party: Eui64, family: CounterFamily) -> int:
        return self._values.get((party, family), 0)

    def admits(self, party: Eui64, family: CounterFamily, counter: int) -> bool:
        """Whether a command with `counter` is new. Spec: GBCS 4.3.1.4."""
        last = self.get(party, family)
        if counter > last:
            return True
        if counter == last:
            return self._quirks.accepts_replay
        return self._quirks.accepts_lower_counter

    def advance(self, work: Work, party: Eui64, family: CounterFamily, counter: int) -> None:
        """Remember `counter`; never goes back."""
        value = max(counter, self.get(party, family))
        self._values[party, family] = value
        if not self._quirks.forgets_counter_over_power_cut:
            work.tx.put(f"{_EXECUTION}{family}/{party}", value.to_bytes(8, "big"))

    def items(self) -> list[tuple[Eui64, CounterFamily, int]]:
        return [(party, family, value) for (party, family), value in sorted(self._values.items())]


class OwnCounter:
    """The device's own originator counter: rises with every alert, over power cuts too. Spec: GBCS
    4.3.1.3."""

    def __init__(self, nvm: Nvm, quirks: Quirks, first: int) -> None:
        octets = None if quirks.alert_counter_restarts else nvm.get(_OWN)
        self._next = first if octets is None else int.from_bytes(octets, "big")

    @property
    def next_value(self) -> int:
        return self._next

    def take(self, work: Work) -> int:
        """A value that no message of this device has had."""
        value = self._next
        self._next = value + 1
        work.tx.put(_OWN, self._next.to_bytes(8, "big"))
        return value


class UtrnCache:
    """The UTRN counters that were credited. Spec: GBCS 14.6."""

    def __init__(self, nvm: Nvm) -> None:
        octets = nvm.get(_UTRN) or b""
        self._floor = int.from_bytes(nvm.get(_UTRN_FLOOR) or b"", "big")
        self._counters = [int.from_bytes(octets[i : i + 8], "big") for i in range(0, len(octets), 8)]

    @property
    def counters(self) -> tuple[int, ...]:
        """In rising order."""
        return tuple(self._counters)

    @property
    def highest(self) -> int:
        """The highest counter, the floor when there is none."""
        return self._counters[-1] if self._counters else self._floor

    def refuses(self, counter: int) -> bool:
        """Whether a top-up with `counter` was credited, or is older than everything a full cache
        remembers."""
        full = len(self._counters) >= UTRN_CACHE_ENTRIES
        known = counter in self._counters or (full and counter < self._counters[0])
        return known or 0 < counter <= self._floor

    def restart(self, work: Work, floor: int) -> None:
        """Another supplier makes the codes: those up to `floor` are refused, none was credited yet.

        Spec: GBCS 13.3 (specialist floor).
        """
        self._floor, self._counters = floor, []
        work.tx.put(_UTRN_FLOOR, floor.to_bytes(8, "big"))
        work.tx.put(_UTRN, b"")

    def remember(self, work: Work, counter: int) -> None:
        kept = sorted({*self._counters, counter})[-UTRN_CACHE_ENTRIES:]
        self._counters = kept
        work.tx.put(_UTRN, b"".join(value.to_bytes(8, "big") for value in kept))
