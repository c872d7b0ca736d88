"""What a row of the service table says, and what a service may look at and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.distribution import Distribution
from smetslab.dcc.intake import Served
from smetslab.dcc.notices import Notices
from smetslab.dcc.rules import DccRules
from smetslab.dcc.schedules import ScheduleBook
from smetslab.duis.codes import ResponseCode, UserRole
from smetslab.duis.document import Request
from smetslab.duis.srv import ServiceRequest
from smetslab.errors import DuisError
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.model import Confidence
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.registry import Inventory, InventoryDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Everything that services act on. `answer` ends the request that a response brought back answers, and
    says why where there is none.
    """

    inventory: Inventory
    notices: Notices
    schedules: ScheduleBook
    distribution: Distribution
    broker: AccessControlBroker
    rules: DccRules
    answer: Callable[[Message, bytes], str | None]
    expects: Callable[[Message], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request at the desk. `elements` are those of its body, `roles` those in which the user acts."""

    office: Office
    row: ServiceRequest
    request: Request
    elements: Parameters
    roles: tuple[UserRole, ...]
    now: datetime

    @property
    def user(self) -> Eui64:
        return self.request.header.request_id.originator

    @property
    def device_id(self) -> Eui64 | None:
        """The device that the body names."""
        given = self.elements.get("DeviceID")
        return None if given is None else Eui64.parse(str(given))

    @property
    def device(self) -> InventoryDevice | None:
        """The device that the body names, where the inventory has it."""
        device_id = self.device_id
        return None if device_id is None else self.office.inventory.find(device_id)

    def the_device(self) -> InventoryDevice:
        """The device that the body names; for services whose rules have found it. Raises DuisError."""
        device = self.device
        if device is None:
            raise DuisError("names no device of the inventory", path=self.row.element)
        return device

    def text(self, name: str) -> str:
        """An element that is a text, "" where it is absent."""
        value = self.elements.get(name)
        return "" if value is None else str(value)

    def group(self, name: str) -> dict[str, Value]:
        """An element that holds elements, empty where it is absent."""
        value = self.elements.get(name)
        return value if isinstance(value, dict) else {}


Fault = Callable[[Call], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason to refuse: `fault` says what is wrong, None when nothing is; `switch` names the rule of the
    DCC that turns it off.
    """

    name: str
    code: str
    fault: Fault
    switch: str = ""
    confidence: Confidence = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: its refusals in their order, and what it does."""

    variant: str
    act: Callable[[Call], Served]
    rules: tuple[Rule, ...] = field(default=())


DONE = Served(ResponseCode.SUCCESS)
"""Done, and nothing to return."""


# Reasons that several services share ------------------------------------------------------------------------


def _unknown(call: Call) -> str | None:
    return None if call.device is not None else f"device {call.device_id} is not in the inventory"


def _not_responsible(call: Call) -> str | None:
    device = call.device
    if device is None:
        return None
    around = call.office.inventory.around(device)
    nobody = not any(one.responsible for one in around)
    if nobody or any(one.is_responsible(call.user, role, call.now) for one in around for role in call.roles):
        return None
    return f"{call.user} is not responsible for {device.device_id} or anything around it"


KNOWN = Rule("device", ResponseCode.UNKNOWN_DEVICE, _unknown, confidence="published")
RESPONSIBLE = Rule(
    "responsibility",
    ResponseCode.NOT_RESPONSIBLE,
    _not_responsible,
    switch="check_responsibility",
    confidence="published",
)
