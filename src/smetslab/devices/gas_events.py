"""What becomes of a gas meter's events: settings that the supplier may change, and those that are fixed.

Spec: GBCS use cases GCS20, GCS20r; 16.2 (codes 0x81xx are the supplier's to configure, 0x8Fxx are always on);
ZSE 1.4 D.10.2.3.5
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from smetslab.devices import events
from smetslab.devices.event_log import LogName
from smetslab.devices.events import Route
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, Handler, ZclCall
from smetslab.store import Json
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.foundation import Status

GROUP_MASK: Final = 0x00FF
"""An event id that ends like this means its whole group. Spec: ZSE 1.4 D.10.2.4.5."""
TO_WAN, TO_HAN, ALARM = 0x08, 0x10, 0x40
_LOG_BITS = 0x07
_LOGS: Final[dict[int, LogName | None]] = {0: None, 3: "event", 4: "security"}

_ALWAYS_ON: Final = Route("security", "GCA")
"""What becomes of a critical event for which nothing else is known."""
_KEY = "event_settings"
_LOGGED, _LOGGED_AND_TOLD, _TO_ALL = 0x03, 0x0B, 0x1B


def _factory() -> dict[int, int]:
    """The events that a gas meter knows, in the order in which it reports them. Spec: RTDS 4.5.0."""
    settings = {0x810D: TO_HAN | TO_WAN, 0x810E: TO_WAN, 0x8119: TO_HAN | TO_WAN}
    settings |= dict.fromkeys((0x8145, 0x8154, 0x8155, 0x8161, 0x8162), _LOGGED)
    settings |= {0x8168: TO_HAN}
    told = (0x8183, 0x8184, 0x81A1, *range(0x81A4, 0x81B7), 0x81B9, 0x81BA, *range(0x81BC, 0x81C1))
    settings |= dict.fromkeys((*told, 0x81C2, 0x81C3, 0x81C4, 0x81C5, 0x81A0), _LOGGED_AND_TOLD)
    return settings | {0x81C6: _LOGGED} | dict.fromkeys((0x81AA, 0x81AB, 0x81C4), _TO_ALL)


FACTORY_SETTINGS: Final = _factory()
"""By event code: the log in the low three bits, what else is done with it above."""


class EventSettings:
    """The settings of one meter."""

    def __init__(self, memory: Callable[[], ZclMemory]) -> None:
        self._memory = memory

    def all(self) -> dict[int, int]:
        """Every configurable event with its setting."""
        changed = cast("dict[str, int] | None", self._memory().document(_KEY)) or {}
        return FACTORY_SETTINGS | {int(code, 16): setting for code, setting in changed.items()}

    def route(self, code: int) -> Route:
        """What becomes of an event."""
        setting = self.all().get(code)
        if setting is None:
            return events.ROUTES.get(code, _ALWAYS_ON)
        return Route(
            _LOGS.get(setting & _LOG_BITS, "event"),
            "GNCA" if setting & TO_WAN else None,
            han=bool(setting & TO_HAN),
            alarm=bool(setting & ALARM),
        )

    def handlers(self) -> dict[str, Handler]:
        return {"set_event_configuration": self._set, "list_event_configuration": self._list}

    def _set(self, call: ZclCall, record: Record) -> Answer:
        """Set the events of a list, or a whole group of them."""
        setting = record.integer("event_configuration")
        payload = record["event_configuration_payload"]
        if not isinstance(payload, Record):
            raise ComponentError(Status.INVALID_FIELD, "event configuration payload")
        known = self.all()
        match record.integer("configuration_control"):
            case 0:
                listed = payload["event_ids"]
                codes = (
                    [code for code in listed if isinstance(code, int)] if isinstance(listed, tuple) else []
                )
            case 1:
                codes = _members(payload.integer("event_group_id"), list(known))
            case other:
                raise ComponentError(Status.INVALID_VALUE, f"configuration control {other}")
        unknown = [f"{code:04X}" for code in codes if code not in known]
        if unknown:
            raise ComponentError(Status.INVALID_VALUE, f"no events {', '.join(unknown)}")
        kept = cast("dict[str, Json] | None", self._memory().document(_KEY)) or {}
        changed: dict[str, Json] = {**kept, **{f"{code:04X}": setting for code in codes}}
        self._memory().keep(call.work, _KEY, changed)
        return None

    def _list(self, call: ZclCall, record: Record) -> Answer:
        del call
        settings = self.all()
        wanted = record.integer("event_id")
        codes = _members(wanted, list(settings))
        if not codes:
            raise ComponentError(Status.NOT_FOUND, f"no event {wanted:04X}")
        return DeviceManagement.report_event_configuration.record(
            command_index=0,
            total_commands=1,
            event_configuration_payload=[
                {"event_id": code, "event_configuration": settings[code]} for code in codes
            ],
        )


def _members(wanted: int, known: list[int]) -> list[int]:
    """One event, or all of a group."""
    if wanted & GROUP_MASK == GROUP_MASK:
        return [code for code in known if code | GROUP_MASK == wanted]
    return [code for code in known if code == wanted]
