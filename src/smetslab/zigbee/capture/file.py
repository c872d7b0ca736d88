"""Capture files: pcapng written and read, the older pcap read.

Times are microseconds since 1970, integers. What is written is little-endian; both orders are read.

Spec: draft-ietf-opsawg-pcapng (pcapng), draft-ietf-opsawg-pcap (pcap)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from smetslab.errors import CaptureError

MAX_PACKET_OCTETS: Final = 65535
MAX_BLOCK_OCTETS: Final = 1 << 20
"""A longer block is no packet of a ZigBee network."""

_SECTION, _INTERFACE, _SIMPLE, _PACKET = 0x0A0D0D0A, 1, 3, 6
_MAGIC, _UNKNOWN_LENGTH = 0x1A2B3C4D, 0xFFFF_FFFF_FFFF_FFFF
_END, _COMMENT, _NAME, _RESOLUTION = 0, 1, 2, 9
_HARDWARE = 2
_SOFTWARE = 4
_MICROSECONDS = 6
_PCAP_MAGICS: Final[dict[bytes, tuple[Literal["<", ">"], int]]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}


@dataclass(frozen=True, slots=True)
class Interface:
    """What a packet was captured on."""

    link_type: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured packet. `time_us`: microseconds since 1970; `interface`: its number in the file."""

    time_us: int
    interface: int
    link_type: int
    data: bytes
    comment: str = ""


# -------------------------------------------------------------------------------- writing


def file_header(interfaces: Sequence[Interface], *, application: str, hardware: str = "") -> bytes:
    """The beginning of a pcapng file: the section and its interfaces."""
    section = struct.pack("<IHHQ", _MAGIC, 1, 0, _UNKNOWN_LENGTH)
    section += _options((_HARDWARE, hardware.encode()), (_SOFTWARE, application.encode()))
    blocks = [_block(_SECTION, section)]
    for interface in interfaces:
        body = struct.pack("<HHI", interface.link_type, 0, MAX_PACKET_OCTETS)
        body += _options((_NAME, interface.name.encode()), (_RESOLUTION, bytes((_MICROSECONDS,))))
        blocks.append(_block(_INTERFACE, body))
    return b"".join(blocks)


def packet_block(packet: Packet) -> bytes:
    """A packet of a pcapng file."""
    body = struct.pack(
        "<IIIII",
        packet.interface,
        packet.time_us >> 32,
        packet.time_us & 0xFFFF_FFFF,
        len(packet.data),
        len(packet.data),
    )
    body += packet.data + bytes(-len(packet.data) % 4) + _options((_COMMENT, packet.comment.encode()))
    return _block(_PACKET, body)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def _options(*options: tuple[int, bytes]) -> bytes:
    """Options that are not empty, and the mark of their end if there are any."""
    octets = b"".join(
        struct.pack("<HH", kind, len(value)) + value + bytes(-len(value) % 4)
        for kind, value in options
        if value
    )
    return octets + bytes(4) if octets else b""


# -------------------------------------------------------------------------------- reading


def is_capture(head: bytes) -> bool:
    """Whether a file begins as pcapng or pcap; four octets of it will do."""
    return head[:4] == b"\x0a\x0d\x0d\x0a" or head[:4] in _PCAP_MAGICS


def read_capture(data: bytes) -> Iterator[Packet]:
    """The packets of a pcap or pcapng file, in order. Raises CaptureError at what is neither."""
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _read_pcapng(data)
    elif data[:4] in _PCAP_MAGICS:
        yield from _read_pcap(data, *_PCAP_MAGICS[data[:4]])
    else:
        raise CaptureError("neither pcap nor pcapng", 0)


def _read_pcap(data: bytes, order: Literal["<", ">"], units: int) -> Iterator[Packet]:
    if len(data) < 24:
        raise CaptureError("the file header is cut short", 0)
    [link_type] = struct.unpack_from(f"{order}I", data, 20)
    head = struct.Struct(f"{order}IIII")
    position = 24
    while position < len(data):
        if position + head.size > len(data):
            raise CaptureError("the header of a packet is cut short", position)
        seconds, fraction, captured, _ = head.unpack_from(data, position)
        start = position + head.size
        if captured > MAX_BLOCK_OCTETS or start + captured > len(data):
            raise CaptureError("a packet runs out of the file", position)
        time_us = seconds * 1_000_000 + fraction * 1_000_000 // units
        yield Packet(time_us, 0, link_type & 0xFFFF, data[start : start + captured])
        position = start + captured


@dataclass(frozen=True, slots=True)
class _Source:
    link_type: int
    units: int
    """Ticks of its clock in a second."""


def _read_pcapng(data: bytes) -> Iterator[Packet]:
    order: Literal["<", ">"] = "<"
    interfaces: list[_Source] = []
    position = 0
    while position < len(data):
        if position + 12 > len(data):
            raise CaptureError("a block is cut short", position)
        if data[position : position + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[position + 8 : position + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, size = struct.unpack_from(f"{order}II", data, position)
        if size < 12 or size % 4 or size > MAX_BLOCK_OCTETS or position + size > len(data):
            raise CaptureError(f"a block of {size} bytes", position)
        body = data[position + 8 : position + size - 4]
        if kind == _INTERFACE:
            interfaces.append(_interface(body, order, position))
        elif kind == _PACKET:
            yield _packet(body, order, interfaces, position)
        elif kind == _SIMPLE:
            yield _simple(body, order, interfaces, position)
        position += size


def _interface(body: bytes, order: Literal["<", ">"], position: int) -> _Source:
    if len(body) < 8:
        raise CaptureError("an interface is cut short", position)
    [link_type] = struct.unpack_from(f"{order}H", body)
    resolution = _read_options(body[8:], order, position).get(_RESOLUTION, b"\x06")
    exponent = resolution[0] & 0x7F if resolution else _MICROSECONDS
    if exponent > 30:
        raise CaptureError("a clock finer than any", position)
    return _Source(link_type, 1 << exponent if resolution[0] & 0x80 else 10**exponent)


def _packet(body: bytes, order: Literal["<", ">"], interfaces: Sequence[_Source], position: int) -> Packet:
    if len(body) < 20:
        raise CaptureError("a packet is cut short", position)
    number, high, low, captured, _ = struct.unpack_from(f"{order}IIIII", body)
    end = 20 + captured
    if number >= len(interfaces) or end > len(body):
        raise CaptureError("a packet of no interface, or longer than its block", position)
    source = interfaces[number]
    options = _read_options(body[end + -end % 4 :], order, position)
    time_us = (high << 32 | low) * 1_000_000 // source.units
    comment = options.get(_COMMENT, b"").decode("utf-8", "replace")
    return Packet(time_us, number, source.link_type, body[20:end], comment)


def _simple(body: bytes, order: Literal["<", ">"], interfaces: Sequence[_Source], position: int) -> Packet:
    if len(body) < 4 or not interfaces:
        raise CaptureError("a packet of no interface", position)
    [size] = struct.unpack_from(f"{order}I", body)
    return Packet(0, 0, interfaces[0].link_type, body[4 : 4 + min(size, len(body) - 4)])


def _read_options(octets: bytes, order: Literal["<", ">"], position: int) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    place = 0
    while place + 4 <= len(octets):
        kind, size = struct.unpack_from(f"{order}HH", octets, place)
        if kind == _END:
            break
        start = place + 4
        if start + size > len(octets):
            raise CaptureError("an option runs out of its block", position)
        options.setdefault(kind, octets[start : start + size])
        place = start + size + -size % 4
    return options
