"""Firmware images on the WAN: which devices behind a hub an image is for, and the image; and what a hub says
of its own firmware, which the WAN provider updates.

The forms are this laboratory's: what the DCC really hands to a hub is not published. Spec: GBCS 11 (the image
itself, an OTA file); CHTS 4.5 (the hub's firmware is activated by the WAN provider).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from smetslab.errors import CodecError
from smetslab.ids import Eui64

MAX_DEVICES: Final = 255
_EUI_OCTETS: Final = 8
_REPORT_OCTETS: Final = 6


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


Step: TypeAlias = Literal["image", "activation"]
_STEPS: Final[tuple[Step, ...]] = ("image", "activation")
OUTCOMES: Final = {
    "image": ("verified", "does not fit", "hardware mismatch", "verification failed"),
    "activation": ("success", "no image held", "hash mismatch", "activation failure"),
}
"""What may become of a step, by its number on the WAN; those of an activation are those of CS06."""


@dataclass(frozen=True, slots=True)
class HubFirmwareReport:
    """What became of an image for a hub itself, or of its activation. `version`: what runs, four octets."""

    step: Step
    outcome: str
    version: bytes

    def encode(self) -> bytes:
        """The numbers of step and outcome, and the version."""
        return bytes((_STEPS.index(self.step), OUTCOMES[self.step].index(self.outcome))) + self.version

    @classmethod
    def decode(cls, octets: bytes) -> HubFirmwareReport:
        """Raises CodecError."""
        if len(octets) != _REPORT_OCTETS or octets[0] >= len(_STEPS):
            raise CodecError("not a report of a hub's firmware", path="report", found=octets[:16].hex())
        step = _STEPS[octets[0]]
        if octets[1] >= len(OUTCOMES[step]):
            raise CodecError("unknown outcome", offset=1, path="outcome", found=str(octets[1]))
        return cls(step, OUTCOMES[step][octets[1]], octets[2:])
