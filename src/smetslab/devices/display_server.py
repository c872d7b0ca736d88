"""What a meter, or the proxy of one, tells the displays of its home: they may read, and nothing else.

Spec: ZSE 1.4 D.2 to D.5 (servers); IHDTS 4, SMETS 5.5.7 (what is shown); GBCS 7.4 (Type 2 devices write
nothing)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from smetslab.devices.event_log import EventLog
from smetslab.devices.han_frames import HanFrame, answer, default_response
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.zcl.logs import GENERAL_EVENT_LOG, answer_events
from smetslab.devices.zcl.model import Answer, ComponentError
from smetslab.errors import RegistryError, ZclDecodeError, ZclEncodeError
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, Attribute, Command, Record, find_command
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.foundation import (
    DefaultResponse,
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    Status,
    general_frame,
)
from smetslab.zigbee.zcl.types import DataType, Integer
from smetslab.zigbee.zcl.values import ZclValue

Reader: TypeAlias = Callable[[datetime], "ZclValue | None"]
"""The value of an attribute at a moment of laboratory time; None while the device does not have it."""

Teller: TypeAlias = Callable[[datetime, Record], Answer]
"""What answers a question of a display: one record or several of the command that answers it, None when there
is nothing to tell. Raises ComponentError with a status of its own.
"""

Act: TypeAlias = Callable[[Eui64, Record], Status]
"""What comes of a command of a display that wants nothing but to be heard."""

ANSWERS: Final[Mapping[Command, Command]] = {
    Price.get_current_price: Price.publish_price,
    Price.get_block_periods: Price.publish_block_period,
    Price.get_conversion_factor: Price.publish_conversion_factor,
    Price.get_calorific_value: Price.publish_calorific_value,
    Price.get_tariff_information: Price.publish_tariff_information,
    Price.get_price_matrix: Price.publish_price_matrix,
    Price.get_block_thresholds: Price.publish_block_thresholds,
    Price.get_billing_period: Price.publish_billing_period,
    Metering.get_snapshot: Metering.publish_snapshot,
    Metering.get_sampled_data: Metering.get_sampled_data_response,
    Messaging.get_last_message: Messaging.display_message,
    Prepayment.get_prepay_snapshot: Prepayment.publish_prepay_snapshot,
    Prepayment.get_top_up_log: Prepayment.publish_top_up_log,
    Prepayment.get_debt_repayment_log: Prepayment.publish_debt_log,
    Calendar.get_calendar: Calendar.publish_calendar,
    Calendar.get_day_profiles: Calendar.publish_day_profile,
    Calendar.get_week_profiles: Calendar.publish_week_profile,
    Calendar.get_seasons: Calendar.publish_seasons,
    Calendar.get_special_days: Calendar.publish_special_days,
    DeviceManagement.get_change_of_tenancy: DeviceManagement.publish_change_of_tenancy,
    DeviceManagement.get_change_of_supplier: DeviceManagement.publish_change_of_supplier,
    DeviceManagement.get_cin: DeviceManagement.update_cin,
    Events.get_event_log: Events.publish_event_log,
}
"""What displays may ask, and which command of the server answers it. Spec: ZSE 1.4 D.3 to D.11; GBCS 7.4
(which clusters); which of their commands displays use is unverified.
"""

MOST_SAMPLES: Final = 50
MOST_EVENTS: Final = 8
"""Of one answer, so that its frame stays small. Unverified."""
HALF_HOURS: Final = 0
DAYS: Final = 1
"""Samples that displays may ask for: the profile and the daily consumption log. Spec: RTDS 4.5.0 (GCS17,
GCS61).
"""
NO_TIME: Final = 0xFFFFFFFF
"""The first number of seconds since 2000 that is no time, in 2136. Spec: ZCL 2.6.2 (UTCTime)."""
CLEAR_CONSUMER_DATA: Final = 0x0200
"""What a display does at a change of tenancy. Spec: ZSE 1.4 D.10.2.4.1."""


_LAST_WORD: Final = DefaultResponse.code
_NOTHING_CHOSEN: Final = bytes(20)
"""More octets than the payload of any question, none of them with a wish in it."""


class DisplayServer:
    """Answers displays.

    `readers`: the attributes that they may read; `tellers`: the questions of `ANSWERS` that the device has
    something to say to. `revision` changes with every change of tariff, calendar or supplier.
    """

    def __init__(
        self,
        readers: Mapping[Attribute, Reader],
        tellers: Mapping[Command, Teller],
        revision: Callable[[], object] = lambda: None,
        acts: Mapping[Command, Act] | None = None,
    ) -> None:
        """`acts`: commands of displays that ask for nothing. Raises RegistryError for a question that no
        command answers."""
        unknown = [question.name for question in tellers if question not in ANSWERS]
        if unknown:
            raise RegistryError(f"no command answers {', '.join(unknown)}")
        self._readers = {
            (attribute.cluster, attribute.id): (attribute, reader)
            for attribute, reader in readers.items()
            if attribute.server
        }
        self._tellers = tellers
        self._acts = acts or {}
        self.revision = revision

    def receive(self, frame: HanFrame, now: datetime) -> list[HanFrame]:
        """What answers a frame; nothing, where it needs no answer. Writing and acting are refused."""
        content = frame.frame
        if content.server_to_client or (not content.cluster_specific and content.command == _LAST_WORD):
            return []
        if content.cluster_specific:
            return self._answer(frame, now)
        if content.command == ReadAttributes.code:
            return [self._read(frame, now)]
        return [default_response(frame, Status.NOT_AUTHORIZED)]

    def tell(self, question: Command, now: datetime) -> list[Record]:
        """The answer to a question in its plainest form; nothing when there is nothing to tell."""
        if question not in self._tellers:
            return []
        try:
            return self._told(question, question.decode(_NOTHING_CHOSEN), now)
        except ComponentError:
            return []

    def _told(self, question: Command, asked: Record, now: datetime) -> list[Record]:
        told = self._tellers[question](now, asked)
        if told is None:
            return []
        return [told] if isinstance(told, Record) else list(told)

    def _answer(self, frame: HanFrame, now: datetime) -> list[HanFrame]:
        try:
            return self._do(frame, now)
        except ZclDecodeError:
            status = Status.MALFORMED_COMMAND
        except ComponentError as error:
            status = error.status
        except ZclEncodeError:
            # A supplier may set what the HAN has no numbers for.
            status = Status.FAILURE
        return [default_response(frame, status)]

    def _do(self, frame: HanFrame, now: datetime) -> list[HanFrame]:
        command = find_command(frame.cluster, frame.frame)
        if command is None:
            raise ComponentError(Status.UNSUP_CLUSTER_COMMAND, f"command {frame.frame.command:02X}")
        if command in self._acts:
            status = self._acts[command](frame.peer, command.decode(frame.frame.payload))
            return [] if frame.frame.disable_default_response else [default_response(frame, status)]
        if command not in self._tellers:
            raise ComponentError(Status.NOT_AUTHORIZED, command.name)
        told = self._told(command, command.decode(frame.frame.payload), now)
        if not told:
            raise ComponentError(Status.NOT_FOUND, command.name)
        return [answer(frame, ANSWERS[command], record) for record in told]

    def _read(self, frame: HanFrame, now: datetime) -> HanFrame:
        try:
            wanted = ReadAttributes.decode(frame.frame.payload).attributes
        except ZclDecodeError:
            return default_response(frame, Status.MALFORMED_COMMAND)
        results: list[ReadResult] = []
        for number in wanted:
            found = self._readers.get((frame.cluster, number))
            value = None if found is None else found[1](now)
            if found is None or value is None:
                results.append(ReadResult(number, Status.UNSUPPORTED_ATTRIBUTE))
                continue
            kind = found[0].type
            results.append(ReadResult(number, Status.SUCCESS, kind.code or 0, _nearest(kind, value)))
        told = ReadAttributesResponse(tuple(results))
        content = general_frame(told, direction=SERVER_TO_CLIENT, sequence=frame.frame.sequence)
        return HanFrame(frame.peer, frame.cluster, content)


def _nearest(kind: DataType, value: ZclValue) -> ZclValue:
    """A number that a supplier has set beyond what an attribute can say is shown as the last that it can."""
    if isinstance(kind, Integer) and isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, kind.low), kind.high)
    return value


def change_of_tenancy(tenancy: Tenancy) -> Record | None:
    """What a display is told of a change of tenancy, before it and after. Spec: ZSE 1.4 D.10.2.4.1."""
    if tenancy.date is None:
        return None
    moment = seconds_since_2000(tenancy.date)
    if moment >= NO_TIME:
        # A supplier may name a date that the HAN has no number for, such as one that never comes.
        return None
    return DeviceManagement.publish_change_of_tenancy.record(
        provider_id=0,
        issuer_event_id=moment,
        tariff_type=0,
        implementation_date_time=moment,
        proposed_tenancy_change_control=CLEAR_CONSUMER_DATA,
    )


def not_before(asked: Record, name: str, hidden_before: datetime | None, period_s: int = 0) -> Record:
    """A question that asks for nothing older than a change of tenancy: what began before it is hidden.

    `name`: the field that says from when on is asked; `period_s`: how long what is stamped at its end lasts.
    """
    if hidden_before is None:
        return asked
    first = max(asked.integer(name), seconds_since_2000(hidden_before) + period_s)
    values = {field: first if field == name else value for field, value in asked.items()}
    return Record(asked.shape, tuple(values.values()), asked.trailing)


def events_told(asked: Record, log: EventLog, hidden_before: datetime | None) -> Record:
    """The event log as a display is told it; the security log is for remote parties alone (unverified)."""
    return answer_events(
        not_before(asked, "start_time", hidden_before), {GENERAL_EVENT_LOG: log}, most=MOST_EVENTS
    )
