"""Some hours on a bad air, with restarts and power cuts: `tests/soak/test_week.py` in short."""

from __future__ import annotations

from pathlib import Path

import pytest
from stressing import DEVICES, Books, Plan, campaign, check

from smetslab.clock import run_virtual
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, load_lab

PLAN = Plan(hours=2, commands=48, tampers=12, seed=3)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    return campaign(tmp_path_factory.mktemp("stress"), PLAN)


def test_nothing_is_lost_doubled_or_done_twice_on_a_bad_air(books: Books) -> None:
    check(books)
    assert books.commands == PLAN.commands
    assert books.answers["I0"] > 0.8 * PLAN.commands
    assert books.alerts >= PLAN.tampers
    assert sum(books.tampers.values()) == 2 * PLAN.tampers
    assert books.network["NetworkLost"] > 0  # somebody had to look for the network
    assert books.frames > 3000


def test_books_that_are_wrong_are_found(books: Books) -> None:
    """Each check fails when what it is about is not so."""
    key = next(iter(books.received))
    for change in (
        lambda: books.received.pop(key),
        lambda: books.received.update([key]),
        lambda: books.sent.pop(key),
        lambda: books.executed.update([next(iter(books.executed))] * 2),
        lambda: books.logged[f"{DEVICES[0]} security"].append("8F00"),
    ):
        received, sent, executed = books.received.copy(), dict(books.sent), books.executed.copy()
        logged = {name: list(codes) for name, codes in books.logged.items()}
        change()
        with pytest.raises(AssertionError):
            check(books)
        books.received, books.sent, books.executed, books.logged = received, sent, executed, logged
    check(books)


def test_the_same_seed_gives_the_same_capture_to_the_octet(tmp_path: Path) -> None:
    plan = Plan(hours=0.2, commands=6, tampers=2, hub_reboots=1, settle_hours=0.0)
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        runs.append(campaign(tmp_path / name, plan))
    assert runs[0].digest == runs[1].digest
    assert runs[0].frames > 300


def test_a_hub_and_the_gas_proxy_in_it_have_one_power() -> None:
    """A hub that is off must not acknowledge what it cannot keep."""
    hub, proxy = Eui64.parse("00DB1234567890A2"), Eui64.parse("00DB1234567890A3")

    async def main(_clock: object) -> None:
        async with Lab(load_lab(default=HOME_NAME)) as lab:
            await lab.hubs[hub].power_cut()
            assert not lab.devices[proxy].powered
            assert not lab.hans["home"].node_of(proxy).on_air
            await lab.hubs[hub].power_restore()
            assert lab.devices[proxy].powered
            assert lab.hans["home"].node_of(hub).on_air

    run_virtual(main)
