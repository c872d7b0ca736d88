"""`smetslab gbcs explain` and `diff`: what a message is, where it is wrong, how it differs from another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from smetslab.cli import output
from smetslab.cli.captures import begins_as_capture, capture_keys, capture_octets
from smetslab.cli.gbcs_input import (
    KeysOption,
    ManyKeysOption,
    MessageArgument,
    given_octets,
    given_text,
    key_lookup,
    not_given,
)
from smetslab.duis.limits import MAX_FIRMWARE_DOCUMENT_BYTES
from smetslab.duis.payloads import find_payloads, is_xml
from smetslab.errors import GbcsDecodeError, UsageError
from smetslab.gbcs.triage import Check, Difference, Explanation, Finding, Outcome, compare, explain
from smetslab.gbcs.triage.given import Given, read_given
from smetslab.gbcs.triage.view import (
    DiffReport,
    ExplainReport,
    diff_schema,
    difference_view,
    explanation_schema,
    explanation_view,
)
from smetslab.gbcs.values import to_hex
from smetslab.harness.air import ReadFrame, read_frames
from smetslab.harness.captured import captured_messages

_STYLES = {
    Outcome.PASS: ("  ok     ", "green"),
    Outcome.FAIL: ("  WRONG  ", "bold red"),
    Outcome.DOUBT: ("  odd    ", "yellow"),
    Outcome.UNKNOWN: ("  ?      ", "dim"),
}
_EXCERPT = 8
MAX_CAPTURED: Final = 10_000
"""Messages of a capture that are explained at a time."""
_SHORTEST = 16
"""Fewer octets as an argument are rather a mistyped name of a file."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A message to explain and where it stood."""

    name: str
    given: Given


def explain_message(
    message: MessageArgument = "-",
    *,
    keys: ManyKeysOption = None,
    search: Annotated[
        bool,
        typer.Option(
            "--search/--no-search", help="Look for the one change that would make a wrong message right."
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema of the JSON instead.")] = False,
) -> None:
    """Tell in plain words what a message is, who sent it to whom, what is right and where it is wrong.

    Takes damaged messages too, DUIS documents with messages in them, and captures of a home network: those
    are opened with the keys of FILE.zigbee_pc_keys beside them, or of a --keys of that form. Exit code 1 when
    something is wrong.
    """
    if schema:
        output.print_json(explanation_schema())
        return
    stores, radio_keys = _sorted_out(keys or [])
    lookup = key_lookup(stores[0] if stores else None)
    explained = [
        (source, _explained(source, explain(source.given.data, lookup, search=search)))
        for source in _sources(message, radio_keys)
    ]
    if as_json:
        views = [explanation_view(explanation, source.name) for source, explanation in explained]
        output.print_json(ExplainReport(messages=views).model_dump(mode="json"))
    else:
        for number, (source, explanation) in enumerate(explained):
            if number:
                output.line("")
            _show(source, explanation, several=len(explained) > 1)
        if not stores and any(_lacks_keys(explanation) for _, explanation in explained):
            output.line("MAC and signature are checked with keys: --keys KEYSTORE", style="dim")
    if any(explanation.failures for _, explanation in explained):
        raise typer.Exit(output.EXIT_FAIL)


def _lacks_keys(explanation: Explanation) -> bool:
    return any(
        one.outcome is Outcome.UNKNOWN and one.check in {Check.MAC, Check.SIGNATURE}
        for one in explanation.findings
    )


def _sorted_out(given: list[Path]) -> tuple[list[Path], list[Path]]:
    """Key stores of GBCS keys, and files of ZigBee keys: told apart by what is in them. Raises UsageError."""
    stores: list[Path] = []
    radio_keys: list[Path] = []
    for place in given:
        (radio_keys if place.is_file() and _is_key_file(place) else stores).append(place)
    if len(stores) > 1 or len(radio_keys) > 1:
        raise UsageError("--keys: at most one key store, and one file of ZigBee keys")
    return stores, radio_keys


def _is_key_file(place: Path) -> bool:
    with place.open("rb") as stream:
        head = stream.read(400)
    lines = [line for line in head.decode("utf-8", "replace").splitlines() if line.strip()]
    return bool(lines) and all(line.lstrip().startswith(("#", '"')) for line in lines[:2])


def _from_capture(file: Path, radio_keys: list[Path]) -> list[_Source]:
    """The messages in a capture, named by the frames that end them."""
    opened = capture_keys(file, radio_keys[0] if radio_keys else None, [])
    counted = sealed = 0

    def frames() -> Iterator[ReadFrame]:
        nonlocal counted, sealed
        for frame in read_frames(capture_octets(file), opened):
            counted += 1
            sealed += frame.dissection.problem.startswith("no key")
            yield frame

    sources: list[_Source] = []
    for message in captured_messages(frames()):
        if len(sources) == MAX_CAPTURED:
            raise UsageError(
                f"{file}: more than {MAX_CAPTURED} messages",
                hint="cut it with editcap, or use `han decode --gbcs`",
            )
        numbers = f"frame{'s' if len(message.frames) > 1 else ''} {', '.join(map(str, message.frames))}"
        name = f"{file}, {numbers}: {message.source} to {message.destination}"
        sources.append(_Source(name, Given(message.octets)))
    if not sources:
        why = f"{sealed} of {counted} frames are sealed with other keys" if sealed else f"{counted} frames"
        raise UsageError(f"{file}: no GBCS message in it ({why})", hint="give the keys with --keys FILE")
    return sources


def _sources(message: str, radio_keys: list[Path]) -> list[_Source]:
    if message != "-" and _is_capture(message):
        return _from_capture(Path(message), radio_keys)
    if radio_keys:
        raise UsageError(f"{radio_keys[0]}: ZigBee keys open captures, and this is none")
    given, in_place = given_text(message, limit=MAX_FIRMWARE_DOCUMENT_BYTES)
    if is_xml(given):
        return _from_xml(given)
    try:
        read = read_given(given)
    except GbcsDecodeError as error:
        if in_place:
            raise not_given(message, error) from error
        raise
    if in_place and len(read.data) < _SHORTEST:
        raise not_given(message, GbcsDecodeError("too short for a message", found=f"{len(read.data)} octets"))
    return [_Source("the argument" if in_place else message, read)]


def _is_capture(message: str) -> bool:
    try:
        return Path(message).is_file() and begins_as_capture(Path(message))
    except (OSError, ValueError):  # a long hex text is no possible name of a file
        return False


def _from_xml(document: bytes) -> list[_Source]:
    found = find_payloads(document, limit=MAX_FIRMWARE_DOCUMENT_BYTES)
    if found.fault is not None:
        output.error(str(found.fault))
    if not found.payloads:
        raise UsageError(
            "the document holds no GBCSPayload", hint="smetslab duis validate shows what it says"
        )
    sources: list[_Source] = []
    for payload in found.payloads:
        findings: tuple[Finding, ...] = ()
        if payload.fault:
            findings = (
                Finding(
                    check=Check.INPUT,
                    outcome=Outcome.FAIL,
                    text=f"the base64: {payload.fault}",
                    field="the text",
                ),
            )
        sources.append(_Source(payload.path, Given(payload.octets, findings)))
    return sources


def _explained(source: _Source, explanation: Explanation) -> Explanation:
    """The explanation, with what was wrong with the text in front."""
    found = source.given.findings
    if not found:
        return explanation
    return replace(
        explanation, findings=(*found, *explanation.findings), first_wrong=explanation.first_wrong or found[0]
    )


def _show(source: _Source, explanation: Explanation, *, several: bool) -> None:
    if several:
        output.line(source.name, style="dim")
    output.line(explanation.title, style="bold")
    for sentence in explanation.summary:
        output.line(sentence)
    output.line("")
    for finding in explanation.findings:
        _show_finding(finding)
    if explanation.statements:
        output.line("")
        output.line("What it says:")
        for statement in explanation.statements:
            output.line(f"  {statement}")
    output.line("")
    _show_place(explanation)
    output.line(explanation.verdict, style="bold red" if explanation.failures else "bold green")


def _show_finding(finding: Finding) -> None:
    mark, style = _STYLES[finding.outcome]
    line = Text(mark, style=style)
    line.append(f"{finding.check.value}: {finding.text}", style="default")
    if finding.outcome is Outcome.FAIL:
        if finding.expected:
            line.append(f"; expected {finding.expected}")
        if finding.found:
            line.append(f"{',' if finding.expected else ';'} found {finding.found}")
        if finding.field and finding.field not in finding.text:
            line.append(f"; {finding.field}" + ("" if finding.offset is None else f", byte {finding.offset}"))
        if finding.spec:
            line.append(f" ({finding.spec})", style="dim")
    elif finding.outcome is Outcome.DOUBT and finding.field:
        line.append(f"; {finding.field}" + ("" if finding.offset is None else f", byte {finding.offset}"))
    output.console.print(line, soft_wrap=True)


def _show_place(explanation: Explanation) -> None:
    """The first wrong octet with those around it."""
    first = explanation.first_wrong
    if first is None:
        return
    if first.offset is None:
        output.line(f"First fault: in {first.field}.", style="bold")
        return
    data, offset = explanation.data, first.offset
    before = data[max(0, offset - _EXCERPT) : offset].hex(" ").upper()
    after = data[offset + 1 : offset + 1 + _EXCERPT].hex(" ").upper()
    here = f"{data[offset]:02X}" if offset < len(data) else "end"
    joint = ", " if first.field.startswith("behind") else " in "
    place = f"{joint}{first.field}" if first.field else ""
    output.line(f"First wrong byte: {offset}{place}.", style="bold")
    output.line(f"  {'... ' if offset > _EXCERPT else ''}{before} [{here}] {after}".rstrip())


def diff(
    left: Annotated[str, typer.Argument(metavar="A", help="A message: hex digits, base64, or a file.")],
    right: Annotated[str, typer.Argument(metavar="B", help="The other one; either may be -.")],
    *,
    keys: KeysOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema of the JSON instead.")] = False,
) -> None:
    """Compare two messages field by field. Exit code 0 when they are the same, 1 when they differ."""
    if schema:
        output.print_json(diff_schema())
        return
    if left == right == "-":
        raise UsageError("standard input can be one of the messages only", hint="give a file for the other")
    ours, theirs = given_octets(left), given_octets(right)
    differences = compare(ours, theirs, None if keys is None else key_lookup(keys))
    if as_json:
        views = [difference_view(one) for one in differences]
        result = DiffReport(left=to_hex(ours), right=to_hex(theirs), same=ours == theirs, differences=views)
        output.print_json(result.model_dump(mode="json"))
    elif ours == theirs:
        output.line("the same, octet for octet")
    else:
        for one in differences:
            _show_difference(one)
    if ours != theirs:
        raise typer.Exit(output.EXIT_FAIL)


def _show_difference(difference: Difference) -> None:
    output.line(difference.path, style="cyan")
    for sign, value, offset, style in (
        ("-", difference.left, difference.left_offset, "red"),
        ("+", difference.right, difference.right_offset, "green"),
    ):
        if value is not None:
            output.line(f"  {sign} {value}   (byte {offset})", style=style)
