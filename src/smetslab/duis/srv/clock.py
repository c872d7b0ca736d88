"""Variants that set the clock. Spec: DUIS service references 6.11 and 8.1.1, which are one use case."""

from __future__ import annotations

from smetslab.duis.srv import simple
from smetslab.duis.srv.common import SUPPLIERS
from smetslab.duis.srv.derived import Later
from smetslab.duis.srv.holes import At
from smetslab.duis.srv.model import ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import Child
from smetslab.duis.srv.simple import Number
from smetslab.duis.srv.template import Template

TOLERANCE_PERIOD = Number(0, 86400)
"""Seconds, up to a day. Spec: DUIS schema 5.4, type tolerancePeriod."""

_BODY = body(Child("CurrentDateTime", simple.DATE_TIME), Child("TolerancePeriod", TOLERANCE_PERIOD))
_INTERVAL: dict[str, Template] = {
    "validity_interval_start": At("CurrentDateTime"),
    "validity_interval_end": Later("CurrentDateTime", "TolerancePeriod"),
}
_MAPPINGS = (mapping("ECS70", {"validity_interval": _INTERVAL}), mapping("GCS28", _INTERVAL))

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.11",
        reference="6.11",
        name="Synchronise Clock",
        element="SynchroniseClock",
        body=_BODY,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=_MAPPINGS,
    ),
    ServiceRequest(
        variant="8.1.1",
        reference="8.1",
        name="Commission Device",
        element="CommissionDeviceSynchroniseClock",
        body=_BODY,
        critical=True,
        eligible_roles=SUPPLIERS,
        mappings=_MAPPINGS,
    ),
)
