"""The GBCS application of a DLMS device: receives messages, acts on them, answers, raises alerts, keeps
future-dated work.

Synchronous and free of I/O: octets and the time come in, and what is to be sent stands in the outbox of the
workplace once it is durable. The shell around it owns inbox, tunnel and power.

Spec: GBCS 6.2.4 (processing), 9.2 (future-dated work), 16 (alerts).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from smetslab.crypto import SharedSecrets
from smetslab.devices import events
from smetslab.devices.acceptance import Acceptance, Accepted, Refused, Step, Supported
from smetslab.devices.cosem.objects import MemberKey, ObjectModel
from smetslab.devices.cosem.rights import AccessRights
from smetslab.devices.cosem.server import Bindings, Call, CosemServer
from smetslab.devices.counters import ExecutionCounters, OwnCounter
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.event_log import EventLog
from smetslab.devices.future_dated import FutureDated, Instruction
from smetslab.devices.limits import UNUSUAL_COMMANDS, UNUSUAL_COMMANDS_WINDOW
from smetslab.devices.messages import Scribe
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import OUTBOX_PREFIX, Outgoing, Work, Workplace
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import AccessResponse, AccessResult, DataAccessResult, Obis
from smetslab.gbcs.dlms.apdu import long_invoke_id as invoke_id_of
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value, utc_text
from smetslab.ids import Eui64, format_message_code


class TimeSource(Protocol):
    """The clock of the device."""

    @property
    def running(self) -> bool:
        """Whether timed work goes on."""

    def time(self, now: datetime) -> datetime:
        """The device's time at a moment of laboratory time."""

    def moment(self, time: datetime) -> datetime:
        """The moment of laboratory time at which the device's clock will show `time`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Who a device is and what it goes by. `answers_to`: the role that is told of security events."""

    eui64: Eui64
    device_type: DeviceType
    keys: DeviceKeys
    trust_anchors: TrustAnchorStore
    secrets: SharedSecrets
    quirks: Quirks
    supported: Supported
    answers_to: RemotePartyRole
    first_alert_counter: int


class DlmsApplication:
    """One device's application, as long as it has power."""

    def __init__(
        self,
        *,
        station: Station,
        workplace: Workplace,
        model: ObjectModel,
        rights: AccessRights,
        bindings: Bindings,
        clock: TimeSource,
        state: Mapping[str, Value] | None = None,
    ) -> None:
        nvm, quirks = workplace.nvm, station.quirks
        self._station = station
        self._place = workplace
        self._clock = clock
        self.execution_counters = ExecutionCounters(nvm, quirks)
        self.own_counter = OwnCounter(nvm, quirks, station.first_alert_counter)
        self.event_log = EventLog(nvm, "event")
        self.security_log = EventLog(nvm, "security")
        self.future_dated = FutureDated(nvm, quirks, self._activate)
        self.server = CosemServer(
            model=model,
            rights=rights,
            bindings=bindings,
            schedule=self.future_dated,
            nvm=nvm,
            quirks=quirks,
            state=state,
        )
        self.scribe = Scribe(
            device=station.eui64,
            keys=station.keys,
            trust_anchors=station.trust_anchors,
            secrets=station.secrets,
            quirks=quirks,
        )
        self._acceptance = Acceptance(
            device=station.eui64,
            device_type=station.device_type,
            trust_anchors=station.trust_anchors,
            key=station.keys.ka,
            secrets=station.secrets,
            counters=self.execution_counters,
            objects=self.server,
            supported=station.supported,
            quirks=quirks,
        )
        self._refusals: deque[datetime] = deque(maxlen=UNUSUAL_COMMANDS)
        self.command_fault: int | None = None
        self.activation_fault: int | None = None
        self._load_outbox()

    def _load_outbox(self) -> None:
        """Alerts that had not left when the power went."""
        for key, octets in self._place.nvm.items(OUTBOX_PREFIX):
            code, data = int.from_bytes(octets[:2], "big"), octets[2:]
            self._place.outbox.append(
                _alert_to_send(key, code, data, decode_message(data).business_target_id)
            )

    def _activate(self, work: Work, key: MemberKey) -> None:
        self.server.activate(work, key)

    # ---------------------------------------------------------------------------- commands

    def receive(self, data: bytes, now: datetime) -> None:
        """Take one message from a remote party."""
        self._place.note("MessageReceived", data=data)
        outcome = self._acceptance.judge(data)
        if isinstance(outcome, Accepted):
            self._execute(outcome, now)
        else:
            self._refuse(outcome, data, now)

    def _execute(self, accepted: Accepted, now: datetime) -> None:
        message, use_case = accepted.message, accepted.use_case
        self._note_authenticated(message, use_case, accepted.role)
        fault, self.command_fault = self.command_fault, None
        with self._place.work(now) as work:
            self._advance_counter(work, message, use_case)
            header = self._response_header(work, message, use_case)
            secret = self.scribe.encryption_secret(message) if use_case.encrypts_response else None
            call = Call(work=work, role=accepted.role, command=message, response=header, secret=secret)
            response, failed = self.server.run(accepted.request, call, fault)
            work.note(
                "CommandExecuted",
                use_case=use_case.name,
                counter=message.originator_counter,
                failed_item=failed,
            )
            self._respond(work, header, response, use_case, accepted.role)

    def _advance_counter(self, work: Work, message: Message, use_case: UseCase) -> None:
        """Make the new execution counter part of the work, so that a replay can never find the old one."""
        family = use_case.counter_family
        if use_case.replay_protected and family is not CounterFamily.UTRN:
            self.execution_counters.advance(
                work, message.business_originator_id, family, message.originator_counter
            )

    def _response_header(self, work: Work, message: Message, use_case: UseCase) -> Message:
        """An unknown remote party that sent its certificate gets a counter of ours to derive the key from."""
        unknown = (
            message.other_information.key_agreement_certificate is not None and use_case.encrypts_response
        )
        counter = self.own_counter.take(work) if unknown else None
        return self.scribe.response_header(message, use_case, self._clock.time(work.now), counter)

    def _respond(
        self,
        work: Work,
        header: Message,
        response: AccessResponse,
        use_case: UseCase,
        role: RemotePartyRole,
    ) -> None:
        protection = use_case.response_protection(role)
        try:
            data = self.scribe.response(header, response.encode(), protection)
        except CertificateError:
            work.note("ResponseNotSendable", recipient=str(header.business_target_id))
            return
        work.send(
            Outgoing(
                data=data,
                target=header.business_target_id,
                event="ResponseSent",
                detail={"message_code": format_message_code(use_case.code)},
            )
        )

    # ---------------------------------------------------------------------------- refusals

    def _refuse(self, refused: Refused, data: bytes, now: datetime) -> None:
        message, use_case = refused.message, refused.use_case
        if refused.step is Step.ENVELOPE or message is None:
            self._place.note(
                "MessageDropped", data=data, reason=refused.reason, step=refused.step, detail=refused.detail
            )
            return
        if refused.authentic:
            self._note_authenticated(message, use_case, refused.role)
        with self._place.work(now) as work:
            if refused.response is None:
                work.note("MessageDropped", data=data, reason=refused.reason, step=refused.step)
            for code in refused.log:
                self.security_log.append(work, code, self._clock.time(now))
            for code in refused.alerts:
                self._alert_generic(work, "GCA", code)
            self._count_refusal(work)
            if (
                refused.reason == "unsupported-message-code"
                and not self._station.quirks.silent_on_unsupported_command
            ):
                self._alert_unsupported(work, message)
            if refused.response is not None and use_case is not None and refused.role is not None:
                work.note(
                    "CommandRefused", use_case=use_case.name, reason=refused.reason, detail=refused.detail
                )
                self._advance_counter(work, message, use_case)
                header = self._response_header(work, message, use_case)
                response = replace(refused.response, long_invoke_id=invoke_id_of(header.originator_counter))
                self._respond(work, header, response, use_case, refused.role)
            if refused.step is Step.AUTHENTICATION and self._station.quirks.answers_before_authentication:
                self._answer_unauthenticated(work, message, use_case, refused.role)

    def _answer_unauthenticated(
        self, work: Work, message: Message, use_case: UseCase | None, role: RemotePartyRole | None
    ) -> None:
        """What the quirk `answers-before-authentication` does."""
        if use_case is None or role is None or not isinstance(use_case.payload, DlmsAccess):
            return
        items = use_case.payload.items
        response = AccessResponse(
            invoke_id_of(message.originator_counter),
            tuple(axdr.null() for _ in items),
            tuple(AccessResult(item.choice, DataAccessResult.OTHER_REASON) for item in items),
        )
        self._respond(work, self._response_header(work, message, use_case), response, use_case, role)

    def _count_refusal(self, work: Work) -> None:
        """Unusual numbers of refused commands are an event of their own. Spec: GBCS 16.2 (0x8F60)."""
        self._refusals.append(work.now)
        full = len(self._refusals) == UNUSUAL_COMMANDS
        if full and work.now - self._refusals[0] <= UNUSUAL_COMMANDS_WINDOW:
            self._refusals.clear()
            self.raise_event(work, events.UNUSUAL_NUMBER_OF_COMMANDS)

    def _note_authenticated(
        self, message: Message, use_case: UseCase | None, role: RemotePartyRole | None
    ) -> None:
        self._place.note(
            "CommandAuthenticated",
            use_case=format_message_code(message.message_code) if use_case is None else use_case.name,
            counter=message.originator_counter,
            role="" if role is None else role.name.lower(),
        )

    # ---------------------------------------------------------------------------- events and alerts

    def raise_event(self, work: Work, code: int) -> None:
        """Write an event where it belongs and tell who has to know. Spec: GBCS 16.2."""
        route = events.ROUTES[code]
        if route.log is not None:
            log = self.security_log if route.log == "security" else self.event_log
            log.append(work, code, self._clock.time(work.now))
        if route.alert is not None:
            self._alert_generic(work, route.alert, code)

    def _alert_generic(self, work: Work, kind: events.AlertKind, code: int) -> None:
        """Alert the party that the device answers to; a device without one has nobody to tell."""
        recipient = self._station.trust_anchors.party(self._station.answers_to)
        if recipient is not None:
            parameters = self._alert_parameters(work, code)
            self._alert(work, USE_CASES[kind], code, recipient, parameters)

    def _alert_unsupported(self, work: Work, message: Message) -> None:
        """Tell the originator that its command is not supported. Spec: GBCS use case ECS100."""
        parameters = self._alert_parameters(work, events.COMMAND_NOT_SUPPORTED)
        parameters["unsupported_command"] = {
            "message_code": format_message_code(message.message_code),
            "originator_counter": message.originator_counter,
        }
        use_case = USE_CASES["ECS100"]
        self._alert(
            work,
            use_case,
            events.COMMAND_NOT_SUPPORTED,
            message.business_originator_id,
            parameters,
            answers=message,
        )

    def _alert_parameters(self, work: Work, code: int) -> Parameters:
        return {"alert_code": f"{code:04X}", "time_stamp": utc_text(self._clock.time(work.now))}

    def _alert(
        self,
        work: Work,
        use_case: UseCase,
        code: int,
        recipient: Eui64,
        parameters: Parameters,
        *,
        answers: Message | None = None,
    ) -> None:
        """Number an alert and keep it in memory until it has left."""
        counter = self.own_counter.take(work)
        try:
            data = self.scribe.alert(use_case, recipient, counter, parameters, answers=answers)
        except CertificateError:
            work.note("AlertNotSendable", code=f"{code:04X}", recipient=str(recipient))
            return
        key = f"{OUTBOX_PREFIX}{counter:020}"
        work.tx.put(key, code.to_bytes(2, "big") + data)
        work.send(_alert_to_send(key, code, data, recipient))

    # ---------------------------------------------------------------------------- timed work

    def next_deadline(self) -> datetime | None:
        """When `tick` has something to do, in laboratory time; None: nothing waits, or the clock does not
        run."""
        waiting = self.future_dated.waiting
        if not waiting or not self._clock.running:
            return None
        return self._clock.moment(waiting[0].at)

    def tick(self, now: datetime) -> bool:
        """Execute the instructions whose time has come; True when there were any. Spec: GBCS 9.2."""
        if not self._clock.running:
            return False
        due = self.future_dated.due(self._clock.time(now))
        if not due:
            return False
        fault, self.activation_fault = self.activation_fault, None
        with self._place.work(now) as work:
            for place, instruction in enumerate(due):
                done = self.future_dated.execute(work, instruction, fault=place == fault)
                work.note(
                    "FutureDatedExecuted",
                    object=instruction.name,
                    counter=instruction.counter,
                    outcome="success" if done else "failure",
                )
                if not self._station.quirks.no_activation_alert:
                    self._alert_executed(work, instruction, done=done)
        return True

    def _alert_executed(self, work: Work, instruction: Instruction, *, done: bool) -> None:
        code = events.FUTURE_DATED_DONE if done else events.FUTURE_DATED_FAILED
        parameters = self._alert_parameters(work, code)
        class_id, obis, attribute = instruction.key
        parameters["instruction"] = {
            "message_code": format_message_code(instruction.message_code),
            "originator_counter": instruction.counter,
            "class_id": class_id,
            "logical_name": str(Obis(obis)),
            "attribute": attribute,
        }
        self._alert(work, USE_CASES["FDEI-DLMS"], code, instruction.originator, parameters)

    # ---------------------------------------------------------------------------- for people

    def inspect(self) -> dict[str, Value]:
        """The state of the application, for diagnosis."""
        return {
            "counters": {
                "own": self.own_counter.next_value,
                "execution": [
                    {"party": str(party), "family": str(family), "counter": counter}
                    for party, family, counter in self.execution_counters.items()
                ],
            },
            "pending": [
                {
                    "object": instruction.name,
                    "at": utc_text(instruction.at),
                    "message_code": format_message_code(instruction.message_code),
                    "counter": instruction.counter,
                    "originator": str(instruction.originator),
                }
                for instruction in self.future_dated.waiting
            ],
            "event_log": [dict(entry) for entry in self.event_log.describe()],
            "security_log": [dict(entry) for entry in self.security_log.describe()],
            "outbox": [
                {"event": outgoing.event, "target": str(outgoing.target), "octets": len(outgoing.data)}
                for outgoing in self._place.outbox
            ],
        }


def _alert_to_send(key: str, code: int, data: bytes, target: Eui64) -> Outgoing:
    return Outgoing(
        data=data, target=target, event="AlertSent", detail={"code": f"{code:04X}"}, memory_key=key
    )
