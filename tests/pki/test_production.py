"""Nothing enters the laboratory that may be a production credential."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Authority, Certificate, CredentialGuard, Entry, KeyRing, load_keystore, oids
from smetslab.pki import template as write
from smetslab.pki.names import DistinguishedName, name

SUPPLIER = Eui64.parse("90B3D51F30010000")
KEY = PrivateKey.from_seed(b"p" * 32)
X1 = name((oids.ORGANISATIONAL_UNIT, "07"), (oids.COMMON_NAME, "X1"))
Z1 = name((oids.ORGANISATIONAL_UNIT, "07"), (oids.COMMON_NAME, "Z1"))
Z1_KEY_ID = bytes.fromhex("4F5688D7EC933BE2")


def issued(
    authority: Authority, issuer: DistinguishedName, key_id: bytes | None, by: PrivateKey | None = None
) -> Certificate:
    """An organisation certificate that names `issuer` and its key identifier."""
    from smetslab.pki import der

    extensions = [write.key_usage(KeyUsage.DIGITAL_SIGNATURE)]
    if key_id is not None:
        value = der.sequence(der.tlv(0x80, key_id))
        extensions.append(write.extension(oids.AUTHORITY_KEY_IDENTIFIER, value, critical=False))
    template = write.Template(
        serial=9,
        subject=write.organisation_subject(SUPPLIER, 2, ""),
        not_before=authority.valid_from,
        not_after=authority.valid_from.replace(year=2040),
        extensions=tuple(extensions),
    )
    return write.issue(template, KEY.public, issuer, by or authority.issuing.private_key or KEY)


def test_own_credentials_enter(ring: KeyRing) -> None:
    guard = CredentialGuard()
    for certificate in ring.certificates():
        guard.require(certificate)
        assert (guard.source(certificate) or "").startswith("own hierarchy (smetslab TEST")


def test_every_published_credential_enters(zaz1: KeyRing, rtds_folder: Path, z1: Certificate) -> None:
    guard = CredentialGuard()
    published = [*zaz1.certificates(), *load_keystore(rtds_folder).certificates(), z1]
    assert {guard.source(certificate) for certificate in published} == {
        "ZAZ1 issuing authority Z1",
        "published issuer OB",
        "RTDS device issuer E357",
        "ZAZ1 root ZA",
    }


@pytest.mark.parametrize(
    ("issuer", "key_id", "by"),
    [
        (X1, bytes(8), None),
        (X1, None, None),
        (X1, Z1_KEY_ID, None),
        (X1, None, KEY),
        (Z1, bytes(8), None),
        (Z1, None, None),
        (name((oids.COMMON_NAME, "Z1")), Z1_KEY_ID, None),
        (name((oids.COMMON_NAME, "no smetslab TEST")), bytes(8), None),
        (name((oids.COMMON_NAME, "smetslab")), bytes(8), None),
        (DistinguishedName(), Z1_KEY_ID, None),
    ],
    ids=[
        "unknown issuer",
        "unknown issuer without key identifier",
        "unknown issuer with the key identifier of a known one",
        "unknown issuer, signed by itself",
        "known issuer with another key",
        "known issuer without key identifier, signed by another",
        "part of a known name",
        "our mark in another place",
        "part of our mark",
        "no issuer",
    ],
)
def test_unknown_issuer_is_refused(
    authority: Authority, issuer: DistinguishedName, key_id: bytes | None, by: PrivateKey | None
) -> None:
    certificate = issued(authority, issuer, key_id, by)
    with pytest.raises(CertificateError, match="no known test issuer, so it may be a production credential"):
        CredentialGuard().require(certificate)
    CredentialGuard(allow_production=True).require(certificate)


def test_published_form_of_certificates_that_sign_themselves_enters(authority: Authority) -> None:
    assert CredentialGuard().source(issued(authority, Z1, None, KEY)) == "ZAZ1 issuing authority Z1"


def foreign_hierarchy(authority: Authority) -> tuple[Entry, Entry, Certificate]:
    """Root, issuing authority and organisation of a hierarchy that bears no mark."""
    root_key, issuing_key = PrivateKey.from_seed(b"1" * 32), PrivateKey.from_seed(b"2" * 32)
    root_name, issuing_name = X1, name((oids.ORGANISATIONAL_UNIT, "07"), (oids.COMMON_NAME, "X2"))

    def make(subject, key: PrivateKey, issuer, issuer_key: PrivateKey) -> Entry:
        template = write.Template(
            serial=4,
            subject=subject,
            not_before=authority.valid_from,
            not_after=authority.valid_from.replace(year=2040),
            extensions=(
                write.key_usage(KeyUsage.KEY_CERT_SIGN),
                write.basic_constraints(None),
                write.policies(oids.ORGANISATION_POLICY),
                write.subject_key_id(key.public),
                write.authority_key_id(issuer_key.public),
            ),
        )
        return Entry(
            name="x", certificate=write.issue(template, key.public, issuer, issuer_key), private_key=key
        )

    root = make(root_name, root_key, root_name, root_key)
    issuing = make(issuing_name, issuing_key, root_name, root_key)
    leaf = write.Template(
        serial=6,
        subject=write.organisation_subject(SUPPLIER, 2, ""),
        not_before=authority.valid_from,
        not_after=authority.valid_from.replace(year=2040),
        extensions=(
            write.key_usage(KeyUsage.DIGITAL_SIGNATURE),
            write.policies(oids.ORGANISATION_POLICY),
            write.authority_key_id(issuing_key.public),
        ),
    )
    return root, issuing, write.issue(leaf, KEY.public, issuing_name, issuing_key)


def test_declared_anchor_lets_its_hierarchy_enter(authority: Authority, tmp_path: Path) -> None:
    root, issuing, leaf = foreign_hierarchy(authority)
    for stem, certificate in (("root", root.certificate), ("issuing", issuing.certificate), ("leaf", leaf)):
        (tmp_path / f"{stem}.pem").write_bytes(certificate.to_pem())
    with pytest.raises(CertificateError, match="--test-anchor"):
        load_keystore(tmp_path)
    assert len(load_keystore(tmp_path, CredentialGuard(test_anchors=(root.certificate,)))) == 3
    assert (
        len(load_keystore(tmp_path, CredentialGuard(test_anchors=(root.certificate, issuing.certificate))))
        == 3
    )


def test_declared_anchor_lets_nothing_else_enter(authority: Authority) -> None:
    root, issuing, _leaf = foreign_hierarchy(authority)
    guard = CredentialGuard(test_anchors=(root.certificate,))
    impostor = issued(authority, issuing.certificate.subject, issuing.certificate.subject_key_id)
    with pytest.raises(CertificateError):
        guard.require(impostor, [issuing.certificate])


def test_refused_fingerprint_is_not_overruled(authority: Authority) -> None:
    certificate = authority.root.certificate
    for allow in (False, True):
        guard = CredentialGuard(
            refused=frozenset({certificate.fingerprint}), test_anchors=(certificate,), allow_production=allow
        )
        with pytest.raises(CertificateError, match="list of refused certificates"):
            guard.require(certificate)
        guard.require(authority.issuing.certificate)
