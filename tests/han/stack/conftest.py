"""Homes on the simulated air, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame, ClusterRole
from smetslab.han.air.bands import Channel
from smetslab.han.air.medium import LinkQuality, OnAir
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.link import RadioLink
from smetslab.han.stack.rules import UpkeepRules
from smetslab.han.stack.sleeper import SleepRules
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.trace import Trace

METERING = 0x0702
ENDPOINT = 7


@dataclass
class Device:
    """A device with one application on it: what it has received."""

    link: RadioLink
    received: list[ApsFrame] = field(default_factory=list)

    @property
    def payloads(self) -> list[bytes]:
        return [frame.payload for frame in self.received]

    def frame(
        self, to: Device, payload: bytes, *, cluster: int = METERING, endpoint: int = ENDPOINT
    ) -> ApsFrame:
        return ApsFrame(
            source=self.link.eui64,
            source_endpoint=ENDPOINT,
            destination=to.link.eui64,
            destination_endpoint=endpoint,
            profile=SMART_ENERGY_PROFILE,
            cluster=cluster,
            payload=payload,
        )

    async def send(self, to: Device, payload: bytes, **where: int) -> None:
        await self.link.send(self.frame(to, payload, **where))


@dataclass
class Home:
    clock: LoopClock
    trace: Trace
    radio: RadioHome
    stack: AsyncExitStack
    air: list[OnAir] = field(default_factory=list)

    async def device(self, number: int, **options: Any) -> Device:
        """A device that has power, with Metering on its endpoint."""
        link = self.radio.link(Eui64(bytes(7) + bytes((number,))), **options)
        device = Device(link)
        link.register(
            ENDPOINT,
            SMART_ENERGY_PROFILE,
            METERING,
            ClusterRole.SERVER | ClusterRole.CLIENT,
            device.received.append,
        )
        await self.stack.enter_async_context(link)
        return device

    async def power(self, device: Device, *, on: bool) -> None:
        """Cut the power of a device, or give it back."""
        if on:
            await device.link.__aenter__()
        else:
            await device.link.__aexit__(None, None, None)

    def events(self, *names: str) -> list[tuple[str, str]]:
        """What has happened, in order: event and last octet of the device."""
        return [(one.event, one.source[-1:]) for one in self.trace.observations if one.event in names]

    def deafen(self, one: Device, other: Device) -> None:
        """Let two devices not hear each other."""
        pair = (one.link.node.eui64, other.link.node.eui64)
        for source, destination in (pair, pair[::-1]):
            self.radio.medium.set_link(source, destination, LinkQuality(audible=False))


Story = Callable[[Home], Coroutine[Any, Any, Any]]


@pytest.fixture
def run_home() -> Callable[..., Any]:
    """`run_home(story, seed=1, quality=..., sleep=...)` runs a story in a home; what it returns."""

    def run(
        story: Story,
        *,
        seed: int = 1,
        quality: LinkQuality | None = None,
        sleep: SleepRules | None = None,
        upkeep: UpkeepRules | None = None,
        sub_ghz: Channel | None = None,
    ) -> Any:
        async def main(clock: LoopClock) -> Any:
            trace = Trace(clock)
            radio = RadioHome(
                clock,
                trace,
                RootSeed(seed),
                quality=quality,
                sleep=sleep,
                upkeep=upkeep,
                sub_ghz=sub_ghz,
            )
            async with AsyncExitStack() as stack:
                home = Home(clock, trace, radio, stack)
                radio.medium.listen(home.air.append)
                return await story(home)

        return run_virtual(main)

    return run
