"""A PPMID gets firmware by a service request, through hub and air, block by block, and tells its version."""

from __future__ import annotations

from pathlib import Path

from smetslab.clock import run_virtual
from smetslab.duis.codes import CommandVariant
from smetslab.firmware.specimens import Specimen, build, read_collection
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.resources import firmware_images
from smetslab.rng import RootSeed

PPMID = Eui64.parse("00DB1234567890A4")
DEVICE = f"""
[[premises.devices]]
name = "ppmid"
profile = "ppmid-reference"
eui64 = "{PPMID.dashed()}"
"""


def image(octets: int) -> bytes:
    collection = read_collection((firmware_images() / "images.toml").read_text(), "images.toml")
    sound = next(one for one in collection.images if one.name == "ppmid-sound").model_dump()
    specimen = Specimen.model_validate({**sound, "code_octets": octets})
    return build(specimen, RootSeed(collection.seed)).octets


def test_an_image_for_a_ppmid_goes_on_after_a_power_cut_and_runs_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "home.lab.toml"
    path.write_text(load_lab().source_text.decode() + DEVICE)

    async def story():
        async with Lab(load_lab(path)) as lab:
            await lab.clock.sleep(5)
            user, broker = lab.users["supplier"], lab.config.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
            assert broker is not None
            elements = {
                "FirmwareImage": image(12_000).hex().upper(),
                "FirmwareVersion": "00010001",
                "DeviceIDList": PPMID.dashed(),
            }
            document = user.document("11.4", broker.eui64, elements, CommandVariant.NON_DEVICE)
            await lab.dcc.receive(document)
            await lab.clock.sleep(3)
            ppmid = lab.devices[PPMID]
            await ppmid.power_cut()
            await lab.clock.sleep(30)
            await ppmid.power_restore()
            await lab.clock.sleep(600)
            transfers = lab.trace.find(source=str(PPMID), event="ImageTransfer")
            alerts = [one.detail["code"] for one in lab.trace.find(layer="gbcs", event="AlertReceived")]
            return transfers, alerts, ppmid.inspect()["security"]["firmware"]

    transfers, alerts, firmware = run_virtual(story())
    assert [one.detail["what"] for one in transfers] == ["begins", "begins", "complete"]
    assert 0 < transfers[1].detail["offset"] < transfers[1].detail["size"]
    assert transfers[2].detail["good"]
    assert sorted(code for code in alerts if code in {"8F8A", "8F8B"}) == ["8F8A", "8F8B"]
    assert firmware == {"running": "00010001", "held": None}
