"""A connection to an MQTT broker, by the library: how it is made, kept and ended."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from smetslab.errors import UsageError
from smetslab.wan.topics import MqttAddress

if TYPE_CHECKING:
    import aiomqtt

NO_DELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

_LOG: Final = logging.getLogger("smetslab.wan.mqtt")
_LOG.setLevel(logging.CRITICAL)
"""What the library logs of a lost connection is in the trace."""

_IN_FLIGHT: Final = 10_000
"""How many messages may be under way at once. A choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttRules:
    """Times of a connection, all choices: how long a receipt may take, how long a hub is waited for that is
    not there, and how long a hub waits for the head, how long between two attempts to connect at first and at
    most, after which silence the broker gives a node up (the last will is published at one and a half of it).
    They are in real seconds, whatever the scale of the laboratory: the broker knows no other. How long a hub
    may be lost before somebody is told is in laboratory seconds.
    """

    receipt_timeout_s: float = 10.0
    presence_s: float = 1.0
    head_patience_s: float = 60.0
    first_retry_s: float = 0.25
    longest_retry_s: float = 30.0
    keep_alive_s: int = 20
    lost_after_s: float = 180.0


class _PatientLoop:
    """The loop as the library sees it. It asks to watch its socket a moment after it has closed it, when the
    connection is lost while something is written; that is no fault of anybody.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_writer(self, descriptor: int, callback: Callable[[], object]) -> None:
        if descriptor >= 0:
            with suppress(OSError):
                self._loop.add_writer(descriptor, callback)

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        if descriptor >= 0:
            with suppress(OSError):
                self._loop.add_reader(descriptor, callback)

    def remove_writer(self, descriptor: int) -> None:
        if descriptor >= 0:
            self._loop.remove_writer(descriptor)


@asynccontextmanager
async def connection(
    address: MqttAddress, identifier: str, rules: MqttRules, *, will: tuple[str, bytes] | None
) -> AsyncIterator[aiomqtt.Client]:
    """A connection while the block is open. `will` is topic and payload of the last will. Raises what the
    library raises.
    """
    client = _client(address, identifier, rules, will)
    opening = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        # A thread of the library is connecting: it must come to its end, or its socket stays open.
        await asyncio.wait([opening])
        if opening.exception() is None:
            await client.__aexit__(None, None, None)
        raise
    try:
        yield client
    finally:
        await client.__aexit__(None, None, None)
        # The library keeps why a connection was lost, for somebody who may not have asked.
        lost: asyncio.Future[None] = client._disconnected
        if lost.done() and not lost.cancelled():
            lost.exception()


def _client(
    address: MqttAddress, identifier: str, rules: MqttRules, will: tuple[str, bytes] | None
) -> aiomqtt.Client:
    """A connection not yet made."""
    mqtt = library()
    tls = (
        mqtt.TLSParameters(
            ca_certs=address.ca_file, certfile=address.certificate_file, keyfile=address.key_file
        )
        if address.tls
        else None
    )
    client: aiomqtt.Client = mqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=identifier,
        will=None if will is None else mqtt.Will(*will, qos=1, retain=True),
        tls_params=tls,
        keepalive=rules.keep_alive_s,
        socket_options=[NO_DELAY],
        timeout=rules.receipt_timeout_s,
        max_inflight_messages=_IN_FLIGHT,
        logger=_LOG,
    )
    # It warns of more calls at once than that; requests of a thousand homes are no mistake.
    client.pending_calls_threshold = _IN_FLIGHT
    client._loop = cast("asyncio.AbstractEventLoop", _PatientLoop(asyncio.get_running_loop()))
    return client


def library() -> Any:
    """The library. Raises UsageError where it is not installed."""
    try:
        import aiomqtt  # noqa: PLC0415 - an extra: the core runs without it
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the WAN over MQTT needs {error.name}", hint="pip install 'smetslab[mqtt]'"
        ) from error
    return aiomqtt
