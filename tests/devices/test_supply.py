"""The load switch: its table, and what the consumer can do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from smetslab.devices.supply import TABLE, SupplyEvent, SupplyState

D, E, A = SupplyState.DISABLED, SupplyState.ENABLED, SupplyState.ARMED


def test_the_table_is_complete() -> None:
    assert set(TABLE) == {(state, event) for state in SupplyState for event in SupplyEvent}


def test_nothing_enables_but_a_local_act_a_remote_enable_or_the_end_of_a_restoration_period() -> None:
    enabling = {
        (state, event) for (state, event), (after, _) in TABLE.items() if after is E and state is not E
    }
    assert enabling == {
        (D, SupplyEvent.REMOTE_ENABLE),
        (A, SupplyEvent.REMOTE_ENABLE),
        (A, SupplyEvent.CONSUMER_ENABLE),
        (A, SupplyEvent.PPMID_ENABLE),
        (A, SupplyEvent.LOAD_LIMIT_RESTORED),
    }


STORIES = (
    (["ECS43"], "Disabled", []),
    (["ECS43", "ECS42"], "Enabled", []),
    (["ECS43", "ECS44"], "Armed", ["8F32"]),
    (["ECS43", "ECS44", "button"], "Enabled", ["8F32", "8161"]),
    (["ECS43", "ECS44", "ECS43"], "Disabled", ["8F32"]),
    (["ECS43", "ECS44", "ECS42"], "Enabled", ["8F32"]),
    (["ECS43", "button"], "Disabled", ["8162"]),
    (["ECS44"], "Enabled", []),
    (["button"], "Enabled", []),
    (["ECS43", "ECS44", "ECS44"], "Armed", ["8F32"]),
)


@pytest.mark.parametrize(
    ("story", "state", "codes"), STORIES, ids=["-".join(story) for story, _, _ in STORIES]
)
def test_story(bench: Any, story: list[str], state: str, codes: list[str]) -> None:
    sent = []
    for counter, event in enumerate(story, start=1):
        if event == "button":
            assert bench.core.press_enable_button(bench.now) == (bench.core.supply.state is E)
            sent += bench.take()
        else:
            sent += bench.send(bench.head.command(event, counter=counter))
    assert bench.ask("ECS45") == {"supply_state": state}
    alerts = [bench.head.read(message.data)["alert_code"] for message in sent if message.event == "AlertSent"]
    assert alerts == codes
    assert [f"{entry.code:04X}" for entry in bench.core.application.event_log.entries] == codes
    bench.power_cut()
    assert bench.ask("ECS45") == {"supply_state": state}


def test_no_energy_flows_while_the_supply_is_off(bench: Any) -> None:
    bench.pass_time(timedelta(hours=2))
    bench.ask("ECS43", counter=1)
    before = bench.ask("ECS17b")
    bench.pass_time(timedelta(hours=5))
    assert bench.ask("ECS17b") == before
    bench.ask("ECS44", counter=2)
    bench.pass_time(timedelta(hours=5))
    assert bench.ask("ECS17b") == before
    assert bench.core.press_enable_button(bench.now)
    bench.pass_time(timedelta(hours=1))
    assert bench.ask("ECS17b") != before
