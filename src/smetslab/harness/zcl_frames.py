"""ZCL frames of the HAN as trees of named fields, for reports."""

from __future__ import annotations

from collections.abc import Sequence

from smetslab.harness.decoding import Details, Field, Node
from smetslab.zigbee.zcl import CLUSTERS, Record, ZclFrame, decode_frame, find_command
from smetslab.zigbee.zcl.clusters import tunnelling  # noqa: F401 - what is not imported is not declared
from smetslab.zigbee.zcl.fields import ABSENT


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
    if command is not None:
        name = command.name
    else:
        name = f"{'command' if frame.cluster_specific else 'general command'} 0x{frame.command:02X}"
    start = frame.header_length
    payload: Sequence[Node] = ()
    if command is not None:
        payload = _fields(command.decode(frame.payload, base=start), start)
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
    for (name, value), kind in zip(record.items(), record.shape.kinds, strict=True):
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


def _octets(name: str, offset: int, octets: bytes) -> Node:
    return Field(name=name, offset=offset, raw=octets, text=f"{len(octets)} octets")
