"""Path validation: from a certificate up to a trust anchor that the caller names.

The part of RFC 5280 6.1 that the SMKI profiles leave standing: names, signatures, validity, basic
constraints, key usage, policies without mappings, unknown critical extensions. Every anchor is explicit: a
root, an issuing authority pinned in its place (a replay of the published vectors ends at one), the end
certificate itself, or the bare key of a device's root cell. Time is an argument; None leaves the validity
periods out, as a device without a reliable clock does.

Spec: GBCS 12, 13; RFC 5280 6.1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from smetslab.crypto import PublicKey
from smetslab.errors import CertificateError
from smetslab.pki import oids
from smetslab.pki.certificate import Certificate
from smetslab.pki.limits import MAX_PATH_CERTIFICATES, MAX_SIGNATURE_CHECKS
from smetslab.pki.names import DistinguishedName

_PROCESSED = frozenset(
    {
        oids.KEY_USAGE,
        oids.BASIC_CONSTRAINTS,
        oids.CERTIFICATE_POLICIES,
        oids.SUBJECT_ALTERNATIVE_NAME,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.AUTHORITY_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchor:
    """A key that is trusted because somebody says so.

    A trust anchor cell of a device holds a key and its identifier but no X.509 name: `name` is None then,
    and only identifier and signature decide. `certificate` is there when the anchor was pinned as one.
    """

    public_key: PublicKey
    key_id: bytes | None
    name: DistinguishedName | None = None
    certificate: Certificate | None = None

    @classmethod
    def of(cls, certificate: Certificate) -> TrustAnchor:
        """Pin `certificate`, whatever it is."""
        return cls(
            public_key=certificate.public_key,
            key_id=certificate.subject_key_id,
            name=certificate.subject,
            certificate=certificate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidPath:
    """A path that holds: the certificate, its issuers after it, the anchor that vouches for the last one.

    `policies`: the ids under which the whole path is valid.
    """

    certificates: tuple[Certificate, ...]
    anchor: TrustAnchor
    policies: frozenset[str]


def validate_path(
    certificate: Certificate,
    *,
    anchors: Iterable[TrustAnchor],
    intermediates: Iterable[Certificate] = (),
    at: datetime | None = None,
    policies: Collection[str] | None = None,
) -> ValidPath:
    """Find a path from `certificate` to one of `anchors` that keeps every rule, or raise CertificateError.

    `policies` are the acceptable policy ids (the user-initial-policy-set, with an explicit policy
    required); None does not ask for a policy. The error is that of the path that came furthest.
    """
    search = _Search(
        tuple(anchors), tuple(intermediates), at, None if policies is None else frozenset(policies)
    )
    path = search.extend((certificate,))
    if path is None:
        raise search.failure
    return path


class _Search:
    """Depth first, bounded in depth and in signatures."""

    def __init__(
        self,
        anchors: tuple[TrustAnchor, ...],
        intermediates: tuple[Certificate, ...],
        at: datetime | None,
        policies: frozenset[str] | None,
    ) -> None:
        self._anchors = anchors
        self._intermediates = intermediates
        self._at = at
        self._policies = policies
        self._signatures = 0
        self._furthest = 0
        self.failure = CertificateError("no trust anchor is given", spec="RFC 5280 6.1.1")

    def extend(self, path: tuple[Certificate, ...]) -> ValidPath | None:
        last = path[-1]
        try:
            _check_certificate(last, len(path) - 1, self._at)
        except CertificateError as error:
            self._fail(len(path) * 2, error)
            return None
        for anchor in self._anchors:
            try:
                if self._vouches(anchor, last, below=len(path) - 1):
                    kept = path[:-1] if anchor.certificate == last and len(path) > 1 else path
                    return ValidPath(
                        certificates=kept, anchor=anchor, policies=_common_policies(kept, self._policies)
                    )
            except CertificateError as error:
                self._fail(len(path) * 2 + 1, error)
        for issuer in self._intermediates:
            if issuer in path or not _may_issue(TrustAnchor.of(issuer), last):
                continue
            if len(path) >= MAX_PATH_CERTIFICATES:
                self._fail(
                    len(path) * 2 + 1, CertificateError(f"path is longer than {MAX_PATH_CERTIFICATES}")
                )
                return None
            try:
                self._check_signature(issuer.public_key, last)
            except CertificateError as error:
                self._fail(len(path) * 2 + 1, error)
                continue
            found = self.extend((*path, issuer))
            if found is not None:
                return found
        what = f"{last.title}: its issuer {last.issuer} is neither a trust anchor nor at hand"
        self._fail(len(path) * 2, CertificateError(what, spec="RFC 5280 6.1.3"))
        return None

    def _fail(self, progress: int, error: CertificateError) -> None:
        """Keep the first error of the path that came furthest."""
        if progress > self._furthest:
            self._furthest = progress
            self.failure = error

    def _vouches(self, anchor: TrustAnchor, certificate: Certificate, *, below: int) -> bool:
        """Whether `certificate` is the anchor, or is issued by it; raises when it pretends to be."""
        if anchor.certificate is not None and anchor.certificate == certificate:
            return True
        if not _may_issue(anchor, certificate):
            return False
        self._check_signature(anchor.public_key, certificate)
        if anchor.certificate is not None:
            _check_issuer(anchor.certificate, below)
        return True

    def _check_signature(self, key: PublicKey, certificate: Certificate) -> None:
        self._signatures += 1
        if self._signatures > MAX_SIGNATURE_CHECKS:
            raise CertificateError(f"more than {MAX_SIGNATURE_CHECKS} signatures would have to be checked")
        if not certificate.signed_by(key):
            what = f"{certificate.title}: signature is not that of its issuer {certificate.issuer}"
            raise CertificateError(what, spec="RFC 5280 6.1.3 (a)(1)")


def _may_issue(anchor: TrustAnchor, certificate: Certificate) -> bool:
    """Whether name and key identifier of `certificate` point to `anchor`. Spec: RFC 5280 4.2.1.1, 6.1.3."""
    if anchor.name is not None and not anchor.name.matches(certificate.issuer):
        return False
    if certificate.authority_key_id is None or anchor.key_id is None:
        # A name alone may lead upwards: XML signing certificates have no identifier. A bare key has no name.
        return anchor.name is not None
    return anchor.key_id == certificate.authority_key_id


def _check_certificate(certificate: Certificate, below: int, at: datetime | None) -> None:
    """The rules for a certificate with `below` certificates beneath it in the path."""
    if at is not None and not certificate.not_before <= at <= certificate.not_after:
        period = f"{certificate.not_before:%Y-%m-%dT%H:%M:%SZ} to {certificate.not_after:%Y-%m-%dT%H:%M:%SZ}"
        what = f"{certificate.title}: not valid at {at:%Y-%m-%dT%H:%M:%SZ}, only {period}"
        raise CertificateError(what, spec="RFC 5280 6.1.3 (a)(2)")
    unknown = [e.oid for e in certificate.extensions if e.critical and e.oid not in _PROCESSED]
    if unknown:
        what = f"{certificate.title}: critical extension {', '.join(unknown)} is unknown"
        raise CertificateError(what, spec="RFC 5280 6.1.4 (o)")
    if below:
        _check_issuer(certificate, below - 1)


def _check_issuer(certificate: Certificate, between: int) -> None:
    """The rules for an issuer with `between` authorities between it and the end. Spec: RFC 5280 6.1.4."""
    constraints = certificate.basic_constraints
    if constraints is None or not constraints.is_authority:
        what = f"{certificate.title}: issued a certificate but is no authority"
        raise CertificateError(what, spec="RFC 5280 6.1.4 (k)")
    if constraints.path_length is not None and between > constraints.path_length:
        limit = constraints.path_length
        what = f"{certificate.title}: authorities below it: {between}, at most {limit}"
        raise CertificateError(what, spec="RFC 5280 6.1.4 (m)")
    if "key_cert_sign" not in certificate.usage_bits:
        what = f"{certificate.title}: issued a certificate but may not sign certificates"
        raise CertificateError(what, spec="RFC 5280 6.1.4 (n)")


def _common_policies(path: tuple[Certificate, ...], accepted: frozenset[str] | None) -> frozenset[str]:
    """The policies that every certificate names and that are accepted. Spec: RFC 5280 6.1.3 (d)."""
    common = accepted
    for certificate in reversed(path):
        named = frozenset(certificate.policies)
        if oids.ANY_POLICY not in named:
            common = named if common is None else common & named
        if accepted is not None and not common:
            shown = ", ".join(certificate.policies) or "none"
            what = f"{certificate.title}: policy {shown} is not accepted for this path"
            raise CertificateError(what, spec="GBCS 12; RFC 5280 6.1.3 (f)")
    return frozenset({oids.ANY_POLICY}) if common is None else common
