"""The display of a gas meter, and its Privacy PIN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smetslab.devices.user_interface import HIDDEN, PinAnswer
from smetslab.devices.valve import ValveState

MakeBench = Callable[..., Any]
NOW_TEXT = "2026-03-02T12:00:00Z"


def set_pin(bench: Any, pin: str = "0246") -> PinAnswer:
    answer: PinAnswer = bench.core.change_pin(bench.now, lambda work: bench.core.pin.set(work, pin, pin))
    return answer


def shown(bench: Any) -> dict[str, Any]:
    items: dict[str, Any] = bench.core.interface.display(bench.now)
    return items


def password(kind: str) -> dict[str, Any]:
    return {
        "cluster": "device_management",
        "command": "request_new_password_response",
        "issuer_event_id": NOW_TEXT,
        "implementation_date_time": "immediate",
        "duration_in_minutes": 0,
        "password_type": kind,
        "password": "",
    }


def test_a_pin_hides_what_was_burnt_at_which_rate_and_what_is_owed(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment")
    assert shown(bench)["meter_balance_millipence"] == 1_000_000
    assert set_pin(bench) is PinAnswer.SET
    assert {name for name, value in shown(bench).items() if value != HIDDEN} == {
        "time",
        "supply",
        "total_import_l",
    }
    bench.power_cut()
    assert bench.core.pin.enter("0246", bench.now) is PinAnswer.ACCEPTED
    assert shown(bench)["meter_balance_millipence"] == 1_000_000


def test_the_valve_waits_for_the_pin_and_a_code_does_not(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment", state={"valve": "armed"})
    set_pin(bench)
    assert bench.core.enter_code(bench.head.token(500, 1), bench.now) == 500_000
    assert not bench.core.open_by_hand(bench.now)
    assert bench.core.valve.state is ValveState.ARMED
    bench.core.pin.enter("0246", bench.now)
    assert bench.core.open_by_hand(bench.now)


def test_emergency_credit_can_be_had_at_the_meter_with_the_pin(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench(
        "prepayment",
        state={
            "meter_balance_millipence": 0,
            "prepayment.emergency_credit_limit": 500_000,
            "prepayment.emergency_credit_threshold": 100_000,
            "emergency_credit": "available",
        },
    )
    set_pin(bench)
    assert not bench.core.select_emergency_credit(bench.now)
    bench.core.pin.enter("0246", bench.now)
    assert bench.core.select_emergency_credit(bench.now)
    assert "81AB" in bench.log_codes()


def test_the_supplier_disables_the_pin_and_no_other_password(make_gas_bench: MakeBench) -> None:
    """Spec: GBCS use case GCS11."""
    bench = make_gas_bench()
    set_pin(bench)
    bench.ask("GCS11", password("password_1"))
    assert bench.core.pin.is_set
    bench.ask("GCS11", password("password_2"))
    assert HIDDEN not in shown(bench).values()
    bench.power_cut()
    assert not bench.core.pin.is_set
