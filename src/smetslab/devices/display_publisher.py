"""A meter, or the proxy of one, tells the displays of its home by itself what has changed: price, message,
tenancy, supplier, tariff, calendar.

What it publishes is what it would answer; a display that has missed it asks sooner or later. Of a calendar it
publishes the head and the special days: the head tells a display that there is a new one to ask for.

Spec: ZSE 1.4 D.4.2.4 (Price), D.5.2.3 (Messaging), D.9.2.3 (Calendar), D.10.2.4.1 (Publish Change of Tenancy)
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from smetslab.devices.display_server import ANSWERS, DisplayServer
from smetslab.devices.events import HanEvent
from smetslab.devices.han_events import event_record
from smetslab.devices.han_frames import HanOutbox
from smetslab.devices.security.device_log import DeviceLog
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.values import ZclValue

SHOW: Final = frozenset({DeviceType.TYPE_2, DeviceType.PPMID})
"""Devices that show what meters tell."""
PUBLISHED: Final = (
    Price.get_current_price,
    Messaging.get_last_message,
    DeviceManagement.get_change_of_tenancy,
)
"""The questions whose answers are published when they change."""
PUBLISHED_WITH_REVISION: Final = (
    DeviceManagement.get_change_of_supplier,
    DeviceManagement.get_cin,
    Price.get_tariff_information,
    Price.get_price_matrix,
    Price.get_block_thresholds,
    Price.get_block_periods,
    Price.get_billing_period,
    Price.get_conversion_factor,
    Price.get_calorific_value,
    Calendar.get_calendar,
    Calendar.get_special_days,
)
"""Those whose answers change only with the revision of what a supplier has set."""
_OF_THE_MOMENT: Final = frozenset({"issuer_event_id", "current_time"})
"""Fields that say when an answer was made."""

_Told: TypeAlias = "list[tuple[tuple[str, ZclValue], ...]]"


class DisplayPublisher:
    """What one meter publishes, as long as it has power. What it knew at power on is not news."""

    def __init__(self, server: Callable[[], DisplayServer], log: DeviceLog, outbox: HanOutbox) -> None:
        """`server` is asked for when there is a display."""
        self._server = server
        self._log = log
        self._outbox = outbox
        self._known: dict[Command, _Told] = {}
        self._revision: object = None
        self._message: Record | None = None

    def refresh(self, now: datetime) -> None:
        """Publish what has changed since the last look."""
        displays = self._displays()
        if not displays:
            return
        for question in PUBLISHED:
            self._look(question, displays, now)
        revision = self._server().revision()
        if not self._known.keys() >= set(PUBLISHED_WITH_REVISION) or revision != self._revision:
            self._revision = revision
            for question in PUBLISHED_WITH_REVISION:
                self._look(question, displays, now)

    def tell(self, event: HanEvent) -> None:
        """An event is for the devices of the home. Spec: ZSE 1.4 D.11.2.4.1 (Publish Event)."""
        record = event_record(event)
        for display in self._displays():
            self._outbox.publish(display, Events.publish_event, record)

    def _displays(self) -> list[Eui64]:
        return [entry.device for entry in self._log.entries if entry.device_type in SHOW]

    def _look(self, question: Command, displays: list[Eui64], now: datetime) -> None:
        told = self._server().tell(question, now)
        told_before = self._known.get(question)
        self._known[question] = [_without_moment(record) for record in told]
        if question is Messaging.get_last_message:
            gone, self._message = self._message, told[0] if told else None
            if gone is not None and not told:
                self._cancel(gone, displays)
        if told_before is None or self._known[question] == told_before:
            return
        for display in displays:
            for record in told:
                self._outbox.publish(display, ANSWERS[question], record)

    def _cancel(self, message: Record, displays: list[Eui64]) -> None:
        """A message is not to be shown any more. Spec: ZSE 1.4 D.5.2.3.2."""
        command = Messaging.cancel_message
        record = command.record(message_id=message.integer("message_id"), message_control=0)
        for display in displays:
            self._outbox.publish(display, command, record)


def _without_moment(record: Record) -> tuple[tuple[str, ZclValue], ...]:
    return tuple((name, value) for name, value in record.items() if name not in _OF_THE_MOMENT)
