"""Keeps production credentials out of the laboratory: deny by default.

What the production SMKI and DCCKI anchors look like is not public knowledge, so a list of them would be a
guess with holes. The rule is therefore the other way round: a certificate is accepted only where something
shows that it belongs to a test hierarchy, and everything else is refused as possibly production. Such are:

1. its issuer is one of the published test issuers, by name and by key identifier. The identifier is a hash
   over the issuer's key, so it cannot fit a production issuer by chance. Some published certificates name
   their issuer but are signed with their own key and carry no identifier; they count only in exactly that
   form, which no production certificate has (GBCS 12 asks for the identifier);
2. its issuer carries the mark that `smetslab.pki.authority` writes into every name;
3. it leads, signature by signature, to an anchor that the user declares to be a test anchor.

Names can be forged. That is no way in for a production credential: its holder would have to have a
certificate issued for a production key under a test name, which is to make a test credential of it. A list
of refused fingerprints comes before all of this and cannot be overruled.

Spec: SMKI test hierarchies as published with the ZAZ1 key store and the Reference Test Data Set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from smetslab.errors import CertificateError
from smetslab.pki import oids
from smetslab.pki.certificate import Certificate
from smetslab.pki.chain import TrustAnchor, validate_path
from smetslab.pki.names import DistinguishedName, name

OWN_MARK = "smetslab TEST"
"""How the common name of every authority of `smetslab.pki.authority` begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestIssuer:
    """An issuer of published test certificates. `self_signed`: some in its name are signed by themselves."""

    issuer: DistinguishedName
    key_id: bytes
    source: str
    self_signed: bool = False

    __test__ = False  # not a test class, whatever its name looks like to a collector


def _issuer(unit: str, common_name: str) -> DistinguishedName:
    parts = ((oids.ORGANISATIONAL_UNIT, unit), (oids.COMMON_NAME, common_name))
    return name(*(part for part in parts if part[1]))


PUBLISHED_TEST_ISSUERS = (
    TestIssuer(
        issuer=_issuer("07", "Z1"),
        key_id=bytes.fromhex("4F5688D7EC933BE2"),
        source="ZAZ1 issuing authority Z1",
        self_signed=True,
    ),
    TestIssuer(issuer=_issuer("00", "ZA"), key_id=bytes.fromhex("48CF1B32697C4669"), source="ZAZ1 root ZA"),
    TestIssuer(
        issuer=_issuer("07", "OB"), key_id=bytes.fromhex("4DDF1EA1B8BD9FBB"), source="published issuer OB"
    ),
    TestIssuer(
        issuer=_issuer("", "E357"), key_id=bytes.fromhex("47D40AF3412904A0"), source="RTDS device issuer E357"
    ),
)
"""The issuers of the published key stores, and the root above them as the CS02b vectors name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialGuard:
    """Decides which certificates may enter. The default accepts published and own test credentials alone.

    `test_anchors`: certificates that the user declares to be anchors of a test hierarchy. `refused`:
    SHA-256 fingerprints that never enter. `allow_production`: the user's own word that everything else may;
    no default sets it.
    """

    test_anchors: tuple[Certificate, ...] = ()
    refused: frozenset[bytes] = field(default=frozenset())
    allow_production: bool = False

    def source(self, certificate: Certificate, intermediates: Iterable[Certificate] = ()) -> str | None:
        """Why `certificate` is known to be a test credential, None when nothing shows it."""
        for issuer in PUBLISHED_TEST_ISSUERS:
            if issuer.issuer.matches(certificate.issuer) and _fits(issuer, certificate):
                return issuer.source
        if certificate.issuer.common_name.startswith(OWN_MARK):
            return f"own hierarchy ({certificate.issuer.common_name})"
        if self.test_anchors:
            return self._declared(certificate, intermediates)
        return None

    def require(self, certificate: Certificate, intermediates: Iterable[Certificate] = ()) -> None:
        """Raise CertificateError when `certificate` may not enter."""
        if certificate.fingerprint in self.refused:
            raise CertificateError(
                f"{certificate.title}: its fingerprint is on the list of refused certificates"
            )
        if not self.allow_production and self.source(certificate, intermediates) is None:
            raise CertificateError(
                f"{certificate.title}: issued by {certificate.issuer}, which is no known test issuer, so it "
                "may be a production credential; declare the anchor of its test hierarchy with "
                "--test-anchor, or allow it knowingly with --allow-production"
            )

    def _declared(self, certificate: Certificate, intermediates: Iterable[Certificate]) -> str | None:
        try:
            path = validate_path(
                certificate,
                anchors=[TrustAnchor.of(anchor) for anchor in self.test_anchors],
                intermediates=intermediates,
            )
        except CertificateError:
            return None
        return f"declared test anchor {path.anchor.name}"


def _fits(issuer: TestIssuer, certificate: Certificate) -> bool:
    if certificate.authority_key_id is None:
        return issuer.self_signed and certificate.signed_by(certificate.public_key)
    return certificate.authority_key_id == issuer.key_id
