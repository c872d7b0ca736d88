"""A service user: asks in DUIS, signs pre-commands after reading them, checks and opens what comes back.

Spec: DUIS (command variants 1, 4 and 5); GBCS 7.2.7 (the signature covers the pre-command behind its
first octet), 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from smetslab.crypto import SharedSecrets
from smetslab.duis.codes import CommandVariant, ResponseCode, WebService
from smetslab.duis.document import (
    PreCommand,
    Request,
    RequestHeader,
    RequestId,
    Response,
    parse_response,
    signed_pre_command_body,
    write_request,
)
from smetslab.duis.element import Element
from smetslab.duis.srv import ServiceRequest, find, read_body, restore, to_parameters, write_body
from smetslab.duis.srv.forms import CANCELLATION
from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.errors import DuisError, LocalProtocolError, RemoteProtocolError
from smetslab.gbcs.codes import CounterFamily, Cra, KeyUsage
from smetslab.gbcs.gbz.components import COMPONENTS, all_succeeded
from smetslab.gbcs.message import Message, decode_message, encode_message
from smetslab.gbcs.security import verify_mac, verify_signature, with_signature
from smetslab.gbcs.usecases.engine import FAILURES, decode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.usecases.registry import find as find_use_case
from smetslab.gbcs.values import NEVER, Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import KeyStore

FIRST_COUNTER: Final = 1000
UTRN_COUNTER_STEP: Final = 1 << 32
"""Counters of top-ups have zero low 32 bits. Spec: published top-up templates."""


class Dcc(Protocol):
    """What a user needs of a DCC: `MockDcc`, or a client of one somewhere else."""

    async def submit(self, xml: bytes, service: WebService | None = None) -> bytes:
        """The last answer to a request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResponse:
    """An answer, opened. `authentic` is None where the user cannot check, because the broker is the
    addressee.
    """

    code: str
    response: Response
    message: Message | None = None
    use_case: UseCase | None = None
    parameters: Parameters = field(default_factory=dict)
    authentic: bool | None = None

    @property
    def ok(self) -> bool:
        """The device did everything it was asked for, and it was the device that says so."""
        return (
            self.code == ResponseCode.SUCCESS
            and self.message is not None
            and self.authentic is not False
            and FAILURES not in self.parameters
            and all_succeeded(self.parameters.get(COMPONENTS, []))
        )


class ServiceUser:
    """One party. `counters` holds the last counter by device and family; whoever wants to go on later
    keeps them.
    """

    def __init__(
        self, party: Eui64, *, keystore: KeyStore, dcc: Dcc, first_counter: int = FIRST_COUNTER
    ) -> None:
        self.party = party
        self._keystore = keystore
        self._dcc = dcc
        self._first_counter = first_counter
        self._secrets = SharedSecrets()
        self.counters: dict[tuple[Eui64, CounterFamily], int] = {}

    # Asking -------------------------------------------------------------------------------------------------

    async def request(
        self,
        variant: str,
        target: Eui64,
        elements: Mapping[str, Value] | None = None,
        *,
        counter: int | None = None,
        execution: str | None = None,
    ) -> ServiceResponse:
        """Ask for a service and return the last answer.

        `elements` by their DUIS names. `execution`: a moment such as `2030-01-15T09:00:00Z`, or `never`,
        which cancels. A critical request is transformed, compared, signed and sent. Raises DuisError
        when the elements do not fit, RemoteProtocolError when the pre-command is not what was asked for.
        """
        row = _row(variant)
        if not row.critical:
            document = self.document(
                variant, target, elements, CommandVariant.SEND, counter=counter, execution=execution
            )
            return self.open_response(await self._dcc.submit(document, WebService.SEND_COMMAND))
        answer = await self._transform(variant, target, elements, counter, execution)
        if isinstance(answer, ServiceResponse):
            return answer
        return await self.send_signed(variant, self.sign(answer))

    async def send_request(self, request: Request) -> ServiceResponse:
        """Send a whole request, under its own id, and return the last answer.

        One that is to be transformed is transformed, compared, signed and sent, as with `request`.
        """
        header = request.header
        document = write_request(request)
        if header.command_variant is not CommandVariant.TRANSFORM:
            answer = await self._dcc.submit(document, header.command_variant.service)
            return self.open_response(answer)
        row = _row(header.variant)
        elements = read_body(row, request.body)
        message = await self._pre_command(row, document, header.request_id, elements)
        if isinstance(message, ServiceResponse):
            return message
        return await self.send_signed(header.variant, self.sign(message))

    async def pre_command(
        self,
        variant: str,
        target: Eui64,
        elements: Mapping[str, Value] | None = None,
        *,
        counter: int | None = None,
        execution: str | None = None,
    ) -> Message:
        """The pre-command for a critical request, compared with it. Raises RemoteProtocolError."""
        answer = await self._transform(variant, target, elements, counter, execution)
        if isinstance(answer, ServiceResponse):
            raise RemoteProtocolError(f"the DCC answers {answer.code} to {variant}", code=answer.code)
        return answer

    def sign(self, message: Message) -> Message:
        """`message` with this user's signature."""
        return with_signature(message, self._keystore.private_key(self.party, KeyUsage.DIGITAL_SIGNATURE))

    async def send_signed(self, variant: str, message: Message) -> ServiceResponse:
        """Send a signed pre-command, whatever it says, under the RequestID that its header gives."""
        request_id = RequestId(
            message.business_originator_id, message.business_target_id, message.originator_counter
        )
        body = signed_pre_command_body(encode_message(message))
        document = _write(_row(variant), request_id, CommandVariant.SEND_SIGNED, body)
        return self.open_response(await self._dcc.submit(document, WebService.SEND_COMMAND))

    def document(
        self,
        variant: str,
        target: Eui64,
        elements: Mapping[str, Value] | None,
        command_variant: CommandVariant,
        *,
        counter: int | None = None,
        execution: str | None = None,
    ) -> bytes:
        """The request document; takes the next counter unless one is given."""
        row = _row(variant)
        body = write_body(row, _with_execution(elements, execution))
        if counter is None:
            counter = self.next_counter(variant, target)
            self.counters[target, _family(row)] = counter
        return _write(row, RequestId(self.party, target, counter), command_variant, body)

    def next_counter(self, variant: str, target: Eui64) -> int:
        """The counter of the next such request. Top-ups count apart from everything else, in steps of
        2^32.
        """
        family = _family(_row(variant))
        last = self.counters.get((target, family))
        if family is CounterFamily.UTRN:
            return UTRN_COUNTER_STEP * (1 if last is None else last // UTRN_COUNTER_STEP + 1)
        return self._first_counter if last is None else last + 1

    async def _transform(
        self,
        variant: str,
        target: Eui64,
        elements: Mapping[str, Value] | None,
        counter: int | None,
        execution: str | None,
    ) -> Message | ServiceResponse:
        row = _row(variant)
        document = self.document(
            variant, target, elements, CommandVariant.TRANSFORM, counter=counter, execution=execution
        )
        used = self.counters[target, _family(row)] if counter is None else counter
        asked = RequestId(self.party, target, used)
        return await self._pre_command(row, document, asked, _with_execution(elements, execution))

    async def _pre_command(
        self, row: ServiceRequest, document: bytes, asked: RequestId, elements: Parameters
    ) -> Message | ServiceResponse:
        response = parse_response(await self._dcc.submit(document, WebService.TRANSFORM))
        if not isinstance(response.payload, PreCommand):
            return ServiceResponse(code=response.code, response=response)
        message = decode_message(response.payload.payload)
        self._compare(row, message, asked, elements)
        return message

    def _compare(self, row: ServiceRequest, message: Message, asked: RequestId, elements: Parameters) -> None:
        """What is signed blindly is anybody's command: the pre-command must say exactly what was asked
        for.
        """
        found = RequestId(
            message.business_originator_id, message.business_target_id, message.originator_counter
        )
        if found != asked or not message.is_pre_command:
            raise RemoteProtocolError(f"the pre-command is for {found.key}, asked was {asked.key}")
        use_case = by_code(message.message_code)
        mapping = None if use_case is None else row.mapping_to(use_case)
        if use_case is None or mapping is None:
            raise RemoteProtocolError(
                f"the pre-command has code {message.message_code:04X}, not one of {row.variant}"
            )
        said = read_body(row, write_body(row, elements))
        found_parameters = decode_content(use_case, message)
        try:
            # What the DCC alone knows, such as the time of issue, it may say as it likes.
            _, facts = restore(mapping, found_parameters)
            wanted = to_parameters(mapping, said, facts)
        except DuisError as error:
            raise RemoteProtocolError(f"the pre-command for {row.variant} is none: {error}") from error
        if found_parameters != wanted:
            raise RemoteProtocolError(f"the pre-command for {row.variant} says something else than was asked")

    # Opening ------------------------------------------------------------------------------------------------

    def open_response(self, document: bytes) -> ServiceResponse:
        """Read a response or alert document and the GBCS message in it. Raises DuisError, GbcsDecodeError."""
        response = parse_response(document)
        octets = response.gbcs
        if octets is None:
            return ServiceResponse(code=response.code, response=response)
        message = decode_message(octets)
        use_case = find_use_case(message)
        parameters: Parameters = {}
        if use_case is not None:
            parameters = decode_content(use_case, message, self._secret_for(message, use_case))
        return ServiceResponse(
            code=response.code,
            response=response,
            message=message,
            use_case=use_case,
            parameters=parameters,
            authentic=self._authentic(message),
        )

    def _secret_for(self, message: Message, use_case: UseCase) -> bytes | None:
        """The secret that opens protected content, where there is any for this user."""
        named = message.other_information.supplementary_remote_party_id or message.business_target_id
        if message.cra is Cra.COMMAND or not use_case.encrypts_response or named != self.party:
            return None
        return self._secret(message.business_originator_id)

    def _authentic(self, message: Message) -> bool | None:
        """Whether the device protected the message: by its signature, or by a MAC for this user."""
        device = message.business_originator_id
        if message.signature:
            certificate = self._keystore.find(device, KeyUsage.DIGITAL_SIGNATURE).certificate
            return verify_signature(message, certificate.public_key)
        if message.message_mac is None:
            return False
        if message.business_target_id != self.party:
            return None
        return verify_mac(message, self._secret(device))

    def _secret(self, device: Eui64) -> bytes:
        own = self._keystore.private_key(self.party, KeyUsage.KEY_AGREEMENT)
        return self._secrets.get(
            own, self._keystore.find(device, KeyUsage.KEY_AGREEMENT).certificate.public_key
        )


def _row(variant: str) -> ServiceRequest:
    row = find(variant)
    if row is None:
        raise LocalProtocolError(f"service reference variant {variant} is not declared")
    return row


def _family(row: ServiceRequest) -> CounterFamily:
    return row.mappings[0].use_case.counter_family if row.mappings else CounterFamily.ORDINARY


def _with_execution(elements: Mapping[str, Value] | None, execution: str | None) -> Parameters:
    result = dict(elements or {})
    if execution is not None:
        result[EXECUTION_DATE_TIME] = CANCELLATION if execution == NEVER else execution
    return result


def _write(row: ServiceRequest, request_id: RequestId, variant: CommandVariant, body: Element) -> bytes:
    header = RequestHeader(
        request_id=request_id,
        command_variant=variant,
        service_reference=row.reference,
        variant=row.variant,
    )
    return write_request(Request(header=header, body=body))
