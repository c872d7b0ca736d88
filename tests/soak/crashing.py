"""A laboratory that is killed again and again, and what must be true of it afterwards.

Run as a script it is the laboratory: it takes requests from its input, acknowledges them, hands out
documents and dies by SIGKILL whenever somebody likes. `campaign` is the somebody: a client that sends again
what was not acknowledged, as clients do, and keeps books.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from smetslab.clock import LoopClock, run_real, run_virtual
from smetslab.dcc.service_user import UTRN_COUNTER_STEP, ServiceUser
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
SCALE = 60.0
"""Laboratory seconds a second: a response that died with its hub is given up after five."""

_now = time.monotonic  # noqa: TID251 - it is a process of its own that is watched

_PARTIES = (
    ("supplier", "supplier", "90B3D51F30010000"),
    ("network-operator", "network_operator", "90B3D51F30020000"),
    ("recovery", "recovery", "90B3D51F30000001"),
    ("broker", "access_control_broker", "90B3D51F30000002"),
    ("transcos", "transitional_cos", "90B3D51F30000004"),
    ("wan", "wan_provider", "90B3D51F30000007"),
    ("load-controller", "load_controller", "90B3D51F30010008"),
)


def write_lab(folder: Path, homes: int, store: str | None = None) -> Path:
    """A lab file with so many homes, each a hub and an electricity meter in prepayment, on the empty store of
    that URL or on a new file.
    """
    profile = load_lab().premises[0].devices[0].profile
    lines = ["schema_version = 1", "epoch = 2026-01-05T00:00:00Z", "", "[store]"]
    url = store or f"sqlite:///{folder / 'lab.sqlite'}"
    lines += [f'url = "{url}"', "", "[time]", 'mode = "real"', f"scale = {SCALE}"]
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


# The laboratory ---------------------------------------------------------------------------------------------


async def _serve(clock: LoopClock, config: LabConfig) -> None:
    del clock
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def say(*words: object) -> None:
        os.write(1, (" ".join(map(str, words)) + "\n").encode())

    async with Lab(config, keep=1000) as lab:
        lab.dcc.subscribe(
            lambda one: say("F", one.number, one.request or "-", parse_response(one.document).code)
        )
        say("READY")
        while line := (await reader.readline()).decode():
            what, *rest = line.split()
            if what == "R":
                answer = parse_response(await lab.dcc.receive(bytes.fromhex(rest[1])))
                say("A", rest[0], answer.code)
            elif what == "K":
                lab.dcc.acknowledge(int(rest[0]))
            await asyncio.sleep(0)


# The client -------------------------------------------------------------------------------------------------


@dataclass
class Books:
    """What the client knows at the end."""

    requests: list[bytes]
    keys: list[str]
    answers: dict[int, str] = field(default_factory=dict)
    finals: dict[str, dict[int, str]] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    kills: int = 0
    resent: int = 0
    credited: dict[Eui64, Counter[int]] = field(default_factory=dict)
    undelivered: int = -1

    @property
    def complete(self) -> bool:
        return len(self.answers) == len(self.keys) and all(key in self.finals for key in self.keys)

    def codes(self) -> Counter[str]:
        return Counter(code for numbers in self.finals.values() for code in numbers.values())


def campaign(
    folder: Path,
    *,
    homes: int,
    requests: int,
    kills: int,
    seed: int,
    limit_s: float,
    store: str | None = None,
) -> Books:
    """Send `requests` to a laboratory of `homes` that is killed `kills` times, and wait for its answers."""
    path = write_lab(folder, homes, store)
    config = load_lab(path)
    books = _prepare(config, requests)
    rng = random.Random(seed)
    started = _now()
    while not books.complete or books.kills < kills:
        if _now() - started > limit_s:
            break
        die = books.kills < kills
        _run_once(
            path,
            config,
            books,
            rng,
            die_within_s=rng.uniform(0.05, 1.2) if die else None,
            elapsed_s=_now() - started,
            limit_s=limit_s,
        )
        books.kills += die
    _look_inside(path, config, books, _now() - started)
    return books


def _prepare(config: LabConfig, requests: int) -> Books:
    """Requests in an order in which a device may take them: top-ups and reads, homes in turn."""

    async def main(clock: LoopClock) -> list[bytes]:
        del clock
        keystore = lab_keystore(config)
        documents: list[bytes] = []
        supplier_id = next(party.eui64 for party in config.parties if party.name == "supplier")
        key = keystore.private_key(supplier_id, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
        user = ServiceUser(supplier_id, keystore=keystore, dcc=None)  # type: ignore[arg-type]
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
                documents.append(user.document("2.2", meter, {"UTRN": token.digits}, CommandVariant.SEND))
            else:
                documents.append(user.document("4.1.1", meter, None, CommandVariant.SEND))
        return documents

    documents = run_virtual(main)
    return Books(documents, [parse_request(one).header.request_id.key for one in documents])


def _run_once(
    path: Path,
    config: LabConfig,
    books: Books,
    rng: random.Random,
    *,
    die_within_s: float | None,
    elapsed_s: float,
    limit_s: float,
) -> None:
    """One life of the laboratory: to its violent end, or until everything is answered."""
    epoch = config.epoch + timedelta(seconds=elapsed_s * SCALE)
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__)), str(path), epoch.isoformat()],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    os.set_blocking(process.stdin.fileno(), False)
    # A quarter is sent in the last life alone, so that not everything is under way when a life ends.
    sent_by_now = len(books.keys) * 3 // 4 if die_within_s is not None else len(books.keys)
    waiting = [number for number in range(sent_by_now) if number not in books.answers]
    books.resent += sum(1 for number in waiting if number in books.sent)
    pending = b"".join(b"R %d %s\n" % (number, books.requests[number].hex().encode()) for number in waiting)
    books.sent.update(waiting)
    outgoing, incoming = memoryview(b""), b""
    deadline: float | None = None
    begun = _now()
    try:
        while True:
            now = _now()
            if deadline is not None and now >= deadline:
                process.send_signal(signal.SIGKILL)
                return
            if now - begun > limit_s or (die_within_s is None and books.complete):
                return
            wait = 0.05 if deadline is None else min(0.05, deadline - now)
            writers = [process.stdin] if outgoing else []
            readable, writable, _ = select.select([process.stdout], writers, [], max(0.0, wait))
            if writable:
                outgoing = outgoing[os.write(process.stdin.fileno(), outgoing[:65536]) :]
            if not readable:
                continue
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise AssertionError("the laboratory died by itself")
            *lines, incoming = (incoming + chunk).split(b"\n")
            for line in lines:
                what, *rest = line.decode().split()
                if what == "READY":
                    outgoing = memoryview(pending)
                    deadline = None if die_within_s is None else _now() + die_within_s
                elif what == "A":
                    # E65: its counter was accepted, the acknowledgement had died on its way.
                    assert rest[1] in {"I99", "E65"}, line
                    books.answers[int(rest[0])] = rest[1]
                elif what == "F" and rest[1] != "-":
                    books.finals.setdefault(rest[1], {})[int(rest[0])] = rest[2]
                    if rng.random() < 0.8:
                        outgoing = memoryview(bytes(outgoing) + b"K %s\n" % rest[0].encode())
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _look_inside(path: Path, config: LabConfig, books: Books, elapsed_s: float) -> None:
    """What the memory of meters and DCC says."""
    loaded = load_lab(path)
    epoch = config.epoch + timedelta(seconds=(elapsed_s + 60) * SCALE)
    quiet = loaded.model_copy(update={"epoch": epoch, "store": StoreConfig(url=loaded.store.url)})

    async def main(clock: LoopClock) -> None:
        del clock
        async with Lab(quiet) as lab:
            seen: list[int] = []
            lab.dcc.subscribe(lambda one: seen.append(one.number))
            known = {number for numbers in books.finals.values() for number in numbers}
            # Those that were handed out and whose acknowledgement died are handed out again, as themselves.
            books.undelivered = len([number for number in seen if number not in known])
            for home in config.premises:
                meter = home.devices[0].eui64
                books.credited[meter] = credits_of(lab, meter)

    run_virtual(main)


def check(books: Books, homes: int) -> None:
    """What must be true after any number of kills."""
    assert books.complete, f"{len(books.answers)} answers, {len(books.finals)} finals of {len(books.keys)}"
    more = {key: numbers for key, numbers in books.finals.items() if len(numbers) != 1}
    assert more == {}
    assert set(books.finals) == set(books.keys)
    assert books.undelivered == 0
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


if __name__ == "__main__":
    loaded = load_lab(sys.argv[1])
    moment = datetime.fromisoformat(sys.argv[2])
    scaled = loaded.model_copy(update={"epoch": moment})
    run_real(lambda clock: _serve(clock, scaled), epoch=moment, scale=SCALE)
