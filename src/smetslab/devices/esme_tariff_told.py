"""The tariff and the calendar of an electricity meter as displays are told them: its COSEM tables as commands
of the Price and Calendar clusters.

Rates keep the numbers of their scripts: 1 to 48 are time-of-use rates, 101 to 108 columns whose energy goes
through the blocks. A tariff and a calendar are named by what they say, so that a display sees a new one.

Spec: SMETS 5.5.7 (information on the HAN), 5.7.4.47 to 50 (tariff); ZSE 1.4 D.4.2.4, D.9.2.3. That scripts
are the price tiers of a calendar, and the identifiers, are unverified.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from smetslab.devices.display_server import Teller
from smetslab.devices.display_terms import (
    BLOCKS_OF_RATES,
    EURO,
    FIRST_BLOCK_SCRIPT,
    GIVEN_TIER,
    KILOWATT_HOURS,
    MOST_ENTRIES,
    MOST_PRICES,
    MOST_THRESHOLDS,
    POUND,
    PRICE_DIGITS,
    RATES,
)
from smetslab.devices.esme_life import EsmeLife
from smetslab.devices.schedule import ExecutionTimes
from smetslab.devices.tariff import (
    BLOCK_COLUMNS,
    BLOCKS,
    NO_THRESHOLD,
    TOU_REGISTERS,
    price_index,
)
from smetslab.devices.zcl.calendar_table import TARIFF, CalendarTable, SpecialDays
from smetslab.devices.zcl.calendar_told import CalendarTeller, HeldCalendar, parts
from smetslab.devices.zcl.model import ComponentError
from smetslab.gbcs.values import (
    Value,
    date_from_text,
    date_time_from_text,
    seconds_since_2000,
    time_from_text,
)
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.foundation import Status

_WH_PER_KWH: Final = 1000
_TIME_OF_USE, _BLOCK_AND_TIME_OF_USE = 0, 3 << 4
"""Charging schemes; each column of blocks has thresholds of its own. Spec: ZSE 1.4 D.4.2.4.4."""
_MINUTES, _NOT_SPECIFIED = 0, 2 << 4
_REPEATING: Final = 0x02
_LOOK_DAYS: Final = 400
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Server(Protocol):
    """The stored values of the meter."""

    def value(self, name: str) -> Value: ...


class EsmeTariffTold:
    """The tariff of one meter. `time`: what its clock shows at a moment of laboratory time."""

    def __init__(self, life: EsmeLife, server: Server, time: Callable[[datetime], datetime]) -> None:
        self._life = life
        self._server = server
        self._time = time
        self._read: tuple[object, HeldCalendar, int] | None = None
        self._calendars = CalendarTeller(lambda: {TARIFF: self._calendar}, time, most=MOST_ENTRIES)

    def tellers(self) -> dict[Command, Teller]:
        calendars = self._calendars
        return {
            Price.get_tariff_information: self._information,
            Price.get_price_matrix: self._matrix,
            Price.get_block_thresholds: self._thresholds,
            Price.get_block_periods: self._block_period,
            Price.get_billing_period: self._billing_period,
            Calendar.get_calendar: calendars.calendars,
            Calendar.get_day_profiles: calendars.days,
            Calendar.get_week_profiles: calendars.weeks,
            Calendar.get_seasons: calendars.seasons,
            Calendar.get_special_days: calendars.special_days,
        }

    @property
    def revision(self) -> object:
        """Another object with every change."""
        return self._life.configuration, self._server.value("currency")

    @property
    def currency(self) -> int:
        return POUND if self._server.value("currency") else EURO

    @property
    def scripts(self) -> list[int]:
        """The rates that the calendar selects, in order."""
        return sorted({script for rows in self._calendar.table.days.values() for _, script in rows})

    # ---------------------------------------------------------------------------- prices

    def _known(self) -> tuple[HeldCalendar, int]:
        """The calendar, and the identifier of the tariff."""
        configuration = self._life.configuration
        if self._read is None or self._read[0] is not configuration:
            values = [
                self._server.value(f"tariff_{part}") for part in ("seasons", "weeks", "days", "special_days")
            ]
            prices = [configuration.prices, configuration.thresholds, configuration.standing_charge]
            calendar = held_calendar(*values, identifier=identifier_of(values))
            self._read = configuration, calendar, identifier_of([values, prices])
        return self._read[1], self._read[2]

    @property
    def _calendar(self) -> HeldCalendar:
        return self._known()[0]

    @property
    def _columns(self) -> list[int]:
        """The columns of blocks in use, from 0."""
        return [
            script - FIRST_BLOCK_SCRIPT - 1
            for script in self.scripts
            if FIRST_BLOCK_SCRIPT < script <= FIRST_BLOCK_SCRIPT + BLOCK_COLUMNS
        ]

    @property
    def _rates(self) -> list[int]:
        """The time-of-use rates in use, from 1."""
        return [script for script in self.scripts if 1 <= script <= TOU_REGISTERS]

    def _limits(self, column: int) -> list[int]:
        """The thresholds of a column that end a block, in Wh."""
        thresholds = self._life.configuration.thresholds
        limits = thresholds[column] if column < len(thresholds) else []
        ending: list[int] = []
        for limit in limits[: BLOCKS - 1]:
            if limit == NO_THRESHOLD:
                break
            ending.append(limit)
        return ending

    def _head(self, now: datetime) -> dict[str, int]:
        return {"provider_id": 0, "issuer_event_id": seconds_since_2000(self._time(now))}

    def _information(self, now: datetime, asked: Record) -> Record:
        del asked
        columns = self._columns
        return Price.publish_tariff_information.record(
            **self._head(now),
            issuer_tariff_id=self._known()[1],
            start_time=0,
            tariff_type_charging_scheme=_BLOCK_AND_TIME_OF_USE if columns else _TIME_OF_USE,
            tariff_label=b"",
            number_of_price_tiers_in_use=len(self.scripts),
            number_of_block_thresholds_in_use=max((len(self._limits(one)) for one in columns), default=0),
            unit_of_measure=KILOWATT_HOURS,
            currency=self.currency,
            price_trailing_digit=PRICE_DIGITS,
            standing_charge=self._life.configuration.standing_charge,
            tier_block_mode=1 if columns else 0xFF,
            block_threshold_multiplier=1,
            block_threshold_divisor=_WH_PER_KWH,
        )

    def _asked(self, asked: Record) -> int:
        """The tariff that a question is about; 0 asks for the one in force."""
        wanted, ours = asked.integer("issuer_tariff_id"), self._known()[1]
        if wanted not in {0, ours}:
            raise ComponentError(Status.NOT_FOUND, f"no tariff {wanted:08X}")
        return ours

    def _matrix(self, now: datetime, asked: Record) -> list[Record]:
        tariff, prices = self._asked(asked), self._life.configuration.prices
        rates = [(RATES, rate, prices.get(price_index(rate), 0)) for rate in self._rates]
        blocks = [
            (
                BLOCKS_OF_RATES,
                column + 1 << 4 | block,
                prices.get(price_index(FIRST_BLOCK_SCRIPT + column + 1, block), 0),
            )
            for column in self._columns
            for block in range(len(self._limits(column)) + 1)
        ]
        shares = [share for rows in (rates, blocks) if rows for _, _, share in parts(rows, MOST_PRICES)]
        return [
            Price.publish_price_matrix.record(
                **self._head(now),
                start_time=0,
                issuer_tariff_id=tariff,
                command_index=index,
                number_of_commands=len(shares),
                sub_payload_control=share[0][0],
                price_entries=[{"tier_block_id": number, "price": price} for _, number, price in share],
            )
            for index, share in enumerate(shares)
        ]

    def _thresholds(self, now: datetime, asked: Record) -> list[Record]:
        tariff = self._asked(asked)
        rows = [(column + 1, limits) for column in self._columns if (limits := self._limits(column))]
        if not rows:
            raise ComponentError(Status.NOT_FOUND, "no block ends")
        return [
            Price.publish_block_thresholds.record(
                **self._head(now),
                start_time=0,
                issuer_tariff_id=tariff,
                command_index=index,
                number_of_commands=count,
                sub_payload_control=GIVEN_TIER,
                threshold_entries=[
                    {"tier_number_of_block_thresholds": tier << 4 | len(limits), "block_thresholds": limits}
                    for tier, limits in share
                ],
            )
            for index, count, share in parts(rows, MOST_THRESHOLDS)
        ]

    # ---------------------------------------------------------------------------- periods

    def _block_period(self, now: datetime, asked: Record) -> Record | None:
        """The block counters begin anew at times of their own, otherwise with the billing period."""
        if not self._columns:
            return None
        configuration = self._life.configuration
        times = configuration.counter_reset if configuration.counter_reset.any else configuration.billing
        begin, minutes = _period(times, self._time(now))
        return Price.publish_block_period.record(
            **self._head(now),
            block_period_start_time=begin,
            block_period_duration=minutes,
            block_period_control=_REPEATING,
            block_period_duration_type=_MINUTES | _NOT_SPECIFIED,
            tariff_type=asked.integer("tariff_type"),
            tariff_resolution_period=1,
        )

    def _billing_period(self, now: datetime, asked: Record) -> Record:
        begin, minutes = _period(self._life.configuration.billing, self._time(now))
        return Price.publish_billing_period.record(
            **self._head(now),
            billing_period_start_time=begin,
            billing_period_duration=minutes,
            billing_period_duration_type=_MINUTES | _NOT_SPECIFIED,
            tariff_type=asked.integer("tariff_type"),
        )


def _period(times: ExecutionTimes, time: datetime) -> tuple[int, int]:
    """The period that runs: its beginning in seconds since 2000, and its minutes. Raises ComponentError when
    none does."""
    last, following = times.before(time, _LOOK_DAYS), times.after(time, _LOOK_DAYS)
    if last is None or following is None:
        raise ComponentError(Status.NOT_FOUND, "no such period")
    return seconds_since_2000(last), int((following - last) / timedelta(minutes=1))


# Calendars --------------------------------------------------------------------------------------------------


def held_calendar(
    seasons: Value, weeks: Value, days: Value, special_days: Value, *, identifier: int
) -> HeldCalendar:
    """The named values of class 20 attributes 3, 4, 5 and of class 11 attribute 2 as one calendar. Week
    profiles, which have names, get numbers in their order."""
    names = [str(row["week_profile_name"]) for row in _rows(weeks)]
    table = CalendarTable(
        identifier=identifier,
        seasons=tuple(
            (_date_number(date_time_from_text(row["season_start"])), names.index(str(row["week_name"])) + 1)
            for row in _rows(seasons)
            if str(row["week_name"]) in names
        ),
        weeks={
            number: tuple(_number(row[day]) for day in _WEEKDAYS)
            for number, row in enumerate(_rows(weeks), 1)
        },
        days={
            _number(row["day_identifier"]): tuple(
                sorted(
                    (_minute(entry["start_time"]), _number(entry["script_selector"]))
                    for entry in _rows(row["day_schedule"])
                )
            )
            for row in _rows(days)
        },
    )
    special: SpecialDays = tuple(
        (_date_number(date_from_text(row["date"])), _number(row["day_identifier"]))
        for row in _rows(special_days)
    )
    return HeldCalendar(table, special)


def identifier_of(values: object) -> int:
    """A number for what a tariff or a calendar says."""
    return zlib.crc32(json.dumps(values, sort_keys=True).encode()) & 0x7FFFFFFF


def _rows(value: Value) -> list[Mapping[str, Value]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _minute(text: Value) -> int:
    hour, minute, _, _ = time_from_text(text)
    return hour * 60 + minute


def _date_number(octets: bytes) -> int:
    """A COSEM date, or date-time, as a ZCL date. Spec: ZCL 2.6.2.20."""
    year = int.from_bytes(octets[:2], "big")
    short = 0xFF if not 1900 <= year < 1900 + 0xFF else year - 1900
    return int.from_bytes(bytes((short, octets[2], octets[3], 0xFF)), "little")
