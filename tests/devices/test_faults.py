"""Faults by name: what each does to a meter, what is traced, and what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.devices.faults import FAULTS, inject, read_fault
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType

MakePremises = Callable[..., Any]


def on_a_meter(
    make_premises: MakePremises, act: Callable[[Any, LoopClock], Awaitable[None]], **state: Any
) -> Any:
    """Run `act` with running premises; returns them."""
    found: list[Any] = []

    async def main(clock: LoopClock) -> None:
        async with make_premises(clock, state=state or None) as premises:
            found.append(premises)
            await act(premises, clock)

    run_virtual(main)
    return found[0]


def codes(premises: Any) -> list[str]:
    return [alert["alert_code"] for alert in premises.alerts()]


def test_a_power_cut_ends_by_itself_and_is_traced(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "power-cut", seconds=200)
        assert not premises.esme.powered
        await clock.sleep(199)
        assert not premises.esme.powered
        await clock.sleep(300)
        assert premises.esme.powered

    premises = on_a_meter(make_premises, act)
    (seen,) = premises.trace.find(layer="device", event="FaultInjected")
    assert (seen.detail["fault"], seen.detail["parameters"]) == ("power-cut", "seconds=200")
    assert codes(premises) == ["8F36"]


def test_power_that_stays_away_comes_back_when_it_is_told_to(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "power-cut")
        await clock.sleep(86_400)
        assert not premises.esme.powered
        await inject(premises.esme, "power-restore")
        assert premises.esme.powered

    on_a_meter(make_premises, act)


def test_items_fail_as_asked(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "hardware-fault", item=1)
        answer = await premises.ask("ECS17b")
        assert "failures" not in answer
        await inject(premises.esme, "hardware-fault")
        answer = await premises.ask("ECS45", counter=1001)
        assert answer == {"failures": {"supply_state": "hardware-fault"}}

    on_a_meter(make_premises, act)


def test_a_clock_that_drifts_is_found_by_the_daily_comparison(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "clock-drift", seconds=-30)
        await clock.sleep(90_000)
        assert premises.esme.inspect()["clock"]["status"] == "unreliable"

    assert codes(on_a_meter(make_premises, act)) == ["8F0C"]


def test_a_clock_that_lost_its_time_is_invalid(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "clock-loss")
        assert premises.esme.inspect()["clock"]["status"] == "invalid"

    on_a_meter(make_premises, act)


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [("meter-cover", "8F74", "81B9"), ("magnet", "8F75", "81BC"), ("battery-cover", "8F73", "81A1")],
)
def test_tamper_is_told_and_its_end(make_premises: MakePremises, kind: str, begin: str, end: str) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "tamper", kind=kind)
        await inject(premises.esme, "tamper", kind=kind, phase="ends")
        await clock.sleep(60)
        assert premises.esme.inspect()["supply"] == "Enabled"

    told = codes(on_a_meter(make_premises, act))
    assert told.count(begin) == 2, "supplier and network operator"
    assert end in told


def test_a_locked_supply_is_cut_by_tampering_and_opened_by_the_supplier_alone(
    make_premises: MakePremises,
) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "tamper", kind="magnet")
        assert premises.esme.inspect()["supply"] == "Disabled"
        assert not premises.esme.keypad.enable_supply()
        await premises.ask("ECS44", counter=1001)
        assert premises.esme.keypad.enable_supply()

    told = codes(on_a_meter(make_premises, act, supply_tamper_state="locked"))
    assert "81BE" in told


def test_a_switch_that_fails_is_told_and_nothing_changes(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "switch-failure", fails="disconnect")
        await premises.ask("ECS43")
        assert premises.esme.inspect()["supply"] == "Enabled"
        await inject(premises.esme, "switch-failure", fails="none")
        await premises.ask("ECS43", counter=1001)
        await inject(premises.esme, "switch-failure", fails="connect")
        await premises.ask("ECS42", counter=1002)
        assert premises.esme.inspect()["supply"] == "Disabled"
        await clock.sleep(60)

    told = codes(on_a_meter(make_premises, act))
    assert [code for code in told if code in ("81C0", "81BD")] == ["81C0", "81BD"]


def test_a_voltage_that_is_forced_upon_a_meter_is_told(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        await inject(premises.esme, "voltage", volts=150, seconds=120)
        await clock.sleep(600)

    assert codes(on_a_meter(make_premises, act)) == ["8028", "802C", "8095", "8099"]


@pytest.mark.parametrize("area", ["account", "life", "clock", "supply"])
def test_damaged_memory_is_found_and_the_meter_lives_on(make_premises: MakePremises, area: str) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        before = premises.esme.inspect()["registers"]
        await inject(premises.esme, "memory-corruption", area=area)
        await clock.sleep(60)
        seen = premises.esme.inspect()
        assert seen["registers"]["active_import"] >= before["active_import"]
        answer = await premises.ask("ECS17b")
        assert "failures" not in answer
        await inject(premises.esme, "power-cut", seconds=1)
        await clock.sleep(60)

    told = codes(on_a_meter(make_premises, act))
    assert told.count("81A0") == 1, "told once, and written anew"


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("earthquake", {}, "unknown fault 'earthquake'"),
        ("power-cut", {"volts": 3}, "does not take volts"),
        ("power-cut", {"seconds": -1}, "seconds = -1 is not in 0 to"),
        ("power-cut", {"seconds": "soon"}, "'soon' is not a whole number"),
        ("tamper", {"kind": "hammer"}, "kind = 'hammer' is not one of battery-cover"),
    ],
)
def test_what_is_no_fault_is_refused(name: str, given: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_fault(name, given)


def test_a_fault_of_another_kind_of_device_is_refused(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        with pytest.raises(UsageError, match="gas-flow cannot happen to"):
            await inject(premises.esme, "gas-flow")

    on_a_meter(make_premises, act)


def test_every_fault_of_an_electricity_meter_has_a_handler(make_premises: MakePremises) -> None:
    async def act(premises: Any, clock: LoopClock) -> None:
        everywhere = {f.name for f in FAULTS.values() if not f.devices and not f.air}
        wanted = {f.name for f in FAULTS.values() if f.name in everywhere or DeviceType.ESME in f.devices}
        assert set(premises.esme.fault_handlers()) == wanted

    on_a_meter(make_premises, act)
