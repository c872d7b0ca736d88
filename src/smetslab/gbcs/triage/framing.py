"""The envelopes of a message that may be damaged: as much as can be read, and what is wrong with the rest.

The strict reader of `smetslab.gbcs.message` stops at the first octet that does not fit. This one goes on: it
finds the grouping header by its constants, notices where an octet is missing or too many, and weighs length
fields against each other and against what the content says of itself.

Spec: GBCS 7.2.7, 7.2.8.
"""

from __future__ import annotations

from smetslab.crypto import TAG_BYTES
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import (
    DATE_TIME_BYTES,
    GENERAL_CIPHERING,
    GENERAL_SIGNING,
    Message,
    OtherInformation,
    decode_message,
)
from smetslab.gbcs.triage.envelope import Envelope
from smetslab.gbcs.triage.findings import Check, of_error, passed
from smetslab.gbcs.triage.lengths import length_at
from smetslab.gbcs.triage.macheader import read_before
from smetslab.gbcs.triage.tail import TailReader
from smetslab.ids import Eui64
from smetslab.wire import ber_length

_SEARCH = 48
"""How far from the start a grouping header is looked for."""

# Places in the grouping header, from its tag on.
_CRA, _COUNTER, _ORIGINATOR_LENGTH, _ORIGINATOR, _TARGET_LENGTH, _TARGET, _DATE_TIME_LENGTH = (
    2,
    3,
    11,
    12,
    20,
    21,
    29,
)
_ENOUGH = 4
"""So many of the five constants of a grouping header make one; both lengths in place count as three."""


def read_envelope(data: bytes) -> Envelope:
    """The envelopes of `data`; never fails."""
    envelope = Envelope(data)
    try:
        message = decode_message(data)
    except GbcsDecodeError as error:
        _Tolerant(envelope).read()
        if not envelope.findings:
            envelope.findings.append(of_error(Check.FRAMING, error))
        return envelope
    envelope.message, envelope.strict = message, True
    envelope.maced = message.message_mac is not None
    envelope.grouping = data.index(GENERAL_SIGNING) if envelope.maced else 0
    tail = len(message.message_mac or b"") + (0 if message.signature is None else 1 + len(message.signature))
    end = len(data) - tail
    envelope.content = (end - len(message.content), end)
    envelope.findings.append(passed(Check.LENGTHS, f"{len(data)} octets; all length fields agree"))
    envelope.findings.append(passed(Check.FRAMING, "headers as they have to be"))
    return envelope


class _Tolerant:
    """Reads one damaged message from left to right."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._data = envelope.data

    def read(self) -> None:
        grouping = _find_grouping(self._data)
        if grouping is None:
            self._no_grouping()
            return
        self._envelope.grouping = grouping
        read_before(self._envelope, grouping)
        self._grouping(grouping)

    def _no_grouping(self) -> None:
        data = self._data
        if len(data) < _SEARCH and data[:1] and data[0] in {GENERAL_CIPHERING, GENERAL_SIGNING}:
            self._envelope.fail_length(
                "the message ends inside its headers",
                offset=len(data),
                field="grouping header",
                expected="at least 34 octets of headers",
                found=f"{len(data)} octets",
            )
            return
        self._envelope.fail(
            "no grouping header: nowhere near the start stand DF 09, a CRA flag of 01 to 03, and two "
            "lengths of 08 nine octets apart",
            offset=0,
            field="grouping header",
            expected="DD 00 (MAC header) or DF 09 (grouping header)",
            found=data[:2].hex(" ").upper(),
        )

    # -- grouping header ---------------------------------------------------------------------------------

    def _grouping(self, start: int) -> None:
        data = self._data
        for place, wanted, name in ((0, GENERAL_SIGNING, "tag"), (1, 9, "transaction id length")):
            if start + place >= 0 and data[start + place] != wanted:
                self._envelope.fail(
                    "wrong constant" if start + place else "the first octet is not the tag of a message",
                    offset=start + place,
                    field=f"grouping header.{name}",
                    expected=f"{wanted:02X}",
                    found=self._envelope.octet(start + place),
                )
        if start < 0:
            self._envelope.fail(
                "the first octet, the tag of the grouping header, is missing",
                offset=0,
                field="grouping header.tag",
                expected="DF",
                found=self._envelope.octet(0),
            )
        cra = data[start + _CRA]
        if not 1 <= cra <= 3:
            self._envelope.fail(
                "unknown CRA flag",
                offset=start + _CRA,
                field="grouping header.CRA flag",
                expected="01 command, 02 response or 03 alert",
                found=f"{cra:02X}",
            )
            cra = 0
        fields = self._fixed_fields(start)
        if fields is None:
            return
        counter, originator, target, place = fields
        self._rest(place, cra, counter, originator, target)

    def _fixed_fields(self, start: int) -> tuple[bytes, bytes, bytes, int] | None:
        """Counter, originator id and target id, and where they end; notices missing and added octets."""
        data, shift = self._data, 0
        values: list[bytes] = []
        regions = (
            ("originator counter", _COUNTER, _ORIGINATOR_LENGTH, "originator length"),
            ("business originator id", _ORIGINATOR, _TARGET_LENGTH, "recipient length"),
            ("business target id", _TARGET, _DATE_TIME_LENGTH, "date-time length"),
        )
        for name, first, end, constant in regions:
            begin, stop = start + first + shift, start + end + shift
            if stop >= len(data):
                self._truncated(f"grouping header.{name}")
                return None
            if not _fits(data, start, end, shift):
                change = next((n for n in (-1, 1) if _tail_fits(data, start, end, shift + n)), 0)
                if change:
                    shift += change
                    stop += change
                    self._envelope.fail_length(
                        "an octet is missing here" if change < 0 else "an octet is too many here",
                        offset=begin,
                        field=f"grouping header.{name}",
                        expected="8 octets",
                        found=f"{stop - begin}: {data[begin:stop].hex().upper()}",
                    )
                else:
                    wanted = "00 or 0C" if end == _DATE_TIME_LENGTH else "08"
                    self._envelope.fail(
                        "wrong date-time length" if end == _DATE_TIME_LENGTH else "wrong constant",
                        offset=stop,
                        field=f"grouping header.{constant}",
                        expected=wanted,
                        found=self._envelope.octet(stop),
                    )
            values.append(data[begin:stop][-8:].rjust(8, b"\x00"))
        return values[0], values[1], values[2], start + _DATE_TIME_LENGTH + shift

    def _truncated(self, name: str) -> None:
        self._envelope.fail_length(
            "the message ends here",
            offset=len(self._data),
            field=name,
            expected="more octets",
            found="the end",
        )

    def _rest(self, place: int, cra: int, counter: bytes, originator: bytes, target: bytes) -> None:
        """From the date-time length on."""
        data = self._data
        date_time: bytes | None = None
        size = data[place]
        place += 1
        if size == DATE_TIME_BYTES:
            date_time = data[place : place + DATE_TIME_BYTES]
            place += DATE_TIME_BYTES
        tail = TailReader(self._envelope)
        extra, place = self._other_information(place, tail)
        if extra is None:
            return
        content = tail.read(place)
        if content is None:
            return
        begin, end, signature = content
        self._envelope.content = (begin, end)
        mac = data[-TAG_BYTES:] if self._envelope.maced else None
        self._envelope.message = Message(
            cra=Cra(cra or Cra.COMMAND),
            originator_counter=int.from_bytes(counter, "big"),
            business_originator_id=Eui64(originator),
            business_target_id=Eui64(target),
            date_time=date_time if date_time and len(date_time) == DATE_TIME_BYTES else None,
            other_information=extra,
            content=data[begin:end],
            signature=signature,
            message_mac=mac,
        )

    def _other_information(self, place: int, tail: TailReader) -> tuple[OtherInformation | None, int]:
        data, name = self._data, "grouping header.other information"
        length = length_at(data, place)
        if length is None or place + length.size + 2 > len(data):
            self._truncated(f"{name} length")
            return None, place
        value = length.value
        if not length.shortest:
            self._envelope.fail_length(
                "length not in its shortest form",
                offset=place,
                field=f"{name} length",
                expected=ber_length(value).hex(" ").upper(),
                found=data[place : place + length.size].hex(" ").upper(),
            )
        start = place + length.size
        if not (value in {2, 10, 18, 26} or value > 26) or start + value >= len(data):
            likely = next((n for n in (2, 10, 18, 26) if tail.content_fits(start + n)), None)
            self._envelope.fail_length(
                "no form of this field has this length"
                + ("" if likely is None else f"; what follows would fit a length of {likely}"),
                offset=place,
                field=f"{name} length",
                expected="02, 0A, 12, 1A or more" if likely is None else f"{likely:02X}",
                found=f"{value:02X}",
            )
            if likely is None:
                return None, place
            value = likely
        octets = data[start : start + value]
        return _other_information(octets), start + value


def _fits(data: bytes, start: int, place: int, shift: int) -> bool:
    position = start + place + shift
    if position >= len(data):
        return False
    wanted = (0, DATE_TIME_BYTES) if place == _DATE_TIME_LENGTH else (8,)
    return data[position] in wanted


def _tail_fits(data: bytes, start: int, place: int, shift: int) -> bool:
    """True when every constant from `place` on fits with this shift, and the other information after it."""
    places = [p for p in (_ORIGINATOR_LENGTH, _TARGET_LENGTH, _DATE_TIME_LENGTH) if p >= place]
    if not all(_fits(data, start, p, shift) for p in places):
        return False
    end = start + _DATE_TIME_LENGTH + shift
    other = length_at(data, end + 1 + data[end])
    return other is not None and (other.value in {2, 10, 18, 26} or other.value > 26)


def _find_grouping(data: bytes) -> int | None:
    """Where the grouping header starts; -1 when its tag was lost; None when there is none."""
    best, place = 0, None
    for position in range(-1, min(_SEARCH, len(data))):
        score = _score(data, position)
        if score > best:
            best, place = score, position
    return place if best >= _ENOUGH else None


def _score(data: bytes, start: int) -> int:
    """How many constants of a grouping header fit at `start`."""

    def octet(place: int) -> int | None:
        position = start + place
        return data[position] if 0 <= position < len(data) else None

    tags = (octet(0) == GENERAL_SIGNING) + (octet(1) == 9) + ((octet(_CRA) or 0) in {1, 2, 3})
    exact = octet(_ORIGINATOR_LENGTH) == 8 and octet(_TARGET_LENGTH) == 8
    lengths = max(
        (octet(_ORIGINATOR_LENGTH + shift) == 8) + (octet(_TARGET_LENGTH + also) == 8)
        for shift, also in ((0, 0), (1, 1), (-1, -1), (0, 1), (0, -1))
    )
    return tags + lengths + exact


def _other_information(octets: bytes) -> OtherInformation:
    """What is there of the other information; the shape is the caller's worry."""
    size = len(octets)

    def number(start: int) -> int:
        return int.from_bytes(octets[start : start + 8], "big")

    return OtherInformation(
        message_code=int.from_bytes(octets[:2], "big"),
        supplementary_remote_party_id=Eui64(octets[2:10]) if size >= 10 else None,
        supplementary_remote_party_counter=number(10) if size >= 18 else None,
        supplementary_originator_counter=number(18) if size == 26 else None,
        key_agreement_certificate=octets[18:] if size > 26 else None,
    )
