"""Access control: one row per check, in order; the first that fails gives the one response code.

Spec: DUIS response codes as publicly summarised; the order, and the codes of checks marked so, are choices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from smetslab.dcc.life_cycle import allows
from smetslab.dcc.rules import DccRules
from smetslab.duis.codes import CommandVariant, ResponseCode, UserRole, WebService
from smetslab.duis.document import SIGNED_PRE_COMMAND, Request
from smetslab.duis.srv import ServiceRequest
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.usecases.model import Confidence
from smetslab.ids import Eui64
from smetslab.registry import InventoryDevice, User

_ELECTRICITY: Final = frozenset(
    {
        UserRole.IMPORT_SUPPLIER,
        UserRole.EXPORT_SUPPLIER,
        UserRole.ELECTRICITY_DISTRIBUTOR,
        UserRole.REGISTERED_SUPPLIER_AGENT,
        UserRole.OTHER_USER,
    }
)
_GAS: Final = frozenset(
    {
        UserRole.GAS_SUPPLIER,
        UserRole.GAS_TRANSPORTER,
        UserRole.REGISTERED_SUPPLIER_AGENT,
        UserRole.OTHER_USER,
    }
)
_EVERY_ROLE: Final = frozenset(UserRole)
_ROLES_TOWARDS: Final = {
    DeviceType.ESME: _ELECTRICITY,
    DeviceType.HCALCS: _ELECTRICITY,
    DeviceType.GSME: _GAS,
    DeviceType.GPF: _GAS,
}
"""Which roles a user can have towards a device; towards any other type all of them."""

_NEVER_RESPONSIBLE: Final = frozenset({UserRole.OTHER_USER})
_NOT_BY_RESPONSIBILITY: Final = frozenset({"6.23", "8.5", "8.11"})
"""Variants by which a party becomes responsible, or whose device is one of another variant's element. A
choice: this laboratory has no registration data of meter points.
"""

_LOCAL_DELIVERY: Final = frozenset({UserRole.IMPORT_SUPPLIER, UserRole.GAS_SUPPLIER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the checks look at. `premises` are the hub of the device and all devices behind it;
    `last_counter` is the highest counter accepted from this user for this device, `dcc` whom non-device
    requests are sent to, `moment` when the request is to be carried out.
    """

    request: Request
    service: WebService | None
    row: ServiceRequest | None
    user: User | None
    device: InventoryDevice | None
    premises: tuple[InventoryDevice, ...]
    last_counter: int | None
    dcc: Eui64
    moment: datetime

    @property
    def eligible_roles(self) -> tuple[UserRole, ...]:
        """The roles in which the user may ask this: the document names none, so the device decides."""
        if self.user is None or self.row is None:
            return ()
        possible = _EVERY_ROLE if self.device is None else towards(self.device.device_type)
        return tuple(role for role in self.user.roles if role in possible and role in self.row.eligible_roles)

    @property
    def asked_by_broker(self) -> bool:
        """Whether the DCC itself asks what its access control broker may send to such a device.

        Published templates of 6.24.1, 8.12.2 and 11.2 have the broker as their originator.
        """
        if self.row is None or self.row.critical or self.request.header.request_id.originator != self.dcc:
            return False
        return any(
            RemotePartyRole.ACCESS_CONTROL_BROKER in mapping.use_case.originator_roles
            for mapping in self.row.mappings
            if self.device is None or mapping.serves(self.device.device_type)
        )

    @property
    def asked_by_party_of_the_device(self) -> bool:
        """Whether the request is for no user role at all, and the device has credentials of its originator
        for it: a load controller with 7.16. A choice: the published list of roles is empty.
        """
        if self.user is None or self.row is None or self.device is None or self.row.eligible_roles:
            return False
        party = self.request.header.request_id.originator
        return any(
            mapping.serves(self.device.device_type)
            and self.device.knows(party, mapping.use_case.originator_roles)
            for mapping in self.row.mappings
        )

    @property
    def acting_roles(self) -> tuple[UserRole, ...]:
        """The eligible roles; where there is none and that is let pass, every role of the user."""
        return self.eligible_roles or (() if self.user is None else self.user.roles)


def towards(device_type: DeviceType) -> frozenset[UserRole]:
    """The roles that a user can have towards a device of that type."""
    return _ROLES_TOWARDS.get(device_type, _EVERY_ROLE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which check failed, and what the user is told."""

    check: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row. `fault` says what is wrong, None when nothing is; `switch` names the rule that turns it
    off.
    """

    name: str
    code: str
    fault: Callable[[Facts], str | None]
    switch: str = ""
    confidence: Confidence = "published"


def _known_variant(facts: Facts) -> str | None:
    header = facts.request.header
    if facts.row is None:
        return f"service reference variant {header.variant} is not served here"
    if facts.row.reference != header.service_reference:
        return f"variant {header.variant} belongs to {facts.row.reference}, not to {header.service_reference}"
    return None


def _command_variant(facts: Facts) -> str | None:
    variant, row, element = facts.request.header.command_variant, facts.row, facts.request.body.name
    if row is None or variant.service is None:
        return f"command variant {variant.value} is not used"
    if row.non_device != (variant is CommandVariant.NON_DEVICE):
        kind = "non-device" if row.non_device else "device"
        return f"command variant {variant.value} is not for {kind} requests"
    if row.non_device:
        return None
    if row.critical != (variant is CommandVariant.TRANSFORM or variant.signed):
        kind = "critical" if row.critical else "non-critical"
        return f"command variant {variant.value} is not for {kind} requests"
    if variant.signed != (element == SIGNED_PRE_COMMAND):
        return f"command variant {variant.value} does not come with {element}"
    return None


def _body(facts: Facts) -> str | None:
    row, element = facts.row, facts.request.body.name
    if row is not None and element not in {row.element, SIGNED_PRE_COMMAND}:
        return f"{row.variant} is asked with {row.element}, not with {element}"
    return None


def _service(facts: Facts) -> str | None:
    variant = facts.request.header.command_variant
    if facts.service is None or facts.service is variant.service:
        return None
    return f"command variant {variant.value} is for {variant.service}, not for {facts.service}"


def _known_user(facts: Facts) -> str | None:
    if (facts.user is not None and facts.user.roles) or facts.asked_by_broker:
        return None
    return f"{facts.request.header.request_id.originator} is no user with a role"


def _role(facts: Facts) -> str | None:
    if facts.eligible_roles or facts.asked_by_broker or facts.asked_by_party_of_the_device:
        return None
    return "no role of this user may ask this of such a device"


def _not_suspended(facts: Facts) -> str | None:
    return "the user is suspended" if facts.user is not None and facts.user.suspended else None


def _known_device(facts: Facts) -> str | None:
    if facts.row is not None and facts.row.non_device:
        target = facts.request.header.request_id.target
        return None if target == facts.dcc else f"{target} is not the DCC, which answers such requests"
    if facts.device is not None:
        return None
    return f"device {facts.request.header.request_id.target} is not in the inventory"


def _device_type(facts: Facts) -> str | None:
    if facts.row is None or facts.device is None or facts.row.mapping_for(facts.device.device_type):
        return None
    return f"{facts.row.variant} is not for a {facts.device.device_type.name}"


def _status(facts: Facts) -> str | None:
    if facts.device is None or facts.row is None or allows(facts.device.status, facts.row.variant):
        return None
    return f"{facts.row.variant} is not allowed while the device is {facts.device.status}"


def _responsible(facts: Facts) -> str | None:
    if facts.row is None or facts.row.non_device or facts.row.variant in _NOT_BY_RESPONSIBILITY:
        return None
    if facts.asked_by_broker:
        return None
    party = facts.request.header.request_id.originator
    for role in facts.acting_roles:
        if role in _NEVER_RESPONSIBLE:
            return None
        # A hub and what only shows or switches belongs to whoever is responsible for a meter behind the hub.
        if facts.device is not None and facts.device.device_type in _ROLES_TOWARDS:
            devices: tuple[InventoryDevice, ...] = (facts.device,)
        else:
            devices = facts.premises
        if any(device.is_responsible(party, role, facts.moment) for device in devices):
            return None
    return "the user is not responsible for the device in any of its roles"


def _counter(facts: Facts) -> str | None:
    counter = facts.request.header.request_id.counter
    if facts.last_counter is None or counter > facts.last_counter:
        return None
    return f"counter {counter} is not above {facts.last_counter}"


def _local_delivery(facts: Facts) -> str | None:
    if not facts.request.header.command_variant.local or _LOCAL_DELIVERY.intersection(facts.acting_roles):
        return None
    return "no role of this user may deliver commands on the premises"


CHECKS: Final = (
    Check(
        name="service reference",
        code=ResponseCode.UNASSIGNED,
        fault=_known_variant,
        confidence="unverified",
    ),
    Check(name="command variant", code=ResponseCode.WRONG_COMMAND_VARIANT, fault=_command_variant),
    Check(name="body", code=ResponseCode.UNASSIGNED, fault=_body, confidence="unverified"),
    Check(name="web service", code=ResponseCode.WRONG_SERVICE, fault=_service),
    Check(name="user", code=ResponseCode.UNKNOWN_USER, fault=_known_user),
    Check(name="role", code=ResponseCode.ROLE_NOT_ELIGIBLE, fault=_role, switch="check_roles"),
    Check(name="user status", code=ResponseCode.USER_SUSPENDED, fault=_not_suspended),
    Check(name="device", code=ResponseCode.UNKNOWN_DEVICE, fault=_known_device),
    Check(name="device type", code=ResponseCode.WRONG_DEVICE_TYPE, fault=_device_type),
    Check(name="device status", code=ResponseCode.DEVICE_STATUS, fault=_status, switch="check_status"),
    Check(
        name="responsibility",
        code=ResponseCode.NOT_RESPONSIBLE,
        fault=_responsible,
        switch="check_responsibility",
    ),
    Check(
        name="counter",
        code=ResponseCode.UNASSIGNED,
        fault=_counter,
        switch="check_counters",
        confidence="unverified",
    ),
    Check(
        name="local delivery",
        code=ResponseCode.LOCAL_COMMAND_REFUSED,
        fault=_local_delivery,
        switch="check_local_commands",
        confidence="unverified",
    ),
)


def judge(facts: Facts, rules: DccRules) -> Refusal | None:
    """The first check that fails, None when the request is accepted."""
    for check in CHECKS:
        if check.switch and not getattr(rules, check.switch):
            continue
        reason = check.fault(facts)
        if reason is not None:
            return Refusal(check.name, check.code, reason)
    return None
