"""The socket through which other processes come onto the air of a home: ZEP over UDP, in real time.

What may be said and what becomes of it is in `smetslab.han.air.outside`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from smetslab.clock import VirtualLoop
from smetslab.errors import UsageError
from smetslab.han.air.outside import OutsideAir, Peer
from smetslab.han.stack.home import RadioHome
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.zigbee.capture.zep import PORT

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
MAX_DATAGRAM: Final = 2048


def parse_host_port(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT or [IPV6]:PORT; without a port that of ZEP. Raises ValueError."""
    host, port = text, PORT
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no address")
        port = int(rest[1:]) if rest else PORT
    elif ":" in text:
        host, _, after = text.rpartition(":")
        if ":" in host or not after.isdecimal():
            raise ValueError(f"{text!r} is no address")
        port = int(after)
    if not host or not 0 <= port <= 65535:
        raise ValueError(f"{text!r} is no address")
    return host, port


class ZepAir:
    """Lets processes onto the air of a home while its block is open. `address` is where it listens."""

    def __init__(self, home: RadioHome, host: str, port: int, seed: RootSeed) -> None:
        """A port of 0 is chosen by the system."""
        self._home = home
        self._host, self._port = host, port
        self._transport: asyncio.DatagramTransport | None = None
        self.address: Peer = host, port
        self.outside = OutsideAir(
            medium=home.medium,
            scheduler=home.clock,
            seed=seed,
            channel=home.settings.channel,
            send=self._send,
            now_us=lambda: (home.clock.now() - _EPOCH) // _MICROSECOND,
            noticed=self._noticed,
            guests=home.guests,
        )

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            raise UsageError(
                "zep: another process lives in real time, and this laboratory does not",
                hint="`smetslab serve` and `smetslab premises` run in real time",
            )
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Protocol(self.outside), local_addr=(self._host, self._port)
            )
        except OSError as error:
            raise UsageError(f"zep: cannot listen on {self._host}:{self._port}: {error}") from error
        self.address = self._transport.get_extra_info("sockname")[:2]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.outside.close()
        if self._transport is not None:
            self._transport.close()
            # The transport closes its socket in the next turn of the loop.
            await asyncio.sleep(0)

    def _send(self, datagram: bytes, peer: Peer) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(datagram, peer)

    def _noticed(self, event: str, radio: Eui64) -> None:
        self._home.record(event, source=str(radio))


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, outside: OutsideAir) -> None:
        self._outside = outside

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._outside.received(data[:MAX_DATAGRAM], (str(addr[0]), addr[1]))

    def error_received(self, exc: Exception) -> None:
        """A process that listened has gone: what is for it is lost, as over the air."""
