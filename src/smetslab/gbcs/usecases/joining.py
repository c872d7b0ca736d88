"""Use cases that join devices on the HAN to each other, and part them.

The published error vector named CS04B is a CS04AC message in every respect: its code is 0x000F, its command
is signed and MACed, its response is signed, and the signatures verify. So 0x000F is always CS04AC; without a
signature it is no CS04B, but a critical command that nobody signed.

Spec: GBCS use cases CS03A1, CS03A2, CS03B, CS03C, CS04AC, CS04B; 13.7 (joining).
"""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.common import ESME, SUPPLIER, SUPPLIER_OR_BROKER
from smetslab.gbcs.usecases.model import UseCase

_JOIN = Asn1Payload(
    command="JoinDeviceCommand",
    response="JoinDeviceResponse",
    elements={
        "other_device_entity_identifier": ("OtherDeviceID",),
        "join_response_code": ("joinResponseCode",),
    },
)
_UNJOIN = Asn1Payload(
    command="UnjoinDeviceCommand",
    response="UnjoinDeviceResponse",
    elements={
        "other_device_entity_identifier": ("OtherDeviceID",),
        "unjoin_response_code": ("unjoinResponseCode",),
    },
)
_GSME = (DeviceType.GSME,)
_METHOD_B = (DeviceType.GSME, DeviceType.ESME, DeviceType.GPF, DeviceType.PPMID)
"""Vectors show the GSME alone. Type 2 devices pair with an ESME or a GPF in this way, a PPMID with a GPF."""
_GSME_AND_PPMID = (DeviceType.GSME, DeviceType.PPMID)

USE_CASES = (
    UseCase(
        name="CS03A1",
        code=0x000D,
        title="Method A Join (Meter)",
        devices=ESME,
        critical=True,
        payload=_JOIN,
        originator_roles=SUPPLIER,
        service_requests=("8.7.1",),
        replay_protected=True,
    ),
    UseCase(
        name="CS03A2",
        code=0x00AB,
        title="Method A Join (non Meter)",
        devices=(DeviceType.HCALCS, DeviceType.PPMID),
        critical=True,
        payload=_JOIN,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("8.7.1", "8.7.2"),
        replay_protected=True,
    ),
    UseCase(
        name="CS03B",
        code=0x000E,
        title="Method B Join",
        devices=_METHOD_B,
        critical=False,
        payload=_JOIN,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("8.7.2",),
        unverified=("replay_protected", "devices"),
    ),
    UseCase(
        name="CS03C",
        code=0x00AF,
        title="Method C Join",
        devices=_GSME_AND_PPMID,
        critical=True,
        payload=_JOIN,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("8.7.1", "8.7.2"),
        replay_protected=True,
    ),
    UseCase(
        name="CS04AC",
        code=0x000F,
        title="Method A or C Unjoin",
        devices=(DeviceType.ESME, *_GSME_AND_PPMID),
        critical=True,
        payload=_UNJOIN,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("8.8.1", "8.8.2"),
        replay_protected=True,
    ),
    UseCase(
        name="CS04B",
        code=0x0010,
        title="Method B Unjoin",
        devices=_METHOD_B,
        critical=False,
        payload=_UNJOIN,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("8.8.2",),
        unverified=("replay_protected", "devices"),
    ),
)
