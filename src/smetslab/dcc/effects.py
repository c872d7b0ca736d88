"""What a success means for the inventory: one declared row for each service request that changes something.

Change of supplier and handover change who is responsible and whose credentials a device holds; where the
command is future dated, only the alert that it was carried out does.

Spec: DUIS service references 6.20, 6.21, 6.23, 8.1, 8.11, 8.12 and 11.2; GBCS 16.2 (8F12).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from smetslab.dcc.notices import Notices, meter_points
from smetslab.dcc.pending import Pending, Question
from smetslab.duis.codes import UserRole
from smetslab.duis.document import RequestId, parse_request, read_signed_pre_command
from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.duis.srv import find, from_parameters, read_body
from smetslab.errors import CertificateError, CodecError, RegistryError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases.engine import decode_content
from smetslab.gbcs.usecases.registry import by_code
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import parse_certificate
from smetslab.registry import DeviceStatus, Inventory, InventoryDevice, KnownParty, LifeEvent, Responsibility
from smetslab.trace import Trace

_FUEL_ROLE: Final = {
    DeviceType.ESME: UserRole.IMPORT_SUPPLIER,
    DeviceType.HCALCS: UserRole.IMPORT_SUPPLIER,
    DeviceType.GSME: UserRole.GAS_SUPPLIER,
    DeviceType.GPF: UserRole.GAS_SUPPLIER,
}
_REMOTE_ROLES: Final = {
    "Supplier": RemotePartyRole.SUPPLIER,
    "NetworkOperator": RemotePartyRole.NETWORK_OPERATOR,
    "LoadController": RemotePartyRole.LOAD_CONTROLLER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """A request that its device carried out: `elements` of its body, `result` of the response."""

    request_id: RequestId
    device: InventoryDevice
    elements: Parameters
    result: Parameters
    now: datetime


class Effects:
    """Applies the rows to the inventory, and tells who is concerned."""

    def __init__(self, inventory: Inventory, notices: Notices, trace: Trace) -> None:
        self.inventory = inventory
        self.notices = notices
        self._trace = trace

    def succeeded(self, entry: Pending, result: Parameters, now: datetime) -> None:
        """A device has carried a request out, or has taken a future-dated one, which changes nothing yet."""
        if entry.activation is None:
            self.carried_out(entry.question, entry.document, result, now)

    def carried_out(self, question: Question, document: bytes, result: Parameters, now: datetime) -> None:
        """Everything that follows from a request which was carried out; twice is as good as once."""
        effect = EFFECTS.get(question.variant)
        device = self.inventory.find(question.request_id.target)
        if effect is None or device is None:
            return
        try:
            effect(
                self,
                Success(
                    request_id=question.request_id,
                    device=device,
                    elements=_elements(question.variant, document),
                    result=result,
                    now=now,
                ),
            )
        except (RegistryError, CertificateError, CodecError) as error:
            self._trace.record(
                "dcc",
                "InventoryUnchanged",
                source="dcc",
                target=str(question.request_id.target),
                request_id=question.request_id.key,
                reason=str(error),
            )

    def joined(self, hub: Eui64, devices: Iterable[Eui64]) -> None:
        """A hub says which devices have joined its HAN; only those of its device log can have."""
        for device_id in devices:
            device = self.inventory.find(device_id)
            if device is None or device.hub != hub or device.status is not DeviceStatus.WHITELISTED:
                continue
            self.inventory.apply(device_id, LifeEvent.JOINED)


def _elements(variant: str, document: bytes) -> Parameters:
    """The elements of a request that was kept; of a signed pre-command, those that make its command."""
    row = find(variant)
    if not document or row is None:
        return {}
    request = parse_request(document, limit=MAX_DOCUMENT_BYTES)
    if request.body.name == row.element:
        return read_body(row, request.body)
    message = decode_message(read_signed_pre_command(request.body).payload)
    use_case = by_code(message.message_code)
    mapping = None if use_case is None else row.mapping_to(use_case)
    if use_case is None or mapping is None:
        return {}
    return from_parameters(mapping, decode_content(use_case, message))


# The rows ---------------------------------------------------------------------------------------------------


def _commissioned(effects: Effects, success: Success) -> None:
    change = effects.inventory.apply(success.device.device_id, LifeEvent.COMMISSIONED)
    if change.changed:
        device = replace(change.device, date_commissioned=success.now.date())
        effects.inventory.update(device)
        identity: dict[str, Value] = {"MeterMPxNs": meter_points(device)}
        if device.esme_variant:
            identity["ESMEVariant"] = device.esme_variant
        effects.notices.status_changed(device, "MeterIdentity", identity)


def _device_log(effects: Effects, success: Success) -> None:
    """8.11: the device of the body goes on, or off, the log of the hub that was asked."""
    elements = success.elements
    device_id = Eui64.parse(str(elements["DeviceID"]))
    if elements["RequestType"] == "Remove":
        removed = effects.inventory.apply(device_id, LifeEvent.UNLISTED).device
        # Its hub stays known while it is decommissioned: 8.2 shows the home as it was.
        if removed.status is DeviceStatus.PENDING:
            effects.inventory.update(replace(removed, hub=None))
    else:
        listed = effects.inventory.apply(device_id, LifeEvent.WHITELISTED).device
        details = elements.get("AddDeviceToCHFWhitelist")
        given = details if isinstance(details, dict) else {}
        effects.inventory.update(
            replace(
                listed,
                hub=success.device.device_id,
                import_mpxn=str(given.get("ImportMPxN", listed.import_mpxn)),
                secondary_import_mpan=str(given.get("SecondaryImportMPAN", listed.secondary_import_mpan)),
                export_mpan=str(given.get("ExportMPAN", listed.export_mpan)),
            )
        )
    effects.notices.tell(
        (success.request_id.originator,),
        "UpdateHANDeviceLogResult",
        {"UpdateHANDeviceLogServiceRequestID": str(success.request_id)},
        success.device.device_id,
    )


def _restored_log(effects: Effects, success: Success) -> None:
    """8.12.1: everything behind the old hub is behind this one now."""
    old, new = Eui64.parse(str(success.elements["OldCHFID"])), success.device.device_id
    proxies = [_gas_proxy(effects, hub) for hub in (old, new)]
    for device in effects.inventory.premises(old):
        if device.device_id != old and device.device_type is not DeviceType.GPF:
            effects.inventory.update(replace(device, hub=new))
    old_proxy, new_proxy = proxies
    if old_proxy is None or new_proxy is None:
        return
    logs: dict[str, Value] = {
        "OldCHFDeviceID": str(old),
        "NewCHFDeviceID": str(new),
        "OldGPFDeviceID": str(old_proxy),
        "NewGPFDeviceID": str(new_proxy),
    }
    effects.notices.tell(
        effects.notices.concerned(success.device),
        "DeviceLogRestored",
        {"RestoredDate": success.now.date().isoformat(), "CHFDeviceLog": logs},
        new,
    )


def _gas_proxy(effects: Effects, hub: Eui64) -> Eui64 | None:
    """The gas proxy of a hub."""
    found = (one for one in effects.inventory.premises(hub) if one.device_type is DeviceType.GPF)
    return next((one.device_id for one in found), None)


def _firmware_version(effects: Effects, success: Success) -> None:
    version = success.result.get("firmware_version")
    if not isinstance(version, str) or version == success.device.firmware_version:
        return
    known = success.device.firmware_version
    effects.inventory.update(replace(success.device, firmware_version=version))
    if known:
        effects.notices.tell(
            effects.notices.concerned(success.device),
            "FirmwareVersionMismatch",
            {
                "DeviceID": str(success.device.device_id),
                "DeviceType": success.device.duis_type,
                "FirmwareVersionSMI": known,
                "FirmwareVersionDevice": version,
            },
            success.device.device_id,
        )


def _import_meter_points(effects: Effects, success: Success) -> None:
    elements = success.elements
    points = elements.get("ImportMPANs")
    given = points if isinstance(points, dict) else elements
    number = given.get("ImportMPAN", given.get("ImportMPRN", given.get("ImportMPxN")))
    effects.inventory.update(
        replace(
            success.device,
            import_mpxn=success.device.import_mpxn if number is None else str(number),
            secondary_import_mpan=str(given.get("SecondaryImportMPAN", success.device.secondary_import_mpan)),
        )
    )


def _export_meter_point(effects: Effects, success: Success) -> None:
    number = str(success.elements.get("ExportMPAN", success.device.export_mpan))
    effects.inventory.update(replace(success.device, export_mpan=number))


def _change_of_supplier(effects: Effects, success: Success) -> None:
    """6.23: the certificates in the request are those of the new supplier."""
    certificates = _certificates(success.elements.get("SupplierReplacementCertificates"))
    party = _party_of(certificates)
    device, now = success.device, success.now
    role = _FUEL_ROLE.get(device.device_type, UserRole.IMPORT_SUPPLIER)
    losing = tuple(one for one in device.parties(role, now) if one != party)
    changed = replace(
        device,
        known_parties=_with_known(device, RemotePartyRole.SUPPLIER, party),
        responsible=_with_responsible(device, role, party, now),
        import_mpxn=str(success.elements.get("ImportMPxN", device.import_mpxn)),
    )
    effects.inventory.update(changed)
    effects.notices.tell(
        losing,
        "ChangeOfSupplier",
        {
            "DeviceChangeOfSupplier": {
                "DeviceID": str(device.device_id),
                "DeviceType": device.duis_type,
                "MPxNs": meter_points(changed),
            }
        },
        device.device_id,
    )
    _tell_credentials(effects, success, "Supplier", certificates, (party,))


def _replaced_credentials(effects: Effects, success: Success) -> None:
    """6.15.1 and 6.21: new certificates of a remote party, of itself or, in a handover, of a new one."""
    role_name = str(success.elements.get("RemotePartyRole", ""))
    role = _REMOTE_ROLES.get(role_name)
    certificates = _certificates(success.elements.get("ReplacementCertificates"))
    if role is None or not certificates:
        return
    party = _party_of(certificates)
    effects.inventory.update(replace(success.device, known_parties=_with_known(success.device, role, party)))
    _tell_credentials(effects, success, role_name, certificates, effects.notices.concerned(success.device))


Effect = Callable[[Effects, Success], None]

EFFECTS: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "6.15.1": _replaced_credentials,
        "6.20.1": _import_meter_points,
        "6.20.2": _export_meter_point,
        "6.21": _replaced_credentials,
        "6.23": _change_of_supplier,
        "8.1.1": _commissioned,
        "8.11": _device_log,
        "8.12.1": _restored_log,
        "11.2": _firmware_version,
    }
)
"""What follows from each service request that changes the inventory."""

REMEMBERED: Final = frozenset(EFFECTS) - {"8.1.1", "11.2"}
"""Those whose effect needs their elements, so that their documents are kept until then."""


def _certificates(group: Value | None) -> dict[str, bytes]:
    """The certificates of a group by their DUIS names, however deep they stand."""
    found: dict[str, bytes] = {}
    if not isinstance(group, dict):
        return found
    for name, value in group.items():
        if isinstance(value, dict):
            found.update(_certificates(value))
        elif isinstance(value, str) and name.endswith("Certificate"):
            found[name] = bytes.fromhex(value)
    return found


def _party_of(certificates: Mapping[str, bytes]) -> Eui64:
    """Whose certificates these are. Raises CertificateError."""
    for octets in certificates.values():
        party = parse_certificate(octets).entity_id
        if party is not None:
            return party
    raise CertificateError("no certificate of the request names its organisation")


def _with_known(device: InventoryDevice, role: RemotePartyRole, party: Eui64) -> tuple[KnownParty, ...]:
    others = tuple(known for known in device.known_parties if known.role is not role)
    return (*others, KnownParty(party=party, role=role))


def _with_responsible(
    device: InventoryDevice, role: UserRole, party: Eui64, since: datetime
) -> tuple[Responsibility, ...]:
    ended = tuple(
        replace(item, until=since) if item.role is role and item.holds_at(since) else item
        for item in device.responsible
        if not (item.role is role and item.party == party)
    )
    return (*ended, Responsibility(role=role, party=party, since=since))


def _tell_credentials(
    effects: Effects,
    success: Success,
    role: str,
    certificates: Mapping[str, bytes],
    users: tuple[Eui64, ...],
) -> None:
    # The schema asks for SHA-1 here; nothing relies on it.
    hashes: list[Value] = [
        {
            "CertificateType": name.removesuffix("Certificate"),
            "CertificateHash": hashlib.sha1(octets, usedforsecurity=False).hexdigest().upper(),
        }
        for name, octets in certificates.items()
        if name in {"DigitalSigningCertificate", "KeyAgreementCertificate", "KeyAgreementTopUpCertificate"}
    ]
    if hashes:
        effects.notices.tell(
            users,
            "SecurityCredentialsUpdated",
            {"DeviceID": str(success.device.device_id), "RemotePartyRole": role, "Certificates": hashes},
            success.device.device_id,
        )
