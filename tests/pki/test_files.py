"""The hierarchy on disk: whole or not at all, keys for their owner alone, only our own replaced."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from smetslab.crypto import PrivateKey
from smetslab.errors import UsageError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import (
    Authority,
    initialise,
    laboratory_key,
    load_keystore,
    oids,
    read_authority,
    user_data_folder,
)
from smetslab.pki import files as under_test
from smetslab.pki.files import export_json, export_pem, write_hierarchy
from smetslab.rng import RootSeed

METER = Eui64.parse("00DB1234567890A0")
NEW_METER = Eui64.parse("00DB1234567890FF")
KA = KeyUsage.KEY_AGREEMENT

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_same_seed_writes_the_same_hierarchy(tmp_path: Path) -> None:
    for name in ("one", "two"):
        initialise(tmp_path / name, seed=4)
    one, two = (contents(tmp_path / name / "pki") for name in ("one", "two"))
    assert one == two
    assert len(one) == 2 * 42 + 2  # certificates, keys; README, authority


def test_who_knows_the_seed_of_a_hierarchy_cannot_sign_evidence(tmp_path: Path) -> None:
    one, two = (initialise(tmp_path / name, seed=4, devices=[]) for name in ("one", "two"))
    known = Authority(RootSeed(4)).laboratory()
    fingerprints = {made.certificate.fingerprint for made in (one.laboratory, two.laboratory, known)}
    assert len(fingerprints) == 3


def test_without_a_seed_every_hierarchy_and_laboratory_is_another(tmp_path: Path) -> None:
    one, two = (initialise(tmp_path / name, devices=[]) for name in ("one", "two"))
    assert not {c.fingerprint for c in one.keystore.certificates()} & {
        c.fingerprint for c in two.keystore.certificates()
    }
    assert one.laboratory.certificate != two.laboratory.certificate


def test_folder_loads_as_the_key_store_that_was_written(tmp_path: Path) -> None:
    made = initialise(tmp_path, seed=4, devices=[METER])
    loaded = load_keystore(made.hierarchy)
    assert set(loaded.certificates()) == set(made.keystore.certificates())
    assert all(entry.private_key for entry in loaded.entries)
    assert loaded.skipped == ()


def test_authority_read_back_issues_for_the_same_hierarchy(tmp_path: Path) -> None:
    written = Authority(RootSeed(2**127), device_policy=oids.RTDS_DEVICE_POLICY)
    write_hierarchy(tmp_path / "pki", written, [METER])
    again = read_authority(tmp_path / "pki")
    assert again.device(NEW_METER, KA).certificate == written.device(NEW_METER, KA).certificate
    assert again.root.certificate == written.root.certificate


@posix
def test_private_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = initialise(tmp_path / "data", seed=4, devices=[METER])
        export_json(made.keystore, tmp_path / "keystore.json")
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").rglob("*")}
    assert {modes[name] for name in modes if name.endswith(".key")} == {0o600}
    assert modes["authority.json"] == 0o600
    assert (modes["pki"], modes["laboratory"]) == (0o700, 0o700)
    assert stat.S_IMODE((tmp_path / "keystore.json").stat().st_mode) == 0o600


def test_every_file_says_that_it_is_for_tests(tmp_path: Path) -> None:
    initialise(tmp_path, seed=4, devices=[METER])
    for name, text in contents(tmp_path).items():
        assert b"never" in text.lower(), name
        assert b"production" in text, name


def test_a_hierarchy_is_not_replaced_unless_forced(tmp_path: Path) -> None:
    first = initialise(tmp_path, seed=4, devices=[])
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="pki exists") as caught:
        initialise(tmp_path, seed=5, devices=[])
    assert "--force" in caught.value.hint
    assert contents(tmp_path) == before
    second = initialise(tmp_path, seed=5, devices=[], force=True)
    assert set(load_keystore(second.hierarchy).certificates()) == set(second.keystore.certificates())
    assert second.laboratory.certificate == first.laboratory.certificate, (
        "packs it has signed stay verifiable"
    )
    assert (first.laboratory_made, second.laboratory_made) == (True, False)


def test_force_does_not_replace_what_is_not_ours(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "README.txt").write_text("My own notes")
    (tmp_path / "file").write_text("x")
    for place in ("precious", "file"):
        with pytest.raises(UsageError, match="was not written by smetslab"):
            write_hierarchy(tmp_path / place, authority, [], force=True)
    assert contents(tmp_path) == {"precious/README.txt": b"My own notes", "file": b"x"}


def test_an_empty_folder_is_filled(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "pki").mkdir()
    write_hierarchy(tmp_path / "pki", authority, [])
    assert load_keystore(tmp_path / "pki").authorities()


@pytest.mark.parametrize("force", [False, True])
def test_failure_in_the_middle_leaves_everything_as_it_was(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    if force:
        write_hierarchy(tmp_path / "pki", Authority(RootSeed(1)), [])
    before = contents(tmp_path)
    genuine, written = under_test._write, 0

    def full_disk(file: Path, data: bytes, *, private: bool = False) -> None:
        nonlocal written
        written += 1
        if written > 20:
            raise OSError(28, "No space left on device")
        genuine(file, data, private=private)

    monkeypatch.setattr(under_test, "_write", full_disk)
    with pytest.raises(UsageError, match="pki cannot be written: No space left on device"):
        write_hierarchy(tmp_path / "pki", authority, [], force=force)
    assert written > 20
    assert contents(tmp_path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == (["pki"] if force else [])


def test_failure_of_the_last_step_brings_the_old_hierarchy_back(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hierarchy(tmp_path / "pki", Authority(RootSeed(1)), [])
    before = contents(tmp_path)
    genuine = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "Permission denied")
        return genuine(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UsageError, match="cannot be written: Permission denied"):
        write_hierarchy(tmp_path / "pki", authority, [], force=True)
    assert contents(tmp_path) == before


def test_laboratory_key_is_made_once(tmp_path: Path) -> None:
    first = laboratory_key(tmp_path)
    again = laboratory_key(tmp_path, seed=RootSeed(1))
    assert again.certificate == first.certificate
    assert again.private_key.public == first.private_key.public
    assert first.certificate.public_key == first.private_key.public


def test_laboratory_key_of_somebody_quicker_is_the_laboratorys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = under_test._write
    rival = []

    def slow(file: Path, data: bytes, *, private: bool = False) -> None:
        if not rival:
            rival.append(None)
            rival[0] = laboratory_key(tmp_path)
        genuine(file, data, private=private)

    monkeypatch.setattr(under_test, "_write", slow)
    assert laboratory_key(tmp_path).certificate == rival[0].certificate
    assert [entry.name for entry in tmp_path.iterdir()] == ["laboratory"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "laboratory.key").unlink(), "laboratory.key cannot be read: No such file"),
        (
            lambda folder: (folder / "laboratory.pem").write_bytes(b"x"),
            "the laboratory's identity cannot be read",
        ),
        (
            lambda folder: (folder / "laboratory.key").write_bytes(b"x"),
            "the laboratory's identity cannot be read",
        ),
        (
            lambda folder: (folder / "laboratory.key").write_bytes(PrivateKey.from_seed(b"z" * 32).to_pem()),
            "is not the key of laboratory.pem",
        ),
    ],
)
def test_damaged_laboratory_key_is_reported_and_never_replaced(tmp_path: Path, damage, reason: str) -> None:
    laboratory_key(tmp_path)
    damage(tmp_path / "laboratory")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=reason):
        laboratory_key(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "file: Invalid JSON"),
        ("[]", "file: Input should be an object"),
        ('{"seed": "1"}', "valid_from: Field required"),
        ('{"seed": "x", "valid_from": "2015-01-01T00:00:00Z"}', "seed: String should match pattern"),
        ('{"seed": "1", "valid_from": "2015-01-01T00:00:00Z", "key": 1}', "key: Extra inputs"),
        ('{"schema_version": 2, "seed": "1", "valid_from": "2015-01-01T00:00:00Z"}', "schema_version: "),
        ('{"seed": "1", "valid_from": "2015-01-01T00:00:00"}', "needs a time zone"),
    ],
)
def test_wrong_authority_file_is_one_clear_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "authority.json").write_text(text)
    with pytest.raises(UsageError, match=reason) as caught:
        read_authority(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_authority_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"authority.json cannot be read: No such file"):
        read_authority(tmp_path)


def test_a_file_in_the_place_of_the_data_folder_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        laboratory_key(tmp_path / "data")
    with pytest.raises(UsageError, match="cannot be written"):
        initialise(tmp_path / "data", seed=1)


def test_json_export_has_the_published_shape(tmp_path: Path, authority: Authority) -> None:
    export_json(authority.keystore([METER]), tmp_path / "keystore.json")
    tree = json.loads((tmp_path / "keystore.json").read_text())
    supplier = tree["90b3d51f30010000"]["keyAgreement"]
    assert sorted((entry["name"], entry["role"]) for entry in supplier.values()) == [
        ("Z1-supplier-ka", 2),
        ("Z1-supplierPP-ka", 2),
    ]
    ((serial, meter),) = tree["00db1234567890a0"]["digitalSignature"].items()
    certificate = authority.device(METER, KeyUsage.DIGITAL_SIGNATURE).certificate
    assert serial == str(certificate.serial)
    assert meter["certificate"].encode() == certificate.to_pem()
    assert meter["privateKey"].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert sorted(meter) == ["certificate", "name", "privateKey"], "what has no role is a device"


def test_json_export_of_a_folder_uses_the_names_that_tools_choose_by(
    tmp_path: Path, authority: Authority
) -> None:
    made = authority.keystore([METER])
    export_pem(made, tmp_path / "pems")
    export_json(load_keystore(tmp_path / "pems"), tmp_path / "keystore.json")
    loaded = load_keystore(tmp_path / "keystore.json")
    assert {e.name for e in loaded.entries} == {e.name for e in made.entries if e.certificate.entity_id}


def test_exports_replace_nothing_unless_forced(tmp_path: Path, authority: Authority) -> None:
    small = authority.keystore()
    export_json(small, tmp_path / "keystore.json")
    export_pem(small, tmp_path / "pems")
    with pytest.raises(UsageError, match=r"keystore.json exists"):
        export_json(small, tmp_path / "keystore.json")
    with pytest.raises(UsageError, match="pems exists"):
        export_pem(small, tmp_path / "pems")
    export_json(authority.keystore([METER]), tmp_path / "keystore.json", force=True)
    export_pem(authority.keystore([METER]), tmp_path / "pems", force=True)
    for place in ("keystore.json", "pems"):
        assert load_keystore(tmp_path / place).find(METER, KA)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["keystore.json", "pems"]


def test_json_export_into_a_place_that_is_no_folder_is_a_usage_error(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        export_json(authority.keystore(), tmp_path / "file" / "keystore.json")


def test_names_of_entries_cannot_leave_the_folder(tmp_path: Path, authority: Authority) -> None:
    from dataclasses import replace

    from smetslab.pki import KeyRing

    device = authority.device(METER, KA)
    names = ["../../evil", "..", "a/b", "A/B", ""]
    entries = [
        replace(authority.device(METER, KA, generation=number + 1), name=name, active=False)
        for number, name in enumerate(names)
    ]
    export_pem(KeyRing([device, *entries]), tmp_path / "deep" / "pems")
    assert [entry.name for entry in tmp_path.iterdir()] == ["deep"]
    written = sorted(file.name for file in (tmp_path / "deep" / "pems").glob("*.pem"))
    assert written == [
        "00db1234567890a0-ka.pem",
        "A_B.2.pem",
        "_.._evil.pem",
        "a_b.pem",
        "entry.2.pem",
        "entry.pem",
    ]


def test_user_data_folder_is_where_the_platform_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = user_data_folder()
    assert folder.name == "smetslab"
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert folder == tmp_path / "smetslab"
