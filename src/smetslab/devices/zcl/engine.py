"""The engine: reads GBZ commands, runs their components in order, and writes the response.

The first component that fails ends the command: every later one is answered with "not executed". That
something was not found is an answer, no failure.

Spec: GBCS 7.2.9 (GBZ content), 9.2 (future dating); ZCL 2.5 (general commands)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

from smetslab.devices import events
from smetslab.devices.future_dated import FutureDated, Instruction
from smetslab.devices.payload_engine import Activated, Call, Done, Execution, Fault, WrongPayload
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, Effect, When, ZclBindings, ZclCall, ZclModel
from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.gbz.components import COMPONENTS, FROM_DATE_TIME
from smetslab.gbcs.gbz.naming import (
    NOT_EXECUTED,
    attribute_name,
    cluster_name,
    command_name,
    status_name,
    subject_of,
)
from smetslab.gbcs.gbz.payload import decode_components
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.engine import activation_of
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import EPOCH_2000, Parameters, Value
from smetslab.ids import format_message_code
from smetslab.store import Json, Nvm
from smetslab.zigbee.zcl import CLUSTERS, Command, Direction, Record
from smetslab.zigbee.zcl.cluster import Attribute
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.named import CANCEL, Moment
from smetslab.zigbee.zcl.values import ZclValue

KIND: Final = "gbz"

AlertFrameControl = Callable[[int, Command], int | None]
"""The frame control that the alert about a command of a Message Code repeats, None for the command's own."""


@dataclass(frozen=True, slots=True)
class ZclItem:
    """One component of a command. `record`: its fields, None for a read of attributes."""

    exchange: Exchange
    record: Record | None
    from_date_time: int | None

    @property
    def width(self) -> int:
        """How many places it takes for the position of a fault: each attribute of a read is one."""
        return len(self.exchange.attributes) or 1


class ZclEngine:
    """The attributes and commands of one device: the engine of its GBZ payloads."""

    kind: Final = KIND

    def __init__(
        self,
        *,
        model: ZclModel,
        bindings: ZclBindings,
        future_dated: FutureDated,
        nvm: Nvm,
        quirks: Quirks,
        state: Mapping[str, Value] | None = None,
        alert_frame_control: AlertFrameControl = lambda _message_code, _command: None,
    ) -> None:
        """`state` replaces values that a new device has.

        Raises RegistryError when something declared is not bound, UsageError when a value does not fit.
        """
        model.bound(bindings)
        self.model = model
        self.memory = ZclMemory(model, nvm, bindings.computed, state)
        self._bindings = bindings
        self._future_dated = future_dated
        self._quirks = quirks
        self._alert_frame_control = alert_frame_control

    def supports(self, use_case: UseCase) -> bool:
        return self.model.supports(use_case)

    # ---------------------------------------------------------------------------- reading a command

    def read(self, use_case: UseCase, message: Message, role: RemotePartyRole) -> Execution | WrongPayload:
        """The components of an authentic command, checked against its use case."""
        access = _access(use_case)
        try:
            activation_of(use_case, access.decode(message, None))
            items = read_items(access, message.content)
        except GbcsDecodeError as error:
            return WrongPayload(str(error), partial(_refusal, access))
        for item in items:
            if use_case.originator_roles and not self.model.allows(role, item.exchange):
                return WrongPayload(f"{item.exchange} is not for {role.name}", partial(_refusal, access))
        return partial(self._run, access, items)

    def refuse(self, use_case: UseCase, header: Message) -> bytes | None:
        return _refusal(_access(use_case), header)

    # ---------------------------------------------------------------------------- running it

    def _run(self, access: GbzAccess, items: list[ZclItem], call: Call, fault: Fault | None) -> Done:
        """Execute a command. The item of a fault counts as `ZclItem.width` says."""
        components: list[Value] = []
        failed: int | None = None
        first = 0
        for number, item in enumerate(items):
            if failed is not None and not self._quirks.continues_after_error:
                components.append(_default_response(item.exchange.cluster, NOT_EXECUTED, Status.FAILURE))
                continue
            met = None
            if fault is not None and first <= fault.item < first + item.width:
                met = Fault(fault.item - first, fault.result)
            done, answers = self._perform(item, call, number, met)
            components += answers
            if not done and failed is None:
                failed = number
            first += item.width
        return Done(access.encode(call.response, {COMPONENTS: components}, call.secret), failed)

    def _perform(
        self, item: ZclItem, call: Call, number: int, fault: Fault | None
    ) -> tuple[bool, list[Value]]:
        """Whether a component succeeded, and what answers it."""
        exchange = item.exchange
        if item.record is None or exchange.command is None:
            return self._read_attributes(exchange, call.work.now, fault)
        zcl_call = ZclCall(work=call.work, command=call, from_date_time=item.from_date_time)
        try:
            _meet(fault)
            answer = self._take(zcl_call, item, exchange.command, item.record, number)
        except ComponentError as error:
            return error.status is Status.NOT_FOUND, [self._failure(exchange, item.record, error)]
        return True, _success(exchange, answer)

    def _read_attributes(
        self, exchange: Exchange, now: datetime, fault: Fault | None
    ) -> tuple[bool, list[Value]]:
        results: dict[str, Value] = {}
        done = True
        for place, attribute in enumerate(exchange.attributes):
            name = attribute_name(exchange.cluster, attribute.id)
            status = Status.SUCCESS if self.memory.has(attribute) else Status.UNSUPPORTED_ATTRIBUTE
            if fault is not None and place == fault.item:
                status = _status_of(fault)
            if status is Status.SUCCESS:
                results[name] = attribute.type.to_json(self.memory.get(attribute, now))
            else:
                results[name] = {"status": status_name(status)}
                done = False
        component: Value = {
            "cluster": cluster_name(exchange.cluster),
            "command": "read_attributes_response",
            "attributes": results,
        }
        return done, [component]

    def _take(self, call: ZclCall, item: ZclItem, command: Command, record: Record, number: int) -> Answer:
        """Do at once, keep until its time, or cancel, as the activation time says. Spec: GBCS 9.2."""
        effect = self.model.effects[command]
        _check_limits(effect, record)
        seconds, when = _when(item, record)
        if effect.stages:
            self._bindings.stagers[effect.stages](call, record, when)
        key = _key(effect, command, record)
        if when is When.NOW:
            if item.exchange.activation is not None:
                self._future_dated.forget(call.work, KIND, key)
            return self.apply(call, command, record)
        if when is When.NEVER:
            self._future_dated.cancel(call.work, KIND, key)
        elif call.command is not None:
            self._future_dated.plan(
                call.command,
                kind=KIND,
                key=key,
                name=f"{cluster_name(command.cluster)} {command.name}",
                at=EPOCH_2000 + timedelta(seconds=seconds),
                item=number,
                data=_kept(command, record),
            )
        return self._bindings.handlers[effect.acknowledges](call, record) if effect.acknowledges else None

    def apply(self, call: ZclCall, command: Command, record: Record) -> Answer:
        """Put a command in force. Raises ComponentError; then it has changed nothing."""
        effect = self.model.effects[command]
        values: dict[Attribute, ZclValue] = {
            attribute: record[name] for name, attribute in effect.sets.items()
        }
        if effect.spreads is not None:
            values.update(effect.spreads(record))
        for attribute, value in values.items():
            self.memory.put(call.work, attribute, value)
        if effect.keeps:
            self.memory.keep(call.work, effect.keeps, cast("Json", command.to_json(record)))
        return self._bindings.handlers[effect.calls](call, record) if effect.calls else None

    def take_at_once(self, work: Work, items: Iterable[ZclItem]) -> None:
        """Put in force what another device has done, whatever its activation time; what this one has no use
        for is passed over. Raises ComponentError."""
        call = ZclCall(work=work)
        for item in items:
            command = item.exchange.command
            effect = None if command is None else self.model.effects.get(command)
            if command is None or effect is None or item.record is None:
                continue
            if effect.stages:
                self._bindings.stagers[effect.stages](call, item.record, When.NOW)
            self.apply(replace(call, from_date_time=item.from_date_time), command, item.record)

    def activate(self, work: Work, instruction: Instruction, fault: Fault | None) -> Activated:
        """Put a command in force whose time has come."""
        command, record = _unkept(instruction.data)
        done = fault is None
        if done:
            try:
                self.apply(ZclCall(work=work), command, record)
            except ComponentError as error:
                work.note("FutureDatedRefused", object=instruction.name, why=str(error))
                done = False
        told: Parameters = {
            "message_code": format_message_code(instruction.message_code),
            "originator_counter": instruction.counter,
            "cluster": cluster_name(command.cluster),
            "command": command.name,
        }
        control = self._alert_frame_control(instruction.message_code, command)
        if control is not None:
            told["frame_control"] = control
        return Activated(
            done=done,
            use_case=USE_CASES["FDEI-GBZ"],
            code=events.FUTURE_DATED_DONE if done else events.FUTURE_DATED_FAILED,
            parameters={"instruction": told},
        )

    def _failure(self, exchange: Exchange, record: Record, error: ComponentError) -> Value:
        """A Default Response, or the command's own answer to a failure where it has one."""
        command = exchange.command
        if exchange.answer is not None and command is not None:
            if error.answer is not None:
                return _component(exchange.answer, error.answer)
            refusal = self.model.effects[command].refusal
            if refusal and error.status is not Status.NOT_FOUND:
                fields = {
                    name: record[value] if isinstance(value, str) else value
                    for name, value in refusal.items()
                }
                return _component(exchange.answer, exchange.answer.record(**fields))
        return _default_response(exchange.cluster, command_name(exchange.request), error.status)


# ------------------------------------------------------------------------------------ commands


def _access(use_case: UseCase) -> GbzAccess:
    if not isinstance(use_case.payload, GbzAccess):
        raise TypeError(f"{use_case.name} has no GBZ content")
    return use_case.payload


def read_items(access: GbzAccess, content: bytes) -> list[ZclItem]:
    """The components of a content that has the shape of its use case."""
    items: list[ZclItem] = []
    at, used = 0, 0
    for placed in decode_components(content):
        component = placed.component
        subject = subject_of(component.cluster, component.frame, component.frame.payload)
        while True:
            exchange = access.exchanges[at]
            if (exchange.cluster, exchange.request) == subject[:2] and used != exchange.most:
                break
            at, used = at + 1, 0
        used += 1
        record = None if exchange.command is None else exchange.command.decode(component.frame.payload)
        items.append(ZclItem(exchange, record, component.from_date_time))
    return items


def _when(item: ZclItem, record: Record) -> tuple[int, When]:
    """The activation time of a component in seconds since 2000, and what it means. Spec: GBCS 9.2."""
    name = item.exchange.activation
    if name is None:
        return 0, When.NOW
    if name == FROM_DATE_TIME:
        kind, seconds = item.exchange.from_date_time, item.from_date_time or 0
    else:
        declared = record.shape.kinds[record.shape.index[name]]
        kind, seconds = (declared if isinstance(declared, Moment) else None), record.integer(name)
    if kind is not None and kind.names.get(seconds) == CANCEL:
        return seconds, When.NEVER
    return seconds, When.LATER if seconds else When.NOW


def _check_limits(effect: Effect, record: Record) -> None:
    for name, (low, high) in effect.limits.items():
        if not low <= record.integer(name) <= high:
            raise ComponentError(
                Status.INVALID_VALUE, f"{name} {record.integer(name)} is not in {low}..{high}"
            )


def _meet(fault: Fault | None) -> None:
    if fault is not None:
        raise ComponentError(_status_of(fault), "injected")


def _status_of(fault: Fault) -> Status:
    return Status.HARDWARE_FAILURE if fault.result is None else Status(fault.result)


def _key(effect: Effect, command: Command, record: Record) -> str:
    """What an instruction of the command will change; a later one for the same takes its place."""
    own = f"{cluster_name(command.cluster)}/{command.name}"
    return f"{own}/{record.integer(effect.slot)}" if effect.slot else own


def _kept(command: Command, record: Record) -> bytes:
    head = bytes((command.direction,)) + command.cluster.to_bytes(2, "big") + bytes((command.id,))
    return head + command.encode(record)


def _unkept(data: bytes) -> tuple[Command, Record]:
    command = CLUSTERS[int.from_bytes(data[1:3], "big")].commands[Direction(data[0]), data[3]]
    return command, command.decode(data[4:])


# ------------------------------------------------------------------------------------ answers


def _success(exchange: Exchange, answer: Answer) -> list[Value]:
    if exchange.answer is None:
        return [_default_response(exchange.cluster, command_name(exchange.request), Status.SUCCESS)]
    records = [answer] if isinstance(answer, Record) else list(answer or ())
    if not records:
        raise GbcsEncodeError(f"{exchange} was not answered")
    return [_component(exchange.answer, record) for record in records]


def _component(command: Command, record: Record) -> Value:
    return {"cluster": cluster_name(command.cluster), "command": command.name, **command.to_json(record)}


def _default_response(cluster: int, of: str, status: Status) -> Value:
    return {
        "cluster": cluster_name(cluster),
        "command": "default_response",
        "of": of,
        "status": status_name(status),
    }


def _refusal(access: GbzAccess, header: Message) -> bytes:
    """The answer to a payload that has not the structure of its use case: nothing of it was executed."""
    exchanges = [exchange for exchange in access.exchanges for _ in range(exchange.least)]
    components: list[Value] = [
        _default_response(
            exchange.cluster, NOT_EXECUTED, Status.FAILURE if place else Status.MALFORMED_COMMAND
        )
        for place, exchange in enumerate(exchanges)
    ]
    return access.encode(header, {COMPONENTS: components}, None)
