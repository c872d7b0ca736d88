"""Frames of the application support sublayer, and its commands.

Spec: ZigBee 2.2.5 (frame formats), 2.2.8.4 (fragmentation), 4.4 (security and its commands)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import field
from enum import IntEnum
from typing import Final

from smetslab.crypto import CcmStar
from smetslab.errors import ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.ids import Eui64
from smetslab.value_class import value_class
from smetslab.zigbee.rows import Row, table
from smetslab.zigbee.security import AuxiliaryHeader, decode_auxiliary, seal, unseal
from smetslab.zigbee.zcl.fields import Record, fields, optional, rest, variant
from smetslab.zigbee.zcl.types import Ieee, Key128, UInt8, UInt16

_SPEC = "ZigBee 2.2.5.1"
_ADDRESSED = struct.Struct("<BBHHBB")
"""The header of a frame between endpoints: control, endpoint, cluster, profile, endpoint, counter."""
_ACK_FORMAT, _SECURITY, _ACK_REQUEST, _EXTENDED = 0x10, 0x20, 0x40, 0x80


class ApsFrameType(IntEnum):
    """Spec: ZigBee 2.2.5.1.1.1."""

    DATA = 0
    COMMAND = 1
    ACKNOWLEDGEMENT = 2


class ApsDelivery(IntEnum):
    """Spec: ZigBee 2.2.5.1.1.2. Groups are not in use in GB homes."""

    UNICAST = 0
    BROADCAST = 2


_KINDS = {int(kind): kind for kind in ApsFrameType}
_DATA, _COMMAND, _ACKNOWLEDGEMENT = ApsFrameType
_DELIVERIES = {int(delivery): delivery for delivery in ApsDelivery}


class FragmentKind(IntEnum):
    """Spec: ZigBee 2.2.5.1.8.1."""

    WHOLE = 0
    FIRST = 1
    LATER = 2


@value_class(frozen=True, slots=True)
class ExtendedHeader:
    """Which part of a message a frame carries. `block`: the number of all parts in the first one, the part's
    number in the others and in acknowledgements; `received`: the bitmap of an acknowledgement.

    Spec: ZigBee 2.2.5.1.8
    """

    kind: FragmentKind
    block: int = 0
    received: int | None = None


@value_class(frozen=True, slots=True)
class ApsFrame:
    """A frame. With `security` the payload of a received frame is still sealed.

    Acknowledgements of commands have no addressing: `cluster` is None. So have commands.
    """

    kind: ApsFrameType
    counter: int
    payload: bytes = b""
    delivery: ApsDelivery = ApsDelivery.UNICAST
    destination_endpoint: int = 0
    source_endpoint: int = 0
    cluster: int | None = None
    profile: int = 0
    ack_request: bool = False
    extended: ExtendedHeader | None = None
    security: AuxiliaryHeader | None = None
    head: bytes = field(default=b"", compare=False, repr=False)
    """Of a frame that was read: the octets before its auxiliary header, as its sender authenticated them."""

    def header(self, *, secured: bool = False) -> bytes:
        """The octets before the auxiliary header; `secured`: there will be one.

        Raises ZigbeeEncodeError for a number that does not fit.
        """
        kind = self.kind
        control = kind | self.delivery << 2
        if secured or self.security is not None:
            control |= _SECURITY
        if self.ack_request:
            control |= _ACK_REQUEST
        tail = b""
        if self.extended is not None:
            control |= _EXTENDED
            tail = self._extended(self.extended)
        if kind is _COMMAND:
            if self.cluster is not None:
                raise ZigbeeEncodeError("a command has no cluster", path="APS header", spec=_SPEC)
        elif self.cluster is None:
            if kind is _DATA:
                raise ZigbeeEncodeError("no cluster", path="APS header", spec=_SPEC)
            control |= _ACK_FORMAT
        else:
            return self._addressed(control, self.cluster) + tail
        return bytes((control, self.counter & 0xFF)) + tail

    def _addressed(self, control: int, cluster: int) -> bytes:
        target, source, counter = self.destination_endpoint, self.source_endpoint, self.counter & 0xFF
        try:
            return _ADDRESSED.pack(control, target, cluster, self.profile, source, counter)
        except struct.error as error:
            raise ZigbeeEncodeError(str(error), path="APS header", spec=_SPEC) from None

    def _extended(self, extended: ExtendedHeader) -> bytes:
        octets = bytes((extended.kind,))
        if extended.kind is not FragmentKind.WHOLE:
            octets += bytes((extended.block,))
        if self.kind is ApsFrameType.ACKNOWLEDGEMENT and extended.kind is not FragmentKind.WHOLE:
            octets += bytes((extended.received or 0,))
        return octets

    def encode(self) -> bytes:
        """A frame without security of this layer."""
        if self.security is not None:
            raise ZigbeeEncodeError("a secured frame is sealed", path="APS frame", spec="ZigBee 4.4.1")
        return self.header() + self.payload

    def seal(self, cipher: CcmStar, source: Eui64, auxiliary: AuxiliaryHeader | None = None) -> bytes:
        """A frame under a link key, or a key that follows from it, with its own auxiliary header or another.

        `source`: whose frame counter it has. Spec: ZigBee 4.4.1.1
        """
        if auxiliary is None:
            auxiliary = self.security
        if auxiliary is None:
            raise ZigbeeEncodeError("no auxiliary header", path="APS frame", spec="ZigBee 4.4.1.1")
        return seal(cipher, self.header(secured=True), auxiliary, source, self.payload)


def decode_aps(data: bytes) -> ApsFrame:
    """Read a frame; the payload of a secured one stays sealed. Raises ZigbeeDecodeError."""
    if len(data) < 2:
        raise _truncated(0, 2, len(data))
    control = data[0]
    kind, delivery = _KINDS.get(control & 0x03), _DELIVERIES.get(control >> 2 & 0x03)
    if kind is None or delivery is None:
        raise ZigbeeDecodeError(
            "frame control that is not in use",
            offset=0,
            path="APS frame control",
            found=f"{control:02X}",
            spec=_SPEC,
        )
    position = 2
    counter = data[1]
    destination = source = profile = 0
    cluster = None
    without = kind is _COMMAND or (kind is _ACKNOWLEDGEMENT and control & _ACK_FORMAT)
    if not without:
        position = _ADDRESSED.size
        if position > len(data):
            raise _truncated(1, position - 1, len(data))
        _, destination, cluster, profile, source, counter = _ADDRESSED.unpack_from(data)
    extended = None
    if control & _EXTENDED:
        extended, position = _extended(data, position, acknowledgement=kind is _ACKNOWLEDGEMENT)
    security = None
    head = data[:position]
    if control & _SECURITY:
        security, position = decode_auxiliary(data, position)
    return ApsFrame(  # by position, which is twice as fast
        kind,
        counter,
        data[position:],
        delivery,
        destination,
        source,
        cluster,
        profile,
        control & _ACK_REQUEST != 0,
        extended,
        security,
        head,
    )


def open_aps(frame: ApsFrame, cipher: CcmStar, source: Eui64) -> bytes:
    """The payload of a secured frame from `source`. Raises SecurityError when it was not sealed so.

    Spec: ZigBee 4.4.1.2
    """
    if frame.security is None:
        raise ZigbeeDecodeError("no auxiliary header", path="APS frame", spec="ZigBee 4.4.1.2")
    return unseal(cipher, frame.head or frame.header(), frame.security, source, frame.payload)


def _extended(data: bytes, position: int, *, acknowledgement: bool) -> tuple[ExtendedHeader, int]:
    if position >= len(data):
        raise _truncated(position, 1, len(data))
    kind = data[position] & 0x03
    if kind > FragmentKind.LATER or data[position] >> 2:
        raise ZigbeeDecodeError(
            "no kind of fragment",
            offset=position,
            path="APS extended header",
            found=f"{data[position]:02X}",
            spec="ZigBee 2.2.5.1.8.1",
        )
    position += 1
    if kind == FragmentKind.WHOLE:
        return ExtendedHeader(FragmentKind.WHOLE), position
    wanted = 2 if acknowledgement else 1
    if position + wanted > len(data):
        raise _truncated(position, wanted, len(data))
    received = data[position + 1] if acknowledgement else None
    return ExtendedHeader(FragmentKind(kind), data[position], received), position + wanted


def _truncated(position: int, wanted: int, size: int) -> ZigbeeDecodeError:
    return ZigbeeDecodeError(
        "truncated",
        offset=position,
        path="APS header",
        expected=f"{wanted} more bytes",
        found=str(max(0, size - position)),
        spec=_SPEC,
    )


# -------------------------------------------------------------------------------- commands


class KeyType(IntEnum):
    """Spec: ZigBee 4.4.3.1 (table 4.9)."""

    NETWORK = 1
    APPLICATION_LINK = 3
    TRUST_CENTRE_LINK = 4


class DeviceStatus(IntEnum):
    """How a device came, in `UPDATE_DEVICE`. Spec: ZigBee 4.4.4 (table 4.14)."""

    SECURED_REJOIN = 0
    UNSECURED_JOIN = 1
    LEFT = 2
    UNSECURED_REJOIN = 3


TRANSPORT_KEY = Row(
    0x05,
    "transport_key",
    fields(
        key_type=UInt8,
        key=Key128,
        descriptor=variant(
            "key_type",
            {
                KeyType.NETWORK: fields(sequence=UInt8, destination=Ieee, source=Ieee),
                KeyType.APPLICATION_LINK: fields(partner=Ieee, initiator=UInt8),
                KeyType.TRUST_CENTRE_LINK: fields(destination=Ieee, source=Ieee),
            },
            rest(),
        ),
    ),
    "ZigBee 4.4.9.1",
)
UPDATE_DEVICE = Row(
    0x06, "update_device", fields(device=Ieee, short_address=UInt16, status=UInt8), "ZigBee 4.4.9.3"
)
REMOVE_DEVICE = Row(0x07, "remove_device", fields(device=Ieee), "ZigBee 4.4.9.4")
REQUEST_KEY = Row(0x08, "request_key", fields(key_type=UInt8, partner=optional(Ieee)), "ZigBee 4.4.9.5")
SWITCH_KEY = Row(0x09, "switch_key", fields(sequence=UInt8), "ZigBee 4.4.9.6")
TUNNEL = Row(0x0E, "tunnel", fields(destination=Ieee, frame=rest()), "ZigBee 4.4.9.7")
VERIFY_KEY = Row(0x0F, "verify_key", fields(key_type=UInt8, source=Ieee, hash=Key128), "ZigBee 4.4.9.8")
CONFIRM_KEY = Row(
    0x10, "confirm_key", fields(status=UInt8, key_type=UInt8, destination=Ieee), "ZigBee 4.4.9.9"
)

APS_COMMANDS: Final[Mapping[int, Row]] = table(
    (
        TRANSPORT_KEY,
        UPDATE_DEVICE,
        REMOVE_DEVICE,
        REQUEST_KEY,
        SWITCH_KEY,
        TUNNEL,
        VERIFY_KEY,
        CONFIRM_KEY,
    )
)
"""The commands of APS by identifier. Spec: ZigBee 4.4.9 (table 4.25)."""


def decode_aps_command(payload: bytes) -> tuple[Row, Record]:
    """The row and the fields of a command frame's payload. Raises ZigbeeDecodeError."""
    row = APS_COMMANDS.get(payload[0]) if payload else None
    if row is None:
        raise ZigbeeDecodeError(
            "no APS command",
            offset=0,
            path="APS command",
            found=payload[:1].hex() or "nothing",
            spec="ZigBee 4.4.9",
        )
    return row, row.decode(payload, 1)
