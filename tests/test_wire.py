"""Reading is bounds-checked, and every error says where in the outermost message it happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import CodecError, GbcsDecodeError, ZclDecodeError
from smetslab.wire import Reader, ber_length


def test_reads_one_thing_after_the_other() -> None:
    reader = Reader(bytes.fromhex("01 FFFE 0102 8180"))
    assert (reader.u8(), reader.signed(2), reader.unsigned(2)) == (1, -2, 0x0102)
    assert reader.peek() == 0x81
    assert reader.ber_length() == 128
    assert (reader.remaining, reader.peek()) == (0, None)
    reader.finish()


def test_reads_only_its_part() -> None:
    reader = Reader(b"abcdef", position=2, end=4)
    assert reader.take(2) == b"cd"
    with pytest.raises(GbcsDecodeError) as caught:
        reader.u8("next")
    assert (caught.value.offset, caught.value.path) == (4, "next")


@pytest.mark.parametrize(
    ("data", "read", "offset", "expected", "found"),
    [
        ("", lambda r: r.u8("f"), 100, "1 more byte", "0"),
        ("0102", lambda r: r.take(3, "f"), 100, "3 more bytes", "2"),
        ("01", lambda r: (r.u8("f"), r.unsigned(4, "f")), 101, "4 more bytes", "0"),
        ("01", lambda r: r.signed(2, "f"), 100, "2 more bytes", "1"),
        ("0102", lambda r: (r.u8(), r.finish("f")), 101, "the end", "1 more bytes"),
        ("AABB", lambda r: r.expect(b"\xaa\xcc", "f"), 101, "AACC", "AABB"),
        ("AA", lambda r: r.expect(b"\xaa\xcc", "f"), 101, "AACC", "AA"),
        ("", lambda r: r.expect(b"\xaa", "f"), 100, "AA", "nothing"),
        ("80", lambda r: r.ber_length("f"), 100, "00..7F or 81..84", "80"),
        ("850000000001", lambda r: r.ber_length("f"), 100, "00..7F or 81..84", "85"),
        ("817F", lambda r: r.ber_length("f"), 100, "7F", "817F"),
        ("8200FF", lambda r: r.ber_length("f"), 100, "81FF", "8200FF"),
        ("83000100", lambda r: r.ber_length("f"), 100, "820100", "83000100"),
        ("8201", lambda r: r.ber_length("f"), 101, "2 more bytes", "1"),
        ("", lambda r: r.ber_length("f"), 100, "1 more byte", "0"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(data, read, offset, expected, found) -> None:
    with pytest.raises(GbcsDecodeError) as caught:
        read(Reader(bytes.fromhex(data), base=100))
    error = caught.value
    assert (error.offset, error.path, error.expected, error.found) == (offset, "f", expected, found)


@pytest.mark.parametrize("kind", [CodecError, ZclDecodeError])
def test_error_is_of_the_readers_class(kind: type[CodecError]) -> None:
    with pytest.raises(kind) as caught:
        Reader(b"", error=kind).u8()
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, "00"),
        (127, "7F"),
        (128, "8180"),
        (255, "81FF"),
        (256, "820100"),
        (65535, "82FFFF"),
        (65536, "83010000"),
    ],
)
def test_length_is_written_in_its_shortest_form(value: int, octets: str) -> None:
    assert ber_length(value) == bytes.fromhex(octets)


@given(st.integers(0, 2**32 - 1))
def test_length_reads_back(value: int) -> None:
    reader = Reader(ber_length(value) + b"rest")
    assert reader.ber_length() == value
    assert reader.take(reader.remaining) == b"rest"
