"""Event and Security Log: ring buffers in non-volatile memory, the oldest entry is overwritten.

Spec: SMETS 5.7.5.16 (Event Log), 5.7.5.31 (Security Log), CHTS 4.6.3.3; GBCS 16 (codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from smetslab.devices.limits import EVENT_LOG_ENTRIES
from smetslab.devices.work import Work
from smetslab.gbcs.values import EPOCH_2000, seconds_since_2000, utc_text
from smetslab.store import Nvm

LogName = Literal["event", "security", "power", "auxiliary", "channel"]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry. `number` counts all entries ever made; `seconds` since 2000, by the device's clock."""

    number: int
    seconds: int
    code: int
    extra: bytes = b""

    def encode(self) -> bytes:
        return (
            self.number.to_bytes(8, "big")
            + self.seconds.to_bytes(4, "big")
            + self.code.to_bytes(2, "big")
            + self.extra
        )

    @classmethod
    def decode(cls, octets: bytes) -> LogEntry:
        return cls(
            int.from_bytes(octets[:8], "big"),
            int.from_bytes(octets[8:12], "big"),
            int.from_bytes(octets[12:14], "big"),
            octets[14:],
        )


class EventLog:
    """One ring buffer."""

    def __init__(self, nvm: Nvm, name: LogName, capacity: int = EVENT_LOG_ENTRIES) -> None:
        self.name: LogName = name
        self._prefix = f"log/{name}/"
        self._capacity = capacity
        found = [LogEntry.decode(octets) for _, octets in nvm.items(self._prefix)]
        self._entries = sorted(found, key=lambda entry: entry.number)

    def append(self, work: Work, code: int, at: datetime, extra: bytes = b"") -> LogEntry:
        """Add an entry with the device's time `at`."""
        number = self._entries[-1].number + 1 if self._entries else 0
        entry = LogEntry(number, max(0, seconds_since_2000(at)), code, extra)
        self._entries.append(entry)
        del self._entries[: -self._capacity]
        work.tx.put(f"{self._prefix}{number % self._capacity:03}", entry.encode())
        event = "SecurityEventLogged" if self.name == "security" else "EventLogged"
        work.note(event, code=f"{code:04X}", log=self.name)
        return entry

    def clear(self, work: Work) -> None:
        """Forget every entry."""
        for entry in self._entries:
            work.tx.delete(f"{self._prefix}{entry.number % self._capacity:03}")
        self._entries.clear()

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        """The oldest first."""
        return tuple(self._entries)

    def between(self, first: datetime | None, last: datetime | None) -> tuple[LogEntry, ...]:
        """The entries from `first` to `last`, both inclusive; None is the start or the end of time."""
        low = seconds_since_2000(first or EPOCH_2000)
        high = None if last is None else seconds_since_2000(last)
        return tuple(e for e in self._entries if e.seconds >= low and (high is None or e.seconds <= high))

    def describe(self) -> list[dict[str, str | int]]:
        """For people."""
        return [
            {
                "number": e.number,
                "time": _text(e.seconds),
                "code": f"{e.code:04X}",
                "extra": e.extra.hex().upper(),
            }
            for e in self._entries
        ]


def _text(seconds: int) -> str:
    return utc_text(datetime.fromtimestamp(EPOCH_2000.timestamp() + seconds, EPOCH_2000.tzinfo))
