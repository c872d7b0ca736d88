"""A key ring as messages ask it: by entity, every credential that may fit.

Spec: GBCS 6.2.2, 6.4.5, 7.2.7.
"""

from __future__ import annotations

from collections.abc import Iterator

from smetslab.crypto import PrivateKey, SharedSecrets
from smetslab.gbcs.codes import KeyUsage, RemotePartyRole
from smetslab.gbcs.keys import CertificateNote, role_of
from smetslab.ids import Eui64
from smetslab.pki.certificate import Certificate, CertificateKind, parse_certificate
from smetslab.pki.keystore import Entry, KeyRing

_USAGES = (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)


class RingLookup:
    """Answers from a key ring. Keeps the shared secrets of each pair of parties."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._shared = SharedSecrets()
        self._by_pair: dict[tuple[Eui64, Eui64], tuple[bytes, ...]] = {}
        self._notes: dict[Eui64, tuple[CertificateNote, ...]] = {}
        ids = [entry.certificate.entity_id for entry in ring.entries]
        everybody = tuple(dict.fromkeys(entity for entity in ids if entity is not None))
        self._entities: dict[RemotePartyRole | None, tuple[Eui64, ...]] = {None: everybody}

    def certificates_of(self, entity: Eui64) -> tuple[CertificateNote, ...]:
        """Those that sign messages or agree on keys; the active ones first."""
        notes = self._notes.get(entity)
        if notes is None:
            entries = [entry for usage in _USAGES for entry in self.ring.candidates(entity, usage)]
            notes = self._notes[entity] = tuple([_note(entry.certificate) for entry in entries])
        return notes

    def read_certificate(self, der: bytes) -> CertificateNote:
        """Raises CertificateError for octets that are no certificate."""
        return _note(parse_certificate(der))

    def shared_secrets(self, first: Eui64, second: Eui64) -> tuple[bytes, ...]:
        """One for each pair of credentials of which a private key is at hand."""
        pair = (first, second)
        found = self._by_pair.get(pair)
        if found is None:
            found = self._by_pair[pair] = tuple(self._agreements(first, second))
        return found

    def _agreements(self, first: Eui64, second: Eui64) -> Iterator[bytes]:
        for ours in self._agreement_entries(first):
            for theirs in self._agreement_entries(second):
                if ours.private_key is not None:
                    yield self._shared.get(ours.private_key, theirs.certificate.public_key)
                elif theirs.private_key is not None:
                    yield self._shared.get(theirs.private_key, ours.certificate.public_key)

    def _agreement_entries(self, entity: Eui64) -> tuple[Entry, ...]:
        return self.ring.candidates(entity, KeyUsage.KEY_AGREEMENT)

    def signing_key(self, entity: Eui64) -> PrivateKey | None:
        """That of the active certificate, where it is held."""
        entries = self.ring.candidates(entity, KeyUsage.DIGITAL_SIGNATURE)
        return next((entry.private_key for entry in entries if entry.private_key is not None), None)

    def entities(self, role: RemotePartyRole | None = None) -> tuple[Eui64, ...]:
        """Everybody who has a certificate, or whose certificates name `role`, in the order of the ring."""
        found = self._entities.get(role)
        if found is None:
            found = tuple(entity for entity in self._entities[None] if role_of(entity, self) is role)
            self._entities[role] = found
        return found


def _note(certificate: Certificate) -> CertificateNote:
    role = certificate.role
    return CertificateNote(
        entity=certificate.entity_id,
        usage=certificate.key_usage,
        role=role if isinstance(role, RemotePartyRole) else None,
        is_device=certificate.kind is CertificateKind.DEVICE,
        public_key=certificate.public_key,
        text=f"{certificate.title}, serial number {certificate.serial:X}",
    )
