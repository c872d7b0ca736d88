"""`smetslab premises`: what it refuses before anything runs."""

from __future__ import annotations

import pytest

from smetslab.cli.main import main
from smetslab.errors import UsageError
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.lab.shard import Shard


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--wan", "http://localhost"], "scheme http"),
        (["--wan", "mqtt://localhost", "--shard", "5/4"], "shard 5/4"),
        (["--wan", "mqtt://localhost", "--shard", "one"], "shard 'one'"),
        (["--wan", "mqtt://localhost", "--lab", "missing.toml"], "missing.toml"),
    ],
)
def test_what_cannot_run_is_one_clear_line(
    arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["premises", *arguments]) == 2
    assert what in capsys.readouterr().err


def test_shards_share_all_homes_among_them() -> None:
    homes = list(range(10))
    parts = [Shard(number, 3).of(homes) for number in (1, 2, 3)]  # type: ignore[arg-type]
    assert sorted(home for part in parts for home in part) == homes
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert Shard.parse("2/3") == Shard(2, 3)
    assert Shard(2, 3).name == "premises-2-of-3"


@pytest.mark.parametrize("role", ["dcc", "premises"])
def test_a_part_of_a_laboratory_needs_a_wan_between_processes(role: str) -> None:
    with pytest.raises(UsageError, match="WAN between processes"):
        Lab(load_lab(), role=role)  # type: ignore[arg-type]
