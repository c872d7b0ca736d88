"""The message ladder of a case: who said what to whom and when, down to decoded fields.

Steps and checks stand between the messages, where they happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from smetslab.errors import CodecError
from smetslab.harness.decoding import Decoders, Node
from smetslab.harness.evidence.charts import SYMBOLS
from smetslab.harness.evidence.markup import Markup, el, escape, join
from smetslab.harness.plain import display, expectation, parse_utc
from smetslab.harness.records import BenchReady, Checked, Interrupted, Observed, Record, StepStarted

MAX_SHOWN_OCTETS: Final = 4096
"""Longer data are cut in the page; the evidence file has all of it."""

_HEX_PER_LINE: Final = 32
_FIELD_HEX_OCTETS: Final = 24
_MAX_DEPTH: Final = 24
_LABEL_LETTERS: Final = 80
_FOLDED_ROWS: Final = 4
"""As many observations before the bench is ready are folded into one row."""


class Ladder:
    """Renders one case: its place in the report, and its records with their numbers in the evidence."""

    def __init__(self, index: int, numbered: Sequence[tuple[int, Record]], decoders: Decoders) -> None:
        self._index = index
        self._numbered = numbered
        self._decoders = decoders
        ready = next((record for _, record in numbered if isinstance(record, BenchReady)), None)
        self._zero = parse_utc(ready.time) if ready else None
        parties = {party.name: party.label for party in ready.parties} if ready else {}
        self._lanes = _lanes(numbered, tuple(parties))
        self._labels = {lane: parties.get(lane, lane) for lane in self._lanes}
        self._shown: dict[tuple[str, str], int] = {}

    def render(self) -> Markup | None:
        """None when nothing was observed."""
        if not self._lanes:
            return None
        rows: list[Markup] = []
        air: list[Observed] = []
        for number, record in self._numbered:
            if isinstance(record, Observed) and record.layer == "air":
                air.append(record)
                continue
            if air:
                rows.append(self._on_air(air))
                air = []
            if isinstance(record, BenchReady) and len(rows) >= _FOLDED_ROWS:
                title = f"Bringing up the bench: {len(rows)} observations"
                rows = [el("details", el("summary", title), rows, class_="bringup")]
            row = self._row(number, record)
            if row is not None:
                rows.append(row)
        if air:
            rows.append(self._on_air(air))
        head = el(
            "div",
            el("span", "Time", class_="when"),
            el(
                "div",
                (
                    el("span", label, el("small", lane) if label != lane else None)
                    for lane, label in self._labels.items()
                ),
                class_="lanes names",
            ),
            class_="head",
        )
        return el("div", head, rows, class_="ladder", style=f"--n:{len(self._lanes)}")

    def _row(self, number: int, record: Record) -> Markup | None:
        match record:
            case Observed():
                return self._observation(number, record)
            case StepStarted():
                return el("div", f"Step {record.step}: {record.title}", class_="mark step")
            case BenchReady():
                return el("div", "The bench is ready", class_="mark step")
            case Checked():
                text = f"{SYMBOLS[record.outcome]} {record.what}"
                if record.outcome != "pass":
                    expected = expectation(record.comparison, record.expected)
                    text += f": expected {expected}, found {display(record.actual)}"
                return el("div", text, class_=f"mark check t-{record.outcome}")
            case Interrupted():
                return el(
                    "div",
                    f"{SYMBOLS[record.verdict]} {record.reason}",
                    class_=f"mark check t-{record.verdict}",
                )
        return None

    def _observation(self, number: int, record: Observed) -> Markup:
        summary = el(
            "summary",
            el("span", self._when(record.time), class_="when"),
            el("div", self._arrow(record), class_="lanes"),
        )
        return el(
            "details",
            summary,
            self._body(number, record),
            class_=f"row l-{record.layer}",
            id=observation_id(self._index, record.observation),
        )

    def _on_air(self, frames: Sequence[Observed]) -> Markup:
        """Frames of the simulated air that follow each other: one row, a line for each inside."""
        octets = sum(len(frame.data) // 2 for frame in frames)
        many = f"{len(frames)} frames" if len(frames) > 1 else "1 frame"
        title = f"{self._when(frames[0].time)} on the air: {many}, {octets} octets"
        lines = (
            el(
                "li",
                el("span", self._when(frame.time), class_="when"),
                f"{self._labels.get(frame.source, frame.source)}: {_shortened(frame.meaning or '')}",
                id=observation_id(self._index, frame.observation),
            )
            for frame in frames
        )
        return el("details", el("summary", title), el("ul", lines, class_="air"), class_="bringup")

    def _when(self, time: str) -> str:
        if self._zero is None:
            return time[11:23]
        return relative(self._zero, time)

    def _arrow(self, record: Observed) -> Markup:
        facts = _shortened(record.meaning or _facts(record))
        label = join(
            (el("b", record.layer), f" {_words(record.event)}", el("i", f" {facts}") if facts else None)
        )
        source, target = self._lane(record.source), self._lane(record.target)
        if source is None and target is None:
            source = 0
        if source is None or target is None or source == target:
            lane = source if source is not None else target
            side = "left" if lane is not None and lane >= len(self._lanes) / 2 and lane > 0 else "right"
            return el("span", el("span", label), class_=f"dot {side}", style=f"--a:{lane or 0}")
        low, high = min(source, target), max(source, target)
        direction = "to-right" if target > source else "to-left"
        return el("span", label, class_=f"arrow {direction}", style=f"--a:{low};--w:{high - low}")

    def _lane(self, party: str) -> int | None:
        return self._lanes.index(party) if party in self._lanes else None

    def _body(self, number: int, record: Observed) -> Markup:
        way = " → ".join(self._labels.get(part, "–") for part in (record.source, record.target))
        head = f"#{record.observation} · record {number} · {record.time} · {way}"
        facts = _facts(record)
        return el(
            "div",
            el("p", head, class_="muted"),
            el("p", facts) if facts else None,
            self._content(record),
            class_="body",
        )

    def _content(self, record: Observed) -> Markup | None:
        if not record.data:
            return None
        kind = self._decoders.kind(record.layer)
        first = self._shown.setdefault((record.data, kind), record.observation)
        if first != record.observation:
            link = el("a", f"observation {first}", href=f"#{observation_id(self._index, first)}")
            return el("p", f"The same {len(record.data) // 2} octets as in ", link, ".")
        data = bytes.fromhex(record.data)
        if record.layer == "duis":
            return _text_block(data)
        match self._decoders.decode(record.layer, data, record.detail):
            case None:
                return _hex_block(data)
            case CodecError() as error:
                return join((el("p", f"Not decodable: {error}", class_="t-inconclusive"), _hex_block(data)))
            case node:
                whole = (
                    el("details", el("summary", "All octets"), _hex_block(data)) if _is_cut(node) else None
                )
                return join((tree(node), whole))


def relative(zero: datetime, time: str) -> str:
    """Laboratory time since the bench was ready: `+0.250`, `+1:00:00.000`, `+2 d 00:00:00.000`."""
    total_ms = round((parse_utc(time) - zero).total_seconds() * 1000)
    sign = "-" if total_ms < 0 else "+"
    seconds, ms = divmod(abs(total_ms), 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{sign}{days} d {hour:02}:{minute:02}:{second:02}"
    if hours:
        return f"{sign}{hours}:{minute:02}:{second:02}.{ms:03}"
    if minutes:
        return f"{sign}{minutes}:{second:02}.{ms:03}"
    return f"{sign}{second}.{ms:03}"


def tree(root: Node) -> Markup:
    """A decoded message as a table: offset, field, value, octets.

    Written without the end tags that HTML does not need: these rows are most of a page.
    """
    rows: list[str] = []
    _add_rows(root, 0, rows)
    head = "<tr><th scope=col>Offset<th scope=col>Field<th scope=col>Value<th scope=col>Octets"
    return Markup(f'<div class="wide"><table class="tree">{head}{"".join(rows)}</table></div>')


def _add_rows(node: Node, depth: int, rows: list[str]) -> None:
    offset = f"({node.offset})" if node.derived else str(node.offset)
    indent = f" class=d{min(depth, 9)}" if depth else ""
    value = escape(node.text)
    if node.error is not None and not node.children:
        value = join((value, " ", el("span", str(node.error), class_="t-inconclusive")))
    octets = "" if node.children else short_hex(node.raw)
    rows.append(f"<tr><td>{offset}<td{indent}>{escape(node.name)}<td>{value}<td>{octets}")
    if depth < _MAX_DEPTH:
        for child in node.children:
            _add_rows(child, depth + 1, rows)


def _is_cut(node: Node) -> bool:
    """True when the table of a tree does not show all octets."""
    if not node.children:
        return len(node.raw) > _FIELD_HEX_OCTETS
    return any(_is_cut(child) for child in node.children)


def short_hex(data: bytes) -> str:
    """Pairs of digits, cut after a line's worth."""
    if len(data) <= _FIELD_HEX_OCTETS:
        return data.hex(" ").upper()
    return f"{data[: _FIELD_HEX_OCTETS - 4].hex(' ').upper()} … ({len(data)} octets)"


def _hex_block(data: bytes) -> Markup:
    shown = data[:MAX_SHOWN_OCTETS]
    lines = [
        f"{at:04X}  {shown[at : at + _HEX_PER_LINE].hex(' ', -4).upper()}"
        for at in range(0, len(shown), _HEX_PER_LINE)
    ]
    if len(data) > len(shown):
        lines.append(f"… {len(data) - len(shown)} more octets in the evidence file")
    return el("pre", "\n".join(lines))


def _text_block(data: bytes) -> Markup:
    shown = data[: 4 * MAX_SHOWN_OCTETS].decode("utf-8", errors="replace")
    if len(data) > 4 * MAX_SHOWN_OCTETS:
        shown += f"\n… {len(data) - 4 * MAX_SHOWN_OCTETS} more octets in the evidence file"
    return el("pre", shown, class_="text")


def _lanes(numbered: Sequence[tuple[int, Record]], parties: tuple[str, ...]) -> tuple[str, ...]:
    """The parties that take part, in the order of the bench; others where they first appear."""
    named: dict[str, None] = {}
    for _, record in numbered:
        if isinstance(record, Observed):
            for party in (record.source, record.target):
                if party:
                    named.setdefault(party)
    known = [party for party in parties if party in named]
    return (*known, *(party for party in named if party not in parties))


def _words(event: str) -> str:
    """`MessageSent` as `message sent`."""
    words: list[str] = []
    for letter in event:
        if letter.isupper() or not words:
            words.append(letter.lower())
        else:
            words[-1] += letter
    return " ".join(words)


def _facts(record: Observed) -> str:
    return ", ".join(f"{name} {display(value)}" for name, value in record.detail.items())


def _shortened(text: str) -> str:
    return text if len(text) <= _LABEL_LETTERS else f"{text[: _LABEL_LETTERS - 1]}…"


def observation_id(case_index: int, observation: int) -> str:
    """The anchor of an observation in the page; short, because a page has thousands."""
    return f"o{case_index}-{observation}"
