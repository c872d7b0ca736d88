"""A change of tenancy: what displays of the home may not show any more, and remote parties still read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from meter_bench import NOW

from smetslab.devices.consumption import Ledger
from smetslab.gbcs.values import utc_text

DAYS = [
    "2026-02-22",
    "2026-02-23",
    "2026-02-24",
    "2026-02-25",
    "2026-02-26",
    "2026-02-27",
    "2026-02-28",
    "2026-03-01",
]
"""The days that a display of 2 March, noon, is told."""


def restrict(at: str) -> dict[str, Any]:
    return {"restrict_data_date_time": at}


async def ask_again(premises, display) -> None:
    """A display that starts asks for everything at once."""
    await display.power_cut()
    await display.power_restore()
    await premises.clock.sleep(60)


def test_a_display_is_told_the_days_that_the_meter_has_recorded(run_display) -> None:
    async def story(premises, display):
        [reading] = display.readings
        return dict(reading.history), premises.esme._core.logs.days_from(premises.clock.now(), 0, 1_000)

    history, recorded = run_display(story)
    assert list(history) == DAYS
    assert list(history.values()) == [used for _, used in recorded][-8:]
    assert all(used > 0 for used in history.values())


def test_days_before_the_change_are_hidden_from_displays_alone(run_display) -> None:
    log = {
        "read_log_period": {
            "start_date_time": "2026-01-01T00:00:00Z",
            "end_date_time": "2027-01-01T00:00:00Z",
        }
    }

    async def story(premises, display):
        before = await premises.ask("ECS22b", log, counter=1)
        await premises.ask("ECS12", restrict("2026-02-27T10:00:00Z"), counter=2)
        await ask_again(premises, display)
        after = await premises.ask("ECS22b", log, counter=3)
        [reading] = display.readings
        return before, after, dict(reading.history), reading.tenancy

    before, after, history, tenancy = run_display(story)
    assert list(history) == ["2026-02-28", "2026-03-01"], "the 27th began with the tenant before"
    assert tenancy == datetime(2026, 2, 27, 10, tzinfo=UTC)
    entries, earlier = (answer["read_log_period"]["active_energy_imported_log"] for answer in (after, before))
    assert entries == earlier
    assert len(entries) == 30 * 48


def test_sums_of_a_display_begin_anew_at_a_change_that_lies_ahead(run_display) -> None:
    change = NOW + timedelta(minutes=20)

    async def story(premises, display):
        await premises.ask("ECS12", restrict(utc_text(change)), counter=1)
        await premises.clock.sleep(1_100)
        [reading] = display.readings
        kept = reading.ledger.day.energy_wh, len(reading.history)
        await premises.clock.sleep(200)
        [reading] = display.readings
        fresh = reading.ledger.day.energy_wh, reading.ledger.month.energy_wh, reading.history
        await ask_again(premises, display)
        await premises.clock.sleep(600)
        [reading] = display.readings
        return kept, fresh, reading.ledger.day.energy_wh

    (used, days), (day, month, history), later = run_display(story)
    assert used > 0
    assert days == 8
    assert day == month < used
    assert history == {}
    assert later > day, "the new tenant's sums outlive a power cut"


def test_never_takes_the_change_back(run_display) -> None:
    async def story(premises, display):
        await premises.ask("ECS12", restrict("2026-03-01T00:00:00Z"), counter=1)
        shown = premises.esme.inspect()["change_of_tenancy"]
        await premises.ask("ECS12", restrict("never"), counter=2)
        await ask_again(premises, display)
        [reading] = display.readings
        return shown, premises.esme.inspect()["change_of_tenancy"], list(reading.history)

    assert run_display(story) == ("2026-03-01T00:00:00Z", None, DAYS)


def test_the_date_survives_a_power_cut_of_the_meter(run_display) -> None:
    async def story(premises, display):
        await premises.ask("ECS12", restrict("immediate"), counter=1)
        before = premises.esme.inspect()["change_of_tenancy"]
        await premises.esme.power_cut()
        await premises.esme.power_restore()
        await ask_again(premises, display)
        [reading] = display.readings
        return before, premises.esme.inspect()["change_of_tenancy"], reading.history

    before, after, history = run_display(story)
    assert before == after
    assert before.startswith("2026-03-02T12:01")
    assert history == {}


def test_a_period_that_began_with_the_new_tenant_is_kept() -> None:
    ledger = Ledger()
    for hour, energy in ((0, 1_000), (30, 2_000)):
        moment = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=hour)
        ledger.add(moment, energy_wh=energy, price=1, standing_charge=0)
    ledger.change_tenancy(datetime(2026, 3, 3, tzinfo=UTC))
    assert (ledger.day.energy_wh, ledger.week.energy_wh, ledger.month.energy_wh) == (1_000, 0, 0)
    again = Ledger.decode(ledger.encode())
    assert again == ledger
