"""Use cases about the device log of a GSME and of a Gas Proxy Function.

Spec: GBCS use cases CS07, GCS59, GCS62.
"""

from __future__ import annotations

from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.common import SUPPLIER_OR_BROKER
from smetslab.gbcs.usecases.model import UseCase

_GPF = (DeviceType.GPF,)

USE_CASES = (
    UseCase(
        name="CS07",
        code=0x0013,
        title="Read Device Join Details",
        devices=(DeviceType.ESME, DeviceType.GSME, DeviceType.GPF, DeviceType.PPMID, DeviceType.HCALCS),
        critical=False,
        payload=Asn1Payload(
            command="ReadDeviceJoinDetailsCommand",
            response="ReadDeviceJoinDetailsResponse",
            elements={
                "device_log_entries": ("DeviceLogEntries",),
                "device_log_entries.device_id": ("DeviceID",),
                "device_log_entries.device_type": ("DeviceType",),
            },
        ),
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("8.9",),
        unverified=("devices",),
    ),
    UseCase(
        name="GCS59",
        code=0x008C,
        title="Restore GPF Device Log",
        devices=_GPF,
        critical=False,
        payload=Asn1Payload(
            command="GPFDeviceLogRestoreCommand",
            response="GPFDeviceLogRestoreResponse",
            elements={"restore_outcomes": ("RestoreDeviceLogOutcome",)},
        ),
        originator_roles=(RemotePartyRole.ACCESS_CONTROL_BROKER,),
        service_requests=("8.12.2",),
        unverified=("replay_protected",),
    ),
    UseCase(
        name="GCS62",
        code=0x00B2,
        title="Backup GPF Device Log",
        devices=_GPF,
        critical=False,
        payload=Asn1Payload(
            alert="GPFDeviceLogBackupAlert",
            elements={"alert_code": ("GBCSHexAlertCode",), "time_stamp": ("Timestamp",)},
        ),
        counter_family=CounterFamily.NONE,
    ),
)
