"""Joining: from an install code to a link key of one's own, and who is kept out."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from smetslab.errors import HanError
from smetslab.han import SMART_ENERGY_PROFILE, ClusterRole
from smetslab.han.air.medium import LinkQuality
from smetslab.han.stack.joining import JoinState
from smetslab.ids import Eui64
from smetslab.zigbee.dissect import Dissector
from smetslab.zigbee.security import install_code_key

CODE, OTHER_CODE = bytes(range(16)), bytes(range(1, 17))
METER, DISPLAY = Eui64(bytes(7) + b"\x02"), Eui64(bytes(7) + b"\x03")
METERING = 0x0702


@dataclass
class Door:
    """Lets in who is on a list, while it is open."""

    codes: dict[Eui64, bytes] = field(default_factory=dict)
    is_open: bool = True
    keys: dict[Eui64, bytes] = field(default_factory=dict)

    def opens(self) -> bool:
        return self.is_open

    def key_of(self, device: Eui64) -> bytes | None:
        code = self.codes.get(device)
        return None if code is None else install_code_key(code)

    def joined(self, device: Eui64, link_key: bytes) -> None:
        self.keys[device] = link_key

    def has_room(self, device: Eui64, beside: int) -> bool:
        return device in self.codes and beside < 4


def events(home, *names: str) -> list[str]:
    return [seen.event for seen in home.trace.observations if seen.event in names]


def test_a_listed_device_joins_and_has_a_key_of_its_own(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        door = Door({METER: CODE})
        home.radio.open_gate(door)
        meter = await home.device(2, install_code=CODE)
        with pytest.raises(HanError, match="has not joined"):
            await meter.send(hub, b"too early")
        await home.clock.sleep(10)
        await meter.send(hub, b"hello")
        await hub.send(meter, bytes(200))
        node = meter.link.node
        return door.keys[METER], node.aps.link_keys[hub.link.eui64], hub.payloads, meter.payloads, home.air

    hubs_key, meters_key, hub, meter, air = run_home(story)
    assert hubs_key == meters_key
    assert hubs_key not in {CODE, install_code_key(CODE)}
    assert (hub, meter) == ([b"hello"], [bytes(200)])
    # A passer-by with the install code sees the network key, and nothing that is under the new link key.
    dissector = Dissector([install_code_key(CODE)])
    found = [dissector.dissect(frame.octets, fcs=True) for frame in air]
    names = [one.command[0].name for one in found if one.command is not None]
    wanted = ["association_request", "transport_key", "device_announce"]
    assert [name for name in dict.fromkeys(names) if name in wanted] == wanted
    assert found[-1].problem in {"no key opens the APS layer", ""}
    assert any(one.problem == "no key opens the APS layer" for one in found)


def test_a_sleepy_device_joins_too(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        door = Door({METER: CODE})
        home.radio.open_gate(door)
        meter = await home.device(2, install_code=CODE, sleepy=True)
        await home.clock.sleep(20)
        await meter.send(hub, b"hello")
        return hub.payloads, list(door.keys)

    assert run_home(story) == ([b"hello"], [METER])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_lossy_air_only_delays_it(run_home, seed: int) -> None:
    async def story(home):
        hub = await home.device(1)
        home.radio.open_gate(Door({METER: CODE}))
        meter = await home.device(2, install_code=CODE)
        await home.clock.sleep(600)
        await meter.send(hub, b"hello")
        return hub.payloads

    assert run_home(story, seed=seed, quality=LinkQuality.bursty(0.2, 2)) == [b"hello"]


@pytest.mark.parametrize(
    ("codes", "is_open", "reason"),
    [
        ({}, True, "the association was refused"),
        ({METER: CODE}, False, "no network lets devices in"),
        ({METER: OTHER_CODE}, True, "no network key came"),
    ],
    ids=["not listed", "window closed", "wrong install code"],
)
def test_who_is_not_let_in_stays_outside_and_tries_again(run_home, codes, is_open: bool, reason: str) -> None:
    async def story(home):
        await home.device(1)
        door = Door(codes, is_open=is_open)
        home.radio.open_gate(door)
        meter = await home.device(2, install_code=CODE)
        await home.clock.sleep(100)
        failures = home.trace.find(event="JoinFailed")
        return [one.detail["reason"] for one in failures], meter.link.node.joiner.attempts, door.keys

    reasons, attempts, keys = run_home(story)
    assert set(reasons) == {reason}
    assert attempts >= 3
    assert keys == {}


def test_a_device_joins_as_soon_as_the_window_opens(run_home) -> None:
    async def story(home):
        await home.device(1)
        door = Door({METER: CODE}, is_open=False)
        home.radio.open_gate(door)
        meter = await home.device(2, install_code=CODE)
        await home.clock.sleep(100)
        outside = meter.link.node.joiner.state
        door.is_open = True
        await home.clock.sleep(60)
        return outside, meter.link.node.joiner.state

    outside, after = run_home(story)
    assert outside is not JoinState.JOINED
    assert after is JoinState.JOINED


def test_a_certificate_of_another_authority_is_sent_away(run_home) -> None:
    async def story(home):
        await home.device(1)
        door = Door({METER: CODE})
        home.radio.open_gate(door)
        meter = await home.device(2, install_code=CODE)
        # The certificate of somebody else, for which the device has the key.
        meter.link.node.joiner._certificate = lambda: home.radio.certificate(DISPLAY)
        await home.clock.sleep(20)
        return [one.detail["reason"] for one in home.trace.find(event="JoinFailed")], door.keys

    reasons, keys = run_home(story)
    assert reasons == ["key establishment: invalid certificate"]
    assert keys == {}


def test_a_device_that_does_not_prove_itself_is_removed_in_the_end(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        home.radio.open_gate(Door({METER: CODE}))
        meter = await home.device(2, install_code=CODE)
        meter.link.node.joiner._matched = lambda *_: None
        began = home.clock.now()
        while not home.trace.find(event="DeviceSentAway"):
            await home.clock.sleep(1)
        waited = (home.clock.now() - began).total_seconds()
        forgotten = METER not in hub.link.node.aps.link_keys
        await home.clock.sleep(100)
        return waited, forgotten, events(home, "DeviceLeft", "DeviceAssociated")

    waited, forgotten, seen = run_home(story)
    assert 1200 <= waited <= 1210
    assert forgotten
    assert seen == ["DeviceAssociated", "DeviceLeft", "DeviceAssociated"]


def test_two_joined_devices_get_a_key_with_each_other(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        home.radio.open_gate(Door({METER: CODE, DISPLAY: OTHER_CODE}))
        meter = await home.device(2, install_code=CODE)
        display = await home.device(3, install_code=OTHER_CODE)
        await home.clock.sleep(60)
        endpoint = await display.link.find_endpoint(METER, SMART_ENERGY_PROFILE, METERING, ClusterRole.SERVER)
        await display.send(meter, b"top up", endpoint=endpoint)
        await meter.send(display, b"thanks")
        keys = [
            display.link.node.aps.link_keys[METER],
            meter.link.node.aps.link_keys[DISPLAY],
            hub.link.node.aps.link_keys[METER],
        ]
        return meter.payloads, display.payloads, keys

    meter, display, keys = run_home(story)
    assert (meter, display) == ([b"top up"], [b"thanks"])
    assert keys[0] == keys[1] != keys[2]


def test_a_joined_device_needs_no_second_joining_after_a_power_cut(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        home.radio.open_gate(Door({METER: CODE}))
        meter = await home.device(2, install_code=CODE)
        await home.clock.sleep(20)
        await meter.link.__aexit__(None, None, None)
        await home.clock.sleep(5)
        await meter.link.__aenter__()
        await meter.send(hub, b"back")
        return hub.payloads, meter.link.node.joiner.attempts

    payloads, attempts = run_home(story)
    assert (payloads, attempts) == ([b"back"], 1)


def test_a_power_cut_while_keys_are_agreed_only_delays_joining(run_home) -> None:
    async def story(home):
        hub = await home.device(1)
        home.radio.open_gate(Door({METER: CODE}))
        meter = await home.device(2, install_code=CODE)
        while meter.link.node.joiner._exchange is None:
            await home.clock.sleep(0.001)
        state = meter.link.node.joiner.state
        await home.power(meter, on=False)
        await home.clock.sleep(30)
        await home.power(meter, on=True)
        await home.clock.sleep(100)
        await meter.send(hub, b"hello")
        return state, hub.payloads

    assert run_home(story) == (JoinState.ESTABLISHING, [b"hello"])


def test_joining_is_the_same_with_the_same_seed(run_home) -> None:
    async def story(home):
        await home.device(1)
        home.radio.open_gate(Door({METER: CODE}))
        await home.device(2, install_code=CODE)
        await home.clock.sleep(20)
        return [(frame.start_s, frame.octets) for frame in home.air]

    assert run_home(story) == run_home(story)
