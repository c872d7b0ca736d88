"""Alerts that a device raises too often: counted and held back; the next that is passed on says how many.

Counts are kept in the transaction that deals with the alert. What the fields of DUIS count exactly is not
public: unverified.

Spec: DUIS schema 5.4 (ThrottledAlertSequenceId, ThrottledAlertCount).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from smetslab.dcc.anomaly import SlidingCount
from smetslab.dcc.limits import Threshold
from smetslab.duis.document import Throttled
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Transaction

_HELD: Final = "held-back"


class AlertThrottle:
    """`threshold` of None passes everything on."""

    def __init__(self, nvm: Nvm, threshold: Threshold | None) -> None:
        self._nvm = nvm
        self._threshold = threshold
        self._passed = SlidingCount(nvm, "throttle")

    def full(self, device: Eui64, code: str, now: datetime) -> bool:
        """Whether one more alert of this code of a device would be too many."""
        return self._threshold is not None and self._passed.full(f"{device}/{code}", self._threshold, now)

    def held_back(self, device: Eui64, code: str) -> Throttled | None:
        """What was held back since the last alert of this kind was passed on, None when nothing was."""
        found = self._read(device, code)
        return found if found.count else None

    def hold_back(self, transaction: Transaction, device: Eui64, code: str) -> None:
        """Count an alert that is not passed on."""
        found = self._read(device, code)
        sequence = found.sequence_id if found.count else found.sequence_id + 1
        self._keep(transaction, device, code, Throttled(sequence, found.count + 1))

    def pass_on(self, transaction: Transaction, device: Eui64, code: str, now: datetime) -> None:
        """Count an alert that is passed on, and with it all that were held back."""
        if self._threshold is None:
            return
        self._passed.put(transaction, f"{device}/{code}", self._threshold, now)
        found = self._read(device, code)
        if found.count:
            self._keep(transaction, device, code, Throttled(found.sequence_id, 0))

    def _read(self, device: Eui64, code: str) -> Throttled:
        """The latest number of the sequence, and how many are held back under it."""
        kept = self._nvm.get_json(f"{_HELD}/{device}/{code}")
        numbers = [one for one in kept if isinstance(one, int)] if isinstance(kept, list) else []
        return Throttled(*numbers) if len(numbers) == 2 else Throttled(0, 0)

    def _keep(self, transaction: Transaction, device: Eui64, code: str, held: Throttled) -> None:
        transaction.put_json(f"{_HELD}/{device}/{code}", [held.sequence_id, held.count])
