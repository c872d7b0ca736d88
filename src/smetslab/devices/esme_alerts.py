"""Alerts of an ESME that carry more than a code: billing data, outages, integrity.

Spec: GBCS use cases ECS68, ECS80, MIIWA; 16 (alerts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from smetslab.devices import events
from smetslab.devices.application import Application
from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.work import Work
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, utc_text

LONG_OUTAGE = timedelta(minutes=3)
"""From this length on an outage is told with a code of its own. Spec: GBCS 16.2 (0x8F35, 0x8F36)."""

_BILLING_LOG = "billing_calendar_triggered_billing_data_log"


@dataclass(frozen=True, slots=True)
class EsmeAlerts:
    """The alerts of one meter. `server` is there once the meter is built."""

    application: Application
    server: Callable[[], CosemServer]

    def billing_updated(self, work: Work) -> None:
        """The billing calendar has made an entry: it goes to the supplier, encrypted. Spec: ECS68."""
        newest = self.server().entries(_BILLING_LOG)[-1:]
        if newest:
            members: Parameters = {"billing_data_log": {_BILLING_LOG: newest}}
            self._send(work, "ECS68", events.BILLING_DATA_LOG_UPDATED, RemotePartyRole.SUPPLIER, members)

    def supply_restored(self, work: Work, interrupted: datetime, restored: datetime) -> None:
        """The mains is back; both times are the device's. Spec: ECS80."""
        long = restored - interrupted >= LONG_OUTAGE
        code = events.SUPPLY_RESTORED_AFTER_LONG if long else events.SUPPLY_RESTORED
        members: Parameters = {
            "interruption_date_time": utc_text(interrupted),
            "restoration_date_time": utc_text(restored),
        }
        self._send(work, "ECS80", code, RemotePartyRole.NETWORK_OPERATOR, members)

    def integrity_warning(self, work: Work, warning: str) -> None:
        """The meter has found something wrong with itself. Spec: MIIWA, 0x81A0."""
        self._send(
            work, "MIIWA-DLMS", events.INTEGRITY_WARNING, RemotePartyRole.SUPPLIER, {"warning": warning}
        )

    def _send(self, work: Work, use_case: str, code: int, role: RemotePartyRole, members: Parameters) -> None:
        recipient = self.application.trust_anchors.party(role)
        if recipient is not None:
            self.application.send_alert(work, USE_CASES[use_case], code, recipient, members)
