"""What a supplier gets wrong: the component that cannot be answers with its status, later ones are not
executed, and what is in force stays in force."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

MakeBench = Callable[..., Any]
Components = list[dict[str, Any]]
NOW, NUMBER = "2026-03-02T12:00:00Z", 825_768_000
_ONE_OF_ONE = {"command_index": 0, "number_of_commands": 1}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def calendar(**changes: Any) -> dict[str, Any]:
    return {
        "cluster": "calendar",
        "provider_id": 0,
        "issuer_event_id": NOW,
        "issuer_calendar_id": NUMBER,
        **changes,
    }


def tariff() -> Components:
    """A sound one: one day all the year, and the prices of four tiers."""
    head = {"cluster": "price", "provider_id": 0, "issuer_event_id": NOW, "issuer_tariff_id": 1}
    return [
        calendar(
            command="publish_calendar",
            start_time="immediate",
            calendar_type="delivered",
            calendar_time_reference="utc",
            calendar_name="",
            number_of_seasons=1,
            number_of_week_profiles=1,
            number_of_day_profiles=1,
        ),
        calendar(
            command="publish_day_profile",
            day_id=1,
            number_of_schedule_entries=1,
            **_ONE_OF_ONE,
            calendar_type="delivered",
            schedule_entries=[{"start_time": 0, "price_tier": 2}],
        ),
        calendar(command="publish_week_profile", week_id=1, **{f"day_id_ref_{day}": 1 for day in _DAYS}),
        calendar(
            command="publish_seasons",
            **_ONE_OF_ONE,
            season_entries=[{"season_start_date": "2026-01-01", "season_week_id_ref": 1}],
        ),
        calendar(
            command="publish_special_days",
            start_time="immediate",
            calendar_type="delivered",
            number_of_special_days=0,
            **_ONE_OF_ONE,
            special_day_entries=[],
        ),
        {
            **head,
            "command": "publish_tariff_information",
            "start_time": "immediate",
            "tariff_type_charging_scheme": {"tariff_type": "delivered", "charging_scheme": "tou"},
            "tariff_label": "",
            "number_of_price_tiers_in_use": 4,
            "number_of_block_thresholds_in_use": 0,
            "unit_of_measure": "kWh",
            "currency": "GBP",
            "price_trailing_digit": {"trailing_digit": 5},
            "standing_charge": 22_465,
            "tier_block_mode": "not_used",
            "block_threshold_multiplier": 1,
            "block_threshold_divisor": 1_000,
        },
        {
            **head,
            "command": "publish_price_matrix",
            "start_time": "immediate",
            **_ONE_OF_ONE,
            "sub_payload_control": "tou",
            "price_entries": [{"tier_block_id": tier, "price": 9_000 + tier} for tier in range(1, 5)],
        },
    ]


def _change(place: int, **members: Any) -> Callable[[Components], None]:
    return lambda components: components[place].update(members)


def _days(count: int) -> list[dict[str, Any]]:
    return [
        {"special_day_date": f"2026-05-{day:02}", "special_day_day_id_ref": 1} for day in range(1, count + 1)
    ]


WRONG: dict[str, tuple[int, str, Callable[[Components], None]]] = {
    "a calendar of another kind": (0, "invalid_value", _change(0, calendar_type="received")),
    "too many seasons": (0, "insufficient_space", _change(0, number_of_seasons=9)),
    "too many day profiles": (0, "insufficient_space", _change(0, number_of_day_profiles=99)),
    "a day of another calendar": (1, "invalid_field", _change(1, issuer_calendar_id=NUMBER + 1)),
    "a day of another kind": (
        1,
        "invalid_value",
        _change(
            1,
            calendar_type="friendly_credit",
            schedule_entries=[{"start_time": 0, "friendly_credit_enable": "enabled"}],
        ),
    ),
    "a day that says another number of switches": (
        1,
        "invalid_value",
        _change(1, number_of_schedule_entries=2),
    ),
    "a day that does not begin at midnight": (
        1,
        "invalid_value",
        _change(1, schedule_entries=[{"start_time": 60, "price_tier": 2}]),
    ),
    "more switches than a day has place for": (
        1,
        "invalid_value",
        _change(
            1,
            number_of_schedule_entries=2,
            schedule_entries=[{"start_time": 60 * hour, "price_tier": 1} for hour in (0, 12)],
        ),
    ),
    "another number of special days": (4, "invalid_value", _change(4, number_of_special_days=1)),
    "too many special days": (
        4,
        "insufficient_space",
        _change(4, number_of_special_days=25, special_day_entries=_days(25)),
    ),
    "more tiers than there are": (5, "invalid_value", _change(5, number_of_price_tiers_in_use=49)),
    "thresholds divided by nothing": (5, "invalid_value", _change(5, block_threshold_divisor=0)),
    "a price of a tier that there is not": (
        6,
        "invalid_value",
        _change(6, price_entries=[{"tier_block_id": 5, "price": 1}]),
    ),
}
"""The component that is wrong, its status, and how it is."""


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_tariff_is_refused_at_its_component(make_gas_bench: MakeBench, what: str) -> None:
    place, status, change = WRONG[what]
    bench = make_gas_bench("prepayment", half_hour_ml=10_000, owner=f"wrong/{what}")
    components = deepcopy(tariff())
    change(components)
    before = bench.core.inspect(bench.now)["attributes"]
    answers = bench.ask("GCS01a", *components)
    assert [one["status"] for one in answers[:place]] == ["success"] * place
    assert answers[place]["status"] == status
    assert {(one["of"], one["status"]) for one in answers[place + 1 :]} <= {("not_executed", "failure")}
    after = bench.core.inspect(bench.now)["attributes"]
    prices = [name for name in after if "price" in name or "standing" in name]
    assert prices
    if place < 5:  # what comes behind the fault sets prices
        assert {name: after[name] for name in prices} == {name: before[name] for name in prices}


def test_the_sound_tariff_is_taken(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment", half_hour_ml=10_000)
    assert {one["status"] for one in bench.ask("GCS01a", *tariff())} == {"success"}
    assert bench.core.inspect(bench.now)["attributes"]["price.tier_2_block_1_price"] == 9_002


@pytest.mark.parametrize(
    ("start", "timebase"), [("2026-03-31T00:00:00Z", "months"), ("2026-03-01T00:00:00Z", 9)]
)
def test_a_billing_calendar_that_some_months_lack_is_refused(
    make_gas_bench: MakeBench, start: str, timebase: Any
) -> None:
    """Neither a day that some months lack, nor a unit that there is not."""
    bench = make_gas_bench(half_hour_ml=10_000)
    period = {
        "cluster": "price",
        "command": "publish_billing_period",
        "provider_id": 0,
        "issuer_event_id": NOW,
        "billing_period_start_time": start,
        "billing_period_duration": 1,
        "billing_period_duration_type": {"timebase": timebase, "control": "not_specified"},
        "tariff_type": "delivered",
    }
    block = {
        "cluster": "price",
        "command": "publish_block_period",
        "provider_id": 0,
        "issuer_event_id": NOW,
        "block_period_start_time": start,
        "block_period_duration": 1,
        "block_period_control": ["repeating_block"],
        "block_period_duration_type": {"timebase": "months", "control": "not_specified"},
        "tariff_type": "delivered",
        "tariff_resolution_period": "block_period",
    }
    answers = bench.ask("GCS25", period, block)
    assert [one["status"] for one in answers] == ["invalid_value", "failure"]
    assert bench.core.engine.memory.document("billing_period") is None
