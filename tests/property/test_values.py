"""Text forms lose nothing: any octets give a text that gives the octets."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from smetslab.gbcs import values
from smetslab.zigbee.zcl.named import seconds_to_text

MOMENTS = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
SUFFIX = bytes.fromhex("008000FF")


@given(st.binary(min_size=12, max_size=12) | st.binary(max_size=13))
def test_any_octets_as_date_time(octets: bytes) -> None:
    assert values.date_time_from_text(values.date_time_to_text(octets)) == octets


@given(MOMENTS)
def test_any_moment_as_date_time(moment: datetime) -> None:
    octets = values.date_time_octets(moment)
    assert values.date_time_value(octets) == moment
    assert values.date_time_from_text(values.utc_text(moment)) == octets
    assert values.parse_utc(values.utc_text(moment)) == moment


@given(st.binary(min_size=5, max_size=5) | st.tuples(st.dates(), st.booleans()))
def test_any_octets_as_date(given_value: object) -> None:
    if isinstance(given_value, tuple):
        day, wild = given_value
        octets = b"\xff\xff" if wild else day.year.to_bytes(2, "big")
        octets += bytes((day.month, day.day, 0xFF))
        assert not values.date_to_text(octets).startswith("hex:")
    else:
        assert isinstance(given_value, bytes)
        octets = given_value
    assert values.date_from_text(values.date_to_text(octets)) == octets


@given(st.binary(min_size=4, max_size=4) | st.times().map(lambda t: bytes((t.hour, t.minute, t.second, 0))))
def test_any_octets_as_time(octets: bytes) -> None:
    assert values.time_from_text(values.time_to_text(octets)) == octets


@given(st.integers(0, 2**32 - 1))
def test_any_seconds(seconds: int) -> None:
    assert values.seconds_from_text(seconds_to_text(seconds)) == seconds


@given(st.binary())
def test_any_hex(octets: bytes) -> None:
    assert values.from_hex(values.to_hex(octets), "") == octets
