"""An explanation as JSON: what `smetslab gbcs explain --json` prints. `explanation_schema` is its schema."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from smetslab.gbcs.triage.compare import Difference
from smetslab.gbcs.triage.explain import Explanation
from smetslab.gbcs.triage.findings import Finding
from smetslab.gbcs.values import to_hex


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class FindingView(_Model):
    """The outcome of one check."""

    check: str
    outcome: Literal["pass", "fail", "doubt", "unknown"]
    text: str
    offset: int | None = Field(description="of the first octet that it is about")
    field: str
    expected: str
    found: str
    spec: str


class ExplanationView(_Model):
    """One message explained."""

    source: str = Field(description="where it stood: the argument, or the path in a DUIS document")
    title: str
    verdict: str
    faulty: bool
    use_case: str | None
    summary: list[str]
    statements: list[str] = Field(description="the first named values")
    findings: list[FindingView]
    first_wrong: FindingView | None = Field(
        description="the finding that says where the first wrong octet is"
    )
    hex: str


class ExplainReport(_Model):
    """Everything that was explained."""

    schema_version: Literal[1] = 1
    messages: list[ExplanationView]


class DifferenceView(_Model):
    """One field that differs; null where a message does not have it."""

    path: str
    left: str | None
    right: str | None
    left_offset: int | None
    right_offset: int | None


class DiffReport(_Model):
    """Two messages, field by field."""

    schema_version: Literal[1] = 1
    left: str
    right: str
    same: bool
    differences: list[DifferenceView]


def explanation_view(explanation: Explanation, source: str) -> ExplanationView:
    first = explanation.first_wrong
    return ExplanationView(
        source=source,
        title=explanation.title,
        verdict=explanation.verdict,
        faulty=bool(explanation.failures),
        use_case=explanation.use_case,
        summary=list(explanation.summary),
        statements=list(explanation.statements),
        findings=[_finding(one) for one in explanation.findings],
        first_wrong=None if first is None else _finding(first),
        hex=to_hex(explanation.data),
    )


def _finding(finding: Finding) -> FindingView:
    return FindingView(
        check=finding.check.value,
        outcome=finding.outcome.value,
        text=finding.text,
        offset=finding.offset,
        field=finding.field,
        expected=finding.expected,
        found=finding.found,
        spec=finding.spec,
    )


def difference_view(difference: Difference) -> DifferenceView:
    return DifferenceView(
        path=difference.path,
        left=difference.left,
        right=difference.right,
        left_offset=difference.left_offset,
        right_offset=difference.right_offset,
    )


def explanation_schema() -> dict[str, JsonValue]:
    """The JSON schema of `ExplainReport`."""
    return ExplainReport.model_json_schema(mode="serialization")


def diff_schema() -> dict[str, JsonValue]:
    """The JSON schema of `DiffReport`."""
    return DiffReport.model_json_schema(mode="serialization")
