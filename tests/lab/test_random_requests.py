"""Whatever a valid request asks, a home lives on: it is done or refused, and displays still show."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pytest
from fuzzing.bodies import random_body

from smetslab.clock import LoopClock, run_virtual
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


@pytest.mark.parametrize("seed", ["a", "b"])
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
