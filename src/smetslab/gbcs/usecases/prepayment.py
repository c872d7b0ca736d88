"""Use cases about prepayment on an ESME. Spec: GBCS use cases CS01a, ECS26a."""

from __future__ import annotations

from smetslab.gbcs.codes import CounterFamily
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import ListOf, Num, Struct
from smetslab.gbcs.usecases.common import ESME, SPECIAL_DAYS, SUPPLIER, UNIT_CHARGE
from smetslab.gbcs.usecases.dlms import DlmsAccess, action, get
from smetslab.gbcs.usecases.model import UseCase

MONEY = Num(Tag.DOUBLE_LONG, unit="1/1000 penny")
PERIOD = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="s")

SCHEDULE_ENTRIES = ListOf(
    Struct(
        {
            "index": shapes.LONG_UNSIGNED,
            "enable": shapes.BOOLEAN,
            "script_table": shapes.LOGICAL_NAME,
            "script_selector": shapes.LONG_UNSIGNED,
            "switch_time": shapes.TIME,
            "validity_window": shapes.LONG_UNSIGNED,
            "exec_weekdays": shapes.BIT_STRING,
            "exec_special_days": shapes.BIT_STRING,
            "begin_date": shapes.DATE,
            "end_date": shapes.DATE,
        }
    )
)
"""entries of class 10."""

CREDIT_CHARGE_CONFIGURATION = ListOf(
    Struct(
        {
            "credit_reference": shapes.LOGICAL_NAME,
            "charge_reference": shapes.LOGICAL_NAME,
            "collection_configuration": shapes.BIT_STRING,
        }
    )
)

USE_CASES = (
    UseCase(
        name="CS01a",
        code=0x0007,
        title="Apply Prepayment Top Up to an ESME",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("2.2",),
        replay_protected=True,
        counter_family=CounterFamily.UTRN,
        date_time_in_response=True,
        payload=DlmsAccess((action("utrn", 115, "0-0:19.40.0.255", 1, shapes.Text(maximum=20)),)),
    ),
    UseCase(
        name="ECS26a",
        code=0x003B,
        title="Read ESME Configuration Data Prepayment",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("4.13",),
        payload=DlmsAccess(
            (
                # The access list reads each debt recovery rate twice: once for its value, once for its
                # scaler.
                get("debt_recovery_rate_1_value", 113, "0-0:19.20.1.255", 5, UNIT_CHARGE),
                get("non_disablement_calendar_special_days", 11, "0-0:11.0.2.255", 2, SPECIAL_DAYS),
                get("debt_recovery_rate_1_period", 113, "0-0:19.20.1.255", 8, PERIOD),
                get("debt_recovery_rate_1_scaler", 113, "0-0:19.20.1.255", 5, UNIT_CHARGE),
                get("debt_recovery_rate_2_value", 113, "0-0:19.20.2.255", 5, UNIT_CHARGE),
                get("debt_recovery_rate_2_period", 113, "0-0:19.20.2.255", 8, PERIOD),
                get("debt_recovery_rate_2_scaler", 113, "0-0:19.20.2.255", 5, UNIT_CHARGE),
                get("debt_recovery_per_payment", 113, "0-0:19.20.3.255", 13, shapes.LONG_UNSIGNED),
                get("maximum_credit_threshold", 9000, "0-0:94.44.2.10", 2, MONEY),
                get("disablement_threshold", 21, "0-0:16.0.1.255", 2, ListOf(MONEY, 1)),
                get("maximum_meter_balance", 9000, "0-0:94.44.2.20", 2, MONEY),
                get("low_credit_threshold", 111, "0-0:19.0.0.255", 16, MONEY),
                get("debt_recovery_rate_cap_amount", 111, "0-0:19.0.0.255", 18, shapes.LONG_UNSIGNED),
                get("debt_recovery_rate_cap_period", 111, "0-0:19.0.0.255", 19, shapes.DOUBLE_LONG),
                get("emergency_credit_limit", 112, "0-0:19.10.1.255", 9, MONEY),
                get("emergency_credit_threshold", 112, "0-0:19.10.1.255", 10, MONEY),
                get("non_disablement_calendar", 10, "0-0:12.0.1.255", 2, SCHEDULE_ENTRIES),
                get("credit_charge_configuration", 111, "0-0:19.0.0.255", 11, CREDIT_CHARGE_CONFIGURATION),
            )
        ),
    ),
)
