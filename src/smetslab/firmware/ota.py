"""The OTA file: header and Manufacturer Image. Little endian, as everything in ZCL.

The upgrade file of GBCS is the header with the Manufacturer Image straight behind it, without the tagged
elements of other ZigBee profiles.

Spec: ZigBee Cluster Library 11.4 (OTA header format); GBCS 11; SMETS 4.6.5.10, 5.7.5.17 (firmware version).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from smetslab.errors import FirmwareError
from smetslab.firmware.limits import MAX_FILE_OCTETS, MAX_HEADER_OCTETS
from smetslab.ids import Eui64

MAGIC: Final = 0x0BEEF11E
HEADER_VERSION: Final = 0x0100
STACK_PRO: Final = 0x0002
ANY_IMAGE_TYPE: Final = 0xFFFF
ANY_MANUFACTURER: Final = 0xFFFF

_CREDENTIAL_VERSION, _DESTINATION, _HARDWARE_VERSIONS = 0x0001, 0x0002, 0x0004
_KNOWN_BITS = _CREDENTIAL_VERSION | _DESTINATION | _HARDWARE_VERSIONS
_FIXED = struct.Struct("<IHHHHHIH32sI")
_SPEC = "ZCL 11.4.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtaHeader:
    """What an OTA file says of itself. `text` is free, up to 32 octets of ASCII.

    The optional fields are None where the header has none; both hardware versions come together.
    """

    manufacturer_code: int
    image_type: int
    file_version: int
    stack_version: int = STACK_PRO
    text: str = ""
    credential_version: int | None = None
    destination: Eui64 | None = None
    minimum_hardware: int | None = None
    maximum_hardware: int | None = None

    def __post_init__(self) -> None:
        if (self.minimum_hardware is None) != (self.maximum_hardware is None):
            raise FirmwareError("one hardware version without the other", path="header", spec=_SPEC)

    @property
    def length(self) -> int:
        """Octets of the encoded header."""
        extra = (self.credential_version is not None) + 8 * (self.destination is not None)
        return _FIXED.size + extra + 4 * (self.minimum_hardware is not None)

    @property
    def firmware_version(self) -> bytes:
        """The Firmware Version of GBCS: four octets, most significant first."""
        return self.file_version.to_bytes(4, "big")

    def fits_hardware(self, version: int) -> bool:
        """Whether the image is for this hardware version; without a range it is for all."""
        if self.minimum_hardware is None or self.maximum_hardware is None:
            return True
        return self.minimum_hardware <= version <= self.maximum_hardware

    def encode(self, image_octets: int) -> bytes:
        """The header of a file whose Manufacturer Image has so many octets. Raises FirmwareError."""
        text = self.text.encode("ascii", "replace")
        if len(text) > 32:
            raise FirmwareError("header string too long", path="header.text", expected="at most 32 octets")
        control = (
            (_CREDENTIAL_VERSION if self.credential_version is not None else 0)
            | (_DESTINATION if self.destination is not None else 0)
            | (_HARDWARE_VERSIONS if self.minimum_hardware is not None else 0)
        )
        try:
            parts = [
                _FIXED.pack(
                    MAGIC,
                    HEADER_VERSION,
                    self.length,
                    control,
                    self.manufacturer_code,
                    self.image_type,
                    self.file_version,
                    self.stack_version,
                    text.ljust(32, b"\0"),
                    self.length + image_octets,
                )
            ]
            if self.credential_version is not None:
                parts.append(struct.pack("<B", self.credential_version))
            if self.destination is not None:
                parts.append(self.destination.raw[::-1])
            if self.minimum_hardware is not None and self.maximum_hardware is not None:
                parts.append(struct.pack("<HH", self.minimum_hardware, self.maximum_hardware))
        except struct.error as error:
            raise FirmwareError(f"a value does not fit: {error}", path="header", spec=_SPEC) from error
        return b"".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtaFile:
    """A whole OTA file."""

    header: OtaHeader
    manufacturer_image: bytes

    def encode(self) -> bytes:
        return self.header.encode(len(self.manufacturer_image)) + self.manufacturer_image


def decode_file(data: bytes) -> OtaFile:
    """Read an OTA file. Raises FirmwareError with the offset of the first octet that is wrong."""
    if len(data) > MAX_FILE_OCTETS:
        raise FirmwareError(
            "file too long", offset=MAX_FILE_OCTETS, expected=f"at most {MAX_FILE_OCTETS} octets"
        )
    header, total = decode_header(data)
    if len(data) != total:
        raise FirmwareError(
            "truncated" if len(data) < total else "trailing octets",
            offset=min(len(data), total),
            path="header.total_image_size",
            expected=f"{total} octets",
            found=str(len(data)),
            spec=_SPEC,
        )
    return OtaFile(header=header, manufacturer_image=data[header.length :])


def decode_header(data: bytes) -> tuple[OtaHeader, int]:
    """The header at the start of `data`, and the size of the whole file that it states."""
    if len(data) < _FIXED.size:
        raise FirmwareError(
            "truncated", offset=len(data), path="header", expected=f"{_FIXED.size} octets", spec=_SPEC
        )
    magic, version, length, control, manufacturer, image_type, file_version, stack, text, total = (
        _FIXED.unpack_from(data)
    )
    _require(magic == MAGIC, 0, "file identifier", f"{MAGIC:08X}", f"{magic:08X}")
    _require(version == HEADER_VERSION, 4, "header version", f"{HEADER_VERSION:04X}", f"{version:04X}")
    _require(control & ~_KNOWN_BITS == 0, 8, "field control", "bits 0 to 2", f"{control:04X}")
    at = _FIXED.size
    credential = destination = low = high = None
    wanted = (
        at
        + (1 if control & _CREDENTIAL_VERSION else 0)
        + (8 if control & _DESTINATION else 0)
        + (4 if control & _HARDWARE_VERSIONS else 0)
    )
    _require(length == wanted and length <= MAX_HEADER_OCTETS, 6, "header length", str(wanted), str(length))
    if len(data) < length:
        raise FirmwareError(
            "truncated", offset=len(data), path="header", expected=f"{length} octets", spec=_SPEC
        )
    if control & _CREDENTIAL_VERSION:
        credential, at = data[at], at + 1
    if control & _DESTINATION:
        destination, at = Eui64(bytes(data[at : at + 8][::-1])), at + 8
    if control & _HARDWARE_VERSIONS:
        low, high = struct.unpack_from("<HH", data, at)
        _require(low <= high, at, "hardware versions", "a range", f"{low:04X} to {high:04X}")
    _require(total >= length, 52, "total image size", f"at least {length}", str(total))
    header = OtaHeader(
        manufacturer_code=manufacturer,
        image_type=image_type,
        file_version=file_version,
        stack_version=stack,
        text=text.rstrip(b"\0").decode("ascii", "replace"),
        credential_version=credential,
        destination=destination,
        minimum_hardware=low,
        maximum_hardware=high,
    )
    return header, total


def _require(holds: bool, offset: int, path: str, expected: str, found: str) -> None:
    if not holds:
        raise FirmwareError(
            "wrong value", offset=offset, path=f"header.{path}", expected=expected, found=found, spec=_SPEC
        )


def image_version(data: bytes) -> bytes:
    """The Firmware Version that a file states; zeros when it has no header that can be read."""
    try:
        header, _ = decode_header(data)
    except FirmwareError:
        return bytes(4)
    return header.firmware_version
