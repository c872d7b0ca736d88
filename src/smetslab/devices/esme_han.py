"""What an ESME does for the devices of its home: prepayment for a PPMID, switching for an HCALCS, readings
for all that show them.

Only devices on its device log may ask; what they ask for is written into the event log under the message
code of its use case.

Spec: GBCS use cases PECS01 to PECS03, HECS01; ZSE 1.4 D.2, D.3, D.7; SMETS 5.22.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from smetslab.devices import events
from smetslab.devices.application import Application
from smetslab.devices.display_publisher import DisplayPublisher
from smetslab.devices.display_server import DisplayServer
from smetslab.devices.han_frames import HanFrame, HanOutbox, default_response, reply
from smetslab.devices.prepay.token import Refusal, TokenSource
from smetslab.devices.security.device_log import DeviceLog
from smetslab.devices.work import Workplace
from smetslab.errors import ZclDecodeError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Command, find_command
from smetslab.zigbee.zcl.clusters.load_control import LoadControl
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import JsonValue

_UNLIMITED_MINUTES: Final = 0xFFFF
_CLOSED, _OPEN = 100, 0
_RESULTS: Final = {
    Refusal.INCOMPLETE: "rejected_invalid_top_up",
    Refusal.WRONG_DIGIT: "rejected_invalid_top_up",
    Refusal.NOT_AUTHENTIC: "rejected_invalid_top_up",
    Refusal.DUPLICATE: "rejected_duplicate_top_up",
    Refusal.LOCKED_OUT: "rejected_keypad_lock",
    Refusal.EXCEEDS_BALANCE: "rejected_max_credit_reached",
    Refusal.EXCEEDS_CREDIT: "rejected_top_up_value_too_large",
}


class Meter(Protocol):
    """What the ESME lets a PPMID do."""

    def enter_utrn(
        self, digits: str, now: datetime, source: TokenSource = TokenSource.KEYPAD
    ) -> Refusal | None:
        """Judge and credit a code; None when it was credited."""

    def select_emergency_credit(self, now: datetime, *, ppmid: bool = False) -> bool:
        """Select emergency credit; False when there is none to select."""

    def press_enable_button(self, now: datetime, *, ppmid: bool = False) -> bool:
        """The consumer asks for supply; True when there is supply afterwards."""

    def number(self, name: str) -> int:
        """A stored number of the meter."""


@dataclass(frozen=True, slots=True)
class SwitchState:
    """What one HCALCS switch has to be, and by which command of the meter's log; 0: by none yet."""

    number: int
    closed: bool
    command_id: int = 0


Switches = Callable[[Eui64], tuple[SwitchState, ...]]
"""The switches of an HCALCS in the meter's slots, as the meter wants them now."""


class Switched(Protocol):
    """The meter's log of commands to auxiliary switches."""

    def __call__(self, command_id: int, now: datetime, *, done: bool) -> None:
        """What came of a command is known."""


_OUTCOMES: Final[Mapping[str, bool]] = {
    "event_started": True,
    "event_completed": True,
    "user_opted_out": False,
    "rejected_undefined_event": False,
}
"""Reports that tell whether a switch is where it has to be. Which of them do is unverified."""


class EsmeHan:
    """The servers of one ESME, as long as it has power."""

    def __init__(
        self,
        *,
        application: Application,
        log: DeviceLog,
        workplace: Workplace,
        meter: Meter,
        switches: Switches,
        switched: Switched,
        displays: Callable[[], DisplayServer],
    ) -> None:
        self._displays = displays
        self._application = application
        self._log = log
        self._place = workplace
        self._meter = meter
        self._switches = switches
        self._switched = switched
        self.outbox = HanOutbox()
        self._publisher = DisplayPublisher(displays, log, self.outbox)
        application.tell_home = self._publisher.tell
        self._sent: dict[tuple[Eui64, int], SwitchState] = {}

    # ---------------------------------------------------------------------------- what comes

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """A frame of a device of the home."""
        entry = self._log.find(frame.peer)
        kind = None if entry is None else entry.device_type
        command = find_command(frame.cluster, frame.frame)
        handler = None if command is None else _HANDLERS.get(command)
        if kind is DeviceType.TYPE_2 or (kind is DeviceType.PPMID and handler is None):
            for told in self._displays().receive(frame, now):
                self.outbox.put(told)
            return
        wanted = DeviceType.HCALCS if frame.cluster == LoadControl.id else DeviceType.PPMID
        if kind is not wanted:
            self._place.note("FrameRefused", peer=str(frame.peer), cluster=frame.cluster)
            self.outbox.put(default_response(frame, Status.NOT_AUTHORIZED))
            return
        if not frame.frame.cluster_specific:
            return
        if command is None or handler is None:
            self.outbox.put(default_response(frame, Status.UNSUP_CLUSTER_COMMAND))
            return
        try:
            fields = command.to_json(command.decode(frame.frame.payload))
        except ZclDecodeError:
            self.outbox.put(default_response(frame, Status.MALFORMED_COMMAND))
            return
        handler(self, frame, fields, now)

    def _top_up(self, frame: HanFrame, fields: Mapping[str, JsonValue], now: datetime) -> None:
        refusal = self._meter.enter_utrn(str(fields["top_up_code"]), now, TokenSource.PPMID)
        self._log_command(now, "PECS01", done=refusal is None)
        result = "accepted" if refusal is None else _RESULTS.get(refusal, "rejected_error")
        self.outbox.put(
            reply(
                frame,
                Prepayment.consumer_top_up_response,
                {
                    "result_type": result,
                    "top_up_value": -1,
                    "source_of_top_up": "in_home_display_device",
                    "credit_remaining": self._meter.number("meter_balance"),
                },
            )
        )

    def _emergency(self, frame: HanFrame, fields: Mapping[str, JsonValue], now: datetime) -> None:
        del fields
        done = self._meter.select_emergency_credit(now, ppmid=True)
        self._log_command(now, "PECS02", done=done)
        self.outbox.put(default_response(frame, Status.SUCCESS if done else Status.ACTION_DENIED))

    def _supply(self, frame: HanFrame, fields: Mapping[str, JsonValue], now: datetime) -> None:
        """Only "on" may be asked for. Spec: GBCS use case PECS03."""
        wanted = fields["proposed_supply_status"] == "supply_on"
        done = wanted and self._meter.press_enable_button(now, ppmid=True)
        self._log_command(now, "PECS03", done=done)
        self.outbox.put(default_response(frame, Status.SUCCESS if done else Status.ACTION_DENIED))

    def _log_command(self, now: datetime, use_case: str, *, done: bool) -> None:
        code = events.HAN_COMMAND_DONE if done else events.HAN_COMMAND_FAILED
        with self._place.work(now) as work:
            self._application.raise_event(work, code, USE_CASES[use_case].code.to_bytes(2, "big"))

    # ---------------------------------------------------------------------------- switches

    def _scheduled(self, frame: HanFrame, fields: Mapping[str, JsonValue], now: datetime) -> None:
        """HECS01: every switch of the asking device gets the event that holds now."""
        del fields
        self._log_command(now, "HECS01", done=True)
        for switch in self._switches(frame.peer):
            self._send_event(frame.peer, switch)

    def _status(self, frame: HanFrame, fields: Mapping[str, JsonValue], now: datetime) -> None:
        """What an HCALCS reports of an event says what has become of the command in the log."""
        event_id, status = int(str(fields["issuer_event_id"])), str(fields["event_status"])
        self._place.note("LoadControlReported", peer=str(frame.peer), event_id=event_id, status=status)
        if status in _OUTCOMES:
            self._switched(event_id, now, done=_OUTCOMES[status])

    def refresh(self, now: datetime) -> None:
        """Tell displays and each HCALCS what has changed since they were told last."""
        self._publisher.refresh(now)
        for entry in self._log.entries:
            if entry.device_type is DeviceType.HCALCS:
                for switch in self._switches(entry.device):
                    if self._sent.get((entry.device, switch.number)) != switch:
                        self._send_event(entry.device, switch)

    def _send_event(self, device: Eui64, switch: SwitchState) -> None:
        self._sent[device, switch.number] = switch
        self.outbox.command(
            device,
            LoadControl.load_control_event,
            {
                "issuer_event_id": switch.command_id,
                "device_class": 0x0FFF,
                "utility_enrolment_group": switch.number,
                "start_time": "immediate",
                "duration_in_minutes": _UNLIMITED_MINUTES,
                "criticality_level": 1,
                "cooling_temperature_offset": 0xFF,
                "heating_temperature_offset": 0xFF,
                "cooling_temperature_set_point": -0x8000,
                "heating_temperature_set_point": -0x8000,
                "average_load_adjustment_percentage": -0x80,
                "duty_cycle": _CLOSED if switch.closed else _OPEN,
                "event_control": 0,
            },
        )

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """A frame could not be carried: an HCALCS is told again at the next change, or when it asks."""
        self._place.note("FrameNotDelivered", peer=str(frame.peer), cluster=frame.cluster)
        for key in [key for key in self._sent if key[0] == frame.peer]:
            del self._sent[key]
        if find_command(frame.cluster, frame.frame) is LoadControl.load_control_event:
            lost = LoadControl.load_control_event.decode(frame.frame.payload)
            self._switched(lost.integer("issuer_event_id"), now, done=False)


_Handler = Callable[[EsmeHan, HanFrame, Mapping[str, JsonValue], datetime], None]

_HANDLERS: Final[Mapping[Command, _Handler]] = {
    Prepayment.consumer_top_up: EsmeHan._top_up,
    Prepayment.select_available_emergency_credit: EsmeHan._emergency,
    Metering.local_change_supply: EsmeHan._supply,
    LoadControl.get_scheduled_events: EsmeHan._scheduled,
    LoadControl.report_event_status: EsmeHan._status,
}
