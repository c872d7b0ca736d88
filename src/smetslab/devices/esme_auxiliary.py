"""The auxiliary controllers of an ESME: commands to switches and to proportional controllers.

Spec: SMETS 5.22, 5.29; GBCS use cases ECS47, ECS47a, ECS47e, ECS35g.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from smetslab.devices.cosem.server import CosemServer, ItemError
from smetslab.devices.esme_objects.auxiliary import SLOTS
from smetslab.devices.payload_engine import Call
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.dlms.axdr import Data, Number
from smetslab.gbcs.values import utc_text

_ACTIVATE, _DEACTIVATE, _RESET = 0x11, 0x12, 0x20
"""Actions of ECS47. Spec: GBCS use case ECS47."""
_FULL: Final = 100


@dataclass(frozen=True, slots=True)
class AuxiliaryControllers:
    """The slots of one meter. `time`: the device's clock at a moment of laboratory time."""

    server: Callable[[], CosemServer]
    time: Callable[[datetime], datetime]

    def execute(self, call: Call, data: Data) -> Data:
        """A script of the switches: a slot with an action, or with a direction and a level in percent."""
        slot, action = _slot_and_action(data)
        level = action if slot > max(SLOTS) else {_ACTIVATE: _FULL}.get(action, 0)
        number = slot & 0x0F
        if number not in SLOTS or level > _FULL:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"no slot {number}, or level {level}")
        server = self.server()
        server.put(call.work, f"auxiliary_controller_{number}_switch_state", level > 0)
        levelled = _ACTIVATE if level else _DEACTIVATE
        logged = levelled if slot > max(SLOTS) else action
        server.record(
            call.work,
            "auxiliary_controller_event_log",
            {
                "timestamp": utc_text(self.time(call.work.now)),
                "switch_number_and_action": {"slot": number, "action": logged},
                "outcome": 1,
                "han_command_id": 0,
            },
        )
        return axdr.null()

    def limit(self, call: Call, data: Data) -> Data:
        """A script of the proportional controllers: the level that a period is limited to."""
        slot, level = _slot_and_action(data)
        if slot & 0x0F not in SLOTS or level > _FULL:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"no slot {slot & 0x0F}")
        direction = "output" if slot >> 4 == 1 else "input"
        call.work.note("AuxiliaryLimited", slot=slot & 0x0F, direction=direction, level=level)
        return axdr.null()


def _slot_and_action(data: Data) -> tuple[int, int]:
    if not isinstance(data, Number):
        raise ItemError(DataAccessResult.TYPE_UNMATCHED, "a script is a number")
    return data.value >> 8, data.value & 0xFF
