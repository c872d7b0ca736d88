"""From a service request to a GBCS command: who originates it, under which counter, with which content.

Spec: GBCS 7.2.7 (grouping header, supplementary fields), 4.3.1 (counters); DUIS (RequestID).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from smetslab.duis.document import RequestId
from smetslab.duis.srv import UseCaseMapping, to_parameters
from smetslab.duis.srv.common import KEY_AGREEMENT_CREDENTIALS
from smetslab.errors import DuisError, GbcsEncodeError, SecurityError
from smetslab.gbcs.codes import Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases.engine import encode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.registry import InventoryDevice

_KNOWS_USERS = frozenset({DeviceType.ESME, DeviceType.GSME, DeviceType.GPF})
"""The device types whose trust anchor cells hold suppliers and network operators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who stands in the grouping header as originator, with which counter, and on whose behalf."""

    party: Eui64
    counter: int
    supplementary_party: Eui64 | None = None
    supplementary_counter: int | None = None
    key_agreement_certificate: bytes | None = None


def through_broker(use_case: UseCase, device: InventoryDevice, party: Eui64) -> bool:
    """Whether the access control broker has to originate the command on behalf of `party`.

    It does for every party that the device does not know, where the use case admits the broker. A
    critical command is signed by its user, so the user stays its originator.
    """
    if use_case.critical or RemotePartyRole.ACCESS_CONTROL_BROKER not in use_case.originator_roles:
        return False
    return device.device_type not in _KNOWS_USERS or not device.knows(party, use_case.originator_roles)


def origin_for(
    use_case: UseCase,
    device: InventoryDevice,
    request_id: RequestId,
    elements: Parameters,
    *,
    broker: Eui64,
    next_broker_counter: Callable[[], int],
) -> Origin:
    """Who originates the command for a request. Raises SecurityError when the device could not encrypt
    its answer.
    """
    user = request_id.originator
    if not through_broker(use_case, device, user):
        return Origin(party=user, counter=request_id.counter)
    certificate: bytes | None = None
    if use_case.encrypts_response:
        given = elements.get(KEY_AGREEMENT_CREDENTIALS)
        if not isinstance(given, str):
            raise SecurityError(
                "key agreement certificate",
                f"the device does not know {user} and cannot encrypt the answer without it",
                spec="GBCS 7.2.7",
            )
        certificate = bytes.fromhex(given)
    return Origin(
        party=broker,
        counter=next_broker_counter(),
        supplementary_party=user,
        supplementary_counter=request_id.counter,
        key_agreement_certificate=certificate,
    )


def build_command(use_case: UseCase, parameters: Parameters, origin: Origin, target: Eui64) -> Message:
    """The command, neither signed nor MACed: a pre-command. Raises GbcsEncodeError."""
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=origin.counter,
        business_originator_id=origin.party,
        business_target_id=target,
        other_information=OtherInformation(
            message_code=use_case.code,
            supplementary_remote_party_id=origin.supplementary_party,
            supplementary_remote_party_counter=origin.supplementary_counter,
            key_agreement_certificate=origin.key_agreement_certificate,
        ),
        content=b"",
    )
    return replace(header, content=encode_content(use_case, header, parameters))


def transform(
    mapping: UseCaseMapping,
    device: InventoryDevice,
    request_id: RequestId,
    elements: Parameters,
    *,
    broker: Eui64,
    next_broker_counter: Callable[[], int],
) -> Message:
    """The command that carries out a request, neither signed nor MACed.

    `next_broker_counter` is asked only where the broker originates the command. Raises DuisError when
    the elements do not fit a command, SecurityError like `origin_for`.
    """
    parameters = to_parameters(mapping, elements)
    origin = origin_for(
        mapping.use_case,
        device,
        request_id,
        elements,
        broker=broker,
        next_broker_counter=next_broker_counter,
    )
    try:
        return build_command(mapping.use_case, parameters, origin, device.device_id)
    except GbcsEncodeError as error:
        raise DuisError(
            f"cannot become a command of {mapping.use_case.name}: {error}", path="Request/Body"
        ) from error
