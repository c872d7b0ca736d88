"""The object model of a device type, compiled once from its declarations and checked while that happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smetslab.devices.cosem.checks import Check
from smetslab.devices.cosem.classes import CLASSES, CosemClass, Effect
from smetslab.devices.cosem.model import Attribute, CosemObject, Method, ShapeIndex, Storage
from smetslab.errors import RegistryError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms.apdu import Choice, Obis
from smetslab.gbcs.dlms.axdr import Data
from smetslab.gbcs.dlms.shapes import DATE_TIME, Shape
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess
from smetslab.gbcs.usecases.model import UseCase

MemberKey = tuple[int, bytes, int]
"""Class, logical name, attribute or method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledAttribute:
    """One attribute, ready for use. `trigger`: setting it activates what `copies` of the model name."""

    key: MemberKey
    name: str
    storage: Storage
    shape: Shape
    initial: Data | None
    trigger: bool
    capacity: int = 0
    checks: tuple[Check, ...] = ()

    @property
    def memory_key(self) -> str:
        class_id, obis, index = self.key
        return f"cosem/{class_id}/{obis.hex()}/{index}"


@dataclass(frozen=True, slots=True)
class CompiledMethod:
    """One method, ready for use: `effect` on the attribute `on`, and the attributes that get the time."""

    name: str
    effect: Effect | None
    on: MemberKey
    stamps: tuple[MemberKey, ...]


@dataclass(frozen=True, slots=True)
class CompiledCopy:
    """What an activation copies; `members`: of a structure only these."""

    passive: MemberKey
    active: MemberKey
    members: tuple[str, ...] = ()


class ObjectModel:
    """Every object of a device type. Immutable; values live in a server."""

    def __init__(
        self, objects: Sequence[CosemObject], use_cases: Mapping[str, UseCase], device_type: DeviceType
    ) -> None:
        """Raises RegistryError when a declaration is wrong or incomplete."""
        self._device_type = device_type
        self.attributes: dict[MemberKey, CompiledAttribute] = {}
        self.methods: dict[MemberKey, CompiledMethod] = {}
        self.by_name: dict[str, CompiledAttribute] = {}
        self.copies: dict[MemberKey, tuple[CompiledCopy, ...]] = {}
        self.twins: dict[MemberKey, MemberKey] = {}
        """The passive value beside an active one in the same object."""
        self.classes_at: dict[bytes, tuple[int, ...]] = {}
        shapes = ShapeIndex(use_cases, device_type)
        for declared in objects:
            self._add(declared, shapes)
        for trigger, copies in self.copies.items():
            for one in copies:
                if (one.passive[:2], one.active[:2]) == (trigger[:2], trigger[:2]):
                    self.twins[one.active] = one.passive
                for key in (one.passive, one.active):
                    found = self.attributes.get(key)
                    if found is None or found.storage is not Storage.NVM:
                        raise RegistryError(
                            f"activation {_text(trigger)} copies {_text(key)}, which is not stored"
                        )

    def supports(self, use_case: UseCase) -> bool:
        """Whether the device type has every object that a use case needs."""
        if self._device_type not in use_case.devices or not isinstance(use_case.payload, DlmsAccess):
            return False
        there = [self._has(item) for item in use_case.payload.items]
        return any(there) and all(
            item.optional or has for item, has in zip(use_case.payload.items, there, strict=True)
        )

    def _has(self, item: AccessItem) -> bool:
        """Whether the member that an item names is there, and the attributes that it reads through class
        30."""
        members = self.methods if item.choice is Choice.ACTION else self.attributes
        if (item.class_id, item.obis.raw, item.index) not in members:
            return False
        objects = () if item.protected is None else item.protected.objects
        return all((one.class_id, one.obis.raw, one.attribute) in self.attributes for one in objects)

    def _add(self, declared: CosemObject, shapes: ShapeIndex) -> None:
        where = f"class {declared.class_id} {declared.obis}"
        cosem_class = CLASSES.get(declared.class_id)
        if cosem_class is None:
            raise RegistryError(f"{where}: unknown class")
        classes = self.classes_at.get(declared.obis.raw, ())
        if declared.class_id in classes:
            raise RegistryError(f"{where} is declared twice", rule="unique")
        self.classes_at[declared.obis.raw] = (*classes, declared.class_id)
        activation = cosem_class.activation
        for attribute in declared.attributes:
            if attribute.index not in cosem_class.attributes:
                raise RegistryError(f"{where}: class {cosem_class.name} has no attribute {attribute.index}")
            trigger = activation is not None and attribute.index == activation.trigger
            compiled = self._compile(declared, attribute, shapes, trigger=trigger)
            if compiled.name in self.by_name or compiled.key in self.attributes:
                raise RegistryError(f"{where}: attribute {attribute.name} is declared twice", rule="unique")
            self.attributes[compiled.key] = self.by_name[compiled.name] = compiled
            if activation is not None and trigger:
                own = tuple(
                    CompiledCopy(_key(declared, passive), _key(declared, active))
                    for passive, active in activation.copies
                )
                given = tuple(
                    CompiledCopy((p[0], p[1].raw, p[2]), (a[0], a[1].raw, a[2]), members)
                    for p, a, members in declared.copies
                )
                self.copies[compiled.key] = given or own
        for method in declared.methods:
            if method.index not in cosem_class.methods:
                raise RegistryError(f"{where}: class {cosem_class.name} has no method {method.index}")
            self.methods[_key(declared, method.index)] = self._compile_method(declared, method, cosem_class)

    def _compile_method(
        self, declared: CosemObject, method: Method, cosem_class: CosemClass
    ) -> CompiledMethod:
        """`stamps` names an attribute that is declared before."""
        known = cosem_class.methods[method.index]
        stamps = []
        if known.effect is Effect.ZERO and cosem_class.capture_time is not None:
            stamps.append(_key(declared, cosem_class.capture_time))
        if method.stamps is not None:
            if method.stamps not in self.by_name:
                raise RegistryError(f"method {method.name} stamps {method.stamps}, which is not declared")
            stamps.append(self.by_name[method.stamps].key)
        return CompiledMethod(method.name, known.effect, _key(declared, known.attribute), tuple(stamps))

    @staticmethod
    def _compile(
        declared: CosemObject, attribute: Attribute, shapes: ShapeIndex, *, trigger: bool
    ) -> CompiledAttribute:
        shape = attribute.shape or shapes.find(declared.class_id, declared.obis, attribute.index)
        if shape is None and trigger:
            shape = DATE_TIME
        if shape is None:
            raise RegistryError(
                f"{declared.obis}: attribute {attribute.name} has no shape and no use case gives one"
            )
        settled = attribute.storage in {Storage.FIXED, Storage.NVM}
        return CompiledAttribute(
            key=_key(declared, attribute.index),
            name=attribute.name,
            storage=attribute.storage,
            shape=shape,
            initial=shape.encode(attribute.initial, attribute.name) if settled else None,
            trigger=trigger,
            capacity=attribute.capacity,
            checks=attribute.checks,
        )


def _key(declared: CosemObject, index: int) -> MemberKey:
    return declared.class_id, declared.obis.raw, index


def _text(key: MemberKey) -> str:
    return f"class {key[0]} {Obis(key[1])} attribute {key[2]}"
