"""A gas proxy as it leaves the factory, in the care of the DCC, until service request 6.21 hands it over.

The broker stands in its cells of supplier and network operator, that for top-ups included. Spec: published
handover messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from smetslab.errors import UsageError
from smetslab.gbcs.codes import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.lab.config import DeviceConfig, LabConfig

_BROKER: Final = RemotePartyRole.ACCESS_CONTROL_BROKER
_TOP_UP: Final = (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)


def check(device: DeviceConfig, device_type: DeviceType) -> None:
    """Raises UsageError when a device that is not handed over is of a type that suppliers always have."""
    if not device.handed_over and device_type is not DeviceType.GPF:
        raise UsageError(
            f"device {device.name}: handed_over = false is for a gas proxy",
            hint="other devices leave the factory with their supplier's credentials",
        )


def uses(
    config: LabConfig, role: RemotePartyRole, of_role: tuple[tuple[KeyUsage, CellUsage], ...]
) -> tuple[tuple[KeyUsage, CellUsage], ...]:
    """The keys of a party of a role; the broker needs one for top-ups where it stands in for a supplier."""
    devices = (device for premises in config.premises for device in premises.devices)
    stands_in = role is _BROKER and not all(device.handed_over for device in devices)
    return (*of_role, _TOP_UP) if stands_in else of_role


def holders(
    device: DeviceConfig | None,
    parties: dict[RemotePartyRole, Eui64],
    replaced: Iterable[RemotePartyRole],
) -> dict[RemotePartyRole, Eui64]:
    """Who stands in the cells of a new device; `parties`: who would, were it handed over."""
    if device is None or device.handed_over or _BROKER not in parties:
        return parties
    return {**parties, **dict.fromkeys(replaced, parties[_BROKER])}
