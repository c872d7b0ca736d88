"""Half-hourly data from a file: what is read, how it repeats, and what is refused with which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smetslab.devices.load import Consumption
from smetslab.devices.load_file import parse_load, read_load
from smetslab.errors import UsageError

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def text(days: int = 1, *, export: bool = True) -> str:
    lines = ["time,import_wh,export_wh" if export else "time,import_wh"]
    for slot in range(48 * days):
        moment = (BEGIN + slot * timedelta(minutes=30)).isoformat()
        lines.append(f"{moment},{slot}" + (f",{slot % 3}" if export else ""))
    return "\n".join(lines) + "\n"


def test_a_file_gives_its_half_hours_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_text(text(2), encoding="utf-8")
    load = read_load(path)
    number = (BEGIN - datetime(2000, 1, 1, tzinfo=UTC)).days
    assert [e.active_import for e in load.day(number)] == [slot * 1000 for slot in range(48)]
    assert load.day(number + 1)[0].active_import == 48_000
    assert load.day(number + 2) == load.day(number)
    assert load.day(number - 1) == load.day(number + 1)
    assert load.day(number)[2].active_export == 2_000
    total = (
        Consumption(load, 0)
        .at((number + 1) * 86_400_000_000)
        .minus(Consumption(load, 0).at(number * 86_400_000_000))
    )
    assert total.active_import == sum(range(48)) * 1000


def test_export_may_be_left_out() -> None:
    assert parse_load(text(export=False)).days[0][5].active_export == 0


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("", "line 1: '' is no header"),
        ("when,what\n", "line 1: 'when,what' is no header"),
        (text().replace("T00:30", "T00:31", 1), "line 3: time is .* expected 2026-01-01T00:30"),
        (text().replace(",7,", ",-7,", 1), "line 9: -7 Wh is not in 0 to 100000"),
        (text().replace(",7,", ",7.5,", 1), "line 9: '7.5' is no whole number"),
        (text().replace(",7,1", ",7", 1), "line 9: 2 values, expected 3"),
        (text().replace("2026-01-01T00:00:00+00:00", "yesterday", 1), "line 2: 'yesterday' is no time"),
        (
            text().replace("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00", 1),
            "line 2: .* has no time zone",
        ),
        ("\n".join(text().splitlines()[:-1]), "47 half hours are no whole days"),
        ("time,import_wh\n", "0 half hours are no whole days"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(broken: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_load(broken)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_load(tmp_path / "nothing.csv")


def test_octets_that_are_no_text_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_load(tmp_path / "x.csv")
