"""Bindings, and the other tables that a device shows to who asks."""

from __future__ import annotations

import pytest

from smetslab.errors import HanError
from smetslab.han.stack.asking import ask
from smetslab.han.stack.binding import MAX_BINDINGS, Binding, BindingTable
from smetslab.ids import Eui64
from smetslab.store import Store
from smetslab.zigbee import zdo
from smetslab.zigbee.zdo import ZdoStatus

METERING, ENDPOINT = 0x0702, 7
PEER = Eui64(bytes(7) + b"\x09")


def test_a_table_keeps_each_binding_once_and_has_an_end() -> None:
    table = BindingTable()
    first = Binding(1, METERING, PEER, 2)
    assert table.bind(first) is table.bind(first) is ZdoStatus.SUCCESS
    assert table.entries() == [first]
    for number in range(MAX_BINDINGS - 1):
        assert table.bind(Binding(2, number, PEER, 2)) is ZdoStatus.SUCCESS
    assert table.bind(Binding(3, 0, PEER, 2)) is ZdoStatus.TABLE_FULL
    assert table.bind(first) is ZdoStatus.SUCCESS
    assert table.unbind(first) is ZdoStatus.SUCCESS
    assert table.unbind(first) is ZdoStatus.NO_ENTRY
    other = BindingTable()
    other.read(table.to_json())
    assert other.entries() == table.entries()
    table.forget(PEER)
    assert table.entries() == []


def test_what_memory_holds_and_is_no_binding_is_passed_over() -> None:
    table = BindingTable()
    table.read([[1, 2, str(PEER), 3], [1, 2], "x", [1, 2, 3, 4]])
    assert table.entries() == [Binding(1, 2, PEER, 3)]


def test_a_display_binds_to_a_meter_over_the_air_and_the_meter_remembers(run_home) -> None:
    async def story(home):
        with Store() as store:
            await home.device(1)
            meter = await home.device(2, nvm=store.nvm("meter"))
            display = await home.device(3)
            await display.link.bind(meter.link.eui64, ENDPOINT, METERING, ENDPOINT)
            bound = meter.link.bound(ENDPOINT, METERING)
            with pytest.raises(HanError, match="invalid_endpoint"):
                await display.link.bind(meter.link.eui64, 99, METERING, ENDPOINT)
            meter.link.node.profile.bindings.clear()
            assert meter.link.node.recall()
            assert meter.link.bound(ENDPOINT, METERING) == bound
            shown = await ask(
                display.link.node,
                zdo.BINDING_TABLE_REQUEST,
                meter.link.node.mac.short_address,
                start_index=0,
            )
            await display.link.bind(meter.link.eui64, ENDPOINT, METERING, ENDPOINT, on=False)
            with pytest.raises(HanError, match="no_entry"):
                await display.link.bind(meter.link.eui64, ENDPOINT, METERING, ENDPOINT, on=False)
            return bound, shown["found"]["bindings"], meter.link.bound(ENDPOINT, METERING), display.link.eui64

    bound, shown, after, display = run_home(story)
    assert bound == [Binding(ENDPOINT, METERING, display, ENDPOINT)]
    assert after == []
    assert [(one["cluster"], one["destination"]["address"]) for one in shown] == [(METERING, display)]


def test_the_neighbours_of_a_hub_are_shown_page_by_page(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        gas = await home.device(2, sleepy=True)
        routers = [await home.device(number) for number in (3, 4, 5)]
        for one in (gas, *routers):
            await one.send(hub, b"here")
        found = []
        while True:
            answer = await ask(routers[0].link.node, zdo.NEIGHBOUR_TABLE_REQUEST, 0, start_index=len(found))
            found += answer["found"]["neighbours"]
            if len(found) >= answer["found"]["entries"]:
                return [(one["ieee_address"].raw[-1], one["kind"] & 3, one["kind"] >> 2 & 1) for one in found]

    found = run_home(story)
    assert sorted(found) == [(2, 2, 0), (3, 1, 1), (4, 1, 1), (5, 1, 1)]


@pytest.mark.parametrize(
    ("row", "values", "status"),
    [
        (zdo.PERMIT_JOINING_REQUEST, {"duration_s": 60, "trust_centre_significance": 1}, "NOT_PERMITTED"),
        (zdo.PARENT_ANNOUNCE, {"children": ()}, "NOT_SUPPORTED"),
    ],
)
def test_what_is_not_served_is_refused(run_home, row, values, status: str) -> None:
    async def story(home):
        await home.device(1)
        meter = await home.device(2)
        return (await ask(meter.link.node, row, 0, **values)).integer("status")

    assert ZdoStatus(run_home(story)).name == status
