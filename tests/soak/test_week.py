"""The stress week: 20 % of the frames lost in bursts, two restarts of the hub, a power cut of each device, at
least 2,000 commands and 500 alerts.

`make soak`. STRESS_HOURS, STRESS_COMMANDS and STRESS_TAMPERS make it shorter or longer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from stressing import Plan, campaign, check

pytestmark = pytest.mark.soak

PLAN = Plan(
    hours=float(os.environ.get("STRESS_HOURS", "168")),
    commands=int(os.environ.get("STRESS_COMMANDS", "2100")),
    tampers=int(os.environ.get("STRESS_TAMPERS", "500")),
    seed=7,
)


def test_a_week_on_a_bad_air(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        books = campaign(tmp_path / name, PLAN)
        with capsys.disabled():
            sys.stdout.write(
                f"\n{books.commands} commands {dict(books.answers)}, {books.alerts} alerts, "
                f"{books.frames} frames, {dict(books.network)}, capture {books.digest[:16]}\n"
            )
        check(books)
        runs.append(books)
    assert runs[0].commands == PLAN.commands
    assert runs[0].alerts >= PLAN.tampers
    assert runs[0].digest == runs[1].digest
