"""How triage speaks of parties, protections and places."""

from __future__ import annotations

from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.describe import describe
from smetslab.gbcs.identities import DEVICE_WORDS, ROLE_WORDS, identity_of
from smetslab.gbcs.keys import KeyLookup
from smetslab.gbcs.keys import role_of as certified_role
from smetslab.gbcs.protection import role_of_party
from smetslab.gbcs.tree import Node
from smetslab.gbcs.usecases.model import Protection
from smetslab.ids import Eui64

_STEP = " > "


def party(entity: Eui64, keys: KeyLookup) -> str:
    """`90B3D51F30010000 (test supplier)`; a certificate's role where nobody is known by name."""
    known = identity_of(entity)
    if known is not None:
        return f"{entity} ({known.name})"
    notes = keys.certificates_of(entity)
    role = role_of(entity, keys)
    if role is not None:
        return f"{entity} ({ROLE_WORDS[role]})"
    if any(note.is_device for note in notes):
        return f"{entity} (a device of the key store)"
    return f"{entity} (not known here)"


def role_of(entity: Eui64, keys: KeyLookup) -> RemotePartyRole | None:
    """The role of a remote party by its certificates, else by the published test data."""
    return role_of_party(entity, lambda one: certified_role(one, keys))


def is_device(entity: Eui64, keys: KeyLookup) -> bool | None:
    """True for a device, False for a remote party, None when nobody knows."""
    known = identity_of(entity)
    if known is not None:
        return known.device_type is not None
    notes = keys.certificates_of(entity)
    return any(note.is_device for note in notes) if notes else None


def device_words(entity: Eui64) -> str | None:
    """`ESME` for a device of the published test data."""
    known = identity_of(entity)
    return None if known is None or known.device_type is None else DEVICE_WORDS[known.device_type]


def protection_words(protection: Protection) -> str:
    """`a signature and a MAC`."""
    parts = [
        *(["a signature"] if protection.signature else []),
        *(["a MAC"] if protection.message_mac else []),
    ]
    return " and ".join(parts) or "nothing"


def field_at(data: bytes, offset: int) -> str:
    """The path of the field that the octet at `offset` belongs to, as the readable tree names it."""
    node = describe(data)
    steps: list[str] = []
    while True:
        inside = _covering(node, offset)
        if inside is None:
            return _STEP.join(steps)
        steps.append(inside.name)
        node = inside


def _covering(node: Node, offset: int) -> Node | None:
    return next(
        (
            child
            for child in node.children
            if not child.derived and child.offset <= offset < child.offset + child.length
        ),
        None,
    )


def offset_of(data: bytes, path: str) -> int | None:
    """Where the value with a parameter path such as `season_profile[1].season_start` stands.

    None when the tree names no such field.
    """
    wanted = path.replace("[", ".[").split(".")
    return _find(describe(data), wanted, lists=False) or _find(describe(data), wanted, lists=True)


_ACCESS_LIST = "access list"
"""Names the same items as the data list behind it, where their values are."""


def _find(node: Node, wanted: list[str], *, lists: bool) -> int | None:
    """Where the first field below `node` with these names stands; `lists`: in access lists too."""
    if node.name == wanted[0]:
        found = _below(node, wanted[1:])
        if found is not None:
            return found
    for child in node.children:
        if lists or child.name != _ACCESS_LIST:
            found = _find(child, wanted, lists=lists)
            if found is not None:
                return found
    return None


def _below(node: Node, path: list[str]) -> int | None:
    if not path:
        return node.offset
    for child in node.children:
        if not child.derived and child.name == path[0]:
            return _below(child, path[1:])
    return None
