"""Calendars: what applies at a moment, and how one is published in parts, now, later, or never."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smetslab.devices.zcl.calendar_table import CalendarTable, CalendarView


def date_number(year: int | None, month: int | None, day: int | None) -> int:
    octets = (
        0xFF if year is None else year - 1900,
        0xFF if month is None else month,
        0xFF if day is None else day,
        0xFF,
    )
    return int.from_bytes(bytes(octets), "little")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WINTER_SUMMER = CalendarTable(
    identifier=1,
    expected=(2, 2, 3),
    seasons=((date_number(None, 4, 1), 1), (date_number(None, 10, 1), 2)),
    weeks={1: (1, 1, 1, 1, 1, 2, 2), 2: (3,) * 7},
    days={1: ((0, 1), (420, 2), (1380, 1)), 2: ((0, 3),), 3: ((0, 4), (720, 1))},
)


@pytest.mark.parametrize(
    ("time", "tier"),
    [
        ("2026-06-01 06:59:59", 1),
        ("2026-06-01 07:00:00", 2),
        ("2026-06-01 23:00:00", 1),
        ("2026-06-06 12:00:00", 3),
        ("2026-10-01 00:00:00", 4),
        ("2026-09-30 00:00:00", 1),
        ("2026-01-01 12:00:00", 1),
        ("2026-01-01 11:59:59", 4),
    ],
)
def test_season_week_and_day_decide(time: str, tier: int) -> None:
    assert CalendarView(WINTER_SUMMER).value(at(time)) == tier


def test_a_special_day_replaces_the_day_of_the_week() -> None:
    view = CalendarView(WINTER_SUMMER, ((date_number(None, 12, 25), 2), (date_number(2026, 6, 1), 3)))
    assert view.value(at("2026-06-01 07:00:00")) == 4
    assert view.value(at("2027-06-01 07:00:00")) == 2
    assert view.value(at("2030-12-25 07:00:00")) == 3


def test_the_next_switch_is_found_or_it_is_midnight() -> None:
    view = CalendarView(WINTER_SUMMER)
    assert view.next_switch(at("2026-06-01 00:00:00")) == at("2026-06-01 07:00:00")
    assert view.next_switch(at("2026-06-01 23:00:00")) == at("2026-06-02 00:00:00")
    assert view.next_switch(at("2026-06-06 10:00:00")) == at("2026-06-07 00:00:00")
    assert CalendarView(CalendarTable(identifier=0)).next_switch(at("2026-06-06 10:00:00")) is None


def test_the_value_changes_only_at_switches() -> None:
    view = CalendarView(WINTER_SUMMER)
    time = at("2026-09-28 00:00:00")
    while time < at("2026-10-03 00:00:00"):
        following = view.next_switch(time)
        assert following is not None
        middle = time + (following - time) / 2
        assert view.value(middle) == view.value(time)
        time = following


def test_a_table_survives_its_json_form() -> None:
    assert CalendarTable.from_json(WINTER_SUMMER.to_json()) == WINTER_SUMMER
