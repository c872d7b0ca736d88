"""Taking a request in: access control, transformation, and what becomes of it. Synchronous; time is an
argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.access import Facts, judge
from smetslab.dcc.correlate import Ledger
from smetslab.dcc.pending import Pending, Question
from smetslab.dcc.rules import DccRules
from smetslab.dcc.transform import transform
from smetslab.duis.codes import CommandVariant, ResponseCode, WebService
from smetslab.duis.document import (
    SIGNED_PRE_COMMAND,
    LocalCommand,
    PreCommand,
    Request,
    parse_request,
    read_signed_pre_command,
    write_request,
)
from smetslab.duis.srv import ServiceRequest, UseCaseMapping, find, from_parameters, read_body, to_parameters
from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.duis.srv.rules import CANCELLATION
from smetslab.errors import (
    CertificateError,
    CodecError,
    LocalProtocolError,
    SecurityError,
)
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.usecases.engine import activation_of, decode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.values import IMMEDIATE, Parameters, parse_utc
from smetslab.ids import Eui64
from smetslab.registry import Inventory, InventoryDevice, UserDirectory

_MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Refused:
    """The request goes no further: which check, which response code, why."""

    check: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The request is done with its synchronous answer."""

    payload: PreCommand | LocalCommand


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Requests that were held and are not to be carried out."""

    entries: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is kept and will have a final response; `local` is the copy for delivery on the
    premises.
    """

    entry: Pending
    local: LocalCommand | None = None


Outcome: TypeAlias = Refused | Answered | Cancelled | Accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A request that passed access control, with what it is about."""

    request: Request
    row: ServiceRequest
    mapping: UseCaseMapping
    device: InventoryDevice
    elements: Parameters

    @property
    def user(self) -> Eui64:
        return self.request.header.request_id.originator

    @property
    def use_case(self) -> UseCase:
        return self.mapping.use_case


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """A command that is ready for its MAC. `broker_counter` is set where the broker originates it."""

    message: Message
    broker_counter: int | None = None
    activation: str | None = None


class _RefusedError(Exception):
    """Carries a refusal out of a nest of steps."""

    def __init__(self, check: str, reason: str, code: str = ResponseCode.UNASSIGNED) -> None:
        self.refusal = Refused(check, code, reason)
        super().__init__(reason)


class Intake:
    """Judges and transforms requests; keeps in the ledger what it accepts."""

    def __init__(
        self,
        broker: AccessControlBroker,
        inventory: Inventory,
        users: UserDirectory,
        ledger: Ledger,
        rules: DccRules,
    ) -> None:
        self._broker = broker
        self._inventory = inventory
        self._users = users
        self._ledger = ledger
        self._rules = rules

    def take(self, request: Request, service: WebService | None, now: datetime) -> Outcome:
        """What becomes of a request. Raises DuisError when its body is not what its variant asks for."""
        try:
            case = self._admit(request, service, self._rules)
            if request.header.command_variant.signed:
                return self._pass_on(case, self._signed_command(case))
            due = self._due(case)
            if due is None or not request.header.command_variant.sent:
                return self._start(case, now)
            if due == parse_utc(CANCELLATION):
                self._ledger.note_counters(
                    request.header.request_id, case.use_case.counter_family, broker_counter=None
                )
                return Cancelled(self._held_for(case))
            return self._start(case, now) if due <= now else self._hold(case, due)
        except _RefusedError as refused:
            return refused.refusal

    def resume(self, entry: Pending, now: datetime) -> Pending | Refused:
        """Build the command of a held request whose time has come, under the rules and facts of now."""
        request = parse_request(entry.document, limit=self._rules.document_limit)
        try:
            # Its own counter was accepted when the request was.
            case = self._admit(request, None, replace(self._rules, check_counters=False))
            command = self._unsigned_command(case, now)
            message = self._broker.protect(command.message)
        except _RefusedError as refused:
            return refused.refusal
        except CertificateError as error:
            return Refused("certificate", ResponseCode.UNASSIGNED, str(error))
        ready = replace(
            entry,
            state="ready",
            originator=message.business_originator_id,
            counter=message.originator_counter,
            document=b"",
            message=encode_message(message),
        )
        self._ledger.change(ready, command.broker_counter)
        return ready

    def _admit(self, request: Request, service: WebService | None, rules: DccRules) -> _Case:
        header = request.header
        row = find(header.variant)
        elements: Parameters = {}
        if row is not None and request.body.name == row.element:
            elements = read_body(row, request.body)
        elif request.body.name == SIGNED_PRE_COMMAND:
            read_signed_pre_command(request.body)
        device = self._inventory.find(header.request_id.target)
        mapping = row.mapping_for(device.device_type) if row is not None and device is not None else None
        facts = Facts(
            request=request,
            service=service,
            row=row,
            user=self._users.find(header.request_id.originator),
            device=device,
            premises=() if device is None else self._inventory.premises(device.hub),
            last_counter=None if mapping is None else self._last_counter(request, mapping.use_case),
        )
        refusal = judge(facts, rules)
        if refusal is not None:
            raise _RefusedError(refusal.check, refusal.reason, refusal.code)
        if row is None or device is None or mapping is None:
            raise LocalProtocolError("access control let a request pass that names nothing known")
        return _Case(request=request, row=row, mapping=mapping, device=device, elements=elements)

    def _last_counter(self, request: Request, use_case: UseCase) -> int | None:
        parties = request.header.request_id
        return self._ledger.last_counter(parties.originator, parties.target, use_case.counter_family)

    def _due(self, case: _Case) -> datetime | None:
        moment = case.elements.get(EXECUTION_DATE_TIME)
        if moment is None or not case.row.future_dating.held_by_dcc:
            return None
        return parse_utc(moment)

    def _held_for(self, case: _Case) -> tuple[Pending, ...]:
        """What a cancellation is about: requests of the same user, device and variant that are held."""
        wanted = (case.user, case.device.device_id, case.row.variant)
        return tuple(
            entry
            for entry in self._ledger.pending()
            if entry.state == "held"
            and (entry.request_id.originator, entry.device, entry.question.variant) == wanted
        )

    def _hold(self, case: _Case, due: datetime) -> Accepted:
        # Built once now, so that what can never be built is refused now.
        self._unsigned_command(case, due)
        entry = self._ledger.accept(
            lambda number: replace(
                self._entry(case, number),
                state="held",
                due=due,
                document=write_request(case.request),
            ),
            family=case.use_case.counter_family,
        )
        return Accepted(entry)

    def _start(self, case: _Case, now: datetime) -> Outcome:
        command = self._unsigned_command(case, now)
        if case.request.header.command_variant is CommandVariant.TRANSFORM:
            return Answered(PreCommand(encode_message(command.message), case.device.gbcs_version))
        return self._pass_on(case, command)

    def _pass_on(self, case: _Case, command: _Command) -> Outcome:
        """Protect a command and keep it for sending, or hand it out, or both, as the variant asks."""
        try:
            message = self._broker.protect(command.message)
        except CertificateError as error:
            raise _RefusedError("certificate", str(error)) from error
        octets = encode_message(message)
        variant = case.request.header.command_variant
        local = LocalCommand(octets) if variant.local else None
        family = case.use_case.counter_family
        if local is not None and not variant.sent:
            self._ledger.note_counters(case.request.header.request_id, family, command.broker_counter)
            return Answered(local)
        entry = self._ledger.accept(
            lambda number: replace(
                self._entry(case, number),
                originator=message.business_originator_id,
                counter=message.originator_counter,
                activation=command.activation,
                message=octets,
            ),
            family=family,
            broker_counter=command.broker_counter,
        )
        return Accepted(entry, local)

    def _entry(self, case: _Case, number: int) -> Pending:
        header = case.request.header
        return Pending(
            number=number,
            question=Question(header.request_id, case.row.reference, case.row.variant),
            state="ready",
            use_case=case.use_case.name,
            device=case.device.device_id,
            hub=case.device.hub,
            originator=case.user,
            counter=header.request_id.counter,
        )

    def _unsigned_command(self, case: _Case, now: datetime) -> _Command:
        def broker_counter() -> int:
            # Milliseconds since 1970, as in the one published sample: even without its memory the DCC does
            # not count backwards.
            return self._ledger.next_broker_counter(int(now.timestamp() * _MILLISECONDS))

        try:
            message = transform(
                case.mapping,
                case.device,
                case.request.header.request_id,
                case.elements,
                broker=self._broker.identity,
                next_broker_counter=broker_counter,
            )
        except SecurityError as error:
            raise _RefusedError(error.check, str(error)) from error
        by_broker = message.business_originator_id == self._broker.identity
        return _Command(
            message=message,
            broker_counter=message.originator_counter if by_broker else None,
            activation=_future(activation_of(case.use_case, to_parameters(case.mapping, case.elements))),
        )

    def _signed_command(self, case: _Case) -> _Command:
        """The signed pre-command in the body, checked against the request that brings it and its user's
        key.
        """
        payload = read_signed_pre_command(case.request.body).payload
        try:
            message = decode_message(payload)
        except CodecError as error:
            raise _RefusedError("signed pre-command", str(error)) from error
        self._check_header(case, message)
        if not self._rules.verify_users:
            return _Command(message=message)
        try:
            parameters = decode_content(case.use_case, message)
            from_parameters(case.mapping, parameters)
            self._broker.require_signature(message)
        except (CodecError, SecurityError) as error:
            raise _RefusedError("signed pre-command", str(error)) from error
        return _Command(message=message, activation=_future(activation_of(case.use_case, parameters)))

    def _check_header(self, case: _Case, message: Message) -> None:
        request_id = case.request.header.request_id
        if message.cra is not Cra.COMMAND or message.message_mac is not None or not message.signature:
            raise _RefusedError("signed pre-command", "not a command that is signed and nothing else")
        found = (message.business_originator_id, message.business_target_id, message.originator_counter)
        if found != (request_id.originator, request_id.target, request_id.counter):
            raise _RefusedError("signed pre-command", "its parties or counter differ from the RequestID")
        if by_code(message.message_code) is not case.use_case:
            raise _RefusedError("signed pre-command", f"its use case does not serve {case.row.variant}")
        if (
            message.other_information != OtherInformation(message_code=message.message_code)
            or message.date_time
        ):
            raise _RefusedError("signed pre-command", "its grouping header is not that of a pre-command")


def _future(activation: str | None) -> str | None:
    return None if activation == IMMEDIATE else activation
