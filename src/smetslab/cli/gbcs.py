"""`smetslab gbcs`: GBCS messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from smetslab.cli import gbcs_catalogue, gbcs_document, gbcs_triage, output
from smetslab.cli.gbcs_input import MessageArgument, given_octets
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.describe import Node, SecretFor, describe
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.report import ChecksView, decode_schema, report
from smetslab.pki import load_keystore
from smetslab.rtds import MessageKeys

app = typer.Typer(help="GBCS messages.", no_args_is_help=True)

_OCTETS_BESIDE = 16
_OCTETS_A_LINE = 32


@app.callback()
def _noun() -> None:
    pass


app.command("encode")(gbcs_document.encode)
app.command("verify")(gbcs_document.verify)
app.command("explain")(gbcs_triage.explain_message)
app.command("diff")(gbcs_triage.diff)
app.command("usecases")(gbcs_catalogue.usecases)


@app.command()
def decode(
    message: MessageArgument = "-",
    *,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="KEYSTORE",
            help="keystore.json or folder of PEM files: check MAC and signature, decrypt.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema of the JSON instead.")] = False,
) -> None:
    """Show one message as a readable tree: names, offsets, octets, meaning.

    Exit code 2 when it is no message, or not what its use case declares; what can be read is shown.
    """
    if schema:
        output.print_json(decode_schema())
        return
    data = given_octets(message)
    checks, secret_for = (None, None) if keys is None else _check(data, MessageKeys(load_keystore(keys)))
    root = describe(data, secret_for=secret_for)
    if as_json:
        output.print_json(report(data, secret_for=secret_for, checks=checks).model_dump(mode="json"))
    else:
        _show(root, checks)
    if root.error is not None:
        output.error(str(root.error))
        raise typer.Exit(output.EXIT_USAGE)


def _check(data: bytes, keys: MessageKeys) -> tuple[ChecksView | None, SecretFor | None]:
    """What the keys say of the message, if it is one, and how they open what is protected in it."""
    try:
        message = decode_message(data)
    except GbcsDecodeError:
        return None, None
    checks = ChecksView(mac=keys.check_mac(message), signature=keys.check_signature(message))
    return checks, lambda device, party: keys.opening_secret(message)


def _show(root: Node, checks: ChecksView | None) -> None:
    output.line(f"{root.name}: {root.text}", style="bold")
    if checks is not None:
        output.line(f"MAC {checks.mac}, signature {checks.signature}")
    for node, depth in _below(root, 0):
        line = Text(f"{node.offset:>6}  ", style="dim")
        line.append("  " * depth)
        line.append(node.name, style="italic" if node.derived else "cyan")
        if node.text:
            line.append(f": {node.text}", style="default")
        rows = [] if any(not child.derived for child in node.children) else list(_rows(node.raw))
        if node.length <= _OCTETS_BESIDE:
            line.append("".join(f"  [{row}]" for row in rows), style="dim")
            rows = []
        output.console.print(line, soft_wrap=True)
        for row in rows:
            output.line(f"{'':>6}  {'  ' * depth}  {row}", style="dim")


def _below(node: Node, depth: int) -> Iterator[tuple[Node, int]]:
    for child in node.children:
        yield child, depth
        yield from _below(child, depth + 1)


def _rows(raw: bytes) -> Iterator[str]:
    for start in range(0, len(raw), _OCTETS_A_LINE):
        yield raw[start : start + _OCTETS_A_LINE].hex(" ").upper()
