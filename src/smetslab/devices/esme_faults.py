"""How faults happen to an ESME, and what it does about damaged memory.

Spec: SMETS 5.6.3 (tamper), 5.7.4 (Supply Tamper State); GBCS 16.2; use case MIIWA.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from smetslab.devices import events
from smetslab.devices.application import Application
from smetslab.devices.clock import DeviceClock
from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.esme_duties import EsmeDuties
from smetslab.devices.esme_monitors import EsmeMonitors
from smetslab.devices.metering import SECOND_US, EnergyMeter, microseconds
from smetslab.devices.supply import Supply, SupplyEvent, SwitchFault
from smetslab.devices.voltage import Disturbance, Voltage
from smetslab.devices.work import Work

MEMORY_AREAS = {"account": "prepay/account", "life": "life", "clock": "clock", "supply": "supply"}
"""What may be damaged, and the key of each in non-volatile memory."""

GARBAGE = b"\xff\x00garbage"

TAMPER = {
    "battery-cover": (events.BATTERY_COVER_OPENED, events.BATTERY_COVER_CLOSED),
    "meter-cover": (events.METER_COVER_OPENED, events.METER_COVER_CLOSED),
    "terminal-cover": (events.TERMINAL_COVER_OPENED, events.TERMINAL_COVER_CLOSED),
    "second-terminal-cover": (
        events.SECOND_TERMINAL_COVER_OPENED,
        events.SECOND_TERMINAL_COVER_CLOSED,
    ),
    "magnet": (events.STRONG_MAGNET, events.MAGNET_REMOVED),
    "tilt": (events.TILT, None),
    "other": (events.TAMPER_OTHER, None),
}
"""Kinds of tamper: the events of their beginning and of their end."""


class Parts(Protocol):
    """The parts of a meter that faults happen to."""

    application: Application
    server: CosemServer
    clock: DeviceClock
    meter: EnergyMeter
    supply: Supply
    voltage: Voltage
    monitors: EsmeMonitors
    duties: EsmeDuties


def tamper(parts: Parts, work: Work, kind: str, *, begins: bool) -> None:
    """Somebody tampers with the meter, or has ended it; with Supply Tamper State Locked that cuts the supply
    and locks it."""
    begin, end = TAMPER[kind]
    code = begin if begins else end
    if code is not None:
        parts.application.raise_event(work, code)
    if begins and parts.server.value("supply_tamper_state") in {True, "Locked"}:
        parts.duties.switch(work, SupplyEvent.TAMPERED)


def drift_clock(parts: Parts, work: Work, seconds: int) -> None:
    """The clock is suddenly wrong, and does not know it."""
    parts.clock.drift(work, timedelta(seconds=seconds))
    parts.meter.change(work, work.now, offset=parts.clock.offset, clock_runs=parts.clock.running)


def lose_clock(parts: Parts, work: Work) -> None:
    """The clock has no time any more."""
    parts.clock.invalidate(work)
    parts.meter.change(work, work.now, offset=parts.clock.offset, clock_runs=parts.clock.running)


def break_switch(parts: Parts, fails: str) -> None:
    """The load switch does not follow, or does again."""
    parts.supply.fault = SwitchFault(fails)


def disturb_voltage(parts: Parts, work: Work, *, volts: int, seconds: int, phase: int) -> None:
    """A phase has a voltage forced upon it; 0 seconds: from now on."""
    start_us = microseconds(work.now)
    end_us = start_us + seconds * SECOND_US if seconds else None
    parts.voltage.disturbances.append(Disturbance(phase, volts * 10, start_us, end_us))
    parts.monitors.changed()
