"""When billing and block periods begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.periods import RepeatingPeriod, Timebase

MOMENTS = st.integers(0, 20 * 365 * 24 * 60).map(
    lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "duration", "timebase", "time", "following"),
    [
        ("2026-02-01", 1, Timebase.MONTHS, "2026-01-15", "2026-02-01"),
        ("2026-02-01", 1, Timebase.MONTHS, "2026-02-01", "2026-03-01"),
        ("2026-01-31", 1, Timebase.MONTHS, "2026-02-01", "2026-02-28"),
        ("2026-01-31", 1, Timebase.MONTHS, "2026-03-01", "2026-03-31"),
        ("2026-01-31", 3, Timebase.MONTHS, "2026-12-01", "2027-01-31"),
        ("2026-01-01", 2, Timebase.WEEKS, "2026-01-02", "2026-01-15"),
        ("2026-01-01", 1, Timebase.DAYS, "2026-03-01 07:00:00", "2026-03-02"),
        ("2026-01-01", 90, Timebase.MINUTES, "2026-01-01 01:30:00", "2026-01-01 03:00:00"),
    ],
)
def test_the_next_beginning(start: str, duration: int, timebase: Timebase, time: str, following: str) -> None:
    assert RepeatingPeriod(at(start), duration, timebase).next_after(at(time)) == at(following)


@pytest.mark.parametrize("timebase", list(Timebase))
def test_a_period_that_is_longer_than_all_dates_begins_once(timebase: Timebase) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    period = RepeatingPeriod(start, 2**40, timebase)
    assert period.next_after(start - timedelta(days=1)) == start
    assert period.next_after(start) is None


def test_a_period_without_duration_begins_once() -> None:
    period = RepeatingPeriod(at("2026-01-01"), 0, Timebase.DAYS)
    assert period.next_after(at("2025-12-31")) == at("2026-01-01")
    assert period.next_after(at("2026-01-01")) is None


@given(
    start=MOMENTS,
    duration=st.integers(1, 40),
    timebase=st.sampled_from(Timebase),
    time=MOMENTS,
)
def test_beginnings_follow_each_other(
    start: datetime, duration: int, timebase: Timebase, time: datetime
) -> None:
    period = RepeatingPeriod(start, duration, timebase)
    following = period.next_after(time)
    assert following is not None
    assert following > time
    longest = {
        Timebase.MINUTES: timedelta(minutes=1),
        Timebase.DAYS: timedelta(days=1),
        Timebase.WEEKS: timedelta(weeks=1),
        Timebase.MONTHS: timedelta(days=31),
    }[timebase]
    assert following - max(time, start) <= longest * duration
    after = period.next_after(following)
    assert after is not None
    assert after > following
