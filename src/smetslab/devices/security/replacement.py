"""Update Security Credentials: the certificates in trust anchor cells are replaced, each judged by itself.

Spec: GBCS 13.3, use cases CS02b, CS02g.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from smetslab.devices import events
from smetslab.devices.credentials import NOBODY, ROOT_CELL, Cell, CellName
from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.certificates import CertificateRules, judge_certificate, read_path
from smetslab.devices.security.device_log import Changed
from smetslab.devices.security.modes import MODES, Mode
from smetslab.devices.security.names import cell_identifier, cell_named, role_name, role_named
from smetslab.devices.security.operation import Dating, DeviceTime, Host, Operation, Outcome, Request
from smetslab.devices.work import Work
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import CounterFamily, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, Value, from_hex
from smetslab.pki import Certificate, TrustAnchor

_FAMILIES: Final = (CounterFamily.ORDINARY, CounterFamily.CS02B)
_STATUS_NAMES: Final = {
    5: "badCertificate",
    10: "noTrustAnchor",
    17: "insufficientMemory",
    25: "trustAnchorNotFound",
    30: "resourcesBusy",
    127: "other",
}
_NO_KEY: Final = bytes(8)

TopUpFloor = Callable[[Work, int], None]
"""Begins the counters of top-ups anew: codes up to the number are refused."""


def no_top_ups(work: Work, floor: int) -> None:
    """Of a device without prepayment."""
    del work, floor


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReplacement:
    """The replacement of trust anchors on one device."""

    host: Host
    device_type: DeviceType
    held: tuple[CellName, ...]
    """The cells that the device has, filled or not."""
    clock: DeviceTime
    rules: CertificateRules = field(default_factory=CertificateRules)
    set_top_up_floor: TopUpFloor = no_top_ups
    supplier_changed: Changed = lambda _work: None

    def operations(self) -> tuple[Operation, ...]:
        """Every mode that the type of device has a use case for."""
        rows: list[Operation] = []
        for mode in MODES.values():
            if self.device_type not in USE_CASES[mode.use_case].devices:
                continue
            rows.append(
                Operation(
                    use_case=mode.use_case,
                    execute=partial(self._replace, mode),
                    check=partial(self._check, mode),
                    refusal=self._refusal,
                    dating=Dating(key=f"credentials/{mode.name}", alert=mode.alert, told=_told),
                )
            )
        return tuple(rows)

    # ---------------------------------------------------------------------------- what is asked

    def _check(self, mode: Mode, message: Message, parameters: Parameters) -> str | None:
        """Whether the command names its own mode, counter and authorising cell."""
        control = _members(parameters["authorising_remote_party_control"])
        if control["credentials_replacement_mode"] != mode.name:
            return f"mode {control['credentials_replacement_mode']} under the message code of {mode.name}"
        if control["authorising_remote_party_seq_number"] != message.originator_counter:
            return "the sequence number is not the originator counter"
        given = control.get("authorising_remote_party_ta_cell_identifier")
        if given is None:
            needed = mode.names_cell or self.device_type is DeviceType.CHF
            return "no authorising cell" if needed else None
        name = cell_named(given)
        cell = None if name is None else self.host.trust_anchors.find(*name)
        if cell is None or cell.role is not mode.authorised_by:
            return "the authorising cell is not one of the authorising role"
        if cell.role is not RemotePartyRole.ROOT and cell.entity_id != message.business_originator_id:
            return "the originator does not stand in the authorising cell"
        return None

    def _refusal(self, parameters: Parameters | None) -> Parameters | None:
        """Nothing was replaced; a command that cannot be read has no answer."""
        if parameters is None:
            return None
        outcomes = [
            self._outcome(cell_named(one["target_trust_anchor_cell"]), one, "other", None)
            for one in _list(parameters["replacements"])
        ]
        return {"command_accepted": None, "execution_outcome": _execution_outcome(parameters, [], outcomes)}

    # ---------------------------------------------------------------------------- what is done

    def _replace(self, mode: Mode, request: Request) -> Outcome:
        parameters = request.parameters
        control = _members(parameters["authorising_remote_party_control"])
        path = read_path(
            [
                from_hex(der, "certification path")
                for der in _values(parameters["certification_path_certificates"])
            ]
        )
        at = self._judged_at(request.work.now, control)
        anchors = self._anchors()
        outcomes: list[Parameters] = []
        changed: list[RemotePartyRole] = []
        failed: int | None = None
        supplier = self.host.trust_anchors.party(RemotePartyRole.SUPPLIER)
        for place, one in enumerate(_list(parameters["replacements"])):
            name = cell_named(one["target_trust_anchor_cell"])
            verdict = _faulty(request.fault, place) or self._judge(
                mode, name, one, path=path, anchors=anchors, at=at
            )
            if isinstance(verdict, str):
                outcomes.append(self._outcome(name, one, verdict, None))
                failed = place if failed is None else failed
                continue
            outcomes.append(self._outcome(verdict.name, one, "success", verdict))
            self.host.trust_anchors.put(request.work, verdict)
            if verdict.role not in changed:
                changed.append(verdict.role)
            if verdict.role is RemotePartyRole.ROOT:
                anchors = self._anchors()
        changes = _counter_changes(mode, control)
        self._move_counters(request.work, changes, changed)
        if changed:
            request.work.note("CredentialsReplaced", roles=" ".join(role.name.lower() for role in changed))
            self.host.raise_event(request.work, events.CREDENTIALS_UPDATED)
        if self.host.trust_anchors.party(RemotePartyRole.SUPPLIER) != supplier:
            self.supplier_changed(request.work)
        answer = _execution_outcome(parameters, [dict(change) for change in changes], outcomes)
        return Outcome({"command_accepted": None, "execution_outcome": answer}, failed)

    def _judge(
        self,
        mode: Mode,
        name: CellName | None,
        one: Parameters,
        *,
        path: Sequence[Certificate],
        anchors: Sequence[TrustAnchor],
        at: datetime | None,
    ) -> Cell | str:
        """The new content of a cell, or why there is none."""
        if name is None or name not in self.held:
            return "trustAnchorNotFound"
        if name[0] not in mode.targets:
            return "other"
        der = from_hex(one["replacement_certificate"], "replacement certificate")
        if mode.name == "anyByContingency" and name == ROOT_CELL:
            # The contingency key vouches for the new root, which nothing above it does.
            try:
                anchors = [TrustAnchor.of(certificate) for certificate in read_path([der])]
            except CertificateError:
                return "badCertificate"
        judged = judge_certificate(der, name, path=path, anchors=anchors, rules=self.rules, at=at)
        if isinstance(judged, str):
            return judged
        try:
            return Cell.of(name[0], name[2], judged)
        except CertificateError:
            return "badCertificate"

    def _anchors(self) -> tuple[TrustAnchor, ...]:
        root = self.host.trust_anchors.root
        return (*self.rules.anchors, *(() if root is None else (root,)))

    def _judged_at(self, now: datetime, control: Parameters) -> datetime | None:
        """The time for checks of validity; None when they are switched off, or nobody knows the time."""
        if control.get("apply_time_based_cpv_checks") == "disapply" or not self.clock.running:
            return None
        return self.rules.time(self.clock.time(now))

    def _outcome(self, name: CellName | None, one: Parameters, status: str, new: Cell | None) -> Parameters:
        """What is told of one cell, asked before `put`: one that is not replaced keeps who is in it."""
        existing = None if name is None else self.host.trust_anchors.find(*name)
        entity, key_id = (NOBODY, _NO_KEY) if existing is None else (existing.entity_id, existing.key_id)
        told: Parameters = {
            "affected_trust_anchor_cell": one["target_trust_anchor_cell"]
            if name is None
            else dict(cell_identifier(name)),
            "status_code": status,
            "existing_subject_unique_id": str(entity),
            "existing_subject_key_identifier": key_id.hex().upper(),
            "replacing_subject_unique_id": str(entity if new is None else new.entity_id),
            "replacing_subject_key_identifier": (key_id if new is None else new.key_id).hex().upper(),
        }
        return told

    def _move_counters(
        self, work: Work, changes: Sequence[Parameters], changed: Sequence[RemotePartyRole]
    ) -> None:
        """Begin the counters of new parties at their floors; nobody's ever go back."""
        for change in changes:
            role = role_named(change["other_remote_party_role"])
            party = None if role is None else self.host.trust_anchors.party(role)
            if role not in changed or party is None or party == NOBODY:
                continue
            for family in _FAMILIES:
                floor = change["other_remote_party_floor_seq_number"]
                self.host.execution_counters.advance(work, party, family, int(str(floor)))
            for special in _list(change.get("new_remote_party_specialist_floor_seq_number", [])):
                if role is RemotePartyRole.SUPPLIER and special["seq_number_usage"] == "prepaymentTopUp":
                    self.set_top_up_floor(work, int(str(special["seq_number"])))


def _counter_changes(mode: Mode, control: Parameters) -> list[Parameters]:
    """The counters that a command sets: those of the authorising role, then of others. Spec: GBCS 13.3."""
    changes: list[Parameters] = []
    floor = control.get("new_remote_party_floor_seq_number")
    if floor is not None:
        own: Parameters = {
            "other_remote_party_role": role_name(mode.authorised_by),
            "other_remote_party_floor_seq_number": floor,
        }
        special = control.get("new_remote_party_specialist_floor_seq_number")
        if special is not None:
            own["new_remote_party_specialist_floor_seq_number"] = special
        changes.append(own)
    return changes + _list(control.get("other_remote_party_seq_number_changes", []))


def _execution_outcome(
    parameters: Parameters, changes: Sequence[Value], outcomes: Sequence[Value]
) -> Parameters:
    control = _members(parameters["authorising_remote_party_control"])
    return {
        "authorising_remote_party_seq_number": control["authorising_remote_party_seq_number"],
        "credentials_replacement_mode": control["credentials_replacement_mode"],
        "remote_party_seq_number_changes": list(changes),
        "replacement_outcomes": list(outcomes),
    }


def _told(request: Request, outcome: Outcome) -> Parameters:
    del request
    return {"execution_outcome": outcome.parameters["execution_outcome"]}


def _faulty(fault: Fault | None, place: int) -> str | None:
    """The status of a cell that an injected fault hits; one with a negative item hits all."""
    if fault is None or (fault.item >= 0 and fault.item != place):
        return None
    return _STATUS_NAMES.get(127 if fault.result is None else fault.result, "other")


def _members(value: Value) -> Parameters:
    return value if isinstance(value, dict) else {}


def _values(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _list(value: Value) -> list[Parameters]:
    return [one for one in _values(value) if isinstance(one, dict)]


def authorising_cell_problem(host: Host, message: Message, given: Value) -> str | None:
    """Why a cell does not authorise the originator of `message` to ask for credentials. Spec: GBCS 13.2."""
    name = cell_named(given)
    cell = None if name is None else host.trust_anchors.find(*name)
    if name is None or cell is None:
        return "the authorising cell is not held"
    broker = cell.role is RemotePartyRole.ACCESS_CONTROL_BROKER
    if name[1] is not (KeyUsage.KEY_AGREEMENT if broker else KeyUsage.DIGITAL_SIGNATURE):
        return "the authorising cell has another key usage"
    if cell.entity_id != message.business_originator_id:
        return "the originator does not stand in the authorising cell"
    return None
