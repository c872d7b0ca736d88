"""Use cases about which events an ESME reports, shares, sounds and logs.

Spec: GBCS use cases ECS25a to ECS25r2.
"""

from __future__ import annotations

from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms.forms import EventSet, EventSettings
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import ESME, NETWORK_OPERATOR, SUPPLIER
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, get, set_
from smetslab.gbcs.usecases.model import UseCase

SUPPLIER_PREFIX, NETWORK_OPERATOR_PREFIX = 0x81, 0x80
"""First octet of the codes that each party configures. Spec: GBCS 16."""

_SUPPLIER_OBJECT, _NETWORK_OPERATOR_OBJECT = "0-30:97.98", "0-33:97.98"

_SETTINGS = {
    "wan_alerting": 11,
    "han_device_sharing": 12,
    "alarms": 13,
    "logging": 14,
}
"""Value group E of the object that sets each kind of behaviour; the one that shows it is four higher."""

_SUPPLIER_ELEMENTS = {
    "wan_alerting": ("ElectricitySupplierAlerts", "ElectricitySupplierWANAlertSettings"),
    "han_device_sharing": ("ElectricitySupplierHANAlertSettings",),
    "alarms": ("ElectricitySupplierAlarmSettings",),
    "logging": ("ElectricitySupplierLoggingSettings",),
}
_NETWORK_OPERATOR_ELEMENTS = {
    "wan_alerting": ("ElectricityNetworkOperatorAlerts", "ElectricityNetworkOperatorWANAlertSettings"),
    "logging": ("ElectricityNetworkOperatorLoggingSettings",),
}

_SHOWN = 4


def _row(
    name: str,
    code: int,
    title: str,
    srv: str,
    roles: tuple[RemotePartyRole, ...],
    *items: AccessItem,
) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        originator_roles=roles,
        service_requests=(srv,),
        payload=DlmsAccess(items),
    )


def _set(name: str, code: int, title: str, roles: tuple[RemotePartyRole, ...], kind: str) -> UseCase:
    """A row that writes one kind of behaviour for the codes of its party."""
    supplier = roles is SUPPLIER
    prefix = SUPPLIER_PREFIX if supplier else NETWORK_OPERATOR_PREFIX
    obis = f"{_SUPPLIER_OBJECT if supplier else _NETWORK_OPERATOR_OBJECT}.{_SETTINGS[kind]}.255"
    elements = (_SUPPLIER_ELEMENTS if supplier else _NETWORK_OPERATOR_ELEMENTS)[kind]
    item = set_(known(f"mask_and_actions_for_{kind}", *elements), 1, obis, 2, EventSettings(prefix))
    return _row(name, code, f"Set {title}", "6.22", roles, item)


def _shown(stem: str, prefix: int, kinds: dict[str, tuple[str, ...]]) -> tuple[AccessItem, ...]:
    return tuple(
        get(
            known(f"settings_for_{kind}", *elements),
            1,
            f"{stem}.{_SETTINGS[kind] + _SHOWN}.255",
            2,
            EventSet(prefix),
        )
        for kind, elements in kinds.items()
    )


USE_CASES = (
    _set("ECS25a", 0x00AC, "Alert Behaviours - ESME - Supplier", SUPPLIER, "wan_alerting"),
    _set(
        "ECS25a1", 0x00EA, "Event Behaviours - ESME to HAN Device - Supplier", SUPPLIER, "han_device_sharing"
    ),
    _set("ECS25a2", 0x00EB, "Event Behaviours - ESME audible alarm - Supplier", SUPPLIER, "alarms"),
    _set("ECS25a3", 0x00EC, "Event Behaviours - ESME logging - Supplier", SUPPLIER, "logging"),
    _set("ECS25b", 0x00B0, "Alert Behaviours - ESME - Network Operator", NETWORK_OPERATOR, "wan_alerting"),
    _set(
        "ECS25b3", 0x00ED, "Event Behaviours - ESME logging - Network Operator", NETWORK_OPERATOR, "logging"
    ),
    _row(
        "ECS25r1",
        0x00EE,
        "Read non-critical event and alert behaviours - ESME - Supplier",
        "6.2.10",
        SUPPLIER,
        *_shown(_SUPPLIER_OBJECT, SUPPLIER_PREFIX, _SUPPLIER_ELEMENTS),
    ),
    _row(
        "ECS25r2",
        0x00EF,
        "Read non-critical event and alert behaviours - ESME - Network Operator",
        "6.2.10",
        NETWORK_OPERATOR,
        *_shown(_NETWORK_OPERATOR_OBJECT, NETWORK_OPERATOR_PREFIX, _NETWORK_OPERATOR_ELEMENTS),
    ),
)
