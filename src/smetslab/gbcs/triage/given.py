"""The octets of a message as people hand them over, even when a character of them is wrong.

`smetslab.gbcs.notation` refuses what is not clean. Here a lost hex digit, a letter O for a zero or a damaged
first octet is noticed, and the message is looked at all the same.
"""

from __future__ import annotations

import binascii
import re
import string
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.notation import message_octets
from smetslab.gbcs.triage.findings import Check, Finding, failed
from smetslab.gbcs.triage.repair import reads_as_sound

_SEPARATORS = re.compile(r"0[xX]|[\s:,;-]+", re.ASCII)
"""As `message_octets` has them, which works on octets."""
_DIGITS = "0123456789ABCDEF"
_BASE64 = frozenset(string.ascii_letters + string.digits + "+/")
_LIKELY = "AgwBQ"
"""Characters that are tried in place of a lost one: most of them mean zeros."""
_FEWEST = 40
"""Characters of the shortest base64 that can be a message."""
_LONGEST_SEARCH = 12_000
"""Digits of a text in which a lost one is searched for."""
_LONGEST_BASE64 = 3_000
"""Characters of a base64 text in which a lost one is searched for."""
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
    """base64 of something that begins as no message, or with a character wrong, missing or too many."""
    letters = "".join(text.split())
    try:
        data = b64decode(letters, validate=True)
    except (binascii.Error, ValueError):
        return _damaged_base64(letters, error)
    if not data:
        raise error
    return Given(data)


def _damaged_base64(letters: str, error: GbcsDecodeError) -> Given:
    bare = letters.rstrip("=")
    known = sum(character in _BASE64 for character in bare)
    if len(bare) < _FEWEST or known < _MOSTLY * len(bare):
        raise error from None
    odd = next((n for n, character in enumerate(bare) if character not in _BASE64), None)
    if odd is not None:
        finding = failed(
            Check.INPUT,
            f"{bare[odd]!r} at character {odd + 1} is none of base64; read as A to go on",
            offset=odd * 3 // 4,
            field="the text",
            expected="A to Z, a to z, 0 to 9, + and /",
            found=repr(bare[odd]),
            decisive=True,
        )
        return Given(_decoded("".join(c if c in _BASE64 else "A" for c in bare)), (finding,))
    lost = _where(bare, lambda place: (bare[:place] + letter + bare[place:] for letter in _LIKELY))
    added = None if lost else _where(bare, lambda place: (bare[:place] + bare[place + 1 :],))
    text, data, offset = (
        "the base64 is damaged: a character is missing, or one too many",
        _decoded(bare),
        None,
    )
    if lost is not None:
        first, last, data = lost
        text = f"a character of the base64 is missing {_span(first, last, 'character')}"
        offset = first * 3 // 4
    elif added is not None:
        first, last, data = added
        text = f"a character of the base64 is too many {_span(first, last, 'character')}"
        offset = first * 3 // 4
    finding = failed(
        Check.INPUT,
        text,
        offset=offset,
        field="the text",
        expected="base64: four characters for three octets, = at the end where there are fewer",
        found=f"{len(letters)} characters",
        decisive=offset is not None,
    )
    return Given(data, (finding,))


def _decoded(bare: str) -> bytes:
    """The octets of base64 without its padding; a character alone in its group of four says nothing."""
    whole = bare if len(bare) % 4 != 1 else bare[:-1]
    return b64decode(whole + "=" * (-len(whole) % 4))


def _where(bare: str, changes: Callable[[int], Iterable[str]]) -> tuple[int, int, bytes] | None:
    """First and last place where a change makes a sound message, and that message."""
    found: list[tuple[int, bytes]] = []
    for place in range(len(bare) + 1) if len(bare) <= _LONGEST_BASE64 else ():
        sound = next((data for data in map(_decoded, changes(place)) if reads_as_sound(data)), None)
        if sound is not None:
            found.append((place, sound))
    return (found[0][0], found[-1][0], found[0][1]) if found else None


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


def _span(first: int, last: int, what: str = "digit") -> str:
    if first == last:
        return f"at {what} {first + 1}"
    return f"between {what}s {first + 1} and {last + 1}"


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
