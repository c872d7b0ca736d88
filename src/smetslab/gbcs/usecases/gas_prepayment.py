"""Use cases about payment mode, credit, debt and top-ups of a GSME.

Spec: GBCS use cases CS01b, GCS02 to GCS06, GCS21b, GCS21j, GCS40a to GCS40d
"""

from __future__ import annotations

from smetslab.gbcs.codes import CounterFamily
from smetslab.gbcs.usecases.common import SUPPLIER, SUPPLIER_OR_BROKER
from smetslab.gbcs.usecases.gas_common import GPF_OR_GSME, GSME, gas
from smetslab.gbcs.usecases.gas_tariff import CALENDAR, NON_DISABLEMENT_ELEMENTS, READ_CALENDAR
from smetslab.gbcs.usecases.gbz import GbzAccess, ask, publish, read, since
from smetslab.gbcs.usecases.model import UseCase
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.named import StartTime

TOP_UP = ask(Prepayment.consumer_top_up, Prepayment.consumer_top_up_response)

_PAYMENT_MODE = (
    ask(
        Prepayment.change_payment_mode,
        Prepayment.change_payment_mode_response,
        quiet=True,
        activation="implementation_date_time",
    ),
)
_CREDIT_ADJUSTMENT = (publish(Prepayment.credit_adjustment),)

USE_CASES = (
    UseCase(
        name="CS01b",
        code=0x0097,
        title="Apply Prepayment Top Up to a GSME",
        devices=GSME,
        critical=False,
        payload=GbzAccess((TOP_UP,), {"consumer_top_up.top_up_code": ("UTRN",)}),
        originator_roles=SUPPLIER,
        service_requests=("2.2",),
        replay_protected=True,
        counter_family=CounterFamily.UTRN,
        date_time_in_response=True,
    ),
    gas(
        "GCS02",
        0x006C,
        "Set GSME Payment Mode to Credit",
        "1.6",
        _PAYMENT_MODE,
        critical=True,
        future_dateable=True,
        date_time_in_response=True,
        elements={
            "change_payment_mode.implementation_date_time": ("ExecutionDateTime",),
            "change_payment_mode.proposed_payment_control_configuration": (
                "Credit",
                "Prepayment",
                "SuspendDebtDisabled",
                "SuspendDebtEmergency",
            ),
        },
    ),
    gas(
        "GCS03",
        0x006D,
        "Set GSME Payment Mode to Prepayment",
        "1.6",
        _PAYMENT_MODE,
        critical=True,
        future_dateable=True,
        date_time_in_response=True,
        elements={
            "change_payment_mode.implementation_date_time": ("ExecutionDateTime",),
            "change_payment_mode.proposed_payment_control_configuration": (
                "Credit",
                "Prepayment",
                "SuspendDebtDisabled",
                "SuspendDebtEmergency",
            ),
            "change_payment_mode.cut_off_value": ("DisablementThreshold",),
        },
    ),
    gas(
        "GCS04",
        0x006E,
        "Manage Debt on the GSME",
        "2.3",
        (publish(Prepayment.change_debt, least=3, most=3),),
        critical=True,
        elements={
            "change_debt.debt_amount": (
                "TimeDebtRegister1",
                "TimeDebtRegister2",
                "PaymentDebtRegister",
            ),
            "change_debt.debt_recovery_frequency": ("DebtRecoveryRatePeriod",),
            "change_debt.debt_recovery_amount": ("DebtRecoveryRate",),
            "change_debt.debt_recovery_balance_percentage": ("DebtRecoveryPerPayment",),
        },
    ),
    gas(
        "GCS05",
        0x006F,
        "Update Prepayment Configurations on GSME",
        "2.1",
        (
            publish(Prepayment.emergency_credit_setup, activation="start_time"),
            publish(Prepayment.set_overall_debt_cap, activation="implementation_date_time"),
            since(publish(Prepayment.set_low_credit_warning_level), StartTime, activation=True),
            publish(Prepayment.set_maximum_credit_limit, activation="implementation_date_time"),
            *CALENDAR,
        ),
        critical=True,
        future_dateable=True,
        date_time_in_response=True,
        elements={
            **NON_DISABLEMENT_ELEMENTS,
            "emergency_credit_setup.start_time": ("ExecutionDateTime",),
            "emergency_credit_setup.emergency_credit_limit": ("EmergencyCreditLimit",),
            "emergency_credit_setup.emergency_credit_threshold": ("EmergencyCreditThreshold",),
            "set_overall_debt_cap.implementation_date_time": ("ExecutionDateTime",),
            "set_overall_debt_cap.overall_debt_cap": ("DebtRecoveryRateCap",),
            "set_low_credit_warning_level.low_credit_warning_level": ("LowCreditThreshold",),
            "set_maximum_credit_limit.implementation_date_time": ("ExecutionDateTime",),
            "set_maximum_credit_limit.maximum_credit_level": ("MaxMeterBalance",),
            "set_maximum_credit_limit.maximum_credit_per_top_up": ("MaxCreditThreshold",),
            "publish_calendar.start_time": ("ExecutionDateTime",),
            "publish_special_days.start_time": ("ExecutionDateTime",),
        },
    ),
    gas(
        "GCS06",
        0x0070,
        "Activate Emergency Credit Remotely on GSME",
        "2.5",
        (publish(Prepayment.select_available_emergency_credit),),
        critical=True,
    ),
    gas(
        "GCS21b",
        0x00B5,
        "Read GSME Configuration Data Prepayment",
        "4.13",
        (
            read(
                Prepayment.debt_recovery_top_up_percentage_3,
                Prepayment.overall_debt_cap,
                Prepayment.debt_recovery_frequency_1,
                Prepayment.debt_recovery_frequency_2,
                Prepayment.cut_off_value,
                Prepayment.emergency_credit_limit,
                Prepayment.emergency_credit_threshold,
                Prepayment.low_credit_warning_level,
                Prepayment.max_credit_limit,
                Prepayment.max_credit_per_top_up,
                Prepayment.debt_recovery_amount_1,
                Prepayment.debt_recovery_amount_2,
            ),
            read(Price.price_trailing_digits),
            *READ_CALENDAR,
        ),
        devices=GPF_OR_GSME,
        elements={
            **NON_DISABLEMENT_ELEMENTS,
            "debt_recovery_top_up_percentage_3": ("DebtRecoveryPerPayment",),
            "overall_debt_cap": ("DebtRecoveryRateCap",),
            "debt_recovery_frequency_1": ("DebtRecoveryRatePeriod",),
            "debt_recovery_frequency_2": ("DebtRecoveryRatePeriod",),
            "cut_off_value": ("DisablementThreshold",),
            "emergency_credit_limit": ("EmergencyCreditLimit",),
            "emergency_credit_threshold": ("EmergencyCreditThreshold",),
            "low_credit_warning_level": ("LowCreditThreshold",),
            "max_credit_limit": ("MaxCreditMaxMeterBalance",),
            "max_credit_per_top_up": ("CreditMaxCreditThreshold",),
            "debt_recovery_amount_1": ("DebtRecoveryRate",),
            "debt_recovery_amount_2": ("DebtRecoveryRate",),
        },
    ),
    gas(
        "GCS21j",
        0x00BF,
        "Read GSME Configuration Data Device Information (Payment Mode)",
        "6.2.9",
        (read(Prepayment.payment_control_configuration),),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
        elements={
            "payment_control_configuration": (
                "PaymentMode",
                "SuspendDebtDisabled",
                "SuspendDebtEmergency",
            )
        },
    ),
    gas(
        "GCS40a",
        0x0086,
        "Adjust Prepayment Mode Meter Balance on the GSME",
        "1.5",
        _CREDIT_ADJUSTMENT,
        critical=True,
        elements={"credit_adjustment.credit_adjustment_value": ("AdjustMeterBalance",)},
    ),
    gas(
        "GCS40b",
        0x00B4,
        "Reset Prepayment Mode Meter Balance on the GSME",
        "1.5",
        _CREDIT_ADJUSTMENT,
        critical=True,
        elements={"credit_adjustment.credit_adjustment_type": ("ResetMeterBalance",)},
    ),
    gas(
        "GCS40c",
        0x00C0,
        "Adjust Credit Mode Meter Balance on the GSME",
        "1.5",
        _CREDIT_ADJUSTMENT,
        critical=True,
        elements={"credit_adjustment.credit_adjustment_value": ("AdjustMeterBalance",)},
    ),
    gas(
        "GCS40d",
        0x00C2,
        "Reset Credit Mode Meter Balance on the GSME",
        "1.5",
        _CREDIT_ADJUSTMENT,
        critical=True,
        elements={"credit_adjustment.credit_adjustment_type": ("ResetMeterBalance",)},
    ),
)
