"""What a declaration of a COSEM object says.

An attribute has a name, which is how the device, its profile and people call it; a shape; a place where its
value lives; and the value a new device has. Who may read or write it is no part of the object: `rights`
derives
that from the use cases.

Spec: IEC 62056-6-2; GBCS 7.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from smetslab.devices.cosem.checks import Check
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms.apdu import Choice, Obis
from smetslab.gbcs.dlms.shapes import Shape
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Value


class Storage(Enum):
    """Where the value of an attribute lives."""

    FIXED = "fixed"
    """Never changes."""
    NVM = "nvm"
    """Non-volatile memory: settable, survives a power cut."""
    COMPUTED = "computed"
    """Made when it is read, by what is bound to the attribute's name."""
    BUFFER = "buffer"
    """The buffer of a log: what was recorded in it, and what is bound to its name, for a window of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute. `shape` None: that of the use case that touches it."""

    index: int
    name: str
    storage: Storage
    initial: Value = None
    shape: Shape | None = None
    capacity: int = 0
    """Of a buffer: how many recorded entries it keeps, the oldest go first."""
    checks: tuple[Check, ...] = ()
    """What a value that is written has to keep besides its shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method; `name` is what the device binds to it. `stamps`: an attribute that gets the time of its
    execution."""

    index: int
    name: str
    stamps: str | None = None


Copy = tuple[tuple[int, Obis, int], tuple[int, Obis, int], tuple[str, ...]]
"""(class, logical name, attribute) of the passive and of the active attribute, and which members of the value
are copied; none: all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosemObject:
    """One object. `copies`, where given, is what its activation copies in place of the class's own
    attributes."""

    class_id: int
    obis: Obis
    attributes: tuple[Attribute, ...] = ()
    methods: tuple[Method, ...] = ()
    copies: tuple[Copy, ...] = ()


def cosem_object(
    class_id: int, obis: str, *members: Attribute | Method, copies: tuple[Copy, ...] = ()
) -> CosemObject:
    """An object with a readable logical name."""
    return CosemObject(
        class_id=class_id,
        obis=Obis.parse(obis),
        attributes=tuple(member for member in members if isinstance(member, Attribute)),
        methods=tuple(member for member in members if isinstance(member, Method)),
        copies=copies,
    )


def fixed(index: int, name: str, value: Value, shape: Shape | None = None) -> Attribute:
    return Attribute(index=index, name=name, storage=Storage.FIXED, initial=value, shape=shape)


def stored(
    index: int, name: str, value: Value, shape: Shape | None = None, *, checks: tuple[Check, ...] = ()
) -> Attribute:
    return Attribute(index=index, name=name, storage=Storage.NVM, initial=value, shape=shape, checks=checks)


def computed(index: int, name: str, shape: Shape | None = None) -> Attribute:
    return Attribute(index=index, name=name, storage=Storage.COMPUTED, shape=shape)


def buffer(index: int, name: str, shape: Shape | None = None, *, capacity: int = 0) -> Attribute:
    """A log; entries that are bound to it need no `capacity`."""
    return Attribute(index=index, name=name, storage=Storage.BUFFER, shape=shape, capacity=capacity)


def method(index: int, name: str, *, stamps: str | None = None) -> Method:
    return Method(index=index, name=name, stamps=stamps)


def copy(passive: tuple[int, str, int], active: tuple[int, str, int], members: tuple[str, ...] = ()) -> Copy:
    """What an activation copies: class, logical name, attribute. Spec: GBCS 9.2.2.6."""
    return (
        (passive[0], Obis.parse(passive[1]), passive[2]),
        (active[0], Obis.parse(active[1]), active[2]),
        members,
    )


class ShapeIndex:
    """The shapes of attributes as the use cases of one device type declare them."""

    def __init__(self, use_cases: Mapping[str, UseCase], device_type: DeviceType) -> None:
        self._shapes: dict[tuple[int, bytes, int], Shape] = {}
        for use_case in use_cases.values():
            if device_type not in use_case.devices or not isinstance(use_case.payload, DlmsAccess):
                continue
            for item in use_case.payload.items:
                if item.protected is not None:
                    for member in item.protected.objects:
                        self._shapes.setdefault(
                            (member.class_id, member.obis.raw, member.attribute), member.shape
                        )
                elif item.choice in {Choice.GET, Choice.SET, Choice.GET_WITH_SELECTION}:
                    shape = item.command if item.choice is Choice.SET else item.response
                    if shape is not None:
                        self._shapes.setdefault((item.class_id, item.obis.raw, item.index), shape)

    def find(self, class_id: int, obis: Obis, index: int) -> Shape | None:
        return self._shapes.get((class_id, obis.raw, index))
