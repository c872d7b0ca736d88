"""`smetslab suites`: what there is to run."""

from __future__ import annotations

import json


def test_suites_are_listed_with_counts_and_obligations(smetslab) -> None:
    result = smetslab("suites")
    assert result.code == 0
    words = " ".join(result.out.split())
    assert "toy 3 6 Toy suite F4.1, F4.3-C1, F4.3-C3, F4.3-C4, F4.5-C2" in words


def test_the_cases_of_a_suite_are_listed_by_kind(smetslab) -> None:
    lines = [" ".join(line.split()) for line in smetslab("suites", "toy").out.splitlines()]
    assert lines[0] == "Toy suite (toy, version 3): 6 cases"
    at = lines.index("replay (2)")
    assert lines[at + 1].startswith("TOY-COUNTER-equal A command with equal counter is not")
    assert lines[at + 1].endswith("TOY1 TOY2 F4.3-C4")


def test_suites_as_json(smetslab) -> None:
    [suite] = json.loads(smetslab("suites", "--json").out)["suites"]
    assert (suite["name"], suite["version"], len(suite["cases"])) == ("toy", 3, 6)
    [same] = json.loads(smetslab("suites", "toy", "--json").out)["suites"]
    assert same == suite
    assert suite["cases"][1]["obligations"] == ["F4.3-C4"]


def test_an_unknown_suite_says_which_there_are(smetslab) -> None:
    result = smetslab("suites", "f5")
    assert result.code == 2
    assert "there are: toy" in result.err
