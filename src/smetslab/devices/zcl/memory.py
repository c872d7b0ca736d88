"""What a ZCL device remembers: its attributes, and the commands that it keeps as a whole.

Everything is in non-volatile memory as soon as the work is committed that changed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from smetslab.devices.work import Work
from smetslab.devices.zcl.model import Computed, ZclModel, attribute_name
from smetslab.errors import RegistryError, SmetsLabError, UsageError
from smetslab.gbcs.values import Value
from smetslab.store import Json, Nvm
from smetslab.zigbee.zcl.cluster import Attribute
from smetslab.zigbee.zcl.values import ZclValue

_ATTRIBUTE, _DOCUMENT = "zcl/attribute/", "zcl/document/"


class ZclMemory:
    """The values of one device. Those that are computed are bound, and never kept."""

    def __init__(
        self,
        model: ZclModel,
        nvm: Nvm,
        computed: Mapping[Attribute, Computed],
        state: Mapping[str, Value] | None = None,
    ) -> None:
        """`state`: what this device holds when it is new, by `cluster.attribute`; a computed one is then
        pinned. Raises UsageError for an unknown name or a value that does not fit."""
        self._model = model
        self._computed = {_key(attribute): value for attribute, value in computed.items()}
        self._values: dict[tuple[int, int], ZclValue] = {
            _key(attribute): value for attribute, value in model.initial.items()
        }
        for name, given in (state or {}).items():
            attribute = model.attributes.get(name)
            if attribute is None:
                raise UsageError(f"no attribute {name!r}", hint=", ".join(sorted(model.attributes)))
            self._values[_key(attribute)] = _value_of(attribute, name, given)
            self._computed.pop(_key(attribute), None)
        self._documents: dict[str, Json] = {}
        for memory_key, octets in nvm.items(_ATTRIBUTE):
            attribute = model.attributes[memory_key.removeprefix(_ATTRIBUTE)]
            self._values[_key(attribute)] = attribute.type.decode(octets, 0, len(octets))[0]
        for memory_key, _ in nvm.items(_DOCUMENT):
            self._documents[memory_key.removeprefix(_DOCUMENT)] = nvm.get_json(memory_key)

    def has(self, attribute: Attribute) -> bool:
        key = _key(attribute)
        return key in self._computed or key in self._values

    def get(self, attribute: Attribute, now: datetime) -> ZclValue:
        """The value of an attribute. Raises RegistryError when the device does not have it."""
        key = _key(attribute)
        computed = self._computed.get(key)
        if computed is not None:
            return computed(now)
        if key not in self._values:
            raise RegistryError(f"no attribute {attribute_name(attribute)}")
        return self._values[key]

    def number(self, attribute: Attribute) -> int:
        """A stored attribute that is a number."""
        value = self._values[_key(attribute)]
        if not isinstance(value, int):
            raise RegistryError(f"attribute {attribute_name(attribute)} is no number")
        return value

    def put(self, work: Work, attribute: Attribute, value: ZclValue) -> None:
        """Change a stored attribute. Raises ZclEncodeError for a value that does not fit."""
        out = bytearray()
        attribute.type.encode(value, out)
        self._values[_key(attribute)] = value
        work.tx.put(_memory_key(attribute), bytes(out))

    def document(self, name: str) -> Json:
        """What is kept under `name`, None when there is nothing."""
        return self._documents.get(name)

    def keep(self, work: Work, name: str, value: Json) -> None:
        """Keep a JSON value under `name`; None forgets it."""
        if value is None:
            self._documents.pop(name, None)
            work.tx.delete(_DOCUMENT + name)
            return
        self._documents[name] = value
        work.tx.put_json(_DOCUMENT + name, value)

    def describe(self, now: datetime) -> dict[str, Value]:
        """Every attribute by its name, for people."""
        return {
            name: attribute.type.to_json(self.get(attribute, now))
            for name, attribute in sorted(self._model.attributes.items())
            if self.has(attribute)
        }


@cache
def _key(attribute: Attribute) -> tuple[int, int]:
    """Where the value of an attribute is, the same object for all devices."""
    return attribute.cluster, attribute.id


@cache
def _memory_key(attribute: Attribute) -> str:
    return _ATTRIBUTE + attribute_name(attribute)


def _value_of(attribute: Attribute, name: str, given: Value) -> ZclValue:
    try:
        # A number is the value itself, whatever parts or bits it has.
        plain = given if isinstance(given, int) and not isinstance(given, bool) else None
        value = attribute.type.from_json(given) if plain is None else plain
        attribute.type.encode(value, bytearray())
    except SmetsLabError as error:
        raise UsageError(f"attribute {name}: {error}") from error
    return value
