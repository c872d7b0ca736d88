"""The hash chain of `evidence.jsonl`: one canonical JSON object a line, each holding the hash of the one
before.

A line has the members of its record and three more: `sequence` (from 0, without gaps), `previous` (the hash
of the line before; 64 zeros in the first) and `hash` (SHA-256 over the canonical JSON of all the other
members).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from smetslab.crypto import sha256
from smetslab.harness.plain import Plain, canonical_json

GENESIS: Final = "0" * 64
"""`previous` of the first record."""

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A longer line is no record of this laboratory."""


class ChainWriter:
    """Makes the lines. `root` is the hash of the last one."""

    def __init__(self) -> None:
        self.root = GENESIS
        self.count = 0

    def append(self, body: Mapping[str, Plain]) -> bytes:
        """The next line, newline included."""
        content = {**body, "sequence": self.count, "previous": self.root}
        self.root = sha256(canonical_json(content)).hex()
        self.count += 1
        return canonical_json({**content, "hash": self.root}) + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A line that could be read: its place in the file (from 0), its record, and its hash as it claims it."""

    line: int
    sequence: int
    hash: str
    body: Mapping[str, Plain]


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A place where the chain does not hold. `sequence`: the record it is about."""

    sequence: int
    what: str


def read_chain(data: bytes) -> Iterator[Link | Break]:
    """Read the lines in order: every record that can be read, and every break, where it is found.

    A record whose content changed is named itself, and the next one counts from the hash it claims, so that
    one altered record is one break. A missing, added or moved record is named by the sequence numbers
    around it.
    """
    if data and not data.endswith(b"\n"):
        yield Break(sequence=data.count(b"\n"), what="cut short: the last line has no end")
    expected = 0
    previous: str | None = GENESIS
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n") if data else ()):
        parsed = _parse(line)
        if isinstance(parsed, str):
            yield Break(sequence=expected, what=f"altered: {parsed} (line {number + 1})")
            previous = None
            expected += 1
            continue
        sequence, claimed_previous, claimed_hash, body = parsed
        if sequence > expected:
            missing = (
                f"record {expected}" if sequence == expected + 1 else f"records {expected} to {sequence - 1}"
            )
            yield Break(sequence=expected, what=f"missing: {missing}, before line {number + 1}")
            previous = None
        elif sequence < expected:
            yield Break(sequence=sequence, what=f"added, repeated or moved (line {number + 1})")
            continue
        if (
            sha256(canonical_json({**body, "sequence": sequence, "previous": claimed_previous})).hex()
            != claimed_hash
        ):
            yield Break(sequence=sequence, what="altered: its content does not have its hash")
        if previous is not None and claimed_previous != previous:
            before = f"record {sequence - 1}" if sequence else "the beginning"
            yield Break(sequence=sequence, what=f"altered, or {before} was: it is chained to another one")
        yield Link(line=number, sequence=sequence, hash=claimed_hash, body=body)
        previous = claimed_hash
        expected = sequence + 1


def _parse(line: bytes) -> tuple[int, str, str, dict[str, Plain]] | str:
    """Sequence, previous, hash and record of a line, or what is wrong with it."""
    if len(line) > MAX_LINE_BYTES:
        return "too long"
    try:
        value = json.loads(line)
        canonical = canonical_json(value) == line
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(value, dict) or not canonical:
        return "not a JSON object in its canonical form"
    sequence, previous, own = (value.pop(name, None) for name in ("sequence", "previous", "hash"))
    match sequence, previous, own:
        case int(), str(), str() if not isinstance(sequence, bool) and sequence >= 0:
            return sequence, previous, own, value
    return "no sequence number and hashes"
