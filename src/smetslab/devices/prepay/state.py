"""What a prepayment account holds and owes.

Spec: SMETS 5.7.5 (Meter Balance, Emergency Credit Balance, Accumulated Debt Register, Payment Debt Register,
Time Debt Registers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final, cast

from smetslab.devices import events
from smetslab.store import Json


class EmergencyState(Enum):
    """Where emergency credit stands."""

    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"
    SELECTED = "selected"
    IN_USE = "in use"
    EXHAUSTED = "exhausted"

    @property
    def taken(self) -> bool:
        """Whether the consumer has asked for it: what is missing of the limit is owed."""
        return self in {EmergencyState.SELECTED, EmergencyState.IN_USE, EmergencyState.EXHAUSTED}


class AccountEvent(Enum):
    """What an account has to say."""

    LOW_CREDIT = "low credit"
    EMERGENCY_AVAILABLE = "emergency credit available"
    EMERGENCY_ACTIVATED = "emergency credit activated"
    EMERGENCY_EXHAUSTED = "emergency credit exhausted"
    CREDIT_GONE = "credit below disablement threshold"
    DISABLEMENT_SUSPENDED = "disablement suspended"
    CREDIT_BACK = "credit above disablement threshold"
    TIME_DEBT_1_CLEARED = "time-based debt 1 cleared"
    TIME_DEBT_2_CLEARED = "time-based debt 2 cleared"
    PAYMENT_DEBT_CLEARED = "payment-based debt cleared"


CODES: Mapping[AccountEvent, int] = {
    AccountEvent.LOW_CREDIT: events.LOW_CREDIT,
    AccountEvent.EMERGENCY_AVAILABLE: events.EMERGENCY_CREDIT_AVAILABLE,
    AccountEvent.EMERGENCY_ACTIVATED: events.EMERGENCY_CREDIT_ACTIVATED,
    AccountEvent.EMERGENCY_EXHAUSTED: events.EMERGENCY_CREDIT_EXHAUSTED,
    AccountEvent.CREDIT_GONE: events.CREDIT_BELOW_DISABLEMENT_THRESHOLD,
    AccountEvent.DISABLEMENT_SUSPENDED: events.DISABLEMENT_SUSPENDED,
    AccountEvent.TIME_DEBT_1_CLEARED: events.TIME_DEBT_1_CLEARED,
    AccountEvent.TIME_DEBT_2_CLEARED: events.TIME_DEBT_2_CLEARED,
    AccountEvent.PAYMENT_DEBT_CLEARED: events.PAYMENT_DEBT_CLEARED,
}
"""The event code of each; CREDIT_BACK has none of its own, the supply that becomes armed has. Spec: GBCS
16.2."""

Events = tuple[AccountEvent, ...]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Debt that was recovered and counts towards the weekly cap. `at`: seconds since 2000."""

    at: int
    amount: int


_REGISTERS: Final = (
    "meter_balance",
    "emergency_balance",
    "accumulated_debt",
    "payment_debt",
    "time_debt_1",
    "time_debt_2",
    "cost_to_date",
)
_LEAST: Final = -(1 << 31)
_MOST: Final = (1 << 31) - 1


@dataclass(slots=True, kw_only=True)
class AccountState:
    """Everything of an account that must survive a power cut.

    remainder: what is left of the last energy below a thousandth of a penny, in 10^-6 of it.
    credit_cause: the supply is off for want of credit. low_credit: the credit was below its threshold last.
    non_disablement: a period in which credit cannot cut the supply. suspension_told: 0x8F83 was raised in it.
    """

    prepayment: bool = True
    suspend_debt_emergency: bool = False
    suspend_debt_disabled: bool = False
    meter_balance: int = 0
    emergency_balance: int = 0
    emergency: EmergencyState = EmergencyState.UNAVAILABLE
    accumulated_debt: int = 0
    payment_debt: int = 0
    time_debt_1: int = 0
    time_debt_2: int = 0
    cost_to_date: int = 0
    remainder: int = 0
    recovered: tuple[Recovery, ...] = ()
    credit_cause: bool = False
    low_credit: bool = False
    non_disablement: bool = False
    suspension_told: bool = False

    def bound(self) -> None:
        """Stop each register where its 32 bits end, however much a supplier adds or takes off.

        Spec: GBCS use cases ECS04a, ECS19, GCS14, GCS40a (signed 32 bits, in millipence).
        """
        for name in _REGISTERS:
            setattr(self, name, min(max(getattr(self, name), _LEAST), _MOST))

    def to_json(self) -> dict[str, Json]:
        """For non-volatile memory."""
        record: dict[str, Json] = {name: getattr(self, name) for name in _NAMES}
        record["emergency"] = self.emergency.value
        record["recovered"] = [[item.at, item.amount] for item in self.recovered]
        return record

    @classmethod
    def from_json(cls, record: Json) -> AccountState:
        """What `to_json` made. Raises ValueError on anything else."""
        if not isinstance(record, dict) or set(record) != set(_NAMES):
            raise ValueError("not the state of a prepayment account")
        found = cast(dict[str, object], dict(record))
        found["emergency"] = EmergencyState(record["emergency"])
        pairs = cast(list[list[int]], record["recovered"])
        found["recovered"] = tuple(Recovery(at, amount) for at, amount in pairs)
        return cls(**found)  # type: ignore[arg-type]


_NAMES = tuple(item.name for item in fields(AccountState))
