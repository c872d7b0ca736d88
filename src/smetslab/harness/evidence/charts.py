"""Charts of verdicts as inline SVG: colours from the page's style sheet, and every chart says its numbers
too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from smetslab.harness.evidence.markup import Markup, el
from smetslab.harness.evidence.report import Tally
from smetslab.harness.records import VerdictWord

SYMBOLS: Final[Mapping[str, str]] = {"none": "–", "pass": "✓", "inconclusive": "?", "fail": "✗", "error": "!"}
_RADIUS: Final = 42.0


def in_words(counts: Mapping[VerdictWord, int]) -> str:
    """`58 pass, 2 fail`."""
    return ", ".join(f"{number} {word}" for word, number in counts.items()) or "nothing ran"


def donut(counts: Mapping[VerdictWord, int]) -> Markup:
    """Shares of the verdicts as a ring, the number of cases in its middle."""
    total = sum(counts.values())
    circumference = 2 * math.pi * _RADIUS
    arcs = []
    start = 0.0
    for word, number in counts.items():
        length = circumference * number / total
        arcs.append(
            el(
                "circle",
                cx="60",
                cy="60",
                r=f"{_RADIUS:g}",
                class_=f"arc v-{word}",
                stroke_dasharray=f"{length:.3f} {circumference - length:.3f}",
                stroke_dashoffset=f"{-start:.3f}",
                transform="rotate(-90 60 60)",
            )
        )
        start += length
    return el(
        "svg",
        el("title", f"Verdicts: {in_words(counts)}"),
        el("circle", cx="60", cy="60", r=f"{_RADIUS:g}", class_="arc rest"),
        arcs,
        el("text", str(total), x="60", y="55", class_="total"),
        el("text", "cases" if total != 1 else "case", x="60", y="77", class_="unit"),
        viewBox="0 0 120 120",
        class_="donut",
        role="img",
    )


def bars(title: str, tallies: tuple[Tally, ...]) -> Markup:
    """One bar for each tally: the share of each verdict."""
    return el(
        "section",
        el("h3", title),
        el("ul", (_bar(tally) for tally in tallies), class_="bars"),
        class_="panel",
    )


def _bar(tally: Tally) -> Markup:
    total = sum(tally.counts.values())
    x = 0.0
    parts = []
    for word, number in tally.counts.items():
        width = 100 * number / total
        parts.append(
            el("rect", x=f"{x:.2f}", y="0", width=f"{width:.2f}", height="8", class_=f"fill v-{word}")
        )
        x += width
    label = f"{tally.counts.get('pass', 0)}/{total}"
    return el(
        "li",
        el(
            "span",
            el("a", tally.name, href="#cases", data_find=tally.name),
            el("small", tally.title) if tally.title else None,
            class_="name",
        ),
        el(
            "svg",
            el("title", f"{tally.name}: {in_words(tally.counts)}"),
            parts,
            viewBox="0 0 100 8",
            preserveAspectRatio="none",
            role="img",
        ),
        el("span", label, class_="number", title=in_words(tally.counts)),
    )
