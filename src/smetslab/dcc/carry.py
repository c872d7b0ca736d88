"""The life of accepted requests: waiting for their time, delivery, waiting for the response, the end.

One task for each request that is open. Every step is in the ledger before it has an effect outside, so a
new process goes on where the last one stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from smetslab.clock import Clock, timeout
from smetslab.dcc.correlate import Ledger
from smetslab.dcc.intake import Intake, Refused
from smetslab.dcc.pending import Pending
from smetslab.dcc.respond import Responder
from smetslab.dcc.rules import DccRules
from smetslab.duis.codes import ResponseCode
from smetslab.duis.document import RequestId, Response, write_response
from smetslab.errors import LocalProtocolError, WanError
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.wan import WanMessage

HEAD: Final = "dcc"
"""The name of the DCC in the trace."""


class ToHub(Protocol):
    """The way down: `smetslab.dcc.blocks.BlockWan`."""

    async def to_hub(self, message: WanMessage) -> None:
        """Raises WanError."""
        ...


class Carrier:
    """Carries every accepted request to its one final response."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        intake: Intake,
        wan: ToHub,
        responder: Responder,
        clock: Clock,
        trace: Trace,
        rules: DccRules,
        failed: Callable[[Pending, str, str], None],
        sleeps: Callable[[Eui64], bool],
    ) -> None:
        """`failed(entry, code, reason)` is told of each request that ends without a response; `sleeps`
        says whether a device only fetches its commands now and then.
        """
        self._ledger = ledger
        self._intake = intake
        self._wan = wan
        self._responder = responder
        self._clock = clock
        self._trace = trace
        self._rules = rules
        self._failed = failed
        self._sleeps = sleeps
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._again: dict[int, asyncio.Task[None]] = {}
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._finals: dict[int, list[asyncio.Future[None]]] = {}
        self._followers: dict[str, list[asyncio.Future[bool]]] = {}

    def start(self, group: asyncio.TaskGroup) -> None:
        """Go on with everything that is open, in tasks of `group`."""
        self._group = group
        for entry in self._ledger.pending():
            self.carry_on(entry, again=entry.state == "sent")

    def stop(self) -> None:
        """End all tasks; who waits for a final response is told."""
        self._group = None
        for task in [*self._tasks.values(), *self._again.values()]:
            task.cancel()
        for waiter in [waiter for waiters in self._finals.values() for waiter in waiters]:
            if not waiter.done():
                waiter.set_exception(LocalProtocolError("the DCC stopped while a request was under way"))
        self._finals.clear()

    def carry_on(self, entry: Pending, *, again: bool = False) -> None:
        """Start the task that brings an accepted request to its end. `again`: its command was sent by a
        process that ended before the response came.
        """
        if self._group is None:
            raise LocalProtocolError("the DCC is not running: use it inside its `async with` block")
        if entry.state in {"quarantined", "local"}:
            return
        self._answers[entry.number] = asyncio.get_running_loop().create_future()
        work = self._carry_again(entry) if again else self._carry(entry)
        task = self._group.create_task(work, name=f"dcc request {entry.request_id.key}")
        self._tasks[entry.number] = task
        task.add_done_callback(lambda _: self._drop(entry.number))

    def send_again(self, hub: Eui64) -> None:
        """Send a hub every command again that waits for its response, as itself: a hub that has it knows its
        identity, a device its counter.
        """
        if self._group is None:
            return
        for entry in self._ledger.pending():
            number = entry.number
            if entry.hub != hub or entry.state != "sent" or number in self._again:
                continue
            task = self._group.create_task(
                self._deliver_again(entry), name=f"dcc request {entry.request_id.key} again"
            )
            self._again[number] = task
            task.add_done_callback(partial(self._said_again, number))

    async def done(self, number: int) -> None:
        """Wait until a request has its final response."""
        if self._ledger.get(number) is None:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._finals.setdefault(number, []).append(waiter)
        await waiter

    def give_up(self, entry: Pending, code: str, reason: str) -> None:
        """End a request without a response, unless it has just been answered."""
        if self._ledger.get(entry.number) is None:
            return
        self._trace.record(
            "dcc",
            "RequestGivenUp",
            source=HEAD,
            target=str(entry.device),
            request_id=entry.request_id.key,
            code=code,
            reason=reason,
        )
        self.complete(entry, code)
        self._failed(entry, code, reason)

    def complete(
        self,
        entry: Pending,
        code: str,
        octets: bytes | None = None,
        *,
        succeeded: bool = False,
        identity: str | None = None,
        forget_future: bool = False,
    ) -> None:
        """Give a request its one final response; a schedule's run without response has none."""
        response = self._responder.final(entry, code, self._clock.now(), octets)
        document = None if entry.schedule is not None and octets is None else write_response(response)
        self._ledger.finish(
            entry,
            document,
            succeeded=succeeded,
            identity=identity,
            forget_future=forget_future,
            claimed=entry.number in self._finals,
        )
        if document is not None:
            self.note_response_sent(response, document, str(entry.request_id.originator))
        answer = self._answers.get(entry.number)
        if answer is not None and not answer.done():
            answer.set_result(None)
        if entry.state in {"held", "quarantined"}:
            self._stop(entry.number)
        for waiter in self._finals.pop(entry.number, []):
            if not waiter.done():
                waiter.set_result(None)
        for follower in self._followers.pop(entry.request_id.key, []):
            if not follower.done():
                follower.set_result(succeeded)

    def note_response_sent(self, response: Response, document: bytes, user: str) -> None:
        """Trace a response document."""
        self._trace.record(
            "duis",
            "ResponseSent",
            source=HEAD,
            target=user,
            data=document,
            code=response.code,
            request_id="" if response.request_id is None else response.request_id.key,
        )

    def note_refused(self, entry: Pending, refused: Refused) -> None:
        """Trace a refusal of a request that had been accepted."""
        self._trace.record(
            "dcc",
            "RequestRefused",
            source=HEAD,
            target=str(entry.device),
            request_id=entry.request_id.key,
            check=refused.check,
            code=refused.code,
            reason=refused.reason,
        )

    # One request --------------------------------------------------------------------------------------------

    async def _carry(self, entry: Pending) -> None:
        """One request, from acceptance or from where the last run left it, to its final response."""
        if entry.state == "held":
            ready = await self._hold(entry)
            if ready is None:
                return
            entry = ready
        while True:
            if entry.state == "ready":
                sent = await self._send(entry)
                if sent is None:
                    return
                entry = sent
            if await self._answered(entry):
                return
            if entry.attempt > self._rules.response_retries:
                code = ResponseCode.FUTURE_DATED_TIME_OUT if entry.was_held else ResponseCode.NO_RESPONSE
                self.give_up(entry, code, "no response")
                return
            entry = replace(entry, state="ready", attempt=entry.attempt + 1, deadline=None)
            self._ledger.change(entry)

    async def _carry_again(self, entry: Pending) -> None:
        """A request whose command the WAN had taken when the last run ended: whether it, or its response, was
        lost with that run nobody knows. When the response does not come by itself the command is sent once
        more, as itself: a hub that has it knows its identity, a device its counter, so nothing is done twice.
        Behind its deadline it is not sent again, because its user expects nothing of it any more.
        """
        now = self._clock.now()
        soon = now + timedelta(seconds=self._rules.retry_interval_s)
        if await self._answered(replace(entry, deadline=soon)):
            return
        if entry.deadline is None or entry.deadline <= now:
            await self._carry(replace(entry, deadline=now))
            return
        self._note_again(entry)
        await self._carry(replace(entry, state="ready", deadline=None))

    def _said_again(self, number: int, task: asyncio.Task[None]) -> None:
        del task
        self._again.pop(number, None)

    async def _deliver_again(self, entry: Pending) -> None:
        """Once more to the WAN; how long its response is waited for stays as it is."""
        self._note_again(entry)
        with suppress(WanError):
            await self._deliver(entry)

    def _note_again(self, entry: Pending) -> None:
        self._trace.record(
            "dcc",
            "CommandSentAgain",
            source=HEAD,
            target=str(entry.device),
            request_id=entry.request_id.key,
        )

    async def _hold(self, entry: Pending) -> Pending | None:
        """Wait for what a request waits for; None when it is over then."""
        if entry.after is not None and not await self._wait_for_turn(entry):
            return None
        if entry.due is not None:
            await self._clock.sleep_until(entry.due)
        if self._ledger.get(entry.number) is None:
            return None
        ready = self._intake.resume(entry, self._clock.now())
        if isinstance(ready, Refused):
            self.note_refused(entry, ready)
            self.complete(entry, ready.code)
            self._failed(entry, ready.code, ready.reason)
            return None
        return ready

    async def _wait_for_turn(self, entry: Pending) -> bool:
        """Wait for the request before; False when this one cannot go on, which its user is told then."""
        before = entry.after
        if before is None:
            return True
        end = self._ledger.end_of(before)
        if end is None:
            end = await self._end_of(before, entry.deadline)
        if end is None:
            self.give_up(entry, ResponseCode.SEQUENCE_TIME_OUT, f"{before} did not come")
        elif not end:
            self.give_up(entry, ResponseCode.PRECEDING_FAILED, f"{before} did not succeed")
        return end is True

    async def _end_of(self, before: RequestId, deadline: datetime | None) -> bool | None:
        """Wait until a request ends, and whether it succeeded; None when there is none at `deadline`."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._followers.setdefault(before.key, []).append(waiter)
        if deadline is not None:
            remaining = (deadline - self._clock.now()).total_seconds()
            try:
                async with timeout(self._clock, max(0.0, remaining)):
                    return await asyncio.shield(waiter)
            except TimeoutError:
                if self._ledger.open_request(before) is None:
                    return None
        return await waiter

    async def _send(self, entry: Pending) -> Pending | None:
        """Hand a command to the WAN; None when the request is over by then."""
        try:
            await self._deliver(entry)
        except WanError as error:
            self.give_up(entry, ResponseCode.NO_COMMUNICATION, str(error))
            return None
        if self._ledger.get(entry.number) is None:
            return None
        rules = self._rules
        limit_s = rules.sleeper_timeout_s if self._sleeps(entry.device) else rules.response_timeout_s
        deadline = self._clock.now() + timedelta(seconds=limit_s)
        sent = replace(entry, state="sent", deadline=deadline)
        self._ledger.change(sent)
        return sent

    async def _deliver(self, entry: Pending) -> None:
        """Hand the command to the WAN, again and again while that is of use. Raises WanError."""
        message = WanMessage(entry.identity, entry.hub, entry.message)
        give_up_at = self._clock.time() + self._rules.delivery_timeout_s
        # A refused message may have gone out in part: where its response is here already, it is enough.
        while self._ledger.get(entry.number) is not None:
            try:
                await self._wan.to_hub(message)
            except WanError as error:
                if not error.transient or self._clock.time() >= give_up_at:
                    raise
                await self._clock.sleep(self._rules.retry_interval_s)
            else:
                self._trace.record(
                    "gbcs", "CommandSent", source=HEAD, target=str(entry.device), data=entry.message
                )
                return

    async def _answered(self, entry: Pending) -> bool:
        """Wait for the response until the deadline."""
        if entry.deadline is None:
            raise LocalProtocolError("a request that was sent has no deadline")
        remaining = (entry.deadline - self._clock.now()).total_seconds()
        try:
            async with timeout(self._clock, max(0.0, remaining)):
                await asyncio.shield(self._answers[entry.number])
        except TimeoutError:
            return self._ledger.get(entry.number) is None  # it may have come at the very moment
        return True

    def _stop(self, number: int) -> None:
        """End the task of a request that is over, unless it is the one that says so."""
        task = self._tasks.get(number)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _drop(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._answers.pop(number, None)
