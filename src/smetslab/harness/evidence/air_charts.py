"""The home network as inline SVG: who speaks with whom and how well, and when the air is in use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from smetslab.harness.evidence.markup import Markup, el, join
from smetslab.harness.evidence.network import AirUse, ChannelUse, LinkUse, air_use
from smetslab.harness.records import BenchReady, Record

_WIDTH: Final = 640
_LOW, _HIGH = 150, 400
"""Heights of the picture with one or two radios beside the hub, and with more."""
_GOOD, _FAIR = 150, 80
"""From which link quality on a link is drawn as good, and as fair; our own."""
_MAX_RADIOS: Final = 24
"""More do not fit into a picture; the table has them all."""
_BAR_HEIGHT: Final = 60


def air_panel(records: Sequence[Record]) -> Markup | None:
    """The part of the report about the air; None when nothing was on it."""
    use = air_use(records)
    if use is None:
        return None
    names = {
        party.name: party.label
        for record in records
        if isinstance(record, BenchReady)
        for party in record.parties
    }
    return el(
        "section",
        el("h2", "The home network"),
        el("p", _in_words(use), class_="muted"),
        el("div", network_picture(use, names), _link_table(use, names), class_="network"),
        el("h3", "Use of the air"),
        [timeline(channel_name, channel, use) for channel_name, channel in _named_channels(use)],
        _duty_table(use, names),
        class_="panel air-use",
        id="network",
    )


def _in_words(use: AirUse) -> str:
    repeats = sum(link.repeats for link in use.links.values())
    return (
        f"{use.frames} frames, {use.octets} octets; {len(use.radios)} radios, {use.broadcasts} broadcasts, "
        f"{repeats} frames sent again"
    )


# -------------------------------------------------------------------------------- the network


def network_picture(use: AirUse, names: Mapping[str, str]) -> Markup:
    """The hub in the middle, the others around it; a line for every pair that spoke."""
    places = _places(use)
    lines = []
    labels = []
    most = max((link.frames for link in use.links.values()), default=1)
    for (one, other), link in use.links.items():
        if one not in places or other not in places:
            continue
        (x1, y1), (x2, y2) = places[one], places[other]
        width = 1.5 + 4.5 * link.frames / most
        what = f"{_name(one, names)} and {_name(other, names)}: {_link_words(link)}"
        lines.append(
            el(
                "line",
                el("title", what),
                x1=f"{x1:.1f}",
                y1=f"{y1:.1f}",
                x2=f"{x2:.1f}",
                y2=f"{y2:.1f}",
                stroke_width=f"{width:.2f}",
                class_=f"link {_grade(link.lqi)}",
            )
        )
        if link.lqi is not None:
            labels.append(
                el(
                    "text",
                    f"LQI {link.lqi}",
                    x=f"{(x1 + x2) / 2:.1f}",
                    y=f"{(y1 + y2) / 2 - 5:.1f}",
                    class_="lqi",
                )
            )
    nodes = [
        join(
            (
                el(
                    "circle",
                    el("title", radio),
                    cx=f"{x:.1f}",
                    cy=f"{y:.1f}",
                    r="17",
                    class_=_node_class(use, radio),
                ),
                el("text", _name(radio, names), x=f"{x:.1f}", y=f"{y + 34:.1f}", class_="radio"),
            )
        )
        for radio, (x, y) in places.items()
    ]
    return el(
        "svg",
        el("title", f"The home network: {_in_words(use)}"),
        lines,
        labels,
        nodes,
        viewBox=f"0 0 {_WIDTH} {_height(use)}",
        class_="home",
        role="img",
    )


def _places(use: AirUse) -> dict[str, tuple[float, float]]:
    radios = use.radios[:_MAX_RADIOS]
    middle = use.hub if use.hub in radios else radios[0]
    around = [radio for radio in radios if radio != middle]
    height = _height(use)
    places = {middle: (_WIDTH / 2, height / 2 - 10)}
    for number, radio in enumerate(around):
        # From the left on, so that names beside each other have room.
        angle = math.pi + 2 * math.pi * number / len(around)
        places[radio] = (
            _WIDTH / 2 + (_WIDTH / 2 - 80) * math.cos(angle),
            height / 2 - 10 + (height / 2 - 50) * math.sin(angle),
        )
    return places


def _height(use: AirUse) -> int:
    return _LOW if len(use.radios) <= 3 else _HIGH


def _node_class(use: AirUse, radio: str) -> str:
    return "radio hub" if radio == use.hub else "radio"


def _grade(lqi: int | None) -> str:
    if lqi is None:
        return "unheard"
    return "good" if lqi >= _GOOD else "fair" if lqi >= _FAIR else "poor"


def _name(radio: str, names: Mapping[str, str]) -> str:
    return names.get(radio, radio)


def _link_words(link: LinkUse) -> str:
    heard = "" if link.lqi is None else f", LQI {link.lqi}, {link.rssi_dbm} dBm"
    return f"{link.frames} frames, {link.octets} octets, {_share(link)} sent again{heard}"


def _share(link: LinkUse) -> str:
    return f"{link.repeats / link.frames:.1%}"


def _link_table(use: AirUse, names: Mapping[str, str]) -> Markup:
    head = el(
        "tr",
        (el("th", name, scope="col") for name in ("Between", "Frames", "Octets", "Sent again", "LQI", "dBm")),
    )
    rows = [
        el(
            "tr",
            el("td", f"{_name(one, names)} – {_name(other, names)}"),
            el("td", link.frames),
            el("td", link.octets),
            el("td", _share(link)),
            el("td", "–" if link.lqi is None else link.lqi),
            el("td", "–" if link.rssi_dbm is None else link.rssi_dbm),
        )
        for (one, other), link in sorted(use.links.items(), key=lambda entry: -entry[1].frames)
    ]
    return el("div", el("table", head, rows, class_="links"), class_="wide")


def _duty_table(use: AirUse, names: Mapping[str, str]) -> Markup | None:
    """How much of an hour each sub-GHz radio has sent at most; None where there was none."""
    if not use.duty_cycles:
        return None
    columns = ("Sub-GHz radio", "Duty cycle at most", "Limit")
    head = el("tr", (el("th", name, scope="col") for name in columns))
    rows = [
        el(
            "tr",
            el("td", _name(radio, names)),
            el("td", f"{ledger.peak / 100:.3f} %"),
            el("td", f"{ledger.limits.regulated / 100:.1f} %"),
        )
        for radio, ledger in use.duty_cycles.items()
    ]
    return el("div", el("table", head, rows, class_="duty"), class_="wide")


# -------------------------------------------------------------------------------- the timeline


def _named_channels(use: AirUse) -> list[tuple[str, ChannelUse]]:
    ordered = sorted(use.channels.items(), key=lambda entry: (entry[0].page, entry[0].number))
    return [(str(channel), entry) for channel, entry in ordered]


def timeline(name: str, channel: ChannelUse, use: AirUse) -> Markup:
    """A bar for each minute, or for as many as fit: how long the channel was in use, and its octets."""
    highest = max(channel.airtime_s) or 1.0
    seconds = 60 * use.minutes
    step = 100 / use.bars
    bars = []
    for number, (octets, airtime) in enumerate(zip(channel.octets, channel.airtime_s, strict=True)):
        if not octets:
            continue
        height = max(1.0, _BAR_HEIGHT * airtime / highest)
        bars.append(
            el(
                "rect",
                el("title", f"minute {number * use.minutes}: {octets} octets, {airtime:.3f} s on the air"),
                x=f"{number * step:.3f}",
                y=f"{_BAR_HEIGHT - height:.2f}",
                width=f"{step if use.bars == 1 else step * 0.9:.3f}",
                height=f"{height:.2f}",
            )
        )
    total, used = sum(channel.octets), sum(channel.airtime_s)
    each = "one minute" if use.minutes == 1 else f"{use.minutes} minutes"
    words = (
        f"{name}: {total} octets, {used:.2f} s on the air; at most {highest:.3f} s in {each}, "
        f"{highest / seconds:.2%} of the time"
    )
    return el(
        "figure",
        el("figcaption", words),
        el(
            "svg",
            el("title", words),
            bars,
            viewBox=f"0 0 100 {_BAR_HEIGHT}",
            preserveAspectRatio="none",
            class_="timeline",
            role="img",
        ),
        el("p", el("span", "0"), el("span", f"{use.bars * use.minutes} min"), class_="axis muted"),
    )
