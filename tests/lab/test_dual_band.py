"""A home whose gas meter and electricity meter are on sub-GHz, and the rest on 2.4 GHz."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.errors import UsageError
from smetslab.han.air.bands import Channel
from smetslab.han.air.medium import Interference, LinkQuality
from smetslab.han.stack.home import RadioHome
from smetslab.han.view import draw, view_of
from smetslab.ids import Eui64
from smetslab.lab.air import sub_ghz_channel
from smetslab.lab.build import Lab, lab_profile
from smetslab.lab.config import HOME_NAME, LabConfig, load_lab
from smetslab.trace import Observation
from smetslab.zigbee.zcl.clusters.metering import CHANNEL_CHANGE_PENDING

ESME, GSME, HUB, GPF = (Eui64.parse(f"00DB1234567890A{last}") for last in "0123")


def dual_band_config(folder: Path, **replaced: str) -> LabConfig:
    """The built-in home without displays; `replaced`: words of its text, and what stands in their place."""
    text = load_lab(default=HOME_NAME).source_text.decode()
    head, *devices = text.split("[[premises.devices]]")
    devices = [one for one in devices if not any(f'name = "{name}"' in one for name in ("ihd", "cad"))]
    for number, device in enumerate(devices):
        if 'name = "esme"' in device or 'name = "gsme"' in device:
            devices[number] = '\nband = "sub-GHz"' + device
    text = "[[premises.devices]]".join([head, *devices])
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "dual.lab.toml"
    path.write_text(text)
    return load_lab(path)


def test_a_dual_band_home_is_read_scanned_and_moved(tmp_path: Path) -> None:
    config = dual_band_config(tmp_path)

    async def scenario(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            home = lab.hans["home"]
            assert isinstance(home, RadioHome)
            pages: Counter[tuple[str, int]] = Counter()
            lab.trace.subscribe(
                lambda seen: (
                    pages.update([(seen.source, int(seen.detail["page"] or 0))])
                    if seen.layer == "air"
                    else None
                )
            )
            supplier = lab.users["supplier"]
            assert (await supplier.request("4.1.1", ESME)).ok
            assert (await supplier.request("4.18", GSME)).ok
            assert {page for (source, page) in pages if source in {str(ESME), str(GSME)}} == {28}
            assert {page for (source, page) in pages if source == str(HUB)} == {0, 28}
            shown = await supplier.request("6.31", HUB)
            assert shown.parameters["operating_sub_ghz_channel"] == {"page": 28, "channels": [0]}

            # The channel is disturbed; a scan finds a better one, and everybody goes there.
            home.medium.interfere(Interference(channel=Channel(0, 28), on_s=0.1, off_s=0.3))
            assert (await supplier.request("6.29", HUB)).ok
            assert lab.hubs[HUB].functional_flags(GSME) & CHANNEL_CHANGE_PENDING
            await lab.clock.sleep(60)
            assert not lab.hubs[HUB].functional_flags(GSME) & CHANNEL_CHANGE_PENDING
            lower = home.settings.sub_ghz
            assert lower is not None
            assert lower != Channel(0, 28)
            shown = await supplier.request("6.31", HUB)
            assert shown.parameters["operating_sub_ghz_channel"] == {
                "page": lower.page,
                "channels": [lower.number],
            }
            assert (await supplier.request("4.1.1", ESME)).ok
            assert (await supplier.request("4.18", GSME)).ok
            assert {home.node_of(one).mac.channel for one in (ESME, GSME)} == {lower}

            view = view_of(home)
            bands = {device.eui64: device.band for device in view.devices}
            assert bands[str(HUB)] == "2.4 GHz and sub-GHz"
            assert bands[str(ESME)] == bands[str(GSME)] == "sub-GHz"
            text = "\n".join(draw(view, {}))
            assert f"and channel {lower.number} of page {lower.page}" in text
            assert text.count("duty cycle 0.") == 3

    run_virtual(scenario)


def test_a_hub_out_of_air_time_holds_messages_back_and_tells_the_broker(tmp_path: Path) -> None:
    config = dual_band_config(tmp_path)

    async def scenario(clock: LoopClock) -> list[str]:
        async with Lab(config) as lab:
            await lab.clock.sleep(30)
            home = lab.hans["home"]
            assert isinstance(home, RadioHome)
            server = home.hub.sub_ghz_server
            assert server is not None
            server.ledger.spent(clock.time(), 0xFFFF, 3600 * 0.0249)
            alerts: list[str] = []

            def watch(seen: Observation) -> None:
                if seen.event == "AlertReceived":
                    alerts.append(str(seen.detail["code"]))

            lab.trace.subscribe(watch)
            answer = await lab.users["supplier"].request("4.1.1", ESME)
            assert not answer.ok
            await lab.clock.sleep(30)
            inspected = lab.hubs[HUB].inspect()["sub_ghz"]
            assert isinstance(inspected, dict)
            assert inspected["duty_cycle"] == "regulated"
            assert (await lab.users["supplier"].request("4.18", GPF)).ok  # the proxy is in the hub
            await lab.clock.sleep(timedelta(hours=1, minutes=15).total_seconds())
            assert (await lab.users["supplier"].request("4.1.1", ESME)).ok
            return alerts

    alerts = run_virtual(scenario)
    assert {"8F2C", "8F24", "8F25"} <= set(alerts)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "radio"', 'kind = "direct"', "there is no air"),
        ('band = "sub-GHz"', 'band = "868 MHz"', "band"),
        ('kind = "radio"', 'kind = "radio"\nsub_ghz_page = 29', "is no channel on page 29"),
    ],
)
def test_a_lab_file_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dual_band_config(tmp_path, **{old: new})


def test_a_hub_with_one_band_cannot_have_such_devices(tmp_path: Path) -> None:
    config = dual_band_config(tmp_path)
    home = config.premises[0]
    profile = lab_profile(config, home.hub)
    assert sub_ghz_channel(config.han, home, profile) == Channel(0, 28)
    with pytest.raises(UsageError, match="its hub has no sub-GHz radio"):
        sub_ghz_channel(config.han, home, profile.with_overrides(state={"dual_band": False}))
    without = home.model_copy(update={"devices": ()})
    assert sub_ghz_channel(config.han, without, profile) is None


def test_the_communications_store_says_how_devices_are_heard(tmp_path: Path) -> None:
    config = dual_band_config(tmp_path)

    async def scenario(_clock: LoopClock) -> None:
        async with Lab(config) as lab:
            home = lab.hans["home"]
            assert isinstance(home, RadioHome)
            home.medium.set_link(ESME, HUB, LinkQuality(rssi_dbm=-91.4, lqi=77))
            store = await lab.users["supplier"].request("8.9", HUB)
            rows = store.parameters["device_log"]
            assert isinstance(rows, list)
            heard = {row["entity_identifier"]: (row["min_rssi"], row["average_lqi"]) for row in rows}
            assert heard[str(ESME)] == (-91, 77)
            assert heard[str(GSME)] == (-60, 200)

    run_virtual(scenario)
