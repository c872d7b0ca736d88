"""Devices on the simulated air that another process plays: each is a radio here, and ZEP datagrams there.

A process cannot answer within the microseconds that an acknowledgement takes. So each radio does by itself
what a radio chip does: it waits for the channel, sends again what was not acknowledged, and acknowledges
frames to the addresses that the process shows by sending from them. The process is given every frame that its
radio hears.

Datagrams in, datagrams out; no socket and no loop is in here.

Spec: ZEP version 2; IEEE 802.15.4-2006 7.5.6 (what a radio does by itself); the division is our own
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from smetslab.errors import LocalProtocolError, ZigbeeDecodeError
from smetslab.han.air.bands import CHANNELS_2_4_GHZ, Channel
from smetslab.han.air.mac_entity import MacEntity
from smetslab.han.air.medium import LinkQuality, Medium, Scheduler
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.zigbee.capture.zep import ZepPacket, ZepType, decode_zep, encode_zep
from smetslab.zigbee.mac_layer import (
    ACKNOWLEDGEMENT_OCTETS,
    ASSOCIATION_RESPONSE,
    BROADCAST,
    FCS_BYTES,
    NO_SHORT_ADDRESS,
    MacFrame,
    MacFrameType,
    decode_mac,
    decode_mac_command,
    frame_check_sequence,
)

MAX_RADIOS: Final = 16
"""Processes that have a radio at a time."""
SILENCE_S: Final = 600.0
"""After so long without a datagram a radio is taken away; an empty one will do to keep it."""
SUB_GHZ_PAGES: Final = range(28, 32)
MAX_SUB_GHZ_CHANNEL: Final = 62
"""Spec: ZigBee D.7 (channel pages; unverified)."""

Peer: TypeAlias = "tuple[str, int]"
"""Where a process listens: host and port."""


@dataclass(slots=True)
class OutsideCounts:
    """What became of datagrams."""

    received: int = 0
    sent: int = 0
    malformed: int = 0
    """No ZEP, or no channel."""
    refused: int = 0
    """One radio too many, or no room in its queue."""
    acknowledgements: int = 0
    """Frames that the radio sends by itself."""
    impostors: int = 0
    """Frames from the address of a radio that is here already."""


@dataclass(slots=True, eq=False)
class _Outside:
    """The radio of one process."""

    peer: Peer
    mac: MacEntity
    heard_at: float
    device: int = 0
    sequence: int = 0


@dataclass(slots=True)
class OutsideAir:
    """Every radio of one home that other processes play.

    `send` is called with each datagram and for whom it is; `now_us` is the present in microseconds since
    1970; `noticed` is called when a radio comes, shows its address or goes; `guests` is kept: the radios by
    those addresses.
    """

    medium: Medium
    scheduler: Scheduler
    seed: RootSeed
    channel: Channel
    send: Callable[[bytes, Peer], None]
    now_us: Callable[[], int]
    noticed: Callable[[str, Eui64], None]
    guests: MutableMapping[Eui64, MacEntity]
    counts: OutsideCounts = field(default_factory=OutsideCounts)
    _radios: dict[Peer, _Outside] = field(default_factory=dict)
    _made: int = 0

    def received(self, datagram: bytes, peer: Peer) -> None:
        """A datagram has come from a process. What is wrong with it is counted, and answered by silence."""
        self.counts.received += 1
        try:
            packet = decode_zep(datagram)
        except ZigbeeDecodeError:
            self.counts.malformed += 1
            return
        if packet.kind is ZepType.ACKNOWLEDGEMENT:
            return
        if not _is_channel(packet.channel, packet.page):
            self.counts.malformed += 1
            return
        self._forget_silent()
        radio = self._radios.get(peer) or self._welcome(peer)
        if radio is None:
            self.counts.refused += 1
            return
        radio.heard_at = self.scheduler.time()
        radio.device = packet.device
        channel = Channel(packet.channel, packet.page)
        if radio.mac.channel != channel:
            radio.mac.tune(channel)
        if packet.octets:
            self._transmit(radio, packet)

    def close(self) -> None:
        """Take every radio off the air."""
        for radio in list(self._radios.values()):
            self._part(radio)

    # ---------------------------------------------------------------------------- radios

    def _welcome(self, peer: Peer) -> _Outside | None:
        if len(self._radios) >= MAX_RADIOS:
            return None
        self._made += 1
        # An address of nobody until the process shows its own: locally administered, and counted.
        name = Eui64(b"\x02ZEP" + self._made.to_bytes(4, "big"))
        mac = MacEntity(
            self.medium,
            self.scheduler,
            self.seed.stream(f"outside.{self._made}"),
            eui64=name,
            channel=self.channel,
            received=lambda _: None,
            tap=lambda octets, quality: self._heard(radio, octets, quality),
        )
        radio = self._radios[peer] = _Outside(peer, mac, self.scheduler.time())
        mac.switch_on()
        self.guests[name] = mac
        self.noticed("OutsideRadioCame", name)
        return radio

    def _forget_silent(self) -> None:
        now = self.scheduler.time()
        for radio in [one for one in self._radios.values() if now - one.heard_at > SILENCE_S]:
            self._part(radio)

    def _part(self, radio: _Outside) -> None:
        del self._radios[radio.peer]
        self.guests.pop(radio.mac.eui64, None)
        radio.mac.leave()
        self.noticed("OutsideRadioLeft", radio.mac.eui64)

    # ---------------------------------------------------------------------------- frames

    def _transmit(self, radio: _Outside, packet: ZepPacket) -> None:
        octets = packet.octets
        if not packet.fcs:
            body = octets[:-FCS_BYTES]
            octets = body + frame_check_sequence(body)
        try:
            frame = decode_mac(octets[:-FCS_BYTES])
        except ZigbeeDecodeError:
            frame = None  # whatever it is: others will see that it is none
        if frame is not None:
            if frame.kind is MacFrameType.ACKNOWLEDGEMENT and len(octets) == ACKNOWLEDGEMENT_OCTETS:
                self.counts.acknowledgements += 1
                return
            self._learn(radio, frame)
        if not radio.mac.forward(octets):
            self.counts.refused += 1

    def _learn(self, radio: _Outside, frame: MacFrame) -> None:
        """The addresses that a process sends from are those that its radio answers for."""
        source, mac = frame.source, radio.mac
        if isinstance(source, Eui64):
            self._rename(radio, source)
        elif source is not None and source < NO_SHORT_ADDRESS:
            mac.short_address = source
        pan = frame.source_pan if frame.source_pan is not None else frame.destination_pan
        if source is not None and pan is not None and pan != BROADCAST:
            mac.pan = pan

    def _rename(self, radio: _Outside, eui64: Eui64) -> None:
        mac = radio.mac
        if eui64 == mac.eui64:
            return
        before = mac.eui64
        try:
            mac.rename(eui64)
        except LocalProtocolError:
            self.counts.impostors += 1
            return
        self.guests.pop(before, None)
        self.guests[eui64] = mac
        self.noticed("OutsideRadioNamed", eui64)

    def _heard(self, radio: _Outside, octets: bytes, quality: LinkQuality) -> None:
        """The radio of a process has heard a frame: the process is given it."""
        self._answered(radio, octets)
        radio.sequence += 1
        self.counts.sent += 1
        channel = radio.mac.channel
        packet = ZepPacket(
            channel=channel.number,
            page=channel.page,
            octets=octets,
            device=radio.device,
            link_quality=quality.lqi,
            sequence=radio.sequence,
            time_us=self.now_us(),
        )
        self.send(encode_zep(packet), radio.peer)

    def _answered(self, radio: _Outside, octets: bytes) -> None:
        """With the answer to its association a process has a short address, before it sends from it."""
        try:
            frame = decode_mac(octets[:-FCS_BYTES])
            if frame.kind is not MacFrameType.COMMAND or frame.destination != radio.mac.eui64:
                return
            row, record = decode_mac_command(frame.payload)
        except ZigbeeDecodeError:
            return
        if row is ASSOCIATION_RESPONSE and not record.integer("status"):
            radio.mac.short_address = record.integer("short_address")
            if frame.destination_pan is not None:
                radio.mac.pan = frame.destination_pan


def _is_channel(number: int, page: int) -> bool:
    """Whether there is such a channel in a home."""
    if page:
        return page in SUB_GHZ_PAGES and number <= MAX_SUB_GHZ_CHANNEL
    return number in CHANNELS_2_4_GHZ
