"""The engine of DLMS payloads: access lists in, executed by the COSEM server, access responses out.

Spec: GBCS 7.3 (access lists), 9.2.2.6 and 9.2.2.7 (activation), use case FDEI-DLMS.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from smetslab.devices import events
from smetslab.devices.cosem.objects import MemberKey, ObjectModel
from smetslab.devices.cosem.rights import AccessRights
from smetslab.devices.cosem.server import Bindings, CosemServer, ItemError, Trigger
from smetslab.devices.future_dated import FutureDated, Instruction
from smetslab.devices.payload import MisfitPayload, read_payload
from smetslab.devices.payload_engine import Activated, Call, Done, Execution, Fault, WrongPayload
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    DataAccessResult,
    Obis,
    Specification,
    decode_apdu,
    long_invoke_id,
)
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import IMMEDIATE, NEVER, Value, date_time_to_text, date_time_value
from smetslab.ids import format_message_code
from smetslab.store import Nvm

KIND: Final = "dlms"


class ActivationSchedule:
    """Turns what is written to activation attributes into work: at once, never, or at a time."""

    def __init__(self, future_dated: FutureDated, quirks: Quirks) -> None:
        self._future_dated = future_dated
        self._quirks = quirks

    def set_activation(self, call: Call, trigger: Trigger, octets: bytes) -> bool:
        """An activation attribute is written; True when what it activates is to be activated at once."""
        text = date_time_to_text(octets)
        key = _text_of(trigger.key)
        if text == IMMEDIATE:
            self._future_dated.forget(call.work, KIND, key)
            return True
        if text == NEVER:
            self._future_dated.cancel(call.work, KIND, key)
            return False
        moment = date_time_value(octets)
        if moment is None:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"{text} is no activation time")
        class_id, obis, attribute = trigger.key
        name = f"{class_id} {Obis(obis)} attribute {attribute}"
        self._future_dated.plan(call, kind=KIND, key=key, name=name, at=moment, item=trigger.item)
        return False


class CosemEngine:
    """The DLMS payloads of one device."""

    kind: Final = KIND

    def __init__(
        self,
        *,
        model: ObjectModel,
        rights: AccessRights,
        bindings: Bindings,
        future_dated: FutureDated,
        nvm: Nvm,
        quirks: Quirks,
        state: dict[str, Value] | None = None,
    ) -> None:
        """`state` replaces values that a new device has. Raises what CosemServer raises."""
        self._model = model
        self._quirks = quirks
        self.server = CosemServer(
            model=model,
            rights=rights,
            bindings=bindings,
            schedule=ActivationSchedule(future_dated, quirks),
            nvm=nvm,
            quirks=quirks,
            state=state,
        )

    def supports(self, use_case: UseCase) -> bool:
        return self._model.supports(use_case)

    def read(self, use_case: UseCase, message: Message, role: RemotePartyRole) -> Execution | WrongPayload:
        if self._quirks.skips_structure_check:
            try:
                request = decode_apdu(message.content)
            except GbcsDecodeError as error:
                return WrongPayload(str(error))
            if isinstance(request, AccessRequest):
                return partial(self._run, request)

        def judge(specification: Specification) -> DataAccessResult:
            return self.server.judge(specification, role)

        payload = read_payload(use_case, message, judge)
        if isinstance(payload, MisfitPayload):
            return WrongPayload(payload.reason, partial(_under, payload.response))
        return partial(self._run, payload)

    def _run(self, request: AccessRequest, call: Call, fault: Fault | None) -> Done:
        response, failed = self.server.run(request, call, fault)
        return Done(response.encode(), failed)

    def refuse(self, use_case: UseCase, header: Message) -> bytes | None:
        items = use_case.payload.items if isinstance(use_case.payload, DlmsAccess) else ()
        response = AccessResponse(
            long_invoke_id(header.originator_counter),
            tuple(axdr.null() for _ in items),
            tuple(AccessResult(item.choice, DataAccessResult.OTHER_REASON) for item in items),
        )
        return response.encode()

    def activate(self, work: Work, instruction: Instruction, fault: Fault | None) -> Activated:
        key = _key_of(instruction.key)
        if fault is None:
            self.server.activate(work, key)
        class_id, obis, attribute = key
        return Activated(
            done=fault is None,
            use_case=USE_CASES["FDEI-DLMS"],
            code=events.FUTURE_DATED_DONE if fault is None else events.FUTURE_DATED_FAILED,
            parameters={
                "instruction": {
                    "message_code": format_message_code(instruction.message_code),
                    "originator_counter": instruction.counter,
                    "class_id": class_id,
                    "logical_name": str(Obis(obis)),
                    "attribute": attribute,
                }
            },
        )


def _under(response: AccessResponse, header: Message) -> bytes:
    """A refusal with the long-invoke-id of its header."""
    invoke_id = long_invoke_id(header.originator_counter)
    return AccessResponse(invoke_id, response.data, response.results).encode()


def _text_of(key: MemberKey) -> str:
    return f"{key[0]}/{key[1].hex()}/{key[2]}"


def _key_of(text: str) -> MemberKey:
    class_id, obis, index = text.split("/")
    return int(class_id), bytes.fromhex(obis), int(index)
