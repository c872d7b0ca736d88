"""The air and the MAC entity: times, collisions, retries, losses, sleepers."""

from __future__ import annotations

import itertools

import pytest

from smetslab.errors import LocalProtocolError
from smetslab.han.air.bands import GHZ_2_4, SUB_GHZ, Channel
from smetslab.han.air.mac_entity import INDIRECT_PERSISTENCE_S, MAX_QUEUE
from smetslab.han.air.medium import LinkQuality, OnAir
from smetslab.zigbee.mac_layer import BROADCAST, DATA_REQUEST, MacFrame, MacFrameType

PAN = 0x1AAA


def data(destination: int, source: int, payload: bytes = b"x", *, ack: bool = True) -> MacFrame:
    return MacFrame(
        kind=MacFrameType.DATA,
        sequence=0,
        destination_pan=PAN,
        destination=destination,
        source=source,
        ack_request=ack,
        payload=payload,
    )


def poll(child: int) -> MacFrame:
    return MacFrame(
        kind=MacFrameType.COMMAND,
        sequence=0,
        destination_pan=PAN,
        destination=0,
        source=child,
        ack_request=True,
        payload=bytes((DATA_REQUEST.id,)),
    )


def test_airtimes_are_those_of_the_bands() -> None:
    """Spec: IEEE 802.15.4 6.5: 250 kbit/s with 6 octets before the frame; sub-GHz: 100 kbit/s with 12."""
    assert [round(GHZ_2_4.airtime_s(size) * 1e6) for size in (5, 54, 127)] == [352, 1920, 4256]
    assert [round(SUB_GHZ.airtime_s(size) * 1e6) for size in (5, 54, 127)] == [1360, 5280, 11120]


def test_a_frame_arrives_and_is_acknowledged(place) -> None:
    home = place()
    hub, meter, other = home.station(), home.station(), home.station()
    results: list[bool] = []
    meter.mac.send(data(0, 1, b"hello"), results.append)
    home.scheduler.run(1)
    assert (hub.payloads, other.payloads, results) == ([b"hello"], [], [True])
    assert hub.heard[0].quality.lqi == 200


def test_a_broadcast_reaches_everybody_without_an_acknowledgement(place) -> None:
    home = place()
    stations = [home.station() for _ in range(4)]
    frames: list[OnAir] = []
    home.medium.listen(frames.append)
    stations[0].mac.send(data(BROADCAST, 0, ack=False))
    home.scheduler.run(1)
    assert [station.payloads for station in stations] == [[], [b"x"], [b"x"], [b"x"]]
    assert len(frames) == 1


def test_one_frame_and_its_acknowledgement_take_the_time_they_take(place) -> None:
    home = place()
    home.station()
    meter = home.station()
    frames: list[OnAir] = []
    home.medium.listen(frames.append)
    ends: list[float] = []
    meter.mac.send(data(0, 1, bytes(43)), lambda _ok: ends.append(home.scheduler.time()))
    home.scheduler.run(1)
    sent, acknowledgement = frames
    assert len(sent.octets) == 54
    assert acknowledgement.start_s - sent.start_s == pytest.approx(1.92e-3 + 192e-6)
    assert ends == [pytest.approx(acknowledgement.start_s + 352e-6)]
    slots = (sent.start_s - 128e-6 - 192e-6) / 320e-6
    assert slots == pytest.approx(round(slots))
    assert 0 <= round(slots) < 8


def test_a_frame_to_nobody_is_tried_four_times(place) -> None:
    home = place()
    meter = home.station()
    results: list[bool] = []
    meter.mac.send(data(9, 0), results.append)
    home.scheduler.run(1)
    assert results == [False]
    assert (meter.mac.counts.sent, meter.mac.counts.no_acknowledgement) == (4, 1)


def test_frames_leave_in_order_and_nothing_is_doubled_over_a_lossy_link(place) -> None:
    home = place(seed=3, quality=LinkQuality(loss_good=0.3))
    hub, meter = home.station(), home.station()
    results: list[bool] = []
    for number in range(60):
        meter.mac.send(data(0, 1, bytes((number,))), results.append)
    home.scheduler.run(10)
    assert len(results) == 60
    assert hub.payloads == sorted(set(hub.payloads))
    delivered = [number for number, ok in enumerate(results) if ok]
    assert set(delivered) <= {payload[0] for payload in hub.payloads}
    assert len(delivered) > 50
    assert hub.mac.counts.repeats > 0, "an acknowledgement was lost somewhere"


def test_many_that_send_at_once_share_the_channel(place) -> None:
    home = place()
    hub, senders = home.station(), [home.station() for _ in range(6)]
    results: list[bool] = []
    for number, sender in enumerate(senders, start=1):
        for count in range(10):
            sender.mac.send(data(0, number, bytes((number, count))), results.append)
    home.scheduler.run(5)
    assert len(results) == 60
    assert len(set(hub.payloads)) == len(hub.payloads) >= results.count(True) > 35
    assert home.medium.counts["collided"] > 0


def test_stations_that_do_not_hear_each_other_collide_at_the_one_between(place) -> None:
    home = place()
    hub, left, right = home.station(), home.station(), home.station()
    deaf = LinkQuality(audible=False)
    home.medium.set_link(left.mac.eui64, right.mac.eui64, deaf)
    home.medium.set_link(right.mac.eui64, left.mac.eui64, deaf)
    for count in range(30):
        left.mac.send(data(0, 1, bytes((1, count)) + bytes(90)))
        right.mac.send(data(0, 2, bytes((2, count)) + bytes(90)))
    home.scheduler.run(10)
    assert home.medium.counts["collided"] > 30
    assert len(hub.payloads) < 60


def test_another_channel_is_another_world(place) -> None:
    home = place()
    hub, stranger = home.station(), home.station(channel=Channel(15))
    stranger.mac.send(data(0, 1))
    home.scheduler.run(1)
    assert hub.payloads == []
    stranger.mac.tune(Channel(11))
    stranger.mac.send(data(0, 1))
    home.scheduler.run(1)
    assert hub.payloads == [b"x"]


def test_a_jammed_channel_is_busy_and_lets_nothing_through(place) -> None:
    home = place()
    hub, meter = home.station(), home.station()
    results: list[bool] = []
    home.medium.jam(Channel(11), 2.0)
    meter.mac.send(data(0, 1), results.append)
    home.scheduler.run(1)
    assert (results, meter.mac.counts.channel_busy, hub.payloads) == ([False], 1, [])
    home.scheduler.run(1)
    meter.mac.send(data(0, 1), results.append)
    home.scheduler.run(1)
    assert results == [False, True]


def test_a_sleeper_gets_its_frames_one_by_one_when_it_asks(place) -> None:
    home = place()
    hub, meter = home.station(), home.station(sleeper=True)
    results: list[bool] = []
    for payload in (b"one", b"two"):
        hub.mac.keep(data(1, 0, payload), results.append)
    home.scheduler.run(1)
    assert (meter.payloads, results) == ([], [])
    meter.mac.send(poll(1))
    home.scheduler.run(0.1)
    assert [(r.frame.payload, r.frame.frame_pending) for r in meter.heard] == [(b"one", True)]
    meter.mac.send(poll(1))
    home.scheduler.run(0.1)
    assert [(r.frame.payload, r.frame.frame_pending) for r in meter.heard][1:] == [(b"two", False)]
    assert results == [True, True]


def test_a_sleeper_hears_what_was_announced_though_it_sends_something_of_its_own_before(place) -> None:
    home = place()
    hub, meter = home.station(), home.station(sleeper=True)
    hub.mac.keep(data(1, 0, b"kept"))
    meter.mac.send(poll(1))
    meter.mac.send(data(0, 1, b"own"))
    home.scheduler.run(0.1)
    assert (hub.payloads[-1:], meter.payloads) == ([b"own"], [b"kept"])
    assert hub.mac.counts.no_acknowledgement == 0
    meter.mac.listen(on=False)
    assert not meter.mac._radio.receiving


def test_what_a_sleeper_does_not_fetch_expires(place) -> None:
    home = place()
    hub, meter = home.station(), home.station(sleeper=True)
    results: list[bool] = []
    hub.mac.keep(data(1, 0), results.append)
    home.scheduler.run(INDIRECT_PERSISTENCE_S)
    meter.mac.send(poll(1))
    home.scheduler.run(1)
    assert (results, meter.payloads, hub.mac.counts.expired) == ([False], [], 1)


def test_octets_that_are_no_frame_are_counted_and_cause_nothing(place) -> None:
    home = place()
    hub, meter = home.station(), home.station()
    radio = meter.mac._radio
    for octets in (b"", b"\x00", bytes(5), bytes(127), b"\xff" * 30):
        radio.transmit(octets, home.scheduler.time(), None)
        home.scheduler.run(0.1)
    assert hub.payloads == []
    assert hub.mac.counts.bad_check_sequence + hub.mac.counts.malformed == 5


def test_without_power_nothing_is_sent_heard_or_answered(place) -> None:
    home = place()
    hub, meter = home.station(), home.station()
    results: list[bool] = []
    hub.mac.switch_off()
    meter.mac.send(data(0, 1), results.append)
    hub.mac.send(data(1, 0), results.append)
    home.scheduler.run(1)
    assert (results, hub.payloads, meter.payloads) == ([False, False], [], [])
    hub.mac.switch_on()
    meter.mac.send(data(0, 1), results.append)
    home.scheduler.run(1)
    assert (results[-1], hub.payloads) == (True, [b"x"])


def test_a_full_queue_refuses_and_says_so(place) -> None:
    home = place()
    home.station()
    meter = home.station()
    results: list[bool] = []
    for _ in range(MAX_QUEUE + 2):
        meter.mac.send(data(0, 1), results.append)
    assert results == [False]
    home.scheduler.run(60)
    assert results.count(True) == MAX_QUEUE + 1


@pytest.mark.parametrize("loss", [0.05, 0.2, 0.5])
def test_a_bursty_link_loses_its_share_in_bursts(place, loss: float) -> None:
    home = place(quality=LinkQuality.bursty(loss, burst_frames=4))
    hub, meter = home.station(), home.station()
    count = 4000
    for number in range(count):
        meter.mac.send(data(BROADCAST, 1, number.to_bytes(2, "big"), ack=False))
        home.scheduler.run(0.02)
    lost = count - len(hub.heard)
    assert lost / count == pytest.approx(loss, abs=0.06)
    numbers = [int.from_bytes(payload, "big") for payload in hub.payloads]
    bursts = [b - a - 1 for a, b in itertools.pairwise(numbers) if b - a > 1]
    assert sum(bursts) / len(bursts) == pytest.approx(4, abs=1.2)


def test_the_same_seed_gives_the_same_air(place) -> None:
    def run(seed: int) -> list[OnAir]:
        home = place(seed=seed, quality=LinkQuality(loss_good=0.2))
        home.station()
        senders = [home.station() for _ in range(3)]
        frames: list[OnAir] = []
        home.medium.listen(frames.append)
        for number, sender in enumerate(senders, start=1):
            for count in range(20):
                sender.mac.send(data(0, number, bytes((number, count))))
        home.scheduler.run(5)
        return frames

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_one_device_more_changes_no_other_link(place) -> None:
    def lost(more: bool) -> list[bytes]:
        home = place(quality=LinkQuality(loss_good=0.5))
        hub, meter = home.station(), home.station()
        if more:
            home.station()
        for number in range(50):
            meter.mac.send(data(BROADCAST, 1, bytes((number,)), ack=False))
            home.scheduler.run(0.1)
        return hub.payloads

    assert lost(more=False) == lost(more=True)


def test_qualities_that_cannot_be_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="loss_good"):
        LinkQuality(loss_good=1.5)
    with pytest.raises(LocalProtocolError, match="below 1"):
        LinkQuality.bursty(1.0)
