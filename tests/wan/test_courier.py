"""Batches: what comes while one is under way goes with the next, in order, none above its size."""

from __future__ import annotations

import asyncio

from smetslab.clock import LoopClock, run_virtual
from smetslab.wan.courier import Courier


def test_what_comes_in_the_meantime_goes_together_and_in_order() -> None:
    batches: list[list[int]] = []

    async def main(clock: LoopClock) -> None:
        async def deliver(batch: list[int]) -> None:
            batches.append(batch)
            await clock.sleep(1)

        async with asyncio.TaskGroup() as group:
            courier = Courier(group, "test", deliver, size=lambda number: number, full=10)
            for number in (1, 2):
                courier.put(number)
            await clock.sleep(0.5)
            for number in (3, 4, 5, 99, 6):
                courier.put(number)
            await clock.sleep(10)
            courier.put(7)

    run_virtual(main)
    assert batches == [[1, 2], [3, 4], [5], [99], [6], [7]]
