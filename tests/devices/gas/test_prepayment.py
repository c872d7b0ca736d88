"""Paying for gas in advance: charges, codes, emergency credit, the valve, blocks, friendly hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from smetslab.devices.gas_records import CHANGE_OF_MODE
from smetslab.devices.prepay.token import Refusal
from smetslab.devices.valve import Cause, ValveState
from smetslab.devices.zcl.calendar import _name
from smetslab.devices.zcl.calendar_table import NON_DISABLEMENT, CalendarTable

MakeBench = Callable[..., Any]
LITRES_PER_KWH = 100
HALF_KWH_ML = LITRES_PER_KWH * 1000 // 2


def put_calendar(bench: Any, kind: int, days: dict[int, tuple[tuple[int, int], ...]]) -> None:
    """A calendar with the same day throughout the year, in force."""
    table = CalendarTable(
        identifier=7,
        expected=(1, 1, len(days)),
        seasons=((int.from_bytes(bytes((0xFF, 1, 1, 0xFF)), "little"), 1),),
        weeks={1: (1,) * 7},
        days=days,
    )
    with bench.place.work(bench.now) as work:
        bench.core.engine.memory.keep(work, _name(kind, "active"), table.to_json())
        bench.core.life.follow_non_disablement(work, bench.core.clock.time(bench.now))


def test_gas_costs_what_the_conversion_says(make_gas_bench: MakeBench) -> None:
    """Half a kilowatt hour in a half hour, at ten pence."""
    bench = make_gas_bench("prepayment", half_hour_ml=HALF_KWH_ML)
    bench.pass_time(timedelta(hours=4))
    assert bench.balance == 1_000_000 - 8 * 5_000


def test_energy_that_is_not_a_whole_penny_is_not_lost(make_gas_bench: MakeBench) -> None:
    """Charging every second or once a day costs the same, to the thousandth of a penny."""
    often, once = (
        make_gas_bench("prepayment", half_hour_ml=12_345, owner=owner) for owner in ("often", "once")
    )
    for _ in range(400):
        often.pass_time(timedelta(seconds=37))
    once.pass_time(timedelta(seconds=400 * 37))
    assert often.balance == once.balance
    assert often.core.meter.registers == once.core.meter.registers


def test_the_standing_charge_falls_due_at_midnight(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment", state={"price.standing_charge": 25_000})
    bench.pass_time(timedelta(hours=12, seconds=-1))
    assert bench.balance == 1_000_000
    bench.pass_time(timedelta(seconds=1))
    assert bench.balance == 975_000
    bench.power_cut(timedelta(days=3))
    assert bench.balance == 900_000


def test_a_midnight_charges_once_however_often_somebody_looks(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment", state={"price.standing_charge": 25_000})
    bench.pass_time(timedelta(hours=12))
    for _ in range(5):
        bench.pass_time(timedelta(milliseconds=300))
    assert bench.balance == 975_000


def test_without_credit_the_valve_closes_until_somebody_pays_and_opens_it(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment", state={"meter_balance_millipence": 20_000}, half_hour_ml=HALF_KWH_ML)
    bench.pass_time(timedelta(hours=3))
    assert bench.core.valve.state is ValveState.DISABLED
    assert bench.core.valve.causes == (Cause.CREDIT,)
    assert bench.balance == 0
    assert not bench.core.open_by_hand(bench.now)
    assert bench.core.enter_code(bench.head.token(1000, 1), bench.now) == 1_000_000
    assert bench.core.valve.state is ValveState.ARMED
    assert bench.core.open_by_hand(bench.now)
    bench.pass_time(timedelta(minutes=3))
    assert bench.core.valve.state is ValveState.ENABLED
    for code in ("8F0F", "8F32", "810E"):
        assert code in bench.alert_codes()


def test_the_valve_closes_again_while_an_appliance_is_on(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench(state={"valve": "armed"})
    bench.core.life.leak_ml_per_hour = 1_000_000
    assert bench.core.open_by_hand(bench.now)
    bench.pass_time(timedelta(minutes=3))
    assert bench.core.valve.state is ValveState.ARMED
    bench.core.life.leak_ml_per_hour = 0
    assert bench.core.open_by_hand(bench.now)
    bench.pass_time(timedelta(minutes=3))
    assert bench.core.valve.state is ValveState.ENABLED


def test_a_power_cut_ends_the_check_of_the_flow(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench(state={"valve": "armed"})
    assert bench.core.open_by_hand(bench.now)
    bench.power_cut()
    bench.pass_time(timedelta(minutes=10))
    assert bench.core.valve.state is ValveState.ARMED


def test_a_code_is_taken_once(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment")
    code = bench.head.token(500, 4)
    assert bench.core.enter_code(code, bench.now) == 500_000
    bench.power_cut()
    again = bench.core.enter_code(code, bench.now)
    assert isinstance(again, Refusal)
    assert bench.balance == 1_500_000


def test_wrong_codes_lock_the_keypad(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench("prepayment")
    wrong = [f"{number:020d}" for number in range(40)]
    verdicts = [bench.core.enter_code(code, bench.now) for code in wrong]
    assert Refusal.LOCKED_OUT in verdicts
    assert bench.core.enter_code(bench.head.token(500, 4), bench.now) is Refusal.LOCKED_OUT
    assert bench.balance == 1_000_000


def test_emergency_credit_from_afar(make_gas_bench: MakeBench) -> None:
    setup = {"meter_balance_millipence": 20_000}
    bench = make_gas_bench("prepayment", state=setup, half_hour_ml=HALF_KWH_ML)
    request = {
        "cluster": "prepayment",
        "command": "select_available_emergency_credit",
        "command_issue_date_time": "not_given",
        "originating_device": "energy_service_interface",
    }
    rich = make_gas_bench("prepayment", owner="rich")
    assert rich.ask("GCS06", request)[0]["status"] == "failure"
    bench.pass_time(timedelta(hours=3))
    assert bench.core.valve.state is ValveState.DISABLED
    assert bench.ask("GCS06", request)[0]["status"] == "success"
    assert bench.core.valve.state is ValveState.ARMED
    assert bench.core.account.emergency_remaining == 500_000
    assert "81AB" in bench.alert_codes()


def test_blocks_decide_about_the_price(make_gas_bench: MakeBench) -> None:
    """Two kilowatt hours at ten pence, all more at twenty."""
    bench = make_gas_bench(
        "prepayment",
        half_hour_ml=HALF_KWH_ML * 2,
        state={
            "price.threshold_multiplier": 1,
            "price.threshold_divisor": 1,
            "price.block_1_threshold": 2,
            "price.block_2_threshold": 1000,
            "price.block_3_threshold": 2000,
            "price.no_tier_block_1_price": 10_000,
            "price.no_tier_block_2_price": 20_000,
        },
    )
    with bench.place.work(bench.now) as work:
        bench.core.engine.memory.keep(
            work,
            "tariff",
            {"tariff_type_charging_scheme": {"tariff_type": "delivered", "charging_scheme": "block"}},
        )
    bench.pass_time(timedelta(hours=2))
    assert bench.balance == 1_000_000 - 2 * 10_000 - 2 * 20_000


def test_friendly_hours_hold_the_valve_open(make_gas_bench: MakeBench) -> None:
    """The non-disablement calendar holds back the credit cause until its period ends."""
    bench = make_gas_bench(
        "prepayment",
        state={"meter_balance_millipence": 20_000, "prepayment.emergency_credit_limit": 0},
        half_hour_ml=HALF_KWH_ML,
        at=datetime(2026, 3, 2, 17, tzinfo=UTC),
    )
    put_calendar(bench, NON_DISABLEMENT, {1: ((0, 0), (16 * 60, 1), (23 * 60, 0))})
    bench.pass_time(timedelta(hours=4))
    assert bench.balance < 0
    assert bench.core.valve.state is ValveState.ENABLED
    bench.pass_time(timedelta(hours=2))
    assert bench.core.valve.state is ValveState.DISABLED


def test_a_change_of_mode_takes_a_snapshot_first(make_gas_bench: MakeBench) -> None:
    bench = make_gas_bench(half_hour_ml=HALF_KWH_ML)
    bench.pass_time(timedelta(hours=2))
    bench.ask(
        "GCS03",
        {
            "cluster": "prepayment",
            "command": "change_payment_mode",
            "provider_id": 0,
            "issuer_event_id": "2026-03-02T12:00:00Z",
            "implementation_date_time": "immediate",
            "proposed_payment_control_configuration": ["prepayment_enabled"],
            "cut_off_value": 0,
        },
    )
    [snapshot] = [one for log in bench.core.records.metering_logs for one in log.entries]
    assert snapshot.cause & CHANGE_OF_MODE
