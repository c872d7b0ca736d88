"""What a declaration of a Service Reference Variant says.

Spec: DUIS schema 5.4; service request matrix of the SEC (criticality, roles, future dating).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from smetslab.duis.codes import FutureDating, UserRole
from smetslab.duis.srv import components
from smetslab.duis.srv.shapes import Child, OneGroup, OneOf, Sequence
from smetslab.duis.srv.simple import Shape
from smetslab.duis.srv.template import ABSENT, Scope, Stand, Template
from smetslab.errors import DuisError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.usecases.model import Confidence, UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Value, seconds_since_2000, utc_text
from smetslab.gbcs.versions import GbcsVersion

EXECUTION_DATE_TIME = "ExecutionDateTime"

FACTS: Final = {
    "now": "the current time",
    "now_seconds": "the current time",
    "originator_counter": "the originator counter of the command",
    "peer_type": "the type of the other device, from the inventory",
    "peer_certificate": "the key agreement certificate of the other device, from the repository",
    "hub_log_han": "the last backup of the old hub's device log",
    "hub_log_devices": "the last backup of the old hub's device log",
    "gas_proxy_log": "the last backup of the old gas proxy's device log",
    "twin_element": "whether the device has a second element, from the inventory",
    "customer_identification_number": "the customer identification number that the DCC made",
}
"""What commands say that no request says, and where the DCC has it from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the DCC knows when it transforms a request. None: not known, and refused where it is needed.

    `hub_log_devices` and `gas_proxy_log` are the lists of devices of the last backups. `peer_certificate` is
    empty where it is known that there is none.
    """

    now: datetime | None = None
    originator_counter: int | None = None
    peer_type: DeviceType | None = None
    peer_certificate: bytes | None = None
    hub_log_han: str | None = None
    hub_log_devices: list[Value] | None = None
    gas_proxy_log: list[Value] | None = None
    twin_element: bool = False
    customer_identification_number: str | None = None

    def fact(self, name: str) -> Value:
        """Raises DuisError when it is not known."""
        value: Value
        match name:
            case "now":
                value = None if self.now is None else utc_text(self.now)
            case "now_seconds":
                value = None if self.now is None else seconds_since_2000(self.now)
            case "peer_type":
                value = None if self.peer_type is None else self.peer_type.name.lower().replace("_", "-")
            case "peer_certificate":
                value = None if self.peer_certificate is None else self.peer_certificate.hex().upper()
            case _:
                value = getattr(self, name)
        if value is None:
            raise DuisError(f"the command needs {FACTS[name]}", path="Request/Body", expected=name)
        return value


@dataclass(frozen=True, slots=True)
class GivenFacts:
    """Facts as a command was found to say them."""

    values: Mapping[str, Value]

    def fact(self, name: str) -> Value:
        if name not in self.values:
            raise DuisError(f"the command needs {FACTS[name]}", path="Request/Body", expected=name)
        return self.values[name]


class Originator(StrEnum):
    """Who stands as originator in the command for a request."""

    USER = "user"
    """The user, or the broker on its behalf where the device does not know the user."""
    BROKER_FOR_USER = "broker for user"
    """Always the broker on behalf of the user."""
    BROKER = "broker"
    """The broker for itself, without a supplementary party."""
    TRANSITIONAL_COS = "transitional CoS"
    """The DCC's change of supplier party."""


@dataclass(frozen=True, slots=True)
class Has:
    """The element is there."""

    path: str

    def holds(self, scope: Scope) -> bool:
        found, _ = scope.find(self.path)
        return found is not ABSENT

    def note(self, stand: Stand) -> None:
        stand.found.mark(stand.resolve(self.path))

    def uses(self) -> Iterator[str]:
        yield self.path + "?"


@dataclass(frozen=True, slots=True)
class HasOne:
    """One of several elements is there."""

    paths: tuple[str, ...]

    def holds(self, scope: Scope) -> bool:
        return any(Has(path).holds(scope) for path in self.paths)

    def note(self, stand: Stand) -> None:
        del stand

    def uses(self) -> Iterator[str]:
        for path in self.paths:
            yield path + "?"


@dataclass(frozen=True, slots=True)
class Lacks:
    """The element is not there."""

    path: str

    def holds(self, scope: Scope) -> bool:
        found, _ = scope.find(self.path)
        return found is ABSENT

    def note(self, stand: Stand) -> None:
        del stand

    def uses(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Is:
    """The element is there and has this value."""

    path: str
    value: Value

    def holds(self, scope: Scope) -> bool:
        found, _ = scope.find(self.path)
        return found == self.value

    def note(self, stand: Stand) -> None:
        stand.put(self.path, self.value)

    def uses(self) -> Iterator[str]:
        yield self.path


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """The element is there and has one of these values; going back it is the first."""

    path: str
    values: tuple[Value, ...]

    def holds(self, scope: Scope) -> bool:
        found, _ = scope.find(self.path)
        return found in self.values

    def note(self, stand: Stand) -> None:
        stand.put(self.path, self.values[0])

    def uses(self) -> Iterator[str]:
        yield self.path


Condition = Has | HasOne | Lacks | Is | IsOneOf
Phases = Literal["single", "poly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What decides about the use case besides the request: the device and its user's role towards it."""

    device_type: DeviceType
    gbcs_version: GbcsVersion | None = None
    phases: Phases = "single"
    role: RemotePartyRole | None = None
    peer_type: DeviceType | None = None


@dataclass(frozen=True, slots=True)
class UseCaseMapping:
    """How a variant becomes one use case.

    `template` says the parameters of its command. `devices` narrows the types that the use case names;
    `when` are conditions on the request, `phases` on the device, `roles` on the user, `peers` on the other
    device of a join. `unverified` are elements whose effect nothing confirms.
    """

    use_case: UseCase
    template: Mapping[str, Template]
    devices: tuple[DeviceType, ...] = ()
    when: tuple[Condition, ...] = ()
    phases: Phases | None = None
    roles: tuple[RemotePartyRole, ...] = ()
    peers: tuple[DeviceType, ...] = ()
    originator: Originator = Originator.USER
    unverified: tuple[str, ...] = ()

    def serves(self, device_type: DeviceType) -> bool:
        return device_type in (self.devices or self.use_case.devices)

    def fits(self, scope: Scope) -> bool:
        """Whether the request is one for this use case."""
        return all(condition.holds(scope) for condition in self.when)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """One row of the service request table.

    `element` and `body` are what stands in Body. `dcc_elements` are those elements that the DCC acts on
    itself and that no use case gets. `non_device`: the DCC answers by itself and no device is asked. Where
    several mappings serve one device the newest comes first.
    """

    variant: str
    reference: str
    name: str
    element: str
    body: Shape
    critical: bool
    eligible_roles: tuple[UserRole, ...]
    future_dating: FutureDating = FutureDating.NO
    mappings: tuple[UseCaseMapping, ...] = ()
    dcc_elements: tuple[str, ...] = ()
    non_device: bool = False
    confidence: Confidence = "vectors"

    def mapping_for(self, device_type: DeviceType) -> UseCaseMapping | None:
        """How this variant is carried out by such a device at all, None when it is not."""
        return next((mapping for mapping in self.mappings if mapping.serves(device_type)), None)

    def mapping_to(self, use_case: UseCase) -> UseCaseMapping | None:
        """How this variant becomes `use_case`, None when it does not."""
        return next((mapping for mapping in self.mappings if mapping.use_case is use_case), None)


def mapping(
    name: str,
    template: Mapping[str, Template] | None = None,
    *,
    devices: tuple[DeviceType, ...] = (),
    when: tuple[Condition, ...] = (),
    phases: Phases | None = None,
    roles: tuple[RemotePartyRole, ...] = (),
    peers: tuple[DeviceType, ...] = (),
    originator: Originator = Originator.USER,
    unverified: tuple[str, ...] = (),
    components_of: Mapping[str, Template] | None = None,
) -> UseCaseMapping:
    """A mapping to the use case of that name, as declarations write it.

    `components_of` are the fields of GBZ commands by the name of the command: reads, and commands without
    fields, need no mention. Activation times of DLMS commands are filled from ExecutionDateTime.
    """
    use_case = USE_CASES[name]
    whole: dict[str, Template] = dict(template or {})
    if components.is_gbz(use_case):
        whole |= components.of(use_case, components_of or {})
    elif components_of is not None:
        raise ValueError(f"{name} has no GBZ content")
    for activation in use_case.payload.activations:
        if "[]" not in activation:
            whole.setdefault(activation, components.ACTIVATION_TIME)
    return UseCaseMapping(use_case, whole, devices, when, phases, roles, peers, originator, unverified)


def body(*particles: Child | OneOf | OneGroup) -> Sequence:
    """The elements in the body element of a request."""
    return Sequence(*particles)
