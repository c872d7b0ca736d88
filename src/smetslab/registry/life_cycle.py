"""Where a device is in its life, and what brings it from one place to the next: one table.

Statuses are the words of the DUIS schema. Which event leads where is a choice of this laboratory after the
public summaries, unverified against the SEC: pre-notification makes a device Pending, its entry on a hub's
device log Whitelisted, its appearance on the HAN InstalledNotCommissioned, the first successful
commissioning Commissioned.

Spec: DUIS schema 5.4, types DeviceStatus, UpdateDeviceStatusExceptCH, UpdateDeviceStatusCH; SEC (inventory).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class DeviceStatus(StrEnum):
    """Spec: DUIS schema 5.4, type DeviceStatus."""

    PENDING = "Pending"
    WHITELISTED = "Whitelisted"
    INSTALLED_NOT_COMMISSIONED = "InstalledNotCommissioned"
    COMMISSIONED = "Commissioned"
    DECOMMISSIONED = "Decommissioned"
    WITHDRAWN = "Withdrawn"
    SUSPENDED = "Suspended"
    RECOVERY = "Recovery"
    RECOVERED = "Recovered"


class LifeEvent(StrEnum):
    """What happens to a device."""

    WHITELISTED = "put on the device log of a hub"
    JOINED = "seen on the HAN"
    COMMISSIONED = "commissioned"
    UNLISTED = "taken off the device log of its hub"
    RETURNED_TO_PENDING = "set back to Pending by a user"
    INSTALLED = "set to InstalledNotCommissioned by a user"
    DECOMMISSIONED = "decommissioned"
    WITHDRAWN = "withdrawn"
    SUSPENDED = "suspended"
    RESTORED = "restored"
    RECOVERY_BEGUN = "recovery has begun"
    RECOVERED = "recovered"


_S, _E = DeviceStatus, LifeEvent

_ALIVE: Final = (_S.PENDING, _S.WHITELISTED, _S.INSTALLED_NOT_COMMISSIONED, _S.COMMISSIONED)
_ON_THE_HAN: Final = (_S.INSTALLED_NOT_COMMISSIONED, _S.COMMISSIONED)
_OUT_OF_ORDER: Final = (_S.SUSPENDED, _S.RECOVERY, _S.RECOVERED)


def _from(
    statuses: Iterable[DeviceStatus], event: LifeEvent, after: DeviceStatus
) -> dict[tuple[DeviceStatus, LifeEvent], DeviceStatus]:
    return {(status, event): after for status in statuses}


TRANSITIONS: Final[Mapping[tuple[DeviceStatus, LifeEvent], DeviceStatus]] = MappingProxyType(
    {
        **_from((_S.PENDING, _S.WHITELISTED), _E.WHITELISTED, _S.WHITELISTED),
        # Whoever is on the log already stays what it is: hubs may be told twice.
        **_from((_S.INSTALLED_NOT_COMMISSIONED,), _E.WHITELISTED, _S.INSTALLED_NOT_COMMISSIONED),
        **_from((_S.COMMISSIONED,), _E.WHITELISTED, _S.COMMISSIONED),
        **_from((_S.PENDING, _S.WHITELISTED), _E.JOINED, _S.INSTALLED_NOT_COMMISSIONED),
        **_from((_S.INSTALLED_NOT_COMMISSIONED,), _E.JOINED, _S.INSTALLED_NOT_COMMISSIONED),
        **_from((_S.COMMISSIONED,), _E.JOINED, _S.COMMISSIONED),
        **_from((*_ON_THE_HAN, _S.RECOVERED), _E.COMMISSIONED, _S.COMMISSIONED),
        **_from((_S.PENDING,), _E.UNLISTED, _S.PENDING),
        **_from((_S.WHITELISTED, _S.INSTALLED_NOT_COMMISSIONED), _E.UNLISTED, _S.PENDING),
        **_from((_S.COMMISSIONED, *_OUT_OF_ORDER), _E.UNLISTED, _S.DECOMMISSIONED),
        **_from((_S.DECOMMISSIONED,), _E.UNLISTED, _S.DECOMMISSIONED),
        **_from((_S.WITHDRAWN,), _E.UNLISTED, _S.WITHDRAWN),
        **_from(
            (_S.WHITELISTED, _S.INSTALLED_NOT_COMMISSIONED, _S.DECOMMISSIONED, _S.WITHDRAWN),
            _E.RETURNED_TO_PENDING,
            _S.PENDING,
        ),
        **_from((_S.PENDING, _S.WHITELISTED), _E.INSTALLED, _S.INSTALLED_NOT_COMMISSIONED),
        **_from((*_ALIVE, *_OUT_OF_ORDER), _E.DECOMMISSIONED, _S.DECOMMISSIONED),
        **_from((*_ALIVE, *_OUT_OF_ORDER, _S.DECOMMISSIONED), _E.WITHDRAWN, _S.WITHDRAWN),
        **_from((*_ON_THE_HAN, _S.RECOVERED), _E.SUSPENDED, _S.SUSPENDED),
        # What it was before is with the device; this is what it is when nobody knows.
        **_from((_S.SUSPENDED,), _E.RESTORED, _S.COMMISSIONED),
        **_from((*_ON_THE_HAN, _S.SUSPENDED, _S.RECOVERED), _E.RECOVERY_BEGUN, _S.RECOVERY),
        **_from((_S.RECOVERY,), _E.RECOVERED, _S.RECOVERED),
    }
)
"""Where each event leads from each status; what is not here cannot happen."""


def after(status: DeviceStatus, event: LifeEvent) -> DeviceStatus | None:
    """The status behind an event, None when it cannot happen to a device in `status`."""
    return TRANSITIONS.get((status, event))
