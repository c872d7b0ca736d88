"""What triage finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from smetslab.errors import CodecError


class Outcome(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    DOUBT = "doubt"
    """Allowed, but hardly meant."""
    UNKNOWN = "unknown"
    """Cannot be checked with what is at hand."""


class Check(StrEnum):
    """What is checked, in the order in which a report has it."""

    INPUT = "input"
    LENGTHS = "lengths"
    FRAMING = "framing"
    KIND = "kind"
    PARTIES = "parties"
    ROLE = "certificate role"
    PROTECTION = "protection"
    COUNTER = "counter"
    MAC = "MAC"
    SIGNATURE = "signature"
    DATE_TIME = "date-time"
    SEALED = "protected content"
    STRUCTURE = "structure"
    VALUES = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check, in words; `offset` is that of the first octet that it is about.

    `decisive`: this is where the damage is, not only where it shows.
    """

    check: Check
    outcome: Outcome
    text: str
    offset: int | None = None
    field: str = ""
    expected: str = ""
    found: str = ""
    spec: str = ""
    decisive: bool = False


def passed(check: Check, text: str) -> Finding:
    return Finding(check=check, outcome=Outcome.PASS, text=text)


def unknown(check: Check, text: str) -> Finding:
    return Finding(check=check, outcome=Outcome.UNKNOWN, text=text)


def doubt(check: Check, text: str, *, offset: int | None = None, field: str = "", spec: str = "") -> Finding:
    return Finding(check=check, outcome=Outcome.DOUBT, text=text, offset=offset, field=field, spec=spec)


def failed(
    check: Check,
    text: str,
    *,
    offset: int | None = None,
    field: str = "",
    expected: str = "",
    found: str = "",
    spec: str = "",
    decisive: bool = False,
) -> Finding:
    return Finding(
        check=check,
        outcome=Outcome.FAIL,
        text=text,
        offset=offset,
        field=field,
        expected=expected,
        found=found,
        spec=spec,
        decisive=decisive,
    )


def of_error(check: Check, error: CodecError, text: str = "") -> Finding:
    """The finding that a codec's error is."""
    return failed(
        check,
        text or error.what,
        offset=error.offset,
        field=error.path,
        expected=error.expected,
        found=error.found,
        spec=error.spec,
    )
