"""Identifiers are values that have one octet form and read every text form in use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.ids import Eui64, format_message_code

OCTETS = bytes.fromhex("90B3D51F30010000")


@pytest.mark.parametrize(
    "text", ["90B3D51F30010000", "90b3d51f30010000", "90-B3-D5-1F-30-01-00-00", "90:b3:d5:1f:30:01:00:00"]
)
def test_every_text_form_is_the_same_identifier(text: str) -> None:
    assert Eui64.parse(text) == Eui64(OCTETS)


@pytest.mark.parametrize(
    "text",
    ["", "90B3D51F3001000", "90B3D51F300100000", "90-B3D51F30010000", "90-B3:D5-1F-30-01-00-00", "G" * 16],
)
def test_anything_else_is_refused_with_the_expected_form(text: str) -> None:
    with pytest.raises(ValueError, match="16 hex digits"):
        Eui64.parse(text)


@pytest.mark.parametrize("length", [0, 7, 9])
def test_wrong_number_of_octets_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="8 octets"):
        Eui64(bytes(length))


@given(st.binary(min_size=8, max_size=8))
def test_text_forms_read_back(octets: bytes) -> None:
    identifier = Eui64(octets)
    assert Eui64.parse(str(identifier)) == Eui64.parse(identifier.dashed()) == identifier


def test_identifiers_sort_as_their_octets_do() -> None:
    assert sorted([Eui64(b"\x02" * 8), Eui64(b"\x01" * 8)])[0] == Eui64(b"\x01" * 8)


def test_message_code_is_written_as_the_specification_writes_it() -> None:
    assert format_message_code(0x62) == "0x0062"
