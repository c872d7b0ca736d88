"""Variants about what the consumer sees, and privacy. Spec: DUIS service references 3.1 to 3.5, 9.1."""

from __future__ import annotations

import re
from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import simple
from smetslab.duis.srv.common import EXECUTION, OTHER_USER, SUPPLIERS, printable
from smetslab.duis.srv.components import ISSUED, NOW, PROVIDER
from smetslab.duis.srv.forms import CHARACTERS
from smetslab.duis.srv.holes import At, Fact
from smetslab.duis.srv.model import EXECUTION_DATE_TIME, Is, Lacks, ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import EMPTY, Child, optional
from smetslab.duis.srv.simple import Text, Word
from smetslab.duis.srv.template import Template
from smetslab.gbcs.values import IMMEDIATE

TELEPHONE = Text(1, 18, re.compile("[0-9 ]+"), "1 to 18 digits and spaces")

_CONTROL_BITS: Final = (
    "pre_snapshots",
    "post_snapshots",
    "reset_credit_register",
    "reset_debit_register",
    "reset_billing_period",
    "clear_tariff_plan",
    "clear_standing_charge",
    "block_historical_load_profile_information",
    "clear_historical_load_profile_information",
    "clear_ihd_data_consumer",
    "clear_ihd_data_supplier",
    "clear_transaction_log",
    "clear_prepayment_data",
)


def _control(contactor: str, *set_bits: str) -> dict[str, Template]:
    """What else a change of tenancy or supplier does. Spec: ZSE 1.4 (Device Management cluster)."""
    return {**{name: name in set_bits for name in _CONTROL_BITS}, "meter_contactor_state": contactor}


SERVICE_REQUESTS = (
    ServiceRequest(
        variant="3.1",
        reference="3.1",
        name="Display Message",
        element="DisplayMessage",
        body=body(EXECUTION, Child("SupplierMessage", printable(116))),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping("ECS10", {"supplier_message": At("SupplierMessage", CHARACTERS)}),
            mapping(
                "GCS07",
                components_of={
                    "display_message": {
                        "message_id": NOW,
                        "message_control": {
                            "transmission": "normal",
                            "importance": "low",
                            "enhanced_confirmation_required": False,
                            "message_confirmation_required": False,
                        },
                        "start_time": IMMEDIATE,
                        "duration_in_minutes": 0xFFFF,
                        "message": At("SupplierMessage", CHARACTERS),
                    }
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="3.2",
        reference="3.2",
        name="Restrict Access For Change Of Tenancy",
        element="RestrictAccessForChangeOfTenancy",
        body=body(EXECUTION, Child("RestrictionDateTime", simple.DATE_TIME)),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping("ECS12", {"restrict_data_date_time": At("RestrictionDateTime")}),
            mapping(
                "GCS09",
                components_of={
                    "publish_change_of_tenancy": {
                        **ISSUED,
                        "tariff_type": "delivered",
                        "implementation_date_time": At("RestrictionDateTime"),
                        "proposed_tenancy_change_control": _control("supply_off", "clear_ihd_data_consumer"),
                    }
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="3.3",
        reference="3.3",
        name="Clear Event Log",
        element="ClearEventLog",
        body=body(optional("ESMEEventLogType", Word(("ESME", "ALCS")))),
        critical=False,
        eligible_roles=SUPPLIERS,
        mappings=(
            mapping("ECS15a", when=(Is("ESMEEventLogType", "ESME"),)),
            mapping("ECS15c", when=(Is("ESMEEventLogType", "ALCS"),)),
            mapping(
                "CS11",
                components_of={"clear_event_log_request": {"log_id": "general_event_log"}},
                when=(Lacks("ESMEEventLogType"),),
            ),
        ),
    ),
    ServiceRequest(
        variant="3.4",
        reference="3.4",
        name="Update Supplier Name",
        element="UpdateSupplierName",
        body=body(
            EXECUTION, Child("SupplierName", printable(15)), Child("SupplierTelephoneNumber", TELEPHONE)
        ),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping(
                "ECS16",
                {
                    "supplier_telephone_number": At("SupplierTelephoneNumber", CHARACTERS),
                    "supplier_name": At("SupplierName", CHARACTERS),
                },
            ),
            mapping(
                "GCS44",
                components_of={
                    "publish_change_of_supplier": {
                        "current_provider_id": PROVIDER,
                        "issuer_event_id": NOW,
                        "tariff_type": "delivered",
                        "proposed_provider_id": PROVIDER,
                        "provider_change_implementation_time": IMMEDIATE,
                        "provider_change_control": _control("supply_unchanged"),
                        "proposed_provider_name": At("SupplierName", CHARACTERS),
                        "proposed_provider_contact_details": At("SupplierTelephoneNumber", CHARACTERS),
                    }
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="3.5",
        reference="3.5",
        name="Disable Privacy PIN",
        element="DisablePrivacyPIN",
        body=EMPTY,
        critical=False,
        eligible_roles=SUPPLIERS,
        mappings=(
            mapping("ECS14"),
            mapping(
                "GCS11",
                components_of={
                    "request_new_password_response": {
                        "issuer_event_id": NOW,
                        "implementation_date_time": IMMEDIATE,
                        "duration_in_minutes": 0,
                        "password_type": "password_2",
                        "password": "",
                    }
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="9.1",
        reference="9.1",
        name="Request Customer Identification Number",
        element="RequestCustomerIdentificationNumber",
        body=EMPTY,
        critical=False,
        eligible_roles=(OTHER_USER,),
        mappings=(
            mapping(
                "ECS50",
                {"customer_identification_number": Fact("customer_identification_number")},
            ),
            mapping(
                "GCS36",
                components_of={
                    "update_cin": {
                        **ISSUED,
                        "cin_implementation_time": IMMEDIATE,
                        "customer_id_number": Fact("customer_identification_number"),
                    }
                },
            ),
        ),
    ),
)
