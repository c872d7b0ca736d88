"""Alert messages of DLMS devices. Spec: GBCS 16 (alert payloads), 9.2.2 (future-dated execution)."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.shapes import Packed, Struct
from smetslab.gbcs.usecases.dlms import DlmsAlert
from smetslab.gbcs.usecases.model import UseCase

_HEAD: dict[str, shapes.Shape] = {"alert_code": shapes.CODE, "time_stamp": shapes.DATE_TIME}
_DLMS_DEVICES = (DeviceType.ESME, DeviceType.CHF)

USE_CASES = (
    UseCase(
        name="FDEI-DLMS",
        code=0x00CC,
        title="Future Dated Execution Of Instruction Alert (DLMS COSEM)",
        devices=(DeviceType.ESME,),
        critical=True,
        payload=DlmsAlert(
            Struct(
                {
                    **_HEAD,
                    "instruction": Packed(
                        (
                            ("message_code", 2, "message-code"),
                            ("originator_counter", 8, "int"),
                            ("class_id", 2, "int"),
                            ("logical_name", 6, "logical-name"),
                            ("attribute", 1, "int"),
                        )
                    ),
                }
            )
        ),
    ),
    UseCase(
        name="ECS100",
        code=0x0120,
        title="Alert 8F85: Command not supported by Device",
        devices=_DLMS_DEVICES,
        critical=True,
        payload=DlmsAlert(
            Struct(
                {
                    **_HEAD,
                    "unsupported_command": Packed(
                        (("message_code", 2, "message-code"), ("originator_counter", 8, "int"))
                    ),
                }
            )
        ),
    ),
    UseCase(
        name="GCA",
        code=0x1000,
        title="Generic Critical Alert",
        devices=_DLMS_DEVICES,
        critical=True,
        payload=DlmsAlert(Struct(_HEAD)),
    ),
    UseCase(
        name="GNCA",
        code=0x1001,
        title="Generic Non Critical Alert",
        devices=_DLMS_DEVICES,
        critical=False,
        payload=DlmsAlert(Struct(_HEAD)),
    ),
)
