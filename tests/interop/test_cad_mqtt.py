"""A consumer access device publishes to a real broker, also after the broker was away."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from smetslab.clock import LoopClock
from smetslab.devices.cad_mqtt import Broker, publish
from smetslab.devices.type2 import Cad
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import ServeConfig, load_lab
from smetslab.lab.serve import LabServer

CAD = Eui64.parse("00DB1234567890B2")
TOPIC = f"glow/{CAD}/SENSOR/electricitymeter"


@pytest.fixture
def home(tmp_path: Path):
    text = (Path(load_lab.__code__.co_filename).parent / "default.lab.toml").read_text()
    path = tmp_path / "home.lab.toml"
    path.write_text(
        text.replace('mode = "virtual"', 'mode = "real"\nscale = 60')
        + f'\n[[premises.devices]]\nname = "cad"\nprofile = "cad-reference"\neui64 = "{CAD}"\n'
    )
    return load_lab(path)


async def _hear(broker, topic: str, count: int) -> list[tuple[str, dict[str, object], bool]]:
    async with asyncio.timeout(20), aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(topic, qos=1)
        heard = []
        async for message in client.messages:
            heard.append((str(message.topic), json.loads(message.payload), bool(message.retain)))
            if len(heard) == count:
                return heard
    raise AssertionError("the loop above returns")


def test_readings_arrive_and_announcements_stay(home, broker) -> None:
    async def story() -> None:
        async with Lab(home) as lab:
            cad = lab.devices[CAD]
            assert isinstance(cad, Cad)
            assert isinstance(lab.clock, LoopClock)
            publisher = asyncio.create_task(
                publish(cad, Broker(host="127.0.0.1", port=broker.port), interval_s=0.2)
            )
            try:
                readings = await _hear(broker, TOPIC, 2)
                assert {topic for topic, _, _ in readings} == {TOPIC}
                body = readings[-1][1]["electricitymeter"]
                assert body["energy"]["import"]["cumulative"] > 0
                announced = await _hear(broker, "homeassistant/#", 4)
                assert all(retained for _, _, retained in announced)
                broker.stop()
                broker.start()
                assert await _hear(broker, TOPIC, 1)
                assert lab.trace.find(event="BrokerUnreachable")
            finally:
                publisher.cancel()
                await asyncio.wait([publisher])

    asyncio.run(story())


def test_a_served_home_publishes(home, broker) -> None:
    """From its lab file alone; the broker says who has connected."""
    serve = ServeConfig(
        port=0, smki_port=0, callback=None, epoch="lab", cad_broker=f"mqtt://127.0.0.1:{broker.port}"
    )
    config = home.model_copy(update={"serve": serve})

    async def story() -> None:
        async with LabServer(config, now=datetime(2026, 11, 28, tzinfo=UTC)):
            [(topic, body, _)] = await _hear(broker, TOPIC, 1)
            assert topic == TOPIC
            assert "electricitymeter" in body

    asyncio.run(story())
