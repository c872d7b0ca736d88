"""The display of an electricity meter, and its Privacy PIN."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from meter_bench import Bench

from smetslab.clock import run_virtual
from smetslab.devices import events
from smetslab.devices.supply import SupplyEvent, SupplyState
from smetslab.devices.user_interface import HIDDEN, PinAnswer

MakeBench = Callable[..., Bench]
SECOND = timedelta(seconds=1)
EMERGENCY: dict[str, int | bool | str] = {
    "payment_mode": "prepayment",
    "meter_balance_millipence": 50_000,
    "emergency_credit_limit_millipence": 1_000_000,
    "emergency_credit_threshold_millipence": 100_000,
    "supply_state": "armed",
}


def set_pin(bench: Bench, pin: str = "2468", again: str | None = None) -> PinAnswer:
    repeated = pin if again is None else again
    return bench.core.change_pin(bench.now, lambda work: bench.core.pin.set(work, pin, repeated))


def shown(bench: Bench) -> dict[str, Any]:
    return bench.core.interface.display(bench.now)


def test_without_a_pin_everything_is_shown(make_bench: MakeBench) -> None:
    bench = make_bench({"import_active_wh": 4_321, **EMERGENCY})
    items = shown(bench)
    assert HIDDEN not in items.values()
    assert (items["total_import_wh"], items["meter_balance_millipence"], items["supply"]) == (
        4_321,
        50_000,
        "armed",
    )


@pytest.mark.parametrize(
    ("pin", "again", "answer"),
    [
        ("123", "123", PinAnswer.NOT_FOUR_DIGITS),
        ("12a4", "12a4", PinAnswer.NOT_FOUR_DIGITS),
        ("١٢٣٤", "١٢٣٤", PinAnswer.NOT_FOUR_DIGITS),
        ("1234", "1243", PinAnswer.NOT_ALIKE),
        ("1234", "1234", PinAnswer.SET),
    ],
)
def test_a_pin_is_four_digits_entered_twice(bench: Bench, pin: str, again: str, answer: PinAnswer) -> None:
    assert set_pin(bench, pin, again) is answer
    assert bench.core.pin.is_set is answer.done
    code = events.USER_COMMAND_DONE if answer.done else events.USER_COMMAND_FAILED
    assert bench.core.application.event_log.entries[-1].code == code


def test_personal_items_are_hidden_until_the_pin_is_entered(make_bench: MakeBench) -> None:
    bench = make_bench(EMERGENCY)
    set_pin(bench)
    items = shown(bench)
    public = {name for name, value in items.items() if value != HIDDEN}
    assert public == {
        "time",
        "supply",
        "total_import_wh",
        "total_export_wh",
        "supplier",
        "supplier_telephone",
    }
    assert bench.core.pin.enter("1111", bench.now) is PinAnswer.WRONG
    assert shown(bench)["meter_balance_millipence"] == HIDDEN
    assert bench.core.pin.enter("2468", bench.now) is PinAnswer.ACCEPTED
    assert shown(bench)["meter_balance_millipence"] == 50_000


def test_the_display_closes_half_a_minute_after_the_last_press(make_bench: MakeBench) -> None:
    bench = make_bench(EMERGENCY)
    set_pin(bench)
    bench.core.pin.enter("2468", bench.now)
    bench.pass_time(29 * SECOND)
    assert bench.core.pin.press(bench.now)
    bench.pass_time(29 * SECOND)
    assert shown(bench)["power_w"] != HIDDEN
    bench.pass_time(SECOND)
    assert shown(bench)["power_w"] == HIDDEN


def test_supply_and_emergency_credit_wait_for_the_pin(make_bench: MakeBench) -> None:
    bench = make_bench(EMERGENCY)
    set_pin(bench)
    assert not bench.core.press_enable_button(bench.now)
    assert not bench.core.select_emergency_credit(bench.now)
    assert bench.core.supply.state is SupplyState.ARMED
    assert len(bench.events("PrivacyPinWanted")) == 2
    bench.core.pin.enter("2468", bench.now)
    assert bench.core.press_enable_button(bench.now)
    assert bench.core.select_emergency_credit(bench.now)


def test_a_ppmid_and_a_code_need_no_pin(make_bench: MakeBench) -> None:
    bench = make_bench(EMERGENCY)
    set_pin(bench)
    assert bench.core.enter_utrn(bench.head.top_up(10, 1 << 32), bench.now) is None
    assert bench.core.press_enable_button(bench.now, ppmid=True)
    with bench.place.work(bench.now) as work:
        bench.core.duties.switch(work, SupplyEvent.REMOTE_DISABLE)
    assert bench.core.select_emergency_credit(bench.now, ppmid=True) is False  # the top-up lifted the balance


def test_a_pin_survives_a_power_cut_and_is_closed_after_it(bench: Bench) -> None:
    set_pin(bench, "0068")
    bench.core.pin.enter("0068", bench.now)
    bench.power_cut()
    assert shown(bench)["power_w"] == HIDDEN
    assert bench.core.pin.enter("0068", bench.now) is PinAnswer.ACCEPTED


def test_a_pin_goes_with_the_pin_alone(bench: Bench) -> None:
    def remove() -> PinAnswer:
        return bench.core.change_pin(bench.now, bench.core.pin.remove)

    assert remove() is PinAnswer.NONE_SET
    set_pin(bench)
    assert remove() is PinAnswer.PIN_FIRST
    assert set_pin(bench, "1111") is PinAnswer.PIN_FIRST
    bench.core.pin.enter("2468", bench.now)
    assert set_pin(bench, "1111") is PinAnswer.SET
    assert bench.core.pin.enter("2468", bench.now) is PinAnswer.WRONG
    bench.core.pin.enter("1111", bench.now)
    assert remove() is PinAnswer.REMOVED
    bench.power_cut()
    assert not bench.core.pin.is_set


def test_the_supplier_disables_the_pin(bench: Bench) -> None:
    """Spec: GBCS use case ECS14."""
    set_pin(bench)
    assert bench.ask("ECS14") == {}
    assert HIDDEN not in shown(bench).values()
    assert bench.core.pin.enter("2468", bench.now) is PinAnswer.NONE_SET
    bench.power_cut()
    assert not bench.core.pin.is_set


def test_diagnosis_says_that_there_is_a_pin_and_not_which(bench: Bench) -> None:
    set_pin(bench)
    interface = bench.core.inspect(bench.now)["user_interface"]
    assert isinstance(interface, dict)
    assert (interface["privacy_pin"], interface["unlocked"]) == ("set", False)
    assert "2468" not in str(bench.core.inspect(bench.now))


def test_a_clock_without_time_shows_dashes(make_bench: MakeBench) -> None:
    assert shown(make_bench({"clock_status": "invalid"}))["time"] == "--"


def test_a_pin_on_the_keypad_of_a_meter(make_premises: Callable[..., Any]) -> None:
    async def stand_before_it(clock: Any) -> None:
        async with make_premises(clock, state=EMERGENCY) as premises:
            keypad = premises.esme.keypad
            assert keypad.set_privacy_pin("2468", "2468") is PinAnswer.SET
            assert keypad.display()["meter_balance_millipence"] == HIDDEN
            assert not keypad.enable_supply()
            assert keypad.enter_privacy_pin("2468") is PinAnswer.ACCEPTED
            assert keypad.display()["meter_balance_millipence"] == 50_000
            assert keypad.enable_supply()
            assert keypad.remove_privacy_pin() is PinAnswer.REMOVED
            assert premises.esme.inspect()["user_interface"]["privacy_pin"] == "none"

    run_virtual(stand_before_it)
