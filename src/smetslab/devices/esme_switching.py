"""When the auxiliary switches of an ESME move by themselves: their calendar, and the boost button.

A boost runs in steps of a quarter of an hour up to an hour and comes before the calendar; without either a
switch stays where a command has put it. Calendar switching is delayed by the randomised offset.

Spec: SMETS 5.22, 5.26; the dialogue of the boost button is a maker's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.esme_objects.auxiliary import SLOTS
from smetslab.devices.limits import AUXILIARY_LOG_ENTRIES
from smetslab.devices.schedule import Schedule, midnight
from smetslab.devices.work import Work
from smetslab.gbcs.values import Value, utc_text
from smetslab.store import Json, Nvm

ACTIVATE, DEACTIVATE = 0x11, 0x12
BOOST_STEP: Final = timedelta(minutes=15)
LONGEST_BOOST: Final = timedelta(minutes=60)
_KEY = "aux/switching"
_DAYS_AHEAD = 8


class BoostAnswer(Enum):
    """What the display says to the boost button."""

    STARTED = "started"
    PROLONGED = "prolonged"
    CANCELLED = "cancelled"
    MAXIMUM = "maximum reached"
    NOT_AVAILABLE = "not available"


@dataclass(slots=True)
class _Boost:
    """One running boost, by the device's time."""

    start: datetime
    end: datetime


class AuxiliarySwitching:
    """The own acts of the switches of one meter. Times are the device's."""

    def __init__(
        self, nvm: Nvm, server: Callable[[], CosemServer], offset: Callable[[], timedelta], now: datetime
    ) -> None:
        """`offset`: the randomised offset of calendars."""
        self._server = server
        self._offset = offset
        self._reached = now
        self._next: datetime | None = None
        self._boosts: dict[int, _Boost] = {}
        kept = nvm.get_json(_KEY)
        for row in kept if isinstance(kept, list) else []:
            match row:
                case [int(slot), str(start), str(end)]:
                    self._boosts[slot] = _Boost(datetime.fromisoformat(start), datetime.fromisoformat(end))

    # ---------------------------------------------------------------------------- calendar

    def _switches(self) -> list[tuple[int, bool, Schedule]]:
        """Slot, state and schedule of each entry of the calendar."""
        server = self._server()
        if not server.holds("auxiliary_calendar"):
            return []
        days = server.value("auxiliary_special_days")
        rows = server.value("auxiliary_calendar")
        found: list[tuple[int, bool, Schedule]] = []
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict):
                chosen = _slot_and_state(row["script_selector"])
                if chosen is not None:
                    found.append((*chosen, Schedule([{**row, "script_selector": 1}], days)))
        return found

    def _due(self, after: datetime, until: datetime) -> list[tuple[datetime, int, bool]]:
        """What the calendar does after one time, up to and including another."""
        offset = self._offset()
        found: list[tuple[datetime, int, bool]] = []
        calendar = self._switches()
        day = (after - offset).date()
        while calendar and midnight(day) + offset <= until:
            for slot, state, schedule in calendar:
                for seconds, _ in schedule.switches(day):
                    at = midnight(day) + timedelta(seconds=seconds) + offset
                    if after < at <= until:
                        found.append((at, slot, state))
            day += timedelta(days=1)
        return sorted(found)

    def calendar_state(self, slot: int, now: datetime) -> bool:
        """What the calendar wants of a slot: closed or open, open where it says nothing."""
        earlier = [
            state for _, number, state in self._due(now - timedelta(days=_DAYS_AHEAD), now) if number == slot
        ]
        return earlier[-1] if earlier else False

    # ---------------------------------------------------------------------------- time

    def changed(self) -> None:
        """The calendar has changed."""
        self._next = None

    def next_deadline(self, now: datetime) -> datetime | None:
        """When `tick` is due; None: there is neither a calendar nor a boost."""
        if self._next is None:
            horizon = now + timedelta(days=_DAYS_AHEAD)
            ahead = [at for at, _, _ in self._due(self._reached, horizon)[:1]]
            self._next = ahead[0] if ahead else horizon
        ends = [boost.end for boost in self._boosts.values()]
        return min([*ends, self._next]) if ends or self._switches_any else None

    @property
    def _switches_any(self) -> bool:
        server = self._server()
        return server.holds("auxiliary_calendar") and server.value("auxiliary_calendar") != []

    def tick(self, work: Work, now: datetime) -> None:
        """Do what is due, in the order of time; a boosted switch is left alone until its boost is over."""
        self._next = None
        for at, slot, state in self._due(self._reached, now)[-AUXILIARY_LOG_ENTRIES:]:
            boost = self._boosts.get(slot)
            if boost is None or boost.end <= at:
                self._switch(work, slot, closed=state, at=at)
        self._reached = max(self._reached, now)
        for slot, boost in sorted(self._boosts.items()):
            if boost.end <= now:
                self._end(work, slot, boost.end)

    def _switch(self, work: Work, slot: int, *, closed: bool, at: datetime) -> None:
        server, name = self._server(), f"auxiliary_controller_{slot}_switch_state"
        server.put(work, name, closed)
        server.record(
            work,
            "auxiliary_controller_event_log",
            {
                "timestamp": utc_text(at),
                "switch_number_and_action": {"slot": slot, "action": ACTIVATE if closed else DEACTIVATE},
                "outcome": 1,
                "han_command_id": 0,
            },
        )

    # ---------------------------------------------------------------------------- boost

    def press_boost(self, work: Work, slot: int, now: datetime) -> BoostAnswer:
        """The boost button of a slot: it starts a boost, or prolongs the running one by a quarter of an
        hour."""
        server = self._server()
        control = f"boost_function_control_{slot}"
        if slot not in SLOTS or not server.holds(control) or not server.value(control):
            return BoostAnswer.NOT_AVAILABLE
        boost = self._boosts.get(slot)
        if boost is None:
            if self.calendar_state(slot, now):
                return BoostAnswer.NOT_AVAILABLE
            self._boosts[slot] = _Boost(now, now + BOOST_STEP)
            self._switch(work, slot, closed=True, at=now)
            answer = BoostAnswer.STARTED
        elif boost.end + BOOST_STEP - boost.start > LONGEST_BOOST:
            return BoostAnswer.MAXIMUM
        else:
            boost.end += BOOST_STEP
            answer = BoostAnswer.PROLONGED
        self._keep(work)
        return answer

    def cancel_boost(self, work: Work, slot: int, now: datetime) -> BoostAnswer:
        """End a running boost."""
        if slot not in self._boosts:
            return BoostAnswer.NOT_AVAILABLE
        self._end(work, slot, now)
        return BoostAnswer.CANCELLED

    def _end(self, work: Work, slot: int, at: datetime) -> None:
        """Log a boost with both its times; its switch goes where the calendar wants it."""
        boost = self._boosts.pop(slot)
        entry: Value = {"boost_start": utc_text(boost.start), "boost_end": utc_text(at)}
        self._server().record(work, "boost_function_event_log", entry)
        self._switch(work, slot, closed=self.calendar_state(slot, at), at=at)
        self._keep(work)

    def _keep(self, work: Work) -> None:
        rows: list[Json] = []
        for slot, boost in sorted(self._boosts.items()):
            rows.append([slot, boost.start.isoformat(), boost.end.isoformat()])
        work.tx.put_json(_KEY, rows)


def _slot_and_state(selector: Value) -> tuple[int, bool] | None:
    """What a script of the calendar does to which switch; None: nothing that a switch knows."""
    match selector:
        case {"slot": int(slot), "action": str(action)}:
            return slot, action == "activate"
        case {"slot": int(slot), "action": int(number)}:
            return slot, number in {1, ACTIVATE}
        case int(number) if number >> 8 in SLOTS:
            return number >> 8, number & 0xFF in {1, ACTIVATE}
        case _:
            return None
