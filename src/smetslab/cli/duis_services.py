"""`smetslab duis services`: every service request, and what is done about it."""

from __future__ import annotations

from typing import Annotated

import typer

from smetslab.cli import output
from smetslab.duis.srv.listing import (
    MappingRow,
    ServiceRequestRow,
    ServiceRequests,
    listed,
    service_requests_schema,
)
from smetslab.errors import UsageError


def services(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]...", help="A number, body element, use case, or words of the name."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema of the JSON instead.")] = False,
) -> None:
    """List the service requests, or those that have all words of QUERY, with their use cases."""
    if schema:
        output.print_json(service_requests_schema())
        return
    words = [word.casefold() for part in query or () for word in part.split()]
    found = [row for row in listed().service_requests if _has(row, words)]
    if not found:
        raise UsageError(
            f"no service request has {' '.join(words)!r}", hint="smetslab duis services lists all"
        )
    if as_json:
        output.print_json(ServiceRequests(service_requests=found).model_dump(mode="json"))
        return
    for row in found:
        output.line(f"{row.variant:<7} {row.name}{', critical' if row.critical else ''}: {what_is_done(row)}")


def _has(row: ServiceRequestRow, words: list[str]) -> bool:
    """6.2 is the variants 6.2.1 to 6.2.10, but not 6.20.1."""
    parts = row.variant.split(".")
    texts = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    texts |= {one.use_case.casefold() for one in row.use_cases}
    names = f"{row.name} {row.element}".casefold()
    return all(word in texts or (not word[0].isdigit() and word in names) for word in words)


def what_is_done(row: ServiceRequestRow) -> str:
    """One clause for each use case."""
    if row.answered_by == "DCC":
        return "the DCC answers itself"
    return "; ".join(_mapping(one) for one in row.use_cases)


def _mapping(row: MappingRow) -> str:
    text = f"{', '.join(row.devices)}: {row.use_case}"
    return f"{text} ({', '.join(row.conditions)})" if row.conditions else text
