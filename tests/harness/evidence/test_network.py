"""The home network of a run, counted from its frames and drawn."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from smetslab.harness.evidence.air_charts import air_panel
from smetslab.harness.evidence.network import MAX_BARS, AirUse, air_use
from smetslab.harness.plain import moment_text
from smetslab.harness.records import Observed, Record
from smetslab.zigbee.mac_layer import MacFrame, MacFrameType, frame_check_sequence

HUB, METER, DISPLAY = "00DB1234567890A2", "00DB1234567890A0", "00DB1234567890A4"
ADDRESSES = {HUB: 0, METER: 0x1234, DISPLAY: 0x5678}
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


def frame(
    number: int,
    second: float,
    source: str,
    target: str = "",
    *,
    lqi: int | None = None,
    channel: int = 20,
    page: int = 0,
) -> Observed:
    """A data frame; without `target` a broadcast. Frames of one number are the same frame, sent again."""
    octets = MacFrame(
        kind=MacFrameType.DATA,
        sequence=number,
        destination_pan=0x1111,
        destination=ADDRESSES.get(target, 0xFFFF),
        source_pan=0x1111,
        source=ADDRESSES[source],
        payload=bytes(10),
    ).encode()
    return Observed(
        case="CASE",
        observation=number,
        time=moment_text(BEGIN + timedelta(seconds=second)),
        layer="air",
        event="FrameOnAir",
        source=source,
        target=target,
        data=(octets + frame_check_sequence(octets)).hex().upper(),
        detail={"channel": channel, "page": page, "rssi_dbm": -70, "lqi": lqi, "sent": None},
        meaning=None,
    )


def use_of(*records: Record) -> AirUse:
    use = air_use(records)
    assert use is not None
    return use


def test_links_are_counted_both_ways_and_repeats_seen() -> None:
    use = use_of(
        frame(1, 0, METER, HUB, lqi=200),
        frame(1, 0.01, METER, HUB, lqi=200),
        frame(2, 0.02, HUB, METER, lqi=120),
        frame(3, 1, HUB),
        frame(4, 2, METER, DISPLAY, lqi=40),
    )
    assert (use.frames, use.broadcasts, use.hub) == (5, 1, HUB)
    link = use.links[METER, HUB]
    assert (link.frames, link.repeats, link.lqi, link.rssi_dbm) == (3, 1, 120, -70)
    assert use.links[METER, DISPLAY].lqi == 40
    assert use.octets == 5 * 23


def test_each_minute_of_each_channel_has_its_bar() -> None:
    use = use_of(frame(1, 0, METER, HUB), frame(2, 61, METER, HUB), frame(3, 150, METER, HUB, channel=11))
    assert (use.minutes, use.bars) == (1, 3)
    by_number = {channel.number: entry for channel, entry in use.channels.items()}
    assert by_number[20].octets == [23, 23, 0]
    assert by_number[11].octets == [0, 0, 23]
    assert by_number[11].airtime_s == pytest.approx([0, 0, 29 * 32e-6])


def test_a_long_run_has_more_minutes_in_a_bar() -> None:
    use = use_of(frame(1, 0, METER, HUB), frame(2, 86_399, METER, HUB))
    assert use.bars <= MAX_BARS
    assert use.minutes * use.bars >= 1440
    assert sum(next(iter(use.channels.values())).octets) == 46


def test_nothing_on_the_air_is_no_picture() -> None:
    assert air_use([]) is None
    assert air_panel([]) is None


def test_the_picture_has_every_radio_and_link_and_says_them_in_words() -> None:
    panel = air_panel([frame(1, 0, METER, HUB, lqi=200), frame(2, 1, DISPLAY, HUB, lqi=40), frame(3, 2, HUB)])
    assert panel is not None
    pictures = re.findall(r"<svg.*?</svg>", str(panel), re.S)
    assert len(pictures) == 2
    home = ElementTree.fromstring(pictures[0])  # noqa: S314 - our own
    lines = {line.get("class") for line in home.iter("line")}
    assert lines == {"link good", "link poor"}
    assert len(list(home.iter("circle"))) == 3
    assert {text.text for text in home.iter("text")} >= {HUB, METER, DISPLAY, "LQI 200", "LQI 40"}
    assert "1 broadcasts" in str(panel)
    assert "channel 20: 69 octets" in str(panel)


def test_the_duty_cycle_of_sub_ghz_radios_is_told() -> None:
    """Frames of the last hour and of a bucket before it count together; those of the upper band do not."""
    records = [
        frame(1, 0, METER, HUB, channel=3, page=28),
        frame(2, 3000, METER, HUB, channel=3, page=28),
        frame(3, 9000, METER, HUB, channel=3, page=28),
        frame(4, 9001, DISPLAY, HUB),
    ]
    use = use_of(*records)
    assert list(use.duty_cycles) == [METER]
    assert use.duty_cycles[METER].peak == pytest.approx(2 * (23 + 12) * 80e-6 / 3600 * 10_000)
    panel = str(air_panel(records))
    assert "Duty cycle at most" in panel
    assert "0.000 %" in panel
    assert "Duty cycle at most" not in str(air_panel(records[3:]))
