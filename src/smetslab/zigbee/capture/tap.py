"""The TAP header of a captured 802.15.4 frame: with what strength and on which channel it was received.

Spec: IEEE 802.15.4 TAP link type specification (LINKTYPE 283)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from smetslab.errors import ZigbeeDecodeError

LINK_TYPE: Final = 283

_HEAD = struct.Struct("<BxH")
_ITEM = struct.Struct("<HH")
_FCS_TYPE, _RSS, _CHANNEL, _LINK_QUALITY = 0, 1, 3, 10
_NO_FCS, _FCS_16 = 0, 1
_CHANNEL_VALUE = struct.Struct("<HBx")
_RSS_VALUE = struct.Struct("<f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """How a frame was received; what is None was not said. `fcs`: the frame ends with its check sequence."""

    channel: int | None = None
    page: int = 0
    rssi_dbm: float | None = None
    link_quality: int | None = None
    fcs: bool = False


def encode_tap(reception: Reception, frame: bytes) -> bytes:
    """A frame behind its TAP header."""
    items = [_item(_FCS_TYPE, bytes((_FCS_16 if reception.fcs else _NO_FCS,)))]
    if reception.rssi_dbm is not None:
        items.append(_item(_RSS, _RSS_VALUE.pack(reception.rssi_dbm)))
    if reception.channel is not None:
        items.append(_item(_CHANNEL, _CHANNEL_VALUE.pack(reception.channel, reception.page)[:3]))
    if reception.link_quality is not None:
        items.append(_item(_LINK_QUALITY, bytes((reception.link_quality,))))
    body = b"".join(items)
    return _HEAD.pack(0, _HEAD.size + len(body)) + body + frame


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def decode_tap(data: bytes) -> tuple[Reception, bytes]:
    """The header's facts and the frame behind it. Raises ZigbeeDecodeError; unknown items are passed over."""
    if len(data) < _HEAD.size:
        raise _error("truncated", 0)
    version, size = _HEAD.unpack_from(data)
    if version or not _HEAD.size <= size <= len(data):
        raise _error("no header of version 0", 0)
    channel, page, rssi, quality, fcs = None, 0, None, None, False
    position = _HEAD.size
    while position < size:
        if position + _ITEM.size > size:
            raise _error("truncated item", position)
        kind, length = _ITEM.unpack_from(data, position)
        start = position + _ITEM.size
        value = data[start : start + length]
        position = start + length + -length % 4
        if position > size:
            raise _error("item runs out of the header", start)
        if kind == _FCS_TYPE and value:
            fcs = value[0] == _FCS_16
        elif kind == _RSS and len(value) == _RSS_VALUE.size:
            [rssi] = _RSS_VALUE.unpack(value)
        elif kind == _CHANNEL and len(value) >= 3:
            channel, page = value[0] | value[1] << 8, value[2]
        elif kind == _LINK_QUALITY and value:
            quality = value[0]
    return (
        Reception(channel=channel, page=page, rssi_dbm=rssi, link_quality=quality, fcs=fcs),
        data[size:],
    )


def _error(what: str, position: int) -> ZigbeeDecodeError:
    return ZigbeeDecodeError(what, offset=position, path="TAP header", spec="LINKTYPE_IEEE802_15_4_TAP")
