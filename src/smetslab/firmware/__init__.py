"""Firmware images: the OTA file, the Manufacturer Image in it, hash and signature, and what may be wrong.

Bytes to frozen values and back, sans-I/O. Knows neither what a device does with an image nor how it travels.
"""

from smetslab.firmware.checks import Finding, Target, check_file, check_fit
from smetslab.firmware.manufacturer import (
    SyntheticContent,
    manufacturer_image_hash,
    signed_file,
    split_trailer,
    verify_trailer,
)
from smetslab.firmware.ota import OtaFile, OtaHeader, decode_file

__all__ = [
    "Finding",
    "OtaFile",
    "OtaHeader",
    "SyntheticContent",
    "Target",
    "check_file",
    "check_fit",
    "decode_file",
    "manufacturer_image_hash",
    "signed_file",
    "split_trailer",
    "verify_trailer",
]
