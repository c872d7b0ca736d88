"""Calendars of the Calendar cluster: published in parts, put in force as a whole, asked what applies when.

A calendar comes as Publish Calendar and then its day profiles, week profiles and seasons; it is put together
beside the one in force, and takes its place when it is complete and its time has come. Special days have a
time of their own. Times are UTC; every day profile begins at midnight.

Spec: ZSE 1.4 D.9; GBCS use cases GCS01a, GCS05, GCS21b, GCS21f
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from smetslab.devices.work import Work
from smetslab.devices.zcl.calendar_table import (
    WEEKDAYS,
    CalendarTable,
    CalendarView,
    SpecialDays,
)
from smetslab.devices.zcl.calendar_told import CalendarTeller, HeldCalendar
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, Effect, Handler, Stager, When, ZclCall
from smetslab.store import Json
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.foundation import Status

_STAGING = "calendar/staging"
"""The type of the calendar that was published last: its week profiles and seasons do not say."""

_NO_TABLE = CalendarTable(identifier=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLimits:
    """How much of a calendar a device takes. Spec: SMETS 4.6.4 (tariff switching table, non-disablement
    calendar)."""

    seasons: int
    weeks: int
    days: int
    switches: int
    special_days: int


class Calendars:
    """The calendars of one device, in its memory."""

    def __init__(
        self,
        memory: Callable[[], ZclMemory],
        limits: Mapping[int, CalendarLimits],
        device_time: Callable[[datetime], datetime],
        changed: Callable[[Work, int], None],
    ) -> None:
        """`memory` is asked when it is there; `changed` is told the type of a calendar put in force."""
        self._memory = memory
        self._limits = limits
        self._time = device_time
        self._changed = changed
        self._teller = CalendarTeller(self.held, device_time)
        self._views: dict[int, tuple[Json, Json, CalendarView]] = {}
        """By kind, with the documents that they are made from."""

    def view(self, kind: int) -> CalendarView:
        """The calendar in force."""
        document = self._memory().document
        active, special = document(_name(kind, "active")), document(_name(kind, "special"))
        known = self._views.get(kind)
        if known is not None and known[0] is active and known[1] is special:
            return known[2]
        view = CalendarView(self._table(kind, "active") or _NO_TABLE, self._special(kind))
        self._views[kind] = (active, special, view)
        return view

    # ---------------------------------------------------------------------------- bindings

    def handlers(self) -> dict[str, Handler]:
        return {
            "put_calendar_in_force": self._put_in_force,
            "put_special_days_in_force": self._put_special_days,
            "take_day_profile": self._take_day,
            "take_week_profile": self._take_week,
            "take_seasons": self._take_seasons,
            "list_day_profiles": lambda call, record: self._teller.days(call.work.now, record),
            "list_week_profiles": lambda call, record: self._teller.weeks(call.work.now, record),
            "list_seasons": lambda call, record: self._teller.seasons(call.work.now, record)[0],
            "list_special_days": lambda call, record: self._teller.special_days(call.work.now, record)[0],
        }

    def stagers(self) -> dict[str, Stager]:
        return {"stage_calendar": self._stage, "check_special_days": self._check_special_days}

    # ---------------------------------------------------------------------------- being published

    def _stage(self, call: ZclCall, record: Record, when: When) -> None:
        """Begin a calendar beside the one in force."""
        kind = record.integer("calendar_type")
        limits = self._limits.get(kind)
        expected = (
            record.integer("number_of_seasons"),
            record.integer("number_of_week_profiles"),
            record.integer("number_of_day_profiles"),
        )
        if limits is None:
            raise ComponentError(Status.INVALID_VALUE, f"calendar type {kind}")
        allowed = (limits.seasons, limits.weeks, limits.days)
        if any(wanted > most for wanted, most in zip(expected, allowed, strict=True)):
            raise ComponentError(Status.INSUFFICIENT_SPACE, f"{expected} seasons, weeks, days of {allowed}")
        table = CalendarTable(
            identifier=record.integer("issuer_calendar_id"),
            expected=expected,
            due=when is When.NOW,
            withdrawn=when is When.NEVER,
        )
        self._keep(call.work, kind, "staged", table)
        self._memory().keep(call.work, _STAGING, kind)

    def _put_in_force(self, call: ZclCall, record: Record) -> Answer:
        """The time of a calendar has come. One that is to apply at once may still lack its parts."""
        kind = record.integer("calendar_type")
        staged = self._table(kind, "staged")
        if staged is None or staged.identifier != record.integer("issuer_calendar_id"):
            raise ComponentError(Status.NOT_FOUND, "the calendar was replaced")
        if not staged.complete and not staged.due:
            raise ComponentError(Status.ACTION_DENIED, "the calendar is not complete")
        self._settle(call.work, kind, replace(staged, due=True))
        return None

    def _settle(self, work: Work, kind: int, staged: CalendarTable) -> None:
        """Keep a staged calendar, or put it in force when nothing of it is missing any more."""
        if not (staged.due and staged.complete) or staged.withdrawn:
            self._keep(work, kind, "staged", staged)
            return
        self._memory().keep(work, _name(kind, "staged"), None)
        self._keep(work, kind, "active", staged)
        work.note("CalendarInForce", calendar_type=kind, calendar=staged.identifier)
        self._changed(work, kind)

    def _part(self, call: ZclCall, record: Record, add: Callable[[CalendarTable], CalendarTable]) -> Answer:
        """A part of the calendar that is being put together; parts of a withdrawn one are let go."""
        identifier = record.integer("issuer_calendar_id")
        kind = cast("int | None", self._memory().document(_STAGING))
        staged = None if kind is None else self._table(kind, "staged")
        if kind is None or staged is None or staged.identifier != identifier:
            raise ComponentError(Status.INVALID_FIELD, f"no calendar {identifier} is being published")
        if "calendar_type" in record.shape.index and record.integer("calendar_type") != kind:
            raise ComponentError(Status.INVALID_VALUE, f"a part of a calendar of type {kind}")
        if not staged.withdrawn:
            self._settle(call.work, kind, add(staged))
        return None

    def _take_day(self, call: ZclCall, record: Record) -> Answer:
        if record.integer("calendar_type") not in self._limits:
            raise ComponentError(Status.INVALID_VALUE, f"calendar type {record.integer('calendar_type')}")
        entries = record.records("schedule_entries")
        if len(entries) != record.integer("number_of_schedule_entries"):
            raise ComponentError(Status.INVALID_VALUE, "number of schedule entries")
        limits = self._limits[record.integer("calendar_type")]
        names = [name for name in entries[0].shape.names if name != "start_time"] if entries else []
        switches = tuple((entry.integer("start_time"), entry.integer(names[0])) for entry in entries)
        if len(switches) > limits.switches or any(minute >= 24 * 60 for minute, _ in switches):
            raise ComponentError(Status.INVALID_VALUE, f"{len(switches)} switches")
        if not switches or switches[0][0]:
            raise ComponentError(Status.INVALID_VALUE, "a day begins at midnight")
        number = record.integer("day_id")
        return self._part(call, record, lambda table: replace(table, days={**table.days, number: switches}))

    def _take_week(self, call: ZclCall, record: Record) -> Answer:
        number = record.integer("week_id")
        days = tuple(record.integer(name) for name in WEEKDAYS)
        return self._part(call, record, lambda table: replace(table, weeks={**table.weeks, number: days}))

    def _take_seasons(self, call: ZclCall, record: Record) -> Answer:
        seasons = tuple(
            (entry.integer("season_start_date"), entry.integer("season_week_id_ref"))
            for entry in record.records("season_entries")
        )
        return self._part(call, record, lambda table: replace(table, seasons=table.seasons + seasons))

    def _check_special_days(self, call: ZclCall, record: Record, when: When) -> None:
        del call, when
        limits = self._limits.get(record.integer("calendar_type"))
        entries = record.records("special_day_entries")
        if limits is None or len(entries) != record.integer("number_of_special_days"):
            raise ComponentError(Status.INVALID_VALUE, "special days")
        if len(entries) > limits.special_days:
            raise ComponentError(Status.INSUFFICIENT_SPACE, f"{len(entries)} of {limits.special_days}")

    def _put_special_days(self, call: ZclCall, record: Record) -> Answer:
        kind = record.integer("calendar_type")
        days = [
            [entry.integer("special_day_date"), entry.integer("special_day_day_id_ref")]
            for entry in record.records("special_day_entries")
        ]
        self._memory().keep(call.work, _name(kind, "special"), cast("Json", days))
        self._changed(call.work, kind)
        return None

    def fill(self, work: Work, kind: int, table: CalendarTable, special: SpecialDays) -> None:
        """Give a new device a calendar in force."""
        self._keep(work, kind, "active", table)
        self._memory().keep(work, _name(kind, "special"), cast("Json", [list(day) for day in special]))

    # ---------------------------------------------------------------------------- being asked for

    def held(self) -> dict[int, HeldCalendar]:
        """The calendars in force, by type."""
        found: dict[int, HeldCalendar] = {}
        for kind in self._limits:
            view = self.view(kind)
            if view.table is not _NO_TABLE:
                found[kind] = HeldCalendar(view.table, view.special)
        return found

    # ---------------------------------------------------------------------------- memory

    def _table(self, kind: int, which: str) -> CalendarTable | None:
        record = self._memory().document(_name(kind, which))
        return None if record is None else CalendarTable.from_json(record)

    def _keep(self, work: Work, kind: int, which: str, table: CalendarTable) -> None:
        self._memory().keep(work, _name(kind, which), table.to_json())

    def _special(self, kind: int) -> SpecialDays:
        days = cast("list[list[int]]", self._memory().document(_name(kind, "special")) or [])
        return tuple((day, profile) for day, profile in days)


def _name(kind: int, which: str) -> str:
    return f"calendar/{kind}/{which}"


CALENDAR_EFFECTS = {
    Calendar.publish_calendar: Effect(
        stages="stage_calendar", calls="put_calendar_in_force", slot="calendar_type"
    ),
    Calendar.publish_day_profile: Effect(calls="take_day_profile"),
    Calendar.publish_week_profile: Effect(calls="take_week_profile"),
    Calendar.publish_seasons: Effect(calls="take_seasons"),
    Calendar.publish_special_days: Effect(
        stages="check_special_days", calls="put_special_days_in_force", slot="calendar_type"
    ),
    Calendar.get_day_profiles: Effect(calls="list_day_profiles"),
    Calendar.get_week_profiles: Effect(calls="list_week_profiles"),
    Calendar.get_seasons: Effect(calls="list_seasons"),
    Calendar.get_special_days: Effect(calls="list_special_days"),
}
"""What the commands of the Calendar cluster do on a device that has `Calendars`."""
