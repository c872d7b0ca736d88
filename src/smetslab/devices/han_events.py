"""Events that are for the devices of a home, as commands of the Events cluster.

A meter tells its displays; a gas meter, which sleeps, tells its proxy with its next report, and the proxy the
displays.

Spec: ZSE 1.4 D.11.2.4.1 (Publish Event). That the proxy passes them on is unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from smetslab.devices.event_log import LogName
from smetslab.devices.events import HanEvent
from smetslab.devices.zcl.logs import GENERAL_EVENT_LOG, SECURITY_EVENT_LOG
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.events import Events

_LOGS: Final[Mapping[LogName | None, int]] = {"event": GENERAL_EVENT_LOG, "security": SECURITY_EVENT_LOG}
_NAMES: Final[Mapping[int, LogName]] = {GENERAL_EVENT_LOG: "event", SECURITY_EVENT_LOG: "security"}
_REPORT_TO_HAN: Final = 0x01


def event_record(event: HanEvent) -> Record:
    """A Publish Event; one of another log, or of none, counts as one of the event log."""
    return Events.publish_event.record(
        log_id=_LOGS.get(event.log, GENERAL_EVENT_LOG),
        event_id=event.code,
        event_time=max(0, event.seconds),
        event_control=_REPORT_TO_HAN,
        event_data=event.extra,
    )


def event_of(record: Record) -> HanEvent:
    """The reverse of `event_record`. Raises ZclDecodeError."""
    return HanEvent(
        record.integer("event_id"),
        record.integer("event_time"),
        _NAMES.get(record.integer("log_id")),
        record.octets("event_data"),
    )
