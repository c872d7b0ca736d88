"""Which rate is active when, and how energy goes through blocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from smetslab.devices.esme_configuration import prices
from smetslab.devices.limits import MAX_PRICE
from smetslab.devices.tariff import NO_THRESHOLD, RateRegisters, TariffCalendar

SCRIPTS = "00000A0064FF"


def day(identifier: int, *switches: tuple[str, int]) -> dict[str, Any]:
    return {
        "day_identifier": identifier,
        "day_schedule": [
            {"start_time": time, "script_logical_name": SCRIPTS, "script_selector": script}
            for time, script in switches
        ],
    }


def week(name: str, workday: int, weekend: int) -> dict[str, Any]:
    workdays = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), workday)
    return {"week_profile_name": name, **workdays, "saturday": weekend, "sunday": weekend}


CALENDAR = TariffCalendar(
    seasons=[
        {"season_profile_name": "winter", "season_start": "hex:FFFF0A01FF000000008000FF", "week_name": "01"},
        {"season_profile_name": "summer", "season_start": "hex:FFFF0401FF000000008000FF", "week_name": "02"},
    ],
    weeks=[week("01", 1, 2), week("02", 2, 2)],
    days=[day(1, ("07:00:00", 101), ("23:00:00", 102)), day(2, ("00:00:00", 1)), day(3, ("12:00:00", 3))],
    special_days=[
        {"index": 1, "date": "*-12-25", "day_identifier": 3},
        {"index": 2, "date": "2026-01-05", "day_identifier": 2},
    ],
)


@pytest.mark.parametrize(
    ("when", "switches"),
    [
        (date(2026, 1, 6), [(7 * 3600, 101), (23 * 3600, 102)]),
        (date(2026, 1, 10), [(0, 1)]),
        (date(2026, 1, 5), [(0, 1)]),
        (date(2027, 1, 5), [(7 * 3600, 101), (23 * 3600, 102)]),
        (date(2026, 12, 25), [(12 * 3600, 3)]),
        (date(2026, 3, 31), [(7 * 3600, 101), (23 * 3600, 102)]),
        (date(2026, 4, 1), [(0, 1)]),
        (date(2026, 9, 30), [(0, 1)]),
        (date(2026, 10, 1), [(7 * 3600, 101), (23 * 3600, 102)]),
    ],
)
def test_special_days_come_before_the_week_of_the_season(when: date, switches: list[tuple[int, int]]) -> None:
    assert CALENDAR.switches(when) == switches


def test_a_time_of_use_script_gives_to_its_register() -> None:
    registers = RateRegisters()
    registers.add(48, 5, [])
    assert registers.tou[47] == 5


def test_an_energy_that_crosses_thresholds_is_split() -> None:
    registers = RateRegisters()
    thresholds = [[], [10, 30, 60]]
    registers.add(102, 25_000, thresholds)
    registers.add(102, 45_000, thresholds)
    assert [block[1] for block in registers.blocks] == [10_000, 20_000, 30_000, 10_000]
    assert registers.counters[1] == 70_000


def test_a_threshold_that_is_none_ends_the_blocks() -> None:
    registers = RateRegisters()
    registers.add(101, 10**9, [[10, NO_THRESHOLD, NO_THRESHOLD]])
    assert [block[0] for block in registers.blocks] == [10_000, 10**9 - 10_000, 0, 0]


def test_energy_without_a_rate_is_not_lost() -> None:
    registers = RateRegisters()
    registers.add(0, 7, [])
    assert registers.tou[0] == 7


@pytest.mark.parametrize(
    ("at", "price"),
    [
        (datetime(2026, 3, 2, 12, tzinfo=UTC), 2289),
        (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), 4002),
        (datetime(2026, 3, 2, 6, tzinfo=UTC), 2121),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), 2121),
    ],
    ids=["day", "night", "the night after a weekend", "weekend"],
)
def test_the_active_price_is_that_of_the_active_rate(make_bench: Any, at: datetime, price: int) -> None:
    assert make_bench(at=at).ask("ECS24")["active_tariff_price"] == price


def test_the_price_changes_when_a_block_is_full(make_bench: Any) -> None:
    bench = make_bench(state={"history_days": 2}, at=datetime(2026, 3, 27, 18, tzinfo=UTC))
    prices = []
    for _ in range(6):
        prices.append(bench.ask("ECS24")["active_tariff_price"])
        bench.pass_time(timedelta(hours=1))
    assert prices[0] in {2289, 3546}
    assert bench.settled().life.state.rates.counters[0] > 0


def test_block_counters_start_anew_with_the_billing_period(make_bench: Any) -> None:
    bench = make_bench(at=datetime(2026, 3, 31, 8, tzinfo=UTC))
    bench.pass_time(timedelta(hours=15))
    before = bench.settled().life.state.rates.counters[0]
    bench.pass_time(timedelta(hours=1))
    after = bench.settled().life.state.rates
    assert before > 0
    assert after.counters[0] == 0
    assert sum(block[0] for block in after.blocks) >= before


@pytest.mark.parametrize(
    ("scale", "amount", "price"),
    [(-5, 1234, 1234), (-4, 7, 70), (-6, 19, 1), (127, 1, MAX_PRICE), (127, 0, 0)],
)
def test_prices_are_in_thousandths_of_a_penny_and_fit_the_register(
    scale: int, amount: int, price: int
) -> None:
    """A scale may be anything from -128 to 127, which no register holds."""
    charge = {
        "charge_per_unit_scaling": {"commodity_scale": 3, "price_scale": scale},
        "charge_table": [{"index": "01", "charge_per_unit": amount}],
    }
    assert prices(charge) == {"01": price}
