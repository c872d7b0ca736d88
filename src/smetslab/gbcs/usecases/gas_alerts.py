"""Alert messages of ZigBee devices. Spec: GBCS 16 (alert payloads), 9.2 (future-dated execution), use case
GCS53."""

from __future__ import annotations

from smetslab.gbcs.codes import CounterFamily, DeviceType
from smetslab.gbcs.elements import below
from smetslab.gbcs.usecases.alerts import INTEGRITY_WARNINGS
from smetslab.gbcs.usecases.gas_common import FUTURE_DATED_ALERT, GPF_OR_GSME, GSME
from smetslab.gbcs.usecases.gas_reading import SNAPSHOT_ELEMENTS
from smetslab.gbcs.usecases.gbzalert import (
    ComponentMember,
    Extra,
    GbzAlert,
    HashMember,
    InstructionMember,
    ReasonMember,
)
from smetslab.gbcs.usecases.model import UseCase
from smetslab.zigbee.zcl.clusters.metering import Metering


def _alert(
    name: str,
    code: int,
    title: str,
    extra: Extra | None = None,
    *,
    critical: bool = True,
    devices: tuple[DeviceType, ...] = GSME,
) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=devices,
        critical=critical,
        payload=GbzAlert(extra),
        counter_family=CounterFamily.NONE,
    )


USE_CASES = (
    _alert(
        "FDEI-GBZ",
        FUTURE_DATED_ALERT,
        "Future Dated Execution Of Instruction Alert (GBZ)",
        InstructionMember(),
    ),
    _alert(
        "FDRA-ZigBee",
        0x00CF,
        "Firmware Distribution Receipt Alert (GSME)",
        HashMember("manufacturer_image_hash"),
    ),
    _alert(
        "GCS53",
        0x008B,
        "Push Billing Data Log as an Alert",
        ComponentMember(
            "billing_data_log",
            Metering.publish_snapshot,
            {
                "billing_data_log": ("GSMEBillingDataLogEntry",),
                **below(
                    "billing_data_log",
                    {
                        path.partition(".")[2]: names
                        for path, names in SNAPSHOT_ELEMENTS.items()
                        if path.startswith("publish_snapshot.")
                    },
                ),
            },
        ),
    ),
    _alert(
        "MIIWA-ZigBee",
        0x00F2,
        "Meter Integrity Issue Warning Alert 81A0 (GSME)",
        ReasonMember("warning", dict(enumerate(INTEGRITY_WARNINGS)), {"warning": ("Warning",)}),
        critical=False,
    ),
    # The generic alerts of DLMS devices have the same Message Codes; the kind of content tells them apart.
    _alert("GCA-ZigBee", 0x1000, "Generic Critical Alert (ZigBee devices)", devices=GPF_OR_GSME),
    _alert(
        "GNCA-ZigBee",
        0x1001,
        "Generic Non Critical Alert (ZigBee devices)",
        critical=False,
        devices=GPF_OR_GSME,
    ),
)
