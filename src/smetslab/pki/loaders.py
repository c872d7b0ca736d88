"""Reads key stores from files: the published ZAZ1 `keystore.json`, and folders of PEM files.

A file that is not a key store at all is a UsageError. Inside a key store, what does not parse or does not
pair is reported in `KeyRing.skipped` and the rest is loaded. A label that contradicts its certificate (file
name, JSON key) is such a fault: the certificate is what the protocols go by, and a key filed under another
party's name would make that party's messages wrong in silence. A certificate that may be a production one
stops the load altogether.

Spec: ZAZ1 key store of the published test tools; Reference Test Data Set, key store folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from smetslab.crypto import PrivateKey
from smetslab.errors import CertificateError, SecurityError, UsageError
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.ids import Eui64
from smetslab.pki.certificate import Certificate, CertificateKind, parse_certificate
from smetslab.pki.keystore import Entry, KeyRing, Skipped
from smetslab.pki.limits import MAX_KEYSTORE_BYTES, MAX_KEYSTORE_FILES, MAX_PEM_BYTES
from smetslab.pki.production import CredentialGuard

_FORMS = "a ZAZ1 keystore.json, or a folder of PEM files such as 90b3d51f30010000-ds.pem"
_TOP_UP = re.compile(r"pp-ka$", re.IGNORECASE)
_FILE = re.compile(r"(?P<eui>[0-9a-f]{16})-(?P<use>ds|ka|pp-ka|xml-ds)", re.IGNORECASE)
_FILE_USAGE = {
    "ds": KeyUsage.DIGITAL_SIGNATURE,
    "xml-ds": KeyUsage.DIGITAL_SIGNATURE,
    "ka": KeyUsage.KEY_AGREEMENT,
    "pp-ka": KeyUsage.KEY_AGREEMENT,
}
_DEFAULT_GUARD: Final = CredentialGuard()

_PREFERRED = "Z1-"
_OTHER_GENERATION = "Z1b-"


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry and how far back it stands: of one use, those in front are the active ones."""

    rank: int
    entry: Entry


def load_keystore(path: Path | str, guard: CredentialGuard = _DEFAULT_GUARD) -> KeyRing:
    """Load a key store of either form. Raises UsageError or CertificateError."""
    place = Path(path)
    return load_pem_folder(place, guard) if place.is_dir() else load_zaz1_keystore(place, guard)


def load_zaz1_keystore(path: Path | str, guard: CredentialGuard = _DEFAULT_GUARD) -> KeyRing:
    """Load a `keystore.json`: entity, usage and decimal serial lead to certificate, key, name and role.

    Where several entries serve one use, those named `Z1-` are active, as the published tools choose them,
    and those named `Z1b-` (a second generation of the same credentials) come last.
    """
    place = Path(path)
    try:
        tree = json.loads(_read(place, MAX_KEYSTORE_BYTES))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place} is not JSON", hint=f"give {_FORMS}") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{place} is no ZAZ1 key store: its top level is no object", hint=f"give {_FORMS}")
    found: list[_Found] = []
    skipped: list[Skipped] = []
    for label, item in _walk(tree, skipped):
        name = item.get("name")
        shown = name if isinstance(name, str) and name else "-".join(label)
        try:
            entry = _json_entry(shown, label, item, skipped)
        except CertificateError as error:
            skipped.append(Skipped(shown, str(error)))
            continue
        rank = 0 if shown.startswith(_PREFERRED) else 2 if shown.startswith(_OTHER_GENERATION) else 1
        found.append(_Found(rank, entry))
    return _ring(place, found, skipped, guard)


def _walk(
    tree: dict[str, object], skipped: list[Skipped]
) -> Iterator[tuple[tuple[str, str, str], dict[str, object]]]:
    """The leaves of the three levels, with their keys."""
    for entity, usages in tree.items():
        if not isinstance(usages, dict):
            skipped.append(Skipped(entity, "is no object of usages"))
            continue
        for usage, serials in usages.items():
            if not isinstance(serials, dict):
                skipped.append(Skipped(f"{entity}-{usage}", "is no object of serial numbers"))
                continue
            for serial, item in serials.items():
                if isinstance(item, dict):
                    yield (entity, usage, serial), item
                else:
                    skipped.append(Skipped(f"{entity}-{usage}-{serial}", "is no object"))


def _json_entry(
    name: str, label: tuple[str, str, str], item: dict[str, object], skipped: list[Skipped]
) -> Entry:
    pem = item.get("certificate")
    if not isinstance(pem, str):
        raise CertificateError("no certificate text")
    certificate = parse_certificate(pem.encode())
    entity, usage, serial = label
    _agree("entity", entity.upper(), certificate.entity_id)
    _agree("usage", usage, certificate.key_usage)
    _agree("serial number", serial, certificate.serial)
    role = item.get("role")
    if role is not None:
        _agree("role", str(role), None if certificate.role is None else int(certificate.role))
    key = item.get("privateKey")
    return Entry(
        name=name,
        certificate=certificate,
        private_key=_key(name, key.encode(), certificate, skipped) if isinstance(key, str) and key else None,
        cell_usage=_cell_usage(name),
    )


def load_pem_folder(path: Path | str, guard: CredentialGuard = _DEFAULT_GUARD) -> KeyRing:
    """Load a folder of `<eui>-ds.pem`, `-ka.pem`, `-pp-ka.pem` (prepayment top-up) and `.key` beside them.

    Certificates under other names are taken for what they say themselves: authorities, for one.
    """
    folder = Path(path)
    pems, keys = _listing(folder)
    found: list[_Found] = []
    skipped: list[Skipped] = []
    for stem, file in pems.items():
        try:
            certificate = parse_certificate(_read(file, MAX_PEM_BYTES))
            labelled = _FILE.fullmatch(stem)
            if labelled:
                _agree("entity", labelled["eui"].upper(), certificate.entity_id)
                _agree("usage", _FILE_USAGE[labelled["use"].lower()], certificate.key_usage)
        except (CertificateError, UsageError) as error:
            skipped.append(Skipped(file.name, str(error)))
            continue
        entry = Entry(
            name=stem,
            certificate=certificate,
            private_key=_key_file(keys[stem], certificate, skipped) if stem in keys else None,
            cell_usage=_cell_usage(stem),
        )
        found.append(_Found(0 if labelled else 1, entry))
    skipped += [
        Skipped(key.name, "private key without a certificate")
        for stem, key in keys.items()
        if stem not in pems
    ]
    return _ring(folder, found, skipped, guard)


def load_certificate(path: Path | str) -> Certificate:
    """One certificate from a PEM or DER file. Raises UsageError with the file's name."""
    try:
        return parse_certificate(_read(Path(path), MAX_PEM_BYTES))
    except CertificateError as error:
        raise UsageError(
            f"{path} holds no certificate: {error}", hint="give one certificate, PEM or DER"
        ) from error


def _listing(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Certificate and key files by their stem, in the order of their names."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}", hint=f"give {_FORMS}") from error
    if len(names) > MAX_KEYSTORE_FILES:
        raise UsageError(f"{folder} holds {len(names)} files, at most {MAX_KEYSTORE_FILES} are read")
    pems = {name[:-4]: folder / name for name in names if name.lower().endswith(".pem")}
    keys = {name[:-4]: folder / name for name in names if name.lower().endswith(".key")}
    return pems, keys


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint=f"give {_FORMS}") from error
    if len(data) > limit:
        raise UsageError(f"{file} is too big: at most {limit} bytes are read")
    return data


def _agree(what: str, label: str, found: object) -> None:
    if label != str(found):
        raise CertificateError(f"filed under {what} {label}, but the certificate says {found}")


def _cell_usage(name: str) -> CellUsage:
    return CellUsage.PREPAYMENT_TOP_UP if _TOP_UP.search(name) else CellUsage.MANAGEMENT


def _key_file(file: Path, certificate: Certificate, skipped: list[Skipped]) -> PrivateKey | None:
    try:
        pem = _read(file, MAX_PEM_BYTES)
    except UsageError as error:
        skipped.append(Skipped(file.name, str(error)))
        return None
    return _key(file.name, pem, certificate, skipped)


def _key(name: str, pem: bytes, certificate: Certificate, skipped: list[Skipped]) -> PrivateKey | None:
    """The private key, or None and a report: the certificate is of use without it."""
    try:
        key = PrivateKey.from_pem(pem)
    except SecurityError as error:
        skipped.append(Skipped(name, f"private key not loaded: {error}"))
        return None
    if key.public != certificate.public_key:
        skipped.append(Skipped(name, "private key not loaded: it is not that of the certificate"))
        return None
    return key


def _ring(place: Path, found: list[_Found], skipped: list[Skipped], guard: CredentialGuard) -> KeyRing:
    if not found:
        first = f"; {skipped[0].name}: {skipped[0].reason}" if skipped else ""
        raise UsageError(f"{place} holds no certificate that can be loaded{first}", hint=f"give {_FORMS}")
    authorities = [
        f.entry.certificate for f in found if f.entry.certificate.kind is CertificateKind.AUTHORITY
    ]
    front: dict[tuple[Eui64 | None, KeyUsage | None, CellUsage, bool], int] = {}
    for item in found:
        guard.require(item.entry.certificate, authorities)
        front[_slot(item.entry)] = min(item.rank, front.get(_slot(item.entry), item.rank))
    return KeyRing([replace(f.entry, active=f.rank == front[_slot(f.entry)]) for f in found], skipped)


def _slot(entry: Entry) -> tuple[Eui64 | None, KeyUsage | None, CellUsage, bool]:
    certificate = entry.certificate
    return certificate.entity_id, certificate.key_usage, entry.cell_usage, certificate.signs_xml
