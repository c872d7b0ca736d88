"""Frames of the MAC layer: data, acknowledgement, beacon and command, with their check sequence.

Spec: IEEE 802.15.4-2006 7.2, 7.3; ZigBee annex D (how ZigBee uses it: no MAC security, no superframes)
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from functools import lru_cache
from struct import Struct
from typing import Final, TypeAlias

from smetslab.errors import ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.ids import Eui64, eui64_of
from smetslab.value_class import value_class
from smetslab.zigbee.rows import Row, table
from smetslab.zigbee.zcl.fields import Record, fields
from smetslab.zigbee.zcl.types import Ieee, UInt8, UInt16, UInt24

MAX_PSDU: Final = 127
"""Octets of the longest frame, check sequence included. Spec: IEEE 802.15.4 6.4.1 (aMaxPHYPacketSize)."""
FCS_BYTES: Final = 2
ACKNOWLEDGEMENT_OCTETS: Final = 5
"""Of an acknowledgement, the shortest frame there is."""
BROADCAST: Final = 0xFFFF
"""Short address, or PAN id, of everybody."""
NO_SHORT_ADDRESS: Final = 0xFFFE

_SPEC = "IEEE 802.15.4 7.2"
_SECURITY, _PENDING, _ACK_REQUEST, _COMPRESSION = 0x0008, 0x0010, 0x0020, 0x0040
_SHORT, _LONG = 2, 3
_TO_SHORT_ADDRESS = 7
"""Octets of a frame up to the end of a short destination."""

Address: TypeAlias = int | Eui64
"""A short address or an extended one."""


class MacFrameType(IntEnum):
    """Spec: IEEE 802.15.4 7.2.1.1.1."""

    BEACON = 0
    DATA = 1
    ACKNOWLEDGEMENT = 2
    COMMAND = 3


_KINDS = tuple(MacFrameType)
_HEAD = Struct("<HB")
_ADDRESSING = 0xCC40
"""The modes of both addresses, and whether they share a PAN id."""
_SHORT_ADDRESSES = _SHORT << 10 | _SHORT << 14 | _COMPRESSION
_SHORT_LAYOUT = Struct("<HBHHH")
"""Control, sequence number, PAN id, destination, source, where both addresses are short ones of one PAN."""


@value_class(frozen=True, slots=True)
class MacFrame:
    """A frame without its check sequence. Without `source_pan` the source is in the destination's PAN."""

    kind: MacFrameType
    sequence: int
    payload: bytes = b""
    destination_pan: int | None = None
    destination: Address | None = None
    source_pan: int | None = None
    source: Address | None = None
    ack_request: bool = False
    frame_pending: bool = False
    version: int = 0

    def encode(self, *, sequence: int | None = None) -> bytes:
        """Header and payload, with another sequence number if one is given.

        Raises ZigbeeEncodeError for a frame that is too long or contradicts itself.
        """
        source, destination = self.source, self.destination
        control = self.kind | self.version << 12
        if self.frame_pending:
            control |= _PENDING
        if self.ack_request:
            control |= _ACK_REQUEST
        number = (self.sequence if sequence is None else sequence) & 0xFF
        pan = BROADCAST if self.destination_pan is None else self.destination_pan
        if isinstance(source, int) and isinstance(destination, int) and self.source_pan is None:
            # nearly all that carry data
            head = _SHORT_LAYOUT.pack(control | _SHORT_ADDRESSES, number, pan, destination, source)
            octets = head + self.payload
        else:
            octets = self._header(control, number, pan) + self.payload
        if len(octets) + FCS_BYTES > MAX_PSDU:
            raise ZigbeeEncodeError(
                "too long for a frame",
                path="MAC frame",
                expected=f"at most {MAX_PSDU - FCS_BYTES} bytes",
                found=str(len(octets)),
                spec="IEEE 802.15.4 6.4.1",
            )
        return octets

    def _header(self, control: int, number: int, pan: int) -> bytes:
        """Control, sequence number and addresses, whatever these are."""
        if self.source is not None and self.source_pan is None:
            control |= _COMPRESSION
            if self.destination is None:
                raise ZigbeeEncodeError("no PAN id for the source", path="MAC header", spec=_SPEC)
        control |= _mode(self.destination) << 10 | _mode(self.source) << 14
        octets = _HEAD.pack(control, number)
        if self.destination is not None:
            octets += pan.to_bytes(2, "little") + _address_octets(self.destination)
        if self.source is not None:
            if self.source_pan is not None:
                octets += self.source_pan.to_bytes(2, "little")
            octets += _address_octets(self.source)
        return octets


def _mode(address: Address | None) -> int:
    if address is None:
        return 0
    return _LONG if isinstance(address, Eui64) else _SHORT


def _address_octets(address: Address) -> bytes:
    return address.raw[::-1] if isinstance(address, Eui64) else address.to_bytes(2, "little")


def decode_mac(data: bytes) -> MacFrame:
    """Read a frame without its check sequence. Raises ZigbeeDecodeError."""
    if len(data) < 3:
        raise _truncated(0, 3, len(data), "frame control and sequence number")
    control = data[0] | data[1] << 8
    kind, destination_mode, source_mode = control & 7, control >> 10 & 3, control >> 14
    if kind >= len(_KINDS) or destination_mode == 1 or source_mode == 1 or control & _SECURITY:
        raise ZigbeeDecodeError(
            "frame control that ZigBee does not use",
            offset=0,
            path="MAC frame control",
            found=f"{control:04X}",
            spec="ZigBee D.4",
        )
    if control & _ADDRESSING == _SHORT_ADDRESSES and len(data) >= _SHORT_LAYOUT.size:  # nearly all with data
        _, number, pan, short_destination, short_source = _SHORT_LAYOUT.unpack_from(data)
        return MacFrame(  # by position, which is twice as fast
            _KINDS[kind],
            number,
            data[_SHORT_LAYOUT.size :],
            pan,
            short_destination,
            None,
            short_source,
            control & _ACK_REQUEST != 0,
            control & _PENDING != 0,
            control >> 12 & 3,
        )
    position = 3
    destination_pan: int | None = None
    source_pan: int | None = None
    destination: Address | None = None
    source: Address | None = None
    if destination_mode:
        destination_pan, position = _short(data, position)
        destination, position = _address(data, position, destination_mode)
    if source_mode:
        if not control & _COMPRESSION:
            source_pan, position = _short(data, position)
        source, position = _address(data, position, source_mode)
    return MacFrame(
        kind=_KINDS[kind],
        sequence=data[2],
        payload=data[position:],
        destination_pan=destination_pan,
        destination=destination,
        source_pan=source_pan,
        source=source,
        ack_request=bool(control & _ACK_REQUEST),
        frame_pending=bool(control & _PENDING),
        version=control >> 12 & 3,
    )


def _short(data: bytes, position: int) -> tuple[int, int]:
    if position + 2 > len(data):
        raise _truncated(position, 2, len(data), "addressing fields")
    return data[position] | data[position + 1] << 8, position + 2


def _address(data: bytes, position: int, mode: int) -> tuple[Address, int]:
    if mode == _SHORT:
        return _short(data, position)
    if position + 8 > len(data):
        raise _truncated(position, 8, len(data), "addressing fields")
    return eui64_of(data[position : position + 8][::-1]), position + 8


def _truncated(position: int, wanted: int, size: int, path: str) -> ZigbeeDecodeError:
    return ZigbeeDecodeError(
        "truncated",
        offset=position,
        path=f"MAC {path}",
        expected=f"{wanted} more bytes",
        found=str(max(0, size - position)),
        spec=_SPEC,
    )


_TURNED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
"""Octets with their bits in reverse order: this CRC takes the lowest bit first, the library's the highest."""


def frame_check_sequence(data: bytes) -> bytes:
    """CRC-16 of header and payload, low octet first. Spec: IEEE 802.15.4 7.2.1.9."""
    crc = binascii.crc_hqx(data.translate(_TURNED), 0)
    return bytes((_TURNED[crc >> 8], _TURNED[crc & 0xFF]))


def short_destination(octets: bytes) -> int:
    """The short address that a frame is sent to, without reading the rest; BROADCAST where it has none.

    Spec: IEEE 802.15.4 7.2.1.1.6
    """
    if len(octets) >= _TO_SHORT_ADDRESS and octets[1] >> 2 & 3 == _SHORT:
        return octets[5] | octets[6] << 8
    return BROADCAST


@lru_cache(maxsize=512)
def acknowledgement(sequence: int, *, pending: bool) -> bytes:
    """An acknowledgement, check sequence included: there are 512. Spec: IEEE 802.15.4 7.2.2.3."""
    octets = MacFrame(kind=MacFrameType.ACKNOWLEDGEMENT, sequence=sequence, frame_pending=pending).encode()
    return octets + frame_check_sequence(octets)


def is_intact(octets: bytes) -> bool:
    """Whether a frame ends in the check sequence of what is before it: the CRC over both is nothing."""
    return len(octets) > FCS_BYTES and not binascii.crc_hqx(octets.translate(_TURNED), 0)


# -------------------------------------------------------------------------------- commands

ASSOCIATION_REQUEST = Row(0x01, "association_request", fields(capability=UInt8), "IEEE 802.15.4 7.3.1")
ASSOCIATION_RESPONSE = Row(
    0x02, "association_response", fields(short_address=UInt16, status=UInt8), "IEEE 802.15.4 7.3.2"
)
DISASSOCIATION_NOTIFICATION = Row(
    0x03, "disassociation_notification", fields(reason=UInt8), "IEEE 802.15.4 7.3.3"
)
DATA_REQUEST = Row(0x04, "data_request", fields(), "IEEE 802.15.4 7.3.4")
PAN_ID_CONFLICT_NOTIFICATION = Row(0x05, "pan_id_conflict_notification", fields(), "IEEE 802.15.4 7.3.5")
ORPHAN_NOTIFICATION = Row(0x06, "orphan_notification", fields(), "IEEE 802.15.4 7.3.6")
BEACON_REQUEST = Row(0x07, "beacon_request", fields(), "IEEE 802.15.4 7.3.7")
COORDINATOR_REALIGNMENT = Row(
    0x08,
    "coordinator_realignment",
    fields(pan=UInt16, coordinator_short_address=UInt16, channel=UInt8, short_address=UInt16),
    "IEEE 802.15.4 7.3.8",
)

MAC_COMMANDS: Final[Mapping[int, Row]] = table(
    (
        ASSOCIATION_REQUEST,
        ASSOCIATION_RESPONSE,
        DISASSOCIATION_NOTIFICATION,
        DATA_REQUEST,
        PAN_ID_CONFLICT_NOTIFICATION,
        ORPHAN_NOTIFICATION,
        BEACON_REQUEST,
        COORDINATOR_REALIGNMENT,
    )
)
"""The commands of the MAC layer by identifier. Spec: IEEE 802.15.4 7.3 (table 82)."""


class AssociationStatus(IntEnum):
    """Spec: IEEE 802.15.4 7.3.2.3."""

    SUCCESS = 0
    PAN_AT_CAPACITY = 1
    PAN_ACCESS_DENIED = 2


class Capability(IntFlag):
    """What a joining device says of itself. Spec: IEEE 802.15.4 7.3.1.2."""

    FULL_FUNCTION = 0x02
    MAINS_POWERED = 0x04
    RECEIVER_ON_WHEN_IDLE = 0x08
    ALLOCATE_ADDRESS = 0x80


ROUTER: Final = (
    Capability.FULL_FUNCTION
    | Capability.MAINS_POWERED
    | Capability.RECEIVER_ON_WHEN_IDLE
    | Capability.ALLOCATE_ADDRESS
)
SLEEPY_END_DEVICE: Final = Capability.ALLOCATE_ADDRESS
END_DEVICE: Final = Capability.MAINS_POWERED | Capability.RECEIVER_ON_WHEN_IDLE | Capability.ALLOCATE_ADDRESS


def orphan_notification(eui64: Eui64) -> MacFrame:
    """A device that has lost its parent asks for it. Spec: IEEE 802.15.4 7.3.6."""
    return MacFrame(
        kind=MacFrameType.COMMAND,
        sequence=0,
        destination_pan=BROADCAST,
        destination=BROADCAST,
        source_pan=BROADCAST,
        source=eui64,
        payload=bytes((ORPHAN_NOTIFICATION.id,)),
    )


def beacon_request() -> MacFrame:
    """Who is there, to whoever hears it on this channel. Spec: IEEE 802.15.4 7.3.7."""
    return MacFrame(
        kind=MacFrameType.COMMAND,
        sequence=0,
        destination_pan=BROADCAST,
        destination=BROADCAST,
        payload=bytes((BEACON_REQUEST.id,)),
    )


def decode_mac_command(payload: bytes) -> tuple[Row, Record]:
    """The row and the fields of a command frame's payload. Raises ZigbeeDecodeError."""
    row = MAC_COMMANDS.get(payload[0]) if payload else None
    if row is None:
        raise ZigbeeDecodeError(
            "no MAC command", offset=0, path="MAC command", found=payload[:1].hex() or "nothing", spec=_SPEC
        )
    return row, row.decode(payload, 1)


# -------------------------------------------------------------------------------- beacons

_NO_SUPERFRAME, _COORDINATOR, _ASSOCIATION_PERMIT = 0x0FFF, 0x4000, 0x8000
_BEACON = Row(
    0x00,
    "beacon",
    fields(
        superframe=UInt16,
        guaranteed_time_slots=UInt8,
        pending_addresses=UInt8,
        protocol_id=UInt8,
        stack=UInt8,
        capacity=UInt8,
        extended_pan=Ieee,
        transmit_offset=UInt24,
        update_id=UInt8,
    ),
    "ZigBee 3.6.7",
)


@value_class(frozen=True, slots=True, kw_only=True)
class ZigbeeBeacon:
    """The payload of a beacon of a ZigBee PRO network: no superframes.

    Spec: ZigBee 3.6.7; IEEE 802.15.4 7.2.2.1
    """

    extended_pan: Eui64
    permit_joining: bool
    coordinator: bool
    depth: int = 0
    router_capacity: bool = True
    end_device_capacity: bool = True
    stack_profile: int = 2
    protocol_version: int = 2
    update_id: int = 0

    def encode(self) -> bytes:
        """Superframe specification, two empty lists, and the 15 octets of ZigBee."""
        superframe = _NO_SUPERFRAME
        if self.coordinator:
            superframe |= _COORDINATOR
        if self.permit_joining:
            superframe |= _ASSOCIATION_PERMIT
        capacity = self.depth << 3 | self.router_capacity << 2 | self.end_device_capacity << 7
        return _BEACON.encode(
            superframe=superframe,
            guaranteed_time_slots=0,
            pending_addresses=0,
            protocol_id=0,
            stack=self.stack_profile | self.protocol_version << 4,
            capacity=capacity,
            extended_pan=self.extended_pan,
            transmit_offset=0xFFFFFF,
            update_id=self.update_id,
        )


def decode_beacon(payload: bytes) -> ZigbeeBeacon:
    """Read a beacon's payload. Raises ZigbeeDecodeError for one that is not of a ZigBee network."""
    record = _BEACON.decode(payload)
    lists = record.integer("guaranteed_time_slots") or record.integer("pending_addresses")
    if lists or record.integer("protocol_id") or record.trailing:
        raise ZigbeeDecodeError("no beacon of a ZigBee network", offset=2, path="beacon", spec="ZigBee 3.6.7")
    extended_pan = record["extended_pan"]
    if not isinstance(extended_pan, Eui64):
        raise ZigbeeDecodeError("no extended PAN id", offset=7, path="beacon", spec="ZigBee 3.6.7")
    superframe, stack, capacity = (record.integer(name) for name in ("superframe", "stack", "capacity"))
    return ZigbeeBeacon(
        extended_pan=extended_pan,
        permit_joining=bool(superframe & _ASSOCIATION_PERMIT),
        coordinator=bool(superframe & _COORDINATOR),
        depth=capacity >> 3 & 0x0F,
        router_capacity=bool(capacity & 0x04),
        end_device_capacity=bool(capacity & 0x80),
        stack_profile=stack & 0x0F,
        protocol_version=stack >> 4,
        update_id=record.integer("update_id"),
    )
