"""Calendars as they are told to who asks: heads, day profiles, week profiles, seasons, special days.

Whoever has calendars tells them alike: a gas meter over the WAN, a proxy and an electricity meter to
displays.

Spec: ZSE 1.4 D.9.2.3, D.9.2.4; GBCS use cases GCS21b, GCS21f
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from smetslab.devices.zcl.calendar_table import (
    NON_DISABLEMENT,
    REQUESTED,
    TARIFF,
    WEEKDAYS,
    CalendarTable,
    SpecialDays,
)
from smetslab.devices.zcl.model import ComponentError
from smetslab.gbcs.values import seconds_since_2000
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.foundation import Status

UTC_REFERENCE: Final = 0
_BEGINS: Final = {TARIFF: "price_tier", NON_DISABLEMENT: "friendly_credit_enable"}
"""What begins at a switching time of a calendar of each type."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HeldCalendar:
    """The calendar of one type that is in force."""

    table: CalendarTable
    special: SpecialDays = ()


class CalendarTeller:
    """The calendars of one device, by type. `time`: what its clock shows at a moment of laboratory time.

    `most`: entries of one command, where what does not fit goes into further commands; 0: all in one.
    """

    def __init__(
        self,
        held: Callable[[], Mapping[int, HeldCalendar]],
        time: Callable[[datetime], datetime],
        *,
        most: int = 0,
    ) -> None:
        self._held = held
        self._time = time
        self._most = most

    def calendars(self, now: datetime, asked: Record) -> list[Record]:
        """What Get Calendar asks for: the heads of the calendars of a type. Spec: ZSE 1.4 D.9.2.4.1."""
        kind = asked.integer("calendar_type")
        held = self._held().get(kind)
        if held is None or not held.table.days:
            raise ComponentError(Status.NOT_FOUND, f"no calendar of type {kind}")
        table = held.table
        return [
            Calendar.publish_calendar.record(
                **self._head(now, asked.integer("provider_id"), table),
                start_time=0,
                calendar_type=kind,
                calendar_time_reference=UTC_REFERENCE,
                calendar_name=b"",
                number_of_seasons=len(table.seasons),
                number_of_week_profiles=len(table.weeks),
                number_of_day_profiles=len(table.days),
            )
        ]

    def days(self, now: datetime, asked: Record) -> list[Record]:
        kind, held = self._asked(asked)
        table, what = held.table, _BEGINS[kind]
        wanted = _range(table.days, asked.integer("start_day_id"), asked.integer("number_of_days"))
        return _found(
            [
                Calendar.publish_day_profile.record(
                    **self._head(now, asked.integer("provider_id"), table),
                    day_id=number,
                    number_of_schedule_entries=len(table.days[number]),
                    command_index=index,
                    number_of_commands=count,
                    calendar_type=kind,
                    schedule_entries=[{"start_time": minute, what: value} for minute, value in entries],
                )
                for number in wanted
                for index, count, entries in parts(table.days[number], self._most)
            ]
        )

    def weeks(self, now: datetime, asked: Record) -> list[Record]:
        _, held = self._asked(asked)
        table = held.table
        wanted = _range(table.weeks, asked.integer("start_week_id"), asked.integer("number_of_weeks"))
        return _found(
            [
                Calendar.publish_week_profile.record(
                    **self._head(now, asked.integer("provider_id"), table),
                    week_id=number,
                    **dict(zip(WEEKDAYS, table.weeks[number], strict=True)),
                )
                for number in wanted
            ]
        )

    def seasons(self, now: datetime, asked: Record) -> list[Record]:
        _, held = self._asked(asked)
        return [
            Calendar.publish_seasons.record(
                **self._head(now, asked.integer("provider_id"), held.table),
                command_index=index,
                number_of_commands=count,
                season_entries=[
                    {"season_start_date": start, "season_week_id_ref": week} for start, week in entries
                ],
            )
            for index, count, entries in parts(held.table.seasons, self._most)
        ]

    def special_days(self, now: datetime, asked: Record) -> list[Record]:
        """Of the calendar that is named; where none is, of the one of the type."""
        named, kind = asked.integer("issuer_calendar_id"), asked.integer("calendar_type")
        if named:
            kind, held = self._asked(asked)
        elif kind in self._held():
            held = self._held()[kind]
        else:
            raise ComponentError(Status.NOT_FOUND, f"no special days of type {kind}")
        most = asked.integer("number_of_events")
        wanted = held.special[:most] if most else held.special
        return [
            Calendar.publish_special_days.record(
                **self._head(now, asked.integer("provider_id"), held.table),
                start_time=0,
                calendar_type=kind,
                number_of_special_days=len(held.special),
                command_index=index,
                number_of_commands=count,
                special_day_entries=[
                    {"special_day_date": day, "special_day_day_id_ref": profile} for day, profile in entries
                ],
            )
            for index, count, entries in parts(wanted, self._most)
        ]

    def _asked(self, asked: Record) -> tuple[int, HeldCalendar]:
        """The calendar that a request names, by its kind or its identifier."""
        wanted = asked.integer("issuer_calendar_id")
        for kind, held in self._held().items():
            if REQUESTED.get(wanted) == kind or held.table.identifier == wanted:
                return kind, held
        raise ComponentError(Status.NOT_FOUND, f"no calendar {wanted:08X}")

    def _head(self, now: datetime, provider: int, table: CalendarTable) -> dict[str, int]:
        return {
            "provider_id": provider,
            "issuer_event_id": seconds_since_2000(self._time(now)),
            "issuer_calendar_id": table.identifier,
        }


def parts(entries: Sequence[T], most: int) -> list[tuple[int, int, Sequence[T]]]:
    """Entries in commands of at most `most` (0: one command): index and number of commands, and its share."""
    if not most or len(entries) <= most:
        return [(0, 1, entries)]
    shares = [entries[place : place + most] for place in range(0, len(entries), most)]
    return [(index, len(shares), share) for index, share in enumerate(shares)]


def _range(held: Mapping[int, object], first: int, count: int) -> list[int]:
    """The numbers from `first` on, `count` of them; 0: all."""
    numbers = [number for number in sorted(held) if number >= first]
    return numbers[:count] if count else numbers


def _found(records: list[Record]) -> list[Record]:
    if not records:
        raise ComponentError(Status.NOT_FOUND, "no profile of that number")
    return records
