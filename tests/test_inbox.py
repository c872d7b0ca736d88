"""An inbox keeps order and loses nothing; a signal wakes everybody who waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from smetslab.clock import run_virtual
from smetslab.inbox import Inbox, Signal


def test_what_is_put_in_comes_out_in_order_whoever_is_first() -> None:
    async def scene(_clock: object) -> list[int]:
        inbox: Inbox[int] = Inbox()
        inbox.put_nowait(1)
        inbox.put_nowait(2)
        found = [await inbox.get()]
        reader = asyncio.ensure_future(_read(inbox, 3))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        inbox.put_nowait(3)
        inbox.put_nowait(4)
        return [*found, *await reader]

    assert run_virtual(scene) == [1, 2, 3, 4]


async def _read(inbox: Inbox[int], count: int) -> list[int]:
    return [await inbox.get() for _ in range(count)]


def test_a_reader_that_goes_away_takes_nothing_with_it() -> None:
    async def scene(_clock: object) -> tuple[int, list[int]]:
        inbox: Inbox[int] = Inbox()
        reader = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        inbox.put_nowait(1)
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
        inbox.put_nowait(2)
        return await inbox.get(), inbox.take()

    assert run_virtual(scene) == (1, [2])


def test_a_signal_wakes_all_who_wait_and_is_there_for_later_ones() -> None:
    async def scene(_clock: object) -> tuple[int, bool, bool]:
        signal = Signal()
        waiting = [asyncio.ensure_future(signal.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
        signal.set()
        done, _ = await asyncio.wait(waiting)
        await signal.wait()
        was = signal.is_set()
        signal.clear()
        late = asyncio.ensure_future(signal.wait())
        await asyncio.sleep(0)
        late.cancel()
        return sum(not one.cancelled() for one in done), was, late.done()

    assert run_virtual(scene) == (2, True, False)
