"""Requests a second through serviceS, end to end, and where the time goes.

A served laboratory: HTTP, XML, schema (where SMETSLAB_SCHEMA names one), XML signature checked, access
control, transform, MAC, WAN, hub, HAN, meter, response, XML signature made, call-back. A client in a
process of its own: it signs beforehand, sends over a few connections and counts the call-backs.

Three forms, one after the other: everything in one process; over a broker (a mosquitto of its own, where
there is one, or that of --wan) and still in one process; over the broker with the homes in a second process,
as `smetslab serve --wan` and `smetslab premises --wan`. The HAN is that of direct links: what the simulated
air takes, `bench_han.py` measures.

The processor time of each process for one request is given beside: it says more on a machine that is busy
with other things. Before the forms the machine is measured: what the primitives take that a request cannot do
without (parsing, schema, digest, one signature checked and one made), and what the interpreter takes for a
small object. Figures of two machines are compared by these.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import platform
import pstats
import shutil
import socket
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from lxml import etree

from smetslab.clock import LoopClock, run_real
from smetslab.dcc import ServiceUser
from smetslab.dcc.services.doorkeeper import DocumentSigner
from smetslab.duis.codes import CommandVariant
from smetslab.duis.schema import DuisSchema
from smetslab.duis.xmldsig import parse_tree, read_signature
from smetslab.ids import Eui64
from smetslab.lab.build import Lab, lab_keystore
from smetslab.lab.collector import seldom_collected
from smetslab.lab.config import LabConfig, PremisesConfig, StoreConfig, load_lab
from smetslab.lab.loops import serving_loop
from smetslab.lab.serve import KEPT_OBSERVATIONS, LabServer, in_real_time

REQUESTS = 1500
WARM_UP = 100
HOMES = 8
CONNECTIONS = 8
IN_FLIGHT = 64
SHOWN = 25
SLOWEST = 5.0
"""Requests a second that even a very busy machine does."""
STALLED_S = 60.0
"""When nothing happens for so long, something is wrong."""
PRIMITIVES_MS = 0.25
"""What the primitives of a request took where the aim of 300 requests a second was set."""
FORMS = ("one process", "one process, over a broker", "two processes, over a broker")

REST = "the rest"
MODULES = (
    ("XML, schema and signatures", ("duis/element", "duis/document", "duis/schema", "duis/xmldsig", "lxml")),
    ("HTTP", ("uvicorn", "starlette", "httpx", "httpcore", "h11", "httptools", "anyio", "services/")),
    ("DCC", ("smetslab/dcc/", "smetslab/registry/", "duis/srv")),
    ("store", ("sqlalchemy", "sqlite", "smetslab/store/", "json/")),
    ("WAN, HAN and hub", ("smetslab/wan/", "smetslab/han/", "devices/hub", "devices/chf", "zigbee/")),
    ("MQTT library", ("aiomqtt", "paho")),
    ("device", ("smetslab/devices/",)),
    ("GBCS", ("smetslab/gbcs/",)),
    ("cryptography", ("crypto", "hashlib", "hmac")),
    ("trace and time", ("smetslab/trace", "smetslab/clock")),
)


def configuration(homes: int, store: str, callback: str, wan: str | None = None) -> LabConfig:
    """A lab of many homes whose networks take no time."""
    config = load_lab()
    (home,) = config.premises
    quick: dict[str, Any] = {"latency_s": 0.0, "jitter_s": 0.0}
    premises: list[PremisesConfig] = []
    for number in range(homes):
        device = home.devices[0].model_copy(update={"eui64": _eui(number, 0xE0)})
        hub = home.hub.model_copy(update={"eui64": _eui(number, 0xC0)})
        premises.append(home.model_copy(update={"name": f"home-{number}", "hub": hub, "devices": (device,)}))
    serve = config.serve.model_copy(
        update={
            "port": 0,
            "smki_port": 0,
            "callback": callback,
            "callback_delay_s": 0.0,
            "schema_folder": os.environ.get("SMETSLAB_SCHEMA"),
        }
    )
    return config.model_copy(
        update={
            "premises": tuple(premises),
            "serve": serve,
            "store": StoreConfig(url=store),
            "wan": config.wan.model_copy(update={**quick, "url": wan}),
            "han": config.han.model_copy(update={**quick, "kind": "direct"}),
        }
    )


def _eui(number: int, kind: int) -> Eui64:
    return Eui64(bytes.fromhex("00DB12") + bytes((kind,)) + number.to_bytes(4, "big"))


# Other processes --------------------------------------------------------------------------------------------


class Child:
    """A process of ours and its pipe. When it ends or says nothing for long, whoever waits for it is told."""

    def __init__(self, what: str, target: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.what = what
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=target, args=(far, *arguments), daemon=True)
        self._process.start()
        far.close()

    def send(self, what: object) -> None:
        try:
            self._pipe.send(what)
        except OSError as error:
            raise self._ended() from error

    def receive(self, patience_s: float = STALLED_S) -> Any:
        """What it says next. Raises RuntimeError when it has ended, or is silent for so long."""
        ready = multiprocessing.connection.wait([self._pipe, self._process.sentinel], patience_s)
        if self._pipe in ready:
            with suppress(EOFError):
                return self._pipe.recv()
        if not ready:
            raise RuntimeError(f"{self.what}: silent for {patience_s:g} s")
        raise self._ended()

    def _ended(self) -> RuntimeError:
        self._process.join(STALLED_S)
        return RuntimeError(f"{self.what}: ended with exit code {self._process.exitcode}")

    def end(self) -> None:
        """Wait for its end, which must be a good one."""
        self._process.join(STALLED_S)
        if self._process.exitcode != 0:
            raise RuntimeError(f"{self.what}: exit code {self._process.exitcode} at its end")

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


# The machine ------------------------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """What this machine takes for what every implementation needs, and what its interpreter is like."""
    config = configuration(1, "sqlite://", "http://127.0.0.1:1/")
    (document,) = signed(config, 1)
    keystore = lab_keystore(config)
    folder = os.environ.get("SMETSLAB_SCHEMA")
    schema = None if folder is None else DuisSchema(Path(folder))
    tree = parse_tree(document)
    signature = read_signature(tree)
    entry = keystore.by_serial(signature.serial)
    assert entry is not None
    assert entry.private_key is not None
    public, private = entry.certificate.public_key, entry.private_key
    steps: dict[str, Callable[[], object]] = {
        "parse": lambda: parse_tree(document),
        "digest": lambda: hashlib.sha256(etree.tostring(tree, method="c14n")).digest(),
        "verify": lambda: signature.verify(public),
        "sign": lambda: private.sign(signature.signed_info),
    }
    if schema is not None:
        whole = parse_tree(document)
        steps["schema"] = lambda: schema.validate_tree(whole)
    times = {name: _best_ms(step) for name, step in steps.items()}
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "small object made and read (us)": 1000 * _best_ms(lambda: _Small(1).value),
        "primitives": "parse, digest, verify, sign" + (", schema" if schema else "; no SMETSLAB_SCHEMA"),
        "primitives (ms)": sum(times.values()),
        "loop": "asyncio" if serving_loop() is None else "uvloop",
    }


class _Small:
    def __init__(self, value: int) -> None:
        self.value = value


def _best_ms(step: Callable[[], object]) -> float:
    """Processor time of one call, the best of several rounds."""
    count = 500
    return 1000 * min(timeit.repeat(step, timer=process_time, number=count, repeat=9)) / count


# The client -------------------------------------------------------------------------------------------------


def client(pipe: multiprocessing.connection.Connection, requests: int, homes: int) -> None:
    """Signs, then tells where it listens, then sends what it has signed as fast as it is allowed to."""
    asyncio.run(_client(pipe, requests, homes))


async def _client(pipe: multiprocessing.connection.Connection, requests: int, homes: int) -> None:
    counter = _Counter()
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    callback = f"http://127.0.0.1:{port}/"
    config = configuration(homes, "sqlite://", callback)
    documents = signed(config, WARM_UP + requests)
    pipe.send(callback)
    host, _, duis_port = pipe.recv().removeprefix("http://").partition(":")
    await _send(host, int(duis_port), documents[:WARM_UP], counter)
    pipe.send("warm")
    pipe.recv()
    started, used = perf_counter(), process_time()
    latencies = await _send(host, int(duis_port), documents[WARM_UP:], counter)
    seconds, used = perf_counter() - started, process_time() - used
    pipe.send({"seconds": seconds, "used": used, "latencies": latencies})
    server.close()
    # The server closes its kept connections when it stops.
    await counter.closed.wait()


def signed(config: LabConfig, count: int) -> list[bytes]:
    """Reads of the registers of one meter after the other, signed."""
    keystore = lab_keystore(config)
    party = next(party.eui64 for party in config.parties if party.name == "supplier")
    user = ServiceUser(party, keystore=keystore, dcc=_Nowhere())
    signer = DocumentSigner(keystore.xml_signer(party))
    meters = [premises.devices[0].eui64 for premises in config.premises]
    return [
        signer.sign(user.document("4.1.1", meters[number % len(meters)], {}, CommandVariant.SEND))
        for number in range(count)
    ]


class _Nowhere:
    async def submit(self, xml: bytes, service: object = None) -> bytes:
        raise AssertionError("documents are made here, not sent")


class _Counter:
    """A call-back service that reads, counts and takes everything."""

    def __init__(self) -> None:
        self.count = 0
        self.connections = 0
        self.closed = asyncio.Event()
        self._more = asyncio.Event()

    async def wait_for(self, count: int) -> None:
        while self.count < count:
            self._more.clear()
            async with asyncio.timeout(STALLED_S):
                await self._more.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.closed.clear()
        while (head := await _head(reader)) is not None:
            body = await reader.readexactly(_length(head))
            assert b"<sr:ResponseCode>I0<" in body, body
            assert b"SignatureValue" in body
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.count += 1
            self._more.set()
        writer.close()
        self.connections -= 1
        if not self.connections:
            self.closed.set()


async def _send(host: str, port: int, documents: list[bytes], counter: _Counter) -> list[float]:
    """Send everything, never with too much in flight; the time to each acknowledgement, in seconds."""
    wanted = counter.count + len(documents)
    started = counter.count
    waiting = iter(enumerate(documents))
    latencies: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for number, document in waiting:
            await counter.wait_for(started + number - IN_FLIGHT)
            head = (
                f"POST /api/v1/serviceS HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/xml\r\n"
                f"Content-Length: {len(document)}\r\n\r\n"
            )
            begun = perf_counter()
            writer.write(head.encode() + document)
            answer = await _head(reader)
            assert answer is not None
            body = await reader.readexactly(_length(answer))
            latencies.append(perf_counter() - begun)
            assert b"<sr:ResponseCode>I99<" in body, (answer, body)
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(connection())
    await counter.wait_for(wanted)
    return latencies


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)


# The server -------------------------------------------------------------------------------------------------


def premises(
    pipe: multiprocessing.connection.Connection, homes: int, store: str, callback: str, wan: str
) -> None:
    """The homes alone, as `smetslab premises --wan`; tells how much processor time they took."""
    config = in_real_time(configuration(homes, store, callback, wan), datetime.now(UTC))  # noqa: TID251
    lab = Lab(config, keep=KEPT_OBSERVATIONS, role="premises", grouped=True)

    async def work(clock: LoopClock) -> None:
        del clock  # the lab has its own on the same loop
        loop = asyncio.get_running_loop()
        async with lab:
            await lab.wan_connected(10)
            pipe.send("here")
            await loop.run_in_executor(None, pipe.recv)
            with seldom_collected():
                used = process_time()
                pipe.send("go")
                await loop.run_in_executor(None, pipe.recv)
                pipe.send(process_time() - used)

    run_real(work, epoch=config.epoch, loop_factory=serving_loop())


async def measure(
    user: Child, requests: int, config: LabConfig, homes: Child | None, profile: cProfile.Profile | None
) -> dict[str, Any]:
    """Serve until the client is done. `homes`: where they are in a process of their own. Figures are for the
    requests after the warm-up.
    """
    loop = asyncio.get_running_loop()
    now = datetime.now(UTC)  # noqa: TID251 - a served lab begins at the present moment
    async with LabServer(config, now=now, role="whole" if homes is None else "dcc") as server:
        await server.lab.wan_connected(10)
        user.send(server.addresses.duis)
        await loop.run_in_executor(None, user.receive)
        with seldom_collected():
            if homes is not None:
                homes.send("warm")
                await loop.run_in_executor(None, homes.receive)
            if profile is not None:
                profile.enable()
            used = process_time()
            user.send("go")
            result = await loop.run_in_executor(None, user.receive, STALLED_S + requests / SLOWEST)
            used = process_time() - used
            if profile is not None:
                profile.disable()
        elsewhere = 0.0
        if homes is not None:
            homes.send("enough")
            elsewhere = await loop.run_in_executor(None, homes.receive)
        checked = "no schema" if server.schema is None else server.schema.name
    latencies = sorted(result["latencies"])
    figures: dict[str, Any] = {
        "requests": requests,
        "requests a second": requests / result["seconds"],
        "server: processor time a request (ms)": used * 1000 / requests,
        "server: requests a second of processor time": requests / used,
    }
    if homes is not None:
        figures["homes: processor time a request (ms)"] = elsewhere * 1000 / requests
    return {
        **figures,
        "client: processor time a request (ms)": result["used"] * 1000 / requests,
        "acknowledgement, median (ms)": latencies[len(latencies) // 2] * 1000,
        "acknowledgement, 99 of 100 (ms)": latencies[len(latencies) * 99 // 100] * 1000,
        "schema": checked,
    }


def run_form(
    form: str, options: argparse.Namespace, wan: str | None, profile: cProfile.Profile | None
) -> dict[str, Any]:
    """One form, with a client and a store of its own."""
    user = Child("the client", client, options.requests, options.homes)
    children = [user]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stack.callback(lambda: [child.kill() for child in children])
        stores = ["sqlite://" if options.memory else f"sqlite:///{Path(folder) / one}" for one in ("a", "b")]
        callback = user.receive(STALLED_S + options.requests / SLOWEST)
        homes: Child | None = None
        if form == FORMS[2]:
            homes = Child("the homes", premises, options.homes, stores[1], callback, wan)
            children.append(homes)
            homes.receive()
        config = configuration(options.homes, stores[0], callback, wan)

        async def serve(clock: LoopClock) -> dict[str, Any]:
            del clock  # the lab has its own on the same loop
            return await measure(user, options.requests, config, homes, profile)

        figures = run_real(serve, loop_factory=serving_loop())
        for child in children:
            child.end()
    return {"form": form, **figures, "store": "memory" if options.memory else "file"}


@contextmanager
def broker(url: str | None) -> Iterator[str | None]:
    """The broker of that URL, or a mosquitto of our own; None where there is none."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if url is not None or program is None:
        yield url
        return
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        path = Path(folder) / "mosquitto.conf"
        lines = (f"listener {port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        process = subprocess.Popen([program, "-c", str(path)], stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            yield f"mqtt://127.0.0.1:{port}/bench"
        finally:
            process.kill()
            process.wait()


def shares(profile: cProfile.Profile) -> dict[str, float]:
    """Own time by topic, in percent. What belongs to none, built-in functions and the standard library,
    counts for those who call it.
    """
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = dict.fromkeys((*(name for name, _ in MODULES), REST), 0.0)
    for function, (_, _, own, _, callers) in stats.items():
        topic = _topic(function)
        if topic != REST or not callers:
            found[topic] += own
            continue
        for caller, (_, _, part, _) in callers.items():
            found[_topic(caller)] += part
    total = sum(found.values())
    return {name: 100 * own / total for name, own in found.items()}


def _topic(function: tuple[str, int, str]) -> str:
    where = f"{function[0]} {function[2]}"
    return next((name for name, parts in MODULES if any(part in where for part in parts)), REST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many reads")
    parser.add_argument("--homes", type=int, default=HOMES, help="how many homes they go to")
    parser.add_argument("--memory", action="store_true", help="keep state in memory, not in a SQLite file")
    parser.add_argument(
        "--wan", metavar="URL", help="the MQTT broker, as mqtt://localhost; else one of our own"
    )
    parser.add_argument("--form", type=int, choices=(1, 2, 3), help="one of the three forms alone")
    parser.add_argument("--profile", action="store_true", help="show where the time goes; slower")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    here = machine()
    if not options.json:
        show_machine(here)
    with broker(options.wan) as wan:
        for number, form in enumerate(FORMS, 1):
            if options.form not in {None, number}:
                continue
            if number > 1 and wan is None:
                found.append({"form": form, "not measured": "no mosquitto"})
                continue
            profile = cProfile.Profile() if options.profile else None
            figures = run_form(form, options, wan if number > 1 else None, profile)
            slower = here["primitives (ms)"] / PRIMITIVES_MS
            for name in ("requests a second", "server: requests a second of processor time"):
                figures[f"{name}, were the primitives {PRIMITIVES_MS:g} ms"] = figures[name] * slower
            found.append(figures)
            if not options.json:
                show(found[-1], profile)
    if options.json:
        print(json.dumps({"machine": here, "forms": found}))


def show_machine(here: dict[str, Any]) -> None:
    print("This machine")
    for name, figure in here.items():
        print(f"  {name:78} {figure:10.3f}" if isinstance(figure, float) else f"  {name:78} {figure!s:>10}")


def show(figures: dict[str, Any], profile: cProfile.Profile | None) -> None:
    print(f"The DCC's serviceS, 4.1.1 end to end: {figures['form']}")
    for name, figure in figures.items():
        if name == "form":
            continue
        shown = f"{figure:10.2f}" if isinstance(figure, float) else f"{figure:>10}"
        print(f"  {name:78} {shown}")
    if profile is not None:
        for name, share in shares(profile).items():
            print(f"  {name:78} {share:9.1f}%")
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(SHOWN)


if __name__ == "__main__":
    main()
