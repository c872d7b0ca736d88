"""The credentials of a device: its own keys, and the trust anchor cells that make a remote party known to it.

Spec: GBCS 13 (trust anchor cells), glossary (known and unknown remote party); which cells a device type has
is unverified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.errors import CertificateError, RegistryError
from smetslab.gbcs.codes import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.pki import Certificate, KeyStore

_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT
_MANAGEMENT, _TOP_UP = CellUsage.MANAGEMENT, CellUsage.PREPAYMENT_TOP_UP

CellName = tuple[RemotePartyRole, KeyUsage, CellUsage]

_METER_CELLS: tuple[CellName, ...] = (
    (RemotePartyRole.RECOVERY, _DS, _MANAGEMENT),
    (RemotePartyRole.SUPPLIER, _DS, _MANAGEMENT),
    (RemotePartyRole.SUPPLIER, _KA, _MANAGEMENT),
    (RemotePartyRole.SUPPLIER, _KA, _TOP_UP),
    (RemotePartyRole.NETWORK_OPERATOR, _DS, _MANAGEMENT),
    (RemotePartyRole.NETWORK_OPERATOR, _KA, _MANAGEMENT),
    (RemotePartyRole.ACCESS_CONTROL_BROKER, _KA, _MANAGEMENT),
    (RemotePartyRole.TRANSITIONAL_COS, _DS, _MANAGEMENT),
)

CELLS: Mapping[DeviceType, tuple[CellName, ...]] = {
    DeviceType.ESME: (
        *_METER_CELLS,
        (RemotePartyRole.LOAD_CONTROLLER, _DS, _MANAGEMENT),
        (RemotePartyRole.LOAD_CONTROLLER, _KA, _MANAGEMENT),
    ),
    DeviceType.CHF: (
        (RemotePartyRole.RECOVERY, _DS, _MANAGEMENT),
        (RemotePartyRole.ACCESS_CONTROL_BROKER, _DS, _MANAGEMENT),
        (RemotePartyRole.ACCESS_CONTROL_BROKER, _KA, _MANAGEMENT),
        (RemotePartyRole.WAN_PROVIDER, _DS, _MANAGEMENT),
    ),
}
"""The cells of a device of each type; the root's, which belongs to no message, is not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """A device's own private keys and the certificates of their public halves."""

    ds: PrivateKey
    ka: PrivateKey
    ds_certificate: Certificate | None = None
    ka_certificate: Certificate | None = None

    @classmethod
    def from_keystore(cls, keystore: KeyStore, device: Eui64) -> DeviceKeys:
        """Raises CertificateError when the key store lacks a certificate or private key of `device`."""
        return cls(
            ds=keystore.private_key(device, _DS),
            ka=keystore.private_key(device, _KA),
            ds_certificate=keystore.find(device, _DS).certificate,
            ka_certificate=keystore.find(device, _KA).certificate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One trust anchor cell and who is in it."""

    role: RemotePartyRole
    usage: KeyUsage
    cell_usage: CellUsage
    entity_id: Eui64
    key_id: bytes
    public_key: PublicKey

    @classmethod
    def of(cls, role: RemotePartyRole, cell_usage: CellUsage, certificate: Certificate) -> Cell:
        """The cell that holds `certificate`. Raises CertificateError when that names no party, use or key
        id."""
        if (
            certificate.entity_id is None
            or certificate.key_usage is None
            or certificate.subject_key_id is None
        ):
            raise CertificateError(f"{certificate.title} cannot stand in a trust anchor cell", spec="GBCS 13")
        return cls(
            role=role,
            usage=certificate.key_usage,
            cell_usage=cell_usage,
            entity_id=certificate.entity_id,
            key_id=certificate.subject_key_id,
            public_key=certificate.public_key,
        )


class TrustAnchorStore:
    """The trust anchor cells of one device."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        """Raises RegistryError when a cell is filled twice."""
        self._cells: dict[CellName, Cell] = {}
        self._roles: dict[Eui64, tuple[RemotePartyRole, ...]] = {}
        for cell in cells:
            name = (cell.role, cell.usage, cell.cell_usage)
            if name in self._cells:
                raise RegistryError(
                    f"trust anchor cell {cell.role.name} {cell.usage} is filled twice", rule="unique"
                )
            self._cells[name] = cell
            roles = self._roles.get(cell.entity_id, ())
            if cell.role not in roles:
                self._roles[cell.entity_id] = (*roles, cell.role)

    @classmethod
    def for_device(
        cls, device_type: DeviceType, keystore: KeyStore, parties: Mapping[RemotePartyRole, Eui64]
    ) -> TrustAnchorStore:
        """The cells of a device of this type, filled from the key store; roles not in `parties` stay empty.

        Raises CertificateError when the key store lacks a certificate that a cell needs.
        """
        return cls(
            Cell.of(role, cell_usage, keystore.find(parties[role], usage, cell_usage).certificate)
            for role, usage, cell_usage in CELLS[device_type]
            if role in parties
        )

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(self._cells.values())

    def find(
        self, role: RemotePartyRole, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT
    ) -> Cell | None:
        return self._cells.get((role, usage, cell_usage))

    def public_key(
        self, role: RemotePartyRole, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT
    ) -> PublicKey | None:
        cell = self.find(role, usage, cell_usage)
        return None if cell is None else cell.public_key

    def party(self, role: RemotePartyRole) -> Eui64 | None:
        """Who has the role, by the first of its cells."""
        return next((cell.entity_id for cell in self._cells.values() if cell.role is role), None)

    def roles_of(self, entity: Eui64) -> tuple[RemotePartyRole, ...]:
        """Every role in whose cells `entity` stands; none means that it is unknown to the device."""
        return self._roles.get(entity, ())

    def role_of(self, entity: Eui64) -> RemotePartyRole | None:
        return next(iter(self.roles_of(entity)), None)

    def key_of(self, entity: Eui64, usage: KeyUsage) -> PublicKey | None:
        """The management key of a known remote party."""
        for cell in self._cells.values():
            if cell.entity_id == entity and cell.usage is usage and cell.cell_usage is CellUsage.MANAGEMENT:
                return cell.public_key
        return None
