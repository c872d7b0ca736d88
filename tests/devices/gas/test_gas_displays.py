"""What a display is told of a gas meter by its proxy: tariff, calendar, history in kWh, events, top-ups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from smetslab.clock import StandingClock
from smetslab.devices import events
from smetslab.devices.display_core import DisplayCore
from smetslab.devices.display_reading import Reading, ShownMeter, applies
from smetslab.devices.work import Workplace
from smetslab.devices.zcl.calendar_table import TARIFF, CalendarTable
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.zigbee.zcl.clusters.price import Price

DISPLAY, GPF = Eui64(b"DISPLAY1"), Eui64.parse("00DB1234567890A3")
BEGIN = datetime.fromisoformat("2026-03-02T12:00:00+00:00")


class Home:
    """A proxy and a display that hear each other at once."""

    def __init__(self, make_gpf: Callable[..., Any], store: Any) -> None:
        self.now = BEGIN
        self.proxy, self.place = make_gpf(lambda: self.now)
        self.proxy.pair_display(DISPLAY, self.now)
        display = Workplace(DISPLAY, store.nvm("display"), Trace(StandingClock(BEGIN)))  # type: ignore[arg-type]
        self.display = DisplayCore(display, (ShownMeter(GPF, DeviceType.GPF),), self.now)

    @property
    def reading(self) -> Reading:
        return self.display.readings[GPF]

    def poll(self) -> None:
        """The display asks what is due, and hears the answers."""
        self.display.tick(self.now)
        self.talk()

    def talk(self) -> None:
        self.hear()
        while asked := self.display.han.take():
            for frame in asked:
                self.proxy.han_receive(replace(frame, peer=DISPLAY), self.now)
            self.hear()

    def hear(self) -> None:
        for frame in self.proxy.han.take():
            self.display.han_receive(replace(frame, peer=GPF), self.now)


@pytest.fixture
def home(make_gpf, gas_store) -> Home:
    return Home(make_gpf, gas_store)


def test_weeks_and_months_are_the_days_of_the_proxy_in_kilowatt_hours(home: Home) -> None:
    midnight = BEGIN.replace(hour=0)
    days = {midnight - timedelta(days=back): 1_000 + back for back in range(60)}
    with home.place.work(home.now) as work:
        for ended, litres in sorted(days.items()):
            home.proxy.records.daily_consumption.put(work, seconds_since_2000(ended), litres)
    home.poll()
    # 39.1 MJ/m3 and the volume correction of a new meter.
    wh_per_litre = 39.1 * 1.02264 / 3.6
    february = [days[ended] for ended in days if (ended - timedelta(days=1)).month == 2]
    last_week = [days[midnight - timedelta(days=back)] for back in range(7)]  # the 2nd is a Monday
    values = home.reading.values
    for name, litres in (("month", february), ("week", last_week)):
        told = values[f"previous_{name}_alternative_consumption_delivered"]
        assert told == pytest.approx(sum(litres) * wh_per_litre, abs=len(litres))
    assert len(february) == 28


def test_a_tariff_and_its_calendar_are_published_when_the_meter_has_a_new_one(home: Home) -> None:
    home.poll()
    home.proxy._publisher.refresh(home.now)
    assert home.reading.tariff.rates == {1: 0, 2: 0, 3: 0, 4: 0}
    assert home.reading.calendar(TARIFF) is None
    table = CalendarTable(
        identifier=11,
        expected=(1, 1, 2),
        seasons=((0xFF0101FF, 1),),
        weeks={1: (1, 1, 1, 1, 1, 2, 2)},
        days={1: ((0, 1),), 2: ((0, 3),)},
    )
    memory = home.proxy.engine.memory
    with home.place.work(home.now) as work:
        memory.put(work, Price.tier_1_block_1_price, 4_100)
        memory.put(work, Price.tier_3_block_1_price, 3_900)
        memory.put(work, Price.standing_charge, 29_000)
        home.proxy.calendars.fill(work, TARIFF, table, ((0xFF1903FF, 2),))
    home.proxy._publisher.refresh(home.now)
    home.talk()
    assert home.reading.tariff.rates == {1: 4_100, 2: 0, 3: 3_900, 4: 0}
    assert home.reading.tariff.standing_charge == 29_000
    view = home.reading.calendar(TARIFF)
    assert view is not None
    for day in range(28):
        time = BEGIN + timedelta(days=day)
        assert applies(view, time) == home.proxy.calendars.view(TARIFF).value(time)
    assert view.special == ((0xFF1903FF, 2),)


def test_an_event_of_the_meter_reaches_the_display_by_the_next_report_once(
    home: Home, make_gas_bench
) -> None:
    bench = make_gas_bench("prepayment", at=BEGIN)
    reporter = bench.core.reporter

    def report(*, arrives: bool = True) -> list[int]:
        frames = reporter.frames(bench.now, seconds_since_2000(bench.now))
        if arrives:
            for cluster, frame in frames:
                assert home.proxy.reported(cluster, frame, home.now)
            reporter.delivered()
        home.hear()
        return [code for _, code in home.reading.events]

    report()
    with bench.place.work(bench.now) as work:
        bench.core.application.raise_event(work, events.EMERGENCY_CREDIT_ACTIVATED)
    assert report(arrives=False) == []
    assert report() == [events.EMERGENCY_CREDIT_ACTIVATED]
    assert report() == [events.EMERGENCY_CREDIT_ACTIVATED]
