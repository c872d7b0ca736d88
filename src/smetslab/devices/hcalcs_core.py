"""HAN connected auxiliary load control switches: they do what their ESME says, and open without it.

The ESME sends load control events; at power on, and when nothing has come for a while, the HCALCS asks for
those that are due (HECS01). A consumer may opt out of an event, and take that back.

    open <-> closed by events; open after 24 h without the meter

Spec: HCALCSTS 4; SMETS 5.22; GBCS use case HECS01; which switch an event means, and the 24 hours, are
unverified.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from smetslab.devices.event_log import EventLog
from smetslab.devices.han_frames import HanFrame
from smetslab.devices.limits import HCALCS_CONTACT_LIMIT, HCALCS_SWITCHES
from smetslab.devices.type1_core import Type1Core, Type1Plant
from smetslab.devices.work import Work, Workplace
from smetslab.errors import LocalProtocolError, ZclDecodeError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import EPOCH_2000, Value, seconds_since_2000, utc_text
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import find_command
from smetslab.zigbee.zcl.clusters.load_control import LoadControl
from smetslab.zigbee.zcl.values import JsonValue

_SWITCHES: Final = "hcalcs/switch/"
_CONTACT: Final = "hcalcs/contact"
_CLOSED_FROM: Final = 50
"""A duty cycle of this many per cent, or more, closes a switch. Unverified."""
_ALL: Final = 0xFF
_NOW: Final = "immediate"
_OPT_OUTS: Final = {True: "user_opted_out", False: "user_opted_in"}


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch. `wanted`: what the meter says; `event_id`: by which event, 0 for none."""

    number: int
    wanted: bool = False
    opted_out: bool = False
    event_id: int = 0
    until: int = 0
    """End of the event in seconds since 2000, 0: until the next one."""

    @property
    def closed(self) -> bool:
        return self.wanted and not self.opted_out

    def encode(self) -> bytes:
        flags = self.wanted | self.opted_out << 1
        return bytes((flags,)) + self.event_id.to_bytes(4, "big") + self.until.to_bytes(4, "big")

    @classmethod
    def decode(cls, number: int, octets: bytes) -> Switch:
        return cls(
            number,
            bool(octets[0] & 1),
            bool(octets[0] & 2),
            int.from_bytes(octets[1:5], "big"),
            int.from_bytes(octets[5:9], "big"),
        )


class HcalcsCore(Type1Core):
    """One HCALCS between power on and power off."""

    def __init__(self, plant: Type1Plant, workplace: Workplace, now: datetime) -> None:
        super().__init__(plant, workplace, now)
        self._switches: dict[int, Switch] = {}
        for number in range(1, HCALCS_SWITCHES + 1):
            octets = workplace.nvm.get(f"{_SWITCHES}{number}")
            self._switches[number] = Switch(number) if octets is None else Switch.decode(number, octets)
        kept = workplace.nvm.get(_CONTACT)
        self._contact = now if kept is None else EPOCH_2000 + timedelta(seconds=int.from_bytes(kept, "big"))
        self.switch_log = EventLog(workplace.nvm, "auxiliary")
        self.ask_for_events(now)

    @property
    def switches(self) -> tuple[Switch, ...]:
        return tuple(self._switches.values())

    @property
    def meter(self) -> Eui64 | None:
        """The ESME that it is paired with."""
        entries = self.security.log.entries
        return next((entry.device for entry in entries if entry.device_type is DeviceType.ESME), None)

    # ---------------------------------------------------------------------------- the meter

    def ask_for_events(self, now: datetime) -> None:
        """HECS01: which load control events hold now."""
        del now
        if self.meter is not None:
            self.han.command(
                self.meter,
                LoadControl.get_scheduled_events,
                {"start_time": utc_text(EPOCH_2000), "number_of_events": 0},
            )

    def han_receive(self, frame: HanFrame, now: datetime) -> None:
        """An event of the meter that this device is paired with; from anybody else it means nothing."""
        command = find_command(frame.cluster, frame.frame)
        if frame.cluster != LoadControl.id or command is None or frame.peer != self.meter:
            super().han_receive(frame, now)
            return
        try:
            fields = command.to_json(command.decode(frame.frame.payload))
        except ZclDecodeError as error:
            self._place.note("FrameIgnored", peer=str(frame.peer), reason=str(error))
            return
        with self._place.work(now) as work:
            self._heard(work)
            if command is LoadControl.load_control_event:
                self._obey(work, frame.peer, fields)
            elif command is LoadControl.cancel_load_control_event:
                self._cancel(work, frame.peer, int(str(fields["issuer_event_id"])))
            elif command is LoadControl.cancel_all_load_control_events:
                self._cancel(work, frame.peer, None)

    def _heard(self, work: Work) -> None:
        self._contact = work.now
        work.tx.put(_CONTACT, seconds_since_2000(work.now).to_bytes(8, "big"))

    def _obey(self, work: Work, meter: Eui64, fields: dict[str, JsonValue]) -> None:
        """An event is for the switch that its enrolment group names, or for all."""
        number, event_id = int(str(fields["utility_enrolment_group"])), int(str(fields["issuer_event_id"]))
        minutes, duty = int(str(fields["duration_in_minutes"])), int(str(fields["duty_cycle"]))
        targets = self._targets(number)
        if fields["start_time"] != _NOW or not targets:
            self._report(work, meter, event_id, "rejected_undefined_event")
            return
        self._report(work, meter, event_id, "command_received")
        until = 0 if minutes in {0, 0xFFFF} else seconds_since_2000(work.now) + 60 * minutes
        for switch in targets:
            self._set(work, Switch(switch.number, duty >= _CLOSED_FROM, switch.opted_out, event_id, until))
        held_back = duty >= _CLOSED_FROM and any(switch.opted_out for switch in targets)
        self._report(work, meter, event_id, _OPT_OUTS[True] if held_back else "event_started")

    def _targets(self, number: int) -> list[Switch]:
        if number in {0, _ALL}:
            return list(self._switches.values())
        return [self._switches[number]] if number in self._switches else []

    def _cancel(self, work: Work, meter: Eui64, event_id: int | None) -> None:
        for switch in self.switches:
            if switch.event_id and event_id in {None, switch.event_id}:
                self._report(work, meter, switch.event_id, "event_cancelled")
                self._set(work, Switch(switch.number))

    def _report(self, work: Work, meter: Eui64, event_id: int, status: str) -> None:
        """Spec: ZSE 1.4 D.2.3.3.1 (Report Event Status)."""
        self.han.command(
            meter,
            LoadControl.report_event_status,
            {
                "issuer_event_id": event_id,
                "event_status": status,
                "event_status_time": utc_text(self.clock.time(work.now)),
                "criticality_level_applied": 0,
                "cooling_temperature_set_point_applied": 0x8000,
                "heating_temperature_set_point_applied": 0x8000,
                "average_load_adjustment_applied": -128,
                "duty_cycle_applied": 0xFF,
                "event_control": 0,
                "signature_type": 0,
                "signature": [0xFF] * 42,
            },
        )

    def _set(self, work: Work, switch: Switch) -> None:
        before = self._switches[switch.number]
        self._switches[switch.number] = switch
        work.tx.put(f"{_SWITCHES}{switch.number}", switch.encode())
        if switch.closed != before.closed:
            state = "closed" if switch.closed else "open"
            work.note("StateChanged", what=f"switch {switch.number}", value=state)
            self.switch_log.append(
                work, 0x1100 | switch.number, self.clock.time(work.now), bytes((switch.closed,))
            )

    # ---------------------------------------------------------------------------- the consumer

    def opt_out(self, now: datetime, number: int, *, out: bool = True) -> Switch:
        """The consumer has a switch stay open, or lets the meter have it again."""
        if number not in self._switches:
            raise LocalProtocolError(f"an HCALCS has switches 1 to {HCALCS_SWITCHES}, not {number}")
        switch = self._switches[number]
        with self._place.work(now) as work:
            self._set(work, Switch(number, switch.wanted, out, switch.event_id, switch.until))
            if self.meter is not None and switch.event_id:
                self._report(work, self.meter, switch.event_id, _OPT_OUTS[out])
        return self._switches[number]

    # ---------------------------------------------------------------------------- time

    def next_deadline(self) -> datetime:
        deadlines = [super().next_deadline(), self._contact + HCALCS_CONTACT_LIMIT]
        deadlines += [
            EPOCH_2000 + timedelta(seconds=switch.until) for switch in self.switches if switch.until
        ]
        return min(deadlines)

    def tick(self, now: datetime) -> None:
        super().tick(now)
        ended = [s for s in self.switches if s.until and EPOCH_2000 + timedelta(seconds=s.until) <= now]
        lost = now - self._contact >= HCALCS_CONTACT_LIMIT
        if not ended and not lost:
            return
        with self._place.work(now) as work:
            for switch in ended:
                if self.meter is not None:
                    self._report(work, self.meter, switch.event_id, "event_completed")
                self._set(work, Switch(switch.number, False, switch.opted_out))
            if lost:
                for switch in self.switches:
                    self._set(work, Switch(switch.number, False, switch.opted_out))
                # The next look is a day away; until then the meter is asked once.
                self._heard(work)
        if lost:
            self.ask_for_events(now)

    def inspect(self, now: datetime) -> dict[str, Value]:
        return {
            "switches": [
                {
                    "number": switch.number,
                    "state": "closed" if switch.closed else "open",
                    "opted_out": switch.opted_out,
                    "event": switch.event_id,
                }
                for switch in self.switches
            ],
            **super().inspect(now),
        }
