"""A Type 1 device as a GBCS device: what a PPMID and an HCALCS have in common.

Its clock follows the hub's. It answers the ACB and, for pairing, the supplier; it has no COSEM objects.

Spec: PPMIDTS 4; HCALCSTS 4; GBCS use cases CS02a to CS09.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from smetslab.devices.application import Application, Station
from smetslab.devices.clock import ClockStatus, DeviceClock
from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.limits import CLOCK_CHECK_INTERVAL
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.security.installed import SecuritySettings, install_security
from smetslab.devices.work import Work, Workplace
from smetslab.errors import UsageError
from smetslab.gbcs.values import Value, utc_text

FIRST_ALERT_COUNTER: Final = 5000
"""Spec: RTDS 4.5.0; any start would do."""

_STATUSES: Final = tuple(status.name.lower() for status in ClockStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Type1Settings:
    """What the profile of a Type 1 device may set."""

    clock_status: ClockStatus = ClockStatus.RELIABLE
    clock_offset: timedelta = timedelta()
    first_alert_counter: int = FIRST_ALERT_COUNTER


def known_state() -> frozenset[str]:
    """The names that the `state` of a Type 1 device's profile may use."""
    return frozenset({"clock_status", "clock_offset_s", "first_alert_counter"})


def read_settings(profile: DeviceProfile) -> Type1Settings:
    """The settings of a profile. Raises UsageError at the first that is unknown or has a wrong value."""
    kind = profile.device_type.name
    for name in profile.state:
        if name not in known_state():
            known = ", ".join(sorted(known_state()))
            raise UsageError(f"unknown setting {name!r} of a {kind}", hint=f"known: {known}")
    status = profile.state.get("clock_status", "reliable")
    if status not in _STATUSES:
        raise UsageError(f"setting clock_status: {status!r} is not one of {', '.join(_STATUSES)}")
    numbers = {
        name: profile.state.get(name, usual)
        for name, usual in (("clock_offset_s", 0), ("first_alert_counter", FIRST_ALERT_COUNTER))
    }
    for name, value in numbers.items():
        if type(value) is not int:
            raise UsageError(f"setting {name}: {value!r} is not of type int")
    return Type1Settings(
        clock_status=ClockStatus[str(status).upper()],
        clock_offset=timedelta(seconds=int(numbers["clock_offset_s"])),
        first_alert_counter=int(numbers["first_alert_counter"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Type1Plant:
    """What outlives a power cut without being memory: the device's place in the world."""

    station: Station
    settings: Type1Settings
    hub_time: Callable[[], datetime | None]
    security: SecuritySettings = field(default_factory=SecuritySettings)


class Type1Core:
    """One Type 1 device between power on and power off."""

    def __init__(self, plant: Type1Plant, workplace: Workplace, now: datetime) -> None:
        settings = plant.settings
        self._plant = plant
        self._place = workplace
        self._next_check = now + CLOCK_CHECK_INTERVAL
        self.han = HanOutbox()
        self.clock = DeviceClock(
            workplace.nvm,
            plant.station.quirks,
            status=settings.clock_status,
            offset=settings.clock_offset,
        )
        self.application = Application(station=plant.station, workplace=workplace, clock=self.clock)
        self.security = install_security(
            self.application,
            station=plant.station,
            workplace=workplace,
            clock=self.clock,
            settings=plant.security,
        )
        with workplace.work(now) as work:
            self.security.firmware.power_on(work)

    def work(self, now: datetime) -> AbstractContextManager[Work]:
        """A piece of work of the device's own."""
        return self._place.work(now)

    # ---------------------------------------------------------------------------- events from outside

    def receive(self, data: bytes, now: datetime) -> None:
        """A message has come through the tunnel."""
        self.application.receive(data, now)

    def han_receive(self, frame: HanFrame, now: datetime) -> None:
        """A ZCL frame has come from a device of the home; one that nobody asked for means nothing here."""
        del now
        self._place.note("FrameIgnored", peer=str(frame.peer), cluster=frame.cluster)

    def han_failed(self, frame: HanFrame, now: datetime) -> None:
        """A frame could not be carried."""
        del now
        self._place.note("FrameNotDelivered", peer=str(frame.peer), cluster=frame.cluster)

    def receive_firmware(self, image: bytes, now: datetime) -> Receipt:
        """A whole OTA file has come; what became of it."""
        with self._place.work(now) as work:
            return self.security.firmware.receive(work, image)

    def next_deadline(self) -> datetime:
        """When `tick` has something to do, in laboratory time."""
        waiting = self.application.next_deadline()
        return self._next_check if waiting is None else min(waiting, self._next_check)

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        self.application.tick(now)
        if now < self._next_check:
            return
        self._next_check = now + CLOCK_CHECK_INTERVAL
        hub_time = self._plant.hub_time()
        if hub_time is not None:
            # Nobody commands the clock of a Type 1 device: it takes the hub's time as it is.
            with self._place.work(now) as work:
                self.clock.set_from_hub(work, hub_time, hub_time, hub_time)

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state of the device, for diagnosis."""
        return {
            "clock": {"time": utc_text(self.clock.time(now)), "status": self.clock.status.name.lower()},
            "security": self.security.inspect(),
            **self.application.inspect(),
        }
