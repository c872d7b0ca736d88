"""How checks become a verdict. The runner and `evidence verify` both use these functions and no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from smetslab.harness.plain import compare, display, expectation
from smetslab.harness.records import Checked, Interrupted
from smetslab.harness.verdict import Verdict, worst

NO_CHECK = "the case made no check"


def outcome_of(check: Checked) -> Verdict:
    """The outcome of a recorded check, made again from its recorded values."""
    if compare(check.comparison, check.actual, check.expected):
        return Verdict.PASS
    return Verdict.of_word(check.otherwise)


def sentence(check: Checked) -> str:
    """A check that did not pass, in one line."""
    expected = expectation(check.comparison, check.expected)
    text = f"{check.what}: expected {expected}, found {display(check.actual)}"
    return f"{text} ({check.spec})" if check.spec else text


def verdict_of(checks: Sequence[Checked], interruptions: Iterable[Interrupted]) -> tuple[Verdict, str]:
    """The verdict of a case and its reason: the worst of all, the first to reach it. No check at all
    decides nothing.
    """
    findings = [(Verdict.of_word(entry.verdict), entry.reason) for entry in interruptions]
    findings += [(outcome_of(entry), sentence(entry)) for entry in checks]
    if not checks:
        findings.append((Verdict.INCONCLUSIVE, NO_CHECK))
    overall = worst(verdict for verdict, _ in findings)
    if overall is Verdict.PASS:
        return overall, ""
    return overall, next(reason for verdict, reason in findings if verdict is overall)
