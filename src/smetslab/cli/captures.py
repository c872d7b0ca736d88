"""Captures and their keys as people point at them on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from smetslab.errors import UsageError
from smetslab.zigbee.capture.file import is_capture
from smetslab.zigbee.capture.keys import KEY_OCTETS, KEYS_SUFFIX, MAX_KEY_FILE_OCTETS, read_keys

MAX_CAPTURE_OCTETS: Final = 1 << 28

KeyFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        help="Keys as Wireshark keeps them. By default FILE.zigbee_pc_keys, where that is.",
    ),
]
KeyOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="HEX", help="One more network or link key: 32 hex digits. May repeat."),
]


def capture_octets(file: Path) -> bytes:
    """The octets of a capture. Raises UsageError for more than a capture of a home has."""
    if file.stat().st_size > MAX_CAPTURE_OCTETS:
        raise UsageError(f"{file}: larger than 256 MiB", hint="cut it with editcap -c 1000000")
    return file.read_bytes()


def begins_as_capture(file: Path) -> bool:
    """Whether a file is a capture by its first octets."""
    with file.open("rb") as stream:
        return is_capture(stream.read(4))


def capture_keys(file: Path, keys: Path | None, more: list[str]) -> list[bytes]:
    """The keys that open a capture: those of a key file, or of the one beside it, and `more` in hex.

    Raises UsageError, or CaptureError for a key file that is none.
    """
    beside = file.with_name(file.name + KEYS_SUFFIX)
    place = keys if keys is not None else beside if beside.is_file() else None
    return ([] if place is None else key_file_keys(place)) + [_key(text) for text in more]


def key_file_keys(place: Path) -> list[bytes]:
    """The keys of a key file, within bounds."""
    if place.stat().st_size > MAX_KEY_FILE_OCTETS:
        raise UsageError(f"{place}: larger than any list of keys")
    return [entry.key for entry in read_keys(place.read_text(encoding="utf-8", errors="replace"))]


def _key(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        octets = b""
    if len(octets) != KEY_OCTETS:
        # Not the text itself: what is nearly a key is better not repeated.
        raise UsageError(f"--key: {len(text)} characters, which are not 32 hex digits")
    return octets
