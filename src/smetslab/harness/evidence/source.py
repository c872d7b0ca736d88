"""Reading the files of an evidence pack, from its folder or from a zip archive of it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from smetslab.errors import UsageError
from smetslab.harness.evidence.manifest import EVIDENCE, MANIFEST, SIGNATURE

MAX_FILE_BYTES: Final = 512 * 1024 * 1024
"""A larger file is not read: no pack of this laboratory holds one."""


class PackFiles(Protocol):
    """The files of a pack by their name with forward slashes."""

    def names(self) -> list[str]:
        """Sorted. An archive may hold a name more than once."""
        ...

    def read(self, name: str) -> bytes:
        """KeyError when there is no such file."""
        ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return sorted(
            place.relative_to(self._path).as_posix()
            for place in self._path.rglob("*")
            if place.is_symlink() or not place.is_dir()
        )

    def read(self, name: str) -> bytes:
        place = self._path / name
        if place.is_symlink() or not place.is_file():
            raise KeyError(name)
        _refuse_huge(name, place.stat().st_size)
        return place.read_bytes()


class _Archive:
    """`prefix`: the folder inside the archive that holds the manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        manifests = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == MANIFEST]
        shallowest = min(manifests, key=lambda name: name.count("/"), default=MANIFEST)
        self._prefix = shallowest.removesuffix(MANIFEST)

    def names(self) -> list[str]:
        return sorted(self._shown(name) for name in self._archive.namelist() if not name.endswith("/"))

    def _shown(self, name: str) -> str:
        """What stands beside the folder of the pack must not be taken for a file of the pack."""
        if name.startswith(self._prefix):
            return name.removeprefix(self._prefix)
        return "../" * self._prefix.count("/") + name

    def read(self, name: str) -> bytes:
        info = self._archive.getinfo(self._prefix + name)
        _refuse_huge(name, info.file_size)
        return self._archive.read(info)


def _refuse_huge(name: str, octets: int) -> None:
    if octets > MAX_FILE_BYTES:
        raise UsageError(f"{name} has {octets} octets; at most {MAX_FILE_BYTES} are read")


@contextmanager
def open_pack(path: Path) -> Iterator[PackFiles]:
    """Open a pack for reading. UsageError when there is nothing like a pack at `path`."""
    if path.is_dir():
        files = _Folder(path)
        if not {MANIFEST, SIGNATURE, EVIDENCE}.intersection(files.names()):
            raise UsageError(
                f"{path} is no evidence pack: it has no {MANIFEST}", hint="give the folder `run` wrote"
            )
        yield files
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield _Archive(archive)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", hint="give the folder `run` wrote") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UsageError(f"{path} is neither a folder nor a readable zip archive") from error
