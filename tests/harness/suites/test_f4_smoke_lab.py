"""Lab files that the smoke suite cannot run on are refused before anything runs, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab.errors import UsageError
from smetslab.harness.runner import run_suite
from smetslab.harness.suites.f4_smoke import SUITE
from smetslab.harness.verdict import Verdict
from smetslab.lab.config import load_lab

DEFAULT = load_lab().source_text.decode()
DEVICE = DEFAULT[DEFAULT.index("[[premises.devices]]") :]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (DEFAULT.replace(DEVICE, ""), "no device to test"),
        (DEFAULT.replace('mode = "virtual"', 'mode = "real"'), "virtual time"),
        (DEFAULT.replace('role = "network_operator"', 'role = "load_controller"'), "a network operator"),
        (DEFAULT.replace('profile = "esme-reference-a"', 'profile = "chf-reference"'), "no virtual CHF"),
        (DEFAULT + "state = { history_days = true }\n", "history_days"),
        (DEFAULT + "state = { no_such_setting = 1 }\n", "no_such_setting"),
        (DEFAULT + 'quirks = [{ name = "sleeps", reason = "x" }]\n', "sleeps"),
    ],
)
def test_lab_that_cannot_be_tested_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    assert text != DEFAULT
    lab_file = tmp_path / "lab.toml"
    lab_file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=reason):
        SUITE.prepare(lab_file)


def test_seed_of_the_lab_file_counts(tmp_path: Path) -> None:
    lab_file = tmp_path / "lab.toml"
    lab_file.write_text(DEFAULT.replace("seed = 1\n", "seed = 4711\n", 1), encoding="utf-8")
    assert SUITE.prepare(lab_file).seed == 4711


def test_first_meter_is_under_test_and_the_others_are_companions(tmp_path: Path) -> None:
    lab_file = tmp_path / "lab.toml"
    second = DEVICE.replace('name = "esme"', 'name = "second"').replace("78-90-A0", "78-90-A6")
    lab_file.write_text(DEFAULT + "\n" + second, encoding="utf-8")
    setup = SUITE.prepare(lab_file)
    assert [entry.role for entry in setup.equipment] == ["hub", "dut", "companion"]
    assert sorted(setup.inputs) == [
        "lab.toml",
        "profiles/home.esme.json",
        "profiles/home.hub.json",
        "profiles/home.second.json",
    ]
    cases = [case for case in SUITE.cases if case.id == "ECS45-READ"]
    assert [r.verdict for r in run_suite(SUITE, setup, 1, cases=cases).results] == [Verdict.PASS]


def test_use_case_that_the_profile_denies_is_not_run(tmp_path: Path) -> None:
    profile = tmp_path / "plain.toml"
    own = Path(__file__).parents[3] / "device_profiles" / "esme-reference-a.toml"
    text = own.read_text(encoding="utf-8").replace('ECS10 = "yes"', 'ECS10 = "no"')
    profile.write_text(text, encoding="utf-8")
    lab_file = tmp_path / "lab.toml"
    lab_file.write_text(DEFAULT.replace('"esme-reference-a"', '"plain.toml"'), encoding="utf-8")
    cases = [case for case in SUITE.cases if case.id in {"ECS10-SEND", "ECS45-READ"}]
    result = run_suite(SUITE, SUITE.prepare(lab_file), 1, cases=cases)
    assert [r.case for r in result.results] == ["ECS45-READ"]
    assert [r.case for r in result.not_run] == ["ECS10-SEND"]
