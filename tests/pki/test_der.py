"""The little DER that certificates are written with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import CodecError
from smetslab.pki import der


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        # X.690 8.3, 8.19.5 and 8.6.4.2; the policy of the published certificates.
        (der.integer(0), "020100"),
        (der.integer(127), "02017F"),
        (der.integer(128), "02020080"),
        (der.integer(-128), "0202FF80"),
        (der.boolean(True), "0101FF"),
        (der.object_identifier("2.999.3"), "0603883703"),
        (der.object_identifier("1.2.826.0.1.8641679.1.2.1.4"), "060D2A863A0001848FB90F01020104"),
        (der.bit_string(bytes.fromhex("0A3B5F291CD0"), 4), "0307040A3B5F291CD0"),
        (der.time(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)), "170D" + b"491231235959Z".hex()),
        (der.time(datetime(2050, 1, 1, tzinfo=UTC)), "180F" + b"20500101000000Z".hex()),
        (der.time(datetime(999, 1, 1, tzinfo=UTC)), "180F" + b"09990101000000Z".hex()),
        (der.octet_string(bytes(200)), "0481C8" + "00" * 200),
    ],
)
def test_values_have_their_der_form(encoded: bytes, expected: str) -> None:
    assert encoded == bytes.fromhex(expected)


@given(st.lists(st.integers(0, 2**70), min_size=1, max_size=8), st.integers(0, 39), st.integers(0, 1))
def test_object_identifiers_survive_a_round_trip(arcs: list[int], second: int, first: int) -> None:
    text = ".".join(map(str, (first, second, *arcs)))
    assert der.dotted(der.element(der.object_identifier(text)).content) == text


@given(st.binary(max_size=64))
def test_any_bytes_split_completely_or_not_at_all(data: bytes) -> None:
    try:
        found = der.elements(data)
    except CodecError:
        return
    assert b"".join(element.raw for element in found) == data


@pytest.mark.parametrize("bad", ["", "06", "0601", "1F0100", "308000", "02810100", "0201000201"])
def test_what_is_not_one_element_is_refused(bad: str) -> None:
    with pytest.raises(CodecError):
        der.element(bytes.fromhex(bad))


@pytest.mark.parametrize("bad", ["", "80", "2A86"])
def test_unfinished_object_identifiers_are_refused(bad: str) -> None:
    with pytest.raises(CodecError):
        der.dotted(bytes.fromhex(bad))
