"""Virtual devices: commands a second at GBCS level, memory of an idle home, simulated days a second.

Commands go into a device's core as octets and come out as protected octets: verified, executed, protected,
committed; no HAN, no WAN, no DCC. Memory is what a home with hub and meters adds to a process, its logs not
yet written. Days are days of a prepaying meter with a standing charge, debts and two rates, worked through
in virtual time with every commit made.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "devices" / "bench"))

from meter_bench import ESME, HUB, FixedClock, HeadEnd, profile_of
from meter_bench import Bench as MeterBench

from smetslab.clock import run_virtual
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, PremisesConfig, load_lab
from smetslab.pki import Authority
from smetslab.rng import RootSeed
from smetslab.store import Store

COMMANDS = 400
DAYS = 120
HOMES = 20
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)

USE_CASES = (
    ("ECS45", "read of one value"),
    ("ECS17b", "protected read of registers"),
    ("ECS24", "read of the whole tariff"),
    ("ECS43", "critical command: disable supply"),
    ("CS01a", "top-up"),
)

LIVING: dict[str, int | bool | str] = {
    "charging": True,
    "payment_mode": "prepayment",
    "meter_balance_millipence": 8_000_000,
    "time_debt_1_millipence": 4_000_000,
    "debt_recovery_rate_1_millipence": 5_000,
    "standing_charge_millipence": 30_000,
}


def commands(name: str, count: int) -> float:
    """Commands a second of processor time, one after the other."""
    keystore = Authority(RootSeed(20)).keystore([ESME, HUB])
    with Store() as store:
        head = HeadEnd(keystore)
        bench = MeterBench(head, store.nvm("esme"), profile_of({"charging": False}), FixedClock(BEGIN))
        octets: list[bytes] = []
        for number in range(1, count + 1):
            if name == "CS01a":
                counter = number << 32
                octets.append(head.command(name, {"utrn": head.top_up(0, counter)}, counter=counter))
            else:
                octets.append(head.command(name, counter=1_000 + number))
        bench.send(octets[0])
        begun = process_time()
        for data in octets[1:]:
            answered = [message for message in bench.send(data) if message.event == "ResponseSent"]
            if len(answered) != 1:
                raise SystemExit(f"{name} was not answered")
        return (count - 1) / (process_time() - begun)


def days(count: int) -> float:
    """Days of one prepaying meter a second of processor time."""
    keystore = Authority(RootSeed(20)).keystore([ESME, HUB])
    with Store() as store:
        bench = MeterBench(HeadEnd(keystore), store.nvm("esme"), profile_of(LIVING), FixedClock(BEGIN))
        begun = process_time()
        bench.pass_time(timedelta(days=count))
        bench.settled()
        return count / (process_time() - begun)


def _homes(count: int) -> LabConfig:
    config = load_lab()
    first = config.premises[0]
    premises: list[PremisesConfig] = []
    for number in range(count):
        devices = tuple(
            device.model_copy(update={"eui64": _numbered(device.eui64, number), "state": {"history_days": 0}})
            for device in first.devices
        )
        hub = first.hub.model_copy(update={"eui64": _numbered(first.hub.eui64, number)})
        premises.append(first.model_copy(update={"name": f"home-{number}", "hub": hub, "devices": devices}))
    return config.model_copy(update={"premises": tuple(premises)})


def _numbered(eui64: Eui64, number: int) -> Eui64:
    return Eui64((int.from_bytes(eui64.raw, "big") + (number << 8)).to_bytes(8, "big"))


def memory(count: int) -> float:
    """Octets that one more home adds, of Python's own memory, without the SQLite pages of its store."""
    used: dict[int, int] = {}

    def measure(homes: int) -> None:
        async def live(_clock: Any) -> None:
            async with Lab(_homes(homes)) as lab:
                await lab.clock.sleep(60)
                gc.collect()
                used[homes] = tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        run_virtual(live)
        tracemalloc.stop()

    measure(1)
    measure(1 + count)
    return (used[1 + count] - used[1]) / count


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rates = {name: commands(name, COMMANDS) for name, _ in USE_CASES}
    figures = {
        "interpreter": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "commands_per_s": {name: round(rate) for name, rate in rates.items()},
        "home_days_per_s": round(days(DAYS), 1),
        "octets_per_idle_home": round(memory(HOMES)),
    }
    if options.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    lines = [f"Python {figures['interpreter']}, {figures['machine']}; processor time of one core", ""]
    lines.append(f"ESME, {COMMANDS} commands each, verified, executed, protected, committed:")
    lines += [f"  {name:8} {what:34} {rates[name]:8.0f} a second" for name, what in USE_CASES]
    lines.append(f"prepaying meter, {DAYS} days: {figures['home_days_per_s']} days a second")
    lines.append(f"idle home (hub and meter), mean of {HOMES}: {memory_text(figures)}")
    sys.stdout.write("\n".join(lines) + "\n")


def memory_text(figures: dict[str, Any]) -> str:
    return f"{figures['octets_per_idle_home'] / 1024:.0f} KiB"


if __name__ == "__main__":
    main()
