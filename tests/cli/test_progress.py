"""Progress of a run on a terminal; without one, see `test_run.py`."""

from __future__ import annotations

import io
from types import ModuleType

from rich.console import Console

from smetslab.cli.progress import RunProgress
from smetslab.harness.runner import run_suite


def test_a_terminal_keeps_what_did_not_pass_and_forgets_the_rest(toy: ModuleType) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200, color_system=None, highlight=False)
    with RunProgress(console) as progress:
        run_suite(toy.suite(), toy.setup("accepts replay"), 7, listeners=[progress])
    text = screen.getvalue()
    assert "2/6  fail          TOY-COUNTER-equal  A command with equal counter is not answered" in text
    assert "no answer: expected 0, found 1 (TOY 2.1)" in text
    assert "5/6  inconclusive  TOY-OPEN" in text
    assert "pass          TOY-READ" not in text
    assert "2 pass, 2 fail, 1 not run, 1 inconclusive" in text
