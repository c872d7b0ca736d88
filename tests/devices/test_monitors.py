"""Load limit, voltage, interruptions, and what a party has made of its events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from smetslab.devices.event_settings import factory_settings, masked
from smetslab.devices.metering import microseconds
from smetslab.devices.voltage import Disturbance, Monitor, Voltage

MakeBench = Callable[..., Any]
MINUTE = 60_000_000


def codes(bench: Any) -> list[str]:
    return [message.detail["code"] for message in bench.take()]


def logged(bench: Any, log: str) -> list[str]:
    return [f"{entry.code:04X}" for entry in bench.core.application.logs[log].entries]


# ------------------------------------------------------------------------------------ load limit

LIMIT: dict[str, int | bool | str] = {
    "load_limit_power_threshold_w": 150,
    "load_limit_period_s": 60,
    "load_limit_restoration_period_s": 600,
    "load_limit_counter": 30,
}


def test_a_load_above_its_limit_is_cut_and_comes_back_by_itself(make_bench: MakeBench) -> None:
    bench = make_bench(state={**LIMIT, "load_limit_supply_state": "disable"})
    bench.pass_time(timedelta(seconds=59))
    assert (bench.core.supply.state.name, codes(bench)) == ("ENABLED", [])
    bench.pass_time(timedelta(seconds=2))
    assert (bench.core.supply.state.name, codes(bench)) == ("ARMED", ["8F01", "8F33"])
    assert bench.core.server.number("load_limit_counter") == 31
    before = bench.core.meter.registers(bench.now)
    bench.pass_time(timedelta(seconds=590))
    assert bench.core.meter.registers(bench.now) == before
    bench.pass_time(timedelta(seconds=10))
    assert (bench.core.supply.state.name, codes(bench)) == ("ENABLED", ["8F34", "8F34"])


def test_a_consumer_may_end_the_restoration_period(make_bench: MakeBench) -> None:
    bench = make_bench(state={**LIMIT, "load_limit_supply_state": "disable"})
    bench.pass_time(timedelta(seconds=61))
    assert bench.core.press_enable_button(bench.now)


def test_where_the_supply_is_unchanged_a_load_above_its_limit_is_told_once(make_bench: MakeBench) -> None:
    bench = make_bench(state={**LIMIT, "load_limit_supply_state": "unchanged"})
    bench.pass_time(timedelta(hours=2))
    assert (bench.core.supply.state.name, codes(bench)) == ("ENABLED", ["8F01"])
    assert bench.core.server.number("load_limit_counter") == 31


# ------------------------------------------------------------------------------------ voltage


def disturb(bench: Any, volts: int, minutes: int, phase: int = 1) -> None:
    start = microseconds(bench.now)
    bench.core.voltage.disturbances.append(Disturbance(phase, volts * 10, start, start + minutes * MINUTE))
    bench.core.monitors.changed()


def test_a_voltage_above_its_limits_is_told_and_its_return_too(bench: Any) -> None:
    disturb(bench, 300, 90)
    bench.pass_time(timedelta(hours=4))
    assert logged(bench, "power") == ["8020", "8024", "8002", "808D", "8091", "8085"]
    assert bench.core.server.number("phase_1_average_rms_over_voltage_counter") == 1
    told = bench.take()
    assert {str(message.target) for message in told} == {"90B3D51F30020000"}, "not the network operator"


def test_a_short_sag_is_not_told(bench: Any) -> None:
    start = microseconds(bench.now)
    bench.core.voltage.disturbances.append(Disturbance(1, 1_000, start, start + 29_000_000))
    bench.core.monitors.changed()
    bench.pass_time(timedelta(hours=2))
    assert logged(bench, "power") == []


def test_a_voltage_within_its_limits_is_never_told(bench: Any) -> None:
    bench.pass_time(timedelta(days=40))
    assert logged(bench, "power") == []


def test_averages_are_logged_at_the_end_of_each_period(bench: Any) -> None:
    bench.pass_time(timedelta(hours=5))
    disturb(bench, 100, 60)
    bench.pass_time(timedelta(hours=2))
    entries = bench.core.monitors.profile(1, bench.now, None, None).elements
    volts = [entry.items[1].value for entry in entries]
    assert len(volts) == 7
    assert volts[5] == 100
    assert all(226 <= value <= 249 for value in [*volts[:5], volts[6]])


def test_of_averages_over_a_second_only_some_are_looked_at_in_one_go(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.place.work(bench.now) as work:
        bench.core.server.put(work, "phase_1_average_rms_voltage_measurement_period", 1)
        # So near that it has to be looked at.
        bench.core.server.put(work, "phase_1_average_rms_over_voltage_threshold", 245)
    asked = []
    judge = bench.core.monitors._judge
    monkeypatch.setattr(bench.core.monitors, "_judge", lambda *given: asked.append(given) or judge(*given))
    bench.core.monitors.changed()
    due = bench.core.monitors.next_deadline_us() - microseconds(bench.now)
    assert 0 < due <= 1000 * 1_000_000
    assert 0 < len(asked) < 1000


def test_a_monitor_needs_its_whole_period_without_a_break() -> None:
    voltage = Voltage(b"x")
    voltage.disturbances = [Disturbance(1, 3_000, 0, 20), Disturbance(1, 3_000, 21, 60)]
    monitor = Monitor(1, True, 1, 2)
    assert monitor.next_change_us(voltage, 0, 100, 2_700, 30) == 51
    assert list(monitor.advance(voltage, 0, 200, 2_700, 30)) == [(51, 1), (90, 2)]


# ------------------------------------------------------------------------------------ interruptions


@pytest.mark.parametrize(("minutes", "code"), [(1, "8F35"), (3, "8F36")])
def test_an_interruption_is_logged_with_both_times_and_told(bench: Any, minutes: int, code: str) -> None:
    start = bench.now
    bench.power_cut(timedelta(minutes=minutes))
    assert logged(bench, "power") == ["8F57", code]
    bench.take()
    (message,) = bench.outages
    alert = bench.head.read(message.data)
    assert alert["alert_code"] == code
    assert alert["interruption_date_time"] == start.isoformat().replace("+00:00", "Z")
    assert alert["restoration_date_time"] == bench.now.isoformat().replace("+00:00", "Z")


# ------------------------------------------------------------------------------------ masks


def test_a_mask_changes_what_it_names_and_nothing_else() -> None:
    assert masked(["8154", "8161"], {"mask": ["8161", "8162"], "actions": ["8162", "8183"]}) == [
        "8154",
        "8162",
    ]


def test_every_configurable_code_of_the_table_has_its_factory_setting() -> None:
    settings = factory_settings()
    assert "810D" in settings["wan_alerting"]
    assert "810D" not in settings["logging"]
    assert "810D" in settings["han_sharing"]
    assert "8020" in settings["network_logging"]
    assert not any(str(code).startswith("8F") for codes in settings.values() for code in codes)


def test_a_supplier_may_switch_an_alert_off_and_a_log_on(bench: Any) -> None:
    def press() -> tuple[list[str], list[str]]:
        bench.core.press_enable_button(bench.now)
        return codes(bench), logged(bench, "event")

    bench.ask("ECS43", counter=1)
    assert press() == (["8162"], ["8162"])
    off = {"mask": ["8162"], "actions": []}
    bench.ask("ECS25a", {"mask_and_actions_for_wan_alerting": off}, counter=2)
    assert press() == ([], ["8162", "8162"])
    bench.ask("ECS25a3", {"mask_and_actions_for_logging": off}, counter=3)
    assert press() == ([], ["8162", "8162"])
    assert "8162" not in bench.ask("ECS25r1")["settings_for_wan_alerting"]
