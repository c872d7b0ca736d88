"""Radios that other processes play: what they are given, what is done for them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.clock import LoopClock, run_virtual
from smetslab.han.air.bands import Channel
from smetslab.han.air.mac_entity import MacEntity, Reception
from smetslab.han.air.medium import LinkQuality, Medium
from smetslab.han.air.outside import MAX_RADIOS, SILENCE_S, OutsideAir, Peer
from smetslab.han.zep_air import parse_host_port
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.zigbee.capture.zep import ZepPacket, decode_zep, encode_zep
from smetslab.zigbee.mac_layer import (
    ASSOCIATION_RESPONSE,
    MacFrame,
    MacFrameType,
    decode_mac,
    frame_check_sequence,
)

HUB, GUEST = Eui64(b"THE HUB "), Eui64(b"A GUEST ")
PEER: Peer = ("127.0.0.1", 5000)
PAN, CHANNEL = 0x1234, Channel(20)


@dataclass
class Bench:
    """A hub's MAC entity, and processes beside it."""

    clock: LoopClock
    medium: Medium
    hub: MacEntity
    outside: OutsideAir
    received: list[Reception]
    datagrams: list[tuple[bytes, Peer]]
    events: list[str] = field(default_factory=list)

    def send(self, octets: bytes, peer: Peer = PEER, *, channel: int = 20, fcs: bool = True) -> None:
        self.outside.received(encode_zep(ZepPacket(channel=channel, octets=octets, device=7, fcs=fcs)), peer)

    def heard(self, peer: Peer = PEER) -> list[MacFrame]:
        """What a process has been given."""
        packets = [decode_zep(datagram) for datagram, to in self.datagrams if to == peer]
        return [decode_mac(packet.octets[:-2]) for packet in packets]


def frame(**fields: Any) -> bytes:
    octets = MacFrame(**{"kind": MacFrameType.DATA, "sequence": 1, **fields}).encode()
    return octets + frame_check_sequence(octets)


DATA = frame(
    destination_pan=PAN, destination=0, source_pan=PAN, source=0x5678, ack_request=True, payload=b"hello"
)


def on_bench(story: Callable[[Bench], Coroutine[Any, Any, None]], quality: LinkQuality | None = None) -> None:
    async def main(clock: LoopClock) -> None:
        medium = Medium(clock, RootSeed(1), quality=quality)
        received: list[Reception] = []
        rng = RootSeed(1).stream("hub")
        hub = MacEntity(medium, clock, rng, eui64=HUB, channel=CHANNEL, received=received.append)
        hub.pan, hub.short_address = PAN, 0
        hub.switch_on()
        datagrams: list[tuple[bytes, Peer]] = []
        events: list[str] = []
        outside = OutsideAir(
            medium=medium,
            scheduler=clock,
            seed=RootSeed(1),
            channel=CHANNEL,
            send=lambda datagram, peer: datagrams.append((datagram, peer)),
            now_us=lambda: round(clock.time() * 1e6),
            noticed=lambda event, eui64: events.append(f"{event} {eui64}"),
            guests={},
        )
        await story(Bench(clock, medium, hub, outside, received, datagrams, events))

    run_virtual(main)


def test_a_frame_reaches_the_hub_and_its_acknowledgement_the_process() -> None:
    async def story(bench: Bench) -> None:
        bench.send(DATA)
        await bench.clock.sleep(1)
        [reception] = bench.received
        assert reception.frame.payload == b"hello"
        [acknowledgement] = bench.heard()
        assert (acknowledgement.kind, acknowledgement.sequence) == (MacFrameType.ACKNOWLEDGEMENT, 1)
        [packet] = [decode_zep(datagram) for datagram, _ in bench.datagrams]
        assert (packet.channel, packet.device, packet.link_quality, packet.sequence) == (20, 7, 200, 1)
        assert packet.time_us is not None
        assert packet.time_us > 0

    on_bench(story)


def test_the_radio_sends_again_what_is_not_acknowledged() -> None:
    async def story(bench: Bench) -> None:
        bench.send(DATA)
        await bench.clock.sleep(1)
        assert bench.medium.counts["sent"] == 4
        assert bench.datagrams == []

    on_bench(story, LinkQuality(audible=False))


def test_the_radio_acknowledges_for_the_process_at_the_address_it_sends_from() -> None:
    async def story(bench: Bench) -> None:
        bench.send(DATA)
        await bench.clock.sleep(1)
        answers: list[bool] = []
        answer = MacFrame(
            kind=MacFrameType.DATA,
            sequence=0,
            destination_pan=PAN,
            destination=0x5678,
            source=0,
            ack_request=True,
            payload=b"there",
        )
        bench.hub.send(answer, answers.append)
        await bench.clock.sleep(1)
        assert answers == [True]
        assert bench.heard()[-1].payload == b"there"
        # Its own acknowledgement of it would be one too many.
        bench.send(frame(kind=MacFrameType.ACKNOWLEDGEMENT, sequence=9))
        await bench.clock.sleep(1)
        assert bench.outside.counts.acknowledgements == 1

    on_bench(story)


def test_the_answer_to_an_association_gives_the_radio_its_address() -> None:
    async def story(bench: Bench) -> None:
        bench.send(
            frame(
                kind=MacFrameType.COMMAND,
                destination_pan=PAN,
                destination=0,
                source_pan=0xFFFF,
                source=GUEST,
                payload=b"\x01\x8e",
            )
        )
        await bench.clock.sleep(1)
        assert list(bench.outside.guests) == [GUEST]
        assert bench.events[-1] == f"OutsideRadioNamed {GUEST}"
        payload = bytes((2,)) + ASSOCIATION_RESPONSE.encode(short_address=0x4321, status=0)
        response = MacFrame(
            kind=MacFrameType.COMMAND,
            sequence=0,
            destination_pan=PAN,
            destination=GUEST,
            source=HUB,
            ack_request=True,
            payload=payload,
        )
        answers: list[bool] = []
        bench.hub.send(response, answers.append)
        await bench.clock.sleep(1)
        assert answers == [True]
        assert (bench.outside.guests[GUEST].short_address, bench.outside.guests[GUEST].pan) == (0x4321, PAN)

    on_bench(story)


def test_a_radio_is_on_the_channel_of_its_last_datagram() -> None:
    async def story(bench: Bench) -> None:
        bench.send(DATA, channel=11)
        await bench.clock.sleep(1)
        assert bench.received == []
        bench.send(b"", channel=20)
        bench.send(DATA)
        await bench.clock.sleep(1)
        assert len(bench.received) == 1

    on_bench(story)


def test_without_a_check_sequence_the_radio_makes_it() -> None:
    async def story(bench: Bench) -> None:
        bench.send(DATA[:-2] + b"\xd0\x80", fcs=False)
        await bench.clock.sleep(1)
        assert len(bench.received) == 1

    on_bench(story)


def test_an_address_that_is_here_already_stays_with_whose_it_is() -> None:
    async def story(bench: Bench) -> None:
        bench.send(frame(destination_pan=PAN, destination=0, source_pan=PAN, source=HUB))
        assert bench.outside.counts.impostors == 1
        assert HUB not in bench.outside.guests

    on_bench(story)


def test_there_are_so_many_radios_and_silence_makes_room() -> None:
    async def story(bench: Bench) -> None:
        for number in range(MAX_RADIOS + 3):
            bench.send(b"", ("127.0.0.1", 6000 + number))
        assert bench.outside.counts.refused == 3
        assert len(bench.outside.guests) == MAX_RADIOS
        await bench.clock.sleep(SILENCE_S + 1)
        bench.send(b"")
        assert len(bench.outside.guests) == 1
        bench.outside.close()
        assert not bench.outside.guests
        assert bench.events.count(bench.events[-1]) == 1

    on_bench(story)


def test_a_flood_is_refused_and_does_not_grow() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(1000):
            bench.send(DATA)
        assert bench.outside.counts.refused > 800
        await bench.clock.sleep(5)
        assert bench.received

    on_bench(story)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_whatever_comes_is_counted_and_answered_by_silence(datagrams: list[bytes]) -> None:
    async def story(bench: Bench) -> None:
        for datagram in datagrams:
            bench.outside.received(datagram, PEER)
            bench.outside.received(b"EX\x02\x01" + datagram, PEER)
            bench.send(datagram)
        bench.send(DATA, channel=99)
        await bench.clock.sleep(2)
        assert bench.outside.counts.malformed >= 1
        assert bench.outside.counts.received == 3 * len(datagrams) + 1

    on_bench(story)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("host", ("host", 17754)),
        ("1.2.3.4:5", ("1.2.3.4", 5)),
        ("[::1]", ("::1", 17754)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_host_port(text) == address


@pytest.mark.parametrize("text", ["", ":5", "a:b", "a:65536", "[::1", "[::1]5", "a:b:5"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_host_port(text)


def test_where_timers_come_late_a_frame_that_is_about_to_begin_is_heard_already() -> None:
    async def story(bench: Bench) -> None:
        radios = [bench.medium.add(Eui64(bytes([number] * 8)), CHANNEL, lambda *_: None) for number in (1, 2)]
        radios[0].transmit(DATA, bench.clock.time() + 0.001, None)
        assert not radios[1].busy()
        bench.medium.coarse_time = True
        assert radios[1].busy()
        await bench.clock.sleep(1)
        assert not radios[1].busy()

    on_bench(story)
