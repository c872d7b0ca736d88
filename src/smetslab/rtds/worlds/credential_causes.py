"""Causes of the alerts of dated changes of credentials whose command is not among the scenarios.

The replacing certificates are the parties' of an authority of our own, which the device trusts; where the
alert tells of a failure, one of them is of an authority that it does not know.

Spec: GBCS use cases CS02b, CS02g; 13.3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from smetslab.devices.security.modes import MODES
from smetslab.devices.security.names import cell_identifier
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.gbcs.values import Parameters, Value, to_hex
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.rng import RootSeed
from smetslab.rtds.worlds.model import Cause, Stage

_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT
_MANAGEMENT, _TOP_UP = CellUsage.MANAGEMENT, CellUsage.PREPAYMENT_TOP_UP

SUPPLIER: Final = Eui64.parse("90B3D51F30010000")
TRANSITIONAL_COS: Final = Eui64.parse("90B3D51F30000004")
LOAD_CONTROLLER: Final = Eui64.parse("90B3D51F30010008")

_TOP_UP_FLOOR: Final[Value] = [{"seq_number_usage": "prepaymentTopUp", "seq_number": 0}]
_SUPPLIER_CELLS: Final = ((_DS, _MANAGEMENT), (_KA, _MANAGEMENT), (_KA, _TOP_UP))
_LOAD_CONTROLLER_CELLS: Final = ((_DS, _MANAGEMENT), (_KA, _MANAGEMENT))

UNTRUSTED: Final = 1
"""Which replacement fails where the alert tells of a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A dated change: under which mode, who orders it, who gets into which cells, and when."""

    mode: str
    originator: Eui64
    counter: int
    party: Eui64
    cells: tuple[tuple[KeyUsage, CellUsage], ...]
    at: str
    control: Mapping[str, Value]


def _change(stage: Stage, change: Change) -> None:
    """Send the command, and go on to its time."""
    mode = MODES[change.mode]
    use_case = USE_CASES[mode.use_case]
    [role] = mode.targets
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=change.counter,
        business_originator_id=change.originator,
        business_target_id=stage.site.eui64,
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )
    parameters: Parameters = {
        "authorising_remote_party_control": {
            "credentials_replacement_mode": change.mode,
            "authorising_remote_party_ta_cell_identifier": dict(
                cell_identifier((mode.authorised_by, _DS, _MANAGEMENT))
            ),
            "authorising_remote_party_seq_number": change.counter,
            **change.control,
        },
        "replacements": [
            {
                "replacement_certificate": to_hex(_certificate(stage, change, place)),
                "target_trust_anchor_cell": dict(cell_identifier((role, usage, cell_usage))),
            }
            for place, (usage, cell_usage) in enumerate(change.cells)
        ],
        "certification_path_certificates": [
            to_hex(authority.der) for authority in stage.site.spare.authorities()
        ],
        "execution_date_time": change.at,
    }
    stage.send(replace(header, content=encode_content(use_case, header, parameters)))
    moment = stage.device.application.next_deadline()
    if moment is not None:
        stage.device.application.tick(moment)


def _certificate(stage: Stage, change: Change, place: int) -> bytes:
    usage, cell_usage = change.cells[place]
    if place == UNTRUSTED and "_8F67_" in stage.scenario:
        unknown = Authority(RootSeed(1)).keystore(())
        return unknown.find(change.party, usage, cell_usage).certificate.der
    return stage.site.spare.find(change.party, usage, cell_usage).certificate.der


_CHANGES: Final = {
    "/CS02bSupplierBySupplier_[^/]*_8F6[67]_FUTURE_DATED": Change(
        mode="supplierBySupplier",
        originator=SUPPLIER,
        counter=1001,
        party=SUPPLIER,
        cells=_SUPPLIER_CELLS,
        at="2030-01-15T00:00:00Z",
        control={
            "new_remote_party_floor_seq_number": 0,
            "new_remote_party_specialist_floor_seq_number": _TOP_UP_FLOOR,
        },
    ),
    "/CS02bSupplierByTransCoS_[^/]*_8F6[67]_FUTURE_DATED": Change(
        mode="supplierByTransCoS",
        originator=TRANSITIONAL_COS,
        counter=6002,
        party=SUPPLIER,
        cells=_SUPPLIER_CELLS,
        at="2030-01-02T00:00:00Z",
        control={
            "other_remote_party_seq_number_changes": [
                {
                    "other_remote_party_role": "supplier",
                    "other_remote_party_floor_seq_number": 0,
                    "new_remote_party_specialist_floor_seq_number": _TOP_UP_FLOOR,
                }
            ]
        },
    ),
    "/CS02gLoadControllerBySupplier_[^/]*_8F6[67]_FUTURE_DATED": Change(
        mode="loadControllerBySupplier",
        originator=SUPPLIER,
        counter=1001,
        party=LOAD_CONTROLLER,
        cells=_LOAD_CONTROLLER_CELLS,
        at="2030-01-15T00:00:00Z",
        control={
            "other_remote_party_seq_number_changes": [
                {"other_remote_party_role": "loadController", "other_remote_party_floor_seq_number": 0}
            ]
        },
    ),
}

CAUSES: Final[Mapping[str, Cause]] = {
    pattern: partial(_change, change=change) for pattern, change in _CHANGES.items()
}

LOAD_CONTROL_CAUSES: Final[Mapping[str, Cause]] = {
    "/CS02gLoadControllerByLoadController_[^/]*_8F6[67]_FUTURE_DATED": partial(
        _change,
        change=Change(
            mode="loadControllerByLoadController",
            originator=LOAD_CONTROLLER,
            counter=9001,
            party=LOAD_CONTROLLER,
            cells=_LOAD_CONTROLLER_CELLS,
            at="2030-01-15T00:00:00Z",
            control={"new_remote_party_floor_seq_number": 0},
        ),
    )
}
"""Of the load controlling meter."""
