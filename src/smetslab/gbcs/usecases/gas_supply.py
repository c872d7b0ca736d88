"""Use cases about the valve of a GSME and when it closes by itself.

Spec: GBCS use cases GCS24, GCS24a, GCS32, GCS33, GCS39
"""

from __future__ import annotations

from smetslab.gbcs.usecases.common import ANY_READER
from smetslab.gbcs.usecases.gas_common import GPF_OR_GSME, gas
from smetslab.gbcs.usecases.gbz import ask, publish, read
from smetslab.zigbee.zcl.clusters.metering import Metering

_FLOW_AND_TAMPER = (
    publish(Metering.set_uncontrolled_flow_threshold),
    publish(Metering.set_supply_status),
)
_VALVE = (ask(Metering.change_supply, Metering.supply_status_response),)

USE_CASES = (
    gas(
        "GCS24",
        0x007D,
        "Set Uncontrolled Gas Flow Rate and Supply Tamper State on the GSME",
        "6.7",
        _FLOW_AND_TAMPER,
        critical=True,
        unverified=("future_dateable", "replay_protected"),
    ),
    gas(
        "GCS24a",
        0x00FC,
        "Set Uncontrolled Gas Flow Rate and Supply Tamper State on the GSME (SMETS4)",
        "6.7",
        _FLOW_AND_TAMPER,
        critical=True,
    ),
    gas("GCS32", 0x0081, "Remotely close the valve in the GSME", "7.2", _VALVE, critical=True),
    gas(
        "GCS33",
        0x0082,
        "Read GSME Valve Status",
        "7.4",
        (read(Metering.remaining_battery_life_in_days, Metering.supply_status),),
        devices=GPF_OR_GSME,
        roles=ANY_READER,
    ),
    gas("GCS39", 0x0085, "Arm Valve in GSME", "7.3", _VALVE, critical=True),
)
