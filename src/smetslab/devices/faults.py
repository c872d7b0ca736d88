"""Faults: what can go wrong with a device, each injectable by name, with parameters, and traced.

A row says what a fault is and what it takes; a kind of device says in `fault_handlers` how it happens to it.
Scenarios, the command line and tests inject through the same function.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeAlias

from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.trace import Trace

FaultValue: TypeAlias = int | str
FaultHandler: TypeAlias = Callable[[Mapping[str, FaultValue]], Awaitable[None]]
"""Makes a fault happen to one device; every declared parameter is there."""

_METERS = (DeviceType.ESME, DeviceType.GSME)
_LONGEST_S = 10 * 366 * 86_400
_LONGEST_TEXT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A whole number between two bounds, one of some words, or a text."""

    default: FaultValue
    words: tuple[str, ...] = ()
    text: bool = False
    least: int = 0
    most: int = _LONGEST_S

    def read(self, fault: str, name: str, value: object) -> FaultValue:
        """The value of a parameter. Raises UsageError."""
        if self.text:
            if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
                raise UsageError(f"fault {fault}: {name} is a text of at most {_LONGEST_TEXT} characters")
            return value
        if self.words:
            if value not in self.words:
                raise UsageError(f"fault {fault}: {name} = {value!r} is not one of {', '.join(self.words)}")
            return str(value)
        try:
            number = int(str(value))
        except ValueError:
            raise UsageError(f"fault {fault}: {name} = {value!r} is not a whole number") from None
        if not self.least <= number <= self.most:
            raise UsageError(f"fault {fault}: {name} = {number} is not in {self.least} to {self.most}")
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault. `devices` empty: every device; `air`: it happens to its radio, or on its links."""

    name: str
    description: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    devices: tuple[DeviceType, ...] = ()
    air: bool = False


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        fault.name: fault
        for fault in (
            Fault(
                name="power-cut",
                description="the mains goes, and comes back after some seconds (0: it stays away)",
                parameters={"seconds": Parameter(default=0)},
            ),
            Fault(name="power-restore", description="the mains comes back"),
            Fault(
                name="hardware-fault",
                description="item n (from 0) of the next command that is executed fails, once",
                parameters={"item": Parameter(default=0, most=10_000)},
            ),
            Fault(
                name="activation-fault",
                description="activation n (from 0) of the next future-dated execution fails, once",
                parameters={"item": Parameter(default=0, most=10_000)},
            ),
            Fault(
                name="clock-drift",
                description="the clock is suddenly ahead by some seconds, or behind",
                parameters={"seconds": Parameter(default=60, least=-_LONGEST_S)},
                devices=_METERS,
            ),
            Fault(name="clock-loss", description="the clock loses its time", devices=_METERS),
            Fault(
                name="memory-corruption",
                description="an area of non-volatile memory is damaged, which the next start finds",
                parameters={
                    "area": Parameter(default="account", words=("account", "life", "clock", "supply"))
                },
                devices=(DeviceType.ESME,),
            ),
            Fault(
                name="firmware-corruption",
                description="the image that runs is damaged, which the next start finds",
                devices=(*_METERS, DeviceType.CHF, DeviceType.PPMID, DeviceType.HCALCS),
            ),
            Fault(
                name="tamper",
                description="somebody opens a cover, or brings a magnet or a screwdriver",
                parameters={
                    "kind": Parameter(
                        default="meter-cover",
                        words=(
                            "battery-cover",
                            "meter-cover",
                            "terminal-cover",
                            "second-terminal-cover",
                            "magnet",
                            "tilt",
                            "other",
                        ),
                    ),
                    "phase": Parameter(default="begins", words=("begins", "ends")),
                },
                devices=_METERS,
            ),
            Fault(
                name="switch-failure",
                description="the load switch or valve does not connect, does not disconnect, or works again",
                parameters={"fails": Parameter(default="connect", words=("connect", "disconnect", "none"))},
                devices=_METERS,
            ),
            Fault(
                name="voltage",
                description="a phase has a voltage forced upon it, for some seconds (0: from now on)",
                parameters={
                    "volts": Parameter(default=300, most=1_000),
                    "seconds": Parameter(default=600),
                    "phase": Parameter(default=1, least=1, most=3),
                },
                devices=(DeviceType.ESME,),
            ),
            Fault(
                name="gas-flow",
                description="air in the gas, reverse flow, excess flow, or a flow that nobody controls",
                parameters={
                    "kind": Parameter(
                        default="uncontrolled", words=("uncontrolled", "air", "reverse", "excess", "none")
                    )
                },
                devices=(DeviceType.GSME,),
            ),
            Fault(
                name="tunnel-busy",
                description="it answers requests for a tunnel with BUSY, for some seconds",
                parameters={"seconds": Parameter(default=600, least=1)},
                devices=(DeviceType.ESME, DeviceType.PPMID, DeviceType.HCALCS, DeviceType.CHF),
            ),
            Fault(
                name="device-log-full",
                description="strangers are put on the Device Log until so many places are free",
                parameters={"free": Parameter(default=0, most=100)},
                devices=(DeviceType.CHF,),
            ),
            Fault(
                name="out-of-range",
                description="nobody hears it on the air, for some seconds (0: until in-range)",
                parameters={"seconds": Parameter(default=0)},
                air=True,
            ),
            Fault(name="in-range", description="it is heard on the air again", air=True),
            Fault(
                name="frames",
                description="something happens to frames on its links, for some seconds (0: from now on)",
                parameters={
                    "kind": Parameter(
                        default="drop", words=("drop", "delay", "duplicate", "corrupt", "reorder")
                    ),
                    "layer": Parameter(default="air", words=("air", "nwk", "aps")),
                    "percent": Parameter(default=50, least=1, most=100),
                    "burst": Parameter(default=1, least=1, most=10_000),
                    "direction": Parameter(default="both", words=("both", "to", "from")),
                    "peer": Parameter(default="", text=True),
                    "milliseconds": Parameter(default=100),
                    "seconds": Parameter(default=0),
                },
                air=True,
            ),
            Fault(name="frames-end", description="nothing happens to frames of its home any more", air=True),
            Fault(
                name="jam",
                description="its channel is jammed for some seconds: nothing gets through",
                parameters={"seconds": Parameter(default=60, least=1)},
                air=True,
            ),
            Fault(
                name="counter-rollback",
                description="a frame counter of it goes back (or forward, with a number below 0)",
                parameters={
                    "layer": Parameter(default="nwk", words=("nwk", "aps")),
                    "by": Parameter(default=10_000, least=-1_000_000, most=1_000_000),
                },
                air=True,
            ),
            Fault(
                name="key-mismatch",
                description="its network key, or its link key with the hub, is another than the others have",
                parameters={"key": Parameter(default="network", words=("network", "link"))},
                air=True,
            ),
            Fault(name="network-key-change", description="its hub gives out a new network key", air=True),
            Fault(
                name="channel-change",
                description="its hub takes the network to another channel",
                parameters={"channel": Parameter(default=25, least=11, most=26)},
                air=True,
            ),
            Fault(
                name="inject-frame",
                description="octets (hex) are sent on its channel, with a fitting check sequence or without",
                parameters={
                    "octets": Parameter(default="", text=True),
                    "check_sequence": Parameter(default="fitting", words=("fitting", "own")),
                    "times": Parameter(default=1, least=1, most=10_000),
                },
                air=True,
            ),
        )
    }
)
"""Every fault by its name."""


class Faulty(Protocol):
    """A device that faults can be injected into."""

    @property
    def eui64(self) -> Eui64:
        """Its address."""

    @property
    def trace(self) -> Trace:
        """Where faults are noted."""

    @property
    def device_type(self) -> DeviceType:
        """What it is."""

    def fault_handlers(self) -> Mapping[str, FaultHandler]:
        """By the names of the faults that can happen to it."""


def read_fault(name: str, given: Mapping[str, object]) -> tuple[Fault, dict[str, FaultValue]]:
    """A fault with all its parameters. Raises UsageError for a name or a value that there is not."""
    fault = FAULTS.get(name)
    if fault is None:
        raise UsageError(f"unknown fault {name!r}", hint=f"the faults are: {', '.join(FAULTS)}")
    unknown = sorted(set(given) - set(fault.parameters))
    if unknown:
        known = ", ".join(fault.parameters) or "nothing"
        raise UsageError(f"fault {name} does not take {', '.join(unknown)}", hint=f"it takes {known}")
    return fault, {
        key: parameter.read(name, key, given.get(key, parameter.default))
        for key, parameter in fault.parameters.items()
    }


async def inject(device: Faulty, name: str, **given: object) -> None:
    """Make a fault happen to a device, now. Raises UsageError."""
    fault, parameters = read_fault(name, given)
    handler = device.fault_handlers().get(fault.name)
    if handler is None:
        raise UsageError(
            f"fault {name} cannot happen to {device.eui64}, which is a {device.device_type.name}",
            hint='only with [han] kind = "radio"'
            if fault.air
            else f"it can have: {', '.join(sorted(device.fault_handlers()))}",
        )
    words = " ".join(f"{key}={value}" for key, value in parameters.items())
    device.trace.record(
        "device", "FaultInjected", source=str(device.eui64), fault=fault.name, parameters=words
    )
    await handler(parameters)
