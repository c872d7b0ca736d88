"""Time on the HAN: the hub tells it, its devices read it. Sans-I/O.

The Time cluster counts whole seconds, so a reading means a second, not a moment: a clock that shows a time
inside that second is right as it is.

Spec: ZCL 3.12; GBCS 9.1 (the hub is the time server); how often devices read it is unverified
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from smetslab.devices.display_server import DisplayServer
from smetslab.devices.han_frames import HanFrame, HanOutbox, readings_in
from smetslab.devices.limits import CLOCK_CHECK_INTERVAL
from smetslab.gbcs.values import EPOCH_2000, seconds_since_2000
from smetslab.han import ClusterRole
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.clusters.time import MASTER_AND_SUPERSEDING, Time

RESOLUTION: Final = timedelta(seconds=1)
AHEAD: Final = timedelta(minutes=1)
"""So long before a device compares its clock it reads the hub's. Unverified."""
ANSWER_WAIT: Final = timedelta(seconds=10)
RETRIES: Final = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=15))
"""When a question without an answer is asked again; the last holds from then on. Unverified."""
_NO_TIME: Final = 0xFFFFFFFF


class TimeServer:
    """The hub's side. `hub_time`: what its clock shows; None while it has no time to give."""

    cluster: Final = Time.id
    role: Final = ClusterRole.SERVER

    def __init__(self, outbox: HanOutbox, hub_time: Callable[[], datetime | None]) -> None:
        self._outbox = outbox
        self._hub_time = hub_time
        self._server = DisplayServer({Time.time: self._seconds, Time.time_status: self._status}, {})

    def _seconds(self, now: datetime) -> int:
        del now
        shown = self._hub_time()
        return _NO_TIME if shown is None else seconds_since_2000(shown)

    def _status(self, now: datetime) -> int:
        del now
        return 0 if self._hub_time() is None else MASTER_AND_SUPERSEDING

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """A device reads the time."""
        for answer in self._server.receive(frame, now):
            self._outbox.put(answer)

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """An answer did not arrive: the device will ask again."""

    def next_deadline(self) -> datetime | None:
        return None

    def tick(self, now: datetime) -> None:
        """Nothing is ever due."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the hub has told: `shown` was its time at the laboratory's moment `at`; it came after `way`."""

    shown: datetime
    at: datetime
    way: timedelta


class TimeClient:
    """A device's side. `own`: what its own clock shows at a moment.

    It asks at power on and once a day, or with `by_itself` False only when told to.
    """

    cluster: Final = Time.id
    role: Final = ClusterRole.CLIENT

    def __init__(
        self,
        outbox: HanOutbox,
        hub: Eui64,
        now: datetime,
        *,
        own: Callable[[datetime], datetime] | None = None,
        by_itself: bool = True,
    ) -> None:
        self._outbox = outbox
        self._hub = hub
        self._own = own
        self._by_itself = by_itself
        self._due: datetime | None = now if by_itself else None
        self._asked: datetime | None = None
        self._failures = 0
        self._reading: _Reading | None = None
        self._next = now + CLOCK_CHECK_INTERVAL - AHEAD

    def hub_time(self, now: datetime) -> datetime | None:
        """What the hub's clock shows, as far as the device knows; None: it has not been told."""
        reading = self._reading
        if reading is None:
            return None
        earliest = reading.shown + (now - reading.at)
        latest = earliest + reading.way + RESOLUTION
        own = earliest if self._own is None else self._own(now)
        return min(max(own, earliest), latest)

    def ask(self, now: datetime) -> None:
        """Read the hub's time."""
        self._asked = now
        self._due = now + ANSWER_WAIT
        self._outbox.read(self._hub, (Time.time, Time.time_status))

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """The hub tells its time, or that it has none."""
        values = readings_in(frame)
        if frame.peer != self._hub or values is None or self._asked is None:
            return
        shown, good = values.get("time"), values.get("time_status", 0) == MASTER_AND_SUPERSEDING
        way, self._asked, self._failures = now - self._asked, None, 0
        if shown is None or not good or shown == _NO_TIME:
            self._reading = None
        else:
            self._reading = _Reading(EPOCH_2000 + timedelta(seconds=shown), now, way)
        self._settle(now)

    def _settle(self, now: datetime) -> None:
        while self._next <= now:
            self._next += CLOCK_CHECK_INTERVAL
        self._due = self._next if self._by_itself else None

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """The hub could not be reached."""
        del frame
        self._try_again(now)

    def _try_again(self, now: datetime) -> None:
        wait = RETRIES[min(self._failures, len(RETRIES) - 1)]
        self._failures += 1
        self._asked = None
        self._due = now + wait if self._by_itself else None

    def next_deadline(self) -> datetime | None:
        return self._due

    def tick(self, now: datetime) -> None:
        """Ask, or give up waiting for an answer."""
        if self._due is None or now < self._due:
            return
        if self._asked is not None:
            self._try_again(now)
        else:
            self.ask(now)
