"""Progress of a run: a live bar on a terminal, one line for each case anywhere else."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from smetslab.harness.records import CaseEnded, CaseNotRun, CaseStarted, Record, RunStarted

STYLES: Final = {
    "none": "dim",
    "pass": "green",
    "inconclusive": "yellow",
    "fail": "bold red",
    "error": "bold magenta",
}


class RunProgress(AbstractContextManager["RunProgress"]):
    """A listener of the runner. Cases that did not pass stay on the screen, with their reason."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._counts: Counter[str] = Counter()
        self._done = 0
        self._total = 0
        self._title = ""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            console=console,
            transient=True,
            # Every case refreshes it; a thread that does would outlive the bar by a moment.
            auto_refresh=False,
            disable=not self._live,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, record: Record) -> None:
        """Show what a record changes."""
        match record:
            case RunStarted():
                self._total = len(record.cases)
                self._task = self._bar.add_task("", total=self._total, counts="")
            case CaseStarted():
                self._title = record.title
                self._update(description=record.case)
            case CaseNotRun():
                self._finished(record.case, "not run", record.reason, record.title)
            case CaseEnded():
                self._finished(record.case, record.verdict, record.reason, self._title)

    def _update(self, *, description: str | None = None, completed: int | None = None) -> None:
        if self._task is not None:
            counts = ", ".join(f"{number} {name}" for name, number in self._counts.items())
            self._bar.update(self._task, description=description, completed=completed, counts=counts)
            self._bar.refresh()

    def _finished(self, case: str, word: str, reason: str, title: str) -> None:
        self._done += 1
        self._counts[word] += 1
        self._update(completed=self._done)
        if self._live and word == "pass":
            return
        place = f"{self._done:>{len(str(self._total))}}/{self._total}"
        line = Text.assemble(f"{place}  ", (f"{word:<12}", STYLES.get(word, "dim")), f"  {case}  {title}")
        if reason:
            line.append(f"\n{' ' * len(place)}  {reason}", style="dim")
        self._console.print(line, soft_wrap=True)
