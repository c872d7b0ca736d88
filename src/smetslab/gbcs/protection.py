"""Which protection a message has to have, as far as it is known who its parties are.

Spec: GBCS 5.3, 13.3.3.1.
"""

from __future__ import annotations

from collections.abc import Callable

from smetslab.gbcs.codes import Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.identities import identity_of
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.model import Protection, ProtectionRule, UseCase
from smetslab.ids import Eui64

RoleOf = Callable[[Eui64], RemotePartyRole | None]
"""The role of a remote party, None when nobody knows it."""


def role_of_party(entity: Eui64, role_of: RoleOf | None = None) -> RemotePartyRole | None:
    """The role of `entity`: what `role_of` says, else that of the published test data."""
    role = None if role_of is None else role_of(entity)
    if role is not None:
        return role
    known = identity_of(entity)
    return None if known is None else known.role


def device_type_of(entity: Eui64, use_case: UseCase) -> DeviceType | None:
    """The type of the device `entity` when it takes part in `use_case`, None when it may be several."""
    known = identity_of(entity)
    if known is not None and known.device_type is not None:
        return known.device_type
    return use_case.devices[0] if len(use_case.devices) == 1 else None


def expected_protection(
    use_case: UseCase, message: Message, *, role_of: RoleOf | None = None
) -> Protection | None:
    """How `message` has to be protected on the wire; None where that depends on parties nobody knows."""
    command = message.cra is Cra.COMMAND
    rule = use_case.protection
    if rule is ProtectionRule.REQUESTER:
        party = message.business_originator_id if command else message.business_target_id
        role = role_of_party(party, role_of)
        if role is None:
            return None
        return (
            use_case.command_protection(role, use_case.devices[0])
            if command
            else use_case.response_protection(role)
        )
    if not command:
        return use_case.response_protection(RemotePartyRole.OTHER)
    target = device_type_of(message.business_target_id, use_case)
    if target is None and rule is ProtectionRule.MAC_UNLESS_HUB and DeviceType.CHF in use_case.devices:
        return None
    return use_case.command_protection(RemotePartyRole.OTHER, target or use_case.devices[0])
