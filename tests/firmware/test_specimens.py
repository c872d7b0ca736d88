"""Signature, hash, checks, and the images that are shipped: each is what its declaration says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab import resources
from smetslab.crypto import PrivateKey
from smetslab.errors import FirmwareError, UsageError
from smetslab.firmware import (
    OtaFile,
    OtaHeader,
    SyntheticContent,
    Target,
    check_file,
    check_fit,
    decode_file,
    manufacturer_image_hash,
    signed_file,
    split_trailer,
    verify_trailer,
)
from smetslab.firmware.manufacturer import read_content
from smetslab.firmware.specimens import Built, build, maker_key, read_collection
from smetslab.ids import Eui64
from smetslab.rng import RootSeed

MAKER = PrivateKey.from_seed(b"m" * 32)
STRANGER = PrivateKey.from_seed(b"s" * 32)
HEADER = OtaHeader(
    manufacturer_code=0xFFF1, image_type=0x0A01, file_version=1, minimum_hardware=1, maximum_hardware=3
)
FILE = OtaFile(header=HEADER, manufacturer_image=SyntheticContent(code=b"0123456789ABCDEF").encode())
TARGET = Target(manufacturer_code=0xFFF1, image_type=0x0A01, hardware_version=2)


def test_the_signature_binds_header_and_content() -> None:
    signed = signed_file(FILE, MAKER)
    assert verify_trailer(signed, MAKER.public)
    assert not verify_trailer(signed, STRANGER.public)
    assert not verify_trailer(FILE, MAKER.public)
    other = replace(signed, header=replace(HEADER, file_version=2))
    assert not verify_trailer(other, MAKER.public)
    turned = bytearray(signed.manufacturer_image)
    turned[20] ^= 1
    assert not verify_trailer(replace(signed, manufacturer_image=bytes(turned)), MAKER.public)


def test_signing_again_replaces_the_trailer() -> None:
    twice = signed_file(signed_file(FILE, STRANGER), MAKER)
    assert twice == signed_file(FILE, MAKER)
    assert split_trailer(twice.manufacturer_image)[0] == FILE.manufacturer_image


def test_the_hash_is_over_the_whole_manufacturer_image() -> None:
    signed = signed_file(FILE, MAKER)
    wanted = hashlib.sha256(signed.encode()[HEADER.length :]).digest()
    assert manufacturer_image_hash(signed.manufacturer_image) == wanted


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        (replace(TARGET, manufacturer_code=0x1001), "manufacturer"),
        (replace(TARGET, image_type=0x0A02), "image type"),
        (replace(TARGET, hardware_version=4), "hardware version"),
        (replace(TARGET, hardware_version=0), "hardware version"),
    ],
)
def test_an_image_for_another_device_is_found(target: Target, rule: str) -> None:
    assert check_fit(HEADER, TARGET) == []
    assert [finding.rule for finding in check_fit(HEADER, target)] == [rule]


def test_an_image_for_one_device_alone() -> None:
    mine, other = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A1")
    header = replace(HEADER, destination=other)
    assert [f.rule for f in check_fit(header, replace(TARGET, eui64=mine))] == ["destination"]
    assert check_fit(header, replace(TARGET, eui64=other)) == []


def test_somebody_elses_content_is_taken_as_it_is() -> None:
    assert read_content(b"anything") is None
    assert check_file(OtaFile(header=HEADER, manufacturer_image=b"anything")) == []
    assert [f.rule for f in check_file(OtaFile(header=HEADER, manufacturer_image=b""))] == ["content"]
    with pytest.raises(FirmwareError, match="check sum"):
        read_content(FILE.manufacturer_image[:-1] + bytes((FILE.manufacturer_image[-1] ^ 1,)))
    with pytest.raises(FirmwareError, match="truncated"):
        read_content(b"SLFW")


# ------------------------------------------------------------------------------------ the shipped images

FOLDER = Path(str(resources.firmware_images()))
COLLECTION = read_collection((FOLDER / "images.toml").read_text(encoding="utf-8"), "images.toml")
SEED = RootSeed(COLLECTION.seed)
MADE = [build(specimen, SEED) for specimen in COLLECTION.images]


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.file_name)
def test_shipped_images_are_made_from_their_declarations(made: Built) -> None:
    assert (FOLDER / made.file_name).read_bytes() == made.octets


def test_the_manifest_lists_every_image_and_the_makers_key() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["images"] == [made.entry for made in MADE]
    assert manifest["maker_public_key"] == maker_key(SEED).public.point.hex().upper()
    assert sorted(path.name for path in FOLDER.glob("*.ota")) == sorted(made.file_name for made in MADE)


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.file_name)
def test_every_image_is_wrong_in_the_declared_way_alone(made: Built) -> None:
    verdict = made.entry["verdict"]
    if verdict == "unreadable":
        with pytest.raises(FirmwareError):
            decode_file(made.octets)
        return
    file = decode_file(made.octets)
    types = {"ESME": 0x0A01, "GSME": 0x0A02, "CHF": 0x0A03, "PPMID": 0x0A04, "HCALCS": 0x0A05}
    target = Target(
        manufacturer_code=0xFFF1, image_type=types[str(made.entry["device_type"])], hardware_version=1
    )
    findings = check_file(file, [maker_key(SEED).public])
    assert bool(findings) == (verdict == "refused on receipt")
    assert bool(check_fit(file.header, target)) == (verdict == "does not fit")
    if not findings:
        content = read_content(split_trailer(file.manufacturer_image)[0])
        assert content is not None
        assert content.self_test_passes == (verdict != "fails its self test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema_version = 2\nseed = 1\nimages = []", "schema_version"),
        ("schema_version = 1\nseed = 1\nimages = [{}]", "images.0"),
        ("not toml", "not TOML"),
    ],
)
def test_wrong_declarations_are_refused_with_their_key(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_collection(text, "file.toml")
