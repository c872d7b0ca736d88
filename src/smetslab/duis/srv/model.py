"""What a declaration of a Service Reference Variant says.

Spec: DUIS schema 5.4; service request matrix of the SEC (criticality, roles, future dating).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from smetslab.duis.codes import FutureDating, UserRole
from smetslab.duis.srv.shapes import Child, OneOf, Sequence
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.model import Confidence, UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters

EXECUTION_DATE_TIME = "ExecutionDateTime"


class Rule(Protocol):
    """One step between the elements of a body and the parameters of a use case; it works both ways."""

    def elements(self) -> tuple[str, ...]:
        """The dotted names of the elements that it uses."""
        ...

    def parameters(self, use_case: UseCase) -> tuple[str, ...]:
        """The dotted names of the parameters that it fills."""
        ...

    def fill(self, elements: Parameters, parameters: Parameters, use_case: UseCase) -> None:
        """Write into `parameters` what `elements` say. Raises DuisError."""
        ...

    def restore(self, parameters: Parameters, elements: Parameters, use_case: UseCase) -> None:
        """Write into `elements` what `parameters` say. Raises DuisError."""
        ...


@dataclass(frozen=True, slots=True)
class UseCaseMapping:
    """How a variant becomes one use case. `devices` narrows where several use cases serve the variant."""

    use_case: UseCase
    rules: tuple[Rule, ...] = ()
    devices: tuple[DeviceType, ...] = ()

    def serves(self, device_type: DeviceType) -> bool:
        return device_type in (self.devices or self.use_case.devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """One row of the service request table.

    `element` and `body` are what stands in Body. `dcc_elements` are those elements that the DCC acts on
    itself and that no use case gets. `non_device`: the DCC answers by itself and no device is asked.
    """

    variant: str
    reference: str
    name: str
    element: str
    body: Sequence
    critical: bool
    eligible_roles: tuple[UserRole, ...]
    future_dating: FutureDating = FutureDating.NO
    mappings: tuple[UseCaseMapping, ...] = ()
    dcc_elements: tuple[str, ...] = ()
    non_device: bool = False
    confidence: Confidence = "vectors"

    def mapping_for(self, device_type: DeviceType) -> UseCaseMapping | None:
        """How this variant is carried out by such a device, None when it is not."""
        return next((mapping for mapping in self.mappings if mapping.serves(device_type)), None)

    def mapping_to(self, use_case: UseCase) -> UseCaseMapping | None:
        """How this variant becomes `use_case`, None when it does not."""
        return next((mapping for mapping in self.mappings if mapping.use_case is use_case), None)


def mapping(name: str, *rules: Rule, devices: tuple[DeviceType, ...] = ()) -> UseCaseMapping:
    """A mapping to the use case of that name, as declarations write it."""
    return UseCaseMapping(USE_CASES[name], rules, devices)


def body(*particles: Child | OneOf) -> Sequence:
    """The elements in the body element of a request."""
    return Sequence(*particles)
