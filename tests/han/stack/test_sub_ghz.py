"""A hub with two bands: one network, its duty cycle, and the Sub-GHz cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from smetslab.errors import HanError, LocalProtocolError
from smetslab.han.air.bands import Channel
from smetslab.han.air.duty import DutyLimits, DutyState
from smetslab.han.stack import sub_ghz
from smetslab.han.stack.aps_entity import ApsData
from smetslab.ids import Eui64
from smetslab.store import Store
from smetslab.zigbee.dissect import Dissector
from smetslab.zigbee.security import install_code_key
from smetslab.zigbee.zcl import CLIENT_TO_SERVER, decode_frame
from smetslab.zigbee.zcl.clusters.sub_ghz import SubGhz
from smetslab.zigbee.zcl.foundation import ReadAttributes, decode_general, general_frame

LOWER = Channel(3, 28)
CODE = bytes(range(16))
METER = Eui64(bytes(7) + b"\x02")


@dataclass
class Door:
    """Lets in who is on a list, as long as there is room."""

    codes: dict[Eui64, bytes] = field(default_factory=dict)
    keys: dict[Eui64, bytes] = field(default_factory=dict)

    def opens(self) -> bool:
        return True

    def key_of(self, device: Eui64) -> bytes | None:
        code = self.codes.get(device)
        return None if code is None else install_code_key(code)

    def joined(self, device: Eui64, link_key: bytes) -> None:
        self.keys[device] = link_key

    def has_room(self, device: Eui64, beside: int) -> bool:
        return device in self.codes and beside < 4


def pages(home) -> Counter[int]:
    return Counter(frame.channel.page for frame in home.air)


def test_both_bands_are_one_network(run_home) -> None:
    """A meter that is awake, one that sleeps and a display of the upper band talk through their hub."""

    async def story(home):
        hub = await home.device(1)
        meter = await home.device(2, sub_ghz=True)
        gas = await home.device(3, sub_ghz=True, sleepy=True)
        display = await home.device(4)
        await meter.send(hub, b"up")
        await hub.send(meter, bytes(150))
        await display.send(meter, b"across")
        await meter.send(display, b"back")
        await hub.send(gas, b"asleep")
        return [one.payloads for one in (hub, meter, gas, display)], pages(home)

    payloads, seen = run_home(story, sub_ghz=LOWER)
    assert payloads == [[b"up"], [bytes(150), b"across"], [b"asleep"], [b"back"]]
    assert set(seen) == {0, 28}


def test_a_home_with_one_band_has_no_place_for_such_a_device(run_home) -> None:
    async def story(home):
        await home.device(1)
        with pytest.raises(LocalProtocolError, match="no sub-GHz radio"):
            await home.device(2, sub_ghz=True)

    run_home(story)


@pytest.mark.parametrize("sleepy", [False, True])
def test_a_device_joins_on_sub_ghz_wherever_its_hub_is(run_home, sleepy: bool) -> None:
    async def story(home):
        hub = await home.device(1)
        door = Door({METER: CODE})
        home.radio.open_gate(door)
        meter = await home.device(2, install_code=CODE, sub_ghz=True, sleepy=sleepy)
        await home.clock.sleep(60)
        await meter.send(hub, b"hello")
        await hub.send(meter, b"welcome")
        dissector = Dissector([key.key for key in home.radio.capture_keys()])
        problems = [dissector.dissect(one.octets, fcs=True).problem for one in home.air]
        return meter.link.node.mac.channel, hub.payloads, meter.payloads, list(door.keys), problems

    channel, hub, meter, joined, problems = run_home(story, sub_ghz=Channel(62, 29))
    assert channel == Channel(62, 29)
    assert (hub, meter, joined) == ([b"hello"], [b"welcome"], [METER])
    assert set(problems) == {""}


def test_a_hub_takes_no_more_devices_than_its_lower_band_serves(run_home) -> None:
    async def story(home):
        await home.device(1)
        for number in range(3, 7):
            await home.device(number, sub_ghz=True)
        home.radio.open_gate(Door({METER: CODE}))
        await home.clock.sleep(5)
        await home.device(2, install_code=CODE, sub_ghz=True)
        await home.clock.sleep(20)
        return home.events("DeviceRefused", "DeviceAssociated")

    assert run_home(story, sub_ghz=LOWER)[:1] == [("DeviceRefused", "2")]


def test_a_hub_that_comes_back_knows_who_is_where(run_home) -> None:
    async def story(home):
        with Store() as store:
            hub = await home.device(1, nvm=store.nvm("hub"))
            meter = await home.device(2, sub_ghz=True, nvm=store.nvm("meter"))
            await meter.send(hub, b"before")
            hub.link.node.remember()
            await home.power(hub, on=False)
            mac = hub.link.node.mac
            mac.members.clear()
            assert hub.link.node.recall()
            await home.power(hub, on=True)
            await hub.send(meter, b"after")
            return meter.payloads, mac.sub_ghz.channel

    assert run_home(story, sub_ghz=LOWER) == ([b"after"], LOWER)


def test_the_hour_of_a_radio_really_ends(run_home) -> None:
    """With a small allowance the hub falls silent; an hour later it is heard again."""

    async def story(home):
        hub = await home.device(1)
        meter = await home.device(2, sub_ghz=True)
        ledger = hub.link.node.sub_ghz_server.ledger
        ledger.limits = DutyLimits(limited=1, critical=2, regulated=3)
        sent = 0
        with pytest.raises(HanError):
            for _ in range(200):
                await hub.send(meter, bytes(60))
                sent += 1
        now = home.clock.time()
        assert ledger.state(now) is DutyState.REGULATED
        assert ledger.share(now) <= 3
        refused = hub.link.node.mac.sub_ghz.counts.duty_cycle
        await home.clock.sleep(4200)
        await hub.send(meter, b"again")
        states = [
            seen.detail["state"]
            for seen in home.trace.observations
            if seen.event == "DutyCycleChanged" and seen.source == str(hub.link.eui64)
        ]
        return sent, refused, meter.payloads[-1], states

    sent, refused, last, states = run_home(story, sub_ghz=LOWER)
    assert 50 < sent < 110
    assert refused > 0
    assert last == b"again"
    assert states == ["limited", "critical", "regulated", "normal"]


def test_a_critical_hub_has_its_devices_be_silent_and_tells_who_asks(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        meter = await home.device(2, sub_ghz=True)
        await home.clock.sleep(5)
        server = hub.link.node.sub_ghz_server
        server.ledger.limits = DutyLimits(limited=1, critical=3, regulated=250)
        while server.watch.state is not DutyState.CRITICAL:
            await hub.send(meter, bytes(60))
        await home.clock.sleep(1)
        with pytest.raises(HanError, match="duty cycle"):
            await meter.send(hub, b"silent")
        await home.power(meter, on=False)
        await home.power(meter, on=True)
        await home.clock.sleep(5)  # it has forgotten, and asks
        with pytest.raises(HanError, match="duty cycle"):
            await meter.send(hub, b"silent still")
        remaining = server.remaining(meter.link.eui64)
        await home.clock.sleep(60 * remaining)
        await meter.send(hub, b"and now")
        said = [
            (seen.event, seen.detail["minutes"])
            for seen in home.trace.observations
            if seen.event in {"SuspensionSent", "ZclSuspended"}
        ]
        return hub.payloads, remaining, said

    payloads, remaining, said = run_home(story, sub_ghz=LOWER)
    assert payloads == [b"and now"]
    assert remaining == 15
    assert said == [
        ("SuspensionSent", 0),  # it asked when it came
        ("SuspensionSent", 15),  # limited: the busiest
        ("ZclSuspended", 15),
        ("SuspensionSent", 15),  # critical: all
        ("ZclSuspended", 15),
        ("SuspensionSent", 15),  # it asked when it came back
        ("ZclSuspended", 15),
    ]


def test_the_lower_band_moves_and_takes_its_devices_along(run_home) -> None:
    """Who is awake goes with the hub; who sleeps is told when it wakes, and finds it there."""

    async def story(home):
        hub = await home.device(1)
        meter = await home.device(2, sub_ghz=True)
        gas = await home.device(3, sub_ghz=True, sleepy=True)
        await gas.send(hub, b"first")
        await home.clock.sleep(60)
        moved = []
        changes = hub.link.node.changes
        changes.change_sub_ghz_channel(Channel(28, 29), lambda: moved.append(home.clock.time()))
        with pytest.raises(LocalProtocolError, match="already"):
            changes.change_sub_ghz_channel(Channel(27, 29), lambda: None)
        await home.clock.sleep(30)
        assert moved == []
        await gas.send(hub, b"awake")
        await home.clock.sleep(120)
        assert len(moved) == 1
        await hub.send(meter, b"there")
        await gas.send(hub, b"there")
        nodes = [one.link.node.mac for one in (meter, gas)]
        return meter.payloads, hub.payloads, [mac.channel for mac in nodes], home.radio.settings.sub_ghz

    meter, hub, channels, now = run_home(story, sub_ghz=LOWER)
    assert meter == [b"there"]
    assert hub == [b"first", b"awake", b"there"]
    assert channels == [Channel(28, 29)] * 2
    assert now == Channel(28, 29)


def test_the_hub_shows_channels_to_who_reads_them(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        meter = await home.device(2, sub_ghz=True)
        hub.link.node.sub_ghz_server.allowed = [Channel(0, 28), Channel(1, 28), Channel(35, 30)]
        came: list[ApsData] = []
        meter.link.node.sub_ghz_client.receive = came.append
        ask = ReadAttributes((SubGhz.page_28_channel_mask.id, SubGhz.page_30_channel_mask.id, 0x0009))
        frame = general_frame(ask, direction=CLIENT_TO_SERVER, sequence=9)
        sub_ghz.send(meter.link.node, 0, sub_ghz.SUB_GHZ_ENDPOINT, frame)
        await home.clock.sleep(1)
        frames = [decode_frame(one.payload) for one in came]
        return next(decode_general(one) for one in frames if not one.cluster_specific).results

    results = run_home(story, sub_ghz=LOWER)
    assert [(one.attribute, one.value) for one in results] == [(1, 0xE0000003), (3, 0xF0000001), (9, None)]
