"""What a task waits for: an inbox of things to do, and a signal. They hold no memory while nothing waits.

A laboratory has a hundred of them for each home; `asyncio.Queue` and `asyncio.Event` take kilobytes when they
are empty, and would be most of what an idle home takes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """An unbounded queue with one reader. What is put in comes out in the same order."""

    __slots__ = ("_items", "_reader")

    def __init__(self) -> None:
        self._items: deque[T] | None = None
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, item: T) -> None:
        """Put something in, and wake the reader."""
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def take(self) -> list[T]:
        """All that has been put in, which is gone from it then."""
        items, self._items = self._items, None
        return list(items or ())

    async def get(self) -> T:
        """The next thing, as soon as there is one."""
        while self._items is None:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        item = self._items.popleft()
        if not self._items:
            self._items = None
        return item


class Signal:
    """Something that is the case or not, and can be waited for."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        """It is the case: whoever waits goes on."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def clear(self) -> None:
        """It is not the case any more."""
        self._is_set = False

    async def wait(self) -> None:
        """Return as soon as it is, or was, the case."""
        if self._is_set:
            return
        one = asyncio.get_running_loop().create_future()
        self._waiting.append(one)
        try:
            await one
        finally:
            if one in self._waiting:
                self._waiting.remove(one)
