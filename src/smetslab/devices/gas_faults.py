"""How faults happen to a gas meter.

Spec: SMETS 4.5.3 (valve), 4.6.4.24 (Supply Tamper State); GBCS 16.2
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from smetslab.devices import events
from smetslab.devices.esme_faults import TAMPER
from smetslab.devices.gsme_core import TAMPER_CODES, GsmeCore
from smetslab.devices.supply import SwitchFault

UNCONTROLLED_ML_PER_HOUR: Final = 1_000_000
"""Far above any usual Uncontrolled Gas Flow Rate."""

FLOW_EVENTS: Final = {
    "air": events.AIR_IN_GAS,
    "reverse": events.REVERSE_GAS_FLOW,
    "excess": events.EXCESS_GAS_FLOW,
}
"""What the flow sensor notices."""


def tamper(core: GsmeCore, now: datetime, kind: str, *, begins: bool) -> None:
    """Somebody tampers with the meter, or has ended it; with Supply Tamper State Locked that closes the
    valve."""
    begin, end = TAMPER[kind]
    code = begin if begins else end
    if begins and code in TAMPER_CODES:
        core.tamper(code, now)
    elif code is not None:
        core.raise_event(code, now)


def drift_clock(core: GsmeCore, now: datetime, seconds: int) -> None:
    """The clock is suddenly wrong, and does not know it."""
    core.settle(now)
    with core.working(now) as work:
        core.clock.drift(work, timedelta(seconds=seconds))


def lose_clock(core: GsmeCore, now: datetime) -> None:
    """The clock has no time any more."""
    core.settle(now)
    with core.working(now) as work:
        core.clock.invalidate(work)


def break_valve(core: GsmeCore, fails: str) -> None:
    """The valve does not follow, or does again."""
    core.valve.fault = SwitchFault(fails)


def disturb_flow(core: GsmeCore, now: datetime, kind: str) -> None:
    """Something about the gas is not as it should be."""
    if kind in FLOW_EVENTS:
        core.raise_event(FLOW_EVENTS[kind], now)
        return
    core.settle(now)
    core.life.leak_ml_per_hour = UNCONTROLLED_ML_PER_HOUR if kind == "uncontrolled" else 0
