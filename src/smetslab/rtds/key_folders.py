"""Where the keys of a data set are: PEM files below the folder that was named, else those of a key store
beside it, as in the published set.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from smetslab.pki import KeyRing, load_keystore, load_pem_folder

KEYSTORE_FOLDER: Final = "keystore"
"""Where the published set has its keys, beside the folder of its messages."""


def key_folders(root: Path) -> list[Path]:
    """The folders with PEM files, those below `root` before that beside it; none when there are none."""
    beside = root.resolve().parent / KEYSTORE_FOLDER
    found = _pem_files(root.rglob("*")) or _pem_files(beside.glob("*"))
    return list(dict.fromkeys(path.parent for path in found))


def _pem_files(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() == ".pem")


def load_keys(root: Path, keystore: Path | str | None) -> KeyRing:
    """The key store that was given, else the data set's own; empty when it has none. Raises UsageError."""
    if keystore is not None:
        return load_keystore(keystore)
    ring = KeyRing(())
    for folder in key_folders(root):
        ring = ring.merged(load_pem_folder(folder))
    return ring
