"""A meter is installed in a running home: announced, listed by 8.11, joined with its install code,
commissioned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smetslab.clock import run_virtual
from smetslab.errors import UsageError
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab
from smetslab.registry import DeviceStatus

HUB, METER = (Eui64.parse(f"00DB1234567890A{last}") for last in "20")
RADIO = '[han]\nkind = "radio"\n\n'


def lab_file(tmp_path: Path, han: str = RADIO) -> LabConfig:
    """The built-in home, its meter still in the installer's hands."""
    text = load_lab().source_text.decode()
    start, end = text.index("[han]"), text.index("[tolerances]")
    text = text[:start] + han + text[end:]
    before, after = text.split("[[premises.devices]]", 1)
    line = next(one for one in after.splitlines() if one.startswith("profile"))
    path = tmp_path / "new.lab.toml"
    path.write_text(before + "[[premises.devices]]" + after.replace(line, f"{line}\ninstalled = false", 1))
    return load_lab(path)


async def change_log(lab: Lab, request: str, **listed: Any) -> None:
    elements: dict[str, Any] = {"DeviceID": METER.dashed(), "RequestType": request}
    if listed:
        elements["AddDeviceToCHFWhitelist"] = listed
    answer = await lab.users["supplier"].request("8.11", HUB, elements)
    assert answer.ok, answer


def status(lab: Lab) -> DeviceStatus:
    device = lab.dcc.inventory.find(METER)
    assert device is not None
    return device.status


def joins(lab: Lab) -> list[str]:
    return [one.detail["outcome"] for one in lab.trace.find(layer="device", event="JoinAttempt")]


def test_a_meter_joins_by_its_install_code_and_leaves_when_it_is_removed(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(lab_file(tmp_path)) as lab:
            user = lab.users["supplier"]
            assert status(lab) is DeviceStatus.PENDING
            await lab.clock.sleep(120)
            assert joins(lab) == []
            code = lab.install_code(METER).hex().upper()
            await change_log(lab, "Add", JoinTimePeriod=600, InstallCode=code)
            assert status(lab) is DeviceStatus.WHITELISTED
            await lab.clock.sleep(120)
            assert joins(lab) == ["joined"]
            assert status(lab) is DeviceStatus.INSTALLED_NOT_COMMISSIONED
            now = f"{lab.clock.now():%Y-%m-%dT%H:%M:%SZ}"
            clock = {"CurrentDateTime": now, "TolerancePeriod": 10}
            assert (await user.request("8.1.1", METER, clock)).ok
            assert status(lab) is DeviceStatus.COMMISSIONED
            assert (await user.request("4.1.1", METER)).ok
            await change_log(lab, "Remove")
            await lab.clock.sleep(60)
            assert lab.trace.find(event="DeviceLeft")
            assert not (await user.request("4.1.1", METER)).ok

    run_virtual(story())


@pytest.mark.parametrize("wrong", ["code", "late"])
def test_a_meter_stays_outside(tmp_path: Path, wrong: str) -> None:
    """With the code of another device, and after the window has closed."""

    async def story() -> None:
        async with Lab(lab_file(tmp_path)) as lab:
            code = lab.install_code(HUB if wrong == "code" else METER).hex().upper()
            home = lab.hans["home"]
            home.set_reachable(METER, wrong != "late")
            await change_log(lab, "Add", JoinTimePeriod=60, InstallCode=code)
            await lab.clock.sleep(120)
            home.set_reachable(METER, True)
            await lab.clock.sleep(600)
            assert status(lab) is DeviceStatus.WHITELISTED

    run_virtual(story())


def test_without_air_nothing_can_join(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(lab_file(tmp_path, han='[han]\nkind = "direct"\n')):
            pass

    with pytest.raises(UsageError, match="cannot join: there is no air"):
        run_virtual(story())
