"""The report of a run as one model: `report.json` is it, the pages for people are rendered from it.

It is computed from the records alone (and from what the manifest says of the run), so whoever has the
evidence can compute it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, cast

from pydantic import BaseModel, ConfigDict

from smetslab.harness.equipment import Equipment
from smetslab.harness.evidence.manifest import (
    INPUTS,
    Manifest,
    SelectionEntry,
    SuiteReference,
    WaiverEntry,
    pretty_json,
)
from smetslab.harness.obligations import OBLIGATIONS
from smetslab.harness.plain import display, expectation
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
    StepStarted,
    VerdictWord,
)
from smetslab.harness.verdict import Verdict, worst

REPORT_SCHEMA_VERSION: Final = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckReport(_Part):
    """A check, its values written for people. `observations` are numbers of observations of the case."""

    check: int
    step: int | None
    time: str
    what: str
    expected: str
    actual: str
    outcome: Literal["pass", "inconclusive", "fail"]
    spec: str
    observations: tuple[int, ...]


class StepReport(_Part):
    step: int
    time: str
    title: str


class InterruptionReport(_Part):
    step: int | None
    verdict: Literal["inconclusive", "error"]
    reason: str
    traceback: tuple[str, ...]


class CaseReport(_Part):
    """`evidence`: numbers of its first and last record in `evidence.jsonl`."""

    case: str
    version: int
    title: str
    description: str
    kind: str
    obligations: tuple[str, ...]
    use_cases: tuple[str, ...]
    seed: int
    verdict: VerdictWord
    reason: str
    waivers: tuple[WaiverEntry, ...]
    started: str | None
    finished: str | None
    steps: tuple[StepReport, ...]
    checks: tuple[CheckReport, ...]
    interruptions: tuple[InterruptionReport, ...]
    parties: tuple[Party, ...]
    observations: int
    evidence: tuple[int, int]


class NotRunReport(_Part):
    case: str
    title: str
    kind: str
    obligations: tuple[str, ...]
    use_cases: tuple[str, ...]
    applicability: Literal["no", "not stated"]
    reason: str


class Tally(_Part):
    """Verdicts of the cases that share something."""

    name: str
    title: str
    counts: dict[VerdictWord, int]


class Report(_Part):
    schema_version: Literal[1] = REPORT_SCHEMA_VERSION
    run_id: str
    tool_version: str
    suite: SuiteReference
    seed: int
    selection: SelectionEntry
    verdict: VerdictWord
    counts: dict[VerdictWord, int]
    checks: int
    observations: int
    started: str | None
    finished: str | None
    equipment: tuple[Equipment, ...]
    capabilities: dict[str, bool | None]
    inputs: tuple[str, ...]
    by_obligation: tuple[Tally, ...]
    by_use_case: tuple[Tally, ...]
    by_kind: tuple[Tally, ...]
    cases: tuple[CaseReport, ...]
    not_run: tuple[NotRunReport, ...]

    def to_bytes(self) -> bytes:
        return pretty_json(self.model_dump(mode="json"))

    def troubles(self) -> list[list[CaseReport]]:
        """Cases that did not pass: worst first, those with the same reason together in their order."""
        groups: dict[tuple[str, str, tuple[WaiverEntry, ...]], list[CaseReport]] = {}
        for case in self.cases:
            if case.verdict != "pass":
                groups.setdefault((case.verdict, case.reason, case.waivers), []).append(case)
        return sorted(groups.values(), key=lambda cases: -Verdict.of_word(cases[0].verdict))

    def case(self, case: str) -> CaseReport:
        """KeyError when the case did not run."""
        for entry in self.cases:
            if entry.case == case:
                return entry
        raise KeyError(case)


class RunHeader(_Part):
    """What a report says of the run that is in no record."""

    run_id: str
    tool_version: str
    suite: SuiteReference
    seed: int
    selection: SelectionEntry
    equipment: tuple[Equipment, ...]
    capabilities: dict[str, bool | None]
    inputs: tuple[str, ...]
    waivers: tuple[WaiverEntry, ...]

    @classmethod
    def of(cls, manifest: Manifest) -> RunHeader:
        """The header of the run that `manifest` tells of."""
        prefix = f"{INPUTS}/"
        return cls(
            run_id=manifest.run_id,
            tool_version=manifest.tool.version,
            suite=manifest.suite,
            seed=manifest.seed,
            selection=manifest.selection,
            equipment=manifest.equipment,
            capabilities=manifest.capabilities,
            inputs=tuple(
                sorted(name.removeprefix(prefix) for name in manifest.files if name.startswith(prefix))
            ),
            waivers=manifest.waivers,
        )


def by_case(records: Sequence[Record]) -> dict[str, list[tuple[int, Record]]]:
    """The records of each case that ran, with their numbers in the evidence."""
    cases: dict[str, list[tuple[int, Record]]] = {}
    for number, record in enumerate(records):
        if isinstance(record, CaseStarted):
            cases[record.case] = []
        if not isinstance(record, CaseNotRun):
            case = getattr(record, "case", None)
            if isinstance(case, str):
                cases.setdefault(case, []).append((number, record))
    return cases


def build_report(header: RunHeader, records: Sequence[Record]) -> Report:
    """The report of a finished run."""
    cases = tuple(_case(numbered, header.waivers) for numbered in by_case(records).values())
    times = [case.started for case in cases if case.started] + [
        case.finished for case in cases if case.finished
    ]
    return Report(
        run_id=header.run_id,
        tool_version=header.tool_version,
        suite=header.suite,
        seed=header.seed,
        selection=header.selection,
        verdict=cast("VerdictWord", worst(Verdict.of_word(case.verdict) for case in cases).word),
        counts=count_verdicts(case.verdict for case in cases),
        checks=sum(len(case.checks) for case in cases),
        observations=sum(case.observations for case in cases),
        started=min(times, default=None),
        finished=max(times, default=None),
        equipment=header.equipment,
        capabilities=header.capabilities,
        inputs=header.inputs,
        by_obligation=_tallies(
            cases,
            lambda case: tuple(dict.fromkeys(case.obligations)),
            lambda name: OBLIGATIONS[name].title,
            sort=True,
        ),
        by_use_case=_tallies(cases, lambda case: case.use_cases, lambda _name: "", sort=True),
        by_kind=_tallies(cases, lambda case: (case.kind,), lambda _name: "", sort=False),
        cases=cases,
        not_run=tuple(
            NotRunReport(
                case=record.case,
                title=record.title,
                kind=record.kind,
                obligations=record.obligations,
                use_cases=record.use_cases,
                applicability=record.applicability,
                reason=record.reason,
            )
            for record in records
            if isinstance(record, CaseNotRun)
        ),
    )


def count_verdicts(words: Iterable[VerdictWord]) -> dict[VerdictWord, int]:
    """Numbers by verdict, in the order of the verdicts, without zeros."""
    numbers = Counter(words)
    return {
        word: numbers[word]
        for word in (cast("VerdictWord", verdict.word) for verdict in Verdict)
        if numbers[word]
    }


def _tallies(
    cases: Sequence[CaseReport],
    names_of: Callable[[CaseReport], tuple[str, ...]],
    title_of: Callable[[str], str],
    *,
    sort: bool,
) -> tuple[Tally, ...]:
    found: dict[str, list[VerdictWord]] = {}
    for case in cases:
        for name in names_of(case):
            found.setdefault(name, []).append(case.verdict)
    return tuple(
        Tally(name=name, title=title_of(name), counts=count_verdicts(found[name]))
        for name in (sorted(found) if sort else found)
    )


def _case(numbered: Sequence[tuple[int, Record]], waivers: Sequence[WaiverEntry]) -> CaseReport:
    records = [record for _, record in numbered]
    start = next(record for record in records if isinstance(record, CaseStarted))
    end = next(record for record in records if isinstance(record, CaseEnded))
    ready = next((record for record in records if isinstance(record, BenchReady)), None)
    return CaseReport(
        case=start.case,
        version=start.version,
        title=start.title,
        description=start.description,
        kind=start.kind,
        obligations=start.obligations,
        use_cases=start.use_cases,
        seed=start.seed,
        verdict=end.verdict,
        reason=end.reason,
        waivers=tuple(entry for entry in waivers if entry.case == start.case and end.verdict == "fail"),
        started=ready.time if ready else None,
        finished=end.time,
        steps=tuple(
            StepReport(step=record.step, time=record.time, title=record.title)
            for record in records
            if isinstance(record, StepStarted)
        ),
        checks=tuple(check_report(record) for record in records if isinstance(record, Checked)),
        interruptions=tuple(
            InterruptionReport(
                step=record.step, verdict=record.verdict, reason=record.reason, traceback=record.traceback
            )
            for record in records
            if isinstance(record, Interrupted)
        ),
        parties=ready.parties if ready else (),
        observations=sum(isinstance(record, Observed) for record in records),
        evidence=(numbered[0][0], numbered[-1][0]),
    )


def check_report(check: Checked) -> CheckReport:
    """A recorded check, its values written for people."""
    return CheckReport(
        check=check.check,
        step=check.step,
        time=check.time,
        what=check.what,
        expected=expectation(check.comparison, check.expected),
        actual=display(check.actual),
        outcome=check.outcome,
        spec=check.spec,
        observations=check.observations,
    )
