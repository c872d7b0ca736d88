"""The proxy as the host of mirrors: it gives a gas meter one, and tells it by flags what waits for it.

Spec: ZSE 1.4 D.3.4.4 (mirroring), D.3.3.3.1 (notification flags); GBCS 10.4
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from smetslab.devices.han_frames import HanFrame, HanOutbox, answer, default_response, read_response
from smetslab.devices.mirror import ends_report
from smetslab.errors import ZclDecodeError
from smetslab.han import ClusterRole
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Attribute, ZclFrame, find_command
from smetslab.zigbee.zcl.clusters.metering import SCHEME_B, Metering
from smetslab.zigbee.zcl.foundation import ReadAttributes, Status
from smetslab.zigbee.zcl.values import ZclValue

_OTHER_SETS: Final = (
    Metering.notification_flags_2,
    Metering.notification_flags_3,
    Metering.notification_flags_4,
    Metering.notification_flags_5,
)
"""Sets of scheme B besides the functional one: everything that they could tell comes by tunnel (GBCS 10)."""


class MirrorDesk:
    """The proxy's side, as client of a meter that reports. `endpoint`: where its mirror is; `flags`: what
    waits in the hub for a meter, as FunctionalNotificationFlags."""

    cluster: Final = Metering.id
    role: Final = ClusterRole.CLIENT

    def __init__(self, outbox: HanOutbox, endpoint: int, flags: Callable[[Eui64], int]) -> None:
        self._outbox = outbox
        self._endpoint = endpoint
        self._flags = flags

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """A meter wants a mirror, or says how it will report."""
        del now
        command = find_command(frame.cluster, frame.frame)
        if command is Metering.request_mirror:
            response = Metering.request_mirror_response
            self._outbox.put(answer(frame, response, response.record(endpoint_id=self._endpoint)))
        elif command is Metering.remove_mirror:
            response = Metering.mirror_removed
            self._outbox.put(answer(frame, response, response.record(removed_endpoint_id=self._endpoint)))
        elif command is Metering.configure_mirror:
            self._configured(frame)
        elif frame.frame.cluster_specific:
            self._outbox.put(default_response(frame, Status.UNSUP_CLUSTER_COMMAND))
        elif frame.frame.command == ReadAttributes.code:
            self._read(frame)

    def _read(self, frame: HanFrame) -> None:
        """A meter may read its flags instead of waiting for them."""
        flags: dict[Attribute, ZclValue] = {
            Metering.functional_notification_flags: self._flags(frame.peer),
            **dict.fromkeys(_OTHER_SETS, 0),
        }
        try:
            self._outbox.put(read_response(frame, flags))
        except ZclDecodeError:
            self._outbox.put(default_response(frame, Status.MALFORMED_COMMAND))

    def _configured(self, frame: HanFrame) -> None:
        try:
            scheme = Metering.configure_mirror.decode(frame.frame.payload).integer("notification_scheme")
        except ZclDecodeError:
            self._outbox.put(default_response(frame, Status.MALFORMED_COMMAND))
            return
        known = scheme == SCHEME_B
        self._outbox.put(default_response(frame, Status.SUCCESS if known else Status.INVALID_FIELD))

    def reported(self, meter: Eui64, frame: ZclFrame) -> None:
        """A meter has reported: after the last of its reports it is told what waits."""
        if ends_report(frame):
            command = Metering.mirror_report_attribute_response
            record = command.record(
                notification_scheme=SCHEME_B, notification_flags=[self._flags(meter), *[0] * len(_OTHER_SETS)]
            )
            self._outbox.send(meter, command, record)

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """The meter sleeps: it will report again."""

    def next_deadline(self) -> datetime | None:
        return None

    def tick(self, now: datetime) -> None:
        """Nothing is ever due."""
