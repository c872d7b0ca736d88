"""The sub-GHz radio of a dual band hub: channel, duty cycle, scans, and what it tells of them.

The duty cycle is the share of the last hour that the radio has sent, in buckets of five minutes.

    normal <-> limited <-> critical <-> regulated

Spec: CHTS 4.4.7; GBCS 10.6, use cases DBCH01 to DBCH11; the rules of scans are unverified.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from smetslab.devices import events
from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.event_log import EventLog
from smetslab.devices.limits import REGULATED_DUTY_CYCLE, SUB_GHZ_DEVICES
from smetslab.devices.work import Work
from smetslab.errors import LocalProtocolError
from smetslab.gbcs.dlms.axdr import Octets
from smetslab.gbcs.dlms.forms import ChannelLogDetail
from smetslab.gbcs.values import Parameters, Value
from smetslab.han.air.bands import Channel as AirChannel
from smetslab.han.air.duty import DutyLedger, DutyLimits, DutyState
from smetslab.ids import Eui64
from smetslab.store import Nvm

CONFIGURATION: Final = "sub_ghz_configuration_settings"
CHANNEL: Final = "operating_sub_ghz_channel"
_PAGES: Final = ("page_28_mask", "page_29_mask", "page_30_mask", "page_31_mask")
_CHANGES_KEY: Final = "sub-ghz/changes"
_WEEK: Final = timedelta(days=7)

Channel = tuple[int, int]
"""Page and number."""

NOISE_SPAN_DB: Final = 40
"""What lies between a channel that is free and one that is never so. Unverified."""

Noise = Callable[[Channel], int]
"""How noisy a channel is, in dB above the quietest: what a scan measures."""

Moved = Callable[[Channel, str], None]
"""The radio has gone to a channel, for this reason."""

Tell = Callable[[Work, int, Parameters | None], None]
"""Raises an event of the radio, with the parameters of its alert where it has one of its own."""


_ENTERED: Final = {
    DutyState.LIMITED: events.LIMITED_DUTY_CYCLE,
    DutyState.CRITICAL: events.CRITICAL_DUTY_CYCLE,
    DutyState.REGULATED: events.REGULATED_DUTY_CYCLE,
}
_LEFT: Final = {
    DutyState.LIMITED: events.BELOW_LIMITED_DUTY_CYCLE,
    DutyState.CRITICAL: events.BELOW_CRITICAL_DUTY_CYCLE,
    DutyState.REGULATED: events.BELOW_REGULATED_DUTY_CYCLE,
}


class Air(Protocol):
    """The radio itself, as a home network has it. Without one the account is kept here, and is empty."""

    @property
    def ledger(self) -> DutyLedger:
        """The account of what the radio has sent."""
        ...

    @property
    def channel(self) -> AirChannel:
        """The channel in use."""
        ...

    allowed: list[AirChannel]
    """The channels that the network may use, as its devices are told."""

    def time(self) -> float:
        """The present as the account counts it."""
        ...

    def noise(self, channel: AirChannel) -> int:
        """How noisy a channel is, 0 to 255."""
        ...

    def busiest(self) -> Eui64 | None:
        """The device to which most was sent."""
        ...

    def change_channel(self, channel: AirChannel, moved: Callable[[], None]) -> None:
        """Tell the devices, go there, and call `moved` then. LocalProtocolError while it is going already."""
        ...


class SubGhz:
    """The radio of one hub, as long as it has power. The duty cycle is not kept over a power cut."""

    def __init__(self, nvm: Nvm, server: CosemServer, log: EventLog, tell: Tell) -> None:
        self._server = server
        self._log = log
        self._tell = tell
        self._ledger = DutyLedger()
        self._air: Air | None = None
        self._moved: Moved = lambda _channel, _trigger: None
        self.state = DutyState.NORMAL
        self.noise: Noise = lambda _channel: 0
        kept = nvm.get(_CHANGES_KEY) or b""
        self._changes = [int.from_bytes(kept[at : at + 8], "big") for at in range(0, len(kept), 8)]

    def attach(self, work: Work, air: Air, moved: Moved) -> None:
        """The radio is this one from now on. `moved` is called when it has gone to another channel, and what
        is to be told then is told by `arrived`.
        """
        self._air, self._ledger, self._moved = air, air.ledger, moved
        self.noise = lambda channel: round(air.noise(_on_air(channel)) * NOISE_SPAN_DB / 255)
        here = (air.channel.page, air.channel.number)
        if here != self.channel:
            self._server.put(work, CHANNEL, {"page": here[0], "channels": [here[1]]})
        self._apply()

    def _apply(self) -> None:
        """Have the account and the devices follow the configuration."""
        self._ledger.limits = DutyLimits(
            limited=self._number("normal_limited_duty_cycle_threshold"),
            critical=self._number("limited_critical_duty_cycle_threshold"),
            regulated=REGULATED_DUTY_CYCLE,
        )
        if self._air is not None:
            self._air.allowed = [_on_air(one) for one in self._allowed()]

    def _allowed(self) -> list[Channel]:
        return [channel for mask in _PAGES for channel in _channels(self._setting(mask))]

    # ---------------------------------------------------------------------------- channel

    @property
    def channel(self) -> Channel:
        """The channel in use."""
        value = self._server.value(CHANNEL)
        return _channels(value)[0]

    def move(self, work: Work, channel: Channel, trigger: str) -> None:
        """Go to another channel: at once where there is no air, else when its devices know."""
        if self._air is None:
            self.arrived(work, channel, trigger)
            return
        try:
            self._air.change_channel(_on_air(channel), lambda: self._moved(channel, trigger))
        except LocalProtocolError:
            self._tell(work, events.CHANNEL_NOT_CHANGED, None)  # it is on its way to another

    def arrived(self, work: Work, channel: Channel, trigger: str) -> None:
        """Another channel is used from now on: note it, and say why."""
        shown: Parameters = {"page": channel[0], "channels": [channel[1]]}
        self._server.put(work, CHANNEL, dict(shown))
        self._changes.append(int(work.now.timestamp()))
        self._changes = self._changes[-255:]
        work.tx.put(_CHANGES_KEY, b"".join(moment.to_bytes(8, "big") for moment in self._changes))
        work.note("ChannelChanged", page=channel[0], channel=channel[1], trigger=trigger)
        self._record(work, events.CHANNEL_CHANGED, _detail(channel, trigger))
        self._tell(
            work,
            events.CHANNEL_CHANGED,
            {"channel_change": {"operating_sub_ghz_channel": dict(shown), "scan_trigger": trigger}},
        )

    def scan(self, work: Work, trigger: str) -> None:
        """Look for a better channel, and go there if the configuration allows it.

        The outcome octet is 0 when the scan is done at once, the only one that is published.
        """
        scanned: Parameters = {"scan_request": {"scan_trigger": trigger, "assessment_outcome": "00"}}
        self._tell(work, events.SCAN_ASSESSED, scanned)
        self._tell(work, events.SCAN_INITIATED, None)
        here = self.noise(self.channel)
        best = min(self._allowed(), key=self.noise, default=self.channel)
        if best == self.channel or here - self.noise(best) < self._number("channel_quieter_threshold"):
            return
        if self._changes_since(work.now - _WEEK) >= self._number("maximum_sub_ghz_channel_changes_per_week"):
            self._tell(work, events.CHANNEL_NOT_CHANGED, None)
            return
        self.move(work, best, trigger)

    def _changes_since(self, moment: datetime) -> int:
        return sum(1 for change in self._changes if change > moment.timestamp())

    def configured(self, work: Work) -> None:
        """Another configuration was written."""
        self._apply()
        self._tell(work, events.SUB_GHZ_CONFIGURED, {CONFIGURATION: self._server.value(CONFIGURATION)})

    # ---------------------------------------------------------------------------- duty cycle

    def sent(self, work: Work, device: Eui64, seconds: float) -> None:
        """The radio has sent to a device for so long."""
        self._ledger.spent(self._time(work.now), device, seconds)
        self.review(work)

    def _time(self, now: datetime) -> float:
        return now.timestamp() if self._air is None else self._air.time()

    def review(self, work: Work) -> None:
        """Enter and leave the states that the duty cycle has reached, one by one."""
        self._apply()
        wanted = self._ledger.state(self._time(work.now))
        while self.state is not wanted:
            if wanted > self.state:
                self.state = DutyState(self.state + 1)
                code = _ENTERED[self.state]
                told = (
                    {"device_identifier": str(self._busiest())} if self.state is DutyState.LIMITED else None
                )
                self._tell(work, code, None if told is None else {**told})
            else:
                code = _LEFT[self.state]
                self.state = DutyState(self.state - 1)
                self._tell(work, code, None)
            self._record(work, code, b"")
            work.note("StateChanged", what="duty cycle", value=self.state.name.lower())

    def rests(self, now: datetime) -> bool:
        """Whether there is nothing to review: the account is empty, and always was."""
        return self._air is None and self.state is DutyState.NORMAL and not self.share(now)

    def share(self, now: datetime) -> float:
        """The part of the last hour that the radio has sent, in 1/100 %."""
        return self._ledger.share(self._time(now))

    def may_send(self, *, urgent: bool) -> bool:
        """Whether a message may go out: a critical duty cycle keeps the urgent ones, a regulated none."""
        if self.state is DutyState.REGULATED:
            return False
        return urgent or self.state is not DutyState.CRITICAL

    def discarded(self, work: Work, message: Parameters) -> None:
        """A message was not sent for the sake of the duty cycle; `message` is the start of its header."""
        self._tell(work, events.DISCARDED_FOR_DUTY_CYCLE, {"discarded_message": dict(message)})

    def admits(self, work: Work, device: Eui64, joined: int) -> bool:
        """Whether there is room for another sub-GHz device beside `joined` ones."""
        if joined < SUB_GHZ_DEVICES:
            return True
        self._tell(work, events.NO_SUB_GHZ_CAPACITY, {"device_identifier": str(device)})
        return False

    def _busiest(self) -> Eui64:
        """The device with the most air time; a meter in doubt is the one heard first."""
        if self._air is not None:
            return self._air.busiest() or Eui64(bytes(8))
        devices = [one for one in self._ledger.busiest() if isinstance(one, Eui64)]
        return devices[0] if devices else Eui64(bytes(8))

    # ---------------------------------------------------------------------------- settings and log

    def _setting(self, name: str) -> Value:
        value = self._server.value(CONFIGURATION)
        return value[name] if isinstance(value, dict) else None

    def _number(self, name: str) -> int:
        value = self._setting(name)
        return value if isinstance(value, int) else 0

    def _record(self, work: Work, code: int, detail: bytes) -> None:
        self._log.append(work, code, work.now, detail)


def _on_air(channel: Channel) -> AirChannel:
    return AirChannel(number=channel[1], page=channel[0])


def _channels(value: Value) -> list[Channel]:
    """The channels of a mask."""
    if not isinstance(value, dict):
        return []
    page, numbers = value["page"], value["channels"]
    return [
        (page, number)
        for number in (numbers if isinstance(numbers, list) else [])
        if isinstance(page, int) and isinstance(number, int)
    ]


def _detail(channel: Channel, trigger: str) -> bytes:
    """The other information of a log entry: channel mask and reason."""
    shown: Value = {"page": channel[0], "channels": [channel[1]], "scan_trigger": trigger}
    encoded = ChannelLogDetail().encode(shown, "other information")
    return encoded.value if isinstance(encoded, Octets) else b""
