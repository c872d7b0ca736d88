"""Faults of frames: what a layer of a link does to them, in bursts, until it ends.

Each layer of the stack of each device hands what comes to it through `Impairments.pass_on`; without an
impairment that costs one look.

    layer `air`: whole frames as radios hear them · `nwk`: what the MAC layer hands up · `aps`: what the
    network layer hands up, opened
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from smetslab.errors import LocalProtocolError
from smetslab.han.air.medium import Link, LinkQuality, Scheduler
from smetslab.ids import Eui64
from smetslab.rng import RootSeed

ImpairmentKind: TypeAlias = Literal["drop", "delay", "duplicate", "corrupt", "reorder"]
ImpairedLayer: TypeAlias = Literal["air", "nwk", "aps"]
KINDS: Final[tuple[ImpairmentKind, ...]] = ("drop", "delay", "duplicate", "corrupt", "reorder")
LAYERS: Final[tuple[ImpairedLayer, ...]] = ("air", "nwk", "aps")
REORDER_PATIENCE_S: Final = 1.0
"""How long a frame waits for one to overtake it."""

Forward: TypeAlias = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What happens to a `share` of frames, in bursts of a mean length, on links between devices.

    `source`, `target`: None for every one; `until_s`: loop time of its end; `delay_s`: of `delay`, and of the
    second frame of `duplicate`.
    """

    kind: ImpairmentKind
    layer: ImpairedLayer = "air"
    share: float = 0.5
    burst_frames: float = 1.0
    source: Eui64 | None = None
    target: Eui64 | None = None
    delay_s: float = 0.1
    until_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.burst_frames < 1 or self.delay_s < 0:
            raise LocalProtocolError(
                "impairment: a share above 0, in bursts of a frame or more, and no delay backwards"
            )

    def concerns(self, layer: str, source: Eui64 | None, target: Eui64) -> bool:
        """Whether a frame of a layer on a link is one that may be hit."""
        return layer == self.layer and self.source in {None, source} and self.target in {None, target}


@dataclass(slots=True)
class _Active:
    impairment: Impairment
    stream: random.Random
    links: dict[tuple[Eui64 | None, Eui64], Link] = field(default_factory=dict)
    held: dict[tuple[Eui64 | None, Eui64], Callable[[], None]] = field(default_factory=dict)

    def hits(self, source: Eui64 | None, target: Eui64) -> bool:
        """Whether the next frame of a link is hit: each link has its own bursts."""
        share, burst = self.impairment.share, self.impairment.burst_frames
        if share == 1:
            return True
        link = self.links.get((source, target))
        if link is None:
            link = self.links[source, target] = Link(LinkQuality.bursty(share, burst), self.stream)
        return link.loses()


class Impairments:
    """All impairments of one home. `hit` is told of every frame that one happens to: kind, layer, link."""

    def __init__(
        self,
        scheduler: Scheduler,
        seed: RootSeed,
        hit: Callable[[Impairment, Eui64 | None, Eui64], None],
    ) -> None:
        self._scheduler = scheduler
        self._seed = seed
        self._hit = hit
        self._active: list[_Active] = []
        self._made = 0

    def add(self, impairment: Impairment) -> Callable[[], None]:
        """Impair frames from now on; the result ends it."""
        active = _Active(impairment, self._seed.stream(f"impairment.{self._made}"))
        self._made += 1
        self._active.append(active)

        def end() -> None:
            if active in self._active:
                self._active.remove(active)

        return end

    def clear(self) -> None:
        """End all. What is held or delayed still arrives."""
        self._active.clear()

    def pass_on(
        self, layer: ImpairedLayer, source: Eui64 | None, target: Eui64, octets: bytes, forward: Forward
    ) -> None:
        """Hand octets to the layer that they have come to, as the impairments will have it."""
        if not self._active:
            forward(octets)
            return
        now = self._scheduler.time()
        self._active = [
            one for one in self._active if one.impairment.until_s is None or one.impairment.until_s > now
        ]
        for active in self._active:
            if active.impairment.concerns(layer, source, target):
                released = active.held.pop((source, target), None)
                if released is not None:
                    forward(octets)
                    released()
                    return
                if active.hits(source, target):
                    self._hit(active.impairment, source, target)
                    self._impair(active, source, target, octets, forward)
                    return
        forward(octets)

    def _impair(
        self, active: _Active, source: Eui64 | None, target: Eui64, octets: bytes, forward: Forward
    ) -> None:
        impairment = active.impairment
        later = self._scheduler.time() + impairment.delay_s
        if impairment.kind == "delay":
            self._scheduler.call_at(later, forward, octets)
        elif impairment.kind == "duplicate":
            forward(octets)
            self._scheduler.call_at(later, forward, octets)
        elif impairment.kind == "corrupt":
            forward(_corrupted(octets, active.stream))
        elif impairment.kind == "reorder":
            self._hold(active, source, target, lambda: forward(octets))

    def _hold(
        self, active: _Active, source: Eui64 | None, target: Eui64, release: Callable[[], None]
    ) -> None:
        active.held[source, target] = release

        def out_of_patience() -> None:
            if active.held.get((source, target)) is release:
                del active.held[source, target]
                release()

        self._scheduler.call_at(self._scheduler.time() + REORDER_PATIENCE_S, out_of_patience)


def _corrupted(octets: bytes, stream: random.Random) -> bytes:
    """With one bit turned."""
    if not octets:
        return octets
    place = stream.randrange(8 * len(octets))
    changed = bytearray(octets)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)
