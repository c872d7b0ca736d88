"""What a device may be asked in which status, and which success changes its status.

Both tables are choices of this laboratory after the public summaries; nothing published settles them.

Spec: DUIS response code E5; DUIS schema 5.4, type DeviceStatus; SEC (device statuses).
"""

from __future__ import annotations

from typing import Final

from smetslab.registry import DeviceStatus

_INSTALLER: Final = frozenset({"2.2", "3.1", "6.11", "7.4", "8.1.1", "11.2"})
_FIRMWARE: Final = frozenset({"11.2"})
_NOTHING: Final[frozenset[str]] = frozenset()

ALLOWED: Final[dict[DeviceStatus, frozenset[str]]] = {
    DeviceStatus.PENDING: _NOTHING,
    DeviceStatus.WHITELISTED: _NOTHING,
    DeviceStatus.INSTALLED_NOT_COMMISSIONED: _INSTALLER,
    DeviceStatus.SUSPENDED: _FIRMWARE,
    DeviceStatus.RECOVERY: _FIRMWARE,
    DeviceStatus.DECOMMISSIONED: _NOTHING,
    DeviceStatus.WITHDRAWN: _NOTHING,
}
"""Device service requests by status; a status that is not here allows all. Reads (4.x) go wherever the
installer goes.
"""

STATUS_AFTER: Final = {"8.1.1": DeviceStatus.COMMISSIONED}
"""The status of the device when the request succeeded."""


def allows(status: DeviceStatus, variant: str) -> bool:
    """Whether a device in `status` may be sent this service request."""
    allowed = ALLOWED.get(status)
    if allowed is None or variant in allowed:
        return True
    return allowed is _INSTALLER and variant.startswith("4.")
