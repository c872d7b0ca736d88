"""Billing calendars. Spec: DUIS service reference 6.8; DUIS schema 5.4, type BillingCalendar.

Spec: IEC 62056-6-2 (class 22, execution_time); ZSE 1.4 (Price cluster, billing period).
"""

from __future__ import annotations

from typing import Final

from smetslab.duis.srv import simple
from smetslab.duis.srv.common import SUPPLIERS
from smetslab.duis.srv.components import ISSUED
from smetslab.duis.srv.forms import Form
from smetslab.duis.srv.holes import At, Switch
from smetslab.duis.srv.model import Has, ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import PRESENT, Child, OneOf, Sequence
from smetslab.duis.srv.simple import Number, Refusal, Word
from smetslab.duis.srv.template import Template
from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.values import Value, date_from_text, date_to_text

_DAY = Number(1, 28)
_START = Sequence(Child("DayOfMonth", _DAY), Child("BillingPeriodStartMonth", Number(1, 12)))

ELECTRICITY_BILLING = Sequence(
    Child("BillingTime", simple.TIME),
    OneOf(
        (
            Child("Daily", PRESENT),
            Child("Weekly", Number(1, 7)),
            Child("Monthly", _DAY),
            Child("Quarterly", _START),
            Child("SixMonthly", _START),
            Child("Yearly", _START),
        )
    ),
)

_ANY: Final = 0xFF
_PERIODS: Final = {"Quarterly": 3, "SixMonthly": 6, "Yearly": 12}
"""Months from one bill to the next."""


def _dates(value: Value) -> list[bytes]:
    """The dates of bills, each as month, day and day of week."""
    if not isinstance(value, dict):
        raise Refusal("a calendar")
    if "Daily" in value:
        return [bytes((_ANY, _ANY, _ANY))]
    weekly, monthly = value.get("Weekly"), value.get("Monthly")
    if isinstance(weekly, int):
        return [bytes((_ANY, _ANY, weekly))]
    if isinstance(monthly, int):
        return [bytes((_ANY, monthly, _ANY))]
    for name, months in _PERIODS.items():
        start = value.get(name)
        if isinstance(start, dict):
            first, day = int(str(start["BillingPeriodStartMonth"])), int(str(start["DayOfMonth"]))
            return [bytes(((first - 1 + later) % 12 + 1, day, _ANY)) for later in range(0, 12, months)]
    raise Refusal("a period")


def _to_times(value: Value) -> Value:
    time = value.get("BillingTime") if isinstance(value, dict) else None
    return [{"time": time, "date": date_to_text(b"\xff\xff" + date)} for date in _dates(value)]


def _calendar(dates: list[bytes]) -> dict[str, Value]:
    month, day, week_day = dates[0]
    if len(dates) == 1 and month == _ANY:
        if week_day != _ANY:
            return {"Weekly": week_day}
        return {"Daily": True} if day == _ANY else {"Monthly": day}
    names = {12 // months: name for name, months in _PERIODS.items()}
    if len(dates) not in names:
        raise Refusal("dates of a period that requests can name")
    return {names[len(dates)]: {"DayOfMonth": day, "BillingPeriodStartMonth": month}}


def _from_times(value: Value) -> Value:
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    if not entries or len({str(entry.get("time")) for entry in entries}) != 1:
        raise Refusal("one time of day")
    try:
        dates = [date_from_text(entry.get("date")) for entry in entries]
    except GbcsEncodeError as error:
        raise Refusal("dates") from error
    if any(len(date) != 5 or date[:2] != b"\xff\xff" for date in dates):
        raise Refusal("dates of every year")
    calendar: Value = {"BillingTime": entries[0].get("time"), **_calendar([date[2:] for date in dates])}
    if _to_times(calendar) != value:
        raise Refusal("a calendar that requests can name")
    return calendar


BILLING_CALENDAR: Final = Form(_to_times, _from_times)
"""One entry for each date of a year, or one for every day, week or month."""

_GAS_PERIODS: Final = {
    "Daily": (1, "days"),
    "Weekly": (1, "weeks"),
    "Monthly": (1, "months"),
    "Quarterly": (3, "months"),
    "SixMonthly": (6, "months"),
    "Yearly": (12, "months"),
}


def _billing_periods(name: str, more: dict[str, Template]) -> Switch:
    """A command about a period that begins again and again. Spec: ZSE 1.4 (Price cluster)."""
    return Switch(
        "GasBillingCalendar.Periodicity",
        {
            periodicity: {
                **ISSUED,
                **more,
                f"{name}_period_start_time": At("GasBillingCalendar.BillingPeriodStart"),
                f"{name}_period_duration": count,
                f"{name}_period_duration_type": {"timebase": timebase, "control": "not_specified"},
                "tariff_type": "delivered",
            }
            for periodicity, (count, timebase) in _GAS_PERIODS.items()
        },
    )


_GAS_BILLING: Final[dict[str, Template]] = {
    "publish_billing_period": _billing_periods("billing", {}),
    "publish_block_period": _billing_periods(
        "block",
        {"block_period_control": ["repeating_block"], "tariff_resolution_period": "block_period"},
    ),
}
_ELECTRICITY_BILLING_TEMPLATE: Final[dict[str, Template]] = {
    "billing_calendar": At("ElectricityBillingCalendar", BILLING_CALENDAR)
}

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.8",
        reference="6.8",
        name="Update Device Configuration (Billing Calendar)",
        element="UpdateDeviceConfigurationBillingCalendar",
        body=body(
            OneOf(
                (
                    Child("ElectricityBillingCalendar", ELECTRICITY_BILLING),
                    Child(
                        "GasBillingCalendar",
                        Sequence(
                            Child("BillingPeriodStart", simple.DATE_TIME),
                            Child("Periodicity", Word(tuple(_GAS_PERIODS))),
                        ),
                    ),
                )
            )
        ),
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(
            mapping(
                "ECS30a",
                _ELECTRICITY_BILLING_TEMPLATE,
                when=(Has("ElectricityBillingCalendar"),),
                unverified=(
                    "ElectricityBillingCalendar.Daily",
                    "ElectricityBillingCalendar.Weekly",
                    "ElectricityBillingCalendar.SixMonthly",
                    "ElectricityBillingCalendar.Yearly",
                ),
            ),
            # The older form is of monthly calendars.
            mapping(
                "ECS30", _ELECTRICITY_BILLING_TEMPLATE, when=(Has("ElectricityBillingCalendar.Monthly"),)
            ),
            mapping(
                "GCS25a",
                components_of=_GAS_BILLING,
                when=(Has("GasBillingCalendar"),),
                unverified=("GasBillingCalendar.Periodicity",),
            ),
            mapping("GCS25", components_of=_GAS_BILLING, when=(Has("GasBillingCalendar"),)),
        ),
    ),
)
