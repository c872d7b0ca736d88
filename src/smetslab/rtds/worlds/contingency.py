"""The contingency key in the published scenarios: of its commands only the answers are published.

So the device gets a root of our own, which has brought a key of our own, and a command that does what the
answers tell of: it replaces the root and every certificate below it.

Spec: RTDS 4.5.0; GBCS 13.3, use case CS02b (anyByContingency).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from smetslab.crypto import PrivateKey
from smetslab.devices.credentials import CellName
from smetslab.devices.security.contingency import ContingencyKey
from smetslab.devices.security.names import cell_identifier, role_name
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_signature
from smetslab.gbcs.usecases import encode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import IMMEDIATE, Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import Authority, Certificate
from smetslab.rng import RootSeed
from smetslab.rtds.worlds.model import Cause, Stage

OVERLAY: Final = "contingency"

_HOLDER: Final = Eui64.parse("70B3D51F300017FF")
_COUNTER: Final = 5001
_KEY: Final = PrivateKey.from_seed(b"contingency key of the replay")
_SYMMETRIC: Final = bytes(range(16))
_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT
_MANAGEMENT, _TOP_UP = CellUsage.MANAGEMENT, CellUsage.PREPAYMENT_TOP_UP
_ROOT: Final[CellName] = (RemotePartyRole.ROOT, KeyUsage.KEY_CERT_SIGN, _MANAGEMENT)
_UNTRUSTED: Final[CellName] = (RemotePartyRole.SUPPLIER, _KA, _TOP_UP)
"""The cell whose new certificate nobody trusts, in the scenario that fails."""

_CELLS: Final[tuple[tuple[CellName, Eui64], ...]] = (
    ((RemotePartyRole.RECOVERY, _DS, _MANAGEMENT), Eui64.parse("90B3D51F30000001")),
    ((RemotePartyRole.SUPPLIER, _DS, _MANAGEMENT), Eui64.parse("90B3D51F30010000")),
    ((RemotePartyRole.SUPPLIER, _KA, _MANAGEMENT), Eui64.parse("90B3D51F30010000")),
    (_UNTRUSTED, Eui64.parse("90B3D51F30010000")),
    ((RemotePartyRole.NETWORK_OPERATOR, _DS, _MANAGEMENT), Eui64.parse("90B3D51F30020000")),
    ((RemotePartyRole.NETWORK_OPERATOR, _KA, _MANAGEMENT), Eui64.parse("90B3D51F30020000")),
    ((RemotePartyRole.ACCESS_CONTROL_BROKER, _KA, _MANAGEMENT), Eui64.parse("90B3D51F30000002")),
    ((RemotePartyRole.TRANSITIONAL_COS, _DS, _MANAGEMENT), Eui64.parse("90B3D51F30000004")),
)
_FLOORS: Final = (
    RemotePartyRole.SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR,
    RemotePartyRole.ACCESS_CONTROL_BROKER,
    RemotePartyRole.TRANSITIONAL_COS,
)


def root() -> Certificate:
    """The root that the device has."""
    return Authority(RootSeed(2015)).root.certificate


def key() -> ContingencyKey:
    """What came with it."""
    return ContingencyKey.of(_KEY.public, _SYMMETRIC, root().subject_key_id or b"")


def _replace_everything(stage: Stage) -> None:
    """The holder of the contingency key replaces the root and everything below it."""
    successor, stranger = Authority(RootSeed(2016)), Authority(RootSeed(2017))
    fails = re.search(r"_ERROR(_|$)", stage.scenario) is not None
    new = [(_ROOT, successor.root.certificate)]
    for cell, party in _CELLS:
        authority = stranger if fails and cell == _UNTRUSTED else successor
        new.append((cell, authority.organisation(party, *cell, generation=1).certificate))
    changes: list[Value] = [_floor(role) for role in _FLOORS]
    replacements: list[Value] = [
        {
            "replacement_certificate": certificate.der.hex().upper(),
            "target_trust_anchor_cell": dict(cell_identifier(cell)),
        }
        for cell, certificate in new
    ]
    parameters: Parameters = {
        "authorising_remote_party_control": {
            "credentials_replacement_mode": "anyByContingency",
            "plaintext_symmetric_key": _SYMMETRIC.hex().upper(),
            "authorising_remote_party_ta_cell_identifier": dict(cell_identifier(_ROOT)),
            "authorising_remote_party_seq_number": _COUNTER,
            "new_remote_party_floor_seq_number": 0,
            "other_remote_party_seq_number_changes": changes,
        },
        "replacements": replacements,
        "certification_path_certificates": [successor.issuing.certificate.der.hex().upper()],
        "execution_date_time": IMMEDIATE,
    }
    use_case = USE_CASES["CS02b.anyByContingency"]
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=_COUNTER,
        business_originator_id=_HOLDER,
        business_target_id=stage.site.eui64,
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )
    message = replace(header, content=encode_content(use_case, header, parameters))
    stage.device.receive(encode_message(with_signature(message, _KEY)), stage.now)


def _floor(role: RemotePartyRole) -> Parameters:
    change: Parameters = {
        "other_remote_party_role": role_name(role),
        "other_remote_party_floor_seq_number": 0,
    }
    if role is RemotePartyRole.SUPPLIER:
        change["new_remote_party_specialist_floor_seq_number"] = [
            {"seq_number_usage": "prepaymentTopUp", "seq_number": 0}
        ]
    return change


CAUSES: Final[dict[str, Cause]] = {"/CS02bAnyByContingency_": _replace_everything}
