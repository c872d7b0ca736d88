"""How commands print: text for people through rich, JSON for machines, errors on stderr.

A reader that goes away (`smetslab ... | head`) ends the command quietly, as it ends any Unix tool.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NoReturn, TypeAlias

from rich.console import Console
from rich.text import Text

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

EXIT_PASS = 0
EXIT_FAIL = 1
EXIT_USAGE = 2
EXIT_ERROR = 3
EXIT_INCONCLUSIVE = 4
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141


class PipeConsole(Console):
    """A console whose reader may leave. Rich's own answer is exit code 1, which here means a failed case."""

    def on_broken_pipe(self) -> NoReturn:
        close_pipe()
        raise SystemExit(EXIT_PIPE_CLOSED)


# Highlighting would colour digits inside hex strings and identifiers at random.
console = PipeConsole(highlight=False)
error_console = PipeConsole(stderr=True, highlight=False)


@contextmanager
def stdout_taken() -> Iterator[None]:
    """For a command whose standard output is not for people: what would be printed there goes to stderr."""
    before, sys.stdout = sys.stdout, sys.stderr
    # A console looks at sys.stdout each time it prints.
    try:
        yield
    finally:
        sys.stdout = before


def taken_stdout() -> BinaryIO:
    """The octets of standard output, of their own: closing them closes nothing else."""
    # Not sys.stdout, which has just been taken away; its number stays.
    return os.fdopen(os.dup(1), "wb")


def line(text: str, *, style: str = "") -> None:
    """Print one line literally: no markup, no wrapping at the terminal's width."""
    console.print(Text(text, style=style), soft_wrap=True)


def error(text: str, *, hint: str = "") -> None:
    """Say on stderr what went wrong, and what to do next where that is known."""
    error_console.print(Text.assemble(("smetslab: ", "bold red"), text), soft_wrap=True)
    if hint:
        error_console.print(Text(f"  {hint}"), soft_wrap=True)


def print_json(value: Json) -> None:
    """Print `value` as indented JSON and nothing else; the order of keys is the caller's."""
    # Without ensure_ascii the text would depend on the encoding of whatever stdout is.
    write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(text: str) -> None:
    """Print text as it is."""
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        close_pipe()
        raise SystemExit(EXIT_PIPE_CLOSED) from None


def close_pipe() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain about a closed pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
