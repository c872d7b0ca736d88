"""What of the WAN over MQTT needs no broker; all else is in `tests/interop`."""

from __future__ import annotations

import asyncio

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.errors import WanError
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.wan import WanMessage
from smetslab.wan.mqtt import MqttWan, _end
from smetslab.wan.parcels import Receipt, decode_parcels, encode_parcels
from smetslab.wan.topics import HERE, parse_address

HUB = Eui64.parse("00DB1234567890A2")


def test_tasks_that_lose_a_cancellation_end_all_the_same() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    async def broken() -> None:
        raise OSError("the connection is gone")

    async def main(_clock: LoopClock) -> None:
        tasks = [asyncio.ensure_future(stubborn()), asyncio.ensure_future(broken())]
        await asyncio.sleep(0)
        await _end(tasks)
        assert tasks[0].cancelled()
        assert isinstance(tasks[1].exception(), OSError)

    run_virtual(main)
    assert lost == 2


class Library:
    """Connections of the library; with `deaf` the broker says no word to what is published."""

    def __init__(self, wan: MqttWan, *, deaf: bool) -> None:
        self.wan = wan
        self.deaf = deaf
        self.published: list[str] = []

    async def publish(self, topic: str, payload: bytes, *, qos: int) -> None:
        assert qos == 1
        self.published.append(topic)
        if self.deaf:
            await asyncio.Event().wait()
        _, parcels = decode_parcels(payload)
        receipts = [(way, Receipt(what.identity, what.hub)) for way, what in parcels]
        post = self.wan._topics.post("head")
        self.wan._take(post, encode_parcels("premises-1", receipts))


def test_behind_a_lost_connection_messages_leave_at_once() -> None:
    async def main(clock: LoopClock) -> None:
        wan = MqttWan(parse_address("mqtt://broker"), clock, Trace(clock), node="head", head=True)
        message = WanMessage("m-1", HUB, b"command")
        async with asyncio.TaskGroup() as wan._group:
            before = Library(wan, deaf=True)
            for connection in (before, Library(wan, deaf=False)):
                wan._client = wan._out = connection  # type: ignore[assignment]
                wan._take(wan._topics.node("premises-1"), HERE)
                wan._take(wan._topics.hub(HUB), b"premises-1")
                if connection is before:
                    sending = asyncio.ensure_future(wan.to_hub(message))
                    await asyncio.sleep(0.1)
                    wan._lose_connection("gone")
                    with pytest.raises(WanError, match="lost"):
                        await sending
                else:
                    await wan.to_hub(message)
                assert connection.published == ["smetslab/lab/node/premises-1/post"]
            assert clock.time() < 0.2

    run_virtual(main)


def test_a_state_that_names_no_node_is_noise() -> None:
    async def main(clock: LoopClock) -> None:
        trace = Trace(clock)
        wan = MqttWan(parse_address("mqtt://broker"), clock, trace, node="head", head=True)
        wan._take(wan._topics.hub(HUB), b"a/#")
        assert [one.event for one in trace.observations] == ["NoiseDropped"]
        assert not wan._hub_nodes

    run_virtual(main)
