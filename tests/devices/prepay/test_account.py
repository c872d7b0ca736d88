"""Where the money of a top-up goes: the published example, and that none of it is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.prepay.account import Balances, TopUpRules, apply_top_up

MONEY = st.integers(0, 10_000_000)
LIMIT = 2_500_000


def test_a_share_of_each_payment_repays_debt_up_to_the_weekly_cap() -> None:
    """Ten pounds a day at ten per cent and five pounds a week: Monday to Friday one pound goes to the
    debt."""
    rules = TopUpRules(prepayment=True, per_payment=1000, rate_cap=500_000)
    balances = Balances(meter_balance=0, payment_debt=5_000_000)
    rest = []
    for _ in range(7):
        before = balances.meter_balance
        balances = apply_top_up(balances, rules, 1_000_000)
        rest.append(balances.meter_balance - before)
    assert rest == [900_000] * 5 + [1_000_000] * 2
    assert balances.payment_debt == 4_500_000


def test_emergency_credit_is_refilled_before_the_balance_grows() -> None:
    """From the published algorithm: 500,000 at 20 % with 170,000 of accumulated debt and nothing left of the
    credit."""
    rules = TopUpRules(prepayment=True, per_payment=2000, emergency_limit=1_000_000, emergency_selected=True)
    before = Balances(meter_balance=-5_000, accumulated_debt=170_000, payment_debt=300_000)
    after = apply_top_up(before, rules, 500_000)
    assert after == Balances(
        meter_balance=-5_000,
        emergency_credit=230_000,
        accumulated_debt=0,
        payment_debt=200_000,
        recovered=100_000,
    )


def test_credit_mode_recovers_nothing() -> None:
    before = Balances(meter_balance=5, accumulated_debt=100, payment_debt=100)
    after = apply_top_up(before, TopUpRules(prepayment=False, per_payment=10_000), 50)
    assert after == Balances(meter_balance=55, accumulated_debt=100, payment_debt=100)


@st.composite
def accounts(draw: st.DrawFn) -> Balances:
    return Balances(
        meter_balance=draw(st.integers(-10_000_000, 10_000_000)),
        emergency_credit=draw(st.integers(0, LIMIT)),
        accumulated_debt=draw(MONEY),
        payment_debt=draw(MONEY),
        recovered=draw(MONEY),
    )


@given(accounts(), st.integers(0, 10_000), MONEY, st.booleans(), MONEY)
def test_every_thousandth_of_a_penny_goes_somewhere(
    before: Balances, per_payment: int, cap: int, selected: bool, value: int
) -> None:
    rules = TopUpRules(
        prepayment=True,
        per_payment=per_payment,
        rate_cap=cap,
        emergency_limit=LIMIT,
        emergency_selected=selected,
    )
    after = apply_top_up(before, rules, value)
    gained = (
        (after.meter_balance - before.meter_balance)
        + (after.emergency_credit - before.emergency_credit)
        + (before.accumulated_debt - after.accumulated_debt)
        + (before.payment_debt - after.payment_debt)
    )
    assert gained == value
    assert 0 <= after.emergency_credit <= LIMIT
    assert min(after.accumulated_debt, after.payment_debt) >= 0
    assert after.recovered - before.recovered == before.payment_debt - after.payment_debt
    if cap:
        assert after.recovered <= max(cap, before.recovered)
