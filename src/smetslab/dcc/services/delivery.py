"""Call-backs: what the DCC has for its users is posted to them, in order per device, until they have it.

Each user and device has a lane of its own, so that neither a dead nor a slow address holds up anybody else;
the lanes of one address share a limit of deliveries under way and, when it fails, one waiting time. A
document leaves the outbox only when its user has taken it, so a stop or a crash in between repeats a
delivery and loses none.

Spec: call-back service of published clients (2xx: taken; 400: not understood, so never repeated).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol

import httpx

from smetslab.dcc.outbox import Delivery
from smetslab.dcc.services.log import log_event
from smetslab.dcc.services.settings import CallbackSettings
from smetslab.duis.document import RequestId
from smetslab.errors import StoreError
from smetslab.ids import Eui64

FINAL_REFUSALS: Final = frozenset({400, 413, 415, 422})
"""Statuses that say the document itself is not wanted, so that it would be refused again."""

MAX_ACKNOWLEDGEMENT_WAIT_S: Final = 30.0
"""How long a call-back waits for its acknowledgement to be written, should that never be reported."""

_HEADERS: Final = {"Content-Type": "application/xml; charset=utf-8"}


class Outbox(Protocol):
    """Where documents wait for delivery: `MockDcc`."""

    def subscribe(self, notify: Callable[[Delivery], None]) -> Callable[[], None]:
        """Have `notify` called for everything undelivered, in order, and for each that follows."""
        ...

    def acknowledge(self, number: int) -> None:
        """That document is delivered and is never handed out again."""
        ...


@dataclass(slots=True, eq=False)
class _Destination:
    """One address: how many deliveries may be under way, and when it may be tried again after a failure."""

    url: httpx.URL
    free: asyncio.Semaphore
    failures: int = 0
    retry_at: float = 0.0


@dataclass(slots=True, eq=False)
class _Lane:
    """Documents about one device for one user, oldest first, and since when the first waits in vain."""

    waiting: deque[Delivery] = field(default_factory=deque)
    failing_since: float | None = None


@dataclass(slots=True, eq=False)
class _Hold:
    """A request whose acknowledgement is under way; `due` comes to be when its call-back may go."""

    due: asyncio.Future[float]
    timer: asyncio.TimerHandle


class Postman:
    """Delivers; an async context manager. Waits are in seconds of the running loop.

    `sign` makes the document that is sent out of the one that is kept. `durable` returns when what is kept is
    safe, or raises StoreError: no document leaves before.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: CallbackSettings,
        *,
        sign: Callable[[bytes], bytes],
        transport: Callable[[], httpx.AsyncBaseTransport],
        durable: Callable[[], Awaitable[None]],
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._sign = sign
        self._make_transport = transport
        self._durable = durable
        self._timeouts = httpx.Timeout(settings.attempt_timeout_s).as_dict()
        self._lanes: dict[tuple[Eui64, Eui64], _Lane] = {}
        self._destinations: dict[str, _Destination] = {}
        self._holds: dict[str, _Hold] = {}
        self._homeless: set[Eui64] = set()
        self._tasks: dict[tuple[Eui64, Eui64], asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._detach: Callable[[], None] | None = None
        self._group: asyncio.TaskGroup | None = None

    async def __aenter__(self) -> Postman:
        self._transport = self._make_transport()
        await self._transport.__aenter__()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._idle.set()
        self._detach = self._outbox.subscribe(self._take)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._detach is not None:
            self._detach()
        group, self._group = self._group, None
        for key in list(self._holds):
            self._drop_hold(key)
        try:
            if group is not None:
                for task in self._tasks.values():
                    task.cancel()
                await group.__aexit__(None, None, None)
        finally:
            await self._transport.__aexit__(None, None, None)

    # The acknowledgement comes first ------------------------------------------------------------------------

    def hold(self, request_id: RequestId) -> None:
        """A request is being answered: its call-back waits until `release`."""
        if self._settings.first_delay_s > 0:
            self._drop_hold(request_id.key)
            loop = asyncio.get_running_loop()
            timer = loop.call_later(MAX_ACKNOWLEDGEMENT_WAIT_S, self._drop_hold, request_id.key)
            self._holds[request_id.key] = _Hold(loop.create_future(), timer)

    def release(self, request_id: RequestId) -> None:
        """The acknowledgement was written now, or there will be none."""
        hold = self._holds.get(request_id.key)
        if hold is None or hold.due.done():
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + self._settings.first_delay_s
        hold.due.set_result(due)
        # Whoever has not asked until then need not wait any more.
        hold.timer.cancel()
        hold.timer = loop.call_at(due, self._drop_hold, request_id.key)

    def _drop_hold(self, key: str) -> None:
        hold = self._holds.pop(key, None)
        if hold is None:
            return
        hold.timer.cancel()
        if not hold.due.done():
            hold.due.set_result(0.0)

    async def _wait_for_acknowledgement(self, request: str) -> None:
        hold = self._holds.get(request)
        if hold is not None:
            due = await asyncio.shield(hold.due)
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    # Lanes --------------------------------------------------------------------------------------------------

    def _take(self, delivery: Delivery) -> None:
        key = (delivery.user, delivery.device)
        lane = self._lanes.setdefault(key, _Lane())
        lane.waiting.append(delivery)
        self._idle.clear()
        if key not in self._tasks and self._group is not None:
            name = f"call-backs to {delivery.user} about {delivery.device}"
            self._tasks[key] = self._group.create_task(self._serve(key, lane), name=name)

    async def _serve(self, key: tuple[Eui64, Eui64], lane: _Lane) -> None:
        try:
            while lane.waiting:
                if await self._deliver(lane.waiting[0], lane):
                    lane.waiting.popleft()
        finally:
            self._tasks.pop(key, None)
            if not lane.waiting:
                self._lanes.pop(key, None)
            if not self._lanes:
                self._idle.set()

    async def _deliver(self, delivery: Delivery, lane: _Lane) -> bool:
        """Try once; True when the document is done with."""
        url = self._settings.url_for(delivery.user)
        if url is None:
            self._complain_once(delivery.user)
            await asyncio.Event().wait()
            return False
        await self._wait_for_acknowledgement(delivery.request)
        destination = self._destination(url)
        loop = asyncio.get_running_loop()
        wait = destination.retry_at - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        async with destination.free:
            outcome = await self._post(destination, delivery)
        if outcome is None:
            self._outbox.acknowledge(delivery.number)
            destination.failures, destination.retry_at = 0, 0.0
            lane.failing_since = None
            return True
        status, reason = outcome
        if status in FINAL_REFUSALS:
            self._give_up(delivery, url, f"refused with HTTP {status}")
            return True
        now = loop.time()
        if lane.failing_since is None:
            lane.failing_since = now
        if now - lane.failing_since >= self._settings.give_up_after_s:
            self._give_up(delivery, url, reason)
            lane.failing_since = None
            return True
        self._back_off(destination, delivery, reason)
        return False

    async def _post(self, destination: _Destination, delivery: Delivery) -> tuple[int, str] | None:
        """None when the user has taken the document, else HTTP status (0 without an answer) and reason."""
        # Straight to the transport: redirects, cookies and credentials have no place in a call-back.
        request = httpx.Request(
            "POST",
            destination.url,
            content=self._sign(delivery.document),
            headers=_HEADERS,
            extensions={"timeout": self._timeouts},
        )
        try:
            await self._durable()
            response = await self._transport.handle_async_request(request)
            await response.aclose()
        except (httpx.HTTPError, StoreError) as error:
            return 0, f"{type(error).__name__}: {error}"
        if response.is_success:
            log_event(
                logging.INFO,
                "call-back delivered",
                number=delivery.number,
                user=str(delivery.user),
                device=str(delivery.device),
                status=response.status_code,
            )
            return None
        return response.status_code, f"HTTP {response.status_code}"

    def _destination(self, url: str) -> _Destination:
        found = self._destinations.get(url)
        if found is None:
            found = _Destination(httpx.URL(url), asyncio.Semaphore(self._settings.at_once))
            self._destinations[url] = found
        return found

    def _back_off(self, destination: _Destination, delivery: Delivery, reason: str) -> None:
        """Lanes that failed together count as one failure of their address."""
        now = asyncio.get_running_loop().time()
        if destination.retry_at > now:
            return
        wait = min(
            self._settings.retry_first_s * 2 ** min(destination.failures, 30), self._settings.retry_most_s
        )
        destination.failures += 1
        destination.retry_at = now + wait
        log_event(
            logging.WARNING,
            "call-back failed",
            number=delivery.number,
            user=str(delivery.user),
            url=str(destination.url),
            reason=reason,
            retry_in_s=wait,
        )

    def _give_up(self, delivery: Delivery, url: str, reason: str) -> None:
        self._outbox.acknowledge(delivery.number)
        log_event(
            logging.ERROR,
            "call-back given up: the user did not take the document",
            number=delivery.number,
            user=str(delivery.user),
            device=str(delivery.device),
            url=url,
            reason=reason,
        )

    def _complain_once(self, user: Eui64) -> None:
        if user not in self._homeless:
            self._homeless.add(user)
            log_event(logging.WARNING, "no call-back address: documents are kept", user=str(user))

    # Stopping -----------------------------------------------------------------------------------------------

    @property
    def undelivered(self) -> int:
        """How many documents wait for delivery."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def drain(self, seconds: float) -> int:
        """Wait until everything is delivered, but not longer; returns what is left."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            pass
        return self.undelivered
