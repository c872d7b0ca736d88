"""DCC and premises in different processes, over a real broker: every home answers, whoever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import smetslab
from smetslab.clock import LoopClock, run_real
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import LocalCommand, RequestId, parse_response
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab

pytest.importorskip("aiomqtt", reason="needs the extra `mqtt`")

SOURCE = str(Path(smetslab.__file__).parent.parent)
COMMAND = "import sys; from smetslab.cli.main import main; sys.exit(main())"

HOMES = """
schema_version = 1
epoch = 2026-01-05T00:00:00Z
time = { mode = "real" }
parties = [
  { name = "supplier", role = "supplier", eui64 = "90B3D51F30010000" },
  { name = "network-operator", role = "network_operator", eui64 = "90B3D51F30020000" },
  { name = "recovery", role = "recovery", eui64 = "90B3D51F30000001" },
  { name = "broker", role = "access_control_broker", eui64 = "90B3D51F30000002" },
  { name = "transcos", role = "transitional_cos", eui64 = "90B3D51F30000004" },
  { name = "wan", role = "wan_provider", eui64 = "90B3D51F30000007" },
  { name = "load-controller", role = "load_controller", eui64 = "90B3D51F30010008" },
]
"""
HOME = """
[[premises]]
name = "home-{number}"
hub = {{ eui64 = "00DB00000000{number:02}A2" }}
devices = [{{ name = "esme", profile = "esme-single-phase-reference", eui64 = "00DB00000000{number:02}A0" }}]
"""


def meter(number: int) -> Eui64:
    return Eui64.parse(f"00DB00000000{number:02}A0")


@pytest.fixture
def config(tmp_path: Path, broker) -> LabConfig:
    """Three homes and a WAN on the broker."""
    default = load_lab().premises[0].devices[0].profile
    text = HOMES + "".join(HOME.format(number=number) for number in range(3))
    file = tmp_path / "lab.toml"
    file.write_text(text.replace("esme-single-phase-reference", default), encoding="utf-8")
    loaded = load_lab(file)
    return loaded.model_copy(update={"wan": loaded.wan.model_copy(update={"url": broker.address})})


@pytest.fixture
def premises(tmp_path: Path, broker) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`premises("1/2")` is a running process with that part of the homes."""
    running: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMETSLAB_")}

    def start(shard: str) -> subprocess.Popen[str]:
        store = f"sqlite:///{tmp_path / shard.replace('/', '-of-')}.sqlite"
        options = ["--wan", broker.address, "--shard", shard, "--lab", str(tmp_path / "lab.toml")]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "premises", *options, "--store", store],
            env={**environment, "PYTHONPATH": SOURCE},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("premises-"), first + process.stdout.read()
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_every_shard_answers_for_its_homes_and_a_killed_one_is_back_with_what_it_knew(
    config: LabConfig, premises
) -> None:
    async def main(clock: LoopClock) -> None:
        del clock
        premises("1/2")
        second = premises("2/2")
        async with Lab(config, role="dcc") as lab:
            await lab.wan_connected(5)
            supplier = lab.users["supplier"]
            for number in range(3):
                assert (await supplier.request("4.1.1", meter(number))).ok
            # A command that is replay protected, answered once and remembered over the death of the meter.
            assert (await supplier.request("7.4", meter(1))).ok
            second.send_signal(signal.SIGKILL)
            second.wait()
            supplier.counters.clear()
            document = supplier.document("4.1.1", meter(1), None, CommandVariant.SEND, counter=5000)
            assert parse_response(await lab.dcc.receive(document)).code == "I99"
            premises("2/2")
            final = parse_response(await lab.dcc.final_response(RequestId(supplier.party, meter(1), 5000)))
            assert final.code == "I0"

    async def within(clock: LoopClock) -> None:
        async with asyncio.timeout(300):
            await main(clock)

    run_real(within)


def test_the_inventory_of_a_dcc_alone_has_all_homes(config: LabConfig) -> None:
    async def main(clock: LoopClock) -> list[DeviceType]:
        del clock
        async with Lab(config, role="dcc") as lab:
            assert lab.devices == {}
            return [device.device_type for device in lab.inventory.devices()]

    assert run_real(main) == [DeviceType.ESME, DeviceType.CHF] * 3


def test_a_stopped_process_says_goodbye(premises, config: LabConfig) -> None:
    process = premises("1/1")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert output.rstrip().endswith("stopping")


def test_a_response_from_the_premises_is_brought_back_past_the_broker(config: LabConfig) -> None:
    """8.13: the command never went over the WAN, and its request is answered as if it had."""

    async def main(clock: LoopClock) -> None:
        del clock
        async with Lab(config, role="dcc") as lab, Lab(config, role="premises") as homes:
            await lab.wan_connected(5)
            supplier, hub = lab.users["supplier"], config.premises[1].hub.eui64
            document = supplier.document("7.4", meter(1), None, CommandVariant.RETURN_LOCALLY)
            local = parse_response(await lab.dcc.receive(document))
            assert isinstance(local.payload, LocalCommand)
            response = await homes.hubs[hub].deliver_locally(local.payload.payload)
            elements = {"DeviceGBCSResponse": response.hex()}
            returned = supplier.document("8.13", lab.dcc.broker.identity, elements, CommandVariant.NON_DEVICE)
            assert parse_response(await lab.dcc.receive(returned)).code == "I0"
            final = await lab.dcc.final_response(RequestId(supplier.party, meter(1), 1000))
            assert supplier.open_response(final).parameters == {"supply_state": "Enabled"}
            assert lab.trace.find(layer="wan", event="MessageDelivered") == []
            # Over the broker the same meter answers too.
            assert (await supplier.request("7.4", meter(1))).ok

    run_real(main)
