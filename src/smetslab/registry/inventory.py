"""The Smart Metering Inventory: every device, its status, its hub and its parties. Durable.

Spec: DUIS schema 5.4, types DeviceType and DeviceStatus (words); SEC (inventory).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from smetslab.errors import RegistryError
from smetslab.ids import Eui64
from smetslab.registry.device import InventoryDevice, PropertyFilter, device_from, device_json
from smetslab.registry.life_cycle import DeviceStatus, LifeEvent, after
from smetslab.store import Nvm

_PREFIX: Final = "device/"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """What an event did to a device."""

    device: InventoryDevice
    before: DeviceStatus

    @property
    def changed(self) -> bool:
        return self.device.status is not self.before


class Inventory:
    """All devices, kept in the store; what it hands out are frozen copies."""

    def __init__(self, nvm: Nvm) -> None:
        """Raises StoreError when the memory holds an inventory that cannot be read."""
        self._nvm = nvm
        self._devices: dict[Eui64, InventoryDevice] = {}
        self._behind: dict[Eui64, dict[Eui64, None]] = {}
        for key, _ in nvm.items(_PREFIX):
            self._index(device_from(key, nvm.get_json(key)))

    def find(self, device_id: Eui64) -> InventoryDevice | None:
        """The device with that EUI, None when it is not in the inventory."""
        return self._devices.get(device_id)

    def devices(self) -> tuple[InventoryDevice, ...]:
        """Every device, by EUI."""
        return tuple(self._devices[device_id] for device_id in sorted(self._devices))

    def premises(self, hub: Eui64) -> tuple[InventoryDevice, ...]:
        """The hub and every device behind it."""
        return tuple(self._devices[device_id] for device_id in sorted(self._behind.get(hub, ())))

    def around(self, device: InventoryDevice) -> tuple[InventoryDevice, ...]:
        """The device and everything behind the same hub; itself alone while it has none."""
        return (device,) if device.hub is None else self.premises(device.hub)

    def by_meter_point(self, number: str) -> tuple[InventoryDevice, ...]:
        """The devices with that meter point number."""
        return self._where(lambda device: number in device.meter_points)

    def by_uprn(self, uprn: int) -> tuple[InventoryDevice, ...]:
        """The devices at a property."""
        return self._where(lambda device: device.uprn == uprn)

    def by_property(self, wanted: PropertyFilter) -> tuple[InventoryDevice, ...]:
        """The devices at an address; upper and lower case and spaces do not count."""
        return self._where(
            lambda device: (
                device.property_filter is not None and _plain(device.property_filter) == _plain(wanted)
            )
        )

    def add(self, device: InventoryDevice) -> None:
        """A new device. Raises RegistryError when it is there already."""
        if device.device_id in self._devices:
            raise RegistryError(f"device {device.device_id} is in the inventory already", rule="unique")
        self._keep(device)

    def update(self, device: InventoryDevice) -> None:
        """Change a device. Raises RegistryError when it is not there."""
        self._known(device.device_id)
        self._keep(device)

    def remove(self, device_id: Eui64) -> InventoryDevice:
        """Forget a device. Raises RegistryError when it is not there."""
        device = self._known(device_id)
        with self._nvm.transaction() as transaction:
            transaction.delete(f"{_PREFIX}{device_id}")
        self._unindex(device)
        return device

    def set_status(self, device_id: Eui64, status: DeviceStatus) -> None:
        """Put a device into a status whatever it was. Raises RegistryError when it is not there."""
        self._keep(replace(self._known(device_id), status=status))

    def apply(self, device_id: Eui64, event: LifeEvent) -> StatusChange:
        """Let an event happen to a device. Raises RegistryError when it is not there or it cannot happen."""
        device = self._known(device_id)
        following = after(device.status, event)
        if following is None:
            raise RegistryError(
                f"device {device_id} is {device.status} and cannot be {event.value}", rule="status"
            )
        before = device.status
        if event is LifeEvent.RESTORED and device.status_before is not None:
            following = device.status_before
        kept = before if event is LifeEvent.SUSPENDED else None
        changed = replace(device, status=following, status_before=kept)
        if changed != device:
            self._keep(changed)
        return StatusChange(device=changed, before=before)

    def _known(self, device_id: Eui64) -> InventoryDevice:
        device = self._devices.get(device_id)
        if device is None:
            raise RegistryError(f"device {device_id} is not in the inventory", rule="known")
        return device

    def _where(self, wanted: Callable[[InventoryDevice], bool]) -> tuple[InventoryDevice, ...]:
        return tuple(device for device in self.devices() if wanted(device))

    def _keep(self, device: InventoryDevice) -> None:
        with self._nvm.transaction() as transaction:
            transaction.put_json(f"{_PREFIX}{device.device_id}", device_json(device))
        known = self._devices.get(device.device_id)
        if known is not None:
            self._unindex(known)
        self._index(device)

    def _index(self, device: InventoryDevice) -> None:
        self._devices[device.device_id] = device
        if device.hub is not None:
            self._behind.setdefault(device.hub, {})[device.device_id] = None

    def _unindex(self, device: InventoryDevice) -> None:
        del self._devices[device.device_id]
        if device.hub is not None:
            behind = self._behind[device.hub]
            del behind[device.device_id]
            if not behind:
                del self._behind[device.hub]


def _plain(one: PropertyFilter) -> tuple[str, str]:
    return (
        "".join(one.post_code.split()).upper(),
        "".join(one.address_identifier.split()).upper(),
    )
