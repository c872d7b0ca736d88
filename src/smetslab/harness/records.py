"""Everything that happens in a run, as typed records: the one vocabulary of runner, progress, report and
evidence.

The runner emits them in order; `evidence.jsonl` is exactly their sequence, chained. They hold plain values
only, and nothing of the wall clock or the machine, so that equal seeds give equal records.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from smetslab.harness.plain import Plain

RECORD_SCHEMA_VERSION: Final = 1

VerdictWord = Literal["none", "pass", "inconclusive", "fail", "error"]
Comparison = Literal["equals", "differs", "at_least", "at_most", "within", "contains", "one_of"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Declaration(_Record):
    """What the case declares about itself."""

    case: str
    version: int
    title: str
    description: str
    kind: str
    obligations: tuple[str, ...]
    use_cases: tuple[str, ...]


class RunStarted(_Record):
    """First record. `cases`: every selected case in the order of the run."""

    record: Literal["run-started"] = "run-started"
    schema_version: Literal[1] = RECORD_SCHEMA_VERSION
    suite: str
    suite_title: str
    suite_version: int
    tool_version: str
    seed: int
    cases: tuple[str, ...]


class CaseNotRun(Declaration):
    """The case does not apply, or nobody stated whether it does."""

    record: Literal["case-not-run"] = "case-not-run"
    applicability: Literal["no", "not stated"]
    reason: str


class CaseStarted(Declaration):
    """`seed`: the case's own, derived from the run's seed and the case id."""

    record: Literal["case-started"] = "case-started"
    seed: int


class Party(_Record):
    """A source or target of observations, and what people call it."""

    name: str
    label: str


class BenchReady(_Record):
    """The bench is up and the body begins. `parties`: the lanes of the message ladder, from left to right."""

    record: Literal["bench-ready"] = "bench-ready"
    case: str
    time: str
    parties: tuple[Party, ...]


class StepStarted(_Record):
    """A step of the body begins; it ends where the next begins."""

    record: Literal["step-started"] = "step-started"
    case: str
    step: int
    time: str
    title: str


class Observed(_Record):
    """One observation of the trace. `data`: upper-case hex. `meaning`: its bytes decoded to one line."""

    record: Literal["observation"] = "observation"
    case: str
    observation: int
    time: str
    layer: str
    event: str
    source: str
    target: str
    data: str
    detail: dict[str, str | int | bool | None]
    meaning: str | None


class Checked(_Record):
    """One comparison that was made, with what is needed to make it again."""

    record: Literal["check"] = "check"
    case: str
    check: int
    step: int | None
    time: str
    what: str
    comparison: Comparison
    expected: Plain
    actual: Plain
    outcome: Literal["pass", "inconclusive", "fail"]
    otherwise: Literal["inconclusive", "fail"]
    spec: str
    observations: tuple[int, ...]


class Interrupted(_Record):
    """The case could not be decided, or the harness failed, other than by a check."""

    record: Literal["interruption"] = "interruption"
    case: str
    step: int | None
    time: str | None
    verdict: Literal["inconclusive", "error"]
    reason: str
    traceback: tuple[str, ...]


class CaseEnded(_Record):
    """The verdict of a case, with the numbers of checks and observations it rests on."""

    record: Literal["verdict"] = "verdict"
    case: str
    time: str | None
    verdict: VerdictWord
    reason: str
    checks: int
    observations: int


class RunEnded(_Record):
    """Last record: the verdict of the run and the number of cases for each verdict."""

    record: Literal["run-ended"] = "run-ended"
    verdict: VerdictWord
    counts: dict[VerdictWord, int]
    not_run: int


Record: TypeAlias = (
    RunStarted
    | CaseNotRun
    | CaseStarted
    | BenchReady
    | StepStarted
    | Observed
    | Checked
    | Interrupted
    | CaseEnded
    | RunEnded
)

RECORDS: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="record")])
"""Reads a record back from its plain form; pydantic's ValidationError says what is wrong with it."""
