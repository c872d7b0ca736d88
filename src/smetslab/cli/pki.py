"""`smetslab pki`: makes a test hierarchy, shows key stores, writes them in forms that other tools read."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from smetslab.cli import output
from smetslab.errors import UsageError
from smetslab.ids import Eui64
from smetslab.lab.build import lab_keystore
from smetslab.lab.config import HOME_NAME, load_lab
from smetslab.pki import CredentialGuard, KeyRing, load_keystore
from smetslab.pki.authority import TEST_DEVICES
from smetslab.pki.files import HIERARCHY_FOLDER, export_json, export_pem, initialise, user_data_folder
from smetslab.pki.listing import EntryListing, KeystoreListing, list_keystore
from smetslab.pki.loaders import load_certificate

app = typer.Typer(help="Test certificates and keys.", no_args_is_help=True)

BUILT_IN_HOME = "home"
_NEVER = 9999


class Format(StrEnum):
    """The forms that `export` writes."""

    PEM = "pem"
    JSON = "json"


KeystorePath = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]", help="A keystore.json or a folder of PEM files; by default your own hierarchy."
    ),
]
TestAnchors = Annotated[
    list[Path] | None,
    typer.Option(
        "--test-anchor", help="A certificate that you declare to be the anchor of a test hierarchy."
    ),
]
LabFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|home",
        help="Instead: the keys of a lab file, or of the home that `serve` serves without one.",
    ),
]
AllowProduction = Annotated[
    bool,
    typer.Option(
        "--allow-production", help="Read credentials even if nothing shows that they are for tests."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what an earlier run has written.")]


@app.command("init")
def init(
    *,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Same seed, same hierarchy. Without it a secret seed is drawn and kept. "
            "The key that signs evidence is always a secret one."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="The data folder; by default that of your user account.")
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="EUI-64 of a device to be certified; may be repeated. Default: seven test devices."
        ),
    ] = None,
    valid_from: Annotated[
        str | None, typer.Option(help="Start of validity, such as 2015-01-01 (the default), in UTC.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a test hierarchy (roots, authorities, every party, devices) and the laboratory's signing key."""
    made = initialise(
        folder or user_data_folder(),
        seed=seed,
        valid_from=None if valid_from is None else _moment(valid_from),
        devices=TEST_DEVICES if not device else [_eui(text) for text in device],
        force=force,
    )
    fingerprint = made.laboratory.certificate.fingerprint.hex()
    if as_json:
        output.print_json(
            {
                "schema_version": 1,
                "hierarchy": str(made.hierarchy),
                "certificates": len(made.keystore),
                "laboratory_fingerprint": fingerprint,
                "laboratory_made": made.laboratory_made,
            }
        )
        return
    output.line(f"{len(made.keystore)} test certificates with their keys are in {made.hierarchy}")
    output.line(
        f"The laboratory signs evidence with {'a new key' if made.laboratory_made else 'the key it had'}:"
    )
    output.line(f"  SHA-256 of its certificate {fingerprint}")
    if seed is not None:
        output.line(
            "Whoever knows the seed has all of these keys, but for the one that signs evidence. "
            "Leave out --seed for keys of your own."
        )
    output.line("See them with: smetslab pki show" + (f" {folder}" if folder else ""))


@app.command("show")
def show(
    path: KeystorePath = None,
    *,
    lab: LabFile = None,
    test_anchor: TestAnchors = None,
    allow_production: AllowProduction = False,
    as_json: AsJson = False,
) -> None:
    """List what a key store holds, what could not be loaded, and where certificates break their profile."""
    keystore, source = _load(path, test_anchor, lab, allow_production=allow_production)
    listing = list_keystore(keystore, str(source))
    if as_json:
        output.print_json(listing.model_dump(mode="json"))
    else:
        _print(listing)


@app.command("export")
def export(
    path: KeystorePath = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="The folder (pem) or file (json) to write.")],
    form: Annotated[
        Format, typer.Option("--format", help="json is the form of the published keystore.json.")
    ] = Format.PEM,
    lab: LabFile = None,
    test_anchor: TestAnchors = None,
    allow_production: AllowProduction = False,
    force: Force = False,
) -> None:
    """Write a key store, private keys included, in a form that other tools read."""
    keystore, _source = _load(path, test_anchor, lab, allow_production=allow_production)
    written = len(keystore)
    if form is Format.PEM:
        export_pem(keystore, out, force=force)
    else:
        left = export_json(keystore, out, force=force)
        written -= len(left)
        if left:
            names = ", ".join(entry.name for entry in left)
            output.line(f"Left out, because this form files everything under an EUI-64: {names}")
    output.line(f"{written} certificates are in {out}")


def _load(
    path: Path | None, test_anchors: list[Path] | None, lab: str | None, *, allow_production: bool
) -> tuple[KeyRing, Path]:
    if lab is not None:
        if path is not None:
            raise UsageError("a key store and --lab", hint="give one of them")
        config = load_lab(None if lab == BUILT_IN_HOME else lab, default=HOME_NAME)
        return lab_keystore(config), Path(config.source_name)
    place = path or user_data_folder()
    if path is None and not (place / HIERARCHY_FOLDER).exists():
        raise UsageError(f"there is no hierarchy in {place}", hint="make one: smetslab pki init")
    if (place / HIERARCHY_FOLDER).is_dir():
        place /= HIERARCHY_FOLDER
    guard = CredentialGuard(
        test_anchors=tuple(load_certificate(anchor) for anchor in test_anchors or ()),
        allow_production=allow_production,
    )
    return load_keystore(place, guard), place


def _print(listing: KeystoreListing) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "entity", "role", "use", "key", "valid until", "issuer", "SHA-256"):
        table.add_column(heading, overflow="fold")
    for entry in listing.entries:
        table.add_row(*_row(entry), style="" if entry.active else "dim")
    output.console.print(table)
    held = sum(entry.private_key for entry in listing.entries)
    output.line(f"{len(listing.entries)} certificates, {held} with private key")
    for entry in listing.entries:
        for finding in entry.findings:
            output.line(f"profile: {entry.name}: {finding}")
    for skipped in listing.skipped:
        output.line(f"not loaded: {skipped.name}: {skipped.reason}")


def _row(entry: EntryListing) -> tuple[str, ...]:
    use: str = entry.usage or "-"
    if entry.cell_usage != "management":
        use += " (top-up)"
    return (
        entry.name,
        entry.entity_id or "-",
        entry.role_name or entry.kind,
        use,
        "yes" if entry.private_key else "-",
        "never" if entry.not_after.year == _NEVER else f"{entry.not_after:%Y-%m-%d}",
        entry.issuer,
        entry.fingerprint[:16],
    )


def _eui(text: str) -> Eui64:
    try:
        return Eui64.parse(text)
    except ValueError as error:
        raise UsageError(str(error), hint="--device 00DB1234567890A0") from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no date", hint="--valid-from 2015-01-01") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
