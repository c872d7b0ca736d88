"""`smetslab run`: what a person sees, what is written, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from smetslab.harness.evidence.manifest import Manifest

WAIVERS = """
schema_version = 1
[[waiver]]
case = "TOY-COUNTER-lower"
clause = "TOY 2.1"
reason = "known"
author = "A. Tester"
expiry = {expiry}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Callable[[str], str]:
    """A lab file of the toy: its defect."""

    def write(defect: str) -> str:
        (tmp_path / "lab.txt").write_text(defect)
        return "lab.txt"

    return write


@pytest.mark.parametrize(
    ("arguments", "defect", "code"),
    [
        (("--case", "TOY-READ"), "", 0),
        (("--case", "TOY-READ"), "wrong reading", 1),
        (("--case", "TOY-READ"), "crash", 3),
        (("--case", "TOY-OPEN"), "", 4),
        (("--case", "TOY-SUPPLY"), "", 4),
        ((), "wrong reading", 1),
    ],
)
def test_the_exit_code_is_the_verdict(smetslab, lab, arguments, defect, code) -> None:
    assert smetslab("run", "toy", "--lab", lab(defect), *arguments).code == code


def test_a_run_writes_a_pack_that_verifies_where_it_says(smetslab, tmp_path: Path) -> None:
    result = smetslab("run", "toy", "--case", "TOY-READ", "--seed", "5")
    pack = Path("smetslab-evidence") / "toy-5"
    assert f"report    {pack / 'report.html'}" in result.out
    assert f"verify    smetslab evidence verify {pack}" in result.out
    assert smetslab("evidence", "verify", str(pack)).code == 0
    manifest = Manifest.from_bytes((tmp_path / pack / "manifest.json").read_bytes())
    assert manifest.seed == 5
    assert manifest.selection.cases == ("TOY-READ",)
    assert manifest.environment.laboratory.startswith("CN=smetslab laboratory")
    assert smetslab("run", "toy", "--case", "TOY-READ", "--seed", "5").code == 0
    assert (tmp_path / "smetslab-evidence" / "toy-5-2" / "manifest.json").is_file()


def test_without_a_seed_the_labs_own_counts(smetslab) -> None:
    assert "seed 1" in smetslab("run", "toy", "--case", "TOY-READ").out


def test_a_fail_says_what_where_and_how_to_see_it_again(smetslab, lab) -> None:
    result = smetslab("run", "toy", "--lab", lab("accepts replay"), "--seed", "7", "--out", "pack")
    text = result.out
    block = text[text.index("fail  TOY-COUNTER-equal  A command with equal counter is not answered") :]
    assert block.splitlines()[:7] == [
        "fail  TOY-COUNTER-equal  A command with equal counter is not answered",
        "  check     no answer (step 2: a command with equal counter)",
        "  expected  0",
        "  found     1",
        "  clause    TOY 2.1",
        f"  evidence  {Path('pack/evidence.jsonl')}, records 15 to 38; proof: observations 14",
        "  again     smetslab run toy --lab lab.txt --seed 7 --case TOY-COUNTER-equal",
    ]
    assert "not run: TOY-SUPPLY: applies when: supply switch; not stated of what is tested" in text
    assert "fail  Toy suite: 2 pass, 1 inconclusive, 2 fail, 1 not run; 11 checks" in text


def test_progress_is_one_line_for_each_case_where_there_is_no_terminal(smetslab) -> None:
    lines = smetslab("run", "toy").out.splitlines()
    assert lines[:4] == [
        "1/6  pass          TOY-READ  The device's reading is read <b>&</b> right",
        "2/6  pass          TOY-COUNTER-equal  A command with equal counter is not answered",
        "3/6  pass          TOY-COUNTER-lower  A command with lower counter is not answered",
        "4/6  not run       TOY-SUPPLY  Needs a switch",
    ]


def test_json_is_the_report_and_nothing_else(smetslab, lab) -> None:
    result = smetslab("run", "toy", "--lab", lab("accepts replay"), "--json", "--out", "pack")
    document = json.loads(result.out)
    assert (result.code, result.err) == (1, "")
    assert (document["exit_code"], document["evidence"]) == (1, "pack")
    assert document["report"] == json.loads(Path("pack/report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("expiry", "state"), [("2999-01-01", "until"), ("2001-01-01", "EXPIRED")])
def test_a_waiver_is_shown_with_its_state_and_the_exit_code_stays_fail(smetslab, lab, expiry, state) -> None:
    Path("waivers.toml").write_text(WAIVERS.format(expiry=expiry))
    result = smetslab("run", "toy", "--lab", lab("accepts replay"), "--waivers", "waivers.toml")
    assert f"  waived    TOY 2.1: known (A. Tester, {state} {expiry})" in result.out
    assert result.code == 1


def test_list_shows_the_chosen_cases_and_runs_nothing(smetslab, tmp_path: Path) -> None:
    result = smetslab("run", "toy", "--obligation", "F4.3-C4", "--list")
    assert result.code == 0
    assert "Toy suite (toy, version 3): 2 cases" in result.out
    assert "TOY-COUNTER-lower" in result.out
    assert "TOY-READ" not in result.out
    assert not (tmp_path / "smetslab-evidence").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "there is no suite 'nonsense'"),
        (("toy", "--case", "TOY-RAED"), "did you mean TOY-READ"),
        (("toy", "--obligation", "F9"), "no obligation 'F9'"),
        (("toy", "--lab", "missing.toml"), "cannot read the lab file missing.toml"),
        (("toy", "--waivers", "missing.toml"), "cannot read the waiver file missing.toml"),
        (("toy", "--seed", "x"), "Invalid value"),
        (("toy", "--seed", "-1"), "Invalid value"),
        (("toy", "--seed", str(2**63)), "Invalid value"),
        (("toy", "--out", "taken"), "taken is a folder with other things"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(smetslab, tmp_path: Path, arguments, said) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("")
    result = smetslab("run", *arguments)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.glob("**/manifest.json"))


def test_a_waiver_for_a_case_that_is_not_there_is_refused(smetslab) -> None:
    Path("waivers.toml").write_text(WAIVERS.format(expiry="2999-01-01").replace("TOY-COUNTER-lower", "TOY-X"))
    result = smetslab("run", "toy", "--waivers", "waivers.toml")
    assert result.code == 2
    assert "a waiver is for case TOY-X" in result.err


def test_the_pdf_is_written_when_asked_for(smetslab) -> None:
    pytest.importorskip("fpdf", reason="report.pdf needs the extra `report`")
    assert smetslab("run", "toy", "--case", "TOY-READ", "--pdf", "--out", "pack").code == 0
    assert Path("pack/report.pdf").read_bytes().startswith(b"%PDF-")
    assert smetslab("evidence", "verify", "pack").code == 0


def test_without_the_extra_a_pdf_is_refused_before_the_run(smetslab, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fpdf", None)
    monkeypatch.delitem(__import__("sys").modules, "smetslab.harness.evidence.pdf", raising=False)
    result = smetslab("run", "toy", "--pdf")
    assert result.code == 2
    assert "smetslab[report]" in result.err
    assert not (tmp_path / "smetslab-evidence").exists()
