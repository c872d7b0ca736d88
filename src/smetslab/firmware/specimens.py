"""Specimens: small synthetic images from declarations, each with what is right or wrong with it.

The same declaration gives the same octets, so the images of `firmware_images` can be made again at any time.
Nothing in them is real firmware.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smetslab.crypto import PrivateKey
from smetslab.errors import UsageError
from smetslab.firmware.manufacturer import (
    SyntheticContent,
    manufacturer_image_hash,
    signed_file,
    split_trailer,
)
from smetslab.firmware.ota import OtaFile, OtaHeader
from smetslab.rng import RootSeed

Damage = Literal["none", "truncated", "content", "signature", "unsigned", "other-signer", "file-identifier"]
"""What is done to a sound image: octets cut off its end, a bit of its content or signature turned, its
signature left out or made by a stranger, its file identifier wrong."""

_Hex4 = Annotated[str, Field(pattern="^[0-9A-F]{4}$")]


class Specimen(BaseModel):
    """The declaration of one image. `verdict` is what a sound device of the same kind has to do with it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")]
    title: str
    device_type: str
    manufacturer_id: _Hex4
    image_type: _Hex4
    file_version: Annotated[str, Field(pattern="^[0-9A-F]{8}$")]
    minimum_hardware: _Hex4 = "0001"
    maximum_hardware: _Hex4 = "0001"
    code_octets: Annotated[int, Field(ge=16, le=65_536)] = 480
    self_test_passes: bool = True
    damage: Damage = "none"
    verdict: Literal["activates", "refused on receipt", "does not fit", "fails its self test", "unreadable"]


class Collection(BaseModel):
    """A file of declarations."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1]
    seed: int
    images: list[Specimen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image that was made: its octets, and the entry of the manifest."""

    file_name: str
    octets: bytes
    entry: dict[str, str | int | bool]


def read_collection(text: str, source: str) -> Collection:
    """Read declarations from TOML. Raises UsageError with the key that is wrong."""
    try:
        parsed: Any = tomllib.loads(text)
        collection = Collection.model_validate(parsed)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source}: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{source}: {place}: {first['msg']}") from error
    names = [specimen.name for specimen in collection.images]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{source}: image {name} is declared twice")
    return collection


def maker_key(seed: RootSeed) -> PrivateKey:
    """The key of the maker of all specimens: as public as the seed."""
    return PrivateKey.from_seed(seed.octets("firmware/maker", 32))


def build(specimen: Specimen, seed: RootSeed) -> Built:
    """Make one image."""
    code = seed.octets(f"firmware/{specimen.name}", specimen.code_octets)
    header = OtaHeader(
        manufacturer_code=int(specimen.manufacturer_id, 16),
        image_type=int(specimen.image_type, 16),
        file_version=int(specimen.file_version, 16),
        text=f"smetslab {specimen.name}"[:32],
        minimum_hardware=int(specimen.minimum_hardware, 16),
        maximum_hardware=int(specimen.maximum_hardware, 16),
    )
    content = SyntheticContent(code=code, self_test_passes=specimen.self_test_passes)
    plain = OtaFile(header=header, manufacturer_image=content.encode())
    octets, image = _damaged(specimen.damage, plain, seed)
    return Built(
        file_name=f"{specimen.name}.ota",
        octets=octets,
        entry={
            "file": f"{specimen.name}.ota",
            "title": specimen.title,
            "device_type": specimen.device_type,
            "manufacturer_id": specimen.manufacturer_id,
            "image_type": specimen.image_type,
            "firmware_version": specimen.file_version,
            "hardware_versions": f"{specimen.minimum_hardware}-{specimen.maximum_hardware}",
            "octets": len(octets),
            "manufacturer_image_hash": manufacturer_image_hash(image).hex().upper(),
            "self_test_passes": specimen.self_test_passes,
            "damage": specimen.damage,
            "verdict": specimen.verdict,
        },
    )


def _damaged(damage: Damage, plain: OtaFile, seed: RootSeed) -> tuple[bytes, bytes]:
    """The octets of the file, and the Manufacturer Image in it."""
    signed = signed_file(plain, maker_key(seed))
    match damage:
        case "none":
            file = signed
        case "unsigned":
            file = plain
        case "other-signer":
            file = signed_file(plain, PrivateKey.from_seed(seed.octets("firmware/stranger", 32)))
        case "content":
            # Signed as it is, so that only its own check sum tells.
            file = signed_file(
                replace(plain, manufacturer_image=_turned(plain.manufacturer_image, 20)), maker_key(seed)
            )
        case "signature":
            content, _ = split_trailer(signed.manufacturer_image)
            file = replace(
                signed, manufacturer_image=_turned(signed.manufacturer_image, len(content) + 12 + 31)
            )
        case "truncated":
            octets = signed.encode()[:-40]
            return octets, octets[signed.header.length :]
        case "file-identifier":
            octets = _turned(signed.encode(), 0)
            return octets, signed.manufacturer_image
    return file.encode(), file.manufacturer_image


def _turned(octets: bytes, place: int) -> bytes:
    """One bit at `place` the other way round."""
    return octets[:place] + bytes((octets[place] ^ 0x01,)) + octets[place + 1 :]
