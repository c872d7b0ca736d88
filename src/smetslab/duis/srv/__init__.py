"""Service Reference Variants as data: what the body of a request holds, and how it maps to use cases.

One row per variant, both directions from the same row. The rows know XML names and parameter names; they
do not know who may ask, which device is which, or how a message is protected.
"""

from smetslab.duis.srv.engine import (
    Transformed,
    candidates_for,
    choose,
    differences,
    first_difference,
    from_parameters,
    read_body,
    restore,
    to_parameters,
    transform_elements,
    write_body,
)
from smetslab.duis.srv.model import Context, Originator, ServiceRequest, Target, UseCaseMapping
from smetslab.duis.srv.registry import SERVICE_REQUESTS, find

__all__ = [
    "SERVICE_REQUESTS",
    "Context",
    "Originator",
    "ServiceRequest",
    "Target",
    "Transformed",
    "UseCaseMapping",
    "candidates_for",
    "choose",
    "differences",
    "find",
    "first_difference",
    "from_parameters",
    "read_body",
    "restore",
    "to_parameters",
    "transform_elements",
    "write_body",
]
