"""Variants that read registers, profiles and configuration. Spec: DUIS service references 4.1 to 4.13."""

from __future__ import annotations

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv.common import (
    CREDENTIALS,
    DISTRIBUTOR,
    EXECUTION,
    EXPORT_SUPPLIER,
    KEY_AGREEMENT_CREDENTIALS,
    OTHER_USER,
    READ_LOG_PERIOD,
    READ_LOG_PERIOD_RULES,
    SUPPLIERS,
    TRANSPORTER,
)
from smetslab.duis.srv.model import EXECUTION_DATE_TIME, ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import EMPTY

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="4.1.1",
        reference="4.1",
        name="Read Instantaneous Import Registers",
        element="ReadInstantaneousImportRegisters",
        body=body(EXECUTION),
        critical=False,
        eligible_roles=(*SUPPLIERS, DISTRIBUTOR, TRANSPORTER),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(mapping("ECS17b"),),
    ),
    ServiceRequest(
        variant="4.2",
        reference="4.2",
        name="Read Instantaneous Export Registers",
        element="ReadInstantaneousExportRegisters",
        body=body(EXECUTION),
        critical=False,
        eligible_roles=(EXPORT_SUPPLIER, DISTRIBUTOR),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(mapping("ECS17a"),),
    ),
    ServiceRequest(
        variant="4.6.1",
        reference="4.6",
        name="Retrieve Import Daily Read Log",
        element="RetrieveImportDailyReadLog",
        body=body(EXECUTION, READ_LOG_PERIOD, CREDENTIALS),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME, KEY_AGREEMENT_CREDENTIALS),
        mappings=(mapping("ECS21a", *READ_LOG_PERIOD_RULES),),
    ),
    ServiceRequest(
        variant="4.8.1",
        reference="4.8",
        name="Read Active Import Profile Data",
        element="ReadActiveImportProfileData",
        body=body(EXECUTION, READ_LOG_PERIOD, CREDENTIALS),
        critical=False,
        eligible_roles=(*SUPPLIERS, DISTRIBUTOR, TRANSPORTER, OTHER_USER),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME, KEY_AGREEMENT_CREDENTIALS),
        mappings=(mapping("ECS22b", *READ_LOG_PERIOD_RULES),),
    ),
    ServiceRequest(
        variant="4.11.1",
        reference="4.11",
        name="Read Tariff (Primary Element)",
        element="ReadTariffPrimaryElement",
        body=EMPTY,
        critical=False,
        eligible_roles=(*SUPPLIERS, OTHER_USER),
        mappings=(mapping("ECS24"),),
    ),
    ServiceRequest(
        variant="4.13",
        reference="4.13",
        name="Read Prepayment Configuration",
        element="ReadPrepaymentConfiguration",
        body=body(EXECUTION),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(mapping("ECS26a"),),
    ),
)
