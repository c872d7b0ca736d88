"""Calendars of the Calendar cluster: published in parts, put in force as a whole, asked what applies when.

A calendar comes as Publish Calendar and then its day profiles, week profiles and seasons; it is put together
beside the one in force, and takes its place when it is complete and its time has come. Special days have a
time of their own. Times are UTC; every day profile begins at midnight.

Spec: ZSE 1.4 D.9; GBCS use cases GCS01a, GCS05, GCS21b, GCS21f
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import cast

from smetslab.devices.work import Work
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, Effect, Handler, Stager, When, ZclCall
from smetslab.gbcs.values import seconds_since_2000
from smetslab.store import Json
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.foundation import Status

TARIFF, NON_DISABLEMENT = 0, 3
"""Calendar types that a gas meter has. Spec: ZSE 1.4 D.9.2.3.1."""
REQUESTED = {0xFFFFFFFF: TARIFF, 0xFFFFFFFE: NON_DISABLEMENT}
"""What a request asks for that does not name a calendar. Spec: GBCS use cases GCS21f, GCS21b."""

_STAGING = "calendar/staging"
"""The type of the calendar that was published last: its week profiles and seasons do not say."""
_ANY = 0xFF
_FIRST_YEAR = 1900
_DAY = timedelta(days=1)
_DAYS_KEPT = 8
_WEEKDAYS = tuple(
    f"day_id_ref_{name}"
    for name in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLimits:
    """How much of a calendar a device takes. Spec: SMETS 4.6.4 (tariff switching table, non-disablement
    calendar)."""

    seasons: int
    weeks: int
    days: int
    switches: int
    special_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarTable:
    """One calendar. Dates are ZCL dates as numbers; switches are minutes after midnight with what begins.

    `expected`: numbers of seasons, week profiles and day profiles. `due`: its time has come, it is put in
    force as soon as it is complete. `withdrawn`: it was cancelled, its parts mean nothing.
    """

    identifier: int
    expected: tuple[int, int, int] = (0, 0, 0)
    seasons: tuple[tuple[int, int], ...] = ()
    weeks: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    days: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    due: bool = False
    withdrawn: bool = False

    @property
    def complete(self) -> bool:
        return (len(self.seasons), len(self.weeks), len(self.days)) == self.expected

    def to_json(self) -> dict[str, Json]:
        record = asdict(self)
        record["weeks"] = [[number, list(days)] for number, days in self.weeks.items()]
        record["days"] = [[number, [list(s) for s in switches]] for number, switches in self.days.items()]
        return cast("dict[str, Json]", record)

    @classmethod
    def from_json(cls, record: Json) -> CalendarTable:
        """What `to_json` made."""
        found = cast("dict[str, object]", record)
        seasons = cast("list[list[int]]", found["seasons"])
        weeks = cast("list[tuple[int, list[int]]]", found["weeks"])
        days = cast("list[tuple[int, list[list[int]]]]", found["days"])
        first, second, third = cast("list[int]", found["expected"])
        return cls(
            identifier=cast("int", found["identifier"]),
            expected=(first, second, third),
            seasons=tuple((start, week) for start, week in seasons),
            weeks={number: tuple(refs) for number, refs in weeks},
            days={number: tuple((minute, what) for minute, what in rows) for number, rows in days},
            due=bool(found["due"]),
            withdrawn=bool(found["withdrawn"]),
        )


SpecialDays = tuple[tuple[int, int], ...]
"""Dates as numbers, with the day profile that replaces that of the week."""


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar with its special days, asked what applies."""

    table: CalendarTable
    special: SpecialDays = ()
    _days: dict[date, tuple[tuple[int, int], ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """The switches of days that somebody has asked for."""

    def value(self, time: datetime) -> int | None:
        """What applies at a moment of the device's time; None when the calendar says nothing."""
        minute = time.hour * 60 + time.minute
        begun = [what for start, what in self._switches(time.date()) if start <= minute]
        return begun[-1] if begun else None

    def next_switch(self, time: datetime) -> datetime | None:
        """The next moment at which something else may apply; None when nothing ever does."""
        if not self.table.days:
            return None
        midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
        for minute, _ in self._switches(time.date()):
            moment = midnight + timedelta(minutes=minute)
            if moment > time:
                return moment
        return midnight + _DAY

    def _switches(self, day: date) -> tuple[tuple[int, int], ...]:
        """In the order of time."""
        known = self._days.get(day)
        if known is None:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            known = tuple(sorted(self.table.days.get(self._day_identifier(day), ())))
            self._days[day] = known
        return known

    def _day_identifier(self, day: date) -> int:
        for number, identifier in self.special:
            if _matches(number, day):
                return identifier
        week = self.table.weeks.get(self._week(day))
        return 0 if week is None else week[day.weekday()]

    def _week(self, day: date) -> int:
        """The week profile of the season that started last; a start without a year comes back every year."""
        latest: tuple[date, int] | None = None
        for number, week in self.table.seasons:
            year, month, day_of_month = _parts(number)
            years = (day.year, day.year - 1) if year is None else (year,)
            for candidate in years:
                start = _date(candidate, month, day_of_month)
                if start is not None and start <= day and (latest is None or start > latest[0]):
                    latest = (start, week)
        return 0 if latest is None else latest[1]


def _parts(number: int) -> tuple[int | None, int | None, int | None]:
    """Year, month, day of a ZCL date; None: any. Spec: ZCL 2.6.2.20."""
    year, month, day, _ = number.to_bytes(4, "little")
    return (
        None if year == _ANY else _FIRST_YEAR + year,
        None if month == _ANY else month,
        None if day == _ANY else day,
    )


def _date(year: int, month: int | None, day: int | None) -> date | None:
    """None for a date that the year does not have."""
    try:
        return date(year, month or 1, day or 1)
    except ValueError:
        return None


def _matches(number: int, day: date) -> bool:
    return all(
        wanted is None or wanted == found
        for wanted, found in zip(_parts(number), (day.year, day.month, day.day), strict=True)
    )


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
        self._views: dict[int, tuple[Json, Json, CalendarView]] = {}
        """By kind, with the documents that they are made from."""

    def view(self, kind: int) -> CalendarView:
        """The calendar in force."""
        document = self._memory().document
        active, special = document(_name(kind, "active")), document(_name(kind, "special"))
        known = self._views.get(kind)
        if known is not None and known[0] is active and known[1] is special:
            return known[2]
        view = CalendarView(self._table(kind, "active") or CalendarTable(identifier=0), self._special(kind))
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
            "list_day_profiles": self._list_days,
            "list_week_profiles": self._list_weeks,
            "list_seasons": self._list_seasons,
            "list_special_days": self._list_special_days,
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
        days = tuple(record.integer(name) for name in _WEEKDAYS)
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

    def _asked(self, record: Record) -> tuple[int, CalendarTable]:
        """The calendar that a request names, by its kind or its identifier."""
        wanted = record.integer("issuer_calendar_id")
        for kind in self._limits:
            table = self._table(kind, "active")
            if table is not None and (REQUESTED.get(wanted) == kind or table.identifier == wanted):
                return kind, table
        raise ComponentError(Status.NOT_FOUND, f"no calendar {wanted:08X}")

    def _head(self, call: ZclCall, record: Record, table: CalendarTable) -> dict[str, int]:
        return {
            "provider_id": record.integer("provider_id"),
            "issuer_event_id": seconds_since_2000(self._time(call.work.now)),
            "issuer_calendar_id": table.identifier,
        }

    def _list_days(self, call: ZclCall, record: Record) -> Answer:
        kind, table = self._asked(record)
        what = "price_tier" if kind == TARIFF else "friendly_credit_enable"
        wanted = _range(table.days, record.integer("start_day_id"), record.integer("number_of_days"))
        return _found(
            [
                Calendar.publish_day_profile.record(
                    **self._head(call, record, table),
                    day_id=number,
                    number_of_schedule_entries=len(table.days[number]),
                    command_index=0,
                    number_of_commands=1,
                    calendar_type=kind,
                    schedule_entries=[
                        {"start_time": minute, what: value} for minute, value in table.days[number]
                    ],
                )
                for number in wanted
            ]
        )

    def _list_weeks(self, call: ZclCall, record: Record) -> Answer:
        _, table = self._asked(record)
        wanted = _range(table.weeks, record.integer("start_week_id"), record.integer("number_of_weeks"))
        return _found(
            [
                Calendar.publish_week_profile.record(
                    **self._head(call, record, table),
                    week_id=number,
                    **dict(zip(_WEEKDAYS, table.weeks[number], strict=True)),
                )
                for number in wanted
            ]
        )

    def _list_seasons(self, call: ZclCall, record: Record) -> Answer:
        _, table = self._asked(record)
        return Calendar.publish_seasons.record(
            **self._head(call, record, table),
            command_index=0,
            number_of_commands=1,
            season_entries=[
                {"season_start_date": start, "season_week_id_ref": week} for start, week in table.seasons
            ],
        )

    def _list_special_days(self, call: ZclCall, record: Record) -> Answer:
        kind, table = self._asked(record)
        days = self._special(kind)
        most = record.integer("number_of_events")
        return Calendar.publish_special_days.record(
            **self._head(call, record, table),
            start_time=0,
            calendar_type=kind,
            number_of_special_days=len(days),
            command_index=0,
            number_of_commands=1,
            special_day_entries=[
                {"special_day_date": day, "special_day_day_id_ref": profile}
                for day, profile in (days[:most] if most else days)
            ],
        )

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


def _range(held: Mapping[int, object], first: int, count: int) -> list[int]:
    """The numbers from `first` on, `count` of them; 0: all."""
    numbers = [number for number in sorted(held) if number >= first]
    return numbers[:count] if count else numbers


def _found(records: list[Record]) -> list[Record]:
    if not records:
        raise ComponentError(Status.NOT_FOUND, "no profile of that number")
    return records


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
