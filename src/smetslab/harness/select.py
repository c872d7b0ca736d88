"""Choosing cases of a suite by id, obligation and use case."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from smetslab.errors import UsageError
from smetslab.harness.case import AnyCase, Bench, Case
from smetslab.harness.obligations import OBLIGATIONS, covers

B = TypeVar("B", bound=Bench)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A case is chosen when it fits one entry of every list that is not empty. `cases` are globs over case
    ids; an obligation chooses its checks too.
    """

    cases: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    use_cases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.cases or self.obligations or self.use_cases)

    def fits(self, case: AnyCase) -> bool:
        return (
            (not self.cases or any(fnmatchcase(case.id, glob) for glob in self.cases))
            and (
                not self.obligations
                or any(covers(cited, wanted) for cited in case.obligations for wanted in self.obligations)
            )
            and (not self.use_cases or any(entry in self.use_cases for entry in case.use_cases))
        )


def select(cases: Sequence[Case[B]], selection: Selection) -> tuple[Case[B], ...]:
    """The chosen cases in their order. UsageError when a name is unknown or nothing is chosen."""
    for glob in selection.cases:
        if not any(fnmatchcase(entry.id, glob) for entry in cases):
            raise _nothing("case", glob, [entry.id for entry in cases])
    for wanted in selection.obligations:
        if wanted not in OBLIGATIONS:
            raise _nothing("obligation", wanted, list(OBLIGATIONS))
    for wanted in selection.use_cases:
        if not any(wanted in entry.use_cases for entry in cases):
            raise _nothing(
                "use case", wanted, list(dict.fromkeys(name for entry in cases for name in entry.use_cases))
            )
    chosen = tuple(entry for entry in cases if selection.fits(entry))
    if not chosen:
        raise UsageError("no case of the suite fits the whole selection", hint="`smetslab suites` lists them")
    return chosen


def _nothing(what: str, wanted: str, known: list[str]) -> UsageError:
    close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`smetslab suites` lists them"
    return UsageError(f"the suite has no {what} {wanted!r}", hint=hint)
