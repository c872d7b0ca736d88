"""The two radios of a dual band hub: one network on 2.4 GHz and on sub-GHz, under one address.

What is above it sees one MAC. Each device is answered in the band in which it was heard last; what is for
everybody goes out in both.

Spec: GBCS 10.6; CHTS 4.4.7 (dual band hubs); ZigBee D.9 (sub-GHz)
"""

from __future__ import annotations

import random
from collections.abc import Callable

from smetslab.han.air.bands import Channel
from smetslab.han.air.duty import DutyLedger
from smetslab.han.air.impair import Impairments
from smetslab.han.air.mac_entity import Done, MacEntity, Payload, Reception
from smetslab.han.air.medium import Medium, Scheduler
from smetslab.ids import Eui64
from smetslab.zigbee.mac_layer import BROADCAST, Address, MacFrame


class DualBandMac(MacEntity):
    """The MAC entity of a hub at 2.4 GHz, with the one at sub-GHz inside it."""

    def __init__(
        self,
        medium: Medium,
        scheduler: Scheduler,
        rng: random.Random,
        *,
        eui64: Eui64,
        channel: Channel,
        sub_ghz: Channel,
        received: Callable[[Reception], None],
    ) -> None:
        self.members: dict[Address, None] = {}
        """The addresses that were heard on sub-GHz last."""
        self._up = received
        self._in_sub_ghz = False
        self.sub_ghz = MacEntity(
            medium, scheduler, rng, eui64=eui64, channel=sub_ghz, received=self._came_in_sub_ghz
        )
        self.sub_ghz.asked = self._asked_in_sub_ghz
        self.ledger = self.sub_ghz.duty = DutyLedger()
        super().__init__(medium, scheduler, rng, eui64=eui64, channel=channel, received=self._came)

    # ---------------------------------------------------------------------------- what both have alike

    @property
    def pan(self) -> int:
        return self.sub_ghz.pan

    @pan.setter
    def pan(self, pan: int) -> None:
        self.sub_ghz.pan = pan

    @property
    def short_address(self) -> int:
        return self.sub_ghz.short_address

    @short_address.setter
    def short_address(self, short_address: int) -> None:
        self._radio.answer_to(short_address)
        self.sub_ghz.short_address = short_address

    @property
    def impairments(self) -> Impairments | None:
        return self.sub_ghz.impairments

    @impairments.setter
    def impairments(self, impairments: Impairments | None) -> None:
        self.sub_ghz.impairments = impairments

    def switch_on(self) -> None:
        super().switch_on()
        self.sub_ghz.switch_on()

    def switch_off(self) -> None:
        super().switch_off()
        self.sub_ghz.switch_off()

    def leave(self) -> None:
        super().leave()
        self.sub_ghz.leave()

    def rename(self, eui64: Eui64) -> None:
        super().rename(eui64)
        self.sub_ghz.rename(eui64)

    def tune(self, channel: Channel) -> None:
        """Another channel, in the band that it is of."""
        if channel.page:
            self.sub_ghz.tune(channel)
        else:
            super().tune(channel)

    def energy(self, channel: Channel) -> int:
        return self.sub_ghz.energy(channel) if channel.page else super().energy(channel)

    # ---------------------------------------------------------------------------- who is where

    def assigned(self, was: Address, address: Address) -> None:
        """A device has another address, and is where it was."""
        if was in self.members:
            self.members[address] = None
        else:
            self.members.pop(address, None)

    def is_on_sub_ghz(self, address: Address) -> bool:
        """Whether a device was heard on sub-GHz last."""
        return address in self.members

    def _came(self, reception: Reception) -> None:
        if reception.frame.source is not None:
            self.members.pop(reception.frame.source, None)
        self._up(reception)

    def _came_in_sub_ghz(self, reception: Reception) -> None:
        if reception.frame.source is not None:
            self.members[reception.frame.source] = None
        self._in_sub_ghz = True
        try:
            self._up(reception)
        finally:
            self._in_sub_ghz = False

    def _asked_in_sub_ghz(self, address: Address) -> None:
        self.members[address] = None
        self.asked(address)

    # ---------------------------------------------------------------------------- sending

    def send(self, frame: MacFrame, done: Done | None = None, tag: int | None = None) -> None:
        """Send a frame in the band of its destination; a beacon in the band in which it was asked for."""
        destination = frame.destination
        if destination is None:
            if self._in_sub_ghz:
                self.sub_ghz.send(frame, done, tag)
            else:
                super().send(frame, done, tag)
        elif destination == BROADCAST:
            super().send(frame, done, tag)
            if self.members:
                self.sub_ghz.send(frame, None, tag)
        elif destination in self.members:
            self.sub_ghz.send(frame, done, tag)
        else:
            super().send(frame, done, tag)

    def keep(
        self,
        frame: MacFrame,
        done: Done | None = None,
        tag: int | None = None,
        *,
        payload: Payload | None = None,
    ) -> None:
        """Keep a frame until the sleeper it is for asks for it, in its band."""
        if frame.destination is not None and frame.destination in self.members:
            self.sub_ghz.keep(frame, done, tag, payload=payload)
        else:
            super().keep(frame, done, tag, payload=payload)
