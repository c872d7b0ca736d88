"""Firmware images on the WAN: which devices behind a hub an image is for, and the image.

The form is this laboratory's: what the DCC really hands to a hub is not published. Spec: GBCS 11 (the image
itself, an OTA file).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smetslab.errors import CodecError
from smetslab.ids import Eui64

MAX_DEVICES: Final = 255
_EUI_OCTETS: Final = 8


@dataclass(frozen=True, slots=True)
class ImageDelivery:
    """The payload of a `WanMessage` of the kind `firmware`. `image` is a whole OTA file."""

    devices: tuple[Eui64, ...]
    image: bytes

    def encode(self) -> bytes:
        """One octet with the number of devices, their EUIs, the image. Raises CodecError."""
        if not 1 <= len(self.devices) <= MAX_DEVICES:
            raise CodecError(
                "number of devices",
                path="devices",
                expected=f"1 to {MAX_DEVICES}",
                found=str(len(self.devices)),
            )
        return bytes((len(self.devices),)) + b"".join(one.raw for one in self.devices) + self.image

    @classmethod
    def decode(cls, octets: bytes) -> ImageDelivery:
        """Raises CodecError."""
        number = octets[0] if octets else 0
        end = 1 + number * _EUI_OCTETS
        if not number or len(octets) < end:
            raise CodecError(
                "image delivery too short", offset=len(octets), path="devices", expected=f"{end} octets"
            )
        devices = tuple(Eui64(octets[at : at + _EUI_OCTETS]) for at in range(1, end, _EUI_OCTETS))
        return cls(devices, octets[end:])
