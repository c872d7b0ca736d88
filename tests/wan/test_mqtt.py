"""What of the WAN over MQTT needs no broker; all else is in `tests/interop`."""

from __future__ import annotations

import asyncio

from smetslab.clock import LoopClock, run_virtual
from smetslab.wan.mqtt import _end


def test_tasks_that_lose_a_cancellation_end_all_the_same() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    async def broken() -> None:
        raise OSError("the connection is gone")

    async def main(_clock: LoopClock) -> None:
        tasks = [asyncio.ensure_future(stubborn()), asyncio.ensure_future(broken())]
        await asyncio.sleep(0)
        await _end(tasks)
        assert tasks[0].cancelled()
        assert isinstance(tasks[1].exception(), OSError)

    run_virtual(main)
    assert lost == 2
