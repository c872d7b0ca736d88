"""What electricity and gas meters have alike: a display, a Privacy PIN, commands that fail on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from smetslab.devices.application import Application
from smetslab.devices.base import Core, Device
from smetslab.devices.payload_engine import Fault
from smetslab.devices.user_interface import PinAnswer, PrivacyPin, UserInterface
from smetslab.devices.work import Work
from smetslab.gbcs.values import Value


class MeterCore(Core, Protocol):
    """A meter between power on and power off."""

    application: Application
    interface: UserInterface
    pin: PrivacyPin

    def settle(self, now: datetime) -> None:
        """Bring everything up to a moment."""

    def change_pin(self, now: datetime, act: Callable[[Work], PinAnswer]) -> PinAnswer:
        """The consumer sets the Privacy PIN, or takes it away."""


M = TypeVar("M", bound=MeterCore)


class Meter(Device[M], Generic[M]):
    """An ESME or a GSME."""

    def display(self) -> dict[str, Value]:
        """What somebody who stands before the meter can page through now. Raises LocalProtocolError without
        power."""
        now = self.clock.now()
        self._core.settle(now)
        return self._core.interface.display(now)

    def change_pin(self, act: Callable[[PrivacyPin, Work], PinAnswer]) -> PinAnswer:
        """The consumer acts in the menu of the Privacy PIN. Raises LocalProtocolError without power."""
        core = self._core
        return core.change_pin(self.clock.now(), lambda work: act(core.pin, work))

    def enter_pin(self, pin: str) -> PinAnswer:
        """The consumer enters the Privacy PIN. Raises LocalProtocolError without power."""
        return self._core.pin.enter(pin, self.clock.now())

    def inject_hardware_fault(self, item: int) -> None:
        """Item `item` (from 0) of the next command that is executed fails with a hardware fault, once."""
        self._core.application.command_fault = Fault(item)

    def inject_activation_fault(self, item: int = 0) -> None:
        """Activation `item` (from 0) of the next future-dated execution fails, once."""
        self._core.application.activation_fault = Fault(item)


K = TypeVar("K", bound=Meter[Any])


@dataclass(frozen=True)
class MeterKeypad(Generic[K]):
    """The buttons and the display of one meter."""

    _meter: K

    def set_privacy_pin(self, pin: str, again: str) -> PinAnswer:
        """Choose a Privacy PIN of four digits, entered twice."""
        return self._meter.change_pin(lambda kept, work: kept.set(work, pin, again))

    def enter_privacy_pin(self, pin: str) -> PinAnswer:
        """Enter the Privacy PIN: everything is open until half a minute after the last press."""
        return self._meter.enter_pin(pin)

    def remove_privacy_pin(self) -> PinAnswer:
        """Take the Privacy PIN away, after entering it."""
        return self._meter.change_pin(PrivacyPin.remove)

    def display(self) -> dict[str, Value]:
        """Page through the display: every item by name, personal ones as `PIN` while they are hidden."""
        return self._meter.display()
