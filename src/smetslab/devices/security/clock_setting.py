"""Set Clock on a GSME: the device takes the hub's time when it lies in the interval.

Spec: GBCS 9.1, use case GCS28.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from smetslab.devices.security.operation import Operation, Outcome, Request
from smetslab.devices.work import Work
from smetslab.gbcs.values import parse_utc, utc_text

SetClock = Callable[[Work, datetime, datetime], tuple[datetime, int]]
"""Sets the clock from the hub if its time lies between two moments, both inclusive; the device's time
afterwards and its status: 0 reliable, 1 invalid, 2 unreliable."""

_STATUSES: Final = ("reliable", "invalid", "unreliable")


@dataclass(frozen=True, slots=True)
class ClockSetting:
    """The clock of one device as a command sets it."""

    set_clock: SetClock

    def operations(self) -> tuple[Operation, ...]:
        return (Operation(use_case="GCS28", execute=self._set),)

    def _set(self, request: Request) -> Outcome:
        first = parse_utc(request.parameters["validity_interval_start"])
        last = parse_utc(request.parameters["validity_interval_end"])
        time, status = self.set_clock(request.work, first, last)
        told = {"device_time": utc_text(time), "device_time_status": _STATUSES[status]}
        return Outcome({**told}, None if status == 0 else 0)
