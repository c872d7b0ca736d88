"""`smetslab pki init|show|export` through the command line, as a person and as a machine use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from smetslab.cli.pki import app
from smetslab.errors import CertificateError, SmetsLabError, UsageError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.lab.build import lab_keystore
from smetslab.lab.config import HOME_NAME, load_lab
from smetslab.pki import load_keystore
from smetslab.pki.listing import KeystoreListing

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `smetslab pki ...` with its own data folder; raises what the root would report."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("smetslab.cli.pki.user_data_folder", lambda: tmp_path / "home" / "smetslab")
    monkeypatch.setattr("smetslab.cli.output.console._width", 250)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if isinstance(result.exception, SmetsLabError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result

    return invoke


def test_init_show_and_export_work_without_any_option(run: Run, tmp_path: Path) -> None:
    assert "42 test certificates with their keys are in" in run("init").output
    shown = run("show").output
    assert "42 certificates, 42 with private key" in shown
    assert "prepayment" not in shown.splitlines()[0]
    run("export", "--out", tmp_path / "copy")
    home = tmp_path / "home" / "smetslab" / "pki"
    assert set(load_keystore(tmp_path / "copy").certificates()) == set(load_keystore(home).certificates())


def test_same_seed_makes_the_same_hierarchy_and_another_laboratory(run: Run, tmp_path: Path) -> None:
    made = [
        json.loads(run("init", "--seed", 7, "--dir", tmp_path / name, "--json").output)
        for name in ("one", "two")
    ]
    assert made[0]["laboratory_fingerprint"] != made[1]["laboratory_fingerprint"]
    first, second = (load_keystore(tmp_path / name / "pki") for name in ("one", "two"))
    assert first.certificates() == second.certificates()
    assert made[0]["hierarchy"] == str(tmp_path / "one" / "pki")
    assert (made[0]["schema_version"], made[0]["certificates"], made[0]["laboratory_made"]) == (1, 42, True)


def test_init_says_that_a_given_seed_is_everybodys(run: Run, tmp_path: Path) -> None:
    assert "Whoever knows the seed" in run("init", "--seed", 7, "--dir", tmp_path / "one").output
    assert "Whoever knows the seed" not in run("init", "--dir", tmp_path / "two").output


def test_init_certifies_the_devices_it_is_given(run: Run, tmp_path: Path) -> None:
    run("init", "--dir", tmp_path, "--device", "00-DB-12-34-56-78-90-FF", "--valid-from", "2020-06-01")
    ring = load_keystore(tmp_path / "pki")
    entry = ring.find(Eui64.parse("00DB1234567890FF"), KeyUsage.KEY_AGREEMENT)
    assert entry.certificate.not_before.isoformat() == "2020-06-01T00:00:00+00:00"
    with pytest.raises(CertificateError):
        ring.find(Eui64.parse("00DB1234567890A0"), KeyUsage.KEY_AGREEMENT)


def test_init_keeps_what_is_there_unless_forced(run: Run, tmp_path: Path) -> None:
    run("init", "--seed", 1, "--dir", tmp_path)
    with pytest.raises(UsageError, match="pki exists"):
        run("init", "--seed", 2, "--dir", tmp_path)
    assert "with the key it had" in run("init", "--seed", 2, "--dir", tmp_path, "--force").output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["init", "--device", "meter"], "not an EUI-64: 'meter'"),
        (["init", "--valid-from", "yesterday"], "'yesterday' is no date"),
        (["show"], "there is no hierarchy in"),
        (["show", "/no/such/file"], "/no/such/file cannot be read"),
        (["export", "--out", "x"], "there is no hierarchy in"),
    ],
)
def test_bad_input_is_one_clear_line(run: Run, arguments: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        run(*arguments)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_show_takes_the_data_folder_or_the_hierarchy_in_it(run: Run, tmp_path: Path) -> None:
    run("init", "--seed", 1, "--dir", tmp_path)
    assert run("show", tmp_path).output == run("show", tmp_path / "pki").output


def test_show_json_follows_its_schema_and_shows_no_key(run: Run, tmp_path: Path) -> None:
    run("init", "--seed", 1, "--dir", tmp_path)
    text = run("show", tmp_path, "--json").output
    listing = KeystoreListing.model_validate_json(text)
    assert len(listing.entries) == 42
    top_up = next(entry for entry in listing.entries if entry.name == "90b3d51f30010000-pp-ka")
    assert (top_up.entity_id, top_up.role, top_up.role_name, top_up.usage, top_up.cell_usage) == (
        "90B3D51F30010000",
        2,
        "supplier",
        "keyAgreement",
        "prepayment_top_up",
    )
    assert (top_up.private_key, top_up.findings) == (True, ())
    keys = [file.read_text() for file in (tmp_path / "pki").glob("*.key")]
    lines = {line for key in keys for line in key.splitlines() if len(line) == 64}
    assert lines
    assert not [line for line in lines if line in text]


def test_show_reports_faults(run: Run, tmp_path: Path) -> None:
    run("init", "--seed", 1, "--dir", tmp_path)
    (tmp_path / "pki" / "00db1234567890a0-ka.pem").write_text("nothing")
    laboratory = (tmp_path / "laboratory" / "laboratory.pem").read_bytes()
    (tmp_path / "pki" / "extra.pem").write_bytes(laboratory)
    shown = run("show", tmp_path, "--allow-production").output
    assert "not loaded: 00db1234567890a0-ka.pem: certificate: not readable" in shown
    assert "profile: extra: kind: is of no profile" in shown


def test_unknown_issuer_needs_a_word_of_the_user(run: Run, tmp_path: Path) -> None:
    run("init", "--seed", 1, "--dir", tmp_path)
    extra = tmp_path / "pki" / "extra.pem"
    extra.write_bytes((tmp_path / "laboratory" / "laboratory.pem").read_bytes())
    with pytest.raises(CertificateError, match="--test-anchor"):
        run("show", tmp_path)
    assert "43 certificates" in run("show", tmp_path, "--test-anchor", extra).output
    assert "43 certificates" in run("show", tmp_path, "--allow-production").output
    with pytest.raises(UsageError, match="holds no certificate"):
        run("show", tmp_path, "--test-anchor", tmp_path / "pki" / "README.txt")


def test_export_json_names_what_its_form_cannot_hold(run: Run, tmp_path: Path) -> None:
    run("init", "--seed", 1, "--dir", tmp_path)
    said = run("export", tmp_path, "--out", tmp_path / "keystore.json", "--format", "json").output
    assert "Left out, because this form files everything under an EUI-64: device-issuing, device-root" in said
    assert f"38 certificates are in {tmp_path / 'keystore.json'}" in said
    ring = load_keystore(tmp_path / "keystore.json")
    assert ring.find(Eui64.parse("90B3D51F30010000"), KeyUsage.DIGITAL_SIGNATURE).name == "Z1-supplier-ds"


def test_published_key_store_is_shown_and_exported(run: Run, keystore_json: Path, tmp_path: Path) -> None:
    shown = run("show", keystore_json).output
    assert "31 certificates, 31 with private key" in shown
    assert "not loaded: mdr-ka: " in shown
    run("export", keystore_json, "--out", tmp_path / "pems")
    assert "31 certificates" in run("show", tmp_path / "pems").output


def test_rtds_key_store_is_shown(run: Run, rtds: Path) -> None:
    shown = run("show", rtds / "keystore").output
    assert "415 certificates, 15 with private key" in shown
    assert "not loaded: 90b3d51f30000007-ka.pem: certificate: filed under entity 90B3D51F30000007" in shown
    assert "profile: 90b3d51f30010008-ds: authority key identifier: is absent" in shown


def test_keys_of_a_lab_are_exported_for_its_clients(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "keystore.json"
    run("export", "--lab", "home", "--format", "json", "--out", file)
    ring = load_keystore(file)
    own = lab_keystore(load_lab(default=HOME_NAME))
    supplier = Eui64.parse("90B3D51F30010000")
    assert ring.xml_signer(supplier).certificate == own.xml_signer(supplier).certificate
    kept = ring.private_key(supplier, KeyUsage.DIGITAL_SIGNATURE)
    assert kept.public == own.private_key(supplier, KeyUsage.DIGITAL_SIGNATURE).public
    with pytest.raises(UsageError, match="a key store and --lab"):
        run("show", file, "--lab", "home")
