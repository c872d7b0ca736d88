"""Carries what waits for the same way in batches: what comes while one is under way goes with the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Courier(Generic[T]):
    """One batch at a time, in the order of `put`.

    `deliver` is given each batch, deals with its own failures and raises nothing. `full` is the most that a
    batch may be by the sum of `size`; a single thing of any size goes.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        name: str,
        deliver: Callable[[list[T]], Awaitable[None]],
        *,
        size: Callable[[T], int],
        full: int,
    ) -> None:
        self._group = group
        self._name = name
        self._deliver = deliver
        self._size = size
        self._full = full
        self._waiting: deque[T] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, thing: T) -> None:
        """Have it delivered, with whatever else is put in the same turn of the loop, or while it waits."""
        self._waiting.append(thing)
        if self._task is None:
            self._task = self._group.create_task(self._work(), name=self._name)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._deliver(self._batch())
        finally:
            self._task = None

    def _batch(self) -> list[T]:
        batch = [self._waiting.popleft()]
        size = self._size(batch[0])
        while self._waiting and (size := size + self._size(self._waiting[0])) <= self._full:
            batch.append(self._waiting.popleft())
        return batch
