"""A display in the premises of a meter."""

from __future__ import annotations

import pytest
from meter_bench import NOW

from smetslab.clock import run_virtual
from smetslab.devices.display_reading import ShownMeter
from smetslab.devices.profile import load_profile
from smetslab.devices.type2 import Ihd
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64

DISPLAY = Eui64(b"DISPLAY1")


@pytest.fixture
def run_display(make_premises, store):
    """`run_display(story, **state)`: what a story of premises and their display returns, a minute after it
    has power; the meter has history, and `state`."""

    def run(story, **state):
        async def main(clock):
            async with make_premises(clock, {"history_days": 30, "load_scale_percent": 100, **state}) as home:
                home.esme.pair_display(DISPLAY)
                display = Ihd(
                    profile=load_profile("ihd-reference"),
                    eui64=DISPLAY,
                    nvm=store.nvm("display"),
                    han=home.medium.link(DISPLAY),
                    hub=home.hub.eui64,
                    clock=clock,
                    trace=home.trace,
                    meters=(ShownMeter(home.esme.eui64, DeviceType.ESME),),
                )
                async with display:
                    await clock.sleep(60)
                    return await story(home, display)

        return run_virtual(main, epoch=NOW)

    return run
