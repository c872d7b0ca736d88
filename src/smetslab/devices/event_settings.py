"""What becomes of the events that a remote party may configure.

Each party has its own prefix of codes, and writes a mask of codes and, of those, the ones to switch on.

Spec: GBCS 16.2; use cases ECS25a, ECS25a1 to a3, ECS25b, ECS25b3, ECS25r1, ECS25r2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from smetslab.devices.event_log import LogName
from smetslab.devices.events import NETWORK_OPERATOR_PREFIX, ROUTES, SUPPLIER_PREFIX, AlertKind, Route
from smetslab.gbcs.values import Value

_BEHAVIOURS: Mapping[int, Mapping[str, str]] = {
    SUPPLIER_PREFIX: {
        "alert": "wan_alerting",
        "han": "han_sharing",
        "alarm": "alarms",
        "log": "logging",
    },
    NETWORK_OPERATOR_PREFIX: {"alert": "network_wan_alerting", "log": "network_logging"},
}
"""For each prefix, the attributes that show its settings."""


def factory_settings() -> dict[str, list[Value]]:
    """The settings of a new meter, by attribute: the codes that are switched on in its routing table."""
    found: dict[str, list[Value]] = {}
    for prefix, attributes in _BEHAVIOURS.items():
        for part, attribute in attributes.items():
            found[attribute] = [
                f"{code:04X}"
                for code, route in sorted(ROUTES.items())
                if code >> 8 == prefix and getattr(route, part)
            ]
    return found


def masked(settings: Value, mask_and_actions: Value) -> list[Value]:
    """The codes that are on after a write of mask and actions; what the mask leaves out keeps its setting."""
    on = {str(code) for code in settings} if isinstance(settings, list) else set()
    if isinstance(mask_and_actions, dict):
        mask, actions = mask_and_actions["mask"], mask_and_actions["actions"]
        chosen = {str(code) for code in mask} if isinstance(mask, list) else set()
        wanted = {str(code) for code in actions} if isinstance(actions, list) else set()
        on = on - chosen | wanted & chosen
    return [*sorted(on)]


class EventRoutes:
    """The routes of one meter, as its parties have configured them."""

    def __init__(self, settings: Callable[[str], Value]) -> None:
        """`settings` reads an attribute: the list of codes that are on."""
        self._settings = settings
        self._known: dict[str, frozenset[str]] = {}

    def forget(self) -> None:
        """The settings have changed."""
        self._known.clear()

    def _on(self, attribute: str | None, code: int) -> bool:
        if attribute is None:
            return False
        if attribute not in self._known:
            codes = self._settings(attribute)
            self._known[attribute] = (
                frozenset(str(c) for c in codes) if isinstance(codes, list) else frozenset()
            )
        return f"{code:04X}" in self._known[attribute]

    def route(self, code: int) -> Route:
        """Where an event goes; a code that is always on keeps its own route."""
        route = ROUTES[code]
        behaviour = _BEHAVIOURS.get(code >> 8)
        if behaviour is None:
            return route
        network = code >> 8 == NETWORK_OPERATOR_PREFIX
        log: LogName = route.log or ("power" if network else "event")
        alert: AlertKind = route.alert or "GNCA"
        return replace(
            route,
            log=log if self._on(behaviour["log"], code) else None,
            alert=alert if self._on(behaviour["alert"], code) else None,
            han=self._on(behaviour.get("han"), code),
            alarm=self._on(behaviour.get("alarm"), code),
        )
