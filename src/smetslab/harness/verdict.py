"""Verdicts, applicability and waivers: the words a run is judged with.

Verdicts are ordered as in TTCN-3, and a verdict only ever grows during a case. Not applicable and not
stated are no verdicts: such a case is not run and says why. A waiver is an annotation on a fail and never
changes it.

Spec: ETSI ES 201 873-1 (verdict types and overwriting rules); SEC Section F4.3, F4.4.
"""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smetslab.errors import UsageError


class Verdict(enum.IntEnum):
    """none < pass < inconclusive < fail < error; error is a fault of the harness and says nothing of the
    device.
    """

    NONE = 0
    PASS = 1
    INCONCLUSIVE = 2
    FAIL = 3
    ERROR = 4

    @property
    def word(self) -> str:
        """The verdict as written in evidence and on screens: `pass`."""
        return self.name.lower()

    @property
    def exit_code(self) -> int:
        """The process exit code of a run with this verdict. A run that decided nothing is inconclusive, not
        a pass.
        """
        return _EXIT_CODES[self]

    @classmethod
    def of_word(cls, word: str) -> Verdict:
        """The verdict written as `word`; ValueError for any other text."""
        for verdict in cls:
            if verdict.word == word:
                return verdict
        raise ValueError(f"no verdict is called {word!r}")


_EXIT_CODES = {
    Verdict.NONE: 4,
    Verdict.PASS: 0,
    Verdict.INCONCLUSIVE: 4,
    Verdict.FAIL: 1,
    Verdict.ERROR: 3,
}

USAGE_EXIT_CODE = 2
"""Bad input or an impossible request, before any verdict."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The overall verdict: the highest, NONE for nothing."""
    return max(verdicts, default=Verdict.NONE)


class Applicability(enum.Enum):
    """Whether a case applies. Only YES runs; NOT_STATED is shown to the user and never taken for a yes."""

    YES = "yes"
    NO = "no"
    NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A tolerated fail of one case: for which clause, why, who says so, and until (and including) when."""

    case: str
    clause: str
    reason: str
    author: str
    expiry: date

    def in_force(self, today: date) -> bool:
        return today <= self.expiry


_Text = Annotated[str, Field(min_length=1)]


class _WaiverEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    case: _Text
    clause: _Text
    reason: _Text
    author: _Text
    expiry: date


class _WaiverFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    schema_version: Annotated[int, Field(ge=1, le=1)]
    waiver: list[_WaiverEntry] = []


def load_waivers(path: Path) -> tuple[Waiver, ...]:
    """Read a waiver file (TOML: `schema_version = 1`, then `[[waiver]]` tables). UsageError says what is
    wrong.
    """
    try:
        document = _WaiverFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read the waiver file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        raise UsageError(
            f"{path}: {place}: {first['msg']}",
            hint="a waiver has the keys case, clause, reason, author and expiry (a TOML date)",
        ) from error
    entries = [Waiver(**entry.model_dump()) for entry in document.waiver]
    seen: dict[tuple[str, str], Waiver] = {}
    for entry in entries:
        if (entry.case, entry.clause) in seen:
            raise UsageError(f"{path}: case {entry.case} is waived twice for clause {entry.clause}")
        seen[entry.case, entry.clause] = entry
    return tuple(entries)
