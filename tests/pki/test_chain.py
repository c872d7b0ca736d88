"""Path validation: what holds, and every defect that has to be caught."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import (
    Authority,
    Certificate,
    CertificateKind,
    Entry,
    KeyRing,
    TrustAnchor,
    load_pem_folder,
    oids,
    validate_path,
)
from smetslab.pki import template as write
from smetslab.pki.limits import MAX_PATH_CERTIFICATES, MAX_SIGNATURE_CHECKS
from smetslab.pki.names import name
from smetslab.rng import RootSeed

Forge = Callable[..., Certificate]

METER = Eui64.parse("00DB1234567890A0")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_every_certificate_of_the_hierarchy_leads_to_its_root(ring: KeyRing, authority: Authority) -> None:
    for entry in ring.entries:
        certificate = entry.certificate
        path = validate_path(
            certificate,
            anchors=authority.anchors(),
            intermediates=ring.authorities(),
            at=NOW,
            policies=[oids.ORGANISATION_POLICY],
        )
        below_device_root = certificate.kind is CertificateKind.DEVICE or entry.name.startswith("device-")
        root = authority.device_root if below_device_root else authority.root
        assert path.anchor.certificate == root.certificate
        assert path.certificates[0] == certificate
        assert path.policies == {oids.ORGANISATION_POLICY}


def test_path_names_its_certificates_from_the_bottom(forge, authority: Authority) -> None:
    supplier = forge()
    path = validate_path(
        supplier, anchors=authority.anchors(), intermediates=[authority.issuing.certificate], at=NOW
    )
    assert path.certificates == (supplier, authority.issuing.certificate)


def test_a_pinned_issuing_authority_ends_the_path(forge, authority: Authority) -> None:
    path = validate_path(forge(), anchors=[TrustAnchor.of(authority.issuing.certificate)], at=NOW)
    assert path.certificates == (forge(),)


def test_a_pinned_certificate_is_its_own_path(forge) -> None:
    path = validate_path(forge(), anchors=[TrustAnchor.of(forge())], at=NOW)
    assert path.certificates == (forge(),)


def test_the_bare_key_of_a_root_cell_is_an_anchor(forge, authority: Authority) -> None:
    root = authority.root.certificate
    cell = TrustAnchor(public_key=root.public_key, key_id=root.subject_key_id)
    path = validate_path(forge(), anchors=[cell], intermediates=[authority.issuing.certificate], at=NOW)
    assert path.anchor is cell


def test_a_bare_key_without_its_identifier_vouches_for_nobody(forge, authority: Authority) -> None:
    cell = TrustAnchor(public_key=authority.issuing.certificate.public_key, key_id=None)
    with pytest.raises(CertificateError, match="neither a trust anchor nor at hand"):
        validate_path(forge(), anchors=[cell])


def test_validity_is_only_checked_where_a_time_is_given(forge, authority: Authority) -> None:
    ended = forge(not_after=NOW - timedelta(seconds=1))
    anchors = [TrustAnchor.of(authority.issuing.certificate)]
    assert validate_path(ended, anchors=anchors, at=ended.not_after)
    assert validate_path(ended, anchors=anchors)
    with pytest.raises(CertificateError, match="not valid at 2026-03-01"):
        validate_path(ended, anchors=anchors, at=NOW)


def authority_entry(
    label: str,
    issuer: Entry,
    *,
    path_length: int | None = None,
    usage: KeyUsage = KeyUsage.KEY_CERT_SIGN,
    policies: bytes = write.policies(oids.ORGANISATION_POLICY),
    not_after: datetime = datetime(2030, 1, 1, tzinfo=UTC),
) -> Entry:
    """An issuing authority below `issuer` with a key of its own."""
    key = PrivateKey.from_seed(label.encode() * 32)
    assert issuer.private_key is not None
    template = write.Template(
        serial=5,
        subject=name((oids.ORGANISATIONAL_UNIT, "07"), (oids.COMMON_NAME, label)),
        not_before=datetime(2015, 1, 1, tzinfo=UTC),
        not_after=not_after,
        extensions=(
            write.key_usage(usage),
            write.basic_constraints(path_length),
            policies,
            write.subject_key_id(key.public),
            write.authority_key_id(issuer.certificate.public_key),
        ),
    )
    certificate = write.issue(template, key.public, issuer.certificate.subject, issuer.private_key)
    return Entry(name=label, certificate=certificate, private_key=key)


def root_entry(path_length: int | None = None) -> Entry:
    key = PrivateKey.from_seed(b"r" * 32)
    subject = name((oids.ORGANISATIONAL_UNIT, "00"), (oids.COMMON_NAME, "r"))
    template = write.Template(
        serial=1,
        subject=subject,
        not_before=datetime(2015, 1, 1, tzinfo=UTC),
        not_after=datetime(2030, 1, 1, tzinfo=UTC),
        extensions=(
            write.key_usage(KeyUsage.KEY_CERT_SIGN),
            write.basic_constraints(path_length),
            write.policies(oids.ORGANISATION_POLICY),
            write.subject_key_id(key.public),
        ),
    )
    return Entry(name="r", certificate=write.issue(template, key.public, subject, key), private_key=key)


Paths = tuple[Certificate, list[Entry], list[Entry]]
"""A certificate, the anchors and the intermediates."""

DEFECTS: dict[str, tuple[Callable[[Forge, Authority], Paths], str]] = {}


def defect(reason: str) -> Callable[[Callable[[Forge, Authority], Paths]], None]:
    """Registers a path that is sound but for what the function's name says, and how it is to be refused."""

    def register(make: Callable[[Forge, Authority], Paths]) -> None:
        DEFECTS[make.__name__.replace("_", " ")] = make, reason

    return register


@defect("neither a trust anchor nor at hand")
def no_anchor(forge: Forge, authority: Authority) -> Paths:
    return forge(), [], [authority.issuing, authority.root]


@defect("neither a trust anchor nor at hand")
def issuer_is_missing(forge: Forge, authority: Authority) -> Paths:
    return forge(), [authority.root], []


@defect("neither a trust anchor nor at hand")
def other_hierarchy_of_the_same_names(forge: Forge, authority: Authority) -> Paths:
    other = Authority(RootSeed(21))
    return forge(), [other.root], [other.issuing]


@defect("signature is not that of its issuer")
def signature_of_another_key(forge: Forge, authority: Authority) -> Paths:
    return forge(issuer_key=PrivateKey.from_seed(b"x" * 32)), [authority.issuing], []


@defect("neither a trust anchor nor at hand")
def issuer_of_another_name(forge: Forge, authority: Authority) -> Paths:
    root = root_entry()
    renamed = authority_entry("renamed", root)
    impostor = authority_entry("impostor", root)
    key_id = {oids.AUTHORITY_KEY_IDENTIFIER: write.authority_key_id(impostor.certificate.public_key)}
    return forge(issuer=renamed, issuer_key=impostor.private_key, instead=key_id), [root], [impostor]


@defect("neither a trust anchor nor at hand")
def key_identifier_of_another_issuer(forge: Forge, authority: Authority) -> Paths:
    root = root_entry()
    other_id = write.authority_key_id(root.certificate.public_key)
    return forge(instead={oids.AUTHORITY_KEY_IDENTIFIER: other_id}), [authority.issuing], []


@defect("not valid at")
def not_valid_yet(forge: Forge, authority: Authority) -> Paths:
    return forge(not_before=NOW + timedelta(seconds=1)), [authority.issuing], []


@defect("not valid at")
def ended(forge: Forge, authority: Authority) -> Paths:
    return forge(not_after=NOW - timedelta(seconds=1)), [authority.issuing], []


@defect("critical extension 1.2.3.4 is unknown")
def unknown_critical_extension(forge: Forge, authority: Authority) -> Paths:
    extra = write.extension("1.2.3.4", b"\x05\x00", critical=True)
    return forge(extra=(extra,)), [authority.issuing], []


@defect("is no authority")
def issuer_is_an_organisation(forge: Forge, authority: Authority) -> Paths:
    supplier = authority.organisation(METER, 2, KeyUsage.DIGITAL_SIGNATURE)
    return forge(issuer=supplier), [authority.root], [authority.issuing, supplier]


@defect("is no authority")
def pinned_issuer_is_an_organisation(forge: Forge, authority: Authority) -> Paths:
    supplier = authority.organisation(METER, 2, KeyUsage.DIGITAL_SIGNATURE)
    return forge(issuer=supplier), [supplier], []


@defect("may not sign certificates")
def issuer_may_not_sign_certificates(forge: Forge, authority: Authority) -> Paths:
    root = root_entry()
    weak = authority_entry("weak", root, usage=KeyUsage.DIGITAL_SIGNATURE)
    return forge(issuer=weak), [root], [weak]


@defect("OU=07, CN=old.* not valid at")
def issuer_is_out_of_date(forge: Forge, authority: Authority) -> Paths:
    root = root_entry()
    old = authority_entry("old", root, not_after=NOW - timedelta(days=1))
    return forge(issuer=old), [root], [old]


@defect("authorities below it: 1, at most 0")
def path_longer_than_the_authority_allows(forge: Forge, authority: Authority) -> Paths:
    root = root_entry()
    upper = authority_entry("upper", root, path_length=0)
    lower = authority_entry("lower", upper)
    return forge(issuer=lower), [root], [lower, upper]


@defect("authorities below it: 1, at most 0")
def path_longer_than_the_pinned_root_allows(forge: Forge, authority: Authority) -> Paths:
    short = root_entry(path_length=0)
    lower = authority_entry("lower", short)
    return forge(issuer=lower), [short], [lower]


@defect("path is longer than 5")
def path_longer_than_any(forge: Forge, authority: Authority) -> Paths:
    root = root_entry()
    chain = [root]
    for number in range(MAX_PATH_CERTIFICATES):
        chain.append(authority_entry(f"level {number}", chain[-1]))
    return forge(issuer=chain[-1]), [root], chain[1:]


@defect("policy 1.2.3 is not accepted")
def policy_that_is_not_accepted(forge: Forge, authority: Authority) -> Paths:
    return (
        forge(instead={oids.CERTIFICATE_POLICIES: write.policies("1.2.3")}),
        [authority.issuing],
        [],
    )


@defect("policy none is not accepted")
def no_policy(forge: Forge, authority: Authority) -> Paths:
    return forge(instead={oids.CERTIFICATE_POLICIES: None}), [authority.issuing], []


@defect("is not accepted for this path")
def policy_that_the_issuer_does_not_have(forge: Forge, authority: Authority) -> Paths:
    root = root_entry()
    other = authority_entry("other", root, policies=write.policies("1.2.3"))
    return forge(issuer=other), [root], [other]


@pytest.mark.parametrize(("make", "reason"), DEFECTS.values(), ids=DEFECTS.keys())
def test_defect_of_a_path_is_caught(
    forge: Forge, authority: Authority, make: Callable[[Forge, Authority], Paths], reason: str
) -> None:
    certificate, anchors, intermediates = make(forge, authority)
    with pytest.raises(CertificateError, match=reason):
        validate_path(
            certificate,
            anchors=[TrustAnchor.of(entry.certificate) for entry in anchors],
            intermediates=[entry.certificate for entry in intermediates],
            at=NOW,
            policies=[oids.ORGANISATION_POLICY],
        )


def test_the_defective_paths_are_sound_but_for_the_defect(forge) -> None:
    """The same helpers make a path of three authorities that holds, so the table above means something."""
    root = root_entry(path_length=2)
    upper = authority_entry("upper", root, path_length=1)
    lower = authority_entry("lower", upper, path_length=0)
    path = validate_path(
        forge(issuer=lower),
        anchors=[TrustAnchor.of(root.certificate)],
        intermediates=[upper.certificate, lower.certificate],
        at=NOW,
        policies=[oids.ORGANISATION_POLICY],
    )
    assert [c.subject.common_name for c in path.certificates[1:]] == ["lower", "upper"]


def test_any_policy_of_an_issuer_leaves_the_policies_to_those_below(forge) -> None:
    root = root_entry()
    open_minded = authority_entry("open", root, policies=write.policies(oids.ANY_POLICY))
    path = validate_path(
        forge(issuer=open_minded),
        anchors=[TrustAnchor.of(root.certificate)],
        intermediates=[open_minded.certificate],
    )
    assert path.policies == {oids.ORGANISATION_POLICY}


def test_policies_are_only_asked_for_where_some_are_given(forge, authority: Authority) -> None:
    without = forge(instead={oids.CERTIFICATE_POLICIES: None})
    path = validate_path(without, anchors=[TrustAnchor.of(authority.issuing.certificate)])
    assert path.policies == frozenset()


def test_authorities_that_issue_each_other_end_the_search(forge) -> None:
    root = root_entry()
    one = authority_entry("one", root)
    two = authority_entry("two", one)
    again = authority_entry("one", two)  # same name and key as `one`, issued from below
    with pytest.raises(CertificateError, match="neither a trust anchor nor at hand"):
        validate_path(
            forge(issuer=again), anchors=[], intermediates=[e.certificate for e in (one, two, again)]
        )


def test_look_alike_issuers_cost_a_bounded_number_of_signatures(
    forge, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = 0
    genuine = Certificate.signed_by

    def counted(self: Certificate, key: object) -> bool:
        nonlocal checked
        checked += 1
        return genuine(self, key)  # type: ignore[arg-type]

    monkeypatch.setattr(Certificate, "signed_by", counted)
    crowd = [look_alike(authority, number) for number in range(200)]
    with pytest.raises(CertificateError):
        validate_path(forge(), anchors=[], intermediates=crowd)
    assert checked == MAX_SIGNATURE_CHECKS


def look_alike(authority: Authority, number: int) -> Certificate:
    """A certificate with the name and key identifier of the issuing authority, but another key."""
    key = PrivateKey.from_seed(number.to_bytes(32, "big"))
    template = write.Template(
        serial=number + 1,
        subject=authority.issuing.certificate.subject,
        not_before=datetime(2015, 1, 1, tzinfo=UTC),
        not_after=datetime(2030, 1, 1, tzinfo=UTC),
        extensions=(
            write.key_usage(KeyUsage.KEY_CERT_SIGN),
            write.basic_constraints(None),
            write.subject_key_id(authority.issuing.certificate.public_key),
        ),
    )
    return write.issue(template, key.public, template.subject, key)


# A replay of the published vectors -----------------------------------------------------------------------


def test_published_organisations_lead_to_z1_as_pinned_anchor(
    rtds_folder: Path, zaz1: KeyRing, z1: Certificate
) -> None:
    at = datetime(2016, 2, 1, tzinfo=UTC)
    valid = set()
    for certificate in (*zaz1.certificates(), *load_pem_folder(rtds_folder).certificates()):
        try:
            path = validate_path(
                certificate, anchors=[TrustAnchor.of(z1)], at=at, policies=[oids.ORGANISATION_POLICY]
            )
        except CertificateError:
            continue
        assert path.policies == {oids.ORGANISATION_POLICY}
        valid.add(certificate.serial)
    # All that Z1 signed but the load controller's of 2023.
    assert len(valid) == 23
    with pytest.raises(CertificateError, match="not valid at 2026-03-01"):
        validate_path(
            zaz1.find(Eui64.parse("90B3D51F30010000"), KeyUsage.KEY_AGREEMENT).certificate,
            anchors=[TrustAnchor.of(z1)],
            at=NOW,
        )


def test_published_xml_signing_certificate_is_not_signed_by_the_issuer_it_names(
    zaz1: KeyRing, z1: Certificate
) -> None:
    signer = zaz1.xml_signer(Eui64.parse("90B3D51F30010000")).certificate
    with pytest.raises(CertificateError, match="signature is not that of its issuer OU=07, CN=Z1"):
        validate_path(signer, anchors=[TrustAnchor.of(z1)])
    assert validate_path(signer, anchors=[TrustAnchor.of(signer)], at=datetime(2026, 1, 1, tzinfo=UTC))
