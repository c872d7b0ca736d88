"""What a meter, or the proxy of one, tells the displays of its home: they may read, and nothing else.

Spec: ZSE 1.4 D.2 to D.5 (servers); IHDTS 4, SMETS 5.5.7 (what is shown); GBCS 7.4 (Type 2 devices write
nothing)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from smetslab.devices.han_frames import HanFrame, default_response
from smetslab.errors import ZclDecodeError
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, Attribute, Command, Record, find_command
from smetslab.zigbee.zcl.foundation import (
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    Status,
    general_frame,
)
from smetslab.zigbee.zcl.values import ZclValue

Readings: TypeAlias = Callable[[datetime], Mapping[Attribute, ZclValue]]
"""Every attribute that displays may read, with its value at a moment."""

Teller: TypeAlias = Callable[[datetime], "tuple[Command, Record] | None"]
"""What answers a question of a display: a command of the same cluster, None when there is nothing to tell."""


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
        command = find_command(frame.cluster, content)
        teller = None if command is None else self._questions.get(command)
        if teller is None:
            unknown = command is None
            return default_response(frame, Status.UNSUP_CLUSTER_COMMAND if unknown else Status.NOT_AUTHORIZED)
        told = teller(now)
        if told is None:
            return default_response(frame, Status.NOT_FOUND)
        answer, record = told
        return HanFrame(
            frame.peer,
            frame.cluster,
            answer.frame(record, sequence=content.sequence, disable_default_response=True),
        )

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
                results.append(ReadResult(number, Status.SUCCESS, attribute.type.code or 0, value))
            else:
                results.append(ReadResult(number, Status.UNSUPPORTED_ATTRIBUTE))
        answer = ReadAttributesResponse(tuple(results))
        content = general_frame(answer, direction=SERVER_TO_CLIENT, sequence=frame.frame.sequence)
        return HanFrame(frame.peer, frame.cluster, content)
