"""Virtual devices: commands a second at GBCS level, memory of an idle home, simulated days a second.

Commands go into a device's core as octets and come out as protected octets: verified, executed, protected,
committed; no HAN, no WAN, no DCC. Those of the electricity meter go into a meter on a bench, those of each
type of device into the devices of a whole home. Memory is what one more idle home adds to a process, its
logs not yet written: a hub with an electricity meter, the same with gas meter and proxy on direct links,
and the home with a device of every kind on the air. Days are days of a prepaying meter with a standing
charge, debts and two rates, worked through in virtual time with every commit made; and of a home of both
fuels with PPMID and HCALCS on direct links, without displays, which ask every ten seconds and are nearly
all that there is to do where there are any.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "devices" / "bench"))

from meter_bench import ESME, HUB, FixedClock, HeadEnd, profile_of
from meter_bench import Bench as MeterBench

from smetslab.clock import run_virtual
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import USE_CASES as PROTOCOL
from smetslab.gbcs.usecases import encode_content
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import (
    DEFAULT_NAME,
    HOME_NAME,
    DeviceConfig,
    HanConfig,
    LabConfig,
    PremisesConfig,
    load_lab,
)
from smetslab.pki import Authority
from smetslab.rng import RootSeed
from smetslab.store import Store

COMMANDS = 400
DAYS = 120
HOMES = 20
WHOLE_HOMES = 6
HOME_DAYS = 30
DUAL_FUEL = ("esme", "gsme", "gpf")
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)

READ_REGISTERS = {
    "cluster": "metering",
    "command": "read_attributes",
    "attributes": ["divisor", "multiplier", "unit_of_measure", "current_summation_delivered"],
}
CLOSE_VALVE = {
    "cluster": "metering",
    "command": "change_supply",
    "provider_id": 0,
    "issuer_event_id": "2026-03-02T12:00:00Z",
    "request_date_time": "not_given",
    "implementation_date_time": "immediate",
    "proposed_supply_status": "supply_off",
    "supply_control_bits": [],
}

USE_CASES = (
    ("ECS45", "read of one value"),
    ("ECS17b", "protected read of registers"),
    ("ECS24", "read of the whole tariff"),
    ("ECS43", "critical command: disable supply"),
    ("CS01a", "top-up"),
)

SUPPLIER, BROKER = "supplier", "broker"


class Row(NamedTuple):
    """A command to one type of device: whose core, the use case, what it is, who sends it, its parameters."""

    device: str
    use_case: str
    what: str
    sender: str
    parameters: dict[str, Any]


EACH_TYPE = (
    Row("esme", "ECS17b", "protected read of registers", SUPPLIER, {}),
    Row("esme", "ECS43", "critical: disable supply", SUPPLIER, {}),
    Row("gsme", "GCS13a", "protected read of registers", SUPPLIER, {"components": [READ_REGISTERS]}),
    Row("gsme", "GCS32", "critical: close the valve", SUPPLIER, {"components": [CLOSE_VALVE]}),
    Row("gpf", "GCS13a", "protected read of the mirror", SUPPLIER, {"components": [READ_REGISTERS]}),
    Row("hub", "CCS06", "read of the device log", BROKER, {}),
    Row("ppmid", "CS08", "read of the firmware version", BROKER, {}),
    Row("hcalcs", "CS08", "read of the firmware version", BROKER, {}),
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


def each_type(count: int) -> dict[str, float]:
    """Commands a second of processor time to the core of each device of a home."""
    rates: dict[str, float] = {}

    async def live(_clock: Any) -> None:
        async with Lab(load_lab(default=HOME_NAME)) as lab:
            await lab.clock.sleep(120)
            named = {lab.parties[str(eui64)].split()[-1]: one for eui64, one in lab.devices.items()}
            named["hub"] = next(iter(lab.hubs.values()))
            for row in EACH_TYPE:
                device = named[row.device]
                octets = [_octets(lab, row, device.eui64, number) for number in range(count)]
                rates[f"{row.device} {row.use_case}"] = _answers(device, octets, lab.clock.now())

    run_virtual(live)
    return rates


def _octets(lab: Lab, row: Row, target: Eui64, number: int) -> bytes:
    """A command, protected."""
    use_case, broker = PROTOCOL[row.use_case], lab.dcc.broker
    originator = lab.users[SUPPLIER].party if row.sender == SUPPLIER else broker.identity
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=100_000 + number,
        business_originator_id=originator,
        business_target_id=target,
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )
    message = replace(header, content=encode_content(use_case, header, row.parameters))
    if use_case.critical:
        message = with_signature(message, lab.keystore.private_key(originator, KeyUsage.DIGITAL_SIGNATURE))
    return encode_message(with_mac(message, broker.secret(target)))


def _answers(device: Any, octets: list[bytes], now: datetime) -> float:
    place = device._workplace
    begun = process_time()
    for data in octets:
        device._core.receive(data, now)
        answered = [message for message in place.outbox if message.event == "ResponseSent"]
        if len(answered) != 1:
            raise SystemExit(f"{device.device_type.name} has not answered")
        for message in list(place.outbox):
            place.sent(message)
    return len(octets) / (process_time() - begun)


def home_days(count: int) -> float:
    """Days of a home of both fuels a second of processor time: no displays, a gas meter that sleeps."""
    config = load_lab(default=HOME_NAME)
    home = config.premises[0]
    devices = tuple(
        device.model_copy(update={"state": {}})
        for device in home.devices
        if device.name not in ("ihd", "cad")
    )
    config = config.model_copy(
        update={
            "han": HanConfig(kind="direct"),
            "premises": (home.model_copy(update={"devices": devices}),),
        }
    )

    async def live(_clock: Any) -> float:
        async with Lab(config, keep=1_000) as lab:
            await lab.clock.sleep(60)
            begun = process_time()
            await lab.clock.sleep(count * 86_400)
            return count / (process_time() - begun)

    return run_virtual(live)


def days(count: int) -> float:
    """Days of one prepaying meter a second of processor time."""
    keystore = Authority(RootSeed(20)).keystore([ESME, HUB])
    with Store() as store:
        bench = MeterBench(HeadEnd(keystore), store.nvm("esme"), profile_of(LIVING), FixedClock(BEGIN))
        begun = process_time()
        bench.pass_time(timedelta(days=count))
        bench.settled()
        return count / (process_time() - begun)


def _homes(count: int, default: str = DEFAULT_NAME, only: tuple[str, ...] = ()) -> LabConfig:
    """So many homes; `only`: of these devices."""
    config = load_lab(default=default)
    if only:
        config = config.model_copy(update={"han": HanConfig(kind="direct")})
    first = config.premises[0]
    premises: list[PremisesConfig] = []
    for number in range(count):
        devices = tuple(
            device.model_copy(update={"eui64": _numbered(device.eui64, number), "state": _state(device)})
            for device in first.devices
            if not only or device.name in only
        )
        hub = first.hub.model_copy(update={"eui64": _numbered(first.hub.eui64, number)})
        premises.append(first.model_copy(update={"name": f"home-{number}", "hub": hub, "devices": devices}))
    return config.model_copy(update={"premises": tuple(premises)})


def _state(device: DeviceConfig) -> dict[str, int]:
    """A new electricity meter has no history here, for its logs are not what is measured."""
    return {"history_days": 0} if device.name == "esme" else {}


def _numbered(eui64: Eui64, number: int) -> Eui64:
    return Eui64((int.from_bytes(eui64.raw, "big") + (number << 8)).to_bytes(8, "big"))


def memory(count: int, default: str = DEFAULT_NAME, only: tuple[str, ...] = ()) -> float:
    """Octets that one more home adds, of Python's own memory, without the SQLite pages of its store and the
    trace."""
    used: dict[int, int] = {}

    def measure(homes: int) -> None:
        async def live(_clock: Any) -> None:
            async with Lab(_homes(homes, default, only), keep=100) as lab:
                await lab.clock.sleep(60)
                gc.collect()
                used[homes] = tracemalloc.get_traced_memory()[0]

        run_virtual(live)

    measure(1)  # what is imported and compiled at the first use belongs to no home
    tracemalloc.start()
    measure(1)
    measure(1 + count)
    tracemalloc.stop()
    return (used[1 + count] - used[1]) / count


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rates = {name: commands(name, COMMANDS) for name, _ in USE_CASES}
    of_types = each_type(COMMANDS)
    figures = {
        "interpreter": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "commands_per_s": {name: round(rate) for name, rate in rates.items()},
        "commands_per_s_of_each_type": {name: round(rate) for name, rate in of_types.items()},
        "meter_days_per_s": round(days(DAYS), 1),
        "home_days_per_s": round(home_days(HOME_DAYS), 2),
        "octets_per_idle_home": round(memory(HOMES)),
        "octets_per_idle_dual_fuel_home": round(memory(WHOLE_HOMES, HOME_NAME, DUAL_FUEL)),
        "octets_per_idle_whole_home": round(memory(WHOLE_HOMES, HOME_NAME)),
    }
    if options.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    lines = [f"Python {figures['interpreter']}, {figures['machine']}; processor time of one core", ""]
    lines.append(f"ESME, {COMMANDS} commands each, verified, executed, protected, committed:")
    lines += [f"  {name:8} {what:34} {rates[name]:8.0f} a second" for name, what in USE_CASES]
    lines.append(f"each type of device in a home, {COMMANDS} commands each:")
    for row in EACH_TYPE:
        rate = of_types[f"{row.device} {row.use_case}"]
        lines.append(f"  {row.device:7} {row.use_case:8} {row.what:28} {rate:6.0f} a second")
    lines.append(f"prepaying meter, {DAYS} days: {figures['meter_days_per_s']} days a second")
    lines.append(
        f"home of both fuels without displays, {HOME_DAYS} days: {figures['home_days_per_s']} days a second"
    )
    lines.append(f"idle home (hub and meter), mean of {HOMES}: {kib(figures['octets_per_idle_home'])}")
    dual = kib(figures["octets_per_idle_dual_fuel_home"])
    lines.append(f"idle home of hub, gas proxy and both meters, direct links, mean of {WHOLE_HOMES}: {dual}")
    lines.append(f"idle whole home, mean of {WHOLE_HOMES}: {kib(figures['octets_per_idle_whole_home'])}")
    sys.stdout.write("\n".join(lines) + "\n")


def kib(octets: float) -> str:
    return f"{octets / 1024:.0f} KiB"


if __name__ == "__main__":
    main()
