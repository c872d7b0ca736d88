"""What a ZCL device is made of, declared: its attributes, and what each command does when it takes effect.

Spec: GBCS 7.2.9; ZSE 1.4 annex D (clusters)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from smetslab.devices.payload_engine import Call
from smetslab.devices.work import Work
from smetslab.errors import RegistryError, SmetsLabError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.gbz.naming import cluster_name
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.cluster import Attribute
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import ZclValue


class When(Enum):
    """What the activation time of a command says. Spec: GBCS 9.2."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"
    """A cancellation."""


class ComponentError(SmetsLabError):
    """One component of a command cannot be done. `answer`: its own content, where the command has one."""

    def __init__(self, status: Status, why: str, answer: Record | None = None) -> None:
        self.status = status
        self.answer = answer
        super().__init__(f"{status.name.lower()}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZclCall:
    """What a component may need. `command`: the one it stands in, None when it was kept until its time.

    `from_date_time`: seconds since 2000, where the component has one.
    """

    work: Work
    command: Call | None = None
    from_date_time: int | None = None


Answer: TypeAlias = "Record | Sequence[Record] | None"
"""What a handler answers: one record, several of a list, or None where a Default Response says it all."""

Handler: TypeAlias = Callable[[ZclCall, Record], Answer]
"""What a command does. Raises ComponentError."""

Stager: TypeAlias = Callable[[ZclCall, Record, When], None]
"""What a command does at once, whenever it is to take effect. Raises ComponentError."""

Computed: TypeAlias = Callable[[datetime], ZclValue]
"""The value of an attribute at a moment of laboratory time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one command does.

    When it takes effect: `sets` writes fields into attributes, `spreads` the values that it makes of a
    record, or refuses one before anything has changed, `keeps` the whole command under a name, and `calls`
    the handler of that name. At once, whatever its activation time: `limits` are checked, and `stages` is
    called; `acknowledges` answers a command that is to take effect later or never. `refusal` is the content
    of its answer to a failure, where that is no Default Response: numbers, or names of fields to repeat.
    `slot` is the field that tells apart instructions of the command that wait side by side.
    """

    sets: Mapping[str, Attribute] = field(default_factory=dict)
    spreads: Callable[[Record], Mapping[Attribute, ZclValue]] | None = None
    keeps: str = ""
    calls: str = ""
    stages: str = ""
    acknowledges: str = ""
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    refusal: Mapping[str, int | str] = field(default_factory=dict)
    slot: str = ""


def lists(handler: str) -> Effect:
    """A command that asks for something and changes nothing."""
    return Effect(calls=handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZclBindings:
    """What a device does and knows, by attribute and by the names of its declarations."""

    computed: Mapping[Attribute, Computed] = field(default_factory=dict)
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    stagers: Mapping[str, Stager] = field(default_factory=dict)


Right: TypeAlias = "Attribute | Command"


class ZclModel:
    """Every attribute and command of a device type. Immutable; values live in a memory.

    Attributes and access rights follow from the use cases: a role may read an attribute, or use a command,
    when one of its use cases does. Spec: GBCS 20 (use cases).
    """

    def __init__(
        self,
        device_type: DeviceType,
        use_cases: Iterable[UseCase],
        effects: Mapping[Command, Effect],
        *,
        initial: Mapping[Attribute, ZclValue],
    ) -> None:
        """`initial`: what a new device holds. Raises RegistryError when a declaration is incomplete."""
        self.device_type = device_type
        self.effects = MappingProxyType(dict(effects))
        self.initial = MappingProxyType(dict(initial))
        attributes: dict[str, Attribute] = {}
        rights: dict[tuple[int, bool, int], tuple[RemotePartyRole, ...]] = {}
        self._supported: list[str] = []
        for use_case in use_cases:
            if device_type not in use_case.devices or not isinstance(use_case.payload, GbzAccess):
                continue
            self._supported.append(use_case.name)
            for exchange in use_case.payload.exchanges:
                self._check(use_case, exchange)
                for attribute in exchange.attributes:
                    attributes[attribute_name(attribute)] = attribute
                for key in _keys(exchange):
                    held = rights.get(key, ())
                    rights[key] = held + tuple(r for r in use_case.originator_roles if r not in held)
        for attribute in initial:
            attributes.setdefault(attribute_name(attribute), attribute)
        self.attributes = MappingProxyType(attributes)
        self._rights = rights

    def _check(self, use_case: UseCase, exchange: Exchange) -> None:
        command = exchange.command
        if command is not None and command not in self.effects:
            raise RegistryError(
                f"{self.device_type.name}: nobody says what {command.name} of {use_case.name} does"
            )

    def supports(self, use_case: UseCase) -> bool:
        """Whether the device type has everything that a use case needs."""
        return use_case.name in self._supported

    def allows(self, role: RemotePartyRole, exchange: Exchange) -> bool:
        """Whether some use case lets `role` do this; all attributes of a read must be allowed."""
        return all(role in self._rights.get(key, ()) for key in _keys(exchange))

    def bound(self, bindings: ZclBindings) -> None:
        """Raises RegistryError when something declared is not bound, or has no value."""
        for command, effect in self.effects.items():
            if effect.calls and effect.calls not in bindings.handlers:
                raise RegistryError(f"handler {effect.calls} of {command.name} is not bound")
            if effect.acknowledges and effect.acknowledges not in bindings.handlers:
                raise RegistryError(f"handler {effect.acknowledges} of {command.name} is not bound")
            if effect.stages and effect.stages not in bindings.stagers:
                raise RegistryError(f"stager {effect.stages} of {command.name} is not bound")
        for name, attribute in self.attributes.items():
            if attribute not in self.initial and attribute not in bindings.computed:
                raise RegistryError(f"attribute {name} has no value and is not bound")


def attribute_name(attribute: Attribute) -> str:
    """`prepayment.credit_remaining`."""
    return f"{cluster_name(attribute.cluster)}.{attribute.name}"


def _keys(exchange: Exchange) -> list[tuple[int, bool, int]]:
    """The members that an exchange uses: cluster, whether it is a command, number."""
    if exchange.command is not None:
        return [(exchange.cluster, True, exchange.command.id | exchange.command.direction << 8)]
    return [(exchange.cluster, False, attribute.id) for attribute in exchange.attributes]
