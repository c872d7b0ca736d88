"""The shell around a core's ZCL frames: an endpoint on the HAN that takes them in and carries them out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.errors import HanError, ZclDecodeError
from smetslab.han import ApsFrame, ApsService, ClusterRole
from smetslab.ids import Eui64
from smetslab.inbox import Inbox, Signal
from smetslab.trace import Trace
from smetslab.zigbee.zcl import decode_frame

ENDPOINT: Final = 2
"""Beside the endpoint of the tunnel; peers look it up and never assume it."""

SMART_ENERGY: Final = 0x0109

Taken = Callable[[HanFrame], None]
"""Called with each frame that comes."""

Failed = Callable[[HanFrame], None]
"""Called with each frame that could not be carried."""


@asynccontextmanager
async def zcl_endpoint(
    han: ApsService,
    trace: Trace,
    clusters: Mapping[int, ClusterRole],
    outbox: HanOutbox,
    *,
    taken: Taken,
    failed: Failed,
    endpoint: int = ENDPOINT,
) -> AsyncIterator[None]:
    """A place on the HAN for these clusters, as long as the block lasts; `han` is on the air already.

    Frames to one device leave in order; a device that cannot be reached holds up nobody else.
    """
    wake = Signal()
    ways: dict[Eui64, Inbox[HanFrame]] = {}
    known: dict[tuple[Eui64, int, ClusterRole], int] = {}

    def take(frame: ApsFrame) -> None:
        try:
            content = decode_frame(frame.payload)
        except ZclDecodeError as error:
            trace.record(
                "device", "FrameIgnored", source=str(han.eui64), data=frame.payload, reason=str(error)
            )
            return
        # Answers go where questions came from.
        side = ClusterRole.SERVER if content.server_to_client else ClusterRole.CLIENT
        known[frame.source, frame.cluster, side] = frame.source_endpoint
        taken(HanFrame(frame.source, frame.cluster, content))

    async def carry(waiting: Inbox[HanFrame]) -> None:
        while True:
            frame = await waiting.get()
            try:
                await _send(han, endpoint, frame, known)
            except HanError:
                # The peer may come back with other endpoints.
                known.pop(_place(frame), None)
                failed(frame)

    async def sort(group: asyncio.TaskGroup, tasks: list[asyncio.Task[None]]) -> None:
        while True:
            for frame in outbox.take():
                if frame.peer not in ways:
                    ways[frame.peer] = Inbox()
                    name = f"device {han.eui64} frames to {frame.peer}"
                    tasks.append(group.create_task(carry(ways[frame.peer]), name=name))
                ways[frame.peer].put_nowait(frame)
            await wake.wait()
            wake.clear()

    releases = [
        han.register(endpoint, SMART_ENERGY, cluster, role, take) for cluster, role in clusters.items()
    ]
    outbox.wake = wake.set
    wake.set()
    tasks: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(sort(group, tasks), name=f"device {han.eui64} frames"))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        outbox.wake = lambda: None
        for release in releases:
            release()


def _place(frame: HanFrame) -> tuple[Eui64, int, ClusterRole]:
    """Who takes a frame, and on which side of its cluster."""
    wanted = ClusterRole.CLIENT if frame.frame.server_to_client else ClusterRole.SERVER
    return frame.peer, frame.cluster, wanted


async def _send(
    han: ApsService, endpoint: int, frame: HanFrame, known: dict[tuple[Eui64, int, ClusterRole], int]
) -> None:
    """To the peer's endpoint on the other side of the cluster, asked for once."""
    place = _place(frame)
    if place not in known:
        known[place] = await han.find_endpoint(frame.peer, SMART_ENERGY, frame.cluster, place[2])
    await han.send(
        ApsFrame(
            source=han.eui64,
            source_endpoint=endpoint,
            destination=frame.peer,
            destination_endpoint=known[place],
            profile=SMART_ENERGY,
            cluster=frame.cluster,
            payload=frame.frame.encode(),
        )
    )
