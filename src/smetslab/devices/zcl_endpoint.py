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
from smetslab.trace import Trace
from smetslab.zigbee.zcl import decode_frame

ENDPOINT: Final = 2
"""Beside the endpoint of the tunnel; peers look it up and never assume it."""

SMART_ENERGY: Final = 0x0109

_OPPOSITE: Final = {ClusterRole.SERVER: ClusterRole.CLIENT, ClusterRole.CLIENT: ClusterRole.SERVER}

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
) -> AsyncIterator[None]:
    """A place on the HAN for these clusters, as long as the block lasts; `han` is on the air already."""
    wake = asyncio.Event()

    def take(frame: ApsFrame) -> None:
        try:
            content = decode_frame(frame.payload)
        except ZclDecodeError as error:
            trace.record(
                "device", "FrameIgnored", source=str(han.eui64), data=frame.payload, reason=str(error)
            )
            return
        taken(HanFrame(frame.source, frame.cluster, content))

    known: dict[tuple[Eui64, int], int] = {}

    async def carry() -> None:
        while True:
            for frame in outbox.take():
                try:
                    await _send(han, clusters, frame, known)
                except HanError:
                    # The peer may come back with other endpoints.
                    known.pop((frame.peer, frame.cluster), None)
                    failed(frame)
            await wake.wait()
            wake.clear()

    releases = [
        han.register(ENDPOINT, SMART_ENERGY, cluster, role, take) for cluster, role in clusters.items()
    ]
    outbox.wake = wake.set
    wake.set()
    try:
        async with asyncio.TaskGroup() as group:
            sender = group.create_task(carry(), name=f"device {han.eui64} frames")
            try:
                yield
            finally:
                sender.cancel()
    finally:
        outbox.wake = lambda: None
        for release in releases:
            release()


async def _send(
    han: ApsService,
    clusters: Mapping[int, ClusterRole],
    frame: HanFrame,
    known: dict[tuple[Eui64, int], int],
) -> None:
    """To the peer's endpoint on the other side of the cluster, asked for once."""
    place = (frame.peer, frame.cluster)
    if place not in known:
        wanted = _OPPOSITE[clusters[frame.cluster]]
        known[place] = await han.find_endpoint(frame.peer, SMART_ENERGY, frame.cluster, wanted)
    await han.send(
        ApsFrame(
            source=han.eui64,
            source_endpoint=ENDPOINT,
            destination=frame.peer,
            destination_endpoint=known[place],
            profile=SMART_ENERGY,
            cluster=frame.cluster,
            payload=frame.frame.encode(),
        )
    )
