"""The GBCS application of a device: receives messages, acts on them, answers, raises alerts, keeps
future-dated work.

It does what every command needs; what a payload means is known to the engines that are installed in it.
Synchronous and free of I/O: octets and the time come in, and what is to be sent stands in the outbox of the
workplace once it is durable. The shell around it owns inbox, tunnel and power.

Spec: GBCS 6.2.4 (processing), 9.2 (future-dated work), 16 (alerts).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from smetslab.crypto import PublicKey, SharedSecrets
from smetslab.devices import events
from smetslab.devices.acceptance import Acceptance, Accepted, Peers, Refused, Step, Supported
from smetslab.devices.counters import ExecutionCounters, OwnCounter
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.event_log import EventLog, LogName
from smetslab.devices.future_dated import FutureDated, Instruction
from smetslab.devices.limits import UNUSUAL_COMMANDS, UNUSUAL_COMMANDS_WINDOW
from smetslab.devices.messages import Scribe
from smetslab.devices.own_keys import OwnKeys
from smetslab.devices.payload_engine import Call, Execution, Fault, PayloadEngine, WrongPayload
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import ANSWER_PREFIX, OUTBOX_PREFIX, Outgoing, Work, Workplace
from smetslab.errors import CertificateError, RegistryError
from smetslab.gbcs.codes import CounterFamily, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value, seconds_since_2000, utc_text
from smetslab.ids import Eui64, format_message_code
from smetslab.rng import RootSeed

ZIGBEE_DEVICES = (DeviceType.GSME, DeviceType.GPF)
"""Devices whose alerts have GBZ content. Spec: GBCS 16."""


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
    seed: RootSeed = field(default_factory=lambda: RootSeed(0))
    """The chance from which the device makes its keys."""


Stamp = Callable[[UseCase, datetime], int | None]
"""The clock status in the date-time of a response to a use case at a moment of laboratory time; None where it
says nothing about the clock. Of the published responses only those to gas reads tell it."""


_EngineT = TypeVar("_EngineT", bound=PayloadEngine)


class Application:
    """One device's application, as long as it has power."""

    def __init__(
        self,
        *,
        station: Station,
        workplace: Workplace,
        clock: TimeSource,
        routes: Callable[[int], events.Route] = events.route_of,
        stamp: Stamp | None = None,
    ) -> None:
        """It executes nothing until engines are installed.

        `routes`: what becomes of an event; `stamp`: what date-times of responses say about the clock.
        """
        nvm, quirks = workplace.nvm, station.quirks
        self._routes = routes
        self._stamp = stamp
        self._station = station
        self._place = workplace
        self._clock = clock
        self.trust_anchors = station.trust_anchors.opened(nvm)
        self.keys = OwnKeys(station.keys, nvm, station.eui64, station.seed)
        self.execution_counters = ExecutionCounters(nvm, quirks)
        self.own_counter = OwnCounter(nvm, quirks, station.first_alert_counter)
        self.event_log = EventLog(nvm, "event")
        self.security_log = EventLog(nvm, "security")
        self.logs: dict[LogName, EventLog] = {
            "event": self.event_log,
            "security": self.security_log,
            "power": EventLog(nvm, "power"),
            "auxiliary": EventLog(nvm, "auxiliary"),
        }
        self.future_dated = FutureDated(nvm, quirks)
        self._engines: list[PayloadEngine] = []
        self.scribe = Scribe(
            device=station.eui64,
            keys=self.keys,
            trust_anchors=self.trust_anchors,
            peers=self._peer_key,
            secrets=station.secrets,
            quirks=quirks,
        )
        self._acceptance = Acceptance(
            device=station.eui64,
            device_type=station.device_type,
            trust_anchors=self.trust_anchors,
            keys=self.keys,
            peers=self._peer_key,
            contingency=self._contingency_key,
            secrets=station.secrets,
            counters=self.execution_counters,
            payloads=self,
            supported=self._supports,
            quirks=quirks,
        )
        self.peers: Peers | None = None
        """Who is paired with the device and has a certificate for it: its device log, once there is one."""
        self.tell_home: Callable[[events.HanEvent], None] = lambda _event: None
        """Told of what devices of the home are to hear, once it is durable."""
        self._refusals: deque[datetime] = deque(maxlen=UNUSUAL_COMMANDS)
        self.command_fault: Fault | None = None
        self.activation_fault: Fault | None = None
        self._load_outbox()

    def _load_outbox(self) -> None:
        """Responses and alerts that had not left when the power went."""
        for key, octets in self._place.nvm.items(ANSWER_PREFIX):
            code, data = int.from_bytes(octets[:2], "big"), octets[2:]
            self._place.outbox.append(
                _response_to_send(key, code, data, decode_message(data).business_target_id)
            )
        for key, octets in self._place.nvm.items(OUTBOX_PREFIX):
            code, data = int.from_bytes(octets[:2], "big"), octets[2:]
            self._place.outbox.append(
                _alert_to_send(key, code, data, decode_message(data).business_target_id)
            )

    def _peer_key(self, device: Eui64) -> PublicKey | None:
        """The key agreement key of a device that this one is paired with; None for any other."""
        return None if self.peers is None else self.peers(device)

    def _contingency_key(self, message: Message) -> PublicKey | None:
        """The contingency key, for a command that brings what unwraps it."""
        contingency = self.trust_anchors.contingency
        return None if contingency is None else contingency.key_for(self.trust_anchors.root, message)

    # ---------------------------------------------------------------------------- engines

    def install(self, engine: _EngineT) -> _EngineT:
        """Give the device an engine; of several that support a use case the first installed has it."""
        self._engines.append(engine)
        return engine

    def _engine(self, use_case: UseCase) -> PayloadEngine | None:
        return next((engine for engine in self._engines if engine.supports(use_case)), None)

    def _supports(self, use_case: UseCase) -> bool:
        return self._station.supported(use_case) and self._engine(use_case) is not None

    def read(self, use_case: UseCase, message: Message, role: RemotePartyRole) -> Execution | WrongPayload:
        """The payload of an authentic command, ready to be executed, or what is wrong with it."""
        engine = self._engine(use_case)
        if engine is None:
            return WrongPayload(f"nothing executes {use_case.name}")
        return engine.read(use_case, message, role)

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
            call = Call(
                work=work,
                role=accepted.role,
                use_case=use_case,
                command=message,
                response=header,
                secret=secret,
            )
            done = accepted.execution(call, fault)
            work.note(
                "CommandExecuted",
                use_case=use_case.name,
                counter=message.originator_counter,
                failed_item=done.failed,
            )
            self._respond(work, header, done.content, use_case, accepted.role)

    def _advance_counter(self, work: Work, message: Message, use_case: UseCase) -> None:
        """Make the new execution counter part of the work, so that a replay can never find the old one."""
        family = use_case.counter_family
        if use_case.replay_protected and family is not CounterFamily.UTRN:
            self.execution_counters.advance(
                work, message.business_originator_id, family, message.originator_counter
            )

    def _response_header(self, work: Work, message: Message, use_case: UseCase) -> Message:
        """An unknown remote party that sent its certificate gets a counter of ours to derive the key from."""
        asked = message.other_information
        party = asked.supplementary_remote_party_id or message.business_originator_id
        unknown = (
            asked.key_agreement_certificate is not None
            and use_case.encrypts_response
            and self.trust_anchors.key_of(party, KeyUsage.KEY_AGREEMENT) is None
        )
        counter = self.own_counter.take(work) if unknown else None
        status = None if self._stamp is None else self._stamp(use_case, work.now)
        return self.scribe.response_header(
            message, use_case, self._clock.time(work.now), counter, clock_status=status
        )

    def _respond(
        self,
        work: Work,
        header: Message,
        content: bytes,
        use_case: UseCase,
        role: RemotePartyRole,
    ) -> None:
        protection = use_case.response_protection(role)
        try:
            data = self.scribe.response(header, content, protection)
        except CertificateError:
            work.note("ResponseNotSendable", recipient=str(header.business_target_id))
            return
        # A device answers once: what it has done and not yet said is said when power is back.
        key = self._place.answer_key()
        work.tx.put(key, use_case.code.to_bytes(2, "big") + data)
        work.send(_response_to_send(key, use_case.code, data, header.business_target_id))

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
            if refused.answer is None:
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
            if refused.answer is not None and use_case is not None and refused.role is not None:
                work.note(
                    "CommandRefused", use_case=use_case.name, reason=refused.reason, detail=refused.detail
                )
                self._advance_counter(work, message, use_case)
                header = self._response_header(work, message, use_case)
                self._respond(work, header, refused.answer(header), use_case, refused.role)
            if refused.step is Step.AUTHENTICATION and self._station.quirks.answers_before_authentication:
                self._answer_unauthenticated(work, message, use_case, refused.role)

    def _answer_unauthenticated(
        self, work: Work, message: Message, use_case: UseCase | None, role: RemotePartyRole | None
    ) -> None:
        """What the quirk `answers-before-authentication` does."""
        engine = None if use_case is None else self._engine(use_case)
        if use_case is None or role is None or engine is None:
            return
        header = self._response_header(work, message, use_case)
        content = engine.refuse(use_case, header)
        if content is not None:
            self._respond(work, header, content, use_case, role)

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

    def raise_event(self, work: Work, code: int, extra: bytes = b"") -> None:
        """Write an event where it belongs and tell who has to know; `extra` goes into the log. Spec: GBCS
        16.2."""
        route = self._routes(code)
        if route.log is not None:
            self.logs[route.log].append(work, code, self._clock.time(work.now), extra)
        if route.alert is not None:
            self._alert_generic(work, route.alert, code, route.parties)
        if route.han or route.alarm:
            work.note("EventShown", code=f"{code:04X}", han=route.han, alarm=route.alarm)
        if route.han:
            told = events.HanEvent(code, seconds_since_2000(self._clock.time(work.now)), route.log, extra)
            work.then(lambda: self.tell_home(told))

    def _alert_generic(
        self,
        work: Work,
        kind: events.AlertKind,
        code: int,
        parties: tuple[RemotePartyRole, ...] = (),
    ) -> None:
        """Alert the parties of an event, or the one that the device answers to; who is not known to the
        device cannot be told."""
        for role in parties or (self._station.answers_to,):
            recipient = self.trust_anchors.party(role)
            if recipient is not None:
                self.send_alert(work, USE_CASES[self._generic(kind)], code, recipient)

    def _generic(self, kind: events.AlertKind) -> str:
        """The use case of a generic alert: ZigBee devices write GBZ content. Spec: GBCS 16."""
        return f"{kind}-ZigBee" if self._station.device_type in ZIGBEE_DEVICES else kind

    def _alert_unsupported(self, work: Work, message: Message) -> None:
        """Tell the originator that its command is not supported. Spec: GBCS use case ECS100.

        That one has DLMS content; a ZigBee device sends the code alone (unverified).
        """
        if self._station.device_type in ZIGBEE_DEVICES:
            use_case = USE_CASES[self._generic("GCA")]
            self.send_alert(work, use_case, events.COMMAND_NOT_SUPPORTED, message.business_originator_id)
            return
        self.send_alert(
            work,
            USE_CASES["ECS100"],
            events.COMMAND_NOT_SUPPORTED,
            message.business_originator_id,
            {
                "unsupported_command": {
                    "message_code": format_message_code(message.message_code),
                    "originator_counter": message.originator_counter,
                }
            },
            answers=message,
        )

    def send_alert(
        self,
        work: Work,
        use_case: UseCase,
        code: int,
        recipient: Eui64,
        parameters: Parameters | None = None,
        *,
        answers: Message | None = None,
        on_behalf_of: Eui64 | None = None,
    ) -> None:
        """Number an alert and keep it in memory until it has left.

        `parameters`: those besides code and time stamp; `answers`: the command whose supplementary fields it
        repeats; `on_behalf_of`: a party that it names besides its recipient.
        """
        counter = self.own_counter.take(work)
        members: Parameters = {
            "alert_code": f"{code:04X}",
            "time_stamp": utc_text(self._clock.time(work.now)),
            **(parameters or {}),
        }
        try:
            data = self.scribe.alert(
                use_case, recipient, counter, members, answers=answers, on_behalf_of=on_behalf_of
            )
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
                met = fault if fault is not None and place == fault.item else None
                self._execute_dated(work, instruction, met)
        return True

    def _execute_dated(self, work: Work, instruction: Instruction, fault: Fault | None) -> None:
        engine = next((one for one in self._engines if one.kind == instruction.kind), None)
        if engine is None:
            raise RegistryError(f"nothing carries out {instruction.kind} instruction {instruction.name}")
        self.future_dated.forget(work, instruction.kind, instruction.key)
        activated = engine.activate(work, instruction, fault)
        work.note(
            "FutureDatedExecuted",
            object=instruction.name,
            counter=instruction.counter,
            outcome="success" if activated.done else "failure",
        )
        if not self._station.quirks.no_activation_alert:
            self.send_alert(
                work, activated.use_case, activated.code, instruction.originator, activated.parameters
            )

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
            "power_log": [dict(entry) for entry in self.logs["power"].describe()],
            "event_log": [dict(entry) for entry in self.event_log.describe()],
            "security_log": [dict(entry) for entry in self.security_log.describe()],
            "outbox": [
                {"event": outgoing.event, "target": str(outgoing.target), "octets": len(outgoing.data)}
                for outgoing in self._place.outbox
            ],
        }


def _response_to_send(key: str, code: int, data: bytes, target: Eui64) -> Outgoing:
    return Outgoing(
        data=data,
        target=target,
        event="ResponseSent",
        detail={"message_code": format_message_code(code)},
        memory_key=key,
    )


def _alert_to_send(key: str, code: int, data: bytes, target: Eui64) -> Outgoing:
    return Outgoing(
        data=data,
        target=target,
        event="AlertSent",
        detail={"code": f"{code:04X}"},
        memory_key=key,
        alert=True,
    )
