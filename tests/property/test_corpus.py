"""What fuzzing found worth keeping, again: every committed input through the properties of its target.

The inputs of tests/corpus are synthetic: mutations of samples that were made from the declarations. Each
reaches code that no other one does, or once broke a property.
"""

from __future__ import annotations

from itertools import islice

import pytest
from fuzzing.corpus import FOLDER, committed
from fuzzing.null_cipher import null_cipher
from fuzzing.targets import TARGETS

MAX_CORPUS_BYTES = 200_000


@pytest.mark.parametrize("name", TARGETS)
def test_committed_inputs_keep_the_properties(name: str) -> None:
    target = TARGETS[name]
    inputs = committed(name)
    assert inputs
    with null_cipher():
        for octets in inputs:
            try:
                target.check(octets)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be shown with the octets
                pytest.fail(f"{type(error).__name__}: {error}\n{octets.hex()}")


@pytest.mark.parametrize("name", TARGETS)
def test_samples_of_the_declarations_keep_the_properties(name: str) -> None:
    """What fuzzing starts from is sound; every sixth sample says so here, all of them in a soak."""
    target = TARGETS[name]
    with null_cipher():
        outcomes = {target.check(octets) for octets in islice(target.seeds(), 0, None, 6)}
    assert SOUND[name] in outcomes


SOUND = {
    "message": "as declared",
    "triage": "no fault",
    "dlms": "data",
    "gbz": "components",
    "asn1": "read",
    "zcl": "command",
    "text": "written",
    "blocks": "block",
    "utrn": "UTRN",
    "duis": "service request",
    "certificate": "certificate",
}


def test_the_corpus_is_small_and_belongs_to_targets() -> None:
    files = sorted(FOLDER.iterdir())
    assert {file.stem for file in files if file.suffix == ".txt"} == set(TARGETS)
    assert sum(file.stat().st_size for file in files) < MAX_CORPUS_BYTES
