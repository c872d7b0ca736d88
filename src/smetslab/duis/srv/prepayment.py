"""Variants about prepayment. Spec: DUIS service reference 2.2."""

from __future__ import annotations

import re

from smetslab.duis.srv.common import SUPPLIERS
from smetslab.duis.srv.model import ServiceRequest, body, mapping
from smetslab.duis.srv.rules import Same
from smetslab.duis.srv.shapes import Child, Text

UTRN = Text(20, 20, re.compile("[0-9]{20}"), "20 digits")

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="2.2",
        reference="2.2",
        name="Top Up Device",
        element="TopUpDevice",
        body=body(Child("UTRN", UTRN)),
        critical=False,
        eligible_roles=SUPPLIERS,
        mappings=(mapping("CS01a", Same("UTRN", "utrn")),),
    ),
)
