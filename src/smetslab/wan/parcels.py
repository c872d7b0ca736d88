"""What two nodes of the WAN send each other over a broker: messages and receipts, many in one publication.
Sans-I/O.

A publication is one octet for the length of the sender's name, the name, and parcels: a head of one octet
(bit 0: on the way up; bit 1: a receipt), hub (8 octets) and length (4 octets), then a message in the form of
`smetslab.wan.topics`, or the identity that the receipt is for. All of it is this laboratory's own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from smetslab.errors import CodecError
from smetslab.ids import Eui64
from smetslab.wan.service import WanMessage
from smetslab.wan.topics import Direction, decode_message, encode_message, is_name

FULL_OCTETS: Final = 64 * 1024
"""When a publication has as much, what follows goes with the next one. A choice."""

_HEAD: Final = struct.Struct(">B8sI")
_UP: Final = 0x01
_RECEIPT: Final = 0x02


@dataclass(frozen=True, slots=True)
class Receipt:
    """Says to the sender of the message with that identity that its receiver has dealt with it."""

    identity: str
    hub: Eui64


Parcel: TypeAlias = tuple[Direction, WanMessage | Receipt]
"""A message, or the receipt for one, and which way the message goes."""


def encode_parcels(sender: str, parcels: Sequence[Parcel]) -> bytes:
    """A publication. Raises CodecError."""
    if not is_name(sender):
        raise CodecError("no name of a node", path="sender", found=sender[:64])
    name = sender.encode()
    parts = [bytes((len(name),)), name]
    for direction, what in parcels:
        flags = _UP if direction == "up" else 0
        if isinstance(what, Receipt):
            flags |= _RECEIPT
            body = what.identity.encode()
        else:
            body = encode_message(what)
        parts += (_HEAD.pack(flags, what.hub.raw, len(body)), body)
    return b"".join(parts)


def decode_parcels(octets: bytes) -> tuple[str, list[Parcel]]:
    """Who sent a publication, and what is in it. Raises CodecError unless all of it is sound."""
    position = 1 + (octets[0] if octets else 0)
    if not 1 < position <= len(octets):
        raise CodecError("not a publication of the WAN", path="sender", found=octets[:16].hex())
    parcels: list[Parcel] = []
    try:
        sender = octets[1:position].decode()
        if not is_name(sender):  # receipts go to a topic of that name
            raise CodecError("no name of a node", path="sender", found=sender[:64])
        while position < len(octets):
            if len(octets) - position < _HEAD.size:
                raise CodecError("cut off", offset=position, path="parcel")
            flags, hub, length = _HEAD.unpack_from(octets, position)
            position += _HEAD.size
            body = octets[position : position + length]
            if len(body) != length or flags > _UP | _RECEIPT:
                raise CodecError("not a parcel of the WAN", offset=position, path="parcel")
            direction: Direction = "up" if flags & _UP else "down"
            if flags & _RECEIPT:
                parcels.append((direction, Receipt(body.decode(), Eui64(hub))))
            else:
                parcels.append((direction, decode_message(Eui64(hub), body)))
            position += length
    except UnicodeDecodeError as error:
        raise CodecError("a name is no text", offset=position, path="parcel") from error
    return sender, parcels
