"""Chance, seeded: one root seed split into named streams.

A stream depends on the root seed and its name alone, so that adding a device or a fault never changes what
another one draws.
"""

from __future__ import annotations

import hashlib
import random

_MASK = 2**64 - 1


class Draws:
    """A generator that takes a few octets, for what a home has many of: links, routes. SplitMix64.

    Its numbers are as independent as simulation needs, of which each object draws a few.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: bytes) -> None:
        self._state = int.from_bytes(seed[:8], "big")

    def random(self) -> float:
        """A number from 0 up to, but not including, 1."""
        self._state = z = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
        return float((z ^ z >> 31) >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * self.random()


class RootSeed:
    """The one seed of a run. `stream("air.loss")` and `octets("pki.esme.ds", 32)` derive from it by name."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def octets(self, name: str, count: int) -> bytes:
        """`count` reproducible octets for `name`."""
        material = f"smetslab/{self.value}/{name}".encode()
        return hashlib.shake_256(material).digest(count)

    def stream(self, name: str) -> random.Random:
        """An independent generator for `name`. For simulation, never for real secrets."""
        return random.Random(self.octets(name, 32))  # noqa: S311 - reproducible by purpose

    def draws(self, name: str) -> Draws:
        """A small generator for `name`: 2.5 KiB less than a stream, and it draws nothing but fractions."""
        return Draws(self.octets(name, 8))

    def child(self, name: str) -> RootSeed:
        """A root of its own for a part of the run."""
        return RootSeed(int.from_bytes(self.octets(name, 8), "big"))

    def __repr__(self) -> str:
        return f"RootSeed({self.value})"
