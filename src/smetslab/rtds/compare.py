"""Compares what a device sent with the published message: header, protection, content after decryption.

`equal`: octet for octet, but for what the device's own keys make (MAC, signature, ciphertext).
`same_structure`: the same shape and the same results, with other values of state. How many entries a log has
is such a value; how long any other list is belongs to its shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from smetslab.errors import CodecError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.generic import content_to_generic
from smetslab.gbcs.keys import (
    CheckOutcome,
    KeyLookup,
    check_mac,
    check_signature,
    opening_secret,
    sealed_parts,
)
from smetslab.gbcs.message import Message
from smetslab.gbcs.security import EncryptionContext
from smetslab.gbcs.usecases import decode_content, find
from smetslab.gbcs.values import Value

Outcome: TypeAlias = Literal["equal", "same_structure", "different", "unsupported"]

_RESULT: Final = re.compile(r".*(result|status|status_code|response_code|error_code|outcome)")
"""Members that say what came of a command: they are no values of state."""

_FAILURES: Final = "failures"
"""Below this member everything does."""

_SUBJECT: Final = frozenset(
    f"instruction.{member}"
    for member in ("message_code", "class_id", "logical_name", "attribute", "cluster", "command")
)
"""What the alert of a future-dated instruction tells of: that of another one is no match."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How two messages compare, and where they differ first; `differences` counts how often."""

    outcome: Outcome
    first_difference: str | None = None
    differences: int = 0


def compare(ours: Message, ours_keys: KeyLookup, published: Message, published_keys: KeyLookup) -> Finding:
    """Compare a message of ours with the published one, each under the keys of its own world."""
    sides = (("ours", ours, ours_keys, _PROVEN), ("published", published, published_keys, _NOT_REFUTED))
    for side, message, keys, wanted in sides:
        problem = _protection_problem(message, keys, wanted)
        if problem is not None:
            return Finding("different", f"{side}: {problem}")
    header = _header_difference(ours, published)
    if header is not None and header.hard:
        return Finding("different", header.text)
    try:
        content, opened = _open(ours, ours_keys)
        expected_content, expected = _open(published, published_keys)
    except (CodecError, SecurityError) as error:
        return Finding("different", str(error))
    differences = _differences(opened, expected, "")
    if content != expected_content and not differences:
        return Finding("different", "content has other octets")
    hard = next((one for one in differences if one.hard), None)
    if hard is not None:
        return Finding("different", hard.text)
    soft = [*([] if header is None else [header]), *differences]
    return Finding("same_structure", soft[0].text, len(soft)) if soft else Finding("equal")


@dataclass(frozen=True, slots=True)
class _Difference:
    """One difference; `hard`: of structure or result, not of a value."""

    text: str
    hard: bool


_PROVEN: Final[tuple[CheckOutcome, ...]] = ("verified", "absent")
_NOT_REFUTED: Final[tuple[CheckOutcome, ...]] = (*_PROVEN, "uncheckable")
"""What the checks of a message of ours, and of a published one, have to say: of some messages between devices
no private key is published."""


def _protection_problem(message: Message, keys: KeyLookup, wanted: tuple[CheckOutcome, ...]) -> str | None:
    for name, outcome in (
        ("MAC", check_mac(message, keys)),
        ("signature", check_signature(message, keys)),
    ):
        if outcome not in wanted:
            return f"{name} does not verify"
    return None


def _header_difference(ours: Message, published: Message) -> _Difference | None:
    """The first field of the grouping header that differs. Counters of the device's own, that of an alert and
    the one that keys the answer to an unknown remote party, are values of state."""
    shown, expected = ours.other_information, published.other_information
    own, other = shown.supplementary_originator_counter, expected.supplementary_originator_counter
    fields: tuple[tuple[str, object, object, bool], ...] = (
        ("cra flag", ours.cra.name, published.cra.name, True),
        ("business originator id", ours.business_originator_id, published.business_originator_id, True),
        ("business target id", ours.business_target_id, published.business_target_id, True),
        (
            "other information",
            replace(shown, supplementary_originator_counter=None),
            replace(expected, supplementary_originator_counter=None),
            True,
        ),
        ("supplementary originator counter", own is None, other is None, True),
        ("supplementary originator counter", own, other, False),
        ("signature", bool(ours.signature), bool(published.signature), True),
        ("MAC", ours.message_mac is not None, published.message_mac is not None, True),
        ("date-time", bool(ours.date_time), bool(published.date_time), True),
        ("date-time", ours.date_time, published.date_time, False),
        (
            "originator counter",
            ours.originator_counter,
            published.originator_counter,
            ours.cra is not Cra.ALERT,
        ),
    )
    differences = [
        _Difference(f"{name}: ours {_text(one)}, published {_text(other)}", hard)
        for name, one, other, hard in fields
        if one != other
    ]
    return next((one for one in differences if one.hard), differences[0] if differences else None)


def _open(message: Message, keys: KeyLookup) -> tuple[bytes, Value]:
    """The content with everything protected in clear: its octets, and its values."""
    secret = opening_secret(message, keys)
    content = message.content
    if secret is not None:
        context = EncryptionContext.of(message)
        for sealed in sealed_parts(message):
            content = content.replace(sealed, context.decrypt(secret, sealed))
    use_case = find(message)
    if use_case is not None:
        try:
            return content, decode_content(use_case, message, secret)
        except CodecError:
            pass
    return content, content_to_generic(message)


def _differences(ours: Value, published: Value, path: str, result: bool = False) -> list[_Difference]:
    """Where two values differ. `result`: they are below a member that says what came of a command."""
    if ours == published and type(ours) is type(published):
        return []
    if isinstance(ours, dict) and isinstance(published, dict):
        if list(ours) != list(published):
            names = [name for name in (*ours, *published) if (name in ours) != (name in published)]
            where = _join(path, names[0]) if names else path
            return [_Difference(f"{where}: members {list(ours)}, published {list(published)}"[:300], True)]
        return [
            found
            for name in ours
            for found in _differences(
                ours[name],
                published[name],
                _join(path, name),
                result or name == _FAILURES,
            )
        ]
    if isinstance(ours, list) and isinstance(published, list):
        found = [
            difference
            for place, (one, other) in enumerate(zip(ours, published, strict=False))
            for difference in _differences(one, other, f"{path}[{place}]", result)
        ]
        if len(ours) != len(published):
            hard = not (_is_log(ours) and _is_log(published))
            text = f"{path}: {len(ours)} items, published {len(published)}"
            found.insert(0, _Difference(text, hard))
        return found
    name = path.rpartition(".")[2]
    told = result or _RESULT.fullmatch(name) is not None
    hard = told or type(ours) is not type(published) or path in _SUBJECT
    return [_Difference(f"{path}: ours {_text(ours)}, published {_text(published)}", hard)]


def _is_log(entries: list[Value]) -> bool:
    """How many entries a log has is a value of state, as long as it has some that show their form."""
    return bool(entries) and all(isinstance(entry, dict) and "timestamp" in entry for entry in entries)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex().upper()
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
