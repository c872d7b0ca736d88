"""Coverage-guided fuzzing of one target: `python fuzz_gbcs.py TARGET FOLDER [libFuzzer options]`.

FOLDER gets `corpus/` (inputs that reached something new) and `findings/` (for each distinct finding the
shortest input, and beside it what happened). Fuzzing goes on after a finding. Committed inputs of
tests/corpus, samples made from the declarations and, when SMETSLAB_RTDS is set, the published messages are
what it starts from.

Needs atheris, the extra `soak`.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["smetslab"], enable_loader_override=False):
    from fuzzing.corpus import committed
    from fuzzing.null_cipher import null_cipher
    from fuzzing.targets import TARGETS, Target

    from smetslab.gbcs.notation import message_octets

MAX_LENGTH = 4096
_OPTIONS = (
    f"-max_len={MAX_LENGTH}",
    "-print_final_stats=1",
    "-timeout=60",
    "-rss_limit_mb=2048",
    "-use_value_profile=0",
)


def cause(error: Exception) -> str:
    """The same text for every way to the same fault."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/smetslab/" in frame.filename]
    place = f" at {frames[-1].filename.rpartition('/smetslab/')[2]} {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}: {error}" if not place else f"{type(error).__name__}{place}"


def keeping_on(target: Target, folder: Path) -> Callable[[bytes], None]:
    """The check of `target`, which writes down what it finds."""
    shortest: dict[str, int] = {}

    def check(octets: bytes) -> None:
        try:
            target.check(octets)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            what = cause(error)
            if what not in shortest or len(octets) < shortest[what]:
                shortest[what] = len(octets)
                name = hashlib.sha256(what.encode()).hexdigest()[:16]
                (folder / f"{name}.bin").write_bytes(octets)
                story = "".join(traceback.format_exception(error))
                (folder / f"{name}.txt").write_text(
                    f"{what}\n{len(octets)} octets: {octets.hex()}\n\n{story}"
                )

    return check


def mutating(target: Target) -> Callable[[bytes, int, int], bytes]:
    """The mutations of `target`, with those of libFuzzer inside."""

    def mutate(octets: bytes, limit: int, seed: int) -> bytes:
        rng = random.Random(seed)
        changed = target.mutate(octets, rng, lambda part: atheris.Mutate(part, max(len(part) + 64, 64)))
        return changed[:limit]

    return mutate


def published() -> list[bytes]:
    """The messages of the Reference Test Data Set, where it is at hand."""
    folder = os.environ.get("SMETSLAB_RTDS")
    files = sorted(Path(folder).rglob("*.HEX")) if folder else []
    return [message_octets(file.read_bytes()) for file in files]


def write_seeds(target: Target, folder: Path) -> None:
    seeds = [*target.seeds(), *committed(target.name)]
    if target.name == "message":
        seeds += published()
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


def main() -> None:
    target, folder = TARGETS[sys.argv[1]], Path(sys.argv[2])
    places = [folder / name for name in ("corpus", "seeds", "findings")]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    corpus, seeds, findings = places
    with null_cipher():
        write_seeds(target, seeds)
        arguments = [
            sys.argv[0],
            f"-artifact_prefix={findings}/",
            *_OPTIONS,
            *sys.argv[3:],
            str(corpus),
            str(seeds),
        ]
        atheris.Setup(arguments, keeping_on(target, findings), custom_mutator=mutating(target))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
