"""Checks every message of a folder: decoded, written again octet for octet, MAC, signature, decryption.

The messages are whatever `*.HEX` files the folder and its subfolders hold, the keys whatever PEM files they
hold, unless a key store is given. One row for each message, in the order of the file names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from smetslab.errors import CodecError, SecurityError, UsageError
from smetslab.gbcs.describe import Kind, kind_of_message
from smetslab.gbcs.generic import HEX, content_from_generic, content_to_generic
from smetslab.gbcs.keys import CheckOutcome, opening_secret, sealed_parts
from smetslab.gbcs.message import Message, decode_message, encode_message
from smetslab.gbcs.notation import MAX_TEXT_BYTES, message_octets
from smetslab.gbcs.usecases import by_code, decode_content, encode_content, find
from smetslab.gbcs.values import Value
from smetslab.ids import format_message_code
from smetslab.pki import KeyRing
from smetslab.rtds.key_folders import key_folders, load_keys
from smetslab.rtds.keys import MessageKeys, UtrnOutcome

MAX_FILES: Final = 100_000
"""Most files that one check reads. The whole published set has some 3,000."""

_GENERIC = re.compile(
    r"unknown_0x[0-9A-F]+|(field|item|member|element|parameter|value)[ _]?\d+", re.IGNORECASE
)
"""Names for what nobody has named."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class MessageRow(_Model):
    """What became of one message. `use_case`: its name where it is declared, else its Message Code."""

    file: str
    use_case: str | None
    kind: Kind | None
    decoded: bool = Field(description="framing, and content to named values or at least to typed ones")
    reencoded_identical: bool = Field(description="from those values alone")
    opaque: bool = Field(description="content of which only the octets can be shown")
    mac: CheckOutcome
    signature: CheckOutcome
    decrypted: bool | None = Field(description="null: nothing in it is known to be protected; false: no key")
    utrn: UtrnOutcome = Field(
        description="the token of a top up, made again from its parts and keys; some published are dummies"
    )
    named: bool = Field(description="content decoded to the named parameters of a declared use case")
    generic_names: int = Field(description="names in it that say nothing but a number")
    error: str | None

    @property
    def failed(self) -> bool:
        """True when the message is not what it should be, or we do not read it as it is."""
        wrong = not (self.decoded and self.reencoded_identical) or self.error is not None
        return wrong or "failed" in {self.mac, self.signature}


class CheckCounts(_Model):
    """How often each outcome came."""

    verified: int
    failed: int
    absent: int
    uncheckable: int


class Summary(_Model):
    """The rows, counted."""

    messages: int
    failures: int
    decoded: int
    reencoded_identical: int
    opaque: int
    named: int
    generic_names: int
    commands: int
    pre_commands: int
    responses: int
    alerts: int
    mac: CheckCounts
    signature: CheckCounts
    decrypted: int
    utrns_recomputed: int
    utrns_other: int = Field(description="tokens that these keys do not give: dummies, in published sets")
    sealed: int = Field(description="messages with protected content and no key for it")


class SkippedKey(_Model):
    """A file of the key store that was not loaded, and why."""

    name: str
    reason: str


class KeystoreSummary(_Model):
    """The keys that were used."""

    folders: list[str]
    certificates: int
    private_keys: int
    skipped: list[SkippedKey]


class CheckReport(_Model):
    """The whole check, without anything that differs between two runs over the same files."""

    schema_version: Literal[1] = 1
    summary: Summary
    keystore: KeystoreSummary
    messages: list[MessageRow]

    @property
    def passed(self) -> bool:
        return self.summary.failures == 0


def report_schema() -> dict[str, JsonValue]:
    """The JSON schema of `CheckReport`."""
    return CheckReport.model_json_schema(mode="serialization")


def check_folder(folder: Path | str, *, keystore: Path | str | None = None) -> CheckReport:
    """Check every message below `folder` against the keys of `keystore`, or of the PEM files below or beside
    `folder`.

    Raises UsageError when there is no message, or a key store that was given cannot be loaded.
    """
    root = Path(folder)
    files = _files(root)
    messages = [path for path in files if path.suffix.lower() == ".hex"]
    if not messages:
        raise UsageError(
            f"{root} holds no *.HEX files", hint="give the folder of the Reference Test Data Set: --rtds DIR"
        )
    ring, folders = _keys(root, keystore)
    keys = MessageKeys(ring)
    rows = [_check_file(path, path.relative_to(root).as_posix(), keys) for path in messages]
    return CheckReport(
        summary=_summary(rows),
        keystore=KeystoreSummary(
            folders=folders,
            certificates=len(ring.entries),
            private_keys=sum(entry.private_key is not None for entry in ring.entries),
            skipped=[SkippedKey(name=item.name, reason=item.reason) for item in ring.skipped],
        ),
        messages=rows,
    )


def check_message(file: str, data: bytes, keys: MessageKeys) -> MessageRow:
    """The row of one message. Whatever is wrong with it is in the row."""
    try:
        message = decode_message(data)
    except CodecError as error:
        return _unread(file, str(error))
    use_case = by_code(message.message_code)
    content = _check_content(message, keys)
    identical = encode_message(message) == data
    return MessageRow(
        file=file,
        use_case=format_message_code(message.message_code) if use_case is None else use_case.name,
        kind=kind_of_message(message),
        decoded=content.decoded,
        reencoded_identical=identical and content.identical,
        opaque=content.opaque,
        mac=keys.check_mac(message),
        signature=keys.check_signature(message),
        decrypted=content.decrypted,
        utrn=content.utrn,
        named=content.named,
        generic_names=content.generic_names,
        error=content.error,
    )


class _Content(_Model):
    """What became of the content."""

    decoded: bool = False
    identical: bool = False
    opaque: bool = False
    decrypted: bool | None = None
    utrn: UtrnOutcome = "absent"
    named: bool = False
    generic_names: int = 0
    error: str | None = None


def _check_content(message: Message, keys: MessageKeys) -> _Content:
    use_case = find(message)
    if use_case is None:
        return _without_declaration(message)
    decrypted: bool | None = None
    try:
        secret = opening_secret(message, keys.lookup)
        decrypted = secret is not None if sealed_parts(message) else None
        parameters = decode_content(use_case, message, secret)
        identical = encode_content(use_case, message, parameters, secret) == message.content
    except (CodecError, SecurityError) as error:
        outcome = False if isinstance(error, SecurityError) else decrypted
        return _without_declaration(message, decrypted=outcome, error=str(error))
    return _Content(
        decoded=True,
        identical=identical,
        decrypted=decrypted,
        utrn=keys.check_utrn(message, use_case, parameters),
        named=True,
        generic_names=sum(map(_is_generic, _names(parameters))),
    )


def _without_declaration(
    message: Message, *, decrypted: bool | None = None, error: str | None = None
) -> _Content:
    """Content that no use case is declared for, or that is not of its shape: as far as its encoding tells."""
    form = content_to_generic(message)
    opaque = set(form) == {HEX}
    understood = not opaque or error is None
    return _Content(
        decoded=understood,
        identical=understood and content_from_generic(form, message) == message.content,
        opaque=opaque,
        decrypted=decrypted,
        error=error,
    )


def _names(value: Value) -> Iterator[str]:
    """Every name in named values, and every text: a text may be the name of something."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
    elif isinstance(value, str):
        yield value


def _is_generic(name: str) -> bool:
    return _GENERIC.fullmatch(name) is not None


def _check_file(path: Path, name: str, keys: MessageKeys) -> MessageRow:
    try:
        with path.open("rb") as stream:
            given = stream.read(MAX_TEXT_BYTES + 1)
        data = message_octets(given)
    except OSError as error:
        return _unread(name, f"cannot be read: {error.strerror}")
    except CodecError as error:
        return _unread(name, str(error))
    return check_message(name, data, keys)


def _unread(file: str, error: str) -> MessageRow:
    return MessageRow(
        file=file,
        use_case=None,
        kind=None,
        decoded=False,
        reencoded_identical=False,
        opaque=False,
        mac="uncheckable",
        signature="uncheckable",
        decrypted=None,
        utrn="absent",
        named=False,
        generic_names=0,
        error=error,
    )


def _files(root: Path) -> list[Path]:
    """Every file below `root`, in the order of their names; folders behind links are left out."""
    if not root.is_dir():
        raise UsageError(
            f"{root} is no folder", hint="give the folder of the Reference Test Data Set: --rtds DIR"
        )
    found: list[Path] = []
    for path in root.rglob("*"):
        if path.is_file():
            found.append(path)
        if len(found) > MAX_FILES:
            raise UsageError(
                f"{root} holds more than {MAX_FILES} files", hint="give a folder of messages and keys"
            )
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def _keys(root: Path, keystore: Path | str | None) -> tuple[KeyRing, list[str]]:
    ring = load_keys(root, keystore)
    if keystore is not None:
        return ring, [str(keystore)]
    folders = key_folders(root)
    below = root.resolve()
    return ring, [Path(os.path.relpath(folder.resolve(), below)).as_posix() for folder in folders]


def _summary(rows: list[MessageRow]) -> Summary:
    kinds = [row.kind for row in rows]
    return Summary(
        messages=len(rows),
        failures=sum(row.failed for row in rows),
        decoded=sum(row.decoded for row in rows),
        reencoded_identical=sum(row.reencoded_identical for row in rows),
        opaque=sum(row.opaque for row in rows),
        named=sum(row.named for row in rows),
        generic_names=sum(row.generic_names for row in rows),
        commands=kinds.count("command"),
        pre_commands=kinds.count("pre-command"),
        responses=kinds.count("response"),
        alerts=kinds.count("alert"),
        mac=_counts(row.mac for row in rows),
        signature=_counts(row.signature for row in rows),
        decrypted=sum(row.decrypted is True for row in rows),
        utrns_recomputed=sum(row.utrn == "recomputed" for row in rows),
        utrns_other=sum(row.utrn == "other" for row in rows),
        sealed=sum(row.decrypted is False for row in rows),
    )


def _counts(checks: Iterable[CheckOutcome]) -> CheckCounts:
    outcomes = list(checks)
    return CheckCounts(
        verified=outcomes.count("verified"),
        failed=outcomes.count("failed"),
        absent=outcomes.count("absent"),
        uncheckable=outcomes.count("uncheckable"),
    )


__all__ = ["CheckReport", "MessageRow", "Summary", "check_folder", "check_message", "report_schema"]
