"""A served laboratory that is killed again and again, and what must be true of it afterwards.

`campaign` is a service user over HTTP who keeps books: it sends again what was not acknowledged, as clients
do, takes call-backs, now and then without saying so, and kills `smetslab serve` with SIGKILL at random
moments. With a broker the homes are in a process of their own, `smetslab premises`, which is killed now and
then as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc.service_user import UTRN_COUNTER_STEP, ServiceUser
from smetslab.dcc.services.doorkeeper import DocumentSigner
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import parse_request, parse_response
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.ids import Eui64
from smetslab.lab.build import Lab, lab_keystore
from smetslab.lab.config import LabConfig, StoreConfig, load_lab

SOURCE = Path(__file__).parents[2] / "src"
TOP_UPS = 5
"""How many top-ups a home gets: as many as its meter's log keeps."""
CONNECTIONS = 16
LATEST_DEATH_S = 1.2
SLOW_START_S = 3.0
"""Where a start takes longer, lives are longer in the same measure: the machine is slow, or the lab large."""
START_S = 120.0
EVERY_PREMISES_KILL = 10
"""After so many deaths of the DCC the homes die as well, where they are in a process of their own."""

_now = time.monotonic  # noqa: TID251 - they are processes of their own that are watched

_PARTIES = (
    ("supplier", "supplier", "90B3D51F30010000"),
    ("network-operator", "network_operator", "90B3D51F30020000"),
    ("recovery", "recovery", "90B3D51F30000001"),
    ("broker", "access_control_broker", "90B3D51F30000002"),
    ("transcos", "transitional_cos", "90B3D51F30000004"),
    ("wan", "wan_provider", "90B3D51F30000007"),
    ("load-controller", "load_controller", "90B3D51F30010008"),
)


def write_lab(folder: Path, homes: int, store: str) -> Path:
    """A lab file with so many homes, each a hub and an electricity meter in prepayment, and that store."""
    profile = load_lab().premises[0].devices[0].profile
    lines = ["schema_version = 1", "epoch = 2026-01-05T00:00:00Z", "", "[store]", f'url = "{store}"']
    lines += ["", "[time]", 'mode = "real"']
    # Longer than all deaths together: what is answered is answered, and what is not is waited for.
    lines += ["", "[dcc]", "response_timeout_s = 900.0", "delivery_timeout_s = 900.0"]
    lines += ["retry_interval_s = 1.0", "", "[wan]", "latency_s = 0.01", "jitter_s = 0.01"]
    # What is tested is memory, not the air: frames on the air would take most of the time.
    lines += ["", "[han]", 'kind = "direct"', "", "[serve]", "callback_delay_s = 0.0"]
    for name, role, eui64 in _PARTIES:
        lines += ["", "[[parties]]", f'name = "{name}"', f'role = "{role}"', f'eui64 = "{eui64}"']
    for number in range(homes):
        lines += [
            "",
            "[[premises]]",
            f'name = "home-{number}"',
            f'hub = {{ eui64 = "{_eui(number, 0xA2)}" }}',
        ]
        lines += ["[[premises.devices]]", 'name = "esme"', f'profile = "{profile}"']
        lines += [f'eui64 = "{_eui(number, 0xA0)}"', 'state = { payment_mode = "prepayment" }']
    path = folder / "lab.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _eui(number: int, device: int) -> str:
    return f"00DB0000{number:04}00{device:02X}"


@dataclass
class Books:
    """What the client knows at the end. `finals`: by the key of the request every different document that
    came, and its code.
    """

    requests: list[bytes]
    keys: list[str]
    answers: dict[int, str] = field(default_factory=dict)
    finals: dict[str, dict[bytes, str]] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    kills: int = 0
    premises_kills: int = 0
    resent: int = 0
    repeated: int = 0
    """How many call-backs came again."""
    credited: dict[Eui64, Counter[int]] = field(default_factory=dict)
    undelivered: int = -1

    @property
    def complete(self) -> bool:
        return len(self.answers) == len(self.keys) and all(key in self.finals for key in self.keys)

    def codes(self) -> Counter[str]:
        return Counter(code for documents in self.finals.values() for code in documents.values())

    def take(self, body: bytes) -> None:
        """A call-back."""
        response = parse_response(body)
        if response.request_id is not None:
            kept = self.finals.setdefault(response.request_id.key, {})
            self.repeated += body in kept
            kept[body] = response.code


# Processes --------------------------------------------------------------------------------------------------

_NURSERY = """
import json, os, signal, sys
import smetslab.lab.serve
from smetslab.cli.main import main
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    log, words = json.loads(line)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv[1:] = words
        sys.exit(main())
    print(child, flush=True)
"""
"""What has everything imported, and from which processes come that need not do so again."""


class Nursery:
    """Processes of the command line, which begin in a moment and may be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    async def __aenter__(self) -> Nursery:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SMETSLAB_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _NURSERY,
            env={**environment, "PYTHONPATH": str(SOURCE)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def start(self, *words: str, ready: str) -> tuple[Child, str]:
        """`smetslab WORDS`, and its first line that has `ready` in it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._count += 1
        log = self._folder / f"{self._count:03}-{words[0]}.log"
        log.touch()
        self._process.stdin.write(json.dumps([str(log), words]).encode() + b"\n")
        child = Child(int(await self._process.stdout.readline()), log)
        async with asyncio.timeout(START_S):
            while True:
                lines = log.read_text().splitlines(keepends=True)
                found = next((line for line in lines if ready in line and line.endswith("\n")), None)
                if found is not None:
                    return child, found
                assert child.lives, f"{words[0]} ended: {log.read_text()[-2000:]}"
                await asyncio.sleep(0.02)


@dataclass
class Child:
    """A process."""

    number: int
    log: Path

    @property
    def lives(self) -> bool:
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return False
        return True

    async def kill(self) -> None:
        """At once, as a power cut would."""
        assert self.lives, f"it died by itself: {self.log.read_text()[-2000:]}"
        os.kill(self.number, signal.SIGKILL)
        async with asyncio.timeout(START_S):
            while self.lives:  # noqa: ASYNC110 - it is no child of this process
                await asyncio.sleep(0.005)


# The client -------------------------------------------------------------------------------------------------


@dataclass
class _Client:
    """One service user and its processes."""

    folder: Path
    lab: Path
    wan: str | None
    books: Books
    rng: random.Random
    kills: int
    nursery: Nursery = field(init=False)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    callback: str = ""
    callbacks: dict[asyncio.Task[None], None] = field(default_factory=dict)

    async def serve_callback(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what the DCC posts; sometimes hang up without saying so."""
        task = asyncio.current_task()
        assert task is not None
        self.callbacks[task] = None
        try:
            while True:
                _, body = await _message(reader)
                self.books.take(body)
                self.changed.set()
                if self.rng.random() < 0.1:
                    break
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            del self.callbacks[task]
            writer.close()

    async def start_premises(self) -> Child | None:
        """The homes, where they are in a process of their own."""
        if self.wan is None:
            return None
        words = ("premises", "--lab", str(self.lab), "--wan", self.wan, "--store")
        child, _ = await self.nursery.start(*words, _premises_store(self.folder), ready="premises-")
        return child

    def share(self, kills: int) -> int:
        """How many requests are sent until so many lives have ended: half of them in the first third."""
        whole = len(self.books.keys)
        return whole * (kills + 2) // (kills + 2 + max(1, self.kills) // 3)

    async def live(self, die_within_s: float | None, limit_s: float) -> None:
        """One life of the DCC: to its violent end, or until everything is answered."""
        words = [
            "serve",
            "--lab",
            str(self.lab),
            "--port",
            "0",
            "--smki-port",
            "0",
            "--callback",
            self.callback,
        ]
        if self.wan is not None:
            words += ["--wan", self.wan]
        begun = _now()
        child, line = await self.nursery.start(*words, ready="/api/v1/serviceS")
        if die_within_s is not None:
            die_within_s *= max(1.0, (_now() - begun) / SLOW_START_S)
        port = int(line.split(":")[2].partition("/")[0])
        books = self.books
        # Each life has work of its own, besides what those before it have left.
        by_now = len(books.keys) if die_within_s is None else self.share(books.kills)
        waiting = iter([number for number in range(by_now) if number not in books.answers])
        senders = [asyncio.create_task(self._send(port, waiting)) for _ in range(CONNECTIONS)]
        try:
            async with asyncio.timeout(limit_s if die_within_s is None else die_within_s):
                while die_within_s is not None or not books.complete:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            pass
        finally:
            await child.kill()
            for sender in senders:
                sender.cancel()
            ends = await asyncio.gather(*senders, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _send(self, port: int, waiting: Iterator[int]) -> None:
        """Post one request after the other on one connection, while there is somebody."""
        books = self.books
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        try:
            for number in waiting:
                books.resent += number in books.sent
                books.sent.add(number)
                document = books.requests[number]
                head = (
                    f"POST /api/v1/serviceS HTTP/1.1\r\nHost: dcc\r\nContent-Type: application/xml\r\n"
                    f"Content-Length: {len(document)}\r\n\r\n"
                )
                writer.write(head.encode() + document)
                status, body = await _message(reader)
                assert status == 200, (status, body)
                code = parse_response(body).code
                # E65: its counter was accepted, the acknowledgement had died on its way.
                assert code in {"I99", "E65"}, body
                books.answers[number] = code
                self.changed.set()
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status (0 for a request) and body of an HTTP message."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/") else 0
    return status, await reader.readexactly(length)


def _premises_store(folder: Path) -> str:
    return f"sqlite:///{folder / 'premises.sqlite'}"


# The campaign -----------------------------------------------------------------------------------------------


def campaign(
    folder: Path,
    *,
    homes: int,
    requests: int,
    kills: int,
    seed: int,
    limit_s: float,
    store: str | None = None,
    wan: str | None = None,
) -> Books:
    """Send `requests` to a laboratory of `homes` that is killed `kills` times, and wait for its answers.

    `store`: an empty one, by default a new file. `wan`: a broker to the homes, which then are in a process of
    their own.
    """
    path = write_lab(folder, homes, store or f"sqlite:///{folder / 'lab.sqlite'}")
    config = load_lab(path)
    books = _prepare(config, requests)
    client = _Client(folder, path, wan, books, random.Random(seed), kills)
    asyncio.run(_campaign(client, limit_s))
    _look_inside(folder, config, books, wan)
    return books


async def _campaign(client: _Client, limit_s: float) -> None:
    until = _now() + limit_s
    async with Nursery(client.folder) as nursery:
        client.nursery = nursery
        await _kill_again_and_again(client, until)


async def _kill_again_and_again(client: _Client, until: float) -> None:
    books, kills = client.books, client.kills
    async with _callback_server(client):
        homes = await client.start_premises()
        try:
            while (books.kills < kills or not books.complete) and _now() < until:
                die = books.kills < kills
                moment = client.rng.uniform(0.05, LATEST_DEATH_S) if die else None
                await client.live(moment, until - _now())
                books.kills += die
                if die and homes is not None and books.kills % EVERY_PREMISES_KILL == 0:
                    await homes.kill()
                    homes = await client.start_premises()
                    books.premises_kills += 1
        finally:
            if homes is not None:
                await homes.kill()


@asynccontextmanager
async def _callback_server(client: _Client) -> AsyncIterator[None]:
    server = await asyncio.start_server(client.serve_callback, "127.0.0.1", 0)
    client.callback = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/duis"
    try:
        yield
    finally:
        server.close()
        tasks = list(client.callbacks)
        if tasks:
            await asyncio.wait(tasks)


def _prepare(config: LabConfig, requests: int) -> Books:
    """Signed requests in an order in which a device may take them: top-ups and reads, homes in turn."""

    async def main(clock: LoopClock) -> list[bytes]:
        del clock
        keystore = lab_keystore(config)
        documents: list[bytes] = []
        supplier_id = next(party.eui64 for party in config.parties if party.name == "supplier")
        key = keystore.private_key(supplier_id, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
        user = ServiceUser(supplier_id, keystore=keystore, dcc=None)  # type: ignore[arg-type]
        signer = DocumentSigner(keystore.xml_signer(supplier_id))
        meters = [home.devices[0].eui64 for home in config.premises]
        for number in range(requests):
            meter, turn = meters[number % len(meters)], number // len(meters)
            if turn < TOP_UPS:
                public = keystore.find(meter, KeyUsage.KEY_AGREEMENT).certificate.public_key
                token = build_utrn(
                    counter=UTRN_COUNTER_STEP * (turn + 1),
                    value_class=ValueClass.POUNDS,
                    value=turn + 1,
                    secret=key.exchange(public),
                    supplier=supplier_id,
                    device=meter,
                )
                document = user.document("2.2", meter, {"UTRN": token.digits}, CommandVariant.SEND)
            else:
                document = user.document("4.1.1", meter, None, CommandVariant.SEND)
            documents.append(signer.sign(document))
        return documents

    documents = run_virtual(main)
    return Books(documents, [parse_request(one).header.request_id.key for one in documents])


def _look_inside(folder: Path, config: LabConfig, books: Books, wan: str | None) -> None:
    """What the memory of meters and DCC says."""
    later = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - the processes lived in real time
    quiet = config.model_copy(update={"epoch": later})

    async def dcc(clock: LoopClock) -> None:
        del clock
        async with Lab(quiet) as lab:
            seen: list[str] = []
            lab.dcc.subscribe(lambda one: seen.append(one.request))
            # Those that were handed out and whose acknowledgement died are handed out again, as themselves.
            books.undelivered = len([key for key in seen if key and key not in books.finals])
            if wan is None:
                count(lab)

    async def homes(clock: LoopClock) -> None:
        del clock
        store = StoreConfig(url=_premises_store(folder))
        async with Lab(quiet.model_copy(update={"store": store})) as lab:
            count(lab)

    def count(lab: Lab) -> None:
        for home in config.premises:
            meter = home.devices[0].eui64
            books.credited[meter] = credits_of(lab, meter)

    run_virtual(dcc)
    if wan is not None:
        run_virtual(homes)


def check(books: Books, homes: int) -> None:
    """What must be true after any number of kills."""
    assert books.complete, f"{len(books.answers)} answers, {len(books.finals)} finals of {len(books.keys)}"
    more = {key: documents for key, documents in books.finals.items() if len(documents) != 1}
    assert more == {}
    assert set(books.finals) == set(books.keys)
    assert books.undelivered == 0
    assert len(books.credited) == homes
    for place, meter in enumerate(books.credited):
        amounts = books.credited[meter]
        twice = {amount: count for amount, count in amounts.items() if count > 1}
        assert twice == {}, (meter, twice)
        for turn in range(TOP_UPS):
            number = place + turn * homes
            if number < len(books.keys):
                [code] = books.finals[books.keys[number]].values()
                # Whoever was told that it was done finds it done.
                assert code != "I0" or amounts[turn + 1] == 1, (meter, turn)


def credits_of(lab: Lab, meter: Eui64) -> Counter[int]:
    """How often each amount stands in the meter's log of top-ups, in whole pounds."""
    entries = lab.devices[meter]._core.server.entries("prepayment_credits")
    return Counter(int(str(entry["amount"])) // 100_000 for entry in entries if isinstance(entry, dict))
