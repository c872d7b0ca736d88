"""Requests a second through serviceS, end to end, and where the time goes.

A served laboratory in one process: HTTP, XML, schema (where SMETSLAB_SCHEMA names one), XML signature
checked, access control, transform, MAC, WAN, hub, HAN, meter, response, XML signature made, call-back. A
client in another process: it signs beforehand, sends over a few connections and counts the call-backs. So
two cores are enough, and the server's share is what one of them can do.

The processor time of the server for one request is given beside: it says more on a machine that is busy with
other things.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import multiprocessing
import multiprocessing.connection
import os
import platform
import pstats
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from smetslab.clock import LoopClock, run_real
from smetslab.dcc import ServiceUser
from smetslab.dcc.services.doorkeeper import DocumentSigner
from smetslab.duis.codes import CommandVariant
from smetslab.ids import Eui64
from smetslab.lab.build import lab_keystore
from smetslab.lab.config import LabConfig, PremisesConfig, StoreConfig, load_lab
from smetslab.lab.serve import LabServer

REQUESTS = 1500
WARM_UP = 100
HOMES = 8
CONNECTIONS = 8
IN_FLIGHT = 64
SHOWN = 25

MODULES = (
    ("XML, schema and signatures", ("duis/element", "duis/document", "duis/schema", "duis/xmldsig", "lxml")),
    ("HTTP", ("uvicorn", "starlette", "httpx", "httpcore", "h11", "httptools", "anyio", "services/")),
    ("DCC", ("smetslab/dcc/", "smetslab/registry/", "duis/srv")),
    ("store", ("sqlalchemy", "sqlite", "smetslab/store/")),
    ("WAN, HAN and hub", ("smetslab/wan/", "smetslab/han/", "devices/hub", "devices/chf", "zigbee/")),
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
            "han": config.han.model_copy(update=quick),
        }
    )


def _eui(number: int, kind: int) -> Eui64:
    return Eui64(bytes.fromhex("00DB12") + bytes((kind,)) + number.to_bytes(4, "big"))


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
    started = perf_counter()
    latencies = await _send(host, int(duis_port), documents[WARM_UP:], counter)
    pipe.send({"seconds": perf_counter() - started, "latencies": latencies})
    server.close()


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
        self._more = asyncio.Event()

    async def wait_for(self, count: int) -> None:
        while self.count < count:
            self._more.clear()
            await self._more.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await _head(reader)) is not None:
            body = await reader.readexactly(_length(head))
            assert b"<sr:ResponseCode>I0<" in body, body
            assert b"SignatureValue" in body
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.count += 1
            self._more.set()
        writer.close()


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


async def measure(
    pipe: multiprocessing.connection.Connection,
    requests: int,
    homes: int,
    store: str,
    profile: cProfile.Profile | None,
    *,
    wan: str | None = None,
) -> dict[str, Any]:
    """Serve until the client is done. Figures are for the requests after the warm-up."""
    loop = asyncio.get_running_loop()
    callback = await loop.run_in_executor(None, pipe.recv)
    now = datetime.now(UTC)  # noqa: TID251 - a served lab begins at the present moment
    config = configuration(homes, store, callback, wan)
    # Over a broker too the homes are in this process: its share is that of DCC and hubs together.
    async with LabServer(config, now=now, role="whole") as server:
        await server.lab.wan_connected(10)
        pipe.send(server.addresses.duis)
        await loop.run_in_executor(None, pipe.recv)
        if profile is not None:
            profile.enable()
        used = process_time()
        pipe.send("go")
        result = await loop.run_in_executor(None, pipe.recv)
        used = process_time() - used
        if profile is not None:
            profile.disable()
        checked = "no schema" if server.schema is None else server.schema.name
    latencies = sorted(result["latencies"])
    return {
        "requests": requests,
        "requests a second": requests / result["seconds"],
        "server: processor time a request (ms)": used * 1000 / requests,
        "requests a second of processor time": requests / used,
        "acknowledgement, median (ms)": latencies[len(latencies) // 2] * 1000,
        "acknowledgement, 99 of 100 (ms)": latencies[len(latencies) * 99 // 100] * 1000,
        "schema": checked,
    }


def shares(profile: cProfile.Profile) -> dict[str, float]:
    """Own time by topic, in percent."""
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = dict.fromkeys((name for name, _ in MODULES), 0.0)
    found["the rest"] = 0.0
    for (file, _, function), (_, _, own, _, _) in stats.items():
        where = f"{file} {function}"
        name = next((name for name, parts in MODULES if any(part in where for part in parts)), "the rest")
        found[name] += own
    total = sum(found.values())
    return {name: 100 * own / total for name, own in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many reads")
    parser.add_argument("--homes", type=int, default=HOMES, help="how many homes they go to")
    parser.add_argument("--file", action="store_true", help="keep state in a SQLite file, as `serve` does")
    parser.add_argument(
        "--wan", metavar="URL", help="an MQTT broker between DCC and hubs, as mqtt://localhost"
    )
    parser.add_argument("--profile", action="store_true", help="show where the time goes; slower")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=client, args=(theirs, options.requests, options.homes), daemon=True)
    other.start()
    profile = cProfile.Profile() if options.profile else None

    async def serve(clock: LoopClock) -> dict[str, Any]:
        del clock  # the lab has its own on the same loop
        with tempfile.TemporaryDirectory() as folder:
            store = f"sqlite:///{Path(folder) / 'lab.sqlite'}" if options.file else "sqlite://"
            return await measure(ours, options.requests, options.homes, store, profile, wan=options.wan)

    figures = run_real(serve)
    other.join(30)
    figures["store"] = "file" if options.file else "memory"
    figures["wan"] = options.wan or "in process"
    if options.json:
        print(json.dumps({"python": platform.python_version(), **figures}))
        return
    print("The DCC's serviceS, 4.1.1 end to end")
    for name, figure in figures.items():
        shown = f"{figure:10.2f}" if isinstance(figure, float) else f"{figure:>10}"
        print(f"  {name:42} {shown}")
    if profile is not None:
        for name, share in shares(profile).items():
            print(f"  {name:42} {share:9.1f}%")
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(SHOWN)


if __name__ == "__main__":
    main()
