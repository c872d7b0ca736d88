"""Variants about prepayment. Spec: DUIS service references 2.1 to 2.5."""

from __future__ import annotations

import re
from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import simple
from smetslab.duis.srv.common import (
    DATE_SHAPE,
    DAYS_OF_WEEK,
    EXECUTION,
    GAS_DATE_SHAPE,
    SUPPLIERS,
    indexed,
    schedule_entry,
    special_days,
    week_profiles,
)
from smetslab.duis.srv.components import ACTIVATION_TIME, ISSUED, NOW
from smetslab.duis.srv.derived import DayBits
from smetslab.duis.srv.forms import MINUTES, WEEKDAYS, words
from smetslab.duis.srv.holes import At, Count, ForEach
from smetslab.duis.srv.model import ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import EMPTY, Child, OneGroup, OneOf, Sequence, many
from smetslab.duis.srv.simple import INT, SHORT, UNSIGNED_INT, UNSIGNED_SHORT, Number, Text, Word
from smetslab.duis.srv.tariff import gas_calendar, single_charge
from smetslab.duis.srv.template import Template
from smetslab.gbcs.values import IMMEDIATE

UTRN = Text(20, 20, re.compile("[0-9]{20}"), "20 digits")

_WEEK_S: Final = 604800
"""The period of the cap on debt recovery. Spec: SMETS 5.7.4 (Debt Recovery Rate Cap, per week)."""

# Non-disablement calendars. Spec: DUIS schema 5.4, types UpdatePrepayConfigElec, UpdatePrepayConfigGas.

_START_STOP = Word(("START", "STOP"))
_SPECIAL_DAY_NUMBER = Number(1, 20)
_ELECTRICITY_CALENDAR = Sequence(
    Child(
        "ElectricitySpecialDays",
        Sequence(many("SpecialDay", indexed(Sequence(Child("Date", DATE_SHAPE)), 20), 0, 20)),
    ),
    many(
        "ElectricityNonDisablementSchedule",
        Sequence(
            Child("NonDisablementScript", _START_STOP),
            Child(
                "SpecialDaysApplicability",
                Sequence(
                    many(
                        "SpecialDayApplicability", Sequence(Child("SpecialDayID", _SPECIAL_DAY_NUMBER)), 0, 20
                    )
                ),
            ),
            Child("DaysOfWeekApplicability", DAYS_OF_WEEK),
            Child(
                "ScheduleDatesAndTime",
                Sequence(
                    Child("SwitchTime", simple.TIME),
                    Child("StartDate", simple.DATE),
                    Child("EndDate", simple.DATE),
                ),
            ),
        ),
        1,
        22,
    ),
)
_GAS_DAY_NAME = Number(1, 5)
_GAS_CALENDAR = Sequence(
    Child(
        "DayProfiles",
        Sequence(
            many(
                "GasNonDisablementDayProfile",
                Sequence(
                    many(
                        "TimeStartAction",
                        Sequence(Child("StartTime", simple.TIME), Child("NonDisablementAction", _START_STOP)),
                        1,
                        3,
                    ),
                    Child("GasDayName", _GAS_DAY_NAME),
                ),
                1,
                5,
            )
        ),
    ),
    Child("WeekProfiles", week_profiles(2, 5)),
    Child(
        "SeasonProfiles",
        Sequence(
            many(
                "Season",
                Sequence(Child("SeasonStartDate", GAS_DATE_SHAPE), Child("ReferencedWeekName", Number(1, 2))),
                1,
                3,
            )
        ),
    ),
    Child(
        "SpecialDays",
        Sequence(
            many(
                "SpecialDay",
                Sequence(Child("Date", GAS_DATE_SHAPE), Child("ReferencedDayName", _GAS_DAY_NAME)),
                0,
                20,
            )
        ),
    ),
)
_CONFIGURATION = OneOf(
    (
        Child(
            "UpdatePrepayConfigElectricity",
            Sequence(
                Child("DebtRecoveryRateCap", UNSIGNED_SHORT),
                Child("EmergencyCreditLimit", INT),
                Child("EmergencyCreditThreshold", INT),
                Child("LowCreditThreshold", INT),
                Child("ElectricityNonDisablementCalendar", _ELECTRICITY_CALENDAR),
                Child("MaxMeterBalance", INT),
                Child("MaxCreditThreshold", INT),
            ),
        ),
        Child(
            "UpdatePrepayConfigGas",
            Sequence(
                Child("DebtRecoveryRateCap", INT),
                Child("EmergencyCreditLimit", UNSIGNED_INT),
                Child("EmergencyCreditThreshold", UNSIGNED_INT),
                Child("LowCreditThreshold", UNSIGNED_INT),
                Child("GasNonDisablementCalendar", _GAS_CALENDAR),
                Child("MaxMeterBalance", UNSIGNED_INT),
                Child("MaxCreditThreshold", UNSIGNED_INT),
            ),
        ),
    )
)

_ELECTRICITY: Final = "UpdatePrepayConfigElectricity"
_CALENDAR: Final = f"{_ELECTRICITY}.ElectricityNonDisablementCalendar"
_SPECIAL_DAYS: Final = f"{_CALENDAR}.ElectricitySpecialDays.SpecialDay"
_NON_DISABLEMENT_SCRIPTS: Final = "00000A006AFF"
_SCRIPTS: Final = words({"START": 32, "STOP": 33})
"""Scripts that begin and end a period without disablement. Spec: GBCS 7.3.7 (0-0:10.0.106.255)."""

_ELECTRICITY_TEMPLATE: Final[dict[str, Template]] = {
    "non_disablement_calendar_special_days": special_days(_SPECIAL_DAYS, "@index", "Date"),
    "maximum_meter_balance": At(f"{_ELECTRICITY}.MaxMeterBalance"),
    "maximum_credit_threshold": At(f"{_ELECTRICITY}.MaxCreditThreshold"),
    "non_disablement_calendar": [
        ForEach(
            f"{_CALENDAR}.ElectricityNonDisablementSchedule",
            schedule_entry(
                _NON_DISABLEMENT_SCRIPTS,
                At("NonDisablementScript", _SCRIPTS),
                switch_time=At("ScheduleDatesAndTime.SwitchTime"),
                weekdays=At("DaysOfWeekApplicability", WEEKDAYS),
                special_days=DayBits(
                    f"/{_SPECIAL_DAYS}",
                    "@index",
                    "SpecialDaysApplicability.SpecialDayApplicability",
                    "SpecialDayID",
                ),
                begin_date=At("ScheduleDatesAndTime.StartDate"),
                end_date=At("ScheduleDatesAndTime.EndDate"),
            ),
        )
    ],
    "debt_recovery_rate_cap_amount": At(f"{_ELECTRICITY}.DebtRecoveryRateCap"),
    "debt_recovery_rate_cap_period": _WEEK_S,
    "low_credit_threshold": At(f"{_ELECTRICITY}.LowCreditThreshold"),
    "emergency_credit_limit": At(f"{_ELECTRICITY}.EmergencyCreditLimit"),
    "emergency_credit_threshold": At(f"{_ELECTRICITY}.EmergencyCreditThreshold"),
}

_GAS: Final = "UpdatePrepayConfigGas"
_GAS_DAYS: Final = f"{_GAS}.GasNonDisablementCalendar"

# Debt. Spec: DUIS schema 5.4, type UpdateDebt.

_PERIOD = Word(("HOURLY", "DAILY"))
_PERIOD_S: Final = words({"HOURLY": 3600, "DAILY": 86400})
_FREQUENCY: Final = words({"HOURLY": "per_hour", "DAILY": "per_day"})
_ELECTRICITY_RECOVERY = Sequence(
    Child("DebtRecoveryRate", SHORT),
    Child("DebtRecoveryRatePriceScale", Number(-128, 127)),
    Child("DebtRecoveryRatePeriod", _PERIOD),
)
_GAS_RECOVERY = Sequence(Child("DebtRecoveryRate", INT), Child("DebtRecoveryRatePeriod", _PERIOD))


def _recovery_rate(number: int) -> dict[str, Template]:
    element = f"ElecDebtRecovery{number}"
    return {
        f"debt_recovery_rate_{number}_value": single_charge(
            f"{element}.DebtRecoveryRatePriceScale", f"{element}.DebtRecoveryRate"
        ),
        f"debt_recovery_rate_{number}_period": At(f"{element}.DebtRecoveryRatePeriod", _PERIOD_S),
    }


def _change_debt(
    amount: str, kind: str, method: str, *, frequency: Template, recovery: Template, percentage: Template
) -> Template:
    return {
        "issuer_event_id": NOW,
        "debt_label": "",
        "debt_amount": At(amount),
        "debt_recovery_method": method,
        "debt_amount_type": kind,
        "debt_recovery_start_time": IMMEDIATE,
        "debt_recovery_collection_time": 0,
        "debt_recovery_frequency": frequency,
        "debt_recovery_amount": recovery,
        "debt_recovery_balance_percentage": percentage,
    }


def _change_time_debt(number: int) -> Template:
    element = f"GasDebtRecovery{number}"
    return _change_debt(
        f"TimeDebtRegister{number}",
        f"type_{number}_incremental",
        "time_based",
        frequency=At(f"{element}.DebtRecoveryRatePeriod", _FREQUENCY),
        recovery=At(f"{element}.DebtRecoveryRate"),
        percentage=0,
    )


SERVICE_REQUESTS = (
    ServiceRequest(
        variant="2.1",
        reference="2.1",
        name="Update Prepay Configuration",
        element="UpdatePrepayConfiguration",
        body=body(EXECUTION, _CONFIGURATION),
        critical=True,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping("ECS08a", _ELECTRICITY_TEMPLATE),
            mapping("ECS08", _ELECTRICITY_TEMPLATE),
            mapping(
                "GCS05",
                components_of={
                    "emergency_credit_setup": {
                        "issuer_event_id": NOW,
                        "start_time": ACTIVATION_TIME,
                        "emergency_credit_limit": At(f"{_GAS}.EmergencyCreditLimit"),
                        "emergency_credit_threshold": At(f"{_GAS}.EmergencyCreditThreshold"),
                    },
                    "set_overall_debt_cap": {
                        **ISSUED,
                        "implementation_date_time": ACTIVATION_TIME,
                        "overall_debt_cap": At(f"{_GAS}.DebtRecoveryRateCap"),
                    },
                    "set_low_credit_warning_level": {
                        "from_date_time": ACTIVATION_TIME,
                        "low_credit_warning_level": At(f"{_GAS}.LowCreditThreshold"),
                    },
                    "set_maximum_credit_limit": {
                        **ISSUED,
                        "implementation_date_time": ACTIVATION_TIME,
                        "maximum_credit_level": At(f"{_GAS}.MaxMeterBalance"),
                        "maximum_credit_per_top_up": At(f"{_GAS}.MaxCreditThreshold"),
                    },
                    **gas_calendar(
                        "friendly_credit",
                        days=f"{_GAS_DAYS}.DayProfiles.GasNonDisablementDayProfile",
                        weeks=f"{_GAS_DAYS}.WeekProfiles.WeekProfile",
                        seasons=f"{_GAS_DAYS}.SeasonProfiles.Season",
                        special_days=f"{_GAS_DAYS}.SpecialDays.SpecialDay",
                        day_profile={
                            "day_id": At("GasDayName"),
                            "number_of_schedule_entries": Count("TimeStartAction"),
                            "schedule_entries": [
                                ForEach(
                                    "TimeStartAction",
                                    {
                                        "start_time": At("StartTime", MINUTES),
                                        "friendly_credit_enable": At(
                                            "NonDisablementAction",
                                            words({"START": "enabled", "STOP": "disabled"}),
                                        ),
                                    },
                                )
                            ],
                        },
                    ),
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="2.2",
        reference="2.2",
        name="Top Up Device",
        element="TopUpDevice",
        body=body(Child("UTRN", UTRN)),
        critical=False,
        eligible_roles=SUPPLIERS,
        mappings=(
            mapping("CS01a", {"utrn": At("UTRN")}),
            mapping(
                "CS01b",
                components_of={
                    "consumer_top_up": {
                        "originating_device": "energy_service_interface",
                        "top_up_code": At("UTRN"),
                    }
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="2.3",
        reference="2.3",
        name="Update Debt",
        element="UpdateDebt",
        body=body(
            Child("TimeDebtRegister1", INT),
            Child("TimeDebtRegister2", INT),
            Child("PaymentDebtRegister", INT),
            Child("DebtRecoveryPerPayment", Number(0, 10000)),
            OneGroup(
                (
                    (
                        Child("ElecDebtRecovery1", _ELECTRICITY_RECOVERY),
                        Child("ElecDebtRecovery2", _ELECTRICITY_RECOVERY),
                    ),
                    (Child("GasDebtRecovery1", _GAS_RECOVERY), Child("GasDebtRecovery2", _GAS_RECOVERY)),
                )
            ),
        ),
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(
            mapping(
                "ECS07",
                {
                    **_recovery_rate(1),
                    **_recovery_rate(2),
                    "debt_recovery_per_payment": At("DebtRecoveryPerPayment"),
                    "payment_debt_register_adjustment": At("PaymentDebtRegister"),
                    "time_debt_register_1_adjustment": At("TimeDebtRegister1"),
                    "time_debt_register_2_adjustment": At("TimeDebtRegister2"),
                },
                # Only daily recovery is in published messages of electricity.
                unverified=("ElecDebtRecovery1.DebtRecoveryRatePeriod",),
            ),
            mapping(
                "GCS04",
                components_of={
                    "change_debt": [
                        _change_time_debt(1),
                        _change_time_debt(2),
                        _change_debt(
                            "PaymentDebtRegister",
                            "type_3_incremental",
                            "percentage_based",
                            frequency="per_day",
                            recovery=0,
                            percentage=At("DebtRecoveryPerPayment"),
                        ),
                    ]
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="2.5",
        reference="2.5",
        name="Activate Emergency Credit",
        element="ActivateEmergencyCredit",
        body=EMPTY,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(
            mapping("ECS09"),
            mapping(
                "GCS06",
                components_of={
                    "select_available_emergency_credit": {
                        "command_issue_date_time": "not_given",
                        "originating_device": "energy_service_interface",
                    }
                },
            ),
        ),
    ),
)
