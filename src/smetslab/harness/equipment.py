"""What took part in a run, for the manifest: devices with their exact versions, and certificates."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Equipment(_Entry):
    """One device of the bench. What is not known of it stays absent. Spec: SEC Section F4.4 (traceable
    testing).
    """

    role: Literal["dut", "hub", "companion", "radio"]
    name: str
    type: str
    realisation: Literal["simulated", "real"]
    variant: str | None = None
    profile: str | None = None
    manufacturer_id: str | None = None
    model_id: str | None = None
    hardware_version: str | None = None
    firmware_version: str | None = None
    image_hash: str | None = None
    eui64: str | None = None
    gbcs_version: str | None = None
    smets_version: str | None = None
    serial: str | None = None
    quirks: tuple[str, ...] = ()


class CertificateSummary(_Entry):
    """A certificate that was in use: never a key. `fingerprint`: SHA-256 of the DER, upper-case hex."""

    subject: str
    serial: str
    usage: str
    fingerprint: str
