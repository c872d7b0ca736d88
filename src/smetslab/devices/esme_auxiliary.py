"""The auxiliary controllers of an ESME: commands to switches, levels and limits of proportional controllers.

Spec: SMETS 5.22, 5.29; GBCS use cases ECS47, ECS47a, ECS47e, ECS35g, ECS101, ECS102, ECS200.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from smetslab.devices import events
from smetslab.devices.application import Application
from smetslab.devices.cosem.server import CosemServer, ItemError
from smetslab.devices.esme_objects.auxiliary import SLOTS
from smetslab.devices.esme_switching import (
    ACTIVATE,
    BUILT_IN,
    DEACTIVATE,
    EMPTY,
    RESET,
    AuxiliarySwitching,
    Period,
)
from smetslab.devices.payload_engine import Call
from smetslab.devices.work import Work
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.dlms.axdr import Data, Number
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import (
    HEX_PREFIX,
    IMMEDIATE,
    NEVER,
    Parameters,
    Value,
    as_moment,
    parse_utc,
    utc_text,
)
from smetslab.store import Nvm

_FULL: Final = 100
_SETTINGS: Final = {ACTIVATE: ("activation", _FULL), DEACTIVATE: ("deactivation", 0)}
"""The setting that says how many minutes an action of ECS47 lasts, and its level."""
_LIMITS = "aux/limit/"


@dataclass(frozen=True, slots=True)
class Limit:
    """A level that a controller is held to for a while. `place`: direction and slot, one octet."""

    place: int
    level: int
    start: str
    end: str


class AuxiliaryControllers:
    """The slots of one meter. `time` and `moment` translate between laboratory time and the device's."""

    def __init__(
        self,
        *,
        nvm: Nvm,
        application: Application,
        server: Callable[[], CosemServer],
        switching: AuxiliarySwitching,
        time: Callable[[datetime], datetime],
        moment: Callable[[datetime], datetime],
    ) -> None:
        self._nvm = nvm
        self._application = application
        self._server = server
        self._switching = switching
        self._time = time
        self._moment = moment
        self._limits: dict[int, Limit] = {}
        for key, octets in nvm.items(_LIMITS):
            place = int(key.removeprefix(_LIMITS), 16)
            level, start, end = octets.decode("ascii").split("|")
            self._limits[place] = Limit(place, int(level), start, end)

    def assign(self, work: Work, slots: Iterable[int], switches: Collection[str]) -> None:
        """Give each of the paired HCALCS the first free slot; one that has parted gives its own back.

        Spec: SMETS 5.22; that pairing does it is unverified.
        """
        server = self._server()
        names = [f"auxiliary_controller_{slot}_type_and_identifier" for slot in slots]
        held = {name: str(server.value(name)) for name in names}
        for name, holder in held.items():
            if holder not in BUILT_IN and holder not in switches:
                held[name] = EMPTY
                server.put(work, name, EMPTY)
        for device in switches:
            free = [name for name, holder in held.items() if holder == EMPTY]
            if free and device not in held.values():
                held[free[0]] = device
                server.put(work, free[0], device)

    def describe(self, slots: Iterable[int], now: datetime) -> list[Value]:
        """The slots, for people: what stands in each, where it is, and what a command has set."""
        server, found = self._server(), list[Value]()
        for slot in slots:
            name, period = f"auxiliary_controller_{slot}", self._switching.period(slot)
            row: dict[str, Value] = {
                "slot": slot,
                "holds": server.value(f"{name}_type_and_identifier"),
                "closed": server.value(f"{name}_switch_state"),
                "level": self.level(0x10 | slot, now),
            }
            if period is not None:
                row["commanded_level"] = period.level
                row["from"] = utc_text(period.start)
                row["until"] = "a command" if period.end is None else utc_text(period.end)
            found.append(row)
        return found

    # ---------------------------------------------------------------------------- commands

    def execute(self, call: Call, data: Data) -> Data:
        """A script of the switches: a slot with an action (ECS47), or with a direction and a level in percent
        (ECS47a). The settings written before it say how long it holds.

        Minutes of 0, like a start that never comes, and what either means are unverified.
        """
        place, action = _place_and_action(data)
        slot, now = place & 0x0F, self._time(call.work.now)
        name = f"auxiliary_controller_{slot}"
        if place > max(SLOTS):
            start, end = (self._server().value(f"{name}_{kind}") for kind in ("activation", "deactivation"))
            if start == NEVER:
                self._switching.release(call.work, slot, now, by_command=True)
                return axdr.null()
            begins = _moment(start, now) or now
            period = Period(place=place, level=action, start=begins, end=_moment(end, now))
            self._switching.set_period(call.work, period, now)
        elif action == RESET:
            self._switching.release(call.work, slot, now, by_command=True)
        else:
            kind, level = _SETTINGS[action]
            minutes = self._server().value(f"{name}_{kind}")
            if isinstance(minutes, int) and minutes:
                ends = now + timedelta(minutes=minutes)
                period = Period(place=slot, level=level, start=now, end=ends)
                self._switching.set_period(call.work, period, now)
            else:
                self._switching.set_until_next_switch(call.work, slot, level, now)
        return axdr.null()

    def limit(self, call: Call, data: Data) -> Data:
        """A script of the proportional controllers: the level that a period is limited to, told by ECS101; a
        period that never starts takes the limit back, told by ECS102."""
        place, level = _place_and_action(data)
        name = f"auxiliary_controller_{place & 0x0F}_limit"
        now = self._time(call.work.now)
        first, last = (_moment(self._server().value(f"{name}_{bound}"), now) for bound in ("start", "end"))
        if first is None:
            if place in self._limits:
                self._end(call.work, place)
            return axdr.null()
        start, end = utc_text(first), NEVER if last is None else utc_text(last)
        self._limits[place] = Limit(place, level, start, end)
        call.work.tx.put(f"{_LIMITS}{place:02X}", f"{level}|{start}|{end}".encode("ascii"))
        members: Parameters = {
            "auxiliary_proportional_controller": _controller(place),
            "limit_period_start_date_time": start,
            "limit_period_end_date_time": end,
            "resulting_level": level,
        }
        self._tell(call.work, "ECS101", events.LIMIT_PROCESSED, members)
        return axdr.null()

    def operational_update(self, work: Work, slot: int, state: str) -> None:
        """The state of a controller has changed: it is kept, and told on behalf of the load controller."""
        self._server().put(work, f"auxiliary_controller_{slot}_state_and_associated_information", state)
        self._tell(work, "ECS200", events.OPERATIONAL_UPDATE, {"state_and_associated_information": state})

    # ---------------------------------------------------------------------------- time

    def next_deadline(self) -> datetime | None:
        """When the next limit ends, in laboratory time."""
        ends = [self._moment(parse_utc(limit.end)) for limit in self._limits.values() if limit.end != NEVER]
        return min(ends, default=None)

    def tick(self, work: Work) -> None:
        """End the limits whose time is over."""
        now = self._time(work.now)
        for place, limit in sorted(self._limits.items()):
            if limit.end != NEVER and parse_utc(limit.end) <= now:
                self._end(work, place)

    def level(self, place: int, now: datetime) -> int:
        """The level of a controller at a laboratory moment: what was set, within a limit that has begun."""
        limit = self._limits.get(place)
        level = self._switching.level(place)
        holds = limit is not None and parse_utc(limit.start) <= self._time(now)
        return min(level, limit.level) if limit is not None and holds else level

    def _end(self, work: Work, place: int) -> None:
        del self._limits[place]
        work.tx.delete(f"{_LIMITS}{place:02X}")
        members: Parameters = {
            "auxiliary_proportional_controller": _controller(place),
            "resulting_level": self.level(place, work.now),
        }
        self._tell(work, "ECS102", events.LIMIT_ENDED, members)

    def _tell(self, work: Work, use_case: str, code: int, members: Parameters) -> None:
        """Alert the supplier; an operational update names the load controller besides."""
        anchors = self._application.trust_anchors
        supplier = anchors.party(RemotePartyRole.SUPPLIER)
        if supplier is None:
            return
        operator = anchors.party(RemotePartyRole.LOAD_CONTROLLER) if use_case == "ECS200" else None
        self._application.send_alert(
            work, USE_CASES[use_case], code, supplier, members, on_behalf_of=operator
        )


def _place_and_action(data: Data) -> tuple[int, int]:
    """Direction and slot, and the action or level. Raises ItemError for what no meter has."""
    if not isinstance(data, Number):
        raise ItemError(DataAccessResult.TYPE_UNMATCHED, "a script is a number")
    place, action = data.value >> 8, data.value & 0xFF
    known = action <= _FULL if place > max(SLOTS) else action in {ACTIVATE, DEACTIVATE, RESET}
    if place & 0x0F not in SLOTS or not known:
        raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"no script {data.value:04X}")
    return place, action


def _moment(value: Value, now: datetime) -> datetime | None:
    """The time that a setting gives; None for one that never comes, and for minutes (ECS47). Raises ItemError
    for a date-time with wildcards.
    """
    if value == IMMEDIATE:
        return now
    if isinstance(value, str) and value.startswith(HEX_PREFIX):
        raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"{value} names no moment")
    return as_moment(value)


def _controller(place: int) -> Parameters:
    return {"direction": place >> 4, "slot": place & 0x0F}
