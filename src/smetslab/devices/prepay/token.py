"""Whether a top-up is credited: the checks of a UTRN in their order.

Spec: GBCS 14.6 (validation; the order is unverified), 16.2 (codes).
"""

from __future__ import annotations

from dataclasses import dataclass

from smetslab.devices import events
from smetslab.devices.prepay.account import Balances, TopUpRules, apply_top_up
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.utrn import parse_utrn, verify_utrn
from smetslab.ids import Eui64


@dataclass(frozen=True, slots=True)
class Credited:
    """The top-up is good: its value in thousandths of a penny, and the account with it."""

    value: int
    balances: Balances


@dataclass(frozen=True, slots=True)
class Rejected:
    """The top-up is refused; `code` is the event."""

    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenContext:
    """What a UTRN is judged by. `secret`: of the supplier's top-up key and the device's; `seen`: its counter
    is in the cache, or too old for it."""

    supplier: Eui64
    device: Eui64
    counter: int
    secret: bytes
    seen: bool
    maximum_credit: int
    maximum_balance: int


def judge_token(
    text: str, context: TokenContext, balances: Balances, rules: TopUpRules
) -> Credited | Rejected:
    """Check digits, MAC, counter, then the limits. A top-up of nothing is a top-up."""
    try:
        utrn = parse_utrn(text)
    except GbcsDecodeError:
        return Rejected(events.UTRN_NOT_AUTHENTIC)
    value = utrn.millipence
    authentic = verify_utrn(
        utrn, counter=context.counter, secret=context.secret, supplier=context.supplier, device=context.device
    )
    if value is None or not authentic:
        return Rejected(events.UTRN_NOT_AUTHENTIC)
    if context.seen:
        return Rejected(events.DUPLICATE_UTRN)
    if value > context.maximum_credit:
        return Rejected(events.UTRN_EXCEEDS_MAXIMUM)
    after = apply_top_up(balances, rules, value)
    if after.meter_balance > context.maximum_balance:
        return Rejected(events.BALANCE_WOULD_EXCEED_MAXIMUM)
    return Credited(value, after)
