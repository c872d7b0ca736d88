"""The MAC entity of a device: access to the channel, acknowledgements, retries, and frames kept for sleepers.

Spec: IEEE 802.15.4-2006 7.5.1.4 (unslotted CSMA-CA), 7.5.6 (transmission, acknowledgement, indirect frames),
7.4.2 (constants)
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from smetslab.errors import ZigbeeDecodeError
from smetslab.han.air.bands import Channel
from smetslab.han.air.duty import DutyLedger
from smetslab.han.air.impair import Impairments
from smetslab.han.air.medium import LinkQuality, Medium, Scheduler
from smetslab.ids import Eui64
from smetslab.value_class import value_class
from smetslab.zigbee.mac_layer import (
    ACKNOWLEDGEMENT_OCTETS,
    BROADCAST,
    DATA_REQUEST,
    FCS_BYTES,
    Address,
    MacFrame,
    MacFrameType,
    acknowledgement,
    decode_mac,
    frame_check_sequence,
    is_intact,
    short_destination,
)

MIN_BE: Final = 3
MAX_BE: Final = 5
MAX_BACKOFFS: Final = 4
MAX_RETRIES: Final = 3
"""Spec: IEEE 802.15.4 7.4.2 (macMinBE, macMaxBE, macMaxCSMABackoffs, macMaxFrameRetries)."""
INDIRECT_PERSISTENCE_S: Final = 7.68
"""How long a frame waits for a sleeper. Spec: ZigBee 3.6.4 (macTransactionPersistenceTime)."""
MAX_QUEUE: Final = 128
"""Frames that wait for the channel; more are refused (unverified)."""
_ACK_REQUEST = 0x20
"""The bit of the frame control. Spec: IEEE 802.15.4 7.2.1.1.4."""
_REPEAT_S = 1.0
"""How long a sequence number is remembered: longer than its sender tries, for numbers come round."""
_ACKNOWLEDGEMENT = MacFrameType.ACKNOWLEDGEMENT
_COMMAND = MacFrameType.COMMAND
_DATA_REQUEST = bytes((DATA_REQUEST.id,))
_SENDERS = 256
"""Senders whose sequence numbers are remembered (unverified); a stranger can have any number of addresses."""
_REMEMBERED = 8
"""Sequence numbers of one sender that are taken for repeats (unverified)."""

Done: TypeAlias = Callable[[bool], None]
"""Called with True when a frame has left and, where that was asked, been acknowledged."""
Payload: TypeAlias = Callable[[], bytes]
"""Makes what a frame carries when it is about to leave: then it is sealed under the counter of that moment,
and not taken for a replay by who has heard a later frame while it was kept.
"""


@value_class(frozen=True, slots=True)
class Reception:
    """A frame for this device, as its MAC entity hands it up."""

    frame: MacFrame
    quality: LinkQuality


@dataclass(slots=True)
class _Outgoing:
    octets: bytes
    sequence: int
    ack_request: bool
    done: Done | None
    tag: int | None
    backoffs: int = 0
    exponent: int = MIN_BE
    retries: int = 0


@dataclass(slots=True)
class _Kept:
    """A frame that waits for a sleeper to ask for it."""

    frame: MacFrame
    done: Done | None
    tag: int | None
    payload: Payload | None


@dataclass(slots=True)
class MacCounts:
    """What became of frames."""

    sent: int = 0
    received: int = 0
    no_acknowledgement: int = 0
    channel_busy: int = 0
    repeats: int = 0
    malformed: int = 0
    bad_check_sequence: int = 0
    refused: int = 0
    expired: int = 0
    duty_cycle: int = 0
    """Not sent, for the hour of the radio was used up."""


class MacEntity:
    """The MAC of one radio. `received` is called with every frame for this device, repeats left out."""

    def __init__(
        self,
        medium: Medium,
        scheduler: Scheduler,
        rng: random.Random,
        *,
        eui64: Eui64,
        channel: Channel,
        received: Callable[[Reception], None],
        tap: Callable[[bytes, LinkQuality], None] | None = None,
    ) -> None:
        """`tap` is given everything that the radio hears, whoever it is for, check sequence included."""
        self.eui64 = eui64
        self.pan: int = BROADCAST
        self.counts = MacCounts()
        self.always_listening = True
        """False for a sleeper: its receiver is on only while something of its own is under way."""
        self._expecting = False
        """A frame was announced: the receiver stays on."""
        self.impairments: Impairments | None = None
        """What happens to frames on their way in."""
        self.duty: DutyLedger | None = None
        """The account of a radio that may not always send."""
        self.asked: Callable[[Address], None] = lambda _address: None
        """Called when somebody asks for the frames that are kept for it, before it is answered."""
        self._scheduler = scheduler
        self._rng = rng
        self._received = received
        self._tap = tap
        self._radio = medium.add(eui64, channel, self._heard, promiscuous=tap is not None)
        self._medium = medium
        self._sequence = rng.randrange(256)
        self._queue: deque[_Outgoing] = deque()
        self._current: _Outgoing | None = None
        self._kept: dict[Address, deque[_Kept]] = {}
        self._seen: dict[Address, dict[int, float]] = {}
        """Until when a sequence number of a sender is taken for a repeat."""
        self._on = False

    # ---------------------------------------------------------------------------- power and channel

    @property
    def channel(self) -> Channel:
        return self._radio.channel

    @property
    def short_address(self) -> int:
        return self._radio.short_address

    @short_address.setter
    def short_address(self, short_address: int) -> None:
        self._radio.answer_to(short_address)

    def switch_on(self) -> None:
        """From now on the device sends and, unless it is a sleeper, listens."""
        self._on = True
        self._radio.receiving = self.always_listening

    def switch_off(self) -> None:
        """The power goes: what waits is lost, and nobody is told."""
        self._on = self._expecting = False
        self._radio.receiving = False
        self._current = None
        self._radio.awaiting = False
        self._queue.clear()
        self._kept.clear()
        self._seen.clear()
        if self.duty is not None:
            self.duty.forget()

    def leave(self) -> None:
        """Take the radio off the medium for good."""
        self.switch_off()
        self._medium.remove(self._radio)

    def rename(self, eui64: Eui64) -> None:
        """The radio's own address is another than was thought. LocalProtocolError when it is taken."""
        self._medium.rename(self._radio, eui64)
        self.eui64 = eui64

    def tune(self, channel: Channel) -> None:
        """Another channel."""
        self._radio.tune(channel)

    def listen(self, *, on: bool) -> None:
        """Switch a sleeper's receiver."""
        self._expecting = on
        self._radio.receiving = self._on and (on or self.always_listening)

    def energy(self, channel: Channel) -> int:
        """How noisy a channel is for this radio, 0 to 255. Spec: IEEE 802.15.4 6.9.7 (energy detection)."""
        return self._medium.energy(self._radio, channel)

    def assigned(self, was: Address, address: Address) -> None:
        """Another device has another address from now on; a radio of one band need not know."""

    def is_on_sub_ghz(self, address: Address) -> bool:
        """Whether another device is on the lower band of this one: never where there is one band."""
        del address
        return False

    # ---------------------------------------------------------------------------- sending

    def send(self, frame: MacFrame, done: Done | None = None, tag: int | None = None) -> None:
        """Send a frame when its turn comes; it is given the next sequence number. `tag` goes on the air with
        it.

        Raises ZigbeeEncodeError for one that is too long.
        """
        if not self._on or len(self._queue) >= MAX_QUEUE:
            self.counts.refused += 1
            if done is not None:
                done(False)
            return
        self._sequence = self._sequence + 1 & 0xFF
        octets = frame.encode(sequence=self._sequence)
        octets += frame_check_sequence(octets)
        outgoing = _Outgoing(octets, self._sequence, frame.ack_request, done, tag)
        if self._current is None:
            self._begin(outgoing)
        else:
            self._queue.append(outgoing)

    def forward(self, octets: bytes) -> bool:
        """Send a frame that another has made, with its own sequence number and check sequence, when its turn
        comes: with access to the channel, and again while its acknowledgement does not come. False when
        there is no room for it.
        """
        if not self._on or not octets or len(self._queue) >= MAX_QUEUE:
            self.counts.refused += 1
            return False
        asks = bool(octets[0] & _ACK_REQUEST) and len(octets) > 2
        outgoing = _Outgoing(octets, octets[2] if asks else 0, asks, None, None)
        if self._current is None:
            self._begin(outgoing)
        else:
            self._queue.append(outgoing)
        return True

    def keep(
        self,
        frame: MacFrame,
        done: Done | None = None,
        tag: int | None = None,
        *,
        payload: Payload | None = None,
    ) -> None:
        """Keep a frame until the sleeper it is for asks; `payload` makes what it carries then.

        Spec: IEEE 802.15.4 7.5.6.3
        """
        address = frame.destination
        if address is None or not self._on:
            self.counts.refused += 1
            if done is not None:
                done(False)
            return
        kept = _Kept(frame, done, tag, payload)
        self._kept.setdefault(address, deque()).append(kept)
        self._scheduler.call_at(self._scheduler.time() + INDIRECT_PERSISTENCE_S, self._expire, address, kept)

    def _expire(self, address: Address, kept: _Kept) -> None:
        waiting = self._kept.get(address)
        if waiting is not None and any(one is kept for one in waiting):
            self._kept[address] = deque(one for one in waiting if one is not kept)
            self.counts.expired += 1
            if kept.done is not None:
                kept.done(False)

    def _begin(self, outgoing: _Outgoing) -> None:
        self._current = outgoing
        self._back_off(outgoing)

    def _back_off(self, outgoing: _Outgoing) -> None:
        band = self._radio.band
        slots = self._rng.getrandbits(outgoing.exponent)
        wait = slots * band.unit_backoff_s + band.clear_channel_s
        self._scheduler.alarm(self._scheduler.time() + wait, self._assess, outgoing)

    def _assess(self, outgoing: _Outgoing) -> None:
        """Clear channel assessment. Spec: IEEE 802.15.4 7.5.1.4."""
        if outgoing is not self._current:
            return  # the power went meanwhile
        radio = self._radio
        now = self._scheduler.time()
        if radio.sending_until > now or radio.busy():
            outgoing.backoffs += 1
            outgoing.exponent = min(outgoing.exponent + 1, MAX_BE)
            if outgoing.backoffs > MAX_BACKOFFS:
                self.counts.channel_busy += 1
                self._finish(outgoing, success=False)
            else:
                self._back_off(outgoing)
            return
        if self.duty is not None and not self._may_send(self.duty, outgoing.octets):
            self._finish(outgoing, success=False)
            return
        self.counts.sent += 1
        start = now + radio.band.turnaround_s
        radio.transmit(outgoing.octets, start, partial(self._sent, outgoing), outgoing.tag)

    def _may_send(self, duty: DutyLedger, octets: bytes) -> bool:
        """Whether the hour of the radio has room for a frame, which is entered in its account then."""
        now = self._scheduler.time()
        if not duty.admits(now):
            self.counts.duty_cycle += 1
            duty.told()
            return False
        duty.spent(now, short_destination(octets), self._radio.band.airtime_s(len(octets)))
        return True

    def _sent(self, outgoing: _Outgoing) -> None:
        if outgoing is not self._current:
            return  # the power went meanwhile
        if not outgoing.ack_request:
            self._finish(outgoing, success=True)
            return
        self._radio.receiving = self._radio.awaiting = True
        wait = self._radio.band.ack_wait_s
        self._scheduler.alarm(self._scheduler.time() + wait, self._unacknowledged, outgoing)

    def _unacknowledged(self, outgoing: _Outgoing) -> None:
        if outgoing is not self._current:
            return  # it has been acknowledged, or the power went meanwhile
        self._radio.awaiting = False
        outgoing.retries += 1
        if outgoing.retries > MAX_RETRIES:
            self.counts.no_acknowledgement += 1
            self._finish(outgoing, success=False)
            return
        outgoing.backoffs, outgoing.exponent = 0, MIN_BE
        self._back_off(outgoing)

    def _finish(self, outgoing: _Outgoing, *, success: bool) -> None:
        self._current = None
        if not self.always_listening and not self._queue and not self._expecting:
            self._radio.receiving = False
        if self._queue:
            self._begin(self._queue.popleft())
        if outgoing.done is not None:
            outgoing.done(success)

    # ---------------------------------------------------------------------------- receiving

    def _heard(self, octets: bytes, quality: LinkQuality) -> None:
        if self.impairments is None:
            self._take_octets(octets, quality)
        else:
            self.impairments.pass_on(
                "air",
                self._medium.speaking,
                self.eui64,
                octets,
                lambda came: self._take_octets(came, quality),
            )

    def _take_octets(self, octets: bytes, quality: LinkQuality) -> None:
        if not self._on:
            return  # it was delayed, and the power went meanwhile
        awaited = self._current if self._radio.awaiting else None
        if awaited is not None and len(octets) == ACKNOWLEDGEMENT_OCTETS and self._tap is None:
            for pending in (False, True):
                if octets == acknowledgement(awaited.sequence, pending=pending):
                    self._acknowledged(awaited, pending=pending)
                    return
        if len(octets) < ACKNOWLEDGEMENT_OCTETS or not is_intact(octets):
            self.counts.bad_check_sequence += 1
            return
        if self._tap is not None:
            self._tap(octets, quality)
        try:
            frame = decode_mac(octets[:-FCS_BYTES])
        except ZigbeeDecodeError:
            self.counts.malformed += 1
            return
        if frame.kind is _ACKNOWLEDGEMENT:
            if awaited is not None and awaited.sequence == frame.sequence:
                self._acknowledged(awaited, pending=frame.frame_pending)
        elif frame.source is None and frame.destination is None:
            self.counts.malformed += 1
        elif self._is_mine(frame):
            self._take(frame, quality)

    def _is_mine(self, frame: MacFrame) -> bool:
        if frame.destination is None:
            # A beacon, or a frame to the coordinator of a PAN.
            return frame.kind is MacFrameType.BEACON or frame.source_pan == self.pan
        if frame.destination_pan != self.pan and BROADCAST not in {frame.destination_pan, self.pan}:
            return False
        if frame.destination == self._radio.short_address:
            return True
        return frame.destination in {self.eui64, BROADCAST}

    def _take(self, frame: MacFrame, quality: LinkQuality) -> None:
        asks = frame.kind is _COMMAND and frame.payload[:1] == _DATA_REQUEST
        if asks and frame.source is not None:
            self.asked(frame.source)
        pending = asks and frame.source is not None and bool(self._kept.get(frame.source))
        if frame.ack_request and frame.destination != BROADCAST:
            self._acknowledge(frame.sequence, pending=pending)
        if self._is_repeat(frame):
            self.counts.repeats += 1
            return
        self.counts.received += 1
        if pending and frame.source is not None:
            self._release(frame.source)
        self._received(Reception(frame, quality))

    def _release(self, address: Address) -> None:
        """Send a sleeper the next frame that is kept for it, and say whether there is more."""
        waiting = self._kept[address]
        kept = waiting.popleft()
        payload = kept.frame.payload if kept.payload is None else kept.payload()
        frame = replace(kept.frame, frame_pending=bool(waiting), payload=payload)
        self.send(frame, kept.done, kept.tag)

    def _acknowledge(self, sequence: int, *, pending: bool) -> None:
        octets = acknowledgement(sequence, pending=pending)
        if self.duty is None or self._may_send(self.duty, octets):
            self._radio.transmit(octets, self._scheduler.time() + self._radio.band.turnaround_s, None)

    def _acknowledged(self, outgoing: _Outgoing, *, pending: bool) -> None:
        self._radio.awaiting = False
        self._finish(outgoing, success=True)
        if pending:
            # A sleeper that asked stays awake for what is coming, whatever it sends meanwhile.
            self._radio.receiving = self._expecting = True

    def _is_repeat(self, frame: MacFrame) -> bool:
        source, sequence = frame.source, frame.sequence
        if source is None or frame.kind is MacFrameType.BEACON:
            return False
        now = self._scheduler.time()
        seen = self._seen.get(source)
        if seen is None:
            seen = self._seen[source] = {}
            if len(self._seen) > _SENDERS:
                del self._seen[next(iter(self._seen))]
        if seen.get(sequence, 0.0) > now:
            return True
        seen.pop(sequence, None)
        seen[sequence] = now + _REPEAT_S
        if len(seen) > _REMEMBERED:
            del seen[next(iter(seen))]
        return False
