"""Variants about the supply and the load limit. Spec: DUIS service references 6.4 and 7.1 to 7.4."""

from __future__ import annotations

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import shapes
from smetslab.duis.srv.common import (
    DISTRIBUTOR,
    EXECUTION,
    EXPORT_SUPPLIER,
    IMPORT_SUPPLIER,
    SUPPLIER_AGENT,
    SUPPLIERS,
    TRANSPORTER,
)
from smetslab.duis.srv.model import ServiceRequest, body, mapping
from smetslab.duis.srv.rules import Execution, Same
from smetslab.duis.srv.shapes import Child, Word

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.4.1",
        reference="6.4",
        name="Update Device Configuration (Load Limiting General Settings)",
        element="UpdateDeviceConfigurationLoadLimitingGeneralSettings",
        body=body(
            EXECUTION,
            Child("LoadLimitPeriod", shapes.UNSIGNED_INT),
            Child("LoadLimitPowerThreshold", shapes.UNSIGNED_INT),
            Child("LoadLimitRestorationPeriod", shapes.UNSIGNED_INT),
            Child("LoadLimitSupplyState", Word(("Disable", "Unchanged"))),
        ),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping(
                "ECS28a",
                Same("LoadLimitSupplyState", "load_limit_supply_state"),
                Same("LoadLimitPowerThreshold", "load_limit_power_threshold"),
                Same("LoadLimitPeriod", "load_limit_period"),
                Same("LoadLimitRestorationPeriod", "load_limit_restoration_period"),
                Execution(),
            ),
        ),
    ),
    ServiceRequest(
        variant="7.1",
        reference="7.1",
        name="Enable Supply",
        element="EnableSupply",
        body=shapes.EMPTY,
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(mapping("ECS42"),),
    ),
    ServiceRequest(
        variant="7.2",
        reference="7.2",
        name="Disable Supply",
        element="DisableSupply",
        body=shapes.EMPTY,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("ECS43"),),
    ),
    ServiceRequest(
        variant="7.3",
        reference="7.3",
        name="Arm Supply",
        element="ArmSupply",
        body=shapes.EMPTY,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("ECS44"),),
    ),
    ServiceRequest(
        variant="7.4",
        reference="7.4",
        name="Read Supply Status",
        element="ReadSupplyStatus",
        body=shapes.EMPTY,
        critical=False,
        eligible_roles=(*SUPPLIERS, EXPORT_SUPPLIER, SUPPLIER_AGENT, DISTRIBUTOR, TRANSPORTER),
        mappings=(mapping("ECS45"),),
    ),
)
