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
    profile = profile_of({**QUIET, "load_scale_percent": 0}).model_copy(update={"variant": "ADE"})
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
