"""The replay over the published set, and that it can tell a wrong device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.devices import esme_core
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.esme_objects import OBJECTS, PARTS
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.pki import KeyRing, load_pem_folder
from smetslab.rtds.replay import Replayer, ReplayReport, replay_folder
from smetslab.rtds.scenarios import Scenario, find_scenarios
from smetslab.rtds.worlds import esme
from smetslab.store import Store

EQUAL, SAME_STRUCTURE = 432, 17
"""Rows of the published set that are at least reached."""


@pytest.fixture(scope="module")
def report(rtds: Path) -> ReplayReport:
    return replay_folder(rtds)


def test_the_published_set_is_answered_as_published(report: ReplayReport) -> None:
    assert [row for row in report.scenarios if row.outcome in {"different", "unsupported"}] == []
    assert report.summary.equal >= EQUAL
    assert report.summary.equal + report.summary.same_structure >= EQUAL + SAME_STRUCTURE
    assert report.summary.scenarios == len({row.scenario for row in report.scenarios})


def test_what_is_not_equal_says_where_it_differs(report: ReplayReport) -> None:
    for row in report.scenarios:
        assert (row.first_difference is None) == (row.outcome == "equal")


@pytest.fixture
def published(rtds: Path) -> KeyRing:
    return load_pem_folder(rtds / "keystore")


@pytest.fixture
def scenarios(rtds: Path) -> dict[str, Scenario]:
    return find_scenarios(rtds)


@pytest.fixture
def outcome(published: KeyRing, scenarios: dict[str, Scenario]) -> Callable[[str], tuple[str, str | None]]:
    def run(name: str) -> tuple[str, str | None]:
        with Store() as store:
            row = Replayer(published, store, esme.WORLDS).run(scenarios[name], scenarios)
        return row.outcome, row.first_difference

    return run


Outcome = Callable[[str], tuple[str, str | None]]
READ = "11.2_ECS52/ECS52_11.2_SUCCESS"


def test_a_row_turns_different_when_the_object_that_it_reads_is_taken_away(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(READ) == ("equal", None)

    def without_version(variant: str) -> ObjectModel:
        objects = [*OBJECTS, *(one for letter in variant for one in PARTS[letter])]
        kept = list({(one.class_id, one.obis): one for one in objects}.values())
        kept = [one for one in kept if str(one.obis) != "0-0:0.2.1.255"]
        return ObjectModel(kept, USE_CASES, DeviceType.ESME)

    monkeypatch.setattr(esme_core, "model_of", without_version)
    monkeypatch.setattr(esme, "model_of", without_version)
    monkeypatch.setattr(esme_core.EsmeCore, "_show_firmware", lambda self, work, version: None)
    found, difference = outcome(READ)
    assert found == "different"
    assert "does not support" in str(difference)


def test_another_value_or_number_of_entries_is_the_same_structure_and_an_empty_log_is_not(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = dict(esme.esme_state.BASE)
    state["export_mpan"] = "1300000000000"
    log = state["security_log"]
    assert isinstance(log, list)
    state["security_log"] = log[:-1]
    monkeypatch.setattr(esme.esme_state, "BASE", state)
    found, difference = outcome("6.2.7_ECS40/ECS40_6.2.7_SINGLE_SUCCESS")
    assert found == "same_structure"
    assert difference == "export_mpan: ours 1300000000000, published 1312345678333"
    found, difference = outcome("6.13_ECS35b/ECS35b_6.13_SUCCESS")
    assert found == "same_structure"
    assert difference == "security_log: 32 items, published 33"
    state["security_log"] = []
    assert outcome("6.13_ECS35b/ECS35b_6.13_SUCCESS")[0] == "different"


def test_a_fault_at_another_item_is_seen(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "6.5_ECS29c/ECS29c_6.5_ERROR"
    assert outcome(name) == ("equal", None)
    monkeypatch.setattr(
        esme,
        "WORLDS",
        tuple(
            replace(world, rules=tuple(rule for rule in world.rules if rule.fault_item is None))
            for world in esme.WORLDS
        ),
    )
    assert outcome(name)[0] == "different"


def test_nothing_is_read_of_a_response_before_its_command_was_executed(
    published: KeyRing, scenarios: dict[str, Scenario], tmp_path: Path
) -> None:
    """The response of this scenario is no message at all, and that comes out only after the execution."""
    broken = tmp_path / "ECS52_11.2_SUCCESS_RESPONSE_GBCS.HEX"
    broken.write_text("00")
    scenario = replace(scenarios[READ], response=broken)
    with Store() as store:
        replayer = Replayer(published, store, esme.WORLDS)
        with pytest.raises(UsageError, match="RESPONSE"):
            replayer.run(scenario, scenarios)
        assert store.owners() == ["esme/1"]


def test_an_alert_whose_command_is_not_there_is_provoked_by_one_of_our_own(
    published: KeyRing, scenarios: dict[str, Scenario]
) -> None:
    name = "2.1_ECS08/ECS08_2.1_8F66_FUTURE_DATED_SUCCESS_MAX_METER_BALANCE"
    with Store() as store:
        replayer = Replayer(published, store, esme.WORLDS)
        assert replayer.run(scenarios[name], scenarios).outcome == "equal"
        alone = replayer.run(scenarios[name], {name: scenarios[name]})
    assert alone.outcome == "same_structure"
    assert alone.first_difference == "instruction.originator_counter: ours 1000, published 1004"


def test_alerts_alone_are_provoked_too(published: KeyRing, scenarios: dict[str, Scenario]) -> None:
    """Not one of them has its command among the scenarios; none may be told of another subject or result."""
    alone = {name: scenario for name, scenario in scenarios.items() if scenario.alert is not None}
    names = [name for name in alone if "_8F6" in name and ("ECS" in name or "CS02" in name or "CS06" in name)]
    with Store() as store:
        replayer = Replayer(published, store, esme.WORLDS)
        rows = [replayer.run(alone[name], alone) for name in names]
    assert len(rows) > 20
    assert {row.outcome for row in rows} <= {"equal", "same_structure"}


def test_a_device_that_nobody_has_is_unsupported(published: KeyRing, scenarios: dict[str, Scenario]) -> None:
    with Store() as store:
        row = Replayer(published, store, ()).run(scenarios[READ], scenarios)
    assert (row.outcome, row.first_difference) == ("unsupported", "no device here is 00DB1234567890A0")
