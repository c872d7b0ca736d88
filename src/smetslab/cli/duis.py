"""`smetslab duis`: the service user's documents."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from smetslab.cli import duis_send, duis_services, output
from smetslab.dcc.services.doorkeeper import check_signer, tree_signer
from smetslab.duis.document import parse_request
from smetslab.duis.element import SIGNATURE_NAMESPACE, parse_document
from smetslab.duis.limits import MAX_FIRMWARE_DOCUMENT_BYTES
from smetslab.duis.report import DocumentReport, report_document, with_signer
from smetslab.duis.schema import DuisSchema
from smetslab.duis.xmldsig import parse_tree
from smetslab.pki import Certificate, KeyRing, load_keystore

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
    ("signed by", "signed_by"),
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
    keystore: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Key store with the certificates of signers: check the signature."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Check a document, with the published schema where its folder is given, and show what it says.

    With a key store its XML signature is checked too, where it carries one.
    """
    loaded = None if schema is None else DuisSchema(schema)
    document = _read(file)
    report = report_document(document, loaded, limit=MAX_FIRMWARE_DOCUMENT_BYTES)
    root = parse_document(document, limit=MAX_FIRMWARE_DOCUMENT_BYTES)
    signed = any(child.namespace == SIGNATURE_NAMESPACE for child in root.children)
    signer = (
        _signer(document, root.name, load_keystore(keystore)) if signed and keystore is not None else None
    )
    report = with_signer(report, signer, signed=signed)
    if as_json:
        output.print_json(report.model_dump(mode="json"))
        return
    _show(report)


def _signer(document: bytes, kind: str, keystore: KeyRing) -> str:
    """Who signed a document. Raises SecurityError when the signature is not good."""

    def find(serial: int) -> Certificate | None:
        entry = keystore.by_serial(serial)
        return None if entry is None else entry.certificate

    certificate = tree_signer(parse_tree(document, limit=MAX_FIRMWARE_DOCUMENT_BYTES), find)
    if kind == "Request":
        check_signer(certificate, parse_request(document, limit=MAX_FIRMWARE_DOCUMENT_BYTES), None)
    return certificate.title


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
