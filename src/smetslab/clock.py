"""Time: the `Clock` every actor is given, an asyncio loop on virtual time, and scaled real time.

Nothing else in smetslab reads the wall clock. Laboratory time runs from an epoch: on `VirtualLoop` it jumps
to the next timer whenever nothing is ready, so a year of half-hours takes seconds; on an ordinary loop it
is real time, optionally multiplied by a scale. Actors use the clock's own `sleep` and `timeout`, never
asyncio's, because only the clock knows the scale.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from operator import attrgetter
from pathlib import PurePath
from time import monotonic  # noqa: TID251 - the clock of real loops
from types import TracebackType
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack

from smetslab.errors import LocalProtocolError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEFAULT_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS = 1_000_000
_MOST_CANCELLED = 100
"""Timers that will not run and are kept all the same."""
_TIMERS_A_TURN = 16
"""Timers that run before the loop looks at its files again."""


class Clock(Protocol):
    """Laboratory time, given to every actor. A number of seconds is always counted from the epoch."""

    def now(self) -> datetime:
        """The present moment, UTC-aware, to the microsecond."""
        ...

    def time(self) -> float:
        """Laboratory seconds since the epoch: the `now` of the sans-I/O engines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for laboratory seconds."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Wait until `now()` is `moment`; a moment in the past only lets other tasks run."""
        ...

    def call_at(
        self, time_s: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts
    ) -> asyncio.TimerHandle:
        """Call a plain function when `time()` has reached `time_s`, never earlier."""
        ...

    def alarm(self, time_s: float, callback: Callable[[T], object], argument: T, /) -> object:
        """`call_at` for what happens by the hundred thousand: it cannot be taken back."""
        ...

    def moment_at(self, time_s: float) -> datetime:
        """What `now()` is when `time()` is so many seconds."""
        ...


class _CallAt(Protocol):
    """The type of `Clock.call_at`."""

    def __call__(
        self, time_s: float, callback: Callable[[Unpack[Ts]], object], /, *args: *Ts
    ) -> asyncio.TimerHandle: ...


class _Alarm(Protocol):
    """The type of `Clock.alarm`."""

    def __call__(self, time_s: float, callback: Callable[[T], object], argument: T, /) -> object: ...


class LoopClock:
    """Laboratory time on top of an asyncio loop, virtual or real: `epoch` is the moment of construction.

    `now()` is computed from the loop's time and the epoch alone, so it cannot drift from the timers.
    """

    __slots__ = (
        "_loop",
        "_loop_time",
        "_margin",
        "_origin",
        "_parts",
        "_second",
        "_shown",
        "_shown_at",
        "alarm",
        "call_at",
        "epoch",
        "scale",
        "time",
    )

    def __init__(
        self, epoch: datetime, scale: float = 1.0, *, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        if epoch.utcoffset() is None:
            raise LocalProtocolError("the epoch of a clock must be a UTC-aware datetime")
        if not (math.isfinite(scale) and scale > 0):
            raise LocalProtocolError(f"the scale of a clock must be a positive number, not {scale}")
        self._loop = asyncio.get_running_loop() if loop is None else loop
        # A real loop runs timers early by up to the resolution of its clock. One that is not asyncio's own
        # may count in milliseconds, and stand still while callbacks run; what it counts is this clock.
        own = isinstance(self._loop, asyncio.BaseEventLoop)
        self._loop_time = self._loop.time if own else monotonic
        self._margin = 0.0 if isinstance(self._loop, VirtualLoop) else 1e-6 if own else 1e-3
        self._origin = self._loop_time()
        self.epoch = epoch.astimezone(UTC)
        self.scale = scale
        plain = self._origin == self._margin == 0.0 and scale == 1.0
        # Times of the loop are those of a plain clock: then the loop is asked without a detour.
        self.time: Callable[[], float] = self._loop.time if plain else self._scaled_time
        self.call_at: _CallAt = self._loop.call_at if plain else self._scaled_call_at
        self.alarm: _Alarm = self._scaled_call_at
        if plain and isinstance(self._loop, VirtualLoop):
            self.alarm = self._loop.alarm
            # Asked more often than anything else: without a function of Python's.
            self.time = partial(attrgetter("_now"), self._loop)
        # Virtual time stands still while anything is ready: it is asked for again and again.
        self._shown_at = 0.0
        self._shown = self.epoch
        # A datetime is made of its parts far faster than by adding to another: those of the last second.
        self._second = -1
        self._parts = (1, 1, 1, 0, 0, 0)

    def _scaled_time(self) -> float:
        return (self._loop_time() - self._origin) * self.scale

    def now(self) -> datetime:
        time = self.time()
        if time != self._shown_at:
            self._shown = self.moment_at(time)
            self._shown_at = time
        return self._shown

    def moment_at(self, time_s: float) -> datetime:
        second, microsecond = divmod(self.epoch.microsecond + round(time_s * _MICROSECONDS), _MICROSECONDS)
        if second != self._second:
            self._second = second
            at = self.epoch + timedelta(seconds=second)
            self._parts = (at.year, at.month, at.day, at.hour, at.minute, at.second)
        return datetime(*self._parts, microsecond, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.scale)

    async def sleep_until(self, moment: datetime) -> None:
        wanted = (moment - self.epoch) / _MICROSECOND / _MICROSECONDS
        if self.now() >= moment:
            await asyncio.sleep(0)
            return
        reached = self._loop.create_future()
        handle = self.call_at(wanted, _resolve, reached)
        try:
            await reached
        finally:
            handle.cancel()

    def _scaled_call_at(
        self, time_s: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts
    ) -> asyncio.TimerHandle:
        when = self._origin + time_s / self.scale + self._margin
        while (when - self._origin) * self.scale < time_s:
            when = math.nextafter(when, math.inf)
        return self._loop.call_at(when, callback, *args)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class timeout:
    """`asyncio.timeout` in laboratory seconds: raises TimeoutError when the block takes longer."""

    __slots__ = ("_clock", "_handle", "_scope", "_seconds")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._scope = asyncio.timeout(None)

    async def __aenter__(self) -> asyncio.Timeout:
        scope = await self._scope.__aenter__()
        loop = asyncio.get_running_loop()
        until = self._clock.time() + self._seconds
        self._handle = self._clock.call_at(until, lambda: scope.reschedule(loop.time()))
        return scope

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handle.cancel()
        await self._scope.__aexit__(kind, error, traceback)


class _Soon(asyncio.Handle):
    """A callback of a virtual loop, without what is for debugging: it takes half the time to make."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """A timer of a virtual loop, likewise."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None
        self._when = when
        self._scheduled = True

    def _run(self) -> None:
        self._scheduled = False
        super()._run()

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._callback = _nothing
            self._args = ()
            if self._scheduled:
                self._loop.timer_cancelled()


_run_timer = _Timer._run


def _nothing() -> None:
    """What a cancelled timer does."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop on virtual time: it stands still while anything is ready and jumps otherwise.

    The clock moves to the very moment of the next timer, so a timer is never early. While work runs in an
    executor, or inside `holding()`, the clock is held and the loop waits for real. When nothing is ready,
    nothing is scheduled and nothing outside can wake the loop, the run is stuck, and `LocalProtocolError`
    names the tasks that wait.

    Real sockets have no place here: use an ordinary loop with a scaled `LoopClock` for them.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._held = 0
        self._turns = 0
        self._timers: list[tuple[float, int, Callable[[Any], object], Any]] = []
        """A heap by time and, for timers of the same time, by when they were set: what is called, and its
        argument.
        """
        self._numbers = count()
        self._cancelled = 0
        self._ready: deque[asyncio.Handle]
        self._stopping: bool
        self._debug: bool
        self._closed: bool
        self._selector: selectors.BaseSelector
        super().__init__(selectors.DefaultSelector())

    def time(self) -> float:
        return self._now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._held += 1
        future.add_done_callback(self._release)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        with self.holding():
            await super().shutdown_default_executor(*args, **kwargs)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the clock while something outside this loop (a thread) is under way and will call back."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def _release(self, _future: object) -> None:
        self._held -= 1

    # ---------------------------------------------------------------------------- callbacks

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = _Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        timer = _Timer(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), _run_timer, timer))
        return timer

    def alarm(self, when: float, callback: Callable[[T], object], argument: T) -> None:
        """Call a function with one argument at a time of this loop. It cannot be taken back, and costs a
        third of what `call_at` does.
        """
        heappush(self._timers, (when, next(self._numbers), callback, argument))

    def timer_cancelled(self) -> None:
        """One of this loop's timers will not run: when most are such, they are thrown away."""
        self._cancelled += 1
        if self._cancelled > _MOST_CANCELLED and 2 * self._cancelled > len(self._timers):
            self._timers[:] = [
                entry for entry in self._timers if entry[2] is not _run_timer or not entry[3].cancelled()
            ]
            heapify(self._timers)
            self._cancelled = 0

    def close(self) -> None:
        super().close()
        self._timers.clear()

    def _run_once(self) -> None:
        """A turn, in place of the base class's: what is ready, or else timers until something is ready."""
        ready, timers = self._ready, self._timers
        self._turns += 1
        # Looking at the files each time would double the cost of a callback.
        if not self._turns & 0x0F:
            self._look(0)
        if ready or self._stopping:
            self._collect()
        elif self._held or not timers:
            self._wait()
        else:
            self._run_timers()
        # Those that are ready now: what they make ready has its turn after this one.
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _run_timers(self) -> None:
        """Nothing is ready: go on to the next timers, one by one, until something is."""
        ready, timers = self._ready, self._timers
        for _ in range(_TIMERS_A_TURN):
            when, _, callback, argument = heappop(timers)
            if callback is _run_timer and argument.cancelled():
                self._cancelled -= 1
            else:
                self._now = max(self._now, when)
                if timers and timers[0][0] <= self._now:
                    # All that are due at a moment come before what they make ready.
                    self._make_ready(callback, argument)
                    self._collect()
                    return
                try:
                    callback(argument)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - as handles do: `_guarded` ends the run
                    self.call_exception_handler({"message": f"Exception in {callback!r}", "exception": error})
            if ready or not timers or self._held or self._stopping:
                return

    def _collect(self) -> None:
        """The timers that are due are ready."""
        timers, now = self._timers, self._now
        while timers and timers[0][0] <= now:
            _, _, callback, argument = heappop(timers)
            if callback is _run_timer and argument.cancelled():
                self._cancelled -= 1
            else:
                self._make_ready(callback, argument)

    def _make_ready(self, callback: Callable[[Any], object], argument: Any) -> None:
        self._ready.append(argument if callback is _run_timer else _Soon(callback, (argument,), self, None))

    def _wait(self) -> None:
        """Wait for what is outside. Raises LocalProtocolError where nothing is."""
        # The loop's own wake-up socket is always registered; any other file is real input or output.
        if self._held or len(self._selector.get_map()) > 1:
            self._look(None)
            return
        self._look(0)
        if not self._ready:
            raise self._stuck()

    def _look(self, timeout: float | None) -> None:
        self._process_events(self._selector.select(timeout))  # type: ignore[attr-defined]

    def _stuck(self) -> LocalProtocolError:
        places = sorted(_place(task) for task in asyncio.all_tasks(self))
        return LocalProtocolError("nothing left to wait for: " + ("; ".join(places) or "no task is left"))


def _place(task: asyncio.Task[Any]) -> str:
    """Where a waiting task stands: its name, and file and line of the innermost coroutine it awaits."""
    inner: object = task.get_coro()
    frame = None
    while inspect.iscoroutine(inner) and inner.cr_frame is not None:
        frame = inner.cr_frame
        inner = inner.cr_await
    if frame is None:
        return task.get_name()
    return f"{task.get_name()} waits at {PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"


def run_virtual(
    main: Coroutine[Any, Any, T] | Callable[[LoopClock], Coroutine[Any, Any, T]],
    *,
    epoch: datetime = DEFAULT_EPOCH,
) -> T:
    """Run `main` on virtual time and close the loop behind it.

    `main` is a coroutine, or a function that takes the clock and returns one. An exception that no task
    would ever see, for instance in a timer callback, ends the run with that exception.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return _run(runner, main, epoch, 1.0)


def run_real(
    main: Coroutine[Any, Any, T] | Callable[[LoopClock], Coroutine[Any, Any, T]],
    *,
    epoch: datetime | None = None,
    scale: float = 1.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run `main` on real time, `scale` laboratory seconds a second, from `epoch` or else from now on."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        start = datetime.now(UTC) if epoch is None else epoch  # noqa: TID251 - the one place that reads it
        return _run(runner, main, start, scale)


def _run(
    runner: asyncio.Runner,
    main: Coroutine[Any, Any, T] | Callable[[LoopClock], Coroutine[Any, Any, T]],
    epoch: datetime,
    scale: float,
) -> T:
    clock = LoopClock(epoch, scale, loop=runner.get_loop())
    return runner.run(_guarded(main(clock) if callable(main) else main))


async def _guarded(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; turn the first exception that asyncio could only have logged into the outcome."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    faults: list[BaseException] = []

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        if fault is None:
            loop.default_exception_handler(context)
            return
        faults.append(fault)
        if task is not None and len(faults) == 1:
            task.cancel()

    loop.set_exception_handler(note)
    try:
        result = await work
    except BaseException:
        if faults:
            raise faults[0] from None
        raise
    finally:
        loop.set_exception_handler(None)
    if faults:
        raise faults[0]
    return result


class StandingClock:
    """A clock that stands at `moment` until it is put elsewhere. Nothing can be awaited on it."""

    __slots__ = ("moment",)

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def time(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        raise LocalProtocolError(f"a standing clock never gets {seconds} s further")

    async def sleep_until(self, moment: datetime) -> None:
        raise LocalProtocolError(f"a standing clock never comes to {moment}")

    def call_at(
        self, time_s: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts
    ) -> asyncio.TimerHandle:
        raise LocalProtocolError(f"a standing clock never comes to {time_s} s")

    def alarm(self, time_s: float, callback: Callable[[T], object], argument: T, /) -> object:
        raise LocalProtocolError(f"a standing clock never comes to {time_s} s")

    def moment_at(self, time_s: float) -> datetime:
        return datetime.fromtimestamp(time_s, UTC)
