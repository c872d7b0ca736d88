"""The parties and devices of the published test data, by name, so that messages can say who they are from.

An identity that is not here is nobody known: certificates of a key store say its role.

Spec: Reference Test Data Set 4.5.0 (entity identifiers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64

ROLE_WORDS: Mapping[RemotePartyRole, str] = MappingProxyType(
    {
        RemotePartyRole.ROOT: "root authority",
        RemotePartyRole.RECOVERY: "recovery party",
        RemotePartyRole.SUPPLIER: "supplier",
        RemotePartyRole.NETWORK_OPERATOR: "network operator",
        RemotePartyRole.ACCESS_CONTROL_BROKER: "Access Control Broker",
        RemotePartyRole.TRANSITIONAL_COS: "transitional Change of Supplier party",
        RemotePartyRole.WAN_PROVIDER: "WAN provider",
        RemotePartyRole.ISSUING_AUTHORITY: "issuing authority",
        RemotePartyRole.LOAD_CONTROLLER: "load controller",
        RemotePartyRole.OTHER: "party of another role",
    }
)
"""What people call the holder of a role."""

DEVICE_WORDS: Mapping[DeviceType, str] = MappingProxyType(
    {
        DeviceType.GSME: "GSME",
        DeviceType.ESME: "ESME",
        DeviceType.CHF: "CHF",
        DeviceType.GPF: "GPF",
        DeviceType.HCALCS: "HCALCS",
        DeviceType.PPMID: "PPMID",
        DeviceType.TYPE_2: "Type 2 device",
    }
)
"""What people call a device of a type."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who sends or receives messages: a remote party with a role, or a device with a type."""

    name: str
    role: RemotePartyRole | None = None
    device_type: DeviceType | None = None


def _parties() -> Mapping[Eui64, Identity]:
    roles = (
        (0x0001, "test recovery party", RemotePartyRole.RECOVERY),
        (0x0002, "test Access Control Broker", RemotePartyRole.ACCESS_CONTROL_BROKER),
        (0x0004, "test transitional Change of Supplier party", RemotePartyRole.TRANSITIONAL_COS),
        (0x0007, "test WAN provider", RemotePartyRole.WAN_PROVIDER),
        (0x1_0000, "test supplier", RemotePartyRole.SUPPLIER),
        (0x1_0008, "test load controller", RemotePartyRole.LOAD_CONTROLLER),
        (0x2_0000, "test network operator", RemotePartyRole.NETWORK_OPERATOR),
        (0x3_0000, "second test supplier", RemotePartyRole.SUPPLIER),
    )
    devices = (
        (0xA0, "test ESME", DeviceType.ESME),
        (0xA1, "test GSME", DeviceType.GSME),
        (0xA2, "test CHF", DeviceType.CHF),
        (0xA3, "test GPF", DeviceType.GPF),
        (0xA4, "test PPMID", DeviceType.PPMID),
        (0xA5, "test HCALCS", DeviceType.HCALCS),
        (0xA6, "test ESME for load control", DeviceType.ESME),
    )
    known = {_eui64(0x90B3_D51F_3000_0000 + low): Identity(name, role=role) for low, name, role in roles}
    known |= {
        _eui64(0x00DB_1234_5678_9000 + low): Identity(name, device_type=kind) for low, name, kind in devices
    }
    return MappingProxyType(known)


def _eui64(number: int) -> Eui64:
    return Eui64(number.to_bytes(8, "big"))


TEST_IDENTITIES = _parties()
"""The identities of the published test data."""


def identity_of(entity: Eui64) -> Identity | None:
    """Who `entity` is in the published test data, None when it is nobody there."""
    return TEST_IDENTITIES.get(entity)
