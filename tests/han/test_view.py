"""A home network as people see it: values, and a tree of text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.han.air.medium import LinkQuality, Medium
from smetslab.han.direct import DirectMedium
from smetslab.han.stack.home import RadioHome
from smetslab.han.view import NetworkView, draw, view_of
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.trace import Trace

HUB, METER, DISPLAY, GAS, PROXY = (Eui64(bytes(7) + bytes((number,))) for number in range(1, 6))
NAMES = {
    str(HUB): "hub",
    str(METER): "meter",
    str(DISPLAY): "display",
    str(GAS): "gas meter",
    str(PROXY): "proxy",
}


def look(
    act: Callable[[RadioHome], None] = lambda _: None, *, quality: LinkQuality | None = None
) -> NetworkView:
    """A home of four radios after a minute, and what `act` did to it before."""

    async def story(clock: LoopClock) -> NetworkView:
        home = RadioHome(clock, Trace(clock), RootSeed(1), quality=quality)
        hub = home.link(HUB)
        home.link(PROXY, on=HUB)
        gas = home.link(GAS, sleepy=True)
        async with hub, home.link(METER), home.link(DISPLAY), gas:
            act(home)
            await clock.sleep(60)
            return view_of(home)

    return run_virtual(story)


def deafen(medium: Medium, one: Eui64, other: Eui64) -> None:
    for pair in ((one, other), (other, one)):
        medium.set_link(*pair, LinkQuality(audible=False))


def lines_of(view: NetworkView) -> list[str]:
    return list(draw(view, NAMES))


def test_a_home_is_a_star_around_its_hub() -> None:
    view = look()
    title, hub, *others = lines_of(view)
    assert title.startswith(f"channel {view.channel}, PAN {view.pan:04X}, extended PAN {HUB}")
    assert "joining closed" in title
    assert hub == f"{HUB}  0000  hub, proxy: coordinator, 3 link keys"
    assert [line[:3] for line in others] == ["├─ ", "├─ ", "└─ "]
    assert "gas meter: sleepy end device, LQI 200 ██████░░ -60 dBm, 3 link keys" in others[0]
    assert all(device.parent == str(HUB) for device in view.devices[1:])


def test_who_does_not_hear_the_hub_hangs_on_the_router_between() -> None:
    view = look(lambda home: deafen(home.medium, HUB, DISPLAY))
    display = next(device for device in view.devices if device.eui64 == str(DISPLAY))
    assert display.parent == str(METER)
    assert any(line.startswith("   └─ ") or line.startswith("│  └─ ") for line in lines_of(view))


def test_who_is_out_of_reach_or_without_power_is_said_to_be() -> None:
    view = look(lambda home: home.set_reachable(METER, False))
    states = {device.eui64: device.state for device in view.devices}
    assert states[str(METER)] == "out of reach"
    assert states[str(HUB)] == states[str(GAS)] == "in the network"
    assert any("out of reach" in line for line in lines_of(view))


def test_loss_is_that_of_the_way_there_and_back() -> None:
    view = look(quality=LinkQuality.bursty(0.1, 3))
    assert view.devices[1].loss == pytest.approx(0.19, abs=1e-4)
    assert "loses 19.0%" in lines_of(view)[2]


def test_a_device_that_joins_has_no_address_and_no_parent() -> None:
    async def story(clock: LoopClock) -> NetworkView:
        home = RadioHome(clock, Trace(clock), RootSeed(1))
        async with home.link(HUB), home.link(METER, install_code=bytes(16)):
            await clock.sleep(5)
            return view_of(home)

    joining = run_virtual(story).devices[1]
    assert joining.state.startswith("joining: ")
    assert (joining.short_address, joining.parent, joining.keys) == (None, "", ())


def test_links_without_radio_are_drawn_too() -> None:
    async def story(clock: LoopClock) -> NetworkView:
        medium = DirectMedium(clock, Trace(clock), RootSeed(1))
        medium.link(HUB)
        medium.link(METER)
        medium.set_reachable(METER, False)
        return view_of(medium)

    assert lines_of(run_virtual(story)) == [
        "direct links, no radio: 2 devices",
        f"{HUB}        hub: hub",
        f"└─ {METER}        meter: device, out of reach",
    ]


def test_a_view_is_json_there_and_back_and_shows_no_key() -> None:
    view = look()
    text = json.dumps(view.to_json())
    assert NetworkView.from_json(json.loads(text)) == view
    home_key = RootSeed(1).octets("network key", 16)
    assert home_key.hex() not in text.lower()


@pytest.mark.parametrize("value", [{}, {"devices": 1}, {"devices": [{}]}, {"devices": [], "unknown": 1}])
def test_what_is_no_view_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises((TypeError, KeyError)):
        NetworkView.from_json(value)
