"""Making every judgement of a run again from its records: meanings, checks, verdicts, and that nothing is
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from smetslab.harness.decoding import Decoders
from smetslab.harness.judge import outcome_of, verdict_of
from smetslab.harness.records import (
    CaseEnded,
    CaseNotRun,
    CaseStarted,
    Checked,
    Interrupted,
    Observed,
    Record,
    RunEnded,
    RunStarted,
)
from smetslab.harness.verdict import Verdict, worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A record that does not follow. `depends_on_tool`: another version may describe a message in other
    words.
    """

    sequence: int
    about: str
    what: str
    depends_on_tool: bool = False


@dataclass(slots=True)
class Findings:
    """`verdicts`: of every case that has one, made again from its records."""

    wrong: list[Finding] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)
    messages: int = 0
    checks: int = 0


@dataclass(slots=True)
class _Case:
    checks: list[Checked] = field(default_factory=list)
    interruptions: list[Interrupted] = field(default_factory=list)
    observations: int = 0


def recheck(records: Sequence[tuple[int, Record]], decoders: Decoders, *, complete: bool) -> Findings:
    """Judge again. `complete` is false when records are known to be missing or unreadable: then only what
    each record says by itself is judged, not what its neighbours should say.
    """
    rechecker = _Rechecker(decoders, complete)
    for sequence, record in records:
        rechecker.take(sequence, record)
    if complete:
        rechecker.finish(records)
    return rechecker.findings


class _Rechecker:
    def __init__(self, decoders: Decoders, complete: bool) -> None:
        self.findings = Findings()
        self._decoders = decoders
        self._complete = complete
        self._planned: tuple[str, ...] = ()
        self._seen: list[str] = []
        self._open: dict[str, _Case] = {}
        self._not_run = 0

    def take(self, sequence: int, record: Record) -> None:
        match record:
            case RunStarted():
                self._planned = record.cases
                if sequence != 0:
                    self._wrong(sequence, "run", "a run begins in the middle")
            case CaseNotRun():
                self._seen.append(record.case)
                self._not_run += 1
            case CaseStarted():
                self._seen.append(record.case)
                self._open[record.case] = _Case()
            case Observed():
                self._observed(sequence, record)
            case Checked():
                self._checked(sequence, record)
            case Interrupted():
                self._of(sequence, record.case).interruptions.append(record)
            case CaseEnded():
                self._ended(sequence, record)
            case RunEnded():
                self._run_ended(sequence, record)
            case _:
                self._of(sequence, record.case)

    def finish(self, records: Sequence[tuple[int, Record]]) -> None:
        """What a whole run has: its beginning, its end, and every case it set out to run, once and in
        order.
        """
        if not records or not isinstance(records[0][1], RunStarted):
            self._wrong(0, "run", "the run has no beginning")
        last = records[-1][0] if records else 0
        if not records or not isinstance(records[-1][1], RunEnded):
            self._wrong(last, "run", "the run has no end")
        for case in self._open:
            self._wrong(last, f"case {case}", "the case has no verdict")
        if tuple(self._seen) != self._planned:
            absent = [case for case in self._planned if case not in self._seen]
            text = f"without {', '.join(absent)}" if absent else "in another order, or with others"
            self._wrong(last, "run", f"the cases are not those the run set out with: {text}")

    def _wrong(self, sequence: int, about: str, what: str, *, depends_on_tool: bool = False) -> None:
        self.findings.wrong.append(
            Finding(sequence=sequence, about=about, what=what, depends_on_tool=depends_on_tool)
        )

    def _of(self, sequence: int, case: str) -> _Case:
        found = self._open.get(case)
        if found is None:
            if self._complete:
                self._wrong(sequence, f"case {case}", "outside the case it names")
            found = _Case()
        return found

    def _observed(self, sequence: int, record: Observed) -> None:
        about = f"observation {record.observation} of case {record.case}"
        case = self._of(sequence, record.case)
        if self._complete and record.observation != case.observations:
            self._wrong(sequence, about, f"observation {case.observations} should stand here")
        case.observations += 1
        try:
            data = bytes.fromhex(record.data)
        except ValueError:
            self._wrong(sequence, about, "its data are not hex")
            return
        meaning = self._decoders.meaning(record.layer, data, record.detail)
        if meaning is not None:
            self.findings.messages += 1
        if meaning != record.meaning:
            self._wrong(
                sequence,
                about,
                f"its bytes mean {meaning or 'nothing'!r}, it says {record.meaning or 'nothing'!r}",
                depends_on_tool=True,
            )

    def _checked(self, sequence: int, record: Checked) -> None:
        about = f"check {record.check} of case {record.case}"
        case = self._of(sequence, record.case)
        case.checks.append(record)
        self.findings.checks += 1
        try:
            outcome = outcome_of(record).word
        except (TypeError, RecursionError) as error:
            self._wrong(sequence, about, f"cannot be made again: {error}")
            return
        if outcome != record.outcome:
            self._wrong(sequence, about, f"its values give {outcome}, it says {record.outcome}")
        if not self._complete:
            return
        if record.check != len(case.checks):
            self._wrong(sequence, about, f"check {len(case.checks)} should stand here")
        for number in record.observations:
            if not 0 <= number < case.observations:
                self._wrong(sequence, about, f"rests on observation {number}, which had not been made")

    def _ended(self, sequence: int, record: CaseEnded) -> None:
        about = f"verdict of case {record.case}"
        case = self._of(sequence, record.case)
        self._open.pop(record.case, None)
        if not self._complete:
            return
        try:
            verdict, reason = verdict_of(case.checks, case.interruptions)
        except (TypeError, RecursionError):
            return
        self.findings.verdicts[record.case] = verdict.word
        if (verdict.word, reason) != (record.verdict, record.reason):
            self._wrong(
                sequence, about, f"its records give {verdict.word} {reason!r}, it says {record.verdict}"
            )
        if (len(case.checks), case.observations) != (record.checks, record.observations):
            self._wrong(
                sequence,
                about,
                f"counts {record.checks} checks and {record.observations} observations, "
                f"there are {len(case.checks)} and {case.observations}",
            )

    def _run_ended(self, sequence: int, record: RunEnded) -> None:
        if not self._complete:
            return
        verdicts = [Verdict.of_word(word) for word in self.findings.verdicts.values()]
        overall = worst(verdicts).word
        counts = {verdict.word: verdicts.count(verdict) for verdict in Verdict if verdict in verdicts}
        if (overall, counts, self._not_run) != (record.verdict, dict(record.counts), record.not_run):
            self._wrong(
                sequence, "end of run", f"its cases give {overall} {counts}, it says {record.verdict}"
            )
