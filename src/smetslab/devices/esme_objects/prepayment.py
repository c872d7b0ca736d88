"""Account, credits, debts, non-disablement calendar, token gateway.

Spec: SMETS 5.7.4, 5.7.5; GBCS use cases CS01a, ECS02 to ECS04b, ECS07 to ECS09, ECS19, ECS26a, ECS82.
"""

from __future__ import annotations

from smetslab.devices.cosem.checks import at_most, same_indices
from smetslab.devices.cosem.model import (
    CosemObject,
    computed,
    copy,
    cosem_object,
    method,
    stored,
)
from smetslab.devices.esme_objects.common import (
    DISCONNECT_SCRIPTS,
    WEEKDAYS,
    WEEKEND,
    dated_object,
    dated_value,
    schedule_entry,
    special_day,
)
from smetslab.devices.esme_objects.tariff import unit_charge
from smetslab.devices.limits import NON_DISABLEMENT_ENTRIES, NON_DISABLEMENT_SPECIAL_DAYS
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Num
from smetslab.gbcs.usecases.prepayment import ACCOUNT_MODE_AND_STATUS
from smetslab.gbcs.values import NEVER, Value

CREDIT, PREPAYMENT = 1, 2
"""Payment modes of account_mode_and_status. Spec: GBCS use cases ECS02, ECS03."""
MONEY = Num(Tag.DOUBLE_LONG, unit="1/1000 penny")


def account_mode(*, prepayment: bool) -> Value:
    """The value of an active account in one of the two payment modes."""
    return {"payment_mode": PREPAYMENT if prepayment else CREDIT, "account_status": 2}


_ENTRIES, _DAYS = (at_most(NON_DISABLEMENT_ENTRIES),), (at_most(NON_DISABLEMENT_SPECIAL_DAYS),)

_BEGIN, _END = 32, 33
"""Scripts that begin and end a non-disablement period."""

_WINTER, _SUMMER = ("2014-10-26", "2015-03-29"), ("2015-03-30", "2015-10-25")


def _entry(index: int, script: int, time: str, weekdays: str, period: tuple[str, str]) -> Value:
    """One entry of the non-disablement calendar; those of the weekend apply on special days too."""
    special = "1111" if weekdays == WEEKEND else "0000"
    return schedule_entry(
        index, DISCONNECT_SCRIPTS, script, time, weekdays=weekdays, special_days=special, period=period
    )


_NON_DISABLEMENT: list[Value] = [
    _entry(1, _BEGIN, "00:00:00", WEEKEND, _WINTER),
    _entry(2, _BEGIN, "18:00:00", WEEKDAYS, _WINTER),
    _entry(3, _END, "08:00:00", WEEKDAYS, _WINTER),
    _entry(4, _BEGIN, "00:00:00", WEEKEND, _SUMMER),
    _entry(5, _BEGIN, "17:00:00", WEEKDAYS, _SUMMER),
    _entry(6, _END, "07:00:00", WEEKDAYS, _SUMMER),
]

_NON_DISABLEMENT_DAYS: list[Value] = [
    special_day(1, "*-12-25", 1),
    special_day(2, "*-12-26", 2),
    special_day(3, "2015-04-05", 3),
    special_day(4, "2015-04-03", 4),
]


def credit_charges(*, suspend_debt_disabled: bool, twin: bool = False) -> Value:
    """Which charge may be collected from which credit in Prepayment Mode, in the published order.

    Credits: 0 balance, 1 emergency credit, 2 accumulated debt. Charges: 0 consumption, 1 and 2 time debts, 3
    payment debt, 4 standing charge, 5 consumption of a secondary element. Spec: GBCS use cases ECS02, ECS03.
    """
    orders: tuple[tuple[int, tuple[int, ...]], ...] = (
        (0, (0, 4, 1, 2, 3)),
        (1, (3, 0, 4, 1, 2)),
        (2, (4, 1, 2)),
    )
    if twin:
        orders = (*orders, (0, (5,)), (1, (5,)))
    rows: list[Value] = []
    for credit, charges in orders:
        for charge in charges:
            suspended = suspend_debt_disabled and charge in {1, 2} and credit in {0, 1}
            rows.append(
                {
                    "credit_reference": f"0000130A{credit:02X}FF",
                    "charge_reference": f"000013140{charge}FF",
                    "collection_configuration": "110" if suspended else "111",
                }
            )
    return rows


def _time_debt(number: int, rate: int, debt: int) -> CosemObject:
    """A time-based debt: its recovery rate with period, and what remains of it."""
    name = f"debt_recovery_rate_{number}"
    return cosem_object(
        113,
        f"0-0:19.20.{number}.255",
        stored(5, name, unit_charge(rate)),
        stored(6, f"{name}_passive", unit_charge(rate), checks=(same_indices(name),)),
        stored(7, f"{name}_activation", NEVER),
        stored(8, f"{name}_period", 86_400),
        stored(12, f"time_debt_{number}", debt, MONEY),
        method(2, f"activate_{name}"),
        method(4, f"adjust_time_debt_{number}"),
    )


_ACCOUNT, _NEXT_ACCOUNT = "0-0:19.0.0.255", "0-1:19.0.0.255"

OBJECTS: tuple[CosemObject, ...] = (
    cosem_object(
        111,
        _ACCOUNT,
        stored(2, "account_mode", account_mode(prepayment=True), ACCOUNT_MODE_AND_STATUS),
        stored(11, "credit_charge_configuration", credit_charges(suspend_debt_disabled=True)),
        stored(16, "low_credit_threshold", 500_000),
        stored(18, "debt_recovery_rate_cap", 10_000),
        stored(19, "debt_recovery_rate_cap_period", 604_800),
    ),
    cosem_object(
        111,
        _NEXT_ACCOUNT,
        stored(2, "account_mode_passive", account_mode(prepayment=True), ACCOUNT_MODE_AND_STATUS),
        stored(11, "credit_charge_configuration_passive", credit_charges(suspend_debt_disabled=True)),
        stored(13, "account_activation", NEVER),
        # The passive account never becomes active itself: its mode and its static attributes are copied.
        copies=(
            copy((111, _NEXT_ACCOUNT, 11), (111, _ACCOUNT, 11)),
            copy((111, _NEXT_ACCOUNT, 2), (111, _ACCOUNT, 2), ("payment_mode",)),
        ),
    ),
    cosem_object(
        112,
        "0-0:19.10.0.255",
        stored(2, "meter_balance", 250_000),
        method(1, "adjust_meter_balance"),
        method(2, "reset_meter_balance"),
    ),
    cosem_object(1, "0-0:94.44.34.30", computed(2, "prepayment_balance_collection")),
    cosem_object(
        112,
        "0-0:19.10.1.255",
        stored(2, "emergency_credit_balance", 95_000, MONEY),
        stored(9, "emergency_credit_limit", 2_500_000),
        stored(10, "emergency_credit_threshold", 100_000),
        method(2, "reset_emergency_credit"),
        method(3, "activate_emergency_credit"),
    ),
    cosem_object(
        112,
        "0-0:19.10.2.255",
        stored(2, "accumulated_debt", 187_000, MONEY),
        method(2, "reset_accumulated_debt"),
    ),
    _time_debt(1, 5_000, 203_000),
    _time_debt(2, 6_000, 243_000),
    cosem_object(
        113,
        "0-0:19.20.3.255",
        stored(12, "payment_debt", 46_000, MONEY),
        stored(13, "debt_recovery_per_payment", 5_000),
        method(4, "adjust_payment_debt"),
    ),
    cosem_object(
        9000,
        "0-0:94.44.2.10",
        stored(2, "maximum_credit", 5_000_000),
        stored(4, "maximum_credit_passive", 5_000_000),
        stored(6, "maximum_credit_activation", NEVER),
    ),
    cosem_object(
        9000,
        "0-0:94.44.2.20",
        stored(2, "maximum_meter_balance", 10_000_000),
        stored(4, "maximum_meter_balance_passive", 10_000_000),
        stored(6, "maximum_meter_balance_activation", NEVER),
    ),
    cosem_object(21, "0-0:16.0.1.255", stored(2, "disablement_threshold", [-500_000])),
    dated_value("0-0:94.44.128.22", "disablement_threshold", -500_000, (21, "0-0:16.0.1.255", 2)),
    dated_value("0-0:94.44.128.12", "debt_recovery_rate_cap", 10_000, (111, _ACCOUNT, 18)),
    dated_value("0-0:94.44.128.13", "debt_recovery_rate_cap_period", 604_800, (111, _ACCOUNT, 19)),
    dated_value("0-0:94.44.128.2", "emergency_credit_limit", 2_500_000, (112, "0-0:19.10.1.255", 9)),
    dated_value("0-0:94.44.128.3", "emergency_credit_threshold", 100_000, (112, "0-0:19.10.1.255", 10)),
    dated_value("0-0:94.44.128.9", "low_credit_threshold", 500_000, (111, _ACCOUNT, 16)),
    cosem_object(
        10, "0-0:12.0.1.255", stored(2, "non_disablement_calendar", _NON_DISABLEMENT, checks=_ENTRIES)
    ),
    cosem_object(
        10, "0-1:12.0.1.255", stored(2, "non_disablement_calendar_passive", _NON_DISABLEMENT, checks=_ENTRIES)
    ),
    dated_object(
        "0-0:94.44.128.28", "non_disablement_calendar", (10, "0-1:12.0.1.255", 2), (10, "0-0:12.0.1.255", 2)
    ),
    cosem_object(
        11, "0-0:11.0.2.255", stored(2, "non_disablement_special_days", _NON_DISABLEMENT_DAYS, checks=_DAYS)
    ),
    cosem_object(
        11,
        "0-1:11.0.2.255",
        stored(2, "non_disablement_special_days_passive", _NON_DISABLEMENT_DAYS, checks=_DAYS),
    ),
    dated_object(
        "0-0:94.44.128.31",
        "non_disablement_special_days",
        (11, "0-1:11.0.2.255", 2),
        (11, "0-0:11.0.2.255", 2),
    ),
    cosem_object(115, "0-0:19.40.0.255", method(1, "enter_token")),
)
