"""Key stores from files: published ones load with their faults reported, wrong ones are one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from smetslab.errors import CertificateError, UsageError
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import (
    Authority,
    CertificateKind,
    CredentialGuard,
    Entry,
    KeyRing,
    load_keystore,
    load_pem_folder,
    load_zaz1_keystore,
)
from smetslab.pki.files import export_json, export_pem
from smetslab.pki.limits import MAX_KEYSTORE_BYTES
from smetslab.pki.loaders import load_certificate
from smetslab.rng import RootSeed

SUPPLIER = Eui64.parse("90B3D51F30010000")
SUPPLIER_2 = Eui64.parse("90B3D51F30030000")
WAN_PROVIDER = Eui64.parse("90B3D51F30000007")
LOAD_CONTROLLER = Eui64.parse("90B3D51F30010008")
OTHER_USER = Eui64.parse("00DB123456780004")
BROKER = Eui64.parse("90B3D51F30000002")
METER = Eui64.parse("00DB1234567890A0")
DS = KeyUsage.DIGITAL_SIGNATURE
KA = KeyUsage.KEY_AGREEMENT

# The published key stores ---------------------------------------------------------------------------------


def test_published_key_store_loads_31_of_33_entries(keystore_json: Path) -> None:
    ring = load_keystore(keystore_json)
    assert len(ring) == 31
    assert all(entry.private_key is not None for entry in ring.entries)
    assert [skipped.name for skipped in ring.skipped] == ["mdr-ka", "mdr-ds"]
    assert all("ExtraData" in skipped.reason for skipped in ring.skipped)


@pytest.mark.parametrize(
    ("entity", "usage", "cell_usage", "name"),
    [
        (SUPPLIER, DS, CellUsage.MANAGEMENT, "Z1-supplier-ds"),
        (SUPPLIER, KA, CellUsage.MANAGEMENT, "Z1-supplier-ka"),
        (SUPPLIER, KA, CellUsage.PREPAYMENT_TOP_UP, "Z1-supplierPP-ka"),
        (SUPPLIER_2, KA, CellUsage.PREPAYMENT_TOP_UP, "Z1-supplier2PP-ka"),
        (BROKER, DS, CellUsage.MANAGEMENT, "Z1-accessControlBroker-ds"),
        (BROKER, KA, CellUsage.MANAGEMENT, "Z1-accessControlBroker-ka"),
        (WAN_PROVIDER, DS, CellUsage.MANAGEMENT, "Z1-wanProvider-ds"),
        (OTHER_USER, KA, CellUsage.MANAGEMENT, "otherUser-ka"),
    ],
)
def test_published_key_store_has_one_candidate_for_each_use(
    zaz1: KeyRing, entity: Eui64, usage: KeyUsage, cell_usage: CellUsage, name: str
) -> None:
    assert zaz1.find(entity, usage, cell_usage).name == name


def test_every_slot_of_the_published_key_store_has_one_active_entry(zaz1: KeyRing) -> None:
    for entry in zaz1.entries:
        certificate = entry.certificate
        assert certificate.entity_id is not None
        assert certificate.key_usage is not None
        if not certificate.signs_xml:
            assert zaz1.find(certificate.entity_id, certificate.key_usage, entry.cell_usage).active
    assert sorted(e.name for e in zaz1.entries if not e.active) == sorted(
        e.name for e in zaz1.entries if e.name.startswith("Z1b-")
    )


@pytest.mark.parametrize(
    ("entity", "serial"),
    [
        (SUPPLIER, 27572613927499351639968579586655397031),
        (Eui64.parse("90B3D51F30020000"), 40938316298935008147424226388667426413),
        (SUPPLIER_2, 76986165265641917001207597343644863443),
        (OTHER_USER, 37250744094852421200045328576547436839),
        (Eui64.parse("90B3D51F30000001"), 93850740595185438017946775787620281288),
        (Eui64.parse("90B3D51F30000004"), 80934474337773775048443398092716228710),
        (WAN_PROVIDER, 165434592300988303078463874878775593738),
        (BROKER, 167048897159233642262001557408276884033),
    ],
)
def test_documents_are_signed_with_the_certificates_that_clients_use(
    zaz1: KeyRing, entity: Eui64, serial: int
) -> None:
    """Spec: the list of the published signing tool."""
    assert zaz1.xml_signer(entity).certificate.serial == serial
    assert zaz1.by_serial(serial) == zaz1.xml_signer(entity)


def test_rtds_key_store_loads_with_its_faults_reported(rtds_folder: Path) -> None:
    ring = load_keystore(rtds_folder)
    devices = [e for e in ring.entries if e.certificate.kind is CertificateKind.DEVICE]
    assert len(devices) == 400
    assert len({e.certificate.entity_id for e in devices}) == 200
    assert not any(e.private_key for e in devices)
    organisations = [e for e in ring.entries if e.certificate.kind is CertificateKind.ORGANISATION]
    assert len(organisations) == 15
    assert all(e.private_key for e in organisations)
    assert {skipped.name: skipped.reason.removeprefix("certificate: ") for skipped in ring.skipped} == {
        "90b3d51f30000007-ka.pem": (
            "filed under entity 90B3D51F30000007, but the certificate says 90B3D51F30030000"
        ),
        "fffffffffffffffe-ka.pem": "a PEM file of one certificate is wanted, found a bare public key",
        "123456789abcdef0-ka.key": "private key without a certificate",
        "abababababababab-ka.key": "private key without a certificate",
    }


def test_misfiled_key_is_nobodys_but_its_own_partys(rtds_folder: Path) -> None:
    ring = load_pem_folder(rtds_folder)
    with pytest.raises(CertificateError, match="no keyAgreement certificate of 90B3D51F30000007"):
        ring.find(WAN_PROVIDER, KA)
    assert ring.find(SUPPLIER_2, KA).name == "90b3d51f30030000-ka"
    assert ring.find(SUPPLIER, KA, CellUsage.PREPAYMENT_TOP_UP).name == "90b3d51f30010000-pp-ka"


def test_rtds_and_published_keys_differ_for_the_load_controller_alone(
    rtds_folder: Path, zaz1: KeyRing
) -> None:
    rtds = load_pem_folder(rtds_folder)
    differing = set()
    for entry in rtds.entries:
        certificate = entry.certificate
        if certificate.kind is CertificateKind.ORGANISATION:
            assert certificate.entity_id is not None
            assert certificate.key_usage is not None
            published = zaz1.find(certificate.entity_id, certificate.key_usage, entry.cell_usage)
            if published.certificate.public_key != certificate.public_key:
                differing.add(certificate.entity_id)
    assert differing == {LOAD_CONTROLLER}
    assert rtds.merged(zaz1).find(LOAD_CONTROLLER, DS).name == "90b3d51f30010008-ds"


# Our own --------------------------------------------------------------------------------------------------


@pytest.fixture
def json_file(tmp_path: Path, ring: KeyRing) -> Path:
    file = tmp_path / "keystore.json"
    export_json(ring, file)
    return file


def credentials(ring: KeyRing) -> dict[bytes, tuple[CellUsage, bool, bool]]:
    return {
        e.certificate.fingerprint: (e.cell_usage, e.active, e.private_key is not None) for e in ring.entries
    }


def test_pem_folder_round_trip(tmp_path: Path, ring: KeyRing) -> None:
    export_pem(ring, tmp_path / "pems")
    loaded = load_keystore(tmp_path / "pems")
    assert credentials(loaded) == credentials(ring)
    assert loaded.skipped == ()


def test_json_round_trip_keeps_all_but_the_authorities(tmp_path: Path, ring: KeyRing) -> None:
    left = export_json(ring, tmp_path / "keystore.json")
    assert [entry.name for entry in left] == ["root", "issuing", "device-root", "device-issuing"]
    loaded = load_keystore(tmp_path / "keystore.json")
    assert credentials(loaded) == credentials(
        KeyRing(e for e in ring.entries if e.certificate.kind is not CertificateKind.AUTHORITY)
    )
    assert {e.name for e in loaded.entries} < {e.name for e in ring.entries}


def test_several_generations_survive_both_forms(tmp_path: Path, authority: Authority) -> None:
    generations = [authority.organisation(SUPPLIER, 2, KA, name="Z1-supplier-ka")]
    generations += [authority.organisation(SUPPLIER, 2, KA, name="Z1b-supplier-ka", generation=1)]
    ring = KeyRing(generations)
    export_json(ring, tmp_path / "keystore.json")
    export_pem(ring, tmp_path / "pems")
    for loaded in (load_keystore(tmp_path / "keystore.json"), load_keystore(tmp_path / "pems")):
        assert credentials(loaded) == credentials(ring)
        assert loaded.find(SUPPLIER, KA).certificate == generations[0].certificate


def test_published_key_store_survives_both_forms(tmp_path: Path, zaz1: KeyRing) -> None:
    export_pem(zaz1, tmp_path / "pems")
    assert credentials(load_keystore(tmp_path / "pems")) == credentials(zaz1)
    export_json(zaz1, tmp_path / "keystore.json")
    again = load_keystore(tmp_path / "keystore.json")
    assert [(e.name, e.certificate) for e in again.entries] == [(e.name, e.certificate) for e in zaz1.entries]


Change = Callable[[dict[str, object]], object]


def edit(file: Path, change: Callable[[dict[str, dict[str, dict[str, dict[str, object]]]]], object]) -> Path:
    tree = json.loads(file.read_text())
    change(tree)
    file.write_text(json.dumps(tree))
    return file


def first(tree: dict[str, dict[str, dict[str, dict[str, object]]]]) -> dict[str, object]:
    """The meter's signing entry."""
    return next(iter(tree["00db1234567890a0"]["digitalSignature"].values()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tree: first(tree).pop("certificate"), "no certificate text"),
        (lambda tree: first(tree).update(certificate=7), "no certificate text"),
        (lambda tree: first(tree).update(certificate="-----BEGIN"), "0 certificates"),
        (lambda tree: first(tree).update(role=2), "filed under role 2, but the certificate says None"),
        (
            lambda tree: tree.update({"00db1234567890a1": tree.pop("00db1234567890a0")}),
            "filed under entity 00DB1234567890A1, but the certificate says 00DB1234567890A0",
        ),
        (
            lambda tree: tree["00db1234567890a0"].update(
                keyAgreement=tree["00db1234567890a0"].pop("digitalSignature")
            ),
            "filed under usage keyAgreement, but the certificate says digitalSignature",
        ),
        (
            lambda tree: tree["00db1234567890a0"].update(digitalSignature={"5": first(tree)}),
            "filed under serial number 5",
        ),
        (lambda tree: tree["00db1234567890a0"].update(digitalSignature=[]), "is no object of serial numbers"),
        (lambda tree: tree["00db1234567890a0"].update(digitalSignature={"5": []}), "is no object"),
        (lambda tree: tree.update({"00db1234567890a0": None}), "is no object of usages"),
    ],
)
def test_faulty_entry_is_reported_and_the_others_load(json_file: Path, change: Change, reason: str) -> None:
    ring = load_zaz1_keystore(edit(json_file, change))
    assert any(reason in skipped.reason for skipped in ring.skipped)
    assert ring.find(SUPPLIER, DS).name == "Z1-supplier-ds"
    with pytest.raises(CertificateError):
        ring.find(METER, DS)


@pytest.mark.parametrize("key", ["nothing", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_unreadable_private_key_leaves_the_certificate(json_file: Path, key: str) -> None:
    ring = load_zaz1_keystore(edit(json_file, lambda tree: first(tree).update(privateKey=key)))
    assert ring.find(METER, DS).private_key is None
    assert ring.skipped[0].reason.startswith("private key not loaded: key: no readable unencrypted PEM")
    assert "AAAA" not in str(ring.skipped)


def test_private_key_of_another_leaves_the_certificate(tmp_path: Path, ring: KeyRing) -> None:
    export_pem(ring, tmp_path / "pems")
    key_file = tmp_path / "pems" / "00db1234567890a0-ds.key"
    key_file.write_bytes((tmp_path / "pems" / "00db1234567890a0-ka.key").read_bytes())
    loaded = load_keystore(tmp_path / "pems")
    assert loaded.find(METER, DS).private_key is None
    assert [(s.name, s.reason) for s in loaded.skipped] == [
        ("00db1234567890a0-ds.key", "private key not loaded: it is not that of the certificate")
    ]


def test_entry_without_name_role_and_key_loads(json_file: Path) -> None:
    def strip(tree: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
        for member in ("name", "privateKey"):
            del first(tree)[member]

    ring = load_zaz1_keystore(edit(json_file, strip))
    found = ring.find(METER, DS)
    assert found.private_key is None
    assert found.name == f"00db1234567890a0-digitalSignature-{found.certificate.serial}"


def test_certificate_under_a_name_of_its_own_is_taken_for_what_it_says(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "my meter.pem").write_bytes(authority.device(METER, KA).certificate.to_pem())
    assert load_keystore(tmp_path).find(METER, KA).name == "my meter"


def test_file_with_the_right_name_goes_before_one_with_another(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "00db1234567890a0-ka.pem").write_bytes(authority.device(METER, KA).certificate.to_pem())
    (tmp_path / "00 newer.pem").write_bytes(authority.device(METER, KA, generation=1).certificate.to_pem())
    assert load_keystore(tmp_path).find(METER, KA).name == "00db1234567890a0-ka"


def test_folder_with_a_certificate_that_may_be_production_is_refused(
    tmp_path: Path, authority: Authority, forge
) -> None:
    (tmp_path / "a.pem").write_bytes(authority.device(METER, KA).certificate.to_pem())
    (tmp_path / "b.pem").write_bytes(strange(authority).to_pem())
    with pytest.raises(CertificateError, match="may be a production credential"):
        load_keystore(tmp_path)
    assert len(load_keystore(tmp_path, CredentialGuard(allow_production=True))) == 2


def strange(authority: Authority):
    """A sound organisation certificate of an issuer that nobody knows."""
    from smetslab.pki import oids
    from smetslab.pki import template as write
    from smetslab.pki.names import name

    signer = authority.issuing.private_key
    template = write.Template(
        serial=3,
        subject=write.organisation_subject(SUPPLIER, 2, ""),
        not_before=authority.valid_from,
        not_after=authority.valid_from.replace(year=2040),
        extensions=(write.key_usage(DS), write.authority_key_id(signer.public)),
    )
    issuer = name((oids.ORGANISATIONAL_UNIT, "07"), (oids.COMMON_NAME, "X1"))
    return write.issue(template, signer.public, issuer, signer)


# Wrong files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "its top level is no object"),
        (b"{}", "holds no certificate that can be loaded"),
        (
            b'{"name": "package", "version": "1.0.0"}',
            "holds no certificate that can be loaded; name: is no object",
        ),
        (b" " * (MAX_KEYSTORE_BYTES + 1), "is too big"),
    ],
    ids=["empty", "broken", "binary", "deep", "list", "empty object", "another JSON file", "too big"],
)
def test_wrong_file_is_a_usage_error_that_names_it(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "some.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=reason) as caught:
        load_keystore(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_empty_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing.json cannot be read: No such file"):
        load_keystore(tmp_path / "nothing.json")
    with pytest.raises(UsageError, match="holds no certificate that can be loaded") as caught:
        load_keystore(tmp_path)
    assert "keystore.json" in caught.value.hint


def test_big_and_unreadable_files_of_a_folder_are_reported(tmp_path: Path, authority: Authority) -> None:
    entry = authority.device(METER, KA)
    (tmp_path / "00db1234567890a0-ka.pem").write_bytes(entry.certificate.to_pem())
    (tmp_path / "00db1234567890a0-ka.key").write_bytes(bytes(20_000))
    (tmp_path / "bundle.pem").write_bytes(bytes(20_000))
    (tmp_path / "folder.pem").mkdir()
    ring = load_keystore(tmp_path)
    assert ring.find(METER, KA).private_key is None
    assert [(s.name, s.reason.rpartition("/")[2]) for s in ring.skipped] == [
        ("00db1234567890a0-ka.key", "00db1234567890a0-ka.key is too big: at most 16384 bytes are read"),
        ("bundle.pem", "bundle.pem is too big: at most 16384 bytes are read"),
        ("folder.pem", "folder.pem cannot be read: Is a directory"),
    ]


def test_single_certificate_file(tmp_path: Path, authority: Authority) -> None:
    certificate = authority.root.certificate
    (tmp_path / "root.der").write_bytes(certificate.der)
    (tmp_path / "none.pem").write_bytes(b"nothing")
    assert load_certificate(tmp_path / "root.der") == certificate
    with pytest.raises(UsageError, match=r"none.pem holds no certificate"):
        load_certificate(tmp_path / "none.pem")


def test_another_seed_is_another_hierarchy_but_still_a_test_one(tmp_path: Path) -> None:
    entries: tuple[Entry, ...] = Authority(RootSeed(77)).keystore([METER]).entries
    export_pem(KeyRing(entries), tmp_path / "pems")
    assert len(load_keystore(tmp_path / "pems")) == len(entries)
