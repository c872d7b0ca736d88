"""What a declaration of a use case says.

Spec: GBCS 20 (use cases), 5.3 (message categories), 4.3.1 (replay), 9.2 (future dating).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.dlms.apdu import Choice, Obis
from smetslab.gbcs.dlms.protection import (
    DATA_PROTECTION_CLASS,
    GET_PROTECTED_ATTRIBUTES,
    ProtectedObject,
    ProtectedRead,
)
from smetslab.gbcs.dlms.shapes import DATE_TIME, Shape, Struct

Confidence = Literal["vectors", "published", "unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessItem:
    """One item of an access list.

    `name` is what its value is called and how its failure is reported. `command` is the shape of the data sent
    with it (None for null-data), `response` of the data that a success returns (None for null-data).
    `activation` marks the date-time that triggers a future-dated item.
    """

    choice: Choice
    class_id: int
    obis: Obis
    index: int
    name: str
    command: Shape | None = None
    response: Shape | None = None
    protected: ProtectedRead | None = None
    activation: bool = False

    def __str__(self) -> str:
        kind = "method" if self.choice is Choice.ACTION else "attribute"
        return f"{self.choice.name.lower()} class {self.class_id} {self.obis} {kind} {self.index}"


@dataclass(frozen=True, slots=True)
class DlmsAccess:
    """Content that is an access-request and its access-response."""

    items: tuple[AccessItem, ...]


@dataclass(frozen=True, slots=True)
class DlmsAlert:
    """Content that is a data-notification with a structure of these members."""

    body: Struct


Payload: TypeAlias = DlmsAccess | DlmsAlert


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase:
    """One row of the use case table. `code` is the Message Code.

    `originator_roles` may use it, `devices` support it. `counter_family` and `replay_protected` say how a device
    judges its counter. `alerts` are the Message Codes of the alerts that its execution causes later.
    """

    name: str
    code: int
    title: str
    payload: Payload
    devices: tuple[DeviceType, ...]
    critical: bool
    originator_roles: tuple[RemotePartyRole, ...] = ()
    service_requests: tuple[str, ...] = ()
    replay_protected: bool = False
    counter_family: CounterFamily = CounterFamily.ORDINARY
    future_dateable: bool = False
    date_time_in_response: bool = False
    alerts: tuple[int, ...] = ()
    confidence: Confidence = "vectors"

    @property
    def is_alert(self) -> bool:
        return isinstance(self.payload, DlmsAlert)

    @property
    def encrypts_response(self) -> bool:
        """True when the response carries content encrypted to the remote party."""
        return isinstance(self.payload, DlmsAccess) and any(item.protected for item in self.payload.items)


def get(name: str, class_id: int, obis: str, attribute: int, shape: Shape) -> AccessItem:
    """Read an attribute."""
    return AccessItem(
        choice=Choice.GET, class_id=class_id, obis=Obis.parse(obis), index=attribute, name=name, response=shape
    )


def set_(name: str, class_id: int, obis: str, attribute: int, shape: Shape) -> AccessItem:
    """Write an attribute."""
    return AccessItem(
        choice=Choice.SET, class_id=class_id, obis=Obis.parse(obis), index=attribute, name=name, command=shape
    )


def activate(name: str, class_id: int, obis: str, attribute: int) -> AccessItem:
    """Write an activation date-time. Spec: GBCS 9.2.2.7."""
    return AccessItem(
        choice=Choice.SET,
        class_id=class_id,
        obis=Obis.parse(obis),
        index=attribute,
        name=name,
        command=DATE_TIME,
        activation=True,
    )


def action(
    name: str, class_id: int, obis: str, method: int, shape: Shape | None = None, *, returns: Shape | None = None
) -> AccessItem:
    """Call a method."""
    return AccessItem(
        choice=Choice.ACTION,
        class_id=class_id,
        obis=Obis.parse(obis),
        index=method,
        name=name,
        command=shape,
        response=returns,
    )


def protected_get(name: str, instance: str, *objects: ProtectedObject) -> AccessItem:
    """Read attributes through the data protection object `instance`. Spec: GBCS 8.4."""
    return AccessItem(
        choice=Choice.ACTION,
        class_id=DATA_PROTECTION_CLASS,
        obis=Obis.parse(instance),
        index=GET_PROTECTED_ATTRIBUTES,
        name=name,
        protected=ProtectedRead(objects),
    )


def protected_object(
    name: str, class_id: int, obis: str, attribute: int, shape: Shape, *, window: bool = False
) -> ProtectedObject:
    return ProtectedObject(name, class_id, Obis.parse(obis), attribute, shape, window)
