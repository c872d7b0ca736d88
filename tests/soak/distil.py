"""Choose what is committed: `python distil.py FOLDER`, where FOLDER has one of fuzz_gbcs.py for each target.

Of the inputs that fuzzing kept, the shortest ones first, those are chosen that reach a pair of lines which
neither samples nor inputs chosen before reach. Inputs that are committed already compete like all others,
unless a comment stands beside them. Run it only on a corpus that no published message went into.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from fuzzing.corpus import committed, remarked, write
from fuzzing.null_cipher import null_cipher
from fuzzing.targets import TARGETS, Target

BUDGETS = {
    "message": 60_000,
    "text": 50_000,
    "dlms": 15_000,
    "gbz": 15_000,
    "duis": 15_000,
    "certificate": 12_000,
}
OTHERS = 6_000
"""Characters of a file, for each target."""

Pair = tuple[CodeType, int, int]


def reached(check: Callable[[bytes], object], octets: bytes) -> set[Pair]:
    """The pairs of lines of smetslab that run one after the other, with what came of it."""
    pairs: set[Pair] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        del argument
        if "/smetslab/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            pairs.add((frame.f_code, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        elif event == "return":
            last.pop(frame, None)
        return trace

    sys.settrace(trace)
    try:
        check(octets)
    finally:
        sys.settrace(None)
    return pairs


def distil(target: Target, found: list[bytes], budget: int) -> list[bytes]:
    """The inputs to commit."""
    known: set[Pair] = set()
    for octets in [*target.seeds(), *remarked(target.name)]:
        known |= reached(target.check, octets)
    chosen: list[bytes] = []
    for octets in sorted({*found, *committed(target.name)}, key=lambda one: (len(one), one)):
        budget_left = budget - sum(2 * len(one) + 1 for one in chosen)
        if 2 * len(octets) + 1 > budget_left:
            break
        new = reached(target.check, octets) - known
        if new:
            known |= new
            chosen.append(octets)
    return chosen


def main() -> None:
    folder = Path(sys.argv[1])
    with null_cipher():
        for name, target in TARGETS.items():
            found = [file.read_bytes() for file in sorted((folder / name / "corpus").glob("*"))]
            chosen = distil(target, found, BUDGETS.get(name, OTHERS))
            write(name, chosen)
            sys.stdout.write(f"{name}: {len(chosen)} of {len(found)} inputs\n")


if __name__ == "__main__":
    main()
