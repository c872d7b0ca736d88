"""The change of tenancy of a home: what was recorded before it is nobody's business at the displays any more.

The date may lie ahead; it counts once the device's clock has reached it. Remote parties read as before.

Spec: SMETS 5.7.4, CHTS 4.5 (restriction of historic data); GBCS use cases ECS12, GCS09. That an entry is
hidden when its period began before the change is unverified.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from smetslab.devices.work import Work
from smetslab.gbcs.values import parse_utc, utc_text
from smetslab.store import Nvm

_KEY: Final = "tenancy/date"


class Tenancy:
    """The last change of tenancy that one device was told of. Times are the device's."""

    def __init__(self, nvm: Nvm) -> None:
        kept = nvm.get(_KEY)
        self.date: datetime | None = None if kept is None else parse_utc(kept.decode("ascii"))
        """None: nothing is hidden."""

    def set(self, work: Work, date: datetime | None) -> None:
        """The supplier says when tenants change; None takes it back."""
        self.date = date
        if date is None:
            work.tx.delete(_KEY)
        else:
            work.tx.put(_KEY, utc_text(date).encode("ascii"))
        work.note("StateChanged", what="change of tenancy", value=self.describe() or "none")

    def hidden_before(self, time: datetime) -> datetime | None:
        """What was recorded before this moment is hidden now; None: nothing is."""
        return self.date if self.date is not None and self.date <= time else None

    def describe(self) -> str | None:
        """For people."""
        return None if self.date is None else utc_text(self.date)
