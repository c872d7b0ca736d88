"""Anomaly detection: how many requests of a kind a user, or all users, may make in a while, and which values
are out of the ordinary. Off until limits are given.

What breaks a limit is accepted but quarantined: it is not sent until somebody releases it. Counts are kept
in the transaction that accepts a request.

Spec: DUIS schema 5.4 (QuarantinedRequest); the public principle alone, limits are the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from smetslab.dcc.correlate import Also
from smetslab.dcc.limits import ANY, AnomalyLimits, Threshold
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Transaction

USER_BREACH: Final = "ADUserThresholdBreach"
DCC_BREACH: Final = "ADDCCThresholdBreach"
ATTRIBUTE_BREACH: Final = "ADAttributeLimitsBreach"


class SlidingCount:
    """Durable counts of what happened lately, each in a window of its own."""

    def __init__(self, nvm: Nvm, prefix: str) -> None:
        self._nvm = nvm
        self._prefix = prefix

    def recent(self, name: str, threshold: Threshold, now: datetime) -> list[str]:
        """The times within the window; no more are ever kept than the limit needs."""
        since = now - timedelta(seconds=threshold.window_s)
        kept = self._nvm.get_json(f"{self._prefix}/{name}")
        times = [str(one) for one in kept] if isinstance(kept, list) else []
        return [one for one in times if datetime.fromisoformat(one) > since][-threshold.requests :]

    def full(self, name: str, threshold: Threshold, now: datetime) -> bool:
        """Whether one more would be too many."""
        return len(self.recent(name, threshold, now)) >= threshold.requests

    def put(self, transaction: Transaction, name: str, threshold: Threshold, now: datetime) -> None:
        """Count one more, in a transaction of the same memory."""
        recent = self.recent(name, threshold, now)
        transaction.put_json(f"{self._prefix}/{name}", [*recent, now.isoformat()])


class AnomalyDetection:
    """Counts and compares."""

    def __init__(self, nvm: Nvm, limits: AnomalyLimits) -> None:
        self._count = SlidingCount(nvm, "anomaly")
        self._limits = limits

    def breach(self, variant: str, user: Eui64, elements: Parameters, now: datetime) -> str:
        """The kind of breach that one more such request would be, "" for none."""
        for place, (low, high) in self._limits.attributes.items():
            wanted, _, name = place.partition("/")
            if wanted == variant and any(not low <= one <= high for one in _numbers(elements, name)):
                return ATTRIBUTE_BREACH
        for who, threshold, kind in self._thresholds(variant, user):
            if self._count.full(f"{who}/{variant}", threshold, now):
                return kind
        return ""

    def note(self, variant: str, user: Eui64, now: datetime) -> Also:
        """Count a request, in the transaction that accepts it."""

        def step(transaction: Transaction) -> None:
            for who, threshold, _ in self._thresholds(variant, user):
                self._count.put(transaction, f"{who}/{variant}", threshold, now)

        return step

    def _thresholds(self, variant: str, user: Eui64) -> list[tuple[str, Threshold, str]]:
        """Whose requests are counted, up to which limit, and what it is called to break it."""
        found = (
            (str(user), _of(self._limits.user, variant), USER_BREACH),
            ("all", _of(self._limits.dcc, variant), DCC_BREACH),
        )
        return [(who, threshold, kind) for who, threshold, kind in found if threshold is not None]


def _of(limits: Mapping[str, Threshold], variant: str) -> Threshold | None:
    return limits.get(variant, limits.get(ANY))


def _numbers(elements: Parameters, name: str) -> list[int]:
    """Every number at a dotted name; lists are looked through."""
    found: list[Value] = [elements]
    for part in name.split("."):
        inner: list[Value] = []
        for one in found:
            holder = one.get(part) if isinstance(one, dict) else None
            inner.extend(holder if isinstance(holder, list) else [holder])
        found = inner
    return [one for one in found if isinstance(one, int) and not isinstance(one, bool)]
