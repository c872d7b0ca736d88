"""Future-dated work: stored, replaced, cancelled, executed once, told in the order of the items."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from smetslab.devices.payload_engine import Fault
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.values import Parameters, utc_text
from smetslab.ids import Eui64

SUPPLIER = Eui64.parse("90B3D51F30010000")

ITEMS = (
    "load_limit_supply_state",
    "load_limit_power_threshold",
    "load_limit_period",
    "load_limit_restoration_period",
)
OBJECTS = ["0-0:94.44.0.3", "0-0:94.44.128.7", "0-0:94.44.128.6", "0-0:94.44.128.8"]
BASE = ("Unchanged", 6900, 300, 30)


def load_limit(at: datetime | str, power: int = 5000, period: int = 60) -> Parameters:
    """Parameters of ECS28a."""
    time = at if isinstance(at, str) else utc_text(at)
    return {
        "load_limit_supply_state": "Disable",
        "load_limit_power_threshold": power,
        "load_limit_period": period,
        "load_limit_restoration_period": 90,
        **dict.fromkeys([f"{item}_activation_time" for item in ITEMS], time),
    }


def active(bench: Any) -> tuple[Any, ...]:
    """What ECS27 reads."""
    answer = bench.ask("ECS27")
    return tuple(answer[item] for item in ITEMS)


def told(bench: Any) -> list[tuple[str, str, int]]:
    """Code, object and command counter of the alerts since the last time."""
    bench.take()
    told, bench.alerts = bench.alerts, []
    found = []
    for message in told:
        alert = bench.head.read(message.data)
        found.append(
            (
                alert["alert_code"],
                alert["instruction"]["logical_name"],
                alert["instruction"]["originator_counter"],
            )
        )
    return found


def test_immediate_activation_is_done_at_once_and_not_told(bench: Any) -> None:
    assert bench.ask("ECS28a", load_limit("immediate")) == {}
    assert active(bench) == ("Disable", 5000, 60, 90)
    assert bench.core.application.future_dated.waiting == ()
    assert told(bench) == []


def test_what_is_dated_waits_and_is_told_item_by_item(bench: Any) -> None:
    at = bench.now + timedelta(days=2)
    bench.ask("ECS28a", load_limit(at), counter=1004)
    assert active(bench) == BASE
    bench.pass_time(timedelta(days=2) - timedelta(microseconds=1))
    assert active(bench) == BASE
    bench.pass_time(timedelta(microseconds=1))
    assert active(bench) == ("Disable", 5000, 60, 90)
    assert told(bench) == [("8F66", name, 1004) for name in OBJECTS]
    bench.pass_time(timedelta(days=1))
    assert told(bench) == []


def test_alerts_are_numbered_in_the_order_of_the_items_and_signed_to_the_originator(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now + timedelta(hours=1)))
    bench.pass_time(timedelta(hours=1))
    sent = [decode_message(message.data) for message in bench.take()]
    assert [message.originator_counter for message in sent] == [2000, 2001, 2002, 2003]
    assert all(len(message.signature) == 64 and message.message_mac is None for message in sent)
    assert {message.business_target_id for message in sent} == {SUPPLIER}


def test_a_cancelled_instruction_is_not_executed(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now + timedelta(days=1)), counter=1)
    assert bench.ask("ECS28a", load_limit("never"), counter=2) == {}
    assert len(bench.events("FutureDatedCancelled")) == 4
    bench.pass_time(timedelta(days=3))
    assert active(bench) == BASE
    assert told(bench) == []


def test_cancelling_nothing_succeeds(bench: Any) -> None:
    assert bench.ask("ECS28a", load_limit("never")) == {}
    assert bench.events("FutureDatedCancelled") == []


def test_a_later_command_takes_the_place_of_an_earlier_one(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now + timedelta(days=1), power=11_111), counter=1)
    bench.ask("ECS28a", load_limit(bench.now + timedelta(days=2), power=22_222), counter=2)
    bench.pass_time(timedelta(days=1, hours=1))
    assert active(bench) == BASE
    bench.pass_time(timedelta(days=1))
    assert active(bench)[1] == 22_222
    assert {counter for _, _, counter in told(bench)} == {2}


def test_an_immediate_command_takes_the_place_of_a_dated_one(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now + timedelta(days=1), power=11_111), counter=1)
    bench.ask("ECS28a", load_limit("immediate", power=3333), counter=2)
    bench.pass_time(timedelta(days=2))
    assert active(bench)[1] == 3333
    assert told(bench) == []


def test_a_date_in_the_past_is_executed_at_once_and_told(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now - timedelta(days=1)))
    bench.core.tick(bench.now)
    assert active(bench)[1] == 5000
    assert [code for code, _, _ in told(bench)] == ["8F66"] * 4


def test_what_waits_survives_a_power_cut_and_is_executed_once(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now + timedelta(hours=3)))
    bench.power_cut(timedelta(hours=1))
    bench.pass_time(timedelta(hours=3))
    assert active(bench)[1] == 5000
    assert len(told(bench)) == 4
    bench.power_cut()
    bench.pass_time(timedelta(hours=1))
    assert told(bench) == []


def test_what_fell_into_a_power_cut_is_done_when_power_is_back(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now + timedelta(hours=1)))
    bench.power_cut(timedelta(hours=5))
    bench.core.tick(bench.now)
    assert active(bench)[1] == 5000
    assert len(told(bench)) == 4


def test_a_clock_that_is_invalid_holds_everything_back_until_it_is_set(
    make_bench: Callable[..., Any],
) -> None:
    bench = make_bench(state={"clock_status": "invalid"})
    bench.ask("ECS28a", load_limit(bench.now + timedelta(hours=1)), counter=1)
    bench.pass_time(timedelta(hours=2))
    assert active(bench) == BASE
    interval = {
        "validity_interval_start": utc_text(bench.now - timedelta(seconds=10)),
        "validity_interval_end": utc_text(bench.now + timedelta(seconds=10)),
    }
    assert bench.ask("ECS70", {"validity_interval": interval}, counter=2)["device_time_status"] == "reliable"
    bench.take()
    bench.core.tick(bench.now)
    assert active(bench)[1] == 5000
    assert len(told(bench)) == 4


def test_a_failing_activation_is_told_as_a_failure(bench: Any) -> None:
    bench.ask("ECS28a", load_limit(bench.now + timedelta(hours=1)))
    bench.core.application.activation_fault = Fault(1)
    bench.pass_time(timedelta(hours=1))
    assert active(bench) == ("Disable", 6900, 60, 90)
    assert [code for code, _, _ in told(bench)] == ["8F66", "8F67", "8F66", "8F66"]


@pytest.mark.parametrize("text", ["hex:07EE010FFF090000008000FE", "hex:FFFF0101FF000000008000FF"])
def test_a_time_that_is_none_is_refused_and_leaves_no_instruction(bench: Any, text: str) -> None:
    answer = bench.ask("ECS28a", load_limit(text))
    assert answer["failures"]["load_limit_supply_state_activation_time"] == "scope-of-access-violated"
    assert bench.core.application.future_dated.waiting == ()
