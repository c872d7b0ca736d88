"""Carries what a CAD publishes to an MQTT broker, and connects again when the broker was away.

Needs the optional extra `mqtt` and an ordinary event loop: a broker has no virtual time.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Final

from smetslab.devices.cad_topics import TopicTemplate
from smetslab.devices.type2 import Cad
from smetslab.errors import UsageError

INTERVAL_S: Final = 10.0
"""How often readings are published (unverified)."""
_RETRY_FIRST_S, _RETRY_LONGEST_S = 1.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where a CAD publishes. The password is not shown."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Broker({self.host}:{self.port})"


async def publish(
    cad: Cad, broker: Broker, template: TopicTemplate | None = None, *, interval_s: float = INTERVAL_S
) -> None:
    """Publish until cancelled. Raises UsageError without the extra `mqtt`."""
    try:
        import aiomqtt  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise UsageError(
            "publishing needs the optional extra mqtt", hint="pip install 'smetslab[mqtt]'"
        ) from error
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
