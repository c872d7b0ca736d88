"""What the DCC writes: acknowledgements, refusals, responses and alerts as DUIS values, and the facts they
need.

Spec: DUIS schema 5.4 (Response); GBCS 16 (alert payloads), 9.2.2 (outcome of future-dated instructions).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from smetslab.dcc.pending import FutureDated, Pending, Question
from smetslab.duis.codes import ResponseCode
from smetslab.duis.document import (
    DeviceAlert,
    DeviceResponse,
    FutureDatedDeviceAlert,
    OtherBody,
    OtherPayload,
    Payload,
    RequestId,
    Response,
    ResponseMessage,
    Throttled,
    leaf,
    node,
    octets_leaf,
)
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.dlms.apdu import DataNotification, decode_apdu, is_dlms
from smetslab.gbcs.dlms.axdr import Number, Sequence, Tag
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.engine import decode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import find
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64

_GBZ_PROFILE = b"\x01\x09"
CIN_VARIANT = "9.1"

INSTRUCTION = "instruction"
"""The member of an alert that names an item of a future-dated command."""


class Responder:
    """Writes responses in one schema version, at the moments of one clock's caller."""

    def __init__(self, schema_version: str) -> None:
        self._schema_version = schema_version

    def answer(
        self,
        question: Question,
        code: str,
        moment: datetime,
        payload: Payload | None = None,
        *,
        from_device: bool = False,
    ) -> Response:
        """An answer to a request. Only what comes from the device has a response id."""
        return Response(
            code=code,
            date_time=_as_written(moment),
            request_id=question.request_id,
            response_id=question.request_id.swapped() if from_device else None,
            body=ResponseMessage(question.reference, question.variant, payload),
            schema_version=self._schema_version,
        )

    def final(self, entry: Pending, code: str, moment: datetime, octets: bytes | None) -> Response:
        """The one final response to a request; `octets` are the response of the device.

        What a schedule asked for answers no request; with a customer identification number go its digits.
        """
        if octets is None:
            return self.answer(entry.question, code, moment)
        payload: Payload = DeviceResponse(octets)
        if entry.schedule is not None:
            payload = OtherPayload(
                node(
                    "DSPScheduledMessage",
                    octets_leaf("GBCSPayload", octets),
                    leaf("DSPScheduleID", str(entry.schedule)),
                )
            )
        elif entry.question.variant == CIN_VARIANT and entry.note:
            payload = OtherPayload(
                node(
                    "CINMessage",
                    octets_leaf("GBCSPayload", octets),
                    leaf("CustomerIdentificationNumber", entry.note),
                )
            )
        response = self.answer(entry.question, code, moment, payload, from_device=True)
        return response if entry.schedule is None else replace(response, request_id=None)

    def outcome(
        self, future: FutureDated, alert_code: str, octets: bytes, place: tuple[int, int], moment: datetime
    ) -> Response:
        """The alert about one instruction of a future-dated command, as an answer to its request."""
        payload = FutureDatedDeviceAlert(alert_code, octets, *place)
        return self.answer(future.question, ResponseCode.SUCCESS, moment, payload, from_device=True)

    def alert(
        self,
        message: Message,
        recipient: Eui64,
        alert_code: str,
        octets: bytes,
        moment: datetime,
        *,
        throttled: Throttled | None = None,
    ) -> Response:
        """Any other alert; its id carries the device's own counter."""
        return Response(
            code=ResponseCode.SUCCESS,
            date_time=_as_written(moment),
            response_id=RequestId(message.business_originator_id, recipient, message.originator_counter),
            body=DeviceAlert(alert_code, octets, throttled),
            schema_version=self._schema_version,
        )

    def dcc_alert(self, body: OtherBody, dcc: Eui64, user: Eui64, number: int, moment: datetime) -> Response:
        """An alert of the DCC itself; its id counts the DCC's own documents."""
        return Response(
            code=ResponseCode.SUCCESS,
            date_time=_as_written(moment),
            response_id=RequestId(dcc, user, number),
            body=body,
            schema_version=self._schema_version,
        )


def _as_written(moment: datetime) -> datetime:
    """To the millisecond, as the document will say it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def alert_recipient(message: Message, broker: Eui64) -> Eui64:
    """Whom an alert is for: its addressee, or whoever it names besides when it is addressed to the broker."""
    named = message.other_information.supplementary_remote_party_id
    if message.business_target_id == broker and named is not None:
        return named
    return message.business_target_id


def alert_code_of(message: Message) -> str:
    """The alert code as four hex digits. Raises GbcsDecodeError.

    DLMS and GBZ alerts have it in one place, whatever use case they belong to; where it stands in an ASN.1
    alert, only its use case tells. Spec: GBCS 16.
    """
    content = message.content
    if content[:2] == _GBZ_PROFILE and len(content) >= 5:
        return content[3:5].hex().upper()
    if is_dlms(content):
        apdu = decode_apdu(content)
        if isinstance(apdu, DataNotification) and isinstance(apdu.body, Sequence) and apdu.body.items:
            first = apdu.body.items[0]
            if isinstance(first, Number) and first.tag is Tag.LONG_UNSIGNED:
                return f"{first.value:04X}"
    use_case = find(message)
    declared = None if use_case is None else decode_content(use_case, message).get("alert_code")
    if isinstance(declared, str):
        return declared
    raise GbcsDecodeError("no alert code", path="content", expected="an alert", spec="GBCS 16")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an alert says about an item of a future-dated command: the counter of the command, its message
    code where the alert names it, and the item, as `instructions_in` names it.
    """

    counter: int
    command: int | None
    name: str


def outcome_of(message: Message) -> Outcome | None:
    """What an alert says about an item of a future-dated command, None when it says nothing of the kind.

    Spec: GBCS 9.2.2 (DLMS and GBZ), use cases CS02b, CS02g and CS06 (commands of one item).
    """
    use_case = find(message)
    if use_case is None:
        return None
    content = decode_content(use_case, message)
    found, done = content.get(INSTRUCTION), content.get("execution_outcome")
    if isinstance(found, dict):
        counter, code = found.get("originator_counter"), int(str(found["message_code"]), 16)
        return Outcome(counter, code, _instruction_name(found)) if isinstance(counter, int) else None
    if isinstance(done, dict):
        counter = done.get("authorising_remote_party_seq_number", content.get("originator_counter"))
        return Outcome(counter, None, "") if isinstance(counter, int) else None
    return None


def _instruction_name(instruction: Parameters) -> str:
    """One text for an item: the attribute of a COSEM object, or a command of a cluster."""
    if "class_id" in instruction:
        return _cosem_name(instruction["class_id"], instruction["logical_name"], instruction["attribute"])
    return _cluster_name(instruction.get("cluster"), instruction.get("command"))


def instructions_in(use_case: UseCase, parameters: Parameters) -> tuple[str, ...]:
    """The items of a command that wait for their time, in order, named as alerts name them.

    Spec: GBCS 9.2.2; DUIS (InstructionNumber, TotalCommandInstructions).
    """
    if isinstance(use_case.payload, DlmsAccess):
        return tuple(
            _cosem_name(item.class_id, str(item.obis), item.index)
            for item in use_case.payload.items
            if item.activation
        )
    components = parameters.get("components")
    if not isinstance(components, list):
        return ("",) if use_case.payload.activations else ()
    dated = {name.rpartition(".")[2] for name in use_case.payload.activations}
    return tuple(
        _cluster_name(item.get("cluster"), item.get("command"))
        for item in components
        if isinstance(item, dict) and dated.intersection(item)
    )


def _cosem_name(class_id: Value, logical_name: Value, attribute: Value) -> str:
    return f"{class_id}/{logical_name}/{attribute}"


def _cluster_name(cluster: Value, command: Value) -> str:
    return f"{cluster}/{command}"
