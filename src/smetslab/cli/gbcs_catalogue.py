"""`smetslab gbcs usecases`: the declared use cases, listed, searched and shown."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

import typer

from smetslab.cli import output
from smetslab.errors import UsageError
from smetslab.gbcs.catalogue import Catalogue, UseCaseRow, catalogue_schema, rows, search
from smetslab.gbcs.usecases import USE_CASES


def usecases(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]...", help="A name, Message Code, SRV, or words to look for."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema of the JSON instead.")] = False,
) -> None:
    """List the use cases, or those that have all words of QUERY; a single one is shown with its content."""
    if schema:
        output.print_json(catalogue_schema())
        return
    words = " ".join(query or ())
    found = search(words) if words else rows()
    if not found:
        near = get_close_matches(words, USE_CASES, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "smetslab gbcs usecases lists them all"
        raise UsageError(f"no use case has {words!r}", hint=hint)
    if as_json:
        output.print_json(Catalogue(use_cases=list(found)).model_dump(mode="json"))
    elif len(found) == 1:
        _show(found[0])
    else:
        _list(found)


def _list(found: tuple[UseCaseRow, ...]) -> None:
    """One line for each, never wrapped: people grep it."""
    table = [("use case", "code", "content", "devices", "critical", "SRV", "title")]
    table += [
        (
            row.name,
            row.message_code,
            row.payload + (" alert" if row.alert else ""),
            ", ".join(row.devices),
            "yes" if row.critical else "no",
            ", ".join(row.service_requests),
            row.title,
        )
        for row in found
    ]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]) - 1)]
    for number, cells in enumerate(table):
        start = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False))
        output.line(f"{start}  {cells[-1]}", style="" if number else "bold")
    output.line(f"{len(found)} use cases", style="dim")


def _versions(row: UseCaseRow) -> str:
    """What is known about the GBCS versions that have a use case."""
    known = [
        f"{word} {version}"
        for word, version in (
            ("later than", row.later_than),
            ("from", row.first_version),
            ("to", row.last_version),
        )
        if version is not None
    ]
    source = f" ({row.version_source})" if row.version_source else ""
    return " ".join(known) + source if known else "not known"


def _show(row: UseCaseRow) -> None:
    output.line(f"{row.name}  {row.title}", style="bold")
    facts = (
        ("Message Code", row.message_code),
        ("content", row.payload + (" alert" if row.alert else "")),
        ("devices", ", ".join(row.devices)),
        ("critical", "yes" if row.critical else "no"),
        ("protection", row.protection),
        ("may send it", ", ".join(row.originator_roles)),
        ("service requests", ", ".join(row.service_requests)),
        ("replay protected", "yes" if row.replay_protected else "no"),
        ("counter family", row.counter_family),
        ("future dateable", "yes" if row.future_dateable else "no"),
        ("date-time in response", "yes" if row.date_time_in_response else "no"),
        ("encrypted response", "yes" if row.encrypts_response else "no"),
        ("alerts later", ", ".join(row.alerts)),
        ("GBCS versions", _versions(row)),
        ("older form", row.replaces or ""),
        ("newer form", row.replaced_by or ""),
        ("confidence", row.confidence),
        ("not confirmed", ", ".join(row.unverified)),
    )
    for name, value in facts:
        if value:
            output.line(f"  {name:<22} {value}")
    for item in row.items:
        mark = "" if item.confidence != "unverified" else "  (not confirmed)"
        output.line("")
        output.line(f"  {item.name}{mark}", style="cyan")
        output.line(f"    {item.access}", style="dim")
        for direction, says in (("command", item.command), ("response", item.response)):
            if says:
                output.line(f"    {'says' if row.alert else direction}: {says}")
        for path, elements in item.elements.items():
            output.line(f"    {path} = {' or '.join(elements)}", style="dim")
