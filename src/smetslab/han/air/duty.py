"""The duty cycle of a sub-GHz radio: how much of the last hour it has sent, and what that allows.

The hour slides in steps of a bucket, which counts as long as any of it lies within. Two states lie between
free use and silence; what they mean is for who runs the network to say. A radio whose hour is used up sends
nothing, not even acknowledgements.

    normal <-> limited <-> critical <-> regulated

Spec: CHTS 4.4.7; GBCS 10.6; ETSI EN 300 220 (2.5 %); ZigBee D.9 (thresholds; unverified)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from smetslab.han.air.bands import SUB_GHZ
from smetslab.zigbee.mac_layer import Address

BUCKET_S: Final = 300.0
BUCKETS: Final = 12
"""The hour of the duty cycle in parts. Unverified."""
LONGEST_S: Final = SUB_GHZ.airtime_s(127)
PARTS: Final = 10_000
"""Shares are in 1/100 %."""


class DutyState(IntEnum):
    """How much of its hour a radio has used."""

    NORMAL = 0
    LIMITED = 1
    CRITICAL = 2
    REGULATED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyLimits:
    """Where each state begins, in 1/100 % of an hour."""

    limited: int = 100
    critical: int = 180
    regulated: int = 250
    """What a radio may send in an hour at most."""


@dataclass(slots=True)
class _Bucket:
    start: float
    by_peer: dict[Address, float]
    total: float = 0.0


class DutyLedger:
    """The account of one radio. Times in seconds of any clock that goes on."""

    def __init__(self, limits: DutyLimits | None = None) -> None:
        self.limits = DutyLimits() if limits is None else limits
        self._buckets: deque[_Bucket] = deque()
        self.peak = 0.0
        """The largest share until now."""
        self.told: Callable[[], None] = lambda: None
        """Called when the radio has sent, or was not let."""

    def spent(self, now: float, peer: Address, seconds: float) -> None:
        """The radio has sent for so long, to a device or to everybody."""
        if not self._buckets or now - self._buckets[-1].start >= BUCKET_S:
            while self._buckets and self._buckets[0].start + BUCKET_S <= now - BUCKET_S * BUCKETS:
                self._buckets.popleft()
            self._buckets.append(_Bucket(now, {}))
        bucket = self._buckets[-1]
        bucket.by_peer[peer] = bucket.by_peer.get(peer, 0.0) + seconds
        bucket.total += seconds
        self.peak = max(self.peak, self.share(now))
        self.told()

    def share(self, now: float, beside_s: float = 0.0) -> float:
        """The part of the last hour that the radio has sent, in 1/100 %; `beside_s` counts as well."""
        first = now - BUCKET_S * BUCKETS
        on_air = sum(bucket.total for bucket in self._buckets if bucket.start + BUCKET_S > first)
        return (on_air + beside_s) / (BUCKET_S * BUCKETS) * PARTS

    def state(self, now: float) -> DutyState:
        """The state that the share stands for."""
        share = self.share(now)
        if not self.admits(now):
            return DutyState.REGULATED
        if not share or share < self.limits.limited:
            return DutyState.NORMAL
        return DutyState.CRITICAL if share >= self.limits.critical else DutyState.LIMITED

    def admits(self, now: float) -> bool:
        """Whether there is room for another frame, the longest there is."""
        return self.share(now, LONGEST_S) <= self.limits.regulated

    def busiest(self) -> list[Address]:
        """To whom was sent in the hour before the last frame, most first; in doubt the one heard of first."""
        totals: dict[Address, float] = {}
        for bucket in self._buckets:
            for peer, seconds in bucket.by_peer.items():
                totals[peer] = totals.get(peer, 0.0) + seconds
        return sorted(totals, key=lambda peer: -totals[peer])

    def forget(self) -> None:
        """The power goes: the account is not kept."""
        self._buckets.clear()
