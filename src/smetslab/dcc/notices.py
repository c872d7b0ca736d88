"""Alerts of the DCC to service users: what happened, to whom it matters, and the document that says so.

Spec: DUIS schema 5.4 (DCCAlertMessage). The form of the header, and whom an alert goes to, are choices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from smetslab.clock import Clock
from smetslab.dcc.correlate import Also, Ledger
from smetslab.dcc.respond import Responder
from smetslab.dcc.waiting import AlertBox
from smetslab.duis.codes import UserRole
from smetslab.duis.dcc_alerts import code_for, default_codes, write_dcc_alert
from smetslab.duis.document import write_response
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64
from smetslab.registry import Inventory, InventoryDevice
from smetslab.trace import Trace

_HEAD: Final = "dcc"
SUPPLIER_ROLES: Final = (UserRole.IMPORT_SUPPLIER, UserRole.GAS_SUPPLIER)
OPERATOR_ROLES: Final = (UserRole.ELECTRICITY_DISTRIBUTOR, UserRole.GAS_TRANSPORTER)


class Notices:
    """Raises DCC alerts; each is kept for its user before this returns."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        responder: Responder,
        inventory: Inventory,
        alert_box: AlertBox,
        clock: Clock,
        trace: Trace,
        dcc: Eui64,
        codes: Mapping[str, str] | None = None,
    ) -> None:
        self._ledger = ledger
        self._responder = responder
        self._inventory = inventory
        self._alert_box = alert_box
        self._clock = clock
        self._trace = trace
        self._dcc = dcc
        self._codes = {**default_codes(), **(codes or {})}

    def tell(
        self,
        users: Iterable[Eui64],
        kind: str,
        members: Mapping[str, Value],
        device: Eui64 | None = None,
        *,
        also: Iterable[Also] = (),
    ) -> None:
        """Raise an alert of `kind` to each user once, about `device`. `also` is kept with it."""
        code = code_for(kind, members, self._codes)
        body = write_dcc_alert(kind, members, code)
        responses = [
            (
                user,
                self._responder.dcc_alert(
                    body, self._dcc, user, self._ledger.next_number(), self._clock.now()
                ),
            )
            for user in dict.fromkeys(users)
        ]
        documents = [(user, write_response(response)) for user, response in responses]
        self._ledger.keep_alerts(documents, self._dcc if device is None else device, also=also)
        for (user, response), (_, document) in zip(responses, documents, strict=True):
            self._trace.record(
                "duis", "DccAlertSent", source=_HEAD, target=str(user), data=document, code=code, kind=kind
            )
            self._alert_box.offer(response)

    def concerned(self, device: InventoryDevice) -> tuple[Eui64, ...]:
        """Whom it matters what happens to a device: who is responsible for it, or for a meter behind its hub
        where nobody is.
        """
        own = self._responsible((device,))
        return own or self._responsible(self._inventory.around(device))

    def status_changed(self, device: InventoryDevice, change: str, value: Value = True) -> None:
        """Tell everybody concerned that the status of a device has changed."""
        members: dict[str, Value] = {
            "DeviceID": str(device.device_id),
            "DeviceStatusChange": {change: value},
        }
        self.tell(self.concerned(device), "DeviceStatusChangeEvent", members, device.device_id)

    def _responsible(self, devices: Iterable[InventoryDevice]) -> tuple[Eui64, ...]:
        now = self._clock.now()
        found = [
            party
            for device in devices
            for role in (*SUPPLIER_ROLES, *OPERATOR_ROLES)
            for party in device.parties(role, now)
        ]
        return tuple(dict.fromkeys(found))


def meter_points(device: InventoryDevice) -> dict[str, Value]:
    """The meter points of a device as DCC alerts name them. A device without any has the one `0`: the schema
    wants one.
    """
    members: dict[str, Value] = {"ImportMPxN": device.import_mpxn or "0"}
    if len(device.secondary_import_mpan) == 13:
        members["SecondaryImportMPAN"] = device.secondary_import_mpan
    if len(device.export_mpan) == 13:
        members["ExportMPAN"] = device.export_mpan
    return members
