"""Comparing two packs: what differs besides the declared environment. Nothing should, for one seed and
tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smetslab.errors import CodecError, UsageError
from smetslab.harness.evidence.chain import Link, read_chain
from smetslab.harness.evidence.manifest import EVIDENCE, MANIFEST, SIGNATURE, VARIABLE_MEMBERS, Manifest
from smetslab.harness.evidence.source import PackFiles, open_pack
from smetslab.harness.plain import Plain, display

_TELLING = ("record", "case", "event", "verdict", "what", "actual")
"""Members that say most about a difference, when several differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`place`: the file, and the member or record that differs first in it."""

    place: str
    first: str
    second: str


def compare_packs(first: Path, second: Path) -> list[Difference]:
    """Every difference but those of the environment and the signature over it; empty when there is none."""
    with open_pack(first) as left, open_pack(second) as right:
        return list(_compare(left, right))


def _compare(left: PackFiles, right: PackFiles) -> Iterator[Difference]:
    skipped = (MANIFEST, SIGNATURE)
    names = sorted({*left.names(), *right.names()}.difference(skipped))
    for name in names:
        there = [name in files.names() for files in (left, right)]
        if not all(there):
            yield Difference(place=name, first=_presence(there[0]), second=_presence(there[1]))
        elif (ours := left.read(name)) != (theirs := right.read(name)):
            if name == EVIDENCE:
                yield _first_record(ours, theirs)
            else:
                yield _first_octet(name, ours, theirs)
    one, other = (_manifest(files).model_dump(mode="json") for files in (left, right))
    for member in one:
        if member not in (*VARIABLE_MEMBERS, "files", "chain") and one[member] != other[member]:
            yield Difference(
                place=f"{MANIFEST}: {member}", first=display(one[member]), second=display(other[member])
            )


def _presence(there: bool) -> str:
    return "there" if there else "not there"


def _manifest(files: PackFiles) -> Manifest:
    try:
        return Manifest.from_bytes(files.read(MANIFEST))
    except KeyError:
        raise UsageError(f"the pack has no {MANIFEST}") from None
    except CodecError as error:
        raise UsageError(f"{MANIFEST} cannot be read: {error}") from error


def _first_octet(name: str, left: bytes, right: bytes) -> Difference:
    shorter = min(len(left), len(right))
    at = next((place for place in range(shorter) if left[place] != right[place]), shorter)
    line = left.count(b"\n", 0, at) + 1
    return Difference(place=f"{name} line {line}", first=_around(left, at), second=_around(right, at))


def _around(data: bytes, at: int) -> str:
    return data[max(0, at - 20) : at + 40].decode("utf-8", errors="replace") or "the end"


def _first_record(left: bytes, right: bytes) -> Difference:
    """The first record whose own members differ; hashes differ from there on anyway."""
    ours, theirs = (
        [dict(entry.body) for entry in read_chain(data) if isinstance(entry, Link)] for data in (left, right)
    )
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        if mine != other:
            differing = [name for name in dict.fromkeys((*mine, *other)) if mine.get(name) != other.get(name)]
            member = next((name for name in _TELLING if name in differing), differing[0])
            about = f"{mine.get('record')} of {mine.get('case', 'the run')}"
            return Difference(
                place=f"{EVIDENCE} record {number} ({about}): {member}",
                first=_member(mine, member),
                second=_member(other, member),
            )
    return Difference(place=EVIDENCE, first=f"{len(ours)} records", second=f"{len(theirs)} records")


def _member(record: dict[str, Plain], name: str) -> str:
    return display(record[name]) if name in record else "not there"
