"""Just enough DER to write certificates octet for octet and to see what a certificate parser hides.

Writing: `tlv` and the builders on top of it. Reading: `elements`, which splits one level, strictly.
Knows no certificate and no key.

Spec: X.690 8, 10, 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from smetslab.errors import CodecError
from smetslab.wire import Reader, ber_length

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

_UTC_TIME_YEARS = range(1950, 2050)
_MAX_ARC = 2**128 - 1
"""The largest arcs in use are UUIDs. Spec: X.667."""


@dataclass(frozen=True, slots=True)
class Element:
    """One tag, length and value; `raw` is all three."""

    tag: int
    content: bytes
    raw: bytes


def elements(data: bytes) -> tuple[Element, ...]:
    """Split `data` into the elements on its top level. Raises CodecError when it is no DER."""
    reader = Reader(data, error=CodecError)
    found: list[Element] = []
    while reader.remaining:
        start = reader.position
        tag = reader.u8("tag")
        if tag & 0x1F == 0x1F:
            raise reader.fail("tag of more than one octet", path="tag", spec="X.690 8.1.2.4")
        content = reader.take(reader.ber_length("length"), "value")
        found.append(Element(tag, content, data[start : reader.position]))
    return tuple(found)


def element(data: bytes) -> Element:
    """The one element that `data` consists of. Raises CodecError when there is none, or more."""
    found = elements(data)
    if len(found) != 1:
        raise CodecError("wrong number of elements", expected="1", found=str(len(found)))
    return found[0]


def tlv(tag: int, *parts: bytes) -> bytes:
    """`tag`, the length of `parts` together, and `parts`."""
    content = b"".join(parts)
    return bytes((tag,)) + ber_length(len(content)) + content


def sequence(*parts: bytes) -> bytes:
    return tlv(SEQUENCE, *parts)


def boolean(value: bool) -> bytes:
    return tlv(BOOLEAN, b"\xff" if value else b"\x00")


def integer(value: int) -> bytes:
    """The shortest two's complement form. Spec: X.690 8.3."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def bit_string(octets: bytes, unused_bits: int = 0) -> bytes:
    return tlv(BIT_STRING, bytes((unused_bits,)), octets)


def octet_string(octets: bytes) -> bytes:
    return tlv(OCTET_STRING, octets)


def utf8_string(text: str) -> bytes:
    return tlv(UTF8_STRING, text.encode())


def object_identifier(dotted: str) -> bytes:
    """Spec: X.690 8.19."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(OBJECT_IDENTIFIER, *(_base128(arc) for arc in (40 * first + second, *rest)))


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | (arc & 0x7F))
    return bytes(reversed(octets))


def time(moment: datetime) -> bytes:
    """UTCTime where its two digits of a year suffice, else GeneralizedTime. Spec: RFC 5280 4.1.2.5."""
    utc = moment.astimezone(UTC)
    if utc.year in _UTC_TIME_YEARS:
        return tlv(UTC_TIME, f"{utc:%y%m%d%H%M%S}Z".encode())
    return tlv(GENERALIZED_TIME, f"{utc.year:04d}{utc:%m%d%H%M%S}Z".encode())


def dotted(content: bytes) -> str:
    """The dotted form of the content octets of an OBJECT IDENTIFIER. Spec: X.690 8.19."""
    if not content or content[-1] & 0x80:
        raise CodecError("object identifier ends inside an arc", expected="an arc", found=content.hex())
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if arc > _MAX_ARC:
            raise CodecError("arc of an object identifier too long", expected="at most 128 bits")
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))
