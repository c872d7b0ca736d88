"""The Communications Hub Function as a GBCS device: its objects, its clock, its application.

Spec: CHTS 4; GBCS use case ECS52.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from smetslab.devices.application import Application, Station
from smetslab.devices.clock import ClockStatus
from smetslab.devices.cosem.model import CosemObject, cosem_object, fixed
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights
from smetslab.devices.cosem.server import Bindings
from smetslab.devices.cosem_engine import CosemEngine
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.work import Workplace
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Value, utc_text

FIRST_ALERT_COUNTER: Final = 4000
"""Spec: RTDS 4.5.0; any start would do."""

OBJECTS: tuple[CosemObject, ...] = (
    cosem_object(1, "0-0:0.2.1.255", fixed(2, "firmware_version", "00000000")),
)

MODEL = ObjectModel(OBJECTS, USE_CASES, DeviceType.CHF)
RIGHTS = AccessRights.of(USE_CASES, DeviceType.CHF)

_STATUSES = tuple(status.name.lower() for status in ClockStatus)


@dataclass(frozen=True, slots=True)
class HubClock:
    """The hub's clock, which the WAN keeps right; `offset` is how wrong a laboratory wants it."""

    status: ClockStatus
    offset: timedelta

    @property
    def running(self) -> bool:
        return self.status is not ClockStatus.INVALID

    def time(self, now: datetime) -> datetime:
        return now + self.offset

    def moment(self, time: datetime) -> datetime:
        return time - self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """What the profile of a hub may set."""

    clock: HubClock
    attributes: Mapping[str, Value]


def known_state() -> frozenset[str]:
    """The names that the `state` of a hub's profile may use."""
    return frozenset({"clock_status", "clock_offset_s"})


def read_settings(profile: DeviceProfile) -> HubSettings:
    """The settings of a profile. Raises UsageError at the first that is unknown or has a wrong value."""
    for name in profile.state:
        if name not in known_state():
            known = ", ".join(sorted(known_state()))
            raise UsageError(f"unknown setting {name!r} of a Communications Hub", hint=f"known: {known}")
    status, offset_s = profile.state.get("clock_status", "reliable"), profile.state.get("clock_offset_s", 0)
    if status not in _STATUSES:
        raise UsageError(f"setting clock_status: {status!r} is not one of {', '.join(_STATUSES)}")
    if type(offset_s) is not int:
        raise UsageError(f"setting clock_offset_s: {offset_s!r} is not of type int")
    return HubSettings(
        clock=HubClock(ClockStatus[str(status).upper()], timedelta(seconds=offset_s)),
        attributes={"firmware_version": profile.identity.firmware_version},
    )


class HubCore:
    """One CHF between power on and power off."""

    def __init__(self, station: Station, settings: HubSettings, workplace: Workplace) -> None:
        self._clock = settings.clock
        self.application = Application(station=station, workplace=workplace, clock=settings.clock)
        cosem = CosemEngine(
            model=MODEL,
            rights=RIGHTS,
            bindings=Bindings(),
            future_dated=self.application.future_dated,
            nvm=workplace.nvm,
            quirks=station.quirks,
            state=dict(settings.attributes),
        )
        self.server = self.application.install(cosem).server

    def receive(self, data: bytes, now: datetime) -> None:
        """A message for the hub itself has come."""
        self.application.receive(data, now)

    def next_deadline(self) -> datetime | None:
        """When `tick` has something to do, in laboratory time."""
        return self.application.next_deadline()

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        self.application.tick(now)

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state of the hub, for diagnosis."""
        return {
            "clock": {"time": utc_text(self._clock.time(now)), "status": self._clock.status.name.lower()},
            **self.application.inspect(),
        }
