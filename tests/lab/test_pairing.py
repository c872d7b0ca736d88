"""A supplier pairs displays with meters and the gas proxy by service requests; the proxy's log comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc.rules import DCC_IDENTITY
from smetslab.dcc.service_user import ServiceUser
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import HOME_NAME, LabConfig, load_lab

ESME, GPF = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A3")
PPMID, IHD = Eui64.parse("00DB1234567890A4"), Eui64.parse("00DB1234567890A8")


@pytest.fixture
def home(tmp_path: Path) -> LabConfig:
    """Everything that there is, on direct links."""
    text = load_lab(default=HOME_NAME).source_text.decode()
    path = tmp_path / "home.toml"
    path.write_text(
        text.replace('mode = "real"', 'mode = "virtual"').replace('kind = "radio"', 'kind = "direct"')
    )
    return load_lab(path)


def log_of(parameters: Parameters) -> dict[str, str]:
    entries = parameters["device_log_entries"]
    assert isinstance(entries, list)
    return {str(one["device_id"]): str(one["device_type"]) for one in entries if isinstance(one, dict)}


def test_a_display_is_parted_and_paired_and_a_log_restored(home: LabConfig) -> None:
    async def story(clock: LoopClock) -> None:
        async with Lab(home) as lab:
            supplier = lab.users["supplier"]
            broker = ServiceUser(DCC_IDENTITY, keystore=lab.keystore, dcc=lab.dcc)

            async def ask(variant: str, target: Eui64, other: Eui64 | None = None) -> Parameters:
                elements = None if other is None else {"OtherDeviceID": other.dashed()}
                answer = await supplier.request(variant, target, elements)
                assert answer.ok, (variant, answer.code)
                return answer.parameters

            for target in (ESME, GPF):
                assert await ask("8.8.2", target, IHD) == {"unjoin_response_code": "success"}
                assert str(IHD) not in log_of(await ask("8.9", target))
                assert await ask("8.7.2", target, IHD) == {"join_response_code": "success"}
                assert log_of(await ask("8.9", target))[str(IHD)] == "type-2"
            for target, other in ((PPMID, GPF), (GPF, PPMID)):
                assert await ask("8.7.2", target, other) == {"join_response_code": "success"}
            assert log_of(await ask("8.9", PPMID)) == {str(GPF): "gpf"}
            # The proxy backs its log up with every change; 8.12.2 gives it back what it told last.
            kept = log_of(await ask("8.9", GPF))
            restored = await broker.request("8.12.2", GPF, {"OldGPFID": GPF.dashed()})
            outcomes = restored.parameters["restore_outcomes"]
            assert isinstance(outcomes, list)
            told = [one["device_log_entry"] for one in outcomes if isinstance(one, dict)]
            assert log_of({"device_log_entries": told}) == kept

    run_virtual(story)
