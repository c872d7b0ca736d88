"""What a meter shows to who stands before it, and the Privacy PIN of its consumer.

The consumer chooses four digits and enters them twice. From then on personal items, and the dialogues that
ask for supply or emergency credit, come after the PIN alone, until half a minute after the last press. A
wrong PIN locks nobody out. The consumer takes the PIN away with the PIN, the supplier without it (ECS14,
GCS11).

Spec: SMETS 4.5.3.9, 5.6.3.10; the dialogue is a maker's. Which items the PIN protects is unverified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, TypeAlias

from smetslab.devices.work import Work
from smetslab.gbcs.values import Value
from smetslab.store import Nvm

_KEY: Final = "privacy/pin"
PIN_DIGITS: Final = 4
DISPLAY_TIMEOUT: Final = timedelta(seconds=30)
"""The display goes back to what everybody may see. Spec: a maker's manual."""
HIDDEN: Final = "PIN"
"""What stands in place of a personal item."""

Items: TypeAlias = Callable[[datetime], Mapping[str, Value]]
"""What is shown, by name, at a moment of laboratory time."""


class PinAnswer(Enum):
    """What the display says to somebody at the Privacy PIN menu."""

    SET = "PIN set"
    REMOVED = "PIN removed"
    ACCEPTED = "PIN accepted"
    WRONG = "wrong PIN"
    NOT_FOUR_DIGITS = "a PIN has four digits"
    NOT_ALIKE = "the two PINs differ"
    PIN_FIRST = "enter the PIN first"
    NONE_SET = "no PIN is set"

    @property
    def done(self) -> bool:
        """Whether something was changed, or opened."""
        return self in {PinAnswer.SET, PinAnswer.REMOVED, PinAnswer.ACCEPTED}


class PrivacyPin:
    """The PIN of one meter. Whether somebody has entered it is gone with the power."""

    def __init__(self, nvm: Nvm) -> None:
        kept = nvm.get(_KEY)
        self._pin = "" if kept is None else kept.decode("ascii")
        self._open_until: datetime | None = None

    @property
    def is_set(self) -> bool:
        return bool(self._pin)

    def admits(self, now: datetime) -> bool:
        """Whether who stands at the meter may see and do everything."""
        return not self._pin or (self._open_until is not None and now < self._open_until)

    def press(self, now: datetime) -> bool:
        """Somebody presses a button: what is open stays open. `admits`, afterwards."""
        if self._pin and self.admits(now):
            self._open_until = now + DISPLAY_TIMEOUT
        return self.admits(now)

    def enter(self, pin: str, now: datetime) -> PinAnswer:
        """The consumer enters the PIN."""
        if not self._pin:
            return PinAnswer.NONE_SET
        if pin != self._pin:
            self._open_until = None
            return PinAnswer.WRONG
        self._open_until = now + DISPLAY_TIMEOUT
        return PinAnswer.ACCEPTED

    def set(self, work: Work, pin: str, again: str) -> PinAnswer:
        """The consumer chooses a PIN, or another one."""
        if not self.press(work.now):
            return PinAnswer.PIN_FIRST
        if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdecimal()):
            return PinAnswer.NOT_FOUR_DIGITS
        if pin != again:
            return PinAnswer.NOT_ALIKE
        self._keep(work, pin)
        return PinAnswer.SET

    def remove(self, work: Work) -> PinAnswer:
        """The consumer takes the PIN away."""
        if not self._pin:
            return PinAnswer.NONE_SET
        if not self.press(work.now):
            return PinAnswer.PIN_FIRST
        self._keep(work, "")
        return PinAnswer.REMOVED

    def disable(self, work: Work) -> None:
        """The supplier takes the PIN away. Spec: GBCS use cases ECS14, GCS11."""
        if self._pin:
            work.note("StateChanged", what="privacy PIN", value="disabled")
        self._keep(work, "")

    def _keep(self, work: Work, pin: str) -> None:
        self._pin, self._open_until = pin, None
        if pin:
            work.tx.put(_KEY, pin.encode("ascii"))
        else:
            work.tx.delete(_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInterface:
    """The display of one meter. `public`: what everybody may see; `personal`: what the PIN protects."""

    pin: PrivacyPin
    public: Items
    personal: Items

    def display(self, now: datetime) -> dict[str, Value]:
        """What can be paged through now: every item by its name, personal ones as `HIDDEN` without the
        PIN."""
        shown = self.personal(now)
        if not self.pin.admits(now):
            shown = dict.fromkeys(shown, HIDDEN)
        return {**self.public(now), **shown}

    def inspect(self, now: datetime) -> dict[str, Value]:
        """For diagnosis: never the PIN itself."""
        return {
            "privacy_pin": "set" if self.pin.is_set else "none",
            "unlocked": self.pin.admits(now),
            "display": self.display(now),
        }
