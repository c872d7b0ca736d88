"""Whether a device trusts a certificate that a command brings: profile, use, and the path to its root.

Spec: GBCS 12 (profile), 13.3 (path validation); RFC 5280 6.1. Which of its steps gives which status is
unverified.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from smetslab.devices.credentials import CellName
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import KeyUsage, RemotePartyRole
from smetslab.pki import (
    Certificate,
    CertificateKind,
    TrustAnchor,
    check_profile,
    parse_certificate,
    validate_path,
)
from smetslab.pki.profile import ORGANISATION_POLICIES

Distrust = Literal["badCertificate", "noTrustAnchor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRules:
    """How a device judges certificates of organisations.

    `anchors` are trusted besides the root cell: a laboratory pins an issuing authority whose root is not at
    hand. `checks_role`: the OU of a certificate has to be the role of its cell; published responses show
    devices that do not ask. `time`: at which time validity is judged, from that of the device.
    """

    anchors: tuple[TrustAnchor, ...] = ()
    policies: Collection[str] = ORGANISATION_POLICIES
    checks_role: bool = False
    time: Callable[[datetime], datetime] = lambda device_time: device_time


def read_path(octets: Sequence[bytes]) -> tuple[Certificate, ...]:
    """The certificates of a path that can be read; one that cannot supports nobody."""
    found: list[Certificate] = []
    for der in octets:
        try:
            found.append(parse_certificate(der))
        except CertificateError:
            continue
    return tuple(found)


def judge_certificate(
    der: bytes,
    cell: CellName,
    *,
    path: Sequence[Certificate],
    anchors: Sequence[TrustAnchor],
    rules: CertificateRules,
    at: datetime | None,
) -> Certificate | Distrust:
    """The certificate when it may stand in `cell`, else what is wrong. `at` None: validity does not count."""
    role, usage, _ = cell
    try:
        certificate = parse_certificate(der)
    except CertificateError:
        return "badCertificate"
    root = role is RemotePartyRole.ROOT
    kind = CertificateKind.AUTHORITY if root else CertificateKind.ORGANISATION
    wrong = (
        certificate.key_usage is not usage
        or bool(check_profile(certificate, kind, policies=rules.policies))
        or (rules.checks_role and certificate.role is not role)
    )
    if wrong or (root and usage is not KeyUsage.KEY_CERT_SIGN):
        return "badCertificate"
    try:
        validate_path(
            certificate, anchors=anchors, intermediates=path, at=at, policies=tuple(rules.policies) or None
        )
    except CertificateError:
        return "badCertificate" if _reaches_anchor(certificate, path, anchors) else "noTrustAnchor"
    return certificate


def _reaches_anchor(
    certificate: Certificate, path: Sequence[Certificate], anchors: Sequence[TrustAnchor]
) -> bool:
    """Whether key identifiers lead from a certificate to an anchor, whatever else is wrong."""
    wanted = certificate.authority_key_id
    for _ in range(len(path) + 1):
        if wanted is None:
            return False
        if any(anchor.key_id == wanted for anchor in anchors):
            return True
        issuer = next((one for one in path if one.subject_key_id == wanted), None)
        if issuer is None:
            return False
        wanted = issuer.authority_key_id
    return False
