"""Tariff of the primary and the secondary element: calendars, special days, thresholds, prices, standing
charge.

Spec: SMETS 5.7.4; GBCS use cases ECS01a to ECS01d, ECS05, ECS24, ECS24b, ECS26d, ECS30, ECS48.
"""

from __future__ import annotations

from collections.abc import Sequence

from smetslab.devices.cosem.checks import at_most, at_most_each, hangs_together, same_indices, unique
from smetslab.devices.cosem.model import (
    CosemObject,
    computed,
    copy,
    cosem_object,
    fixed,
    method,
    stored,
)
from smetslab.devices.esme_objects.common import OTHER, PRICE_SCALE, TARIFF_SCRIPTS, dated_object, special_day
from smetslab.devices.limits import (
    BLOCK_THRESHOLDS,
    TARIFF_DAYS,
    TARIFF_SEASONS,
    TARIFF_SPECIAL_DAYS,
    TARIFF_SWITCHES,
    TARIFF_WEEKS,
)
from smetslab.gbcs.values import NEVER, Value

_NO_THRESHOLD = 0xFFFFFFFF
_SEASONS = (at_most(TARIFF_SEASONS), unique("season_profile_name"))
_WEEKS = (at_most(TARIFF_WEEKS), unique("week_profile_name"))
_DAYS = (at_most(TARIFF_DAYS), at_most_each("day_schedule", TARIFF_SWITCHES), unique("day_identifier"))
_THRESHOLDS = (at_most(BLOCK_THRESHOLDS),)
_SPECIAL_DAYS = (at_most(TARIFF_SPECIAL_DAYS),)
_PRIMARY, _SECONDARY = "0100010800FF", "0114010800FF"
"""The registers whose consumption is priced."""


def unit_charge(value: Value, *, commodity: str | None = None) -> Value:
    """The value of a class 113 unit charge: a single amount, or prices by index for the consumption that
    `commodity` counts."""
    table: list[Value] = []
    if isinstance(value, dict):
        table = [{"index": index, "charge_per_unit": price} for index, price in value.items()]
    else:
        table = [{"index": "", "charge_per_unit": value}]
    counted: dict[str, Value] = {"class_id": 0, "logical_name": "000000000000", "attribute_index": 0}
    if commodity is not None:
        counted = {"class_id": 3, "logical_name": commodity, "attribute_index": 2}
    return {
        "charge_per_unit_scaling": {
            "commodity_scale": 0 if commodity is None else 3,
            "price_scale": PRICE_SCALE,
        },
        "commodity": counted,
        "charge_table": table,
    }


def _prices() -> dict[str, Value]:
    """48 time-of-use prices, then blocks A to D by column. Indices are hex octets."""
    indices = [f"{tou:02X}" for tou in range(1, 49)]
    indices += [f"{block}{column}" for block in "ABCD" for column in range(1, 9)]
    prices: dict[str, Value] = dict.fromkeys(indices, 0)
    prices.update({"01": 2121, "A1": 2289, "A2": 4002, "B1": 3546, "B2": 6969})
    return prices


def charge(obis: str, name: str, value: Value) -> CosemObject:
    """A class 113 object with an active and a passive unit charge."""
    return cosem_object(
        113,
        obis,
        stored(5, name, value),
        stored(6, f"{name}_passive", value, checks=(same_indices(name),)),
        stored(7, f"{name}_activation", NEVER),
    )


def _season(name: str, start: str, week: str) -> Value:
    return {"season_profile_name": name, "season_start": start, "week_name": week}


def _week(name: str, weekday: int, weekend: int) -> Value:
    days: dict[str, Value] = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), weekday)
    return {"week_profile_name": name, **days, "saturday": weekend, "sunday": weekend}


def _day(number: int, *switches: tuple[str, int]) -> Value:
    schedule: list[Value] = [
        {"start_time": time, "script_logical_name": TARIFF_SCRIPTS, "script_selector": script}
        for time, script in switches
    ]
    return {"day_identifier": number, "day_schedule": schedule}


def _calendar(
    obis: str, name: str, seasons: list[Value], weeks: list[Value], days: list[Value]
) -> CosemObject:
    """A class 20 object, its passive tables those of the active ones."""
    together = hangs_together(f"{name}_seasons_passive", f"{name}_weeks_passive", f"{name}_days_passive")
    return cosem_object(
        20,
        obis,
        stored(3, f"{name}_seasons", seasons, checks=_SEASONS),
        stored(4, f"{name}_weeks", weeks, checks=_WEEKS),
        stored(5, f"{name}_days", days, checks=_DAYS),
        stored(7, f"{name}_seasons_passive", seasons, checks=_SEASONS),
        stored(8, f"{name}_weeks_passive", weeks, checks=_WEEKS),
        stored(9, f"{name}_days_passive", days, checks=_DAYS),
        stored(10, f"{name}_calendar_activation", NEVER, checks=(together,)),
    )


def _special_days(name: str, table: int, activation: str, days: list[Value]) -> tuple[CosemObject, ...]:
    """The active and the passive table of special days, and when the passive one becomes active."""
    active, passive = f"0-0:11.0.{table}.255", f"0-1:11.0.{table}.255"
    return (
        cosem_object(11, active, stored(2, f"{name}_special_days", days, checks=_SPECIAL_DAYS)),
        cosem_object(11, passive, stored(2, f"{name}_special_days_passive", days, checks=_SPECIAL_DAYS)),
        dated_object(activation, f"{name}_special_days", (11, passive, 2), (11, active, 2)),
    )


def _threshold_matrix() -> Sequence[CosemObject]:
    """The tariff threshold matrix: an active and a passive object for each time-of-use column."""
    objects: list[CosemObject] = []
    for column in range(1, 9):
        limits: Value = [10_000 if column <= 2 else _NO_THRESHOLD, _NO_THRESHOLD, _NO_THRESHOLD]
        name = f"tariff_threshold_matrix_tou_{column}"
        objects += [
            cosem_object(21, f"0-0:16.0.1{column}.255", stored(2, name, limits, checks=_THRESHOLDS)),
            cosem_object(
                21, f"0-0:16.1.1{column}.255", stored(2, f"{name}_passive", limits, checks=_THRESHOLDS)
            ),
        ]
    return objects


OBJECTS: tuple[CosemObject, ...] = (
    cosem_object(
        3,
        "0-0:94.44.1.7",
        computed(2, "active_tariff_price"),
        fixed(3, "active_tariff_price_scaler_unit", {"scaler": PRICE_SCALE, "unit": OTHER}),
    ),
    _calendar(
        "0-0:13.0.0.255",
        "tariff",
        [_season("all", "2015-01-01T00:00:00Z", "01")],
        [_week("01", 1, 2)],
        [_day(1, ("07:00:00", 101), ("23:00:00", 102)), _day(2, ("00:00:00", 1))],
    ),
    *_special_days(
        "tariff",
        0,
        "0-0:94.44.128.29",
        [special_day(1, "2015-05-01", 2), special_day(2, "2015-12-25", 2)],
    ),
    *_threshold_matrix(),
    cosem_object(
        9000,
        "0-0:63.1.1.255",
        stored(6, "tariff_threshold_matrix_activation", NEVER),
        copies=tuple(
            copy((21, f"0-0:16.1.1{column}.255", 2), (21, f"0-0:16.0.1{column}.255", 2))
            for column in range(1, 9)
        ),
    ),
    cosem_object(
        9000,
        "0-0:94.44.2.0",
        stored(2, "currency", True),
        stored(4, "currency_passive", True),
        stored(6, "currency_activation", NEVER),
    ),
    charge("0-0:19.20.4.255", "standing_charge", unit_charge(20_000)),
    charge("0-0:19.20.0.255", "tariff_prices", unit_charge(_prices(), commodity=_PRIMARY)),
    cosem_object(9, "0-0:10.0.100.255", method(1, "execute_tariff_script")),
    cosem_object(
        22,
        "0-0:15.0.0.255",
        stored(4, "billing_calendar", [{"time": "00:00:00", "date": "hex:FFFFFF01FF"}]),
    ),
    cosem_object(22, "0-0:15.1.0.255", stored(4, "tariff_block_counter_reset_times", [])),
)

TWIN: tuple[CosemObject, ...] = (
    cosem_object(
        3,
        "0-0:94.44.1.8",
        computed(2, "secondary_active_tariff_price"),
        fixed(3, "secondary_active_tariff_price_scaler_unit", {"scaler": PRICE_SCALE, "unit": OTHER}),
    ),
    _calendar(
        "0-0:13.0.1.255",
        "secondary_tariff",
        [
            _season("spring", "2015-03-20T22:45:00Z", "01"),
            _season("summer", "2015-06-21T16:38:00Z", "01"),
            _season("fall", "2015-09-23T08:21:00Z", "02"),
            _season("winter", "2015-12-21T23:03:00Z", "02"),
        ],
        [_week("01", 1, 2), _week("02", 3, 4)],
        [
            _day(1, ("00:00:00", 201), ("12:00:00", 202)),
            _day(2, ("00:00:00", 202), ("12:00:00", 203)),
            _day(3, ("00:00:00", 203), ("12:00:00", 204)),
            _day(4, ("00:00:00", 204), ("12:00:00", 201)),
        ],
    ),
    *_special_days(
        "secondary_tariff",
        1,
        "0-0:94.44.128.30",
        [special_day(0, "*-12-25", 4), special_day(1, "*-05-01", 4), special_day(2, "*-06-10", 4)],
    ),
    charge(
        "0-0:19.20.5.255",
        "secondary_tariff_prices",
        unit_charge({"01": 10_000, "02": 11_000, "03": 12_000, "04": 13_000}, commodity=_SECONDARY),
    ),
)
"""The secondary element of a twin element meter."""
