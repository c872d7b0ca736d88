"""Chance, seeded: one root seed split into named streams.

A stream depends on the root seed and its name alone, so that adding a device or a fault never changes what
another one draws.
"""

from __future__ import annotations

import hashlib
import random


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

    def child(self, name: str) -> RootSeed:
        """A root of its own for a part of the run."""
        return RootSeed(int.from_bytes(self.octets(name, 8), "big"))

    def __repr__(self) -> str:
        return f"RootSeed({self.value})"
