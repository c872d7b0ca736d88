"""Kept HTTP connections to few addresses: the transport under call-backs.

The pool of a general HTTP client looks at all of its connections for every request and again for every
response, which costs several times as much as the request itself when many are under way. Here a connection
is taken from the top of its address's pile, or made, and put back.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import httpcore
import httpx

MAX_ANSWER_BYTES: Final = 64 * 1024
"""How much is read of an answer, of which only the status counts; the connection ends when there is more."""

_IDLE_S: Final = 30.0
_HELD_BYTES: Final = 64 * 1024
"""How much of a request is held back at most. A choice."""

_FAILURES: Final = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ConnectionNotAvailable,
)

_Place: TypeAlias = tuple[str, str, int]


class KeptConnections(httpx.AsyncBaseTransport):
    """Raises httpx.TransportError for whatever goes wrong on the way. Of an answer it gives the status alone.

    There are never more connections than requests under way at one time, so whoever limits these limits
    those. The longest of a request's time-outs is that of the whole exchange too: an answer that trickles in
    has an end.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._idle: dict[_Place, list[httpcore.AsyncHTTPConnection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        place = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        limits = [limit for limit in request.extensions.get("timeout", {}).values() if limit is not None]
        connection = await self._take(place)
        sound = False
        try:
            async with asyncio.timeout(max(limits, default=None)):
                status, sound = await self._exchange(connection, place, request)
        except TimeoutError as error:
            raise httpx.TransportError("TimeoutError no answer in time", request=request) from error
        except _FAILURES as error:
            raise httpx.TransportError(f"{type(error).__name__} {error}".rstrip(), request=request) from error
        finally:
            if sound:
                self._idle.setdefault(place, []).append(connection)
            else:
                await connection.aclose()
        return httpx.Response(status, request=request)

    @staticmethod
    async def _exchange(
        connection: httpcore.AsyncHTTPConnection, place: _Place, request: httpx.Request
    ) -> tuple[int, bool]:
        """The status, and whether the connection may be used again."""
        scheme, host, port = place
        response = await connection.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=scheme.encode(), host=host.encode(), port=port, target=request.url.raw_path
                ),
                headers=request.headers.raw,
                content=request.content,
                extensions=request.extensions,
            )
        )
        size, whole = 0, True
        try:
            async for part in response.aiter_stream():
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    whole = False
                    break
        finally:
            await response.aclose()
        return response.status, whole and connection.is_idle()

    async def _take(self, place: _Place) -> httpcore.AsyncHTTPConnection:
        pile = self._idle.get(place)
        while pile:
            connection = pile.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        scheme, host, port = place
        origin = httpcore.Origin(scheme.encode(), host.encode(), port)
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=_IDLE_S, network_backend=_WholeRequests()
        )

    async def aclose(self) -> None:
        """Close what is idle; what is under way belongs to those who wait for it."""
        piles, self._idle = self._idle, {}
        for pile in piles.values():
            for connection in pile:
                await connection.aclose()


class _WholeRequests(httpcore.AsyncNetworkBackend):
    """Makes streams that send head and body of a request in one piece: half the calls, half the packets."""

    def __init__(self) -> None:
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._sockets.connect_tcp(host, port, timeout, local_address, socket_options)
        return _HoldingStream(stream)


class _HoldingStream(httpcore.AsyncNetworkStream):
    """Holds back what is written until somebody waits for the answer."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._held: list[bytes] = []
        self._timeout: float | None = None

    async def _send_held(self) -> None:
        held, self._held = self._held, []
        if held:
            await self._stream.write(b"".join(held), self._timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._held.append(buffer)
        self._timeout = timeout
        if sum(map(len, self._held)) > _HELD_BYTES:
            await self._send_held()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        await self._send_held()
        return await self._stream.read(max_bytes, timeout)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _HoldingStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
