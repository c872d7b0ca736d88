"""Real tools, for tests that must not take our own word for it; every test of this folder is `interop`."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pytest

from smetslab.han import ApsFrame
from smetslab.ids import Eui64

HERE = Path(__file__).parent
NODE_FOLDER = HERE / "node"
PATIENCE_S = 240
"""How long a real tool may take. It ends a wait for nothing; a busy machine must not reach it."""

RequireTool = Callable[[str], Path]
Dissect = Callable[..., list[dict[str, Any]]]
DissectHan = Callable[[Sequence[ApsFrame]], "list[Packet]"]
TsharkNames = Callable[[str], dict[int, str]]

LINKTYPE_IEEE802_15_4_NOFCS = 230


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


@pytest.fixture(scope="session")
def require_zigpy() -> Path:
    """The interpreter of zigpy's own environment; without it the test skips, or fails if REQUIRE_TOOLS=1."""
    python = HERE / "zigpy" / ".venv" / "bin" / "python"
    if not (HERE / "zigpy" / ".venv" / "done").exists():
        _missing("zigpy")
    return python


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
                timeout=PATIENCE_S,
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


# MQTT broker ------------------------------------------------------------------------------------------------


class MosquittoBroker:
    """A throw-away mosquitto that listens on this machine alone, keeps nothing over a restart, and may want
    a password or speak TLS.
    """

    def __init__(self, folder: Path, *, password: str = "", tls: bool = False) -> None:
        self.folder = folder
        self.password = password
        self.tls = tls
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        user = f"lab:{quote(self.password)}@" if self.password else ""
        options = f"?ca={self.folder / 'ca.pem'}" if self.tls else ""
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}localhost:{self.port}/test{options}"

    def _configure(self) -> Path:
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root"]
        if self.password:
            passwords = self.folder / "passwords"
            tool = _require_tool("mosquitto_passwd")
            subprocess.run([str(tool), "-b", "-c", str(passwords), "lab", self.password], check=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        else:
            lines.append("allow_anonymous true")
        if self.tls:
            names = ("cafile ca.pem", "certfile server.pem", "keyfile server.key")
            lines += [f"{name.split()[0]} {self.folder / name.split()[1]}" for name in names]
        path = self.folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def start(self) -> None:
        program = _require_tool("mosquitto")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(program), "-v", "-c", str(self._configure())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)  # noqa: TID251 - it is a process of its own that is waited for
        pytest.fail((self.folder / "log").read_text(), pytrace=False)

    def stop(self) -> None:
        """At once, as a power cut would: what is under way is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., MosquittoBroker]]:
    """`make_broker(password=..., tls=...)` is a running broker; its files are in `tmp_path`."""
    _require_tool("mosquitto")
    made: list[MosquittoBroker] = []

    def make(**options: Any) -> MosquittoBroker:
        made.append(MosquittoBroker(tmp_path, **options))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def broker(make_broker: Callable[..., MosquittoBroker]) -> MosquittoBroker:
    """A running broker without password."""
    return make_broker()


# tshark and Node --------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tshark(tmp_path_factory: pytest.TempPathFactory) -> Dissect:
    """`tshark(path, *options)` is what Wireshark makes of a capture: a dictionary of layers per packet.

    `keys`: a file in the form in which Wireshark keeps ZigBee keys.
    """
    program = _require_tool("tshark")
    # The person's own Wireshark preferences and keys must not reach the tests.
    home = tmp_path_factory.mktemp("wireshark")

    def dissect(capture: Path, *options: str, keys: Path | None = None) -> list[dict[str, Any]]:
        (home / "zigbee_pc_keys").write_text("" if keys is None else keys.read_text())
        done = subprocess.run(
            [str(program), "-r", str(capture), "-n", "-T", "json", "--no-duplicate-keys", *options],
            env={**os.environ, "HOME": str(home), "WIRESHARK_CONFIG_DIR": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]

    return dissect


@dataclass(frozen=True)
class Packet:
    """What Wireshark makes of one packet, with everything that it put together from earlier ones."""

    layers: dict[str, Any]

    @property
    def protocols(self) -> list[str]:
        return self.layers["frame"]["frame.protocols"].split(":")

    def all(self, field: str) -> list[Any]:
        """Every value of a field, wherever it stands, in order."""
        return list(_values(self.layers, field))

    def one(self, field: str) -> Any:
        """The value of a field that is there once."""
        (value,) = self.all(field)
        return value


def _values(node: Any, field: str) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _values(item, field)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == field:
                yield from value if isinstance(value, list) else [value]
            else:
                yield from _values(value, field)


MAX_APS_PAYLOAD = 61
"""What a GB hub puts into one APS fragment."""

COORDINATOR, FIRST_SHORT_ADDRESS, PAN = 0x0000, 0x1A00, 0x5E11


def _air_frames(frames: Sequence[ApsFrame]) -> Iterator[tuple[int, bytes]]:
    """Each APS frame as unsecured 802.15.4 frames, fragmented where it is long; with the number of the frame.

    The first sender gets the address of the coordinator. Spec: IEEE 802.15.4-2006 7.2; ZigBee 3.3, 2.2.5.
    """
    addresses: dict[Eui64, int] = {}
    numbers = itertools.count()
    counters: dict[Eui64, Iterator[int]] = {}
    for index, frame in enumerate(frames):
        for party in (frame.source, frame.destination):
            addresses.setdefault(party, FIRST_SHORT_ADDRESS + len(addresses) if addresses else COORDINATOR)
        source, destination = addresses[frame.source], addresses[frame.destination]
        counter = next(counters.setdefault(frame.source, itertools.count())) & 0xFF
        size = MAX_APS_PAYLOAD
        parts = [frame.payload[start : start + size] for start in range(0, len(frame.payload), size)]
        for block, part in enumerate(parts or [b""]):
            # Data, unicast, acknowledgement asked for; with an extended header where there are fragments.
            control, extended = 0x40, b""
            if len(parts) > 1:
                control |= 0x80
                extended = bytes((1, len(parts))) if block == 0 else bytes((2, block))
            number = next(numbers)
            yield (
                index,
                b"".join(
                    (
                        struct.pack("<HBHHH", 0x8861, number & 0xFF, PAN, destination, source),
                        struct.pack("<HHHBB", 0x0048, destination, source, 30, number & 0xFF),
                        struct.pack("<BBH", control, frame.destination_endpoint, frame.cluster),
                        struct.pack("<HBB", frame.profile, frame.source_endpoint, counter),
                        extended,
                        part,
                    )
                ),
            )


@pytest.fixture(scope="session")
def dissect_han(tshark: Dissect, tmp_path_factory: pytest.TempPathFactory) -> DissectHan:
    """`dissect_han(frames)`: for each APS frame the packet that completes it. None may be malformed."""

    def dissect(frames: Sequence[ApsFrame]) -> list[Packet]:
        capture = tmp_path_factory.mktemp("han") / "han.pcap"
        indices: list[int] = []
        with capture.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_IEEE802_15_4_NOFCS))
            for index, octets in _air_frames(frames):
                # 127 octets are a frame of the medium, two of them its check sequence.
                assert len(octets) <= 125
                file.write(struct.pack("<IIII", len(indices), 0, len(octets), len(octets)) + octets)
                indices.append(index)
        packets = [Packet(layers) for layers in tshark(capture)]
        assert len(packets) == len(indices)
        pairs = list(zip(indices, packets, strict=True))
        wrong = [(frames[index], packet.layers) for index, packet in pairs if not _is_sound(packet)]
        assert wrong == []
        complete = dict(pairs)
        return [complete[index] for index in range(len(frames))]

    return dissect


def _is_sound(packet: Packet) -> bool:
    """Wireshark found nothing to complain about."""
    text = json.dumps(packet.layers)
    return "_ws.malformed" not in text and "_ws.expert" not in text


@pytest.fixture(scope="session")
def tshark_names() -> TsharkNames:
    """`tshark_names(field)`: the names that Wireshark has for the values of a field."""
    program = _require_tool("tshark")
    done = subprocess.run(
        [str(program), "-G", "values"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    names: dict[str, dict[int, str]] = {}
    for line in done.stdout.splitlines():
        kind, _, rest = line.partition(b"\t")
        if kind in (b"V", b"R") and rest.startswith((b"gbcs", b"zbee", b"wpan.cmd")):
            field, value, *more = rest.decode("utf-8").split("\t", 2 if kind == b"V" else 3)
            # A range of one value is a value; other ranges name nothing.
            if kind == b"V" or more[0] == value:
                names.setdefault(field, {})[int(value, 0)] = more[-1]
    return names.__getitem__


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
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
