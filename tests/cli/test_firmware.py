"""`smetslab firmware`: what it makes, shows, signs and refuses, with its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smetslab import resources
from smetslab.cli.main import main
from smetslab.crypto import PrivateKey

IMAGES = Path(str(resources.firmware_images()))
FITS = ["--manufacturer", "FFF1", "--image-type", "0A01", "--hardware", "0001"]


@pytest.fixture
def maker(tmp_path: Path) -> Path:
    path = tmp_path / "maker.hex"
    path.write_text(json.loads((IMAGES / "manifest.json").read_text(encoding="utf-8"))["maker_public_key"])
    return path


def test_build_makes_the_shipped_images_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["firmware", "build", str(IMAGES / "images.toml"), "--out", str(tmp_path / "out"), "--json"])
        == 0
    )
    shown = json.loads(capsys.readouterr().out)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (IMAGES / "manifest.json").read_bytes()
    for entry in shown["images"]:
        assert (tmp_path / "out" / entry["file"]).read_bytes() == (IMAGES / entry["file"]).read_bytes()


def test_build_of_an_undeclared_image_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["firmware", "build", str(IMAGES / "images.toml"), "--out", str(tmp_path), "--name", "nothing"]
    assert main(command) == 2
    assert "no image 'nothing'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_show_names_version_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["firmware", "show", str(IMAGES / "esme-sound.ota"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    manifest = json.loads((IMAGES / "manifest.json").read_text(encoding="utf-8"))["images"][0]
    assert facts["firmware_version"] == manifest["firmware_version"] == "00010001"
    assert facts["manufacturer_image_hash"] == manifest["manufacturer_image_hash"]
    assert (facts["self_test"], facts["hardware_versions"]) == ("passes", "0001 to 0001")


def test_show_of_no_image_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["firmware", "show", str(IMAGES / "esme-not-ota.ota")]) == 2
    assert "file identifier" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("esme-sound", 0, "nothing is wrong"),
        ("esme-unsigned", 1, "not signed"),
        ("esme-wrong-signature", 1, "signature is wrong"),
        ("esme-other-signer", 1, "unknown key"),
        ("esme-damaged-content", 1, "check sum"),
        ("esme-other-hardware", 1, "hardware version"),
        ("esme-truncated", 1, "truncated"),
    ],
)
def test_verify_says_what_is_wrong(
    maker: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, said: str
) -> None:
    assert main(["firmware", "verify", str(IMAGES / f"{name}.ota"), "--key", str(maker), *FITS]) == code
    assert said in capsys.readouterr().out


def test_verify_wants_a_whole_identity(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["firmware", "verify", str(IMAGES / "esme-sound.ota"), "--hardware", "0001"]) == 2
    assert "incomplete" in capsys.readouterr().err


def test_sign_puts_another_maker_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(PrivateKey.from_seed(b"k" * 32).to_pem())
    signed = tmp_path / "signed.ota"
    assert (
        main(["firmware", "sign", str(IMAGES / "esme-sound.ota"), "--key", str(key), "--out", str(signed)])
        == 0
    )
    assert main(["firmware", "verify", str(signed), "--key", str(key)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
