"""From a packet of a capture to the 802.15.4 frame in it, whatever it was captured on.

A capture of an ordinary network holds much that is no ZEP: such packets have no frame, which is no error.

Spec: the registry of link types (LINKTYPE_IEEE802_15_4_WITHFCS, _NOFCS, _TAP, ETHERNET, LINUX_SLL, RAW); ZEP
"""

from __future__ import annotations

from typing import Final

from smetslab.errors import CaptureError
from smetslab.zigbee.capture.file import Packet
from smetslab.zigbee.capture.tap import LINK_TYPE, Reception, decode_tap
from smetslab.zigbee.capture.zep import ZepType, decode_zep, is_zep

WITH_FCS: Final = 195
WITHOUT_FCS: Final = 230
_NULL, _ETHERNET, _RAW, _LINUX, _IPV4, _IPV6, _LINUX_2 = 0, 1, 101, 113, 228, 229, 276
READ_LINK_TYPES: Final = (
    WITH_FCS,
    WITHOUT_FCS,
    LINK_TYPE,
    _ETHERNET,
    _LINUX,
    _LINUX_2,
    _RAW,
    _IPV4,
    _IPV6,
    _NULL,
)

_ETHER_IPV4, _ETHER_IPV6 = 0x0800, 0x86DD
_TAGS: Final = frozenset({0x8100, 0x88A8})
_UDP: Final = 17
_CHECK_SEQUENCE: Final = 2


def unwrap(packet: Packet) -> tuple[Reception, bytes] | None:
    """The frame of a packet and how it was received; None when the packet carries none.

    Raises CaptureError for a link type that is not read, ZigbeeDecodeError for TAP or ZEP that is malformed.
    """
    kind = packet.link_type
    if kind == LINK_TYPE:
        return decode_tap(packet.data)
    if kind in {WITH_FCS, WITHOUT_FCS}:
        return Reception(fcs=kind == WITH_FCS), packet.data
    if kind not in READ_LINK_TYPES:
        known = ", ".join(str(number) for number in sorted(READ_LINK_TYPES))
        raise CaptureError(f"link type {kind}, of those that are read ({known}) none", None)
    datagram = _datagram(kind, packet.data)
    if datagram is None or not is_zep(datagram):
        return None
    found = decode_zep(datagram)
    if found.kind is ZepType.ACKNOWLEDGEMENT or not found.octets:
        return None
    octets = found.octets if found.fcs else found.octets[:-_CHECK_SEQUENCE]
    reception = Reception(
        channel=found.channel, page=found.page, link_quality=found.link_quality, fcs=found.fcs
    )
    return reception, octets


def _datagram(kind: int, data: bytes) -> bytes | None:
    """The payload of a UDP datagram."""
    if kind == _ETHERNET:
        place = 12
        while int.from_bytes(data[place : place + 2], "big") in _TAGS:
            place += 4
        ether, body = int.from_bytes(data[place : place + 2], "big"), data[place + 2 :]
    elif kind == _LINUX:
        ether, body = int.from_bytes(data[14:16], "big"), data[16:]
    elif kind == _LINUX_2:
        ether, body = int.from_bytes(data[0:2], "big"), data[20:]
    else:
        body = data[4:] if kind == _NULL else data
        ether = _ETHER_IPV6 if body[:1] and body[0] >> 4 == 6 else _ETHER_IPV4
    if ether == _ETHER_IPV4:
        return _ipv4(body)
    return _ipv6(body) if ether == _ETHER_IPV6 else None


def _ipv4(body: bytes) -> bytes | None:
    if len(body) < 20 or body[0] >> 4 != 4 or body[9] != _UDP:
        return None
    if int.from_bytes(body[6:8], "big") & 0x3FFF:
        return None  # a fragment: no ZEP is so long
    size, total = (body[0] & 0x0F) * 4, int.from_bytes(body[2:4], "big")
    # A length of 0 is what a network card leaves to fill in; behind the rest an Ethernet frame may be padded.
    return _udp(body[size : total or len(body)])


def _ipv6(body: bytes) -> bytes | None:
    if len(body) < 40 or body[0] >> 4 != 6 or body[6] != _UDP:
        return None
    return _udp(body[40 : 40 + int.from_bytes(body[4:6], "big")])


def _udp(body: bytes) -> bytes | None:
    length = int.from_bytes(body[4:6], "big")
    if length < 8 or length > len(body):
        return None
    return body[8:length]
