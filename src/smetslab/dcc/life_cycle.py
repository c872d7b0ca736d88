"""What a device may be asked in which status.

The table is a choice of this laboratory after the public summaries; nothing published settles it. What
changes a status is in `smetslab.registry.life_cycle`.

Spec: DUIS response code E5; DUIS schema 5.4, type DeviceStatus; SEC (device statuses).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from smetslab.registry import DeviceStatus

_NOTHING: Final[tuple[str, ...]] = ()
_DEVICE_LOG: Final = ("8.9", "8.11", "8.12")
_CREDENTIALS: Final = ("6.15", "6.17", "6.21", "6.23", "6.24")
_FIRMWARE: Final = ("11.2", "11.3")
_INSTALLER: Final = (
    "2.2", "3.1", "4", "6.2", "6.4", "6.11", "6.13", "6.14", "6.20", "6.22", "6.28", "6.29", "6.30", "6.31",
    "6.32", "7.4", "8.1", "8.7", "8.8", "14.1",
)  # fmt: skip

ALLOWED: Final[Mapping[DeviceStatus, tuple[str, ...] | None]] = MappingProxyType(
    {
        # A hub is told about its first devices before anybody commissions it.
        DeviceStatus.PENDING: _DEVICE_LOG,
        DeviceStatus.WHITELISTED: _DEVICE_LOG,
        DeviceStatus.INSTALLED_NOT_COMMISSIONED: (*_DEVICE_LOG, *_CREDENTIALS, *_FIRMWARE, *_INSTALLER),
        DeviceStatus.COMMISSIONED: None,
        DeviceStatus.SUSPENDED: (*_CREDENTIALS, *_FIRMWARE),
        DeviceStatus.RECOVERY: (*_CREDENTIALS, *_FIRMWARE),
        DeviceStatus.RECOVERED: (*_CREDENTIALS, *_FIRMWARE, "4", "8.1"),
        DeviceStatus.DECOMMISSIONED: _NOTHING,
        DeviceStatus.WITHDRAWN: _NOTHING,
    }
)
"""Service requests to a device by its status: whole numbers or their first parts; None allows all."""


def allows(status: DeviceStatus, variant: str) -> bool:
    """Whether a device in `status` may be sent this service request."""
    allowed = ALLOWED[status]
    return allowed is None or any(variant == one or variant.startswith(f"{one}.") for one in allowed)
