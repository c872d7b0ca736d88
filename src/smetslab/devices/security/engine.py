"""The engine of ASN.1 payloads: DER in, operations executed, DER out.

Spec: GBCS Annex 3 (ASN.1 modules), 9.2 (future dating).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Final

from smetslab.devices import events
from smetslab.devices.future_dated import FutureDated, Instruction
from smetslab.devices.payload_engine import Activated, Call, Done, Execution, Fault, WrongPayload
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.operation import Dating, Operation, Request
from smetslab.devices.work import Work
from smetslab.errors import GbcsDecodeError, RegistryError
from smetslab.gbcs import asn1
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import IMMEDIATE, NEVER, Parameters, parse_utc

KIND: Final = "asn1"


class Asn1Engine:
    """The ASN.1 payloads of one device."""

    kind: Final = KIND

    def __init__(
        self, rows: Callable[[], Iterable[Operation]], future_dated: FutureDated, quirks: Quirks
    ) -> None:
        """`rows` are asked for with the first command: most devices never get one."""
        self._rows = rows
        self._future_dated = future_dated
        self._quirks = quirks

    @cached_property
    def _operations(self) -> dict[str, Operation]:
        """By use case. Raises RegistryError when a use case has two, or is not of this kind."""
        found: dict[str, Operation] = {}
        for operation in self._rows():
            if operation.use_case in found:
                raise RegistryError(f"two operations for {operation.use_case}", rule="unique")
            if not isinstance(USE_CASES[operation.use_case].payload, Asn1Payload):
                raise RegistryError(f"{operation.use_case} has no ASN.1 payload")
            found[operation.use_case] = operation
        return found

    def supports(self, use_case: UseCase) -> bool:
        return use_case.name in self._operations

    def read(self, use_case: UseCase, message: Message, role: RemotePartyRole) -> Execution | WrongPayload:
        del role
        operation = self._operations[use_case.name]
        try:
            parameters = engine.decode_content(use_case, message)
        except GbcsDecodeError as error:
            return self._wrong(use_case, operation, None, str(error))
        reason = None if self._quirks.skips_structure_check else operation.check(message, parameters)
        if reason is not None:
            return self._wrong(use_case, operation, parameters, reason)
        return partial(self._run, operation, parameters)

    def refuse(self, use_case: UseCase, header: Message) -> bytes | None:
        answer = self._operations[use_case.name].refusal(None)
        return None if answer is None else self._encode(use_case, header, answer)

    def _wrong(
        self, use_case: UseCase, operation: Operation, parameters: Parameters | None, reason: str
    ) -> WrongPayload:
        answer = operation.refusal(parameters)
        if answer is None:
            return WrongPayload(reason)
        return WrongPayload(reason, lambda header: self._encode(use_case, header, answer))

    def _encode(self, use_case: UseCase, header: Message, parameters: Parameters) -> bytes:
        return engine.encode_content(use_case, header, self._formed(parameters))

    def _formed(self, parameters: Parameters) -> Parameters:
        """The parameters of a message in the form in which this device writes lengths."""
        if not self._quirks.two_octet_lengths:
            return parameters
        return {**parameters, asn1.LENGTH_FORM: asn1.TWO_OCTET}

    # ---------------------------------------------------------------------------- commands

    def _run(self, operation: Operation, parameters: Parameters, call: Call, fault: Fault | None) -> Done:
        dating = operation.dating
        time = IMMEDIATE if dating is None else str(parameters.get("execution_date_time", IMMEDIATE))
        if dating is None or time == IMMEDIATE:
            if dating is not None:
                self._future_dated.forget(call.work, KIND, dating.key)
            request = Request(
                work=call.work,
                use_case=call.use_case.name,
                originator=call.command.business_originator_id,
                counter=call.command.originator_counter,
                parameters=parameters,
                fault=fault,
            )
            outcome = operation.execute(request)
            return Done(self._encode(call.use_case, call.response, outcome.parameters), outcome.failed)
        if time == NEVER:
            self._future_dated.cancel(call.work, KIND, dating.key)
        else:
            self._future_dated.plan(
                call,
                kind=KIND,
                key=dating.key,
                name=call.use_case.name,
                at=parse_utc(time),
                item=0,
                data=call.command.content,
            )
        return Done(self._encode(call.use_case, call.response, dating.accepted))

    # ---------------------------------------------------------------------------- timed work

    def activate(self, work: Work, instruction: Instruction, fault: Fault | None) -> Activated:
        operation, dating = self._waiting(instruction)
        use_case = USE_CASES[operation.use_case]
        payload = use_case.payload
        if not isinstance(payload, Asn1Payload) or payload.command is None:
            raise RegistryError(f"{use_case.name} has no command")
        request = Request(
            work=work,
            use_case=use_case.name,
            originator=instruction.originator,
            counter=instruction.counter,
            parameters=asn1.decode(payload.command, instruction.data),
            fault=fault,
        )
        outcome = operation.execute(request)
        return Activated(
            done=outcome.failed is None,
            use_case=USE_CASES[dating.alert],
            code=events.FUTURE_DATED_DONE if outcome.failed is None else events.FUTURE_DATED_FAILED,
            parameters=self._formed(dating.told(request, outcome)),
        )

    def _waiting(self, instruction: Instruction) -> tuple[Operation, Dating]:
        """The operation that an instruction in memory is for."""
        for operation in self._operations.values():
            if operation.dating is not None and operation.dating.key == instruction.key:
                return operation, operation.dating
        raise RegistryError(f"no operation waits under {instruction.key}")
