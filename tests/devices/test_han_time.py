"""The hub's time on the HAN: what a device makes of whole seconds, silence and a hub without time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.han_time import TimeClient, TimeServer
from smetslab.ids import Eui64

HUB, DEVICE = Eui64(b"THE HUB "), Eui64(b"A METER ")
NOW = datetime(2026, 3, 2, 12, 0, 0, 400_000, tzinfo=UTC)
WAY = timedelta(milliseconds=50)


class Pair:
    """A hub whose clock is `ahead`, and a device whose clock is `own` ahead."""

    def __init__(self, ahead: timedelta | None, own: timedelta = timedelta(), *, by_itself: bool = True):
        self.now = NOW
        self.ahead = ahead
        self.hub, self.box = HanOutbox(), HanOutbox()
        self.server = TimeServer(self.hub, lambda: None if self.ahead is None else self.now + self.ahead)
        self.client = TimeClient(self.box, HUB, NOW, own=lambda now: now + own, by_itself=by_itself)

    def exchange(self) -> int:
        """Carry what there is to carry; how many questions."""
        questions = self.box.take()
        for frame in questions:
            self.now += WAY
            self.server.receive(HanFrame(DEVICE, frame.cluster, frame.frame), self.now)
        for frame in self.hub.take():
            self.now += WAY
            self.client.receive(HanFrame(HUB, frame.cluster, frame.frame), self.now)
        return len(questions)

    def told(self) -> timedelta | None:
        """How far ahead of the laboratory the device thinks that the hub is."""
        shown = self.client.hub_time(self.now)
        return None if shown is None else shown - self.now


def test_a_clock_inside_the_second_that_was_told_is_right_as_it_is() -> None:
    pair = Pair(timedelta(), own=timedelta(milliseconds=30))
    assert pair.told() is None
    pair.client.tick(pair.now)
    assert pair.exchange() == 1
    assert pair.told() == timedelta(milliseconds=30)
    pair.now += timedelta(hours=5)
    assert pair.told() == timedelta(milliseconds=30)


@pytest.mark.parametrize("own_s", [-3600, 3600])
def test_a_clock_that_is_wrong_comes_within_a_second(own_s: int) -> None:
    pair = Pair(timedelta(minutes=2), own=timedelta(seconds=own_s))
    pair.client.tick(pair.now)
    pair.exchange()
    told = pair.told()
    assert told is not None
    assert abs(told - timedelta(minutes=2)) <= timedelta(seconds=1) + 2 * WAY


def test_a_hub_without_time_gives_none_and_takes_back_what_it_gave() -> None:
    pair = Pair(timedelta())
    pair.client.tick(pair.now)
    pair.exchange()
    assert pair.told() is not None
    pair.ahead = None
    pair.client.ask(pair.now)
    pair.exchange()
    assert pair.told() is None


def test_it_asks_once_a_day_and_again_when_nobody_answers() -> None:
    pair = Pair(timedelta())
    for _ in range(3):  # 10 s of silence, then a pause
        due = pair.client.next_deadline()
        assert due is not None
        pair.now = due
        pair.client.tick(pair.now)
        assert len(pair.box.take()) in {0, 1}
    moments = []
    for _ in range(4):
        due = pair.client.next_deadline()
        assert due is not None
        pair.now = max(pair.now, due)
        pair.client.tick(pair.now)
        if pair.exchange():
            moments.append(pair.now)
    assert moments[-1] - moments[-2] == timedelta(days=1)
    assert moments[-2] - NOW == timedelta(hours=23, minutes=59) + 2 * WAY


def test_a_sleeper_asks_only_when_told_to_and_believes_only_its_hub() -> None:
    pair = Pair(timedelta(), by_itself=False)
    assert pair.client.next_deadline() is None
    pair.client.ask(pair.now)
    (question,) = pair.box.take()
    pair.server.receive(HanFrame(DEVICE, question.cluster, question.frame), pair.now)
    (answer,) = pair.hub.take()
    pair.client.receive(HanFrame(DEVICE, answer.cluster, answer.frame), pair.now)
    assert pair.told() is None
    pair.client.receive(HanFrame(HUB, answer.cluster, answer.frame), pair.now)
    assert pair.told() is not None
