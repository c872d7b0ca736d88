"""What a running case has recorded so far: steps, checks, interruptions and observations, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias, TypedDict, cast

from smetslab.errors import LocalProtocolError
from smetslab.harness.judge import sentence, verdict_of
from smetslab.harness.plain import compare, to_plain
from smetslab.harness.records import Checked, Comparison, Interrupted, Observed, Record, StepStarted
from smetslab.harness.verdict import Verdict
from smetslab.trace import Observation

Proof: TypeAlias = "Observation | Iterable[Observation]"
"""The observation, or the several, behind a check."""


class Comparisons(TypedDict, total=False):
    """The comparisons a check can make; it makes exactly one. `within` takes (lowest, highest)."""

    equals: object
    differs: object
    at_least: object
    at_most: object
    within: tuple[object, object]
    contains: object
    one_of: Iterable[object]


class CaseStopped(Exception):
    """Ends the body of a case. What ended it is already recorded, so swallowing this changes no verdict."""


class Recorder:
    """The record of one case while it runs. `emit` gets each record as it is made; `now` is the virtual
    time, None until the bench stands.
    """

    def __init__(self, case: str, emit: Callable[[Record], None], now: Callable[[], str | None]) -> None:
        self._case = case
        self._emit = emit
        self._now = now
        self._steps = 0
        self._step: int | None = None
        self.checks: list[Checked] = []
        self.interruptions: list[Interrupted] = []
        self.observations = 0

    def _time(self) -> str:
        now = self._now()
        if now is None:
            raise LocalProtocolError(f"case {self._case} has no bench yet")
        return now

    def open_step(self, title: str) -> None:
        if self._step is not None:
            raise LocalProtocolError(f"step {title!r} begins inside another step of case {self._case}")
        self._steps += 1
        self._step = self._steps
        self._emit(StepStarted(case=self._case, step=self._step, time=self._time(), title=title))

    def close_step(self) -> None:
        self._step = None

    def observed(self, record: Observed) -> None:
        self.observations += 1
        self._emit(record)

    def check(
        self,
        what: str,
        actual: object,
        comparisons: Comparisons,
        *,
        otherwise: Literal["fail", "inconclusive"],
        spec: str,
        of: Proof,
        stop: bool,
    ) -> bool:
        """Record one comparison. When it fails: CaseStopped, or False if `stop` is false."""
        if len(comparisons) != 1:
            given = ", ".join(comparisons) or "none"
            raise LocalProtocolError(f"check {what!r} needs exactly one comparison, not {given}")
        [(name, wanted)] = comparisons.items()
        if name == "one_of":
            wanted = list(cast("Iterable[object]", wanted))
        comparison = cast("Comparison", name)
        actual_plain, expected_plain = to_plain(actual), to_plain(wanted)
        held = compare(comparison, actual_plain, expected_plain)
        proof = (of,) if isinstance(of, Observation) else tuple(of)
        record = Checked(
            case=self._case,
            check=len(self.checks) + 1,
            step=self._step,
            time=self._time(),
            what=what,
            comparison=comparison,
            expected=expected_plain,
            actual=actual_plain,
            outcome="pass" if held else otherwise,
            otherwise=otherwise,
            spec=spec,
            observations=tuple(sorted({entry.sequence for entry in proof})),
        )
        self.checks.append(record)
        self._emit(record)
        if not held and stop:
            raise CaseStopped(sentence(record))
        return held

    def interrupt(
        self,
        verdict: Literal["inconclusive", "error"],
        reason: str,
        *,
        traceback: Iterable[str] = (),
    ) -> None:
        """Record an end, or a flaw, that no check describes."""
        record = Interrupted(
            case=self._case,
            step=self._step,
            time=self._now(),
            verdict=verdict,
            reason=reason,
            traceback=tuple(traceback),
        )
        self.interruptions.append(record)
        self._emit(record)

    def verdict(self) -> tuple[Verdict, str]:
        """The verdict so far, and its reason."""
        return verdict_of(self.checks, self.interruptions)
