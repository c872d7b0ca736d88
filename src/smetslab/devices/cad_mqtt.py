"""Carries what a CAD publishes to an MQTT broker, and connects again when the broker was away.

Needs the optional extra `mqtt` and an ordinary event loop: a broker has no virtual time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Final
from urllib.parse import unquote, urlsplit

from smetslab.devices.cad_topics import TopicTemplate
from smetslab.devices.type2 import Cad
from smetslab.errors import UsageError

INTERVAL_S: Final = 10.0
"""How often readings are published (unverified)."""
DEFAULT_PORT: Final = 1883
_HINT: Final = "mqtt://[USER:PASSWORD@]HOST[:PORT]"
_RETRY_FIRST_S, _RETRY_LONGEST_S = 1.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where a CAD publishes. The password is not shown."""

    host: str
    port: int = DEFAULT_PORT
    username: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str) -> Broker:
        """The broker of a URL. Raises UsageError."""
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORT
        except ValueError as error:
            raise UsageError(f"{url!r} names no MQTT broker: {error}", hint=_HINT) from error
        if parts.scheme != "mqtt" or not parts.hostname or parts.path.strip("/") or parts.query:
            raise UsageError(f"{url!r} names no MQTT broker", hint=_HINT)
        username, password = (
            None if one is None else unquote(one) for one in (parts.username, parts.password)
        )
        return cls(host=parts.hostname, port=port, username=username, password=password)

    def __repr__(self) -> str:
        return f"Broker({self.host}:{self.port})"


@asynccontextmanager
async def publishing(cads: Sequence[Cad], broker: Broker) -> AsyncIterator[None]:
    """All of these publish while the block lasts. Raises UsageError without the extra `mqtt`."""
    _library()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(publish(cad, broker), name=f"CAD {cad.eui64} publishes") for cad in cads]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


def _library() -> ModuleType:
    try:
        import aiomqtt  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise UsageError(
            "publishing needs the optional extra mqtt", hint="pip install 'smetslab[mqtt]'"
        ) from error
    return aiomqtt


async def publish(
    cad: Cad, broker: Broker, template: TopicTemplate | None = None, *, interval_s: float = INTERVAL_S
) -> None:
    """Publish until cancelled. Raises UsageError without the extra `mqtt`."""
    aiomqtt = _library()
    chosen = TopicTemplate() if template is None else template
    delay_s = _RETRY_FIRST_S
    while True:
        try:
            async with aiomqtt.Client(
                broker.host,
                broker.port,
                username=broker.username,
                password=broker.password,
                identifier=f"smetslab-cad-{cad.eui64}",
                # Small messages must not wait for each other's acknowledgement.
                socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            ) as client:
                delay_s = _RETRY_FIRST_S
                for message in cad.announcements(chosen):
                    await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
                while True:
                    if cad.powered:
                        for message in cad.publications(chosen):
                            await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
                    await asyncio.sleep(interval_s)
        except aiomqtt.MqttError as error:
            cad.trace.record("device", "BrokerUnreachable", source=str(cad.eui64), reason=str(error))
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _RETRY_LONGEST_S)
