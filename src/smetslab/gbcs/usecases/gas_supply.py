"""Use cases about the valve of a GSME and when it closes by itself.

Spec: GBCS use cases GCS24, GCS24a, GCS32, GCS33, GCS39
"""

from __future__ import annotations

from smetslab.gbcs.elements import Elements
from smetslab.gbcs.usecases.common import ANY_READER
from smetslab.gbcs.usecases.gas_common import GPF_OR_GSME, gas
from smetslab.gbcs.usecases.gbz import ask, publish, read
from smetslab.gbcs.usecases.model import newer
from smetslab.zigbee.zcl.clusters.metering import Metering

_FLOW_AND_TAMPER = (
    publish(Metering.set_uncontrolled_flow_threshold),
    publish(Metering.set_supply_status),
)
_VALVE = (ask(Metering.change_supply, Metering.supply_status_response),)

_FLOW_AND_TAMPER_ELEMENTS: Elements = {
    "set_uncontrolled_flow_threshold.uncontrolled_flow_threshold": (
        "UncontrolledGasFlowRate",
        "UncontrolledGasFlowRateDecimal",
    ),
    "set_uncontrolled_flow_threshold.stabilisation_period": ("StabilisationPeriod",),
    "set_uncontrolled_flow_threshold.measurement_period": ("MeasurementPeriod",),
    "set_supply_status.supply_tamper_state": ("SupplyTamperState",),
    "set_supply_status.supply_depletion_state": ("SupplyDepletionState",),
}
"""Spec: DUIS 6.7."""

USE_CASES = (
    gas(
        "GCS24",
        0x007D,
        "Set Uncontrolled Gas Flow Rate and Supply Tamper State on the GSME",
        "6.7",
        _FLOW_AND_TAMPER,
        critical=True,
        unverified=("future_dateable", "replay_protected"),
        elements=_FLOW_AND_TAMPER_ELEMENTS,
    ),
    newer(
        gas(
            "GCS24a",
            0x00FC,
            "Set Uncontrolled Gas Flow Rate and Supply Tamper State on the GSME (SMETS4)",
            "6.7",
            _FLOW_AND_TAMPER,
            critical=True,
            elements=_FLOW_AND_TAMPER_ELEMENTS,
        ),
        than="GCS24",
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
        elements={
            "remaining_battery_life_in_days": ("RemainingBatteryCapacity",),
            "supply_status": ("SupplyState",),
        },
    ),
    gas("GCS39", 0x0085, "Arm Valve in GSME", "7.3", _VALVE, critical=True),
)
