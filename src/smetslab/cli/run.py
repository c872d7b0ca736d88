"""`smetslab run`: bring up a lab, run a suite on it, write the evidence pack, say what to do next."""

from __future__ import annotations

import shlex
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from smetslab.cli import output
from smetslab.cli.live import (
    RADIO_HINT,
    STDOUT,
    CaptureKeysOption,
    PcapOption,
    ZepOption,
    wanted,
)
from smetslab.cli.progress import STYLES, RunProgress
from smetslab.cli.suites import find_suite, print_cases
from smetslab.errors import UsageError
from smetslab.han.capture import KeyFile
from smetslab.harness.decoders import standard_decoders
from smetslab.harness.evidence.capture import RecordedCapture
from smetslab.harness.evidence.charts import in_words
from smetslab.harness.evidence.environment import describe_environment
from smetslab.harness.evidence.manifest import EVIDENCE, REPORT_HTML
from smetslab.harness.evidence.pack import PackContents, PackWriter, WrittenPack, choose_destination
from smetslab.harness.evidence.report import CaseReport, CheckReport
from smetslab.harness.runner import Listener, run_suite
from smetslab.harness.select import Selection, select
from smetslab.harness.verdict import Verdict, Waiver, load_waivers
from smetslab.pki import laboratory_key, user_data_folder

DEFAULT_SUITE = "f4-smoke"
MAX_SEED = 2**63 - 1
"""As in a lab file."""
_SHOWN_REASONS = 8
_SHOWN_NAMES = 6

_Globs = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="GLOB", help="Only cases whose id fits; may be repeated."),
]
_Obligations = Annotated[
    list[str] | None,
    typer.Option("--obligation", metavar="ID", help="Only cases that cite it, such as F4.3 or F4.3-C2."),
]
_UseCases = Annotated[
    list[str] | None,
    typer.Option("--use-case", metavar="NAME", help="Only cases about it, such as ECS17b."),
]


def run(
    *,
    suite: Annotated[str, typer.Argument(help="The suite to run.")] = DEFAULT_SUITE,
    lab: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lab file; by default the suite's own lab.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=MAX_SEED, help="Same seed, same run. By default the lab file's."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the evidence goes. By default smetslab-evidence/SUITE-SEED."),
    ] = None,
    case: _Globs = None,
    obligation: _Obligations = None,
    use_case: _UseCases = None,
    waivers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tolerated fails (TOML). They stay fails.")
    ] = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Write report.pdf too (needs the extra `report`).")
    ] = False,
    pcap: PcapOption = None,
    zep: ZepOption = None,
    pcap_keys: CaptureKeysOption = None,
    operator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who runs it, for the manifest; by default your account."),
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Show the chosen cases and run nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON for machines.")] = False,
) -> None:
    """Run a suite on a laboratory and write signed evidence. The exit code is the verdict."""
    chosen = find_suite(suite)
    selection = Selection(
        cases=tuple(case or ()), obligations=tuple(obligation or ()), use_cases=tuple(use_case or ())
    )
    cases = select(chosen.cases, selection)
    if list_only:
        print_cases(chosen, tuple(entry.id for entry in cases))
        return
    if pdf:
        _require_pdf()
    tolerated = load_waivers(waivers) if waivers else ()
    _check_waivers(tolerated, [entry.id for entry in chosen.cases])
    setup = chosen.prepare(lab)
    number = setup.seed if seed is None else seed
    signer = laboratory_key(user_data_folder())
    decoders = standard_decoders()
    contents = PackContents(
        suite=chosen,
        cases=cases,
        seed=number,
        selection=selection,
        inputs=setup.inputs,
        capabilities=setup.capabilities,
        equipment=setup.equipment,
        certificates=setup.certificates,
        waivers=tolerated,
    )
    started = _wall_clock()
    console = output.error_console if as_json or pcap == STDOUT else output.console
    destination = choose_destination(out, chosen.name, number)
    with (
        wanted(pcap, zep, pcap_keys) as capture,
        PackWriter(destination, contents, numbered=out is None) as writer,
    ):
        recorded = RecordedCapture(capture.sinks)
        with RunProgress(console) as progress:
            listeners: list[Listener] = [writer, progress] if console.is_terminal or not as_json else [writer]
            if capture.sinks:
                listeners.append(recorded)
            result = run_suite(chosen, setup, number, cases=cases, decoders=decoders, listeners=listeners)
        environment = describe_environment(
            started=started, finished=_wall_clock(), laboratory=signer.certificate, operator=operator
        )
        pack = writer.finish(result, signer=signer, environment=environment, decoders=decoders, pdf=pdf)
        if capture.key_file is not None:
            KeyFile(capture.key_file).keep(result.capture_keys)
        if as_json:
            _print_json(pack)
        else:
            _print_summary(pack, started.date(), _again(suite, lab, number))
    if capture.sinks and not recorded.frames:
        raise UsageError(
            f"nothing was on the air, so there is nothing to capture; the evidence is in {pack.path}",
            hint=RADIO_HINT,
        )
    raise typer.Exit(Verdict.of_word(pack.report.verdict).exit_code)


def _wall_clock() -> datetime:
    """Real time, for the environment of the manifest and for waivers alone."""
    return datetime.now(UTC)  # noqa: TID251 - when a run really took place is a fact about it


def _require_pdf() -> None:
    """Find out before a long run, not after it."""
    import smetslab.harness.evidence.pdf  # noqa: F401, PLC0415


def _check_waivers(waivers: tuple[Waiver, ...], cases: list[str]) -> None:
    for entry in waivers:
        if entry.case not in cases:
            raise UsageError(
                f"a waiver is for case {entry.case}, which the suite does not have",
                hint="`smetslab suites` lists the cases",
            )


def _again(suite: str, lab: Path | None, seed: int) -> str:
    lab_option = f" --lab {shlex.quote(str(lab))}" if lab else ""
    return f"smetslab run {suite}{lab_option} --seed {seed}"


def _print_json(pack: WrittenPack) -> None:
    output.print_json(
        {
            "schema_version": 1,
            "evidence": str(pack.path),
            "exit_code": Verdict.of_word(pack.report.verdict).exit_code,
            "report": pack.report.model_dump(mode="json"),
        }
    )


def _print_summary(pack: WrittenPack, today: date, again: str) -> None:
    report = pack.report
    groups = report.troubles()
    for case, *others in groups[:_SHOWN_REASONS]:
        output.line("")
        _print_case(case, pack.path, today, again)
        if others:
            names = ", ".join(other.case for other in others[:_SHOWN_NAMES])
            more = f", and {len(others) - _SHOWN_NAMES} more" if len(others) > _SHOWN_NAMES else ""
            output.line(f"  likewise  {names}{more}")
    if len(groups) > _SHOWN_REASONS:
        left = sum(len(cases) for cases in groups[_SHOWN_REASONS:])
        output.line("")
        output.line(f"and {left} more cases: see {pack.path / REPORT_HTML}")
    undeclared = [entry for entry in report.not_run if entry.applicability == "not stated"]
    for entry in undeclared:
        output.line("")
        output.line(f"not run: {entry.case}: {entry.reason}", style="yellow")
    output.line("")
    not_run = f", {len(report.not_run)} not run" if report.not_run else ""
    output.console.print(
        Text.assemble(
            (report.verdict, STYLES[report.verdict]),
            f"  {report.suite.title}: {in_words(report.counts)}{not_run}; "
            f"{report.checks} checks, {report.observations} observations, seed {report.seed}",
        ),
        soft_wrap=True,
    )
    output.line(f"report    {pack.path / REPORT_HTML}")
    output.line(f"verify    smetslab evidence verify {shlex.quote(str(pack.path))}")


def _print_case(case: CaseReport, path: Path, today: date, again: str) -> None:
    output.console.print(
        Text.assemble((case.verdict, STYLES[case.verdict]), f"  {case.case}  ", (case.title, "bold")),
        soft_wrap=True,
    )
    check = next((entry for entry in case.checks if entry.outcome == case.verdict), None)
    if check is not None:
        _print_check(case, check)
    else:
        output.line(f"  because   {case.reason}")
    first, last = case.evidence
    output.line(f"  evidence  {path / EVIDENCE}, records {first} to {last}{_proof(check)}")
    for waiver in case.waivers:
        state = "until" if today <= waiver.expiry else "EXPIRED"
        output.line(
            f"  waived    {waiver.clause}: {waiver.reason} ({waiver.author}, {state} {waiver.expiry})"
        )
    output.line(f"  again     {again} --case {case.case}")


def _print_check(case: CaseReport, check: CheckReport) -> None:
    step = next(
        (f" (step {entry.step}: {entry.title})" for entry in case.steps if entry.step == check.step), ""
    )
    output.line(f"  check     {check.what}{step}")
    output.line(f"  expected  {check.expected}")
    output.line(f"  found     {check.actual}")
    if check.spec:
        output.line(f"  clause    {check.spec}")


def _proof(check: CheckReport | None) -> str:
    if check is None or not check.observations:
        return ""
    return f"; proof: observations {', '.join(str(number) for number in check.observations)}"
