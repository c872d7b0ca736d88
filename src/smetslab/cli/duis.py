"""`smetslab duis`: the service user's documents."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from smetslab.cli import duis_send, duis_services, output
from smetslab.duis.limits import MAX_FIRMWARE_DOCUMENT_BYTES
from smetslab.duis.report import DocumentReport, report_document
from smetslab.duis.schema import DuisSchema

app = typer.Typer(help="DUIS documents.", no_args_is_help=True)

_MEMBERS = (
    ("DUIS version", "duis_version"),
    ("request id", "request_id"),
    ("response id", "response_id"),
    ("service request", "service_request"),
    ("command variant", "command_variant"),
    ("response code", "response_code"),
    ("body", "body"),
    ("GBCS message", "gbcs"),
    ("valid under", "validated_with"),
)


@app.callback()
def _noun() -> None:
    """DUIS documents."""


app.command("send")(duis_send.send)
app.command("sign")(duis_send.sign)
app.command("services")(duis_services.services)


@app.command("validate")
def validate(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A Request or Response document, or - for stdin.")
    ],
    *,
    schema: Annotated[
        Path | None,
        typer.Option(
            envvar="SMETSLAB_SCHEMA", help="The folder of the published DUIS schemas; they are not shipped."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Check a document, with the published schema where its folder is given, and show what it says."""
    loaded = None if schema is None else DuisSchema(schema)
    report = report_document(_read(file), loaded, limit=MAX_FIRMWARE_DOCUMENT_BYTES)
    if as_json:
        output.print_json(report.model_dump(mode="json"))
        return
    _show(report)


def _read(file: str) -> bytes:
    # One octet more than is allowed: enough to see that a document is too long, whatever its length.
    if file == "-":
        return sys.stdin.buffer.read(MAX_FIRMWARE_DOCUMENT_BYTES + 1)
    with Path(file).open("rb") as stream:
        return stream.read(MAX_FIRMWARE_DOCUMENT_BYTES + 1)


def _show(report: DocumentReport) -> None:
    output.line(
        f"A valid {report.kind}" + (f": {report.service_request_name}" if report.service_request_name else "")
    )
    for title, member in _MEMBERS:
        value = getattr(report, member)
        if value is not None:
            output.line(f"  {title:<16} {value}")
    if report.elements:
        output.line("  elements")
    for name, value in (report.elements or {}).items():
        output.line(f"    {name}: {value if isinstance(value, str) else json.dumps(value)}")
    for note in report.notes:
        output.line(f"  note: {note}")
