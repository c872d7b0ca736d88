"""Data that travels with the package is found in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab import resources
from smetslab.errors import StoreError


def _install(monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "files", lambda _name: package)


def test_this_checkout_has_its_device_profiles() -> None:
    assert resources.device_profiles() == Path(__file__).parent.parent / "device_profiles"


def test_installed_package_carries_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "smetslab"
    _install(monkeypatch, package)
    (package / "data" / "device_profiles").mkdir(parents=True)
    assert resources.device_profiles() == package / "data" / "device_profiles"


def test_folder_beside_an_installed_package_is_not_mistaken_for_a_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _install(monkeypatch, tmp_path / "site-packages" / "smetslab")
    (tmp_path / "device_profiles").mkdir()
    with pytest.raises(StoreError, match="device_profiles"):
        resources.device_profiles()
