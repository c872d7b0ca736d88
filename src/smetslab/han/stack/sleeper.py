"""When a sleepy device listens: it asks its parent for what is kept there, often while something is under
way, and seldom otherwise.

Spec: ZigBee 3.6.4 (polling of indirect frames); GBCS 10 (the 30 minutes of a GSME)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smetslab.han.air.mac_entity import MacEntity
from smetslab.han.air.medium import Cancellable, Scheduler
from smetslab.zigbee.mac_layer import DATA_REQUEST, MacFrame, MacFrameType


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepRules:
    """Times in seconds (unverified but the long one). `awake_s`: how long it asks often after it was busy."""

    asleep_interval_s: float = 1800.0
    awake_interval_s: float = 0.5
    awake_s: float = 6.0
    listen_s: float = 0.1
    """How long the receiver stays on for a frame that was announced."""


class Sleeper:
    """The polling of one sleepy device."""

    def __init__(
        self,
        mac: MacEntity,
        scheduler: Scheduler,
        rules: SleepRules,
        *,
        parent: Callable[[], int],
        pan: Callable[[], int],
        misses: int,
        lost: Callable[[str], None],
    ) -> None:
        """`lost` is called when the parent has not acknowledged `misses` polls one after the other."""
        self._mac = mac
        self._scheduler = scheduler
        self._rules = rules
        self._parent = parent
        self._pan = pan
        self._most_misses = misses
        self._lost = lost
        self._missed = 0
        self._awake_until = 0.0
        self._timer: Cancellable | None = None
        self._listening: Cancellable | None = None
        """What ends it, when nothing comes after a poll."""
        self._running = False

    def start(self) -> None:
        """The device has power and a parent, or expects something of one: it asks soon, running or not."""
        self._running = True
        self._missed = 0
        self._awake_until = max(self._awake_until, self._scheduler.time() + self._rules.awake_s)
        self._again(self._rules.awake_interval_s)

    def stop(self) -> None:
        """The power goes."""
        self._running = False
        self._awake_until = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stay_awake(self) -> None:
        """Something is under way: ask often for a while."""
        if not self._running:
            return
        now = self._scheduler.time()
        was_asleep = now >= self._awake_until
        self._awake_until = max(self._awake_until, now + self._rules.awake_s)
        if was_asleep:
            self._again(self._rules.awake_interval_s)

    def expect(self, seconds: float) -> None:
        """An answer is waited for: ask often as long, however little comes meanwhile. 0 ends that."""
        if not self._running:
            return
        self.stay_awake()
        now = self._scheduler.time()
        self._awake_until = max(self._awake_until, now + seconds) if seconds else now + self._rules.awake_s

    def received(self, *, more: bool) -> None:
        """A frame has come from the parent; `more`: there is another."""
        self.stay_awake()
        self._mac.listen(on=False)
        if more:
            self._poll()

    def _again(self, interval_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._scheduler.call_at(self._scheduler.time() + interval_s, self._due)

    def _due(self) -> None:
        self._timer = None
        if not self._running:
            return
        self._poll()
        awake = self._scheduler.time() < self._awake_until
        self._again(self._rules.awake_interval_s if awake else self._rules.asleep_interval_s)

    def _poll(self) -> None:
        frame = MacFrame(
            kind=MacFrameType.COMMAND,
            sequence=0,
            destination_pan=self._pan(),
            destination=self._parent(),
            source=self._mac.short_address,
            ack_request=True,
            payload=bytes((DATA_REQUEST.id,)),
        )
        self._mac.send(frame, self._polled)

    def _polled(self, ok: bool) -> None:
        """The receiver was left on if the parent has something; switch it off when that does not come."""
        if not self._running:
            return
        if not ok:
            self._missed += 1
            if self._missed < self._most_misses:
                self.stay_awake()
            elif self._missed == self._most_misses:
                # From now on it is for who looks for the network: a battery is not spent on asking on.
                self._lost("the parent does not acknowledge polls")
            return
        self._missed = 0
        if self._listening is not None:
            self._listening.cancel()  # that of the poll before must not cut this one short
        until = self._scheduler.time() + self._rules.listen_s
        self._listening = self._scheduler.call_at(until, self._stop_listening)

    def _stop_listening(self) -> None:
        self._mac.listen(on=False)
