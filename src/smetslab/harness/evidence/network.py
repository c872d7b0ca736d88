"""What the records of a run say of the home network: who spoke with whom, how well, and when.

Counted from the frames themselves, so whoever has the evidence can count again. Cases follow each other, as
in the capture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from smetslab.errors import CodecError
from smetslab.han.air.bands import Channel
from smetslab.han.air.duty import DutyLedger
from smetslab.harness.evidence.capture import RecordedAir
from smetslab.harness.records import Observed, Record
from smetslab.zigbee.mac_layer import BROADCAST, MacFrameType, decode_mac

MAX_BARS: Final = 120
"""Bars of a timeline; a longer run has more than a minute in each."""
_FCS: Final = 2
_MINUTE_S: Final = 60


@dataclass(slots=True)
class LinkUse:
    """The frames between two radios, both ways. `lqi` and `rssi_dbm`: the worse direction, last."""

    frames: int = 0
    octets: int = 0
    repeats: int = 0
    heard: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Link quality and signal strength, by who sent."""

    @property
    def lqi(self) -> int | None:
        return min((quality for quality, _ in self.heard.values()), default=None)

    @property
    def rssi_dbm(self) -> int | None:
        return min((strength for _, strength in self.heard.values()), default=None)


@dataclass(slots=True)
class ChannelUse:
    """What was sent on one channel, by the number of the bar of the timeline."""

    octets: list[int]
    airtime_s: list[float]


@dataclass(slots=True)
class AirUse:
    """All frames of a run. `minutes`: how many are in a bar; `hub`: the coordinator, or empty; `duty_cycles`:
    the accounts of the sub-GHz radios, with the largest part of an hour that each has sent.
    """

    frames: int
    octets: int
    broadcasts: int
    minutes: int
    bars: int
    hub: str
    radios: tuple[str, ...]
    links: dict[tuple[str, str], LinkUse]
    channels: dict[Channel, ChannelUse]
    duty_cycles: dict[str, DutyLedger] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Frame:
    time: datetime
    source: str
    target: str
    octets: bytes
    channel: Channel
    rssi_dbm: int
    lqi: int | None


def air_use(records: Sequence[Record]) -> AirUse | None:
    """None when nothing was on the air."""
    frames = list(_frames(records))
    if not frames:
        return None
    begin = frames[0].time
    span_s = (frames[-1].time - begin).total_seconds()
    whole_minutes = int(span_s // _MINUTE_S) + 1
    minutes = -(-whole_minutes // MAX_BARS)
    bars = -(-whole_minutes // minutes)
    use = AirUse(
        frames=len(frames),
        octets=sum(len(frame.octets) for frame in frames),
        broadcasts=0,
        minutes=minutes,
        bars=bars,
        hub="",
        radios=tuple(dict.fromkeys(frame.source for frame in frames)),
        links={},
        channels={},
    )
    last: dict[str, bytes] = {}
    for frame in frames:
        bar = int((frame.time - begin).total_seconds() // (_MINUTE_S * minutes))
        channel = use.channels.get(frame.channel)
        if channel is None:
            channel = use.channels[frame.channel] = ChannelUse([0] * bars, [0.0] * bars)
        channel.octets[bar] += len(frame.octets)
        airtime_s = frame.channel.band.airtime_s(len(frame.octets))
        channel.airtime_s[bar] += airtime_s
        if frame.channel.page:
            ledger = use.duty_cycles.setdefault(frame.source, DutyLedger())
            ledger.spent((frame.time - begin).total_seconds(), BROADCAST, airtime_s)
        if not use.hub and _is_coordinators(frame.octets):
            use.hub = frame.source
        if frame.target:
            _count(use, frame, repeated=last.get(frame.source) == frame.octets)
            last[frame.source] = frame.octets
        elif _kind(frame.octets) != MacFrameType.ACKNOWLEDGEMENT:
            use.broadcasts += 1
    return use


def _frames(records: Sequence[Record]) -> Iterable[_Frame]:
    air = RecordedAir(titles=False)
    for record in records:
        frame = air.frame(record)
        if frame is not None and isinstance(record, Observed):
            yield _Frame(
                frame.time,
                record.source,
                record.target,
                frame.octets,
                frame.channel,
                round(frame.rssi_dbm),
                frame.link_quality,
            )


def _count(use: AirUse, frame: _Frame, *, repeated: bool) -> None:
    pair = min(frame.source, frame.target), max(frame.source, frame.target)
    link = use.links.setdefault(pair, LinkUse())
    link.frames += 1
    link.octets += len(frame.octets)
    link.repeats += repeated
    if frame.lqi is not None:
        link.heard[frame.source] = frame.lqi, frame.rssi_dbm


def _kind(octets: bytes) -> int:
    """The type of an 802.15.4 frame. Spec: IEEE 802.15.4 7.2.1.1.1."""
    return octets[0] & 0x07 if octets else -1


def _is_coordinators(octets: bytes) -> bool:
    """Whether the sender has the address of a coordinator."""
    if _kind(octets) != MacFrameType.DATA:
        return False
    try:
        return decode_mac(octets[:-_FCS]).source == 0
    except CodecError:
        return False
