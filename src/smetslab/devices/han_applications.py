"""The HAN applications of a device: which cluster each stands on, who gets a frame, and what is due when.

An application is sans-I/O: frames and the time come in, frames go into the outbox of the device.
`han_station` runs those of one device on one endpoint; whatever no application wants is the core's.

Spec: GBCS 7.4 (who is client and who is server of a cluster)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from smetslab.clock import Clock
from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.zcl_endpoint import ENDPOINT, Failed, Taken, zcl_endpoint
from smetslab.han import ApsService, ClusterRole
from smetslab.inbox import Inbox
from smetslab.trace import Trace


class HanApplication(Protocol):
    """One side of one cluster of a device, as long as it has power."""

    @property
    def cluster(self) -> int: ...

    @property
    def role(self) -> ClusterRole: ...

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """A frame for this side of the cluster has come."""

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """A frame of the application could not be carried."""

    def next_deadline(self) -> datetime | None:
        """When `tick` has something to do, in laboratory time."""

    def tick(self, now: datetime) -> None:
        """Do what is due."""


@asynccontextmanager
async def han_station(
    han: ApsService,
    clock: Clock,
    trace: Trace,
    outbox: HanOutbox,
    applications: Sequence[HanApplication],
    *,
    clusters: Mapping[int, ClusterRole],
    taken: Taken,
    failed: Failed,
    worked: Callable[[], None] = lambda: None,
    endpoint: int = ENDPOINT,
) -> AsyncIterator[None]:
    """The endpoint of a device with its applications, as long as the block lasts.

    `clusters`: those of the core, to which `taken` and `failed` belong; `worked` is told when an application
    may have had something to say to a remote party.
    """
    places = dict(clusters)
    for application in applications:
        places[application.cluster] = places.get(application.cluster, ClusterRole(0)) | application.role
    inbox: Inbox[tuple[HanFrame, bool] | None] = Inbox()

    def find(frame: HanFrame, *, own: bool) -> HanApplication | None:
        """Whose a frame is: one that comes, or an `own` one that could not be carried."""
        side = ClusterRole.CLIENT if frame.frame.server_to_client is not own else ClusterRole.SERVER
        return next((one for one in applications if (one.cluster, one.role) == (frame.cluster, side)), None)

    def handle(item: tuple[HanFrame, bool] | None) -> None:
        now = clock.now()
        if item is not None:
            frame, arrived = item
            application = find(frame, own=not arrived)
            if application is None:
                (taken if arrived else failed)(frame)
            elif arrived:
                application.receive(frame, now)
            else:
                application.failed(frame, now)
        for application in applications:
            deadline = application.next_deadline()
            if deadline is not None and deadline <= now:
                application.tick(now)
        worked()

    async def live() -> None:
        while True:
            deadlines = [one for one in (each.next_deadline() for each in applications) if one is not None]
            timer = None
            if deadlines:
                wait_s = max(0.0, (min(deadlines) - clock.now()).total_seconds())
                timer = clock.call_at(clock.time() + wait_s, inbox.put_nowait, None)
            try:
                item = await inbox.get()
            finally:
                if timer is not None:
                    timer.cancel()
            handle(item)

    outbox.nudge = lambda: inbox.put_nowait(None)
    endpoint_of_all = zcl_endpoint(
        han,
        trace,
        places,
        outbox,
        taken=lambda frame: inbox.put_nowait((frame, True)),
        failed=lambda frame: inbox.put_nowait((frame, False)),
        endpoint=endpoint,
    )
    try:
        async with endpoint_of_all, asyncio.TaskGroup() as group:
            task = group.create_task(live(), name=f"device {han.eui64} applications")
            try:
                yield
            finally:
                task.cancel()
    finally:
        outbox.nudge = lambda: None
