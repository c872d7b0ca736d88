"""Roles, cells and key usages as the ASN.1 schema names them, and as the device holds them.

Spec: GBCS Annex 3.
"""

from __future__ import annotations

from smetslab.devices.credentials import CellName
from smetslab.gbcs.codes import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.values import Parameters, Value

_ROLES = {
    "root": RemotePartyRole.ROOT,
    "recovery": RemotePartyRole.RECOVERY,
    "supplier": RemotePartyRole.SUPPLIER,
    "networkOperator": RemotePartyRole.NETWORK_OPERATOR,
    "accessControlBroker": RemotePartyRole.ACCESS_CONTROL_BROKER,
    "transitionalCoS": RemotePartyRole.TRANSITIONAL_COS,
    "wanProvider": RemotePartyRole.WAN_PROVIDER,
    "issuingAuthority": RemotePartyRole.ISSUING_AUTHORITY,
    "loadController": RemotePartyRole.LOAD_CONTROLLER,
    "other": RemotePartyRole.OTHER,
}
_ROLE_NAMES = {role: name for name, role in _ROLES.items()}
_CELL_USAGES = {"management": CellUsage.MANAGEMENT, "prePaymentTopUp": CellUsage.PREPAYMENT_TOP_UP}
_CELL_USAGE_NAMES = {usage: name for name, usage in _CELL_USAGES.items()}
_DEVICE_TYPES = {
    "gsme": DeviceType.GSME,
    "esme": DeviceType.ESME,
    "chf": DeviceType.CHF,
    "gpf": DeviceType.GPF,
    "hcalcs": DeviceType.HCALCS,
    "ppmid": DeviceType.PPMID,
    "type-2": DeviceType.TYPE_2,
}
_DEVICE_TYPE_NAMES = {device_type: name for name, device_type in _DEVICE_TYPES.items()}


def role_named(value: Value) -> RemotePartyRole | None:
    """The role of a parameter, None for a number that is none."""
    return _ROLES.get(value) if isinstance(value, str) else None


def role_name(role: RemotePartyRole) -> str:
    return _ROLE_NAMES[role]


def key_usage_named(value: Value) -> KeyUsage | None:
    """The one key usage of a parameter; None for several bits, or others."""
    return next((usage for usage in KeyUsage if usage.value == value), None)


def device_type_named(value: Value) -> DeviceType | None:
    return _DEVICE_TYPES.get(value) if isinstance(value, str) else None


def device_type_name(device_type: DeviceType) -> str:
    return _DEVICE_TYPE_NAMES[device_type]


def cell_named(value: Value) -> CellName | None:
    """The cell that a TrustAnchorCellIdentifier names; None when one of its numbers has no name."""
    if not isinstance(value, dict):
        return None
    role = role_named(value.get("trust_anchor_cell_remote_party_role"))
    usage = key_usage_named(value.get("trust_anchor_cell_key_usage"))
    cell_usage = _CELL_USAGES.get(str(value.get("trust_anchor_cell_usage", "management")))
    if role is None or usage is None or cell_usage is None:
        return None
    return role, usage, cell_usage


def cell_identifier(name: CellName) -> Parameters:
    """A TrustAnchorCellIdentifier."""
    role, usage, cell_usage = name
    return {
        "trust_anchor_cell_remote_party_role": _ROLE_NAMES[role],
        "trust_anchor_cell_key_usage": usage.value,
        "trust_anchor_cell_usage": _CELL_USAGE_NAMES[cell_usage],
    }


def cell_usage_name(usage: CellUsage) -> str:
    return _CELL_USAGE_NAMES[usage]
