"""How a value of an element and a value of a command say the same thing: one form for each pair of notations.

Both directions refuse what the other side cannot say.

Spec: GBCS 7.3 and 9.2 (dates), 7.2.9 (GBZ dates); DUIS schema 5.4 (date structures).
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from smetslab.duis.srv.simple import Refusal
from smetslab.errors import GbcsEncodeError, ZclEncodeError
from smetslab.gbcs.values import (
    HEX_PREFIX,
    IMMEDIATE,
    NEVER,
    Value,
    date_from_text,
    date_time_from_text,
    date_time_to_text,
    date_to_text,
    from_hex,
    parse_utc,
    to_hex,
)
from smetslab.zigbee.zcl.named import DateForm

CANCELLATION: Final = "3000-12-31T00:00:00Z"
"""The execution time that cancels. Spec: DUIS, cancellation of future-dated requests; 20 published
templates.
"""

_ANY, _ANY_YEAR = 0xFF, 0xFFFF
_LAST_DAY, _SECOND_LAST_DAY = 0xFE, 0xFD
_MIDNIGHT: Final = bytes.fromhex("000000008000FF")
_ZCL_DATE: Final = DateForm()


@dataclass(frozen=True, slots=True)
class Form:
    """Two notations of one thing. Both functions raise Refusal."""

    to_parameter: Callable[[Value], Value]
    to_element: Callable[[Value], Value]


def _same(value: Value) -> Value:
    return value


SAME: Final = Form(_same, _same)
"""Integers are never scaled, words are the same words."""


def _characters(value: Value) -> Value:
    if isinstance(value, str) and (value.startswith(HEX_PREFIX) or not value.isprintable()):
        return HEX_PREFIX + to_hex(value.encode())
    return value


def _from_characters(value: Value) -> Value:
    if isinstance(value, str) and value.startswith(HEX_PREFIX):
        return from_hex(value, "text").decode("utf-8", errors="replace")
    return value


CHARACTERS: Final = Form(_characters, _from_characters)
"""A text that people wrote, as named values show texts: what is not printable, or begins like the mark of
octets, by its octets.
"""


def words(pairs: Mapping[str, str | int]) -> Form:
    """Each word of the schema has one in the command."""
    forward: dict[object, Value] = {element: parameter for element, parameter in pairs.items()}
    backward: dict[object, Value] = {parameter: element for element, parameter in pairs.items()}

    def to(table: Mapping[object, Value], value: Value) -> Value:
        if isinstance(value, list | dict) or value not in table:
            raise Refusal(" or ".join(str(known) for known in table))
        return table[value]

    return Form(lambda value: to(forward, value), lambda value: to(backward, value))


def offset(base: int) -> Form:
    """A number counted from another start: TOU 3 is script 203."""

    def plus(value: Value) -> Value:
        if not isinstance(value, int):
            raise Refusal("a number")
        return value + base

    def minus(value: Value) -> Value:
        if not isinstance(value, int) or value < base:
            raise Refusal("a number")
        return value - base

    return Form(plus, minus)


def _numbered(value: Value) -> Value:
    items = value if isinstance(value, list) else []
    numbered = {item["@index"]: item["value"] for item in items if isinstance(item, dict)}
    if sorted(numbered, key=str) != sorted(range(1, len(items) + 1), key=str):
        raise Refusal(f"the indices 1 to {len(items)}, each once")
    return [numbered[index] for index in range(1, len(items) + 1)]


def _from_numbered(value: Value) -> Value:
    if not isinstance(value, list) or not value:
        raise Refusal("a list")
    return [{"@index": index, "value": item} for index, item in enumerate(value, start=1)]


NUMBERED: Final = Form(_numbered, _from_numbered)
"""Elements numbered from 1 by their index, as a list in that order."""


def ranged(low: int, high: int) -> Form:
    """A number of which the command can say only these."""

    def check(value: Value) -> Value:
        if not isinstance(value, int) or not low <= value <= high:
            raise Refusal(f"{low} to {high}")
        return value

    return Form(check, check)


def scaled(digits: int, shown: int | None = None) -> Form:
    """A decimal number as a whole number of its last digit; the element shows `shown` digits."""

    def up(value: Value) -> Value:
        return int(Decimal(str(value)).scaleb(digits))

    def down(value: Value) -> Value:
        if not isinstance(value, int):
            raise Refusal("a number")
        return f"{Decimal(value).scaleb(-digits):.{digits if shown is None else shown}f}"

    return Form(up, down)


def _octet(value: Value) -> Value:
    if not isinstance(value, int) or not 0 <= value <= 0xFF:
        raise Refusal("0 to 255")
    return f"{value:02X}"


def _from_octet(value: Value) -> Value:
    octets = from_hex(value, "name")
    if len(octets) != 1:
        raise Refusal("one octet")
    return octets[0]


OCTET: Final = Form(_octet, _from_octet)
"""A number as a name of one octet: week profiles of an ESME."""


def _activation(value: Value) -> Value:
    return NEVER if value == CANCELLATION else value


def _from_activation(value: Value) -> Value:
    return CANCELLATION if value == NEVER else value


ACTIVATION: Final = Form(_activation, _from_activation)
"""ExecutionDateTime as an activation date-time. Spec: GBCS 9.2."""


def _minutes(value: Value) -> Value:
    hours, minutes, seconds = (int(part) for part in str(value).split(":"))
    if seconds:
        raise Refusal("a time in whole minutes")
    return hours * 60 + minutes


def _from_minutes(value: Value) -> Value:
    if not isinstance(value, int) or not 0 <= value < 24 * 60:
        raise Refusal("a minute of the day")
    return f"{value // 60:02}:{value % 60:02}:00"


MINUTES: Final = Form(_minutes, _from_minutes)
"""A time as minutes after midnight. Spec: ZSE 1.4 (day schedule entries)."""


@dataclass(frozen=True, slots=True)
class DateNames:
    """How the elements of a date structure are called: those of gas have names of their own."""

    year: str
    month: str
    day: str
    week_day: str
    any_day: str
    last_days: bool


ELECTRICITY_NAMES: Final = DateNames(
    "Year", "Month", "DayOfMonth", "DayOfWeek", "NonSpecifiedDayOfMonth", last_days=True
)
GAS_NAMES: Final = DateNames(
    "GasYearWithWildcards",
    "GasMonthWithWildcards",
    "GasDayOfMonthWithWildcards",
    "GasDayOfWeekWithWildcards",
    "GasNonSpecifiedDayOfMonth",
    last_days=False,
)


def _number(value: Value, part: str, name: str, wild: int) -> int:
    inner = value.get(part) if isinstance(value, dict) else None
    number = inner.get(name) if isinstance(inner, dict) else None
    return number if isinstance(number, int) else wild


def _date_numbers(value: Value, names: DateNames) -> tuple[int, int, int, int]:
    """Year, month, day and day of week as COSEM numbers them. Raises Refusal for a day that never comes."""
    year = _number(value, names.year, "SpecifiedYear", _ANY_YEAR)
    month = _number(value, names.month, "SpecifiedMonth", _ANY)
    day = _number(value, names.day, "SpecifiedDayOfMonth", _ANY)
    given = value.get(names.day) if isinstance(value, dict) else None
    if isinstance(given, dict) and "LastDayOfMonth" in given:
        day = _LAST_DAY
    if isinstance(given, dict) and "SecondLastDayOfMonth" in given:
        day = _SECOND_LAST_DAY
    # A leap year stands in for any year: 29 February may come.
    if (
        day <= 31
        and month != _ANY
        and day > calendar.monthrange(2000 if year == _ANY_YEAR else year, month)[1]
    ):
        raise Refusal("a day that the month has")
    return year, month, day, _number(value, names.week_day, "SpecifiedDayOfWeek", _ANY)


def _date_elements(year: int, month: int, day: int, week_day: int, names: DateNames) -> Value:
    if names.last_days and day == _LAST_DAY:
        day_of_month: Value = {"LastDayOfMonth": True}
    elif names.last_days and day == _SECOND_LAST_DAY:
        day_of_month = {"SecondLastDayOfMonth": True}
    else:
        day_of_month = {names.any_day: True} if day == _ANY else {"SpecifiedDayOfMonth": day}
    return {
        names.year: {"NonSpecifiedYear": True} if year == _ANY_YEAR else {"SpecifiedYear": year},
        names.month: {"NonSpecifiedMonth": True} if month == _ANY else {"SpecifiedMonth": month},
        names.day: day_of_month,
        names.week_day: {"NonSpecifiedDayOfWeek": True}
        if week_day == _ANY
        else {"SpecifiedDayOfWeek": week_day},
    }


def _cosem_date(value: Value) -> bytes:
    year, month, day, week_day = _date_numbers(value, ELECTRICITY_NAMES)
    return year.to_bytes(2, "big") + bytes((month, day, week_day))


def _from_cosem_date(octets: bytes) -> Value:
    return _date_elements(
        int.from_bytes(octets[:2], "big"), octets[2], octets[3], octets[4], ELECTRICITY_NAMES
    )


def _date(value: Value) -> Value:
    return date_to_text(_cosem_date(value))


def _from_date(value: Value) -> Value:
    try:
        octets = date_from_text(value)
    except GbcsEncodeError as error:
        raise Refusal("a date") from error
    if len(octets) != 5:
        raise Refusal("a date")
    return _from_cosem_date(octets)


DATE: Final = Form(_date, _from_date)
"""A date structure as a COSEM date of 5 octets. Spec: IEC 62056-6-2 4.1.6.1 (date, wildcards)."""


def _midnight(value: Value) -> Value:
    return date_time_to_text(_cosem_date(value) + _MIDNIGHT)


def _from_midnight(value: Value) -> Value:
    try:
        octets = date_time_from_text(value)
    except GbcsEncodeError as error:
        raise Refusal("a date-time") from error
    if octets[5:] != _MIDNIGHT:
        raise Refusal("midnight")
    return _from_cosem_date(octets[:5])


MIDNIGHT: Final = Form(_midnight, _from_midnight)
"""A date structure as the COSEM date-time of its midnight: seasons of an ESME."""


def _gas_date(value: Value) -> Value:
    year, month, day, week_day = _date_numbers(value, GAS_NAMES)
    if year != _ANY_YEAR and not 1900 <= year < 1900 + _ANY:
        raise Refusal(f"a year up to {1900 + _ANY - 1}")
    octets = bytes((_ANY if year == _ANY_YEAR else year - 1900, month, day, week_day))
    return _ZCL_DATE.to_json(int.from_bytes(octets, "little"))


def _from_gas_date(value: Value) -> Value:
    try:
        number = _ZCL_DATE.from_json(value)
    except ZclEncodeError as error:
        raise Refusal("a date") from error
    if not isinstance(number, int):
        raise Refusal("a date")
    year, month, day, week_day = number.to_bytes(4, "little")
    return _date_elements(_ANY_YEAR if year == _ANY else 1900 + year, month, day, week_day, GAS_NAMES)


GAS_DATE: Final = Form(_gas_date, _from_gas_date)
"""A date structure as a ZCL date of 4 octets. Spec: ZCL 2.6.2.20."""

_WEEK: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _weekdays(value: Value) -> Value:
    given = value.get("DayOfWeekApplicability", []) if isinstance(value, dict) else []
    days = (
        [item.get("DayOfWeekID") for item in given if isinstance(item, dict)]
        if isinstance(given, list)
        else []
    )
    if len(days) != len(set(map(str, days))):
        raise Refusal("each day of the week at most once")
    return "".join("1" if day in days else "0" for day in _WEEK)


def _from_weekdays(value: Value) -> Value:
    if not isinstance(value, str) or len(value) != len(_WEEK) or value.strip("01"):
        raise Refusal("7 bits")
    days: list[Value] = [{"DayOfWeekID": day} for day, bit in zip(_WEEK, value, strict=True) if bit == "1"]
    return {"DayOfWeekApplicability": days} if days else {}


WEEKDAYS: Final = Form(_weekdays, _from_weekdays)
"""Days of the week as a bit-string, Monday first. Spec: IEC 62056-6-2 (class 10, exec_weekdays)."""


def seconds_after(start: Value, seconds: Value) -> datetime | None:
    """The moment so many seconds after another, None where there is none before the year 10000."""
    moment = parse_utc(start)
    try:
        return datetime.fromtimestamp(moment.timestamp() + int(str(seconds)), tz=moment.tzinfo)
    except (OverflowError, ValueError):
        return None


__all__ = [
    "ACTIVATION",
    "CANCELLATION",
    "CHARACTERS",
    "DATE",
    "GAS_DATE",
    "IMMEDIATE",
    "MIDNIGHT",
    "MINUTES",
    "OCTET",
    "SAME",
    "WEEKDAYS",
    "Form",
    "offset",
    "ranged",
    "scaled",
    "seconds_after",
    "words",
]
