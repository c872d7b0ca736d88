"""The life of a device: the way through it, what cannot happen, and that nothing leads nowhere."""

from __future__ import annotations

import pytest

from smetslab.errors import RegistryError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus, Inventory, InventoryDevice, KnownParty, LifeEvent
from smetslab.registry.life_cycle import TRANSITIONS, after
from smetslab.store import Store

S, E = DeviceStatus, LifeEvent
METER = Eui64.parse("00DB1234567890A0")
SUPPLIER = Eui64.parse("90B3D51F30010000")


def test_a_meter_goes_its_way_from_pre_notification_to_the_end() -> None:
    way = [
        (E.WHITELISTED, S.WHITELISTED),
        (E.JOINED, S.INSTALLED_NOT_COMMISSIONED),
        (E.COMMISSIONED, S.COMMISSIONED),
        (E.SUSPENDED, S.SUSPENDED),
        (E.RECOVERY_BEGUN, S.RECOVERY),
        (E.RECOVERED, S.RECOVERED),
        (E.COMMISSIONED, S.COMMISSIONED),
        (E.DECOMMISSIONED, S.DECOMMISSIONED),
        (E.RETURNED_TO_PENDING, S.PENDING),
        (E.WHITELISTED, S.WHITELISTED),
        (E.UNLISTED, S.PENDING),
    ]
    with Store() as store:
        inventory = Inventory(store.nvm("inventory"))
        device = InventoryDevice(device_id=METER, device_type=DeviceType.ESME, status=S.PENDING)
        inventory.add(device)
        for event, expected in way:
            before = inventory.find(METER)
            assert before is not None
            change = inventory.apply(METER, event)
            assert (change.before, change.device.status) == (before.status, expected)
            assert Inventory(store.nvm("inventory")).find(METER) == change.device


@pytest.mark.parametrize("status", [S.INSTALLED_NOT_COMMISSIONED, S.COMMISSIONED, S.RECOVERED])
def test_a_restored_device_is_what_it_was(status: DeviceStatus) -> None:
    with Store() as store:
        inventory = Inventory(store.nvm("inventory"))
        inventory.add(InventoryDevice(device_id=METER, device_type=DeviceType.ESME, status=status))
        assert inventory.apply(METER, E.SUSPENDED).changed
        assert inventory.apply(METER, E.RESTORED).device.status is status


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (S.PENDING, E.COMMISSIONED),
        (S.WHITELISTED, E.COMMISSIONED),
        (S.DECOMMISSIONED, E.COMMISSIONED),
        (S.DECOMMISSIONED, E.JOINED),
        (S.WITHDRAWN, E.DECOMMISSIONED),
        (S.PENDING, E.SUSPENDED),
        (S.COMMISSIONED, E.RESTORED),
        (S.COMMISSIONED, E.RECOVERED),
    ],
)
def test_what_cannot_happen_changes_nothing(status: DeviceStatus, event: LifeEvent) -> None:
    with Store() as store:
        inventory = Inventory(store.nvm("inventory"))
        device = InventoryDevice(device_id=METER, device_type=DeviceType.ESME, status=status)
        inventory.add(device)
        with pytest.raises(RegistryError, match=f"is {status} and cannot be {event.value}"):
            inventory.apply(METER, event)
        assert inventory.find(METER) == device
        with pytest.raises(RegistryError, match="not in the inventory"):
            inventory.apply(SUPPLIER, event)


def test_every_status_is_reached_and_left() -> None:
    reached = {S.PENDING, *TRANSITIONS.values()}
    left = {status for (status, _), following in TRANSITIONS.items() if following is not status}
    assert reached == left == set(S)
    assert {event for _, event in TRANSITIONS} == set(E)
    assert after(S.PENDING, E.WHITELISTED) is S.WHITELISTED


def test_a_party_is_known_in_the_role_of_its_cell_alone() -> None:
    device = InventoryDevice(
        device_id=METER,
        device_type=DeviceType.ESME,
        known_parties=(KnownParty(party=SUPPLIER, role=RemotePartyRole.SUPPLIER),),
    )
    assert device.knows(SUPPLIER, (RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR))
    assert not device.knows(SUPPLIER, (RemotePartyRole.NETWORK_OPERATOR,))
    assert not device.knows(METER, (RemotePartyRole.SUPPLIER,))
