"""`smetslab evidence`: verify, show, diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smetslab.pki.files import laboratory_key


@pytest.fixture
def pack(smetslab) -> Path:
    smetslab("run", "toy", "--seed", "7", "--out", "pack")
    return Path("pack")


def test_verify_names_the_signer_and_what_was_made_again(smetslab, pack: Path, tmp_path: Path) -> None:
    result = smetslab("evidence", "verify", str(pack))
    fingerprint = laboratory_key(tmp_path / "data").certificate.fingerprint.hex().upper()
    assert result.code == 0
    assert "trusted" in result.out and "NOT TRUSTED" not in result.out
    assert fingerprint in result.out
    assert "11 checks, 5 verdicts" in result.out
    assert "verified: the pack is whole" in result.out


def test_verify_names_an_altered_record_and_exits_1(smetslab, pack: Path) -> None:
    lines = (pack / "evidence.jsonl").read_bytes().splitlines(keepends=True)
    lines[20] = lines[20].replace(b'"gateway"', b'"getaway"')
    (pack / "evidence.jsonl").write_bytes(b"".join(lines))
    result = smetslab("evidence", "verify", str(pack))
    assert result.code == 1
    assert "broken  evidence.jsonl: altered" in result.out
    assert "record 20 (observation of case TOY-COUNTER-equal): altered" in result.out
    assert "BROKEN: do not rely on this pack" in result.out


def test_a_foreign_pack_is_exit_4_until_its_signer_is_trusted(
    smetslab, toy, pack: Path, tmp_path: Path
) -> None:
    toy.write_pack(tmp_path / "foreign")
    certificate = tmp_path / "theirs.pem"
    certificate.write_bytes(toy.LABORATORY.certificate.to_pem())
    untrusted = smetslab("evidence", "verify", "foreign")
    assert untrusted.code == 4
    assert "NOT TRUSTED" in untrusted.out
    assert "--trust CERT" in untrusted.out
    assert smetslab("evidence", "verify", "foreign", "--trust", str(certificate)).code == 0
    assert smetslab("evidence", "verify", str(pack), "--trust", str(certificate)).code == 0


def test_a_laboratory_without_a_key_does_not_get_one_by_verifying(smetslab, toy, tmp_path: Path) -> None:
    toy.write_pack(tmp_path / "foreign")
    assert smetslab("evidence", "verify", "foreign").code == 4
    assert not (tmp_path / "data").exists()


def test_verify_as_json(smetslab, pack: Path) -> None:
    (pack / "junit.xml").unlink()
    result = smetslab("evidence", "verify", str(pack), "--json")
    document = json.loads(result.out)
    assert result.code == document["exit_code"] == 1
    assert document["outcome"] == "broken"
    assert document["problems"] == [{"place": "junit.xml", "what": "missing"}]
    assert document["signer"]["trusted"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "nowhere"), "nowhere does not exist"),
        (("verify", "."), "no evidence pack"),
        (("show", "."), "no evidence pack"),
        (("diff", ".", "."), "no evidence pack"),
        (("verify", "pack", "--trust", "nowhere.pem"), "nowhere.pem cannot be read"),
        (("verify", "pack", "--trust", "pack/manifest.json"), "pack/manifest.json"),
    ],
)
def test_what_cannot_be_read_is_exit_2(smetslab, pack: Path, arguments, said) -> None:
    result = smetslab("evidence", *arguments)
    assert result.code == 2
    assert said in result.err


def test_show_tells_the_story_of_a_pack(smetslab, pack: Path) -> None:
    result = smetslab("evidence", "show", str(pack))
    assert result.code == 0
    assert "verdict     inconclusive: 4 pass, 1 inconclusive, 1 not run" in result.out
    assert "dut         toy device ESME 00DB1234567890A0 simulated" in result.out
    assert "TOY-COUNTER-lower" in result.out
    document = json.loads(smetslab("evidence", "show", str(pack), "--json").out)
    assert document["manifest"]["seed"] == 7


def test_diff_finds_nothing_between_two_runs_of_one_seed(smetslab, pack: Path) -> None:
    smetslab("run", "toy", "--seed", "7", "--out", "again", "--operator", "somebody else")
    same = smetslab("evidence", "diff", str(pack), "again")
    assert (same.code, same.out) == (0, "no difference but in the declared environment\n")
    smetslab("run", "toy", "--seed", "8", "--out", "other")
    other = smetslab("evidence", "diff", str(pack), "other")
    assert other.code == 1
    assert "evidence.jsonl record 0 (run-started of the run): seed\n  first   7\n  second  8\n" in other.out
    document = json.loads(smetslab("evidence", "diff", str(pack), "other", "--json").out)
    assert {"place": "manifest.json: seed", "first": "7", "second": "8"} in document["differences"]
