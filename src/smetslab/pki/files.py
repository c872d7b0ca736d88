"""The hierarchy on disk: written whole or not at all, private keys readable by their owner alone.

A data folder holds `pki/` (a test hierarchy: PEM files, and `authority.json` from which more certificates
can be issued) and `laboratory/` (the key that signs evidence). The laboratory's key outlives a new
hierarchy, because packs that it has signed are to stay verifiable; and it has nothing to do with the seed of
a hierarchy, which people share, because whoever has the key can sign evidence in the laboratory's name.

The two places that need true randomness are here: a seed that nobody gave, and the laboratory's key.
"""

from __future__ import annotations

import json
import os
import re
import secrets  # noqa: TID251 - seeds of keys that are to be nobody else's, drawn once and kept
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError, SecurityError, UsageError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import oids
from smetslab.pki.authority import (
    TEST_DEVICES,
    Authority,
    LaboratoryIdentity,
    credential_label,
    laboratory_identity,
    published_name,
)
from smetslab.pki.certificate import parse_certificate
from smetslab.pki.keystore import Entry, KeyRing
from smetslab.pki.limits import MAX_PEM_BYTES
from smetslab.rng import RootSeed

HIERARCHY_FOLDER: Final = "pki"
LABORATORY_FOLDER: Final = "laboratory"
_END_ENTITY_USAGES = frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT})
_AUTHORITY_FILE = "authority.json"
_SEED_BITS = 128

_NOTICE = "TEST credential of a smetslab laboratory. Never use it, or trust it, in production."
_README = """\
Test credentials of a smetslab laboratory
=========================================

Everything in this folder is for testing. Never use these keys in production,
and never trust these certificates there.

  root, issuing                  root and issuing authority of the organisations
  device-root, device-issuing    root and issuing authority of the devices
  <eui>-ds, -ka, -pp-ka, -xml-ds digital signature, key agreement, prepayment top-up, DUIS signature
  .pem .key                      certificate, private key (unencrypted, PKCS#8)
  authority.json                 the seed that every key here derives from: as secret as the keys
"""


class AuthorityFile(BaseModel):
    """`authority.json`: what an authority has to know to issue more certificates of the same hierarchy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = Field(default=1, ge=1, le=1)
    notice: str = _NOTICE
    seed: str = Field(
        pattern=r"^-?[0-9]{1,80}$", description="decimal; text, because JSON numbers lose digits"
    )
    valid_from: datetime
    device_policy: str = Field(
        default=oids.ORGANISATION_POLICY, pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=100
    )
    hardware_type: str = Field(default=oids.HARDWARE_TYPE, pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """What `initialise` did."""

    hierarchy: Path
    keystore: KeyRing
    laboratory: LaboratoryIdentity
    laboratory_made: bool


def user_data_folder() -> Path:
    """Where the platform keeps a user's data; XDG_DATA_HOME moves it on Linux."""
    return platformdirs.user_data_path("smetslab", appauthor=False)


def initialise(
    data_folder: Path,
    *,
    seed: int | None = None,
    valid_from: datetime | None = None,
    devices: Iterable[Eui64] = TEST_DEVICES,
    force: bool = False,
) -> Initialised:
    """Make a hierarchy in `data_folder`, and the laboratory's key if it has none yet.

    Without `seed` a secret one is drawn; for the laboratory's key always. Raises UsageError when there is a
    hierarchy already and not `force`.
    """
    root_seed = RootSeed(secrets.randbits(_SEED_BITS) if seed is None else seed)
    authority = Authority(root_seed) if valid_from is None else Authority(root_seed, valid_from)
    hierarchy = data_folder / HIERARCHY_FOLDER
    keystore = write_hierarchy(hierarchy, authority, devices, force=force)
    had_one = (data_folder / LABORATORY_FOLDER).exists()
    laboratory = laboratory_key(data_folder)
    return Initialised(
        hierarchy=hierarchy, keystore=keystore, laboratory=laboratory, laboratory_made=not had_one
    )


def write_hierarchy(
    folder: Path, authority: Authority, devices: Iterable[Eui64] = TEST_DEVICES, *, force: bool = False
) -> KeyRing:
    """Write every credential of `authority` into a new folder. UsageError when it exists and not `force`."""
    keystore = authority.keystore(devices)
    described = AuthorityFile(
        seed=str(authority.seed.value),
        valid_from=authority.valid_from,
        device_policy=authority.device_policy,
        hardware_type=authority.hardware_type,
    )

    def fill(place: Path) -> None:
        _write_pems(place, keystore.entries)
        _write(place / _AUTHORITY_FILE, described.model_dump_json(indent=2).encode() + b"\n", private=True)

    _write_folder(folder, fill, force=force)
    return keystore


def read_authority(folder: Path) -> Authority:
    """The authority behind a hierarchy folder, to issue more certificates. Raises UsageError."""
    file = folder / _AUTHORITY_FILE
    try:
        described = AuthorityFile.model_validate_json(_read_small(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise UsageError(
            f"{file}: {where}: {first['msg']}", hint="make a new hierarchy: smetslab pki init"
        ) from error
    return Authority(
        RootSeed(int(described.seed)),
        described.valid_from,
        device_policy=described.device_policy,
        hardware_type=described.hardware_type,
    )


def laboratory_key(data_folder: Path, *, seed: RootSeed | None = None) -> LaboratoryIdentity:
    """The laboratory's identity in `data_folder`, made on first use.

    A key that exists is never replaced. A new one comes from a secret seed unless `seed` is given: with a
    seed that others know, others can sign in this laboratory's name. Raises UsageError when the files do
    not fit each other.
    """
    folder = data_folder / LABORATORY_FOLDER
    if not folder.exists():
        made = laboratory_identity(seed or RootSeed(secrets.randbits(_SEED_BITS)))

        def fill(place: Path) -> None:
            _write(place / "laboratory.pem", _with_notice(made.certificate.to_pem()))
            _write(place / "laboratory.key", _with_notice(made.private_key.to_pem()), private=True)

        # When somebody else was quicker, what stands there is the laboratory's key.
        _place_folder(folder, fill, force=False)
    return _read_laboratory(folder)


def export_pem(keystore: KeyRing, folder: Path, *, force: bool = False) -> None:
    """Write every entry as PEM files into a new folder. Raises UsageError when it exists and not `force`."""
    _write_folder(folder, lambda place: _write_pems(place, keystore.entries), force=force)


def export_json(keystore: KeyRing, file: Path, *, force: bool = False) -> tuple[Entry, ...]:
    """Write the key store in the form of the ZAZ1 `keystore.json`; return the entries that it cannot hold.

    The form files everything under an entity identifier, so authorities, which have none, are left out.
    """
    if file.exists() and not force:
        raise UsageError(f"{file} exists", hint="give another name, or --force to replace it")
    tree: dict[str, dict[str, dict[str, dict[str, str | int]]]] = {}
    left: list[Entry] = []
    for entry in keystore.entries:
        certificate = entry.certificate
        if certificate.entity_id is None or certificate.key_usage is None:
            left.append(entry)
            continue
        item: dict[str, str | int] = {"certificate": certificate.to_pem().decode()}
        if entry.private_key is not None:
            item["privateKey"] = entry.private_key.to_pem().decode()
        item["name"] = _json_name(entry)
        if certificate.role is not None:
            item["role"] = int(certificate.role)
        usages = tree.setdefault(str(certificate.entity_id).lower(), {})
        usages.setdefault(str(certificate.key_usage), {})[str(certificate.serial)] = item
    _write_file(file, json.dumps(tree, indent=2).encode() + b"\n")
    return tuple(left)


def _json_name(entry: Entry) -> str:
    """The entry's own name, or instead of a mere file name the one by which tools know such a credential."""
    certificate = entry.certificate
    if certificate.entity_id is None or certificate.key_usage is None or certificate.role is None:
        return entry.name
    role = int(certificate.role)
    file_name = credential_label(
        certificate.entity_id, certificate.key_usage, entry.cell_usage, signs_xml=certificate.signs_xml
    )
    if entry.name.lower() != file_name:
        return entry.name
    return published_name(certificate.entity_id, role, certificate.key_usage, entry.cell_usage)


def _write_pems(place: Path, entries: Iterable[Entry]) -> None:
    taken: set[str] = set()
    _write(place / "README.txt", _README.encode())
    for entry in entries:
        stem = _stem(entry, taken)
        _write(place / f"{stem}.pem", _with_notice(entry.certificate.to_pem()))
        if entry.private_key is not None:
            _write(place / f"{stem}.key", _with_notice(entry.private_key.to_pem()), private=True)


def _stem(entry: Entry, taken: set[str]) -> str:
    """`<eui>-<use>` for the active credential of a use, its entry's name, fit for a file, for any other."""
    certificate = entry.certificate
    if entry.active and certificate.entity_id is not None and certificate.key_usage in _END_ENTITY_USAGES:
        usage = KeyUsage(certificate.key_usage)
        stem = credential_label(
            certificate.entity_id, usage, entry.cell_usage, signs_xml=certificate.signs_xml
        )
    else:
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", entry.name).strip(".") or "entry"
    unique, count = stem, 1
    while unique.lower() in taken:  # some file systems do not tell cases apart
        count += 1
        unique = f"{stem}.{count}"
    taken.add(unique.lower())
    return unique


def _with_notice(pem: bytes) -> bytes:
    """Explanatory text before the first boundary is part of PEM. Spec: RFC 7468 2."""
    return f"{_NOTICE}\n".encode() + pem


def _read_small(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", hint="make it with: smetslab pki init"
        ) from error
    if len(data) > MAX_PEM_BYTES:
        raise UsageError(f"{file} is too big: at most {MAX_PEM_BYTES} bytes are read")
    return data


def _read_laboratory(folder: Path) -> LaboratoryIdentity:
    try:
        certificate = parse_certificate(_read_small(folder / "laboratory.pem"))
        key = PrivateKey.from_pem(_read_small(folder / "laboratory.key"))
    except (CertificateError, SecurityError) as error:
        raise UsageError(
            f"{folder}: the laboratory's identity cannot be read: {error}",
            hint=f"restore it, or move {folder} away to have a new one made",
        ) from error
    if key.public != certificate.public_key:
        raise UsageError(
            f"{folder}: laboratory.key is not the key of laboratory.pem",
            hint=f"restore them, or move {folder} away to have a new identity made",
        )
    return LaboratoryIdentity(private_key=key, certificate=certificate)


def _write(file: Path, data: bytes, *, private: bool = False) -> None:
    """Create `file`; a private one is never readable by others, not even for a moment."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(file, flags, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _write_file(file: Path, data: bytes) -> None:
    """Replace a private file in one step."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # mkdtemp, because a name of our own in a shared folder could be somebody's trap.
        staging = Path(tempfile.mkdtemp(prefix=".smetslab-", dir=file.parent))
        try:
            _write(staging / "new", data, private=True)
            (staging / "new").replace(file)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error


def _write_folder(folder: Path, fill: Callable[[Path], None], *, force: bool) -> None:
    if not _place_folder(folder, fill, force=force):
        raise UsageError(f"{folder} exists", hint="give another place, or --force to replace it")


def _place_folder(folder: Path, fill: Callable[[Path], None], *, force: bool) -> bool:
    """Fill a folder beside `folder` and rename it into place, so that it is there whole or not at all.

    False when one is there already that is not empty and not to be replaced. Raises UsageError when it
    cannot be.
    """
    try:
        occupied = folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))
        if occupied and not force:
            return False
        if occupied and not _is_ours(folder):
            what = f"{folder} was not written by smetslab, so it is not replaced"
            raise UsageError(what, hint="give another place, or remove it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(
            tempfile.mkdtemp(prefix=".smetslab-", dir=folder.parent)
        )  # nobody else may look into it
        try:
            new = staging / "new"
            new.mkdir(mode=0o700)
            fill(new)
            return _swap(new, folder, staging / "old", force=force)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}", hint="give another place"
        ) from error


def _swap(new: Path, folder: Path, old: Path, *, force: bool) -> bool:
    """Put `new` in the place of `folder`, which goes to `old` if forced. False when it is occupied."""
    if force and folder.exists():
        folder.rename(old)
    else:
        with suppress(OSError):
            folder.rmdir()  # goes only if it is there and empty
    try:
        new.rename(folder)
    except OSError:
        if folder.exists():
            return False
        if old.exists():
            old.rename(folder)
        raise
    return True


def _is_ours(folder: Path) -> bool:
    """`force` replaces what an earlier run has written, not whatever a mistyped path points at."""
    readme = folder / "README.txt"
    return readme.is_file() and readme.read_bytes()[: len(_README)].startswith(
        _README.encode().splitlines()[0]
    )
