"""Kept HTTP connections to few addresses: the transport under call-backs.

The pool of a general HTTP client looks at all of its connections for every request and again for every
response, which costs several times as much as the request itself when many are under way. Here a connection
is taken from the top of its address's pile, or made, and put back.
"""

from __future__ import annotations

import ssl
from typing import Final, TypeAlias

import httpcore
import httpx

MAX_ANSWER_BYTES: Final = 64 * 1024
"""How much is read of an answer, of which only the status counts; the connection ends when there is more."""

_IDLE_S: Final = 30.0
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
    those.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._idle: dict[_Place, list[httpcore.AsyncHTTPConnection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        place = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        connection = await self._take(place)
        sound = False
        try:
            status, sound = await self._exchange(connection, place, request)
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
        return httpcore.AsyncHTTPConnection(origin, ssl_context=self._tls, keepalive_expiry=_IDLE_S)

    async def aclose(self) -> None:
        """Close what is idle; what is under way belongs to those who wait for it."""
        piles, self._idle = self._idle, {}
        for pile in piles.values():
            for connection in pile:
                await connection.aclose()
