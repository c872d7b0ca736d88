"""The engine: one interpreter of access lists for every object of every device.

Items run in order. The first that fails ends the list: every later one is answered with other-reason and not
executed.

Spec: GBCS 7.3 (break on error); IEC 62056-5-3 (ACCESS service, Data-Access-Result).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from smetslab.devices.cosem.classes import Effect
from smetslab.devices.cosem.model import Storage
from smetslab.devices.cosem.objects import (
    CompiledAttribute,
    CompiledCopy,
    CompiledMethod,
    MemberKey,
    ObjectModel,
)
from smetslab.devices.cosem.recording import Recording
from smetslab.devices.cosem.rights import AccessRights, Mode, mode_of
from smetslab.devices.payload import answer_choice, in_range
from smetslab.devices.payload_engine import Call, Fault
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.errors import GbcsDecodeError, GbcsEncodeError, RegistryError, SmetsLabError
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms import axdr, protection
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataAccessResult,
    Obis,
    Specification,
    long_invoke_id,
)
from smetslab.gbcs.dlms.axdr import Data, Number, Octets, decode_data, encode_data
from smetslab.gbcs.usecases.dlms import PERIOD, RANGE_DESCRIPTOR
from smetslab.gbcs.values import Value, date_time_octets, date_time_value, parse_utc
from smetslab.store import Nvm


class ItemError(SmetsLabError):
    """One item of an access list cannot be done; `result` is what it is answered with."""

    def __init__(self, result: DataAccessResult, why: str) -> None:
        self.result = result
        super().__init__(f"{result.name.lower().replace('_', '-')}: {why}")


@dataclass(frozen=True, slots=True)
class Trigger:
    """An activation that was set: which attribute, and its place in the access list."""

    key: MemberKey
    item: int


class Schedule(Protocol):
    """Who keeps the future-dated work of the device. Spec: GBCS 9.2."""

    def set_activation(self, call: Call, trigger: Trigger, octets: bytes) -> bool:
        """An activation time was written; True: activate at once. Raises ItemError when it is none."""


Computed = Callable[[datetime], Data]
"""The value of an attribute at a moment of laboratory time."""

BufferSource = Callable[[datetime, datetime | None, datetime | None], Data]
"""The entries of a log at a moment, from one device time to another (None: no bound), both inclusive."""

Handler = Callable[[Call, Data], Data]
"""A method. Raises ItemError."""

Changed = Callable[[Work], None]
"""Told when a stored attribute has changed: written by a command, or activated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """What a device does and knows, by the names of its declarations."""

    computed: Mapping[str, Computed] = field(default_factory=dict)
    buffers: Mapping[str, BufferSource] = field(default_factory=dict)
    methods: Mapping[str, Handler] = field(default_factory=dict)
    changed: Mapping[str, Changed] = field(default_factory=dict)
    device_time: Callable[[datetime], datetime] = field(default=lambda now: now)


_REGISTER_MONITOR = 21

_DATA_PROTECTION = (protection.DATA_PROTECTION_CLASS, protection.GET_PROTECTED_ATTRIBUTES)


class CosemServer:
    """The objects of one device with their values."""

    def __init__(
        self,
        *,
        model: ObjectModel,
        rights: AccessRights,
        bindings: Bindings,
        schedule: Schedule,
        nvm: Nvm,
        quirks: Quirks,
        state: Mapping[str, Value] | None = None,
    ) -> None:
        """`state` replaces values that a new device has; one that is computed is then pinned.

        Raises RegistryError when something declared is not bound, GbcsEncodeError when a value does not fit.
        """
        self._model = model
        self._rights = rights
        self._bindings = bindings
        self._schedule = schedule
        self._quirks = quirks
        self._values: dict[MemberKey, Data] = {}
        self._seeds: dict[MemberKey, Value] = {}
        self._pinned: set[str] = set()
        given = dict(state or {})
        for attribute in model.attributes.values():
            self._load(attribute, given, nvm)
        self._logs = {
            attribute.key: Recording(attribute, self._seeds.pop(attribute.key, None), nvm)
            for attribute in model.attributes.values()
            if attribute.storage is Storage.BUFFER
        }
        if given:
            raise RegistryError(f"no attribute is called {', '.join(given)}")
        for name, value in (state or {}).items():
            wrong = self._wrong(model.by_name[name], value)
            if wrong is not None:
                raise RegistryError(f"attribute {name}: {wrong}")
        for key, method in model.methods.items():
            known = method.effect is not None or method.name in bindings.methods
            if (key[0], key[2]) != _DATA_PROTECTION and not known:
                raise RegistryError(f"method {method.name} is not bound")

    def _load(self, attribute: CompiledAttribute, given: dict[str, Value], nvm: Nvm) -> None:
        if attribute.name in given:
            value = given.pop(attribute.name)
            self._pinned.add(attribute.name)
            if attribute.storage is Storage.BUFFER:
                self._seeds[attribute.key] = value
            else:
                self._values[attribute.key] = attribute.shape.encode(value, attribute.name)
        elif attribute.initial is not None:
            pass  # `_value` finds it
        elif attribute.storage is Storage.COMPUTED and attribute.name not in self._bindings.computed:
            raise RegistryError(f"attribute {attribute.name} is not bound")
        elif (
            attribute.storage is Storage.BUFFER
            and not attribute.capacity
            and attribute.name not in self._bindings.buffers
        ):
            raise RegistryError(f"log {attribute.name} is not bound")
        if attribute.storage is Storage.NVM:
            kept = nvm.get(attribute.memory_key)
            if kept is not None:
                self._values[attribute.key] = decode_data(kept)

    # ---------------------------------------------------------------------------- the device's own access

    def value(self, name: str) -> Value:
        """The named value of a stored attribute."""
        attribute = self._model.by_name[name]
        return attribute.shape.decode(self._value(attribute.key), name)

    def holds(self, name: str) -> bool:
        """Whether there is a stored attribute of this name."""
        return name in self._model.by_name and self._held(self._model.by_name[name].key) is not None

    def data(self, name: str) -> Data:
        """The value of a stored attribute as it is on the wire."""
        return self._value(self._model.by_name[name].key)

    def data_at(self, key: MemberKey) -> Data:
        """The value of a stored attribute by class, logical name and index."""
        return self._value(key)

    def _held(self, key: MemberKey) -> Data | None:
        """The value of a stored attribute: what has been put there, or what every new device has."""
        own = self._values.get(key)
        return self._model.attributes[key].initial if own is None else own

    def _value(self, key: MemberKey) -> Data:
        own = self._values.get(key)
        if own is not None:
            return own
        initial = self._model.attributes[key].initial
        if initial is None:
            raise KeyError(key)
        return initial

    def number(self, name: str) -> int:
        """The value of a stored attribute that is a number."""
        value = self.value(name)
        if not isinstance(value, int):
            raise RegistryError(f"attribute {name} is no number")
        return value

    def put(self, work: Work, name: str, value: Value) -> None:
        """Change a stored attribute."""
        attribute = self._model.by_name[name]
        self._store(work, attribute, attribute.shape.encode(value, name))

    def activate(self, work: Work, key: MemberKey) -> None:
        """Copy passive to active attributes. Spec: GBCS 9.2.2.6."""
        for one in self._model.copies[key]:
            active = self._model.attributes[one.active]
            self._change(work, active, self._activated(one))

    def _activated(self, one: CompiledCopy) -> Data:
        """The value that an active attribute gets: in its own type, only the members that are copied."""
        passive, active = self._model.attributes[one.passive], self._model.attributes[one.active]
        data = self._value(one.passive)
        if one.members:
            value, old = passive.shape.decode(data, passive.name), self.value(active.name)
            if isinstance(value, dict) and isinstance(old, dict):
                return active.shape.encode(
                    {**old, **{name: value[name] for name in one.members}}, active.name
                )
        try:
            active.shape.decode(data, active.name)
        except GbcsDecodeError:
            # A threshold of class 21 is a list, the number that a class 9000 object keeps is its only member.
            value = passive.shape.decode(data, passive.name)
            return active.shape.encode([value] if active.key[0] == _REGISTER_MONITOR else value, active.name)
        return data

    def can_activate(self, key: MemberKey) -> bool:
        return key in self._model.copies

    def _change(self, work: Work, attribute: CompiledAttribute, data: Data) -> None:
        """Store what comes from outside, and tell whoever waits for it."""
        self._store(work, attribute, data)
        if attribute.name in self._bindings.changed:
            self._bindings.changed[attribute.name](work)

    # ---------------------------------------------------------------------------- logs

    def record(self, work: Work, name: str, entry: Value) -> None:
        """Add an entry to a log; its first member is its time."""
        self._logs[self._model.by_name[name].key].append(work, entry)

    def clear(self, work: Work, name: str) -> None:
        """Forget the recorded entries of a log."""
        self._logs[self._model.by_name[name].key].clear(work)

    def keeps_log(self, name: str) -> bool:
        """Whether there is a log of this name."""
        return name in self._model.by_name and self._model.by_name[name].key in self._logs

    def entries(self, name: str) -> list[Value]:
        """The recorded entries of a log as named values, the oldest first."""
        return self._logs[self._model.by_name[name].key].values()

    def _log(
        self, attribute: CompiledAttribute, now: datetime, first: datetime | None, last: datetime | None
    ) -> Data:
        """The entries of a log in a window of time, both ends inclusive; None: no bound."""
        source = self._bindings.buffers.get(attribute.name)
        made = None if source is None else source(now, first, last)
        recording = self._logs[attribute.key]
        if recording.empty and made is not None:
            return made
        return recording.window(first, last, made)

    def _store(self, work: Work, attribute: CompiledAttribute, data: Data) -> None:
        self._values[attribute.key] = data
        work.tx.put(attribute.memory_key, encode_data(data))

    # ---------------------------------------------------------------------------- access lists

    def judge(self, specification: Specification, role: RemotePartyRole) -> DataAccessResult:
        """Whether `role` may use the item at all: SUCCESS, or what it is answered with."""
        try:
            self._resolve(specification, role)
        except ItemError as error:
            return error.result
        return DataAccessResult.SUCCESS

    def run(
        self, request: AccessRequest, call: Call, fault: Fault | None = None
    ) -> tuple[AccessResponse, int | None]:
        """Execute an access list. `fault`: the item that fails; its result is hardware-fault unless given.

        Returns the content of the response, and the place of the first failed item.
        """
        data: list[Data] = []
        results: list[AccessResult] = []
        failed: int | None = None
        for place, (specification, value) in enumerate(
            zip(request.specifications, request.data, strict=True)
        ):
            answer: Data = axdr.null()
            result = DataAccessResult.OTHER_REASON
            if failed is None or self._quirks.continues_after_error:
                try:
                    answer = self._perform(specification, value, call, place, fault)
                    result = DataAccessResult.SUCCESS
                except ItemError as error:
                    result = error.result
                    failed = place if failed is None else failed
            data.append(answer)
            results.append(AccessResult(answer_choice(specification.choice), result))
        invoke_id = long_invoke_id(call.response.originator_counter)
        return AccessResponse(invoke_id, tuple(data), tuple(results)), failed

    def _perform(
        self, specification: Specification, data: Data, call: Call, place: int, fault: Fault | None
    ) -> Data:
        if fault is not None and fault.item == place:
            raise ItemError(_injected(fault), "injected")
        key = self._resolve(specification, call.role)
        match specification.choice:
            case Choice.GET:
                return self._read(self._model.attributes[key], call.work.now)
            case Choice.SET:
                self._write(self._model.attributes[key], data, call, place)
                return axdr.null()
            case Choice.ACTION:
                if (key[0], key[2]) == _DATA_PROTECTION:
                    return self._get_protected(data, call)
                return self._invoke(self._model.methods[key], data, call)
            case Choice.GET_WITH_SELECTION:
                return self._read_selected(self._model.attributes[key], specification, call)
            case _:
                raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no selective writing")

    def _invoke(self, method: CompiledMethod, data: Data, call: Call) -> Data:
        """A method: what the device does, or what the class says."""
        bound = self._bindings.methods.get(method.name)
        if bound is not None:
            answer = bound(call, data)
        else:
            self._take_effect(method, data, call)
            answer = axdr.null()
        stamp = axdr.octet_string(date_time_octets(self._bindings.device_time(call.work.now)))
        for key in method.stamps:
            self._change(call.work, self._model.attributes[key], stamp)
        return answer

    def _take_effect(self, method: CompiledMethod, data: Data, call: Call) -> None:
        if method.effect is Effect.CLEAR:
            self._logs[method.on].clear(call.work)
            return
        if method.effect is Effect.ACTIVATE:
            for trigger, copies in self._model.copies.items():
                if copies and trigger[:2] == method.on[:2]:
                    self.activate(call.work, trigger)
            return
        attribute = self._model.attributes[method.on]
        old = self._value(attribute.key)
        if not isinstance(old, Number):
            raise ItemError(DataAccessResult.OTHER_REASON, f"{attribute.name} is no number")
        value = 0
        if method.effect is not Effect.ZERO:
            if not isinstance(data, Number):
                raise ItemError(DataAccessResult.TYPE_UNMATCHED, f"{method.name} needs a number")
            value = data.value + (old.value if method.effect is Effect.ADD else 0)
        changed = Number(old.tag, value)
        try:
            encode_data(changed)
            fits = in_range(attribute.shape, changed)
        except GbcsEncodeError:
            fits = False
        if not fits:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"{attribute.name} would be {value}")
        self._change(call.work, attribute, changed)

    def _resolve(self, specification: Specification, role: RemotePartyRole) -> MemberKey:
        """The member that an item names, if it is there and `role` may use it."""
        return self._find(
            specification.class_id,
            specification.obis,
            mode_of(specification.choice),
            specification.index,
            role,
        )

    def _find(self, class_id: int, obis: Obis, mode: Mode, index: int, role: RemotePartyRole) -> MemberKey:
        classes = self._model.classes_at.get(obis.raw)
        if classes is None:
            raise ItemError(DataAccessResult.OBJECT_UNDEFINED, str(obis))
        if class_id not in classes:
            raise ItemError(DataAccessResult.OBJECT_CLASS_INCONSISTENT, f"{obis} is not of class {class_id}")
        key = (class_id, obis.raw, index)
        known = key in (self._model.methods if mode is Mode.ACTION else self._model.attributes)
        allowed = self._quirks.skips_role_check or self._rights.allows(role, class_id, obis, mode, index)
        if not known or not allowed:
            raise ItemError(
                DataAccessResult.READ_WRITE_DENIED, f"{mode.value} {obis} member {index} by {role.name}"
            )
        return key

    def _read(self, attribute: CompiledAttribute, now: datetime) -> Data:
        if attribute.storage is Storage.BUFFER:
            return self._log(attribute, now, None, None)
        live = attribute.name in self._bindings.computed and attribute.name not in self._pinned
        if attribute.storage is Storage.NVM and live:
            return self._bindings.computed[attribute.name](now)
        value = self._held(attribute.key)
        return self._bindings.computed[attribute.name](now) if value is None else value

    def _read_selected(self, attribute: CompiledAttribute, specification: Specification, call: Call) -> Data:
        """The entries of a log whose time stamp lies in a period, both ends inclusive. Spec: GBCS 7.3."""
        known = specification.selector == RANGE_DESCRIPTOR and attribute.storage is Storage.BUFFER
        if not known or specification.parameters is None:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no such selective access")
        try:
            period = PERIOD.decode(specification.parameters, attribute.name)
        except GbcsDecodeError as error:
            raise ItemError(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
        bounds = period if isinstance(period, dict) else {}
        first, last = (parse_utc(bounds.get(name)) for name in ("start_date_time", "end_date_time"))
        return self._log(attribute, call.work.now, first, last)

    def _write(self, attribute: CompiledAttribute, data: Data, call: Call, place: int) -> None:
        if attribute.storage is not Storage.NVM:
            raise ItemError(DataAccessResult.READ_WRITE_DENIED, f"{attribute.name} cannot be set")
        try:
            value = attribute.shape.decode(data, attribute.name)
        except GbcsDecodeError as error:
            raise ItemError(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
        if not in_range(attribute.shape, data):
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"{attribute.name} is out of range")
        wrong = self._wrong(attribute, value)
        if wrong is not None:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"{attribute.name}: {wrong}")
        if attribute.trigger and isinstance(data, Octets):
            at_once = self._schedule.set_activation(call, Trigger(attribute.key, place), data.value)
            if at_once:
                self.activate(call.work, attribute.key)
        self._change(call.work, attribute, data)
        if attribute.key in self._model.twins:
            # What is written to the active value itself is what an activation finds.
            self._store(call.work, self._model.attributes[self._model.twins[attribute.key]], data)

    def _wrong(self, attribute: CompiledAttribute, value: Value) -> str | None:
        """What the checks of an attribute have against a value."""
        found = (check(value, self.value) for check in attribute.checks)
        return next((reason for reason in found if reason is not None), None)

    def _get_protected(self, data: Data, call: Call) -> Data:
        """Class 30: read attributes and encrypt them to the remote party. Spec: GBCS 8.4."""
        try:
            requests = protection.decode_request(data, call.command, "get_protected_attributes")
        except GbcsDecodeError as error:
            raise ItemError(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
        values = [self._read_requested(request, call) for request in requests]
        if self._quirks.unprotected_read:
            plain = encode_data(axdr.structure(*values))
            return axdr.structure(protection.protection_parameters(call.response), axdr.octet_string(plain))
        if call.secret is None:
            raise ItemError(DataAccessResult.OTHER_REASON, "no key of the remote party to encrypt to")
        return protection.encode_response(tuple(values), call.response, call.secret)

    def _read_requested(self, request: protection.ObjectRequest, call: Call) -> Data:
        key = self._find(request.class_id, request.obis, Mode.PROTECTED_GET, request.attribute, call.role)
        attribute = self._model.attributes[key]
        if request.window is None or attribute.storage is not Storage.BUFFER:
            return self._read(attribute, call.work.now)
        first, last = (date_time_value(bound) for bound in request.window)
        return self._log(attribute, call.work.now, first, last)


def _injected(fault: Fault) -> DataAccessResult:
    return DataAccessResult.HARDWARE_FAULT if fault.result is None else DataAccessResult(fault.result)
