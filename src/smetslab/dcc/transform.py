"""From a service request to a GBCS command: which use case, who originates it, which counter and content.

Spec: GBCS 7.2.7 (grouping header, supplementary fields), 4.3.1 (counters); DUIS (RequestID).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from smetslab.dcc.rules import DCC_IDENTITY, TRANSITIONAL_COS
from smetslab.duis.codes import UserRole
from smetslab.duis.document import RequestId
from smetslab.duis.srv import (
    Context,
    Originator,
    ServiceRequest,
    Target,
    UseCaseMapping,
    choose,
    transform_elements,
)
from smetslab.duis.srv.common import KEY_AGREEMENT_CREDENTIALS
from smetslab.errors import DuisError, GbcsEncodeError, SecurityError, UsageError
from smetslab.gbcs.codes import Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases.engine import activation_of, encode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Parameters, Value
from smetslab.gbcs.versions import GbcsVersion
from smetslab.ids import Eui64
from smetslab.registry import InventoryDevice

_KNOWS_USERS = frozenset({DeviceType.ESME, DeviceType.GSME, DeviceType.GPF})
"""The device types whose trust anchor cells hold suppliers and network operators."""

_Fact = TypeVar("_Fact")

_OTHER_DEVICE, _OLD_HUB, _OLD_GAS_PROXY = "OtherDeviceID", "OldCHFID", "OldGPFID"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLog:
    """The last backup of a hub's device log: its network, and its devices as the log shows them."""

    network: str
    devices: list[Value]


def _nothing(device_id: Eui64) -> None:
    del device_id


def _no_number() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a request does not say and the DCC knows.

    `next_counter` is asked for the counter of a party of the DCC, only where it originates the command; also
    when it asks itself, because it sends more than what is asked of it.
    The others answer None where the DCC does not know; a command that needs it is refused.
    `through_broker` overrules who originates what a user may send itself.
    """

    now: datetime
    next_counter: Callable[[Eui64], int]
    broker: Eui64 = DCC_IDENTITY
    transitional_cos: Eui64 = TRANSITIONAL_COS
    through_broker: bool | None = None
    device_type: Callable[[Eui64], DeviceType | None] = field(default=_nothing)
    key_agreement_certificate: Callable[[Eui64], bytes | None] = field(default=_nothing)
    hub_log: Callable[[Eui64], HubLog | None] = field(default=_nothing)
    gas_proxy_log: Callable[[Eui64], list[Value] | None] = field(default=_nothing)
    customer_identification_number: Callable[[], str | None] = field(default=_no_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who stands in the grouping header as originator, with which counter, and on whose behalf."""

    party: Eui64
    counter: int
    supplementary_party: Eui64 | None = None
    supplementary_counter: int | None = None
    key_agreement_certificate: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, neither signed nor MACed: a pre-command. `activation` is when it is to take effect."""

    message: Message
    use_case: UseCase
    parameters: Parameters
    activation: str | None


def role_of(roles: tuple[UserRole, ...]) -> RemotePartyRole | None:
    """What a user of these roles is to a device that knows it, None when devices do not."""
    if UserRole.IMPORT_SUPPLIER in roles or UserRole.GAS_SUPPLIER in roles:
        return RemotePartyRole.SUPPLIER
    if UserRole.ELECTRICITY_DISTRIBUTOR in roles or UserRole.GAS_TRANSPORTER in roles:
        return RemotePartyRole.NETWORK_OPERATOR
    return None


def target_of(
    device: InventoryDevice, *, role: RemotePartyRole | None = None, peer: DeviceType | None = None
) -> Target:
    """What decides about the use case of a request to `device`."""
    try:
        version = GbcsVersion.parse(device.gbcs_version) if device.gbcs_version else None
    except UsageError:
        version = None
    return Target(
        device_type=device.device_type,
        gbcs_version=version,
        phases="poly" if is_poly_phase(device) else "single",
        role=role,
        peer_type=peer,
    )


def is_twin_element(device: InventoryDevice) -> bool:
    """Spec: SMETS 5 part B; DUIS schema 5.4, type ESMEVariant."""
    return device.esme_variant.startswith("B")


def is_poly_phase(device: InventoryDevice) -> bool:
    """Spec: SMETS 5 part C; DUIS schema 5.4, type ESMEVariant."""
    return device.esme_variant.startswith("C")


def mapping_for(
    row: ServiceRequest,
    device: InventoryDevice,
    elements: Parameters,
    *,
    device_type: Callable[[Eui64], DeviceType | None],
    roles: tuple[UserRole, ...] = (),
) -> UseCaseMapping | None:
    """The use case that carries out a request of a user with these roles, None when there is none.

    `device_type` is asked for the type of the other device that a request names.
    """
    peer = _device_in(elements, _OTHER_DEVICE)
    target = target_of(device, role=role_of(roles), peer=None if peer is None else device_type(peer))
    return choose(row, target, elements)


def through_broker(
    use_case: UseCase, device: InventoryDevice, party: Eui64, *, with_certificate: bool = False
) -> bool:
    """Whether the access control broker has to originate the command on behalf of `party`.

    It does for every party that the device does not know, where the use case admits the broker, and for a
    party that gives the certificate of one that the device does not know. A critical command is signed by
    its user, so the user stays its originator.
    """
    roles = use_case.originator_roles
    if use_case.critical or RemotePartyRole.ACCESS_CONTROL_BROKER not in roles:
        return False
    if device.device_type not in _KNOWS_USERS or not device.knows(party, roles):
        return True
    return with_certificate or roles == (RemotePartyRole.ACCESS_CONTROL_BROKER,)


def origin_for(
    mapping: UseCaseMapping,
    device: InventoryDevice,
    request_id: RequestId,
    elements: Parameters,
    around: Surroundings,
) -> Origin:
    """Who originates the command for a request. Raises SecurityError when the device could not encrypt
    its answer.
    """
    use_case, user = mapping.use_case, request_id.originator
    given = elements.get(KEY_AGREEMENT_CREDENTIALS)
    if user in {around.broker, around.transitional_cos}:
        return Origin(party=user, counter=around.next_counter(user))
    match mapping.originator:
        case Originator.BROKER:
            return Origin(party=around.broker, counter=around.next_counter(around.broker))
        case Originator.TRANSITIONAL_COS:
            party = around.transitional_cos
            return Origin(party=party, counter=around.next_counter(party))
        case Originator.USER if not _by_broker(around, use_case, device, user, given):
            return Origin(party=user, counter=request_id.counter)
    certificate: bytes | None = None
    if use_case.encrypts_response:
        if not isinstance(given, str):
            raise SecurityError(
                "key agreement certificate",
                f"the device does not know {user} and cannot encrypt the answer without it",
                spec="GBCS 7.2.7",
            )
        certificate = bytes.fromhex(given)
    return Origin(
        party=around.broker,
        counter=around.next_counter(around.broker),
        supplementary_party=user,
        supplementary_counter=request_id.counter,
        key_agreement_certificate=certificate,
    )


def _by_broker(
    around: Surroundings, use_case: UseCase, device: InventoryDevice, user: Eui64, certificate: Value
) -> bool:
    if around.through_broker is not None and not use_case.critical:
        return around.through_broker
    return through_broker(use_case, device, user, with_certificate=certificate is not None)


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
    row: ServiceRequest,
    mapping: UseCaseMapping,
    device: InventoryDevice,
    request_id: RequestId,
    elements: Parameters,
    *,
    around: Surroundings,
) -> Command:
    """The command that carries out a request, neither signed nor MACed.

    Raises DuisError when the elements do not fit a command or the DCC does not know what it needs,
    SecurityError like `origin_for`.
    """
    known = _Known(device, elements, around, request_id.counter)
    # First, because what cannot be said uses up no counter.
    said = transform_elements(row, mapping, elements, known)
    origin = origin_for(mapping, device, request_id, elements, around)
    if origin.counter != request_id.counter and "originator_counter" in known.asked:
        said = transform_elements(row, mapping, elements, replace(known, counter=origin.counter))
    try:
        message = build_command(mapping.use_case, said.parameters, origin, device.device_id)
    except GbcsEncodeError as error:
        raise said.refused(row, mapping.use_case, error) from error
    return Command(
        message=message,
        use_case=mapping.use_case,
        parameters=said.parameters,
        activation=activation_of(mapping.use_case, said.parameters),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """The facts for one request; what its command does not need is not looked up. `asked`: what it needed."""

    device: InventoryDevice
    elements: Parameters
    around: Surroundings
    counter: int
    asked: set[str] = field(default_factory=set)

    def fact(self, name: str) -> Value:
        """Raises DuisError when the DCC does not know it."""
        self.asked.add(name)
        return self._context(name).fact(name)

    def _context(self, name: str) -> Context:
        around = self.around
        context = Context(
            now=around.now,
            originator_counter=self.counter,
            twin_element=is_twin_element(self.device),
        )
        match name:
            case "peer_type":
                return replace(context, peer_type=self._about(_OTHER_DEVICE, around.device_type))
            case "peer_certificate":
                found = self._about(_OTHER_DEVICE, around.key_agreement_certificate)
                return replace(context, peer_certificate=found)
            case "hub_log_han" | "hub_log_devices":
                log = self._about(_OLD_HUB, around.hub_log)
                if log is not None:
                    context = replace(context, hub_log_han=log.network, hub_log_devices=log.devices)
            case "gas_proxy_log":
                return replace(context, gas_proxy_log=self._about(_OLD_GAS_PROXY, around.gas_proxy_log))
            case "customer_identification_number":
                digits = around.customer_identification_number()
                return replace(context, customer_identification_number=digits)
        return context

    def _about(self, element: str, known: Callable[[Eui64], _Fact | None]) -> _Fact | None:
        device_id = _device_in(self.elements, element)
        return None if device_id is None else known(device_id)


def _device_in(elements: Parameters, name: str) -> Eui64 | None:
    given = elements.get(name)
    try:
        return Eui64.parse(given) if isinstance(given, str) else None
    except ValueError as error:
        raise DuisError("not an EUI-64", path=f"Request/Body/{name}", found=str(given)) from error
