"""The home network: frames through the whole stack, key establishment, frames of a capture read again, the
days of a home in a second, and the memory of a home.

    python benchmarks/bench_han.py

Processor time of one core, and what that core does of the least that a frame can cost, by which machines are
compared. A message is a ZCL frame of 30 octets from one of six devices to the hub: sealed
twice, on the air with backoff and acknowledgements, opened and handed to its application. A home is the
built-in one: hub with gas proxy, electricity meter, gas meter, PPMID, HCALCS, display and consumer access
device, of which the last two read the meter every ten seconds. Its memory is what each further home adds to a
laboratory.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from struct import Struct

from smetslab.clock import LoopClock, run_virtual
from smetslab.crypto import CcmStar
from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame, ClusterRole
from smetslab.han.air.medium import OnAir
from smetslab.han.stack.home import RadioHome
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, LabConfig, load_lab
from smetslab.rng import RootSeed
from smetslab.trace import Trace
from smetslab.zigbee.cbke.certificate import CertificateAuthority
from smetslab.zigbee.cbke.curve import SECT163K1, SECT283K1, KoblitzCurve
from smetslab.zigbee.cbke.exchange import Established, KeyExchange, Send
from smetslab.zigbee.dissect import Dissector

METERING = 0x0702
MESSAGES = 3000
HANDSHAKES = 5
BARE = 100_000
DAY_S = 86_400
LIVED_S = 3 * 3600
HOMES = 8
SETTLED_S = 120


def devices(count: int) -> list[Eui64]:
    return [Eui64(bytes(7) + bytes((number,))) for number in range(1, count + 1)]


def traffic() -> tuple[float, list[OnAir], RadioHome]:
    """The time of all messages, every frame, and the home that they were in."""
    frames: list[OnAir] = []
    homes: list[RadioHome] = []
    spent = 0.0

    async def story(clock: LoopClock) -> None:
        nonlocal spent
        home = RadioHome(clock, Trace(clock, keep=100), RootSeed(1))
        homes.append(home)
        links = [home.link(eui64) for eui64 in devices(7)]
        for link in links:
            role = ClusterRole.SERVER | ClusterRole.CLIENT
            link.register(1, SMART_ENERGY_PROFILE, METERING, role, lambda _frame: None)
            await link.__aenter__()
        await clock.sleep(2)
        home.medium.listen(frames.append)
        start = time.process_time()
        for number in range(MESSAGES):
            link = links[1 + number % 6]
            await link.send(
                ApsFrame(
                    source=link.eui64,
                    source_endpoint=1,
                    destination=links[0].eui64,
                    destination_endpoint=1,
                    profile=SMART_ENERGY_PROFILE,
                    cluster=METERING,
                    payload=bytes(30),
                )
            )
        spent = time.process_time() - start
        for link in links:
            await link.__aexit__(None, None, None)

    run_virtual(story)
    return spent, frames, homes[0]


def handshake(curve: KoblitzCurve) -> Callable[[], None]:
    """A key establishment of two devices, both sides."""
    authority = CertificateAuthority(name=Eui64(b"TESTSECA"), curve=curve, private=7**90)
    scalars = {"device_scalar": 11**80, "authority_scalar": 13**80}
    meter, hub = devices(2)
    if curve is SECT163K1:
        keys = [authority.issue_suite_1(one, **scalars) for one in (meter, hub)]
    else:
        keys = [
            authority.issue_suite_2(one, serial=one.raw, valid_from_s=0, **scalars) for one in (meter, hub)
        ]

    def run() -> None:
        sides = [
            KeyExchange(keys[0], hub, initiator=True, ephemeral_scalar=17**70),
            KeyExchange(keys[1], meter, initiator=False, ephemeral_scalar=19**70),
        ]
        waiting = [(1, action) for action in sides[0].start(0.0)]
        done = 0
        while waiting:
            to, action = waiting.pop(0)
            if isinstance(action, Send):
                payload = action.command.encode(action.record)
                replies = sides[to].receive(action.command.id, payload, 0.0)
                waiting += [(1 - to, reply) for reply in replies]
            else:
                done += isinstance(action, Established)
        assert done == 2

    return run


def homes(count: int, kind: str = "radio") -> LabConfig:
    """The built-in home, so many times, each with identifiers of its own."""
    text = load_lab(default=HOME_NAME).source_text.decode()
    head, home = text.split("[[premises]]", 1)
    home = home.replace("state = { wake_interval_s = 20 }", "")  # half an hour, as its profile has it
    head = head.replace('kind = "radio"', f'kind = "{kind}"')
    parts = [head]
    for number in range(count):
        one = home.replace('name = "home"', f'name = "home-{number}"')
        one = re.sub(r'eui64 = "00-DB-12-34-56-78-90', f'eui64 = "00-DB-12-34-56-{number:02X}-90', one)
        parts.append("[[premises]]" + one)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "homes.lab.toml"
        path.write_text("".join(parts))
        return load_lab(path)


def days_a_second(kind: str) -> tuple[float, float]:
    """Days of one home in a second, and frames on its air in a day."""
    spent, frames = 0.0, 0

    async def story(clock: LoopClock) -> None:
        nonlocal spent, frames
        async with Lab(homes(1, kind)) as lab:
            await clock.sleep(SETTLED_S)
            before = len(lab.trace.find(layer="air")) if kind == "radio" else 0
            start = time.process_time()
            await clock.sleep(LIVED_S)
            spent = time.process_time() - start
            frames = len(lab.trace.find(layer="air")) - before

    run_virtual(story)
    return LIVED_S / DAY_S / spent, frames * DAY_S / LIVED_S


def memory_of_a_home() -> float:
    """What a further home adds to a laboratory that has lived for two minutes, in MiB."""
    # Each in a process of its own: what an earlier laboratory has left would be used again.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        one, many = pool.map(memory_of, (1, 1 + HOMES))
    return (many - one) / HOMES / 2**20


def memory_of(count: int) -> int:
    """Octets of a process with so many homes."""
    resident = 0

    async def story(clock: LoopClock) -> None:
        nonlocal resident
        async with Lab(homes(count)):
            await clock.sleep(SETTLED_S)
            resident = resident_octets()

    run_virtual(story)
    return resident


def resident_octets() -> int:
    """Memory of this process. Linux alone tells it so."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def bare() -> Callable[[], None]:
    """The least that a frame can cost: a header by `struct`, and one AES-CCM* over what it carries."""
    layout, cipher = Struct("<HHHBB"), CcmStar(bytes(16))
    nonce, payload = bytes(13), bytes(30)

    def run() -> None:
        cipher.seal(nonce, payload, layout.pack(0x0248, 0x0000, 0x1234, 30, 1))

    return run


def timed(run: Callable[[], None], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start) / times


def main() -> None:
    floor = 1 / timed(bare(), BARE)
    spent, frames, home = traffic()
    print(f"of this machine: struct and AES-CCM*  {floor:10,.0f} a second")
    print(f"messages through the whole stack      {MESSAGES / spent:10,.0f} a second")
    rate = len(frames) / spent
    print(f"frames on the air, acknowledgements in {rate:9,.0f} a second, {100 * rate / floor:.1f} % of that")
    dissector = Dissector(key.key for key in home.capture_keys())
    start = time.process_time()
    read = sum(not dissector.dissect(frame.octets, fcs=True).problem for frame in frames)
    assert read == len(frames)
    print(f"frames of a capture opened and read   {read / (time.process_time() - start):10,.0f} a second")
    for name, curve in (("suite 1, sect163k1", SECT163K1), ("suite 2, sect283k1", SECT283K1)):
        print(f"key establishment, both sides, {name} {1000 * timed(handshake(curve), HANDSHAKES):7.0f} ms")
    for kind in ("radio", "direct"):
        days, on_air = days_a_second(kind)
        told = f", {on_air:,.0f} frames on the air a day" if on_air else ""
        print(f"days of a home, {kind:22} {days:10.3f} a second{told}")
    if Path("/proc/self/statm").exists():
        print(f"memory of a home                      {memory_of_a_home():10.1f} MiB")


if __name__ == "__main__":
    main()
