"""What a gas meter does on the HAN each time it wakes: time, report, fetch, image. Between two wakings its
radio is off.

    read the hub's time -> set up the mirror, once -> report -> flags -> GET until nothing is left -> blocks

Spec: GBCS 10.3 (store and fetch), 10.4 (mirror); ZSE 1.4 D.3.4.4 (mirroring, notification flags)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from smetslab.clock import Clock, timeout
from smetslab.devices.han_clients import HanClients
from smetslab.devices.han_frames import HanFrame, HanOutbox, default_response
from smetslab.devices.mirror import MirrorReporter
from smetslab.errors import HanError, ZclDecodeError
from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame, ApsService, ClusterRole
from smetslab.ids import Eui64
from smetslab.inbox import Signal
from smetslab.store import Nvm
from smetslab.trace import Trace
from smetslab.zigbee.zcl import find_command
from smetslab.zigbee.zcl.clusters.metering import (
    NEW_OTA_FIRMWARE,
    SCHEME_B,
    TUNNEL_MESSAGE_PENDING,
    Metering,
)
from smetslab.zigbee.zcl.foundation import Status

ANSWER_TIMEOUT_S: Final = 10.0
"""How long a meter stays awake for an answer of its proxy. Unverified."""
LONGEST_TRANSFER_S: Final = 600.0
"""How long it fetches blocks of an image at one waking, then it rests until the next. Unverified."""
REPORTING_INTERVAL_S: Final = 1800
"""Spec: GBCS 10.4."""
_NO_MIRROR: Final = 0xFFFF
_MIRROR: Final = "han/mirror"
_EVENT: Final = 4
"""Issuer event of Configure Mirror, as a published meter has it (unverified)."""


class MirrorClient:
    """The meter's side of its mirror: where it is, and what the proxy's flags say."""

    cluster: Final = Metering.id
    role: Final = ClusterRole.SERVER

    def __init__(self, outbox: HanOutbox, nvm: Nvm, proxy: Eui64) -> None:
        self._outbox = outbox
        self._nvm = nvm
        self._proxy = proxy
        kept = nvm.get(_MIRROR)
        self.endpoint = None if not kept else kept[0]
        self.flags: int | None = None
        """FunctionalNotificationFlags as told last; None: not since they were asked for."""
        self.answered = Signal()

    def ask_for_mirror(self) -> None:
        """Spec: ZSE 1.4 D.3.2.3.1.2 (Request Mirror)."""
        self.answered.clear()
        self._outbox.command(self._proxy, Metering.request_mirror, {})

    def await_flags(self) -> None:
        """A report is about to go, and its answer tells them."""
        self.flags = None
        self.answered.clear()

    def forget(self) -> None:
        """The mirror does not answer: it may be gone."""
        self.endpoint = None
        with self._nvm.transaction() as tx:
            tx.delete(_MIRROR)

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """An answer of the proxy."""
        del now
        command = find_command(frame.cluster, frame.frame)
        if frame.peer != self._proxy or command is None:
            if frame.frame.cluster_specific:
                self._outbox.put(default_response(frame, Status.NOT_AUTHORIZED))
            return
        try:
            record = command.decode(frame.frame.payload)
            if command is Metering.request_mirror_response:
                self._mirror_given(record.integer("endpoint_id"))
            elif command is Metering.mirror_report_attribute_response:
                flags = record["notification_flags"]
                first = flags[0] if isinstance(flags, tuple) and flags else None
                self.flags = first if isinstance(first, int) else None
                self.answered.set()
        except ZclDecodeError:
            self._outbox.put(default_response(frame, Status.MALFORMED_COMMAND))

    def _mirror_given(self, endpoint: int) -> None:
        if endpoint == _NO_MIRROR or self.endpoint is not None:
            return
        self.endpoint = endpoint & 0xFF
        with self._nvm.transaction() as tx:
            tx.put(_MIRROR, bytes((self.endpoint,)))
        self._outbox.command(
            self._proxy,
            Metering.configure_mirror,
            {
                "issuer_event_id": _EVENT,
                "reporting_interval": REPORTING_INTERVAL_S,
                "mirror_notification_reporting": True,
                "notification_scheme": SCHEME_B,
            },
        )
        self.answered.set()

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """A question did not arrive: it is asked again at the next waking."""

    def next_deadline(self) -> datetime | None:
        return None

    def tick(self, now: datetime) -> None:
        """Nothing is ever due."""


class Waking:
    """The wakings of one meter, as long as it has power. `fetch` gets every message that waits at the hub."""

    def __init__(
        self,
        han: ApsService,
        clock: Clock,
        trace: Trace,
        *,
        endpoint: int,
        proxy: Eui64 | None,
        mirror: MirrorClient | None,
        clients: HanClients,
        reporter: MirrorReporter,
        settled: Callable[[datetime], int],
        fetch: Callable[[], Awaitable[None]],
    ) -> None:
        """`settled` brings the meter up to a moment and gives its own time in seconds since 2000."""
        self._han = han
        self._clock = clock
        self._trace = trace
        self._endpoint = endpoint
        self._proxy = proxy
        self._mirror = mirror
        self._clients = clients
        self._reporter = reporter
        self._settled = settled
        self._fetch = fetch

    async def once(self) -> None:
        """Do everything that one waking is for."""
        if self._clients.time is not None:
            self._clients.time.ask(self._clock.now())
        flags = await self._report()
        if flags is None or flags & TUNNEL_MESSAGE_PENDING:
            await self._fetch()
        await self._fetch_image(wanted=flags is not None and bool(flags & NEW_OTA_FIRMWARE))

    # ---------------------------------------------------------------------------- the mirror

    async def _answered(self, mirror: MirrorClient) -> bool:
        try:
            async with timeout(self._clock, ANSWER_TIMEOUT_S):
                await mirror.answered.wait()
        except TimeoutError:
            return False
        return True

    async def _report(self) -> int | None:
        """Tell the proxy what it does not know; what does not arrive is told at the next waking. The flags
        that it answers with; None when there are none."""
        mirror, proxy = self._mirror, self._proxy
        if mirror is None or proxy is None:
            return None
        if mirror.endpoint is None:
            mirror.ask_for_mirror()
            if not await self._answered(mirror):
                self._note("ReportNotDelivered", "there is no mirror")
                return None
        now = self._clock.now()
        frames = self._reporter.frames(now, self._settled(now))
        mirror.await_flags()
        try:
            for cluster, frame in frames:
                await self._han.send(
                    ApsFrame(
                        source=self._han.eui64,
                        source_endpoint=self._endpoint,
                        destination=proxy,
                        destination_endpoint=mirror.endpoint or 0,
                        profile=SMART_ENERGY_PROFILE,
                        cluster=cluster,
                        payload=frame.encode(),
                    )
                )
        except HanError as error:
            self._note("ReportNotDelivered", str(error))
            return None
        self._reporter.delivered()
        if not await self._answered(mirror):
            mirror.forget()
        return mirror.flags

    # ---------------------------------------------------------------------------- images

    async def _fetch_image(self, *, wanted: bool) -> None:
        """Fetch blocks until there are no more, or it has been awake for long."""
        ota = self._clients.ota
        if ota is None:
            return
        idle = Signal()
        ota.idle = idle.set
        if ota.wake(self._clock.now(), wanted=wanted):
            try:
                async with timeout(self._clock, LONGEST_TRANSFER_S):
                    await idle.wait()
            except TimeoutError:
                self._note("TransferRests", f"{ota.offset} octets are there")
        ota.sleep()

    def _note(self, event: str, detail: str) -> None:
        self._trace.record("device", event, source=str(self._han.eui64), detail=detail)
