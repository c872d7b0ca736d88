"""Runs an ASGI application on a socket of the running loop, beside others and without taking signals."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette

from smetslab.dcc.services.patience import PatientProtocol
from smetslab.errors import UsageError

IDLE_S: Final = 75
"""How long an idle connection of a client is kept, in real seconds: longer than common clients keep it."""

_BACKLOG: Final = 256


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose. Raises UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port}: {error.strerror or error}",
            hint="choose another port, or 0 for any",
        ) from error
    listening.setblocking(False)
    return listening


def base_url(scheme: str, host: str, listening: socket.socket) -> str:
    """The URL at which this machine reaches a socket, without a slash at the end."""
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    everywhere = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - the answer to binding to it
    return f"{scheme}://{everywhere.get(shown, shown)}:{port}"


class _Server(uvicorn.Server):
    """A server whose owner takes the signals, and that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.running = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.running.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running(
    app: Starlette, listening: socket.socket, *, tls: ssl.SSLContext | None = None, stop_within_s: float = 5.0
) -> AsyncIterator[None]:
    """Serve `app` while the block is open; then finish requests under way, but within `stop_within_s`."""
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=max(1, round(stop_within_s)),
    )
    config.load()
    config.ssl = tls
    server = _Server(config)
    # No task group: what goes wrong in the block is to leave it as it is, not in a group of exceptions.
    task = asyncio.create_task(server.serve(sockets=[listening]), name="HTTP server")
    ready = asyncio.create_task(server.running.wait(), name="HTTP server begins")
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            yield
    finally:
        ready.cancel()
        server.should_exit = True
        await task
