"""What displays are told of tariff, calendar, history, message and events, against the meter's own tables."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from meter_bench import NOW

from smetslab.clock import StandingClock
from smetslab.devices import events
from smetslab.devices.display_reading import Reading, ShownMeter, applies
from smetslab.devices.display_server import MOST_EVENTS, events_told
from smetslab.devices.esme_history_told import EsmeHistoryTold
from smetslab.devices.event_log import EventLog
from smetslab.devices.ihd_screen import lines
from smetslab.devices.metering import microseconds, whole
from smetslab.devices.tariff import price_index
from smetslab.devices.work import Workplace
from smetslab.devices.zcl.calendar_table import TARIFF
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import seconds_since_2000, utc_text
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment

METER = Eui64(b"A METER ")


def test_a_display_knows_the_tariff_and_when_which_rate_applies(run_display) -> None:
    async def story(home, display):
        return display.readings[0], home.esme._core.life.configuration, display.screen, display.draw()

    reading, meter, screen, drawing = run_display(story)
    calendar = reading.calendar(TARIFF)
    assert calendar is not None
    for hour in range(24 * 14):
        time = NOW + timedelta(hours=hour, minutes=17)
        assert applies(calendar, time) == meter.calendar.script_before(time)
    tariff = reading.tariff
    assert tariff.standing_charge == meter.standing_charge
    assert tariff.rates == {1: meter.prices["01"]}
    assert tariff.blocks == {
        (column, block + 1): meter.prices[price_index(100 + column, block)]
        for column in (1, 2)
        for block in (0, 1)
    }
    limits = {column: meter.thresholds[column - 1][0] for column in (1, 2)}
    assert {
        tier: [limit * tariff.scale * 1000 for limit in rows] for tier, rows in tariff.thresholds.items()
    } == {column: [limit] for column, limit in limits.items()}
    text = "\n".join(screen)
    assert f"{meter.prices['A1'] / 1000:.2f}p/kWh up to 10 kWh" in text
    assert f"{meter.standing_charge / 1000:.2f}p a day" in text
    assert "p a day" in drawing
    [active] = [line for line in screen if line.startswith("  rate") and " now" in line]
    assert f" {reading.price / 1000:.2f}p/kWh" in active


def test_a_new_tariff_is_published_and_its_calendar_fetched(run_display) -> None:
    """Nobody asks: a display would ask once a day."""

    async def story(home, display):
        [reading] = display.readings
        before = reading.tariff.identifier, reading.calendars[TARIFF].identifier
        core = home.esme._core
        core.han.refresh(home.clock.now())  # as before every command
        with core._place.work(home.clock.now()) as work:
            days = [
                {
                    "day_identifier": day,
                    "day_schedule": [
                        {
                            "start_time": f"{hour:02}:00:00",
                            "script_logical_name": "00000A0064FF",
                            "script_selector": 1 + (hour + day) % 48,
                        }
                        for hour in range(24)
                    ],
                }
                for day in (1, 2)
            ]
            core.server.put(work, "tariff_days", days)
            core._tariff_written(work)
            core.server.put(work, "supplier_name", "A SUPPLIER")
            core.server.put(work, "customer_identification_number", "1234")
        core.han.refresh(home.clock.now())
        await home.clock.sleep(5)
        await display.power_cut()
        await display.power_restore()
        await home.clock.sleep(30)
        return before, reading, core.life.configuration, display.readings[0]

    before, reading, meter, fresh = run_display(story)
    assert reading.tariff.identifier != before[0]
    calendar = reading.calendar(TARIFF)
    assert calendar is not None
    assert calendar.table.identifier != before[1]
    for hour in range(48):
        time = NOW + timedelta(hours=hour)
        assert applies(calendar, time) == meter.calendar.script_before(time)
    assert set(reading.tariff.rates) == set(range(2, 27))
    registers = {f"current_tier_{rate}_summation_delivered" for rate in range(2, 27)}
    assert registers <= fresh.values.keys(), "three reads"
    assert not reading.tariff.blocks
    assert (reading.supplier.split(" 0")[0], reading.customer) == ("A SUPPLIER", "1234")


def test_weeks_and_months_are_what_the_register_has_counted(run_display) -> None:
    async def story(home, display):
        meter = home.esme._core.meter

        def between(first, last):
            readings = [whole(meter.reading(microseconds(at))) for at in (first, last)]
            return readings[1].active_import - readings[0].active_import

        midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
        monday = midnight - timedelta(days=midnight.weekday())
        march = midnight.replace(day=1)
        values = display.readings[0].values
        return (
            (values["previous_week_consumption_delivered"], between(monday - timedelta(days=7), monday)),
            (values["previous_month_consumption_delivered"], between(march - timedelta(days=28), march)),
            (values["current_month_consumption_delivered"], between(march, home.clock.now())),
        )

    for told, counted in run_display(story):
        assert told > 0
        assert abs(told - counted) < 30, "half a minute old at most"


def test_a_change_of_tenancy_takes_message_bill_and_history_away(run_display) -> None:
    change = NOW + timedelta(minutes=30)

    async def story(home, display):
        [reading] = display.readings
        await home.ask("ECS10", {"supplier_message": "PLEASE CALL"}, counter=1)
        await home.clock.sleep(5)
        before = reading.message(home.clock.now()), reading.bill is not None
        await home.ask("ECS12", {"restrict_data_date_time": utc_text(change)}, counter=2)
        await home.clock.sleep(2_000)
        told = home.esme._core.message.standing(home.clock.now())
        weeks = [name for name in reading.values if name.startswith("previous_week")]
        after = reading.message(home.clock.now()), reading.bill, weeks
        await display.power_cut()
        await display.power_restore()
        await home.clock.sleep(60)
        [again] = display.readings
        return before, told, after, (again.message(None), again.bill, again.values)

    before, told, after, again = run_display(story)
    assert before == ("PLEASE CALL", True)
    assert told is None
    assert after == ("", None, [])
    assert again[:2] == ("", None)
    assert again[2]["previous_week_consumption_delivered"] == 0
    assert again[2]["previous_month_consumption_delivered"] == 0


def test_an_event_for_the_home_is_published_at_once(run_display) -> None:
    async def story(home, display):
        core, [reading] = home.esme._core, display.readings
        before = list(reading.events)
        with core._place.work(home.clock.now()) as work:
            core.application.raise_event(work, events.UTRN_ENTRY_SUSPENDED)
        await home.clock.sleep(1)
        return before, list(reading.events)

    before, after = run_display(story)
    assert [code for _, code in after if (_, code) not in before] == [events.UTRN_ENTRY_SUSPENDED]


@pytest.mark.parametrize(("wanted", "told"), [(0, range(3, 3 + MOST_EVENTS)), (2, range(2))])
def test_of_many_events_a_display_is_told_the_newest_unless_it_says_how_many(store, wanted, told) -> None:
    nvm = store.nvm("log")
    log = EventLog(nvm, "event")
    with Workplace(METER, nvm, Trace(StandingClock(NOW))).work(NOW) as work:
        for code in range(3 + MOST_EVENTS):
            log.append(work, code, NOW)
    asked = Events.get_event_log.record(
        event_control_log_id=3,
        event_id=0,
        start_time=0,
        end_time=0xFFFFFFFE,
        number_of_events=wanted,
        event_offset=0,
    )
    answer = events_told(asked, log, None)
    assert [entry.integer("event_id") for entry in answer.records("log_payload")] == list(told)


def test_a_block_beyond_those_that_meters_have_is_shown_too() -> None:
    reading = Reading(ShownMeter(METER, DeviceType.ESME), rate="B1", at=NOW)
    reading.tariff.blocks = {(1, 16): 12_000}
    assert "  rate 1/16  12.00p/kWh" in lines([reading], NOW, NOW)


@pytest.mark.parametrize(("asked_until", "owed"), [(2, [70, 10]), (1, [70])])
def test_what_was_owed_after_a_payment_does_not_depend_on_how_many_are_asked_for(asked_until, owed) -> None:
    payments = [{"timestamp": utc_text(NOW + timedelta(hours=hour)), "amount": 30 * hour} for hour in (1, 2)]
    meter = SimpleNamespace(
        server=SimpleNamespace(entries=lambda name: {"payment_based_debt_repayments": payments}[name]),
        clock=SimpleNamespace(time=lambda now: now),
        tenancy=SimpleNamespace(hidden_before=lambda _time: None),
        prepayment=SimpleNamespace(account=SimpleNamespace(state=SimpleNamespace(payment_debt=10))),
    )
    question = Prepayment.get_debt_repayment_log
    asked = question.record(
        latest_end_time=seconds_since_2000(NOW + timedelta(hours=asked_until)),
        number_of_debts=0,
        debt_type=0xFF,
    )
    answer = EsmeHistoryTold(meter).tellers()[question](NOW, asked)
    assert [entry.integer("outstanding_debt") for entry in answer.records("debt_entries")] == owed
