"""The household: reproducible, plausible over a day and a year, and additive."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.load import HALF_HOUR_US, Consumption, Energies, LoadProfile
from smetslab.gbcs.values import EPOCH_2000

DAY_US = 48 * HALF_HOUR_US
SEED = bytes(range(16))
JANUARY = (datetime(2026, 1, 5, tzinfo=UTC) - EPOCH_2000).days
JULY = (datetime(2026, 7, 6, tzinfo=UTC) - EPOCH_2000).days


def total(profile: LoadProfile, first: int, days: int, member: str) -> float:
    """kWh or kvarh in a day, on average."""
    parts = [part for number in range(first, first + days) for part in profile.day(number)]
    return sum(getattr(part, member) for part in parts) / days / 1_000_000


def test_the_same_seed_is_the_same_household() -> None:
    assert LoadProfile(SEED).day(JANUARY) == LoadProfile(SEED).day(JANUARY)
    assert LoadProfile(SEED).day(JANUARY) != LoadProfile(SEED[::-1]).day(JANUARY)
    assert LoadProfile(SEED).day(JANUARY) != LoadProfile(SEED).day(JANUARY + 1)


def test_a_household_needs_more_in_winter_and_in_the_evening() -> None:
    profile = LoadProfile(SEED)
    winter, summer = total(profile, JANUARY, 28, "active_import"), total(profile, JULY, 28, "active_import")
    assert 4 < summer < winter < 30
    days = [profile.day(JANUARY + n) for n in range(28)]
    night = sum(day[slot].active_import for day in days for slot in range(2, 8))
    evening = sum(day[slot].active_import for day in days for slot in range(34, 40))
    assert evening > 2 * night


def test_the_sun_shines_by_day_and_in_summer() -> None:
    profile = LoadProfile(SEED, generation_peak_w=4000)
    assert total(profile, JULY, 28, "active_export") > 3 * total(profile, JANUARY, 28, "active_export")
    assert all(profile.day(JULY)[slot].active_export == 0 for slot in (0, 1, 2, 46, 47))
    assert total(LoadProfile(SEED), JULY, 28, "active_export") == 0


def test_nothing_is_negative_and_nothing_flows_both_ways() -> None:
    profile = LoadProfile(SEED, generation_peak_w=4000)
    for number in range(JULY, JULY + 14):
        for part in profile.day(number):
            assert min(part) >= 0
            assert not (part.active_import and part.active_export)


@given(st.lists(st.integers(0, 5 * DAY_US), min_size=3, max_size=8))
def test_consumption_is_monotonic_and_additive(offsets: list[int]) -> None:
    start = JANUARY * DAY_US
    consumption = Consumption(LoadProfile(SEED), start)
    moments = sorted(start + offset for offset in offsets)
    parts = Energies()
    for first, last in pairwise(moments):
        part = consumption.between(first, last)
        assert min(part) >= 0
        parts = parts.plus(part)
    assert parts == consumption.between(moments[0], moments[-1])


@given(st.integers(0, 3 * DAY_US), st.integers(0, 3 * DAY_US))
def test_the_order_of_questions_does_not_matter(first: int, second: int) -> None:
    start = JANUARY * DAY_US
    forwards, backwards = Consumption(LoadProfile(SEED), start), Consumption(LoadProfile(SEED), start)
    answers = forwards.at(start + first), forwards.at(start + second)
    assert answers == tuple(reversed((backwards.at(start + second), backwards.at(start + first))))
