"""The Manufacturer Image: its hash, the maker's optional signature, synthetic content for laboratories.

GBCS leaves to the maker how a device knows that an image is the maker's. Here it is a trailer: who signed,
and an ECDSA signature over OTA header and content, so that neither can be put beside another. The hash of
GBCS goes over the whole Manufacturer Image, trailer included.

Spec: GBCS 11 (hash; authenticity is the maker's). Content and trailer are this laboratory's own.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Final

from smetslab.crypto import SIGNATURE_BYTES, PrivateKey, PublicKey, sha256
from smetslab.errors import FirmwareError
from smetslab.firmware.ota import OtaFile, OtaHeader

TRAILER_MAGIC: Final = b"SLSG"
TRAILER_OCTETS: Final = len(TRAILER_MAGIC) + 8 + SIGNATURE_BYTES
CONTENT_MAGIC: Final = b"SLFW"
CONTENT_FORMAT: Final = 1

_CONTENT_HEADER = struct.Struct("<4sBBHI")


def manufacturer_image_hash(manufacturer_image: bytes) -> bytes:
    """What CS06 and the receipt alerts name: SHA-256, 32 octets. Spec: GBCS 11; use cases CS05b, CS06."""
    return sha256(manufacturer_image)


@dataclass(frozen=True, slots=True)
class Trailer:
    """The maker's signature at the end of a Manufacturer Image. `key_id`: the first octets of SHA-256 of the
    signer's public point."""

    key_id: bytes
    signature: bytes

    def encode(self) -> bytes:
        return TRAILER_MAGIC + self.key_id + self.signature


def key_id_of(key: PublicKey) -> bytes:
    """Eight octets that tell one signer's key from another's."""
    return sha256(key.point)[:8]


def split_trailer(manufacturer_image: bytes) -> tuple[bytes, Trailer | None]:
    """Content and trailer of a Manufacturer Image; one without our trailer is all content."""
    start = len(manufacturer_image) - TRAILER_OCTETS
    if start < 0 or manufacturer_image[start : start + len(TRAILER_MAGIC)] != TRAILER_MAGIC:
        return manufacturer_image, None
    key_id = manufacturer_image[start + 4 : start + 12]
    return manufacturer_image[:start], Trailer(key_id, manufacturer_image[start + 12 :])


def _signed_part(header: OtaHeader, content: bytes) -> bytes:
    return header.encode(len(content) + TRAILER_OCTETS) + content


def signed_file(file: OtaFile, key: PrivateKey) -> OtaFile:
    """`file` with the trailer of `key`'s holder in place of any it has."""
    content, _ = split_trailer(file.manufacturer_image)
    trailer = Trailer(key_id_of(key.public), key.sign(_signed_part(file.header, content)))
    return replace(file, manufacturer_image=content + trailer.encode())


def verify_trailer(file: OtaFile, key: PublicKey) -> bool:
    """Whether the file carries `key`'s signature, and it is right."""
    content, trailer = split_trailer(file.manufacturer_image)
    return (
        trailer is not None
        and trailer.key_id == key_id_of(key)
        and key.verify(trailer.signature, _signed_part(file.header, content))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticContent:
    """Content that runs on virtual devices: says how its self test ends, and carries a check sum.

    Real firmware has none of this; a virtual device takes it as it is and its self test passes.
    """

    code: bytes
    self_test_passes: bool = True

    def encode(self) -> bytes:
        head = _CONTENT_HEADER.pack(
            CONTENT_MAGIC, CONTENT_FORMAT, 0 if self.self_test_passes else 1, 0, len(self.code)
        )
        body = head + self.code
        return body + struct.pack("<I", zlib.crc32(body))


def read_content(content: bytes) -> SyntheticContent | None:
    """Synthetic content, or None for somebody else's. Raises FirmwareError when it is ours but damaged."""
    if content[: len(CONTENT_MAGIC)] != CONTENT_MAGIC:
        return None
    if len(content) < _CONTENT_HEADER.size + 4:
        raise FirmwareError("truncated", offset=len(content), path="content")
    _, form, self_test, _, length = _CONTENT_HEADER.unpack_from(content)
    if form != CONTENT_FORMAT or self_test > 1 or len(content) != _CONTENT_HEADER.size + length + 4:
        raise FirmwareError("not the content that its head describes", path="content")
    if struct.unpack_from("<I", content, len(content) - 4)[0] != zlib.crc32(content[:-4]):
        raise FirmwareError("check sum is wrong", offset=len(content) - 4, path="content")
    return SyntheticContent(
        code=content[_CONTENT_HEADER.size : _CONTENT_HEADER.size + length], self_test_passes=self_test == 0
    )
