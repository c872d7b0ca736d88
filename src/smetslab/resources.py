"""Finds the data that travels with smetslab, in a source checkout and in an installed wheel alike.

Knows where the folders are and nothing of what their files mean.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from smetslab.errors import StoreError


def device_profiles() -> Traversable:
    """The folder of the device profiles that smetslab ships (TOML, one file per make, model and firmware)."""
    return _folder("device_profiles")


def firmware_images() -> Traversable:
    """The folder of the synthetic firmware images that smetslab ships, with their manifest."""
    return _folder("firmware_images")


def _folder(name: str) -> Traversable:
    # The wheel carries top-level folders of the repository under `data`; a checkout has them beside `src`.
    package = files("smetslab")
    installed = package / "data" / name
    if installed.is_dir():
        return installed
    checkout = Path(str(package)).parent.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise StoreError(f"the folder {name} is missing from this installation; install smetslab again")
