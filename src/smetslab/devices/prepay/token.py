"""Whether a top-up is credited: the checks of a UTRN in their order.

Spec: GBCS 14.6 (validation; the order is unverified), 14.8 (counter of a code entered by hand), 16.2 (codes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from smetslab.devices import events
from smetslab.devices.prepay.account import Account
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.utrn import COUNTER_UNIT, Utrn, full_counter, parse_utrn, verify_utrn
from smetslab.ids import Eui64


class TokenSource(Enum):
    """How a code has come."""

    WAN = "remote party"
    KEYPAD = "keypad"
    PPMID = "PPMID"


class Refusal(Enum):
    """Why a code is not credited, with the event and the words on a display.

    That a code is for another device cannot be told from one that is not authentic: the MAC covers both.
    """

    INCOMPLETE = (events.UTRN_NOT_AUTHENTIC, "incomplete")
    WRONG_DIGIT = (events.UTRN_NOT_AUTHENTIC, "incorrect")
    NOT_AUTHENTIC = (events.UTRN_NOT_AUTHENTIC, "incorrect")
    DUPLICATE = (events.DUPLICATE_UTRN, "already used")
    EXCEEDS_CREDIT = (events.UTRN_EXCEEDS_MAXIMUM, "exceeds maximum")
    EXCEEDS_BALANCE = (events.BALANCE_WOULD_EXCEED_MAXIMUM, "exceeds maximum")
    LOCKED_OUT = (events.UTRN_LOCKED_OUT, "locked")

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        self.words = words

    @property
    def counts_towards_lock_out(self) -> bool:
        """Whether a keypad counts it as a wrong code."""
        return self in {Refusal.INCOMPLETE, Refusal.WRONG_DIGIT, Refusal.NOT_AUTHENTIC, Refusal.DUPLICATE}


@dataclass(frozen=True, slots=True)
class Genuine:
    """A code that may be credited: its full counter, and its value in thousandths of a penny."""

    counter: int
    value: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A code that is refused."""

    refusal: Refusal

    @property
    def code(self) -> int:
        return self.refusal.code


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenContext:
    """What a UTRN is judged by.

    counter: that of the command which carried it; None for one entered by hand. highest: the highest counter
      in the cache. secret: of the supplier's top-up key and the device's. refuses: whether a counter is in
      the cache, or too old for it.
    """

    supplier: Eui64
    device: Eui64
    counter: int | None
    highest: int
    secret: bytes
    refuses: Callable[[int], bool]


def judge_token(text: str, context: TokenContext, account: Account, now: datetime) -> Genuine | Rejected:
    """Digits, MAC, counter, then the limits; nothing changes. A top-up of nothing is a top-up."""
    try:
        utrn = parse_utrn(text)
    except GbcsDecodeError:
        whole = len(text) == 20 and text.isascii() and text.isdecimal()
        return Rejected(Refusal.WRONG_DIGIT if whole else Refusal.INCOMPLETE)
    counter = _counter(utrn, context)
    value = utrn.millipence
    authentic = verify_utrn(
        utrn, counter=counter, secret=context.secret, supplier=context.supplier, device=context.device
    )
    if value is None or not authentic:
        return Rejected(Refusal.NOT_AUTHENTIC)
    if context.refuses(counter):
        return Rejected(Refusal.DUPLICATE)
    if value > account.rules.maximum_credit:
        return Rejected(Refusal.EXCEEDS_CREDIT)
    if account.exceeds_maximum_balance(value, now):
        return Rejected(Refusal.EXCEEDS_BALANCE)
    return Genuine(counter, value)


def _counter(utrn: Utrn, context: TokenContext) -> int:
    if context.counter is not None:
        return context.counter
    return full_counter(utrn.truncated_counter, context.highest // COUNTER_UNIT)
