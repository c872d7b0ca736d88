"""The virtual Type 2 devices, IHD and CAD: the core in the shell, on the HAN. They have no tunnel and no
credentials.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import ClassVar

import smetslab
from smetslab.clock import Clock
from smetslab.devices.base import Carry, Device
from smetslab.devices.cad_topics import (
    Publication,
    TopicTemplate,
    announcements,
    readings_published,
    state_published,
)
from smetslab.devices.display_core import DisplayCore
from smetslab.devices.display_reading import Reading, ShownMeter
from smetslab.devices.han_applications import han_station
from smetslab.devices.han_frames import HanFrame
from smetslab.devices.han_time import TimeClient
from smetslab.devices.ihd_screen import drawing, lines
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.work import Workplace
from smetslab.errors import HanError, UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import Value
from smetslab.han import ApsService, ClusterRole
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.trace import Trace
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price

CLUSTERS = (
    Metering.id,
    Price.id,
    Prepayment.id,
    Messaging.id,
    Calendar.id,
    DeviceManagement.id,
    Events.id,
)
"""What who shows what meters tell is client of."""


def refuse_settings(profile: DeviceProfile) -> None:
    """Raises UsageError when a profile has settings: a Type 2 device has none."""
    if profile.state:
        raise UsageError(f"unknown setting {next(iter(profile.state))!r} of a Type 2 device")


class Type2Device(Device[DisplayCore]):
    """One Type 2 device: it asks the meters that it was told of."""

    device_type: ClassVar[DeviceType] = DeviceType.TYPE_2

    def __init__(
        self,
        *,
        profile: DeviceProfile,
        eui64: Eui64,
        nvm: Nvm,
        han: ApsService,
        hub: Eui64,
        clock: Clock,
        trace: Trace,
        meters: Sequence[ShownMeter],
    ) -> None:
        """`hub`: who tells the time; `meters`: the ESME and the proxy of the gas meter, whichever there are.

        Raises UsageError when the profile has settings: a Type 2 device has none.
        """
        super().__init__(eui64=eui64, nvm=nvm, clock=clock, trace=trace)
        refuse_settings(profile)
        self.profile = profile
        self._han = han
        self._hub = hub
        self._meters = tuple(meters)
        self._time: TimeClient | None = None

    def _build(self, workplace: Workplace, now: datetime, off_since: datetime | None) -> DisplayCore:
        del off_since
        return DisplayCore(workplace, self._meters, now, self._time_at)

    def _time_at(self, now: datetime) -> datetime | None:
        """The time as the hub has told it; None until it has."""
        return None if self._time is None else self._time.hub_time(now)

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Carry]:
        self._time = TimeClient(self._core.han, self._hub, self.clock.now())
        frames = han_station(
            self._han,
            self.clock,
            self.trace,
            self._core.han,
            [self._time],
            clusters=dict.fromkeys(CLUSTERS, ClusterRole.CLIENT),
            taken=self._take_frame,
            failed=self._lose_frame,
        )
        try:
            async with self._han, frames:
                yield _no_tunnel
        finally:
            self._time = None

    def _take_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han_receive(frame, self.clock.now())

    def _lose_frame(self, frame: HanFrame) -> None:
        if self.powered:
            self._core.han_failed(frame, self.clock.now())

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What the meters have told. Raises LocalProtocolError without power."""
        return tuple(self._core.readings.values())


async def _no_tunnel(octets: bytes) -> None:
    raise HanError(f"a Type 2 device has no tunnel for {len(octets)} octets", transient=False)


class Ihd(Type2Device):
    """One in-home display."""

    @property
    def screen(self) -> list[str]:
        """What it shows, as lines of text."""
        now = self.clock.now()
        return lines(self.readings, now, self._time_at(now))

    def draw(self) -> str:
        """What it shows, as an SVG document."""
        now = self.clock.now()
        return drawing(self.readings, now, self._time_at(now))

    def inspect(self) -> dict[str, Value]:
        """The state of the display, for diagnosis, with what it shows: JSON-able."""
        return {**super().inspect(), **({"screen": list(self.screen)} if self.powered else {})}

    def confirm_message(self, meter: Eui64) -> bool:
        """The consumer confirms the message of a meter; False when none is shown. Raises LocalProtocolError
        without power, and for a meter that it does not show."""
        return self._core.confirm(meter, self.clock.now())


class Cad(Type2Device):
    """One consumer access device. What it publishes is carried by `smetslab.devices.cad_mqtt`, or by whoever
    asks.
    """

    def publications(self, template: TopicTemplate) -> list[Publication]:
        """What is to be published now: the state, and a message for each meter."""
        state = state_published(
            self.eui64, software=smetslab.__version__, now=self.clock.now(), template=template
        )
        return [state, *readings_published(self.eui64, self.readings, template)]

    def announcements(self, template: TopicTemplate) -> list[Publication]:
        """What makes Home Assistant find the meters."""
        return list(announcements(self.eui64, self.readings, template))
