"""Recovery: the DCC replaces credentials of a device by a key of its own, when others cannot be trusted.

No service request asks for it; whoever runs the laboratory does. The device is in recovery while it lasts
and recovered when its response says so.

Spec: GBCS use case CS02b (modes anyExceptAbnormalRootByRecovery and anyByContingency), 13.3; DUIS schema
5.4 (RecoveryComplete); SEC (recovery procedure).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from smetslab.crypto import PrivateKey
from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.notices import Notices
from smetslab.dcc.transform import Origin, build_command
from smetslab.errors import CertificateError, LocalProtocolError, RemoteProtocolError
from smetslab.gbcs.codes import CellUsage, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, encode_message
from smetslab.gbcs.security import with_signature
from smetslab.gbcs.usecases.engine import decode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import IMMEDIATE, Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import parse_certificate
from smetslab.registry import Inventory, InventoryDevice, KnownParty, LifeEvent

BY_RECOVERY: Final = "CS02b.anyExceptAbnormalRootByRecovery"
BY_CONTINGENCY: Final = "CS02b.anyByContingency"

ROLE_NAMES: Final = {
    RemotePartyRole.ROOT: "root",
    RemotePartyRole.RECOVERY: "recovery",
    RemotePartyRole.SUPPLIER: "supplier",
    RemotePartyRole.NETWORK_OPERATOR: "networkOperator",
    RemotePartyRole.ACCESS_CONTROL_BROKER: "accessControlBroker",
    RemotePartyRole.TRANSITIONAL_COS: "transitionalCoS",
    RemotePartyRole.WAN_PROVIDER: "wanProvider",
    RemotePartyRole.LOAD_CONTROLLER: "loadController",
}
_USAGE_NAMES: Final = {
    KeyUsage.DIGITAL_SIGNATURE: "digitalSignature",
    KeyUsage.KEY_AGREEMENT: "keyAgreement",
    KeyUsage.KEY_CERT_SIGN: "keyCertSign",
}
_CELL_NAMES: Final = {CellUsage.MANAGEMENT: "management", CellUsage.PREPAYMENT_TOP_UP: "prePaymentTopUp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One certificate and the cell that it is for."""

    certificate: bytes
    role: RemotePartyRole
    usage: KeyUsage
    cell_usage: CellUsage = CellUsage.MANAGEMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Contingency:
    """What contingency has instead of the recovery key: the originator and signing key of the contingency
    credential, and the symmetric key that opens it on the device.
    """

    originator: Eui64
    key: PrivateKey
    symmetric_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryResult:
    """What became of a recovery: `statuses` of the replacements in their order, by GBCS' words; None when the
    device did not answer.
    """

    statuses: tuple[str, ...] | None

    @property
    def ok(self) -> bool:
        return self.statuses is not None and all(status == "success" for status in self.statuses)


class Recovery:
    """Recovers devices. `exchange` sends octets and gives the response, None when there is none in time."""

    def __init__(
        self,
        *,
        broker: AccessControlBroker,
        inventory: Inventory,
        notices: Notices,
        party: Eui64,
        next_counter: Callable[[], int],
        exchange: Callable[[bytes, Eui64, float], Awaitable[Message | None]],
    ) -> None:
        self._broker = broker
        self._inventory = inventory
        self._notices = notices
        self._party = party
        self._next_counter = next_counter
        self._exchange = exchange

    async def recover(
        self,
        device_id: Eui64,
        replacements: Sequence[Replacement],
        path: Sequence[bytes] = (),
        *,
        contingency: Contingency | None = None,
        apply_time_checks: bool = True,
        timeout_s: float = 300.0,
    ) -> RecoveryResult:
        """Replace certificates of a device, `path` leading from them to its root.

        The device is in recovery from here on, and recovered when it says that everything was replaced: then
        the inventory knows the new parties and who is concerned is told. Raises RegistryError when it cannot
        be recovered in its status, CertificateError when the recovery key is not here, SecurityError when
        its response is not its own.
        """
        if not replacements:
            raise LocalProtocolError("a recovery replaces at least one certificate")
        device = self._inventory.apply(device_id, LifeEvent.RECOVERY_BEGUN).device
        command = self._command(device_id, replacements, path, contingency, apply_time_checks)
        response = await self._exchange(encode_message(command), device_id, timeout_s)
        if response is None:
            return RecoveryResult(statuses=None)
        self._broker.require_signature(response)
        result = RecoveryResult(statuses=_statuses(command, response))
        if result.ok:
            self._recovered(device, replacements)
        return result

    def _command(
        self,
        device_id: Eui64,
        replacements: Sequence[Replacement],
        path: Sequence[bytes],
        contingency: Contingency | None,
        apply_time_checks: bool,
    ) -> Message:
        use_case = USE_CASES[BY_RECOVERY if contingency is None else BY_CONTINGENCY]
        counter = self._next_counter()
        control: Parameters = {
            "credentials_replacement_mode": use_case.name.partition(".")[2],
            "authorising_remote_party_seq_number": counter,
        }
        if not apply_time_checks:
            control["apply_time_based_cpv_checks"] = "disapply"
        if contingency is None:
            control["authorising_remote_party_ta_cell_identifier"] = _cell(
                RemotePartyRole.RECOVERY, KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT
            )
        else:
            control["authorising_remote_party_ta_cell_identifier"] = _cell(
                RemotePartyRole.ROOT, KeyUsage.KEY_CERT_SIGN, CellUsage.MANAGEMENT
            )
            control["plaintext_symmetric_key"] = contingency.symmetric_key.hex().upper()
        own = None if contingency is not None else RemotePartyRole.RECOVERY
        if any(one.role is own for one in replacements):
            control["new_remote_party_floor_seq_number"] = 0
        changes = [
            _floors(role) for role in dict.fromkeys(one.role for one in replacements) if role is not own
        ]
        if changes:
            control["other_remote_party_seq_number_changes"] = changes
        parameters: Parameters = {
            "authorising_remote_party_control": control,
            "replacements": [
                {
                    "replacement_certificate": one.certificate.hex().upper(),
                    "target_trust_anchor_cell": _cell(one.role, one.usage, one.cell_usage),
                }
                for one in replacements
            ],
            "certification_path_certificates": [one.hex().upper() for one in path],
            "execution_date_time": IMMEDIATE,
        }
        party = self._party if contingency is None else contingency.originator
        message = build_command(use_case, parameters, Origin(party=party, counter=counter), device_id)
        # GBCS 13.3.3.1: signed, and not MACed: the broker's own credentials may be what is replaced.
        if contingency is None:
            return self._broker.sign(message)
        return with_signature(message, contingency.key)

    def _recovered(self, device: InventoryDevice, replacements: Sequence[Replacement]) -> None:
        known = list(device.known_parties)
        for one in replacements:
            party = parse_certificate(one.certificate).entity_id
            if party is None:
                raise CertificateError("a replacement certificate names no organisation")
            if one.role is not RemotePartyRole.ROOT:
                known = [item for item in known if item.role is not one.role]
                known.append(KnownParty(party=party, role=one.role))
        self._inventory.update(replace(device, known_parties=tuple(known)))
        recovered = self._inventory.apply(device.device_id, LifeEvent.RECOVERED).device
        self._notices.status_changed(recovered, "RecoveryComplete")


def _cell(role: RemotePartyRole, usage: KeyUsage, cell_usage: CellUsage) -> Parameters:
    return {
        "trust_anchor_cell_remote_party_role": ROLE_NAMES[role],
        "trust_anchor_cell_key_usage": _USAGE_NAMES[usage],
        "trust_anchor_cell_usage": _CELL_NAMES[cell_usage],
    }


def _floors(role: RemotePartyRole) -> Value:
    """Counters begin anew for a role whose credentials are replaced; a supplier's top-ups too."""
    floors: Parameters = {
        "other_remote_party_role": ROLE_NAMES[role],
        "other_remote_party_floor_seq_number": 0,
    }
    if role is RemotePartyRole.SUPPLIER:
        floors["new_remote_party_specialist_floor_seq_number"] = [
            {"seq_number_usage": "prepaymentTopUp", "seq_number": 0}
        ]
    return floors


def _statuses(command: Message, response: Message) -> tuple[str, ...]:
    """What the response says of each replacement. Raises RemoteProtocolError, GbcsDecodeError."""
    if response.message_code != command.message_code:
        raise RemoteProtocolError(f"a response of {response.message_code:04X} to a recovery command")
    use_case = next(
        one for one in USE_CASES.values() if one.code == command.message_code and not one.is_alert
    )
    return replacement_statuses(decode_content(use_case, response))


def replacement_statuses(content: Parameters) -> tuple[str, ...]:
    """The status of each replacement of an Update Security Credentials response or alert."""
    outcome = content.get("execution_outcome")
    items = outcome.get("replacement_outcomes") if isinstance(outcome, dict) else None
    return tuple(
        str(item.get("status_code"))
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict)
    )
