"""Frames of the network layer, and its commands.

Spec: ZigBee 3.3 (frame formats), 3.4 (commands), 4.3 (security)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import field
from enum import IntEnum
from typing import Final

from smetslab.crypto import CcmStar
from smetslab.errors import SecurityError, ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.ids import Eui64, eui64_of
from smetslab.value_class import value_class
from smetslab.zigbee.rows import Row, table
from smetslab.zigbee.security import AuxiliaryHeader, decode_auxiliary, seal, unseal
from smetslab.zigbee.zcl.fields import Record, counted, fields, to_end
from smetslab.zigbee.zcl.types import Ieee, UInt8, UInt16

BROADCAST_ALL: Final = 0xFFFF
BROADCAST_AWAKE: Final = 0xFFFD
"""Everybody whose receiver is on when idle. Spec: ZigBee 3.6.5."""
BROADCAST_ROUTERS: Final = 0xFFFC
PROTOCOL_VERSION: Final = 2
MAX_NWK_OCTETS: Final = 116
"""Of a frame: what the header of the MAC layer between two short addresses of one PAN leaves."""

_SPEC = "ZigBee 3.3.1"
_HEAD = struct.Struct("<HHHBB")
_DISCOVER_ROUTE, _MULTICAST, _SECURITY, _SOURCE_ROUTE = 0x0040, 0x0100, 0x0200, 0x0400
_DESTINATION_IEEE, _SOURCE_IEEE, _END_DEVICE_INITIATOR = 0x0800, 0x1000, 0x2000


class NwkFrameType(IntEnum):
    """Spec: ZigBee 3.3.1.1.1."""

    DATA = 0
    COMMAND = 1
    INTER_PAN = 3


_KINDS = {int(kind): kind for kind in NwkFrameType}
_OPTIONS = _DESTINATION_IEEE | _SOURCE_IEEE | _SOURCE_ROUTE


@value_class(frozen=True, slots=True)
class NwkFrame:
    """A frame. With `security` the payload of a received frame is still sealed: `open_nwk` opens it.

    `source_route`: the relays of a source-routed frame, nearest to the destination first, and the index of
    the next one.
    """

    kind: NwkFrameType
    destination: int
    source: int
    sequence: int
    payload: bytes
    radius: int = 30
    security: AuxiliaryHeader | None = None
    discover_route: bool = False
    destination_ieee: Eui64 | None = None
    source_ieee: Eui64 | None = None
    source_route: tuple[tuple[int, ...], int] | None = None
    end_device_initiator: bool = False
    version: int = PROTOCOL_VERSION
    head: bytes = field(default=b"", compare=False, repr=False)
    """Of a frame that was read: the octets before its auxiliary header, as its sender authenticated them."""

    def header(self) -> bytes:
        """The octets before the auxiliary header. Raises ZigbeeEncodeError for a number that does not fit."""
        control = self.kind | self.version << 2
        if self.discover_route:
            control |= _DISCOVER_ROUTE
        if self.security is not None:
            control |= _SECURITY
        if self.end_device_initiator:
            control |= _END_DEVICE_INITIATOR
        tail = b""
        if self.destination_ieee is not None:
            control |= _DESTINATION_IEEE
            tail += self.destination_ieee.raw[::-1]
        if self.source_ieee is not None:
            control |= _SOURCE_IEEE
            tail += self.source_ieee.raw[::-1]
        if self.source_route is not None:
            control |= _SOURCE_ROUTE
            relays, index = self.source_route
            tail += bytes((len(relays), index)) + b"".join(relay.to_bytes(2, "little") for relay in relays)
        try:
            head = _HEAD.pack(control, self.destination, self.source, self.radius, self.sequence & 0xFF)
        except struct.error as error:
            raise ZigbeeEncodeError(str(error), path="NWK header", spec=_SPEC) from None
        return head + tail

    def encode(self) -> bytes:
        """A frame without security."""
        if self.security is not None:
            raise ZigbeeEncodeError("a secured frame is sealed", path="NWK frame", spec="ZigBee 4.3.1")
        return self.header() + self.payload

    def seal(self, cipher: CcmStar, auxiliary: AuxiliaryHeader | None = None) -> bytes:
        """A frame under the network key. Its auxiliary header, or another, names the sender.

        Spec: ZigBee 4.3.1.1
        """
        if auxiliary is None:
            auxiliary = self.security
        if auxiliary is None or auxiliary.source is None or self.security is None:
            raise ZigbeeEncodeError("no sender to secure it for", path="NWK frame", spec="ZigBee 4.3.1.1")
        return seal(cipher, self.header(), auxiliary, auxiliary.source, self.payload)


def decode_nwk(data: bytes) -> NwkFrame:
    """Read a frame; the payload of a secured one stays sealed. Raises ZigbeeDecodeError."""
    if len(data) < _HEAD.size:
        raise _truncated(0, _HEAD.size, len(data))
    control, destination, source, radius, sequence = _HEAD.unpack_from(data)
    kind = control & 0x03
    if kind == 2 or control & _MULTICAST:
        raise ZigbeeDecodeError(
            "frame control that is not in use",
            offset=0,
            path="NWK frame control",
            found=f"{control:04X}",
            spec=_SPEC,
        )
    position = _HEAD.size
    destination_ieee = source_ieee = None
    source_route = None
    if control & _OPTIONS:
        if control & _DESTINATION_IEEE:
            destination_ieee, position = _ieee(data, position)
        if control & _SOURCE_IEEE:
            source_ieee, position = _ieee(data, position)
        if control & _SOURCE_ROUTE:
            source_route, position = _relays(data, position)
    security = None
    head = data[:position]
    if control & _SECURITY:
        security, position = decode_auxiliary(data, position)
    return NwkFrame(  # by position, which is twice as fast
        _KINDS[kind],
        destination,
        source,
        sequence,
        data[position:],
        radius,
        security,
        control & _DISCOVER_ROUTE != 0,
        destination_ieee,
        source_ieee,
        source_route,
        control & _END_DEVICE_INITIATOR != 0,
        control >> 2 & 0x0F,
        head,
    )


def open_nwk(frame: NwkFrame, cipher: CcmStar) -> bytes:
    """The payload of a secured frame. Raises SecurityError when it was not sealed so.

    Spec: ZigBee 4.3.1.2
    """
    auxiliary = frame.security
    if auxiliary is None or auxiliary.source is None:
        raise SecurityError("NWK security", "the frame names no sender", spec="ZigBee 4.3.1.2")
    return unseal(cipher, frame.head or frame.header(), auxiliary, auxiliary.source, frame.payload)


def _ieee(data: bytes, position: int) -> tuple[Eui64, int]:
    end = position + 8
    if end > len(data):
        raise _truncated(position, 8, len(data))
    return eui64_of(data[position:end][::-1]), end


def _relays(data: bytes, position: int) -> tuple[tuple[tuple[int, ...], int], int]:
    if position + 2 > len(data):
        raise _truncated(position, 2, len(data))
    count, index = data[position], data[position + 1]
    start = position + 2
    end = start + 2 * count
    if end > len(data):
        raise _truncated(start, 2 * count, len(data))
    relays = tuple(data[place] | data[place + 1] << 8 for place in range(start, end, 2))
    return (relays, index), end


def _truncated(position: int, wanted: int, size: int) -> ZigbeeDecodeError:
    return ZigbeeDecodeError(
        "truncated",
        offset=position,
        path="NWK header",
        expected=f"{wanted} more bytes",
        found=str(max(0, size - position)),
        spec=_SPEC,
    )


# -------------------------------------------------------------------------------- commands

ROUTE_REQUEST = Row(
    0x01,
    "route_request",
    fields(
        options=UInt8, identifier=UInt8, destination=UInt16, path_cost=UInt8, destination_ieee=to_end(Ieee)
    ),
    "ZigBee 3.4.1",
)
ROUTE_REPLY = Row(
    0x02,
    "route_reply",
    fields(
        options=UInt8,
        identifier=UInt8,
        originator=UInt16,
        responder=UInt16,
        path_cost=UInt8,
        addresses_ieee=to_end(Ieee),
    ),
    "ZigBee 3.4.2",
)
NETWORK_STATUS = Row(0x03, "network_status", fields(status=UInt8, destination=UInt16), "ZigBee 3.4.3")
LEAVE = Row(0x04, "leave", fields(options=UInt8), "ZigBee 3.4.4")
ROUTE_RECORD = Row(0x05, "route_record", fields(relays=counted(UInt8, UInt16)), "ZigBee 3.4.5")
REJOIN_REQUEST = Row(0x06, "rejoin_request", fields(capability=UInt8), "ZigBee 3.4.6")
REJOIN_RESPONSE = Row(0x07, "rejoin_response", fields(short_address=UInt16, status=UInt8), "ZigBee 3.4.7")
LINK_STATUS = Row(
    0x08,
    "link_status",
    fields(options=UInt8, links=to_end(fields(neighbour=UInt16, costs=UInt8))),
    "ZigBee 3.4.8",
)
NETWORK_REPORT = Row(
    0x09, "network_report", fields(options=UInt8, extended_pan=Ieee, pans=to_end(UInt16)), "ZigBee 3.4.9"
)
NETWORK_UPDATE = Row(
    0x0A,
    "network_update",
    fields(options=UInt8, extended_pan=Ieee, update_id=UInt8, pan=UInt16),
    "ZigBee 3.4.10",
)
END_DEVICE_TIMEOUT_REQUEST = Row(
    0x0B, "end_device_timeout_request", fields(timeout=UInt8, configuration=UInt8), "ZigBee 3.4.11"
)
END_DEVICE_TIMEOUT_RESPONSE = Row(
    0x0C, "end_device_timeout_response", fields(status=UInt8, parent_information=UInt8), "ZigBee 3.4.12"
)

NWK_COMMANDS: Final[Mapping[int, Row]] = table(
    (
        ROUTE_REQUEST,
        ROUTE_REPLY,
        NETWORK_STATUS,
        LEAVE,
        ROUTE_RECORD,
        REJOIN_REQUEST,
        REJOIN_RESPONSE,
        LINK_STATUS,
        NETWORK_REPORT,
        NETWORK_UPDATE,
        END_DEVICE_TIMEOUT_REQUEST,
        END_DEVICE_TIMEOUT_RESPONSE,
    )
)
"""The commands of the network layer by identifier. Spec: ZigBee 3.4 (table 3.40)."""

LEAVE_REMOVE_CHILDREN, LEAVE_REQUEST, LEAVE_REJOIN = 0x80, 0x40, 0x20
"""Bits of the options of `LEAVE`. Spec: ZigBee 3.4.4.3.1."""


def decode_nwk_command(payload: bytes) -> tuple[Row, Record]:
    """The row and the fields of a command frame's payload. Raises ZigbeeDecodeError."""
    row = NWK_COMMANDS.get(payload[0]) if payload else None
    if row is None:
        raise ZigbeeDecodeError(
            "no NWK command",
            offset=0,
            path="NWK command",
            found=payload[:1].hex() or "nothing",
            spec="ZigBee 3.4",
        )
    return row, row.decode(payload, 1)
