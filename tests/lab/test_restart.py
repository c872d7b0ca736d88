"""A laboratory on a store that outlives it goes on where it stopped; one with its own memory begins anew."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from sqlite3 import connect

import pytest
from crashing import credits_of

from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc.service_user import UTRN_COUNTER_STEP
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import RequestId, parse_response
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.ids import Eui64
from smetslab.lab.build import Lab, lab_keystore
from smetslab.lab.config import LabConfig, StoreConfig, load_lab
from smetslab.registry import DeviceStatus
from smetslab.store import Store
from smetslab.store.group import Batch


def lab_in(folder: Path, *, minutes: int = 0) -> LabConfig:
    config = load_lab()
    return config.model_copy(
        update={
            "store": StoreConfig(url=f"sqlite:///{folder / 'lab.sqlite'}"),
            "epoch": config.epoch + timedelta(minutes=minutes),
        }
    )


def prepaying(config: LabConfig) -> LabConfig:
    """The laboratory without radio, its meter in prepayment."""
    [home] = config.premises
    meter = home.devices[0].model_copy(update={"state": {"payment_mode": "prepayment"}})
    direct = config.han.model_copy(update={"kind": "direct"})
    return config.model_copy(
        update={"han": direct, "premises": (home.model_copy(update={"devices": (meter,)}),)}
    )


def top_up(lab: Lab, meter: Eui64) -> bytes:
    """A request of one pound for a meter."""
    supplier = lab.users["supplier"].party
    key = lab.keystore.private_key(supplier, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
    token = build_utrn(
        counter=UTRN_COUNTER_STEP,
        value_class=ValueClass.POUNDS,
        value=1,
        secret=key.exchange(lab.keystore.find(meter, KeyUsage.KEY_AGREEMENT).certificate.public_key),
        supplier=supplier,
        device=meter,
    )
    return lab.users["supplier"].document("2.2", meter, {"UTRN": token.digits}, CommandVariant.SEND)


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


def test_a_death_behind_any_commit_loses_no_response_and_does_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepaying(lab_in(tmp_path))
    esme, keystore = config.premises[0].devices[0].eui64, lab_keystore(config)
    moments: list[Path] = []
    write = Store._write

    def write_and_look(store: Store, batch: Batch) -> None:
        write(store, batch)
        if taken:
            moments.append(tmp_path / f"{len(moments):03}.sqlite")
            with connect(tmp_path / "lab.sqlite") as source, connect(moments[-1]) as target:
                source.backup(target)

    taken: list[bytes] = []

    async def first(clock: LoopClock) -> None:
        async with Lab(config, keystore=keystore) as lab:
            request = top_up(lab, esme)
            taken.append(await lab.dcc.receive(request))
            answer = await lab.dcc.final_response(
                RequestId(lab.users["supplier"].party, esme, UTRN_COUNTER_STEP)
            )
            taken.append(answer)
            taken.clear()
            moments.pop()  # then its user had it

    async def second(clock: LoopClock, moment: Path) -> None:
        later = lab_in(tmp_path, minutes=1).epoch
        store = StoreConfig(url=f"sqlite:///{moment}")
        restarted = config.model_copy(update={"epoch": later, "store": store})
        async with Lab(restarted, keystore=keystore) as lab:
            supplier = lab.users["supplier"]
            answer = await lab.dcc.final_response(RequestId(supplier.party, esme, UTRN_COUNTER_STEP))
            assert parse_response(answer).code == "I0", moment
            assert supplier.open_response(answer).ok, moment
            assert credits_of(lab, esme) == {1: 1}

    monkeypatch.setattr(Store, "_write", write_and_look)
    run_virtual(first)
    assert len(moments) > 5
    for moment in moments:
        run_virtual(lambda clock, moment=moment: second(clock, moment))


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
