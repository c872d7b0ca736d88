"""Key stores: who has which certificate and which private key.

`KeyStore` is the boundary that everything else stands on; `KeyRing` is the one kept in memory, which the
loaders of `smetslab.pki.loaders` fill and `smetslab.pki.authority` makes. Certificates and keys are parsed
once, before they get here. Nothing here shows a private key.

Spec: GBCS 4.3.2 (which key protects what), 12; ZAZ1 key store of the published test tools.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from smetslab.crypto import PrivateKey, PublicKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.ids import Eui64
from smetslab.pki.certificate import Certificate, CertificateKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One credential. `cell_usage` is the entry's to say: a certificate does not tell a top-up key apart.

    `active` entries are those that `find` chooses from; the others (an older or newer generation of the same
    credential) are at hand where a message or certificate asks for exactly them.
    """

    name: str
    certificate: Certificate
    private_key: PrivateKey | None = None
    cell_usage: CellUsage = CellUsage.MANAGEMENT
    active: bool = True


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a key store that was not loaded, or not as it stands there, and why."""

    name: str
    reason: str


class KeyStore(Protocol):
    """What actors ask for keys: the DCC and users for their own, everybody for the certificates of others."""

    def find(self, entity_id: Eui64, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT) -> Entry:
        """The one active GBCS credential of a party. Raises CertificateError for none, or several."""

    def private_key(
        self, entity_id: Eui64, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT
    ) -> PrivateKey:
        """The private key to what `find` returns. Raises CertificateError when it is not held."""

    def xml_signer(self, entity_id: Eui64) -> Entry:
        """The credential with which a party signs DUIS documents. Raises CertificateError for none."""

    def private_key_for(self, public_key: PublicKey) -> PrivateKey | None:
        """The private half of `public_key`, whichever entry holds it."""

    def certificates(self) -> tuple[Certificate, ...]:
        """Every certificate, in the order of the store."""


class KeyRing:
    """A key store in memory. Immutable; `merged` makes a new one."""

    def __init__(self, entries: Iterable[Entry], skipped: Iterable[Skipped] = ()) -> None:
        """Raises CertificateError when a private key is not that of the certificate beside it."""
        kept: dict[tuple[bytes, CellUsage], Entry] = {}
        for entry in entries:
            if entry.private_key is not None and entry.private_key.public != entry.certificate.public_key:
                raise CertificateError(f"{entry.name}: the private key is not that of the certificate")
            place = (entry.certificate.fingerprint, entry.cell_usage)
            first = kept.setdefault(place, entry)
            if first.private_key is None and entry.private_key is not None:
                kept[place] = replace(first, private_key=entry.private_key)
        self.entries = tuple(kept.values())
        self.skipped = tuple(skipped)
        self._by_slot: dict[tuple[Eui64, KeyUsage, CellUsage], list[Entry]] = {}
        self._xml: dict[Eui64, list[Entry]] = {}
        self._keys: dict[PublicKey, PrivateKey] = {}
        self._serials: dict[int, Entry] = {}
        for entry in self.entries:
            self._index(entry)

    def _index(self, entry: Entry) -> None:
        certificate = entry.certificate
        self._serials.setdefault(certificate.serial, entry)
        if entry.private_key is not None:
            self._keys.setdefault(entry.private_key.public, entry.private_key)
        if certificate.entity_id is None or certificate.key_usage is None:
            return
        if certificate.signs_xml:
            self._xml.setdefault(certificate.entity_id, []).append(entry)
        else:
            slot = (certificate.entity_id, certificate.key_usage, entry.cell_usage)
            self._by_slot.setdefault(slot, []).append(entry)

    def find(self, entity_id: Eui64, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT) -> Entry:
        """The one active GBCS credential of a party. Raises CertificateError for none, or several.

        Certificates for XML signatures are never returned here: their keys are no GBCS keys.
        """
        what = f"{usage} certificate of {entity_id}"
        if cell_usage is not CellUsage.MANAGEMENT:
            what += " for prepayment top-up"
        return _only([e for e in self.candidates(entity_id, usage, cell_usage) if e.active], what)

    def candidates(
        self, entity_id: Eui64, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT
    ) -> tuple[Entry, ...]:
        """Every GBCS credential for this use, the active one first."""
        found = self._by_slot.get((entity_id, usage, cell_usage), [])
        return tuple(sorted(found, key=lambda entry: not entry.active))

    def private_key(
        self, entity_id: Eui64, usage: KeyUsage, cell_usage: CellUsage = CellUsage.MANAGEMENT
    ) -> PrivateKey:
        """The private key to what `find` returns. Raises CertificateError when it is not held."""
        entry = self.find(entity_id, usage, cell_usage)
        if entry.private_key is None:
            raise CertificateError(f"the key store holds no private key for {entry.name}")
        return entry.private_key

    def xml_signer(self, entity_id: Eui64) -> Entry:
        """The credential with which a party signs DUIS documents.

        One of role 87 or 89 where it has one, else its ordinary signing certificate, which the second
        supplier and the DCC's own parties use.
        """
        own = [entry for entry in self._xml.get(entity_id, []) if entry.active]
        if own:
            return _only(own, f"XML signing certificate of {entity_id}")
        return self.find(entity_id, KeyUsage.DIGITAL_SIGNATURE)

    def private_key_for(self, public_key: PublicKey) -> PrivateKey | None:
        """The private half of `public_key`, whichever entry holds it."""
        return self._keys.get(public_key)

    def by_serial(self, serial: int) -> Entry | None:
        """The entry whose certificate has this serial number."""
        return self._serials.get(serial)

    def certificates(self) -> tuple[Certificate, ...]:
        """Every certificate, in the order of the store."""
        return tuple(entry.certificate for entry in self.entries)

    def authorities(self) -> tuple[Certificate, ...]:
        """The certificates that may stand above others in a path."""
        return tuple(c for c in self.certificates() if c.kind is CertificateKind.AUTHORITY)

    def merged(self, other: KeyRing) -> KeyRing:
        """Both together. An entry of `self` makes the entries of `other` for the same use inactive."""
        taken = {slot for slot, entries in self._by_slot.items() if any(entry.active for entry in entries)}
        xml = {entity for entity, entries in self._xml.items() if any(entry.active for entry in entries)}
        return KeyRing(
            [*self.entries, *(_stepped_back(entry, taken, xml) for entry in other.entries)],
            [*self.skipped, *other.skipped],
        )

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        held = sum(entry.private_key is not None for entry in self.entries)
        return f"KeyRing({len(self)} certificates, {held} with private key, {len(self.skipped)} skipped)"


def _only(found: list[Entry], what: str) -> Entry:
    if not found:
        raise CertificateError(f"the key store holds no {what}")
    if len(found) > 1:
        raise CertificateError(
            f"the key store holds more than one {what}: {', '.join(e.name for e in found)}"
        )
    return found[0]


def _stepped_back(entry: Entry, taken: set[tuple[Eui64, KeyUsage, CellUsage]], xml: set[Eui64]) -> Entry:
    certificate = entry.certificate
    if certificate.entity_id is None or certificate.key_usage is None:
        return entry
    if certificate.signs_xml:
        occupied = certificate.entity_id in xml
    else:
        occupied = (certificate.entity_id, certificate.key_usage, entry.cell_usage) in taken
    if not (occupied and entry.active):
        return entry
    return replace(entry, active=False)
