"""Access rights: which role may do what to which attribute or method. Nothing is allowed that no row allows.

The rows are derived from the use cases: a role may read an attribute when one of its use cases reads it, and
only in the way that use case reads it (in clear, or protected by class 30). `grants` and `denials` change
single
rows.

Spec: GBCS 7.3 (pre-established associations), 20 (use cases); IEC 62056-6-2 (access rights).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms.apdu import Choice, Obis
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess
from smetslab.gbcs.usecases.model import UseCase


class Mode(Enum):
    """How a member of an object is used."""

    GET = "get"
    SET = "set"
    ACTION = "action"
    PROTECTED_GET = "protected get"


@dataclass(frozen=True, slots=True)
class Right:
    """One row: `roles` may use this member in this mode."""

    class_id: int
    obis: Obis
    mode: Mode
    index: int
    roles: tuple[RemotePartyRole, ...]


_MODES = {
    Choice.GET: Mode.GET,
    Choice.GET_WITH_SELECTION: Mode.GET,
    Choice.SET: Mode.SET,
    Choice.SET_WITH_SELECTION: Mode.SET,
    Choice.ACTION: Mode.ACTION,
}


def mode_of(choice: Choice) -> Mode:
    return _MODES[choice]


_Key = tuple[int, bytes, Mode, int]


class AccessRights:
    """The compiled rows of one device type."""

    def __init__(self, rights: Iterable[Right], denials: Iterable[Right] = ()) -> None:
        rows: dict[_Key, frozenset[RemotePartyRole]] = {}
        for right in rights:
            rows[_key(right)] = rows.get(_key(right), frozenset()) | frozenset(right.roles)
        for denial in denials:
            rows[_key(denial)] = rows.get(_key(denial), frozenset()) - frozenset(denial.roles)
        self._rows = rows

    @classmethod
    def of(
        cls,
        use_cases: Mapping[str, UseCase],
        device_type: DeviceType,
        *,
        grants: Iterable[Right] = (),
        denials: Iterable[Right] = (),
    ) -> AccessRights:
        """Derive the rows for a device of `device_type`."""
        rights: list[Right] = []
        for use_case in use_cases.values():
            if device_type in use_case.devices and isinstance(use_case.payload, DlmsAccess):
                for item in use_case.payload.items:
                    rights += _rows_of(item, use_case.originator_roles)
        return cls([*rights, *grants], denials)

    def allows(self, role: RemotePartyRole, class_id: int, obis: Obis, mode: Mode, index: int) -> bool:
        return role in self._rows.get((class_id, obis.raw, mode, index), frozenset())

    def __len__(self) -> int:
        return len(self._rows)


def _key(right: Right) -> _Key:
    return right.class_id, right.obis.raw, right.mode, right.index


def _rows_of(item: AccessItem, roles: tuple[RemotePartyRole, ...]) -> list[Right]:
    rows = [Right(item.class_id, item.obis, mode_of(item.choice), item.index, roles)]
    if item.protected is not None:
        rows += [
            Right(member.class_id, member.obis, Mode.PROTECTED_GET, member.attribute, roles)
            for member in item.protected.objects
        ]
    return rows
