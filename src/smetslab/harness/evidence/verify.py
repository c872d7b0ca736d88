"""Checking an evidence pack offline, with nothing but the pack and the certificates one trusts.

Seven questions: did the signer sign this manifest; do I trust the signer; is every file there, unaltered and
no other; does the chain of records hold; does each recorded message mean what the record says; does each
verdict follow from its checks; do manifest and reports say what the records say. Every problem names its
place. A `report.pdf` is not made again: it is what was signed, and no more is said of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

import smetslab
from smetslab.crypto import sha256
from smetslab.errors import CodecError
from smetslab.harness.decoding import Decoders
from smetslab.harness.evidence.chain import Break, Link, read_chain
from smetslab.harness.evidence.html import render_html
from smetslab.harness.evidence.junit import render_junit
from smetslab.harness.evidence.manifest import (
    EVIDENCE,
    JUNIT,
    MANIFEST,
    REPORT_HTML,
    REPORT_JSON,
    SIGNATURE,
    Manifest,
)
from smetslab.harness.evidence.recheck import recheck
from smetslab.harness.evidence.report import Report, RunHeader, build_report
from smetslab.harness.evidence.sign import DetachedSignature, fingerprint
from smetslab.harness.evidence.source import PackFiles, open_pack
from smetslab.harness.plain import canonical_json
from smetslab.harness.records import RECORDS, Record, RunEnded, RunStarted
from smetslab.harness.verdict import Verdict, worst
from smetslab.pki import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that does not hold. `place`: the file, and the record where there is one."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerReport:
    """Who signed. `trusted`: by a certificate that the reader trusts."""

    name: str
    fingerprint: str
    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found. `notes` are worth knowing and break nothing."""

    path: Path
    manifest: Manifest | None
    signer: SignerReport | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    files: int
    records: int
    messages: int
    checks: int
    cases: int

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 something is broken, 4 all holds but the signer is not trusted."""
        if self.problems:
            return 1
        return 0 if self.signer is not None and self.signer.trusted else 4

    @property
    def outcome(self) -> Literal["verified", "broken", "untrusted"]:
        return {0: "verified", 1: "broken", 4: "untrusted"}[self.exit_code]  # type: ignore[return-value]


def verify_pack(path: Path, *, trusted: Sequence[Certificate], decoders: Decoders) -> Verification:
    """Check the pack at `path`. UsageError when there is none."""
    with open_pack(path) as files:
        return _verify(path, files, trusted, decoders)


def _verify(path: Path, files: PackFiles, trusted: Sequence[Certificate], decoders: Decoders) -> Verification:
    problems: list[Problem] = []
    notes: list[str] = []
    names = files.names()
    manifest_bytes = _read(files, MANIFEST, problems)
    signer = _check_signature(files, manifest_bytes, trusted, problems)
    manifest = _read_manifest(manifest_bytes, problems)
    if manifest is not None:
        problems += _check_files(files, names, manifest)
    evidence = _content(files, EVIDENCE) or b""
    links, breaks = _split(read_chain(evidence))
    problems += [
        Problem(place=f"{EVIDENCE} record {entry.sequence}{_about(entry, links)}", what=entry.what)
        for entry in breaks
    ]
    if manifest is not None and EVIDENCE in names:
        problems += _check_root(links, manifest, broken=bool(breaks))
    records, unreadable = _typed(links)
    problems += unreadable
    same_tool = manifest is not None and manifest.tool.version == smetslab.__version__
    complete = not breaks and not unreadable
    findings = recheck(records, decoders, complete=complete)
    problems += [
        Problem(place=f"{EVIDENCE} record {entry.sequence} ({entry.about})", what=entry.what)
        for entry in findings.wrong
        if same_tool or not entry.depends_on_tool
    ]
    if not same_tool and manifest is not None:
        differing = sum(entry.depends_on_tool for entry in findings.wrong)
        notes.append(
            f"written by smetslab {manifest.tool.version}, read by {smetslab.__version__}"
            + (f"; {differing} messages are described differently" if differing else "")
        )
    summary = _content(files, REPORT_JSON)
    if manifest is not None and complete:
        problems += _check_manifest(manifest, [record for _, record in records])
        if summary is not None:
            problems += _check_summary(summary, manifest, findings.verdicts)
        if same_tool and not problems:
            problems += _check_pages(files, manifest, [record for _, record in records], decoders)
    return Verification(
        path=path,
        manifest=manifest,
        signer=signer,
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(notes),
        files=len(names),
        records=len(records),
        messages=findings.messages,
        checks=findings.checks,
        cases=len(findings.verdicts),
    )


def _read(files: PackFiles, name: str, problems: list[Problem]) -> bytes | None:
    try:
        return files.read(name)
    except KeyError:
        problems.append(Problem(place=name, what="missing"))
        return None


def _content(files: PackFiles, name: str) -> bytes | None:
    try:
        return files.read(name)
    except KeyError:
        return None


def _check_signature(
    files: PackFiles, manifest: bytes | None, trusted: Sequence[Certificate], problems: list[Problem]
) -> SignerReport | None:
    """Who signed the manifest; None, and a problem, when nobody did."""
    data = _read(files, SIGNATURE, problems)
    if data is None:
        return None
    try:
        signature = DetachedSignature.from_bytes(data)
    except CodecError as error:
        problems.append(Problem(place=SIGNATURE, what=f"altered: {error}"))
        return None
    certificate = signature.certificate
    if certificate.self_issued and not certificate.signed_by(certificate.public_key):
        problems.append(Problem(place=SIGNATURE, what="altered: the signer's certificate is broken"))
    if manifest is not None and sha256(manifest) != signature.manifest_sha256:
        problems.append(Problem(place=MANIFEST, what="altered: it is not what was signed"))
    elif manifest is not None and not signature.verifies(manifest):
        problems.append(Problem(place=SIGNATURE, what="altered: the signature is not the signer's"))
    return SignerReport(
        name=str(certificate.subject),
        fingerprint=fingerprint(certificate),
        trusted=any(_vouches(anchor, certificate) for anchor in trusted),
    )


def _vouches(anchor: Certificate, certificate: Certificate) -> bool:
    """The trusted certificate itself, or one for signatures that a trusted authority issued directly."""
    if anchor.der == certificate.der:
        return True
    is_authority = anchor.basic_constraints is not None and anchor.basic_constraints.is_authority
    return (
        is_authority
        and "digital_signature" in certificate.usage_bits
        and certificate.issuer.matches(anchor.subject)
        and certificate.signed_by(anchor.public_key)
    )


def _read_manifest(data: bytes | None, problems: list[Problem]) -> Manifest | None:
    if data is None:
        return None
    try:
        return Manifest.from_bytes(data)
    except CodecError as error:
        problems.append(Problem(place=MANIFEST, what=f"not readable: {error}"))
        return None


def _check_files(files: PackFiles, names: Sequence[str], manifest: Manifest) -> Iterator[Problem]:
    for name, entry in manifest.files.items():
        if name not in names:
            if name not in (MANIFEST, SIGNATURE):
                yield Problem(place=name, what="missing")
            continue
        content = _content(files, name)
        if content is None:
            yield Problem(place=name, what="altered: no regular file any more")
            continue
        if sha256(content).hex() != entry.sha256:
            size = (
                "" if len(content) == entry.octets else f" ({len(content)} octets instead of {entry.octets})"
            )
            yield Problem(place=name, what=f"altered{size}")
    for name, times in Counter(names).items():
        if name not in manifest.files and name not in (MANIFEST, SIGNATURE):
            yield Problem(place=name, what="added: the manifest does not know it")
        elif times > 1:
            yield Problem(place=name, what="added: the archive holds it more than once")


def _split(entries: Iterator[Link | Break]) -> tuple[list[Link], list[Break]]:
    links: list[Link] = []
    breaks: list[Break] = []
    for entry in entries:
        if isinstance(entry, Link):
            links.append(entry)
        else:
            breaks.append(entry)
    return links, breaks


def _about(entry: Break, links: Sequence[Link]) -> str:
    """The kind and case of a broken record, as far as it can still be read."""
    for link in links:
        if link.sequence == entry.sequence:
            kind, case = link.body.get("record"), link.body.get("case")
            words = [str(word) for word in (kind, f"of case {case}" if case else None) if word]
            return f" ({' '.join(words)})" if words else ""
    return ""


def _check_root(links: Sequence[Link], manifest: Manifest, *, broken: bool) -> Iterator[Problem]:
    """The chain as the manifest knows it. A whole chain with another root was made anew: name the first
    such case.
    """
    chain = manifest.chain
    if len(links) != chain.records:
        yield Problem(
            place=EVIDENCE, what=f"{len(links)} readable records, the manifest counts {chain.records}"
        )
    same_root = bool(links) and links[-1].hash == chain.root
    if not same_root:
        yield Problem(place=EVIDENCE, what="the last record is not the one the manifest names")
    if broken:
        return
    hashes = {link.sequence: link.hash for link in links}
    first = 0
    for checkpoint in chain.checkpoints:
        if hashes.get(checkpoint.sequence) != checkpoint.hash:
            case = f"case {checkpoint.case}"
            if same_root:
                yield Problem(place=MANIFEST, what=f"its checkpoint of {case} is not that of the chain")
            else:
                place = f"{EVIDENCE} records {first} to {checkpoint.sequence} ({case})"
                yield Problem(place=place, what="altered and chained anew")
            return
        first = checkpoint.sequence + 1


def _typed(links: Sequence[Link]) -> tuple[list[tuple[int, Record]], list[Problem]]:
    """The records with their numbers; what has a hash but is no record of ours is a problem."""
    records: list[tuple[int, Record]] = []
    problems: list[Problem] = []
    for link in links:
        try:
            records.append((link.sequence, RECORDS.validate_json(canonical_json(link.body))))
        except ValidationError as error:
            first = error.errors()[0]
            member = ".".join(str(part) for part in first["loc"])
            problems.append(
                Problem(
                    place=f"{EVIDENCE} record {link.sequence}",
                    what=f"no record: {member}: {first['msg']}".rstrip(),
                )
            )
    return records, problems


def _check_manifest(manifest: Manifest, records: Sequence[Record]) -> Iterator[Problem]:
    """What the manifest says of the run is what the first and the last record say."""
    match records:
        case [RunStarted() as start, *_, RunEnded() as end]:
            pass
        case _:
            return  # named already
    pairs = (
        ("suite", manifest.suite.name, start.suite),
        ("suite title", manifest.suite.title, start.suite_title),
        ("suite version", manifest.suite.version, start.suite_version),
        ("tool version", manifest.tool.version, start.tool_version),
        ("seed", manifest.seed, start.seed),
        ("counts", manifest.counts, end.counts),
        ("number of cases not run", manifest.not_run, end.not_run),
    )
    for what, claimed, recorded in pairs:
        if claimed != recorded:
            yield Problem(place=MANIFEST, what=f"{what}: says {claimed}, the records say {recorded}")


def _check_pages(
    files: PackFiles, manifest: Manifest, records: Sequence[Record], decoders: Decoders
) -> Iterator[Problem]:
    """The reports, made again from the records: only the tool that wrote them writes the same octets."""
    try:
        report = build_report(RunHeader.of(manifest), records)
        pages = {
            REPORT_JSON: report.to_bytes(),
            JUNIT: render_junit(report),
            REPORT_HTML: render_html(report, records, decoders),
        }
    except (KeyError, ValueError) as error:
        # An obligation that nobody knows, a time that is none: no run of this laboratory records such.
        yield Problem(place=EVIDENCE, what=f"no report can be made of it: {error}")
        return
    for name, page in pages.items():
        if _content(files, name) != page:
            yield Problem(place=name, what="says something else than the records")


def _check_summary(data: bytes, manifest: Manifest, verdicts: dict[str, str]) -> Iterator[Problem]:
    """The verdicts of `report.json` and of the manifest are those of the records."""
    try:
        report = Report.model_validate_json(data)
    except ValidationError as error:
        yield Problem(place=REPORT_JSON, what=f"not readable: {error.errors()[0]['msg']}")
        return
    for case in report.cases:
        if case.case in verdicts and verdicts[case.case] != case.verdict:
            yield Problem(
                place=REPORT_JSON,
                what=f"case {case.case} is reported as {case.verdict}, its records say {verdicts[case.case]}",
            )
    if sorted(case.case for case in report.cases) != sorted(verdicts):
        yield Problem(place=REPORT_JSON, what="does not report the cases that ran")
    overall = worst(Verdict.of_word(word) for word in verdicts.values()).word
    for place, claimed in ((REPORT_JSON, report.verdict), (MANIFEST, manifest.verdict)):
        if claimed != overall:
            yield Problem(place=place, what=f"says {claimed} of the run, its records say {overall}")
