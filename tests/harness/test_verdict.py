"""Verdicts, exit codes and waivers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from smetslab.errors import UsageError
from smetslab.harness.verdict import Verdict, Waiver, load_waivers, worst

GOOD = """
schema_version = 1

[[waiver]]
case = "F4S-1"
clause = "GBCS 6.2"
reason = "known; fixed in firmware 2"
author = "A. Tester"
expiry = 2031-01-01
"""


def test_verdicts_are_ordered_as_in_ttcn() -> None:
    words = [verdict.word for verdict in sorted(Verdict)]
    assert words == ["none", "pass", "inconclusive", "fail", "error"]


def test_the_worst_verdict_counts_and_nothing_is_none() -> None:
    assert worst([Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE]) is Verdict.FAIL
    assert worst([]) is Verdict.NONE


def test_exit_codes_and_that_nothing_decided_is_no_pass() -> None:
    assert {verdict.word: verdict.exit_code for verdict in Verdict} == {
        "none": 4,
        "pass": 0,
        "inconclusive": 4,
        "fail": 1,
        "error": 3,
    }


def test_an_unknown_word_is_no_verdict() -> None:
    assert Verdict.of_word("fail") is Verdict.FAIL
    with pytest.raises(ValueError, match="waived"):
        Verdict.of_word("waived")


def test_a_waiver_is_read_and_is_in_force_until_its_last_day(tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(GOOD)
    [waiver] = load_waivers(file)
    expected = Waiver(
        case="F4S-1",
        clause="GBCS 6.2",
        reason="known; fixed in firmware 2",
        author="A. Tester",
        expiry=date(2031, 1, 1),
    )
    assert waiver == expected
    assert waiver.in_force(date(2031, 1, 1))
    assert not waiver.in_force(date(2031, 1, 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace('author = "A. Tester"\n', ""), "waiver.0.author"),
        (GOOD.replace("2031-01-01", '"soon"'), "waiver.0.expiry"),
        (GOOD.replace("reason", "raison"), "waiver.0"),
        (GOOD.replace('"known; fixed in firmware 2"', '""'), "waiver.0.reason"),
        (GOOD.replace("schema_version = 1", "schema_version = 2"), "schema_version"),
        (GOOD + GOOD.replace("schema_version = 1", ""), "waived twice"),
        ("= nonsense", "not TOML"),
    ],
)
def test_a_wrong_waiver_file_is_one_clear_refusal(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_waivers(file)


def test_a_missing_waiver_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"waivers\.toml"):
        load_waivers(tmp_path / "waivers.toml")
