"""The key agreement: from two static and two ephemeral key pairs to a link key and what confirms it.

Spec: ZSE 1.4 C.4.2, C.5.2; SEC 1 3.4, 6.2 (ECMQV); ZigBee annex B (key derivation with AES-MMO)
"""

from __future__ import annotations

from dataclasses import dataclass

from smetslab.crypto import aes_mmo, hmac_mmo
from smetslab.errors import SecurityError
from smetslab.ids import Eui64
from smetslab.zigbee.cbke.curve import KoblitzCurve, Point

_FROM_INITIATOR, _FROM_RESPONDER = b"\x02", b"\x03"


@dataclass(frozen=True, slots=True)
class Party:
    """One side as both sides see it: identifier and compressed ephemeral public key."""

    eui64: Eui64
    ephemeral: bytes


@dataclass(frozen=True, slots=True, repr=False)
class AgreedKeys:
    """What comes out: the link key, and the MACs with which each side proves that it has the same."""

    link_key: bytes
    mac_key: bytes
    mac_of_initiator: bytes
    mac_of_responder: bytes

    def __repr__(self) -> str:
        return "AgreedKeys()"


def shared_secret(
    curve: KoblitzCurve,
    *,
    static_private: int,
    ephemeral_private: int,
    ephemeral_public: Point,
    peer_static: Point,
    peer_ephemeral: Point,
) -> bytes:
    """Z: an x-coordinate, 21 or 36 octets. Raises SecurityError when it is that of no point. Spec: SEC 1
    3.4."""
    own = (ephemeral_private + _bar(curve, ephemeral_public) * static_private) % curve.order
    point = curve.add(peer_ephemeral, curve.multiply(_bar(curve, peer_ephemeral), peer_static))
    point = None if point is None else curve.multiply(own, point)
    for _ in range(curve.cofactor.bit_length() - 1):
        point = curve.double(point)
    if point is None:
        raise SecurityError("key agreement", "the public keys lead to infinity", spec="SEC 1 3.4")
    return point.x.to_bytes(curve.field.octets, "big")


def _bar(curve: KoblitzCurve, point: Point) -> int:
    """The half of an x-coordinate that stands for the point. Spec: SEC 1 3.4."""
    half = (curve.order.bit_length() + 1) // 2
    return (point.x & (1 << half) - 1) + (1 << half)


def agreed_keys(secret: bytes, initiator: Party, responder: Party) -> AgreedKeys:
    """Spec: ZSE 1.4 C.4.2.2.4 (key derivation), C.4.2.2.5 (confirmation)."""
    mac_key = aes_mmo(secret + b"\x00\x00\x00\x01")
    link_key = aes_mmo(secret + b"\x00\x00\x00\x02")
    first = (initiator.eui64.raw, responder.eui64.raw, initiator.ephemeral, responder.ephemeral)
    second = (responder.eui64.raw, initiator.eui64.raw, responder.ephemeral, initiator.ephemeral)
    return AgreedKeys(
        link_key=link_key,
        mac_key=mac_key,
        mac_of_initiator=hmac_mmo(mac_key, _FROM_INITIATOR + b"".join(first)),
        mac_of_responder=hmac_mmo(mac_key, _FROM_RESPONDER + b"".join(second)),
    )
