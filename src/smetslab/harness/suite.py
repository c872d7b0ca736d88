"""A suite: a named, versioned selection of cases, and how to set up the bench they run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from smetslab.errors import RegistryError
from smetslab.harness.case import Bench, Case
from smetslab.harness.conditions import Capabilities
from smetslab.harness.equipment import CertificateSummary, Equipment
from smetslab.rng import RootSeed

B = TypeVar("B", bound=Bench)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSetup(Generic[B]):
    """A bench that can be built again for each case, and what the evidence says about it.

    `bench` gets the seed of the case; entered, it is a lab that stands, left, it leaves no task behind.
    `inputs` are the files it is made from (lab file, profiles), by the name they get under `inputs/`.
    `seed` is the lab file's own, which counts when the person gives none.
    """

    bench: Callable[[RootSeed], AbstractAsyncContextManager[B]]
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    capabilities: Capabilities = field(default_factory=Capabilities)
    equipment: tuple[Equipment, ...] = ()
    certificates: tuple[CertificateSummary, ...] = ()
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteDefinition(Generic[B]):
    """A suite. `prepare` reads a lab file (None: the suite's own) and raises UsageError when it cannot be
    used.
    """

    name: str
    title: str
    version: int
    cases: tuple[Case[B], ...]
    prepare: Callable[[Path | None], BenchSetup[B]]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for entry in self.cases:
            if entry.id in seen:
                raise RegistryError(f"suite {self.name} holds case {entry.id} twice", rule="suite")
            seen.add(entry.id)
        if not self.cases:
            raise RegistryError(f"suite {self.name} holds no case", rule="suite")


AnySuite: TypeAlias = SuiteDefinition[Any]
"""A suite where the type of its bench does not matter to the reader."""
