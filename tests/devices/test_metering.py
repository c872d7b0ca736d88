"""Registers, half-hour profile and daily reads of one meter: they agree with each other, whatever happens to
it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meter_bench import PARTIES

from smetslab.devices.limits import PROFILE_LOG_ENTRIES
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.values import parse_utc, utc_text

MakeBench = Callable[..., Any]
HALF_HOUR = timedelta(minutes=30)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def half_hours(bench: Any, first: datetime, last: datetime) -> list[tuple[datetime, int]]:
    """ECS22b, read like anybody else reads it."""
    period = {"start_date_time": utc_text(first), "end_date_time": utc_text(last)}
    answer = bench.ask("ECS22b", {"read_log_period": period})["read_log_period"]["active_energy_imported_log"]
    entries = answer["entries"] if isinstance(answer, dict) else answer
    return [(parse_utc(entry["timestamp"]), entry["primary_value"]) for entry in entries]


def daily_reads(bench: Any, first: datetime, last: datetime) -> list[dict[str, Any]]:
    """ECS21a."""
    period = {"start_date_time": utc_text(first), "end_date_time": utc_text(last)}
    answer = bench.ask("ECS21a", {"read_log_period": period})["read_log_period"]["daily_read_log"]
    return answer["entries"] if isinstance(answer, dict) else answer


def active_import(bench: Any) -> int:
    value: int = bench.ask("ECS17b")["import_registers"]["import_register_collection"]["active"]
    return value


def test_a_new_meter_shows_what_it_was_fitted_with(bench: Any) -> None:
    assert active_import(bench) == 10
    assert half_hours(bench, bench.now - timedelta(days=1), bench.now) == []


def test_the_profile_adds_up_to_the_register(make_bench: MakeBench) -> None:
    bench = make_bench(at=MIDNIGHT)
    bench.pass_time(timedelta(days=2))
    entries = half_hours(bench, MIDNIGHT, bench.now)
    assert [stamp for stamp, _ in entries] == [MIDNIGHT + n * HALF_HOUR for n in range(1, 97)]
    assert 10 + sum(value for _, value in entries) == active_import(bench)


def test_both_ends_of_a_window_belong_to_it(make_bench: MakeBench) -> None:
    bench = make_bench(state={"history_days": 3}, at=MIDNIGHT)
    noon = MIDNIGHT - timedelta(hours=12)
    stamps = [stamp for stamp, _ in half_hours(bench, noon, noon + timedelta(hours=1))]
    assert stamps == [noon, noon + HALF_HOUR, noon + 2 * HALF_HOUR]
    assert half_hours(bench, MIDNIGHT, MIDNIGHT)[0][0] == MIDNIGHT


def test_a_window_without_dates_is_everything(make_bench: MakeBench) -> None:
    bench = make_bench(state={"history_days": 2}, at=MIDNIGHT)
    period = {"start_date_time": "hex:" + "FF" * 9 + "8000FF", "end_date_time": "never"}
    answer = bench.ask("ECS22b", {"read_log_period": period})
    assert len(answer["read_log_period"]["active_energy_imported_log"]) == 96


def test_the_profile_keeps_thirteen_months(make_bench: MakeBench) -> None:
    bench = make_bench(state={"history_days": 500}, at=MIDNIGHT)
    entries = half_hours(bench, MIDNIGHT - timedelta(days=600), MIDNIGHT)
    assert len(entries) == PROFILE_LOG_ENTRIES
    assert entries[-1][0] == MIDNIGHT
    assert entries[0][0] == MIDNIGHT - (PROFILE_LOG_ENTRIES - 1) * HALF_HOUR


def test_daily_reads_are_the_register_at_midnight(make_bench: MakeBench) -> None:
    bench = make_bench(state={"history_days": 40}, at=MIDNIGHT)
    reads = daily_reads(bench, MIDNIGHT - timedelta(days=60), MIDNIGHT)
    assert len(reads) == 31
    assert [parse_utc(read["timestamp"]) for read in reads] == [
        MIDNIGHT - timedelta(days=30 - n) for n in range(31)
    ]
    assert reads[-1]["active_import_register"] == active_import(bench)
    for before, after in pairwise(reads):
        first, last = parse_utc(before["timestamp"]), parse_utc(after["timestamp"])
        between = sum(value for _, value in half_hours(bench, first + HALF_HOUR, last))
        assert between == after["active_import_register"] - before["active_import_register"]


def test_the_rates_add_up_to_the_total(make_bench: MakeBench) -> None:
    bench = make_bench(state={"history_days": 40}, at=MIDNIGHT)
    for read in daily_reads(bench, MIDNIGHT - timedelta(days=60), MIDNIGHT):
        rates = list(read["tariff_tou_register_matrix"])
        for block in range(1, 5):
            rates += read[f"tariff_block_{block}_tou_registers"]
        # Each of the 80 registers shows whole Wh, so up to 79 thousandths each are not shown.
        assert 0 <= read["active_import_register"] - sum(rates) <= 80


def test_a_half_hour_without_power_is_zero(make_bench: MakeBench) -> None:
    bench = make_bench(at=MIDNIGHT)
    bench.pass_time(timedelta(hours=1, minutes=10))
    before = active_import(bench)
    bench.power_cut(timedelta(hours=2))
    assert active_import(bench) == before
    bench.pass_time(timedelta(minutes=50))
    entries = dict(half_hours(bench, MIDNIGHT, bench.now))
    hours = {(stamp - MIDNIGHT) / timedelta(hours=1): value for stamp, value in entries.items()}
    assert [hours[at] for at in (2.0, 2.5, 3.0)] == [0, 0, 0]
    assert hours[1.5] > 0
    assert hours[3.5] > 0
    assert 10 + sum(hours.values()) == active_import(bench)


def test_an_invalid_clock_stops_the_profile_and_not_the_register(make_bench: MakeBench) -> None:
    bench = make_bench(state={"clock_status": "invalid"}, at=MIDNIGHT)
    bench.pass_time(timedelta(hours=3))
    assert active_import(bench) > 10
    assert half_hours(bench, MIDNIGHT, bench.now) == []
    set_clock(bench)
    bench.pass_time(timedelta(hours=2))
    stamps = [stamp for stamp, _ in half_hours(bench, MIDNIGHT, bench.now)]
    assert stamps == [MIDNIGHT + timedelta(hours=3) + n * HALF_HOUR for n in range(1, 5)]


def test_a_reset_of_maximum_demand_has_the_time_that_the_meter_shows(make_bench: MakeBench) -> None:
    """Also where the clock is not valid, and what follows from time stands still."""
    bench = make_bench(state={"clock_status": "invalid"}, at=MIDNIGHT)
    bench.pass_time(timedelta(hours=3))
    operator = PARTIES[RemotePartyRole.NETWORK_OPERATOR]
    bench.ask("ECS57", {"maximum_demand_active_energy_import_reset": None}, originator=operator)
    shown: Any = bench.core.inspect(bench.now)["maximum_demand"]
    now = utc_text(bench.now)
    assert shown["import"] == {"watts": 0, "at": now, "reset_at": now}


def set_clock(bench: Any, counter: int = 1) -> None:
    interval = {
        "validity_interval_start": utc_text(bench.now - timedelta(days=1)),
        "validity_interval_end": utc_text(bench.now + timedelta(days=1)),
    }
    bench.ask("ECS70", {"validity_interval": interval}, counter=counter)


@pytest.mark.parametrize("offset_s", [-7200, -1234, 1234, 7200])
def test_setting_the_clock_neither_invents_nor_repeats_energy(make_bench: MakeBench, offset_s: int) -> None:
    bench = make_bench(state={"clock_offset_s": offset_s}, at=MIDNIGHT)
    bench.pass_time(timedelta(hours=5))
    set_clock(bench)
    bench.pass_time(timedelta(hours=5))
    entries = half_hours(bench, MIDNIGHT - timedelta(days=1), bench.now)
    stamps = [stamp for stamp, _ in entries]
    assert stamps == sorted(set(stamps))
    assert sum(value for _, value in entries) <= active_import(bench) - 10


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["wait", "cut", "off", "on", "clock"]), st.integers(1, 200)), max_size=12
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_registers_never_fall_and_the_profile_never_exceeds_them(
    make_bench: MakeBench, steps: list[Step]
) -> None:
    bench = make_bench(owner=f"meter {next(_OWNERS)}", at=MIDNIGHT)
    last, counter = active_import(bench), 1
    for what, minutes in steps:
        counter += 1
        match what:
            case "wait":
                bench.pass_time(timedelta(minutes=minutes))
            case "cut":
                bench.power_cut(timedelta(minutes=minutes))
            case "clock":
                bench.hub_offset = timedelta(seconds=minutes - 100)
                set_clock(bench, counter)
            case _:
                bench.ask("ECS42" if what == "on" else "ECS43", counter=counter)
        now = active_import(bench)
        assert now >= last
        last = now
    entries = half_hours(bench, MIDNIGHT - timedelta(days=1), bench.now + timedelta(days=1))
    assert [stamp for stamp, _ in entries] == sorted({stamp for stamp, _ in entries})
    assert all(value >= 0 for _, value in entries)
    assert sum(value for _, value in entries) <= last - 10


_OWNERS = iter(range(1_000_000))


def test_a_history_of_very_many_switchings_loses_its_oldest_and_no_energy(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smetslab.devices.metering.METER_SEGMENTS", 4)
    bench, whole = make_bench(at=MIDNIGHT), make_bench(at=MIDNIGHT, owner="other")
    for counter in range(1, 13):
        for meter in (bench, whole):
            meter.pass_time(timedelta(minutes=20))
            meter.ask("ECS42" if counter % 2 else "ECS43", counter=counter)
    assert len(bench.core.meter.segments) == 4
    bench.power_cut(timedelta())
    assert active_import(bench) == active_import(whole)
