"""The mock DCC itself: the doors for requests, the life of each accepted one, and what comes up from the
hubs.

The rules are elsewhere: `access` says who may, `transform` what is sent, `correlate` what is remembered,
`respond` what is written. Here is only their order in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Protocol

from smetslab.clock import Clock, timeout
from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.blocks import BlockWan
from smetslab.dcc.correlate import Ledger, Pending, Question
from smetslab.dcc.intake import Accepted, Answered, Cancelled, Intake, Outcome, Refused
from smetslab.dcc.life_cycle import STATUS_AFTER
from smetslab.dcc.respond import (
    Responder,
    alert_code_of,
    alert_recipient,
    instruction_of,
    instruction_place,
)
from smetslab.dcc.rules import DCC_IDENTITY, DccRules
from smetslab.dcc.waiting import AlertBox, RawExchanges
from smetslab.duis.codes import ResponseCode, WebService
from smetslab.duis.document import (
    DeviceResponse,
    Payload,
    RequestId,
    Response,
    parse_request,
    write_response,
)
from smetslab.errors import (
    CodecError,
    DuisError,
    GbcsDecodeError,
    LocalProtocolError,
    SecurityError,
    WanError,
)
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases.engine import FAILURES, decode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import NEVER
from smetslab.ids import Eui64
from smetslab.pki import KeyStore
from smetslab.registry import Inventory, UserDirectory
from smetslab.store import Nvm
from smetslab.trace import Detail, Trace
from smetslab.wan import Wan, WanMessage

HEAD = "dcc"
"""The name of the DCC in the trace."""


class Validator(Protocol):
    """A schema: `smetslab.duis.schema.DuisSchema`."""

    def validate(self, data: bytes) -> None:
        """Raises DuisError."""
        ...


class MockDcc:
    """The DCC of one laboratory. An async context manager: in its block it sends, waits and receives.

    `nvm` is its own memory: with the same memory a new `MockDcc` goes on where the last one stopped.
    """

    def __init__(
        self,
        *,
        keystore: KeyStore,
        wan: Wan,
        clock: Clock,
        trace: Trace,
        nvm: Nvm,
        inventory: Inventory,
        users: UserDirectory,
        rules: DccRules | None = None,
        identity: Eui64 = DCC_IDENTITY,
        validator: Validator | None = None,
    ) -> None:
        self.rules = DccRules() if rules is None else rules
        self.broker = AccessControlBroker(identity, keystore)
        self.inventory = inventory
        self._clock = clock
        self._trace = trace
        self._validator = validator
        self._ledger = Ledger(nvm)
        self._wan = BlockWan(wan, clock, trace, lambda: f"block-{self._ledger.next_number()}")
        self._intake = Intake(self.broker, inventory, users, self._ledger, self.rules)
        self._responder = Responder(self.rules.schema_version)
        self._group: asyncio.TaskGroup | None = None
        self._detach: Callable[[], None] | None = None
        self._carriers: dict[int, asyncio.Task[None]] = {}
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._finals: dict[int, list[asyncio.Future[None]]] = {}
        self._raw = RawExchanges(clock)
        self._alert_box = AlertBox(clock)

    async def __aenter__(self) -> MockDcc:
        if self._group is not None:
            raise LocalProtocolError("the DCC is running already")
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        await self._wan.__aenter__()
        for entry in self._ledger.pending():
            self._carry_on(entry)
        self._detach = self._wan.attach_head(self._receive)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        if self._detach is not None:
            self._detach()
        for task in self._carriers.values():
            task.cancel()
        for waiter in [waiter for waiters in self._finals.values() for waiter in waiters]:
            if not waiter.done():
                waiter.set_exception(LocalProtocolError("the DCC stopped while a request was under way"))
        self._finals.clear()
        await group.__aexit__(None, None, None)
        await self._wan.__aexit__(None, None, None)

    # Doors --------------------------------------------------------------------------------------------------

    async def submit(self, xml: bytes, service: WebService | None = None) -> bytes:
        """Take a request and return its last answer: the response of the device where there will be one.

        Without `service` the document is taken at whatever door its command variant belongs to. Raises
        DuisError when it is no valid Request at all.
        """
        answer, entry = self._take(xml, service)
        if entry is None:
            return answer
        await self._done(entry.number)
        final = self._ledger.take_final(entry)
        if final is None:
            raise LocalProtocolError(f"somebody else fetched the final response to {entry.request_id}")
        return final

    async def receive(self, xml: bytes, service: WebService | None = None) -> bytes:
        """Take a request and return its synchronous answer alone. Raises DuisError."""
        return self._take(xml, service)[0]

    async def final_response(self, request_id: RequestId) -> bytes:
        """The final response to an acknowledged request, once; waits for it. Raises LocalProtocolError."""
        for entry in self._ledger.pending():
            if entry.request_id == request_id:
                await self._done(entry.number)
        found = self._ledger.final(request_id)
        if found is None:
            raise LocalProtocolError(f"no response to {request_id} is expected or kept")
        self._ledger.take(found[0])
        return found[1]

    @property
    def alerts(self) -> list[bytes]:
        """Every alert for users, as documents, oldest first."""
        return self._ledger.alerts()

    async def next_alert(self, predicate: Callable[[Response], bool], timeout_s: float) -> Response:
        """The first alert that satisfies `predicate` and that no call has returned yet. Raises
        TimeoutError.
        """
        return await self._alert_box.next(predicate, timeout_s)

    # Requests -----------------------------------------------------------------------------------------------

    def _take(self, xml: bytes, service: WebService | None) -> tuple[bytes, Pending | None]:
        self._running()
        now = self._clock.now()
        try:
            request = parse_request(xml, limit=self.rules.document_limit)
            if self._validator is not None:
                self._validator.validate(xml)
            user = str(request.header.request_id.originator)
            self._trace.record(
                "duis",
                "RequestReceived",
                source=user,
                target=HEAD,
                data=xml,
                variant=request.header.variant,
                request_id=request.header.request_id.key,
            )
            outcome = self._intake.take(request, service, now)
        except DuisError as error:
            self._trace.record("dcc", "DocumentRefused", target=HEAD, data=xml, reason=str(error))
            raise
        self._note(request.header.request_id, outcome)
        entry = outcome.entry if isinstance(outcome, Accepted) else None
        if isinstance(outcome, Cancelled):
            for held in outcome.entries:
                self._give_up(held, ResponseCode.FUTURE_DATED_TIME_OUT, "cancelled")
        code, payload = _synchronous(outcome)
        header = request.header
        question = Question(header.request_id, header.service_reference, header.variant)
        response = self._responder.answer(question, code, now, payload)
        if entry is not None:
            self._carry_on(entry)
        document = write_response(response)
        self._note_response_sent(response, document, user)
        return document, entry

    def _note(self, request_id: RequestId, outcome: Outcome) -> None:
        target = str(request_id.target)
        match outcome:
            case Refused(check, code, reason):
                self._trace.record(
                    "dcc",
                    "RequestRefused",
                    source=HEAD,
                    target=target,
                    request_id=request_id.key,
                    check=check,
                    code=code,
                    reason=reason,
                )
            case Accepted(entry):
                self._trace.record(
                    "dcc",
                    "RequestAccepted",
                    source=HEAD,
                    target=target,
                    request_id=request_id.key,
                    use_case=entry.use_case,
                    originator=str(entry.originator),
                    counter=entry.counter,
                    held_until=None if entry.due is None else entry.due.isoformat(),
                )
            case Answered(payload):
                self._trace.record(
                    "dcc",
                    "CommandTransformed",
                    source=HEAD,
                    target=target,
                    data=payload.payload,
                    request_id=request_id.key,
                )
            case Cancelled(entries):
                self._trace.record(
                    "dcc",
                    "HeldRequestsCancelled",
                    source=HEAD,
                    target=target,
                    request_id=request_id.key,
                    count=len(entries),
                )

    def _note_response_sent(self, response: Response, document: bytes, user: str) -> None:
        self._trace.record(
            "duis",
            "ResponseSent",
            source=HEAD,
            target=user,
            data=document,
            code=response.code,
            request_id="" if response.request_id is None else response.request_id.key,
        )

    # The life of one request --------------------------------------------------------------------------------

    def _carry_on(self, entry: Pending) -> None:
        """Start the task that brings an accepted request to its end."""
        group = self._running()
        self._answers[entry.number] = asyncio.get_running_loop().create_future()
        task = group.create_task(self._carry(entry), name=f"dcc request {entry.request_id.key}")
        self._carriers[entry.number] = task
        task.add_done_callback(lambda _: self._drop(entry.number))

    def _running(self) -> asyncio.TaskGroup:
        if self._group is None:
            raise LocalProtocolError("the DCC is not running: use it inside its `async with` block")
        return self._group

    def _drop(self, number: int) -> None:
        self._carriers.pop(number, None)
        self._answers.pop(number, None)

    async def _carry(self, entry: Pending) -> None:
        """One request, from acceptance or from where the last run left it, to its final response."""
        if entry.due is not None and entry.state == "held":
            await self._clock.sleep_until(entry.due)
            ready = self._intake.resume(entry, self._clock.now())
            if isinstance(ready, Refused):
                self._note(entry.request_id, ready)
                self._complete(entry, ready.code)
                return
            entry = ready
        if entry.state == "ready":
            try:
                await self._deliver(entry)
            except WanError as error:
                self._give_up(entry, ResponseCode.NO_COMMUNICATION, str(error))
                return
            if self._ledger.get(entry.number) is None:
                return
            deadline = self._clock.now() + timedelta(seconds=self.rules.response_timeout_s)
            entry = replace(entry, state="sent", deadline=deadline)
            self._ledger.change(entry)
        await self._await_answer(entry)

    async def _deliver(self, entry: Pending) -> None:
        """Hand the command to the WAN, again and again while that is of use. Raises WanError."""
        message = WanMessage(entry.identity, entry.hub, entry.message)
        give_up_at = self._clock.time() + self.rules.delivery_timeout_s
        # A refused message may have gone out in part: where its response is here already, it is enough.
        while self._ledger.get(entry.number) is not None:
            try:
                await self._wan.to_hub(message)
            except WanError as error:
                if not error.transient or self._clock.time() >= give_up_at:
                    raise
                await self._clock.sleep(self.rules.retry_interval_s)
            else:
                self._trace.record(
                    "gbcs", "CommandSent", source=HEAD, target=str(entry.device), data=entry.message
                )
                return

    async def _await_answer(self, entry: Pending) -> None:
        if entry.deadline is None:
            raise LocalProtocolError("a request that was sent has no deadline")
        remaining = (entry.deadline - self._clock.now()).total_seconds()
        try:
            async with timeout(self._clock, max(0.0, remaining)):
                await self._answers[entry.number]
        except TimeoutError:
            code = ResponseCode.FUTURE_DATED_TIME_OUT if entry.was_held else ResponseCode.NO_RESPONSE
            self._give_up(entry, code, "no response")

    def _give_up(self, entry: Pending, code: str, reason: str) -> None:
        if self._ledger.get(entry.number) is None:
            return  # its response came at the very moment of its deadline
        self._trace.record(
            "dcc",
            "RequestGivenUp",
            source=HEAD,
            target=str(entry.device),
            request_id=entry.request_id.key,
            code=code,
            reason=reason,
        )
        self._complete(entry, code)

    def _complete(
        self,
        entry: Pending,
        code: str,
        octets: bytes | None = None,
        *,
        identity: str | None = None,
        forget_future: bool = False,
    ) -> None:
        """Give a request its one final response."""
        payload = None if octets is None else DeviceResponse(octets)
        response = self._responder.answer(
            entry.question,
            code,
            self._clock.now(),
            payload,
            from_device=octets is not None,
        )
        document = write_response(response)
        self._ledger.finish(entry, document, identity=identity, forget_future=forget_future)
        self._note_response_sent(response, document, str(entry.request_id.originator))
        answer = self._answers.get(entry.number)
        if answer is not None and not answer.done():
            answer.set_result(None)
        if entry.state == "held" and code != ResponseCode.SUCCESS:
            self._stop(entry.number)
        for waiter in self._finals.pop(entry.number, []):
            if not waiter.done():
                waiter.set_result(None)

    def _stop(self, number: int) -> None:
        """End the task of a request that is over, unless it is the one that says so."""
        task = self._carriers.get(number)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _done(self, number: int) -> None:
        """Wait until a request has its final response."""
        if self._ledger.get(number) is None:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._finals.setdefault(number, []).append(waiter)
        await waiter

    # From the hubs ------------------------------------------------------------------------------------------

    def _receive(self, arrived: WanMessage) -> None:
        """Called by the WAN: everything that follows from a message happens before the WAN forgets it."""
        if self._ledger.is_repeat(arrived.identity):
            self._drop_message(arrived, "repeated by the WAN")
            return
        try:
            message = decode_message(arrived.payload)
        except GbcsDecodeError as error:
            self._drop_message(arrived, f"not a GBCS message: {error}")
            return
        try:
            match message.cra:
                case Cra.RESPONSE:
                    self._take_response(message, arrived)
                case Cra.ALERT:
                    self._take_alert(message, arrived)
                case _:
                    self._drop_message(arrived, "a command does not come from a hub")
        except (SecurityError, GbcsDecodeError) as error:
            self._drop_message(arrived, str(error))

    def _drop_message(self, arrived: WanMessage, reason: str) -> None:
        self._trace.record(
            "dcc", "MessageDropped", source=str(arrived.hub), target=HEAD, data=arrived.payload, reason=reason
        )

    def _take_response(self, message: Message, arrived: WanMessage) -> None:
        if self._raw.answered_by(message):
            # A later exchange of the same octets must not be answered by a repeat of this response.
            self._ledger.note_seen(arrived.identity)
            self._note_response(message, arrived, raw=True)
            return
        entry = self._ledger.match(message)
        if entry is None:
            self._drop_message(arrived, "no request waits for this response")
            return
        use_case = USE_CASES[entry.use_case]
        if message.message_code != use_case.code:
            self._drop_message(arrived, f"not a response to {use_case.name}")
            return
        checked = self.rules.verify_devices and self.broker.check_from_device(
            message, critical=use_case.critical
        )
        self._note_response(message, arrived, request_id=entry.request_id.key, checked=checked)
        succeeded = _succeeded(entry, message)
        status = STATUS_AFTER.get(entry.question.variant)
        if succeeded and status is not None and self.inventory.find(entry.device) is not None:
            self.inventory.set_status(entry.device, status)
        self._complete(
            entry,
            ResponseCode.SUCCESS,
            arrived.payload,
            identity=arrived.identity,
            forget_future=succeeded and entry.activation == NEVER,
        )

    def _note_response(self, message: Message, arrived: WanMessage, **detail: Detail) -> None:
        self._trace.record(
            "gbcs",
            "ResponseReceived",
            source=str(message.business_originator_id),
            target=HEAD,
            data=arrived.payload,
            **detail,
        )

    def _take_alert(self, message: Message, arrived: WanMessage) -> None:
        if self.rules.verify_devices:
            self.broker.check_from_device(message, critical=None)
        device, counter = message.business_originator_id, message.originator_counter
        code, recipient = alert_code_of(message), alert_recipient(message, self.broker.identity)
        self._trace.record(
            "gbcs",
            "AlertReceived",
            source=str(device),
            target=HEAD,
            data=arrived.payload,
            code=code,
            recipient=str(recipient),
            counter=counter,
        )
        response = self._explain_alert(message, arrived, code, recipient)
        self._trace.record(
            "duis",
            "AlertSent",
            source=HEAD,
            target=str(recipient),
            data=write_response(response),
            code=code,
        )
        self._alert_box.offer(response)

    def _explain_alert(
        self, message: Message, arrived: WanMessage, alert_code: str, recipient: Eui64
    ) -> Response:
        """The document for an alert, kept: the outcome of a future-dated command where it is one."""
        moment, octets = self._clock.now(), arrived.payload
        instruction = instruction_of(message)
        counter = None if instruction is None else instruction.get("originator_counter")
        if instruction is not None and isinstance(counter, int):
            future = self._ledger.future_dated(recipient, message.business_originator_id, counter)
            place = None if future is None else instruction_place(USE_CASES[future.use_case], instruction)
            if future is not None and place is not None:
                response = self._responder.outcome(future, alert_code, octets, place, moment)
                self._ledger.keep_outcome(write_response(response), arrived.identity, future, *place)
                return response
        response = self._responder.alert(message, recipient, alert_code, octets, moment)
        self._ledger.keep_alert(write_response(response), arrived.identity)
        return response

    # Past all checks ----------------------------------------------------------------------------------------

    async def send_raw(self, data: bytes, target: Eui64) -> None:
        """Send octets to a device as they are: for tests of what a device does with what nobody should send.

        Raises WanError; LocalProtocolError when the inventory does not know the device.
        """
        device = self.inventory.find(target)
        if device is None:
            raise LocalProtocolError(f"device {target} is not in the inventory")
        identity = f"raw-{self._ledger.next_number()}"
        await self._wan.to_hub(WanMessage(identity, device.hub, data))
        self._trace.record("gbcs", "CommandSent", source=HEAD, target=str(target), data=data, raw=True)

    async def exchange_raw(self, data: bytes, target: Eui64, timeout_s: float) -> Message | None:
        """Send octets as they are and return the response to them; None when there is none in time.

        Where the octets are no message, any response of the device counts.
        """
        with self._raw.expect(data, target) as answer:
            await self.send_raw(data, target)
            return await self._raw.wait(answer, timeout_s)


def _synchronous(outcome: Outcome) -> tuple[str, Payload | None]:
    """Response code and payload of the synchronous answer."""
    match outcome:
        case Refused(_, code, _):
            return code, None
        case Answered(payload):
            return ResponseCode.SUCCESS, payload
        case Cancelled(_):
            return ResponseCode.SUCCESS, None
        case Accepted(_, local):
            return (ResponseCode.ACKNOWLEDGED, None) if local is None else (ResponseCode.SUCCESS, local)


def _succeeded(entry: Pending, message: Message) -> bool:
    """Whether a response says that its command was carried out; what stays sealed for the user is no
    matter.
    """
    try:
        return FAILURES not in decode_content(USE_CASES[entry.use_case], message)
    except (CodecError, SecurityError):
        return False
