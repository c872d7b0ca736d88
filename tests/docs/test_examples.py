"""What the documentation shows works: examples run, commands parse, links and names lead somewhere.

In a page, a block with a file's name (```` ```toml our.lab.toml ````) is written to that file, other Python
blocks run in order in one namespace, and a `text` block behind one is what it prints. A `console` block
behind `<!-- run -->` (or `<!-- run: exit 1 -->`) is really run; of others each `smetslab` command is parsed.
In shown output a line `...` stands for any lines, and `…` in a line for any text.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import typer
from click import Group
from click.exceptions import Exit

from smetslab.cli import main as cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
SOURCES = ROOT / "src" / "smetslab"

_BLOCK = re.compile(
    r"^(?:<!-- run(?:: exit (?P<exit>\d))? -->(?P<run>)\n)?"
    r"```(?P<language>[a-z]*)(?: (?P<file>\S+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_NAME = re.compile(r"smetslab(\.\w+)+")
_PLACE = re.compile(r"(?:[\w.*-]+/)+(?:[\w*-]+\.\w+)?")


@dataclass(frozen=True)
class Block:
    language: str
    file: str | None
    text: str
    line: int
    exit: int | None
    """The exit code that a console block is to have; None: not to be run."""


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            language=found["language"],
            file=found["file"],
            text=found["text"],
            line=text.count("\n", 0, found.start("text")),
            exit=None if found["run"] is None else int(found["exit"] or 0),
        )
        for found in _BLOCK.finditer(text)
    ]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the output that is shown of it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ ").partition("  # ")[0], []))
        elif found:
            found[-1][1].append(line)
    return found


def assert_shown(shown: list[str], printed: str, where: str) -> None:
    """Every shown line is printed, in that order."""
    lines = iter(printed.splitlines())
    for line in shown:
        if line.strip() not in ("", "..."):
            pattern = ".*".join(re.escape(part) for part in line.rstrip().split("…"))
            seen = any(re.fullmatch(pattern, other.rstrip()) for other in lines)
            assert seen, f"{where}: {line!r} is not printed, or not there:\n{printed}"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of a user who has never used smetslab."""
    folder = tmp_path / "work"
    folder.mkdir()
    for variable in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


def run_pytest(file: Path) -> None:
    """Run a file of tests as its reader would."""
    found = os.pathsep.join([str(SOURCES.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", file.name]
    environment = {**os.environ, "PYTHONPATH": found}
    ended = subprocess.run(
        command, cwd=file.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_is_looked_at(page: Path) -> None:
    """A block that is written otherwise would be passed over in silence."""
    fences = re.findall(r"^\s*(?:```|~~~)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page))
    assert {block.language for block in blocks(page)} <= {"console", "mermaid", "python", "text", "toml", ""}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(
    page: Path,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = ModuleType("example_of_a_page")
    monkeypatch.setitem(sys.modules, example.__name__, example)
    printed: str | None = None
    for block in blocks(page):
        where = f"{page.name}:{block.line + 1}"
        shows, printed = printed, None
        if block.language == "toml":
            tomllib.loads(block.text)
        if block.file is not None:
            (workspace / block.file).write_text(block.text, encoding="utf-8")
            importlib.invalidate_caches()
            if block.file.startswith("test_"):
                run_pytest(workspace / block.file)
        elif block.language == "python":
            capsys.readouterr()
            # Blank lines in front, so that a traceback names the line of the page.
            exec(compile("\n" * block.line + block.text, str(page), "exec"), vars(example))  # noqa: S102
            printed = capsys.readouterr().out
        elif block.language == "text" and shows is not None:
            assert_shown(block.text.splitlines(), shows, where)
        elif block.exit is not None:
            for command, shown in commands(block):
                program, *arguments = shlex.split(command)
                assert program == "smetslab", f"{where}: only smetslab is run here"
                capsys.readouterr()
                code = cli.main(arguments)
                output = capsys.readouterr()
                assert code == block.exit, f"{where}: {command}\n{output.out}{output.err}"
                assert_shown(shown, output.out + output.err, where)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_understood(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for block in blocks(page):
        for command, _ in commands(block) if block.language == "console" else ():
            program, *arguments = shlex.split(command)
            if program == "make":
                assert arguments[0] in targets, command
            elif program == "smetslab":
                parse(arguments)


def parse(arguments: list[str]) -> None:
    """Raises click's UsageError when the command line is not understood."""
    command, names = typer.main.get_command(cli.app), ["smetslab"]
    while isinstance(command, Group) and arguments and arguments[0] in command.commands:
        names.append(arguments[0])
        command, arguments = command.commands[arguments[0]], arguments[1:]
    with contextlib.suppress(Exit):  # --help and --version end here
        command.make_context(" ".join(names), arguments)
        assert not isinstance(command, Group), " ".join(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            place = page.parent / path if path else page
            assert place.exists(), target
            assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_names_in_a_page_exist(page: Path) -> None:
    """Dotted names below `smetslab`; paths below a folder of the repository, or of the package."""
    for code in _CODE.findall(prose(page)):
        if _NAME.fullmatch(code):
            resolve(code)
        elif _PLACE.fullmatch(code):
            tops = [top for top in (ROOT, SOURCES) if (top / code.partition("/")[0]).is_dir()]
            assert not tops or any(list(top.glob(code)) for top in tops), f"{page.name}: there is no {code}"


def anchors(page: Path) -> list[str]:
    """The names under which the headings of a page can be reached."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def resolve(name: str) -> object:
    """The module, class or member of that dotted name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"there is no {name}")


def test_the_table_of_contents_names_every_page() -> None:
    contents = _LINK.findall(prose(DOCS / "README.md"))
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= set(contents)
