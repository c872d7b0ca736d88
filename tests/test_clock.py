"""The virtual loop: time jumps, order, executor work, deadlock, exceptions nobody awaits."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest

from smetslab.clock import DEFAULT_EPOCH, LoopClock, VirtualLoop, run_real, run_virtual, timeout
from smetslab.errors import LocalProtocolError
from smetslab.lab.loops import serving_loop

EPOCH = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


def test_a_year_of_half_hours_ends_at_the_exact_moment() -> None:
    async def main(clock: LoopClock) -> datetime:
        for number in range(365 * 48):
            await clock.sleep_until(EPOCH + timedelta(minutes=30 * (number + 1)))
            assert clock.now() == EPOCH + timedelta(minutes=30 * (number + 1))
        return clock.now()

    assert run_virtual(main, epoch=EPOCH) == EPOCH + timedelta(days=365)


def test_short_waits_add_up_to_the_microsecond() -> None:
    async def main(clock: LoopClock) -> datetime:
        for _ in range(30_000):
            await clock.sleep(0.1)
        return clock.now()

    assert run_virtual(main) == DEFAULT_EPOCH + timedelta(seconds=3000)


def test_timers_still_fire_on_the_microsecond_after_ten_years() -> None:
    async def main(clock: LoopClock) -> list[timedelta]:
        await clock.sleep(10 * 365 * 86400)
        start = clock.now()
        gaps = []
        for _ in range(5):
            await clock.sleep(0.000_001)
            gaps.append(clock.now() - start)
        return gaps

    assert run_virtual(main) == [timedelta(microseconds=count) for count in range(1, 6)]


@pytest.mark.parametrize(("origin", "scale"), [(0.0, 1.0), (0.3, 1.0), (1e8 / 3, 7.0), (12345.678, 0.3)])
def test_a_timer_is_never_early_by_even_a_rounding_error(origin: float, scale: float) -> None:
    async def main() -> list[float]:
        await asyncio.sleep(origin)
        clock = LoopClock(EPOCH, scale)
        early: list[float] = []
        chance = random.Random(4)

        def check(wanted: float) -> None:
            if clock.time() < wanted:
                early.append(wanted)

        for _ in range(5000):
            wanted = clock.time() + chance.choice([0.1, 1.6, 9.9, 600.0, 65535.0, chance.random() * 1e-6])
            clock.call_at(wanted, check, wanted)
            await clock.sleep(chance.random() * 100)
        await clock.sleep(100_000)
        return early

    assert run_virtual(main()) == []


def test_a_moment_in_the_past_only_lets_others_run() -> None:
    async def main(clock: LoopClock) -> tuple[list[str], datetime]:
        order: list[str] = []

        async def other() -> None:
            order.append("other")

        async with asyncio.TaskGroup() as group:
            group.create_task(other())
            await clock.sleep_until(DEFAULT_EPOCH - timedelta(days=1))
            order.append("main")
        return order, clock.now()

    assert run_virtual(main) == (["other", "main"], DEFAULT_EPOCH)


def _interleave() -> list[tuple[int, int, float]]:
    async def main(clock: LoopClock) -> list[tuple[int, int, float]]:
        log: list[tuple[int, int, float]] = []

        async def worker(number: int) -> None:
            for turn in range(20):
                await clock.sleep(1 + number * turn % 7)
                log.append((number, turn, clock.time()))

        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(worker(number))
        return log

    return run_virtual(main)


def test_two_runs_interleave_alike_and_time_never_goes_back() -> None:
    first = _interleave()
    assert first == _interleave()
    times = [moment for _, _, moment in first]
    assert times == sorted(times)


def test_time_stands_still_while_a_task_is_ready() -> None:
    async def main(clock: LoopClock) -> float:
        fired: list[float] = []
        clock.call_at(1.0, lambda: fired.append(clock.time()))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert not fired
        before = clock.time()
        await clock.sleep(1.0)
        assert fired == [1.0]
        return before

    assert run_virtual(main) == 0.0


def test_time_stands_still_while_a_thread_works() -> None:
    async def main(clock: LoopClock) -> tuple[float, list[str]]:
        order: list[str] = []
        go_on = threading.Event()
        clock.call_at(60.0, order.append, "timer")

        def work() -> None:
            assert go_on.wait(10)
            order.append("thread")

        job = asyncio.get_running_loop().run_in_executor(None, work)
        await asyncio.sleep(0)
        go_on.set()
        await job
        after = clock.time()
        await clock.sleep(100)
        return after, order

    assert run_virtual(main) == (0.0, ["thread", "timer"])


def test_holding_keeps_the_clock_for_a_thread_of_ones_own() -> None:
    async def main(clock: LoopClock) -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        done = loop.create_future()
        with loop.holding():
            thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(done.set_result, None))
            clock.call_at(5.0, lambda: None)
            thread.start()
            await done
        thread.join()
        return clock.time()

    assert run_virtual(main) == 0.0


def test_nothing_left_to_wait_for_names_the_task_and_the_place() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait_for_ever(), name="lost device")

    with pytest.raises(
        LocalProtocolError, match=r"nothing left to wait for: .*lost device waits at test_clock\.py:\d+"
    ):
        run_virtual(main())


def test_the_loop_is_closed_and_its_tasks_cancelled_after_a_deadlock() -> None:
    ended: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("cancelled")

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await wait_for_ever()

    with pytest.raises(LocalProtocolError):
        run_virtual(main())
    assert ended == ["cancelled"]
    assert loops[0].is_closed()


def test_an_exception_in_a_timer_ends_the_run() -> None:
    def break_down() -> None:
        raise ZeroDivisionError("in a timer")

    async def main(clock: LoopClock) -> None:
        clock.call_at(5.0, break_down)
        await clock.sleep(3600)

    with pytest.raises(ZeroDivisionError, match="in a timer"):
        run_virtual(main)


def test_alarms_come_in_order_with_timers_and_before_what_they_make_ready() -> None:
    async def main(clock: LoopClock) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        def note(name: str) -> None:
            seen.append((name, clock.time()))

        def wake(name: str) -> None:
            note(name)
            asyncio.get_running_loop().call_soon(note, f"after {name}")

        clock.alarm(2.0, wake, "second")
        clock.alarm(1.0, wake, "first")
        clock.call_at(2.0, note, "timer")
        taken_back = clock.call_at(1.5, note, "never")
        taken_back.cancel()
        await clock.sleep(3.0)
        return seen

    assert run_virtual(main) == [
        ("first", 1.0),
        ("after first", 1.0),
        ("second", 2.0),
        ("timer", 2.0),
        ("after second", 2.0),
    ]


def test_an_exception_in_an_alarm_ends_the_run() -> None:
    def break_down(what: str) -> None:
        raise ZeroDivisionError(what)

    async def main(clock: LoopClock) -> None:
        clock.alarm(5.0, break_down, "in an alarm")
        await clock.sleep(3600)

    with pytest.raises(ZeroDivisionError, match="in an alarm"):
        run_virtual(main)


def test_thousands_of_timers_that_are_taken_back_are_thrown_away() -> None:
    async def main(clock: LoopClock) -> tuple[int, list[float]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        fired: list[float] = []
        for number in range(5000):
            timer = clock.call_at(1000.0 + number, lambda: fired.append(clock.time()))
            if number % 100:
                timer.cancel()
        kept = len(loop._timers)
        await clock.sleep(10_000)
        return kept, fired

    kept, fired = run_virtual(main)
    assert kept < 500
    assert fired == [1000.0 + number for number in range(0, 5000, 100)]


def test_timeout_counts_laboratory_seconds() -> None:
    async def main(clock: LoopClock) -> float:
        with pytest.raises(TimeoutError):
            async with timeout(clock, 30):
                await clock.sleep(31)
        async with timeout(clock, 30):
            await clock.sleep(29)
        return clock.time()

    assert run_virtual(main) == 59.0


def test_a_timeout_that_was_not_needed_leaves_no_timer() -> None:
    async def main(clock: LoopClock) -> None:
        async with timeout(clock, 1000):
            await clock.sleep(1)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(LocalProtocolError, match="nothing left"):
        run_virtual(main)


def test_real_time_is_scaled() -> None:
    async def main(clock: LoopClock) -> tuple[timedelta, float]:
        await clock.sleep_until(EPOCH + timedelta(hours=1))
        with pytest.raises(TimeoutError):
            async with timeout(clock, 1800):
                await clock.sleep(36_000)
        return clock.now() - EPOCH, clock.time()

    began = perf_counter()
    passed, seconds = run_real(main, epoch=EPOCH, scale=72_000)
    assert perf_counter() - began < 5
    assert passed >= timedelta(hours=1.5)
    assert seconds >= passed.total_seconds()


def test_timers_of_a_loop_that_counts_in_milliseconds_are_never_early() -> None:
    factory = serving_loop()
    assert factory is not None, "uvloop is part of the extra `dev`"

    async def main(clock: LoopClock) -> list[float]:
        loop = asyncio.get_running_loop()
        assert not isinstance(loop, asyncio.BaseEventLoop)
        early: list[float] = []
        for number in range(40):
            wanted = clock.time() + number * 0.37
            reached = loop.create_future()
            clock.call_at(wanted, reached.set_result, None)
            await reached
            early.append(wanted - clock.time())
        before = clock.now()
        while clock.now() == before:
            pass  # the loop's own time would stand still here
        return early

    assert max(run_real(main, epoch=EPOCH, scale=1000, loop_factory=factory)) <= 0


def test_a_clock_counts_from_its_construction() -> None:
    async def main(clock: LoopClock) -> tuple[datetime, float]:
        await clock.sleep(10)
        later = LoopClock(EPOCH)
        await later.sleep(5)
        return later.now(), clock.time()

    assert run_virtual(main) == (EPOCH + timedelta(seconds=5), 15.0)


@pytest.mark.parametrize(
    "build",
    [
        lambda loop: LoopClock(datetime(2026, 1, 1), loop=loop),  # noqa: DTZ001 - what is refused here
        lambda loop: LoopClock(EPOCH, 0.0, loop=loop),
        lambda loop: LoopClock(EPOCH, float("nan"), loop=loop),
    ],
)
def test_a_clock_refuses_what_is_no_time(build: Callable[[asyncio.AbstractEventLoop], LoopClock]) -> None:
    loop = VirtualLoop()
    try:
        with pytest.raises(LocalProtocolError):
            build(loop)
    finally:
        loop.close()
