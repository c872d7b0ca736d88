"""The runner: each case on a virtual loop and a bench of its own, its verdict from its records, nothing else.

A case's seed derives from the run's seed and the case id, so that no case depends on which others run, or
when. What happens is emitted as records, in order, to the listeners: progress, evidence, tests.
"""

from __future__ import annotations

import asyncio
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack, cast

import smetslab
from smetslab.clock import Clock, VirtualLoop, timeout
from smetslab.errors import LocalProtocolError, RemoteProtocolError
from smetslab.harness.case import Bench, Case, recording
from smetslab.harness.decoding import Decoders
from smetslab.harness.plain import moment_text
from smetslab.harness.recorder import CaseStopped, Recorder
from smetslab.harness.records import (
    BenchReady,
    CaseEnded,
    CaseNotRun,
    CaseStarted,
    Checked,
    Interrupted,
    Observed,
    Party,
    Record,
    RunEnded,
    RunStarted,
    StepStarted,
    VerdictWord,
)
from smetslab.harness.suite import BenchSetup, SuiteDefinition
from smetslab.harness.verdict import Applicability, Verdict, worst
from smetslab.rng import RootSeed
from smetslab.trace import Observation, Trace
from smetslab.zigbee.capture.keys import CaptureKey

B = TypeVar("B", bound=Bench)
_Ts = TypeVarTuple("_Ts")
Listener = Callable[[Record], None]

EVENT_LIMIT: Final = 5_000_000
"""Loop events after which a case is given up: something goes round in circles."""

_EVENTS_TO_CLEAN_UP: Final = 1_000_000
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case that ran. `records` are all of it, in order."""

    start: CaseStarted
    end: CaseEnded
    records: tuple[Record, ...]

    @property
    def case(self) -> str:
        return self.start.case

    @property
    def verdict(self) -> Verdict:
        return Verdict.of_word(self.end.verdict)

    @property
    def reason(self) -> str:
        return self.end.reason

    @property
    def started(self) -> str | None:
        """Virtual time at which the body began; None when the bench never came up."""
        return next((entry.time for entry in self.records if isinstance(entry, BenchReady)), None)

    @property
    def finished(self) -> str | None:
        return self.end.time

    @property
    def steps(self) -> tuple[StepStarted, ...]:
        return tuple(entry for entry in self.records if isinstance(entry, StepStarted))

    @property
    def checks(self) -> tuple[Checked, ...]:
        return tuple(entry for entry in self.records if isinstance(entry, Checked))

    @property
    def interruptions(self) -> tuple[Interrupted, ...]:
        return tuple(entry for entry in self.records if isinstance(entry, Interrupted))

    @property
    def observations(self) -> tuple[Observed, ...]:
        return tuple(entry for entry in self.records if isinstance(entry, Observed))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run. `records` holds everything, in the order of the evidence."""

    records: tuple[Record, ...]
    results: tuple[CaseResult, ...]
    not_run: tuple[CaseNotRun, ...]
    capture_keys: tuple[CaptureKey, ...] = ()
    """The keys that open what the records have of the air."""

    @property
    def start(self) -> RunStarted:
        return cast("RunStarted", self.records[0])

    @property
    def verdict(self) -> Verdict:
        return worst(result.verdict for result in self.results)

    def result(self, case: str) -> CaseResult:
        """The result of a case by its id; KeyError when it did not run."""
        for entry in self.results:
            if entry.case == case:
                return entry
        raise KeyError(case)


def run_suite(
    suite: SuiteDefinition[B],
    setup: BenchSetup[B],
    seed: int,
    *,
    cases: Sequence[Case[B]] | None = None,
    decoders: Decoders | None = None,
    listeners: Sequence[Listener] = (),
    event_limit: int = EVENT_LIMIT,
) -> RunResult:
    """Run `cases` (all of the suite by default), one after the other, and return everything that was
    recorded.
    """
    chosen = suite.cases if cases is None else tuple(cases)
    records: list[Record] = []
    results: list[CaseResult] = []
    not_run: list[CaseNotRun] = []
    capture_keys: dict[CaptureKey, None] = {}
    decoders = Decoders({}) if decoders is None else decoders

    def emit(record: Record) -> None:
        records.append(record)
        for listener in listeners:
            listener(record)

    emit(
        RunStarted(
            suite=suite.name,
            suite_title=suite.title,
            suite_version=suite.version,
            tool_version=smetslab.__version__,
            seed=seed,
            cases=tuple(entry.id for entry in chosen),
        )
    )
    root = RootSeed(seed)
    for case in chosen:
        applicability = case.applies_when.evaluate(setup.capabilities)
        if applicability is not Applicability.YES:
            skipped = _not_run(case, applicability)
            not_run.append(skipped)
            emit(skipped)
            continue
        first = len(records)
        stage = _Stage(case.id, emit, decoders)
        _run_case(case, setup, root.child(f"case.{case.id}"), stage, event_limit)
        capture_keys.update(dict.fromkeys(stage.capture_keys))
        own = tuple(records[first:])
        results.append(
            CaseResult(start=cast("CaseStarted", own[0]), end=cast("CaseEnded", own[-1]), records=own)
        )
    emit(run_end(results, len(not_run)))
    return RunResult(
        records=tuple(records),
        results=tuple(results),
        not_run=tuple(not_run),
        capture_keys=tuple(capture_keys),
    )


def run_end(results: Sequence[CaseResult], not_run: int) -> RunEnded:
    """The last record of a run."""
    numbers = Counter(result.verdict for result in results)
    counts: dict[VerdictWord, int] = {
        cast("VerdictWord", verdict.word): numbers[verdict] for verdict in Verdict if numbers[verdict]
    }
    overall = worst(result.verdict for result in results)
    return RunEnded(verdict=cast("VerdictWord", overall.word), counts=counts, not_run=not_run)


def _not_run(case: Case[B], applicability: Applicability) -> CaseNotRun:
    declaration = case.declaration().model_dump()
    if applicability is Applicability.NO:
        return CaseNotRun(applicability="no", reason=f"applies when: {case.applies_when}", **declaration)
    return CaseNotRun(
        applicability="not stated",
        reason=f"applies when: {case.applies_when}; not stated of what is tested",
        **declaration,
    )


def _run_case(
    case: Case[B],
    setup: BenchSetup[B],
    seed: RootSeed,
    stage: _Stage,
    event_limit: int,
) -> None:
    stage.start(CaseStarted(seed=seed.value, **case.declaration().model_dump()))
    loop = _CountingLoop(event_limit)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            runner.run(_supervise(case, setup, seed, stage, loop))
        except Exception as error:  # noqa: BLE001 - root of a supervised task: it ends in a verdict `error`
            stage.fault(error)
    stage.end()


async def _supervise(
    case: Case[B], setup: BenchSetup[B], seed: RootSeed, stage: _Stage, loop: _CountingLoop
) -> None:
    """Bring the bench up, perform the body, and watch for what asyncio itself would only log."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has a task
    given_up = False

    def give_up() -> None:
        nonlocal given_up
        if not given_up:
            given_up = True
            task.cancel()

    def lost(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            stage.fault(error, context=str(context["message"]))
        else:
            stage.recorder.interrupt("error", _clean(str(context["message"])))
        give_up()

    def circling() -> None:
        stage.recorder.interrupt(
            "inconclusive", f"given up after {loop.limit} loop events: something goes round in circles"
        )
        give_up()

    loop.set_exception_handler(lost)
    loop.on_limit = circling
    try:
        async with setup.bench(seed) as bench:
            stage.ready(bench)
            try:
                await _perform(case, bench, stage)
            finally:
                stage.capture_keys = bench.capture_keys()
    except asyncio.CancelledError:
        if not given_up:
            raise
        task.uncancel()
    except Exception as error:  # noqa: BLE001 - root of a supervised task: it ends in a verdict `error`
        stage.fault(error)
    left = sorted(other.get_name() for other in asyncio.all_tasks() if other is not task)
    if left and not given_up:
        stage.recorder.interrupt("error", f"the bench left {len(left)} tasks running: {', '.join(left)}")


async def _perform(case: Case[B], bench: B, stage: _Stage) -> None:
    """The body, under its limit of virtual time. What ends it is recorded; only cancellation passes."""
    scope: asyncio.Timeout | None = None
    try:
        with recording(stage.recorder):
            async with timeout(bench.clock, case.limit_s) as scope:
                await case.body(bench)
    except TimeoutError as error:
        if scope is not None and scope.expired():
            stage.recorder.interrupt("inconclusive", f"given up after {case.limit_s:g} s of virtual time")
        else:
            stage.fault(error)
    except Exception as error:  # noqa: BLE001 - root of a supervised task: it ends in a verdict
        for leaf in _leaves(error):
            match leaf:
                case CaseStopped():
                    pass
                case RemoteProtocolError():
                    stage.peer_fault(leaf)
                case _:
                    stage.fault(leaf)


class _Stage:
    """The record of one case, and the trace of its bench flowing into it."""

    def __init__(self, case: str, emit: Listener, decoders: Decoders) -> None:
        self._case = case
        self._emit = emit
        self._decoders = decoders
        self._clock: Clock | None = None
        self.recorder = Recorder(case, emit, self._now)
        self.capture_keys: Sequence[CaptureKey] = ()

    def _now(self) -> str | None:
        return None if self._clock is None else moment_text(self._clock.now())

    def start(self, record: CaseStarted) -> None:
        self._emit(record)

    def ready(self, bench: Bench) -> None:
        self._clock = bench.clock
        trace: Trace = bench.trace
        for observation in list(trace.observations):
            self._observe(observation)
        trace.subscribe(self._observe)
        parties = tuple(Party(name=name, label=label) for name, label in bench.parties.items())
        self._emit(BenchReady(case=self._case, time=moment_text(bench.clock.now()), parties=parties))

    def _observe(self, observation: Observation) -> None:
        try:
            meaning = self._decoders.meaning(observation.layer, observation.data, observation.detail)
        except Exception as error:  # noqa: BLE001 - a decoder that breaks ends in a verdict `error`
            self.fault(error, context="while decoding an observation")
            meaning = None
        self.recorder.observed(
            Observed(
                case=self._case,
                observation=observation.sequence,
                time=moment_text(observation.time),
                layer=observation.layer,
                event=observation.event,
                source=observation.source,
                target=observation.target,
                data=observation.data.hex().upper(),
                detail=dict(sorted(observation.detail.items())),
                meaning=meaning,
            )
        )

    def peer_fault(self, error: RemoteProtocolError) -> None:
        """The peer broke a protocol and no check of the body was about it: a failed check of its own."""
        self.recorder.check(
            "no party breaks the protocol",
            _clean(str(error).removesuffix(f" ({error.spec})")),
            {"equals": None},
            otherwise="fail",
            spec=error.spec,
            of=(),
            stop=False,
        )

    def fault(self, error: BaseException, context: str = "") -> None:
        """An exception that nobody expected: ours until shown otherwise."""
        reason = _clean("; ".join(f"{type(leaf).__name__}: {leaf}" for leaf in _leaves(error)))
        if context:
            reason = f"{reason} ({context})"
        self.recorder.interrupt("error", reason, traceback=_frames(error))

    def end(self) -> None:
        verdict, reason = self.recorder.verdict()
        self._emit(
            CaseEnded(
                case=self._case,
                time=self._now(),
                verdict=cast("VerdictWord", verdict.word),
                reason=reason,
                checks=len(self.recorder.checks),
                observations=self.recorder.observations,
            )
        )


class _CountingLoop(VirtualLoop):
    """A virtual loop that counts its events, so that a case going round in circles ends."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.on_limit: Callable[[], None] | None = None
        self._events = 0

    def call_soon(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self._events += 1
        if self._events >= self.limit:
            if self._events == self.limit and self.on_limit is not None:
                self.on_limit()
            elif self._events > self.limit + _EVENTS_TO_CLEAN_UP:
                raise LocalProtocolError("the case does not end although it was given up")
        return super().call_soon(callback, *args, context=context)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The single exceptions of a group, or the one there is."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _clean(text: str) -> str:
    """Without memory addresses, which differ between equal runs."""
    return _ADDRESS.sub("at 0x…", text)


def _frames(error: BaseException) -> tuple[str, ...]:
    """A traceback without folders, which differ between machines: innermost last, causes and groups
    included.
    """
    lines: list[str] = []
    summary = traceback.TracebackException.from_exception(error, lookup_lines=False)

    def add(part: traceback.TracebackException, depth: int) -> None:
        if part.__cause__ is not None:
            add(part.__cause__, depth)
            lines.append("which led to")
        elif part.__context__ is not None and not part.__suppress_context__:
            add(part.__context__, depth)
            lines.append("while this was handled")
        lines.extend(
            f"{'  ' * depth}{PurePath(frame.filename).name}:{frame.lineno} in {frame.name}: {frame.line}"
            for frame in part.stack
        )
        lines.extend("  " * depth + text.rstrip("\n") for text in part.format_exception_only())
        for inner in part.exceptions or ():
            add(inner, depth + 1)

    add(summary, 0)
    return tuple(_clean(entry) for line in lines for entry in line.splitlines())
