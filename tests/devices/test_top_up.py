"""Top-ups over the WAN: credited once, within the limits, and only when they are genuine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smetslab.gbcs.message import decode_message
from smetslab.ids import Eui64

MakeBench = Callable[..., Any]
UNIT = 1 << 32
NO_DEBTS: dict[str, int | bool | str] = {
    "accumulated_debt_millipence": 0,
    "payment_debt_millipence": 0,
    "meter_balance_millipence": 250_000,
}
REFUSED = {"failures": {"utrn": "hardware-fault"}}


@pytest.fixture
def bench(make_bench: MakeBench) -> Any:
    return make_bench(state=NO_DEBTS)


def top_up(bench: Any, pounds: int, counter: int, digits: str | None = None) -> Any:
    """The answer to CS01a; the device's alerts stay in `bench.alerted`."""
    text = digits if digits is not None else bench.head.top_up(pounds, counter)
    sent = bench.send(bench.head.command("CS01a", {"utrn": text}, counter=counter))
    bench.alerted = [
        bench.head.read(message.data)["alert_code"] for message in sent if message.event == "AlertSent"
    ]
    (response,) = [message for message in sent if message.event == "ResponseSent"]
    return bench.head.read(response.data)


def balance(bench: Any) -> int:
    answer: int = bench.ask("ECS82")["meter_balance"]
    return answer


def logged(bench: Any) -> list[str]:
    return [f"{entry.code:04X}" for entry in bench.core.application.security_log.entries]


def test_the_value_is_added_and_the_answer_carries_the_time(bench: Any) -> None:
    command = bench.head.command("CS01a", {"utrn": bench.head.top_up(10, 3 * UNIT)}, counter=3 * UNIT)
    (sent,) = bench.send(command)
    assert decode_message(sent.data).date_time is not None
    assert bench.head.read(sent.data) == {}
    assert balance(bench) == 1_250_000


def test_a_top_up_is_credited_once(bench: Any) -> None:
    assert top_up(bench, 10, UNIT) == {}
    assert top_up(bench, 10, UNIT) == REFUSED
    assert bench.alerted == ["8F51"]
    assert logged(bench) == ["8F51"]
    assert balance(bench) == 1_250_000
    bench.power_cut()
    assert top_up(bench, 10, UNIT) == REFUSED
    assert balance(bench) == 1_250_000


def test_top_ups_may_come_out_of_order(bench: Any) -> None:
    assert top_up(bench, 1, 5 * UNIT) == {}
    assert top_up(bench, 1, 4 * UNIT) == {}
    assert balance(bench) == 450_000


def test_a_top_up_older_than_a_full_cache_is_refused(bench: Any) -> None:
    for number in range(2, 102):
        top_up(bench, 0, number * UNIT)
    assert top_up(bench, 1, UNIT) == REFUSED
    assert bench.alerted == ["8F51"]


def test_a_top_up_of_nothing_is_a_top_up(bench: Any) -> None:
    assert top_up(bench, 0, UNIT) == {}
    assert balance(bench) == 250_000


@pytest.mark.parametrize(
    "digits",
    ["73946144332040217315", "00000000000000000000", "7394614433204021731", "", "abcdefghijklmnopqrst"],
    ids=["of another key", "zeros", "19 digits", "nothing", "letters"],
)
def test_what_is_not_authentic_is_refused(bench: Any, digits: str) -> None:
    assert top_up(bench, 0, 3 * UNIT, digits) == REFUSED
    assert bench.alerted == ["8F63"]
    assert balance(bench) == 250_000


def test_a_top_up_for_another_meter_is_refused(bench: Any) -> None:
    digits = bench.head.top_up(10, UNIT, target=Eui64.parse("00DB1234567890A6"))
    assert top_up(bench, 10, UNIT, digits) == REFUSED
    assert bench.alerted == ["8F63"]


def test_a_top_up_under_another_counter_is_refused(bench: Any) -> None:
    assert top_up(bench, 10, 2 * UNIT, bench.head.top_up(10, UNIT)) == REFUSED
    assert bench.alerted == ["8F63"]


def test_a_top_up_above_the_largest_is_refused_and_its_counter_stays_unused(bench: Any) -> None:
    assert top_up(bench, 51, UNIT) == REFUSED
    assert bench.alerted == ["8F5B"]
    assert bench.core.prepayment.utrns.counters == ()
    assert top_up(bench, 50, 2 * UNIT) == {}


def test_the_largest_balance_may_be_reached_and_not_exceeded(make_bench: MakeBench) -> None:
    bench = make_bench(state={**NO_DEBTS, "meter_balance_millipence": 9_000_000})
    assert top_up(bench, 11, UNIT) == REFUSED
    assert (bench.alerted, logged(bench)) == ([], ["8F47"])
    assert top_up(bench, 10, 2 * UNIT) == {}
    assert balance(bench) == 10_000_000


def test_top_ups_do_not_move_the_counter_of_other_commands(bench: Any) -> None:
    top_up(bench, 1, 9 * UNIT)
    assert bench.ask("ECS43", counter=5) == {}


def test_debts_are_repaid_first_in_prepayment_mode_alone(make_bench: MakeBench) -> None:
    debts: dict[str, int | bool | str] = {
        "meter_balance_millipence": 0,
        "payment_debt_millipence": 600_000,
        "accumulated_debt_millipence": 100_000,
        "debt_recovery_rate_cap_millipence": 0,
    }
    prepaying = make_bench(state={**debts, "payment_mode": "prepayment"})
    top_up(prepaying, 10, UNIT)
    answer = prepaying.ask("ECS19")["prepayment_registers"]["prepayment_balance_collection"]
    assert (
        answer["meter_balance"],
        answer["accumulated_debt_register"],
        answer["payment_debt_register"],
    ) == (
        400_000,
        0,
        100_000,
    )
    crediting = make_bench(state={**debts, "payment_mode": "credit"}, owner="other")
    top_up(crediting, 10, UNIT)
    assert balance(crediting) == 1_000_000


def test_the_cap_of_a_week_is_for_the_week(make_bench: MakeBench) -> None:
    bench = make_bench(
        state={
            "meter_balance_millipence": 0,
            "payment_debt_millipence": 5_000_000,
            "accumulated_debt_millipence": 0,
            "debt_recovery_rate_cap_millipence": 10_000,
        }
    )
    top_up(bench, 1, UNIT)
    top_up(bench, 1, 2 * UNIT)
    assert balance(bench) == 190_000
    bench.power_cut(bench.now.replace(day=9) - bench.now)
    top_up(bench, 1, 3 * UNIT)
    assert balance(bench) == 280_000


def test_the_lower_half_of_the_counter_is_covered_too(bench: Any) -> None:
    assert top_up(bench, 10, UNIT + 1, bench.head.top_up(10, UNIT)) == REFUSED
    assert bench.alerted == ["8F63"]
    assert balance(bench) == 250_000
