"""The prepayment interface of a home: top-ups, emergency credit and supply, by the consumer's hand.

    idle -enter or press-> sent -answer-> result -30 s-> idle
                            |
                            +- 30 s (gas: 35 min) without an answer -> result

A GSME is asked by GBCS messages through the hub, MACed with the key that both share; an ESME by ZCL commands.

Spec: PPMIDTS 4; GBCS use cases PCS01, PCS02, PECS01 to PECS03; the times and words are unverified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from smetslab.devices.display_asking import PREPAYMENT, RETRY, TOLD, Asker, Read, Row
from smetslab.devices.display_reading import Reading, ShownMeter
from smetslab.devices.han_frames import HanFrame
from smetslab.devices.limits import PPMID_ANSWER_WAIT, PPMID_GAS_ANSWER_WAIT, PPMID_RESULT_SHOWN
from smetslab.devices.type1_core import Type1Core, Type1Plant
from smetslab.devices.work import Outgoing, Work, Workplace
from smetslab.errors import GbcsDecodeError, LocalProtocolError, ZclDecodeError
from smetslab.gbcs.codes import Cra, DeviceType
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import verify_mac, with_mac
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.utrn import parse_utrn
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64, format_message_code
from smetslab.zigbee.zcl import find_command
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.foundation import DefaultResponse, Status

Phase = Literal["idle", "sent", "result"]
Request = Literal["top-up", "emergency credit", "supply"]

_DEVICE: Final = "in_home_display_device"
_WORDS: Final = {
    "accepted": "accepted",
    "accepted_supply_enabled": "accepted",
    "accepted_supply_disabled": "accepted, supply is off",
    "accepted_supply_armed": "accepted, switch the supply on",
    "rejected_invalid_top_up": "code not valid",
    "rejected_duplicate_top_up": "code was used before",
    "rejected_error": "meter error",
    "rejected_max_credit_reached": "credit limit reached",
    "rejected_keypad_lock": "locked, try later",
    "rejected_top_up_value_too_large": "amount too large",
}
_GSME_USE_CASES: Final = {"top-up": "PCS01", "emergency credit": "PCS02"}
POLL_INTERVAL: Final = timedelta(minutes=30)
"""How often it looks at its meters by itself; what changes they publish. Unverified."""
BALANCE_PAGE: Final = (
    *PREPAYMENT,
    *(Prepayment.debt_amount_1, Prepayment.debt_amount_2, Prepayment.debt_amount_3),
)
"""What the balance page shows of a meter."""
ROWS: Final[tuple[Row, ...]] = (
    Read(lambda _reading: BALANCE_PAGE, timedelta()),
    Read(lambda _reading: (Metering.supply_status,), timedelta()),
    *TOLD,
)
"""What it asks its meters. Spec: PPMIDTS 4 (information shown)."""
_SHOWN: Final = frozenset({DeviceType.ESME, DeviceType.GPF})

_COUNTER: Final = "ppmid/counter"
_FIRST_COUNTER: Final = 10_000
"""Originator counter of the first message to a GSME. Spec: RTDS 4.5.0; any start would do."""


@dataclass(frozen=True, slots=True)
class Display:
    """What the consumer sees of the last request. `accepted` None: it is not known."""

    phase: Phase = "idle"
    request: Request | None = None
    meter: Eui64 | None = None
    text: str = ""
    accepted: bool | None = None


class PpmidCore(Type1Core):
    """One PPMID between power on and power off."""

    def __init__(self, plant: Type1Plant, workplace: Workplace, now: datetime) -> None:
        super().__init__(plant, workplace, now)
        self.display = Display()
        self._until: datetime | None = None
        self._counter: int | None = None
        self._sequence: int | None = None
        self._asker = Asker(self.han, ROWS)
        self.readings: dict[Eui64, Reading] = {}
        """What the ESME and the proxy of the gas meter have told."""
        self._poll_due = now
        self._meet_meters()
        octets = workplace.nvm.get(_COUNTER)
        self._next_counter = _FIRST_COUNTER if octets is None else int.from_bytes(octets, "big")

    # ---------------------------------------------------------------------------- the consumer

    def enter_top_up(self, now: datetime, digits: str, meter: Eui64 | None = None) -> Display:
        """A code is keyed in, for one of the meters it is paired with; `meter` None: the only one."""
        target = self._meter(meter)
        try:
            parse_utrn(digits)
        except GbcsDecodeError:
            return self._show(now, "top-up", target, "wrong digit, check the code", accepted=False)
        return self._ask(now, "top-up", target, digits)

    def activate_emergency_credit(self, now: datetime, meter: Eui64 | None = None) -> Display:
        return self._ask(now, "emergency credit", self._meter(meter))

    def enable_supply(self, now: datetime, meter: Eui64 | None = None) -> Display:
        """Ask an ESME for supply; of a gas meter only its own button can."""
        target = self._meter(meter)
        if self._type_of(target) is DeviceType.GSME:
            return self._show(now, "supply", target, "use the button on the gas meter", accepted=False)
        return self._ask(now, "supply", target)

    def read_meter(self, meter: Eui64) -> None:
        """Ask a meter for what the balance page shows; it arrives in `readings`."""
        self.han.read(meter, BALANCE_PAGE)

    def _meet_meters(self) -> bool:
        """Whether the device log has a meter that was not there before; one that has left it is forgotten."""
        entries = [entry for entry in self.security.log.entries if entry.device_type in _SHOWN]
        known = dict(self.readings)
        self.readings = {}
        for entry in entries:
            fresh = Reading(ShownMeter(entry.device, entry.device_type), interval=POLL_INTERVAL)
            self.readings[entry.device] = known.get(entry.device, fresh)
        return not self.readings.keys() <= known.keys()

    def _meter(self, meter: Eui64 | None) -> Eui64:
        meters = [
            entry.device
            for entry in self.security.log.entries
            if entry.device_type in {DeviceType.ESME, DeviceType.GSME}
        ]
        if meter is None and len(meters) == 1:
            return meters[0]
        if meter is None or meter not in meters:
            who = meter or "one meter alone"
            raise LocalProtocolError(f"PPMID {self._plant.station.eui64} is not paired with {who}")
        return meter

    def _type_of(self, meter: Eui64) -> DeviceType | None:
        entry = self.security.log.find(meter)
        return None if entry is None else entry.device_type

    def _ask(self, now: datetime, request: Request, meter: Eui64, digits: str = "") -> Display:
        if self.display.phase == "sent":
            return self.display  # one thing after the other
        self.display = Display("sent", request, meter, "sent")
        gas = self._type_of(meter) is DeviceType.GSME
        self._until = now + (PPMID_GAS_ANSWER_WAIT if gas else PPMID_ANSWER_WAIT)
        self._place.note("ConsumerRequest", request=request, meter=str(meter))
        if gas:
            self._ask_gas(now, request, meter, digits)
        else:
            self._ask_electricity(request, meter, digits)
        return self.display

    def _ask_electricity(self, request: Request, meter: Eui64, digits: str) -> None:
        """Spec: GBCS use cases PECS01 to PECS03."""
        self._counter = None
        match request:
            case "top-up":
                self._sequence = self.han.command(
                    meter,
                    Prepayment.consumer_top_up,
                    {"originating_device": _DEVICE, "top_up_code": digits},
                )
            case "emergency credit":
                self._sequence = self.han.command(
                    meter,
                    Prepayment.select_available_emergency_credit,
                    {"command_issue_date_time": "not_given", "originating_device": _DEVICE},
                )
            case "supply":
                self._sequence = self.han.command(
                    meter, Metering.local_change_supply, {"proposed_supply_status": "supply_on"}
                )

    def _ask_gas(self, now: datetime, request: Request, meter: Eui64, digits: str) -> None:
        """Spec: GBCS use cases PCS01, PCS02."""
        use_case = USE_CASES[_GSME_USE_CASES[request]]
        key = self.security.log.peer_key(meter)
        if key is None:
            self._show(now, request, meter, "not paired with a certificate", accepted=False)
            return
        component: Parameters = {"cluster": "prepayment"}
        if request == "top-up":
            component |= {
                "command": "consumer_top_up",
                "originating_device": _DEVICE,
                "top_up_code": digits,
            }
        else:
            component |= {
                "command": "select_available_emergency_credit",
                "command_issue_date_time": "not_given",
                "originating_device": _DEVICE,
            }
        with self._place.work(now) as work:
            counter = self._take_counter(work)
            header = Message(
                cra=Cra.COMMAND,
                originator_counter=counter,
                business_originator_id=self._plant.station.eui64,
                business_target_id=meter,
                other_information=OtherInformation(message_code=use_case.code),
                content=b"",
            )
            content = engine.encode_content(use_case, header, {"components": [component]})
            message = with_mac(replace(header, content=content), self.application.scribe.secret(key))
            work.send(
                Outgoing(
                    data=encode_message(message),
                    target=meter,
                    event="HanCommandSent",
                    detail={"message_code": format_message_code(use_case.code)},
                )
            )
        self._counter, self._sequence = counter, None

    def _take_counter(self, work: Work) -> int:
        counter, self._next_counter = self._next_counter, self._next_counter + 1
        work.tx.put(_COUNTER, self._next_counter.to_bytes(8, "big"))
        return counter

    def _show(
        self, now: datetime, request: Request | None, meter: Eui64 | None, text: str, *, accepted: bool | None
    ) -> Display:
        self.display = Display("result", request, meter, text, accepted)
        self._until = now + PPMID_RESULT_SHOWN
        self._counter = self._sequence = None
        self._place.note("ConsumerResult", text=text, accepted=accepted)
        return self.display

    # ---------------------------------------------------------------------------- answers

    def receive(self, data: bytes, now: datetime) -> None:
        """A message through the tunnel: a command, or a gas meter's answer to this device."""
        answer = self._answer_in(data)
        if answer is None:
            super().receive(data, now)
            if self._meet_meters():
                self._poll_due = now
        else:
            self._take_answer(answer, now)

    def _answer_in(self, data: bytes) -> Message | None:
        try:
            message = decode_message(data)
        except GbcsDecodeError:
            return None
        mine = message.business_target_id == self._plant.station.eui64
        return message if mine and message.cra is Cra.RESPONSE else None

    def _take_answer(self, message: Message, now: datetime) -> None:
        """The answer of the meter that was asked, to the message that waits; anything else is dropped."""
        meter = message.business_originator_id
        key = self.security.log.peer_key(meter)
        expected = self.display.phase == "sent" and message.originator_counter == self._counter
        authentic = key is not None and verify_mac(message, self.application.scribe.secret(key))
        use_case = USE_CASES.get(_GSME_USE_CASES.get(self.display.request or "", ""))
        if not expected or not authentic or use_case is None or message.message_code != use_case.code:
            self._place.note("AnswerDropped", meter=str(meter), authentic=authentic)
            return
        try:
            parameters = engine.decode_content(use_case, message)
        except GbcsDecodeError as error:
            self._place.note("AnswerDropped", meter=str(meter), reason=str(error))
            return
        components = parameters.get("components")
        first = components[0] if isinstance(components, list) and components else {}
        text, accepted = _result_of(first if isinstance(first, dict) else {})
        self._show(now, self.display.request, meter, text, accepted=accepted)

    def han_receive(self, frame: HanFrame, now: datetime) -> None:
        """An electricity meter's answer."""
        waits = (
            self.display.phase == "sent"
            and frame.peer == self.display.meter
            and frame.frame.sequence == self._sequence
        )
        if waits:
            text, accepted = _zcl_result_of(frame)
            self._show(now, self.display.request, frame.peer, text, accepted=accepted)
        elif not self._told(frame, now):
            super().han_receive(frame, now)

    def _told(self, frame: HanFrame, now: datetime) -> bool:
        """Whether a meter tells something to show, asked for or not."""
        reading = self.readings.get(frame.peer)
        if reading is None or not frame.frame.server_to_client:
            return False
        time, turned_away = self.clock.time(now), self._asker.turned_away
        try:
            told = bool(self._asker.read(reading, frame, now, time))
            told = told or self._asker.heard(reading, frame, now, time)
        except ZclDecodeError:
            return False
        if self._asker.turned_away > turned_away:
            self._poll_due = min(self._poll_due, now + RETRY)
        if reading.tenancy is not None and reading.tenancy <= time:
            reading.forget_before(reading.tenancy)
        return told

    def han_failed(self, frame: HanFrame, now: datetime) -> None:
        super().han_failed(frame, now)
        if self.display.phase == "sent" and frame.peer == self.display.meter:
            self._show(now, self.display.request, frame.peer, "no connection to the meter", accepted=None)

    # ---------------------------------------------------------------------------- time

    def next_deadline(self) -> datetime:
        waiting = super().next_deadline()
        if self.readings:
            waiting = min(waiting, self._poll_due)
        return waiting if self._until is None else min(waiting, self._until)

    def tick(self, now: datetime) -> None:
        super().tick(now)
        if self.readings and now >= self._poll_due:
            self._poll_due = now + POLL_INTERVAL
            for reading in self.readings.values():
                self._asker.ask(reading, now, self.clock.time(now))
        if self._until is None or now < self._until:
            return
        if self.display.phase == "sent":
            self._show(now, self.display.request, self.display.meter, "no answer", accepted=None)
        else:
            self.display, self._until = Display(), None

    def inspect(self, now: datetime) -> dict[str, Value]:
        shown = self.display
        return {
            "display": {
                "phase": shown.phase,
                "request": shown.request,
                "meter": None if shown.meter is None else str(shown.meter),
                "text": shown.text,
                "accepted": shown.accepted,
            },
            "meters": [reading.describe(now, self.clock.time(now)) for reading in self.readings.values()],
            **super().inspect(now),
        }


def _result_of(component: Parameters) -> tuple[str, bool]:
    """What a component of a gas meter's answer means, in words."""
    if component.get("command") == "consumer_top_up_response":
        name = str(component.get("result_type"))
        return _WORDS.get(name, name), name.startswith("accepted")
    done = component.get("status") == "success"
    return ("accepted" if done else "not available"), done


def _zcl_result_of(frame: HanFrame) -> tuple[str, bool]:
    """What an electricity meter's answer means, in words."""
    command = find_command(frame.cluster, frame.frame)
    try:
        if command is Prepayment.consumer_top_up_response:
            shown = command.to_json(command.decode(frame.frame.payload))
            return _result_of({"command": command.name, "result_type": str(shown["result_type"])})
        if not frame.frame.cluster_specific and frame.frame.command == DefaultResponse.code:
            done = DefaultResponse.decode(frame.frame.payload).status == Status.SUCCESS
            return ("accepted" if done else "not available"), done
    except ZclDecodeError as error:
        return f"answer not understood: {error}", False
    return "answer not understood", False
