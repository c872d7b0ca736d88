"""`smetslab evidence`: check, show and compare evidence packs, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from smetslab.cli import output
from smetslab.cli.progress import STYLES
from smetslab.errors import CertificateError, CodecError, UsageError
from smetslab.harness.decoders import standard_decoders
from smetslab.harness.evidence.charts import in_words
from smetslab.harness.evidence.compare import compare_packs
from smetslab.harness.evidence.manifest import MANIFEST, REPORT_JSON, Manifest
from smetslab.harness.evidence.report import Report
from smetslab.harness.evidence.source import open_pack
from smetslab.harness.evidence.verify import Verification, verify_pack
from smetslab.pki import Certificate, laboratory_key, parse_certificate, user_data_folder
from smetslab.pki.files import LABORATORY_FOLDER

app = typer.Typer(help="Evidence packs: check, show, compare.", no_args_is_help=True)

_SHOWN_PROBLEMS = 20

_Pack = Annotated[Path, typer.Argument(metavar="DIR", help="The folder `run` wrote, or a zip archive of it.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("verify")
def verify(
    *,
    pack: _Pack,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CERT",
            help="A signer's certificate to trust besides your own laboratory's; may be repeated.",
        ),
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Check signature, files, chain, messages and verdicts. Exit code 0 all holds, 1 broken, 4 signer not
    trusted.
    """
    found = verify_pack(
        pack, trusted=[*_own(), *map(_certificate, trust or ())], decoders=standard_decoders()
    )
    if as_json:
        output.print_json(_verification_json(found))
    else:
        _print_verification(found)
    raise typer.Exit(found.exit_code)


@app.command("show")
def show(*, pack: _Pack, as_json: _AsJson = False) -> None:
    """Show what a pack says of its run. It is not checked: see `verify`."""
    manifest, report = _load(pack)
    if as_json:
        output.print_json({"schema_version": 1, "manifest": manifest.model_dump(mode="json")})
        return
    facts = (
        ("run", manifest.run_id),
        ("suite", f"{manifest.suite.title} ({manifest.suite.name}, version {manifest.suite.version})"),
        ("verdict", f"{manifest.verdict}: {in_words(manifest.counts)}, {manifest.not_run} not run"),
        ("seed", str(manifest.seed)),
        ("tool", f"smetslab {manifest.tool.version}"),
        ("laboratory", f"{manifest.environment.laboratory}, {manifest.environment.operator}"),
        ("run on", f"{manifest.environment.started} at {manifest.environment.host}"),
        ("records", str(manifest.chain.records)),
    )
    for name, value in facts:
        output.line(f"{name:<11} {value}")
    for entry in manifest.equipment:
        parts = (
            entry.name,
            entry.type,
            entry.variant,
            entry.eui64,
            entry.firmware_version,
            entry.realisation,
        )
        output.line(f"{entry.role:<11} {' '.join(part for part in parts if part)}")
    output.line("")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Verdict", "Case", "Title"):
        table.add_column(column, overflow="fold")
    for case in report.cases:
        table.add_row(Text(case.verdict, STYLES[case.verdict]), Text(case.case), Text(case.title))
    for skipped in report.not_run:
        table.add_row(Text("not run", "dim"), Text(skipped.case), Text(skipped.reason))
    output.console.print(table)


@app.command("diff")
def diff(*, first: _Pack, second: _Pack, as_json: _AsJson = False) -> None:
    """Compare two packs but for their declared environment. Exit code 0 nothing differs, 1 something does."""
    differences = compare_packs(first, second)
    if as_json:
        output.print_json(
            {
                "schema_version": 1,
                "differences": [
                    {"place": entry.place, "first": entry.first, "second": entry.second}
                    for entry in differences
                ],
            }
        )
    for entry in () if as_json else differences:
        output.line(entry.place, style="bold")
        output.line(f"  first   {entry.first}")
        output.line(f"  second  {entry.second}")
    if not differences and not as_json:
        output.line("no difference but in the declared environment")
    raise typer.Exit(1 if differences else 0)


def _own() -> list[Certificate]:
    """The local laboratory's certificate; a laboratory that has signed nothing yet has none."""
    folder = user_data_folder()
    return [laboratory_key(folder).certificate] if (folder / LABORATORY_FOLDER).exists() else []


def _certificate(file: Path) -> Certificate:
    try:
        return parse_certificate(file.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", hint="--trust wants a certificate"
        ) from error
    except CertificateError as error:
        raise UsageError(f"{file}: {error}", hint="--trust wants one certificate, PEM or DER") from error


def _load(path: Path) -> tuple[Manifest, Report]:
    with open_pack(path) as files:
        try:
            return Manifest.from_bytes(files.read(MANIFEST)), Report.model_validate_json(
                files.read(REPORT_JSON)
            )
        except KeyError as error:
            raise UsageError(
                f"{path} has no {error.args[0]}", hint="`smetslab evidence verify` says more"
            ) from None
        except (CodecError, ValueError) as error:
            raise UsageError(
                f"{path} cannot be read: {error}", hint="`smetslab evidence verify` says more"
            ) from error


def _verification_json(found: Verification) -> dict[str, output.Json]:
    signer = found.signer
    return {
        "schema_version": 1,
        "pack": str(found.path),
        "outcome": found.outcome,
        "exit_code": found.exit_code,
        "signer": None
        if signer is None
        else {"name": signer.name, "fingerprint": signer.fingerprint, "trusted": signer.trusted},
        "run_id": found.manifest.run_id if found.manifest else None,
        "verdict": found.manifest.verdict if found.manifest else None,
        "files": found.files,
        "records": found.records,
        "messages": found.messages,
        "checks": found.checks,
        "cases": found.cases,
        "problems": [{"place": problem.place, "what": problem.what} for problem in found.problems],
        "notes": list(found.notes),
    }


def _print_verification(found: Verification) -> None:
    for problem in found.problems[:_SHOWN_PROBLEMS]:
        output.console.print(Text.assemble(("broken  ", "bold red"), str(problem)), soft_wrap=True)
    if len(found.problems) > _SHOWN_PROBLEMS:
        output.line(f"and {len(found.problems) - _SHOWN_PROBLEMS} more problems: see --json")
    for note in found.notes:
        output.line(f"note    {note}")
    signer = found.signer
    if signer is not None:
        trust = "trusted" if signer.trusted else "NOT TRUSTED"
        output.line(f"signer  {signer.name}, {trust}")
        output.line(f"        {signer.fingerprint}")
    output.line(
        f"read    {found.files} files, {found.records} records; made again: {found.messages} messages, "
        f"{found.checks} checks, {found.cases} verdicts"
    )
    if found.manifest is not None:
        output.line(
            f"run     {found.manifest.run_id}: {found.manifest.verdict}, {in_words(found.manifest.counts)}"
        )
    match found.outcome:
        case "verified":
            output.line(
                "verified: the pack is whole, and every verdict follows from its records", style="green"
            )
        case "broken":
            output.line("BROKEN: do not rely on this pack", style="bold red")
        case "untrusted":
            output.line("unbroken, but signed by somebody you have not said you trust", style="yellow")
            output.line("  compare the fingerprint with the laboratory's, then add: --trust CERT")
