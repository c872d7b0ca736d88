"""Variants that show a text to the consumer. Spec: DUIS service reference 3.1."""

from __future__ import annotations

import re

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv.common import EXECUTION, SUPPLIERS
from smetslab.duis.srv.model import EXECUTION_DATE_TIME, ServiceRequest, body, mapping
from smetslab.duis.srv.rules import Characters
from smetslab.duis.srv.shapes import Child, Text

SUPPLIER_MESSAGE = Text(1, 116, re.compile("[ -~]+"), "1 to 116 printable ASCII characters")

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="3.1",
        reference="3.1",
        name="Display Message",
        element="DisplayMessage",
        body=body(EXECUTION, Child("SupplierMessage", SUPPLIER_MESSAGE)),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(mapping("ECS10", Characters("SupplierMessage", "supplier_message")),),
    ),
)
