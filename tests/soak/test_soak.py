"""Runs of minutes: coverage-guided fuzzing of every target, and 100,000 mutations of messages of all kinds.

`make soak`. SOAK_SECONDS is how long all targets together are fuzzed, 600 unless it is set; SOAK_FOLDER is
where the corpora are kept for the next run, by default nowhere.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fuzzing.mutators import plain
from fuzzing.null_cipher import null_cipher
from fuzzing.properties import check_message
from fuzzing.targets import TARGETS, message_seeds

from smetslab.gbcs.notation import message_octets

pytestmark = pytest.mark.soak

SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
MUTATIONS = 100_000
SCRIPT = Path(__file__).with_name("fuzz_gbcs.py")
SOURCE = Path(__file__).parents[2] / "src"

WEIGHTS = {"message": 5, "gbz": 2, "dlms": 2, "text": 2, "utrn": 0.3}
"""How much more time than others a target gets."""


def seconds_for(name: str) -> int:
    whole = sum(WEIGHTS.get(other, 1) for other in TARGETS)
    return max(1, round(SOAK_SECONDS * WEIGHTS.get(name, 1) / whole))


def figures(log: str) -> str:
    """Executions and coverage, as libFuzzer printed them at its end."""
    done = re.findall(r"#(\d+)\tDONE +cov: (\d+) ft: (\d+) corp: (\d+)/(\S+).*?exec/s: (\d+)", log)
    if not done:
        return "no figures"
    executions, edges, features, inputs, size, speed = done[-1]
    return (
        f"{executions} executions ({speed} a second), {edges} edges and {features} features covered, "
        f"{inputs} inputs of {size} kept"
    )


@pytest.mark.parametrize("name", TARGETS)
def test_fuzzing_finds_nothing(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip(
            "atheris is not installed: pip install 'smetslab[soak]' (it has no wheel for every Python)"
        )
    kept = os.environ.get("SOAK_FOLDER")
    folder = (Path(kept) if kept else tmp_path) / name
    seconds = seconds_for(name)
    run = subprocess.run(
        [sys.executable, str(SCRIPT), name, str(folder), f"-max_total_time={seconds}"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        cwd=SCRIPT.parent,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds + 300,
    )
    log = run.stdout + run.stderr
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {figures(log)}\n")
    findings = [file.read_text() for file in sorted((folder / "findings").glob("*.txt"))]
    assert not findings, "\n\n".join(findings)
    # What libFuzzer itself finds (too slow, too much memory, a crash) it keeps under names of its own.
    artifacts = [file.name for file in (folder / "findings").glob("*-*")]
    assert run.returncode == 0, f"{artifacts}\n{log[-3000:]}"
    assert "DONE" in log


def test_a_hundred_thousand_mutations_raise_only_codec_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """Of samples of every declared message, and of the published messages where they are at hand."""
    rtds = os.environ.get("SMETSLAB_RTDS")
    outcomes: Counter[str] = Counter()
    rng = random.Random(20_260_101)
    raw = plain(rng)
    mutate = TARGETS["message"].mutate
    with null_cipher():
        corpus = list(message_seeds())
        if rtds:
            corpus += [message_octets(file.read_bytes()) for file in sorted(Path(rtds).rglob("*.HEX"))]
        for number in range(MUTATIONS):
            octets = mutate(corpus[number % len(corpus)], rng, raw)
            try:
                outcomes[check_message(octets)] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be shown with the octets
                pytest.fail(f"#{number}: {type(error).__name__}: {error}\n{octets.hex()}")
    with capsys.disabled():
        sys.stdout.write(f"\n{MUTATIONS} mutations of {len(corpus)} messages: {dict(outcomes)}\n")
    assert outcomes.total() == MUTATIONS
    assert (
        min(outcomes["no message"], outcomes["not as declared"], outcomes["as declared"]) > MUTATIONS // 100
    )
