"""Frames on the air in words: for captures, for the report, and for `smetslab han decode`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from smetslab.errors import CodecError, ZigbeeDecodeError
from smetslab.gbcs.describe import title_of
from smetslab.gbcs.gbt import decode_block, is_block
from smetslab.gbcs.message import decode_message
from smetslab.harness.decoding import Details, Field, Node
from smetslab.harness.zcl_frames import describe_zcl
from smetslab.ids import Eui64, format_message_code
from smetslab.zigbee import zdo
from smetslab.zigbee.aps import ApsFrame, ApsFrameType
from smetslab.zigbee.capture.file import read_capture
from smetslab.zigbee.capture.tap import Reception
from smetslab.zigbee.capture.unwrap import unwrap
from smetslab.zigbee.dissect import Dissection, Dissector, destination_name
from smetslab.zigbee.mac_layer import MacFrameType, decode_mac
from smetslab.zigbee.zcl import CLUSTERS, decode_frame, find_command
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling

_GET, _GET_RESPONSE, _PUT = 1, 2, 3
_GET_HEADERS = {_GET_RESPONSE: 2, _PUT: 1}
"""How many octets stand before a message in the tunnel of a sleepy meter. Spec: GBCS 10.3."""


# -------------------------------------------------------------------------------- what a message is


def tunnelled(cluster: int, payload: bytes) -> bytes | None:
    """The GBCS octets that a ZCL frame carries, None when it carries none. Spec: GBCS 10.2.2, 10.3."""
    if cluster != Tunnelling.id:
        return None
    frame = decode_frame(payload)
    command = find_command(cluster, frame)
    if command not in {Tunnelling.transfer_data_to_client, Tunnelling.transfer_data_to_server}:
        return None
    data = frame.payload[2:]
    if data[:1] in {b"\x01", b"\x02", b"\x03"}:
        data = data[_GET_HEADERS.get(data[0], len(data)) :]
    return data or None


def message_title(cluster: int, payload: bytes) -> str:
    """What a ZCL frame is, and the GBCS message in it: `Tunnelling transfer data to server: ECS17b …`."""
    try:
        node = describe_zcl(payload, {"cluster": cluster})
        title = "" if node is None else f"{node.name} {node.text}"
        inside = tunnelled(cluster, payload)
        return title if inside is None else f"{title}: {_gbcs_title(inside)}"
    except CodecError as error:
        return f"not decodable: {error}"


def _gbcs_title(data: bytes) -> str:
    if is_block(data):
        block = decode_block(data)
        return f"block {block.number} of {format_message_code(block.message_code)}"
    message = decode_message(data)
    return f"{title_of(message)}, counter {message.originator_counter}"


# -------------------------------------------------------------------------------- the report


def describe_air(data: bytes, detail: Details) -> Node | None:
    """A frame of the layer `air` as far as it can be read without keys. CodecError when it is none."""
    if "channel" not in detail:
        return None
    frame = decode_mac(data[:-2])
    found = Dissector(()).dissect(data, fcs=True)
    rows: list[Node] = [
        Field(name="MAC header", offset=0, raw=data[: len(data) - 2 - len(frame.payload)], text=_mac(found))
    ]
    start = len(data) - 2 - len(frame.payload)
    if frame.payload:
        name = "network layer" if found.nwk is not None else "payload"
        text = _nwk(found) if found.nwk is not None else f"{len(frame.payload)} octets"
        rows.append(Field(name=name, offset=start, raw=frame.payload, text=text))
    rows.append(Field(name="check sequence", offset=len(data) - 2, raw=data[-2:], text="right"))
    sealed = found.nwk is not None and found.nwk.security is not None
    text = f"NWK frame {_nwk(found)}" if sealed else summary(found)
    return Field(name="802.15.4", offset=0, raw=data, text=text, children=rows)


def _mac(found: Dissection) -> str:
    if found.mac is None:
        return ""
    ask = ", acknowledgement wanted" if found.mac.ack_request else ""
    return f"{found.mac.kind.name.lower()}, sequence {found.mac.sequence}{ask}"


def _nwk(found: Dissection) -> str:
    if found.nwk is None:
        return ""
    counter = "" if found.nwk.security is None else f", frame counter {found.nwk.security.frame_counter}"
    sealed = "" if found.nwk.security is None else "sealed, "
    return f"{sealed}{found.nwk.source:04X} to {destination_name(found.nwk.destination)}{counter}"


# -------------------------------------------------------------------------------- captures


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """One frame of a capture, read. `time_us`: microseconds since 1970."""

    number: int
    time_us: int
    reception: Reception
    octets: bytes
    dissection: Dissection


def read_frames(data: bytes, keys: Iterable[bytes]) -> Iterator[ReadFrame]:
    """Every frame of a capture file, numbered as its packets are. Packets that hold none are passed over.

    Raises CaptureError where the file is cut short or is none, and for a link type that is not read.
    """
    dissector = Dissector(keys)
    for number, packet in enumerate(read_capture(data), start=1):
        try:
            unwrapped = unwrap(packet)
        except ZigbeeDecodeError as error:
            found = Dissection(problem=str(error))
            yield ReadFrame(number, packet.time_us, Reception(), packet.data, found)
            continue
        if unwrapped is not None:
            reception, octets = unwrapped
            found = dissector.dissect(octets, fcs=reception.fcs, time_s=packet.time_us / 1e6)
            yield ReadFrame(number, packet.time_us, reception, octets, found)


def parties(found: Dissection) -> tuple[str, str]:
    """Who sent a frame to whom: EUI-64s where they are known, else short addresses."""
    mac, network = found.mac, found.nwk
    if mac is None:
        return "", ""
    if network is not None:
        return (
            str(found.source or f"{network.source:04X}"),
            str(found.destination or destination_name(network.destination)),
        )
    return _address(mac.source), _address(mac.destination)


def _address(address: int | Eui64 | None) -> str:
    if address is None:
        return ""
    return destination_name(address) if isinstance(address, int) else str(address)


def summary(found: Dissection) -> str:
    """One line: what a frame is, down to the GBCS message where a whole one has come."""
    if found.mac is None:
        return found.problem
    parts = [part for part in _parts(found) if part]
    if found.problem:
        parts.append(found.problem)
    return ", ".join(parts)


def _parts(found: Dissection) -> Sequence[str]:
    mac = found.mac
    if mac is None:
        return ()
    if mac.kind is MacFrameType.BEACON:
        beacon = found.beacon
        return (
            "beacon",
            "" if beacon is None else f"network {beacon.extended_pan}" + _joining(beacon.permit_joining),
        )
    if mac.kind is not MacFrameType.DATA:
        command = "" if found.command is None else f": {_words(found.command[0].name)}"
        return (f"MAC {mac.kind.name.lower()}{command}",)
    frame = found.aps
    return (_above(found, frame),)


def _above(found: Dissection, frame: ApsFrame | None) -> str:
    """The network layer and what is above it."""
    command = "" if found.command is None else _words(found.command[0].name)
    if frame is None:
        return f"NWK command: {command}" if command else "NWK frame"
    if frame.kind is ApsFrameType.COMMAND:
        return f"APS command: {command}"
    if frame.kind is ApsFrameType.ACKNOWLEDGEMENT:
        return f"APS acknowledgement {frame.counter}"
    return _data(found)


def _joining(permit: bool) -> str:
    return ", joining open" if permit else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def _data(found: Dissection) -> str:
    frame = found.aps
    if frame is None or frame.cluster is None:
        return "APS data"
    if frame.profile == zdo.PROFILE:
        return "ZDO" if found.command is None else f"ZDO: {_words(found.command[0].name)}"
    if found.message is not None:
        return message_title(frame.cluster, found.message)
    cluster = CLUSTERS.get(frame.cluster)
    name = f"cluster {frame.cluster:04X}" if cluster is None else cluster.__name__
    if frame.extended is not None:
        return f"APS fragment of {name}"
    return f"APS data of {name}"
