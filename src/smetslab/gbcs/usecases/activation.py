"""Use cases that activate firmware and tell what became of it.

Spec: GBCS use cases CS06, CS08, CS09, CCS08; 11 (firmware).
"""

from __future__ import annotations

from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.common import SUPPLIER
from smetslab.gbcs.usecases.model import UseCase

CS06_ALERT = 0x00CA

_METERS = (DeviceType.ESME, DeviceType.GSME)

USE_CASES = (
    UseCase(
        name="CS06",
        code=0x0012,
        title="Activate Firmware",
        devices=_METERS,
        critical=True,
        payload=Asn1Payload(
            command="ActivateFirmwareCommand",
            response="ActivateFirmwareResponse",
            activation="execution_date_time",
            elements={
                "manufacturer_image_hash": ("FirmwareHash",),
                "execution_date_time": ("ExecutionDateTime",),
                "execution_outcome.activate_image_response_code": ("ActivateImageResponseCode",),
                "execution_outcome.firmware_version": ("FirmwareVersion",),
            },
        ),
        originator_roles=SUPPLIER,
        service_requests=("11.3",),
        replay_protected=True,
        future_dateable=True,
        date_time_in_response=True,
        alerts=(CS06_ALERT,),
    ),
    UseCase(
        name="CS06-ALERT",
        code=CS06_ALERT,
        title="Future Dated Firmware Activation Alert",
        devices=_METERS,
        critical=True,
        payload=Asn1Payload(
            alert="ActivateFirmwareAlert",
            elements={
                "time_stamp": (
                    "Timestamp",
                    "ExecutionDateTime",
                ),
                "originator_counter": ("OriginatorCounterFromCommand",),
                "execution_outcome.activate_image_response_code": ("ActivateImageResponseCode",),
                "execution_outcome.firmware_version": ("FirmwareVersion",),
            },
        ),
        counter_family=CounterFamily.NONE,
    ),
    UseCase(
        name="CS08",
        code=0x0129,
        title="Read PPMID/HCALCS Firmware Version",
        devices=(DeviceType.HCALCS, DeviceType.PPMID),
        critical=False,
        payload=Asn1Payload(
            command="ReadFirmwareVersionCommand",
            response="ReadFirmwareVersionResponse",
            elements={"firmware_version": ("FirmwareVersion",)},
        ),
        originator_roles=(RemotePartyRole.ACCESS_CONTROL_BROKER,),
        service_requests=("11.2",),
        unverified=("replay_protected",),
    ),
    UseCase(
        name="CS09",
        code=0x012B,
        title="PPMID Firmware Activation Alert 8F8B",
        devices=(DeviceType.PPMID,),
        critical=True,
        payload=Asn1Payload(
            alert="FirmwareActivationAlert",
            elements={"alert_code": ("GBCSHexAlertCode",), "time_stamp": ("Timestamp",)},
        ),
        counter_family=CounterFamily.NONE,
    ),
    UseCase(
        name="CCS08",
        code=0x0128,
        title="Firmware Transfer Alert",
        devices=(DeviceType.CHF,),
        critical=True,
        payload=Asn1Payload(
            alert="FirmwareTransferAlert",
            elements={"alert_code": ("GBCSHexAlertCode",), "time_stamp": ("Timestamp",)},
        ),
        counter_family=CounterFamily.NONE,
    ),
)
