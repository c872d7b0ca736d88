"""One engine for all variants: body to elements to parameters, and back."""

from __future__ import annotations

from smetslab.duis.element import Element
from smetslab.duis.srv.model import ServiceRequest, UseCaseMapping
from smetslab.errors import DuisError
from smetslab.gbcs.values import Parameters


def read_body(row: ServiceRequest, element: Element) -> Parameters:
    """The named elements of the body of a request. Raises DuisError when it is not the body of this
    variant.
    """
    path = f"Request/Body/{element.name}"
    if element.name != row.element:
        raise element.fail(
            "not the body of this service request", path, expected=row.element, found=element.name
        )
    value = row.body.read(element, path)
    return value if isinstance(value, dict) else {}


def write_body(row: ServiceRequest, elements: Parameters) -> Element:
    """The body element that says `elements`. Raises DuisError where something is missing, unknown or
    wrong.
    """
    return row.body.write(row.element, elements, f"Request/Body/{row.element}")


def to_parameters(mapping: UseCaseMapping, elements: Parameters) -> Parameters:
    """The parameters of the command that carries out `elements`. Raises DuisError."""
    parameters: Parameters = {}
    for rule in mapping.rules:
        rule.fill(elements, parameters, mapping.use_case)
    return parameters


def from_parameters(mapping: UseCaseMapping, parameters: Parameters) -> Parameters:
    """The elements whose command has `parameters`: the inverse of `to_parameters`, but for what the DCC
    keeps to itself. Raises DuisError when no request of this variant makes such a command.
    """
    elements: Parameters = {}
    for rule in mapping.rules:
        rule.restore(parameters, elements, mapping.use_case)
    if to_parameters(mapping, elements) != parameters:
        raise DuisError("no request makes a command with these parameters", path=mapping.use_case.name)
    return elements
