"""What a profile may set: every setting has its effect, and a wrong one is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smetslab.devices import chf_core, esme_settings
from smetslab.devices.profile import load_profile, profile_names
from smetslab.devices.quirks import known_quirks
from smetslab.errors import UsageError
from smetslab.lab.devices import READERS

MakeProfile = Callable[..., Any]


@pytest.mark.parametrize(
    ("state", "use_case", "path", "value"),
    [
        ({"maximum_credit_millipence": 7}, "ECS26a", ("maximum_credit_threshold",), 7),
        ({"disablement_threshold_millipence": -7}, "ECS26a", ("disablement_threshold",), [-7]),
        (
            {"debt_recovery_rate_1_millipence": 7},
            "ECS26a",
            ("debt_recovery_rate_1_value", "charge_table", 0, "charge_per_unit"),
            7,
        ),
        ({"debt_recovery_period_s": 3600}, "ECS26a", ("debt_recovery_rate_2_period",), 3600),
        (
            {"suspend_debt_disabled": False},
            "ECS26a",
            ("credit_charge_configuration", 2, "collection_configuration"),
            "111",
        ),
        ({"supply_state": "armed"}, "ECS45", ("supply_state",), "Armed"),
        ({"currency": "EUR"}, "ECS24", ("currency_unit",), "EUR"),
        ({"active_tariff_price_millipence": 42}, "ECS24", ("active_tariff_price",), 42),
        ({"load_limit_supply_state": "disable"}, "ECS27", ("load_limit_supply_state",), "Disable"),
        ({"load_limit_power_threshold_w": 42}, "ECS27", ("load_limit_power_threshold",), 42),
        ({"meter_balance_millipence": -42}, "ECS82", ("meter_balance",), -42),
    ],
)
def test_setting(
    make_bench: Callable[..., Any], state: dict[str, Any], use_case: str, path: tuple[Any, ...], value: object
) -> None:
    found: Any = make_bench(state=state).ask(use_case)
    for step in path:
        found = found[step]
    assert found == value


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"colour": "red"}, "unknown setting 'colour'"),
        ({"supply_state": "on"}, "'on' is not one of disabled, enabled, armed"),
        ({"maximum_credit_millipence": "much"}, "not of type int"),
        ({"maximum_credit_millipence": True}, "not of type int"),
    ],
)
def test_a_wrong_setting_is_refused(make_profile: MakeProfile, state: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        esme_settings.read_settings(make_profile(state))


def test_a_wrong_setting_of_a_hub_is_refused(make_profile: MakeProfile) -> None:
    with pytest.raises(UsageError, match="supply_state"):
        chf_core.read_settings(make_profile({"supply_state": "armed"}))
    with pytest.raises(UsageError, match="clock_status"):
        chf_core.read_settings(make_profile({"clock_status": "late"}))


def test_the_shipped_profiles_are_understood() -> None:
    for name in profile_names():
        profile = load_profile(name, known_quirks=known_quirks())
        READERS[profile.device_type](profile)
