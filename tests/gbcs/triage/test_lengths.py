"""How long content says of itself that it is."""

from __future__ import annotations

import pytest

from smetslab.gbcs.triage.lengths import length_at, own_length

INNER = bytes.fromhex("0201050403AABBCC")
SEQUENCE = bytes((0x30, len(INNER))) + INNER


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (SEQUENCE + b"\x00", len(SEQUENCE)),
        # A length that is one too large or small no longer ends where the elements inside end.
        (b"\x30\x09" + INNER + b"\x00", None),
        (b"\x30\x07" + INNER + b"\x00", None),
        (bytes((0x30, len(SEQUENCE))) + SEQUENCE + b"\x40", 2 + len(SEQUENCE)),
        (bytes((0x30, len(SEQUENCE))) + b"\x30\x07" + INNER + b"\x40", None),
        # It goes on behind what is there: that much it says, whatever is inside.
        (b"\x30\x20" + INNER, 0x22),
        (b"\x05\x00\x00", 2),
        (b"\x30", None),
        (b"", None),
    ],
)
def test_content_of_asn1_is_as_long_as_its_elements_nest(content: bytes, length: int | None) -> None:
    assert own_length(content, 0) == length


@pytest.mark.parametrize(
    ("octets", "value", "size", "shortest"),
    [("7F", 127, 1, True), ("8180", 128, 2, True), ("8105", 5, 2, False), ("820101", 257, 3, True)],
)
def test_length_fields(octets: str, value: int, size: int, shortest: bool) -> None:
    assert length_at(bytes.fromhex(octets), 0) == (value, size, shortest)


@pytest.mark.parametrize("octets", ["", "80", "81", "8201", "8501020304FF"])
def test_what_is_no_length_field(octets: str) -> None:
    assert length_at(bytes.fromhex(octets), 0) is None
