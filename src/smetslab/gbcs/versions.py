"""GBCS versions: which use cases a device of one speaks, as far as that is known.

Published texts seldom say in which version a use case appeared or ended, so the answer has three values:
yes, no, not known. What is known stands on the rows (`UseCase.first_version`, `later_than`, `last_version`,
`later_than` on items of access lists too); which row is the newer form of which is in `UseCase.replaces`, and
`smetslab.gbcs.usecases.versions` answers.

Spec: DUIS and MMC XML schemas 5.4, heads ("aligned with GBCS version")
"""

from __future__ import annotations

import re
from typing import Final

from smetslab.errors import UsageError

_FORM: Final = re.compile(r"(?:GBCS )?v?(\d{1,3}(?:\.\d{1,3}){0,3})", re.ASCII | re.IGNORECASE)


class GbcsVersion(tuple[int, ...]):
    """A version such as 4.1, in order: 0.8.1 < 2.0 < 2.1 < 4.0. Zeros at its end do not count."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> GbcsVersion:
        """The version that `text` names: `4.1`, `v4.1`, `GBCS v4.1`. Raises UsageError."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"{text[:40]!r} is no GBCS version", hint="write it like 4.1")
        numbers = [int(number) for number in found[1].split(".")]
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers.pop()
        return cls(numbers)

    def __str__(self) -> str:
        return ".".join(str(number) for number in (*self, 0)[: max(2, len(self))])

    def __repr__(self) -> str:
        return f"GbcsVersion({self})"


SCHEMA_VERSION: Final = GbcsVersion.parse("4.3")
"""What the DUIS and MMC schemas 5.4 are aligned with: what their service requests need is in it."""


def within(
    version: GbcsVersion,
    *,
    first: GbcsVersion | None,
    last: GbcsVersion | None,
    later_than: GbcsVersion | None,
) -> bool | None:
    """Whether something is in `version`: no before its first, in what it is later than, and after its last;
    yes from the first to the last; None where that is not known."""
    if first is not None and version < first:
        return False
    if later_than is not None and version <= later_than:
        return False
    if last is not None and version > last:
        return False
    return True if first is not None and last is not None else None
