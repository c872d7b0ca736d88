"""`smetslab firmware`: makes, shows, signs and checks firmware images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from smetslab.cli import output
from smetslab.crypto import PrivateKey, PublicKey
from smetslab.errors import CertificateError, FirmwareError, SecurityError, UsageError
from smetslab.firmware import (
    Finding,
    OtaFile,
    Target,
    check_file,
    check_fit,
    decode_file,
    manufacturer_image_hash,
    signed_file,
)
from smetslab.firmware.limits import MAX_FILE_OCTETS
from smetslab.firmware.manufacturer import read_content, split_trailer
from smetslab.firmware.ota import OtaHeader
from smetslab.firmware.specimens import build as build_specimen
from smetslab.firmware.specimens import maker_key, read_collection
from smetslab.pki import parse_certificate
from smetslab.rng import RootSeed

app = typer.Typer(help="Firmware images.", no_args_is_help=True)

MANIFEST = "manifest.json"

Image = Annotated[Path, typer.Argument(metavar="FILE", help="An OTA file.")]
Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key", help="A maker's key: PEM certificate, PEM private key, or point in hex; may be repeated."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("build")
def build(
    declarations: Annotated[
        Path, typer.Argument(metavar="DECLARATIONS", help="A TOML file that declares images.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="The folder for the images and their manifest.")],
    name: Annotated[
        list[str] | None, typer.Option(help="Make only the image of this name; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the declared images and a manifest of what is right or wrong with each: same file, same octets."""
    collection = read_collection(_text(declarations), str(declarations))
    known = [specimen.name for specimen in collection.images]
    for wanted in name or ():
        if wanted not in known:
            raise UsageError(f"{declarations}: no image {wanted!r}", hint=f"declared: {', '.join(known)}")
    seed = RootSeed(collection.seed)
    made = [build_specimen(one, seed) for one in collection.images if name is None or one.name in name]
    out.mkdir(parents=True, exist_ok=True)
    for image in made:
        (out / image.file_name).write_bytes(image.octets)
    key = maker_key(seed).public.point.hex().upper()
    manifest: dict[str, output.Json] = {
        "seed": collection.seed,
        "maker_public_key": key,
        "images": [image.entry for image in made],
    }
    if name is None:
        (out / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    if as_json:
        output.print_json(manifest)
        return
    for image in made:
        output.line(f"{image.file_name}  {len(image.octets)} octets  {image.entry['title']}")


@app.command("show")
def show(file: Image, *, as_json: AsJson = False) -> None:
    """What an OTA file says of itself."""
    image = _read(file)
    facts = _facts(image)
    if as_json:
        output.print_json(facts)
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        output.line(f"{name.replace('_', ' '):<{width}}  {value}")


@app.command("sign")
def sign(
    file: Image,
    *,
    key: Annotated[Path, typer.Option(help="PEM of the maker's private key, P-256, unencrypted.")],
    out: Annotated[Path, typer.Option(help="Where to write the signed file.")],
) -> None:
    """Put the maker's signature behind the Manufacturer Image, in place of one that is there."""
    signer = PrivateKey.from_pem(_octets(key, 16_384))
    signed = signed_file(_read(file), signer)
    out.write_bytes(signed.encode())
    shown = manufacturer_image_hash(signed.manufacturer_image).hex().upper()
    output.line(f"{out}: signed; hash of the Manufacturer Image is now {shown}")


@app.command("verify")
def verify(
    file: Image,
    *,
    key: Keys = None,
    manufacturer: Annotated[str | None, typer.Option(help="Manufacturer code of the device, hex.")] = None,
    image_type: Annotated[str | None, typer.Option(help="Image type of the device, hex.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Hardware version of the device, hex.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check an image; with all three identity options also whether it is for that device.

    Exit code 0: nothing is wrong, 1: something is.
    """
    identity = (manufacturer, image_type, hardware)
    if any(identity) and not all(identity):
        raise UsageError(
            "an identity is incomplete", hint="give --manufacturer, --image-type and --hardware together"
        )
    findings: list[Finding] = []
    try:
        image = decode_file(_octets(file, MAX_FILE_OCTETS))
    except FirmwareError as error:
        findings.append(Finding("file", str(error)))
    else:
        findings += check_file(image, [_public_key(path) for path in key or ()])
        if manufacturer and image_type and hardware:
            target = Target(
                manufacturer_code=_hex(manufacturer, "--manufacturer"),
                image_type=_hex(image_type, "--image-type"),
                hardware_version=_hex(hardware, "--hardware"),
            )
            findings += check_fit(image.header, target)
    if as_json:
        shown = [{"rule": finding.rule, "what": finding.what} for finding in findings]
        output.print_json({"file": str(file), "findings": shown})
    else:
        for finding in findings:
            output.line(f"{file}: {finding}")
        if not findings:
            output.line(f"{file}: nothing is wrong")
    raise typer.Exit(output.EXIT_FAIL if findings else output.EXIT_PASS)


def _facts(image: OtaFile) -> dict[str, str | int]:
    header: OtaHeader = image.header
    content, trailer = split_trailer(image.manufacturer_image)
    try:
        own = read_content(content)
        kind = "somebody else's" if own is None else "synthetic"
    except FirmwareError as error:
        own, kind = None, f"synthetic, damaged: {error}"
    facts: dict[str, str | int] = {
        "manufacturer_code": f"{header.manufacturer_code:04X}",
        "image_type": f"{header.image_type:04X}",
        "firmware_version": header.firmware_version.hex().upper(),
        "stack_version": f"{header.stack_version:04X}",
        "text": header.text,
    }
    if header.minimum_hardware is not None and header.maximum_hardware is not None:
        facts["hardware_versions"] = f"{header.minimum_hardware:04X} to {header.maximum_hardware:04X}"
    if header.credential_version is not None:
        facts["credential_version"] = header.credential_version
    if header.destination is not None:
        facts["destination"] = str(header.destination)
    facts["file_octets"] = header.length + len(image.manufacturer_image)
    facts["manufacturer_image_octets"] = len(image.manufacturer_image)
    facts["manufacturer_image_hash"] = manufacturer_image_hash(image.manufacturer_image).hex().upper()
    facts["content"] = kind
    if own is not None:
        facts["self_test"] = "passes" if own.self_test_passes else "fails"
    facts["signed_by"] = "nobody" if trailer is None else f"key {trailer.key_id.hex().upper()}"
    return facts


def _read(path: Path) -> OtaFile:
    try:
        return decode_file(_octets(path, MAX_FILE_OCTETS))
    except FirmwareError as error:
        raise UsageError(f"{path}: {error}") from error


def _octets(path: Path, limit: int) -> bytes:
    with path.open("rb") as source:
        octets = source.read(limit + 1)
    if len(octets) > limit:
        raise UsageError(f"{path}: more than {limit} octets")
    return octets


def _text(path: Path) -> str:
    try:
        return _octets(path, 1_000_000).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text") from error


def _public_key(path: Path) -> PublicKey:
    """From a certificate, a public key as hexadecimal point, or a private key."""
    octets = _octets(path, 16_384)
    try:
        if b"PRIVATE KEY" in octets:
            return PrivateKey.from_pem(octets).public
        if b"CERTIFICATE" in octets:
            return parse_certificate(octets).public_key
        return PublicKey(bytes.fromhex(octets.decode("ascii").strip()))
    except (SecurityError, CertificateError, ValueError) as error:
        raise UsageError(
            f"{path}: no key: {error}",
            hint="a PEM certificate, a PEM private key, or the uncompressed point in hexadecimal",
        ) from error


def _hex(text: str, option: str) -> int:
    try:
        value = int(text, 16)
    except ValueError as error:
        raise UsageError(f"{option}: {text!r} is not hexadecimal") from error
    if not 0 <= value <= 0xFFFF:
        raise UsageError(f"{option}: {text!r} is not two octets")
    return value
