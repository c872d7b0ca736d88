"""What a hub makes of its sub-GHz radio: its duty cycle, its channel, and what it holds back for them.

Spec: GBCS 10.6, use cases DBCH05 to DBCH11; which messages are urgent is unverified
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from smetslab.clock import Clock
from smetslab.devices.chf_core import HubCore, Reception, message_head
from smetslab.devices.sub_ghz import Channel
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases.registry import find
from smetslab.han.stack.sub_ghz import SubGhzServer
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.clusters.metering import CHANNEL_CHANGE_PENDING


class Drop(Protocol):
    """Notes a message that goes no further."""

    def __call__(self, payload: bytes, reason: str, *, target: str) -> None: ...


class HubRadio:
    """Joins the radio on the air with the hub's core, which is another with each stretch of power."""

    def __init__(
        self, clock: Clock, core: Callable[[], HubCore | None], carry_out: Callable[[], None], drop: Drop
    ) -> None:
        """`core`: None without power; `carry_out`: something may be ready to be sent."""
        self._clock = clock
        self._core = core
        self._carry_out = carry_out
        self._drop = drop
        self._air: SubGhzServer | None = None
        self.reception: Reception = lambda _device: None
        """How the hub hears a device, on either band."""

    def attach(self, air: SubGhzServer) -> None:
        """The radio is this one, from the next power on."""
        self._air = air
        air.duty_changed = self._duty_changed

    def begin(self, core: HubCore, now: datetime) -> None:
        """The hub has power."""
        core.reception = self.reception
        if self._air is not None:
            with core.work(now) as work:
                core.radio.attach(work, self._air, self._moved)

    @property
    def flags(self) -> int:
        """What gas meters are told of the radio, as notification flags. Spec: ZSE 1.4 D.3.3.3.1.1."""
        moves = self._air is not None and self._air.announced is not None
        return CHANNEL_CHANGE_PENDING if moves else 0

    def _duty_changed(self, _state: object) -> None:
        core = self._core()
        if core is not None:
            with core.work(self._clock.now()) as work:
                core.radio.review(work)
            self._carry_out()

    def _moved(self, channel: Channel, trigger: str) -> None:
        core = self._core()
        if core is not None:
            with core.work(self._clock.now()) as work:
                core.radio.arrived(work, channel, trigger)
            self._carry_out()

    def has_room(self, device: Eui64, beside: int) -> bool:
        """Whether the radio takes a device beside so many others. Spec: GBCS use case DBCH11."""
        core = self._core()
        if core is None:
            return False
        with core.work(self._clock.now()) as work:
            room = core.radio.admits(work, device, beside)
        self._carry_out()
        return room

    def holds_back(self, target: Eui64, payload: bytes) -> bool:
        """Whether a message is discarded for the sake of the duty cycle, which the broker is told.

        Spec: GBCS use case DBCH10
        """
        core = self._core()
        if self._air is None or core is None or target not in self._air.devices():
            return False
        if core.radio.may_send(urgent=_is_urgent(payload)):
            return False
        self._drop(payload, "duty-cycle", target=str(target))
        told = message_head(payload)
        if told is not None:
            with core.work(self._clock.now()) as work:
                core.radio.discarded(work, told)
            self._carry_out()
        return True


def _is_urgent(payload: bytes) -> bool:
    """Critical commands are."""
    try:
        use_case = find(decode_message(payload))
    except GbcsDecodeError:
        return False
    return use_case is not None and use_case.critical
