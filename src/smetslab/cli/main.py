"""The command `smetslab`: gathers the nouns, and turns what goes wrong into one clear line and an exit code.

Exit codes: 0 pass, 1 fail, 2 usage or bad input, 3 an error of ours, 4 inconclusive.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

import smetslab
from smetslab.cli import output
from smetslab.cli.commands import Commands
from smetslab.errors import LocalProtocolError, SmetsLabError, UsageError

app = typer.Typer(
    name="smetslab",
    cls=Commands,
    help="The open test laboratory for Britain's smart meters.",
    no_args_is_help=True,
    add_completion=False,
    # Tracebacks with local variables could show keys; an error of ours is reported by main().
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.line(f"smetslab {smetslab.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default) and return its exit code; never raises."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        output.close_pipe()
        return output.EXIT_PIPE_CLOSED
    except KeyboardInterrupt:
        return output.EXIT_INTERRUPTED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(args=None if arguments is None else list(arguments), prog_name="smetslab")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else output.EXIT_PASS
    except BrokenPipeError:
        raise
    except Exception as problem:  # noqa: BLE001 - the root of the process: Python's own exit code 1 means "fail" here
        return _refuse(problem)
    return output.EXIT_PASS


def _refuse(problem: Exception) -> int:
    match problem:
        case LocalProtocolError():
            pass
        case SmetsLabError():
            output.error(str(problem), hint=problem.hint if isinstance(problem, UsageError) else "")
            return output.EXIT_USAGE
        case OSError(filename=str() | bytes() as name):
            output.error(f"{os.fsdecode(name)}: {problem.strerror}")
            return output.EXIT_USAGE
    report = "".join(traceback.format_exception(problem)).rstrip()
    output.error(
        f"an error of smetslab, not of what it tests\n{report}",
        hint="Please report it with the command, the seed and the lines above.",
    )
    return output.EXIT_ERROR


if __name__ == "__main__":
    sys.exit(main())
