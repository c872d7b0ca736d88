"""Notations of one value in a request and in a command, there and back."""

from __future__ import annotations

import calendar
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.duis.srv import forms
from smetslab.duis.srv.forms import Form
from smetslab.duis.srv.simple import Refusal
from smetslab.gbcs.values import IMMEDIATE, NEVER, Value


@pytest.mark.parametrize(
    ("form", "element", "parameter"),
    [
        (forms.SAME, -5, -5),
        (forms.words({"GBP": "GBP", "ECB": "EUR"}), "ECB", "EUR"),
        (forms.words({"One": 1}), "One", 1),
        (forms.offset(100), 3, 103),
        (forms.offset(-1), 1, 0),
        (forms.ranged(1, 48), 48, 48),
        (forms.NUMBERED, [{"@index": 1, "value": 7}, {"@index": 2, "value": 5}], [7, 5]),
        (forms.scaled(4), "6.5535", 65535),
        (forms.scaled(2), "100.00", 10000),
        (forms.scaled(5, 5), "0.00001", 1),
        (forms.OCTET, 10, "0A"),
        (forms.MINUTES, "23:59:00", 1439),
        (forms.ACTIVATION, "3000-12-31T00:00:00Z", NEVER),
        (forms.ACTIVATION, "2030-01-15T09:00:00Z", "2030-01-15T09:00:00Z"),
        (forms.CHARACTERS, "Ann's 5% £", "Ann's 5% £"),
        (forms.CHARACTERS, "hex:41", "hex:6865783A3431"),
        (forms.CHARACTERS, "two\nlines", "hex:74776F0A6C696E6573"),
        (forms.WEEKDAYS, {"DayOfWeekApplicability": [{"DayOfWeekID": "Monday"}]}, "1000000"),
        (forms.WEEKDAYS, {}, "0000000"),
    ],
)
def test_one_value_in_two_notations(form: Form, element: Value, parameter: Value) -> None:
    assert form.to_parameter(element) == parameter
    assert form.to_element(parameter) == element


@pytest.mark.parametrize(
    ("form", "element"),
    [
        (forms.words({"GBP": "GBP"}), "USD"),
        (forms.words({"GBP": "GBP"}), ["GBP"]),
        (forms.offset(1), "1"),
        (forms.ranged(1, 48), 0),
        (forms.ranged(1, 48), 49),
        (forms.NUMBERED, [{"@index": 1, "value": 7}, {"@index": 3, "value": 5}]),
        (forms.NUMBERED, [{"@index": 1, "value": 7}, {"@index": 1, "value": 5}]),
        (forms.OCTET, 256),
        (forms.MINUTES, "23:59:59"),
        (
            forms.WEEKDAYS,
            {"DayOfWeekApplicability": [{"DayOfWeekID": "Monday"}, {"DayOfWeekID": "Monday"}]},
        ),
    ],
)
def test_what_a_command_cannot_say_is_refused(form: Form, element: Value) -> None:
    with pytest.raises(Refusal):
        form.to_parameter(element)


@pytest.mark.parametrize(
    ("form", "parameter"),
    [
        (forms.words({"GBP": "GBP"}), "EUR"),
        (forms.offset(100), 3),
        (forms.offset(1), None),
        (forms.NUMBERED, []),
        (forms.NUMBERED, 5),
        (forms.scaled(2), "1"),
        (forms.OCTET, "0A0B"),
        (forms.MINUTES, 1440),
        (forms.MINUTES, "0"),
        (forms.WEEKDAYS, "10"),
        (forms.WEEKDAYS, "100000x"),
        (forms.DATE, "yesterday"),
        (forms.MIDNIGHT, "2030-01-15T00:00:01Z"),
        (forms.GAS_DATE, 5),
    ],
)
def test_what_no_request_asks_for_is_refused(form: Form, parameter: Value) -> None:
    with pytest.raises(Refusal):
        form.to_element(parameter)


@given(st.integers(-(10**9), 10**9), st.integers(0, 5))
def test_a_decimal_number_is_a_whole_number_of_its_last_digit(number: int, digits: int) -> None:
    form = forms.scaled(digits)
    assert form.to_parameter(form.to_element(number)) == number


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert forms.CHARACTERS.to_element(forms.CHARACTERS.to_parameter(text)) == text


def test_a_time_of_execution_says_when() -> None:
    assert forms.ACTIVATION.to_parameter("2030-01-15T09:00:00Z") != IMMEDIATE


# Dates ------------------------------------------------------------------------------------------------------

YEARS = st.none() | st.integers(1900, 2154)
MONTHS = st.none() | st.integers(1, 12)
DAYS = st.sampled_from(["last", "second last", None]) | st.integers(1, 31)
WEEK_DAYS = st.none() | st.integers(1, 7)


def date(names: Any, year: Any, month: Any, day: Any, week_day: Any) -> Value:
    """A date structure of DUIS."""
    if day in {"last", "second last"}:
        day_of_month: Value = {"LastDayOfMonth" if day == "last" else "SecondLastDayOfMonth": True}
    else:
        day_of_month = {names.any_day: True} if day is None else {"SpecifiedDayOfMonth": day}
    return {
        names.year: {"NonSpecifiedYear": True} if year is None else {"SpecifiedYear": year},
        names.month: {"NonSpecifiedMonth": True} if month is None else {"SpecifiedMonth": month},
        names.day: day_of_month,
        names.week_day: {"NonSpecifiedDayOfWeek": True}
        if week_day is None
        else {"SpecifiedDayOfWeek": week_day},
    }


def comes(year: int | None, month: int | None, day: object) -> bool:
    if not isinstance(day, int) or month is None:
        return True
    return day <= calendar.monthrange(2000 if year is None else year, month)[1]


@given(YEARS, MONTHS, DAYS, WEEK_DAYS)
def test_dates_of_electricity_come_back(year: Any, month: Any, day: Any, week_day: Any) -> None:
    element = date(forms.ELECTRICITY_NAMES, year, month, day, week_day)
    for form in (forms.DATE, forms.MIDNIGHT):
        if comes(year, month, day):
            assert form.to_element(form.to_parameter(element)) == element
        else:
            with pytest.raises(Refusal, match="a day that the month has"):
                form.to_parameter(element)


@given(YEARS, MONTHS, st.none() | st.integers(1, 31), WEEK_DAYS)
def test_dates_of_gas_come_back(year: Any, month: Any, day: Any, week_day: Any) -> None:
    element = date(forms.GAS_NAMES, year, month, day, week_day)
    if comes(year, month, day):
        assert forms.GAS_DATE.to_element(forms.GAS_DATE.to_parameter(element)) == element


@pytest.mark.parametrize(
    ("form", "given", "parameter"),
    [
        (forms.DATE, (2030, 1, 15, None), "2030-01-15"),
        (forms.DATE, (None, 2, 29, None), "*-02-29"),
        (forms.MIDNIGHT, (2030, 1, 15, None), "2030-01-15T00:00:00Z"),
    ],
)
def test_dates_read_as_people_write_them(form: Form, given: tuple[Any, ...], parameter: str) -> None:
    assert form.to_parameter(date(forms.ELECTRICITY_NAMES, *given)) == parameter


def test_a_year_that_four_octets_cannot_say_is_refused() -> None:
    with pytest.raises(Refusal, match="a year up to 2154"):
        forms.GAS_DATE.to_parameter(date(forms.GAS_NAMES, 2155, 1, 1, None))


@given(st.sets(st.sampled_from(["Monday", "Wednesday", "Sunday"])))
def test_days_of_the_week_come_back(days: set[str]) -> None:
    ordered: list[Value] = [{"DayOfWeekID": day} for day in ("Monday", "Wednesday", "Sunday") if day in days]
    element: Value = {"DayOfWeekApplicability": ordered} if ordered else {}
    assert forms.WEEKDAYS.to_element(forms.WEEKDAYS.to_parameter(element)) == element
