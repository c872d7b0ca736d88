"""Kept HTTP connections to few addresses: the transport under call-backs.

A general HTTP client does for every request a multiple of the work that the rest of a call-back takes: it
looks through its pool, locks, measures each step against a time-out of its own. Here a connection is taken
from the top of its address's pile, or made, and put back; one request is one write, one time-out watches
over the whole of it, and of the answer the status alone counts.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final, TypeAlias

import httptools
import httpx

MAX_ANSWER_BYTES: Final = 64 * 1024
"""How much is read of an answer, of which only the status counts; the connection ends when there is more."""

MAX_HEAD_BYTES: Final = 64 * 1024
"""How long the head of an answer may be."""

_IDLE_S: Final = 30.0
_DEFAULT_TIMEOUT_S: Final = 10.0

_Place: TypeAlias = tuple[str, str, int]


class _Connection(asyncio.Protocol):
    """One connection. `exchange` is called for one request after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._parser: Any = None
        self._read = 0
        self._in_body = False
        self.sound = True
        self.idle_since = 0.0

    async def exchange(self, octets: bytes) -> int:
        """Send a request and return the status of its answer. Raises OSError or HttpParserError."""
        if self._transport is None or not self.sound:
            raise ConnectionResetError("the connection is closed")
        self._parser = httptools.HttpResponseParser(self)
        self._read, self._in_body = 0, False
        self._answer = self._loop.create_future()
        self._transport.write(octets)
        try:
            return await self._answer
        finally:
            if not self._answer.done() or self._answer.cancelled() or self._answer.exception():
                self.sound = False
            self._answer = None

    def close(self) -> None:
        self.sound = False
        if self._transport is not None:
            self._transport.close()

    def _resolve(self, *, sound: bool) -> None:
        self.sound = self.sound and sound
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def _fail(self, error: Exception) -> None:
        self.sound = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    # asyncio ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio makes no other for TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            # Nobody asked: an answer longer than it said, or one of a request given up.
            self.close()
            return
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)
            return
        if self._in_body and self._read > MAX_ANSWER_BYTES:
            self._resolve(sound=False)
        elif not self._in_body and self._read > MAX_HEAD_BYTES:
            self._fail(httptools.HttpParserError("the head of the answer does not end"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.sound = False
        if self._in_body:
            self._resolve(sound=False)
        else:
            self._fail(exc or ConnectionResetError("closed without an answer"))

    # httptools ----------------------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        # An interim answer says that the real one follows.
        self._in_body = self._parser.get_status_code() >= httpx.codes.OK

    def on_message_complete(self) -> None:
        if self._in_body:
            self._resolve(sound=self._parser.should_keep_alive())


class KeptConnections(httpx.AsyncBaseTransport):
    """Raises httpx.TransportError for whatever goes wrong on the way. Of an answer it gives the status alone.

    There are never more connections than requests under way at one time, so whoever limits these limits
    those. The longest of a request's time-outs is that of the whole exchange.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._idle: dict[_Place, list[_Connection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        place = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        limits = [limit for limit in request.extensions.get("timeout", {}).values() if limit is not None]
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(max(limits, default=_DEFAULT_TIMEOUT_S)):
                connection = self._take(place) or await self._connect(place)
                status = await connection.exchange(_octets(request))
        except TimeoutError as error:
            what = "no connection" if connection is None else "no answer"
            raise httpx.TransportError(f"TimeoutError {what} in time", request=request) from error
        except (OSError, httptools.HttpParserError) as error:
            kind = "ConnectError" if connection is None else type(error).__name__
            raise httpx.TransportError(f"{kind} {error}".rstrip(), request=request) from error
        finally:
            if connection is not None:
                self._put_back(place, connection)
        return httpx.Response(status, request=request)

    def _take(self, place: _Place) -> _Connection | None:
        pile = self._idle.get(place)
        oldest = asyncio.get_running_loop().time() - _IDLE_S
        while pile:
            connection = pile.pop()
            if connection.sound and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    def _put_back(self, place: _Place, connection: _Connection) -> None:
        if not connection.sound:
            connection.close()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.setdefault(place, []).append(connection)

    async def _connect(self, place: _Place) -> _Connection:
        scheme, host, port = place
        tls = self._tls if scheme == "https" else None
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, host, port, ssl=tls)
        return connection

    async def aclose(self) -> None:
        """Close what is idle; what is under way belongs to those who wait for it."""
        piles, self._idle = self._idle, {}
        for pile in piles.values():
            for connection in pile:
                connection.close()
        # A connection is closed a turn of the loop later.
        await asyncio.sleep(0)


def _octets(request: httpx.Request) -> bytes:
    """A request with a body as it is sent."""
    lines = [request.method.encode() + b" " + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join([*lines, b"", request.content])
