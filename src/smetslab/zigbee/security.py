"""Security of ZigBee frames: auxiliary header, AES-CCM* over a layer, and the keys derived from a link key.

Both layers, NWK and APS, use the same construction: what is authenticated is the layer's header with the
auxiliary header behind it, what is encrypted is the layer's payload.

Spec: ZigBee 4.3.1, 4.4.1, 4.5.1 (auxiliary header, CCM* nonce), 4.5.3 (key hierarchy); ZSE 1.4 5.4.8.1
(install codes)
"""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum
from struct import Struct
from typing import Final

from smetslab.crypto import MIC_BYTES, CcmStar, aes_mmo, hmac_mmo
from smetslab.errors import SecurityError, ZigbeeDecodeError
from smetslab.ids import Eui64, eui64_of
from smetslab.value_class import value_class

LEVEL: Final = 5
"""ENC-MIC-32, the only level in use. On the air the level is sent as 0. Spec: ZigBee 4.5.1.1.1."""
INSTALL_CODE_SIZES: Final = (6, 8, 12, 16)
"""Octets of an install code without its CRC; GB devices use 16. Spec: ZSE 1.4 5.4.8.1."""
MAX_FRAME_COUNTER: Final = 0xFFFF_FFFF

_KEY_SHIFT = 3
_EXTENDED_NONCE = 0x20
_LEVEL_MASK = 0x07


class KeyIdentifier(IntEnum):
    """Which key protects a frame. Spec: ZigBee 4.5.1.1.2."""

    DATA = 0
    NETWORK = 1
    KEY_TRANSPORT = 2
    KEY_LOAD = 3


_KEYS = tuple(KeyIdentifier)
_NETWORK = KeyIdentifier.NETWORK
_HEAD = Struct("<BI")
_NETWORK_LAYOUT = Struct("<BI8sB")
"""The whole header under a network key, with the sender named: nearly all that hops make."""
_NAMED_UNDER_NETWORK_KEY = _NETWORK << _KEY_SHIFT | _EXTENDED_NONCE
"""How such a header begins."""
_INSIDE = tuple(bytes((control & ~_LEVEL_MASK | LEVEL,)) for control in range(256))
_OUTSIDE = tuple(bytes((control & ~_LEVEL_MASK,)) for control in range(256))
"""Security controls with the level, as they are authenticated, and without it, as they are sent."""


@value_class(frozen=True, slots=True)
class AuxiliaryHeader:
    """What a secured frame carries besides. `source` is there with an extended nonce, `key_sequence` with the
    network key.

    Spec: ZigBee 4.5.1
    """

    key: KeyIdentifier
    frame_counter: int
    source: Eui64 | None = None
    key_sequence: int = 0
    inside: bytes = field(default=b"", compare=False, repr=False)
    """Of a header that was read: its octets as its sender has authenticated them."""

    def encode(self, *, level: int = 0) -> bytes:
        """The octets: as they go over the air with level 0, as they are authenticated with `LEVEL`."""
        control = level | self.key << _KEY_SHIFT
        if self.key is _NETWORK and self.source is not None:
            raw = self.source.raw[::-1]
            return _NETWORK_LAYOUT.pack(control | _EXTENDED_NONCE, self.frame_counter, raw, self.key_sequence)
        if self.source is None:
            octets = _HEAD.pack(control, self.frame_counter)
        else:
            octets = _HEAD.pack(control | _EXTENDED_NONCE, self.frame_counter) + self.source.raw[::-1]
        return octets + bytes((self.key_sequence,)) if self.key is _NETWORK else octets


def decode_auxiliary(data: bytes, position: int) -> tuple[AuxiliaryHeader, int]:
    """An auxiliary header and the place behind it. Raises ZigbeeDecodeError when it is cut short."""
    end = position + 5
    if end > len(data):
        raise _truncated(position, 5, len(data))
    if data[position] == _NAMED_UNDER_NETWORK_KEY and end + 9 <= len(data):
        end += 9
        control, counter, raw, sequence = _NETWORK_LAYOUT.unpack_from(data, position)
        inside = _INSIDE[control] + data[position + 1 : end]
        return AuxiliaryHeader(_NETWORK, counter, eui64_of(raw[::-1]), sequence, inside), end
    control, counter = _HEAD.unpack_from(data, position)
    source = None
    if control & _EXTENDED_NONCE:
        if end + 8 > len(data):
            raise _truncated(end, 8, len(data))
        source = eui64_of(data[end : end + 8][::-1])
        end += 8
    key = _KEYS[control >> _KEY_SHIFT & 0x03]
    sequence = 0
    if key is _NETWORK:
        if end >= len(data):
            raise _truncated(end, 1, len(data))
        sequence = data[end]
        end += 1
    inside = _INSIDE[control] + data[position + 1 : end]
    return AuxiliaryHeader(key, counter, source, sequence, inside), end


def _truncated(position: int, wanted: int, size: int) -> ZigbeeDecodeError:
    return ZigbeeDecodeError(
        "truncated",
        offset=position,
        path="auxiliary header",
        expected=f"{wanted} more bytes",
        found=str(max(0, size - position)),
        spec="ZigBee 4.5.1",
    )


def seal(cipher: CcmStar, header: bytes, auxiliary: AuxiliaryHeader, source: Eui64, payload: bytes) -> bytes:
    """A layer's frame: header, auxiliary header, encrypted payload, MIC. `source` is whose counter it is."""
    inside = auxiliary.encode(level=LEVEL)
    sealed = cipher.seal(_nonce(source, inside), payload, header + inside)
    return header + _OUTSIDE[inside[0]] + inside[1:] + sealed


def unseal(cipher: CcmStar, header: bytes, auxiliary: AuxiliaryHeader, source: Eui64, sealed: bytes) -> bytes:
    """The payload of a layer's frame. Raises SecurityError when the MIC does not fit."""
    if len(sealed) < MIC_BYTES:
        raise SecurityError("MIC", f"{len(sealed)} octets are too short for one", spec="ZigBee 4.5.1")
    inside = auxiliary.inside or auxiliary.encode(level=LEVEL)
    return cipher.open(_nonce(source, inside), sealed, header + inside)


def _nonce(source: Eui64, auxiliary: bytes) -> bytes:
    """Source, frame counter, security control. Spec: ZigBee 4.5.2.2."""
    return source.raw[::-1] + auxiliary[1:5] + auxiliary[:1]


# -------------------------------------------------------------------------------- keys from a link key


def key_transport_key(link_key: bytes) -> bytes:
    """The key under which a network key travels, 16 octets. Spec: ZigBee 4.5.3."""
    return hmac_mmo(link_key, b"\x00")


def key_load_key(link_key: bytes) -> bytes:
    """The key under which a link key travels, 16 octets. Spec: ZigBee 4.5.3."""
    return hmac_mmo(link_key, b"\x02")


def verify_key_hash(link_key: bytes) -> bytes:
    """What a device shows to prove that it holds a link key, 16 octets. Spec: ZigBee 4.4.11.7."""
    return hmac_mmo(link_key, b"\x03")


def install_code_crc(code: bytes) -> bytes:
    """CRC-16/X-25 of an install code, low octet first. Spec: ZSE 1.4 5.4.8.1.1."""
    crc = 0xFFFF
    for octet in code:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return (crc ^ 0xFFFF).to_bytes(2, "little")


def install_code_key(code: bytes) -> bytes:
    """The pre-configured link key that follows from an install code (without its CRC).

    Raises SecurityError for a size that no install code has. Spec: ZSE 1.4 5.4.8.1.2.
    """
    if len(code) not in INSTALL_CODE_SIZES:
        raise SecurityError("install code", f"{len(code)} octets", spec="ZSE 1.4 5.4.8.1")
    return aes_mmo(code + install_code_crc(code))
