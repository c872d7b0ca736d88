"""Use cases about the clock of an ESME. Spec: GBCS use case ECS70, 9.1."""

from __future__ import annotations

from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Const, Num, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import ESME, SUPPLIER
from smetslab.gbcs.usecases.dlms import DlmsAccess, action, get, set_
from smetslab.gbcs.usecases.model import UseCase

CLOCK_BASE_COMMUNICATIONS_HUB = 5
NEVER = b"\xff" * 9 + bytes.fromhex("8000FF")

CLOCK_STATUS = Num(Tag.UNSIGNED, {0: "reliable", 1: "invalid", 2: "unreliable"})

USE_CASES = (
    UseCase(
        name="ECS70",
        code=0x0062,
        title="Set Clock on ESME",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("6.11", "8.1.1"),
        replay_protected=True,
        payload=DlmsAccess(
            (
                set_("clock_base", 8, "0-0:1.0.0.255", 9, Const(axdr.enum(CLOCK_BASE_COMMUNICATIONS_HUB))),
                action(
                    "validity_interval",
                    8,
                    "0-0:1.0.0.255",
                    5,
                    Struct(
                        {
                            "preset_time": Const(axdr.octet_string(NEVER)),
                            known("validity_interval_start", "CurrentDateTime"): shapes.DATE_TIME,
                            known("validity_interval_end", "TolerancePeriod"): shapes.DATE_TIME,
                        }
                    ),
                ),
                action("adjust_to_preset_time", 8, "0-0:1.0.0.255", 4, Const(axdr.integer(0))),
                get(known("device_time", "DeviceTime"), 8, "0-0:1.0.0.255", 2, shapes.DATE_TIME),
                get(known("device_time_status", "ElecClockTimeStatus"), 8, "0-0:1.0.0.255", 4, CLOCK_STATUS),
            )
        ),
    ),
)
