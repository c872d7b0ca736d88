"""What a gas meter records by itself: snapshots, daily reads, half hours, network data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smetslab.devices.gas_records import END_OF_BILLING_PERIOD
from smetslab.ids import Eui64

MakeBench = Callable[..., Any]
BROKER = Eui64.parse("90B3D51F30000002")
_NUMBERS = count()


def billing_period(start: str) -> dict[str, Any]:
    return {
        "cluster": "price",
        "command": "publish_billing_period",
        "provider_id": 0,
        "issuer_event_id": "2026-03-02T12:00:00Z",
        "billing_period_start_time": start,
        "billing_period_duration": 1,
        "billing_period_duration_type": {"timebase": "days", "control": "not_specified"},
        "tariff_type": "delivered",
    }


def block_period(start: str) -> dict[str, Any]:
    return {
        "cluster": "price",
        "command": "publish_block_period",
        "provider_id": 0,
        "issuer_event_id": "2026-03-02T12:00:00Z",
        "block_period_start_time": start,
        "block_period_duration": 1,
        "block_period_control": ["repeating_block"],
        "block_period_duration_type": {"timebase": "days", "control": "not_specified"},
        "tariff_type": "delivered",
        "tariff_resolution_period": "block_period",
    }


def test_half_hours_add_up_to_the_day(make_gas_bench: MakeBench) -> None:
    """Invariant I3: two midnights differ by the sum of the half hours between them."""
    bench = make_gas_bench(half_hour_ml=7_300)
    bench.pass_time(timedelta(days=3))
    daily = [one for one in bench.core.records.daily.entries]
    assert len(daily) >= 2
    totals = [one.values["current_summation_delivered"] for one in daily[-2:]]
    end = daily[-1].seconds
    samples = bench.core.records.profile.samples(daily[-2].seconds + 1800, 48)
    assert samples.start + 47 * 1800 == end
    assert abs(sum(samples.values) - (totals[1] - totals[0])) <= 1


def test_a_billing_period_ends_with_a_snapshot_and_an_alert(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench(half_hour_ml=7_300)
    start = "2026-03-03T00:00:00Z"
    answers = bench.ask("GCS25", billing_period(start), block_period(start))
    assert [one["status"] for one in answers] == ["success", "success"]
    bench.pass_time(timedelta(days=2))
    assert [one.cause & END_OF_BILLING_PERIOD for one in bench.core.records.billing.entries] == [2, 2]
    alerts = [one for one in bench.alerts if one.detail["code"] == "8F0A"]
    assert len(alerts) == 2
    told = bench.head.read(alerts[-1].data)
    snapshot = next(value for value in told.values() if isinstance(value, dict))
    assert snapshot["command"] == "publish_snapshot"
    assert snapshot["snapshot_time"] == "2026-03-04T00:00:00Z"


def test_a_billing_period_that_began_without_power_is_made_up_for(make_gas_bench: MakeBench) -> None:
    """Devices 1.3: what was due while the meter could not act is done when it can, with its own time."""
    bench = make_gas_bench(half_hour_ml=7_300)
    start = "2026-03-03T00:00:00Z"
    bench.ask("GCS25", billing_period(start), block_period(start))
    bench.pass_time(timedelta(hours=11))
    total, blocks = bench.core.meter.registers.total, list(bench.core.meter.registers.blocks)
    assert any(blocks)
    bench.power_cut(timedelta(hours=30))
    snapshots = bench.core.records.billing.entries
    assert [one.seconds % 86_400 for one in snapshots] == [0, 0]  # of both midnights
    assert snapshots[0].values["current_summation_delivered"] == total // 1_000
    assert bench.core.meter.registers.blocks == [0] * 4
    assert bench.core.meter.registers.total == total


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.sampled_from(("on", "off")), st.integers(1, 200_000)), min_size=1, max_size=8)
)
def test_energy_is_measured_while_there_is_power(make_gas_bench: MakeBench, steps: Any) -> None:
    """Invariants I1 and I15: registers never fall, and count what flowed with power, no more and no less."""
    bench = make_gas_bench(half_hour_ml=18_000, owner=f"energy/{next(_NUMBERS)}")
    before = start = bench.core.meter.registers.total
    expected_s = 0
    for kind, seconds in steps:
        if kind == "on":
            bench.pass_time(timedelta(seconds=seconds))
            expected_s += seconds
        else:
            bench.power_cut(timedelta(seconds=seconds))
        bench.core.settle(bench.now)
        total = bench.core.meter.registers.total
        assert total >= before
        before = total
    counted = before - start
    assert abs(counted - expected_s * 10) <= len(steps) + 1
    registers = bench.core.meter.registers
    assert sum(registers.tiers) == counted


def test_network_data_is_sampled_on_request(make_gas_bench: MakeBench) -> None:
    """GCS31 starts it, GCS18 reads it."""
    bench = make_gas_bench(half_hour_ml=36_000)
    started = bench.ask(
        "GCS31",
        {
            "cluster": "metering",
            "command": "start_sampling",
            "issuer_event_id": "2026-03-02T12:00:00Z",
            "start_sampling_time": "immediate",
            "sample_type": "consumption_delivered",
            "sample_request_interval": 360,
            "max_number_of_samples": 40,
        },
        originator=BROKER,
    )
    assert started[0]["command"] == "start_sampling_response", started
    bench.pass_time(timedelta(hours=3))
    [answer] = bench.ask(
        "GCS18",
        {
            "cluster": "metering",
            "command": "get_sampled_data",
            "sample_id": started[0]["sample_id"],
            "earliest_sample_time": "2026-03-02T12:00:00Z",
            "sample_type": "consumption_delivered",
            "number_of_samples": 40,
        },
        originator=BROKER,
    )
    assert answer["command"] == "get_sampled_data_response", answer
    assert len(answer["samples"]) in {29, 30}
    assert set(answer["samples"]) == {7} | {8}


def test_the_daily_read_comes_at_its_minute_though_nothing_else_happens_then(
    make_gas_bench: MakeBench,
) -> None:
    bench = make_gas_bench(state={"daily_read_minute": 17}, half_hour_ml=1_000)
    bench.pass_time(timedelta(days=3))
    assert [entry.seconds % 86_400 for entry in bench.core.records.daily.entries] == [17 * 60] * 3
