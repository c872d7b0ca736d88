"""Text forms of dates and times: one text for each octet string, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs import values
from smetslab.zigbee.zcl.named import seconds_to_text

DATE_TIMES = {
    "immediate": "000000000000000000 8000FF",
    "never": "FFFFFFFFFFFFFFFFFF 8000FF",
    "2030-01-15T09:00:00Z": "07EE010FFF09000000 8000FF",
    "2015-12-31T23:59:59Z": "07DF0C1FFF173B3B00 8000FF",
    "0001-01-01T00:00:00Z": "00010101FF00000000 8000FF",
    "hex:07EE010FFF0900000080004F": "07EE010FFF09000000 80004F",  # another clock status
    "hex:07EE010F0109000000800000": "07EE010F0109000000 800000",  # a day of the week
    "hex:07EE020FFF3C000000800000": "07EE020FFF3C000000 800000",
    "hex:07EE0D0FFF090000008000FF": "07EE0D0FFF09000000 8000FF",  # a thirteenth month
    "hex:07EE01": "07EE01",
    "hex:": "",
}
DATES = {
    "2015-05-01": "07DF0501FF",
    "*-12-25": "FFFF0C19FF",
    "*-02-29": "FFFF021DFF",
    "hex:07DF021DFF": "07DF021DFF",  # no leap year
    "hex:07DF05FEFF": "07DF05FEFF",  # last day of the month
    "hex:07DF050105": "07DF050105",
    "hex:FFFFFFFFFF": "FFFFFFFFFF",
}
TIMES = {
    "07:00:00": "07000000",
    "23:59:59": "173B3B00",
    "hex:18000000": "18000000",
    "hex:07000001": "07000001",
    "hex:0700": "0700",
}


@pytest.mark.parametrize(("text", "octets"), DATE_TIMES.items())
def test_date_time(text: str, octets: str) -> None:
    assert values.date_time_to_text(bytes.fromhex(octets)) == text
    assert values.date_time_from_text(text) == bytes.fromhex(octets)


@pytest.mark.parametrize(("text", "octets"), DATES.items())
def test_date(text: str, octets: str) -> None:
    assert values.date_to_text(bytes.fromhex(octets)) == text
    assert values.date_from_text(text) == bytes.fromhex(octets)


@pytest.mark.parametrize(("text", "octets"), TIMES.items())
def test_time(text: str, octets: str) -> None:
    assert values.time_to_text(bytes.fromhex(octets)) == text
    assert values.time_from_text(text) == bytes.fromhex(octets)


def test_seconds_count_from_the_year_2000() -> None:
    assert seconds_to_text(473385600) == "2015-01-01T00:00:00Z"
    assert values.seconds_from_text("2015-01-01T00:00:00Z") == 473385600
    assert seconds_to_text(0) == "2000-01-01T00:00:00Z"
    assert seconds_to_text(2**32 - 1) == "2136-02-07T06:28:15Z"


def test_moment_of_a_date_time() -> None:
    assert values.date_time_value(bytes.fromhex("07EE010FFF090000008000FF")) == datetime(
        2030, 1, 15, 9, tzinfo=UTC
    )
    for octets in ("000000000000000000 8000FF", "FFFFFFFFFFFFFFFFFF 8000FF", "07EE0D0FFF090000008000FF"):
        assert values.date_time_value(bytes.fromhex(octets)) is None


def test_date_time_is_written_in_utc_with_the_given_status() -> None:
    moment = datetime(2030, 7, 1, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    assert values.date_time_octets(moment, status=2).hex().upper() == "07EE0701FF091E0000800002"


@pytest.mark.parametrize(
    "text",
    [
        "2030-01-15T09:00:00",
        "2030-01-15T09:00:00+00:00",
        "2030-01-15T09:00:00+01:00Z",
        "2030-01-15T09:00:00.5Z",
        "2030-13-15T09:00:00Z",
        "Z",
        "",
        "never ",
        None,
        5,
        ["2030-01-15T09:00:00Z"],
    ],
)
def test_text_that_no_date_time_says_is_refused(text: values.Value) -> None:
    with pytest.raises(GbcsEncodeError) as caught:
        values.date_time_from_text(text, "start")
    assert (caught.value.path, caught.value.found) == ("start", repr(text))


@pytest.mark.parametrize(
    "text", ["2015-02-29", "2015-5-1", "20150501", "2015-W01-1", "*-02-30", "*", "", None, 5]
)
def test_text_that_no_date_says_is_refused(text: values.Value) -> None:
    with pytest.raises(GbcsEncodeError, match="not a date"):
        values.date_from_text(text, "begin")


@pytest.mark.parametrize(
    "text", ["24:00:00", "07:60:00", "7:00:00", "07:00", "07:00:00:00", "²7:00:00", "", None, 7]
)
def test_text_that_no_time_says_is_refused(text: values.Value) -> None:
    with pytest.raises(GbcsEncodeError, match="not a time"):
        values.time_from_text(text, "switch")


@pytest.mark.parametrize("text", ["0", "hex:0", "xyz", "hex:xy", None, 12, b"00"])
def test_text_that_is_no_hex_is_refused(text: values.Value) -> None:
    with pytest.raises(GbcsEncodeError, match="not a hex string"):
        values.from_hex(text, "octets")


def test_hex_is_read_in_either_case_with_or_without_its_prefix() -> None:
    assert values.from_hex("0aFf", "") == values.from_hex("hex:0AFF", "") == b"\x0a\xff"
    assert values.to_hex(b"\x0a\xff") == "0AFF"
