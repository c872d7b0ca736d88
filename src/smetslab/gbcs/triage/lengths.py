"""Lengths of damaged messages: what a length field says, and how long content says of itself that it is."""

from __future__ import annotations

from typing import NamedTuple

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.dlms.apdu import is_dlms, read_apdu
from smetslab.gbcs.gbz.payload import PROFILE
from smetslab.wire import Reader, ber_length

_COMPONENT_HEAD = 5
_CONSTRUCTED = 0x20


class Length(NamedTuple):
    """A length field: its value, how many octets it has, whether it is written in the shortest form."""

    value: int
    size: int
    shortest: bool


def length_at(data: bytes, position: int) -> Length | None:
    """The BER length at `position`, in any definite form; None when there is none."""
    if position >= len(data):
        return None
    first = data[position]
    if first < 0x80:
        return Length(first, 1, True)
    size = first & 0x7F
    octets = data[position + 1 : position + 1 + size]
    if not 1 <= size <= 4 or len(octets) != size:
        return None
    value = int.from_bytes(octets, "big")
    return Length(value, 1 + size, len(ber_length(value)) == 1 + size)


def own_length(data: bytes, position: int) -> int | None:
    """How many octets the content that begins at `position` says that it has, None when it does not tell.

    DLMS and ASN.1 content end where their last value ends, GBZ content after its last component.
    """
    head = data[position : position + 3]
    if is_dlms(head):
        return _apdu_length(data, position)
    if head.startswith(PROFILE):
        return _components_length(data, position)
    outer = length_at(data, position + 1)
    if outer is None or not head:
        return None
    size = 1 + outer.size + outer.value
    whole = position + size > len(data) or _nests(data, position, position + size)
    return size if whole else None


def _nests(data: bytes, position: int, end: int) -> bool:
    """True when the ASN.1 elements from `position` on end at `end`, and so do those inside each of them."""
    open_elements = [(position, end)]
    while open_elements:
        place, stop = open_elements.pop()
        while place < stop:
            length = length_at(data, place + 1)
            if length is None:
                return False
            start = place + 1 + length.size
            if data[place] & _CONSTRUCTED:
                open_elements.append((start, start + length.value))
            place = start + length.value
        if place != stop:
            return False
    return True


def runs_out(data: bytes, position: int) -> bool:
    """True when the content that begins at `position` would go on where the octets end."""
    if not is_dlms(data[position : position + 1]):
        own = own_length(data, position)
        return position >= len(data) or (own is not None and position + own > len(data))
    try:
        read_apdu(Reader(data, position=position))
    except GbcsDecodeError as error:
        return error.what in {"truncated", "more members than bytes"}
    return False


def _apdu_length(data: bytes, position: int) -> int | None:
    reader = Reader(data, position=position)
    try:
        read_apdu(reader)
    except GbcsDecodeError as error:
        whole = error.what == "trailing bytes" and error.offset is not None
        return (error.offset or 0) - position if whole else None
    return reader.position - position


def _components_length(data: bytes, position: int) -> int | None:
    """Of a command or response, more than there is when it is cut off; that of an alert does not tell."""
    place = position + 3
    for _ in range(data[position + 2] if position + 2 < len(data) else 0):
        if place + _COMPONENT_HEAD > len(data):
            return len(data) - position + 1
        place += _COMPONENT_HEAD + int.from_bytes(data[place + 3 : place + _COMPONENT_HEAD], "big")
    return place - position if position + 3 < place else None
