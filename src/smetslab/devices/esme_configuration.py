"""The calendars and prices of an ESME as its life needs them, from its COSEM attributes.

Spec: SMETS 5.7.4.47 to 50; GBCS use cases ECS01a, ECS08a, ECS26c, ECS30a, ECS37, ECS48.
"""

from __future__ import annotations

from datetime import timedelta

from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.esme_life import Configuration
from smetslab.devices.esme_objects.common import PRICE_SCALE
from smetslab.devices.limits import MAX_PRICE
from smetslab.devices.prepay.rules import DebtPeriod
from smetslab.devices.schedule import ExecutionTimes, Schedule
from smetslab.devices.tariff import TariffCalendar
from smetslab.gbcs.values import Value

_COLUMNS = range(1, 9)
OFFSET_UNIT = 10_000
"""The randomised offset is number x limit / 10 000 seconds. Spec: GBCS use case ECS26c."""

TARIFF_ATTRIBUTES = (
    "tariff_seasons",
    "tariff_weeks",
    "tariff_days",
    "tariff_special_days",
    *(f"tariff_threshold_matrix_tou_{column}" for column in _COLUMNS),
    "tariff_prices",
    "standing_charge",
    "secondary_tariff_seasons",
    "secondary_tariff_weeks",
    "secondary_tariff_days",
    "secondary_tariff_special_days",
    "secondary_tariff_prices",
)
"""A change of one of these is a change of tariff."""

CALENDAR_ATTRIBUTES = (
    "non_disablement_calendar",
    "non_disablement_special_days",
    "billing_calendar",
    "tariff_block_counter_reset_times",
    "maximum_demand_configurable_time_period",
    "randomised_offset_limit",
)

_FIRST_OF_MONTH_AT_NOON: Value = [{"time": "12:00:00", "date": "hex:FFFFFF01FF"}]


def read_configuration(server: CosemServer, *, twin: bool, offset_number: int) -> Configuration:
    """What is in force now."""

    def value(name: str, default: Value = None) -> Value:
        return server.value(name) if server.holds(name) else default

    limit = value("randomised_offset_limit", 0)
    offset_s = 0
    if isinstance(limit, int):
        offset_s = (offset_number * limit + OFFSET_UNIT // 2) // OFFSET_UNIT
    window = value("maximum_demand_configurable_time_period", [])
    periods = [value(f"debt_recovery_rate_{number}_period", 0) for number in (1, 2)]
    return Configuration(
        calendar=_calendar(server, ""),
        thresholds=[_numbers(value(f"tariff_threshold_matrix_tou_{column}")) for column in _COLUMNS],
        prices=prices(value("tariff_prices")),
        secondary_calendar=_calendar(server, "secondary_") if twin else None,
        secondary_prices=prices(value("secondary_tariff_prices")) if twin else {},
        standing_charge=next(iter(prices(value("standing_charge")).values()), 0),
        non_disablement=Schedule(value("non_disablement_calendar"), value("non_disablement_special_days")),
        billing=ExecutionTimes(value("billing_calendar", _FIRST_OF_MONTH_AT_NOON)),
        counter_reset=ExecutionTimes(value("tariff_block_counter_reset_times", [])),
        demand_window=Schedule(window),
        has_demand_window=bool(window),
        switching_offset=timedelta(seconds=offset_s),
        hourly_debts=DebtPeriod.HOURLY.value in periods,
    )


def _calendar(server: CosemServer, prefix: str) -> TariffCalendar:
    names = (f"{prefix}tariff_{part}" for part in ("seasons", "weeks", "days", "special_days"))
    seasons, weeks, days, special_days = (
        server.value(name) if server.holds(name) else None for name in names
    )
    return TariffCalendar(seasons=seasons, weeks=weeks, days=days, special_days=special_days)


def prices(charge: Value) -> dict[str, int]:
    """The amounts of a unit charge by index, in thousandths of a penny whatever its scale is; at most what
    the meter can show.
    """
    table = charge.get("charge_table") if isinstance(charge, dict) else None
    scaling = charge.get("charge_per_unit_scaling") if isinstance(charge, dict) else None
    scale = scaling.get("price_scale") if isinstance(scaling, dict) else PRICE_SCALE
    exponent = (scale if isinstance(scale, int) else PRICE_SCALE) - PRICE_SCALE
    found: dict[str, int] = {}
    for row in table if isinstance(table, list) else []:
        if isinstance(row, dict):
            price = row["charge_per_unit"]
            amount = max(0, price) if isinstance(price, int) else 0
            scaled = amount * 10**exponent if exponent >= 0 else amount // 10**-exponent
            found[str(row["index"])] = min(scaled, MAX_PRICE)
    return found


def _numbers(value: Value) -> list[int]:
    return [item for item in value if isinstance(item, int)] if isinstance(value, list) else []
