"""Writing packs: whole or not at all, the same for one seed, never over something else."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from smetslab.crypto import sha256
from smetslab.errors import CodecError, LocalProtocolError, UsageError
from smetslab.harness.evidence.compare import compare_packs
from smetslab.harness.evidence.manifest import MANIFEST, SIGNATURE, Manifest
from smetslab.harness.evidence.pack import PackContents, PackWriter, choose_destination
from smetslab.harness.records import RunEnded
from smetslab.harness.runner import run_suite


def files_of(path: Path) -> dict[str, bytes]:
    return {
        place.relative_to(path).as_posix(): place.read_bytes()
        for place in sorted(path.rglob("*"))
        if place.is_file()
    }


def test_a_pack_has_the_files_of_the_one_layout_and_the_manifest_knows_each(sound_pack: Path) -> None:
    files = files_of(sound_pack)
    assert list(files) == [
        "evidence.jsonl",
        "inputs/lab.toml",
        "inputs/profiles/toy.toml",
        "junit.xml",
        "manifest.json",
        "manifest.sig",
        "report.html",
        "report.json",
    ]
    manifest = Manifest.from_bytes(files[MANIFEST])
    assert {name: entry.sha256 for name, entry in manifest.files.items()} == {
        name: sha256(content).hex() for name, content in files.items() if name not in (MANIFEST, SIGNATURE)
    }


def test_the_manifest_says_what_was_tested_with_what(sound_pack: Path) -> None:
    manifest = Manifest.from_bytes((sound_pack / MANIFEST).read_bytes())
    assert (manifest.seed, manifest.verdict) == (7, "fail")
    assert manifest.counts == {"pass": 2, "inconclusive": 1, "fail": 2}
    assert manifest.capabilities == {"counting": True, "supply switch": None}
    assert manifest.equipment[0].eui64 == "00DB1234567890A0"
    assert manifest.variable_members == ("environment",)
    assert [entry.case for entry in manifest.chain.checkpoints] == [
        "TOY-READ",
        "TOY-COUNTER-equal",
        "TOY-COUNTER-lower",
        "TOY-OPEN",
        "TOY-RULES",
    ]
    assert manifest.to_bytes() == (sound_pack / MANIFEST).read_bytes()


def test_no_private_key_is_in_a_pack(sound_pack: Path, toy: ModuleType) -> None:
    secret = toy.LABORATORY.private_key.to_pem()
    for name, content in files_of(sound_pack).items():
        assert b"PRIVATE" not in content, name
        assert secret[40:80] not in content, name


def test_one_seed_gives_one_pack_but_for_the_environment(toy: ModuleType, tmp_path: Path) -> None:
    first = toy.write_pack(tmp_path / "a", defect="crash", host="here").path
    second = toy.write_pack(tmp_path / "b", defect="crash", host="there").path
    ours, theirs = files_of(first), files_of(second)
    assert [name for name in ours if ours[name] != theirs[name]] == [MANIFEST, SIGNATURE]
    one, other = json.loads(ours[MANIFEST]), json.loads(theirs[MANIFEST])
    assert [member for member in one if one[member] != other[member]] == ["environment"]
    assert compare_packs(first, second) == []


def test_a_comparison_names_the_first_record_that_differs(toy: ModuleType, tmp_path: Path) -> None:
    first = toy.write_pack(tmp_path / "a").path
    second = toy.write_pack(tmp_path / "b", defect="accepts replay").path
    found = {entry.place: (entry.first, entry.second) for entry in compare_packs(first, second)}
    assert found["evidence.jsonl record 34 (observation of TOY-COUNTER-equal): event"] == (
        "CommandRefused",
        "MessageSent",
    )
    assert found["manifest.json: verdict"] == ("inconclusive", "fail")
    assert any(place.startswith("report.html line") for place in found)
    (second / "junit.xml").unlink()
    found = {entry.place: (entry.first, entry.second) for entry in compare_packs(first, second)}
    assert found["junit.xml"] == ("there", "not there")


def test_run_ids_depend_on_what_is_run_and_on_nothing_else(toy: ModuleType, tmp_path: Path) -> None:
    def run_id(name: str, **options: Any) -> str:
        manifest: Manifest = toy.write_pack(tmp_path / name, cases=("TOY-READ",), **options).manifest
        return manifest.run_id

    assert run_id("a") == run_id("b", defect="wrong reading", host="there")
    assert run_id("c", seed=8).startswith("toy-8-")


@pytest.mark.parametrize("problem", [RuntimeError("a bug"), KeyboardInterrupt()])
def test_an_interrupted_pack_leaves_nothing_behind(
    toy: ModuleType, tmp_path: Path, problem: BaseException
) -> None:
    contents = PackContents(suite=toy.suite(), cases=toy.CASES, seed=7, inputs={"lab.toml": b""})
    with pytest.raises(type(problem)), PackWriter(tmp_path / "pack", contents):
        assert [place.name.startswith(".pack.") for place in tmp_path.iterdir()] == [True]
        raise problem
    assert list(tmp_path.iterdir()) == []


def test_a_record_outside_the_block_is_a_bug(toy: ModuleType, tmp_path: Path) -> None:
    writer = PackWriter(tmp_path / "pack", PackContents(suite=toy.suite(), cases=toy.CASES, seed=7))
    with pytest.raises(LocalProtocolError, match="outside the time"):
        writer(RunEnded(verdict="none", counts={}, not_run=0))


@pytest.mark.parametrize("name", ["../lab.toml", "/etc/passwd", "a/../../b", "a\\b", "c:x", ""])
def test_an_input_cannot_be_written_outside_the_pack(toy: ModuleType, tmp_path: Path, name: str) -> None:
    contents = PackContents(suite=toy.suite(), cases=toy.CASES, seed=7, inputs={name: b"x"})
    with (
        pytest.raises(LocalProtocolError, match="no name for an input"),
        PackWriter(tmp_path / "p", contents),
    ):
        pass
    assert list(tmp_path.rglob("*")) == []


def test_the_default_destination_gets_a_number_and_a_given_one_must_be_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = Path("smetslab-evidence")
    assert choose_destination(None, "toy", 7) == base / "toy-7"
    (base / "toy-7").mkdir(parents=True)
    (base / "toy-7-2").mkdir()
    assert choose_destination(None, "toy", 7) == base / "toy-7-3"

    assert choose_destination(Path("new/deep"), "toy", 7) == Path("new/deep")
    assert choose_destination(base / "toy-7", "toy", 7) == base / "toy-7"
    (base / "toy-7" / "notes.txt").write_text("mine")
    (base / "toy-7-2" / MANIFEST).write_text("{}")
    Path("file").write_text("")
    for place, said in (
        (base / "toy-7", "other things"),
        (base / "toy-7-2", "holds an evidence pack"),
        (Path("file"), "is a file"),
    ):
        with pytest.raises(UsageError, match=said):
            choose_destination(place, "toy", 7)


def test_an_empty_folder_may_be_given(toy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    toy.write_pack(tmp_path / "pack", cases=("TOY-READ",))
    assert (tmp_path / "pack" / MANIFEST).is_file()


def test_a_place_that_cannot_be_written_is_a_usage_error(toy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write evidence"):
        toy.write_pack(tmp_path / "file" / "pack", cases=("TOY-READ",))


class _FullDisk(io.BytesIO):
    def write(self, _data: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(toy: ModuleType, tmp_path: Path) -> None:
    suite, setup = toy.suite("TOY-READ"), toy.setup()
    contents = PackContents(suite=suite, cases=suite.cases, seed=7)
    with (
        pytest.raises(UsageError, match=r"cannot write evidence to .*: No space left on device"),
        PackWriter(tmp_path / "pack", contents) as writer,
    ):
        assert writer._stream is not None
        writer._stream.close()
        writer._stream = _FullDisk()
        run_suite(suite, setup, 7, listeners=[writer])
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_in_nobodys_way(toy: ModuleType, tmp_path: Path) -> None:
    left = tmp_path / f".pack.{os.getpid()}.partial"
    left.mkdir()
    (left / "evidence.jsonl").write_text("half a rec")
    toy.write_pack(tmp_path / "pack", cases=("TOY-READ",))
    assert sorted(place.name for place in tmp_path.iterdir()) == [left.name, "pack"]


def test_what_came_into_the_place_meanwhile_is_not_overwritten(toy: ModuleType, tmp_path: Path) -> None:
    suite, setup = toy.suite("TOY-READ"), toy.setup()
    contents = PackContents(suite=suite, cases=suite.cases, seed=7)
    with (
        pytest.raises(UsageError, match="cannot write evidence"),
        PackWriter(tmp_path / "pack", contents) as writer,
    ):
        result = run_suite(suite, setup, 7, listeners=[writer])
        (tmp_path / "pack").mkdir()
        (tmp_path / "pack" / "notes.txt").write_text("mine")
        writer.finish(result, signer=toy.LABORATORY, environment=toy.environment(), decoders=toy.DECODERS)
    assert [place.name for place in tmp_path.rglob("*")] == ["pack", "notes.txt"]


def test_of_two_runs_for_one_default_place_each_keeps_its_evidence(toy: ModuleType, tmp_path: Path) -> None:
    suite, setup = toy.suite("TOY-READ"), toy.setup()
    contents = PackContents(suite=suite, cases=suite.cases, seed=7)
    with PackWriter(tmp_path / "toy-7", contents, numbered=True) as writer:
        result = run_suite(suite, setup, 7, listeners=[writer])
        toy.write_pack(tmp_path / "toy-7", cases=("TOY-READ",))
        written = writer.finish(
            result, signer=toy.LABORATORY, environment=toy.environment(), decoders=toy.DECODERS
        )
    assert written.path == tmp_path / "toy-7-2"
    assert sorted(place.name for place in tmp_path.iterdir()) == ["toy-7", "toy-7-2"]
    assert (tmp_path / "toy-7-2" / MANIFEST).is_file()


def test_a_manifest_that_is_none_says_which_member_is_wrong() -> None:
    with pytest.raises(CodecError, match="run_id"):
        Manifest.from_bytes(b'{"schema_version": 1}')
