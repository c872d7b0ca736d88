"""What people point the commands about messages at: hex digits, base64, a file, standard input; and keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from smetslab.errors import GbcsDecodeError, UsageError
from smetslab.gbcs.keys import KeyLookup, NoKeys
from smetslab.gbcs.notation import MAX_TEXT_BYTES, message_octets
from smetslab.pki import load_keystore
from smetslab.pki.lookup import RingLookup

HINT = "give hex digits, a file of hex digits, base64 or binary, or - for standard input"

MessageArgument: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="[HEX|FILE|-]", help="Hex digits or base64, a file, or - for standard input."),
]
ManyKeysOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        help="keystore.json or folder of PEM files; for a capture zigbee_pc_keys too. May repeat.",
    ),
]
KeysOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--keys", metavar="KEYSTORE", help="keystore.json or folder of PEM files."),
]


def given_octets(message: str) -> bytes:
    """The octets of the message that the person pointed at. Raises UsageError, GbcsDecodeError."""
    given, in_place = given_text(message)
    if not in_place:
        return message_octets(given)
    try:
        return message_octets(given)
    except GbcsDecodeError as error:
        raise not_given(message, error) from error


def not_given(message: str, error: GbcsDecodeError) -> UsageError:
    """What to say of an argument that is neither a file nor a message."""
    if "/" in message or "." in message:
        return UsageError(f"{message}: no such file", hint=HINT)
    return UsageError(f"{shortened(message)} is no file and no message: {error}", hint=HINT)


def given_text(message: str, *, limit: int = MAX_TEXT_BYTES) -> tuple[bytes, bool]:
    """What the person pointed at, within bounds; and whether the argument itself is it."""
    if message == "-":
        if sys.stdin.isatty():
            raise UsageError("nothing to read on standard input", hint=HINT)
        return sys.stdin.buffer.read(limit + 1), False
    path = Path(message)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # a long hex text is no possible name of a file
        is_file = False
    if not is_file:
        return message.encode(errors="surrogateescape"), True
    with path.open("rb") as stream:
        return stream.read(limit + 1), False


def shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def key_lookup(keys: Path | None) -> KeyLookup:
    """The keys of a key store, nobody's where none is given. Raises UsageError when it cannot be read."""
    return NoKeys() if keys is None else RingLookup(load_keystore(keys))
