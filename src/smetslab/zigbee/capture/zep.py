"""ZEP, the ZigBee encapsulation protocol: one 802.15.4 frame in a UDP datagram, as Wireshark reads it.

Version 2 is written; versions 1 and 2 are read. The header has no place for a channel page. A sub-GHz page
goes into the first reserved octet, which others send as zero and Wireshark passes over.

Spec: Wireshark `packet-zep.c` (header of versions 1 and 2); the use of the reserved octet is our own
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from smetslab.errors import ZigbeeDecodeError, ZigbeeEncodeError

PORT: Final = 17754
"""The UDP port of ZEP."""
MAX_FRAME_OCTETS: Final = 127
"""What an 802.15.4 frame has at most, check sequence included. Spec: IEEE 802.15.4 6.4.1."""

_PREAMBLE: Final = b"EX"
_V1 = struct.Struct(">2sBBHBB7xB")
_V2_DATA = struct.Struct(">2sBBBHBBIIIB9xB")
_V2_ACK = struct.Struct(">2sBBI")
_NTP_EPOCH_S: Final = 2_208_988_800
"""From 1900, where NTP counts from, to 1970."""
_MICROSECONDS: Final = 1_000_000
_WITH_CHECK_SEQUENCE: Final = 1
_LENGTH_MASK: Final = 0x7F


class ZepType(IntEnum):
    """What a datagram of version 2 is."""

    DATA = 1
    ACKNOWLEDGEMENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ZepPacket:
    """A frame as one device received or sent it. `octets`: with its check sequence, or with what a CC24xx
    chip puts in its place where `fcs` is False; empty when there is none. `time_us`: microseconds since 1970,
    None where it was not said; `device`: a number of the sender's choice, 0 to 65535.
    """

    channel: int
    octets: bytes
    page: int = 0
    device: int = 0
    link_quality: int = 0
    sequence: int = 0
    time_us: int | None = None
    fcs: bool = True
    kind: ZepType = ZepType.DATA


def encode_zep(packet: ZepPacket) -> bytes:
    """A datagram of version 2. Raises ZigbeeEncodeError for a frame that is too long, or a channel that has
    no place.
    """
    if packet.kind is ZepType.ACKNOWLEDGEMENT:
        return _V2_ACK.pack(_PREAMBLE, 2, packet.kind, packet.sequence & 0xFFFF_FFFF)
    if len(packet.octets) > MAX_FRAME_OCTETS or not 0 <= packet.channel <= 255:
        raise ZigbeeEncodeError(
            f"a frame of {len(packet.octets)} octets on channel {packet.channel}",
            path="ZEP",
            expected=f"at most {MAX_FRAME_OCTETS} octets, a channel of one octet",
        )
    seconds = fraction = 0
    if packet.time_us is not None:
        seconds, microseconds = divmod(packet.time_us, _MICROSECONDS)
        # Rounded up, so that the microsecond comes back.
        seconds, fraction = seconds + _NTP_EPOCH_S, -(-(microseconds << 32) // _MICROSECONDS)
    return (
        _V2_DATA.pack(
            _PREAMBLE,
            2,
            ZepType.DATA,
            packet.channel,
            packet.device & 0xFFFF,
            _WITH_CHECK_SEQUENCE if packet.fcs else 0,
            packet.link_quality & 0xFF,
            seconds & 0xFFFF_FFFF,
            fraction,
            packet.sequence & 0xFFFF_FFFF,
            packet.page & 0xFF,
            len(packet.octets),
        )
        + packet.octets
    )


def is_zep(datagram: bytes) -> bool:
    """Whether a datagram begins as ZEP."""
    return datagram[:2] == _PREAMBLE


def decode_zep(datagram: bytes) -> ZepPacket:
    """Read a datagram. Raises ZigbeeDecodeError."""
    if not is_zep(datagram) or len(datagram) < 4:
        raise _error("no preamble 'EX'", 0)
    version = datagram[2]
    if version == 1:
        return _decode_v1(datagram)
    if version != 2:
        raise _error(f"version {version}, of which nothing is known", 2)
    if datagram[3] == ZepType.ACKNOWLEDGEMENT:
        if len(datagram) < _V2_ACK.size:
            raise _error("an acknowledgement cut short", len(datagram))
        [_, _, _, sequence] = _V2_ACK.unpack_from(datagram)
        return ZepPacket(channel=0, octets=b"", sequence=sequence, kind=ZepType.ACKNOWLEDGEMENT)
    if datagram[3] != ZepType.DATA:
        raise _error(f"type {datagram[3]} is neither data nor acknowledgement", 3)
    if len(datagram) < _V2_DATA.size:
        raise _error("a header cut short", len(datagram))
    (_, _, _, channel, device, mode, quality, seconds, fraction, sequence, page, length) = (
        _V2_DATA.unpack_from(datagram)
    )
    time_us: int | None = None
    if seconds:
        time_us = (seconds - _NTP_EPOCH_S) * _MICROSECONDS + (fraction * _MICROSECONDS >> 32)
    return ZepPacket(
        channel=channel,
        page=page,
        device=device,
        link_quality=quality,
        sequence=sequence,
        time_us=time_us,
        fcs=bool(mode),
        octets=_frame(datagram, _V2_DATA.size, length),
    )


def _decode_v1(datagram: bytes) -> ZepPacket:
    if len(datagram) < _V1.size:
        raise _error("a header cut short", len(datagram))
    _, _, channel, device, mode, quality, length = _V1.unpack_from(datagram)
    octets = _frame(datagram, _V1.size, length)
    return ZepPacket(channel=channel, device=device, link_quality=quality, fcs=bool(mode), octets=octets)


def _frame(datagram: bytes, start: int, length: int) -> bytes:
    octets = datagram[start:]
    if len(octets) != length & _LENGTH_MASK:
        raise _error(f"{len(octets)} octets of a frame of {length & _LENGTH_MASK}", start)
    return octets


def _error(what: str, position: int) -> ZigbeeDecodeError:
    return ZigbeeDecodeError(what, offset=position, path="ZEP", spec="ZEP version 2")
