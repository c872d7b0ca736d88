"""Variants about the supply and the load limit. Spec: DUIS service references 6.4, 6.25, 7.1 to 7.4."""

from __future__ import annotations

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import simple
from smetslab.duis.srv.common import (
    DISTRIBUTOR,
    EXECUTION,
    EXPORT_SUPPLIER,
    IMPORT_SUPPLIER,
    SUPPLIER_AGENT,
    SUPPLIERS,
    TRANSPORTER,
    read,
)
from smetslab.duis.srv.components import ISSUED
from smetslab.duis.srv.holes import At
from smetslab.duis.srv.model import ServiceRequest, UseCaseMapping, body, mapping
from smetslab.duis.srv.shapes import EMPTY, Child
from smetslab.duis.srv.simple import Word
from smetslab.gbcs.values import IMMEDIATE


def _change_supply(use_case: str, status: str) -> UseCaseMapping:
    return mapping(
        use_case,
        components_of={
            "change_supply": {
                **ISSUED,
                "request_date_time": "not_given",
                "implementation_date_time": IMMEDIATE,
                "proposed_supply_status": status,
                "supply_control_bits": ["acknowledge_required"],
            }
        },
    )


SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.4.1",
        reference="6.4",
        name="Update Device Configuration (Load Limiting General Settings)",
        element="UpdateDeviceConfigurationLoadLimitingGeneralSettings",
        body=body(
            EXECUTION,
            Child("LoadLimitPeriod", simple.UNSIGNED_INT),
            Child("LoadLimitPowerThreshold", simple.UNSIGNED_INT),
            Child("LoadLimitRestorationPeriod", simple.UNSIGNED_INT),
            Child("LoadLimitSupplyState", Word(("Disable", "Unchanged"))),
        ),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping(
                "ECS28a",
                {
                    "load_limit_supply_state": At("LoadLimitSupplyState"),
                    "load_limit_power_threshold": At("LoadLimitPowerThreshold"),
                    "load_limit_period": At("LoadLimitPeriod"),
                    "load_limit_restoration_period": At("LoadLimitRestorationPeriod"),
                },
            ),
        ),
    ),
    read(
        "6.4.2",
        "Update Device Configuration (Load Limiting Counter Reset)",
        "UpdateDeviceConfigurationLoadLimitingCounterReset",
        (IMPORT_SUPPLIER,),
        mapping("ECS28b"),
    ),
    ServiceRequest(
        variant="6.25",
        reference="6.25",
        name="Set Electricity Supply Tamper State",
        element="SetElectricitySupplyTamperState",
        body=body(Child("SupplyTamperState", Word(("Locked", "Unchanged")))),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(mapping("ECS81", {"supply_tamper_state": At("SupplyTamperState")}),),
    ),
    ServiceRequest(
        variant="7.1",
        reference="7.1",
        name="Enable Supply",
        element="EnableSupply",
        body=EMPTY,
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(mapping("ECS42"),),
    ),
    ServiceRequest(
        variant="7.2",
        reference="7.2",
        name="Disable Supply",
        element="DisableSupply",
        body=EMPTY,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("ECS43"), _change_supply("GCS32", "supply_off")),
    ),
    ServiceRequest(
        variant="7.3",
        reference="7.3",
        name="Arm Supply",
        element="ArmSupply",
        body=EMPTY,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("ECS44"), _change_supply("GCS39", "supply_off_armed")),
    ),
    read(
        "7.4",
        "Read Supply Status",
        "ReadSupplyStatus",
        (*SUPPLIERS, EXPORT_SUPPLIER, SUPPLIER_AGENT, DISTRIBUTOR, TRANSPORTER),
        mapping("ECS45"),
        mapping("GCS33"),
        dated=False,
    ),
)
