"""The manifest of an evidence pack: what was tested with what, and the hash of every other file.

`environment` is the one member that may differ between two runs with the same seed, tool and inputs.

Spec: SEC Section F4.4 (version set of every device in the loop, tool version, waivers, certificates).
"""

from __future__ import annotations

import json
from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from smetslab.errors import CodecError
from smetslab.harness.equipment import CertificateSummary, Equipment
from smetslab.harness.records import VerdictWord

MANIFEST_SCHEMA_VERSION: Final = 1
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
EVIDENCE = "evidence.jsonl"
REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
REPORT_PDF = "report.pdf"
JUNIT = "junit.xml"
INPUTS = "inputs"

VARIABLE_MEMBERS: Final = ("environment",)
"""The declared non-deterministic part."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tool(_Part):
    name: Literal["smetslab"] = "smetslab"
    version: str


class SuiteReference(_Part):
    name: str
    title: str
    version: int


class SelectionEntry(_Part):
    """What the person chose of the suite; all empty means all of it."""

    cases: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    use_cases: tuple[str, ...] = ()


class FileEntry(_Part):
    sha256: str
    octets: int


class Checkpoint(_Part):
    """The chain at the end of a case: the last record of it, and that record's hash."""

    case: str
    sequence: int
    hash: str


class ChainEntry(_Part):
    algorithm: Literal["sha-256"] = "sha-256"
    records: int
    root: str
    checkpoints: tuple[Checkpoint, ...]


class WaiverEntry(_Part):
    case: str
    clause: str
    reason: str
    author: str
    expiry: date


class Environment(_Part):
    """Where and when it really ran, and who says so. The only member that is not reproduced by a seed."""

    started: str
    finished: str
    host: str
    platform: str
    python: str
    operator: str
    laboratory: str


class Manifest(_Part):
    """`verdict` and `counts` summarise; what proves them is the chain."""

    schema_version: Literal[1] = MANIFEST_SCHEMA_VERSION
    run_id: str
    variable_members: tuple[str, ...] = VARIABLE_MEMBERS
    tool: Tool
    suite: SuiteReference
    seed: int
    selection: SelectionEntry
    verdict: VerdictWord
    counts: dict[VerdictWord, int]
    not_run: int
    equipment: tuple[Equipment, ...]
    certificates: tuple[CertificateSummary, ...]
    capabilities: dict[str, bool | None]
    waivers: tuple[WaiverEntry, ...]
    chain: ChainEntry
    files: dict[str, FileEntry]
    environment: Environment

    def to_bytes(self) -> bytes:
        """The bytes of `manifest.json`, which the signature covers."""
        return pretty_json(self.model_dump(mode="json"))

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read `manifest.json`. CodecError says which member is wrong."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise CodecError(
                first["msg"], path=".".join(str(part) for part in first["loc"]) or MANIFEST
            ) from error


def pretty_json(value: object) -> bytes:
    """JSON for people and programs: indented, in the order of its making, one newline at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
