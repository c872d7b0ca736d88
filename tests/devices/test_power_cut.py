"""The power goes at any moment: what was acknowledged is kept, and nothing is done twice.

The moments are every step of a commit (the store says when it takes one) and every turn of the device's
tasks.
"""

from __future__ import annotations

import asyncio
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.devices.limits import FORGET_AFTER_S
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.values import utc_text
from smetslab.store import PowerCut, Store

UNIT = 1 << 32
ITEMS = (
    "load_limit_supply_state",
    "load_limit_power_threshold",
    "load_limit_period",
    "load_limit_restoration_period",
)
STATE: dict[str, int | bool | str] = {
    "meter_balance_millipence": 0,
    "accumulated_debt_millipence": 0,
    "payment_debt_millipence": 0,
}


def load_limit(time: str) -> dict[str, Any]:
    return {
        "load_limit_supply_state": "Disable",
        "load_limit_power_threshold": 5000,
        "load_limit_period": 60,
        "load_limit_restoration_period": 90,
        **dict.fromkeys([f"{item}_activation_time" for item in ITEMS], time),
    }


class Fault:
    """Cuts the power at the n-th step that the store takes."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.steps = 0

    def __call__(self, name: str) -> None:
        del name
        self.steps += 1
        if self.steps == self.at:
            raise PowerCut


# ------------------------------------------------------------------------------------------------ every
# commit step


def story(bench: Any, commands: list[bytes], *, wait: timedelta) -> list[bytes]:
    """Send the commands; when the power goes, restore it and send the command again. Returns what has
    left."""

    def survives(work: Callable[[], None]) -> bool:
        try:
            work()
            bench.take()
        except PowerCut:
            restore(bench)
            return False
        return True

    for command in commands:
        while not survives(lambda command=command: bench.core.receive(command, bench.now)):
            pass
    while not survives(lambda: bench.pass_time(wait)):
        pass
    left: list[bytes] = bench.left
    return left


def restore(bench: Any) -> None:
    while True:
        try:
            bench.power_cut(timedelta(seconds=1))
            return
        except PowerCut:
            continue


@pytest.fixture
def faulty_bench(make_bench: Any) -> Iterator[Callable[[Fault], Any]]:
    """Makes a bench whose store takes its steps through a fault."""
    stores: list[Store] = []

    def make(fault: Fault) -> Any:
        store = Store(on_step=fault)
        store.__enter__()
        stores.append(store)
        quiet, fault.at = fault.at, None
        bench = make_bench(state=STATE, nvm=store.nvm("esme"))
        fault.at, fault.steps = quiet, 0
        return bench

    yield make
    for store in stores:
        store.__exit__(None, None, None)


def commands_of(bench: Any) -> list[bytes]:
    at = utc_text(bench.now + timedelta(minutes=10))
    return [
        bench.head.command("CS01a", {"utrn": bench.head.top_up(1, UNIT)}, counter=UNIT),
        bench.head.command("ECS43", counter=1),
        bench.head.command("ECS44", counter=2),
        bench.head.command("ECS28a", load_limit(at), counter=3),
    ]


def check(bench: Any, left: list[bytes]) -> None:
    """The effects of all four commands, each exactly once."""
    assert bench.ask("ECS82") == {"meter_balance": 100_000}
    assert bench.ask("ECS45") == {"supply_state": "Armed"}
    assert bench.ask("ECS27")["load_limit_power_threshold"] == 5000
    assert bench.core.application.future_dated.waiting == ()
    executed = Counter(seen.detail["counter"] for seen in bench.events("CommandExecuted"))
    assert all(executed[counter] <= 1 for counter in (1, 2, 3))
    alerts = {}
    for data in left:
        message = decode_message(data)
        if message.cra is Cra.ALERT:
            # An alert may leave again after a cut, as the same message.
            assert alerts.setdefault(message.originator_counter, data) == data
    told = Counter(
        str(bench.head.read(data).get("instruction", {}).get("logical_name"))
        for data in alerts.values()
        if bench.head.read(data)["alert_code"] == "8F66"
    )
    assert sorted(told.values()) == [1, 1, 1, 1]


EVERY = pytest.mark.parametrize("nth", [4, pytest.param(1, marks=pytest.mark.soak)])
"""Some of the moments; all of them where there is time."""


@EVERY
def test_a_power_cut_at_any_step_of_any_commit(faulty_bench: Callable[[Fault], Any], nth: int) -> None:
    fault = Fault()
    bench = faulty_bench(fault)
    check(bench, story(bench, commands_of(bench), wait=timedelta(minutes=20)))
    steps = fault.steps
    assert steps > 40
    for at in range(1, steps + 1, nth):
        fault = Fault(at)
        bench = faulty_bench(fault)
        left = story(bench, commands_of(bench), wait=timedelta(minutes=20))
        fault.at = None
        check(bench, left)


def test_what_has_left_as_a_success_is_in_memory(faulty_bench: Callable[[Fault], Any]) -> None:
    """Straight after the acknowledgement the power goes, and comes back."""
    bench = faulty_bench(Fault())
    for counter, name in enumerate(("ECS43", "ECS44", "ECS42"), start=1):
        bench.ask(name, counter=counter)
        state = bench.core.supply.state
        bench.power_cut()
        assert bench.core.supply.state is state


# ------------------------------------------------------------------------------------------------ every turn
# of a task


class Turns:
    """Counts the turns of the meter's tasks and calls `act` at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.count = 0
        self.armed = False
        self.act: Callable[[], None] = lambda: None

    def factory(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        name = getattr(coroutine, "__qualname__", "")
        if name.startswith(("Device.", "_Session.")):
            coroutine = self._stepped(coroutine)  # type: ignore[assignment]
        return asyncio.Task(coroutine, loop=loop, **options)

    @types.coroutine
    def _stepped(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            if self.armed:
                self.count += 1
                if self.count == self.at:
                    self.act()
            try:
                waiting = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as end:
                return end.value
            value, error = None, None
            try:
                value = yield waiting
            except BaseException as thrown:  # noqa: BLE001 - handed on to the coroutine
                error = thrown


async def exchange(premises: Any, turns: Turns) -> None:
    """One top-up and one dated command, with a power cut on the way; then both again, as a user would try
    again."""
    at = premises.clock.now() + timedelta(minutes=30)
    commands = [
        premises.head.command("CS01a", {"utrn": premises.head.top_up(1, UNIT)}, counter=UNIT),
        premises.head.command("ECS28a", load_limit(utc_text(at)), counter=1),
    ]
    cut = asyncio.Event()
    turns.act = cut.set

    async def cutter() -> None:
        await cut.wait()
        await premises.esme.power_cut()
        await premises.clock.sleep(60)
        await premises.esme.power_restore()

    async with asyncio.TaskGroup() as group:
        cutting = group.create_task(cutter())
        turns.armed = True
        for counter, command in zip((UNIT, 1), commands, strict=True):
            await premises.send(command)
            await premises.answer(counter, timeout_s=120)
        turns.armed = False
        cutting.cancel() if not cut.is_set() else None
    for command in commands:
        await premises.send(command)
    await premises.clock.sleep_until(at + timedelta(minutes=5))


def run_cut(make_premises: Any, at: int | None, quirks: tuple[str, ...] = ()) -> int:
    turns = Turns(at)

    async def main(clock: LoopClock) -> None:
        asyncio.get_running_loop().set_task_factory(turns.factory)
        with Store() as store:
            async with make_premises(clock, STATE, quirks, store=store) as premises:
                await exchange(premises, turns)
                assert await premises.ask("ECS82") == {"meter_balance": 100_000}
                limit = await premises.ask("ECS27", counter=1001)
                assert limit["load_limit_power_threshold"] == 5000
                executed = Counter(
                    seen.detail["counter"]
                    for seen in premises.trace.find(layer="device", event="CommandExecuted")
                    if seen.detail["failed_item"] is None
                )
                assert (executed[UNIT], executed[1]) == (1, 1)
                told = {
                    message.originator_counter
                    for message in premises.messages
                    if message.cra is Cra.ALERT and message.message_code == 0x00CC
                }
                assert len(told) == 4
                cuts = premises.trace.find(layer="device", event="PowerCut")
                assert len(cuts) == (0 if at is None else 1)

    run_virtual(main)
    return turns.count


@EVERY
def test_a_power_cut_at_any_turn_of_the_device(make_premises: Any, nth: int) -> None:
    turns = run_cut(make_premises, None)
    assert turns > 20
    for at in range(1, turns + 1, nth):
        run_cut(make_premises, at)


@pytest.mark.parametrize("quirk", ["loses-pending-over-power-cut", "forgets-counter-over-power-cut"])
def test_a_meter_that_forgets_is_found_by_the_same_check(make_premises: Any, quirk: str) -> None:
    def is_found(at: int) -> bool:
        try:
            run_cut(make_premises, at, (quirk,))
        except AssertionError:
            return True
        return False

    turns = run_cut(make_premises, None, (quirk,))
    assert any(is_found(at) for at in range(turns, 0, -1))


def test_a_power_cut_inside_a_commit_turns_the_device_off_until_power_is_back(make_premises: Any) -> None:
    async def main(clock: LoopClock, at: int | None) -> int:
        fault = Fault()
        with Store(on_step=fault) as store:
            async with make_premises(clock, store=store) as premises:
                await premises.ask("ECS45")
                command = premises.head.command("ECS43", counter=1)
                fault.at, fault.steps = at, 0
                await premises.send(command)
                answer = await premises.answer(1)
                steps, fault.at = fault.steps, None
                off = [one for one in (premises.hub, premises.esme) if not one.powered]
                assert len(off) == len(premises.trace.find(layer="device", event="PowerCut")) == bool(at)
                for one in off:
                    await one.power_restore()
                if premises.hub not in off:
                    # What it had done before the power went it says when power is back.
                    answer = answer or await premises.answer(1)
                done = await premises.ask("ECS45", counter=2) == {"supply_state": "Disabled"}
                assert done == (answer is not None) or premises.hub in off
                if not done:
                    await premises.send(command)
                    assert await premises.answer(1) is not None
                    assert await premises.ask("ECS45", counter=3) == {"supply_state": "Disabled"}
                executed = premises.trace.find(layer="device", event="CommandExecuted", use_case="ECS43")
                assert len(executed) <= 1
                said = [one for one in premises.messages if one.cra is Cra.RESPONSE]
                different = {encode_message(one) for one in said if one.originator_counter == 1}
                assert len(different) == 1 or (not different and premises.hub in off)
                return steps

    steps = run_virtual(lambda clock: main(clock, None))
    assert steps >= 4
    for at in range(1, steps + 1):
        run_virtual(lambda clock, at=at: main(clock, at))


def test_responses_that_have_not_left_are_kept_apart_over_power_cuts(make_bench: Any) -> None:
    bench = make_bench()
    for counter in (1, 2, 3):
        bench.core.receive(bench.head.command("ECS45", counter=counter), bench.now)
        bench.power_cut()
        waiting = [one for one in bench.place.outbox if one.event == "ResponseSent"]
        assert [decode_message(one.data).originator_counter for one in waiting] == list(range(1, counter + 1))
    bench.take()
    bench.power_cut()
    assert [one for one in bench.place.outbox if one.event == "ResponseSent"] == []


def test_a_response_in_blocks_is_remembered_until_the_last_of_them_has_arrived(make_premises: Any) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock, {"history_days": 60}) as premises:
            period = {"start_date_time": "hex:" + "FF" * 9 + "8000FF", "end_date_time": "never"}
            await premises.send(premises.head.command("ECS22b", {"read_log_period": period}, counter=1000))
            await clock.sleep(4 * FORGET_AFTER_S)  # and nobody acknowledges a block
            await premises.esme.power_cut()
            await clock.sleep(1)
            await premises.esme.power_restore()
            message = await premises.answer(1000)
            assert message is not None
            answer = premises.head.read(encode_message(message))
            assert len(answer["read_log_period"]["active_energy_imported_log"]) == 60 * 48
            executed = premises.trace.find(layer="device", event="CommandExecuted", use_case="ECS22b")
            assert len(executed) == 1

    run_virtual(main)
