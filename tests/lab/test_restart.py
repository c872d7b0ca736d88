"""A laboratory on a store that outlives it goes on where it stopped; one with its own memory begins anew."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from smetslab.clock import LoopClock, run_virtual
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import RequestId, parse_response
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, StoreConfig, load_lab
from smetslab.registry import DeviceStatus


def lab_in(folder: Path, *, minutes: int = 0) -> LabConfig:
    config = load_lab()
    return config.model_copy(
        update={
            "store": StoreConfig(url=f"sqlite:///{folder / 'lab.sqlite'}"),
            "epoch": config.epoch + timedelta(minutes=minutes),
        }
    )


def test_acknowledged_request_is_answered_by_the_laboratory_that_comes_after(tmp_path: Path) -> None:
    config = lab_in(tmp_path)
    esme, hub = config.premises[0].devices[0].eui64, config.premises[0].hub.eui64

    async def first(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            supplier = lab.users["supplier"]
            assert (await supplier.request("7.2", esme)).ok
            lab.inventory.set_status(hub, DeviceStatus.SUSPENDED)
            request = supplier.document("7.4", esme, None, CommandVariant.SEND, counter=2000)
            assert parse_response(await lab.dcc.receive(request)).code == "I99"

    async def second(clock: LoopClock) -> None:
        async with Lab(lab_in(tmp_path, minutes=1)) as lab:
            supplier = lab.users["supplier"]
            answer = await lab.dcc.final_response(RequestId(supplier.party, esme, 2000))
            assert supplier.open_response(answer).parameters == {"supply_state": "Disabled"}
            statuses = {device.device_id: device.status for device in lab.inventory.devices()}
            assert statuses == {esme: DeviceStatus.COMMISSIONED, hub: DeviceStatus.SUSPENDED}

    run_virtual(first)
    run_virtual(second)


def test_laboratory_with_a_memory_of_its_own_remembers_nothing(tmp_path: Path) -> None:
    config = lab_in(tmp_path)
    esme = config.premises[0].devices[0].eui64

    async def first(clock: LoopClock) -> None:
        for memory in ("", "one"):
            async with Lab(config, memory=memory) as lab:
                assert (await lab.users["supplier"].request("7.2", esme)).ok

    async def states(clock: LoopClock) -> list[object]:
        found = []
        for memory in ("", "one", "two"):
            async with Lab(config, memory=memory) as lab:
                answer = await lab.users["supplier"].request("7.4", esme, counter=2000)
                found.append(answer.parameters["supply_state"])
        return found

    run_virtual(first)
    assert run_virtual(states) == ["Disabled", "Enabled", "Enabled"]
