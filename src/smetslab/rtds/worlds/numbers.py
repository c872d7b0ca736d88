"""The numbers that the logs and registers of the published world show: two sequences, read in order.

Spec: RTDS 4.5.0, analysed; each response begins its sequence anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from smetslab.gbcs.values import Value, utc_text

A: Final = bytes.fromhex(
    "510fb07ecadf79c34108bd62a245ab117f306cea84844a30b1b390b8a165cbf2747cf0bedb6a831e73c0009506aba785"
    "dc93efe0193a904a6ea0038f064f82fa4bf2b928dcbc4650fcc56603718d09cd21f82eb9b3be0422de87b1e556b360a1"
    "a699c983d68f54d3553ad747c7e0946859c3230d02a6aee1ad6047049327a6b9c0efbd9700916cd4cbc39b932431fb7d"
    "f49e0b76c5b9d7739a1ff7ad461e68080e261f8db78b6303cefe96f2af12f0a431fb9bf635736a4f1362fd5980e5e00f"
    "0c801c438b7f465bfe5ccdaeedbed31f3aee16ef62013f75e2bc4fe3a2af72ae308e71bc8e37970d13653b02250fa0de"
)
B: Final = bytes.fromhex(
    "5fcbf32ebbc79998277227190e75dd559924b5a6050ef8b8d5f036002efe2e9e4d9c86016e054a869c66230b4af95d3b"
    "7417c99e336183fb97770bdc9bae2b731003f2f1f790ce624d04193baf3d70ae1f9c7ed5082ce864422ea9c14f6c8535"
    "8b91"
)

HALF_HOUR, HOUR, DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)


def moment(text: str) -> datetime:
    """`2014-12-31` or `2014-12-31 09:30`, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stamps(first: str, step: timedelta, count: int) -> list[str]:
    """`count` time stamps from `first` on."""
    return [utc_text(moment(first) + number * step) for number in range(count)]


def draw(sequence: bytes, first: int, count: int, scale: int = 1) -> list[Value]:
    """`count` numbers of a sequence from place `first` on, which begins again at its end."""
    return [sequence[(first + place) % len(sequence)] * scale for place in range(count)]


def entries(times: list[str], make: Callable[[int], dict[str, Value]], *, start: int = 0) -> list[Value]:
    """A log: one entry for each time, with the members that `make` gives for its place."""
    return [{"timestamp": time, **make(start + place)} for place, time in enumerate(times)]


def registers(
    sequence: Iterator[int], *, columns_first: bool, scale: int = 1000, twin: tuple[int, ...] = ()
) -> dict[str, Value]:
    """The registers of a billing entry from 80 numbers, and their sum as the total.

    `columns_first`: eight columns of one time-of-use register and four blocks, then the other registers;
    else 48 registers, then eight columns of four blocks. `twin`: the registers of a secondary element.
    """
    tou: list[int] = []
    blocks: list[list[int]] = [[], [], [], []]
    if not columns_first:
        tou = [next(sequence) for _ in range(48)]
    for _ in range(8):
        if columns_first:
            tou.append(next(sequence))
        for block in blocks:
            block.append(next(sequence))
    if columns_first:
        tou += [next(sequence) for _ in range(40)]
    total = sum(tou) + sum(map(sum, blocks))
    secondary: dict[str, Value] = {}
    second: dict[str, Value] = {}
    if twin:
        secondary = {"secondary_active_import_register": sum(twin) * scale}
        second = {"secondary_tariff_tou_registers": [value * scale for value in twin]}
    return {
        "active_import_register": total * scale,
        **secondary,
        "tariff_tou_register_matrix": [value * scale for value in tou],
        **second,
        **{
            f"tariff_block_{number}_tou_registers": [value * scale for value in block]
            for number, block in enumerate(blocks, 1)
        },
    }
