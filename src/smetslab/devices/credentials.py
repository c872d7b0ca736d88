"""The credentials that a device holds of others: the trust anchor cells that make a remote party known to it,
and the keys that it starts with itself.

Cells change by Update Security Credentials; what they hold is in non-volatile memory.

Spec: GBCS 13 (trust anchor cells), glossary (known and unknown remote party); which cells a device type has
is unverified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.devices.security.contingency import ContingencyKey
from smetslab.devices.work import Work
from smetslab.errors import CertificateError, RegistryError
from smetslab.gbcs.codes import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.pki import Certificate, KeyStore, TrustAnchor, parse_certificate
from smetslab.store import Nvm

_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT
_MANAGEMENT, _TOP_UP = CellUsage.MANAGEMENT, CellUsage.PREPAYMENT_TOP_UP

CellName = tuple[RemotePartyRole, KeyUsage, CellUsage]

ROOT_CELL: CellName = (RemotePartyRole.ROOT, KeyUsage.KEY_CERT_SIGN, _MANAGEMENT)
NOBODY = Eui64(bytes(8))
"""What stands for the id of an authority, which has none. Spec: GBCS use case CS02b."""

_COMMON_CELLS: tuple[CellName, ...] = (ROOT_CELL, (RemotePartyRole.RECOVERY, _DS, _MANAGEMENT))
_SUPPLIER_CELLS: tuple[CellName, ...] = (
    (RemotePartyRole.SUPPLIER, _DS, _MANAGEMENT),
    (RemotePartyRole.SUPPLIER, _KA, _MANAGEMENT),
    (RemotePartyRole.SUPPLIER, _KA, _TOP_UP),
)
_NETWORK_CELLS: tuple[CellName, ...] = (
    (RemotePartyRole.NETWORK_OPERATOR, _DS, _MANAGEMENT),
    (RemotePartyRole.NETWORK_OPERATOR, _KA, _MANAGEMENT),
)
_BROKER_AGREES: CellName = (RemotePartyRole.ACCESS_CONTROL_BROKER, _KA, _MANAGEMENT)
_BROKER_SIGNS: CellName = (RemotePartyRole.ACCESS_CONTROL_BROKER, _DS, _MANAGEMENT)
_METER_CELLS: tuple[CellName, ...] = (
    *_COMMON_CELLS,
    *_SUPPLIER_CELLS,
    *_NETWORK_CELLS,
    _BROKER_AGREES,
    (RemotePartyRole.TRANSITIONAL_COS, _DS, _MANAGEMENT),
)
_LOAD_CONTROLLER_CELLS: tuple[CellName, ...] = (
    (RemotePartyRole.LOAD_CONTROLLER, _DS, _MANAGEMENT),
    (RemotePartyRole.LOAD_CONTROLLER, _KA, _MANAGEMENT),
)

CELLS: Mapping[DeviceType, tuple[CellName, ...]] = {
    DeviceType.ESME: (*_METER_CELLS, *_LOAD_CONTROLLER_CELLS),
    DeviceType.GSME: _METER_CELLS,
    DeviceType.GPF: _METER_CELLS,
    DeviceType.CHF: (
        *_COMMON_CELLS,
        _BROKER_SIGNS,
        _BROKER_AGREES,
        (RemotePartyRole.WAN_PROVIDER, _DS, _MANAGEMENT),
    ),
    # A supplier's signature on a pairing command to an HCALCS is published, so it holds that certificate.
    DeviceType.HCALCS: (
        *_COMMON_CELLS,
        (RemotePartyRole.SUPPLIER, _DS, _MANAGEMENT),
        _BROKER_SIGNS,
        _BROKER_AGREES,
    ),
    DeviceType.PPMID: (
        *_COMMON_CELLS,
        (RemotePartyRole.SUPPLIER, _DS, _MANAGEMENT),
        _BROKER_SIGNS,
        _BROKER_AGREES,
    ),
    DeviceType.TYPE_2: (),
}
"""The cells of a device of each type."""


@dataclass(frozen=True, slots=True)
class PendingKey:
    """A device's key pair without a certificate. `public` is the half that its certificate has to name."""

    private: PrivateKey
    public: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """A new device's own private keys and the certificates of their public halves.

    `pending`: key pairs that wait for a certificate already.
    """

    ds: PrivateKey
    ka: PrivateKey
    ds_certificate: Certificate | None = None
    ka_certificate: Certificate | None = None
    pending: tuple[tuple[KeyUsage, PendingKey], ...] = ()

    @classmethod
    def from_keystore(cls, keystore: KeyStore, device: Eui64) -> DeviceKeys:
        """Raises CertificateError when the key store lacks a certificate or private key of `device`."""
        return cls(
            ds=keystore.private_key(device, _DS),
            ka=keystore.private_key(device, _KA),
            ds_certificate=keystore.find(device, _DS).certificate,
            ka_certificate=keystore.find(device, _KA).certificate,
        )


@cache
def _name(role: RemotePartyRole, usage: KeyUsage, cell_usage: CellUsage) -> CellName:
    """The name of a cell, the same object for all devices."""
    return role, usage, cell_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One trust anchor cell and who is in it. `certificate`: what it was filled with."""

    role: RemotePartyRole
    usage: KeyUsage
    cell_usage: CellUsage
    entity_id: Eui64
    key_id: bytes
    public_key: PublicKey
    certificate: Certificate

    @property
    def name(self) -> CellName:
        return _name(self.role, self.usage, self.cell_usage)

    @staticmethod
    @lru_cache(maxsize=256)
    def of(role: RemotePartyRole, cell_usage: CellUsage, certificate: Certificate) -> Cell:
        """The cell that holds `certificate`, the same object for all devices. Raises CertificateError when
        that names no party, use or key id."""
        entity = certificate.entity_id
        if role is RemotePartyRole.ROOT and certificate.key_usage is KeyUsage.KEY_CERT_SIGN:
            entity = NOBODY
        if entity is None or certificate.key_usage is None or certificate.subject_key_id is None:
            raise CertificateError(f"{certificate.title} cannot stand in a trust anchor cell", spec="GBCS 13")
        return Cell(
            role=role,
            usage=certificate.key_usage,
            cell_usage=cell_usage,
            entity_id=entity,
            key_id=certificate.subject_key_id,
            public_key=certificate.public_key,
            certificate=certificate,
        )


_PREFIX = "credential/cell/"


class TrustAnchorStore:
    """The trust anchor cells of one device.

    One that was made from cells is what a new device has; `opened` gives the one that a device works with,
    which remembers in memory what was put into it.
    """

    def __init__(self, cells: Iterable[Cell], contingency: ContingencyKey | None = None) -> None:
        """`contingency`: the key that came with the root, if one did. Raises RegistryError when a cell is
        filled twice.
        """
        self.contingency = contingency
        self._cells: dict[CellName, Cell] = {}
        self._roles: dict[Eui64, tuple[RemotePartyRole, ...]] = {}
        for cell in cells:
            if cell.name in self._cells:
                raise RegistryError(
                    f"trust anchor cell {cell.role.name} {cell.usage} is filled twice", rule="unique"
                )
            self._cells[cell.name] = cell
        self._index()

    def _index(self) -> None:
        self._roles.clear()
        for cell in self._cells.values():
            roles = self._roles.get(cell.entity_id, ())
            if cell.role not in roles and cell.entity_id != NOBODY:
                self._roles[cell.entity_id] = (*roles, cell.role)

    @classmethod
    def for_device(
        cls,
        device_type: DeviceType,
        keystore: KeyStore,
        parties: Mapping[RemotePartyRole, Eui64],
        *,
        root: Certificate | None = None,
        contingency: ContingencyKey | None = None,
    ) -> TrustAnchorStore:
        """The cells of a device of this type, filled from the key store; roles not in `parties` stay empty.

        `root` is for the root cell, `contingency` the key that comes with it. Raises CertificateError when
        the key store lacks a certificate that a cell needs.
        """
        cells: list[Cell] = []
        for role, usage, cell_usage in CELLS[device_type]:
            if role is RemotePartyRole.ROOT:
                if root is not None:
                    cells.append(Cell.of(role, cell_usage, root))
            elif role in parties:
                certificate = keystore.find(parties[role], usage, cell_usage).certificate
                cells.append(Cell.of(role, cell_usage, certificate))
        return cls(cells, contingency)

    def opened(self, nvm: Nvm) -> TrustAnchorStore:
        """The cells as the memory of a device has them; those that were never replaced are as in `self`."""
        cells = dict(self._cells)
        for key, octets in nvm.items(_PREFIX):
            role, _, cell_usage = key.removeprefix(_PREFIX).split("/")
            cell = Cell.of(RemotePartyRole(int(role)), CellUsage(int(cell_usage)), parse_certificate(octets))
            cells[cell.name] = cell
        return TrustAnchorStore(cells.values(), self.contingency)

    def put(self, work: Work, cell: Cell) -> None:
        """Replace what is in a cell, from now on and over power cuts."""
        self._cells[cell.name] = cell
        self._index()
        place = f"{_PREFIX}{int(cell.role)}/{cell.usage}/{int(cell.cell_usage)}"
        work.tx.put(place, cell.certificate.der)

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(self._cells.values())

    @property
    def root(self) -> TrustAnchor | None:
        """The root cell as an anchor for path validation: a bare key. Spec: GBCS 13."""
        cell = self._cells.get(ROOT_CELL)
        return None if cell is None else TrustAnchor(public_key=cell.public_key, key_id=cell.key_id)

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
