"""A Type 2 device: it asks the meters of its home and keeps what they tell. It writes nothing and has no
credentials.

Spec: IHDTS 4; GBCS 7.4 (Type 2 devices)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from smetslab.devices.consumption import PERIODS, Ledger
from smetslab.devices.display_asking import DISPLAY_ROWS, RETRY, Asker
from smetslab.devices.display_reading import Reading, ShownMeter
from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.work import Workplace
from smetslab.errors import LocalProtocolError, ZclDecodeError
from smetslab.gbcs.values import Value, seconds_since_2000
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.clusters.messaging import Messaging

TIME_WAIT, TIME_LOOK = timedelta(seconds=5), timedelta(seconds=0.5)
"""How long a display waits for the time before it asks its meters, and how often it looks. Unverified."""


FIRST_WAIT = timedelta(seconds=30)
"""After its first question a display asks a meter again so soon, then after twice as long each time, until
the meter's interval is reached: a proxy knows nothing before its gas meter has woken. Unverified."""


class DisplayCore:
    """One Type 2 device between power on and power off."""

    def __init__(
        self,
        workplace: Workplace,
        meters: tuple[ShownMeter, ...],
        now: datetime,
        time: Callable[[datetime], datetime | None] = lambda now: now,
    ) -> None:
        """`time`: what the display has been told of the time, at a moment of laboratory time."""
        self._place = workplace
        self._time = time
        self._patience = now + TIME_WAIT
        self.han = HanOutbox()
        self._asker = Asker(self.han, DISPLAY_ROWS)
        self.readings = {meter.device: Reading(meter) for meter in meters}
        for reading in self.readings.values():
            octets = workplace.nvm.get(_key(reading))
            if octets is not None:
                reading.ledger = Ledger.decode(octets)
        self._due = {meter.device: now for meter in meters}
        self._waits = {meter.device: min(FIRST_WAIT, meter.interval) for meter in meters}

    @property
    def refusals(self) -> int:
        """Answers that refused something."""
        return self._asker.refusals

    # ---------------------------------------------------------------------------- time

    def next_deadline(self) -> datetime | None:
        return min(self._due.values(), default=None)

    def tick(self, now: datetime) -> None:
        """Ask the meters whose turn it is; at the beginning, wait a little until the time is known."""
        time = self._time(now)
        if time is None and now < self._patience:
            self._due = dict.fromkeys(self._due, min(now + TIME_LOOK, self._patience))
            return
        for reading in self.readings.values():
            meter = reading.meter
            if now >= self._due[meter.device]:
                self._due[meter.device] = now + self._waits[meter.device]
                self._waits[meter.device] = min(2 * self._waits[meter.device], meter.interval)
                self._asker.ask(reading, now, time)

    def receive(self, data: bytes, now: datetime) -> None:
        """A GBCS message: nobody sends one to a Type 2 device."""
        del now
        self._place.note("MessageDropped", data=data, reason="type-2-device")

    # ---------------------------------------------------------------------------- answers

    def han_receive(self, frame: HanFrame, now: datetime) -> None:
        """A frame of a meter."""
        reading = self.readings.get(frame.peer)
        if reading is None or not frame.frame.server_to_client:
            self._place.note("FrameIgnored", peer=str(frame.peer), cluster=frame.cluster)
            return
        time = self._time(now)
        turned_away = self._asker.turned_away
        values = self._asker.read(reading, frame, now, time)
        try:
            if values:
                self._told(reading, values, now)
            elif not self._asker.heard(reading, frame, now, time):
                self._place.note("FrameIgnored", peer=str(frame.peer), cluster=frame.cluster)
        except ZclDecodeError as error:
            self._place.note("FrameIgnored", peer=str(frame.peer), reason=str(error))
        if self._asker.turned_away > turned_away:
            self._due[frame.peer] = min(self._due[frame.peer], now + RETRY)

    def _told(self, reading: Reading, values: dict[str, int], now: datetime) -> None:
        """A meter has answered a read."""
        energy, time = reading.energy_kwh, self._time(now)
        if "current_summation_delivered" not in values or energy is None or time is None:
            return  # without the time nobody knows whose day it counts for
        before = replace(reading.ledger)
        if reading.tenancy is not None and reading.tenancy <= time:
            reading.forget_before(reading.tenancy)
        reading.ledger.add(
            time,
            energy_wh=round(energy * 1000),
            price=reading.price or 0,
            standing_charge=reading.values.get("standing_charge", 0),
        )
        for name in PERIODS:
            used = reading.used_wh(name)
            if used is not None:
                reading.ledger.told(name, used)
        if before != reading.ledger:
            with self._place.work(now) as work:
                work.tx.put(_key(reading), reading.ledger.encode())

    def han_failed(self, frame: HanFrame, now: datetime) -> None:
        """A question did not arrive: the next one may."""
        del now
        self._place.note("FrameNotDelivered", peer=str(frame.peer), cluster=frame.cluster)

    # ---------------------------------------------------------------------------- for people

    def confirm(self, meter: Eui64, now: datetime) -> bool:
        """The consumer confirms the message of a meter; False when none is shown. Spec: ZSE 1.4 D.5.2.4.2.

        Raises LocalProtocolError for a meter that the display does not show.
        """
        reading = self.readings.get(meter)
        if reading is None:
            raise LocalProtocolError(f"the display does not show {meter}")
        time = self._time(now)
        if reading.notice is None or time is None or not reading.notice.shown(time):
            return False
        command = Messaging.message_confirmation
        record = command.record(
            message_id=reading.notice.identifier, confirmation_time=seconds_since_2000(time)
        )
        self.han.send(meter, command, record)
        return True

    def inspect(self, now: datetime) -> dict[str, Value]:
        """What has been read, for diagnosis."""
        time = self._time(now)
        return {"meters": [reading.describe(now, time) for reading in self.readings.values()]}


def _key(reading: Reading) -> str:
    return f"display/ledger/{reading.meter.device}"
