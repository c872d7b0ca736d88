"""`smetslab suites`: the suites that can be run, and their cases."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from smetslab.cli import output
from smetslab.errors import UsageError
from smetslab.harness.obligations import OBLIGATIONS
from smetslab.harness.suite import AnySuite


def find_suite(name: str) -> AnySuite:
    """The suite called `name`; UsageError lists those there are."""
    suites = load()
    if name not in suites:
        raise UsageError(f"there is no suite {name!r}", hint=f"there are: {', '.join(suites)}")
    return suites[name]


def load() -> dict[str, AnySuite]:
    """Every suite by its name."""
    # Importing the suites declares all their cases; commands that only look at evidence do without.
    from smetslab.harness.suites import load_suites  # noqa: PLC0415

    return load_suites()


def suites(
    *,
    suite: Annotated[str | None, typer.Argument(help="Show the cases of this suite.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """List the suites, or the cases of one."""
    if suite is None:
        found = load()
        if as_json:
            output.print_json(
                {"schema_version": 1, "suites": [_suite_json(entry) for entry in found.values()]}
            )
        else:
            _print_suites(list(found.values()))
        return
    chosen = find_suite(suite)
    if as_json:
        output.print_json({"schema_version": 1, "suites": [_suite_json(chosen)]})
    else:
        print_cases(chosen)


def _suite_json(suite: AnySuite) -> dict[str, output.Json]:
    return {
        "name": suite.name,
        "title": suite.title,
        "version": suite.version,
        "cases": [entry.declaration().model_dump(mode="json") for entry in suite.cases],
    }


def _print_suites(found: list[AnySuite]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Suite", "Version", "Cases", "Title", "Obligations"):
        table.add_column(column, justify="right" if column in ("Version", "Cases") else "left")
    for suite in found:
        cited = {name for case in suite.cases for name in case.obligations}
        table.add_row(
            suite.name,
            str(suite.version),
            str(len(suite.cases)),
            suite.title,
            ", ".join(name for name in OBLIGATIONS if name in cited),
        )
    output.console.print(table)
    output.line("")
    output.line("Cases of a suite: smetslab suites NAME    Run one: smetslab run NAME")


def print_cases(suite: AnySuite, chosen: tuple[str, ...] | None = None) -> None:
    """The cases of a suite for people, or those of them that were chosen, grouped by kind."""
    cases = [case for case in suite.cases if chosen is None or case.id in chosen]
    output.line(f"{suite.title} ({suite.name}, version {suite.version}): {len(cases)} cases", style="bold")
    for kind in dict.fromkeys(case.kind for case in cases):
        of_kind = [case for case in cases if case.kind == kind]
        output.line("")
        output.line(f"{kind} ({len(of_kind)})", style="bold")
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(3):
            table.add_column(overflow="fold")
        for case in of_kind:
            table.add_row(f"  {case.id}", case.title, " ".join((*case.use_cases, *case.obligations)))
        output.console.print(table)
