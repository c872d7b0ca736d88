"""The octets of a message as people hand them over, even when a character of them is wrong.

`smetslab.gbcs.notation` refuses what is not clean. Here a lost hex digit, a letter O for a zero or a damaged
first octet is noticed, and the message is looked at all the same.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.notation import message_octets
from smetslab.gbcs.triage.findings import Check, Finding, failed
from smetslab.gbcs.triage.repair import reads_as_sound

_SEPARATORS = re.compile(r"0[xX]|[\s:,;-]+", re.ASCII)
"""As `message_octets` has them, which works on octets."""
_DIGITS = "0123456789ABCDEF"
_LONGEST_SEARCH = 12_000
"""Digits of a text in which a lost one is searched for."""
_MOSTLY = 0.9
"""So much of a text has to be hex digits for it to be hex text."""


@dataclass(frozen=True, slots=True)
class Given:
    """Octets to explain, and what was wrong with the text that they stood in."""

    data: bytes
    findings: tuple[Finding, ...] = ()


def read_given(given: bytes) -> Given:
    """The octets in `given`. Raises GbcsDecodeError when there is nothing that could be a message."""
    try:
        return Given(message_octets(given))
    except GbcsDecodeError as error:
        text = _as_text(given)
        if text is None:
            if not given:
                raise
            return Given(given)
        digits = _SEPARATORS.sub("", text)
        known = sum(character.upper() in _DIGITS for character in digits)
        if len(digits) < 2 or known < _MOSTLY * len(digits):
            return _base64(text, error)
        return _hex(digits)


def _as_text(given: bytes) -> str | None:
    """The text, None for octets that are none: a binary message with a damaged first octet, most likely."""
    try:
        text = given.decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character.isspace() for character in text) else None


def _base64(text: str, error: GbcsDecodeError) -> Given:
    try:
        data = b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise error from None
    if not data:
        raise error
    return Given(data)


def _hex(digits: str) -> Given:
    """Hex text with a wrong character, or one digit too few or too many."""
    digits = digits.upper()
    place = next((n for n, character in enumerate(digits) if character not in _DIGITS), None)
    if place is not None:
        return _wrong_character(digits, place)
    lost, added = _lost_digit(digits), _added_digit(digits)
    text, data = "a hex digit is missing, or one too many", bytes.fromhex(digits[:-1])
    offset = len(digits) // 2
    if lost is not None:
        first, last, whole = lost
        text = f"a hex digit is missing {_span(first, last)}: with one more it reads as a sound message"
        data, offset = bytes.fromhex(whole), first // 2
    elif added is not None:
        first, last, whole = added
        text = f"a hex digit is too many {_span(first, last)}: without it it reads as a sound message"
        data, offset = bytes.fromhex(whole), first // 2
    finding = failed(
        Check.INPUT,
        text,
        offset=offset,
        field="the text",
        expected="two hex digits for each octet",
        found=f"{len(digits)} digits",
        decisive=lost is not None or added is not None,
    )
    return Given(data, (finding,))


def _span(first: int, last: int) -> str:
    return f"at digit {first + 1}" if first == last else f"between digits {first + 1} and {last + 1}"


def _lost_digit(digits: str) -> tuple[int, int, str] | None:
    """First and last place where a digit more makes a sound message, and that message."""
    found: list[tuple[int, str]] = []
    for place in range(len(digits) + 1) if len(digits) <= _LONGEST_SEARCH else ():
        for digit in "0" if found else _DIGITS:
            whole = digits[:place] + digit + digits[place:]
            if reads_as_sound(bytes.fromhex(whole)):
                found.append((place, whole))
                break
    return (found[0][0], found[-1][0], found[0][1]) if found else None


def _added_digit(digits: str) -> tuple[int, int, str] | None:
    found: list[tuple[int, str]] = []
    for place in range(len(digits)) if len(digits) <= _LONGEST_SEARCH else ():
        whole = digits[:place] + digits[place + 1 :]
        if reads_as_sound(bytes.fromhex(whole)):
            found.append((place, whole))
    return (found[0][0], found[-1][0], found[0][1]) if found else None


def _wrong_character(digits: str, place: int) -> Given:
    """A character that is no hex digit; what follows is read with a digit that fits, or 0."""
    character = digits[place]
    likely = {"O": "0", "I": "1", "L": "1", "S": "5", "Z": "2", "G": "6"}.get(character, "0")
    rest = "".join(one if one in _DIGITS else "0" for one in digits[place + 1 :])
    for digit in (likely, *_DIGITS):
        whole = digits[:place] + digit + rest
        if len(whole) % 2 == 0 and reads_as_sound(bytes.fromhex(whole)):
            break
    else:
        digit = likely
    whole = digits[:place] + digit + rest
    finding = failed(
        Check.INPUT,
        f"{character!r} at digit {place + 1} is no hex digit; read as {digit} to go on",
        offset=place // 2,
        field="the text",
        expected="0 to 9, A to F",
        found=repr(character),
        decisive=True,
    )
    return Given(bytes.fromhex(whole[: len(whole) // 2 * 2]), (finding,))
