"""ZCL frames of the HAN as trees of named fields, for reports."""

from __future__ import annotations

import re
from collections.abc import Sequence

from smetslab.harness.decoding import Details, Field, Node
from smetslab.zigbee.zcl import CLUSTERS, Cluster, Record, ZclFrame, decode_frame, find_command
from smetslab.zigbee.zcl.clusters import declare_all
from smetslab.zigbee.zcl.fields import ABSENT
from smetslab.zigbee.zcl.foundation import (
    DefaultResponse,
    GeneralCommand,
    ReadAttributes,
    ReadAttributesResponse,
    ReportAttributes,
    Status,
    WriteAttributesResponse,
    decode_general,
)
from smetslab.zigbee.zcl.values import ZclValue

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")

declare_all()  # what is not imported is not declared, and what is not declared cannot be described


def describe_zcl(data: bytes, detail: Details) -> Node | None:
    """The frame, its payload decoded when the cluster declares the command. ZclDecodeError when it is none.

    `detail` must name the cluster; without one it is no observation of a frame: None.
    """
    cluster_id = detail.get("cluster")
    if not isinstance(cluster_id, int):
        return None
    frame = decode_frame(data)
    cluster = CLUSTERS.get(cluster_id)
    cluster_name = cluster.__name__ if cluster else f"cluster 0x{cluster_id:04X}"
    command = find_command(cluster_id, frame)
    general = decode_general(frame)
    if command is not None:
        name = command.name
    elif general is not None:
        name = _WORD_START.sub(" ", type(general).__name__).lower()
    else:
        name = f"{'command' if frame.cluster_specific else 'general command'} 0x{frame.command:02X}"
    start = frame.header_length
    payload: Sequence[Node] = ()
    if command is not None:
        payload = _fields(command.decode(frame.payload, base=start), start)
    elif general is not None:
        payload = _general(general, cluster, start, server=_on_server(frame, general))
    elif frame.payload:
        payload = (_octets("payload", start, frame.payload),)
    return Field(
        name=cluster_name,
        offset=0,
        raw=data,
        text=name.replace("_", " "),
        children=(*_header(frame, data), *payload),
    )


def _header(frame: ZclFrame, data: bytes) -> Sequence[Node]:
    direction = "server to client" if frame.server_to_client else "client to server"
    kind = "cluster specific" if frame.cluster_specific else "general"
    sequence, command = frame.header_length - 2, frame.header_length - 1
    rows = [("frame control", 0, 1, f"{kind}, {direction}")]
    if frame.manufacturer_code is not None:
        rows.append(("manufacturer code", 1, 2, f"0x{frame.manufacturer_code:04X}"))
    rows.append(("sequence", sequence, 1, str(frame.sequence)))
    rows.append(("command", command, 1, f"0x{frame.command:02X}"))
    return [
        Field(name=name, offset=offset, raw=data[offset : offset + length], text=text)
        for name, offset, length, text in rows
    ]


def _fields(record: Record, offset: int) -> Sequence[Node]:
    nodes: list[Node] = []
    kinds = list(record.shape.kinds)
    varying = record.shape.variant_for(record.values)
    if varying is not None:
        kinds[-1] = varying
    for (name, value), kind in zip(record.items(), kinds, strict=True):
        if value is ABSENT:
            continue
        written = bytearray()
        kind.encode(value, written)
        text = f"{len(written)} octets" if isinstance(value, bytes) else str(value)
        nodes.append(Field(name=name.replace("_", " "), offset=offset, raw=bytes(written), text=text))
        offset += len(written)
    if record.trailing:
        nodes.append(_octets("trailing octets", offset, record.trailing))
    return nodes


def _on_server(frame: ZclFrame, general: GeneralCommand) -> bool:
    """Whether the attributes of a general command are those of the server."""
    answers = isinstance(general, ReadAttributesResponse | WriteAttributesResponse | ReportAttributes)
    return frame.server_to_client == answers


def _general(
    general: GeneralCommand, cluster: type[Cluster] | None, offset: int, *, server: bool
) -> Sequence[Node]:
    """The attributes of a general command, by the names that the cluster declares."""
    if isinstance(general, DefaultResponse):
        rows = [("command", bytes((general.command,)), f"0x{general.command:02X}")]
        rows.append(("status", bytes((general.status,)), _status(general.status)))
    elif isinstance(general, ReadAttributes):
        rows = [
            (_attribute(cluster, number, server=server), number.to_bytes(2, "little"), f"0x{number:04X}")
            for number in general.attributes
        ]
    elif isinstance(general, ReadAttributesResponse):
        rows = [
            (
                _attribute(cluster, one.attribute, server=server),
                ReadAttributesResponse((one,)).encode(),
                _status(one.status) if one.status else _text(one.value),
            )
            for one in general.results
        ]
    elif isinstance(general, WriteAttributesResponse):
        rows = [
            (_attribute(cluster, one.attribute, server=server), bytes(3), _status(one.status))
            for one in general.results
        ] or [("status", bytes(1), _status(Status.SUCCESS))]
        encoded = general.encode()
        size = len(rows[0][1])
        rows = [
            (name, encoded[place * size : (place + 1) * size], text)
            for place, (name, _, text) in enumerate(rows)
        ]
    else:
        rows = [
            (
                _attribute(cluster, one.attribute, server=server),
                type(general)((one,)).encode(),
                _text(one.value),
            )
            for one in general.values
        ]
    nodes: list[Node] = []
    for name, raw, text in rows:
        nodes.append(Field(name=name, offset=offset, raw=raw, text=text))
        offset += len(raw)
    return nodes


def _attribute(cluster: type[Cluster] | None, number: int, *, server: bool) -> str:
    declared = None if cluster is None else cluster.attributes.get((server, number))
    return f"attribute 0x{number:04X}" if declared is None else declared.name.replace("_", " ")


def _status(number: int) -> str:
    return (
        Status(number).name.lower().replace("_", " ")
        if any(number == one for one in Status)
        else f"status 0x{number:02X}"
    )


def _text(value: ZclValue) -> str:
    return f"{len(value)} octets" if isinstance(value, bytes) else str(value)


def _octets(name: str, offset: int, octets: bytes) -> Node:
    return Field(name=name, offset=offset, raw=octets, text=f"{len(octets)} octets")
