"""The registry: every declared variant by its number. `check_row` finds what cannot work: a test
holds every row against it, so that no start of a program has to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from smetslab.duis.srv import (
    alerting,
    auxiliary,
    balances,
    billing,
    clock,
    configuration,
    credentials,
    firmware,
    hub,
    joining,
    messaging,
    nondevice,
    prepayment,
    reading,
    supply,
    tariff,
)
from smetslab.duis.srv.model import Originator, ServiceRequest, UseCaseMapping
from smetslab.duis.srv.template import uses
from smetslab.errors import RegistryError
from smetslab.gbcs.usecases.engine import command_parameter_names


def check_row(row: ServiceRequest) -> None:
    """Raises RegistryError when a row leaves an element unused, a parameter unfilled, or contradicts its
    use case.
    """
    leaves = set(row.body.leaves())
    for name in row.dcc_elements:
        if not _covered({name}, leaves):
            raise RegistryError(
                f"{row.variant}: the DCC element {name} is no element of the body", rule="elements"
            )
    used = set(row.dcc_elements)
    for mapping in row.mappings:
        used |= _check_mapping(row, mapping, leaves)
    lost = sorted(leaf for leaf in leaves if not _covers(used, leaf))
    if lost and row.mappings:
        raise RegistryError(f"{row.variant}: elements that nothing reads: {', '.join(lost)}", rule="elements")


def _covers(paths: set[str], leaf: str) -> bool:
    """Whether one of the paths is the leaf or stands above it."""
    parts = leaf.split(".")
    return any(".".join(parts[:length]) in paths for length in range(1, len(parts) + 1))


def _covered(paths: set[str], leaves: set[str]) -> bool:
    """Whether every path is a leaf or stands above one."""
    return all(any(leaf == path or leaf.startswith(f"{path}.") for leaf in leaves) for path in paths)


def _paths(mapping: UseCaseMapping) -> Iterator[tuple[str, bool]]:
    """The paths that a mapping reads, and whether it reads what is below them too."""
    for path in uses(mapping.template):
        yield path.removeprefix("/").rstrip("[]?"), not path.endswith(("[]", "?"))
    for condition in mapping.when:
        for path in condition.uses():
            yield path.rstrip("?"), not path.endswith("?")


def _check_mapping(row: ServiceRequest, mapping: UseCaseMapping, leaves: set[str]) -> set[str]:
    use_case = mapping.use_case
    what = f"{row.variant} to {use_case.name}"
    paths = dict(_paths(mapping))
    unknown = [path for path in paths if path and not _covered({path}, leaves)]
    if unknown:
        raise RegistryError(f"{what}: no such elements: {', '.join(unknown)}", rule="elements")
    needed = set(command_parameter_names(use_case))
    if needed - set(mapping.template):
        odd = ", ".join(sorted(needed - set(mapping.template)))
        raise RegistryError(f"{what}: parameters not filled: {odd}", rule="parameters")
    if row.variant not in use_case.service_requests:
        raise RegistryError(f"{what}: the use case does not serve this variant", rule="use case")
    if row.critical and not use_case.critical:
        raise RegistryError(f"{what}: one is critical and the other is not", rule="critical")
    if use_case.critical and not row.critical and mapping.originator is Originator.USER:
        raise RegistryError(f"{what}: nobody signs it", rule="critical")
    whole = {path for path, below in _paths(mapping) if below or path in leaves}
    return whole


def _build(rows: Iterable[ServiceRequest]) -> dict[str, ServiceRequest]:
    result: dict[str, ServiceRequest] = {}
    elements: dict[str, str] = {}
    for row in rows:
        if row.variant in result or row.element in elements:
            raise RegistryError(
                f"service request {row.variant} ({row.element}) is declared twice", rule="unique"
            )
        result[row.variant] = row
        elements[row.element] = row.variant
    return result


_MODULES = (
    tariff,
    balances,
    billing,
    prepayment,
    messaging,
    reading,
    configuration,
    alerting,
    auxiliary,
    supply,
    hub,
    clock,
    credentials,
    joining,
    firmware,
    nondevice,
)

SERVICE_REQUESTS = _build(row for module in _MODULES for row in module.SERVICE_REQUESTS)
"""Every declared variant by its number, such as `4.1.1`."""


def find(variant: str) -> ServiceRequest | None:
    """The variant of that number, None when it is not declared."""
    return SERVICE_REQUESTS.get(variant)
