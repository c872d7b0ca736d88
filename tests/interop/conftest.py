"""Real tools, for tests that must not take our own word for it; every test of this folder is `interop`."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE = Path(__file__).parent
NODE_FOLDER = HERE / "node"

RequireTool = Callable[[str], Path]
Dissect = Callable[..., list[dict[str, Any]]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


def _find(tool: str) -> Path | None:
    """`tool` on the path, where daemons are kept, or in the folder of the newest PostgreSQL."""
    if found := shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"):
        return Path(found)
    versions = sorted(
        Path("/usr/lib/postgresql").glob("[0-9]*"), key=lambda folder: float(folder.name), reverse=True
    )
    return next((path for folder in versions if (path := folder / "bin" / tool).is_file()), None)


def _missing(what: str) -> NoReturn:
    text = f"{what} is not installed; `make test-interop` as root installs it where apt is present"
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(f"{text} (REQUIRE_TOOLS=1)", pytrace=False)
    pytest.skip(text)


def _require_tool(name: str) -> Path:
    path = _find(name)
    if path is None:
        _missing(name)
    return path


@pytest.fixture(scope="session")
def require_tool() -> RequireTool:
    """`require_tool("tshark")` is its path; without the tool the test skips, or fails if REQUIRE_TOOLS=1."""
    return _require_tool


# PostgreSQL -------------------------------------------------------------------------------------------------


class PostgresCluster:
    """A throw-away PostgreSQL server that listens on a socket in its own folder and nowhere else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()
        # PostgreSQL refuses to run as root; its package made this user.
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(folder, "postgres")

    def _command(self, tool: str, *arguments: str) -> None:
        output = self.folder.parent / f"{self.folder.name}.{tool}.log"
        # Into a file: the server inherits what pg_ctl has, and a pipe would stay open as long as it lives.
        with output.open("a+", encoding="utf-8") as sink:
            done = subprocess.run(
                [*self._as_user, str(_require_tool(tool)), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            sink.seek(0)
            text = sink.read()
        output.unlink()
        if done.returncode != 0:
            log = self.folder / "log"
            pytest.fail(f"{tool}: {text}\n{log.read_text() if log.exists() else ''}", pytrace=False)

    def start(self) -> None:
        data = str(self.folder / "data")
        self._command("initdb", "--no-sync", "--auth=trust", "--username=smetslab", "--encoding=UTF8", data)
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self._command(
            "pg_ctl", "start", "--wait", f"--pgdata={data}", f"--log={self.folder / 'log'}", "-o", options
        )

    def stop(self) -> None:
        self._command("pg_ctl", "stop", "--wait", "--mode=immediate", f"--pgdata={self.folder / 'data'}")

    def restart(self) -> None:
        """Stop without a checkpoint, as a power cut would, and come back."""
        self._command("pg_ctl", "restart", "--wait", "--mode=immediate", f"--pgdata={self.folder / 'data'}")

    def create_database(self) -> str:
        """A new empty database: its SQLAlchemy URL."""
        name = f"test_{next(self._numbers)}"
        self._command(
            "psql",
            "--no-psqlrc",
            f"--host={self.folder}",
            "--username=smetslab",
            "--dbname=postgres",
            f"--command=CREATE DATABASE {name}",
        )
        return f"postgresql+psycopg://smetslab@/{name}?host={self.folder}"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """One server for the whole run; `postgres_url` gives each test a database of its own."""
    for tool in ("initdb", "pg_ctl", "psql"):
        _require_tool(tool)
    try:
        import psycopg  # noqa: F401 - asks whether the extra `postgres` is installed
    except ImportError:
        _missing("the extra `postgres`")
    # Not pytest's tmp_path: that one is closed to other users, and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="smetslab-pg-", ignore_cleanup_errors=True) as folder:
        cluster = PostgresCluster(Path(folder))
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def postgres_url(postgres_cluster: PostgresCluster) -> str:
    """The SQLAlchemy URL of an empty PostgreSQL database."""
    return postgres_cluster.create_database()


# tshark and Node --------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tshark(tmp_path_factory: pytest.TempPathFactory) -> Dissect:
    """`tshark(path, *options)` is what Wireshark makes of a capture: a dictionary of layers per packet."""
    program = _require_tool("tshark")
    # The person's own Wireshark preferences and keys must not reach the tests.
    home = tmp_path_factory.mktemp("wireshark")

    def dissect(capture: Path, *options: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [str(program), "-r", str(capture), "-n", "-T", "json", "--no-duplicate-keys", *options],
            env={**os.environ, "HOME": str(home), "WIRESHARK_CONFIG_DIR": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]

    return dissect


@pytest.fixture(scope="session")
def node() -> Callable[[str], str]:
    """`node(script)` runs JavaScript beside the published packages and returns what it prints."""
    program = _require_tool("node")
    if not (NODE_FOLDER / "node_modules" / "@smartdcc").is_dir():
        _missing("the set of Node packages")

    def run(script: str) -> str:
        done = subprocess.run(
            [str(program), "--eval", script],
            cwd=NODE_FOLDER,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
