"""A meter, or the proxy of one, tells the displays of its home by itself what has changed: price, message,
tenancy.

What it publishes is what it would answer; a display that has missed it asks sooner or later.

Spec: ZSE 1.4 D.4.2.4.1 (Publish Price), D.5.2.3.1 (Display Message), D.10.2.4.1 (Publish Change of Tenancy)
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeAlias

from smetslab.devices.display_server import DisplayServer
from smetslab.devices.han_frames import HanOutbox
from smetslab.devices.security.device_log import DeviceLog
from smetslab.gbcs.codes import DeviceType
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.values import ZclValue

PUBLISHED: Final = (
    Price.get_current_price,
    Messaging.get_last_message,
    DeviceManagement.get_change_of_tenancy,
)
"""The questions whose answers are published when they change."""
_OF_THE_MOMENT: Final = frozenset({"issuer_event_id", "current_time", "message_id"})
"""Fields that say when an answer was made."""

_Told: TypeAlias = "tuple[Command, tuple[tuple[str, ZclValue], ...]] | None"


class DisplayPublisher:
    """What one meter publishes, as long as it has power. What it knew at power on is not news."""

    def __init__(self, server: DisplayServer, log: DeviceLog, outbox: HanOutbox) -> None:
        self._server = server
        self._log = log
        self._outbox = outbox
        self._known: dict[Command, _Told] = {}

    def refresh(self, now: datetime) -> None:
        """Publish what has changed since the last look."""
        displays = [entry.device for entry in self._log.entries if entry.device_type is DeviceType.TYPE_2]
        if not displays:
            return
        for question in PUBLISHED:
            told = self._server.tell(question, now)
            told_before, first = self._known.get(question), question not in self._known
            self._known[question] = _without_moment(told)
            if told is None or first or self._known[question] == told_before:
                continue
            for display in displays:
                self._outbox.send(display, *told)


def _without_moment(told: tuple[Command, Record] | None) -> _Told:
    if told is None:
        return None
    command, record = told
    return command, tuple((name, value) for name, value in record.items() if name not in _OF_THE_MOMENT)
