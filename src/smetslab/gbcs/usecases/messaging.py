"""Use cases about what the consumer sees and may see.

Spec: GBCS use cases ECS10, ECS12, ECS14, ECS16, ECS50.
"""

from __future__ import annotations

from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.shapes import Const, Text
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import ACCESS_CONTROL_BROKER, ESME, SUPPLIER
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, set_
from smetslab.gbcs.usecases.model import UseCase


def _write(
    name: str,
    code: int,
    title: str,
    srv: str,
    *items: AccessItem,
    roles: tuple[RemotePartyRole, ...] = SUPPLIER,
    replay_protected: bool = False,
) -> UseCase:
    """A non-critical row that writes values at once."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        originator_roles=roles,
        service_requests=(srv,),
        replay_protected=replay_protected,
        payload=DlmsAccess(items),
    )


USE_CASES = (
    _write(
        "ECS10",
        0x0021,
        "Send Message to ESME",
        "3.1",
        set_(known("supplier_message", "SupplierMessage"), 1, "0-2:96.13.1.255", 2, Text(maximum=116)),
    ),
    _write(
        "ECS12",
        0x0022,
        "Set Change of Tenancy date on ESME",
        "3.2",
        set_(
            known("restrict_data_date_time", "RestrictionDateTime"), 1, "0-0:94.44.3.2", 2, shapes.DATE_TIME
        ),
    ),
    _write(
        "ECS14",
        0x0023,
        "Disable Privacy PIN Protection on ESME",
        "3.5",
        set_("disable_privacy_pin_protection", 1, "0-0:94.44.3.1", 2, Const(axdr.octet_string(b""))),
        replay_protected=True,
    ),
    _write(
        "ECS16",
        0x0025,
        "Write Supplier Contact Details on ESME",
        "3.4",
        set_(
            known("supplier_telephone_number", "SupplierTelephoneNumber"),
            9000,
            "0-0:96.13.0.255",
            2,
            Text(maximum=18),
        ),
        set_(known("supplier_name", "SupplierName"), 9000, "0-0:96.13.1.255", 2, Text(maximum=15)),
    ),
    _write(
        "ECS50",
        0x0058,
        "Send CIN to ESME",
        "9.1",
        set_("customer_identification_number", 1, "0-3:96.13.1.255", 2, Text(maximum=4)),
        roles=ACCESS_CONTROL_BROKER,
        replay_protected=True,
    ),
)
