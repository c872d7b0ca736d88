"""Group commit: what many owners commit within a moment goes into the database as one transaction.

A commit that is gathered is visible at once to everybody in this process, and is lost should the process die
before the group is written. Groups are written whole and in order, so what a dying process loses is always
the latest: its successor finds the state of a moment ago. Nobody can tell that from a death a moment
earlier, as long as nothing that follows from a gathered commit has left the process. So whoever lets
something out (an HTTP answer, a call-back, a message to a broker) waits for `Group.durable` first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from smetslab.errors import LocalProtocolError, StoreError

LINGER_S: Final = 0.05
"""How long gathered commits may stay unwritten while nobody waits for them, in seconds of the loop."""

MEMORY_LINGER_S: Final = 3600.0
"""The same where the database is memory, which is gone with the process whether it was written or not."""

RETRY_S: Final = 1.0
"""The same for commits that could not be written."""


@dataclass(slots=True)
class Batch:
    """Commits that are written together. `generations`: of each owner, the one in the database and the one
    after; `items`: by owner and key the latest octets, None where the item is deleted, and the commit's
    generation.
    """

    generations: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: dict[tuple[str, str], tuple[bytes | None, int]] = field(default_factory=dict)

    def add(self, owner: str, generation: int, changes: Mapping[str, bytes | None]) -> None:
        """One more commit of an owner that has read `generation`."""
        following = generation + 1
        known = self.generations.get(owner)
        if known is not None and known[1] != generation:
            raise LocalProtocolError(f"{owner} commits after {generation}, not after {known[1]}")
        self.generations[owner] = (generation if known is None else known[0], following)
        for key, value in changes.items():
            self.items[owner, key] = (value, following)

    def followed_by(self, later: Batch) -> Batch:
        """This batch and a later one as one."""
        generations = dict(self.generations)
        for owner, (before, after) in later.generations.items():
            known = generations.get(owner)
            generations[owner] = (before if known is None else known[0], after)
        return Batch(generations, {**self.items, **later.items})


class Group:
    """Gathers commits and writes them; an async context manager, which leaves nothing unwritten.

    `write` puts a batch into the database or raises StoreError; with `threaded` it is called in a thread, one
    batch after the other, so that the loop goes on while the disk works. A batch that could not be written
    is written with the next one: nothing is forgotten while the process lives.
    """

    def __init__(self, write: Callable[[Batch], None], *, threaded: bool, linger_s: float = LINGER_S) -> None:
        self._write = write
        self._linger_s = linger_s
        self._threaded = threaded
        self._batch = Batch()
        self._waiters: list[asyncio.Future[None]] = []
        self._wanted = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None
        self._writing = False
        self._ending = False

    async def __aenter__(self) -> Group:
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, "store") if self._threaded else None
        self._task = self._loop.create_task(self._work(), name="store")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Raises StoreError when the last commits cannot be written."""
        self._ending = True
        self._wanted.set()
        try:
            await asyncio.shield(self._task)
        finally:
            if self._linger is not None:
                self._linger.cancel()
            if self._executor is not None:
                self._executor.shutdown()
        if self._batch.generations:
            self._write(self._batch)

    def add(self, owner: str, generation: int, changes: Mapping[str, bytes | None]) -> None:
        """Gather a commit."""
        self._batch.add(owner, generation, changes)
        if self._linger is None:
            self._linger = self._loop.call_later(self._linger_s, self._wanted.set)

    async def durable(self) -> None:
        """Return when everything that was committed before is in the database. Raises StoreError when it
        cannot be written now; it is tried again then.
        """
        if not self._batch.generations and not self._writing:
            return
        if self._task.done():
            self._task.result()
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        self._wanted.set()
        await waiter

    async def _work(self) -> None:
        while not self._ending:
            await self._wanted.wait()
            self._wanted.clear()
            if self._linger is not None:
                self._linger.cancel()
                self._linger = None
            await self._write_gathered()

    async def _write_gathered(self) -> None:
        """Write what is gathered now, and tell who waits for it."""
        batch, self._batch = self._batch, Batch()
        waiters, self._waiters = self._waiters, []
        failure: Exception | None = None
        self._writing = True
        try:
            if batch.generations and self._executor is None:
                self._write(batch)
            elif batch.generations:
                await self._loop.run_in_executor(self._executor, self._write, batch)
        except Exception as error:
            failure = error
            self._batch = batch.followed_by(self._batch)
            if not isinstance(error, StoreError):
                raise
            if self._linger is None:
                self._linger = self._loop.call_later(RETRY_S, self._wanted.set)
        finally:
            self._writing = False
            for waiter in waiters:
                if waiter.done():
                    continue
                if failure is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(failure)
