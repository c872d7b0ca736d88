"""What the DCC writes: acknowledgements, refusals, responses and alerts as DUIS values, and the facts they
need.

Spec: DUIS schema 5.4 (Response); GBCS 16 (alert payloads), 9.2.2 (outcome of future-dated instructions).
"""

from __future__ import annotations

from datetime import datetime

from smetslab.dcc.pending import FutureDated, Pending, Question
from smetslab.duis.codes import ResponseCode
from smetslab.duis.document import (
    DeviceAlert,
    DeviceResponse,
    FutureDatedDeviceAlert,
    Payload,
    RequestId,
    Response,
    ResponseMessage,
)
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.dlms.apdu import DataNotification, decode_apdu, is_dlms
from smetslab.gbcs.dlms.axdr import Number, Sequence, Tag
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.engine import decode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import find
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64, format_message_code

_GBZ_PROFILE = b"\x01\x09"
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
        """The one final response to a request; `octets` are the response of the device."""
        payload = None if octets is None else DeviceResponse(octets)
        return self.answer(entry.question, code, moment, payload, from_device=octets is not None)

    def outcome(
        self, future: FutureDated, alert_code: str, octets: bytes, place: tuple[int, int], moment: datetime
    ) -> Response:
        """The alert about one instruction of a future-dated command, as an answer to its request."""
        payload = FutureDatedDeviceAlert(alert_code, octets, *place)
        return self.answer(future.question, ResponseCode.SUCCESS, moment, payload, from_device=True)

    def alert(
        self, message: Message, recipient: Eui64, alert_code: str, octets: bytes, moment: datetime
    ) -> Response:
        """Any other alert; its id carries the device's own counter."""
        return Response(
            code=ResponseCode.SUCCESS,
            date_time=_as_written(moment),
            response_id=RequestId(message.business_originator_id, recipient, message.originator_counter),
            body=DeviceAlert(alert_code, octets),
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


def instruction_of(message: Message) -> Parameters | None:
    """What an alert says about an item of a future-dated command, None when it says nothing of the kind."""
    use_case = find(message)
    if use_case is None:
        return None
    found = decode_content(use_case, message).get(INSTRUCTION)
    return found if isinstance(found, dict) else None


def instruction_place(use_case: UseCase, instruction: Parameters) -> tuple[int, int] | None:
    """Number of an item among the items of `use_case` that wait for their time, counted from 1, and their
    total.

    None when the use case has no such item. Spec: GBCS 9.2.2; DUIS (InstructionNumber,
    TotalCommandInstructions).
    """
    if not isinstance(use_case.payload, DlmsAccess) or instruction.get("message_code") != format_message_code(
        use_case.code
    ):
        return None
    items = [item for item in use_case.payload.items if item.activation]
    wanted = (instruction.get("class_id"), instruction.get("logical_name"), instruction.get("attribute"))
    for place, item in enumerate(items, 1):
        if (item.class_id, str(item.obis), item.index) == wanted:
            return place, len(items)
    return None
