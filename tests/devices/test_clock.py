"""Set Clock, its validity interval, the daily comparison with the hub, and what the status says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from smetslab.devices.payload_engine import Fault
from smetslab.gbcs.values import Parameters, utc_text

MINUTE = timedelta(minutes=1)
MakeBench = Callable[..., Any]


def interval(bench: Any, first: timedelta, last: timedelta) -> Parameters:
    return {
        "validity_interval": {
            "validity_interval_start": utc_text(bench.now + first),
            "validity_interval_end": utc_text(bench.now + last),
        }
    }


def codes(log: Any) -> list[str]:
    return [f"{entry.code:04X}" for entry in log.entries]


def alert_codes(bench: Any, sent: list[Any]) -> list[str]:
    return [bench.head.read(message.data)["alert_code"] for message in sent if message.event == "AlertSent"]


def test_the_hubs_time_inside_the_interval_is_taken(make_bench: MakeBench) -> None:
    bench = make_bench(state={"clock_status": "invalid", "clock_offset_s": -86400})
    answer = bench.ask("ECS70", interval(bench, -MINUTE, MINUTE))
    assert answer == {"device_time": utc_text(bench.now), "device_time_status": "reliable"}
    assert codes(bench.core.application.event_log) == ["8145"]
    assert bench.take() == []


@pytest.mark.parametrize(("first", "last"), [(MINUTE, 2 * MINUTE), (-2 * MINUTE, -MINUTE)])
def test_the_hubs_time_outside_the_interval_is_not_taken(
    make_bench: MakeBench, first: timedelta, last: timedelta
) -> None:
    bench = make_bench(state={"clock_offset_s": 30})
    sent = bench.send(bench.head.command("ECS70", interval(bench, first, last)))
    answer = bench.head.read(sent[0].data)
    assert answer == {
        "device_time": utc_text(bench.now + timedelta(seconds=30)),
        "device_time_status": "unreliable",
    }
    assert alert_codes(bench, sent) == ["81C6"]
    assert codes(bench.core.application.event_log) == ["81C6"]


@pytest.mark.parametrize(("first", "last"), [(timedelta(), MINUTE), (-MINUTE, timedelta())])
def test_the_bounds_belong_to_the_interval(bench: Any, first: timedelta, last: timedelta) -> None:
    assert bench.ask("ECS70", interval(bench, first, last))["device_time_status"] == "reliable"


def test_an_invalid_clock_stays_invalid_when_the_interval_is_missed(make_bench: MakeBench) -> None:
    bench = make_bench(state={"clock_status": "invalid"})
    sent = bench.send(bench.head.command("ECS70", interval(bench, MINUTE, 2 * MINUTE)))
    assert bench.head.read(sent[0].data)["device_time_status"] == "invalid"


def test_a_hub_without_time_leaves_the_clock_alone(bench: Any) -> None:
    bench.hub_offset = None
    sent = bench.send(bench.head.command("ECS70", interval(bench, -MINUTE, MINUTE)))
    assert bench.head.read(sent[0].data)["device_time_status"] == "unreliable"


def test_status_and_time_survive_a_power_cut(make_bench: MakeBench) -> None:
    bench = make_bench(state={"clock_offset_s": 5})
    bench.send(bench.head.command("ECS70", interval(bench, MINUTE, 2 * MINUTE)))
    bench.power_cut(timedelta(days=30))
    assert bench.core.clock.status.name == "UNRELIABLE"
    assert bench.core.clock.time(bench.now) == bench.now + timedelta(seconds=5)


def test_a_power_cut_longer_than_the_battery_loses_the_time(bench: Any) -> None:
    bench.power_cut(timedelta(days=731))
    assert bench.core.clock.status.name == "INVALID"


def test_a_small_difference_is_adjusted_without_a_word(make_bench: MakeBench) -> None:
    bench = make_bench(state={"clock_offset_s": 10})
    bench.pass_time(timedelta(hours=24))
    assert bench.core.clock.time(bench.now) == bench.now
    assert (bench.take(), codes(bench.core.application.event_log)) == ([], [])


def test_a_difference_beyond_ten_seconds_makes_the_clock_unreliable(make_bench: MakeBench) -> None:
    bench = make_bench(state={"clock_offset_s": -11})
    bench.pass_time(timedelta(hours=23, minutes=59))
    assert bench.core.clock.status.name == "RELIABLE"
    bench.pass_time(MINUTE)
    assert bench.core.clock.status.name == "UNRELIABLE"
    assert bench.core.clock.time(bench.now) == bench.now - timedelta(seconds=11)
    assert alert_codes(bench, bench.take()) == ["8F0C"]
    assert codes(bench.core.application.security_log) == ["8F0C"]
    bench.pass_time(timedelta(days=3))
    assert bench.take() == [], "an unreliable clock is not compared again"


def test_adjustment_needs_an_interval_of_the_same_command(bench: Any) -> None:
    bench.core.application.command_fault = Fault(2)
    first = bench.ask("ECS70", interval(bench, -MINUTE, MINUTE), counter=1)
    assert first["failures"]["adjust_to_preset_time"] == "hardware-fault"
    assert codes(bench.core.application.event_log) == []


def test_an_interval_without_dates_is_refused(bench: Any) -> None:
    parameters = {
        "validity_interval": {"validity_interval_start": "immediate", "validity_interval_end": "never"}
    }
    answer = bench.ask("ECS70", parameters)
    assert answer["failures"] == {
        "validity_interval": "scope-of-access-violated",
        "adjust_to_preset_time": "other-reason",
        "device_time": "other-reason",
        "device_time_status": "other-reason",
    }
