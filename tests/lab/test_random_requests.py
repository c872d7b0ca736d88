"""Whatever a valid request asks, a home lives on: it is done or refused, and displays still show.

`make soak` asks everything with thirty seeds.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from fuzzing.bodies import random_body

from smetslab.clock import LoopClock, run_virtual
from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import SERVICE_REQUESTS
from smetslab.errors import DuisError
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, LabConfig, load_lab
from smetslab.pki import TEST_DEVICES, Authority
from smetslab.rng import RootSeed

METERS = {
    DeviceType.ESME: Eui64.parse("00DB1234567890A0"),
    DeviceType.GSME: Eui64.parse("00DB1234567890A1"),
}
DEVICES = {
    **METERS,
    DeviceType.CHF: Eui64.parse("00DB1234567890A2"),
    DeviceType.GPF: Eui64.parse("00DB1234567890A3"),
    DeviceType.PPMID: Eui64.parse("00DB1234567890A4"),
    DeviceType.HCALCS: Eui64.parse("00DB1234567890A5"),
}
CREDENTIALS = ("6.15.1", "6.17", "6.21", "6.23", "6.24.1", "6.24.2", "8.5")
PAIRING = ("8.7.1", "8.7.2", "8.8.1", "8.8.2", "8.9", "8.11", "8.12.1", "8.12.2")
SETTING = ("1.2.1", "1.5", "1.6", "2.1", "2.3", "6.4.1", "6.7", "6.8")
BODIES = 4


@cache
def certificates() -> tuple[bytes, ...]:
    return tuple(one.der for one in Authority(RootSeed(5)).keystore(TEST_DEVICES).certificates())


@pytest.fixture
def home(tmp_path: Path) -> LabConfig:
    text = load_lab(default=HOME_NAME).source_text.decode()
    path = tmp_path / "home.toml"
    path.write_text(text.replace('mode = "real"', 'mode = "virtual"').replace('"radio"', '"direct"'))
    return load_lab(path)


@pytest.mark.parametrize("seed", ["a", pytest.param("b", marks=pytest.mark.soak)])
def test_no_valid_request_ends_a_home(home: LabConfig, seed: str) -> None:
    done: dict[str, int] = {}

    async def main(clock: LoopClock) -> None:
        async with Lab(home) as lab:
            supplier = lab.users["supplier"]
            for variant in SETTING:
                row = SERVICE_REQUESTS[variant]
                for device_type, device in METERS.items():
                    for number in range(BODIES if row.mapping_for(device_type) else 0):
                        rng = random.Random(f"{seed}{variant}{number}")
                        elements = random_body(row, rng, certificates())
                        elements.pop("ExecutionDateTime", None)
                        try:
                            answer = await supplier.request(variant, device, elements)
                        except DuisError:
                            # Refused where the pre-command is compared with what was asked.
                            continue
                        assert answer.code in {"I0", "E65"}
                        done[answer.code] = done.get(answer.code, 0) + 1
            # The displays of the home have read it all since.
            await lab.clock.sleep(600)
            for device in METERS.values():
                assert (await supplier.request("4.3", device)).ok

    run_virtual(main)
    assert done["I0"] >= 20


@pytest.fixture
def bare_home(tmp_path: Path, home: LabConfig) -> LabConfig:
    """The home without displays; its gas meter wakes often, and nobody waits for long."""
    text = home.source_text.decode().split('[[premises.devices]]\nname = "ihd"')[0]
    rules = "[dcc]\nresponse_timeout_s = 30.0\nsleeper_timeout_s = 60.0\n"
    for old, new in (("wake_interval_s = 20", "wake_interval_s = 5"), ("[wan]", f"{rules}\n[wan]")):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "bare.toml"
    path.write_text(text)
    return load_lab(path)


async def ask_everything(lab: Lab, variants: tuple[str, ...], seed: str) -> Counter[str]:
    """Each variant of each device that it is for, by somebody; what came of it, "" for no request at all."""
    users, done = list(lab.users.values()), Counter[str]()
    for variant in variants:
        row = SERVICE_REQUESTS[variant]
        for device_type, device in DEVICES.items():
            if row.non_device or not row.mapping_for(device_type):
                continue
            rng = random.Random(f"{seed}{variant}{device_type}")
            elements = random_body(row, rng, certificates())
            if row.future_dating is not FutureDating.DEVICE:
                # What the DCC dates would be waited for.
                elements.pop("ExecutionDateTime", None)
            user = lab.users["supplier"] if rng.random() < 0.8 else rng.choice(users)
            try:
                done[(await user.request(variant, device, elements)).code] += 1
            except DuisError:
                done[""] += 1
    return done


@pytest.mark.parametrize(
    ("variants", "seed"),
    [
        (CREDENTIALS + PAIRING, 0),
        *[pytest.param(tuple(SERVICE_REQUESTS), seed, marks=pytest.mark.soak) for seed in range(30)],
    ],
)
def test_no_request_to_any_device_ends_a_home(
    bare_home: LabConfig, variants: tuple[str, ...], seed: int
) -> None:
    async def main(clock: LoopClock) -> None:
        async with Lab(bare_home) as lab:
            done = await ask_everything(lab, variants, str(seed))
            assert done["I0"] >= 10
            # Silence is for what the broker may not do to this device, or a meter of another kind.
            assert done["E21"] <= 5
            await lab.clock.sleep(600)
            for device in METERS.values():
                assert (await lab.users["supplier"].request("4.3", device)).ok

    run_virtual(main)
