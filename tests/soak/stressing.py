"""A home whose air loses every fifth frame, whose hub restarts and whose devices lose their power, while it
is asked things and things happen to it: what must be true of its books afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from smetslab.clock import LoopClock, run_virtual
from smetslab.devices.faults import inject
from smetslab.devices.limits import EVENT_LOG_ENTRIES
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases import USE_CASES
from smetslab.han.capture import CaptureWriter
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, LabConfig, load_lab
from smetslab.rng import RootSeed
from smetslab.trace import Observation

ESME, GSME, HUB, PPMID, HCALCS = (Eui64.parse(f"00DB1234567890A{last}") for last in "01245")
DEVICES: Final = (ESME, GSME, PPMID, HCALCS)
KEPT: Final = 200_000
QUESTIONS: Final[tuple[tuple[str, Eui64, dict[str, Any] | None], ...]] = (
    ("1.5", ESME, {"PrepaymentMode": {"AdjustMeterBalance": 10}}),
    ("4.1.1", ESME, None),
    ("11.2", PPMID, None),
    ("1.5", GSME, {"PrepaymentMode": {"AdjustMeterBalance": 10}}),
    ("7.4", ESME, None),
    ("11.2", HCALCS, None),
    ("4.18", ESME, None),
    ("4.18", GSME, None),
)
"""In turn: critical ones, which are executed once, and reads."""

PROTECTED: Final = frozenset(row.name for row in USE_CASES.values() if row.replay_protected)
TAMPERS: Final = ("meter-cover", "battery-cover", "magnet")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens in how long. `tampers`: each begins and ends, with an alert to each party it concerns."""

    hours: float
    commands: int
    tampers: int
    hub_reboots: int = 2
    settle_hours: float = 3.0
    """After the last command and alert; longer than a gas meter sleeps and a response is waited for."""
    loss: float = 0.2
    burst_frames: float = 5.0
    seed: int = 1


@dataclass
class Books:
    """What was written down. Alerts and executions by device and counter."""

    answers: Counter[str] = field(default_factory=Counter)
    sent: dict[tuple[str, int], str] = field(default_factory=dict)
    received: Counter[tuple[str, int]] = field(default_factory=Counter)
    recipients: int = 0
    passed_on: int = 0
    executed: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    logged: dict[str, list[str]] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=dict)
    tampers: Counter[tuple[str, str]] = field(default_factory=Counter)
    network: Counter[str] = field(default_factory=Counter)
    undone: list[str] = field(default_factory=list)
    frames: int = 0
    digest: str = ""

    @property
    def commands(self) -> int:
        """How many questions have had an answer."""
        return self.answers.total()

    @property
    def alerts(self) -> int:
        return len(self.sent)


def lab_config(folder: Path, plan: Plan) -> LabConfig:
    """The built-in home without displays, on an air that loses frames in bursts."""
    text = load_lab(default=HOME_NAME).source_text.decode()
    air = f'kind = "radio"\nloss_probability = {plan.loss}\nburst_frames = {plan.burst_frames}\n'
    text = text.replace('kind = "radio"\n', air, 1)
    text = text.replace("state = { wake_interval_s = 20 }", "")  # half an hour, as its profile has it
    head, *devices = text.split("[[premises.devices]]")
    kept = [one for one in devices if 'name = "ihd"' not in one and 'name = "cad"' not in one]
    path = folder / "stress.lab.toml"
    path.write_text("[[premises.devices]]".join([head, *kept]))
    return load_lab(path)


def campaign(folder: Path, plan: Plan) -> Books:
    """Live through a plan; the same plan gives the same books, and the same capture."""
    config = lab_config(folder, plan)
    books = Books()
    capture = folder / "stress.pcapng"

    async def main(_clock: LoopClock) -> None:
        async with Lab(config, seed=RootSeed(plan.seed), keep=KEPT) as lab:
            lab.trace.subscribe(lambda seen: write_down(books, seen))
            with CaptureWriter(lab.trace, capture, keys=lab.capture_keys, comment=lambda _seen: ""):
                await live(lab, plan, books)
            for eui64 in (*DEVICES, HUB):
                device = lab.devices.get(eui64) or lab.hubs[eui64]
                read_logs(books, str(eui64), device.inspect())

    run_virtual(main)
    octets = capture.read_bytes()
    books.digest = hashlib.sha256(octets).hexdigest()
    return books


async def live(lab: Lab, plan: Plan, books: Books) -> None:
    """Everything at its time, drawn from the plan's seed."""
    draw = random.Random(plan.seed)
    span = plan.hours * 3600
    clock = lab.clock
    begun = clock.time()

    async def at(moment: float) -> None:
        await clock.sleep(max(0.0, begun + moment - clock.time()))

    async def ask(number: int) -> None:
        await at(60 + (span - 60) * number / plan.commands)
        variant, device, elements = QUESTIONS[number % len(QUESTIONS)]
        answer = await lab.users["supplier"].request(variant, device, elements)
        books.answers[answer.code] += 1

    async def tamper(number: int) -> None:
        device = (ESME, GSME)[number % 2]
        kind = TAMPERS[number // 2 % 2]
        await at(90 + (span - 90) * number / plan.tampers)
        for phase in ("begins", "ends"):
            while not lab.devices[device].powered:
                await clock.sleep(60)
            await inject(lab.faulty(device), "tamper", kind=kind, phase=phase)
            books.tampers[str(device), phase] += 1
            await clock.sleep(5)

    async def cut(device: Eui64, moment: float) -> None:
        await at(moment)
        await inject(lab.faulty(device), "power-cut", seconds=draw.randrange(20, 300))

    tasks = [ask(number) for number in range(plan.commands)]
    tasks += [tamper(number) for number in range(plan.tampers)]
    for device in DEVICES:
        tasks.append(cut(device, draw.uniform(0.1, 0.9) * span))
    tasks += [cut(HUB, (place + 0.5) / plan.hub_reboots * span) for place in range(plan.hub_reboots)]
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(task)
    await clock.sleep(plan.settle_hours * 3600)


def write_down(books: Books, seen: Observation) -> None:
    """Keep what the books are made of."""
    if seen.layer == "air":
        books.frames += 1
    elif seen.layer == "device" and seen.event == "AlertSent":
        message = decode_message(seen.data)
        books.sent[seen.source, message.originator_counter] = str(seen.detail["code"])
    elif seen.event == "AlertReceived":
        books.received[seen.source, int(seen.detail["counter"] or 0)] += 1
        books.recipients += len(str(seen.detail["recipient"]).split())
    elif seen.layer == "duis" and seen.event == "AlertSent":
        books.passed_on += 1
    elif seen.event == "CommandExecuted":
        name = str(seen.detail["use_case"])
        if name in PROTECTED:
            books.executed[seen.source, name, int(seen.detail["counter"] or 0)] += 1
    elif seen.event in {"EventLogged", "SecurityEventLogged"}:
        books.logged.setdefault(f"{seen.source} {seen.detail['log']}", []).append(str(seen.detail["code"]))
    elif seen.event in {"NetworkLost", "DeviceBack", "RejoinFailed", "FrameLost", "ChildAgedOut"}:
        books.network[seen.event] += 1
    elif seen.event == "MessageDropped":
        books.undone.append(f"{seen.source} {seen.detail.get('reason')} {seen.detail.get('detail')}")


def read_logs(books: Books, eui64: str, inspected: dict[str, Any]) -> None:
    """The codes of each log of a device, the oldest first."""
    for name in ("event", "security"):
        entries = inspected.get(f"{name}_log")
        if isinstance(entries, list):
            books.logs[f"{eui64} {name}"] = [entry["code"] for entry in entries]


def check(books: Books) -> None:
    """No alert lost, none doubled; nothing that is protected executed twice; every log complete."""
    assert set(books.sent) - set(books.received) == set(), "alerts lost on their way to the DCC"
    assert set(books.received) - set(books.sent) == set(), "alerts that nobody has sent"
    assert [key for key, times in books.received.items() if times > 1] == []
    assert books.passed_on == books.recipients
    assert [key for key, times in books.executed.items() if times > 1] == []
    assert len(books.logs) >= len(DEVICES) * 2
    for name, codes in books.logs.items():
        assert codes == books.logged.get(name, [])[-EVENT_LOG_ENTRIES:], name
