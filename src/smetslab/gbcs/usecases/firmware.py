"""Use cases about firmware. Spec: GBCS use case ECS52."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms.shapes import Bytes
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import ANY_READER
from smetslab.gbcs.usecases.dlms import DlmsAccess, get
from smetslab.gbcs.usecases.model import UseCase

USE_CASES = (
    UseCase(
        name="ECS52",
        code=0x0059,
        title="Read ESME/Comms Hub Firmware Version",
        devices=(DeviceType.CHF, DeviceType.ESME),
        critical=False,
        originator_roles=ANY_READER,
        service_requests=("11.2",),
        payload=DlmsAccess(
            (get(known("firmware_version", "FirmwareVersion"), 1, "0-0:0.2.1.255", 2, Bytes(4)),)
        ),
    ),
)
