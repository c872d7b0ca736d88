"""The message of a supplier, as long as it is to be shown: from its start, for its duration, and not to the
tenant after the one whom it was for.

Spec: ZSE 1.4 D.5.2.3.1 (Display Message); SMETS 4.6.4, 5.7.4 (supplier message); GBCS use cases ECS10, GCS07.
That a change of tenancy hides a message is unverified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, cast

from smetslab.devices.display_server import Act
from smetslab.devices.display_terms import NO_END
from smetslab.devices.work import Work, Workplace
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import ZclCall
from smetslab.gbcs.values import Value, seconds_since_2000
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import JsonValue

_NEVER: Final = 0xFFFFFFFF
_KEY: Final = "message/since"


def confirmations(place: Workplace) -> Mapping[Command, Act]:
    """What a server does with the confirmations of its displays: they are for the trace. Spec: ZSE 1.4
    D.5.2.4.2."""

    def confirmed(peer: Eui64, record: Record) -> Status:
        place.note("MessageConfirmed", peer=str(peer), message_id=record.integer("message_id"))
        return Status.SUCCESS

    return {Messaging.message_confirmation: confirmed}


def kept_message(memory: ZclMemory) -> Record | None:
    """The Display Message that a gas meter, or its proxy, was sent last. Spec: GBCS use case GCS07."""
    kept = memory.document("message")
    if not isinstance(kept, dict):
        return None
    return Messaging.display_message.from_json(cast("JsonValue", kept))


def written_message(text: Value) -> Record | None:
    """The text that an electricity meter was sent last; it stands until there is another one. Spec: GBCS use
    case ECS10."""
    if not isinstance(text, str) or not text:
        return None
    return Messaging.display_message.record(
        message_id=0, message_control=0, start_time=0, duration_in_minutes=NO_END, message=text.encode()
    )


class SupplierMessage:
    """The message of one device. Its times are the device's, in seconds since 2000."""

    def __init__(
        self,
        nvm: Nvm,
        kept: Callable[[], Record | None],
        time: Callable[[datetime], datetime],
        hidden_before: Callable[[datetime], datetime | None] = lambda _time: None,
    ) -> None:
        """`kept`: the Display Message that came last. `time`: what the device's clock shows at a moment of
        laboratory time; `hidden_before`: since when its tenants live there, at a time of the device."""
        octets = nvm.get(_KEY)
        self._since = 0 if octets is None else int.from_bytes(octets, "big")
        """When the message came; 0: it was there from the beginning."""
        self._kept = kept
        self._time = time
        self._hidden_before = hidden_before

    def taken(self, call: ZclCall, record: Record) -> None:
        """A message has come by a command. Spec: GBCS use case GCS07."""
        del record
        self.came(call.work)

    def came(self, work: Work) -> None:
        """A message has come."""
        self._since = max(0, seconds_since_2000(self._time(work.now)))
        work.tx.put(_KEY, self._since.to_bytes(8, "big"))

    def standing(self, now: datetime) -> Record | None:
        """The message with the time from which on it is shown, which may lie ahead; None when none is to be
        shown any more."""
        message = self._kept()
        if message is None or message.integer("start_time") == _NEVER:
            return None
        begin = message.integer("start_time") or self._since
        time, minutes = self._time(now), message.integer("duration_in_minutes")
        hidden = self._hidden_before(time)
        if hidden is not None and self._since < seconds_since_2000(hidden):
            return None
        if minutes != NO_END and begin + minutes * 60 <= seconds_since_2000(time):
            return None
        values = dict(message.items())
        values["start_time"] = begin
        values["message_id"] = values["message_id"] or begin
        return Record(message.shape, tuple(values.values()))

    def text(self, now: datetime) -> str:
        """What is shown now; empty when nothing is."""
        message = self.standing(now)
        if message is None or message.integer("start_time") > seconds_since_2000(self._time(now)):
            return ""
        return message.octets("message").decode("utf-8", "replace")
