"""Scenarios are found by the names of files, and what they need by rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab.errors import UsageError
from smetslab.rtds.rules import Rule, circumstances, fault_place
from smetslab.rtds.scenarios import find_scenarios


def make(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("00")


def test_files_of_one_stem_are_one_scenario(tmp_path: Path) -> None:
    make(
        tmp_path,
        "gbcs/1.5_ECS04b/ECS04b_1.5_ERROR_PRECOMMAND_GBCS.HEX",
        "gbcs/1.5_ECS04b/ECS04b_1.5_ERROR_COMMAND_GBCS.HEX",
        "gbcs/1.5_ECS04b/ECS04b_1.5_ERROR_RESPONSE_GBCS.HEX",
        "gbcs/1.6_ECS02/ECS02_1.6_8F66_FUTURE_DATED_SUCCESS_ALERT_PAYMENT_MODE_GBCS.HEX",
        "gbcs/1.6_ECS02/README.txt",
    )
    found = find_scenarios(tmp_path)
    assert list(found) == [
        "1.5_ECS04b/ECS04b_1.5_ERROR",
        "1.6_ECS02/ECS02_1.6_8F66_FUTURE_DATED_SUCCESS_PAYMENT_MODE",
    ]
    exchange, alert = found.values()
    assert exchange.command is not None and exchange.pre_command is not None
    assert exchange.response is not None and exchange.alert is None
    assert alert.alert is not None and alert.command is None


def test_a_folder_without_scenarios_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt")
    with pytest.raises(UsageError, match=r"holds no \*_GBCS.HEX files"):
        find_scenarios(tmp_path)


RULES = (
    Rule(scenarios="_TWIN_", overlays=("twin",)),
    Rule(scenarios="^6.5_ECS29c/", fault_item=6),
    Rule(scenarios="^2.1_ECS08/", alert_counter=2009),
    Rule(scenarios="^9.9_X/", no_fault=True),
)


def test_an_error_scenario_has_a_fault_at_the_last_item_but_one_unless_a_row_says_otherwise() -> None:
    assert not circumstances("1.5_ECS04b/ECS04b_1.5_SUCCESS", RULES).faulty
    general = circumstances("1.5_ECS04b/ECS04b_1.5_ERROR", RULES)
    assert general.faulty
    assert [fault_place(general.fault_item, count) for count in (1, 2, 3, 18)] == [0, 0, 1, 16]
    assert fault_place(circumstances("6.5_ECS29c/ECS29c_6.5_ERROR", RULES).fault_item, 11) == 6
    assert not circumstances("9.9_X/X_9.9_ERROR", RULES).faulty


def test_rows_give_overlays_and_the_number_of_the_first_alert() -> None:
    told = circumstances("2.1_ECS08/ECS08_2.1_TWIN_SUCCESS", RULES)
    assert (told.overlays, told.alert_counter) == (("twin",), 2009)
    assert circumstances("2.1_ECS08a/ECS08a_2.1_SUCCESS", RULES).alert_counter is None
