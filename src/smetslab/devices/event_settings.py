"""What becomes of the events that a remote party may configure.

Each party has its own prefix of codes, and sets 256 bits at a time: a mask that says which settings to
change, and the settings. Bit n, the least significant being 0, is the code prefix || n.

Spec: GBCS 16.2; use cases ECS25a, ECS25a1 to a3, ECS25b, ECS25b3, ECS25r1, ECS25r2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from smetslab.devices.event_log import LogName
from smetslab.devices.events import NETWORK_OPERATOR_PREFIX, ROUTES, SUPPLIER_PREFIX, AlertKind, Route

BITS = 256


def apply_mask(settings: int, mask_and_actions: bytes) -> int:
    """The 256 settings after a write of mask and actions; where the mask is 0, nothing changes."""
    if len(mask_and_actions) != BITS // 4:
        raise ValueError(f"{len(mask_and_actions)} octets of mask and actions, expected {BITS // 4}")
    mask = int.from_bytes(mask_and_actions[: BITS // 8], "big")
    actions = int.from_bytes(mask_and_actions[BITS // 8 :], "big")
    return settings & ~mask | actions & mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """256 settings each: alert the party, tell HAN devices, sound an alarm, write a log."""

    wan_alerting: int = 0
    han_device_sharing: int = 0
    alarms: int = 0
    logging: int = 0


def factory_behaviour(prefix: int) -> Behaviour:
    """The settings of a new device, from its routing table."""
    settings = dict.fromkeys(("wan_alerting", "han_device_sharing", "alarms", "logging"), 0)
    for code, route in ROUTES.items():
        if code >> 8 == prefix:
            bit = 1 << (code & 0xFF)
            settings["wan_alerting"] |= bit if route.alert else 0
            settings["han_device_sharing"] |= bit if route.han else 0
            settings["alarms"] |= bit if route.alarm else 0
            settings["logging"] |= bit if route.log else 0
    return Behaviour(**settings)


FACTORY: Mapping[int, Behaviour] = {
    prefix: factory_behaviour(prefix) for prefix in (NETWORK_OPERATOR_PREFIX, SUPPLIER_PREFIX)
}


def configured(route: Route, code: int, behaviour: Mapping[int, Behaviour]) -> Route:
    """The route of a code under the settings of its party; a code that is always on keeps its own."""
    settings = behaviour.get(code >> 8)
    if settings is None:
        return route
    bit = 1 << (code & 0xFF)
    log: LogName = route.log or ("power" if code >> 8 == NETWORK_OPERATOR_PREFIX else "event")
    alert: AlertKind = "GNCA"
    return replace(
        route,
        log=log if settings.logging & bit else None,
        alert=alert if settings.wan_alerting & bit else None,
        han=bool(settings.han_device_sharing & bit),
        alarm=bool(settings.alarms & bit),
    )
