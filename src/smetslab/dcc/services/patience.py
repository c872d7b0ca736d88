"""The HTTP protocol of a service, with an end to its patience: a client that does not finish the head of a
request in time, or makes it endless, loses its connection. Bodies are bounded by the application.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PatientProtocol(HttpToolsProtocol):
    """`head_timeout_s`, in real seconds, runs from the connection and from the first octet of each later
    request. Both bounds are choices.
    """

    head_timeout_s: ClassVar[float] = 20.0
    max_head_octets: ClassVar[int] = 65_536

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._patience: asyncio.TimerHandle | None = None
        self._head_octets = 0
        self._rests = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rests:
            # Empty lines before a request, too, which the parser passes over.
            self._await_head()
        if self._patience is not None:
            self._head_octets += len(data)
        super().data_received(data)
        if self._patience is not None and self._head_octets > self.max_head_octets:
            self._give_up()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._patience is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_is_here()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._rests = True

    def _await_head(self) -> None:
        self._rests = False
        self._head_octets = 0
        self._patience = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _head_is_here(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._head_is_here()
        self.transport.close()
