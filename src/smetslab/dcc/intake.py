"""Taking a request in: access control, transformation, and what becomes of it. Synchronous; time is an
argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.access import Facts, judge
from smetslab.dcc.certification import activation_fault
from smetslab.dcc.correlate import Also, Ledger
from smetslab.dcc.effects import REMEMBERED
from smetslab.dcc.pending import Pending, Question, State
from smetslab.dcc.refusals import UNTRANSFORMABLE, choice_code, role_fault
from smetslab.dcc.respond import instructions_in
from smetslab.dcc.rules import DccRules
from smetslab.dcc.schedules import Schedule, run_elements
from smetslab.dcc.transform import HubLog, Surroundings, mapping_for, transform
from smetslab.duis.codes import CommandVariant, FutureDating, ResponseCode, UserRole, WebService
from smetslab.duis.document import (
    SIGNED_PRE_COMMAND,
    LocalCommand,
    Payload,
    PreCommand,
    Request,
    RequestHeader,
    RequestId,
    parse_request,
    read_signed_pre_command,
    write_request,
)
from smetslab.duis.srv import (
    ServiceRequest,
    UseCaseMapping,
    find,
    from_parameters,
    read_body,
    write_body,
)
from smetslab.duis.srv.forms import CANCELLATION
from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.errors import (
    CertificateError,
    CodecError,
    DuisError,
    LocalProtocolError,
    SecurityError,
)
from smetslab.gbcs.codes import Cra, DeviceType
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.usecases.engine import activation_of, decode_content
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.values import IMMEDIATE, Parameters, Value, parse_utc
from smetslab.ids import Eui64
from smetslab.registry import DeviceLogBackups, Inventory, InventoryDevice, UserDirectory
from smetslab.rng import RootSeed

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
class Served:
    """The DCC did the service itself; this is its answer."""

    code: str
    payload: Payload | None = None


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


Outcome: TypeAlias = Refused | Answered | Served | Cancelled | Accepted


class Services(Protocol):
    """Who answers non-device requests: `smetslab.dcc.desk.ServiceDesk`."""

    def serve(
        self, row: ServiceRequest, request: Request, elements: Parameters, roles: tuple[UserRole, ...]
    ) -> Served | Refused:
        """Do what a request asks that passed access control; synchronous."""
        ...


class Sentry(Protocol):
    """Who looks for anomalies: `smetslab.dcc.anomaly.AnomalyDetection`."""

    def breach(self, variant: str, user: Eui64, elements: Parameters, now: datetime) -> str:
        """The kind of breach that one more such request would be, "" for none."""
        ...

    def note(self, variant: str, user: Eui64, now: datetime) -> Also:
        """Count a request that is accepted, in the transaction that accepts it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A request that passed access control, with what it is about."""

    request: Request
    row: ServiceRequest
    mapping: UseCaseMapping
    device: InventoryDevice
    elements: Parameters
    roles: tuple[UserRole, ...]

    @property
    def user(self) -> Eui64:
        return self.request.header.request_id.originator

    @property
    def use_case(self) -> UseCase:
        return self.mapping.use_case


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """A command that is ready for its MAC. `broker_counter` is set where the broker originates it,
    `elements` are those of the request whose command a signed pre-command is.
    """

    message: Message
    broker_counter: int | None = None
    activation: str | None = None
    instructions: tuple[str, ...] = ()
    elements: Parameters = field(default_factory=dict)
    note: str = ""


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
        *,
        services: Services,
        sentry: Sentry,
        backups: DeviceLogBackups,
        distributed_version: Callable[[str], str | None],
        seed: RootSeed,
    ) -> None:
        """`distributed_version` knows images that were distributed by their hash; `seed` is where customer
        identification numbers come from.
        """
        self._distributed_version = distributed_version
        self._seed = seed
        self._services = services
        self._sentry = sentry
        self._backups = backups
        self._broker = broker
        self._inventory = inventory
        self._users = users
        self._ledger = ledger
        self._rules = rules

    def take(self, request: Request, service: WebService | None, now: datetime) -> Outcome:
        """What becomes of a request. Raises DuisError when its body is not what its variant asks for."""
        try:
            facts, elements = self._facts(request, service, now)
            case = self._admit(facts, elements, self._rules)
            if not isinstance(case, _Case):
                return self._services.serve(case, request, elements, facts.acting_roles)
            if request.header.command_variant.signed:
                signed = self._signed_command(case)
                self._require_certified(case, signed.elements)
                return self._pass_on(case, signed, now)
            due = self._due(case.row, elements)
            if due == parse_utc(CANCELLATION) and request.header.command_variant.sent:
                self._ledger.note_counters(
                    request.header.request_id, case.use_case.counter_family, broker_counter=None
                )
                return Cancelled(self._held_for(case))
            return self._start(case, now, due)
        except _RefusedError as refused:
            return refused.refusal

    def resume(self, entry: Pending, now: datetime) -> Pending | Refused:
        """Build the command of a held request whose time has come, under the rules and facts of now."""
        request = parse_request(entry.document, limit=self._rules.document_limit)
        try:
            facts, elements = self._facts(request, None, now)
            # Its own counter was accepted when the request was.
            case = self._admit(facts, elements, replace(self._rules, check_counters=False))
            if not isinstance(case, _Case):
                raise LocalProtocolError("a non-device request was held")
            if request.header.command_variant.signed:
                command = self._signed_command(case)
            else:
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
            activation=command.activation,
            document=entry.document if _remembered(entry.question.variant) else b"",
            message=encode_message(message),
        )
        self._ledger.change(ready, command.broker_counter, command.instructions)
        return ready

    def scheduled(self, schedule: Schedule, now: datetime, moved_on: Also) -> Pending | Refused:
        """Accept one run of a schedule under the rules and facts of now; `moved_on` is kept with it.

        Its counter is the DCC's own, so that the user's does not rise.
        """
        row = find(schedule.variant)
        if row is None or schedule.due is None:
            raise LocalProtocolError(f"schedule {schedule.number} is of a variant that nobody serves")
        counter = self._ledger.next_broker_counter(int(now.timestamp() * _MILLISECONDS))
        header = RequestHeader(
            request_id=RequestId(schedule.user, schedule.device, counter),
            command_variant=CommandVariant.SEND,
            service_reference=row.reference,
            variant=row.variant,
        )
        try:
            body = write_body(row, run_elements(row, schedule, schedule.due))
            facts, elements = self._facts(Request(header=header, body=body), None, now)
            case = self._admit(facts, elements, replace(self._rules, check_counters=False))
            if not isinstance(case, _Case):
                raise LocalProtocolError("a non-device request was scheduled")
            command = self._unsigned_command(case, now)
            message = self._broker.protect(command.message)
            return self._ledger.accept(
                lambda number: replace(
                    self._entry(case, number),
                    originator=message.business_originator_id,
                    counter=message.originator_counter,
                    schedule=schedule.number,
                    message=encode_message(message),
                ),
                family=None,
                broker_counter=max(counter, command.broker_counter or 0),
                also=(moved_on,),
            )
        except _RefusedError as refused:
            return refused.refusal
        except (CertificateError, DuisError) as error:
            return Refused("scheduled run", ResponseCode.UNASSIGNED, str(error))

    def _facts(self, request: Request, service: WebService | None, now: datetime) -> tuple[Facts, Parameters]:
        header = request.header
        row = find(header.variant)
        elements: Parameters = {}
        if row is not None and request.body.name == row.element:
            elements = read_body(row, request.body)
        elif request.body.name == SIGNED_PRE_COMMAND:
            read_signed_pre_command(request.body)
        device = self._inventory.find(header.request_id.target)
        mapping = row.mapping_for(device.device_type) if row is not None and device is not None else None
        due = None if row is None else self._due(row, elements)
        facts = Facts(
            request=request,
            service=service,
            row=row,
            user=self._users.find(header.request_id.originator),
            device=device,
            premises=() if device is None else self._inventory.around(device),
            last_counter=self._last_counter(request, mapping),
            dcc=self._broker.identity,
            moment=now if due is None or due == parse_utc(CANCELLATION) else max(due, now),
        )
        return facts, elements

    def _admit(self, facts: Facts, elements: Parameters, rules: DccRules) -> _Case | ServiceRequest:
        """The case of a device request, or the row of a non-device one, that passed access control."""
        refusal = judge(facts, rules)
        if refusal is not None:
            raise _RefusedError(refusal.check, refusal.reason, refusal.code)
        row, device = facts.row, facts.device
        if row is not None and row.non_device:
            return row
        mapping = None if row is None or device is None else row.mapping_for(device.device_type)
        if row is None or device is None or mapping is None:
            raise LocalProtocolError("access control let a request pass that names nothing known")
        if facts.request.header.command_variant.signed:
            mapping = _mapping_of(facts.request, row) or mapping
        else:
            chosen = mapping_for(
                row, device, elements, device_type=self._device_type, roles=facts.acting_roles
            )
            if chosen is None:
                reason = f"no use case of {row.variant} says this to a {device.device_type.name}"
                raise _RefusedError("transformation", reason, choice_code(elements))
            mapping = chosen
        return _Case(
            request=facts.request,
            row=row,
            mapping=mapping,
            device=device,
            elements=elements,
            roles=facts.acting_roles,
        )

    def _device_type(self, device_id: Eui64) -> DeviceType | None:
        other = self._inventory.find(device_id)
        return None if other is None else other.device_type

    def _hub_log(self, hub: Eui64) -> HubLog | None:
        backup = self._backups.find(hub)
        return None if backup is None else HubLog(network=backup.network, devices=backup.devices)

    def _gas_proxy_log(self, gas_proxy: Eui64) -> list[Value] | None:
        backup = self._backups.find(gas_proxy)
        return None if backup is None else backup.devices

    def _around(self, request_id: RequestId, now: datetime) -> Surroundings:
        """What a command needs besides the request. Counters are milliseconds since 1970, as in the one
        published sample: even without its memory the DCC does not count backwards.
        """

        def next_counter(party: Eui64) -> int:
            del party
            return self._ledger.next_broker_counter(int(now.timestamp() * _MILLISECONDS))

        def digits() -> str:
            drawn = self._seed.octets(f"customer identification number/{request_id.key}", 4)
            return f"{int.from_bytes(drawn, 'big') % 10_000:04}"

        return Surroundings(
            now=now,
            next_counter=next_counter,
            broker=self._broker.identity,
            transitional_cos=self._rules.transitional_cos,
            device_type=self._device_type,
            key_agreement_certificate=self._broker.key_agreement_certificate,
            hub_log=self._hub_log,
            gas_proxy_log=self._gas_proxy_log,
            customer_identification_number=digits,
        )

    def _last_counter(self, request: Request, mapping: UseCaseMapping | None) -> int | None:
        parties = request.header.request_id
        if mapping is None:
            return None
        return self._ledger.last_counter(parties.originator, parties.target, mapping.use_case.counter_family)

    def _due(self, row: ServiceRequest, elements: Parameters) -> datetime | None:
        moment = elements.get(EXECUTION_DATE_TIME)
        # What is dated by both goes out at once: its device keeps the time.
        if moment is None or row.future_dating is not FutureDating.DSP:
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

    def _start(self, case: _Case, now: datetime, due: datetime | None) -> Outcome:
        """Carry out an unsigned request, now or when its time has come."""
        # Built now in any case, so that what can never be built is refused now.
        command = self._unsigned_command(case, now)
        self._require_certified(case, case.elements)
        if case.request.header.command_variant is CommandVariant.TRANSFORM:
            return Answered(PreCommand(encode_message(command.message), case.device.gbcs_version))
        held = due is not None and due > now and case.request.header.command_variant.sent
        return self._pass_on(case, command, now, due if held else None)

    def _pass_on(self, case: _Case, command: _Command, now: datetime, due: datetime | None = None) -> Outcome:
        """Protect a command and keep it for sending, or hand it out, or both, as the variant asks."""
        header = case.request.header
        try:
            message = self._broker.protect(command.message)
        except CertificateError as error:
            raise _RefusedError("certificate", str(error)) from error
        octets = encode_message(message)
        local = LocalCommand(octets) if header.command_variant.local else None
        elements = case.elements or command.elements
        breach = self._sentry.breach(case.row.variant, case.user, elements, now)
        sequenced = header.first_in_sequence is not None or header.preceding_request_id is not None
        state: State = "ready"
        if breach:
            state, local = "quarantined", None
        elif not header.command_variant.sent:
            state = "local"
        elif due is not None or header.preceding_request_id is not None:
            state = "held"
        built = state in {"ready", "local"}
        keeps_document = not built or _remembered(case.row.variant)
        entry = self._ledger.accept(
            lambda number: replace(
                self._entry(case, number),
                state=state,
                due=due,
                after=header.preceding_request_id if state == "held" else None,
                deadline=now + timedelta(seconds=self._rules.sequence_timeout_s) if state == "held" else None,
                originator=message.business_originator_id if built else case.user,
                counter=message.originator_counter if built else header.request_id.counter,
                activation=command.activation if built else None,
                sequenced=sequenced,
                note=breach or command.note,
                document=write_request(case.request) if keeps_document else b"",
                message=octets if built else b"",
            ),
            family=case.use_case.counter_family,
            broker_counter=command.broker_counter if built else None,
            instructions=command.instructions,
            also=(self._sentry.note(case.row.variant, case.user, now),),
        )
        if local is not None and state == "local":
            return Answered(local)
        return Accepted(entry, local)

    def _require_certified(self, case: _Case, elements: Parameters) -> None:
        """What a device is asked to run must be certified for it; only what is not verified may hide it."""
        if not elements:
            return
        fault = activation_fault(
            self._rules.certified_products,
            case.device,
            case.row.variant,
            elements,
            self._distributed_version,
        )
        if fault is not None:
            raise _RefusedError("not certified", fault)

    def _entry(self, case: _Case, number: int) -> Pending:
        header = case.request.header
        if case.device.hub is None:
            raise _RefusedError(
                "hub", "the device is on the device log of no hub", ResponseCode.NO_COMMUNICATION
            )
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
        request_id = case.request.header.request_id
        around = self._around(request_id, now)
        try:
            command = transform(case.row, case.mapping, case.device, request_id, case.elements, around=around)
        except SecurityError as error:
            raise _RefusedError(error.check, str(error)) from error
        except DuisError as error:
            code = UNTRANSFORMABLE.get(case.row.variant, ResponseCode.UNASSIGNED)
            raise _RefusedError("transformation", str(error), code) from error
        message = command.message
        # Also where it asks itself: what it sends has counters of its own.
        by_dcc = message.business_originator_id in {self._broker.identity, self._rules.transitional_cos}
        if case.use_case.critical and by_dcc:
            message = self._sign_for_dcc(message)
        elif not by_dcc and self._rules.check_roles:
            fault = role_fault(case.use_case, case.device, case.user, case.roles)
            if fault is not None:
                code = choice_code(case.elements, ResponseCode.ROLE_NOT_ELIGIBLE)
                raise _RefusedError("role", fault, code)
        return _Command(
            message=message,
            broker_counter=message.originator_counter if by_dcc else None,
            activation=_future(command.activation),
            instructions=instructions_in(case.use_case, command.parameters),
            note=_digits_in(command.parameters),
        )

    def _sign_for_dcc(self, message: Message) -> Message:
        """A critical command of which the DCC itself is the originator, in one of its roles."""
        try:
            return self._broker.sign(message)
        except CertificateError as error:
            raise _RefusedError("certificate", str(error)) from error

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
            elements = from_parameters(case.mapping, parameters)
            self._broker.require_signature(message)
        except (CodecError, SecurityError) as error:
            raise _RefusedError("signed pre-command", str(error)) from error
        return _Command(
            message=message,
            activation=_future(activation_of(case.use_case, parameters)),
            instructions=instructions_in(case.use_case, parameters),
            elements=elements,
        )

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


def _digits_in(parameters: Parameters) -> str:
    """The customer identification number in a command, "" when it has none."""
    found = parameters.get("customer_identification_number")
    components = parameters.get("components")
    for component in components if isinstance(components, list) else ():
        if isinstance(component, dict):
            found = component.get("customer_id_number", found)
    return found if isinstance(found, str) else ""


def _mapping_of(request: Request, row: ServiceRequest) -> UseCaseMapping | None:
    """The mapping to the use case of a signed pre-command, None when it is no message of this variant."""
    try:
        message = decode_message(read_signed_pre_command(request.body).payload)
    except CodecError:
        return None
    return next((one for one in row.mappings if one.use_case.code == message.message_code), None)


def _remembered(variant: str) -> bool:
    """Whether the end of such a request needs the document again."""
    return variant in REMEMBERED


def _future(activation: str | None) -> str | None:
    return None if activation == IMMEDIATE else activation
