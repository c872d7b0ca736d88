"""What may be wrong with an image, and whether it is for a given device: findings, not exceptions.

Spec: GBCS 11; use case CCS08 (a hub tells hardware mismatch from other failures).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from smetslab.crypto import PublicKey
from smetslab.errors import FirmwareError
from smetslab.firmware.manufacturer import key_id_of, read_content, split_trailer, verify_trailer
from smetslab.firmware.ota import ANY_IMAGE_TYPE, ANY_MANUFACTURER, OtaFile, OtaHeader
from smetslab.ids import Eui64

Rule = Literal[
    "file", "manufacturer", "image type", "hardware version", "destination", "content", "signature"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    rule: Rule
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a device is, as far as an OTA header speaks of it."""

    manufacturer_code: int
    image_type: int
    hardware_version: int
    eui64: Eui64 | None = None


def check_fit(header: OtaHeader, target: Target) -> list[Finding]:
    """Why the image is not for this device; empty when it is."""
    findings: list[Finding] = []
    if header.manufacturer_code not in {target.manufacturer_code, ANY_MANUFACTURER}:
        findings.append(
            Finding(
                "manufacturer",
                f"is {header.manufacturer_code:04X}, the device has {target.manufacturer_code:04X}",
            )
        )
    if header.image_type not in {target.image_type, ANY_IMAGE_TYPE}:
        findings.append(
            Finding(
                "image type",
                f"the image is {header.image_type:04X}, the device wants {target.image_type:04X}",
            )
        )
    if not header.fits_hardware(target.hardware_version):
        findings.append(
            Finding(
                "hardware version",
                f"the image is for {header.minimum_hardware:04X} to {header.maximum_hardware:04X}, "
                f"the device has {target.hardware_version:04X}",
            )
        )
    if header.destination is not None and target.eui64 is not None and header.destination != target.eui64:
        findings.append(Finding("destination", f"the image is for {header.destination} alone"))
    return findings


def check_file(file: OtaFile, makers: Iterable[PublicKey] = ()) -> list[Finding]:
    """What is wrong with the image itself. `makers`: keys of which one has to have signed; none: any, or
    nobody."""
    findings: list[Finding] = []
    content, trailer = split_trailer(file.manufacturer_image)
    if not content:
        findings.append(Finding("content", "the Manufacturer Image is empty"))
    try:
        read_content(content)
    except FirmwareError as error:
        findings.append(Finding("content", str(error)))
    keys = tuple(makers)
    if keys:
        if trailer is None:
            findings.append(Finding("signature", "the image is not signed"))
        elif not any(key_id_of(key) == trailer.key_id for key in keys):
            findings.append(
                Finding("signature", f"signed with the unknown key {trailer.key_id.hex().upper()}")
            )
        elif not any(verify_trailer(file, key) for key in keys):
            findings.append(Finding("signature", "the signature is wrong"))
    return findings
