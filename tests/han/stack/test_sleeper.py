"""When the receiver of a sleeper is on."""

from __future__ import annotations

from smetslab.clock import LoopClock, run_virtual
from smetslab.han.stack.sleeper import Sleeper, SleepRules


class _Mac:
    """Acknowledges every poll, and notes when the receiver is switched."""

    short_address = 1

    def __init__(self, clock: LoopClock) -> None:
        self.switched: list[tuple[float, bool]] = []
        self.polls: list[float] = []
        self._clock = clock

    def send(self, frame, done) -> None:
        self.polls.append(round(self._clock.time(), 3))
        done(True)

    def listen(self, *, on: bool) -> None:
        self.switched.append((round(self._clock.time(), 3), on))


def sleeper_on(mac: _Mac, clock: LoopClock) -> Sleeper:
    rules = SleepRules(listen_s=0.1, awake_interval_s=0.5)
    return Sleeper(mac, clock, rules, parent=lambda: 0, pan=lambda: 1, misses=3, lost=lambda _why: None)


def test_a_poll_is_not_cut_short_by_the_end_of_the_one_before() -> None:
    async def story(clock: LoopClock) -> list[tuple[float, bool]]:
        mac = _Mac(clock)
        sleeper = sleeper_on(mac, clock)
        sleeper.start()
        await clock.sleep(0.5)
        await clock.sleep(0.06)
        sleeper.received(more=True)
        await clock.sleep(0.3)
        sleeper.stop()
        return mac.switched

    # It polls at 0.5 s, and again at 0.56 s, when a frame has come that another follows.
    assert run_virtual(story) == [(0.56, False), (0.66, False)]


def test_a_sleeper_asks_after_a_short_power_cut_too() -> None:
    async def story(clock: LoopClock) -> list[float]:
        mac = _Mac(clock)
        sleeper = sleeper_on(mac, clock)
        sleeper.start()
        sleeper.expect(1800)
        await clock.sleep(0.6)
        sleeper.stop()
        await clock.sleep(0.4)
        sleeper.start()
        await clock.sleep(30)
        sleeper.stop()
        return mac.polls

    polls = run_virtual(story)
    assert polls[:3] == [0.5, 1.5, 2.0]
    # What was expected went with the power: it sleeps when it has been awake as long as ever.
    assert polls[-1] == 7.0
