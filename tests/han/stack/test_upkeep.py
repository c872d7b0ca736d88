"""A network that lives on: hubs restart, parents vanish, keys and channels change, and all come back."""

from __future__ import annotations

import pytest

from smetslab.clock import run_virtual
from smetslab.errors import HanError, LocalProtocolError
from smetslab.han import ApsFrame, ClusterRole
from smetslab.han.air.bands import CHANNELS_2_4_GHZ, Channel
from smetslab.han.air.medium import Interference, Medium
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.rules import UpkeepRules
from smetslab.han.stack.sleeper import SleepRules
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.store import Store
from smetslab.trace import Trace
from smetslab.zigbee.dissect import Dissector
from smetslab.zigbee.mac_layer import COORDINATOR_REALIGNMENT
from smetslab.zigbee.nwk import NWK_COMMANDS

HOUR = 3600.0
QUICK = SleepRules(asleep_interval_s=300.0)


def test_a_hub_that_restarts_goes_on_where_it_was(run_home) -> None:
    async def story(home):
        hub, router, sleeper = await home.device(1), await home.device(2), await home.device(3, sleepy=True)
        await hub.send(router, b"before")
        await home.clock.sleep(10)
        last = hub.link.node.network.counter.next()
        await home.power(hub, on=False)
        await home.clock.sleep(30)
        await home.power(hub, on=True)
        await home.clock.sleep(600)
        await hub.send(router, b"after")
        await sleeper.send(hub, b"and up")
        jumped = hub.link.node.network.counter.next() - last
        return router.payloads, hub.payloads, jumped, home.events("NetworkLost")

    down, up, jumped, lost = run_home(story, sleep=QUICK)
    assert (down, up) == ([b"before", b"after"], [b"and up"])
    assert jumped > 900  # a counter goes on from what was stored ahead
    assert lost == []  # and nobody had to look for the network


def test_devices_look_for_a_hub_that_is_gone_and_find_it_when_it_is_back(run_home) -> None:
    async def story(home):
        hub, router, sleeper = await home.device(1), await home.device(2), await home.device(3, sleepy=True)
        await home.power(hub, on=False)
        await home.clock.sleep(2 * HOUR)
        lost = home.events("NetworkLost", "DeviceBack")
        await home.power(hub, on=True)
        await home.clock.sleep(HOUR)
        await router.send(hub, b"router")
        await sleeper.send(hub, b"sleeper")
        return lost, hub.payloads

    lost, payloads = run_home(story, sleep=QUICK)
    assert {("NetworkLost", "2"), ("NetworkLost", "3")} <= set(lost)
    assert ("DeviceBack", "3") in lost  # the sleeper found another parent meanwhile
    assert payloads == [b"router", b"sleeper"]


def test_a_sleeper_that_was_forgotten_is_told_to_come_back(run_home) -> None:
    rules = UpkeepRules(end_device_timeout=1)  # two minutes

    async def story(home):
        hub, sleeper = await home.device(1), await home.device(2, sleepy=True)
        await home.clock.sleep(1000)
        events = home.events("ChildAgedOut", "NetworkLost", "DeviceBack")
        await sleeper.send(hub, b"here")
        return events, hub.payloads, list(hub.link.node.parent.children)

    events, payloads, children = run_home(story, sleep=QUICK, upkeep=rules)
    assert events[:3] == [("ChildAgedOut", "2"), ("NetworkLost", "2"), ("DeviceBack", "2")]
    assert payloads == [b"here"]
    assert len(children) == 1


def test_a_sleeper_that_does_not_hear_its_parent_any_more_gets_another(run_home) -> None:
    async def story(home):
        hub, router, sleeper = await home.device(1), await home.device(2), await home.device(3, sleepy=True)
        home.deafen(hub, sleeper)
        await home.clock.sleep(HOUR)
        await sleeper.send(hub, b"through the router")
        await hub.send(sleeper, b"down again")
        return hub.payloads, sleeper.payloads, hub.link.node.parent.children, router.link.node.parent.children

    up, down, of_hub, of_router = run_home(story, sleep=QUICK)
    assert (up, down) == ([b"through the router"], [b"down again"])
    assert (len(of_hub), len(of_router)) == (0, 1)


# -------------------------------------------------------------------------------- keys


def test_a_new_network_key_comes_to_everybody_and_who_missed_it_is_given_it_later(run_home) -> None:
    async def story(home):
        hub, router, sleeper = await home.device(1), await home.device(2), await home.device(3, sleepy=True)
        absent = await home.device(4)
        former = home.radio.settings.key
        await home.power(absent, on=False)
        hub.link.node.changes.change_key()
        with pytest.raises(LocalProtocolError, match="is being changed already"):
            hub.link.node.changes.change_key()
        await home.clock.sleep(HOUR)
        await hub.send(router, b"router")
        await hub.send(sleeper, b"sleeper")
        await home.power(absent, on=True)
        await home.clock.sleep(HOUR)
        await hub.send(absent, b"absent")
        keys = [one.link.node.network.settings.key for one in (hub, router, sleeper, absent)]
        received = [one.payloads for one in (router, sleeper, absent)]
        back = home.trace.find(event="DeviceBack")
        return former, keys, received, back, home.air, home.radio.capture_keys()

    former, keys, received, back, air, capture_keys = run_home(story, sleep=QUICK)
    assert len(set(keys)) == 1 and keys[0] != former
    assert received == [[b"router"], [b"sleeper"], [b"absent"]]
    assert [(one.source[-1:], one.detail["secured"]) for one in back] == [("4", False)]
    # A capture opens from the first frame to the last.
    dissector = Dissector([key.key for key in capture_keys])
    told = [dissector.dissect(frame.octets, fcs=True) for frame in air]
    assert {one.problem for one in told} == {""}


def test_a_trust_centre_rejoin_goes_through_a_router(run_home) -> None:
    async def story(home):
        hub, router, far = await home.device(1), await home.device(2), await home.device(3)
        home.deafen(hub, far)
        await hub.send(far, b"one")
        await home.power(far, on=False)
        hub.link.node.changes.change_key()
        await home.clock.sleep(HOUR)
        await home.power(far, on=True)
        await home.clock.sleep(HOUR)
        await far.send(hub, b"two")
        return hub.payloads, home.events("DeviceRejoined", "DeviceBack"), router.payloads

    payloads, events, _ = run_home(story)
    assert payloads == [b"two"]
    assert set(events) == {("DeviceRejoined", "3"), ("DeviceBack", "3")}


def test_a_device_without_a_link_key_does_not_come_back(run_home) -> None:
    async def story(home):
        hub, router = await home.device(1), await home.device(2)
        await hub.send(router, b"x")
        hub.link.node.aps.forget_device(router.link.eui64)
        router.link.node.rejoiner.lost("a test")
        await home.clock.sleep(10)
        return home.events("RejoinRefused", "RejoinFailed", "DeviceBack")

    assert run_home(story) == [("RejoinRefused", "2"), ("RejoinFailed", "2")]


# -------------------------------------------------------------------------------- channel and PAN


def test_the_whole_network_goes_to_another_channel(run_home) -> None:
    async def story(home):
        hub, router, sleeper = await home.device(1), await home.device(2), await home.device(3, sleepy=True)
        await hub.send(router, b"one")
        target = next(Channel(one) for one in CHANNELS_2_4_GHZ if one != home.radio.settings.channel.number)
        hub.link.node.changes.change_channel(target)
        await home.clock.sleep(HOUR)
        start = len(home.air)
        await hub.send(router, b"two")
        await sleeper.send(hub, b"three")
        moved = [one.link.node.mac.channel for one in (hub, router, sleeper)]
        return target, moved, router.payloads, hub.payloads, {one.channel for one in home.air[start:]}

    target, moved, down, up, used = run_home(story, sleep=QUICK)
    assert moved == [target] * 3
    assert (down, up, used) == ([b"one", b"two"], [b"three"], {target})


def test_the_whole_network_takes_another_pan_identifier(run_home) -> None:
    async def story(home):
        hub, router, sleeper = await home.device(1), await home.device(2), await home.device(3, sleepy=True)
        await hub.send(router, b"one")
        hub.link.node.changes.change_pan(0x1234)
        await home.clock.sleep(HOUR)
        await hub.send(router, b"two")
        await sleeper.send(hub, b"three")
        return {one.link.node.mac.pan for one in (hub, router, sleeper)}, router.payloads, hub.payloads

    assert run_home(story, sleep=QUICK) == ({0x1234}, [b"one", b"two"], [b"three"])


def test_a_scan_tells_where_it_is_quiet(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        noisy = Channel(20)
        end = home.radio.medium.interfere(Interference(channel=noisy, on_s=3.0, off_s=1.0))
        mac = hub.link.node.mac
        before = mac.energy(noisy), mac.energy(Channel(21))
        end()
        return before, mac.energy(noisy)

    assert run_home(story) == ((191, 0), 0)


def test_interference_is_overcome_or_reported(run_home) -> None:
    async def story(home, share: float):
        hub, router = await home.device(1), await home.device(2)
        channel = home.radio.settings.channel
        home.radio.medium.interfere(Interference(channel=channel, on_s=share, off_s=0.03))
        lost = 0
        for number in range(20):
            try:
                await hub.send(router, bytes((number,)))
            except HanError:
                lost += 1
        collided = home.radio.medium.counts["collided"]
        busy = hub.link.node.mac.counts.channel_busy
        return lost, len(set(router.payloads)), collided + busy > 0

    assert run_home(lambda home: story(home, 0.01)) == (0, 20, True)
    lost, came, disturbed = run_home(lambda home: story(home, 60.0))
    assert lost > 0
    assert disturbed
    assert came >= 20 - lost


# -------------------------------------------------------------------------------- link status, memory


def test_routers_say_whom_they_hear_and_forget_who_is_silent(run_home) -> None:
    async def story(home):
        hub, one, _two = [await home.device(number) for number in (1, 2, 3)]
        await home.clock.sleep(60)
        known = len(hub.link.node.network.neighbours), len(one.link.node.network.neighbours)
        await home.power(one, on=False)
        await home.clock.sleep(120)
        aged = [event.target[-1:] for event in home.trace.find(event="NeighbourAgedOut")]
        return known, len(hub.link.node.network.neighbours), aged

    known, left, aged = run_home(story, upkeep=UpkeepRules(link_status_s=15.0))
    assert known == (2, 2)
    assert left == 1
    assert sorted(aged) == ["1", "3"]
    assert 0x08 in NWK_COMMANDS


def test_a_place_in_the_network_outlives_the_process() -> None:
    """Keys, addresses and children are what they were, whatever the seed would make of them."""
    ids = [Eui64(bytes(7) + bytes((number,))) for number in (1, 2, 3)]

    def home(clock, seed: int):
        radio = RadioHome(clock, Trace(clock), RootSeed(seed), sleep=QUICK)
        links = [radio.link(one, nvm=store.nvm(str(one)), sleepy=one == ids[2]) for one in ids]
        return radio, links

    async def first(clock):
        radio, links = home(clock, 1)
        async with links[0], links[1], links[2]:
            links[0].node.changes.change_key()
            await clock.sleep(HOUR)
            links[0].node.changes.change_pan(0x4321)
            await clock.sleep(HOUR)
        return radio.settings.key, [link.node.network.short_address for link in links]

    async def second(clock):
        radio, links = home(clock, 2)
        async with links[0], links[1], links[2]:
            await clock.sleep(HOUR)
            counts = [link.node.network.counts for link in links]
            lost = radio._trace.find(event="NetworkLost")
            children = len(links[0].node.parent.children)
        addresses = [link.node.network.short_address for link in links]
        bad = [(one.wrong_key, one.replayed) for one in counts]
        return radio.settings.key, addresses, radio.settings.pan, bad, lost, children

    with Store() as store:
        key, addresses = run_virtual(first)
        found = run_virtual(second)
    assert found == (key, addresses, 0x4321, [(0, 0)] * 3, [], 1)


def test_two_homes_on_one_air_keep_apart_and_settle_a_conflict_of_identifiers() -> None:
    async def main(clock):
        medium = Medium(clock, RootSeed(7))
        traces = [Trace(clock), Trace(clock)]
        homes = [
            RadioHome(clock, trace, RootSeed(seed), medium=medium, channel=Channel(15))
            for seed, trace in enumerate(traces)
        ]
        homes[1].settings.pan = homes[0].settings.pan
        links = [
            home.link(Eui64(bytes(6) + bytes((place, number))))
            for place, home in enumerate(homes)
            for number in (1, 2)
        ]
        async with links[0], links[1], links[2], links[3]:
            links[1].node.rejoiner.lost("a test")  # its search makes both hubs show themselves
            await clock.sleep(60)
            received = []
            links[1].register(1, 0x0109, 0x0702, ClusterRole.SERVER, received.append)
            frame = ApsFrame(
                source=links[0].eui64,
                source_endpoint=1,
                destination=links[1].eui64,
                destination_endpoint=1,
                profile=0x0109,
                cluster=0x0702,
                payload=b"mine",
            )
            await links[0].send(frame)
            await clock.sleep(1)
            pans = [link.node.mac.pan for link in links]
        conflicts = sum(len(trace.find(event="PanConflict")) for trace in traces)
        return [one.payload for one in received], pans, conflicts, links[2].node.network.counts.received

    payloads, pans, conflicts, _ = run_virtual(main)
    assert payloads == [b"mine"]
    assert conflicts >= 1
    assert pans[0] == pans[1] != pans[2] == pans[3]


def test_a_route_is_found_as_often_as_it_is_lost(run_home) -> None:
    """Identifiers of route requests come round after 256: an old one must not be taken for a new one."""

    async def story(home):
        hub, router = await home.device(1), await home.device(2)
        for number in range(300):
            hub.link.node.network.forget_neighbour(router.link.node.network.short_address)
            await hub.send(router, bytes((number & 0xFF,)))
            await home.clock.sleep(60)
        return len(router.payloads), hub.link.node.network.counts.no_route

    rules = UpkeepRules(keep_alive_base_minutes=0)
    assert run_home(story, upkeep=rules) == (300, 0)


def test_a_sleeper_whose_parent_is_gone_does_not_ask_on_and_on(run_home) -> None:
    """It looks for its network now and then, and sleeps between; when the parent is back it is found."""

    async def story(home):
        hub = await home.device(1)
        gas = await home.device(2, sleepy=True)
        await gas.send(hub, b"there")
        await home.clock.sleep(30)
        await home.power(hub, on=False)
        before = len(home.air)
        with pytest.raises(HanError):
            await gas.send(hub, b"nobody")
        await home.clock.sleep(3600)
        polls = sum(len(one.octets) == 12 for one in home.air[before:])
        await home.power(hub, on=True)
        await home.clock.sleep(1800)
        await gas.send(hub, b"back")
        return polls, hub.payloads

    polls, payloads = run_home(story)
    assert polls < 150  # each is tried four times
    assert payloads == [b"there", b"back"]


@pytest.mark.parametrize("is_child", [True, False])
def test_a_sleeper_that_has_lost_its_parent_asks_for_it_first(run_home, is_child: bool) -> None:
    """Two frames of the MAC layer do where the parent still has it for a child; else it rejoins."""

    async def story(home):
        hub = await home.device(1)
        gas = await home.device(2, sleepy=True)
        await gas.send(hub, b"there")
        await home.clock.sleep(60)
        if not is_child:
            hub.link.node.parent.disown(gas.link.eui64)
        gas.link.node.rejoiner.lost("told so by the test")
        await home.clock.sleep(3)
        await gas.send(hub, b"here again")
        return hub.payloads, home.events("ChildRealigned", "DeviceRejoined", "DeviceBack")

    payloads, events = run_home(story)
    assert payloads == [b"there", b"here again"]
    assert sorted(events) == sorted(
        [("ChildRealigned" if is_child else "DeviceRejoined", "2"), ("DeviceBack", "2")]
    )


def test_a_stranger_cannot_realign_a_device(run_home) -> None:
    """Frames of the MAC layer are not sealed: only the parent that the device knows is believed."""

    async def story(home):
        await home.device(1)
        gas = await home.device(2, sleepy=True)
        node = gas.link.node
        await home.clock.sleep(30)
        address = node.mac.short_address
        node.rejoiner._ask_parent()
        values = {"pan": 0x6666, "coordinator_short_address": 0, "channel": 26, "short_address": 0x6666}
        record = COORDINATOR_REALIGNMENT.decode(COORDINATOR_REALIGNMENT.encode(**values), 0)
        node.rejoiner.realigned(record, home.radio.stranger)
        assert node.mac.short_address == address
        await home.clock.sleep(30)
        return node.mac.short_address == address, node.mac.pan == home.radio.settings.pan

    assert run_home(story) == (True, True)


@pytest.mark.parametrize("expects", [True, False])
def test_a_sleeper_that_expects_an_answer_asks_for_it_as_long(run_home, expects: bool) -> None:
    """Also where it has had to come back meanwhile; when it has its answer it goes to sleep."""

    async def story(home):
        hub = await home.device(1)
        gas = await home.device(2, sleepy=True)
        await gas.send(hub, b"give me something")
        if expects:
            gas.link.expect(40.0)
        await home.clock.sleep(5)
        gas.link.node.rejoiner.lost("told so by the test")
        await home.clock.sleep(20)
        try:
            await hub.send(gas, bytes(300))
        except HanError:
            return gas.payloads, 0
        gas.link.expect(0.0)
        await home.clock.sleep(10)
        before = len(home.air)
        await home.clock.sleep(60)
        return gas.payloads, len(home.air) - before

    assert run_home(story) == ([bytes(300)] if expects else [], 0)
