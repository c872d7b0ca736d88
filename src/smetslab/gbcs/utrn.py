"""Unique Transaction Reference Numbers: build, parse, validate, rebuild the full counter.

A UTRN is 20 decimal digits: a 64-bit token (PTUT) plus a constant, and a check digit. The token carries the
low ten bits of the UTRN counter, the value, and the last four octets of a GMAC tag.

Spec: GBCS 14.2 to 14.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from smetslab.crypto import derive_key, equal, gmac
from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import SECURITY_HEADER
from smetslab.gbcs.security import initialization_vector, other_info
from smetslab.ids import Eui64

UTRN_DIGITS = 20
PPTD_OFFSET = 7394156990786306048
"""Added to the token so that it always has 19 digits. Spec: GBCS 14.5."""
COUNTER_MODULUS = 1024
MAX_VALUE = 8191
COUNTER_UNIT = 1 << 32
"""The UTRN counter is the upper half of the originator counter; the lower half is zero. Spec: GBCS 14.3."""

_SPEC = "GBCS 14"

_PERMUTATIONS = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_PRODUCTS = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_INVERSES = "1267583094"


class ValueClass(IntEnum):
    """What the value of a UTRN counts. Spec: GBCS 14.3."""

    PENCE = 0
    POUNDS = 1


@dataclass(frozen=True, slots=True)
class Utrn:
    """The parts of a UTRN. `mac_part` is the last four octets of the tag."""

    truncated_counter: int
    value_class: int
    value: int
    mac_part: bytes

    @property
    def upper_half(self) -> bytes:
        """The upper 32 bits of the token, which the tag covers."""
        return (self.truncated_counter << 15 | self.value_class << 13 | self.value).to_bytes(4, "big")

    @property
    def token(self) -> int:
        """The 64-bit token (PTUT)."""
        return int.from_bytes(self.upper_half + self.mac_part, "big")

    @property
    def digits(self) -> str:
        """All 20 digits."""
        body = str(self.token + PPTD_OFFSET)
        return body + check_digit(body)

    @property
    def millipence(self) -> int | None:
        """The value in 1/1000 of a penny, None for a value class that has no meaning."""
        if self.value_class == ValueClass.PENCE:
            return self.value * 1000
        return self.value * 100_000 if self.value_class == ValueClass.POUNDS else None


def check_digit(body: str) -> str:
    """The check digit of 19 digits. Spec: GBCS 14.8."""
    interim, row = 0, 4
    for digit in body:
        interim = int(_PRODUCTS[interim][int(_PERMUTATIONS[row][int(digit)])])
        row = (row + 1) % 8
    return _INVERSES[interim]


def parse_utrn(text: str) -> Utrn:
    """Read 20 digits. Raises GbcsDecodeError on a wrong length, a wrong check digit or a token out of
    range."""
    if len(text) != UTRN_DIGITS or not (text.isascii() and text.isdecimal()):
        raise GbcsDecodeError(
            "not a UTRN", path="UTRN", expected="20 digits", found=repr(text[:40]), spec=_SPEC
        )
    body, last = text[:-1], text[-1]
    if check_digit(body) != last:
        raise GbcsDecodeError(
            "wrong check digit", path="UTRN", expected=check_digit(body), found=last, spec="GBCS 14.8"
        )
    token = int(body) - PPTD_OFFSET
    if not 0 <= token < 1 << 57:
        raise GbcsDecodeError(
            "token out of range",
            path="UTRN",
            expected="seven leading zero bits",
            found=str(token),
            spec=_SPEC,
        )
    return Utrn(
        truncated_counter=token >> 47 & 0x3FF,
        value_class=token >> 45 & 0x3,
        value=token >> 32 & 0x1FFF,
        mac_part=(token & 0xFFFFFFFF).to_bytes(4, "big"),
    )


def utrn_tag(upper_half: bytes, secret: bytes, supplier: Eui64, device: Eui64, counter: int) -> bytes:
    """The whole 16-octet tag over the upper half of a token.

    `secret`: shared secret of the supplier's prepayment top-up key and the device's key; `counter`: the full
    64-bit originator counter. Spec: GBCS 14.4.
    """
    key = derive_key(secret, other_info(Cra.COMMAND, supplier, counter, device))
    aad = b"".join(
        (
            SECURITY_HEADER,
            b"\x00",
            supplier.raw,
            device.raw,
            bytes((Cra.COMMAND,)),
            counter.to_bytes(8, "big"),
            upper_half,
        )
    )
    return gmac(key, initialization_vector(supplier), aad)


def build_utrn(
    *, counter: int, value_class: ValueClass, value: int, secret: bytes, supplier: Eui64, device: Eui64
) -> Utrn:
    """The UTRN for a credit. Raises GbcsEncodeError when the counter or the value does not fit. Spec: GBCS
    14.2."""
    if not 0 <= value <= MAX_VALUE:
        raise GbcsEncodeError(
            "value does not fit",
            path="UTRN.value",
            expected=f"0 to {MAX_VALUE}",
            found=str(value),
            spec=_SPEC,
        )
    if not 0 <= counter < 1 << 64 or counter % COUNTER_UNIT:
        raise GbcsEncodeError(
            "not a UTRN counter",
            path="UTRN.counter",
            expected="a multiple of 2^32 below 2^64",
            found=str(counter),
            spec=_SPEC,
        )
    draft = Utrn(counter // COUNTER_UNIT % COUNTER_MODULUS, value_class, value, bytes(4))
    tag = utrn_tag(draft.upper_half, secret, supplier, device, counter)
    return Utrn(draft.truncated_counter, draft.value_class, value, tag[-4:])


def verify_utrn(utrn: Utrn, *, counter: int, secret: bytes, supplier: Eui64, device: Eui64) -> bool:
    """True when `utrn` was made by this supplier for this device with this counter. Spec: GBCS 14.6."""
    if counter // COUNTER_UNIT % COUNTER_MODULUS != utrn.truncated_counter:
        return False
    return equal(utrn_tag(utrn.upper_half, secret, supplier, device, counter)[-4:], utrn.mac_part)


def full_counter(truncated_counter: int, highest: int) -> int:
    """The 64-bit counter of a UTRN entered by hand, from its ten bits and the highest counter in the cache.

    `highest` is the highest 32-bit UTRN counter that the device holds. Spec: GBCS 14.8.
    """
    offset = highest % COUNTER_MODULUS
    base = highest - offset
    shift = truncated_counter
    half = COUNTER_MODULUS // 2
    if truncated_counter < offset - half:
        shift += COUNTER_MODULUS
    elif truncated_counter > offset + half:
        shift -= COUNTER_MODULUS
    if not 0 <= base + shift < COUNTER_UNIT:  # there is no cycle before the first, and none after the last
        shift = truncated_counter
    return (base + shift) * COUNTER_UNIT
