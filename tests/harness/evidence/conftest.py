"""A sound pack and ways to spoil it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from smetslab.harness.evidence.chain import ChainWriter
from smetslab.harness.evidence.manifest import EVIDENCE, MANIFEST, SIGNATURE, Manifest
from smetslab.harness.evidence.sign import sign_manifest
from smetslab.harness.evidence.verify import Verification, verify_pack

Body = dict[str, Any]
Edit = Callable[[list[Body]], None]


@pytest.fixture(scope="session")
def sound_pack(toy: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with a fail in it. Nobody writes to it."""
    path: Path = toy.write_pack(tmp_path_factory.mktemp("packs") / "sound", defect="accepts replay").path
    return path


@pytest.fixture
def pack(sound_pack: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(sound_pack, tmp_path / "pack"))


@pytest.fixture
def verify(toy: ModuleType) -> Callable[[Path], Verification]:
    """Verification by somebody who trusts the toy laboratory."""
    return lambda path: verify_pack(path, trusted=[toy.LABORATORY.certificate], decoders=toy.DECODERS)


@pytest.fixture
def forge(pack: Path, toy: ModuleType) -> Callable[..., Path]:
    """Rewrites records, chains them anew, and signs with the laboratory's own key: a laboratory that lies."""

    def rewrite(edit: Edit, *, sign: bool = True) -> Path:
        lines = (pack / EVIDENCE).read_bytes().splitlines()
        bodies = [json.loads(line) for line in lines]
        for body in bodies:
            for name in ("sequence", "previous", "hash"):
                del body[name]
        edit(bodies)
        writer = ChainWriter()
        (pack / EVIDENCE).write_bytes(b"".join(writer.append(body) for body in bodies))
        if sign:
            resign(pack, toy, writer, bodies)
        return pack

    return rewrite


def resign(pack: Path, toy: ModuleType, writer: ChainWriter, bodies: list[Body]) -> None:
    """Make manifest and signature fit the files again, verdicts excepted."""
    manifest = Manifest.from_bytes((pack / MANIFEST).read_bytes()).model_dump(mode="json")
    lines = [json.loads(line) for line in (pack / EVIDENCE).read_bytes().splitlines()]
    manifest["chain"] |= {
        "records": writer.count,
        "root": writer.root,
        "checkpoints": [
            {"case": body["case"], "sequence": number, "hash": lines[number]["hash"]}
            for number, body in enumerate(bodies)
            if body["record"] == "verdict"
        ],
    }
    fresh = Manifest.from_bytes(json.dumps(manifest).encode())
    files = {name: file_entry(pack / name) for name in manifest["files"]}
    data = fresh.model_copy(update={"files": files}).to_bytes()
    (pack / MANIFEST).write_bytes(data)
    identity = toy.LABORATORY
    (pack / SIGNATURE).write_bytes(sign_manifest(data, identity.private_key, identity.certificate))


def file_entry(path: Path) -> Any:
    from smetslab.crypto import sha256
    from smetslab.harness.evidence.manifest import FileEntry

    content = path.read_bytes()
    return FileEntry(sha256=sha256(content).hex(), octets=len(content))
