"""Real half-hourly data as a load: a CSV file with a line for each half hour.

    time,import_wh,export_wh
    2026-01-01T00:00:00Z,210,0
    2026-01-01T00:30:00Z,195,0

Times are the beginnings of half hours, UTC, in order and without gaps, from one midnight to another; the
export may be left out. Outside the days of the file they repeat, so that a week or a year of data fills any
length of life.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from smetslab.devices.load import Energies
from smetslab.errors import UsageError
from smetslab.gbcs.values import EPOCH_2000

MAX_LINES: Final = 48 * 366 * 10
"""Ten years."""
MAX_WH: Final = 100_000
"""200 kW for half an hour: more than any supply of a home."""
_SLOTS: Final = 48
_HEADERS: Final = (["time", "import_wh"], ["time", "import_wh", "export_wh"])
_HALF_HOUR: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class RecordedLoad:
    """The days of a file. `first`: the number of its first day since 2000-01-01."""

    first: int
    days: tuple[tuple[Energies, ...], ...]

    def day(self, number: int) -> tuple[Energies, ...]:
        return self.days[(number - self.first) % len(self.days)]


def read_load(path: str | Path) -> RecordedLoad:
    """Read a file. Raises UsageError that names the line and what is wrong with it."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            return parse_load(file.read(MAX_LINES * 64), str(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text at octet {error.start}") from error


def parse_load(text: str, name: str = "load file") -> RecordedLoad:
    """Read the text of a file. Raises UsageError."""
    rows = csv.reader(text.splitlines(), strict=True)
    try:
        header = next(rows, [])
        if header not in _HEADERS:
            raise UsageError(
                f"{name}, line 1: {','.join(header)!r} is no header",
                hint="expected time,import_wh[,export_wh]",
            )
        found: list[Energies] = []
        begin: datetime | None = None
        for row in rows:
            line = rows.line_num
            if len(found) >= MAX_LINES:
                raise UsageError(f"{name}, line {line}: more than {MAX_LINES} half hours")
            if len(row) != len(header):
                raise UsageError(f"{name}, line {line}: {len(row)} values, expected {len(header)}")
            moment = _time(row[0], name, line)
            begin = moment if begin is None else begin
            expected = begin + len(found) * _HALF_HOUR
            if moment != expected:
                raise UsageError(f"{name}, line {line}: time is {row[0]}, expected {expected.isoformat()}")
            drawn, fed = _energy(row, 1, name, line), _energy(row, 2, name, line)
            found.append(Energies(active_import=drawn * 1000, active_export=fed * 1000))
    except csv.Error as error:
        raise UsageError(f"{name}, line {rows.line_num}: {error}") from error
    if begin is None or len(found) % _SLOTS or (begin.hour, begin.minute) != (0, 0):
        raise UsageError(f"{name}: {len(found)} half hours are no whole days from midnight UTC")
    days = tuple(tuple(found[at : at + _SLOTS]) for at in range(0, len(found), _SLOTS))
    return RecordedLoad((begin - EPOCH_2000).days, days)


def _time(text: str, name: str, line: int) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{name}, line {line}: {text!r} is no time", hint="such as 2026-01-01T00:30:00Z"
        ) from None
    if moment.tzinfo is None:
        raise UsageError(f"{name}, line {line}: {text!r} has no time zone", hint="end it with Z for UTC")
    return moment.astimezone(UTC)


def _energy(row: Sequence[str], place: int, name: str, line: int) -> int:
    if place >= len(row):
        return 0
    try:
        value = int(row[place])
    except ValueError:
        raise UsageError(f"{name}, line {line}: {row[place]!r} is no whole number of Wh") from None
    if not 0 <= value <= MAX_WH:
        raise UsageError(f"{name}, line {line}: {value} Wh is not in 0 to {MAX_WH}")
    return value
