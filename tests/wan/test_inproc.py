"""The in-process WAN: nothing that was taken is lost, repeats are marked, outages refuse and hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.errors import LocalProtocolError, StoreError, WanError
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.store import Store
from smetslab.trace import Trace
from smetslab.wan import InProcessWan, Seen, Wan, WanMessage

HUB = Eui64.parse("00DB1234567890A2")
OTHER_HUB = Eui64.parse("00DB1234567890B2")


def message(number: int, hub: Eui64 = HUB) -> WanMessage:
    return WanMessage(f"m{number}", hub, bytes([number]))


def run(body: Callable[[LoopClock, Trace, InProcessWan], Coroutine[Any, Any, None]], **options: Any) -> Trace:
    traces: list[Trace] = []

    async def main(clock: LoopClock) -> None:
        trace = Trace(clock)
        traces.append(trace)
        async with InProcessWan(clock, trace, RootSeed(5), **options) as wan:
            as_protocol: Wan = wan
            assert as_protocol is wan
            await body(clock, trace, wan)

    run_virtual(main)
    return traces[0]


def test_messages_arrive_in_order_after_the_latency() -> None:
    arrived: list[tuple[float, str]] = []

    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        wan.attach_hub(HUB, lambda got: arrived.append((clock.time(), got.identity)))
        for number in range(50):
            await wan.to_hub(message(number))
        await clock.sleep(10)

    run(body, latency_s=0.2, jitter_s=0.5)
    assert [identity for _, identity in arrived] == [f"m{number}" for number in range(50)]
    assert all(0.2 <= moment <= 0.7001 for moment, _ in arrived)


def test_both_directions_are_traced_with_their_bytes() -> None:
    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        wan.attach_hub(HUB, lambda got: None)
        wan.attach_head(lambda got: None)
        await wan.to_hub(message(1))
        await wan.to_head(message(2))
        await clock.sleep(1)

    trace = run(body)
    sent = trace.find(layer="wan", event="MessageSent")
    assert [(seen.source, seen.target, seen.data, seen.detail["identity"]) for seen in sent] == [
        ("dcc", str(HUB), b"\x01", "m1"),
        (str(HUB), "dcc", b"\x02", "m2"),
    ]
    delivered = trace.find(event="MessageDelivered")
    assert sorted(seen.detail["identity"] or "" for seen in delivered) == ["m1", "m2"]


def test_what_is_under_way_when_the_process_ends_is_delivered_by_the_next_one() -> None:
    arrived: list[str] = []

    async def main(clock: LoopClock) -> None:
        with Store() as store:
            nvm = store.nvm("wan")
            trace = Trace(clock)
            async with InProcessWan(clock, trace, RootSeed(5), nvm=nvm) as wan:
                wan.attach_hub(HUB, lambda got: arrived.append(f"first {got.identity}"))
                wan.attach_head(lambda got: arrived.append(f"first {got.identity}"))
                await wan.to_hub(message(1))
                await clock.sleep(1)
                for number in (2, 3):
                    await wan.to_hub(message(number))
                await wan.to_head(WanMessage("up", HUB, b"image", "firmware"))
            async with InProcessWan(clock, trace, RootSeed(5), nvm=nvm) as wan:
                wan.attach_hub(HUB, lambda got: arrived.append(f"second {got.identity}"))
                wan.attach_head(lambda got: arrived.append(f"second {got.identity} {got.kind}"))
                await clock.sleep(1)
                await wan.to_hub(message(4))
                await clock.sleep(1)
            assert nvm.items() == []
            with nvm.transaction() as transaction:
                transaction.put("way/000000000007/to-hub", b"damaged")
            with pytest.raises(StoreError, match="damaged at way/000000000007/to-hub"):
                async with InProcessWan(clock, trace, RootSeed(5), nvm=nvm):
                    pass

    run_virtual(main)
    assert arrived[:1] == ["first m1"]
    assert [one for one in arrived if one.startswith("second m")] == ["second m2", "second m3", "second m4"]
    assert arrived.count("second up firmware") == 1
    assert len(arrived) == 5


def test_losses_delay_but_lose_nothing_and_repeats_can_be_dropped() -> None:
    arrived: list[str] = []
    unique: list[str] = []
    seen = Seen()

    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        def receive(got: WanMessage) -> None:
            arrived.append(got.identity)
            if seen.first(got.identity):
                unique.append(got.identity)

        wan.attach_head(receive)
        wan.attach_hub(HUB, lambda got: None)
        for number in range(100):
            await wan.to_head(message(number))
            await clock.sleep(1)
        await clock.sleep(100)

    trace = run(body, loss_probability=0.3, duplicate_probability=0.3)
    assert unique == [f"m{number}" for number in range(100)]
    assert len(arrived) > 110
    assert len(arrived) - 100 == len(trace.find(event="MessageDelivered", repeated=True))
    assert len(trace.find(event="TransferLost")) > 10


def test_an_outage_refuses_senders_and_holds_what_is_under_way() -> None:
    arrived: list[tuple[float, str]] = []

    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        wan.attach_hub(HUB, lambda got: arrived.append((round(clock.time(), 3), got.identity)))
        wan.attach_head(lambda got: arrived.append((round(clock.time(), 3), got.identity)))
        await wan.to_hub(message(1))
        await wan.to_head(message(2))
        wan.outage(True)
        for send in (wan.to_hub, wan.to_head):
            with pytest.raises(WanError, match="down") as caught:
                await send(message(3))
            assert caught.value.transient
        await clock.sleep(60)
        assert arrived == []
        wan.outage(False)
        await wan.to_hub(message(4))
        await clock.sleep(60)

    run(body, jitter_s=0.0)
    assert arrived == [(60.0, "m1"), (60.0, "m2"), (60.2, "m4")]


def test_an_outage_of_one_hub_leaves_the_others_alone() -> None:
    arrived: list[str] = []

    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        for hub in (HUB, OTHER_HUB):
            wan.attach_hub(hub, lambda got: arrived.append(got.identity))
        wan.outage(True, HUB)
        with pytest.raises(WanError):
            await wan.to_hub(message(1))
        await wan.to_hub(message(2, OTHER_HUB))
        await clock.sleep(10)

    run(body)
    assert arrived == ["m2"]


def test_a_hub_that_loses_power_gets_what_was_under_way_when_it_is_back() -> None:
    arrived: list[str] = []

    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        detach = wan.attach_hub(HUB, lambda got: arrived.append(f"first {got.identity}"))
        await wan.to_hub(message(1))
        detach()
        detach()
        with pytest.raises(WanError, match="is off") as caught:
            await wan.to_hub(message(2))
        assert caught.value.transient
        await clock.sleep(10)
        wan.attach_hub(HUB, lambda got: arrived.append(f"again {got.identity}"))
        await clock.sleep(10)

    run(body)
    assert arrived == ["again m1"]


def test_nobody_there_is_told_apart_from_somebody_off() -> None:
    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        with pytest.raises(WanError, match="no hub") as caught:
            await wan.to_hub(message(1))
        assert not caught.value.transient
        with pytest.raises(WanError, match="nobody at the head") as caught:
            await wan.to_head(message(1))
        assert caught.value.transient
        wan.attach_hub(HUB, lambda got: None)
        wan.attach_head(lambda got: None)
        with pytest.raises(LocalProtocolError):
            wan.attach_hub(HUB, lambda got: None)
        with pytest.raises(LocalProtocolError):
            wan.attach_head(lambda got: None)

    run(body)


def test_leaving_cancels_what_is_under_way() -> None:
    arrived: list[str] = []

    async def main(clock: LoopClock) -> None:
        async with InProcessWan(clock, Trace(clock), RootSeed(1)) as wan:
            wan.attach_hub(HUB, lambda got: arrived.append(got.identity))
            await wan.to_hub(message(1))
        with pytest.raises(LocalProtocolError, match="not open"):
            await wan.to_hub(message(2))
        await asyncio.get_running_loop().create_future()

    with pytest.raises(LocalProtocolError, match="nothing left"):
        run_virtual(main)
    assert arrived == []


def _arrivals(hubs: list[Eui64]) -> list[float]:
    moments: list[float] = []

    async def body(clock: LoopClock, trace: Trace, wan: InProcessWan) -> None:
        for hub in hubs:
            wan.attach_hub(hub, lambda got: moments.append(clock.time()) if got.hub == HUB else None)
        for number in range(20):
            for hub in hubs:
                await wan.to_hub(message(number, hub))
            await clock.sleep(5)

    run(body, jitter_s=1.0, loss_probability=0.2)
    return moments


def test_another_hub_does_not_change_the_chance_of_the_first() -> None:
    alone = _arrivals([HUB])
    assert alone == _arrivals([OTHER_HUB, HUB])
    assert len(set(alone)) == 20


def test_seen_forgets_the_oldest_only() -> None:
    seen = Seen(limit=2)
    assert [seen.first(name) for name in ("a", "b", "a", "c", "a", "b")] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
