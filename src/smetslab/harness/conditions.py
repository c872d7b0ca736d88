"""When a case applies: three-valued conditions over what a bench declares about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from smetslab.harness.verdict import Applicability


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a bench declares it can or cannot do. A name that is not in it is not stated."""

    declared: Mapping[str, bool] = field(default_factory=dict)

    def state(self, name: str) -> Applicability:
        value = self.declared.get(name)
        if value is None:
            return Applicability.NOT_STATED
        return Applicability.YES if value else Applicability.NO


class Condition(Protocol):
    """`applies_when` of a case. `names`: the capabilities it asks for; `str()` reads as a sentence part."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def evaluate(self, capabilities: Capabilities) -> Applicability: ...


class _Combined:
    """Gives conditions `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self: Condition, other: Condition) -> Condition:
        return All((*_conjuncts(self), *_conjuncts(other)))

    def __or__(self: Condition, other: Condition) -> Condition:
        return AnyOf((self, other))

    def __invert__(self: Condition) -> Condition:
        return Without(self)


def _names(parts: tuple[Condition, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part.names))


@dataclass(frozen=True, slots=True)
class Has(_Combined):
    """The bench declares capability `name`."""

    name: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def evaluate(self, capabilities: Capabilities) -> Applicability:
        return capabilities.state(self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class All(_Combined):
    """Every part holds; no part at all holds always. One no is a no, whatever is not stated."""

    parts: tuple[Condition, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return _names(self.parts)

    def evaluate(self, capabilities: Capabilities) -> Applicability:
        states = [part.evaluate(capabilities) for part in self.parts]
        if Applicability.NO in states:
            return Applicability.NO
        return Applicability.NOT_STATED if Applicability.NOT_STATED in states else Applicability.YES

    def __str__(self) -> str:
        return " and ".join(str(part) for part in self.parts) or "always"


@dataclass(frozen=True, slots=True)
class AnyOf(_Combined):
    """At least one part holds. One yes is a yes, whatever is not stated."""

    parts: tuple[Condition, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return _names(self.parts)

    def evaluate(self, capabilities: Capabilities) -> Applicability:
        states = [part.evaluate(capabilities) for part in self.parts]
        if Applicability.YES in states:
            return Applicability.YES
        return Applicability.NOT_STATED if Applicability.NOT_STATED in states else Applicability.NO

    def __str__(self) -> str:
        return "(" + " or ".join(str(part) for part in self.parts) + ")"


@dataclass(frozen=True, slots=True)
class Without(_Combined):
    """`part` does not hold; not stated stays not stated."""

    part: Condition

    @property
    def names(self) -> tuple[str, ...]:
        return self.part.names

    def evaluate(self, capabilities: Capabilities) -> Applicability:
        match self.part.evaluate(capabilities):
            case Applicability.YES:
                return Applicability.NO
            case Applicability.NO:
                return Applicability.YES
            case state:
                return state

    def __str__(self) -> str:
        return f"not {self.part}"


def _conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """What has to hold, each for itself, so that a conjunction reads as one list."""
    return condition.parts if isinstance(condition, All) else (condition,)


ALWAYS = All(())


def has(name: str) -> Has:
    """The condition that the bench declares capability `name`."""
    return Has(name)
