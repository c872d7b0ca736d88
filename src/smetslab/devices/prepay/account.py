"""Where the money of a top-up goes. Money is counted in thousandths of a penny.

Spec: SMETS 5.7 (Prepayment Mode): payment-based debt first, then accumulated debt, then emergency credit,
then the balance. The order is known through a quotation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

PERCENTAGE_UNIT = 10_000
"""Debt Recovery per Payment counts hundredths of a percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """What an account holds and owes. `recovered`: payment-based debt recovered in this week."""

    meter_balance: int
    emergency_credit: int = 0
    accumulated_debt: int = 0
    payment_debt: int = 0
    recovered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRules:
    """What a supplier has configured. `rate_cap` 0: no cap. `emergency_selected`: emergency credit is being
    used."""

    prepayment: bool
    per_payment: int = 0
    rate_cap: int = 0
    emergency_limit: int = 0
    emergency_selected: bool = False


def apply_top_up(balances: Balances, rules: TopUpRules, value: int) -> Balances:
    """The balances after a top-up of `value`."""
    if not rules.prepayment:
        return replace(balances, meter_balance=balances.meter_balance + value)
    recovered = min(value * rules.per_payment // PERCENTAGE_UNIT, balances.payment_debt)
    if rules.rate_cap:
        recovered = min(recovered, max(0, rules.rate_cap - balances.recovered))
    rest = value - recovered
    repaid = min(rest, balances.accumulated_debt)
    rest -= repaid
    refilled = (
        min(rest, max(0, rules.emergency_limit - balances.emergency_credit))
        if rules.emergency_selected
        else 0
    )
    return Balances(
        meter_balance=balances.meter_balance + rest - refilled,
        emergency_credit=balances.emergency_credit + refilled,
        accumulated_debt=balances.accumulated_debt - repaid,
        payment_debt=balances.payment_debt - recovered,
        recovered=balances.recovered + recovered,
    )
