"""The root of the command line: what goes wrong becomes one clear line and the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import smetslab
from smetslab.cli import commands
from smetslab.cli import main as cli
from smetslab.errors import GbcsDecodeError, LocalProtocolError, UsageError


@pytest.fixture
def failing_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs a command that raises the given exception, through `main`."""

    def run(problem: BaseException) -> int:
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.command()
        def command() -> None:
            raise problem

        monkeypatch.setattr(cli, "app", app)
        return cli.main([])

    return run


def test_version_is_the_version_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"smetslab {smetslab.__version__}\n"


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["no-such-command"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no-such-command" in said.err


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_the_list_of_commands_says_what_each_says_itself(name: str) -> None:
    assert commands.load(name).help.splitlines()[0] == commands.COMMANDS[name]


def test_a_command_imports_nothing_of_the_others() -> None:
    program = (
        "import sys; from smetslab.cli.main import main; main(['gbcs', '--help']); "
        "print(sorted(name for name in sys.modules if name.startswith('smetslab.')), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "smetslab.cli.gbcs" in run.stderr
    for other in ("smetslab.cli.serve", "smetslab.dcc", "smetslab.devices"):
        assert f"'{other}'" not in run.stderr


def test_impossible_request_is_one_line_and_the_next_step(
    failing_command: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing_command(UsageError("no suite [bold]x[/]", hint="see `smetslab suites`")) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "smetslab: no suite [bold]x[/]\n  see `smetslab suites`\n",
    )


def test_long_bad_input_message_stays_one_line(
    failing_command: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    problem = GbcsDecodeError("length " + 60 * "00 ", offset=24, expected="8", spec="GBCS 7.2.7")
    assert failing_command(problem) == 2
    assert capsys.readouterr().err == f"smetslab: {problem}\n"


def test_missing_file_names_the_file(
    failing_command: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "lab.toml"
    with pytest.raises(FileNotFoundError) as missing:
        path.open()
    assert failing_command(missing.value) == 2
    assert capsys.readouterr().err == f"smetslab: {path}: {os.strerror(missing.value.errno or 0)}\n"


@pytest.mark.parametrize("problem", [ValueError("oddly"), LocalProtocolError("oddly"), OSError("oddly")])
def test_own_error_is_never_taken_for_a_verdict(
    problem: Exception, failing_command: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing_command(problem) == 3
    said = capsys.readouterr().err
    assert "an error of smetslab" in said
    assert "oddly" in said


def test_exit_code_of_a_command_is_kept(failing_command: Callable[[BaseException], int]) -> None:
    assert failing_command(typer.Exit(4)) == 4


def test_interrupt_is_130(failing_command: Callable[[BaseException], int]) -> None:
    assert failing_command(KeyboardInterrupt()) == 130


@pytest.mark.skipif(os.name == "nt", reason="Windows has no broken pipes")
@pytest.mark.parametrize("how", ["output.print_json(list(range(50_000)))", "output.line(400_000 * 'x')"])
def test_reader_that_leaves_ends_the_command_quietly(how: str) -> None:
    script = f"""if True:
        import sys, typer
        from smetslab.cli import main, output
        app = typer.Typer()
        @app.command()
        def command() -> None:
            {how}
        main.app = app
        sys.exit(main.main([]))
    """
    package_parent = str(Path(smetslab.__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": package_parent},
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (141, b"")
