"""What a key store holds, as data for people and machines: everything but the private keys themselves.

`KeystoreListing.model_json_schema()` is the published schema of `smetslab pki show --json`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from smetslab.gbcs.codes import CellUsage, RemotePartyRole
from smetslab.pki.certificate import DSP_XML_SIGN_ROLE, XML_SIGN_ROLE, Certificate
from smetslab.pki.keystore import Entry, KeyRing
from smetslab.pki.profile import check_profile

_FURTHER_ROLES = {XML_SIGN_ROLE: "XML sign", DSP_XML_SIGN_ROLE: "DSP XML sign"}


class EntryListing(BaseModel):
    """One credential. `findings` are breaches of its profile; `private_key` says whether one is held."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["organisation", "device", "authority", "other"]
    entity_id: str | None
    role: int | None
    role_name: str | None
    usage: Literal["digitalSignature", "keyAgreement", "keyCertSign"] | None
    cell_usage: Literal["management", "prepayment_top_up"]
    active: bool
    private_key: bool
    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    fingerprint: str
    findings: tuple[str, ...]


class SkippedListing(BaseModel):
    """Something that was not loaded, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    reason: str


class KeystoreListing(BaseModel):
    """A whole key store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    source: str
    entries: tuple[EntryListing, ...]
    skipped: tuple[SkippedListing, ...]


def list_keystore(keystore: KeyRing, source: str) -> KeystoreListing:
    """Describe every entry of `keystore`."""
    return KeystoreListing(
        source=source,
        entries=tuple(_entry(entry) for entry in keystore.entries),
        skipped=tuple(SkippedListing(name=item.name, reason=item.reason) for item in keystore.skipped),
    )


def role_name(certificate: Certificate) -> str | None:
    """The role in words, None for devices and for what has no role."""
    role = certificate.role
    if role is None:
        return None
    if isinstance(role, RemotePartyRole):
        return role.name.lower().replace("_", " ").replace(" cos", " CoS")
    return _FURTHER_ROLES.get(role, f"role {role:02X}")


def _entry(entry: Entry) -> EntryListing:
    certificate = entry.certificate
    top_up = entry.cell_usage is CellUsage.PREPAYMENT_TOP_UP
    return EntryListing(
        name=entry.name,
        kind=certificate.kind.value,
        entity_id=None if certificate.entity_id is None else str(certificate.entity_id),
        role=None if certificate.role is None else int(certificate.role),
        role_name=role_name(certificate),
        usage=None if certificate.key_usage is None else certificate.key_usage.value,
        cell_usage="prepayment_top_up" if top_up else "management",
        active=entry.active,
        private_key=entry.private_key is not None,
        subject=str(certificate.subject),
        issuer=str(certificate.issuer),
        serial=f"{certificate.serial:X}",
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        fingerprint=certificate.fingerprint.hex(),
        findings=tuple(str(finding) for finding in check_profile(certificate)),
    )
