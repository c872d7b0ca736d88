"""Values that have their shape and are still none: too long tables, prices of nothing, impossible dates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.cosem.checks import (
    at_most,
    at_most_each,
    hangs_together,
    is_on_the_calendar,
    same_indices,
    unique,
)
from smetslab.devices.cosem.model import cosem_object, stored
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights
from smetslab.devices.cosem.server import Bindings, CosemServer
from smetslab.devices.cosem_engine import ActivationSchedule
from smetslab.devices.quirks import Quirks
from smetslab.errors import RegistryError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import ListOf, Num
from smetslab.gbcs.values import NEVER, Parameters, Value, date_time_octets

WEEK: dict[str, Value] = {
    "week_profile_name": "01",
    **dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), 1),
}
SEASON: dict[str, Value] = {"season_profile_name": "all", "week_name": "01"}


def charge(*indices: str) -> Value:
    return {"charge_table": [{"index": index, "charge_per_unit": 1} for index in indices]}


def nothing(name: str) -> Value:
    raise AssertionError(f"{name} was read")


@pytest.mark.parametrize(
    ("check", "value", "wrong"),
    [
        (at_most(2), [1, 2], None),
        (at_most(2), [1, 2, 3], "3 entries, at most 2"),
        (at_most_each("inner", 1), [{"inner": [1]}], None),
        (at_most_each("inner", 1), [{"inner": []}, {"inner": [1, 2]}], "2 entries of inner, at most 1"),
        (unique("name"), [{"name": "a"}, {"name": "b"}], None),
        (unique("name"), [{"name": "a"}, {"name": "a"}], "name a stands there twice"),
    ],
)
def test_tables(check: Any, value: Value, wrong: str | None) -> None:
    assert check(value, nothing) == wrong


@pytest.mark.parametrize(
    ("given_charge", "wrong"),
    [
        (charge("02", "01"), None),
        (charge("01"), "prices missing: ['02'], unknown: []"),
        (charge("01", "02", "31"), "prices missing: [], unknown: ['31']"),
    ],
)
def test_a_price_set_has_just_the_indices_of_the_active_one(given_charge: Value, wrong: str | None) -> None:
    assert same_indices("active")(given_charge, {"active": charge("01", "02")}.__getitem__) == wrong


@pytest.mark.parametrize(
    ("seasons", "weeks", "days", "wrong"),
    [
        ([SEASON], [WEEK], [{"day_identifier": 1}], None),
        ([{**SEASON, "week_name": "02"}], [WEEK], [{"day_identifier": 1}], "season all names no week"),
        ([SEASON], [{**WEEK, "sunday": 2}], [{"day_identifier": 1}], "week 01 has no day for sunday"),
    ],
)
def test_a_calendar_hangs_together(seasons: Value, weeks: Value, days: Value, wrong: str | None) -> None:
    tables = {"seasons": seasons, "weeks": weeks, "days": days}
    check = hangs_together("seasons", "weeks", "days")
    found = check("immediate", tables.__getitem__)
    assert (found is None) if wrong is None else str(found).startswith(wrong)
    assert check(NEVER, nothing) is None


@pytest.mark.parametrize(
    ("form", "octets", "possible"),
    [
        ("date", "07DF010101", True),
        ("date", "07DF0D0101", False),
        ("date", "07DF0220FF", False),
        ("date", "07E0021DFF", True),
        ("date", "07DF021DFF", False),
        ("date", "FFFF021DFF", True),
        ("date", "FFFFFFFFFF", True),
        ("date", "FFFFFDFEFF", True),
        ("date", "07DF010108", False),
        ("date", "07DF0100FF", False),
        ("time", "173B3B63", True),
        ("time", "18000000", False),
        ("time", "173C0000", False),
        ("time", "FFFFFFFF", True),
        ("date-time", "00" * 9 + "8000FF", True),
        ("date-time", "FF" * 9 + "8000FF", True),
        ("date-time", "07DF0D01FF000000008000FF", False),
        ("date-time", "07DF0101FF190000008000FF", False),
    ],
)
def test_dates(form: str, octets: str, possible: bool) -> None:
    assert is_on_the_calendar(bytes.fromhex(octets), form) is possible


@given(st.datetimes())
def test_every_moment_is_on_the_calendar(moment: Any) -> None:
    assert is_on_the_calendar(date_time_octets(moment), "date-time")


# -- on a meter ----------------------------------------------------------------------------------------------


def special_days(count: int) -> list[Value]:
    return [{"index": index, "date": "2026-05-01", "day_identifier": 1} for index in range(1, count + 1)]


def own_tariff(bench: Any) -> Parameters:
    """ECS01b with the prices that the meter has."""
    server = bench.core.server
    return {
        "standing_charge": server.value("standing_charge"),
        "tariff_block_price_matrix_tou": server.value("tariff_prices"),
        "standing_charge_activation_time": "immediate",
        "tariff_block_price_matrix_tou_activation_time": "immediate",
    }


def test_a_price_set_with_an_unknown_index_changes_nothing(bench: Any) -> None:
    command = own_tariff(bench)
    prices = command["tariff_block_price_matrix_tou"]
    assert isinstance(prices, dict) and isinstance(prices["charge_table"], list)
    prices["charge_table"][0] = {"index": "77", "charge_per_unit": 5}
    before = bench.core.server.value("tariff_prices")
    failures = bench.ask("ECS01b", command)["failures"]
    assert failures["tariff_block_price_matrix_tou"] == "scope-of-access-violated"
    assert failures["standing_charge_activation_time"] == "other-reason"
    assert bench.core.server.value("tariff_prices") == before


def test_too_many_entries_and_impossible_dates_are_out_of_scope(bench: Any) -> None:
    server = bench.core.server
    command: Parameters = {
        "maximum_meter_balance": 1,
        "maximum_credit_threshold": 1,
        "debt_recovery_rate_cap_amount": 1,
        "debt_recovery_rate_cap_period": 1,
        "low_credit_threshold": 1,
        "emergency_credit_limit": 1,
        "emergency_credit_threshold": 1,
        "non_disablement_calendar": server.value("non_disablement_calendar"),
        "non_disablement_calendar_special_days": special_days(21),
    }
    names = [name for name in command if name != "maximum_meter_balance"]
    times = dict.fromkeys(
        [f"{name}_activation_time" for name in (*names, "maximum_meter_balance")], "immediate"
    )
    failures = bench.ask("ECS08a", {**command, **times}, counter=1)["failures"]
    assert failures["non_disablement_calendar_special_days"] == "scope-of-access-violated"
    days = special_days(1)
    assert isinstance(days[0], dict)
    days[0]["date"] = "hex:07EA0D01FF"
    command["non_disablement_calendar_special_days"] = days
    failures = bench.ask("ECS08a", {**command, **times}, counter=2)["failures"]
    assert failures["non_disablement_calendar_special_days"] == "scope-of-access-violated"
    command["non_disablement_calendar_special_days"] = special_days(20)
    assert bench.ask("ECS08a", {**command, **times}, counter=3) == {}


def test_a_state_that_breaks_a_rule_is_refused_on_load(bench: Any) -> None:
    table = cosem_object(
        1, "0-0:1.1.1.255", stored(2, "table", [], ListOf(Num(Tag.UNSIGNED)), checks=(at_most(1),))
    )
    model = ObjectModel([table], {}, DeviceType.ESME)

    def load(value: Value) -> CosemServer:
        return CosemServer(
            model=model,
            rights=AccessRights([]),
            bindings=Bindings(),
            schedule=ActivationSchedule(bench.core.application.future_dated, Quirks()),
            nvm=bench.nvm,
            quirks=Quirks(),
            state={"table": value},
        )

    assert load([1]).value("table") == [1]
    with pytest.raises(RegistryError, match="attribute table: 2 entries, at most 1"):
        load([1, 2])
