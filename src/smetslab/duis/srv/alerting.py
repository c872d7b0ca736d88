"""Which events a device reports, shares, sounds and logs. Spec: DUIS service reference 6.22.

Spec: DUIS schema 5.4, type ConfigureAlertBehaviour; GBCS use cases ECS25a to ECS25b3, GCS20.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from smetslab.duis.srv.common import DISTRIBUTOR, SUPPLIERS
from smetslab.duis.srv.components import NOW
from smetslab.duis.srv.derived import Grouped
from smetslab.duis.srv.forms import Form
from smetslab.duis.srv.holes import At
from smetslab.duis.srv.model import Has, ServiceRequest, UseCaseMapping, body, mapping
from smetslab.duis.srv.shapes import Child, OneOf, Sequence, optional
from smetslab.duis.srv.simple import Refusal, Shape, Word
from smetslab.duis.srv.template import Template
from smetslab.gbcs.values import IMMEDIATE, Value

_SETTING = Word(("Disable", "Enable"))

_SUPPLIER_CODES: Final = (
    "810D", "810E", "8119", "8145", "8154", "8155", "8161", "8162", "8168", "8183", "81A0",
    "81A1", "81A2", "81A3", "81A4", "81A5", "81A6", "81A7", "81A8", "81A9", "81AA", "81AB",
    "81AC", "81AD", "81AE", "81AF", "81B0", "81B1", "81B2", "81B3", "81B8", "81B9", "81BA",
    "81BB", "81BC", "81BD", "81BE", "81C0", "81C1", "81C4", "81C5", "81C6",
)  # fmt: skip
_SUPPLIER_POLY_PHASE_CODES: Final = ("81B7",)
_OPERATOR_CODES: Final = ("8014", "8015")
_OPERATOR_SINGLE_PHASE_CODES: Final = (
    "8002", "8006", "8020", "8024", "8028", "802C", "8085", "8089", "808D", "8091", "8095",
    "8099", "8010",
)  # fmt: skip
_OPERATOR_POLY_PHASE_CODES: Final = (
    "8003", "8004", "8005", "8007", "8008", "8009", "8021", "8022", "8023", "8025", "8026",
    "8027", "8029", "802A", "802B", "802D", "802E", "802F", "8086", "8087", "8088", "808A",
    "808B", "808C", "808E", "808F", "8090", "8092", "8093", "8094", "8096", "8097", "8098",
    "809A", "809B", "809C", "8011", "8016", "8013",
)  # fmt: skip
_GAS_ALERT_CODES: Final = (
    "810D", "810E", "8119", "8145", "8154", "8155", "8168", "8183", "8184", "81A1", "81A4",
    "81A5", "81A6", "81A7", "81A8", "81A9", "81AA", "81AB", "81AC", "81AD", "81AE", "81AF",
    "81B0", "81B1", "81B2", "81B3", "81B4", "81B5", "81B6", "81B9", "81BA", "81BC", "81BD",
    "81BE", "81BF", "81C0", "81C2", "81C3", "81C4", "81C5",
)  # fmt: skip
_GAS_EVENT_CODES: Final = (
    "810D", "810E", "8119", "8145", "8154", "8155", "8161", "8162", "8168", "8183", "8184",
    "81A0", "81A1", "81A4", "81A5", "81A6", "81A7", "81A8", "81A9", "81AA", "81AB", "81AC",
    "81AD", "81AE", "81AF", "81B0", "81B1", "81B2", "81B3", "81B4", "81B5", "81B6", "81B9",
    "81BA", "81BC", "81BD", "81BE", "81BF", "81C0", "81C2", "81C3", "81C4", "81C5", "81C6",
)  # fmt: skip
"""The codes in the order of the schema; elements are named by them. Spec: GBCS 16 (event codes)."""


def _codes(codes: tuple[str, ...], shape: Shape = _SETTING) -> Sequence:
    return Sequence(*(optional(f"x{code}", shape) for code in codes))


_SUPPLIER_ALERTS = Sequence(
    optional("SupplierESMECommon", _codes(_SUPPLIER_CODES)),
    optional("SupplierESMEPolyPhase", _codes(_SUPPLIER_POLY_PHASE_CODES)),
)
_OPERATOR_ALERTS = Sequence(
    optional("NetworkOperatorESMECommon", _codes(_OPERATOR_CODES)),
    OneOf(
        (
            Child("NetworkOperatorESMESinglePhase", _codes(_OPERATOR_SINGLE_PHASE_CODES)),
            Child("NetworkOperatorESMEPolyPhase", _codes(_OPERATOR_POLY_PHASE_CODES)),
        ),
        minimum=0,
    ),
)
_GROUPS: Final = {
    "SupplierESMECommon": _SUPPLIER_CODES,
    "SupplierESMEPolyPhase": _SUPPLIER_POLY_PHASE_CODES,
    "NetworkOperatorESMECommon": _OPERATOR_CODES,
    "NetworkOperatorESMESinglePhase": _OPERATOR_SINGLE_PHASE_CODES,
    "NetworkOperatorESMEPolyPhase": _OPERATOR_POLY_PHASE_CODES,
}


def _settings(value: Value) -> dict[str, Value]:
    """The setting of each code, whatever group it stands in."""
    found: dict[str, Value] = {}
    for codes in value.values() if isinstance(value, dict) else ():
        for name, setting in codes.items() if isinstance(codes, dict) else ():
            found[name.removeprefix("x")] = setting
    return found


def _mask_and_actions(settings: dict[str, Value]) -> Value:
    mask: list[Value] = list(sorted(settings))
    actions: list[Value] = [code for code in sorted(settings) if settings[code] == "Enable"]
    return {"mask": mask, "actions": actions}


def _from_mask_and_actions(value: Value) -> Value:
    mask = value.get("mask") if isinstance(value, dict) else None
    actions = value.get("actions") if isinstance(value, dict) else None
    if not isinstance(mask, list) or not isinstance(actions, list) or any(one not in mask for one in actions):
        raise Refusal("actions that are in the mask")
    result: dict[str, Value] = {}
    for group, codes in _GROUPS.items():
        inside: dict[str, Value] = {
            f"x{code}": "Enable" if code in actions else "Disable" for code in codes if code in mask
        }
        if inside:
            result[group] = inside
    if len(_settings(result)) != len(mask):
        raise Refusal("codes that requests can name")
    return result


_MASK_AND_ACTIONS: Final = Form(lambda value: _mask_and_actions(_settings(value)), _from_mask_and_actions)
"""Codes that stay as they are are not in the mask."""


def _electricity(use_case: str, element: str, kind: str) -> UseCaseMapping:
    mask = At(element, _MASK_AND_ACTIONS)
    return mapping(use_case, {f"mask_and_actions_for_{kind}": mask}, when=(Has(element),))


# Gas -----------------------------------------------------------

_FLAGS: Final = ("WANAlert", "HANAlert", "EventLog", "Alarm")
_EVENT = Sequence(*(Child(name, _SETTING) for name in _FLAGS))
_WAN, _HAN, _LOG, _ALARM = 0x08, 0x10, 0x03, 0x40
_WEIGHTS: Final = dict(zip(_FLAGS, (_WAN, _HAN, _LOG, _ALARM), strict=True))
_ORDER: Final = (0x5B, 0x08, 0x4B, 0x43)
"""The order of the components in published messages; that of other settings follows, highest first."""


def _configuration(number: int) -> Value:
    return {
        "logging": "log_as_general_event" if number & _LOG else "do_not_log",
        "push_event_to_wan": bool(number & _WAN),
        "push_event_to_han": bool(number & _HAN),
        "raise_alarm_zigbee": False,
        "raise_alarm_physical": bool(number & _ALARM),
    }


def _rank(number: int) -> tuple[int, int]:
    return (_ORDER.index(number) if number in _ORDER else len(_ORDER), -number)


def _weight(setting: Value) -> int:
    """What an event does as one number. Enable alone is about alerts over the WAN."""
    if not isinstance(setting, dict):
        return _WAN if setting == "Enable" else 0
    return sum(weight for name, weight in _WEIGHTS.items() if setting.get(name) == "Enable")


def _split(value: Value) -> list[Value]:
    groups: dict[int, list[Value]] = {}
    for name, setting in sorted(value.items()) if isinstance(value, dict) else ():
        groups.setdefault(_weight(setting), []).append(name.removeprefix("x"))
    if not groups:
        raise Refusal("an event")
    return [
        {"configuration": _configuration(number), "events": groups[number]}
        for number in sorted(groups, key=_rank)
    ]


def _events(groups: list[Value], codes: tuple[str, ...]) -> dict[str, int]:
    numbers = {repr(_configuration(number)): number for number in range(0x100) if not number & ~0x5B}
    found: dict[str, int] = {}
    for group in groups:
        configuration = group.get("configuration") if isinstance(group, dict) else None
        events = group.get("events") if isinstance(group, dict) else None
        number = numbers.get(repr(configuration))
        if number is None or not isinstance(events, list):
            raise Refusal("settings that requests can name")
        found |= {str(event): number for event in events}
    if not set(found) <= set(codes):
        raise Refusal("events that requests can name")
    return found


def _join_events(groups: list[Value]) -> Value:
    return {
        f"x{event}": {name: "Enable" if number & weight else "Disable" for name, weight in _WEIGHTS.items()}
        for event, number in _events(groups, _GAS_EVENT_CODES).items()
    }


def _join_alerts(groups: list[Value]) -> Value:
    found = _events(groups, _GAS_ALERT_CODES)
    if not set(found.values()) <= {0, _WAN}:
        raise Refusal("settings that are about alerts alone")
    return {f"x{event}": "Enable" if number else "Disable" for event, number in found.items()}


def _gas(element: str, join: Callable[[list[Value]], Value], *unverified: str) -> UseCaseMapping:
    """One component for all events that get the same settings."""
    component: dict[str, Template] = {
        "issuer_event_id": NOW,
        "start_date_time": IMMEDIATE,
        "event_configuration": At("configuration"),
        "configuration_control": "apply_by_list",
        "event_configuration_payload": {"event_ids": At("events")},
    }
    return mapping(
        "GCS20",
        components_of={"set_event_configuration": Grouped(element, _split, join, component)},
        when=(Has(element),),
        unverified=unverified,
    )


SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.22",
        reference="6.22",
        name="Configure Alert Behaviour",
        element="ConfigureAlertBehaviour",
        body=body(
            OneOf(
                (
                    Child("ElectricitySupplierAlerts", _SUPPLIER_ALERTS),
                    Child("ElectricitySupplierHANAlertSettings", _SUPPLIER_ALERTS),
                    Child("ElectricitySupplierAlarmSettings", _SUPPLIER_ALERTS),
                    Child("ElectricitySupplierLoggingSettings", _SUPPLIER_ALERTS),
                    Child("ElectricityNetworkOperatorAlerts", _OPERATOR_ALERTS),
                    Child("ElectricityNetworkOperatorLoggingSettings", _OPERATOR_ALERTS),
                    Child("GasSupplierAlerts", _codes(_GAS_ALERT_CODES)),
                    Child("GasSupplierAlertEventSettings", _codes(_GAS_EVENT_CODES, _EVENT)),
                )
            )
        ),
        critical=False,
        eligible_roles=(*SUPPLIERS, DISTRIBUTOR),
        mappings=(
            _electricity("ECS25a", "ElectricitySupplierAlerts", "wan_alerting"),
            _electricity("ECS25a1", "ElectricitySupplierHANAlertSettings", "han_device_sharing"),
            _electricity("ECS25a2", "ElectricitySupplierAlarmSettings", "alarms"),
            _electricity("ECS25a3", "ElectricitySupplierLoggingSettings", "logging"),
            _electricity("ECS25b", "ElectricityNetworkOperatorAlerts", "wan_alerting"),
            _electricity("ECS25b3", "ElectricityNetworkOperatorLoggingSettings", "logging"),
            _gas("GasSupplierAlertEventSettings", _join_events),
            _gas("GasSupplierAlerts", _join_alerts, "GasSupplierAlerts"),
        ),
    ),
)
