"""Faults of the air: from a lab file, from the control interface and from Python, each traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from smetslab.clock import LoopClock, run_virtual
from smetslab.devices.faults import FAULTS, inject
from smetslab.errors import UsageError
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.lab.control import control_routes

METER, HUB = (Eui64.parse(f"00DB1234567890A{last}") for last in "02")


def in_lab(act: Any, config: Any = None) -> Any:
    async def main(_clock: LoopClock) -> Any:
        async with Lab(config or load_lab()) as lab:
            await lab.clock.sleep(30)
            return await act(lab)

    return run_virtual(main)


async def read(lab: Lab) -> bool:
    return (await lab.users["supplier"].request("4.1.1", METER)).ok


def impaired(lab: Lab) -> int:
    return len(lab.trace.find(event="FrameImpaired"))


@pytest.mark.parametrize("layer", ["air", "nwk", "aps"])
@pytest.mark.parametrize("kind", ["drop", "delay", "duplicate", "corrupt", "reorder"])
def test_a_read_survives_what_happens_to_every_third_frame(kind: str, layer: str) -> None:
    async def act(lab: Lab) -> tuple[bool, int]:
        await inject(lab.faulty(METER), "frames", kind=kind, layer=layer, percent=33, milliseconds=40)
        found = [await read(lab) for _ in range(3)]
        done = lab.trace.find(event="CommandExecuted", source=str(METER))
        # A read may be executed again when its acknowledgement is lost: it is not protected against replay.
        assert len({one.detail["counter"] for one in done}) == 3
        return all(found), impaired(lab)

    ok, hits = in_lab(act)
    assert ok
    assert hits > 3


def test_frames_that_are_all_dropped_make_the_device_silent_until_that_ends() -> None:
    async def act(lab: Lab) -> tuple[bool, bool]:
        await inject(lab.faulty(METER), "frames", percent=100, direction="to", peer="hub", seconds=3600)
        silent = await read(lab)
        await inject(lab.faulty(METER), "frames-end")
        return silent, await read(lab)

    assert in_lab(act) == (False, True)


def test_out_of_range_and_jammed_for_a_while() -> None:
    async def act(lab: Lab) -> list[bool]:
        found = []
        for fault in ("out-of-range", "jam"):
            await inject(lab.faulty(METER), fault, seconds=30)
            found.append(await read(lab))
            await lab.clock.sleep(600)
            found.append(await read(lab))
        return found

    found = in_lab(act)
    assert found[1::2] == [True, True]


def test_counters_and_keys_that_do_not_fit_are_refused_and_counted() -> None:
    async def act(lab: Lab) -> list[int]:
        home = lab.hans["home"]
        hub = home.node_of(HUB)
        assert await read(lab)
        await inject(lab.faulty(METER), "counter-rollback", layer="nwk", by=50)
        assert await read(lab)  # the retries bring it past the last one
        replayed = hub.network.counts.replayed
        await inject(lab.faulty(METER), "counter-rollback", layer="aps", by=5)
        assert await read(lab)
        await inject(lab.faulty(METER), "key-mismatch", key="link")
        assert not await read(lab)
        wrong = hub.aps.counts.wrong_key + home.node_of(METER).aps.counts.wrong_key
        return [replayed, hub.aps.counts.replayed, wrong]

    assert all(count > 0 for count in in_lab(act))


def test_a_device_with_another_network_key_is_let_back_by_the_hub() -> None:
    async def act(lab: Lab) -> bool:
        await inject(lab.faulty(METER), "key-mismatch")
        await lab.clock.sleep(3600)
        back = lab.trace.find(event="DeviceBack", source=str(METER))
        assert [one.detail["secured"] for one in back] == [False]
        return await read(lab)

    assert in_lab(act)


def test_the_hub_changes_key_and_channel() -> None:
    async def act(lab: Lab) -> tuple[bool, int]:
        await inject(lab.faulty(HUB), "network-key-change")
        await lab.clock.sleep(60)
        await inject(lab.faulty(HUB), "channel-change", channel=26)
        await lab.clock.sleep(60)
        assert len(lab.trace.find(event="NetworkKeySwitched")) == 2
        return await read(lab), lab.hans["home"].node_of(METER).mac.channel.number

    assert in_lab(act) == (True, 26)


def test_a_busy_tunnel_and_a_full_device_log() -> None:
    async def act(lab: Lab) -> None:
        await inject(lab.faulty(METER), "tunnel-busy", seconds=3600)
        await inject(lab.faulty(HUB), "device-log-full", free=0)
        assert lab.hubs[HUB].device_log.full
        answer = await lab.users["supplier"].request(
            "8.11",
            HUB,
            {
                "DeviceID": "00-DB-12-34-56-78-90-C0",
                "RequestType": "Add",
                "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 60, "InstallCode": "00" * 16},
            },
        )
        assert not lab.hubs[HUB].device_log.find(Eui64.parse("00DB1234567890C0")), answer
        await inject(lab.faulty(METER), "power-cut", seconds=1)
        await lab.clock.sleep(10)

    in_lab(act)


def test_a_fault_of_the_lab_file_and_one_from_outside(tmp_path: Path) -> None:
    text = load_lab().source_text.decode()
    text += '\n[[premises.faults]]\nat_s = 40\ndevice = "hub"\nfault = "inject-frame"\n'
    text += 'parameters = { octets = "41 88 01 FF FF FF FF 00 00 09", times = 3 }\n'
    path = tmp_path / "faulty.lab.toml"
    path.write_text(text)

    async def act(lab: Lab) -> None:
        await lab.clock.sleep(30)
        assert len(lab.trace.find(event="FrameInjected")) == 3
        stranger = str(lab.hans["home"].stranger)
        assert len(lab.trace.find(layer="air", event="FrameOnAir", source=stranger)) == 3
        app = Starlette(routes=list(control_routes(lab)))
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as http:
            body = {"fault": "frames", "parameters": {"kind": "delay", "peer": "nobody"}}
            wrong = await http.post("/lab/devices/esme/faults", json=body)
            assert "'nobody' is no device of home" in wrong.json()["error"]
            body = {"fault": "inject-frame", "parameters": {"octets": "XY"}}
            assert (await http.post("/lab/devices/hub/faults", json=body)).status_code == 400
            body = {"fault": "inject-frame", "parameters": {"octets": "0102030405"}}
            assert (await http.post("/lab/devices/hub/faults", json=body)).json()[
                "injected"
            ] == "inject-frame"
        assert await read(lab)

    in_lab(act, load_lab(path))


def test_without_air_there_are_no_faults_of_it(tmp_path: Path) -> None:
    path = tmp_path / "direct.lab.toml"
    path.write_text(load_lab().source_text.decode().replace('kind = "radio"', 'kind = "direct"'))

    async def act(lab: Lab) -> None:
        for fault in FAULTS.values():
            if fault.air:
                with pytest.raises(UsageError, match="cannot happen"):
                    await inject(lab.faulty(METER), fault.name)

    in_lab(act, load_lab(path))
