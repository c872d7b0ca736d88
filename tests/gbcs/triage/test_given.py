"""Texts with a wrong character: it is found, and the message behind it is explained all the same."""

from __future__ import annotations

import sys
from base64 import b64encode

import pytest

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.triage import Check
from smetslab.gbcs.triage.given import read_given

samples = sys.modules["smetslab_triage_samples"]  # made by conftest.py
DATA: bytes = samples.octets("clock pre-command")
TEXT = DATA.hex().upper()


@pytest.mark.parametrize(
    "given", [DATA, TEXT.encode(), TEXT.lower().encode(), b64encode(DATA), DATA.hex(" ").encode()]
)
def test_clean_input_is_taken_as_it_is(given: bytes) -> None:
    assert read_given(given).data == DATA
    assert read_given(given).findings == ()


@pytest.mark.parametrize("place", [0, 1, 33, 68, 71, len(TEXT) - 1])
def test_lost_digit_is_put_back_where_the_message_is_sound(place: int) -> None:
    given = read_given((TEXT[:place] + TEXT[place + 1 :]).encode())
    (finding,) = given.findings
    assert finding.check is Check.INPUT
    assert finding.text.startswith("a hex digit is missing ")
    assert len(given.data) == len(DATA)


def test_place_of_a_lost_digit_is_named() -> None:
    place = TEXT.index("0000010000FF", 80) + 3
    text = read_given((TEXT[:place] + TEXT[place + 1 :]).encode()).findings[0].text
    first, last = (int(word) for word in text.split(":")[0].split() if word.isdecimal())
    assert first <= place + 1 <= last
    assert last - first < 8


def test_added_digit_is_taken_out() -> None:
    given = read_given((TEXT[:70] + "7" + TEXT[70:]).encode())
    assert "a hex digit is too many" in given.findings[0].text
    assert len(given.data) == len(DATA)


@pytest.mark.parametrize(("wrong", "right"), [("O", "0"), ("l", "1"), ("S", "5"), ("?", None)])
def test_character_that_is_no_digit_is_named_and_read_as_what_it_resembles(
    wrong: str, right: str | None
) -> None:
    place = TEXT.index(right) if right else 44
    given = read_given((TEXT[:place] + wrong + TEXT[place + 1 :]).encode())
    (finding,) = given.findings
    assert finding.text.startswith(f"{wrong.upper()!r} at digit {place + 1} is no hex digit")
    assert finding.offset == place // 2
    assert right is None or given.data == DATA


def test_binary_message_with_a_damaged_first_octet_is_taken_as_octets() -> None:
    damaged = b"\xfe" + DATA[1:]
    assert read_given(damaged).data == damaged


def test_base64_of_a_damaged_message_is_taken_too() -> None:
    damaged = b"\x5f" + DATA[1:]
    assert read_given(b64encode(damaged)).data == damaged


@pytest.mark.parametrize("given", [b"", b"   ", b"what is this, please?", b"0x"])
def test_text_that_holds_nothing_is_refused(given: bytes) -> None:
    with pytest.raises(GbcsDecodeError):
        read_given(given)


BASE64 = b64encode(DATA).decode()


@pytest.mark.parametrize("place", [30, 47, 60, 90])
def test_lost_character_of_base64_is_put_back_where_the_message_is_sound(place: int) -> None:
    given = read_given((BASE64[:place] + BASE64[place + 1 :]).encode())
    (finding,) = given.findings
    assert finding.text.startswith("a character of the base64 is missing ")
    places = [int(word) for word in finding.text.split() if word.isdecimal()]
    assert places[0] - 4 <= place + 1 <= places[-1] + 4
    assert len(given.data) == len(DATA)


def test_added_character_of_base64_is_taken_out() -> None:
    given = read_given((BASE64[:50] + "x" + BASE64[50:]).encode())
    assert "a character of the base64 is too many" in given.findings[0].text
    assert given.data == DATA


def test_character_that_base64_has_not_is_named() -> None:
    given = read_given((BASE64[:50] + "?" + BASE64[51:]).encode())
    (finding,) = given.findings
    assert finding.text.startswith("'?' at character 51 is none of base64")
    assert finding.offset == 50 * 3 // 4
    assert (given.data[:37], len(given.data)) == (DATA[:37], len(DATA))
