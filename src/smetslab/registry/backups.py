"""The last backups of device logs, with which a new hub takes the place of an old one. Durable.

Spec: GBCS use cases CS14 and GCS62 (backups as alerts), CCS03 and GCS59 (restoring).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from smetslab.errors import StoreError
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Json

_PREFIX: Final = "backup/"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLogBackup:
    """A device log as its alert showed it: the entries by their names in GBCS, and a hub's network."""

    devices: list[Value]
    network: str = ""


class DeviceLogBackups:
    """The last backup of each hub and gas proxy."""

    def __init__(self, nvm: Nvm) -> None:
        self._nvm = nvm

    def keep(self, owner: Eui64, backup: DeviceLogBackup) -> None:
        """Put a backup in the place of the one before."""
        with self._nvm.transaction() as transaction:
            members: Json = {"network": backup.network, "devices": cast("Json", backup.devices)}
            transaction.put_json(f"{_PREFIX}{owner}", members)

    def find(self, owner: Eui64) -> DeviceLogBackup | None:
        """The last backup, None when there was none. Raises StoreError when it cannot be read."""
        value = self._nvm.get_json(f"{_PREFIX}{owner}")
        if value is None:
            return None
        if not isinstance(value, dict) or not isinstance(value.get("devices"), list):
            raise StoreError(f"the backup of the device log of {owner} is damaged")
        return DeviceLogBackup(
            devices=cast("list[Value]", value["devices"]), network=str(value.get("network", ""))
        )
