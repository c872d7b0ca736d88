"""Use cases about the clock of a GSME. Spec: GBCS use case GCS28, 9.1."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.common import SUPPLIER
from smetslab.gbcs.usecases.model import UseCase

USE_CASES = (
    UseCase(
        name="GCS28",
        code=0x007F,
        title="Set Clock on GSME",
        devices=(DeviceType.GSME,),
        critical=True,
        payload=Asn1Payload(
            command="SetTimeCommand",
            response="SetTimeResponse",
            elements={
                "validity_interval_start": ("CurrentDateTime",),
                "validity_interval_end": ("TolerancePeriod",),
                "device_time": ("DeviceTime",),
                "device_time_status": ("GasClockTimeStatus",),
            },
        ),
        originator_roles=SUPPLIER,
        service_requests=("6.11", "8.1.1"),
        replay_protected=True,
    ),
)
