"""The mock DCC itself: the doors for requests, and the documents that go back through them.

The rules are elsewhere: `access` says who may, `transform` what is sent, `correlate` what is remembered,
`carry` how a request comes to its end, `inbound` what hubs bring, `respond` what is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Protocol

from smetslab.clock import Clock
from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.anomaly import AnomalyDetection
from smetslab.dcc.blocks import BlockWan
from smetslab.dcc.carry import HEAD, Carrier
from smetslab.dcc.correlate import Ledger
from smetslab.dcc.desk import Office, ServiceDesk
from smetslab.dcc.distribution import Distribution, Job
from smetslab.dcc.effects import Effects
from smetslab.dcc.hub_firmware import HubFirmware
from smetslab.dcc.inbound import Inbound
from smetslab.dcc.intake import Accepted, Answered, Cancelled, Intake, Outcome, Refused, Served
from smetslab.dcc.notices import Notices
from smetslab.dcc.outbox import Delivery
from smetslab.dcc.pending import Pending, Question
from smetslab.dcc.recovery import Recovery
from smetslab.dcc.respond import Responder
from smetslab.dcc.rules import DCC_IDENTITY, DccRules
from smetslab.dcc.schedules import REMOVING, Schedule, ScheduleBook, ScheduleRunner
from smetslab.dcc.throttle import AlertThrottle
from smetslab.dcc.waiting import AlertBox, RawExchanges
from smetslab.duis.codes import ResponseCode, WebService
from smetslab.duis.document import Payload, Request, RequestId, Response, parse_request, write_response
from smetslab.errors import DuisError, LocalProtocolError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.message import Message
from smetslab.gbcs.values import utc_text
from smetslab.ids import Eui64
from smetslab.pki import KeyStore
from smetslab.registry import DeviceLogBackups, Inventory, UserDirectory
from smetslab.rng import RootSeed
from smetslab.store import Nvm
from smetslab.trace import Trace
from smetslab.wan import Wan, WanMessage


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
        seed: RootSeed | None = None,
    ) -> None:
        self.rules = DccRules() if rules is None else rules
        self.broker = AccessControlBroker(identity, keystore)
        self.inventory = inventory
        self._clock = clock
        self._trace = trace
        self._validator = validator
        self._ledger = Ledger(nvm, self.rules.kept_documents)
        self._wan = BlockWan(wan, clock, trace, lambda: f"block-{self._ledger.next_number()}")
        self._responder = Responder(self.rules.schema_version)
        self._raw = RawExchanges(clock)
        self._alert_box = AlertBox(clock)
        self._notices = Notices(
            ledger=self._ledger,
            responder=self._responder,
            inventory=inventory,
            alert_box=self._alert_box,
            clock=clock,
            trace=trace,
            dcc=identity,
            codes=self.rules.alert_codes,
        )
        self._distribution = Distribution(
            nvm=nvm,
            ledger=self._ledger,
            wan=wan,
            clock=clock,
            trace=trace,
            rules=self.rules,
            failed=self._image_failed,
        )
        backups = DeviceLogBackups(nvm)
        self._schedules = ScheduleBook(nvm, self._ledger)
        self._runner = ScheduleRunner(self._schedules, clock, self._run_schedule)
        office = Office(
            inventory=inventory,
            notices=self._notices,
            schedules=self._schedules,
            distribution=self._distribution,
            broker=self.broker,
            rules=self.rules,
            answer=self._bring_back,
            expects=self._expects,
        )
        self._intake = Intake(
            self.broker,
            inventory,
            users,
            self._ledger,
            self.rules,
            services=ServiceDesk(office, clock),
            sentry=AnomalyDetection(nvm, self.rules.anomaly_limits),
            backups=backups,
            distributed_version=self._distribution.version_of,
            seed=RootSeed(0) if seed is None else seed,
        )
        self._carrier = Carrier(
            ledger=self._ledger,
            intake=self._intake,
            wan=self._wan,
            responder=self._responder,
            clock=clock,
            trace=trace,
            rules=self.rules,
            failed=self._request_failed,
            sleeps=self._sleeps,
        )
        self.hub_firmware = HubFirmware(
            inventory=inventory,
            wan=wan,
            clock=clock,
            trace=trace,
            rules=self.rules,
            next_number=self._ledger.next_number,
        )
        self._inbound = Inbound(
            broker=self.broker,
            ledger=self._ledger,
            carrier=self._carrier,
            inventory=inventory,
            effects=Effects(inventory, self._notices, trace),
            backups=backups,
            notices=self._notices,
            throttle=AlertThrottle(nvm, self.rules.alert_threshold),
            responder=self._responder,
            alert_box=self._alert_box,
            raw=self._raw,
            hub_firmware=self.hub_firmware,
            clock=clock,
            trace=trace,
            rules=self.rules,
        )
        self.recovery = Recovery(
            broker=self.broker,
            inventory=inventory,
            notices=self._notices,
            party=self.rules.recovery,
            next_counter=self._next_own_counter,
            exchange=self.exchange_raw,
        )
        self._group: asyncio.TaskGroup | None = None
        self._schedule_task: asyncio.Task[None] | None = None
        self._detach: Callable[[], None] | None = None

    async def __aenter__(self) -> MockDcc:
        if self._group is not None:
            raise LocalProtocolError("the DCC is running already")
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        await self._wan.__aenter__()
        self._carrier.start(self._group)
        self._distribution.run_in(self._group)
        self._schedule_task = self._group.create_task(self._runner.forever(), name="dcc schedules")
        self._detach = self._wan.attach_head(self._inbound.receive)
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
        self._carrier.stop()
        self._distribution.stop()
        if self._schedule_task is not None:
            self._schedule_task.cancel()
        await group.__aexit__(None, None, None)
        await self._wan.__aexit__(None, None, None)

    # Doors --------------------------------------------------------------------------------------------------

    async def submit(self, xml: bytes, service: WebService | None = None) -> bytes:
        """Take a request and return its last answer: the response of the device where there will be one.

        Without `service` the document is taken at whatever door its command variant belongs to. Raises
        DuisError when it is no valid Request at all.
        """
        answer, entry = self._take(xml, service, None)
        if entry is None:
            return answer
        await self._carrier.done(entry.number)
        final = self._ledger.outbox.take(entry.number)
        if final is None:
            raise LocalProtocolError(f"somebody else fetched the final response to {entry.request_id}")
        return final

    async def receive(
        self, xml: bytes, service: WebService | None = None, *, request: Request | None = None
    ) -> bytes:
        """Take a request and return its synchronous answer alone, unsigned. Raises DuisError.

        `request`: what `xml` says, from a caller who has parsed and validated it.
        """
        return self._take(xml, service, request)[0]

    async def final_response(self, request_id: RequestId) -> bytes:
        """The final response to an acknowledged request, once; waits for it. Raises LocalProtocolError."""
        for entry in self._ledger.pending():
            if entry.request_id == request_id:
                await self._carrier.done(entry.number)
        found = self._ledger.outbox.answer_to(request_id)
        if found is None:
            raise LocalProtocolError(f"no response to {request_id} is expected or kept")
        self._ledger.outbox.acknowledge(found.number)
        return found.document

    def subscribe(self, notify: Callable[[Delivery], None]) -> Callable[[], None]:
        """Hand out documents for users: at once everything undelivered, oldest first, then each new one.

        `notify` is called synchronously and must return at once. The result ends the subscription. What
        `submit` or `final_response` waits for is not handed out.
        """
        return self._ledger.outbox.subscribe(notify)

    def acknowledge(self, number: int) -> None:
        """A document was delivered: it is never handed out again, over restarts too."""
        self._ledger.outbox.acknowledge(number)

    @property
    def alerts(self) -> list[bytes]:
        """Every alert for users that nobody has delivered, as documents, oldest first."""
        return self._ledger.outbox.alerts()

    async def next_alert(self, predicate: Callable[[Response], bool], timeout_s: float) -> Response:
        """The first alert that satisfies `predicate` and that no call has returned yet. Raises
        TimeoutError.
        """
        return await self._alert_box.next(predicate, timeout_s)

    # Requests -----------------------------------------------------------------------------------------------

    def _take(
        self, xml: bytes, service: WebService | None, parsed: Request | None
    ) -> tuple[bytes, Pending | None]:
        if self._group is None:
            raise LocalProtocolError("the DCC is not running: use it inside its `async with` block")
        now = self._clock.now()
        try:
            request = self._parse(xml) if parsed is None else parsed
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
                self._carrier.give_up(held, ResponseCode.FUTURE_DATED_TIME_OUT, "cancelled")
        code, payload = _synchronous(outcome)
        header = request.header
        question = Question(header.request_id, header.service_reference, header.variant)
        response = self._responder.answer(question, code, now, payload)
        if entry is not None and entry.state == "quarantined":
            self._tell_quarantined(entry)
        elif entry is not None:
            self._carrier.carry_on(entry)
        document = write_response(response)
        self._carrier.note_response_sent(response, document, user)
        return document, entry

    def _parse(self, xml: bytes) -> Request:
        request = parse_request(xml, limit=self.rules.document_limit)
        if self._validator is not None:
            self._validator.validate(xml)
        return request

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
            case Served(code, _):
                self._trace.record(
                    "dcc", "ServiceDone", source=HEAD, target=target, request_id=request_id.key, code=code
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

    # Quarantine ---------------------------------------------------------------------------------------------

    def quarantined(self) -> tuple[Pending, ...]:
        """Requests that anomaly detection holds; their numbers are the QuarantineEventRef of their alerts."""
        return tuple(entry for entry in self._ledger.pending() if entry.state == "quarantined")

    def release(self, number: int) -> None:
        """Let a quarantined request go on. Raises LocalProtocolError when there is none of that number."""
        entry = self._quarantined(number)
        released = replace(entry, state="held", note="")
        self._ledger.change(released)
        self._carrier.carry_on(released)

    def discard(self, number: int) -> None:
        """Refuse a quarantined request, which its user is told. Raises LocalProtocolError."""
        self._carrier.give_up(self._quarantined(number), ResponseCode.QUARANTINE_REFUSED, "quarantined")

    def _quarantined(self, number: int) -> Pending:
        entry = self._ledger.get(number)
        if entry is None or entry.state != "quarantined":
            raise LocalProtocolError(f"no request is quarantined under {number}")
        return entry

    def _tell_quarantined(self, entry: Pending) -> None:
        self._notices.tell(
            (entry.request_id.originator,),
            "QuarantinedRequest",
            {entry.note: {"RequestID": str(entry.request_id), "QuarantineEventRef": entry.number}},
            entry.device,
        )

    # What happens by itself ---------------------------------------------------------------------------------

    def hub_lost(self, hub: Eui64) -> None:
        """A hub was cut off without a farewell: its meters' responsible parties learn of a power outage."""
        now = self._clock.now()
        for device in self.inventory.premises(hub):
            if not device.import_mpxn or device.device_type not in {DeviceType.ESME, DeviceType.CHF}:
                continue
            self._notices.tell(
                self._notices.concerned(device),
                "PowerOutageEvent",
                {
                    "CommsHubDeviceID": str(hub),
                    "StartDateTime": utc_text(now),
                    "MPxN": device.import_mpxn,
                },
                device.device_id,
            )

    def hub_back(self, hub: Eui64) -> None:
        """A hub has come back, perhaps without what it was about to do: commands that wait for a response
        are sent to it once more, as themselves.
        """
        self._carrier.send_again(hub)

    def _run_schedule(self, schedule: Schedule, now: datetime) -> None:
        """One run: accepted in the transaction that moves the schedule on, or refused with an alert."""
        outcome = self._intake.scheduled(schedule, now, self._schedules.moved_on(schedule, now)[1])
        if isinstance(outcome, Pending):
            self._schedules.keep(self._schedules.moved_on(schedule, now)[0])
            self._carrier.carry_on(outcome)
            return
        self._trace.record(
            "dcc",
            "ScheduledRunRefused",
            source=HEAD,
            target=str(schedule.device),
            schedule=schedule.number,
            check=outcome.check,
            code=outcome.code,
            reason=outcome.reason,
        )
        if outcome.code in REMOVING:
            self._schedules.delete(schedule.number)
            self._notices.tell(
                (schedule.user,),
                "DSPScheduleRemoval",
                {"DeviceID": str(schedule.device), "DSPScheduleID": schedule.number},
                schedule.device,
            )
            return
        self._schedules.move_on(schedule, now)
        self._tell_failure(
            RequestId(schedule.user, schedule.device, 0), schedule.user, schedule.device, schedule.number
        )

    def _sleeps(self, device: Eui64) -> bool:
        known = self.inventory.find(device)
        return known is not None and known.device_type is DeviceType.GSME

    def _request_failed(self, entry: Pending, code: str, reason: str) -> None:
        """A schedule has no request whose answer could say so."""
        del code, reason
        if entry.schedule is not None:
            self._tell_failure(entry.request_id, entry.request_id.originator, entry.device, entry.schedule)

    def _tell_failure(self, request_id: RequestId, user: Eui64, device: Eui64, schedule: int) -> None:
        self._notices.tell(
            (user,),
            "CommandFailure",
            {
                "CommandRequestID": str(request_id),
                "DSPScheduleID": schedule,
                "DeviceID": str(device),
            },
            device,
        )

    def _image_failed(self, job: Job) -> None:
        self._notices.tell(
            (job.request_id.originator,),
            "FirmwareDistributionFailure",
            {
                "UpdateFirmwareRequestID": str(job.request_id),
                "MeterIDs": ",".join(device.dashed() for device in job.devices),
            },
        )

    def _next_own_counter(self) -> int:
        """A counter for a command that no request asks for, above all before it."""
        counter = self._ledger.next_broker_counter(int(self._clock.now().timestamp() * 1000))
        self._ledger.note_broker_counter(counter)
        return counter

    def _bring_back(self, message: Message, octets: bytes) -> str | None:
        return self._inbound.bring_back(message, octets)

    def _expects(self, message: Message) -> bool:
        return self._inbound.expects(message)

    # Past all checks ----------------------------------------------------------------------------------------

    async def send_raw(self, data: bytes, target: Eui64) -> None:
        """Send octets to a device as they are: for tests of what a device does with what nobody should send.

        Raises WanError; LocalProtocolError when the inventory does not know the device.
        """
        device = self.inventory.find(target)
        if device is None or device.hub is None:
            raise LocalProtocolError(f"device {target} is not in the inventory, or behind no hub")
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
        case Served(code, answer):
            return code, answer
        case Cancelled(_):
            return ResponseCode.SUCCESS, None
        case Accepted(_, local):
            return (ResponseCode.ACKNOWLEDGED, None) if local is None else (ResponseCode.SUCCESS, local)
