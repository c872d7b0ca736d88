"""A process of its own joins a home of a running laboratory through ZEP, in real time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import run_real, run_virtual
from smetslab.errors import UsageError
from smetslab.han.view import view_of
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab

NODE = Path(__file__).parents[2] / "docs" / "examples" / "zep_node.py"
HUB, METER, GUEST = "00DB1234567890A2", Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890F0")
AIR = 'kind = "radio"\nchannel = 20\nzep = "127.0.0.1:0"\n'


def lab_of(folder: Path, *, han: str = AIR, real: bool = True, more: str = "outside = true"):
    """The built-in lab with a second meter that another process plays."""
    text = load_lab().source_text.decode()
    start, end = text.index("[han]"), text.index("[tolerances]")
    text = f"{text[:start]}[han]\n{han}\n{text[end:]}"
    device = (
        f'\n[[premises.devices]]\nname = "guest"\nprofile = "ppmid-reference"\neui64 = "{GUEST}"\n{more}\n'
    )
    path = folder / "outside.lab.toml"
    path.write_text(text + device)
    config = load_lab(path)
    time = config.time.model_copy(update={"mode": "real"})
    return config.model_copy(update={"time": time}) if real else config


async def play(lab: Lab, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the example node: its exit code, and what it said."""
    host, port = lab.outside["home"].address
    who = [
        "--air",
        f"{host}:{port}",
        "--eui64",
        str(GUEST),
        "--channel",
        "20",
        "--dwell",
        "1",
        "--scans",
        "8",
    ]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(NODE), *who, *options],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def happened(said: list[dict[str, Any]]) -> list[str]:
    """What became of the node, the networks that it has found left out."""
    return [one["event"] for one in said if one["event"] != "network"]


def test_a_device_of_another_process_joins_and_is_answered(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(lab_of(tmp_path)) as lab:
            code, said = await play(lab, "--install-code", "00" * 16)
            # Not listed yet: the hub's beacon says that nobody may join.
            assert code == 1
            assert said[0]["extended_pan"] == HUB
            assert said[0]["permit_joining"] is False
            assert said[-1] == {"event": "nobody lets us in"}

            install_code = lab.install_code(GUEST).hex().upper()
            listed = {"JoinTimePeriod": 600, "InstallCode": install_code}
            request = {"DeviceID": GUEST.dashed(), "RequestType": "Add", "AddDeviceToCHFWhitelist": listed}
            await lab.users["supplier"].request("8.11", Eui64.parse(HUB), request)
            code, said = await play(lab, "--install-code", install_code)
            assert happened(said) == ["associated", "network key", "hub answered"]
            assert code == 0
            assert said[-1]["eui64"] == HUB

            view = view_of(lab.hans["home"])
            guest = next(device for device in view.devices if device.eui64 == str(GUEST))
            assert (guest.role, guest.state) == ("another process", "in the network")
            assert guest.short_address == next(one for one in said if one["event"] == "associated")["address"]
            frames = [seen for seen in lab.trace.observations if seen.layer == "air"]
            assert {str(GUEST), HUB, str(METER)} <= {seen.source for seen in frames}
            assert any(seen.target == str(GUEST) and seen.source == HUB for seen in frames)
            events = [seen.event for seen in lab.trace.observations if seen.source == str(GUEST)]
            assert "DeviceAssociated" in events
            # The meter that lives here is as well as before.
            assert (await lab.users["supplier"].request("4.1.1", METER)).code == "I0"

    run_real(story())


def test_a_wrong_install_code_opens_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(lab_of(tmp_path)) as lab:
            listed = {"JoinTimePeriod": 600, "InstallCode": lab.install_code(GUEST).hex().upper()}
            request = {"DeviceID": GUEST.dashed(), "RequestType": "Add", "AddDeviceToCHFWhitelist": listed}
            await lab.users["supplier"].request("8.11", Eui64.parse(HUB), request)
            code, said = await play(lab, "--install-code", "11" * 16)
            assert code == 1
            assert happened(said) == ["a network key under another install code"]

    run_real(story())


def test_where_time_jumps_nobody_from_outside_can_follow(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(lab_of(tmp_path, real=False)):
            raise AssertionError

    with pytest.raises(UsageError, match="lives in real time"):
        run_virtual(story())


@pytest.mark.parametrize(
    ("han", "more", "match"),
    [
        ('kind = "radio"\nzep = "nowhere:x"', "", "is no address"),
        ('kind = "direct"\nzep = "127.0.0.1:1"', "", "zep does not go with kind 'direct'"),
        (
            AIR,
            'outside = true\n[[premises.faults]]\nat_s = 1\ndevice = "guest"\nfault = "power-cut"',
            "played by another",
        ),
    ],
)
def test_a_lab_file_that_contradicts_itself_is_refused(
    tmp_path: Path, han: str, more: str, match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        lab_of(tmp_path, han=han, more=more)


def test_a_device_of_another_process_needs_a_way_in(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(lab_of(tmp_path, han='kind = "radio"')):
            raise AssertionError

    with pytest.raises(UsageError, match="has no way in"):
        run_real(story())
