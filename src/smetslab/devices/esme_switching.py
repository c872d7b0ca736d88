"""Where the auxiliary switches of an ESME are: what a command has set for a period, the boost button, their
calendar.

The first of these that says something wins: a period, a boost, the calendar; a command without a period holds
until the calendar's next switch, and a switch of which nobody says anything is open. A boost runs in steps of
a quarter of an hour up to an hour. Calendar switching is delayed by the randomised offset.

What becomes of a switch of the meter's own is known when it moves. An HCALCS is commanded over the HAN: its
entry of the log has outcome 0, and a second one with the same command id follows when it is known.

Spec: SMETS 5.22, 5.26, 5.29; GBCS use cases ECS47, ECS47a, ECS35f. The order of precedence is unverified, the
dialogue of the boost button is a maker's.
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

ACTIVATE, DEACTIVATE, RESET = 0x11, 0x12, 0x20
"""Actions of ECS47, and of the log. Spec: GBCS use case ECS47."""
BOOST_STEP: Final = timedelta(minutes=15)
LONGEST_BOOST: Final = timedelta(minutes=60)
EMPTY: Final = "empty"
BUILT_IN: Final = frozenset({EMPTY, "ALCS", "APC"})
"""What stands in a slot that belongs to no other device."""
UNKNOWN, DONE, FAILED = 0, 1, 2
"""Outcomes of the log. Spec: GBCS use case ECS35f."""
_OUTCOME_KNOWN: Final = 0x00
"""What the log has for an action where an entry tells of the outcome of an earlier one."""
_KEY, _PERIODS, _LEVELS, _COMMANDS = "aux/switching", "aux/periods", "aux/levels", "aux/commands"
_DAYS_AHEAD = 8
_FULL: Final = 100
_OUTPUT: Final = 0x10
_BEGINS, _ENDS, _BOOST_ENDS, _CALENDAR = range(4)
"""What happens to a switch, in the order of one moment. Unverified."""


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


@dataclass(slots=True)
class _HanCommand:
    """The last command to an HCALCS that stands in a slot. `number`: its Unix time, a second more where two
    have the same."""

    number: int
    answered: bool = False


@dataclass(slots=True, kw_only=True)
class Period:
    """What a command has set a controller to, by the device's time. `place`: direction and slot, one octet,
    the slot alone for a switch; `level` in percent; without an `end` it lasts until a command ends it."""

    place: int
    level: int
    start: datetime
    end: datetime | None
    begun: bool = False

    @property
    def slot(self) -> int:
        return self.place & 0x0F

    def over(self, at: datetime) -> bool:
        return self.end is not None and self.end <= at

    def to_json(self) -> Json:
        end = None if self.end is None else self.end.isoformat()
        return [self.place, self.level, self.start.isoformat(), end, self.begun]

    @classmethod
    def from_json(cls, record: Json) -> Period:
        """What `to_json` made. Raises ValueError on anything else."""
        match record:
            case [int(place), int(level), str(start), str() | None as end, bool(begun)]:
                return cls(
                    place=place,
                    level=level,
                    start=datetime.fromisoformat(start),
                    end=None if end is None else datetime.fromisoformat(end),
                    begun=begun,
                )
            case _:
                raise ValueError("not the period of a controller")


class AuxiliarySwitching:
    """The switches and levels of one meter. Times are the device's."""

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
        kept = nvm.get_json(_PERIODS)
        periods = [Period.from_json(row) for row in kept] if isinstance(kept, list) else []
        self._periods = {period.slot: period for period in periods}
        kept = nvm.get_json(_LEVELS)
        levels = kept.items() if isinstance(kept, dict) else ()
        self._levels = {int(place): level for place, level in levels if isinstance(level, int)}
        self._commands: dict[int, _HanCommand] = {}
        kept = nvm.get_json(_COMMANDS)
        for row in kept if isinstance(kept, list) else []:
            match row:
                case [int(slot), int(number), bool(answered)]:
                    self._commands[slot] = _HanCommand(number, answered)

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
        """When `tick` is due; None: there is neither a calendar, nor a boost, nor a period."""
        if self._next is None:
            horizon = now + timedelta(days=_DAYS_AHEAD)
            ahead = [at for at, _, _ in self._due(self._reached, horizon)[:1]]
            self._next = ahead[0] if ahead else horizon
        bounds = [at for at, _, _, _ in self._bounds()]
        return min([*bounds, self._next]) if bounds or self._switches_any else None

    @property
    def _switches_any(self) -> bool:
        server = self._server()
        return server.holds("auxiliary_calendar") and server.value("auxiliary_calendar") != []

    def _bounds(self) -> list[tuple[datetime, int, int, bool]]:
        """When periods begin and end, and boosts end: time, what happens, slot, the state that nobody asks
        for here."""
        found = [(boost.end, _BOOST_ENDS, slot, False) for slot, boost in self._boosts.items()]
        for slot, period in self._periods.items():
            if not period.begun:
                found.append((period.start, _BEGINS, slot, False))
            if period.end is not None:
                found.append((period.end, _ENDS, slot, False))
        return found

    def tick(self, work: Work, now: datetime) -> None:
        """Do what is due, in the order of time."""
        self._next = None
        due = [bound for bound in self._bounds() if bound[0] <= now]
        for at, slot, state in self._due(self._reached, now)[-AUXILIARY_LOG_ENTRIES:]:
            due.append((at, _CALENDAR, slot, state))
        for at, what, slot, state in sorted(due):
            if what == _BEGINS:
                self._begin(work, slot, at)
            elif what == _ENDS:
                self.release(work, slot, at)
            elif what == _BOOST_ENDS:
                self._end(work, slot, at)
            elif self._commanded(slot, at) is None and not self._boosted(slot, at):
                self._move(work, slot, level=_FULL if state else 0, at=at)
        self._reached = max(self._reached, now)

    def _boosted(self, slot: int, at: datetime) -> bool:
        boost = self._boosts.get(slot)
        return boost is not None and at < boost.end

    def _commanded(self, slot: int, at: datetime) -> Period | None:
        """The period that a slot is in, None outside one."""
        period = self._periods.get(slot)
        return period if period is not None and period.begun and not period.over(at) else None

    # ---------------------------------------------------------------------------- commands

    def set_period(self, work: Work, period: Period, now: datetime) -> None:
        """A command sets a controller for a period, in place of an earlier one; a period that is over sets
        nothing."""
        if not period.over(now):
            self._periods[period.slot] = period
            self._keep(work)
            if period.start <= now:
                self._begin(work, period.slot, now)

    def release(self, work: Work, slot: int, at: datetime, *, by_command: bool = False) -> None:
        """The period of a slot is over, or was taken back: boost or calendar have the switch again."""
        if self._periods.pop(slot, None) is not None:
            self._keep(work)
        if by_command:
            self._move(work, slot, level=self._scheduled_level(slot, at), at=at, action=RESET)
        else:
            self._return(work, slot, at)

    def set_until_next_switch(self, work: Work, place: int, level: int, now: datetime) -> None:
        """A command without a period: it holds until the calendar's next switch."""
        self._periods.pop(place & 0x0F, None)
        self._move(work, place, level=level, at=now)

    def period(self, slot: int) -> Period | None:
        """What a command has set a slot to, now or later."""
        return self._periods.get(slot)

    def level(self, place: int) -> int:
        """The level of a controller, in percent."""
        return self._levels.get(place, 0)

    def _begin(self, work: Work, slot: int, at: datetime) -> None:
        period = self._periods[slot]
        period.begun = True
        self._move(work, period.place, level=period.level, at=at)

    def _return(self, work: Work, slot: int, at: datetime) -> None:
        """A switch goes where boost or calendar want it, if it is not there."""
        level = self._scheduled_level(slot, at)
        state = self._server().value(f"auxiliary_controller_{slot}_switch_state")
        if state != bool(level) or self.level(_OUTPUT | slot) != level:
            self._move(work, slot, level=level, at=at)

    def _scheduled_level(self, slot: int, at: datetime) -> int:
        return _FULL if self._boosted(slot, at) or self.calendar_state(slot, at) else 0

    def _move(self, work: Work, place: int, *, level: int, at: datetime, action: int | None = None) -> None:
        """A controller goes to a level, and a switch is closed or opened; both are kept and logged, as
        `action` where that says more."""
        server, slot = self._server(), place & 0x0F
        directed = place if place >> 4 else _OUTPUT | slot
        for direction in (0x10, 0x20):
            self._levels.pop(direction | slot, None)
        self._levels[directed] = level
        moved = ACTIVATE if level else DEACTIVATE
        server.put(work, f"auxiliary_controller_{slot}_switch_state", level > 0)
        command = self._commanded_over_han(slot, at)
        outcome = DONE if command == 0 else UNKNOWN
        self._record(work, at, (slot, moved if action is None else action), outcome, command)
        self._keep(work)

    def _record(
        self, work: Work, at: datetime, switched: tuple[int, int], outcome: int, command: int
    ) -> None:
        """Log an entry; `switched`: slot and action."""
        slot, action = switched
        entry: Value = {
            "timestamp": utc_text(at),
            "switch_number_and_action": {"slot": slot, "action": action},
            "outcome": outcome,
            "han_command_id": command,
        }
        self._server().record(work, "auxiliary_controller_event_log", entry)

    # ---------------------------------------------------------------------------- HCALCS

    def _commanded_over_han(self, slot: int, at: datetime) -> int:
        """A new command id for the HCALCS in a slot; 0 where the switch is the meter's own."""
        server, name = self._server(), f"auxiliary_controller_{slot}_type_and_identifier"
        if not server.holds(name) or server.value(name) in BUILT_IN:
            self._commands.pop(slot, None)
            return 0
        newest = max((command.number for command in self._commands.values()), default=0)
        number = max(int(at.timestamp()), newest + 1)
        self._commands[slot] = _HanCommand(number)
        return number

    def command_id(self, slot: int) -> int:
        """The id of the last command to the HCALCS in a slot, 0 when there was none."""
        command = self._commands.get(slot)
        return 0 if command is None else command.number

    def outcome(self, work: Work, command_id: int, at: datetime, *, done: bool) -> bool:
        """The outcome of a command is known: it is logged once. False: it was not awaited."""
        for slot, command in self._commands.items():
            if command.number == command_id and not command.answered:
                command.answered = True
                self._record(work, at, (slot, _OUTCOME_KNOWN), DONE if done else FAILED, command_id)
                self._keep(work)
                return True
        return False

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
            if self.calendar_state(slot, now) or self._commanded(slot, now) is not None:
                return BoostAnswer.NOT_AVAILABLE
            self._boosts[slot] = _Boost(now, now + BOOST_STEP)
            self._move(work, slot, level=_FULL, at=now)
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
        """Log a boost with both its times; its switch goes where the calendar wants it, if no command has
        it."""
        boost = self._boosts.pop(slot)
        entry: Value = {"boost_start": utc_text(boost.start), "boost_end": utc_text(at)}
        self._server().record(work, "boost_function_event_log", entry)
        if self._commanded(slot, at) is None:
            self._return(work, slot, at)
        self._keep(work)

    def _keep(self, work: Work) -> None:
        rows: list[Json] = []
        for slot, boost in sorted(self._boosts.items()):
            rows.append([slot, boost.start.isoformat(), boost.end.isoformat()])
        work.tx.put_json(_KEY, rows)
        work.tx.put_json(_PERIODS, [period.to_json() for _, period in sorted(self._periods.items())])
        commands: list[Json] = []
        for slot, command in sorted(self._commands.items()):
            commands.append([slot, command.number, command.answered])
        work.tx.put_json(_COMMANDS, commands)
        work.tx.put_json(_LEVELS, {str(place): level for place, level in sorted(self._levels.items())})


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
