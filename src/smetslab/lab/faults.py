"""The faults that a lab file plans: each happens to its device at its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from smetslab.clock import Clock
from smetslab.devices.faults import Faulty, inject


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One fault, `at_s` laboratory seconds after the laboratory has begun."""

    at_s: float
    device: Faulty
    fault: str
    parameters: Mapping[str, object]


@asynccontextmanager
async def planned_faults(clock: Clock, faults: Sequence[PlannedFault]) -> AsyncIterator[None]:
    """Inject faults at their times while the block is open; those of one moment in the order given."""

    async def run() -> None:
        begun = clock.time()
        for planned in sorted(faults, key=lambda planned: planned.at_s):
            await clock.sleep(max(0.0, begun + planned.at_s - clock.time()))
            await inject(planned.device, planned.fault, **planned.parameters)

    if not faults:
        yield
        return
    task = asyncio.create_task(run(), name="planned faults")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
