"""A home on the simulated air, seen from the APS boundary: what arrives, what does not, and what is on the
air.
"""

from __future__ import annotations

import asyncio

import pytest

from smetslab.errors import HanError, LocalProtocolError
from smetslab.han import SMART_ENERGY_PROFILE, ClusterRole
from smetslab.han.air.medium import LinkQuality
from smetslab.han.stack.sleeper import SleepRules
from smetslab.ids import Eui64
from smetslab.zigbee.mac_layer import MacFrame, MacFrameType, frame_check_sequence
from smetslab.zigbee.nwk import BROADCAST_ALL, decode_nwk

METERING, BASIC, ENDPOINT = 0x0702, 0x0000, 7


def test_a_message_arrives_once_and_the_answer_comes_back(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await hub.send(meter, b"question")
        await meter.link.send(meter.received[0].answer(b"answer"))
        await home.clock.sleep(1)
        return hub, meter

    hub, meter = run_home(story)
    assert (meter.payloads, hub.payloads) == ([b"question"], [b"answer"])
    assert hub.received[0].source == meter.link.eui64
    assert hub.received[0].source_endpoint == ENDPOINT


@pytest.mark.parametrize("size", [0, 1, 73, 74, 200, 1500])
def test_messages_of_every_size_arrive_whole(run_home, size: int) -> None:
    payload = bytes(number & 0xFF for number in range(size))

    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await hub.send(meter, payload)
        await meter.send(hub, payload)
        return hub.payloads + meter.payloads

    assert run_home(story) == [payload, payload]


def test_nothing_on_the_air_shows_what_is_said(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await hub.send(meter, b"a secret of the household")
        return home.air

    frames = run_home(story)
    assert len(frames) > 3
    assert not any(b"secret" in frame.octets for frame in frames)


def test_endpoints_are_found_by_asking(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        peer = meter.link.eui64
        found = await hub.link.find_endpoint(peer, SMART_ENERGY_PROFILE, METERING, ClusterRole.SERVER)
        with pytest.raises(HanError, match="no endpoint") as caught:
            await hub.link.find_endpoint(peer, SMART_ENERGY_PROFILE, BASIC, ClusterRole.SERVER)
        return found, caught.value.transient

    assert run_home(story) == (ENDPOINT, False)


def test_a_message_to_an_endpoint_that_nobody_has_is_dropped_and_traced(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await hub.send(meter, b"x", endpoint=9)
        return meter.payloads, home.trace.find(event="FrameDropped"), home.trace.find(event="FrameSent")

    payloads, dropped, sent = run_home(story)
    assert payloads == []
    assert [one.detail["sent"] for one in dropped] == [sent[0].sequence]


def test_a_device_without_power_is_reported_after_the_retries(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await hub.send(meter, b"x")
        await meter.link.__aexit__(None, None, None)
        start = home.clock.time()
        with pytest.raises(HanError, match="no acknowledgement"):
            await hub.send(meter, b"y")
        took = home.clock.time() - start
        with pytest.raises(HanError, match="off the air"):
            await meter.send(hub, b"z")
        await meter.link.__aenter__()
        await hub.send(meter, b"again")
        return took, meter.payloads

    took, payloads = run_home(story)
    assert took == pytest.approx(4 * 1.6, abs=1.0)
    assert payloads == [b"x", b"again"]


def test_out_of_reach_and_back(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        home.radio.set_reachable(meter.link.eui64, False)
        with pytest.raises(HanError):
            await hub.send(meter, b"x")
        home.radio.set_reachable(meter.link.eui64, True)
        await hub.send(meter, b"y")
        return meter.payloads

    assert run_home(story) == [b"y"]


def test_a_device_that_the_hub_does_not_hear_is_reached_through_another(run_home) -> None:
    async def story(home):
        hub, relay, far = await home.device(1), await home.device(2), await home.device(3)
        home.deafen(hub, far)
        await home.clock.sleep(2)
        await hub.send(far, bytes(300))
        await far.send(hub, b"back")
        return far.payloads, hub.payloads, relay.payloads, relay.link.node.network.counts.relayed

    far, hub, relay, relayed = run_home(story)
    assert (far, hub, relay) == ([bytes(300)], [b"back"], [])
    assert relayed >= 7


def test_two_devices_besides_the_hub_find_each_other(run_home) -> None:
    async def story(home):
        await home.device(1)
        meter, display = await home.device(2), await home.device(3)
        await home.clock.sleep(1)
        await display.send(meter, b"top up")
        return meter.payloads

    assert run_home(story) == [b"top up"]


def test_a_sleeper_fetches_what_waits_and_sends_when_it_likes(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        meter = await home.device(2, sleepy=True)
        await home.clock.sleep(100)
        before = len(home.air)
        await home.clock.sleep(1000)
        asleep = len(home.air) - before
        await meter.send(hub, b"I am awake")
        await hub.send(meter, bytes(200))
        return hub.payloads, meter.payloads, asleep

    hub, meter, asleep = run_home(story)
    assert (hub, meter) == ([b"I am awake"], [bytes(200)])
    assert asleep == 0, "a sleeper is silent"


def test_what_waits_for_a_sleeper_is_no_replay_when_it_has_heard_its_parent_meanwhile(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        meter = await home.device(2, sleepy=True)
        await home.clock.sleep(100)
        sending = asyncio.create_task(hub.send(meter, b"kept"))
        await home.clock.sleep(1)
        meter.link.node.mac.listen(on=True)
        hub.link.node.network.broadcast(b"to everybody", BROADCAST_ALL)
        await home.clock.sleep(1)
        before = home.clock.time()
        meter.link.node.sleeper.stay_awake()
        await sending
        return meter.payloads, meter.link.node.network.counts.replayed, home.clock.time() - before

    payloads, replayed, took_s = run_home(story)
    assert (payloads, replayed) == ([b"kept"], 0)
    assert took_s < 2, "it came with the first poll"


def test_a_sleeper_wakes_at_its_interval(run_home) -> None:
    async def story(home):
        await home.device(1)
        await home.device(2, sleepy=True)
        await home.clock.sleep(100)
        before = len(home.air)
        await home.clock.sleep(4 * 600)
        return len(home.air) - before

    polls = run_home(story, sleep=SleepRules(asleep_interval_s=600))
    assert polls == 4 * 2, "a poll and its acknowledgement each time"


def test_two_devices_on_one_radio_keep_their_addresses(run_home) -> None:
    async def story(home):
        chf = await home.device(1)
        gpf = await home.device(9, on=chf.link.eui64)
        meter = await home.device(2)
        ports = [
            await meter.link.find_endpoint(one.link.eui64, SMART_ENERGY_PROFILE, METERING, ClusterRole.SERVER)
            for one in (chf, gpf)
        ]
        await meter.send(chf, b"to the hub", endpoint=ports[0])
        await meter.send(gpf, b"to the proxy", endpoint=ports[1])
        await gpf.link.send(gpf.received[0].answer(b"from the proxy"))
        await home.clock.sleep(1)
        return ports, chf.payloads, gpf.payloads, meter.received

    ports, chf, gpf, meter = run_home(story)
    assert len(set(ports)) == 2
    assert (chf, gpf) == ([b"to the hub"], [b"to the proxy"])
    assert [(frame.source, frame.payload) for frame in meter] == [
        (Eui64(bytes(7) + b"\x09"), b"from the proxy")
    ]


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_lossy_air_loses_and_doubles_nothing_that_was_acknowledged(run_home, seed: int) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        acknowledged = []
        for number in range(40):
            payload = number.to_bytes(1, "big") * (150 if number % 4 == 0 else 20)
            try:
                await hub.send(meter, payload)
            except HanError:
                continue
            acknowledged.append(payload)
        await home.clock.sleep(20)
        return acknowledged, meter.payloads

    acknowledged, received = run_home(story, seed=seed, quality=LinkQuality.bursty(0.2, 3))
    assert len(received) == len(set(received))
    assert set(acknowledged) <= set(received)
    assert len(acknowledged) > 30


def test_a_replayed_frame_is_dropped_and_counted(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        await hub.send(meter, bytes(60))
        frame = next(one for one in home.air if len(one.octets) > 110)
        # Another sequence number lets it pass the MAC layer.
        octets = frame.octets[:2] + bytes((frame.octets[2] ^ 0x55,)) + frame.octets[3:-2]
        octets += frame_check_sequence(octets)
        intruder = home.radio.medium.add(Eui64(b"INTRUDER"), home.radio.settings.channel, lambda *_: None)
        await home.clock.sleep(1)
        intruder.transmit(octets, home.clock.time(), None)
        await home.clock.sleep(1)
        return meter.payloads, meter.link.node.network.counts.replayed

    assert run_home(story) == ([bytes(60)], 1)


def test_a_thousand_random_frames_never_stop_the_network(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        intruder = home.radio.medium.add(Eui64(b"INTRUDER"), home.radio.settings.channel, lambda *_: None)
        draw = home.radio._seed.stream("intruder")
        for _ in range(1000):
            payload = draw.randbytes(draw.randrange(12))
            frame = MacFrame(
                kind=MacFrameType(draw.randrange(4)),
                sequence=draw.randrange(256),
                destination_pan=home.radio.settings.pan,
                destination=draw.choice((0, 0xFFFF, meter.link.node.network.short_address)),
                source=draw.randrange(0x10000),
                payload=payload,
            )
            octets = frame.encode()
            intruder.transmit(octets + frame_check_sequence(octets), home.clock.time(), None)
            await home.clock.sleep(0.001)
        await hub.send(meter, b"alive")
        await meter.send(hub, b"and well")
        counts = [device.link.node.network.counts for device in (hub, meter)]
        return (
            meter.payloads,
            hub.payloads,
            sum(one.malformed + one.wrong_key + one.unsecured for one in counts),
        )

    meter, hub, refused = run_home(story)
    assert (meter, hub) == ([b"alive"], [b"and well"])
    assert refused > 100


def test_frame_counters_go_on_over_a_restart(run_home, tmp_path) -> None:
    from smetslab.store import Store

    url = f"sqlite:///{tmp_path}/lab.db"

    def counters(store) -> list[int]:
        async def story(home):
            hub = await home.device(1, nvm=store.nvm("hub"))
            meter = await home.device(2)
            await hub.send(meter, b"x")
            return [
                decode_nwk(frame.octets[9:-2]).security.frame_counter
                for frame in home.air
                if frame.source == hub.link.eui64 and len(frame.octets) > 40
            ]

        return run_home(story)

    with Store(url) as store:
        first = counters(store)
    with Store(url) as store:
        second = counters(store)
    assert first == sorted(first)
    assert min(second) > max(first)


def test_the_same_seed_gives_the_same_octets_on_the_air(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        display = await home.device(3)
        for number in range(5):
            await hub.send(meter, bytes((number,)) * 100)
            await display.send(meter, bytes((number,)))
        return [(frame.start_s, frame.octets) for frame in home.air]

    quality = LinkQuality.bursty(0.1)
    assert run_home(story, quality=quality) == run_home(story, quality=quality)
    assert run_home(story, quality=quality) != run_home(story, seed=2, quality=quality)


def test_what_a_link_cannot_do_is_refused(run_home) -> None:
    async def story(home):
        hub, meter = await home.device(1), await home.device(2)
        with pytest.raises(LocalProtocolError, match="has its place"):
            home.radio.link(meter.link.eui64)
        with pytest.raises(LocalProtocolError, match="cannot send as"):
            await hub.link.send(meter.frame(hub, b"x"))
        with pytest.raises(LocalProtocolError, match="registered"):
            hub.link.register(ENDPOINT, SMART_ENERGY_PROFILE, METERING, ClusterRole.SERVER, print)
        with pytest.raises(LocalProtocolError, match="endpoint is 1 to 240"):
            hub.link.register(0, SMART_ENERGY_PROFILE, METERING, ClusterRole.SERVER, print)
        stranger = Eui64(b"STRANGER")
        with pytest.raises(HanError, match="not on this HAN"):
            await hub.link.find_endpoint(stranger, SMART_ENERGY_PROFILE, METERING, ClusterRole.SERVER)

    run_home(story)
