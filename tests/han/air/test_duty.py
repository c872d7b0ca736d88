"""The account of a sub-GHz radio, and the channels of its band."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.han.air.bands import (
    GHZ_2_4,
    SUB_GHZ,
    SUB_GHZ_CHANNELS,
    Channel,
    all_channels,
    channel_mask,
    channels_of_mask,
)
from smetslab.han.air.duty import BUCKET_S, BUCKETS, DutyLedger, DutyLimits, DutyState

HOUR_S = BUCKET_S * BUCKETS


def test_states_begin_where_the_limits_are_and_end_when_the_hour_has_passed() -> None:
    ledger = DutyLedger(DutyLimits(limited=100, critical=180, regulated=250))
    assert ledger.state(0.0) is DutyState.NORMAL
    ledger.spent(0.0, 1, 35.9)
    assert ledger.state(0.0) is DutyState.NORMAL
    ledger.spent(BUCKET_S, 2, 0.2)
    assert ledger.state(BUCKET_S) is DutyState.LIMITED
    ledger.spent(2 * BUCKET_S, 2, 30.0)
    assert ledger.state(2 * BUCKET_S) is DutyState.CRITICAL
    assert ledger.admits(2 * BUCKET_S)
    ledger.spent(2 * BUCKET_S, 2, 23.895)
    assert ledger.state(2 * BUCKET_S) is DutyState.REGULATED
    assert not ledger.admits(2 * BUCKET_S)
    assert ledger.share(2 * BUCKET_S) == pytest.approx(249.986, abs=0.01)
    assert ledger.busiest() == [2, 1]
    assert ledger.state(HOUR_S + BUCKET_S - 1) is DutyState.REGULATED
    assert ledger.state(HOUR_S + BUCKET_S) is DutyState.LIMITED
    assert ledger.state(HOUR_S + 3 * BUCKET_S) is DutyState.NORMAL
    assert ledger.peak == pytest.approx(249.986, abs=0.01)


def test_no_sequence_of_frames_passes_the_limit() -> None:
    ledger = DutyLedger()
    now = sent_s = 0.0
    sent: list[float] = []
    while now < 2 * HOUR_S:
        if ledger.admits(now):
            ledger.spent(now, 1, SUB_GHZ.airtime_s(127))
            sent_s += SUB_GHZ.airtime_s(127)
            sent.append(now)
            within = len(sent) - bisect_left(sent, now - HOUR_S)
            assert within * SUB_GHZ.airtime_s(127) <= 0.025 * HOUR_S
        assert ledger.share(now) <= 250
        now += 0.5
    assert sent_s <= 2 * 0.025 * HOUR_S
    assert sent_s > 0.8 * 2 * 0.025 * HOUR_S


def test_who_was_sent_most_long_ago_is_not_the_busiest() -> None:
    ledger = DutyLedger()
    ledger.spent(0.0, 1, 80.0)
    ledger.spent(HOUR_S + BUCKET_S - 1, 2, 1.0)
    assert ledger.busiest() == [1, 2]
    ledger.spent(HOUR_S + 2 * BUCKET_S, 2, 1.0)
    assert ledger.busiest() == [2]


def test_an_account_is_lost_with_the_power() -> None:
    ledger = DutyLedger()
    ledger.spent(0.0, 1, 80.0)
    ledger.forget()
    assert ledger.share(1.0) == 0
    assert ledger.busiest() == []


@given(page=st.sampled_from(sorted(SUB_GHZ_CHANNELS)), data=st.data())
def test_masks_of_channels_come_back(page: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.sampled_from(SUB_GHZ_CHANNELS[page]), unique=True, min_size=1))
    channels = sorted(Channel(number, page) for number in numbers)
    assert sorted(channels_of_mask(channel_mask(channels))) == channels


def test_masks_as_written() -> None:
    assert channel_mask([]) == 0
    assert channel_mask([Channel(0, 28), Channel(1, 28)]) == 0xE0000003
    assert channel_mask([Channel(27, 29), Channel(62, 29)]) == 0xE8000101
    assert channel_mask([Channel(35, 30)]) == 0xF0000001
    assert channels_of_mask(0x00000800) == []


def test_a_band_has_its_channels() -> None:
    assert [channel.number for channel in all_channels(GHZ_2_4)] == list(range(11, 27))
    lower = all_channels(SUB_GHZ)
    assert len(lower) == 27 + 9 + 27 + 27
    assert {channel.band for channel in lower} == {SUB_GHZ}


@pytest.mark.parametrize(("octets", "airtime_s"), [(5, 1.36e-3), (54, 5.28e-3), (127, 11.12e-3)])
def test_airtimes_of_sub_ghz(octets: int, airtime_s: float) -> None:
    assert SUB_GHZ.airtime_s(octets) == pytest.approx(airtime_s)
