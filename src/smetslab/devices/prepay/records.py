"""The short histories of an account: the last credits, and the last payments towards payment-based debt.

Spec: SMETS 5.7.5 (Billing Data Log: five prepayment credits, ten payment-based debt payments).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from smetslab.store import Json

CREDITS_KEPT = 5
PAYMENTS_KEPT = 10


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in thousandths of a penny, at a moment of the device's clock in seconds since 2000."""

    seconds: int
    amount: int


def _ring(size: int, items: Iterable[Amount] = ()) -> deque[Amount]:
    return deque(items, maxlen=size)


@dataclass(slots=True)
class PaymentRecords:
    """Both histories, the oldest first."""

    credits: deque[Amount] = field(default_factory=lambda: _ring(CREDITS_KEPT))
    debt_payments: deque[Amount] = field(default_factory=lambda: _ring(PAYMENTS_KEPT))

    def to_json(self) -> Json:
        return [[[item.seconds, item.amount] for item in ring] for ring in (self.credits, self.debt_payments)]

    @classmethod
    def from_json(cls, record: Json) -> PaymentRecords:
        """What `to_json` made. Raises ValueError on anything else."""
        rings = [_ring_from(ring) for ring in record] if isinstance(record, list) else []
        if len(rings) != 2:
            raise ValueError("not the payment records of an account")
        return cls(_ring(CREDITS_KEPT, rings[0]), _ring(PAYMENTS_KEPT, rings[1]))


def _ring_from(record: Json) -> list[Amount]:
    items: list[Amount] = []
    for pair in record if isinstance(record, list) else [None]:
        match pair:
            case [int(seconds), int(amount)]:
                items.append(Amount(seconds, amount))
            case _:
                raise ValueError(f"{pair!r} is not an amount of an account")
    return items
