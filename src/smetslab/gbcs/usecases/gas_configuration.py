"""Use cases that set and read what a GSME or GPF is, who it belongs to, and what it shows and reports.

Spec: GBCS use cases GCS07, GCS09, GCS11, GCS20, GCS20r, GCS21a, GCS21e, GCS21m, GCS36, GCS38, GCS41, GCS44,
GCS46
"""

from __future__ import annotations

from dataclasses import replace

from smetslab.gbcs.usecases.common import ACCESS_CONTROL_BROKER, ANY_READER
from smetslab.gbcs.usecases.gas_common import GPF, GPF_OR_GSME, gas
from smetslab.gbcs.usecases.gbz import ask, publish, read
from smetslab.gbcs.usecases.model import newer
from smetslab.zigbee.zcl import SERVER_TO_CLIENT
from smetslab.zigbee.zcl.clusters.basic import Basic
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.price import Price

_STATES = read(Metering.supply_depletion_state, Metering.supply_tamper_state)

# The meter answers the one request that a server sends as if a client had sent it.
_EVENT_CONFIGURATION = replace(
    ask(
        DeviceManagement.get_event_configuration,
        DeviceManagement.report_event_configuration,
        several=True,
    ),
    default_response=SERVER_TO_CLIENT,
)

USE_CASES = (
    gas(
        "GCS07",
        0x0071,
        "Send Message to GSME",
        "3.1",
        (publish(Messaging.display_message),),
        elements={
            "display_message.start_time": ("ExecutionDateTime",),
            "display_message.message": ("SupplierMessage",),
        },
    ),
    gas(
        "GCS09",
        0x0072,
        "Set Change of Tenancy date on GPF",
        "3.2",
        (publish(DeviceManagement.publish_change_of_tenancy),),
        devices=GPF,
        elements={"publish_change_of_tenancy.implementation_date_time": ("RestrictionDateTime",)},
    ),
    gas(
        "GCS11",
        0x0073,
        "Disable Privacy PIN Protection on GSME",
        "3.5",
        (publish(DeviceManagement.request_new_password_response),),
        replay_protected=True,
    ),
    gas(
        "GCS20",
        0x00AD,
        "Set Alert Behaviours - GSME",
        "6.22",
        (publish(DeviceManagement.set_event_configuration, most=None),),
        elements={
            "set_event_configuration.event_configuration": (
                "WANAlert",
                "HANAlert",
                "EventLog",
                "Alarm",
            ),
            "set_event_configuration.event_configuration_payload.event_ids": (
                "GasSupplierAlertEventSettings",
            ),
        },
    ),
    gas(
        "GCS20r",
        0x00F1,
        "Read non-critical event and alert behaviours - GSME - Supplier",
        "6.2.10",
        (_EVENT_CONFIGURATION,),
        elements={
            "report_event_configuration.event_configuration_payload": ("GasSupplierAlertEventSettings",),
            "report_event_configuration.event_configuration_payload.event_configuration": (
                "WANAlert",
                "HANAlert",
                "EventLog",
                "Alarm",
            ),
        },
    ),
    gas(
        "GCS21a",
        0x007B,
        "Read Gas Configuration Data Device Information",
        "6.2.8",
        (
            read(
                Price.calorific_value_trailing_digit,
                Price.calorific_value_unit,
                Price.calorific_value,
                Price.conversion_factor_trailing_digit,
                Price.conversion_factor,
            ),
            read(
                Metering.uncontrolled_flow_divisor,
                Metering.uncontrolled_flow_multiplier,
                Metering.uncontrolled_flow_threshold_unit_of_measure,
                Metering.uncontrolled_flow_threshold,
                Metering.flow_stabilisation_period,
                Metering.flow_measurement_period,
            ),
        ),
        roles=ANY_READER,
        elements={
            "calorific_value": ("CalorificValue",),
            "conversion_factor": ("ConversionFactor",),
            "uncontrolled_flow_threshold": ("UncontrolledGasFlowRate",),
            "flow_stabilisation_period": ("FlowStabilisationPeriod",),
            "flow_measurement_period": ("FlowMeasurementPeriod",),
        },
    ),
    gas(
        "GCS21e",
        0x009E,
        "Read GSME/GPF Configuration Data Device Information (device identity)",
        "6.2.4",
        (read(Basic.manufacturer_name, Basic.model_identifier, Basic.hw_version), _STATES),
        unverified=("future_dateable", "replay_protected"),
        elements={
            "manufacturer_name": ("ManufacturerIdentifier",),
            "model_identifier": ("ModelType",),
            "supply_depletion_state": ("SupplyDepletionState",),
            "supply_tamper_state": ("SupplyTamperState",),
        },
    ),
    newer(
        gas(
            "GCS21m",
            0x00FB,
            "Read GSME Configuration Data Device Information "
            "(identity, type and supply tamper / depletion state)",
            "6.2.4",
            (read(Basic.manufacturer_name, Basic.model_identifier), _STATES),
            roles=ANY_READER,
            elements={
                "manufacturer_name": ("ManufacturerIdentifier",),
                "model_identifier": ("ModelType",),
                "supply_depletion_state": ("SupplyDepletionState",),
                "supply_tamper_state": ("SupplyTamperState",),
            },
        ),
        than="GCS21e",
    ),
    gas(
        "GCS36",
        0x0083,
        "Send CIN to GSME",
        "9.1",
        (publish(DeviceManagement.update_cin),),
        roles=ACCESS_CONTROL_BROKER,
        replay_protected=True,
    ),
    gas(
        "GCS38",
        0x0084,
        "Read GSME Firmware Version",
        "11.2",
        (read(Metering.current_meter_id),),
        devices=GPF_OR_GSME,
        roles=ANY_READER,
        elements={"current_meter_id": ("FirmwareVersion",)},
    ),
    gas(
        "GCS41",
        0x0087,
        "Set MPRN Value on the GSME",
        "6.20.1",
        (publish(DeviceManagement.update_site_id),),
        replay_protected=True,
        elements={"update_site_id.site_id": ("ImportMPRN",)},
    ),
    gas(
        "GCS44",
        0x0088,
        "Write Contact Details on GSME",
        "3.4",
        (publish(DeviceManagement.publish_change_of_supplier),),
        elements={
            "publish_change_of_supplier.proposed_provider_name": ("SupplierName",),
            "publish_change_of_supplier.proposed_provider_contact_details": ("SupplierTelephoneNumber",),
            "publish_change_of_supplier.provider_change_implementation_time": ("ExecutionDateTime",),
        },
    ),
    gas(
        "GCS46",
        0x0089,
        "Read MPRN on the GSME",
        "6.2.7",
        (read(Metering.site_id),),
        devices=GPF_OR_GSME,
        roles=ANY_READER,
        elements={"site_id": ("MPRN",)},
    ),
)
