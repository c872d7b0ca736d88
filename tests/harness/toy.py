"""A bench small enough to know by heart: a user asks a gateway, the gateway asks a device, the device counts.

A toy message is `kind counter value`: one, two and two octets. The device answers `kind | 0x80`, the same
counter and its reading; a counter that is not above the last one gets no answer. `defect` breaks a rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from smetslab.clock import LoopClock
from smetslab.errors import CodecError, RemoteProtocolError, UsageError
from smetslab.harness.case import CaseRegistry, check, expect, has, inconclusive, require, step
from smetslab.harness.conditions import Capabilities
from smetslab.harness.decoding import Decoders, Field
from smetslab.harness.equipment import CertificateSummary, Equipment
from smetslab.harness.evidence.manifest import Environment
from smetslab.harness.evidence.pack import PackContents, PackWriter, WrittenPack
from smetslab.harness.runner import run_suite
from smetslab.harness.suite import BenchSetup, SuiteDefinition
from smetslab.harness.verdict import Waiver
from smetslab.pki.authority import laboratory_identity
from smetslab.rng import RootSeed
from smetslab.trace import Observation, Trace, where
from smetslab.zigbee.capture.keys import CaptureKey

EPOCH = datetime(2030, 1, 15, 9, tzinfo=UTC)
USER, GATEWAY, DEVICE = "user", "gateway", "00-DB-12-34-56-78-90-A0"
READ, REPLY = 0x01, 0x81


def describe(data: bytes) -> Field:
    """Decode a toy message, as `smetslab.gbcs` decodes a real one."""
    if len(data) != 5:
        raise CodecError("wrong length", offset=0, path="toy message", expected="5", found=str(len(data)))
    counter, value = int.from_bytes(data[1:3]), int.from_bytes(data[3:5])
    body = (
        Field(name="counter", offset=1, raw=data[1:3], text=str(counter)),
        Field(name="value <&>", offset=3, raw=data[3:5], text=str(value)),
    )
    return Field(
        name="Toy reply" if data[0] & 0x80 else "Toy command",
        offset=0,
        raw=data,
        text=f"counter {counter}",
        children=(
            Field(name="kind", offset=0, raw=data[:1], text=f"0x{data[0]:02X}"),
            Field(name="body", offset=1, raw=data[1:], text="", children=body),
        ),
    )


class ToyBench:
    """Gateway and device as two tasks with inboxes."""

    def __init__(self, seed: RootSeed, defect: str) -> None:
        self.clock = LoopClock(EPOCH)
        self.trace = Trace(self.clock)
        self.parties = {USER: "Service user", GATEWAY: "Gateway", DEVICE: "Device"}
        self.reading = seed.stream("device.reading").randrange(100, 60_000)
        self.defect = defect
        self.tasks: list[asyncio.Task[None]] = []
        self._to_device: asyncio.Queue[bytes] = asyncio.Queue()
        self._counter = 0
        self._last = 0

    async def run_device(self) -> None:
        while True:
            command = await self._to_device.get()
            await self.clock.sleep(0.25)
            self.trace.record("gbcs", "MessageReceived", source=GATEWAY, target=DEVICE, data=command)
            counter = int.from_bytes(command[1:3])
            if self.defect == "crash":
                raise ZeroDivisionError("the toy device fell over")
            if counter <= self._last and self.defect != "accepts replay":
                self.trace.record(
                    "device", "CommandRefused", source=DEVICE, reason="counter", counter=counter
                )
                continue
            self._last = counter
            reading = self.reading + (1 if self.defect == "wrong reading" else 0)
            reply = bytes((REPLY,)) + command[1:3] + reading.to_bytes(2)
            self.trace.record("gbcs", "MessageSent", source=DEVICE, target=GATEWAY, data=reply)
            self.trace.record("duis", "ResponsePosted", source=GATEWAY, target=USER, data=b"<Read>&</Read>")

    def capture_keys(self) -> list[CaptureKey]:
        return []

    def send(self, counter: int | None = None, extra: bytes = b"") -> Observation:
        if counter is None:
            self._counter += 1
            counter = self._counter
        command = bytes((READ,)) + counter.to_bytes(2) + b"\x00\x00" + extra
        self.trace.record("duis", "RequestReceived", source=USER, target=GATEWAY, data=b"<Ask/>", srv="4.1.1")
        sent = self.trace.record("gbcs", "MessageSent", source=GATEWAY, target=DEVICE, data=command)
        self._to_device.put_nowait(command)
        return sent

    async def read(self, counter: int | None = None, limit_s: float = 5) -> Observation:
        mark = self.trace.next_sequence
        self.send(counter)
        return await self.trace.wait_for(where(event="MessageSent", source=DEVICE), limit_s, since=mark)


def setup(defect: str = "", capabilities: dict[str, bool] | None = None) -> BenchSetup[ToyBench]:
    @asynccontextmanager
    async def bench(seed: RootSeed) -> AsyncIterator[ToyBench]:
        toy = ToyBench(seed, defect)
        toy.trace.record("harness", "BenchBuilt", source=GATEWAY)
        async with asyncio.TaskGroup() as group:
            device = group.create_task(toy.run_device(), name="toy device")
            try:
                yield toy
            finally:
                device.cancel()

    return BenchSetup(
        bench=bench,
        inputs={"lab.toml": b"schema_version = 1\n", "profiles/toy.toml": b'name = "toy"\n'},
        capabilities=Capabilities(capabilities if capabilities is not None else {"counting": True}),
        equipment=(
            Equipment(
                role="dut", name="toy device", type="ESME", realisation="simulated", eui64="00DB1234567890A0"
            ),
        ),
        certificates=(
            CertificateSummary(
                subject="CN=toy", serial="01", usage="digitalSignature", fingerprint="AB" * 32
            ),
        ),
    )


registry = CaseRegistry()


@registry.case(
    "TOY-READ",
    version=1,
    title="The device's reading is read <b>&</b> right",
    kind="positive read",
    obligations=("F4.3-C1", "F4.5-C2"),
    use_cases=("TOY1",),
)
async def reading(lab: ToyBench) -> None:
    """Read once and compare with what the device holds."""
    with step("read the register"):
        reply = await expect("the device answers", lab.read(), spec="TOY 1.1")
        check(
            "the reading is the device's",
            reply.data[3:],
            equals=lab.reading.to_bytes(2),
            spec="TOY 1.2",
            of=reply,
        )
    with step("look at the time"):
        check("it took at most a second", lab.clock.time(), at_most=1.0, spec="TOY 1.3", of=[reply])


@registry.family(
    "TOY-COUNTER-{row}",
    rows=("equal", "lower"),
    version=2,
    title="A command with {row} counter is not answered",
    kind="replay",
    obligations=("F4.3-C4",),
    use_cases=("TOY1", "TOY2"),
    applies_when=has("counting"),
)
async def replay(lab: ToyBench, row: str) -> None:
    with step("two good reads"):
        await lab.read()
        first = await lab.read()
        require("the device counts", first.data[1:3], equals=b"\x00\x02")
    with step(f"a command with {row} counter"):
        mark = lab.trace.next_sequence
        lab.send(2 if row == "equal" else 1)
        await lab.clock.sleep(10)
        answers = lab.trace.find(event="MessageSent", source=DEVICE, since=mark)
        check("no answer", len(answers), equals=0, spec="TOY 2.1", of=answers, stop=False)
        refused = lab.trace.find(event="CommandRefused", since=mark)
        check("the refusal is logged", len(refused), equals=1, spec="TOY 2.2", of=refused)


@registry.case(
    "TOY-SUPPLY",
    version=1,
    title="Needs a switch",
    kind="critical command",
    obligations=("F4.3-C1",),
    use_cases=("TOY3",),
    applies_when=has("supply switch"),
)
async def supply(lab: ToyBench) -> None:
    check("never reached", lab.reading, equals=-1)


@registry.case("TOY-OPEN", version=1, title="Cannot be decided", kind="positive read", obligations=("F4.1",))
async def undecided(lab: ToyBench) -> None:
    check("the reading is positive", lab.reading, at_least=1)
    lab.send(extra=b"\xff")
    inconclusive("the toy has no such register")


@registry.case(
    "TOY-RULES", version=1, title="The peer keeps the protocol", kind="rules", obligations=("F4.3-C3",)
)
async def rules(lab: ToyBench) -> None:
    reply = await lab.read()
    if reply.data[3:] != lab.reading.to_bytes(2):
        raise RemoteProtocolError("reading out of thin air", spec="TOY 9")
    check("the reply is five octets", len(reply.data), within=(5, 5))


CASES = tuple(registry)


def prepare(lab_file: Path | None) -> BenchSetup[ToyBench]:
    """The toy's lab file holds one line: the defect."""
    if lab_file is None:
        return setup()
    try:
        defect = lab_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"cannot read the lab file {lab_file}", hint="give a file that exists") from error
    return setup(defect)


def suite(*names: str) -> SuiteDefinition[ToyBench]:
    """All toy cases, or those named."""
    cases = tuple(entry for entry in CASES if not names or entry.id in names)
    return SuiteDefinition(name="toy", title="Toy suite", version=3, cases=cases, prepare=prepare)


LABORATORY = laboratory_identity(RootSeed(3))
STRANGER = laboratory_identity(RootSeed(4))
DECODERS = Decoders({"gbcs": describe})


def environment(host: str = "here") -> Environment:
    return Environment(
        started="2026-01-01T00:00:00Z",
        finished="2026-01-01T00:00:01Z",
        host=host,
        platform="any",
        python="3",
        operator="tester",
        laboratory="toy",
    )


def write_pack(
    path: Path,
    *,
    defect: str = "",
    seed: int = 7,
    cases: tuple[str, ...] = (),
    host: str = "here",
    waivers: tuple[Waiver, ...] = (),
) -> WrittenPack:
    """Run the toy suite and write its evidence to `path`."""
    suite_, setup_ = suite(*cases), setup(defect)
    contents = PackContents(
        suite=suite_,
        cases=suite_.cases,
        seed=seed,
        inputs=setup_.inputs,
        capabilities=setup_.capabilities,
        equipment=setup_.equipment,
        certificates=setup_.certificates,
        waivers=waivers,
    )
    with PackWriter(path, contents) as writer:
        result = run_suite(suite_, setup_, seed, decoders=DECODERS, listeners=[writer])
        return writer.finish(result, signer=LABORATORY, environment=environment(host), decoders=DECODERS)
