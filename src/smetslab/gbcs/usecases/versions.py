"""Which use cases a device of a GBCS version speaks, and which of two forms it takes."""

from __future__ import annotations

from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.versions import SCHEMA_VERSION, GbcsVersion, within

_NEWER = {row.replaces: row for row in USE_CASES.values() if row.replaces is not None}


def newer_form(use_case: UseCase) -> UseCase | None:
    """The use case that came in place of this one, None when none did."""
    return _NEWER.get(use_case.name)


def forms(use_case: UseCase) -> tuple[UseCase, ...]:
    """All forms of a use case, the oldest first; mostly it is the only one."""
    oldest = use_case
    while oldest.replaces is not None:
        oldest = USE_CASES[oldest.replaces]
    found = [oldest]
    while (following := newer_form(found[-1])) is not None:
        found.append(following)
    return tuple(found)


def speaks(use_case: UseCase, version: GbcsVersion) -> bool | None:
    """Whether devices of a GBCS version have the use case; None where that is not known.

    What the service requests of the published schemas need, in its newest form, is in the version that the
    schemas are aligned with, and items that came later than the version speak against it.
    """
    known = within(
        version, first=use_case.first_version, last=use_case.last_version, later_than=use_case.later_than
    )
    if known is not None:
        return known
    if any(item.later_than is not None and version <= item.later_than for item in _items(use_case)):
        return False
    current = bool(use_case.service_requests) and newer_form(use_case) is None
    if current and version == SCHEMA_VERSION:
        return True
    # Between its first version and the one where it is known to be it did not go away.
    if current and use_case.first_version is not None and version < SCHEMA_VERSION:
        return True
    return None


def form_for(use_case: UseCase, version: GbcsVersion) -> UseCase:
    """The form of a use case that a device of a GBCS version takes: the newest that it may speak, the oldest
    where it speaks none."""
    every = forms(use_case)
    return next((form for form in reversed(every) if speaks(form, version) is not False), every[0])


def _items(use_case: UseCase) -> tuple[AccessItem, ...]:
    return use_case.payload.items if isinstance(use_case.payload, DlmsAccess) else ()
