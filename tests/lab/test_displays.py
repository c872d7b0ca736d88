"""A display and a consumer access device in a home of both fuels, on direct links and on the air."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smetslab.clock import run_virtual
from smetslab.devices.cad_topics import TopicTemplate
from smetslab.devices.type2 import Cad, Ihd
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.zigbee.zcl.clusters.messaging import Messaging

DEVICES = """
[[premises.devices]]
name = "gpf"
profile = "gpf-reference"
eui64 = "00-DB-12-34-56-78-90-A3"
supplier = "supplier"

[[premises.devices]]
name = "gsme"
profile = "gsme-reference"
eui64 = "00-DB-12-34-56-78-90-A1"
supplier = "supplier"

[[premises.devices]]
name = "ihd"
profile = "ihd-reference"
eui64 = "00-DB-12-34-56-78-90-B1"

[[premises.devices]]
name = "cad"
profile = "cad-reference"
eui64 = "00-DB-12-34-56-78-90-B2"
"""
IHD, CAD, GSME = (Eui64.parse(f"00DB1234567890{last}") for last in ("B1", "B2", "A1"))


@pytest.fixture(params=["direct", "radio"])
def home(request, tmp_path):
    """The configuration of a home with everything."""
    text = (Path(load_lab.__code__.co_filename).parent / "default.lab.toml").read_text()
    text = text.replace('kind = "radio"', f'kind = "{request.param}"', 1)
    path = tmp_path / "home.lab.toml"
    path.write_text(text + DEVICES)
    return load_lab(path)


def test_a_display_shows_both_fuels_and_a_cad_publishes_them(home) -> None:
    async def story():
        async with Lab(home) as lab:
            await lab.clock.sleep(35 * 60)
            ihd, cad = lab.devices[IHD], lab.devices[CAD]
            assert isinstance(ihd, Ihd)
            assert isinstance(cad, Cad)
            published = cad.publications(TopicTemplate())
            return {one.meter.kind: one for one in ihd.readings}, ihd.screen, published

    readings, screen, published = run_virtual(story())
    assert set(readings) == {DeviceType.ESME, DeviceType.GPF}
    for reading in readings.values():
        assert reading.at is not None
        assert reading.energy_kwh is not None
        assert reading.energy_kwh > 0
    text = "\n".join(screen)
    assert "Electricity" in text
    assert "Gas" in text
    bodies = {one.topic.rsplit("/", 1)[1]: json.loads(one.payload) for one in published}
    gas = bodies["gasmeter"]["gasmeter"]["energy"]["import"]
    assert gas["cumulativevol"] == readings[DeviceType.GPF].total
    assert gas["cumulative"] == pytest.approx(readings[DeviceType.GPF].energy_kwh, abs=0.001)


def test_a_type_2_profile_has_no_settings_and_says_what_it_is(home, tmp_path) -> None:
    source = home.source_text.decode()
    for changed, match in (
        (source.replace('profile = "ihd-reference"', 'profile = "bad.toml"'), "unknown state setting 'x'"),
        (source.replace('profile = "ihd-reference"', 'profile = "worse.toml"'), "type_2, IHD or CAD"),
    ):
        profile = (Path(__file__).parents[2] / "device_profiles" / "ihd-reference.toml").read_text()
        (tmp_path / "bad.toml").write_text(profile + "\n[state]\nx = 1\n")
        (tmp_path / "worse.toml").write_text(profile.replace('type_2 = "IHD"\n', ""))
        path = tmp_path / "changed.lab.toml"
        path.write_text(changed)
        with pytest.raises(UsageError, match=match):
            run_virtual(_bring_up(load_lab(path)))


async def _bring_up(config) -> None:
    async with Lab(config):
        pass


def test_a_message_is_shown_at_once_and_not_when_the_display_asks_next(home) -> None:
    """The meter publishes it; asking would take up to five minutes, and the gas meter's takes a waking."""

    async def story():
        async with Lab(home) as lab:
            await lab.clock.sleep(60)
            ihd, esme = lab.devices[IHD], home.premises[0].devices[0].eui64
            [electricity, gas] = ihd.readings
            supplier = lab.users["supplier"]
            assert (await supplier.request("3.1", esme, {"SupplierMessage": "HELLO"})).ok
            await lab.clock.sleep(5)
            at_once = electricity.message(None), gas.message(None)
            frames = [
                one.target
                for one in lab.trace.find(layer="han", event="FrameSent", source=str(esme))
                if one.detail["cluster"] == Messaging.id and b"HELLO" in one.data
            ]
            assert (await supplier.request("3.1", GSME, {"SupplierMessage": "GAS"})).ok
            await lab.clock.sleep(5)
            return at_once, gas.message(None), frames

    at_once, gas, frames = run_virtual(story())
    assert at_once == ("HELLO", "")
    assert gas == "GAS"
    assert sorted(frames) == [str(IHD), str(CAD)]
