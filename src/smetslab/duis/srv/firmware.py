"""Variants about firmware. Spec: DUIS service reference 11.2."""

from __future__ import annotations

from smetslab.duis.codes import FutureDating, UserRole
from smetslab.duis.srv.common import EXECUTION
from smetslab.duis.srv.model import EXECUTION_DATE_TIME, ServiceRequest, body, mapping

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="11.2",
        reference="11.2",
        name="Read Firmware Version",
        element="ReadFirmwareVersion",
        body=body(EXECUTION),
        critical=False,
        eligible_roles=tuple(UserRole),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(mapping("ECS52"),),
    ),
)
