"""Tunnels over direct links: hub and meter back to back, with loss, busy devices, power cuts and renewals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.errors import HanError
from smetslab.han import (
    SMART_ENERGY_PROFILE,
    ApsFrame,
    DirectMedium,
    TunnelClient,
    TunnelEndpoint,
    TunnelRules,
    TunnelServer,
)
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.store import Store
from smetslab.trace import Trace, where
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling

HUB = Eui64.parse("00DB1234567890A2")
METER = Eui64.parse("00DB1234567890A0")
STRANGER = Eui64.parse("00DB1234567890FF")
_DAY = timedelta(days=1)


@dataclass
class Home:
    """A hub and a meter, each with its end of a tunnel."""

    clock: LoopClock
    trace: Trace
    medium: DirectMedium
    store: Store
    rules: TunnelRules
    at_meter: list[bytes] = field(default_factory=list)
    at_hub: list[bytes] = field(default_factory=list)
    opened: list[Eui64] = field(default_factory=list)
    undelivered: list[tuple[bytes, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hub_link = self.medium.link(HUB)
        self.meter_link = self.medium.link(METER)

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[TunnelClient]:
        client = TunnelClient(
            self.hub_link,
            self.clock,
            self.trace,
            endpoint=123,
            on_data=lambda peer, data: self.at_hub.append(data),
            on_undelivered=lambda peer, data, error: self.undelivered.append((data, str(error))),
            rules=self.rules,
            nvm=self.store.nvm("hub"),
        )
        async with self.hub_link, client:
            yield client

    @asynccontextmanager
    async def meter(self) -> AsyncIterator[TunnelServer]:
        server = TunnelServer(
            self.meter_link,
            self.clock,
            self.trace,
            endpoint=7,
            on_data=lambda peer, data: self.at_meter.append(data),
            on_opened=self.opened.append,
            rules=self.rules,
            nvm=self.store.nvm("meter"),
        )
        async with self.meter_link, server:
            yield server


def run(
    body: Callable[[Home], Coroutine[Any, Any, None]], rules: TunnelRules | None = None, **medium: Any
) -> Home:
    homes: list[Home] = []

    async def main(clock: LoopClock) -> None:
        trace = Trace(clock)
        with Store() as store:
            homes.append(
                Home(
                    clock,
                    trace,
                    DirectMedium(clock, trace, RootSeed(11), **medium),
                    store,
                    TunnelRules() if rules is None else rules,
                )
            )
            await body(homes[0])

    run_virtual(main)
    return homes[0]


def test_messages_go_both_ways_as_zcl_frames() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            ends: list[TunnelEndpoint] = [hub, meter]
            assert len(ends) == 2
            hub.add(METER)
            await hub.send(METER, b"\xdf\x01")
            await meter.send(HUB, b"\xdd\x02")
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    home = run(body)
    assert (home.at_meter, home.at_hub, home.opened) == ([b"\xdf\x01"], [b"\xdd\x02"], [HUB])
    sent = [(seen.source, seen.data.hex().upper()) for seen in home.trace.find(event="FrameSent")]
    assert sent == [
        (str(HUB), "11010006FFFF00DC05"),
        (str(METER), "190100000000DC05"),
        (str(HUB), "1102020000DF01"),
        (str(METER), "1901010000DD02"),
    ]
    assert {seen.detail["cluster"] for seen in home.trace.find(event="FrameSent")} == {Tunnelling.id}
    assert {
        seen.detail["target_endpoint"] for seen in home.trace.find(event="FrameSent", target=str(METER))
    } == {7}


def test_a_lossy_link_delivers_everything_in_order() -> None:
    messages = [bytes([number]) * (number + 1) for number in range(60)]

    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            hub.add(METER)
            for message in messages:
                await hub.send(METER, message)
                await meter.send(HUB, message)
            await home.clock.sleep(1)

    home = run(body, loss_probability=0.15)
    assert home.at_meter == messages
    assert home.at_hub == messages
    assert len(home.trace.find(event="FrameLost")) > 10


def test_a_message_waits_while_the_meter_is_busy() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            meter.set_busy(True)
            hub.add(METER)
            home.clock.call_at(10.0, meter.set_busy, False)
            await hub.send(METER, b"\xdf")
            assert 180 < home.clock.time() < 181

    home = run(body)
    assert home.at_meter == [b"\xdf"]
    assert len(home.trace.find(event="TunnelRequested")) == 2


def test_a_meter_that_stays_busy_costs_the_message_not_the_hub() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            meter.set_busy(True)
            hub.add(METER)
            with pytest.raises(HanError, match="no tunnel in time"):
                await hub.send(METER, b"\xdf")
            assert home.clock.time() == pytest.approx(600, abs=0.1)
            meter.set_busy(False)
            await hub.send(METER, b"\xdd")

    assert run(body).at_meter == [b"\xdd"]


def test_an_unreachable_meter_is_reported_and_found_again() -> None:
    async def body(home: Home) -> None:
        async with home.meter(), home.hub() as hub:
            home.medium.set_reachable(METER, False)
            hub.add(METER)
            with pytest.raises(HanError) as caught:
                await hub.send(METER, b"\xdf")
            assert caught.value.transient
            home.medium.set_reachable(METER, True)
            mark = home.trace.next_sequence
            await home.trace.wait_for(where(event="TunnelOpened"), 200, since=mark)
            home.medium.set_reachable(METER, False)
            with pytest.raises(HanError, match="no acknowledgement"):
                await hub.send(METER, b"\xdf")
            home.medium.set_reachable(METER, True)
            await hub.send(METER, b"\xdd")

    assert run(body).at_meter == [b"\xdd"]


def test_the_tunnel_is_renewed_for_days_without_losing_a_message() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            hub.add(METER)
            for day in range(10):
                await home.clock.sleep_until(home.clock.epoch + (day + 1) * _DAY)
                await meter.send(HUB, bytes([day]))
            await home.clock.sleep(1)

    home = run(body)
    assert home.at_hub == [bytes([day]) for day in range(10)]
    assert len(home.trace.find(event="TunnelOpened")) >= 13


def test_open_tunnels_survive_a_power_cut_of_the_meter() -> None:
    async def body(home: Home) -> None:
        async with home.hub() as hub:
            async with home.meter():
                hub.add(METER)
                await hub.send(METER, b"\x01")
                await home.clock.sleep(1)
            async with home.meter() as meter:
                await meter.send(HUB, b"\x02")
                await hub.send(METER, b"\x03")
                await home.clock.sleep(1)

    home = run(body)
    assert (home.at_meter, home.at_hub) == ([b"\x01", b"\x03"], [b"\x02"])
    assert len(home.trace.find(event="TunnelRequested")) == 1


def test_a_message_into_a_tunnel_the_meter_has_forgotten_goes_through_a_new_one() -> None:
    async def body(home: Home) -> None:
        async with home.hub() as hub:
            async with home.meter():
                hub.add(METER)
                await hub.send(METER, b"\x01")
                await home.clock.sleep(1)
            with home.store.nvm("meter").transaction() as transaction:
                transaction.clear()
            async with home.meter():
                await hub.send(METER, b"\x02")
                await home.clock.sleep(5)

    home = run(body)
    assert home.at_meter == [b"\x01", b"\x02"]
    assert home.undelivered == []
    assert len(home.trace.find(event="TransferRefused")) == 2


def test_a_refused_message_that_cannot_go_again_comes_back() -> None:
    async def body(home: Home) -> None:
        async with home.hub() as hub:
            async with home.meter():
                hub.add(METER)
                await hub.send(METER, b"\x01")
                await home.clock.sleep(1)
            with home.store.nvm("meter").transaction() as transaction:
                transaction.clear()
            async with home.meter() as meter:
                meter.set_busy(True)
                await hub.send(METER, b"\x02")
                await home.clock.sleep(700)

    home = run(body)
    assert home.at_meter == [b"\x01"]
    assert [data for data, _ in home.undelivered] == [b"\x02"]


def test_after_its_own_power_cut_the_hub_clears_the_ids_it_has_left_behind() -> None:
    rules = TunnelRules(server_max_tunnels=1)

    async def body(home: Home) -> None:
        async with home.meter() as meter:
            async with home.hub() as hub:
                hub.add(METER)
                await hub.send(METER, b"\x01")
            assert home.store.nvm("hub").get_json(f"han.tunnel-ids.{METER}") == [0]
            # The hub comes back with other firmware, which has its tunnels on another endpoint.
            client = TunnelClient(
                home.hub_link,
                home.clock,
                home.trace,
                endpoint=124,
                on_data=lambda peer, data: None,
                rules=rules,
                nvm=home.store.nvm("hub"),
            )
            async with home.hub_link, client:
                client.add(METER)
                await home.clock.sleep(60)
                assert [tunnel.endpoint for tunnel in meter.tunnels] == [124]

    home = run(body, rules)
    refused = home.trace.find(event="TunnelRefused", source=str(HUB))
    assert [seen.detail["status"] for seen in refused] == [2]
    assert [seen.detail["tunnel_id"] for seen in home.trace.find(event="TunnelClosed", source=str(HUB))] == [
        0
    ]


def test_the_meter_cannot_send_before_the_hub_has_opened_a_tunnel() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            with pytest.raises(HanError, match="no tunnel with this device") as caught:
                await meter.send(HUB, b"\xdd")
            assert caught.value.transient
            with pytest.raises(HanError, match="no tunnel is kept with") as caught:
                await hub.send(METER, b"\xdf")
            assert not caught.value.transient

    run(body)


@pytest.mark.parametrize(("limit", "fits"), [(1500, False), (4096, True)])
def test_the_longest_published_message_needs_a_larger_limit_than_1500(limit: int, fits: bool) -> None:
    longest = bytes(3986)

    async def body(home: Home) -> None:
        async with home.meter(), home.hub() as hub:
            hub.add(METER)
            if fits:
                await hub.send(METER, longest)
            else:
                with pytest.raises(
                    HanError, match="3986 octets, a tunnel takes 1500 in one transfer"
                ) as caught:
                    await hub.send(METER, longest)
                assert not caught.value.transient
                await hub.send(METER, longest[:1500])

    home = run(body, TunnelRules(max_transfer_octets=limit))
    assert [len(data) for data in home.at_meter] == [3986 if fits else 1500]


def test_removing_a_device_closes_its_tunnel_and_fails_what_waits() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            hub.add(METER)
            await hub.send(METER, b"\x01")
            hub.remove(METER)
            hub.remove(METER)
            await home.clock.sleep(1)
            assert meter.tunnels == ()
            assert home.store.nvm("hub").items() == []
            meter.set_busy(True)
            hub.add(METER)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(_failure(hub.send(METER, b"\x02")))
                await home.clock.sleep(1)
                hub.remove(METER)
            assert "the device was removed" in waiting.result()

    run(body)


async def _failure(sending: Coroutine[Any, Any, None]) -> str:
    try:
        await sending
    except HanError as error:
        return str(error)
    return "sent"


def test_leaving_fails_who_still_waits() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, asyncio.TaskGroup() as group:
            meter.set_busy(True)
            async with home.hub() as hub:
                hub.add(METER)
                waiting = group.create_task(_failure(hub.send(METER, b"\x01")))
                await home.clock.sleep(5)
            assert "was closed" in await waiting
            with pytest.raises(HanError, match="closed"):
                await hub.send(METER, b"\x01")

    run(body)


def test_a_sender_that_is_cancelled_takes_its_message_back() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            meter.set_busy(True)
            hub.add(METER)
            task = asyncio.create_task(hub.send(METER, b"\x01"))
            await home.clock.sleep(5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            meter.set_busy(False)
            await hub.send(METER, b"\x02")
            await home.clock.sleep(5)

    assert run(body).at_meter == [b"\x02"]


def test_strangers_and_noise_are_noted_and_harm_nothing() -> None:
    async def body(home: Home) -> None:
        async with home.meter(), home.hub() as hub, home.medium.link(STRANGER) as stranger:
            hub.add(METER)
            await hub.send(METER, b"\x01")
            for target, endpoint in ((METER, 7), (HUB, 123)):
                for payload in (
                    b"",
                    b"\x03\x00\x00",
                    b"\x01\x02\x02\x00\x00\xff",
                    b"\x09\x05\x01\x00\x00\xff",
                ):
                    await stranger.send(
                        ApsFrame(
                            source=STRANGER,
                            source_endpoint=1,
                            destination=target,
                            destination_endpoint=endpoint,
                            profile=SMART_ENERGY_PROFILE,
                            cluster=Tunnelling.id,
                            payload=payload,
                        )
                    )
            await hub.send(METER, b"\x02")

    home = run(body)
    assert (home.at_meter, home.at_hub) == ([b"\x01", b"\x02"], [])
    assert len(home.trace.find(event="FrameRefused", target=str(STRANGER))) >= 6


def test_an_exception_of_the_block_is_not_wrapped() -> None:
    async def body(home: Home) -> None:
        async with home.meter(), home.hub() as hub:
            hub.add(METER)
            await hub.send(STRANGER, b"")

    with pytest.raises(HanError, match="no tunnel is kept"):
        run(body)


def test_a_fault_of_whoever_takes_the_data_ends_the_run() -> None:
    def break_down(_peer: Eui64, _data: bytes) -> None:
        raise ZeroDivisionError

    async def body(home: Home) -> None:
        server = TunnelServer(home.meter_link, home.clock, home.trace, endpoint=7, on_data=break_down)
        async with home.meter_link, server, home.hub() as hub:
            hub.add(METER)
            await hub.send(METER, b"\x01")
            await home.clock.sleep(3600)

    with pytest.raises(ExceptionGroup) as caught:
        run(body)
    assert caught.group_contains(ZeroDivisionError)


def test_two_runs_with_one_seed_give_one_trace() -> None:
    async def body(home: Home) -> None:
        async with home.meter() as meter, home.hub() as hub:
            hub.add(METER)
            for number in range(20):
                await hub.send(METER, bytes([number]))
                await meter.send(HUB, bytes([number]))

    first, second = (
        [seen.to_json_line() for seen in run(body, loss_probability=0.2).trace.observations] for _ in range(2)
    )
    assert first == second
