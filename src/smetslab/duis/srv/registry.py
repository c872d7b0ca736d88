"""The registry: every declared variant by its number. Refuses at import what cannot work."""

from __future__ import annotations

from collections.abc import Iterable

from smetslab.duis.srv import clock, firmware, messaging, nondevice, prepayment, reading, supply
from smetslab.duis.srv.model import ServiceRequest, UseCaseMapping
from smetslab.errors import RegistryError
from smetslab.gbcs.usecases.engine import command_parameter_names


def check_row(row: ServiceRequest) -> None:
    """Raises RegistryError when a row leaves an element unused, a parameter unfilled, or contradicts its
    use case.
    """
    leaves = set(row.body.leaves())
    for name in row.dcc_elements:
        if name not in leaves:
            raise RegistryError(
                f"{row.variant}: the DCC element {name} is no element of the body", rule="elements"
            )
    for mapping in row.mappings:
        _check_mapping(row, mapping, leaves - set(row.dcc_elements))


def _check_mapping(row: ServiceRequest, mapping: UseCaseMapping, leaves: set[str]) -> None:
    use_case = mapping.use_case
    what = f"{row.variant} to {use_case.name}"
    used = [name for rule in mapping.rules for name in rule.elements()]
    if len(used) != len(set(used)) or set(used) != leaves:
        odd = sorted(set(used) ^ leaves) or sorted(name for name in used if used.count(name) > 1)
        raise RegistryError(f"{what}: elements not used exactly once: {', '.join(odd)}", rule="elements")
    filled = {name.partition(".")[0] for rule in mapping.rules for name in rule.parameters(use_case)}
    needed = set(command_parameter_names(use_case))
    if filled != needed:
        raise RegistryError(
            f"{what}: parameters not filled: {', '.join(sorted(filled ^ needed))}", rule="parameters"
        )
    if row.variant not in use_case.service_requests:
        raise RegistryError(f"{what}: the use case does not serve this variant", rule="use case")
    if row.critical != use_case.critical:
        raise RegistryError(f"{what}: one is critical and the other is not", rule="critical")


def _build(rows: Iterable[ServiceRequest]) -> dict[str, ServiceRequest]:
    result: dict[str, ServiceRequest] = {}
    elements: dict[str, str] = {}
    for row in rows:
        if row.variant in result or row.element in elements:
            raise RegistryError(
                f"service request {row.variant} ({row.element}) is declared twice", rule="unique"
            )
        check_row(row)
        result[row.variant] = row
        elements[row.element] = row.variant
    return result


_MODULES = (prepayment, messaging, reading, supply, clock, firmware, nondevice)

SERVICE_REQUESTS = _build(row for module in _MODULES for row in module.SERVICE_REQUESTS)
"""Every declared variant by its number, such as `4.1.1`."""


def find(variant: str) -> ServiceRequest | None:
    """The variant of that number, None when it is not declared."""
    return SERVICE_REQUESTS.get(variant)
