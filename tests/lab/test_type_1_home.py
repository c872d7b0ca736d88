"""A home with an HCALCS and a PPMID: the supplier pairs them, and they do what consumer and meter want."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import run_virtual
from smetslab.crypto import SharedSecrets
from smetslab.devices.faults import inject
from smetslab.devices.type1 import Hcalcs, Ppmid
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import parse_response
from smetslab.firmware import decode_file, manufacturer_image_hash
from smetslab.firmware.specimens import Specimen, build, read_collection
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab
from smetslab.resources import firmware_images
from smetslab.rng import RootSeed

ESME, GSME, HUB, GPF, PPMID, HCALCS = (Eui64.parse(f"00DB1234567890A{last}") for last in "012345")

HOME = """
[[premises]]
name = "home"

[premises.hub]
profile = "chf-reference"
eui64 = "00-DB-12-34-56-78-90-A2"

[[premises.devices]]
name = "esme"
profile = "esme-reference-ade"
eui64 = "00-DB-12-34-56-78-90-A0"
state = { payment_mode = "prepayment", charging = false, meter_balance_millipence = 500000 }

[[premises.devices]]
name = "ppmid"
profile = "ppmid-reference"
eui64 = "00-DB-12-34-56-78-90-A4"

[[premises.devices]]
name = "hcalcs"
profile = "hcalcs-reference"
eui64 = "00-DB-12-34-56-78-90-A5"
"""

UNDONE = [("activate", "Outcome not known"), ("HCALCS message", "Failure")]
"""The entries of a command that an HCALCS has not carried out."""

GAS = """
[[premises.devices]]
name = "gas-meter"
profile = "gsme-prepayment"
eui64 = "00-DB-12-34-56-78-90-A1"
load_seed = 5

[[premises.devices]]
name = "gas-proxy"
profile = "gpf-reference"
eui64 = "00-DB-12-34-56-78-90-A3"
"""


SPECIMENS = read_collection((firmware_images() / "images.toml").read_text(), "images.toml")
SOUND = next(one for one in SPECIMENS.images if one.name == "esme-sound").model_dump()


class Home:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.supplier = lab.users["supplier"]
        ppmid, hcalcs = lab.devices[PPMID], lab.devices[HCALCS]
        assert isinstance(ppmid, Ppmid)
        assert isinstance(hcalcs, Hcalcs)
        self.ppmid, self.hcalcs = ppmid, hcalcs

    async def ask(
        self, variant: str, target: Eui64, elements: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = await self.supplier.request(variant, target, elements)
        assert answer.ok, (variant, answer)
        return answer.parameters

    async def pair(self, meter: Eui64, other: Eui64) -> None:
        """Both ends, as a supplier does it."""
        for target, peer in ((other, meter), (meter, other)):
            told = await self.ask(
                "8.7.2" if target == PPMID else "8.7.1", target, {"OtherDeviceID": peer.dashed()}
            )
            assert told["join_response_code"] == "success"

    async def sleep(self, **span: float) -> None:
        await self.lab.clock.sleep(timedelta(**span).total_seconds())

    def code(self, pounds: int, number: int, meter: Eui64 = ESME) -> str:
        ring, supplier = self.lab.keystore, self.supplier.party
        secret = SharedSecrets().get(
            ring.private_key(supplier, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
            ring.find(meter, KeyUsage.KEY_AGREEMENT).certificate.public_key,
        )
        return build_utrn(
            counter=number << 32,
            value_class=ValueClass.POUNDS,
            value=pounds,
            secret=secret,
            supplier=supplier,
            device=meter,
        ).digits

    def closed(self) -> list[int]:
        return [switch.number for switch in self.hcalcs.switches if switch.closed]

    async def distribute(self, variant: str, target: Eui64, data: bytes) -> None:
        """An image goes through the DCC to a device."""
        broker = self.lab.config.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
        assert broker is not None
        elements: dict[str, Any] = {
            "FirmwareImage": data.hex().upper(),
            "FirmwareVersion": "00010001",
            "DeviceIDList": target.dashed(),
        }
        document = self.supplier.document(variant, broker.eui64, elements, CommandVariant.NON_DEVICE)
        assert parse_response(await self.lab.dcc.receive(document)).code == "I0"
        await self.sleep(minutes=1)

    def switch_log(self) -> list[tuple[str, str, int]]:
        """Action, outcome and command id of each entry of the meter's auxiliary controller log."""
        rows: Any = self.lab.esme(ESME).inspect()["auxiliary_log"]
        return [
            (row["switch_number_and_action"]["action"], row["outcome"], row["han_command_id"]) for row in rows
        ]

    def alert_codes(self, device: Eui64) -> set[str]:
        alerts = self.lab.trace.find(layer="device", event="AlertSent")
        return {str(one.detail["code"]) for one in alerts if one.source == str(device)}


def image(name: str) -> bytes:
    return (firmware_images() / f"{name}.ota").read_bytes()


Scenario = Callable[[Home], Awaitable[None]]
Play = Callable[..., None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(scenario: Scenario, more: str = "") -> None:
        default = load_lab().source_text.decode()
        path = tmp_path / "home.toml"
        path.write_text(default[: default.index("[[premises]]")] + HOME + more)
        config: LabConfig = load_lab(path)

        async def scene(clock: object) -> None:
            del clock
            async with Lab(config) as lab:
                await scenario(Home(lab))

        run_virtual(scene)

    return run


def test_a_top_up_at_the_ppmid_is_credited_once(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await home.pair(ESME, PPMID)
        code = home.code(10, 1)
        assert home.ppmid.enter_top_up(code).phase == "sent"
        await home.sleep(seconds=5)
        assert (home.ppmid.display.phase, home.ppmid.display.text) == ("result", "accepted")
        home.ppmid.read_meter(ESME)
        await home.sleep(seconds=5)
        account: Any = home.lab.esme(ESME).inspect()["account"]
        assert home.ppmid.readings[ESME].values["credit_remaining"] == account["meter_balance"] > 500000
        home.ppmid.enter_top_up(code)
        await home.sleep(seconds=5)
        assert home.ppmid.display.text == "code was used before"
        await home.sleep(seconds=30)
        assert home.ppmid.display.phase == "idle"
        wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
        assert home.ppmid.enter_top_up(wrong).text == "wrong digit, check the code"

    play(scenario)


def test_what_a_ppmid_is_not_paired_with_answers_it_nothing(play: Play) -> None:
    async def scenario(home: Home) -> None:
        told = await home.ask("8.7.2", PPMID, {"OtherDeviceID": ESME.dashed()})
        assert told["join_response_code"] == "success"
        home.ppmid.enter_top_up(home.code(10, 1))
        await home.sleep(seconds=5)
        assert home.ppmid.display.accepted is False
        assert home.lab.trace.find(layer="device", event="FrameRefused")

    play(scenario)


def test_emergency_credit_and_supply_are_asked_for_at_the_ppmid(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await home.pair(ESME, PPMID)
        home.ppmid.activate_emergency_credit()
        await home.sleep(seconds=5)
        assert home.ppmid.display.text == "not available"  # there is credit enough
        home.ppmid.enable_supply()
        await home.sleep(seconds=5)
        assert home.ppmid.display.text == "accepted"

    play(scenario)


def test_a_meter_without_power_leaves_the_ppmid_without_an_answer(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await home.pair(ESME, PPMID)
        await home.lab.devices[ESME].power_cut()
        home.ppmid.enter_top_up(home.code(10, 1))
        await home.sleep(seconds=20)
        assert home.ppmid.display.phase == "result"
        assert home.ppmid.display.accepted is None

    play(scenario)


def test_commands_to_the_meter_switch_the_hcalcs(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await home.pair(ESME, HCALCS)
        assert home.closed() == []
        await home.ask("7.5", ESME, {"ActivateALCSHCALCS": {"@index": 1, "Duration": 30}})
        await home.sleep(seconds=5)
        assert home.closed() == [1]
        await home.hcalcs.power_cut()
        await home.hcalcs.power_restore()
        await home.sleep(seconds=5)
        assert home.closed() == [1]
        home.hcalcs.opt_out(1)
        assert home.closed() == []
        await home.sleep(seconds=5)
        assert home.hcalcs.opt_out(1, out=False).closed
        await home.ask("7.6", ESME, {"DeactivateALCSHCALCS": {"@index": 1, "Duration": 30}})
        await home.sleep(seconds=5)
        assert home.closed() == []
        reports = home.lab.trace.find(layer="device", event="LoadControlReported")
        statuses = [str(one.detail["status"]) for one in reports]
        assert {"command_received", "event_started", "user_opted_out", "user_opted_in"} <= set(statuses)
        # Each command has a pair of entries: not known yet, then done.
        [(_, _, first), *_, (_, _, second)] = log = home.switch_log()
        assert log == [
            ("activate", "Outcome not known", first),
            ("HCALCS message", "Success", first),
            ("deactivate", "Outcome not known", second),
            ("HCALCS message", "Success", second),
        ]
        assert second > first > 0
        # One that the consumer has opted out of is not carried out, which is told.
        home.hcalcs.opt_out(1)
        await home.ask("7.5", ESME, {"ActivateALCSHCALCS": {"@index": 1, "Duration": 30}})
        await home.sleep(seconds=5)
        assert [row[:2] for row in home.switch_log()[4:]] == UNDONE
        assert "811A" in home.alert_codes(ESME)

    play(scenario)


def test_an_hcalcs_that_missed_a_command_asks_for_it_when_it_has_power(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await home.pair(ESME, HCALCS)
        await home.hcalcs.power_cut()
        await home.ask("7.5", ESME, {"ActivateALCSHCALCS": {"@index": 1, "Duration": 30}})
        await home.sleep(minutes=1)
        assert [row[:2] for row in home.switch_log()] == UNDONE
        await home.hcalcs.power_restore()
        await home.sleep(seconds=5)
        assert home.closed() == [1]
        assert len(home.switch_log()) == 2

    play(scenario)


def test_a_day_without_its_meter_opens_the_switches(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await home.pair(ESME, HCALCS)
        await home.ask("7.5", ESME, {"ActivateALCSHCALCS": {"@index": 1, "Duration": 30}})
        await home.sleep(seconds=5)
        await home.lab.devices[ESME].power_cut()
        await home.sleep(hours=23)
        assert home.closed() == [1]
        await home.sleep(hours=2)
        assert home.closed() == []

    play(scenario)


def test_a_gas_meter_is_topped_up_from_the_ppmid(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await home.pair(GSME, PPMID)
        home.ppmid.enter_top_up(home.code(20, 1, GSME), GSME)
        assert home.ppmid.display.phase == "sent"
        await home.sleep(minutes=31)
        result = [one.detail["text"] for one in home.lab.trace.find(layer="device", event="ConsumerResult")]
        assert result == ["accepted"]

    play(scenario, GAS)


def test_a_meter_gets_an_image_and_activates_it_when_told(play: Play) -> None:
    async def scenario(home: Home) -> None:
        data = image("esme-sound")
        await home.distribute("11.1", ESME, data)
        codes = home.alert_codes(ESME)
        assert "8F72" in codes
        digest = manufacturer_image_hash(decode_file(data).manufacturer_image)
        told = await home.ask("11.3", ESME, {"FirmwareHash": digest.hex().upper()})
        outcome = {"activate_image_response_code": "success", "firmware_version": "00010001"}
        assert told == {"execution_outcome": outcome}
        version = await home.ask("11.2", ESME)
        assert "00010001" in str(version)

    play(scenario)


@pytest.mark.parametrize(("target", "name"), [(PPMID, "ppmid-sound"), (HCALCS, "hcalcs-sound")])
def test_a_type_1_device_activates_an_image_by_itself(play: Play, target: Eui64, name: str) -> None:
    async def scenario(home: Home) -> None:
        await home.distribute("11.4", target, image(name))
        assert home.alert_codes(target) == ({"8F8B"} if target == PPMID else set())
        version = await home.ask("11.2", target)
        assert "00010001" in str(version)

    play(scenario)


def test_a_gas_meter_fetches_an_image_when_it_wakes(play: Play) -> None:
    async def scenario(home: Home) -> None:
        data = image("gsme-sound")
        await home.sleep(minutes=1)  # it has woken at power on
        await home.distribute("11.1", GSME, data)
        trace = home.lab.trace
        assert "8F72" not in home.alert_codes(GSME)
        assert not trace.find(layer="device", event="ImageTransfer")
        await home.sleep(minutes=31)
        steps = [one.detail["what"] for one in trace.find(layer="device", event="ImageTransfer")]
        assert steps == ["begins", "complete"]
        assert "8F72" in home.alert_codes(GSME)
        transferred = [one.detail for one in trace.find(layer="device", event="AlertSent", source=str(HUB))]
        assert "8F8A" in {str(detail["code"]) for detail in transferred}
        digest = manufacturer_image_hash(decode_file(data).manufacturer_image)
        answer = await home.supplier.request("11.3", GSME, {"FirmwareHash": digest.hex().upper()})
        assert answer.parameters["execution_outcome"]["activate_image_response_code"] == "success"

    play(scenario, GAS)


def test_an_image_survives_a_power_cut_of_the_meter_on_its_way(play: Play) -> None:
    async def scenario(home: Home) -> None:
        declared = {**SOUND, "code_octets": 30_000}
        data = build(Specimen.model_validate(declared), RootSeed(SPECIMENS.seed)).octets
        meter, clock = home.lab.esme(ESME), home.lab.clock
        giving = asyncio.ensure_future(home.distribute("11.1", ESME, data))
        await clock.sleep(3)
        await meter.power_cut()
        await clock.sleep(20)
        await meter.power_restore()
        await giving
        await home.sleep(minutes=1)
        steps = [
            (one.detail["what"], one.detail.get("offset"))
            for one in home.lab.trace.find(layer="device", event="ImageTransfer")
        ]
        assert [what for what, _ in steps] == ["begins", "begins", "complete"]
        assert int(str(steps[1][1])) % 4096 == 0 < int(str(steps[1][1]))

    play(scenario)


def test_faults_of_hub_and_ppmid_are_injected_by_name(play: Play) -> None:
    async def scenario(home: Home) -> None:
        await inject(home.ppmid, "hardware-fault")
        told = await home.supplier.request("11.2", PPMID)
        assert told.parameters["read_response_code"] == "readFailure"
        assert (await home.ask("11.2", PPMID))["read_response_code"] == "success"
        await inject(home.lab.hubs[HUB], "hardware-fault")
        failed = await home.supplier.request("6.2.4", HUB)
        assert not failed.ok
        assert (await home.supplier.request("6.2.4", HUB)).ok

    play(scenario)
