"""Auxiliary switches that move by themselves: calendar, randomised offset, boost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from meter_bench import NOW, QUIET, Bench, FixedClock, HeadEnd, profile_of

from smetslab.devices.esme_switching import BoostAnswer
from smetslab.store import Store


def entry(index: int, slot: int, action: str, time: str) -> dict[str, Any]:
    return {
        "index": index,
        "enable": True,
        "script_table": "00000A0067FF",
        "script_selector": {"slot": slot, "action": action},
        "switch_time": time,
        "validity_window": 0xFFFF,
        "exec_weekdays": "1111111",
        "exec_special_days": "",
        "begin_date": "hex:FFFFFFFFFF",
        "end_date": "hex:FFFFFFFFFF",
    }


@pytest.fixture
def bench(head: HeadEnd, store: Store) -> Bench:
    profile = profile_of({**QUIET, "load_scale_percent": 0}).model_copy(update={"variant": "ADEF"})
    bench = Bench(head, store.nvm("esme"), profile, FixedClock(NOW))

    def write(work: Any) -> None:
        server = bench.core.server
        calendar = [entry(1, 1, "activate", "14:00:00"), entry(2, 1, "deactivate", "16:00:00")]
        server.put(work, "auxiliary_calendar", calendar)
        server.put(work, "boost_function_control_2", True)
        server.put(work, "boost_function_control_1", True)
        bench.core.switching.changed()

    bench.core.happen(bench.now, write)
    return bench


def closed(bench: Bench, slot: int) -> object:
    return bench.core.server.value(f"auxiliary_controller_{slot}_switch_state")


def test_a_switch_follows_its_calendar_and_each_move_is_logged(bench: Bench) -> None:
    states = []
    for _ in range(4):
        bench.pass_time(timedelta(hours=1, minutes=10))
        states.append(closed(bench, 1))
    assert states == [False, True, True, False]
    log = bench.core.server.entries("auxiliary_controller_event_log")
    assert [row["timestamp"][11:16] for row in log if isinstance(row, dict)] == ["14:00", "16:00"]  # type: ignore[index]


def test_the_randomised_offset_delays_it(bench: Bench) -> None:
    def write(work: Any) -> None:
        bench.core.server.put(work, "randomised_offset_limit", 1_000)
        bench.core.life.reconfigured()
        bench.core.switching.changed()

    bench.core.happen(bench.now, write)
    bench.pass_time(timedelta(hours=2, seconds=199))
    assert closed(bench, 1) is False
    bench.pass_time(timedelta(seconds=1))
    assert closed(bench, 1) is True


def test_a_boost_grows_by_quarters_of_an_hour_to_one_hour(bench: Bench) -> None:
    answers = [bench.core.press_boost(2, bench.now) for _ in range(5)]
    assert answers == [BoostAnswer.STARTED, *[BoostAnswer.PROLONGED] * 3, BoostAnswer.MAXIMUM]
    bench.pass_time(timedelta(minutes=59))
    assert closed(bench, 2) is True
    bench.pass_time(timedelta(minutes=1))
    assert closed(bench, 2) is False
    (row,) = bench.core.server.entries("boost_function_event_log")
    assert row == {"boost_start": "2026-03-02T12:00:00Z", "boost_end": "2026-03-02T13:00:00Z"}


def test_a_boost_survives_a_power_cut_and_can_be_cancelled(bench: Bench) -> None:
    bench.core.press_boost(2, bench.now)
    bench.power_cut(timedelta(minutes=5))
    assert closed(bench, 2) is True
    assert bench.core.press_boost(2, bench.now, cancel=True) is BoostAnswer.CANCELLED
    assert closed(bench, 2) is False


def test_what_the_calendar_has_closed_needs_no_boost(bench: Bench) -> None:
    bench.pass_time(timedelta(hours=3))
    assert bench.core.press_boost(1, bench.now) is BoostAnswer.NOT_AVAILABLE
    assert bench.core.press_boost(3, bench.now) is BoostAnswer.NOT_AVAILABLE


def command(slot: int, action: str, minutes: int | None = None) -> dict[str, Any]:
    """ECS47: what its access list carries."""
    kind = {"activate": "activation", "deactivate": "deactivation"}.get(action)
    held = {} if minutes is None else {f"auxiliary_controller_{slot}_{kind}_duration": minutes}
    return {**held, "auxiliary_controller_command": {"slot": slot, "action": action}}


def level(bench: Bench, slot: int, percent: int, start: str, end: str) -> dict[str, Any]:
    """ECS47a: what its access list carries."""
    return {
        f"auxiliary_controller_{slot}_setting_period_start_date_time": start,
        f"auxiliary_controller_{slot}_setting_period_end_date_time": end,
        "auxiliary_controller_command": {"direction": "output", "slot": slot, "level": percent},
    }


def moves(bench: Bench) -> list[tuple[str, int, str]]:
    """When which slot did what, by the log."""
    log = bench.core.server.entries("auxiliary_controller_event_log")
    rows = [row for row in log if isinstance(row, dict)]
    return [
        (
            row["timestamp"][11:16],
            row["switch_number_and_action"]["slot"],
            row["switch_number_and_action"]["action"],
        )  # type: ignore[index,call-overload]
        for row in rows
    ]


def test_a_switch_returns_to_its_calendar_when_its_minutes_are_over(bench: Bench) -> None:
    bench.ask("ECS47", command(1, "activate", 150), counter=1)  # 12:00 to 14:30; the calendar closes at 14:00
    bench.ask("ECS47", command(3, "activate", 30), counter=2)
    bench.pass_time(timedelta(minutes=29))
    assert (closed(bench, 1), closed(bench, 3)) == (True, True)
    bench.pass_time(timedelta(minutes=1))
    assert closed(bench, 3) is False
    bench.pass_time(timedelta(hours=2))
    assert closed(bench, 1) is True  # of the calendar, from now on
    bench.pass_time(timedelta(hours=2))
    assert closed(bench, 1) is False
    assert moves(bench) == [
        ("12:00", 1, "activate"),
        ("12:00", 3, "activate"),
        ("12:30", 3, "deactivate"),
        ("16:00", 1, "deactivate"),
    ]


def test_what_a_command_opens_the_calendar_does_not_close_before_its_time(bench: Bench) -> None:
    bench.ask("ECS47", command(1, "deactivate", 150), counter=1)
    bench.pass_time(timedelta(hours=2, minutes=29))
    assert closed(bench, 1) is False
    bench.pass_time(timedelta(minutes=1))
    assert closed(bench, 1) is True
    assert moves(bench) == [("12:00", 1, "deactivate"), ("14:30", 1, "activate")]


def test_the_end_of_a_period_survives_power_cuts(bench: Bench) -> None:
    bench.ask("ECS47", command(3, "activate", 60), counter=1)
    bench.power_cut(timedelta(minutes=10))
    bench.pass_time(timedelta(minutes=20))
    assert closed(bench, 3) is True
    bench.power_cut(timedelta(hours=1))  # it ends without power
    bench.pass_time(timedelta())
    assert closed(bench, 3) is False
    assert moves(bench)[-1] == ("13:00", 3, "deactivate")


def test_a_reset_gives_a_switch_back_at_once(bench: Bench) -> None:
    bench.ask("ECS47", command(1, "deactivate", 600), counter=1)
    bench.pass_time(timedelta(hours=3))
    bench.ask("ECS47", command(1, "reset"), counter=2)
    assert closed(bench, 1) is True
    assert moves(bench)[-1] == ("15:00", 1, "reset")


def test_a_command_comes_before_a_boost(bench: Bench) -> None:
    bench.core.press_boost(2, bench.now)
    bench.ask("ECS47", command(2, "deactivate", 10), counter=1)
    assert closed(bench, 2) is False
    bench.pass_time(timedelta(minutes=10))
    assert closed(bench, 2) is True  # five minutes of the boost are left
    bench.pass_time(timedelta(minutes=5))
    assert closed(bench, 2) is False
    bench.ask("ECS47", command(2, "deactivate", 10), counter=2)
    assert bench.core.press_boost(2, bench.now) is BoostAnswer.NOT_AVAILABLE


def test_a_level_holds_from_its_start_to_its_end(bench: Bench) -> None:
    setting = level(bench, 4, 60, "2026-03-02T13:00:00Z", "2026-03-02T15:00:00Z")
    bench.ask("ECS47a", setting, counter=1)
    bench.pass_time(timedelta(minutes=59))
    assert (bench.core.auxiliary.level(0x14, bench.now), closed(bench, 4)) == (0, False)
    bench.pass_time(timedelta(minutes=1))
    assert (bench.core.auxiliary.level(0x14, bench.now), closed(bench, 4)) == (60, True)
    bench.power_cut(timedelta(minutes=1))
    bench.pass_time(timedelta(hours=1, minutes=59))
    assert (bench.core.auxiliary.level(0x14, bench.now), closed(bench, 4)) == (0, False)


def test_a_level_that_never_starts_takes_the_one_before_it_back(bench: Bench) -> None:
    bench.ask("ECS47a", level(bench, 4, 60, "2026-03-02T12:00:00Z", "never"), counter=1)
    bench.pass_time(timedelta(days=30))
    assert bench.core.auxiliary.level(0x14, bench.now) == 60
    bench.ask("ECS47a", level(bench, 4, 0, "never", "never"), counter=2)
    assert (bench.core.auxiliary.level(0x14, bench.now), closed(bench, 4)) == (0, False)


def test_a_period_that_is_over_sets_nothing(bench: Bench) -> None:
    setting = level(bench, 4, 60, "2026-03-01T13:00:00Z", "2026-03-02T12:00:00Z")
    bench.ask("ECS47a", setting, counter=1)
    assert (bench.core.auxiliary.level(0x14, bench.now), moves(bench)) == (0, [])


def test_a_date_with_wildcards_is_refused_and_changes_nothing(bench: Bench) -> None:
    setting = level(bench, 4, 60, "hex:FFFFFFFFFFFFFFFFFF800000", "never")
    answer = bench.ask("ECS47a", setting, counter=1)
    assert answer["results"][-1] == {"choice": "action", "result": "scope-of-access-violated"}  # type: ignore[index]
    assert bench.core.auxiliary.level(0x14, bench.now) == 0
    bench.pass_time(timedelta(days=1))  # it lives on
