"""A hub's own firmware: sent and activated by its WAN provider, reported, traced, kept over power cuts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from smetslab import resources
from smetslab.clock import run_virtual
from smetslab.errors import CodecError, UsageError, WanError
from smetslab.firmware import decode_file, manufacturer_image_hash
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import HanConfig, load_lab
from smetslab.lab.control import control_routes
from smetslab.wan import HubFirmwareReport

FOLDER = Path(str(resources.firmware_images()))
SOUND = (FOLDER / "chf-sound.ota").read_bytes()
NEW = "00010001"
METER, HUB = (Eui64.parse(f"00DB1234567890{last}") for last in ("A0", "A2"))


def in_lab(act: Callable[[Lab], Awaitable[Any]]) -> Any:
    async def main(_clock: Any) -> Any:
        config = load_lab().model_copy(update={"han": HanConfig(kind="direct")})
        async with Lab(config) as lab:
            return await act(lab)

    return run_virtual(main)


def running(lab: Lab) -> str:
    return str(lab.hubs[HUB].inspect()["security"]["firmware"]["running"])  # type: ignore[index,call-overload]


def test_a_hub_runs_what_its_wan_provider_sends() -> None:
    async def act(lab: Lab) -> None:
        before = running(lab)
        report = await lab.dcc.hub_firmware.update(HUB, SOUND)
        assert report == HubFirmwareReport("activation", "success", bytes.fromhex(NEW))
        assert before != running(lab) == NEW
        [known] = [device for device in lab.inventory.devices() if device.device_type is DeviceType.CHF]
        assert known.firmware_version == NEW
        layers = [(seen.layer, seen.event) for seen in lab.trace.observations if "Firmware" in seen.event]
        assert layers == [
            ("dcc", "HubFirmwareSent"),
            ("device", "FirmwareReceived"),
            ("device", "HubFirmwareReported"),
            ("dcc", "HubFirmwareReported"),
            ("dcc", "HubFirmwareSent"),
            ("device", "FirmwareActivated"),
            ("device", "HubFirmwareReported"),
            ("dcc", "HubFirmwareReported"),
        ]
        await lab.hubs[HUB].power_cut()
        await lab.hubs[HUB].power_restore()
        assert running(lab) == NEW

    in_lab(act)


def test_an_image_for_somebody_else_is_not_run() -> None:
    async def act(lab: Lab) -> None:
        before = running(lab)
        report = await lab.dcc.hub_firmware.update(HUB, (FOLDER / "ppmid-sound.ota").read_bytes())
        assert (report.step, report.outcome) == ("image", "does not fit")
        assert running(lab) == before

    in_lab(act)


def test_what_is_activated_is_what_the_hash_names() -> None:
    async def act(lab: Lab) -> None:
        provider, wanted = (
            lab.dcc.hub_firmware,
            manufacturer_image_hash(decode_file(SOUND).manufacturer_image),
        )
        assert (await provider.activate(HUB, wanted)).outcome == "no image held"
        assert (await provider.distribute(HUB, SOUND)).outcome == "verified"
        assert (await provider.activate(HUB, bytes(32))).outcome == "hash mismatch"
        await lab.hubs[HUB].power_cut()
        await lab.hubs[HUB].power_restore()
        assert (await provider.activate(HUB, wanted)).outcome == "success"

    in_lab(act)


def test_a_hub_without_power_is_given_up() -> None:
    async def act(lab: Lab) -> None:
        await lab.hubs[HUB].power_cut()
        with pytest.raises(WanError):
            await lab.dcc.hub_firmware.activate(HUB, bytes(32))

    in_lab(act)


@pytest.mark.parametrize(("target", "image"), [(METER, SOUND), (Eui64(bytes(8)), SOUND), (HUB, b"no file")])
def test_what_makes_no_sense_is_refused_before_anything_is_sent(target: Eui64, image: bytes) -> None:
    async def act(lab: Lab) -> None:
        with pytest.raises(UsageError):
            await lab.dcc.hub_firmware.update(target, image)
        assert lab.trace.find(event="HubFirmwareSent") == []

    in_lab(act)


def test_the_control_interface_updates_hubs_and_meters() -> None:
    async def act(lab: Lab) -> None:
        transport = httpx.ASGITransport(
            app=Starlette(routes=list(control_routes(lab))), client=("127.0.0.1", 5)
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as http:
            told = await http.post("/lab/devices/hub/firmware", content=SOUND)
            assert told.json() == {"device": str(HUB), "step": "activation", "outcome": "success"}
            meter = (FOLDER / "esme-sound.ota").read_bytes()
            told = await http.post("/lab/devices/esme/firmware", content=meter)
            assert told.json() == {"device": str(METER), "step": "image", "outcome": "verified"}
            refused = await http.post("/lab/devices/hub/firmware", content=b"no file")
            assert refused.status_code == 400
            assert "not an OTA file" in refused.json()["error"]

    in_lab(act)


@pytest.mark.parametrize("octets", [b"", bytes(5), bytes(7), b"\x02" + bytes(5), b"\x00\x04" + bytes(4)])
def test_a_report_that_is_none_is_refused(octets: bytes) -> None:
    with pytest.raises(CodecError):
        HubFirmwareReport.decode(octets)
