"""The clock of a device: its time, its status, and how the hub's time gets into it.

A device's clock is the laboratory's clock plus an offset: it runs on its battery while the mains is off.
Remote parties never send the time; Set Clock names an interval, and the device takes the hub's time when it
lies
inside.

Spec: GBCS 9.1, use case ECS70; SMETS 5.6.3.32.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum

from smetslab.devices.limits import CLOCK_TOLERANCE
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.store import Nvm

_KEY = "clock"
_KEPT_OCTETS = 10
_MICROSECOND = timedelta(microseconds=1)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


class ClockStatus(IntEnum):
    """Spec: GBCS 9.1."""

    RELIABLE = 0
    INVALID = 1
    UNRELIABLE = 2


class DeviceClock:
    """Time of one device, from laboratory time."""

    def __init__(self, nvm: Nvm, quirks: Quirks, *, status: ClockStatus, offset: timedelta) -> None:
        """`status` and `offset` are those of a new device; memory overrules them."""
        self._quirks = quirks
        self._status = status
        self._offset = offset
        self.damaged = False
        """Whether memory held nothing that can be read: the time is lost then."""
        kept = nvm.get(_KEY)
        if kept is None:
            return
        if len(kept) == _KEPT_OCTETS and kept[0] <= max(ClockStatus):
            self._status = ClockStatus(kept[0])
            self._offset = int.from_bytes(kept[1:], "big", signed=True) * _MICROSECOND
        else:
            self.damaged, self._status = True, ClockStatus.INVALID

    @property
    def status(self) -> ClockStatus:
        """What the device reports."""
        return ClockStatus.RELIABLE if self._quirks.forgets_clock_status else self._status

    @property
    def running(self) -> bool:
        """Whether timed work goes on; an invalid clock stops it."""
        return self._status is not ClockStatus.INVALID

    @property
    def offset(self) -> timedelta:
        return self._offset

    def time(self, now: datetime) -> datetime:
        """The device's time at a moment of laboratory time."""
        return now + self._offset

    def moment(self, time: datetime) -> datetime:
        """When the device's clock will show `time`, as it runs now; at the latest at the end of all dates."""
        try:
            return time - self._offset
        except OverflowError:
            return _LAST_MOMENT

    def set_from_hub(self, work: Work, hub_time: datetime | None, first: datetime, last: datetime) -> bool:
        """Take the hub's time when it lies in the interval; otherwise doubt the own one. Spec: GBCS 9.1."""
        inside = hub_time is not None and first <= hub_time <= last
        if hub_time is not None and (inside or self._quirks.ignores_validity_interval):
            self._offset = hub_time - work.now
            self._change(work, ClockStatus.RELIABLE)
            return True
        # An invalid clock stays invalid: an interval that was missed says nothing good about it.
        self._change(
            work, ClockStatus.INVALID if self._status is ClockStatus.INVALID else ClockStatus.UNRELIABLE
        )
        return False

    def compare_with_hub(self, work: Work, hub_time: datetime) -> bool:
        """The routine comparison: small differences are adjusted, a large one makes the clock unreliable.

        Returns False when the difference is beyond the tolerance. Only a reliable clock is compared.
        """
        if self._status is not ClockStatus.RELIABLE:
            return True
        if abs(hub_time - self.time(work.now)) > CLOCK_TOLERANCE:
            self._change(work, ClockStatus.UNRELIABLE)
            return False
        if hub_time != self.time(work.now):
            self._offset = hub_time - work.now
            self._keep(work)
        return True

    def drift(self, work: Work, by: timedelta) -> None:
        """The clock is suddenly ahead, and does not know it."""
        self._offset += by
        self._keep(work)

    def invalidate(self, work: Work) -> None:
        """The time is lost."""
        self._change(work, ClockStatus.INVALID)

    def _change(self, work: Work, status: ClockStatus) -> None:
        if status is not self._status:
            work.note("StateChanged", what="clock status", value=status.name.lower())
        self._status = status
        self._keep(work)

    def _keep(self, work: Work) -> None:
        offset_us = self._offset // _MICROSECOND
        work.tx.put(_KEY, bytes((self._status,)) + offset_us.to_bytes(9, "big", signed=True))
