"""Direct links: acknowledged delivery in order, retries, unreachable devices, discovery, and the trace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.errors import HanError, LocalProtocolError
from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame, ApsService, ClusterRole, DirectMedium
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.trace import Trace

HUB = Eui64.parse("00DB1234567890A2")
METER = Eui64.parse("00DB1234567890A0")
OTHER = Eui64.parse("00DB1234567890A4")
TIME = 0x000A


def frame(payload: bytes, *, source: Eui64 = HUB, destination: Eui64 = METER, endpoint: int = 7) -> ApsFrame:
    return ApsFrame(
        source=source,
        source_endpoint=123,
        destination=destination,
        destination_endpoint=endpoint,
        profile=SMART_ENERGY_PROFILE,
        cluster=TIME,
        payload=payload,
    )


def run(body: Callable[[LoopClock, Trace, DirectMedium], Coroutine[Any, Any, None]], **options: Any) -> Trace:
    traces: list[Trace] = []

    async def main(clock: LoopClock) -> None:
        trace = Trace(clock)
        traces.append(trace)
        await body(clock, trace, DirectMedium(clock, trace, RootSeed(3), **options))

    run_virtual(main)
    return traces[0]


def test_a_frame_arrives_at_the_registered_endpoint_and_is_traced() -> None:
    arrived: list[ApsFrame] = []

    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER) as meter:
            service: ApsService = hub
            assert service.eui64 == HUB
            meter.register(7, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, arrived.append)
            await hub.send(frame(b"\x00\x01\x00"))
            await asyncio.sleep(0)
            assert 0.02 <= clock.time() <= 0.03

    trace = run(body)
    assert arrived == [frame(b"\x00\x01\x00")]
    (sent,) = trace.find(layer="han", event="FrameSent")
    assert (sent.source, sent.target, sent.data) == (str(HUB), str(METER), b"\x00\x01\x00")
    assert sent.detail == {
        "source_endpoint": 123,
        "target_endpoint": 7,
        "profile": 0x0109,
        "cluster": TIME,
    }
    (delivered,) = trace.find(event="FrameDelivered")
    assert delivered.detail["sent"] == sent.sequence


def test_an_answer_goes_back_to_where_the_frame_came_from() -> None:
    answer = frame(b"\x00").answer(b"\x01")
    assert (answer.source, answer.source_endpoint, answer.destination, answer.destination_endpoint) == (
        METER,
        7,
        HUB,
        123,
    )
    assert answer.payload == b"\x01"


def test_frames_of_one_pair_stay_in_order() -> None:
    arrived: list[bytes] = []

    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER) as meter:
            meter.register(
                7, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, lambda got: arrived.append(got.payload)
            )
            async with asyncio.TaskGroup() as group:
                for number in range(100):
                    group.create_task(hub.send(frame(bytes([number]))))
            await clock.sleep(1)

    run(body, jitter_s=0.5)
    assert arrived == [bytes([number]) for number in range(100)]


def test_a_device_out_of_reach_costs_all_retries() -> None:
    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER):
            medium.set_reachable(METER, False)
            with pytest.raises(
                HanError, match="no acknowledgement from 00DB1234567890A0 after 4 attempts"
            ) as caught:
                await hub.send(frame(b"\x00"))
            assert caught.value.transient
            assert 6.4 < clock.time() < 6.6

    trace = run(body)
    assert [seen.detail["attempt"] for seen in trace.find(event="FrameLost")] == [1, 2, 3, 4]


def test_a_device_that_comes_back_in_time_still_gets_the_frame() -> None:
    arrived: list[float] = []

    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER) as meter:
            meter.register(
                7, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, lambda _: arrived.append(clock.time())
            )
            medium.set_reachable(METER, False)
            clock.call_at(2.0, medium.set_reachable, METER, True)
            await hub.send(frame(b"\x00"))
            await asyncio.sleep(0)

    run(body)
    assert len(arrived) == 1
    assert 3.2 < arrived[0] < 3.5


def test_losses_are_repaired_by_retries() -> None:
    arrived: list[bytes] = []

    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER) as meter:
            meter.register(
                7, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, lambda got: arrived.append(got.payload)
            )
            for number in range(100):
                await hub.send(frame(bytes([number])))
            await asyncio.sleep(0)

    trace = run(body, loss_probability=0.2)
    assert arrived == [bytes([number]) for number in range(100)]
    assert len(trace.find(event="FrameLost")) > 10


def test_a_device_without_power_neither_sends_nor_hears() -> None:
    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        hub, meter = medium.link(HUB), medium.link(METER)
        async with hub:
            with pytest.raises(HanError):
                await hub.send(frame(b"\x00"))
            with pytest.raises(HanError, match="off the air"):
                await meter.send(frame(b"\x00", source=METER, destination=HUB))
            with pytest.raises(HanError, match="off the air"):
                await meter.find_endpoint(HUB, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER)
            async with meter:
                await hub.send(frame(b"\x00"))

    trace = run(body)
    # On the air again, but without an application for the frame: acknowledged, and dropped.
    assert len(trace.find(event="FrameDropped")) == 1


def test_nobody_sends_in_anothers_name() -> None:
    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub:
            with pytest.raises(LocalProtocolError, match="cannot send as"):
                await hub.send(frame(b"\x00", source=METER))
        with pytest.raises(LocalProtocolError, match="already"):
            medium.link(HUB)

    run(body)


def test_endpoints_are_found_by_cluster_and_role() -> None:
    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER) as meter:
            take_back = meter.register(9, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, lambda _: None)
            both = ClusterRole.CLIENT | ClusterRole.SERVER
            meter.register(12, SMART_ENERGY_PROFILE, TIME, both, lambda _: None)
            assert await hub.find_endpoint(METER, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER) == 9
            assert await hub.find_endpoint(METER, SMART_ENERGY_PROFILE, TIME, ClusterRole.CLIENT) == 12
            take_back()
            take_back()
            assert await hub.find_endpoint(METER, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER) == 12
            with pytest.raises(HanError, match="no endpoint with cluster 0x0700") as caught:
                await hub.find_endpoint(METER, SMART_ENERGY_PROFILE, 0x0700, ClusterRole.SERVER)
            assert not caught.value.transient
            with pytest.raises(HanError, match="no answer") as caught:
                await hub.find_endpoint(OTHER, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER)
            assert caught.value.transient
            with pytest.raises(LocalProtocolError, match="registered on endpoint 12 already"):
                meter.register(12, SMART_ENERGY_PROFILE, TIME, ClusterRole.CLIENT, lambda _: None)
            with pytest.raises(LocalProtocolError, match="1 to 240"):
                meter.register(0, SMART_ENERGY_PROFILE, TIME, ClusterRole.CLIENT, lambda _: None)

    run(body)


def test_a_fault_of_the_receiver_ends_the_run_and_does_not_reach_the_sender() -> None:
    sent: list[str] = []

    def break_down(_frame: ApsFrame) -> None:
        raise HanError("a fault of the receiver")

    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER) as meter:
            meter.register(7, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, break_down)
            await hub.send(frame(b"\x00"))
            sent.append("acknowledged")
            await clock.sleep(1)

    with pytest.raises(HanError, match="a fault of the receiver"):
        run(body)
    assert sent == ["acknowledged"]


def _arrivals(others: bool) -> list[float]:
    moments: list[float] = []

    async def body(clock: LoopClock, trace: Trace, medium: DirectMedium) -> None:
        async with medium.link(HUB) as hub, medium.link(METER) as meter, medium.link(OTHER) as other:
            meter.register(
                7, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, lambda _: moments.append(clock.time())
            )
            for cluster_holder in (hub, other):
                cluster_holder.register(7, SMART_ENERGY_PROFILE, TIME, ClusterRole.SERVER, lambda _: None)
            for number in range(20):
                async with asyncio.TaskGroup() as group:
                    if others:
                        group.create_task(other.send(frame(b"", source=OTHER, destination=HUB)))
                        group.create_task(hub.send(frame(b"", destination=OTHER)))
                    group.create_task(hub.send(frame(bytes([number]))))
                await clock.sleep(100 - clock.time() % 100)

    run(body, jitter_s=1.0, loss_probability=0.1)
    return moments


def test_other_devices_do_not_change_the_chance_of_a_pair() -> None:
    alone = _arrivals(others=False)
    assert len(set(alone)) == 20
    assert _arrivals(others=True) == alone
