"""Variants about balances and payment modes. Spec: DUIS service references 1.5, 1.6."""

from __future__ import annotations

from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv.common import EXECUTION, SUPPLIERS
from smetslab.duis.srv.components import ACTIVATION_TIME, ISSUED, NOW
from smetslab.duis.srv.holes import At, Choose, IfFact, Switch, Unsaid
from smetslab.duis.srv.model import Has, HasOne, ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import PRESENT, Child, OneOf, Sequence
from smetslab.duis.srv.simple import BOOLEAN, INT
from smetslab.duis.srv.template import ABSENT, Template
from smetslab.gbcs.values import IMMEDIATE

# Meter balance -----------------------------------------------------------

_ADJUST_OR_RESET = Sequence(OneOf((Child("AdjustMeterBalance", INT), Child("ResetMeterBalance", PRESENT))))
_MODES: Final = ("PrepaymentMode", "CreditMode")
_ADJUSTMENTS: Final = tuple(f"{mode}.AdjustMeterBalance" for mode in _MODES)
_RESETS: Final = tuple(f"{mode}.ResetMeterBalance" for mode in _MODES)


def _adjustment(kind: str, value: Template) -> dict[str, Template]:
    return {
        "credit_adjustment": {
            "issuer_event_id": NOW,
            "start_time": IMMEDIATE,
            "credit_adjustment_type": kind,
            "credit_adjustment_value": value,
        }
    }


# Payment mode -----------------------------------------------------------

_METER_CREDIT, _EMERGENCY_CREDIT, _ACCUMULATED_DEBT = "0000130A00FF", "0000130A01FF", "0000130A02FF"
_TARIFF, _TIME_DEBT_1, _TIME_DEBT_2, _PAYMENT_DEBT, _STANDING, _SECONDARY = (
    f"00001314{number:02X}FF" for number in range(6)
)
"""Charges 19.20.0 to 19.20.5. Spec: GBCS 7.3.7."""

_ALWAYS, _NOT_DISABLED = "111", "110"
"""When a charge is collected from a credit. Spec: IEC 62056-6-2 (collection_configuration)."""

_DEBT_COLLECTION: Final = Switch("Prepayment.SuspendDebtDisabled", {True: _NOT_DISABLED, False: _ALWAYS})


def _collected(credit: str, charge: str, collection: Template = _ALWAYS) -> dict[str, Template]:
    return {
        "credit_reference": credit,
        "charge_reference": charge,
        "collection_configuration": collection,
    }


_CREDIT_CHARGES: Final[Template] = [
    _collected(_METER_CREDIT, _TARIFF),
    _collected(_METER_CREDIT, _STANDING),
    IfFact("twin_element", (_collected(_METER_CREDIT, _SECONDARY),)),
]
_PREPAYMENT_CHARGES: Final[Template] = [
    _collected(_METER_CREDIT, _TARIFF),
    _collected(_METER_CREDIT, _STANDING),
    _collected(_METER_CREDIT, _TIME_DEBT_1, _DEBT_COLLECTION),
    _collected(_METER_CREDIT, _TIME_DEBT_2, _DEBT_COLLECTION),
    _collected(_METER_CREDIT, _PAYMENT_DEBT),
    _collected(_EMERGENCY_CREDIT, _PAYMENT_DEBT),
    _collected(_EMERGENCY_CREDIT, _TARIFF),
    _collected(_EMERGENCY_CREDIT, _STANDING),
    _collected(_EMERGENCY_CREDIT, _TIME_DEBT_1, _DEBT_COLLECTION),
    _collected(_EMERGENCY_CREDIT, _TIME_DEBT_2, _DEBT_COLLECTION),
    _collected(_ACCUMULATED_DEBT, _STANDING),
    _collected(_ACCUMULATED_DEBT, _TIME_DEBT_1),
    _collected(_ACCUMULATED_DEBT, _TIME_DEBT_2),
    IfFact(
        "twin_element",
        (_collected(_METER_CREDIT, _SECONDARY), _collected(_EMERGENCY_CREDIT, _SECONDARY)),
    ),
]

_CHANGE_MODE: Final[dict[str, Template]] = {**ISSUED, "implementation_date_time": ACTIVATION_TIME}

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="1.5",
        reference="1.5",
        name="Update Meter Balance",
        element="UpdateMeterBalance",
        body=body(OneOf(tuple(Child(mode, _ADJUST_OR_RESET) for mode in _MODES))),
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(
            mapping(
                "ECS04a",
                {"meter_balance_adjustment": Choose({path: At(path) for path in _ADJUSTMENTS})},
                when=(HasOne(_ADJUSTMENTS),),
                unverified=("CreditMode",),
            ),
            mapping(
                "ECS04b",
                {"a meter has one balance": Unsaid("PrepaymentMode.ResetMeterBalance", default=True)},
                when=(HasOne(_RESETS),),
                unverified=("CreditMode",),
            ),
            mapping(
                "GCS40a",
                components_of=_adjustment("credit_incremental", At(_ADJUSTMENTS[0])),
                when=(Has(_ADJUSTMENTS[0]),),
            ),
            mapping("GCS40b", components_of=_adjustment("credit_absolute", 0), when=(Has(_RESETS[0]),)),
            mapping(
                "GCS40c",
                components_of=_adjustment("credit_mode_incremental", At(_ADJUSTMENTS[1])),
                when=(Has(_ADJUSTMENTS[1]),),
            ),
            mapping("GCS40d", components_of=_adjustment("credit_mode_absolute", 0), when=(Has(_RESETS[1]),)),
        ),
    ),
    ServiceRequest(
        variant="1.6",
        reference="1.6",
        name="Update Payment Mode",
        element="UpdatePaymentMode",
        body=body(
            EXECUTION,
            OneOf(
                (
                    Child("Credit", PRESENT),
                    Child(
                        "Prepayment",
                        Sequence(
                            Child("SuspendDebtDisabled", BOOLEAN),
                            Child("SuspendDebtEmergency", BOOLEAN),
                            Child("DisablementThreshold", INT),
                        ),
                    ),
                )
            ),
        ),
        critical=True,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping(
                "ECS02",
                {
                    "account_mode_and_status": {"payment_mode": "credit", "account_status": "new"},
                    "credit_charge_configuration": _CREDIT_CHARGES,
                },
                when=(Has("Credit"),),
            ),
            mapping(
                "ECS03",
                {
                    "account_mode_and_status": {"payment_mode": "prepayment", "account_status": "new"},
                    "disablement_threshold": At("Prepayment.DisablementThreshold"),
                    "credit_charge_configuration": _PREPAYMENT_CHARGES,
                    # What it changes in the list of charges no published message shows.
                    "not visible": Unsaid("Prepayment.SuspendDebtEmergency", default=True),
                },
                when=(Has("Prepayment"),),
                unverified=("Prepayment.SuspendDebtEmergency",),
            ),
            mapping(
                "GCS02",
                components_of={
                    "change_payment_mode": {
                        **_CHANGE_MODE,
                        "proposed_payment_control_configuration": [
                            "credit_management_enabled",
                            "credit_display_enabled",
                            "contactor_fitted",
                            "debt_configuration",
                            "emergency_debt_configuration",
                        ],
                        "cut_off_value": -1,
                    }
                },
                when=(Has("Credit"),),
            ),
            mapping(
                "GCS03",
                components_of={
                    "change_payment_mode": {
                        **_CHANGE_MODE,
                        "proposed_payment_control_configuration": [
                            "disconnection_enabled",
                            "prepayment_enabled",
                            "credit_management_enabled",
                            "credit_display_enabled",
                            "contactor_fitted",
                            Switch(
                                "Prepayment.SuspendDebtDisabled", {True: "debt_configuration", False: ABSENT}
                            ),
                            Switch(
                                "Prepayment.SuspendDebtEmergency",
                                {False: "emergency_debt_configuration", True: ABSENT},
                            ),
                        ],
                        "cut_off_value": At("Prepayment.DisablementThreshold"),
                    }
                },
                when=(Has("Prepayment"),),
            ),
        ),
    ),
)
