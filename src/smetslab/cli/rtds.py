"""`smetslab rtds`: the Reference Test Data Set."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from smetslab.cli import output
from smetslab.errors import UsageError
from smetslab.rtds import CheckReport, MessageRow, Summary, check_folder, report_schema
from smetslab.rtds.path import RadioPath
from smetslab.rtds.replay import ReplayReport, replay_folder, replay_schema
from smetslab.rtds.transform import TransformReport, transform_folder, transform_schema

app = typer.Typer(help="The Reference Test Data Set.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    pass


_Report: TypeAlias = CheckReport | ReplayReport | TransformReport
_Shown = TypeVar("_Shown", bound=_Report)

_Rtds = Annotated[
    Path | None,
    typer.Option(
        "--rtds",
        metavar="DIR",
        help="Where the messages are, at any depth, and their key store, below or beside.",
    ),
]
_Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="KEYSTORE", help="Use this keystore.json or folder of PEM files instead."),
]
_Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the report there; - prints it.")
]
_Schema = Annotated[bool, typer.Option("--schema", help="Print the schema of the JSON instead.")]


@app.command()
def check(
    *, rtds: _Rtds = None, keys: _Keys = None, json_file: _Json = None, schema: _Schema = False
) -> None:
    """Decode, re-encode, verify and decrypt every message. Exit code 1 when one fails."""
    if schema:
        output.print_json(report_schema())
        return
    if rtds is None:
        raise UsageError("no folder given", hint="smetslab rtds check --rtds DIR")
    report = check_folder(rtds, keystore=keys)
    _tell(report, json_file, _show)
    if report.keystore.certificates == 0:
        output.error(
            "no certificates were found, so no MAC and no signature was checked", hint="--keys KEYSTORE"
        )
    _end(report)


@app.command()
def replay(
    *,
    rtds: _Rtds = None,
    keys: _Keys = None,
    han: Annotated[
        Literal["none", "radio"],
        typer.Option("--han", help="radio: every message crosses a home network on the simulated air."),
    ] = "none",
    json_file: _Json = None,
    schema: _Schema = False,
) -> None:
    """Execute every command on a device in the same state and compare the answers. Exit code 1 when one
    differs or is not supported."""
    if schema:
        output.print_json(replay_schema())
        return
    if rtds is None:
        raise UsageError("no folder given", hint="smetslab rtds replay --rtds DIR")
    path = RadioPath() if han == "radio" else None
    report = replay_folder(rtds, keystore=keys, path=path)
    _tell(report, json_file, _show_replay)
    if path is not None and json_file is None:
        output.line(f"{path.messages} messages crossed the air, in {path.frames} frames")
    _end(report)


@app.command("transform")
def transform_(
    *,
    rtds: _Rtds = None,
    duis: Annotated[
        Path | None,
        typer.Option("--duis", metavar="DIR", help="Where the request documents are, at any depth."),
    ] = None,
    keys: _Keys = None,
    json_file: _Json = None,
    schema: _Schema = False,
) -> None:
    """Transform every request document and compare with its message. Exit code 1 when one differs or is not
    supported."""
    if schema:
        output.print_json(transform_schema())
        return
    if rtds is None or duis is None:
        raise UsageError("no folder given", hint="smetslab rtds transform --rtds DIR --duis DIR")
    report = transform_folder(rtds, duis, keystore=keys)
    _tell(report, json_file, _show_transform)
    _end(report)


def _tell(report: _Shown, json_file: Path | None, show: Callable[[_Shown], None]) -> None:
    """Write the report to the file, and show it; with - only the JSON is printed."""
    if json_file == Path("-"):
        output.print_json(report.model_dump(mode="json"))
        return
    if json_file is not None:
        _write(json_file, report)
    show(report)
    sys.stdout.flush()


def _end(report: _Report) -> None:
    if not report.passed:
        raise typer.Exit(output.EXIT_FAIL)


def _show_transform(report: TransformReport) -> None:
    for row in report.templates:
        if row.result in {"different", "unsupported"}:
            rest = ""
            if row.values_that_differ:
                others = len(row.values_that_differ) - 1
                rest = f" and {others} more values" if others else ""
                rest += "; identical otherwise"
            output.line(
                f"{row.result.upper()} {row.template} ({row.kind}): {row.first_difference}{rest}", style="red"
            )
    summary = report.summary
    output.line(
        f"{summary.rows} documents with a message: {summary.identical} identical, "
        f"{summary.structurally_equal} structurally equal, {summary.different} different, "
        f"{summary.unsupported} unsupported; {summary.unpaired} without a message",
        style="green" if report.passed else "bold red",
    )


def _show_replay(report: ReplayReport) -> None:
    for row in report.scenarios:
        if row.outcome in {"different", "unsupported"}:
            output.line(f"{row.outcome.upper()} {row.scenario}: {row.first_difference}", style="red")
    summary = report.summary
    output.line(
        f"{summary.scenarios} scenarios: {summary.equal} equal, {summary.same_structure} of the same "
        f"structure, {summary.different} different, {summary.unsupported} unsupported",
        style="green" if report.passed else "bold red",
    )


def _write(file: Path, report: _Report) -> None:
    text = json.dumps(report.model_dump(mode="json"), indent=2)
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error


def _show(report: CheckReport) -> None:
    for row in report.messages:
        if row.failed:
            output.line(f"FAILED {row.file}: {_reason(row)}", style="red")
    output.console.print(_table(report.summary))
    keystore = report.keystore
    output.line(
        f"keys: {keystore.certificates} certificates, {keystore.private_keys} private keys"
        + (f" from {', '.join(keystore.folders)}" if keystore.folders else "")
    )
    for item in keystore.skipped:
        output.line(f"  not loaded: {item.name}: {item.reason}", style="dim")
    if report.passed:
        output.line(f"all {report.summary.messages} messages hold", style="green")
    else:
        output.line(
            f"{report.summary.failures} of {report.summary.messages} messages failed", style="bold red"
        )


def _reason(row: MessageRow) -> str:
    reasons = [] if row.error is None else [row.error]
    if row.mac == "failed":
        reasons.append("MAC does not match")
    if row.signature == "failed":
        reasons.append("signature does not match")
    if row.decoded and not row.reencoded_identical and row.error is None:
        reasons.append("written again it has other octets")
    return "; ".join(reasons)


def _table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    kinds = (
        f"{summary.commands} commands, {summary.pre_commands} pre-commands, "
        f"{summary.responses} responses, {summary.alerts} alerts"
    )
    rows = [
        ("messages", summary.messages, kinds),
        ("decoded", summary.decoded, f"{summary.opaque} with content that stays opaque"),
        ("named parameters", summary.named, f"{summary.generic_names} names that say nothing but a number"),
        ("written again identically", summary.reencoded_identical, ""),
    ]
    for name, counts in (("MACs verified", summary.mac), ("signatures verified", summary.signature)):
        rest = f"{counts.failed} failed, {counts.uncheckable} without a key, {counts.absent} absent"
        rows.append((name, counts.verified, rest))
    rows.append(("decrypted", summary.decrypted, f"{summary.sealed} without a key"))
    tokens = f"{summary.utrns_other} that these keys do not give"
    rows.append(("UTRNs recomputed", summary.utrns_recomputed, tokens))
    for name, count, rest in rows:
        table.add_row(name, str(count), Text(rest))
    return table
