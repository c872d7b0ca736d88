"""ZCL frames between the devices of a home, as their cores see them: no endpoints, no radio.

A core takes frames and puts frames into its `HanOutbox`; the shell finds endpoints and carries them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from smetslab.errors import ZclDecodeError
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import (
    CLIENT_TO_SERVER,
    CLUSTERS,
    Attribute,
    Command,
    Record,
    ZclFrame,
)
from smetslab.zigbee.zcl.foundation import (
    DefaultResponse,
    ReadAttributes,
    ReadAttributesResponse,
    Status,
    general_frame,
    read_answer,
)
from smetslab.zigbee.zcl.values import JsonValue, ZclValue


@dataclass(frozen=True, slots=True)
class HanFrame:
    """A frame to or from a device of the home."""

    peer: Eui64
    cluster: int
    frame: ZclFrame


class HanOutbox:
    """The frames that a core wants carried. `wake` is told of each; the shell sets it."""

    def __init__(self) -> None:
        self.frames: list[HanFrame] = []
        self.wake: Callable[[], None] = lambda: None
        self.nudge: Callable[[], None] = lambda: None
        """To be called when something but a frame may have changed what is due."""
        self._sequence = 0

    def put(self, frame: HanFrame) -> None:
        self.frames.append(frame)
        self.wake()

    def command(self, peer: Eui64, command: Command, fields: Mapping[str, JsonValue]) -> int:
        """Send a command of our own with fields in their JSON form; its sequence number."""
        return self.send(peer, command, command.from_json(dict(fields)))

    def send(self, peer: Eui64, command: Command, record: Record) -> int:
        """Send a command of our own; its sequence number."""
        self._sequence = (self._sequence + 1) % 256
        self.put(HanFrame(peer, command.cluster, command.frame(record, sequence=self._sequence)))
        return self._sequence

    def publish(self, peer: Eui64, command: Command, record: Record) -> None:
        """Send what nobody has asked for, and nobody needs to answer."""
        self._sequence = (self._sequence + 1) % 256
        frame = command.frame(record, sequence=self._sequence, disable_default_response=True)
        self.put(HanFrame(peer, command.cluster, frame))

    def read(self, peer: Eui64, attributes: Sequence[Attribute]) -> int:
        """Ask for attributes of one cluster; the sequence number."""
        self._sequence = (self._sequence + 1) % 256
        asked = ReadAttributes(tuple(attribute.id for attribute in attributes))
        frame = general_frame(asked, direction=CLIENT_TO_SERVER, sequence=self._sequence)
        self.put(HanFrame(peer, attributes[0].cluster, frame))
        return self._sequence

    def take(self) -> list[HanFrame]:
        """What waits, in order; it waits no longer."""
        waiting, self.frames = self.frames, []
        return waiting


def reply(to: HanFrame, command: Command, fields: Mapping[str, JsonValue]) -> HanFrame:
    """The answer to a frame by a command of its cluster, with fields in their JSON form."""
    return answer(to, command, command.from_json(dict(fields)))


def answer(to: HanFrame, command: Command, record: Record) -> HanFrame:
    """The answer to a frame by a command of its cluster."""
    frame = command.frame(record, sequence=to.frame.sequence, disable_default_response=True)
    return HanFrame(to.peer, to.cluster, frame)


def readings_in(frame: HanFrame) -> dict[str, int] | None:
    """The numbers that a Read Attributes Response tells, by name; None when the frame is none."""
    if frame.frame.cluster_specific or frame.frame.command != ReadAttributesResponse.code:
        return None
    cluster = CLUSTERS.get(frame.cluster)
    try:
        results = ReadAttributesResponse.decode(frame.frame.payload).results
    except ZclDecodeError:
        return None
    found: dict[str, int] = {}
    for result in results:
        attribute = None if cluster is None else cluster.attributes.get((True, result.attribute))
        if attribute is not None and result.status == Status.SUCCESS and isinstance(result.value, int):
            found[attribute.name] = result.value
    return found


def read_response(to: HanFrame, values: Mapping[Attribute, ZclValue]) -> HanFrame:
    """The answer to Read Attributes; an attribute without a value is not supported. Spec: ZCL 2.5.2."""
    frame = read_answer(to.frame, ReadAttributes.decode(to.frame.payload).attributes, values)
    return HanFrame(to.peer, to.cluster, frame)


def default_response(to: HanFrame, status: Status) -> HanFrame:
    """The answer to a frame that has no other, or failed. Spec: ZCL 2.5.12."""
    response = DefaultResponse(to.frame.command, status)
    frame = ZclFrame(
        cluster_specific=False,
        server_to_client=not to.frame.server_to_client,
        disable_default_response=True,
        sequence=to.frame.sequence,
        command=DefaultResponse.code,
        payload=response.encode(),
    )
    return HanFrame(to.peer, to.cluster, frame)
