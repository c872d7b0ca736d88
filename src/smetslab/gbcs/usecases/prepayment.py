"""Use cases about payment modes, prepayment and debt on an ESME.

Spec: GBCS use cases CS01a, ECS02 to ECS04b, ECS07 to ECS09, ECS19, ECS26a, ECS26j, ECS82.
"""

from __future__ import annotations

from smetslab.gbcs.codes import CounterFamily
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Const, ListOf, Num, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import (
    ESME,
    FUTURE_DATED_ALERT,
    INTEGER_ZERO,
    SECONDS,
    SUPPLIER,
    SUPPLIER_OR_BROKER,
    schedule_entries,
    special_days,
    unit_charge,
)
from smetslab.gbcs.usecases.dlms import (
    AccessItem,
    DlmsAccess,
    action,
    activate,
    get,
    protected_get,
    protected_object,
    set_,
)
from smetslab.gbcs.usecases.model import UseCase, newer

MONEY = Num(Tag.DOUBLE_LONG, unit="1/1000 penny")
PROPORTION = Num(Tag.LONG_UNSIGNED, unit="1/100 %")
RATE_CAP_AMOUNT = Num(Tag.LONG_UNSIGNED, unit="1/1000 penny")
RATE_CAP_PERIOD = Num(Tag.DOUBLE_LONG, unit="s")

DEBT_RECOVERY = unit_charge(scale="DebtRecoveryRatePriceScale", charge=("DebtRecoveryRate",))
SPECIAL_DAYS = special_days(index=("@index",), date=("Date",))
NON_DISABLEMENT = schedule_entries(shapes.LONG_UNSIGNED, script=("NonDisablementScript",))

ACCOUNT_MODE_AND_STATUS = Struct(
    {
        known("payment_mode", "PaymentMode", "Credit", "Prepayment"): Num(
            Tag.ENUM, {1: "credit", 2: "prepayment"}
        ),
        "account_status": Num(Tag.ENUM, {1: "new", 2: "active", 3: "closed"}),
    }
)
"""account_mode_and_status of class 111. Spec: IEC 62056-6-2 (Account)."""

CREDIT_CHARGE_CONFIGURATION = ListOf(
    Struct(
        {
            "credit_reference": shapes.LOGICAL_NAME,
            "charge_reference": shapes.LOGICAL_NAME,
            known(
                "collection_configuration", "SuspendDebtDisabled", "SuspendDebtEmergency"
            ): shapes.BIT_STRING,
        }
    )
)


def _set_payment_mode(
    name: str, code: int, title: str, before: tuple[AccessItem, ...], after: tuple[AccessItem, ...]
) -> UseCase:
    """A row that prepares the passive account and dates its activation; `before` and `after` are around its
    charge list."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("1.6",),
        replay_protected=True,
        future_dateable=True,
        date_time_in_response=True,
        alerts=FUTURE_DATED_ALERT,
        payload=DlmsAccess(
            (
                set_("account_mode_and_status", 111, "0-1:19.0.0.255", 2, ACCOUNT_MODE_AND_STATUS),
                *before,
                set_("credit_charge_configuration", 111, "0-1:19.0.0.255", 11, CREDIT_CHARGE_CONFIGURATION),
                *after,
                activate("account_activation_time", 111, "0-1:19.0.0.255", 13),
            )
        ),
    )


def _prepayment_configuration(
    name: str, code: int, maximum_balance_attribute: int, unverified: tuple[str, ...] = ()
) -> UseCase:
    """A row that writes the prepayment configuration; the older form writes the maximum meter balance at
    once."""
    title = "Update Prepayment Configuration on ESME"
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("2.1",),
        replay_protected=True,
        future_dateable=True,
        date_time_in_response=True,
        alerts=FUTURE_DATED_ALERT,
        payload=DlmsAccess(
            (
                set_(
                    known("non_disablement_calendar_special_days", "ElectricitySpecialDays"),
                    11,
                    "0-1:11.0.2.255",
                    2,
                    SPECIAL_DAYS,
                ),
                set_(
                    known("maximum_meter_balance", "MaxMeterBalance", "MaxCreditMaxMeterBalance"),
                    9000,
                    "0-0:94.44.2.20",
                    maximum_balance_attribute,
                    MONEY,
                ),
                set_(
                    known("maximum_credit_threshold", "MaxCreditThreshold", "CreditMaxCreditThreshold"),
                    9000,
                    "0-0:94.44.2.10",
                    4,
                    MONEY,
                ),
                set_(
                    known("non_disablement_calendar", "ElectricityNonDisablementSchedule"),
                    10,
                    "0-1:12.0.1.255",
                    2,
                    NON_DISABLEMENT,
                ),
                set_(
                    known("debt_recovery_rate_cap_amount", "DebtRecoveryRateCap"),
                    9000,
                    "0-0:94.44.128.12",
                    4,
                    RATE_CAP_AMOUNT,
                ),
                set_("debt_recovery_rate_cap_period", 9000, "0-0:94.44.128.13", 4, RATE_CAP_PERIOD),
                set_(known("low_credit_threshold", "LowCreditThreshold"), 9000, "0-0:94.44.128.9", 4, MONEY),
                set_(
                    known("emergency_credit_limit", "EmergencyCreditLimit"), 9000, "0-0:94.44.128.2", 4, MONEY
                ),
                activate(
                    "non_disablement_calendar_special_days_activation_time", 9000, "0-0:94.44.128.31", 6
                ),
                set_(
                    known("emergency_credit_threshold", "EmergencyCreditThreshold"),
                    9000,
                    "0-0:94.44.128.3",
                    4,
                    MONEY,
                ),
                activate("maximum_meter_balance_activation_time", 9000, "0-0:94.44.2.20", 6),
                activate("maximum_credit_threshold_activation_time", 9000, "0-0:94.44.2.10", 6),
                activate("debt_recovery_rate_cap_amount_activation_time", 9000, "0-0:94.44.128.12", 6),
                activate("debt_recovery_rate_cap_period_activation_time", 9000, "0-0:94.44.128.13", 6),
                activate("low_credit_threshold_activation_time", 9000, "0-0:94.44.128.9", 6),
                activate("emergency_credit_limit_activation_time", 9000, "0-0:94.44.128.2", 6),
                activate("emergency_credit_threshold_activation_time", 9000, "0-0:94.44.128.3", 6),
                activate("non_disablement_calendar_activation_time", 9000, "0-0:94.44.128.28", 6),
            )
        ),
        unverified=unverified,
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
        payload=DlmsAccess(
            (action(known("utrn", "UTRN"), 115, "0-0:19.40.0.255", 1, shapes.Text(maximum=20)),)
        ),
    ),
    _set_payment_mode("ECS02", 0x001A, "Set ESME Payment Mode to Credit", (), ()),
    _set_payment_mode(
        "ECS03",
        0x001B,
        "Set ESME Payment Mode to Prepayment",
        (set_(known("disablement_threshold", "DisablementThreshold"), 9000, "0-0:94.44.128.22", 4, MONEY),),
        (activate("disablement_threshold_activation_time", 9000, "0-0:94.44.128.22", 6),),
    ),
    UseCase(
        name="ECS04a",
        code=0x001C,
        title="Adjust Meter Balance on the ESME",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("1.5",),
        replay_protected=True,
        payload=DlmsAccess(
            (
                action(
                    known("meter_balance_adjustment", "AdjustMeterBalance"), 112, "0-0:19.10.0.255", 1, MONEY
                ),
            )
        ),
    ),
    UseCase(
        name="ECS04b",
        code=0x00B3,
        title="Reset Meter Balance on the ESME",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("1.5",),
        replay_protected=True,
        payload=DlmsAccess(
            tuple(
                action(register, 112, obis, 2, Const(axdr.double_long(0)))
                for register, obis in (
                    (known("meter_balance_reset", "ResetMeterBalance"), "0-0:19.10.0.255"),
                    ("emergency_credit_balance_reset", "0-0:19.10.1.255"),
                    ("accumulated_debt_register_reset", "0-0:19.10.2.255"),
                )
            )
        ),
    ),
    UseCase(
        name="ECS07",
        code=0x001E,
        title="Manage Debt on the ESME",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("2.3",),
        replay_protected=True,
        payload=DlmsAccess(
            (
                set_(
                    known("debt_recovery_rate_1_value", "ElecDebtRecovery1", "DebtRecovery1"),
                    113,
                    "0-0:19.20.1.255",
                    6,
                    DEBT_RECOVERY,
                ),
                set_(
                    known("debt_recovery_rate_2_value", "ElecDebtRecovery2", "DebtRecovery2"),
                    113,
                    "0-0:19.20.2.255",
                    6,
                    DEBT_RECOVERY,
                ),
                set_(
                    known("debt_recovery_per_payment", "DebtRecoveryPerPayment"),
                    113,
                    "0-0:19.20.3.255",
                    13,
                    PROPORTION,
                ),
                set_(
                    known("debt_recovery_rate_1_period", "DebtRecoveryRatePeriod"),
                    113,
                    "0-0:19.20.1.255",
                    8,
                    SECONDS,
                ),
                set_(
                    known("debt_recovery_rate_2_period", "DebtRecoveryRatePeriod"),
                    113,
                    "0-0:19.20.2.255",
                    8,
                    SECONDS,
                ),
                action("debt_recovery_rate_1_activation", 113, "0-0:19.20.1.255", 2, INTEGER_ZERO),
                action("debt_recovery_rate_2_activation", 113, "0-0:19.20.2.255", 2, INTEGER_ZERO),
                action(
                    known("payment_debt_register_adjustment", "PaymentDebtRegister"),
                    113,
                    "0-0:19.20.3.255",
                    4,
                    MONEY,
                ),
                action(
                    known("time_debt_register_1_adjustment", "TimeDebtRegister1"),
                    113,
                    "0-0:19.20.1.255",
                    4,
                    MONEY,
                ),
                action(
                    known("time_debt_register_2_adjustment", "TimeDebtRegister2"),
                    113,
                    "0-0:19.20.2.255",
                    4,
                    MONEY,
                ),
            )
        ),
    ),
    _prepayment_configuration("ECS08", 0x001F, 2, unverified=("replay_protected",)),
    newer(_prepayment_configuration("ECS08a", 0x00DE, 4), than="ECS08"),
    UseCase(
        name="ECS09",
        code=0x0020,
        title="Activate Emergency Credit Remotely on ESME",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("2.5",),
        replay_protected=True,
        payload=DlmsAccess((action("emergency_credit_selection", 112, "0-0:19.10.1.255", 3, INTEGER_ZERO),)),
    ),
    UseCase(
        name="ECS19",
        code=0x002D,
        title="Read ESME Prepayment Registers",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("4.3",),
        date_time_in_response=True,
        payload=DlmsAccess(
            (
                protected_get(
                    "prepayment_registers",
                    "0-0:43.2.1.255",
                    protected_object(
                        "prepayment_balance_collection",
                        1,
                        "0-0:94.44.34.30",
                        2,
                        Struct(
                            {
                                known("meter_balance", "MeterBalance"): MONEY,
                                known("emergency_credit_balance", "EmergencyCreditBalance"): MONEY,
                                known("accumulated_debt_register", "AccumulatedDebtRegister"): MONEY,
                                known("time_debt_register_1", "TimeDebtRegister1"): MONEY,
                                known("time_debt_register_2", "TimeDebtRegister2"): MONEY,
                                known("payment_debt_register", "PaymentDebtRegister"): MONEY,
                            }
                        ),
                    ),
                ),
            )
        ),
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
                get(
                    known("debt_recovery_rate_1_value", "ElecDebtRecovery1", "DebtRecovery1"),
                    113,
                    "0-0:19.20.1.255",
                    5,
                    DEBT_RECOVERY,
                ),
                get(
                    known("non_disablement_calendar_special_days", "ElectricitySpecialDays"),
                    11,
                    "0-0:11.0.2.255",
                    2,
                    SPECIAL_DAYS,
                ),
                get(
                    known("debt_recovery_rate_1_period", "DebtRecoveryRatePeriod"),
                    113,
                    "0-0:19.20.1.255",
                    8,
                    SECONDS,
                ),
                get(
                    known("debt_recovery_rate_1_scaler", "DebtRecovery1"),
                    113,
                    "0-0:19.20.1.255",
                    5,
                    DEBT_RECOVERY,
                ),
                get(
                    known("debt_recovery_rate_2_value", "ElecDebtRecovery2", "DebtRecovery2"),
                    113,
                    "0-0:19.20.2.255",
                    5,
                    DEBT_RECOVERY,
                ),
                get(
                    known("debt_recovery_rate_2_period", "DebtRecoveryRatePeriod"),
                    113,
                    "0-0:19.20.2.255",
                    8,
                    SECONDS,
                ),
                get(
                    known("debt_recovery_rate_2_scaler", "DebtRecovery2"),
                    113,
                    "0-0:19.20.2.255",
                    5,
                    DEBT_RECOVERY,
                ),
                get(
                    known("debt_recovery_per_payment", "DebtRecoveryPerPayment"),
                    113,
                    "0-0:19.20.3.255",
                    13,
                    PROPORTION,
                ),
                get(
                    known("maximum_credit_threshold", "MaxCreditThreshold", "CreditMaxCreditThreshold"),
                    9000,
                    "0-0:94.44.2.10",
                    2,
                    MONEY,
                ),
                get(
                    known("disablement_threshold", "DisablementThreshold"),
                    21,
                    "0-0:16.0.1.255",
                    2,
                    ListOf(MONEY, 1),
                ),
                get(
                    known("maximum_meter_balance", "MaxMeterBalance", "MaxCreditMaxMeterBalance"),
                    9000,
                    "0-0:94.44.2.20",
                    2,
                    MONEY,
                ),
                get(known("low_credit_threshold", "LowCreditThreshold"), 111, "0-0:19.0.0.255", 16, MONEY),
                get(
                    known("debt_recovery_rate_cap_amount", "DebtRecoveryRateCap"),
                    111,
                    "0-0:19.0.0.255",
                    18,
                    RATE_CAP_AMOUNT,
                ),
                get("debt_recovery_rate_cap_period", 111, "0-0:19.0.0.255", 19, RATE_CAP_PERIOD),
                get(
                    known("emergency_credit_limit", "EmergencyCreditLimit"), 112, "0-0:19.10.1.255", 9, MONEY
                ),
                get(
                    known("emergency_credit_threshold", "EmergencyCreditThreshold"),
                    112,
                    "0-0:19.10.1.255",
                    10,
                    MONEY,
                ),
                get(
                    known("non_disablement_calendar", "ElectricityNonDisablementSchedule"),
                    10,
                    "0-0:12.0.1.255",
                    2,
                    NON_DISABLEMENT,
                ),
                get("credit_charge_configuration", 111, "0-0:19.0.0.255", 11, CREDIT_CHARGE_CONFIGURATION),
            )
        ),
    ),
    UseCase(
        name="ECS26j",
        code=0x00BE,
        title="Read ESME Configuration Data Device Information (Payment Mode)",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("6.2.9",),
        payload=DlmsAccess(
            (get("account_mode_and_status", 111, "0-0:19.0.0.255", 2, ACCOUNT_MODE_AND_STATUS),)
        ),
    ),
    UseCase(
        name="ECS82",
        code=0x0069,
        title="Read Meter Balance for ESME",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("4.18",),
        payload=DlmsAccess((get(known("meter_balance", "MeterBalance"), 112, "0-0:19.10.0.255", 2, MONEY),)),
    ),
)
