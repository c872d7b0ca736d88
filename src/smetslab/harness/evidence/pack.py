"""Writing an evidence pack: the records as they happen, everything else at the end, then one rename.

Until the pack is whole and signed it stands in a hidden folder beside its destination; whatever goes wrong,
the destination is either the whole pack or not there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Protocol

import smetslab
from smetslab.crypto import PrivateKey, sha256
from smetslab.errors import LocalProtocolError, UsageError
from smetslab.harness.case import AnyCase
from smetslab.harness.conditions import Capabilities
from smetslab.harness.decoding import Decoders
from smetslab.harness.equipment import CertificateSummary, Equipment
from smetslab.harness.evidence.capture import CAPTURE, capture_of
from smetslab.harness.evidence.chain import ChainWriter
from smetslab.harness.evidence.html import render_html
from smetslab.harness.evidence.junit import render_junit
from smetslab.harness.evidence.manifest import (
    EVIDENCE,
    INPUTS,
    JUNIT,
    MANIFEST,
    REPORT_HTML,
    REPORT_JSON,
    REPORT_PDF,
    SIGNATURE,
    ChainEntry,
    Checkpoint,
    Environment,
    FileEntry,
    Manifest,
    SelectionEntry,
    SuiteReference,
    Tool,
    WaiverEntry,
)
from smetslab.harness.evidence.report import Report, RunHeader, build_report
from smetslab.harness.evidence.sign import sign_manifest
from smetslab.harness.plain import canonical_json
from smetslab.harness.records import CaseEnded, Record
from smetslab.harness.runner import RunResult
from smetslab.harness.select import Selection
from smetslab.harness.suite import AnySuite
from smetslab.harness.verdict import Waiver
from smetslab.pki import Certificate
from smetslab.zigbee.capture.keys import KEYS_SUFFIX, key_file


class Signer(Protocol):
    """The laboratory's identity: its key and the certificate of it."""

    @property
    def private_key(self) -> PrivateKey: ...

    @property
    def certificate(self) -> Certificate: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PackContents:
    """What a pack says besides its records: all of it known before the run."""

    suite: AnySuite
    cases: Sequence[AnyCase]
    seed: int
    selection: Selection = field(default_factory=Selection)
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    capabilities: Capabilities = field(default_factory=Capabilities)
    equipment: tuple[Equipment, ...] = ()
    certificates: tuple[CertificateSummary, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    def header(self) -> RunHeader:
        """The part a report needs. The run id depends on what is run with what, and on nothing else."""
        selection = SelectionEntry(
            cases=self.selection.cases,
            obligations=self.selection.obligations,
            use_cases=self.selection.use_cases,
        )
        names = dict.fromkeys(name for case in self.cases for name in case.applies_when.names)
        waivers = tuple(
            WaiverEntry(
                case=entry.case,
                clause=entry.clause,
                reason=entry.reason,
                author=entry.author,
                expiry=entry.expiry,
            )
            for entry in self.waivers
        )
        identity = {
            "suite": [self.suite.name, self.suite.version],
            "tool": smetslab.__version__,
            "seed": self.seed,
            "cases": [[case.id, case.version] for case in self.cases],
            "inputs": {name: sha256(content).hex() for name, content in self.inputs.items()},
        }
        digest = sha256(canonical_json(identity)).hex()[:12]
        return RunHeader(
            run_id=f"{self.suite.name}-{self.seed}-{digest}",
            tool_version=smetslab.__version__,
            suite=SuiteReference(name=self.suite.name, title=self.suite.title, version=self.suite.version),
            seed=self.seed,
            selection=selection,
            equipment=self.equipment,
            capabilities={name: self.capabilities.declared.get(name) for name in names},
            inputs=tuple(sorted(self.inputs)),
            waivers=waivers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPack:
    path: Path
    manifest: Manifest
    report: Report


class PackWriter(AbstractContextManager["PackWriter"]):
    """A listener of the runner. Left without `finish`, it removes what it wrote.

    `numbered`: where another run was quicker to take the destination, the pack gets the next free number.
    """

    def __init__(self, destination: Path, contents: PackContents, *, numbered: bool = False) -> None:
        self._destination = destination
        self._numbered = numbered
        self._contents = contents
        self._chain = ChainWriter()
        self._checkpoints: list[Checkpoint] = []
        self._partial = destination.parent / f".{destination.name}.{os.getpid()}.partial"
        self._stream: BinaryIO | None = None

    def __enter__(self) -> PackWriter:
        inputs = {Path(INPUTS, _inside(name)): content for name, content in self._contents.inputs.items()}
        try:
            self._destination.parent.mkdir(parents=True, exist_ok=True)
            # The name may stand there already: a process of this number may have been killed.
            self._partial = _free(self._partial)
            self._partial.mkdir()
            for name, content in inputs.items():
                place = self._partial / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            self._stream = (self._partial / EVIDENCE).open("wb")
        except OSError as error:
            self._discard()
            raise self._unwritable(error) from error
        return self

    def __call__(self, record: Record) -> None:
        """Add one record to the chain."""
        if self._stream is None:
            raise LocalProtocolError("a record outside the time of its evidence pack")
        try:
            self._stream.write(self._chain.append(record.model_dump(mode="json")))
        except OSError as error:
            raise self._unwritable(error) from error
        if isinstance(record, CaseEnded):
            self._checkpoints.append(
                Checkpoint(case=record.case, sequence=self._chain.count - 1, hash=self._chain.root)
            )

    def finish(
        self,
        result: RunResult,
        *,
        signer: Signer,
        environment: Environment,
        decoders: Decoders,
        pdf: bool = False,
    ) -> WrittenPack:
        """Write the reports, the manifest and its signature, and give the pack its name."""
        if self._stream is None:
            raise LocalProtocolError("an evidence pack is finished once, inside its block")
        try:
            self._stream.close()
        except OSError as error:
            raise self._unwritable(error) from error
        self._stream = None
        header = self._contents.header()
        report = build_report(header, result.records)
        self._write(REPORT_JSON, report.to_bytes())
        self._write(JUNIT, render_junit(report))
        self._write(REPORT_HTML, render_html(report, result.records, decoders))
        if pdf:
            # The library is an extra; without it nothing else of a pack is affected.
            from smetslab.harness.evidence.pdf import render_pdf  # noqa: PLC0415

            self._write(REPORT_PDF, render_pdf(report))
        capture = capture_of(result.records)
        if capture is not None:
            self._write(CAPTURE, capture)
            self._write(CAPTURE + KEYS_SUFFIX, key_file(result.capture_keys).encode())
        manifest = Manifest(
            run_id=header.run_id,
            tool=Tool(version=header.tool_version),
            suite=header.suite,
            seed=header.seed,
            selection=header.selection,
            verdict=report.verdict,
            counts=report.counts,
            not_run=len(report.not_run),
            equipment=header.equipment,
            certificates=self._contents.certificates,
            capabilities=header.capabilities,
            waivers=header.waivers,
            chain=ChainEntry(
                records=self._chain.count, root=self._chain.root, checkpoints=tuple(self._checkpoints)
            ),
            files=_file_entries(self._partial),
            environment=environment,
        )
        data = manifest.to_bytes()
        self._write(MANIFEST, data)
        self._write(SIGNATURE, sign_manifest(data, signer.private_key, signer.certificate))
        self._name()
        return WrittenPack(path=self._destination, manifest=manifest, report=report)

    def _write(self, name: str, content: bytes) -> None:
        try:
            (self._partial / name).write_bytes(content)
        except OSError as error:
            raise self._unwritable(error) from error

    def _name(self) -> None:
        """The rename that makes the pack visible. An empty folder may stand in its place, nothing else."""
        wanted = self._destination
        while True:
            try:
                if self._destination.is_dir():
                    self._destination.rmdir()
                self._partial.rename(self._destination)
                return
            except OSError as error:
                if not (self._numbered and self._destination.exists()):
                    raise self._unwritable(error) from error
                self._destination = _free(wanted)

    def _unwritable(self, error: OSError) -> UsageError:
        what = f"cannot write evidence to {self._destination}: {error.strerror}"
        return UsageError(what, hint="choose another --out")

    def _discard(self) -> None:
        if self._stream is not None:
            with suppress(OSError):  # on a full disk the last octets cannot be written, nor need they be
                self._stream.close()
            self._stream = None
        if self._partial.is_dir():
            shutil.rmtree(self._partial)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._discard()


def choose_destination(out: Path | None, suite: str, seed: int) -> Path:
    """Where a pack goes. Nothing is ever overwritten: the default name gets a number, a given name must be
    free.
    """
    if out is None:
        return _free(Path("smetslab-evidence") / f"{suite}-{seed}")
    if out.is_dir():
        if not any(out.iterdir()):
            return out
        what = (
            "holds an evidence pack already"
            if (out / MANIFEST).is_file()
            else "is a folder with other things"
        )
        raise UsageError(f"{out} {what}", hint="evidence is never overwritten: choose another --out")
    if out.exists():
        raise UsageError(f"{out} is a file, not a folder", hint="choose another --out")
    return out


def _free(base: Path) -> Path:
    """`base`, or the first of `base-2`, `base-3` and so on that is not there."""
    chosen, number = base, 1
    while chosen.exists():
        number += 1
        chosen = base.with_name(f"{base.name}-{number}")
    return chosen


def _inside(name: str) -> Path:
    """The name of an input as a path that stays inside the pack."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or any(part in ("..", ".") or "\\" in part or ":" in part for part in parts)
    ):
        raise LocalProtocolError(f"{name!r} is no name for an input file")
    return Path(*parts)


def _file_entries(folder: Path) -> dict[str, FileEntry]:
    """Every file of the pack so far, by its name with forward slashes."""
    entries = {}
    for place in sorted(folder.rglob("*")):
        if place.is_file():
            content = place.read_bytes()
            entries[place.relative_to(folder).as_posix()] = FileEntry(
                sha256=sha256(content).hex(), octets=len(content)
            )
    return dict(sorted(entries.items()))
