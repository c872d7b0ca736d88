"""What a meter, or the proxy of one, tells the displays of its home: they may read, and nothing else.

Spec: ZSE 1.4 D.2 to D.5 (servers); IHDTS 4, SMETS 5.5.7 (what is shown); GBCS 7.4 (Type 2 devices write
nothing)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from smetslab.devices.han_frames import HanFrame, default_response
from smetslab.devices.tenancy import Tenancy
from smetslab.devices.zcl.logs import Samples, answer_samples
from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.gbcs.values import seconds_since_2000
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, Attribute, Command, Record, find_command
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.foundation import (
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    Status,
    general_frame,
)
from smetslab.zigbee.zcl.types import DataType, Integer
from smetslab.zigbee.zcl.values import ZclValue

Readings: TypeAlias = Callable[[datetime], Mapping[Attribute, ZclValue]]
"""Every attribute that displays may read, with its value at a moment."""

Teller: TypeAlias = Callable[[datetime, Record], "tuple[Command, Record] | None"]
"""What answers a question of a display: a command of the same cluster, None when there is nothing to tell."""

MOST_SAMPLES: Final = 50
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


_NOTHING_CHOSEN: Final = bytes(16)
"""More octets than the payload of any question, none of them with a wish in it."""


class DisplayServer:
    """Answers displays. `questions`: the commands that they may send, and what tells the answer."""

    def __init__(self, readings: Readings, questions: Mapping[Command, Teller]) -> None:
        self._readings = readings
        self._questions = questions

    def receive(self, frame: HanFrame, now: datetime) -> HanFrame | None:
        """The answer to a frame; None for one that needs none. Writing and acting are refused."""
        content = frame.frame
        if content.server_to_client:
            return None
        if not content.cluster_specific:
            if content.command == ReadAttributes.code:
                return self._read(frame, now)
            return default_response(frame, Status.NOT_AUTHORIZED)
        return self._answer(frame, now)

    def tell(self, question: Command, now: datetime) -> tuple[Command, Record] | None:
        """The answer to a question in its plainest form; None when there is nothing to tell."""
        teller = self._questions.get(question)
        return None if teller is None else teller(now, question.decode(_NOTHING_CHOSEN))

    def _answer(self, frame: HanFrame, now: datetime) -> HanFrame:
        content = frame.frame
        command = find_command(frame.cluster, content)
        if command is None:
            return default_response(frame, Status.UNSUP_CLUSTER_COMMAND)
        teller = self._questions.get(command)
        if teller is None:
            return default_response(frame, Status.NOT_AUTHORIZED)
        try:
            asked = command.decode(content.payload)
        except ZclDecodeError:
            return default_response(frame, Status.MALFORMED_COMMAND)
        told = teller(now, asked)
        if told is None:
            return default_response(frame, Status.NOT_FOUND)
        answer, record = told
        try:
            told_frame = answer.frame(record, sequence=content.sequence, disable_default_response=True)
        except ZclEncodeError:
            # A supplier may set what the HAN has no numbers for.
            return default_response(frame, Status.FAILURE)
        return HanFrame(frame.peer, frame.cluster, told_frame)

    def _read(self, frame: HanFrame, now: datetime) -> HanFrame:
        try:
            wanted = ReadAttributes.decode(frame.frame.payload).attributes
        except ZclDecodeError:
            return default_response(frame, Status.MALFORMED_COMMAND)
        known = {
            attribute.id: (attribute, value)
            for attribute, value in self._readings(now).items()
            if attribute.cluster == frame.cluster and attribute.server
        }
        results: list[ReadResult] = []
        for number in wanted:
            if number in known:
                attribute, value = known[number]
                said = _nearest(attribute.type, value)
                results.append(ReadResult(number, Status.SUCCESS, attribute.type.code or 0, said))
            else:
                results.append(ReadResult(number, Status.UNSUPPORTED_ATTRIBUTE))
        answer = ReadAttributesResponse(tuple(results))
        content = general_frame(answer, direction=SERVER_TO_CLIENT, sequence=frame.frame.sequence)
        return HanFrame(frame.peer, frame.cluster, content)


def _nearest(kind: DataType, value: ZclValue) -> ZclValue:
    """A number that a supplier has set beyond what an attribute can say is shown as the last that it can."""
    if isinstance(kind, Integer) and isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, kind.low), kind.high)
    return value


def change_of_tenancy(tenancy: Tenancy) -> tuple[Command, Record] | None:
    """What a display is told of a change of tenancy, before it and after. Spec: ZSE 1.4 D.10.2.4.1."""
    if tenancy.date is None:
        return None
    moment = seconds_since_2000(tenancy.date)
    if moment >= NO_TIME:
        # A supplier may name a date that the HAN has no number for, such as one that never comes.
        return None
    command = DeviceManagement.publish_change_of_tenancy
    return command, command.record(
        provider_id=0,
        issuer_event_id=moment,
        tariff_type=0,
        implementation_date_time=moment,
        proposed_tenancy_change_control=CLEAR_CONSUMER_DATA,
    )


def samples_told(asked: Record, samples: Samples) -> tuple[Command, Record] | None:
    """The samples that a display asked for; None when there are none."""
    if not samples.values:
        return None
    return Metering.get_sampled_data_response, answer_samples(asked, samples)


def first_shown(asked: Record, hidden_before: datetime | None, period_s: int) -> int:
    """The end of the first period that a display may have, in seconds since 2000: one that began before a
    change of tenancy is hidden."""
    first = asked.integer("earliest_sample_time")
    return first if hidden_before is None else max(first, seconds_since_2000(hidden_before) + period_s)
