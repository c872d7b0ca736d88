"""Wireshark reads a home with two bands: a meter joins on sub-GHz, is read, told to be silent, and moved."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.han.air.bands import Channel
from smetslab.han.air.medium import Interference
from smetslab.han.capture import CaptureWriter
from smetslab.han.stack.home import RadioHome
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.zigbee.capture.keys import KEYS_SUFFIX

HUB, METER = (Eui64.parse(f"00DB1234567890A{last}") for last in "20")
UNOPENED = "_ws.malformed || zbee_sec.encrypted_payload || zbee_sec.extended_source_unknown"


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dual")
    before, after = load_lab().source_text.decode().split("[[premises.devices]]", 1)
    device = '[[premises.devices]]\nband = "sub-GHz"\ninstalled = false'
    (folder / "dual.lab.toml").write_text(before + device + after)
    path = folder / "dual.pcapng"

    async def story(clock: LoopClock) -> None:
        async with Lab(load_lab(folder / "dual.lab.toml")) as lab:
            with CaptureWriter(lab.trace, path, keys=lab.capture_keys, comment=lambda _seen: ""):
                user = lab.users["supplier"]
                elements: dict[str, Any] = {
                    "DeviceID": METER.dashed(),
                    "RequestType": "Add",
                    "AddDeviceToCHFWhitelist": {
                        "JoinTimePeriod": 600,
                        "InstallCode": lab.install_code(METER).hex().upper(),
                    },
                }
                assert (await user.request("8.11", HUB, elements)).ok
                await clock.sleep(120)
                assert (await user.request("4.1.1", METER)).ok
                home = lab.hans["home"]
                assert isinstance(home, RadioHome)
                server = home.hub.sub_ghz_server
                assert server is not None
                server.suspend(server.devices(), 1)
                await clock.sleep(70)
                home.medium.interfere(Interference(channel=Channel(0, 28), on_s=0.1, off_s=0.3))
                assert (await user.request("6.29", HUB)).ok
                await clock.sleep(60)
                assert (await user.request("4.1.1", METER)).ok

    run_virtual(story)
    return path


def test_wireshark_takes_the_interface_of_the_lower_band(captured: Path, tshark) -> None:
    keys = captured.with_name(captured.name + KEYS_SUFFIX)
    assert tshark(captured, "-Y", UNOPENED, keys=keys) == []
    packets = tshark(captured, keys=keys)
    interfaces = Counter(
        packet["frame"]["frame.interface_id_tree"]["frame.interface_name"] for packet in packets
    )
    assert set(interfaces) == {"2.4 GHz", "sub-GHz"}
    assert interfaces["sub-GHz"] > 100
    lower = [
        packet
        for packet in packets
        if packet["frame"]["frame.interface_id_tree"]["frame.interface_name"] == "sub-GHz"
    ]
    tlvs = [tlv for packet in lower for tlv in packet["wpan-tap"].values() if isinstance(tlv, dict)]
    channels = {
        (tlv["wpan-tap.ch_page"], tlv["wpan-tap.ch_num"]) for tlv in tlvs if "wpan-tap.ch_page" in tlv
    }
    assert ("28", "0") in channels  # where it began, and everywhere that the meter has looked
    assert {page for page, _ in channels} <= {"28", "29", "30", "31"}
    assert len(tshark(captured, "-Y", "zbee_zcl_se.sub_ghz.cmd.srv_tx.id == 0", keys=keys)) >= 2
    assert len(tshark(captured, "-Y", "zbee_zcl_se.sub_ghz.cmd.srv_rx.id == 0", keys=keys)) >= 1
