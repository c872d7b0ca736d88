"""The air of one place: who hears whom, how well, and what is lost on the way.

A frame is heard by every radio on its channel that is in reach, listens, and does not send itself. Two frames
that overlap where both are heard destroy each other. Loss comes in bursts: each direction of each link has a
good and a bad state, and its own stream of chance, so another device never changes what a link loses.

Spec: Gilbert and Elliott (two-state loss); IEEE 802.15.4 6.7 (what a receiver must do)
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar, TypeVarTuple, Unpack

from smetslab.errors import LocalProtocolError
from smetslab.han.air.bands import Channel
from smetslab.ids import Eui64
from smetslab.rng import Draws, RootSeed
from smetslab.value_class import value_class
from smetslab.zigbee.mac_layer import ACKNOWLEDGEMENT_OCTETS, BROADCAST, NO_SHORT_ADDRESS, short_destination

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_ACKNOWLEDGEMENTS = (0x02, 0x12)
"""How acknowledgements begin, without and with the bit for pending frames."""
_MOST_AUDIENCES = 1024
"""Destinations whose hearers are remembered; random frames name any."""


class Cancellable(Protocol):
    """A timer that has not run."""

    def cancel(self) -> object:
        """Have it not run."""
        ...


class Scheduler(Protocol):
    """Time for the air: a `Clock` is one. Seconds count from any moment that stays the same."""

    def time(self) -> float:
        """The present."""
        ...

    def call_at(self, time_s: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> Cancellable:
        """Call a plain function at a time."""
        ...

    def alarm(self, time_s: float, callback: Callable[[T], object], argument: T, /) -> object:
        """Call a function with one argument at a time. It cannot be taken back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkQuality:
    """How one radio hears another. Probabilities from 0 to 1; `to_bad` and `to_good` are those of changing
    state with a frame.
    """

    rssi_dbm: float = -60.0
    lqi: int = 200
    loss_good: float = 0.0
    loss_bad: float = 1.0
    to_bad: float = 0.0
    to_good: float = 1.0
    audible: bool = True

    def __post_init__(self) -> None:
        for name in ("loss_good", "loss_bad", "to_bad", "to_good"):
            if not 0 <= getattr(self, name) <= 1:
                raise LocalProtocolError(f"link: {name} must be between 0 and 1")
        if not 0 <= self.lqi <= 255:
            raise LocalProtocolError("link: lqi must be between 0 and 255")

    @property
    def mean_loss(self) -> float:
        """The share of frames that is lost in the long run: the states weigh as long as they last."""
        if not self.audible:
            return 1.0
        bad = self.to_bad / (self.to_bad + self.to_good) if self.to_bad else 0.0
        return bad * self.loss_bad + (1 - bad) * self.loss_good

    @classmethod
    def bursty(cls, loss: float, burst_frames: float = 5.0, *, rssi_dbm: float = -85.0) -> LinkQuality:
        """A link that loses a share `loss` of its frames, in bursts of a mean length."""
        if not 0 <= loss < 1 or burst_frames < 1:
            raise LocalProtocolError("link: a loss below 1 in bursts of a frame or more")
        to_good = 1 / burst_frames
        to_bad = min(1.0, to_good * loss / (1 - loss))
        return cls(rssi_dbm=rssi_dbm, lqi=90, to_bad=to_bad, to_good=to_good)


@dataclass(slots=True)
class Link:
    """One direction between two radios: its quality, and the state its chance is in."""

    quality: LinkQuality
    stream: random.Random | Draws
    bad: bool = False

    def loses(self) -> bool:
        quality = self.quality
        if not (self.bad or quality.to_bad or quality.loss_good):
            return False
        draw = self.stream.random
        if self.bad:
            self.bad = draw() >= quality.to_good
        elif quality.to_bad:
            self.bad = draw() < quality.to_bad
        loss = quality.loss_bad if self.bad else quality.loss_good
        return loss > 0 and draw() < loss


@dataclass(slots=True, eq=False)
class Transmission:
    """One frame on the air. `octets`: with its check sequence."""

    radio: Radio
    channel: Channel
    octets: bytes
    start: float
    end: float
    tag: int | None
    sent: Callable[[], object] | None
    """Called when it has ended, after those who have heard it."""
    overlapped: tuple[Transmission, ...] = ()


Heard: TypeAlias = Callable[[bytes, LinkQuality], None]
"""Called with the octets of every frame that a radio hears, and how it heard it."""


class Radio:
    """One radio on a medium. `receiving` is the switch of its receiver; `heard` is called with what it hears.

    As a radio chip does, it leaves out what is to another short address than its own, and acknowledgements
    unless it is `awaiting` one. A `promiscuous` radio is given everything.

    Spec: IEEE 802.15.4-2006 7.5.6.2 (the third level of filtering)
    """

    __slots__ = (
        "_medium",
        "audiences",
        "awaiting",
        "band",
        "channel",
        "eui64",
        "heard",
        "links",
        "promiscuous",
        "receiving",
        "sending_from",
        "sending_until",
        "short_address",
    )

    def __init__(
        self, medium: Medium, eui64: Eui64, channel: Channel, heard: Heard, *, promiscuous: bool
    ) -> None:
        self._medium = medium
        self.channel = channel
        self.band = channel.band
        self.short_address = NO_SHORT_ADDRESS
        self.eui64 = eui64
        self.heard = heard
        self.promiscuous = promiscuous
        self.receiving = False
        self.awaiting = False
        self.sending_from = self.sending_until = -1.0
        self.links: dict[Radio, Link] = {}
        """How this radio hears each other one."""
        self.audiences: dict[int, tuple[Radio, ...]] = {}
        """Whom its frames may concern, by their destination, as long as no radio has changed."""

    def tune(self, channel: Channel) -> None:
        """Another channel from now on."""
        self.channel = channel
        self.band = channel.band
        self._medium.changed()

    def answer_to(self, short_address: int) -> None:
        """Another short address from now on."""
        self.short_address = short_address
        self._medium.changed()

    def busy(self) -> bool:
        """Whether this radio hears something on its channel now: clear channel assessment."""
        return self._medium.busy(self)

    def transmit(
        self, octets: bytes, start: float, sent: Callable[[], object] | None, tag: int | None = None
    ) -> float:
        """Send a frame from `start` on; when it ends. `sent` is called then; `tag` is for who listens."""
        return self._medium.transmit(self, octets, start, sent, tag)


@value_class(frozen=True, slots=True)
class OnAir:
    """A frame that was sent, for who writes captures: when it began, and on which channel."""

    start_s: float
    channel: Channel
    source: Eui64
    octets: bytes
    rssi_dbm: float
    tag: int | None = None
    """What the sender's upper layers call the message that the frame is a part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interference:
    """A microwave oven, a video link: on a channel, on and off for random times around these means."""

    channel: Channel
    on_s: float
    off_s: float

    def __post_init__(self) -> None:
        if self.on_s <= 0 or self.off_s <= 0:
            raise LocalProtocolError("interference: its times on and off are longer than nothing")

    @property
    def share(self) -> float:
        """The part of time that it is on."""
        return self.on_s / (self.on_s + self.off_s)


class _Noise:
    """An interference and the state it is in: looked up when somebody asks, never stepped through."""

    def __init__(self, source: Interference, stream: random.Random, now: float) -> None:
        self.source = source
        self._stream = stream
        self._on = stream.random() < source.share
        self._at = now

    def is_on(self, now: float) -> bool:
        """Two states that change at constant rates: where they are after some time follows from one draw."""
        if now > self._at:
            rate = 1 / self.source.on_s + 1 / self.source.off_s
            still = math.exp(-rate * (now - self._at))
            chance = self.source.share + (float(self._on) - self.source.share) * still
            self._on = self._stream.random() < chance
            self._at = now
        return self._on


class Medium:
    """Every radio that could hear another, on all channels."""

    def __init__(self, scheduler: Scheduler, seed: RootSeed, *, quality: LinkQuality | None = None) -> None:
        """`quality`: that of links which nobody has set."""
        self._scheduler = scheduler
        self._seed = seed
        self.default = LinkQuality() if quality is None else quality
        self._radios: list[Radio] = []
        self.changes = 0
        """How often a radio has come, gone, or changed its channel or an address."""
        self._links: dict[tuple[Eui64, Eui64], Link] = {}
        self._on_air: dict[Channel, list[Transmission]] = {}
        self._listeners: list[Callable[[OnAir], object]] = []
        self._jammed: dict[Channel, float] = {}
        self._noise: list[_Noise] = []
        self.coarse_time = False
        """True where timers come late by more than a backoff slot, as those of an operating system do: radios
        would look at the channel at the same moment, and collide, far more often than real ones. Then a frame
        that is about to begin is heard already.
        """
        self.speaking = Eui64(bytes(8))
        """Whose frame a radio is just told of."""
        self.counts = {"sent": 0, "heard": 0, "lost": 0, "collided": 0, "deaf": 0}
        """What became of frames: each radio that could have heard one counts."""
        self.airtime_s: dict[Channel, float] = {}

    def add(self, eui64: Eui64, channel: Channel, heard: Heard, *, promiscuous: bool = False) -> Radio:
        """A new radio; its receiver is off."""
        self._refuse_second(eui64, channel)
        radio = Radio(self, eui64, channel, heard, promiscuous=promiscuous)
        self._radios.append(radio)
        self.changed()
        return radio

    def changed(self) -> None:
        """Some radio has come, gone, or changed its channel or its addresses."""
        self.changes += 1
        for radio in self._radios:
            radio.audiences.clear()

    def _audience(self, source: Radio, channel: Channel, octets: bytes) -> tuple[Radio, ...]:
        """Whom a frame may concern, by its destination, in the order in which they came."""
        destination = short_destination(octets)
        found = source.audiences.get(destination)
        if found is None:
            found = tuple(
                radio
                for radio in self._radios
                if radio is not source
                and radio.channel == channel
                and (radio.promiscuous or destination in {BROADCAST, radio.short_address})
            )
            if source.channel == channel and len(source.audiences) < _MOST_AUDIENCES:
                source.audiences[destination] = found
        return found

    def rename(self, radio: Radio, eui64: Eui64) -> None:
        """A radio is another's than was thought: its links are that one's from now on."""
        self._refuse_second(eui64, radio.channel)
        radio.eui64 = eui64
        radio.links.clear()
        self._forget(radio)

    def _refuse_second(self, eui64: Eui64, channel: Channel) -> None:
        if any(radio.eui64 == eui64 and radio.channel.page == channel.page for radio in self._radios):
            raise LocalProtocolError(f"device {eui64} has its radio on this medium already")

    def remove(self, radio: Radio) -> None:
        """Take a radio away."""
        self._radios.remove(radio)
        self._forget(radio)

    def _forget(self, radio: Radio) -> None:
        """How the others hear a radio is looked up anew."""
        for other in self._radios:
            other.links.pop(radio, None)
        self.changed()

    def set_link(self, source: Eui64, destination: Eui64, quality: LinkQuality) -> None:
        """How `destination` hears `source` from now on."""
        self.link(source, destination).quality = quality

    def quality(self, source: Eui64, destination: Eui64) -> LinkQuality:
        """How `destination` hears `source`."""
        return self.link(source, destination).quality

    def jam(self, channel: Channel, until_s: float) -> None:
        """A disturbance that nothing gets through, and that every radio hears as a busy channel."""
        self._jammed[channel] = until_s

    def listen(self, listener: Callable[[OnAir], object]) -> Callable[[], None]:
        """Have `listener` called with every frame that ends; the result ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def link(self, source: Eui64, destination: Eui64) -> Link:
        """How `destination` hears `source`, and the state that its chance is in."""
        link = self._links.get((source, destination))
        if link is None:
            link = Link(self.default, self._seed.draws(f"air.{source}.{destination}"))
            self._links[source, destination] = link
        return link

    def _hearing(self, radio: Radio, source: Radio) -> Link:
        """How a radio hears another: found without their addresses, for every frame asks."""
        link = radio.links.get(source)
        if link is None:
            link = radio.links[source] = self.link(source.eui64, radio.eui64)
        return link

    def interfere(self, interference: Interference) -> Callable[[], None]:
        """A source of disturbance from now on; the result ends it."""
        stream = self._seed.stream(f"interference.{interference.channel}.{len(self._noise)}")
        source = _Noise(interference, stream, self._scheduler.time())
        self._noise.append(source)
        return lambda: self._noise.remove(source)

    def energy(self, radio: Radio, channel: Channel) -> int:
        """What a scan measures on a channel, 0 to 255: the share of time that it is disturbed or in use."""
        share = 0.0
        for noise in self._noise:
            if noise.source.channel == channel:
                share = max(share, noise.source.share)
        now = self._scheduler.time()
        if self._jammed.get(channel, now) > now:
            share = 1.0
        for one in self._on_air.get(channel, ()):
            if one.radio is not radio and self._hearing(radio, one.radio).quality.audible:
                share = max(share, 0.5)
        return round(share * 255)

    def _disturbed(self, channel: Channel, now: float) -> bool:
        if not (self._jammed or self._noise):
            return False
        if self._jammed.get(channel, now) > now:
            return True
        disturbed = False
        for noise in self._noise:
            if noise.source.channel == channel and noise.is_on(now):
                disturbed = True
        return disturbed

    # ---------------------------------------------------------------------------- what radios do

    def busy(self, radio: Radio) -> bool:
        now = self._scheduler.time()
        channel = radio.channel
        if self._disturbed(channel, now):
            return True
        for one in self._on_air.get(channel, ()):
            begun = one.start <= now or self.coarse_time
            if begun and now < one.end and self._hearing(radio, one.radio).quality.audible:
                return True
        return False

    def transmit(
        self,
        radio: Radio,
        octets: bytes,
        start: float,
        sent: Callable[[], object] | None,
        tag: int | None = None,
    ) -> float:
        channel = radio.channel
        airtime = radio.band.airtime_s(len(octets))
        end = start + airtime
        transmission = Transmission(radio, channel, octets, start, end, tag, sent)
        radio.sending_from, radio.sending_until = start, end
        ongoing = self._on_air.get(channel)
        if ongoing is None:
            ongoing = self._on_air[channel] = []
        for other in ongoing:
            if other.start < end and start < other.end:
                other.overlapped += (transmission,)
                transmission.overlapped += (other,)
        ongoing.append(transmission)
        self.counts["sent"] += 1
        self.airtime_s[channel] = self.airtime_s.get(channel, 0.0) + airtime
        self._scheduler.alarm(end, self._ended, transmission)
        return end

    def _ended(self, transmission: Transmission) -> None:
        channel, octets, source = transmission.channel, transmission.octets, transmission.radio
        self._on_air[channel].remove(transmission)
        if self._listeners:
            frame = OnAir(
                transmission.start,
                channel,
                source.eui64,
                octets,
                self.default.rssi_dbm,
                transmission.tag,
            )
            for listener in tuple(self._listeners):
                listener(frame)
        jammed = False
        if self._jammed or self._noise:
            jammed = self._jammed.get(channel, -1.0) > transmission.start
            jammed = self._disturbed(channel, transmission.end) or jammed
        is_acknowledgement = len(octets) == ACKNOWLEDGEMENT_OCTETS and octets[0] in _ACKNOWLEDGEMENTS
        for radio in self._audience(source, channel, octets):
            if (
                radio.receiving
                and (radio.awaiting or not is_acknowledgement or radio.promiscuous)
                and radio.channel == channel
            ):
                self._reach(radio, transmission, jammed=jammed)
        if transmission.sent is not None:
            transmission.sent()

    def _reach(self, radio: Radio, transmission: Transmission, *, jammed: bool) -> None:
        source = transmission.radio
        link = radio.links.get(source) or self._hearing(radio, source)
        quality = link.quality
        if not quality.audible:
            return
        if radio.sending_until > transmission.start and radio.sending_from < transmission.end:
            self.counts["deaf"] += 1
        elif jammed or (
            transmission.overlapped
            and any(
                one.radio is not radio and self._hearing(radio, one.radio).quality.audible
                for one in transmission.overlapped
            )
        ):
            self.counts["collided"] += 1
        elif link.loses():
            self.counts["lost"] += 1
        else:
            self.counts["heard"] += 1
            self.speaking = source.eui64
            radio.heard(transmission.octets, quality)
