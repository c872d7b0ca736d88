"""Those who wait for something from a device: readers of alerts, and senders of raw octets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from smetslab.clock import Clock, timeout
from smetslab.duis.document import Response
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.message import Message, decode_message
from smetslab.ids import Eui64

UNTAKEN_LIMIT: Final = 10_000
"""How many alerts are remembered for who asks later; of more the oldest are forgotten here. A choice: where
documents are delivered nobody asks.
"""


class AlertBox:
    """Alerts that nobody has taken, and those who wait for one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._untaken: deque[Response] = deque(maxlen=UNTAKEN_LIMIT)
        self._waiting: list[tuple[Callable[[Response], bool], asyncio.Future[Response]]] = []

    def offer(self, alert: Response) -> None:
        """Give an alert to the first who waits for such a one, else keep it."""
        for predicate, found in self._waiting:
            if not found.done() and predicate(alert):
                found.set_result(alert)
                return
        self._untaken.append(alert)

    async def next(self, predicate: Callable[[Response], bool], timeout_s: float) -> Response:
        """The first alert that satisfies `predicate` and that nobody was given. Raises TimeoutError."""
        for place, alert in enumerate(self._untaken):
            if predicate(alert):
                del self._untaken[place]
                return alert
        found: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        waiting = (predicate, found)
        self._waiting.append(waiting)
        try:
            async with timeout(self._clock, timeout_s):
                return await found
        finally:
            self._waiting.remove(waiting)


@dataclass(slots=True, eq=False)
class Exchange:
    """Somebody who sent octets to a device and waits for its response to them."""

    device: Eui64
    command: Message | None
    answer: asyncio.Future[Message]

    def fits(self, message: Message) -> bool:
        """Where the octets were no message, any response of the device counts."""
        sent = self.command
        if message.business_originator_id != self.device or self.answer.done():
            return False
        return sent is None or (message.business_target_id, message.originator_counter) == (
            sent.business_originator_id,
            sent.originator_counter,
        )


class RawExchanges:
    """All exchanges of raw octets that are under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: list[Exchange] = []

    @contextmanager
    def expect(self, data: bytes, device: Eui64) -> Iterator[Exchange]:
        """Expect a response while the block is open: to be opened before the octets are sent."""
        try:
            command: Message | None = decode_message(data)
        except GbcsDecodeError:
            command = None
        exchange = Exchange(device, command, asyncio.get_running_loop().create_future())
        self._open.append(exchange)
        try:
            yield exchange
        finally:
            self._open.remove(exchange)

    async def wait(self, exchange: Exchange, timeout_s: float) -> Message | None:
        """The response, None when there is none in time."""
        try:
            async with timeout(self._clock, timeout_s):
                return await exchange.answer
        except TimeoutError:
            return None

    def answered_by(self, message: Message) -> bool:
        """Whether somebody waits for this response; it is given to the first who does."""
        for exchange in self._open:
            if exchange.fits(message):
                exchange.answer.set_result(message)
                return True
        return False
