"""A place without a loop: radios on a scheduler that moves when it is told to."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, TypeVarTuple, Unpack

import pytest

from smetslab.han.air.bands import Channel
from smetslab.han.air.mac_entity import MacEntity, Reception
from smetslab.han.air.medium import LinkQuality, Medium
from smetslab.ids import Eui64
from smetslab.rng import RootSeed

PAN = 0x1AAA
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Timer:
    def __init__(self, run: Callable[[], object]) -> None:
        self.run: Callable[[], object] | None = run

    def cancel(self) -> None:
        self.run = None


class HeapScheduler:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self._now

    def call_at(self, time_s: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> _Timer:
        timer = _Timer(lambda: callback(*args))
        heapq.heappush(self._timers, (max(time_s, self._now), next(self._numbers), timer))
        return timer

    def alarm(self, time_s: float, callback: Callable[[T], object], argument: T, /) -> None:
        self.call_at(time_s, callback, argument)

    def run(self, seconds: float = 60.0) -> None:
        """Let so many seconds pass."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now = when
            if timer.run is not None:
                timer.run()
        self._now = end


@dataclass
class Station:
    """A MAC entity and what it has handed up."""

    mac: MacEntity
    heard: list[Reception] = field(default_factory=list)

    @property
    def payloads(self) -> list[bytes]:
        return [reception.frame.payload for reception in self.heard]


@dataclass
class Place:
    scheduler: HeapScheduler
    medium: Medium
    station: Callable[..., Station]


@pytest.fixture
def place() -> Callable[..., Place]:
    """`place(seed=1, quality=...)`: a medium, and stations with short addresses 0, 1, 2, … on it."""

    def make(seed: int = 1, quality: LinkQuality | None = None) -> Place:
        scheduler = HeapScheduler()
        medium = Medium(scheduler, RootSeed(seed), quality=quality)
        stations: list[Station] = []

        def station(*, sleeper: bool = False, channel: Channel = Channel(11)) -> Station:  # noqa: B008
            number = len(stations)
            heard: list[Reception] = []
            mac = MacEntity(
                medium,
                scheduler,
                random.Random(f"{seed}.{number}"),
                eui64=Eui64(bytes(7) + bytes((number,))),
                channel=channel,
                received=heard.append,
            )
            mac.pan, mac.short_address, mac.always_listening = PAN, number, not sleeper
            made = Station(mac, heard)
            stations.append(made)
            mac.switch_on()
            return made

        return Place(scheduler, medium, station)

    return make
