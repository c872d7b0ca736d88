"""What a household burns: by chance that a seed fixes, or as it was measured."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.gas_flow import GasFlow, GasProfile, RecordedVolumes
from smetslab.errors import UsageError

DAY_US = 86_400_000_000
DAY = (date(2026, 3, 2) - date(2000, 1, 1)).days


def written(folder: Path, text: str) -> Path:
    path = folder / "volumes.csv"
    path.write_text(text)
    return path


def test_measured_half_hours_are_burnt_as_they_are(tmp_path: Path) -> None:
    row = ",".join(["2026-03-02", *(f"{number / 1000}" for number in range(48))])
    recorded = RecordedVolumes.read(written(tmp_path, row + "\n"))
    assert recorded.day(DAY) == tuple(1000 * number for number in range(48))
    assert recorded.day(DAY + 1) == (0,) * 48
    assert GasFlow(recorded).between(DAY * DAY_US, (DAY + 2) * DAY_US) == 1000 * sum(range(48))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03-02,1,2\n", "row 1: 2 volumes"),
        ("yesterday," + ",".join(["0"] * 48), "row 1"),
        ("2026-03-02," + ",".join(["-1"] * 48), "0 or more"),
        ("2026-03-02," + ",".join(["much"] * 48), "row 1"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        RecordedVolumes.read(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing"):
        RecordedVolumes.read(tmp_path / "nothing.csv")


@given(cuts=st.lists(st.integers(0, 2 * DAY_US), max_size=20))
def test_gas_is_the_same_however_often_it_is_measured(cuts: list[int]) -> None:
    flow = GasFlow(GasProfile(b"seed", 1000))
    borders = [0, *sorted(cuts), 2 * DAY_US]
    parts = [flow.between(first, last) for first, last in pairwise(borders)]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == flow.between(0, 2 * DAY_US)


def test_a_seed_fixes_the_household() -> None:
    assert GasProfile(b"a", 1000).day(DAY) == GasProfile(b"a", 1000).day(DAY)
    assert GasProfile(b"a", 1000).day(DAY) != GasProfile(b"b", 1000).day(DAY)
    winter = sum(sum(GasProfile(b"a", 1000).day(DAY - 50 + n)) for n in range(30))
    summer = sum(sum(GasProfile(b"a", 1000).day(DAY + 130 + n)) for n in range(30))
    assert winter > summer
