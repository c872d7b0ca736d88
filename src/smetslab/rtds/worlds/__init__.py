"""The devices of the published scenarios and the worlds they start in, one module each.

A new device is a module with a `World` and a line in `WORLDS`.

Spec: RTDS 4.5.0.
"""

from typing import Final

from smetslab.rtds.worlds import esme, gas, hub, type1
from smetslab.rtds.worlds.model import Cause, ReplayDevice, Site, Stage, World

WORLDS: Final[tuple[World, ...]] = (
    *esme.WORLDS,
    *gas.WORLDS,
    *hub.WORLDS,
    *type1.WORLDS,
)
"""Every world; that of a device is found by the address that commands go to or alerts come from."""

__all__ = ["WORLDS", "Cause", "ReplayDevice", "Site", "Stage", "World"]
