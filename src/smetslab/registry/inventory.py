"""The Smart Metering Inventory: every device, its status, its hub and its parties. Durable.

Spec: DUIS schema 5.4, types DeviceType and DeviceStatus (words); SEC (inventory). The rules of its life
cycle are those of `smetslab.dcc`; here every change is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from smetslab.duis.codes import UserRole
from smetslab.errors import RegistryError, StoreError
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Json

SCHEMA_VERSION: Final = 1
_PREFIX: Final = "device/"


class DeviceStatus(StrEnum):
    """Where a device is in its life. Spec: DUIS schema 5.4, type DeviceStatus."""

    PENDING = "Pending"
    WHITELISTED = "Whitelisted"
    INSTALLED_NOT_COMMISSIONED = "InstalledNotCommissioned"
    COMMISSIONED = "Commissioned"
    DECOMMISSIONED = "Decommissioned"
    WITHDRAWN = "Withdrawn"
    SUSPENDED = "Suspended"
    RECOVERY = "Recovery"
    RECOVERED = "Recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Responsibility:
    """A party that is responsible for a device in a role."""

    role: UserRole
    party: Eui64


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryDevice:
    """One device. `hub` is its Communications Hub Function, which is its own.

    `known_parties` are the remote parties whose credentials stand in its trust anchor cells: a command of any
    other party reaches it through the access control broker.
    """

    device_id: Eui64
    device_type: DeviceType
    hub: Eui64
    status: DeviceStatus = DeviceStatus.COMMISSIONED
    gbcs_version: str = "4.1"
    responsible: tuple[Responsibility, ...] = ()
    known_parties: tuple[Eui64, ...] = ()

    def __post_init__(self) -> None:
        if self.device_type is DeviceType.CHF and self.hub != self.device_id:
            raise RegistryError(f"the hub of {self.device_id} is itself, not {self.hub}", rule="hub")

    def is_responsible(self, party: Eui64, role: UserRole) -> bool:
        return Responsibility(role=role, party=party) in self.responsible


class Inventory:
    """All devices, kept in the store; what it hands out are frozen copies."""

    def __init__(self, nvm: Nvm) -> None:
        """Raises StoreError when the memory holds an inventory that cannot be read."""
        self._nvm = nvm
        self._devices: dict[Eui64, InventoryDevice] = {}
        for key, _ in nvm.items(_PREFIX):
            device = _from_json(key, nvm.get_json(key))
            self._devices[device.device_id] = device

    def find(self, device_id: Eui64) -> InventoryDevice | None:
        """The device with that EUI, None when it is not in the inventory."""
        return self._devices.get(device_id)

    def devices(self) -> tuple[InventoryDevice, ...]:
        """Every device, by EUI."""
        return tuple(self._devices[device_id] for device_id in sorted(self._devices))

    def premises(self, hub: Eui64) -> tuple[InventoryDevice, ...]:
        """The hub and every device behind it."""
        return tuple(device for device in self.devices() if device.hub == hub)

    def add(self, device: InventoryDevice) -> None:
        """A new device. Raises RegistryError when it is there already."""
        if device.device_id in self._devices:
            raise RegistryError(f"device {device.device_id} is in the inventory already", rule="unique")
        self._keep(device)

    def update(self, device: InventoryDevice) -> None:
        """Change a device. Raises RegistryError when it is not there."""
        if device.device_id not in self._devices:
            raise RegistryError(f"device {device.device_id} is not in the inventory", rule="known")
        self._keep(device)

    def set_status(self, device_id: Eui64, status: DeviceStatus) -> None:
        """Raises RegistryError when the device is not there."""
        device = self._devices.get(device_id)
        if device is None:
            raise RegistryError(f"device {device_id} is not in the inventory", rule="known")
        self._keep(replace(device, status=status))

    def _keep(self, device: InventoryDevice) -> None:
        with self._nvm.transaction() as transaction:
            transaction.put_json(f"{_PREFIX}{device.device_id}", _to_json(device))
        self._devices[device.device_id] = device


def _to_json(device: InventoryDevice) -> Json:
    return {
        "schema_version": SCHEMA_VERSION,
        "device_id": str(device.device_id),
        "device_type": device.device_type.name,
        "hub": str(device.hub),
        "status": device.status.value,
        "gbcs_version": device.gbcs_version,
        "responsible": [[item.role.value, str(item.party)] for item in device.responsible],
        "known_parties": [str(party) for party in device.known_parties],
    }


def _from_json(key: str, value: Json) -> InventoryDevice:
    try:
        if not isinstance(value, dict) or value["schema_version"] != SCHEMA_VERSION:
            raise StoreError(f"inventory entry {key} is not of version {SCHEMA_VERSION}")
        responsible, known = value["responsible"], value["known_parties"]
        if not isinstance(responsible, list) or not isinstance(known, list):
            raise StoreError(f"inventory entry {key} is damaged")
        pairs = [(str(item[0]), str(item[1])) for item in responsible if isinstance(item, list)]
        return InventoryDevice(
            device_id=Eui64.parse(str(value["device_id"])),
            device_type=DeviceType[str(value["device_type"])],
            hub=Eui64.parse(str(value["hub"])),
            status=DeviceStatus(str(value["status"])),
            gbcs_version=str(value["gbcs_version"]),
            responsible=tuple(
                Responsibility(role=UserRole(role), party=Eui64.parse(party)) for role, party in pairs
            ),
            known_parties=tuple(Eui64.parse(str(party)) for party in known),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise StoreError(f"inventory entry {key} is damaged: {error}") from error
