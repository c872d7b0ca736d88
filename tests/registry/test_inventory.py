"""The inventory keeps devices over a restart and refuses what contradicts itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.errors import RegistryError, StoreError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus, Inventory, InventoryDevice, KnownParty, Responsibility, UserRole
from smetslab.store import Store

HUB = InventoryDevice(
    device_id=Eui64.parse("00DB1234567890A2"), device_type=DeviceType.CHF, hub=Eui64.parse("00DB1234567890A2")
)
METER = InventoryDevice(
    device_id=Eui64.parse("00DB1234567890A0"),
    device_type=DeviceType.ESME,
    hub=HUB.device_id,
    status=DeviceStatus.INSTALLED_NOT_COMMISSIONED,
    gbcs_version="4.2",
    responsible=(
        Responsibility(role=UserRole.IMPORT_SUPPLIER, party=Eui64.parse("90B3D51F30010000")),
        Responsibility(role=UserRole.ELECTRICITY_DISTRIBUTOR, party=Eui64.parse("90B3D51F30020000")),
    ),
    known_parties=(KnownParty(party=Eui64.parse("90B3D51F30010000"), role=RemotePartyRole.SUPPLIER),),
)
ELSEWHERE = replace(HUB, device_id=Eui64(bytes(8)), hub=Eui64(bytes(8)))


def test_devices_are_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    with Store(url) as store:
        inventory = Inventory(store.nvm("inventory"))
        for device in (METER, HUB, ELSEWHERE):
            inventory.add(device)
        inventory.set_status(METER.device_id, DeviceStatus.COMMISSIONED)
        inventory.update(replace(HUB, gbcs_version="4.3"))
    with Store(url) as store:
        again = Inventory(store.nvm("inventory"))
        commissioned = replace(METER, status=DeviceStatus.COMMISSIONED)
        newer = replace(HUB, gbcs_version="4.3")
        assert again.devices() == (ELSEWHERE, commissioned, newer)
        assert again.premises(HUB.device_id) == (commissioned, newer)
        assert again.find(METER.device_id) == commissioned
        assert again.find(Eui64(b"\xff" * 8)) is None


def test_a_device_is_there_once_and_only_known_ones_change() -> None:
    with Store() as store:
        inventory = Inventory(store.nvm("inventory"))
        inventory.add(METER)
        with pytest.raises(RegistryError, match="is in the inventory already"):
            inventory.add(METER)
        with pytest.raises(RegistryError, match="is not in the inventory"):
            inventory.update(HUB)
        with pytest.raises(RegistryError, match="is not in the inventory"):
            inventory.set_status(HUB.device_id, DeviceStatus.PENDING)
        assert inventory.devices() == (METER,)


def test_a_hub_is_its_own_hub() -> None:
    with pytest.raises(RegistryError, match=r"the hub of 00DB1234567890A2 is itself"):
        replace(HUB, hub=METER.device_id)


def test_responsibility_is_of_a_party_in_a_role() -> None:
    supplier = Eui64.parse("90B3D51F30010000")
    assert METER.is_responsible(supplier, UserRole.IMPORT_SUPPLIER)
    assert not METER.is_responsible(supplier, UserRole.ELECTRICITY_DISTRIBUTOR)


@pytest.mark.parametrize(
    "damage",
    [
        b"[]",
        b"not json",
        b'{"schema_version": 2}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "responsible": 5, "known_parties": []}',
        b'{"schema_version": 1, "responsible": [], "known_parties": [], "device_id": "x"}',
    ],
)
def test_damaged_memory_is_one_clear_error(damage: bytes) -> None:
    with Store() as store:
        with store.nvm("inventory").transaction() as transaction:
            transaction.put("device/00DB1234567890A0", damage)
        with pytest.raises(StoreError, match="device/00DB1234567890A0"):
            Inventory(store.nvm("inventory"))
