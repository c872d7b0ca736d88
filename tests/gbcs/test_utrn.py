"""UTRNs, judged by the group that the check digit is defined on and by the library's own GCM."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.utrn import (
    PPTD_OFFSET,
    Utrn,
    ValueClass,
    build_utrn,
    check_digit,
    full_counter,
    parse_utrn,
    utrn_tag,
    verify_utrn,
)
from smetslab.ids import Eui64

SUPPLIER, DEVICE = Eui64(b"\x11" * 8), Eui64(b"\x22" * 8)
SECRET = bytes(range(32))
COUNTER = 3 << 32

UTRN_PARTS = st.builds(
    Utrn,
    truncated_counter=st.integers(0, 1023),
    value_class=st.integers(0, 3),
    value=st.integers(0, 8191),
    mac_part=st.binary(min_size=4, max_size=4),
)


def judged_tag(upper_half: bytes, counter: int) -> bytes:
    count = counter.to_bytes(8, "big")
    info = bytes.fromhex("60857406080300") + SUPPLIER.raw + b"\x09\x01" + count + DEVICE.raw
    key = ConcatKDFHash(algorithm=hashes.SHA256(), length=16, otherinfo=info).derive(SECRET)
    encryptor = Cipher(AES(key), GCM(SUPPLIER.raw + bytes(4))).encryptor()
    prefix = bytes.fromhex("110000000000")
    encryptor.authenticate_additional_data(prefix + SUPPLIER.raw + DEVICE.raw + b"\x01" + count + upper_half)
    encryptor.finalize()
    return encryptor.tag


def test_token_has_the_bits_of_the_specification() -> None:
    utrn = build_utrn(
        counter=COUNTER,
        value_class=ValueClass.POUNDS,
        value=10,
        secret=SECRET,
        supplier=SUPPLIER,
        device=DEVICE,
    )
    upper = (3 << 15 | 1 << 13 | 10).to_bytes(4, "big")
    assert utrn.upper_half == upper
    assert utrn.mac_part == judged_tag(upper, COUNTER)[-4:]
    assert utrn.token == int.from_bytes(upper + utrn.mac_part, "big")
    assert utrn.digits[:-1] == str(utrn.token + PPTD_OFFSET)
    assert len(utrn.digits) == 20


@given(UTRN_PARTS)
def test_digits_read_back(utrn: Utrn) -> None:
    assert len(utrn.digits) == 20
    assert parse_utrn(utrn.digits) == utrn


def dihedral(left: int, right: int) -> int:
    """The product of two symmetries of a pentagon: 0 to 4 rotations, 5 to 9 reflections."""
    if left < 5:
        return (left + right) % 5 if right < 5 else (left + right - 5) % 5 + 5
    return (left - 5 - right) % 5 + 5 if right < 5 else (left - right) % 5


def permuted(place: int, digit: int) -> int:
    """The permutation of the check digit scheme, applied `place` times."""
    once = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    for _ in range(place % 8):
        digit = once[digit]
    return digit


@given(st.text("0123456789", min_size=19, max_size=19))
def test_check_digit_closes_the_sum_in_the_dihedral_group(body: str) -> None:
    """The symmetries of all digits, permuted by their place, multiply to what the last digit undoes."""
    interim = 0
    for place, digit in enumerate(body):
        interim = dihedral(interim, permuted(place + 4, int(digit)))
    assert check_digit(body) == "1267583094"[interim]


@given(UTRN_PARTS, st.integers(0, 19), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(utrn: Utrn, place: int, shift: int) -> None:
    digits = utrn.digits
    wrong = digits[:place] + str((int(digits[place]) + shift) % 10) + digits[place + 1 :]
    with pytest.raises(GbcsDecodeError, match="check digit"):
        parse_utrn(wrong)


@given(UTRN_PARTS, st.integers(0, 17))
def test_swapped_neighbours_are_always_found(utrn: Utrn, place: int) -> None:
    digits = utrn.digits
    swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
    if swapped != digits:
        with pytest.raises(GbcsDecodeError, match="check digit"):
            parse_utrn(swapped)


def with_check_digit(body: str) -> str:
    return body + check_digit(body)


@pytest.mark.parametrize(
    ("text", "what", "expected"),
    [
        ("", "not a UTRN", "20 digits"),
        ("1" * 19, "not a UTRN", "20 digits"),
        ("1" * 21, "not a UTRN", "20 digits"),
        ("1" * 19 + "x", "not a UTRN", "20 digits"),
        ("1" * 19 + "²", "not a UTRN", "20 digits"),
        ("٣" * 20, "not a UTRN", "20 digits"),
        (with_check_digit("0" * 19), "token out of range", "seven leading zero bits"),
        (with_check_digit(str(PPTD_OFFSET - 1)), "token out of range", "seven leading zero bits"),
        (with_check_digit(str(PPTD_OFFSET + (1 << 57))), "token out of range", "seven leading zero bits"),
    ],
)
def test_anything_else_is_refused(text: str, what: str, expected: str) -> None:
    with pytest.raises(GbcsDecodeError) as caught:
        parse_utrn(text)
    assert (caught.value.what, caught.value.expected, caught.value.path) == (what, expected, "UTRN")


def test_lowest_and_highest_token_are_read() -> None:
    assert parse_utrn(with_check_digit(str(PPTD_OFFSET))) == Utrn(0, 0, 0, bytes(4))
    assert parse_utrn(with_check_digit(str(PPTD_OFFSET + (1 << 57) - 1))) == Utrn(1023, 3, 8191, b"\xff" * 4)


def test_only_the_supplier_device_and_counter_of_the_token_verify_it() -> None:
    utrn = build_utrn(
        counter=COUNTER,
        value_class=ValueClass.PENCE,
        value=1250,
        secret=SECRET,
        supplier=SUPPLIER,
        device=DEVICE,
    )

    def verified(**change: object) -> bool:
        given = {"counter": COUNTER, "secret": SECRET, "supplier": SUPPLIER, "device": DEVICE, **change}
        return verify_utrn(utrn, **given)  # type: ignore[arg-type]

    assert verified()
    assert not verified(counter=4 << 32)
    assert not verified(counter=COUNTER + (1024 << 32))  # the same ten bits, another counter
    assert not verified(secret=bytes(32))
    assert not verified(supplier=DEVICE)
    assert not verified(device=SUPPLIER)


def test_tag_covers_the_value() -> None:
    assert utrn_tag(b"\0\0\0\1", SECRET, SUPPLIER, DEVICE, COUNTER) == judged_tag(b"\0\0\0\1", COUNTER)
    assert judged_tag(b"\0\0\0\1", COUNTER) != judged_tag(b"\0\0\0\2", COUNTER)


def test_value_in_money() -> None:
    assert Utrn(0, ValueClass.PENCE, 1250, bytes(4)).millipence == 1_250_000
    assert Utrn(0, ValueClass.POUNDS, 10, bytes(4)).millipence == 1_000_000
    assert Utrn(0, 2, 10, bytes(4)).millipence is None


@pytest.mark.parametrize(
    ("counter", "value", "path"),
    [
        (COUNTER, -1, "UTRN.value"),
        (COUNTER, 8192, "UTRN.value"),
        (COUNTER + 1, 1, "UTRN.counter"),
        (1 << 64, 1, "UTRN.counter"),
    ],
)
def test_credit_that_no_token_can_carry_is_refused(counter: int, value: int, path: str) -> None:
    with pytest.raises(GbcsEncodeError) as caught:
        build_utrn(
            counter=counter,
            value_class=ValueClass.PENCE,
            value=value,
            secret=SECRET,
            supplier=SUPPLIER,
            device=DEVICE,
        )
    assert caught.value.path == path


def test_counter_of_a_typed_token_is_the_published_example() -> None:
    """GBCS 14.8: V = 2458896167, r = 812."""
    assert full_counter(812, 2458896167) == 10560878642999590912


@given(st.integers(1024, 2**31), st.integers(-511, 511))
def test_counter_is_the_one_nearest_to_the_highest_known(highest: int, distance: int) -> None:
    counter = highest + distance
    assert full_counter(counter % 1024, highest) == counter << 32


@given(st.integers(0, 1023), st.integers(0, 1023) | st.integers(2**32 - 1024, 2**32 - 1))
def test_counter_always_fits_its_64_bits(truncated: int, highest: int) -> None:
    counter = full_counter(truncated, highest)
    assert 0 <= counter < 2**64
    assert (counter >> 32) % 1024 == truncated
