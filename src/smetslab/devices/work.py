"""One atomic piece of a device's work: what it writes, says and sends becomes real together, or not at all.

Whatever a piece of work changes in non-volatile memory is committed in one transaction; only then are its
observations recorded and its messages handed to the outbox. A power cut before the commit leaves everything
as it was; one after it leaves everything done.

Spec: GBCS 6.2.4 (the execution counter is durable before the response leaves).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from smetslab.ids import Eui64
from smetslab.store import Nvm, Transaction
from smetslab.trace import Detail, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to send. `memory_key` is where it is kept until it has left. An alert is sent until it has,
    a response a few times.
    """

    data: bytes
    target: Eui64
    event: str
    detail: dict[str, Detail]
    memory_key: str | None = None
    alert: bool = False


@dataclass(slots=True)
class Work:
    """The transaction of one piece of work, its time (the laboratory's), and what follows the commit."""

    tx: Transaction
    now: datetime
    notes: list[tuple[str, bytes, dict[str, Detail]]] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    afterwards: list[Callable[[], None]] = field(default_factory=list)

    def note(self, event: str, *, data: bytes = b"", **detail: Detail) -> None:
        """Record an observation once this work is committed."""
        self.notes.append((event, data, detail))

    def send(self, message: Outgoing) -> None:
        """Hand over a message once this work is committed."""
        self.outgoing.append(message)

    def then(self, act: Callable[[], None]) -> None:
        """Do something that has no effect in memory once this work is committed."""
        self.afterwards.append(act)


OUTBOX_PREFIX = "outbox/"
"""Alerts that have not left."""

ANSWER_PREFIX = "answer/"
"""Responses that have not left."""


class Workplace:
    """Where one device works: its memory, its name in the trace, its outbox."""

    def __init__(self, device: Eui64, nvm: Nvm, trace: Trace) -> None:
        self.device = device
        self.nvm = nvm
        self._trace = trace
        self._name = str(device)
        self.outbox: list[Outgoing] = []
        kept = nvm.items(ANSWER_PREFIX)
        self._next_answer = int(kept[-1][0].removeprefix(ANSWER_PREFIX)) + 1 if kept else 0

    def answer_key(self) -> str:
        """Where the memory may keep one more response."""
        number, self._next_answer = self._next_answer, self._next_answer + 1
        return f"{ANSWER_PREFIX}{number:012}"

    @contextmanager
    def work(self, now: datetime) -> Iterator[Work]:
        """The block whose effects become real when it is left without an exception."""
        with self.nvm.transaction() as tx:
            work = Work(tx, now)
            yield work
        for event, data, detail in work.notes:
            self.note(event, data=data, target="", **detail)
        # The answer to a command leaves before the alerts that it has caused.
        self.outbox += sorted(work.outgoing, key=lambda message: message.alert)
        for act in work.afterwards:
            act()

    def note(self, event: str, *, data: bytes = b"", target: str = "", **detail: Detail) -> None:
        """Record something that has no effect in memory."""
        self._trace.record("device", event, source=self._name, target=target, data=data, **detail)

    def sent(self, *messages: Outgoing) -> None:
        """Forget messages that have left or were given up."""
        with self.nvm.transaction() as tx:
            for message in messages:
                if message in self.outbox:
                    self.outbox.remove(message)
                if message.memory_key is not None:
                    tx.delete(message.memory_key)
