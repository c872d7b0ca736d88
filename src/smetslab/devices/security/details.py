"""Provide Security Credentials Details: who stands in the cells of the roles that are asked for.

Spec: GBCS 13.2, use cases CS02a, CS02f.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smetslab.devices.credentials import CellName
from smetslab.devices.security.names import cell_usage_name, role_named
from smetslab.devices.security.operation import Host, Operation, Outcome, Request
from smetslab.devices.security.replacement import authorising_cell_problem
from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDetails:
    """The read of the credential store of one device.

    `first_numbers`: sequence numbers that a new device has for a role, where they are not 0.
    """

    host: Host
    device_type: DeviceType
    held: tuple[CellName, ...]
    first_numbers: Mapping[RemotePartyRole, int] = field(default_factory=dict)

    def operations(self) -> tuple[Operation, ...]:
        return tuple(
            Operation(use_case=name, execute=self._read, check=self._check)
            for name in ("CS02a", "CS02f")
            if self.device_type in USE_CASES[name].devices
        )

    def _check(self, message: Message, parameters: Parameters) -> str | None:
        given = parameters["authorising_remote_party_ta_cell_identifier"]
        return authorising_cell_problem(self.host, message, given)

    def _read(self, request: Request) -> Outcome:
        asked = request.parameters["remote_party_roles_credentials_required"]
        told: list[Value] = []
        failed: int | None = None
        for place, name in enumerate(asked if isinstance(asked, list) else []):
            faulty = request.fault is not None and request.fault.item == place
            status = "other" if faulty else "success"
            cells = [] if faulty else self._cells(role_named(name))
            if not faulty and not cells:
                status = "trustAnchorNotFound"
            entry: Parameters = {"remote_party_role": name, "status_code": status}
            role = role_named(name)
            if cells and role is not None:
                entry["current_seq_number"] = self._number(role)
                entry["trust_anchor_cells_details"] = cells
            else:
                failed = place if failed is None else failed
            told.append(entry)
        return Outcome({"remote_party_details": told}, failed)

    def _cells(self, role: RemotePartyRole | None) -> list[Value]:
        found = [self.host.trust_anchors.find(*name) for name in self.held if name[0] is role]
        return [
            {
                "trust_anchor_cell_key_usage": cell.usage.value,
                "trust_anchor_cell_usage": cell_usage_name(cell.cell_usage),
                "existing_subject_unique_id": str(cell.entity_id),
                "existing_subject_key_identifier": cell.key_id.hex().upper(),
            }
            for cell in found
            if cell is not None
        ]

    def _number(self, role: RemotePartyRole) -> int:
        """The counter of Update Security Credentials of the party in the role."""
        party = self.host.trust_anchors.party(role)
        counted = 0 if party is None else self.host.execution_counters.get(party, CounterFamily.CS02B)
        return max(counted, self.first_numbers.get(role, 0))
