"""ASN.1 types without members: numbers, named bits, octets, null, times, and what stays opaque.

Spec: X.690 8, 10, 11 (DER); GBCS Annex 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.asn1.der import SEQUENCE, Cursor, Lengths, excerpt, fault, refuse
from smetslab.gbcs.values import NEVER, Value, from_hex, parse_utc, to_hex

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
ENUMERATED = 0x0A
GENERALIZED_TIME = 0x18

_TIME_OCTETS = 15
NO_SUCH_MOMENT = "no date or time that exists"
"""What is said of a GeneralizedTime of the right form."""
_NEVER_TIME = b"99991231235959Z"
_LONGEST_INTEGER = 9
_MOST_BITS = 32
"""More than any named bit string has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """INTEGER and ENUMERATED: a name where the schema has one, the number itself where it has none.

    The form `code` shows four hexadecimal digits, as alert codes are written.
    """

    label: str = "INTEGER"
    tag: int = INTEGER
    minimum: int
    maximum: int
    names: Mapping[int, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    form: Literal["number", "code"] = "number"

    @property
    def tags(self) -> tuple[int, ...]:
        return (self.tag,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        start, stop = cursor.open(position, end, self.tag, self.label)
        data = cursor.data
        size = stop - start
        if size == 0:
            raise fault(start, "no contents", expected="1 octet or more", spec="X.690 8.3.1")
        if size > 1 and data[start] in {0x00, 0xFF} and (data[start] ^ data[start + 1]) < 0x80:
            raise fault(
                start,
                "number not in its shortest form",
                expected="no leading sign octet",
                found=excerpt(data[start:stop]),
                spec="X.690 8.3.2",
            )
        value = int.from_bytes(data[start:stop], "big", signed=True) if size <= _LONGEST_INTEGER else None
        if value is None or not self.minimum <= value <= self.maximum:
            raise fault(
                start,
                "out of range",
                expected=self._range,
                found=excerpt(data[start:stop]) if value is None else str(value),
                spec="GBCS Annex 3",
            )
        if self.form == "code":
            return f"{value:04X}", stop
        return self.names.get(value, value), stop

    @property
    def _range(self) -> str:
        return f"{self.minimum} to {self.maximum}"

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        number = self._number(value)
        if not self.minimum <= number <= self.maximum:
            raise refuse(value, self._range)
        octets = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
        return bytes((self.tag,)) + lengths(len(octets)) + octets

    def _number(self, value: Value) -> int:
        if self.form == "code":
            octets = from_hex(value, "")
            if len(octets) != 2:
                raise refuse(value, "four hexadecimal digits")
            return int.from_bytes(octets, "big")
        if isinstance(value, str) and value in self.numbers:
            return self.numbers[value]
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise refuse(value, " or ".join(("a number", *self.numbers)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBits:
    """BIT STRING with named bits: the name of the one bit that is set, or the list of all that are."""

    names: Mapping[int, str]
    tag: int = BIT_STRING
    label: str = "BIT STRING"

    @property
    def tags(self) -> tuple[int, ...]:
        return (self.tag,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        start, stop = cursor.open(position, end, self.tag, self.label)
        data = cursor.data
        unused = data[start] if stop > start else 0xFF
        if unused > 7:
            raise fault(start, "wrong count of unused bits", expected="00..07", spec="X.690 8.6.2.2")
        if 8 * (stop - start - 1) > _MOST_BITS:
            raise fault(position + 1, "wrong length", expected=f"at most {_MOST_BITS} bits")
        last = data[stop - 1] if stop - start > 1 else 0
        if (last & -last) != (1 << unused if stop - start > 1 else unused):
            raise fault(
                start,
                "zero bits at the end",
                expected="a last bit of 1, then unused bits of 0",
                found=excerpt(data[start:stop]),
                spec="X.690 11.2.2",
            )
        bits: list[Value] = [
            self.names.get(8 * place + bit, 8 * place + bit)
            for place, octet in enumerate(data[start + 1 : stop])
            for bit in range(8)
            if octet & 0x80 >> bit
        ]
        return (bits[0] if len(bits) == 1 and isinstance(bits[0], str) else bits), stop

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, list):
            raise refuse(value, " or ".join(self.names.values()))
        numbers = {name: number for number, name in self.names.items()}
        bits: list[int] = []
        for item in given:
            bit = numbers.get(item) if isinstance(item, str) else item
            if not isinstance(bit, int) or isinstance(bit, bool) or not 0 <= bit < _MOST_BITS:
                raise refuse(item, " or ".join((*self.names.values(), "the number of a bit")))
            bits.append(bit)
        octets = bytearray(max(bits, default=-1) // 8 + 1)
        for bit in bits:
            octets[bit // 8] |= 0x80 >> bit % 8
        unused = 7 - max(bits) % 8 if bits else 0
        return b"".join((bytes((self.tag,)), lengths(len(octets) + 1), bytes((unused,)), octets))


@dataclass(frozen=True, slots=True, kw_only=True)
class OctetString:
    """OCTET STRING as hexadecimal digits; `size` fixes how many octets."""

    size: int | None = None
    tag: int = OCTET_STRING
    label: str = "OCTET STRING"

    @property
    def tags(self) -> tuple[int, ...]:
        return (self.tag,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        start, stop = cursor.open(position, end, self.tag, self.label)
        if self.size is not None and stop - start != self.size:
            raise fault(
                position + 1, "wrong length", expected=f"{self.size} octets", found=f"{stop - start} octets"
            )
        return to_hex(cursor.data[start:stop]), stop

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        octets = from_hex(value, "")
        if self.size is not None and len(octets) != self.size:
            raise refuse(value, f"{self.size} octets")
        return bytes((self.tag,)) + lengths(len(octets)) + octets


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """NULL, which is null."""

    tag: int = NULL
    label: str = "NULL"

    @property
    def tags(self) -> tuple[int, ...]:
        return (self.tag,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        start, stop = cursor.open(position, end, self.tag, self.label)
        if stop != start:
            raise fault(
                position + 1, "wrong length", expected="00", found=str(stop - start), spec="X.690 8.8.2"
            )
        return None, stop

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        if value is not None:
            raise refuse(value, "null")
        return bytes((self.tag,)) + lengths(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """GeneralizedTime in the one form of GBCS, `YYYYMMDDHHMMSSZ`; its last second is `never`."""

    tag: int = GENERALIZED_TIME
    label: str = "GeneralizedTime"

    @property
    def tags(self) -> tuple[int, ...]:
        return (self.tag,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        start, stop = cursor.open(position, end, self.tag, self.label)
        octets = cursor.data[start:stop]
        if octets == _NEVER_TIME:
            return NEVER, stop
        if len(octets) == _TIME_OCTETS and octets[:14].isdigit() and octets[14:] == b"Z":
            text = octets.decode("ascii")
            year, month, day = text[:4], text[4:6], text[6:8]
            hour, minute, second = text[8:10], text[10:12], text[12:14]
            try:
                datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            except ValueError:
                raise fault(
                    start + _wrong_part(text),
                    NO_SUCH_MOMENT,
                    expected="YYYYMMDDHHMMSSZ with a date and time that exist",
                    found=text,
                    spec="X.690 11.7; GBCS 9.2",
                ) from None
            return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z", stop
        raise fault(
            start,
            "not a date-time",
            expected="YYYYMMDDHHMMSSZ",
            found=excerpt(octets),
            spec="X.690 11.7; GBCS 9.2",
        )

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        if value == NEVER:
            octets = _NEVER_TIME
        else:
            moment = parse_utc(value, "")
            octets = f"{moment.year:04}{moment:%m%d%H%M%S}Z".encode("ascii")
        return bytes((self.tag,)) + lengths(len(octets)) + octets


def _wrong_part(text: str) -> int:
    """Where the part of `YYYYMMDDHHMMSSZ` stands that makes it no date or time."""
    for place, low, high in ((4, 1, 12), (6, 1, 31), (8, 0, 23), (10, 0, 59), (12, 0, 59)):
        if not low <= int(text[place : place + 2]) <= high:
            return place
    return 0 if text[:4] == "0000" else 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """A SEQUENCE of another specification, such as a certificate: its octets as hexadecimal digits."""

    label: str

    @property
    def tags(self) -> tuple[int, ...]:
        return (SEQUENCE,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        _, stop = cursor.open_opaque(position, end, self.label)
        return to_hex(cursor.data[position:stop]), stop

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        del lengths
        octets = from_hex(value, "")
        try:
            _, stop = Cursor(octets).open(0, len(octets), SEQUENCE, self.label)
        except GbcsDecodeError as error:
            raise refuse(value, f"the DER of a {self.label}") from error
        if stop != len(octets):
            raise refuse(value, f"one {self.label} and nothing after it")
        return octets
