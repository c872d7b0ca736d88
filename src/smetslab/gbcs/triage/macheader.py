"""The MAC header of a message that may be damaged.

Spec: GBCS 7.2.8.
"""

from __future__ import annotations

from smetslab.gbcs.message import GENERAL_CIPHERING, SECURITY_HEADER
from smetslab.gbcs.triage.envelope import MAC_SPEC, Envelope
from smetslab.gbcs.triage.lengths import length_at
from smetslab.wire import ber_length

_EMPTY_FIELDS = (
    "transaction id length",
    "originator length",
    "recipient length",
    "date-time length",
    "other information length",
    "key information",
)
_LENGTH_PLACE = 1 + len(_EMPTY_FIELDS)
_SMALLEST, _LARGEST = 13, 15
_ENOUGH = 8
"""So many of its twelve constants make a MAC header."""
_SHORT = 6
"""Fewer octets before the grouping header are no remains of a MAC header."""


def read_before(envelope: Envelope, grouping: int) -> None:
    """What stands before the grouping header: nothing, a MAC header, or what does not belong."""
    data = envelope.data
    if grouping <= 0:
        return
    start = _header_start(data, grouping)
    if start is not None:
        if start > 0:
            _in_front(envelope, start)
        envelope.maced = True
        _read_whole(envelope, start)
    elif grouping >= _SHORT and data[:grouping].count(0) >= _SHORT:
        envelope.maced = True
        _read_uneven(envelope, grouping)
    else:
        _in_front(envelope, grouping)


def _in_front(envelope: Envelope, size: int) -> None:
    envelope.fail_length(
        f"{size} octets stand before the message",
        offset=0,
        field="before the message",
        expected="DD or DF at once",
        found=envelope.data[:size].hex(" ").upper()[:60],
    )


def _header_start(data: bytes, grouping: int) -> int | None:
    """Where a MAC header of the right size starts, None when there is none."""
    best, found = 0, None
    for size in range(_SMALLEST, _LARGEST + 1):
        start = grouping - size
        if start < 0 or (start > 0 and data[start] != GENERAL_CIPHERING):
            continue
        wanted = bytes((GENERAL_CIPHERING,)) + bytes(len(_EMPTY_FIELDS))
        score = sum(a == b for a, b in zip(data[start:], wanted, strict=False))
        score += sum(
            a == b for a, b in zip(data[grouping - len(SECURITY_HEADER) :], SECURITY_HEADER, strict=False)
        )
        length = length_at(data, start + _LENGTH_PLACE)
        if length is not None and length.size == size - _SMALLEST + 1 and score > best:
            best, found = score, start
    return found if best >= _ENOUGH else None


def _read_whole(envelope: Envelope, start: int) -> None:
    """A MAC header with as many octets as it should have."""
    data = envelope.data
    if data[start] != GENERAL_CIPHERING:
        envelope.fail(
            "the first octet is not the tag of a MAC header",
            offset=start,
            field="MAC header.tag",
            expected="DD",
            found=envelope.octet(start),
            spec=MAC_SPEC,
        )
    for number, name in enumerate(_EMPTY_FIELDS):
        if data[start + 1 + number]:
            envelope.fail(
                "a field that is always empty is not",
                offset=start + 1 + number,
                field=f"MAC header.{name}",
                expected="00",
                found=envelope.octet(start + 1 + number),
                spec=MAC_SPEC,
            )
    place = start + _LENGTH_PLACE
    length = length_at(data, place)
    if length is None:
        return
    for number, octet in enumerate(SECURITY_HEADER):
        position = place + length.size + number
        if data[position] != octet:
            name = "security control" if number == 0 else "invocation counter"
            envelope.fail(
                "not suite 1, authentication only" if number == 0 else "not zero",
                offset=position,
                field=f"MAC header.{name}",
                expected=f"{octet:02X}",
                found=envelope.octet(position),
                spec=MAC_SPEC,
            )
    if not length.shortest:
        envelope.fail_length(
            "length not in its shortest form",
            offset=place,
            field="MAC header.ciphered service length",
            expected=ber_length(length.value).hex(" ").upper(),
            found=data[place : place + length.size].hex(" ").upper(),
        )
    envelope.claimed, envelope.length_place = length.value, place


def _read_uneven(envelope: Envelope, grouping: int) -> None:
    """A MAC header with too few or too many octets."""
    data = envelope.data
    right = bytes((GENERAL_CIPHERING,)) + bytes(len(_EMPTY_FIELDS))
    right += ber_length(len(SECURITY_HEADER) + len(data) - grouping) + SECURITY_HEADER
    have = data[:grouping]
    differs = next((n for n, (a, b) in enumerate(zip(have, right, strict=False)) if a != b), len(have))
    change = len(right) - len(have)
    if change > 0:
        words = f"{change} missing"
    else:
        words = f"{-change} too many" if change else "its length field is another one"
    envelope.fail_length(
        f"the MAC header has {len(have)} octets where {len(right)} belong: {words}",
        offset=differs,
        field=_field(differs, len(right)),
        expected=right.hex(" ").upper(),
        found=have.hex(" ").upper(),
    )


def _field(place: int, size: int) -> str:
    if place == 0:
        return "MAC header.tag"
    if place <= len(_EMPTY_FIELDS):
        return f"MAC header.{_EMPTY_FIELDS[place - 1]}"
    if place < size - len(SECURITY_HEADER):
        return "MAC header.ciphered service length"
    return "MAC header.security header"
