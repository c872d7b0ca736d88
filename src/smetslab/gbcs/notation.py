"""The ways in which people hand over the octets of a message: binary, hex text, base64."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.message import GENERAL_CIPHERING, GENERAL_SIGNING, MAX_MESSAGE_BYTES

MAX_TEXT_BYTES = 8 * MAX_MESSAGE_BYTES
"""The most that is read as the text of one message: `0xDD, ` takes six characters for an octet."""

_FIRST = (GENERAL_CIPHERING, GENERAL_SIGNING)
_SEPARATORS = re.compile(rb"0[xX]|[\s:,;-]+")
_DIGITS = re.compile(rb"[0-9A-Fa-f]*")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def message_octets(given: bytes) -> bytes:
    """The octets of a message given as themselves, as hex digits or as base64.

    Between hex digits may stand white space, colons, commas, semicolons, hyphens and `0x`. Raises
    GbcsDecodeError.
    """
    if len(given) > MAX_TEXT_BYTES:
        raise GbcsDecodeError(
            "too long", path="input", expected=f"at most {MAX_TEXT_BYTES} bytes", found=f"{len(given)} bytes"
        )
    if given[:1] and given[0] in _FIRST:
        return given
    text = given.removeprefix(_BYTE_ORDER_MARK)
    digits = _SEPARATORS.sub(b"", text)
    if not digits:
        raise GbcsDecodeError(
            "nothing to decode", path="input", expected="hex digits, base64 or a binary message"
        )
    valid = _DIGITS.match(digits)
    whole = valid is not None and valid.end() == len(digits)
    octets = bytes.fromhex(digits.decode()) if whole and len(digits) % 2 == 0 else b""
    if octets[:1] and octets[0] in _FIRST:
        return octets
    # A short base64 text may consist of hex digits alone: what starts as a message decides.
    decoded = _base64(text)
    if decoded is not None:
        return decoded
    if octets:
        return octets
    if whole:
        raise GbcsDecodeError(
            "odd number of hex digits", path="input", expected="two for each octet", found=str(len(digits))
        )
    place = 0 if valid is None else valid.end()
    raise GbcsDecodeError(
        "neither hex digits nor base64 nor a binary message",
        path="input",
        expected="hex digits",
        found=f"{digits[place : place + 1]!r} after {place} digits",
    )


def _base64(text: bytes) -> bytes | None:
    """The octets, when `text` is base64 of something that starts as a message."""
    try:
        decoded = b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if decoded[:1] and decoded[0] in _FIRST else None
