"""The published scenarios of gas meters and their proxy, executed by ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.devices.gas_records import SnapshotLog
from smetslab.pki import load_pem_folder
from smetslab.rtds.anchors import find_anchors
from smetslab.rtds.replay import Replayer, ScenarioRow
from smetslab.rtds.scenarios import find_scenarios
from smetslab.rtds.worlds import WORLDS, Site, World
from smetslab.rtds.worlds.gas import build_gsme
from smetslab.store import Store

GAS = re.compile(r"GCS|_CS1[01]|_CS01b|PCS0|-ZigBee|_CS02b\w+Handover|_CS03B|_CS03CCritical|_CS04B|_CS07/")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as store:
        yield store


def replayed(rtds: Path, store: Store, wanted: str, worlds: tuple[World, ...] = WORLDS) -> list[ScenarioRow]:
    scenarios = find_scenarios(rtds)
    ring = load_pem_folder(rtds / "keystore")
    replayer = Replayer(ring, store, worlds, anchors=find_anchors(scenarios.values()))
    return [replayer.run(one, scenarios) for one in scenarios.values() if re.search(wanted, one.name)]


def test_every_gas_scenario_has_the_published_structure(rtds: Path, store: Store) -> None:
    rows = replayed(rtds, store, GAS.pattern)
    assert len(rows) > 100
    wrong = [row for row in rows if row.outcome not in {"equal", "same_structure"}]
    assert [(row.scenario, row.first_difference) for row in wrong] == []
    assert sum(row.outcome == "equal" for row in rows) >= 0.9 * len(rows)


def test_a_scenario_differs_when_what_it_reads_is_taken_away(rtds: Path, store: Store) -> None:
    """A meter without its billing snapshots does not answer as the published one."""

    def without_snapshots(site: Site) -> object:
        core = build_gsme(site)
        empty = SnapshotLog(site.workplace.nvm, "none", capacity=1, causes=0)
        core.records.billing = core.records.prepay_billing = empty
        return core

    worlds = tuple(
        replace(world, build=without_snapshots) if world.name == "gsme" else world for world in WORLDS
    )
    assert [row.outcome for row in replayed(rtds, store, "GCS15c_4.4.3_SUCCESS")] == ["equal"]
    assert [row.outcome for row in replayed(rtds, store, "GCS15c_4.4.3_SUCCESS", worlds)] == ["different"]
