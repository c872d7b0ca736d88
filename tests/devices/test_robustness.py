"""Whatever arrives, a meter answers, alerts or is silent: it never fails, and only what is sound changes
it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import MAX_COUNTER, decode_message

ITEMS = (
    "load_limit_supply_state",
    "load_limit_power_threshold",
    "load_limit_period",
    "load_limit_restoration_period",
)
PERIOD = {
    "read_log_period": {
        "start_date_time": "2026-01-01T00:00:00Z",
        "end_date_time": "2026-01-02T00:00:00Z",
    }
}
COMMANDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ECS10", {"supplier_message": "Reset"}),
    ("ECS17b", {}),
    ("ECS21a", PERIOD),
    ("ECS24", {}),
    (
        "ECS28a",
        {
            "load_limit_supply_state": "Disable",
            "load_limit_power_threshold": 5000,
            "load_limit_period": 60,
            "load_limit_restoration_period": 90,
            **dict.fromkeys([f"{item}_activation_time" for item in ITEMS], "2030-01-15T09:00:00Z"),
        },
    ),
    ("ECS43", {}),
    (
        "ECS70",
        {
            "validity_interval": {
                "validity_interval_start": "2026-03-02T11:59:00Z",
                "validity_interval_end": "2026-03-02T12:01:00Z",
            }
        },
    ),
    ("CS01a", {"utrn": "73946144332040217315"}),
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with one to three octets changed, removed or put in."""
    octets = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(octets) + 1)
        match chance.randrange(3):
            case 0 if place < len(octets):
                octets[place] = chance.randrange(256)
            case 1 if place < len(octets):
                del octets[place]
            case _:
                octets.insert(place, chance.randrange(256))
    return bytes(octets)


@pytest.mark.parametrize(
    "quirks", [(), ("skips-structure-check", "skips-role-check")], ids=["sound", "careless"]
)
@pytest.mark.parametrize(("name", "parameters"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_an_authentic_command_with_a_wrong_payload_is_answered(
    make_bench: Callable[..., Any], name: str, parameters: dict[str, Any], quirks: tuple[str, ...]
) -> None:
    bench = make_bench(quirks=quirks)
    chance = random.Random(f"{name} {quirks}")
    sound = bench.head.message(name, parameters)
    for counter in range(1, 81):
        message = bench.head.message(name, parameters, counter=counter)
        message = replace(message, content=mutated(message.content, chance))
        sent = bench.send(bench.head.protect(message))
        responses = [decode_message(one.data) for one in sent if one.event == "ResponseSent"]
        if not quirks:
            assert [response.message_code for response in responses] == [sound.message_code]
            assert responses[0].originator_counter == counter
        bench.core.tick(bench.now)
        bench.core.inspect(bench.now)


@pytest.mark.parametrize(("name", "parameters"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_changed_message_changes_nothing(
    make_bench: Callable[..., Any], name: str, parameters: dict[str, Any]
) -> None:
    bench = make_bench()
    chance = random.Random(name)
    sound = bench.head.command(name, parameters)
    before = {
        key: bench.core.inspect(bench.now)[key] for key in ("supply", "account", "load_limit", "pending")
    }
    for _ in range(150):
        changed = mutated(sound, chance)
        if changed == sound:
            continue
        sent = bench.send(changed)
        assert all(decode_message(message.data).cra is Cra.ALERT for message in sent)
    assert {key: bench.core.inspect(bench.now)[key] for key in before} == before


def test_noise_is_dropped(bench: Any) -> None:
    chance = random.Random("noise")
    for length in range(200):
        assert bench.send(chance.randbytes(length)) == []
    assert len(bench.events("MessageDropped")) == 200


def test_the_last_date_of_all_waits_on_a_clock_that_is_late(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(state={"clock_offset_s": -5})
    _, parameters = COMMANDS[4]
    times = dict.fromkeys([f"{item}_activation_time" for item in ITEMS], "9999-12-31T23:59:59Z")
    bench.ask("ECS28a", {**parameters, **times})
    bench.pass_time(timedelta(days=2))
    assert len(bench.core.application.future_dated.waiting) == 4


@pytest.mark.parametrize("quirks", [(), ("wrong-response-counter",)])
def test_the_highest_counter_is_a_counter(make_bench: Callable[..., Any], quirks: tuple[str, ...]) -> None:
    bench = make_bench(quirks=quirks)
    (sent,) = bench.send(bench.head.command("ECS43", counter=MAX_COUNTER))
    assert decode_message(sent.data).cra is Cra.RESPONSE
    assert bench.send(bench.head.command("ECS42", counter=MAX_COUNTER)) == []
