"""Commands about suites, on the toy suite of `tests/harness/toy.py`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import typer

from smetslab.cli import evidence, run, suites
from smetslab.cli import main as cli


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Smetslab = Callable[..., Result]


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """The module `toy.py`; loaded once, because it declares cases."""
    name = "smetslab_test_toy"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "harness" / "toy.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def smetslab(
    toy: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Smetslab:
    """Runs one command line in an empty folder, with a laboratory that has never signed anything."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("run")(run.run)
    app.command("suites")(suites.suites)
    app.add_typer(evidence.app, name="evidence")
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(suites, "load", lambda: {"toy": toy.suite()})
    for module in (run, evidence):
        monkeypatch.setattr(module, "standard_decoders", lambda: toy.DECODERS)
        monkeypatch.setattr(module, "user_data_folder", lambda: tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Result:
        code = cli.main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return command
