"""What a display adds up from a register."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.consumption import Ledger

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""A Monday."""
PRICE, STANDING = 28_000, 60_000


def add(ledger: Ledger, time: datetime, wh: int, price: int = PRICE) -> None:
    ledger.add(time, energy_wh=wh, price=price, standing_charge=STANDING)


def test_energy_costs_the_price_and_midnight_the_standing_charge() -> None:
    ledger = Ledger()
    add(ledger, START, 1_000_000)
    assert (ledger.day.energy_wh, ledger.day.cost_millipence) == (0, 0)
    add(ledger, START + timedelta(hours=1), 1_000_500)
    assert (ledger.day.energy_wh, ledger.day.cost_millipence) == (500, 14_000)
    add(ledger, START + timedelta(hours=13), 1_001_500)
    assert (ledger.day.energy_wh, ledger.day.cost_millipence) == (1000, 28_000 + 60_000)
    assert (ledger.yesterday.energy_wh, ledger.yesterday.cost_millipence) == (500, 14_000)
    assert (ledger.week.energy_wh, ledger.week.cost_millipence) == (1500, 42_000 + 60_000)


def test_periods_begin_on_monday_and_on_the_first() -> None:
    ledger = Ledger()
    add(ledger, datetime(2026, 1, 31, 23, tzinfo=UTC), 100)
    add(ledger, datetime(2026, 2, 1, 1, tzinfo=UTC), 300)
    assert (ledger.day.energy_wh, ledger.week.energy_wh, ledger.month.energy_wh) == (200, 200, 200)
    add(ledger, datetime(2026, 2, 2, 1, tzinfo=UTC), 600)
    assert (ledger.day.energy_wh, ledger.week.energy_wh, ledger.month.energy_wh) == (300, 300, 500)


def test_days_without_readings_bring_their_standing_charges() -> None:
    ledger = Ledger()
    add(ledger, START, 0)
    add(ledger, START + timedelta(days=3), 0)
    assert ledger.week.cost_millipence == 3 * STANDING
    assert ledger.day.cost_millipence == STANDING


def test_a_register_that_went_back_uses_nothing() -> None:
    ledger = Ledger()
    add(ledger, START, 1000)
    add(ledger, START, 10)
    add(ledger, START, 20)
    assert ledger.day.energy_wh == 10


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 400), st.integers(0, 90_000)), max_size=30))
def test_what_is_kept_is_what_is_read_again(steps: list[tuple[int, int, int]]) -> None:
    ledger, time, register, used = Ledger(), START, 0, 0
    for wh, hours, price in steps:
        time += timedelta(hours=hours)
        register += wh
        before = ledger.register_wh
        add(ledger, time, register, price)
        used += 0 if before is None else wh
        assert Ledger.decode(ledger.encode()) == ledger
    assert ledger.month.energy_wh <= used


def test_energy_of_a_period_that_runs_already_is_the_meters_word() -> None:
    ledger = Ledger()
    add(ledger, START + timedelta(days=1), 5000)
    ledger.told("week", 1800)
    ledger.told("day", 300)
    add(ledger, START + timedelta(days=1, hours=1), 5200)
    ledger.told("week", 1800)
    assert (ledger.week.energy_wh, ledger.day.energy_wh, ledger.month.energy_wh) == (2000, 500, 200)
    assert (ledger.week.cost_millipence, ledger.week.seen_from) == (5600, "2026-01-06T12:00:00+00:00")
    add(ledger, START + timedelta(days=2), 5400)
    ledger.told("day", 9000)
    assert (ledger.day.energy_wh, ledger.day.seen_from) == (200, ""), "it has seen all of this day itself"
