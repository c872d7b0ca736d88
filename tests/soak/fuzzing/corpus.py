"""The committed inputs: for each target a text file, a line of hex digits for each input.

Behind `#` stands a remark. An input with a remark is there for what the remark says, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "corpus"


def _lines(name: str) -> Iterator[tuple[str, str]]:
    """Digits and remark of each line of a target's file."""
    file = FOLDER / f"{name}.txt"
    for line in file.read_text("ascii").splitlines() if file.exists() else []:
        digits, _, remark = line.partition("#")
        yield digits.strip(), remark.strip()


def committed(name: str) -> list[bytes]:
    """The inputs of a target."""
    return [bytes.fromhex(digits) for digits, _ in _lines(name) if digits]


def remarked(name: str) -> list[bytes]:
    """Those that stay."""
    return [bytes.fromhex(digits) for digits, remark in _lines(name) if digits and remark]


def write(name: str, inputs: list[bytes]) -> None:
    """Put `inputs`, shortest first, in the place of those without a remark."""
    kept = [f"{digits} # {remark}" for digits, remark in _lines(name) if digits and remark]
    there = set(remarked(name))
    new = [octets.hex() for octets in sorted(inputs, key=lambda one: (len(one), one)) if octets not in there]
    (FOLDER / f"{name}.txt").write_text("\n".join((*kept, *new, "")), "ascii")
