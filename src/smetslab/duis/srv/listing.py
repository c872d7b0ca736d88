"""The service requests as rows to list and print: what is done about each, by whom, and with which use case.

Everything is read from the declarations that requests are carried out by.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv.model import (
    Condition,
    Has,
    HasOne,
    Is,
    Lacks,
    Originator,
    ServiceRequest,
    UseCaseMapping,
)
from smetslab.duis.srv.registry import SERVICE_REQUESTS
from smetslab.gbcs.identities import DEVICE_WORDS, ROLE_WORDS
from smetslab.gbcs.values import Value

FUTURE_DATING_WORDS = {
    FutureDating.NO: "no",
    FutureDating.DEVICE: "device",
    FutureDating.DSP: "DCC",
    FutureDating.DSP_AND_DEVICE: "DCC and device",
}
"""Who keeps a request until its time."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class MappingRow(_Model):
    """One use case of a service request."""

    use_case: str
    devices: list[str]
    conditions: list[str] = Field(description="what the request, the device or the user has to be for it")
    originator: str = Field(description="who stands as originator in the command")
    unverified: list[str] = Field(description="elements whose effect nothing confirms")


class ServiceRequestRow(_Model):
    """One Service Reference Variant."""

    variant: str
    reference: str
    name: str
    element: str
    critical: bool
    roles: list[str] = Field(description="who may ask, as the service request matrix abbreviates them")
    future_dating: str = Field(description="who keeps a request until its execution time: no, device, DCC")
    answered_by: str = Field(description="device, or DCC where no device is asked")
    use_cases: list[MappingRow] = Field(description="the newest first where several serve one device")
    dcc_elements: list[str] = Field(description="elements that the DCC acts on and no command gets")


class ServiceRequests(_Model):
    """All rows."""

    service_requests: list[ServiceRequestRow]


def service_requests_schema() -> dict[str, JsonValue]:
    """The JSON schema of `ServiceRequests`."""
    return ServiceRequests.model_json_schema(mode="serialization")


def listed() -> ServiceRequests:
    """Every declared variant in the order of their numbers."""
    ordered = sorted(
        SERVICE_REQUESTS.values(), key=lambda row: [int(part) for part in row.variant.split(".")]
    )
    return ServiceRequests(service_requests=[row_of(row) for row in ordered])


def row_of(row: ServiceRequest) -> ServiceRequestRow:
    return ServiceRequestRow(
        variant=row.variant,
        reference=row.reference,
        name=row.name,
        element=row.element,
        critical=row.critical,
        roles=[role.value for role in row.eligible_roles],
        future_dating=FUTURE_DATING_WORDS[row.future_dating],
        answered_by="DCC" if row.non_device else "device",
        use_cases=[_mapping(one) for one in row.mappings],
        dcc_elements=list(row.dcc_elements),
    )


def _mapping(mapping: UseCaseMapping) -> MappingRow:
    return MappingRow(
        use_case=mapping.use_case.name,
        devices=[DEVICE_WORDS[one] for one in mapping.devices or mapping.use_case.devices],
        conditions=list(_conditions(mapping)),
        originator=mapping.originator.value,
        unverified=list(mapping.unverified),
    )


def _conditions(mapping: UseCaseMapping) -> Iterator[str]:
    for condition in mapping.when:
        yield _condition(condition)
    if mapping.phases is not None:
        yield f"{mapping.phases} phase"
    if mapping.roles:
        yield "asked by " + " or ".join(ROLE_WORDS[role] for role in mapping.roles)
    if mapping.peers:
        yield "other device " + " or ".join(DEVICE_WORDS[peer] for peer in mapping.peers)
    if mapping.originator in {Originator.BROKER, Originator.TRANSITIONAL_COS}:
        yield f"originated by the {mapping.originator.value}"


def _condition(condition: Condition) -> str:
    match condition:
        case Has(path):
            return f"with {path}"
        case HasOne(paths):
            return f"with {' or '.join(paths)}"
        case Lacks(path):
            return f"without {path}"
        case Is(path, value):
            return f"{path} is {_word(value)}"
        case _:
            return f"{condition.path} is {' or '.join(map(_word, condition.values))}"


def _word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
