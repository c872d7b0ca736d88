"""Use cases that show a text to the consumer. Spec: GBCS use case ECS10."""

from __future__ import annotations

from smetslab.gbcs.dlms.shapes import Text
from smetslab.gbcs.usecases.common import ESME, SUPPLIER
from smetslab.gbcs.usecases.dlms import DlmsAccess, set_
from smetslab.gbcs.usecases.model import UseCase

USE_CASES = (
    UseCase(
        name="ECS10",
        code=0x0021,
        title="Send Message to ESME",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("3.1",),
        payload=DlmsAccess((set_("supplier_message", 1, "0-2:96.13.1.255", 2, Text(maximum=116)),)),
    ),
)
