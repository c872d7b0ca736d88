"""PPMID and HCALCS by themselves: what they do with events and answers, and with anything else that comes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from security_kit import AUTHORITY, DEVICE, NOW, PARTIES, RING

from smetslab.clock import StandingClock
from smetslab.crypto import SharedSecrets
from smetslab.devices.application import Station
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.han_frames import HanFrame, default_response
from smetslab.devices.hcalcs_core import HcalcsCore
from smetslab.devices.ppmid_core import PpmidCore
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.installed import SecuritySettings
from smetslab.devices.type1_core import Type1Core, Type1Plant, Type1Settings
from smetslab.devices.work import Workplace
from smetslab.errors import LocalProtocolError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.store import Store
from smetslab.trace import Trace
from smetslab.zigbee.zcl import Command, ZclFrame, find_command
from smetslab.zigbee.zcl.clusters.load_control import LoadControl
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.foundation import Status

METER, GAS_METER, STRANGER = (Eui64(bytes(7) + bytes((n,))) for n in (1, 2, 3))
CODE = "73946144332040217315"
EVENT: dict[str, Any] = {
    "issuer_event_id": 7,
    "device_class": 0x0FFF,
    "utility_enrolment_group": 1,
    "start_time": "immediate",
    "duration_in_minutes": 0xFFFF,
    "criticality_level": 1,
    "cooling_temperature_offset": 0xFF,
    "heating_temperature_offset": 0xFF,
    "cooling_temperature_set_point": -0x8000,
    "heating_temperature_set_point": -0x8000,
    "average_load_adjustment_percentage": -0x80,
    "duty_cycle": 100,
    "event_control": 0,
}


class Bench:
    """One Type 1 device and the time."""

    def __init__(
        self, store: Store, device_type: DeviceType, log: tuple[tuple[Eui64, DeviceType], ...]
    ) -> None:
        self.clock = StandingClock(NOW)
        self.nvm = store.nvm(device_type.name)
        self.device_type, self.log = device_type, log
        self.trace = Trace(self.clock)  # type: ignore[arg-type]
        self.power_on()

    def power_on(self) -> None:
        station = Station(
            eui64=DEVICE,
            device_type=self.device_type,
            keys=DeviceKeys.from_keystore(RING, DEVICE),
            trust_anchors=TrustAnchorStore.for_device(
                self.device_type, RING, PARTIES, root=AUTHORITY.root.certificate
            ),
            secrets=SharedSecrets(),
            quirks=Quirks(),
            supported=lambda _use_case: True,
            answers_to=RemotePartyRole.ACCESS_CONTROL_BROKER,
            first_alert_counter=1,
        )
        plant = Type1Plant(
            station=station,
            settings=Type1Settings(),
            hub_time=lambda: self.clock.moment,
            security=SecuritySettings(device_log=self.log),
        )
        place = Workplace(DEVICE, self.nvm, self.trace)
        kind = PpmidCore if self.device_type is DeviceType.PPMID else HcalcsCore
        self.core: Type1Core = kind(plant, place, self.clock.moment)

    @property
    def hcalcs(self) -> HcalcsCore:
        assert isinstance(self.core, HcalcsCore)
        return self.core

    @property
    def ppmid(self) -> PpmidCore:
        assert isinstance(self.core, PpmidCore)
        return self.core

    def closed(self) -> list[int]:
        return [switch.number for switch in self.hcalcs.switches if switch.closed]

    def hear(self, command: Command, fields: dict[str, Any], peer: Eui64 = METER, sequence: int = 1) -> None:
        frame = command.frame(command.from_json(fields), sequence=sequence)
        self.core.han_receive(HanFrame(peer, command.cluster, frame), self.clock.moment)

    def said(self) -> list[tuple[str, dict[str, Any]]]:
        """The commands that it has sent, by name."""
        told = []
        for frame in self.core.han.take():
            command = find_command(frame.cluster, frame.frame)
            if command is not None:
                told.append((command.name, command.to_json(command.decode(frame.frame.payload))))
        return told

    def pass_time(self, span: timedelta) -> None:
        end = self.clock.moment + span
        while (due := self.core.next_deadline()) <= end:
            self.clock.moment = max(due, self.clock.moment)
            self.core.tick(self.clock.moment)
        self.clock.moment = end


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as store:
        yield store


@pytest.fixture
def switches(store: Store) -> Bench:
    return Bench(store, DeviceType.HCALCS, ((METER, DeviceType.ESME),))


@pytest.fixture
def display(store: Store) -> Bench:
    return Bench(store, DeviceType.PPMID, ((METER, DeviceType.ESME), (GAS_METER, DeviceType.GSME)))


# ------------------------------------------------------------------------------------------ HCALCS


def test_it_asks_at_power_on_what_holds(switches: Bench) -> None:
    assert [name for name, _ in switches.said()] == ["get_scheduled_events"]


@pytest.mark.parametrize(
    ("changes", "closed"),
    [
        ({}, [1]),
        ({"utility_enrolment_group": 5}, [5]),
        ({"utility_enrolment_group": 0}, [1, 2, 3, 4, 5]),
        ({"utility_enrolment_group": 6}, []),
        ({"duty_cycle": 49}, []),
        ({"duty_cycle": 50}, [1]),
        ({"start_time": "2026-03-03T00:00:00Z"}, []),
    ],
)
def test_an_event_closes_the_switches_that_it_names(
    switches: Bench, changes: dict[str, Any], closed: list[int]
) -> None:
    switches.said()
    switches.hear(LoadControl.load_control_event, {**EVENT, **changes})
    assert switches.closed() == closed
    statuses = [fields["event_status"] for _, fields in switches.said()]
    rejected = changes.get("utility_enrolment_group") == 6 or "start_time" in changes
    assert statuses == (["rejected_undefined_event"] if rejected else ["command_received", "event_started"])


def test_an_event_ends_after_its_duration(switches: Bench) -> None:
    switches.hear(LoadControl.load_control_event, {**EVENT, "duration_in_minutes": 30})
    switches.pass_time(timedelta(minutes=29))
    assert switches.closed() == [1]
    switches.power_on()
    assert switches.closed() == [1]
    switches.said()
    switches.pass_time(timedelta(minutes=1))
    assert switches.closed() == []
    assert [fields["event_status"] for _, fields in switches.said()] == ["event_completed"]


def test_an_event_is_cancelled_by_its_number(switches: Bench) -> None:
    switches.hear(LoadControl.load_control_event, EVENT)
    cancel = {
        "device_class": 0x0FFF,
        "utility_enrolment_group": 1,
        "cancel_control": 0,
        "effective_time": "immediate",
    }
    switches.hear(LoadControl.cancel_load_control_event, {"issuer_event_id": 8, **cancel})
    assert switches.closed() == [1]
    switches.hear(LoadControl.cancel_load_control_event, {"issuer_event_id": 7, **cancel})
    assert switches.closed() == []


def test_nobody_but_its_meter_switches(switches: Bench) -> None:
    switches.hear(LoadControl.load_control_event, EVENT, peer=STRANGER)
    assert switches.closed() == []


def test_a_switch_that_the_consumer_opted_out_stays_open(switches: Bench) -> None:
    switches.hcalcs.opt_out(switches.clock.moment, 1)
    switches.power_on()
    switches.hear(LoadControl.load_control_event, EVENT)
    assert switches.closed() == []
    switches.hcalcs.opt_out(switches.clock.moment, 1, out=False)
    assert switches.closed() == [1]
    with pytest.raises(LocalProtocolError, match="switches 1 to 5"):
        switches.hcalcs.opt_out(switches.clock.moment, 6)


def test_a_day_of_silence_opens_and_every_word_of_the_meter_begins_it_anew(switches: Bench) -> None:
    switches.hear(LoadControl.load_control_event, EVENT)
    switches.pass_time(timedelta(hours=23))
    switches.hear(LoadControl.load_control_event, EVENT)
    switches.pass_time(timedelta(hours=23, minutes=59))
    assert switches.closed() == [1]
    switches.said()
    switches.pass_time(timedelta(minutes=1))
    assert switches.closed() == []
    assert [name for name, _ in switches.said()] == ["get_scheduled_events"]


# ------------------------------------------------------------------------------------------ PPMID


def answer(display: Bench, result: str) -> None:
    """The electricity meter answers the last top-up."""
    (frame,) = display.core.han.take()
    fields = {
        "result_type": result,
        "top_up_value": -1,
        "source_of_top_up": "in_home_display_device",
        "credit_remaining": 5,
    }
    display.hear(Prepayment.consumer_top_up_response, fields, sequence=frame.frame.sequence)


@pytest.mark.parametrize(
    ("result", "text", "accepted"),
    [
        ("accepted", "accepted", True),
        ("rejected_invalid_top_up", "code not valid", False),
        ("rejected_duplicate_top_up", "code was used before", False),
        ("rejected_keypad_lock", "locked, try later", False),
    ],
)
def test_the_answer_to_a_code_is_shown_for_a_while(
    display: Bench, result: str, text: str, accepted: bool
) -> None:
    assert display.ppmid.enter_top_up(display.clock.moment, CODE, METER).phase == "sent"
    answer(display, result)
    assert (display.ppmid.display.text, display.ppmid.display.accepted) == (text, accepted)
    display.pass_time(timedelta(seconds=30))
    assert display.ppmid.display.phase == "idle"


def test_an_answer_to_something_else_is_none(display: Bench) -> None:
    display.ppmid.enter_top_up(display.clock.moment, CODE, METER)
    (frame,) = display.core.han.take()
    fields = {
        "result_type": "accepted",
        "top_up_value": -1,
        "source_of_top_up": "in_home_display_device",
        "credit_remaining": 5,
    }
    display.hear(Prepayment.consumer_top_up_response, fields, sequence=frame.frame.sequence + 1)
    display.hear(Prepayment.consumer_top_up_response, fields, peer=STRANGER, sequence=frame.frame.sequence)
    assert display.ppmid.display.phase == "sent"
    display.pass_time(timedelta(seconds=30))
    assert display.ppmid.display.text == "no answer"


def test_one_thing_after_the_other_and_only_with_meters_it_is_paired_with(display: Bench) -> None:
    now = display.clock.moment
    display.ppmid.enter_top_up(now, CODE, METER)
    assert display.ppmid.activate_emergency_credit(now, METER).request == "top-up"
    assert len(display.core.han.take()) == 1
    for meter in (None, STRANGER):  # there are two meters
        with pytest.raises(LocalProtocolError, match="not paired"):
            display.ppmid.enter_top_up(now, CODE, meter)


def test_a_gas_meter_needs_a_certificate_and_its_own_button(display: Bench) -> None:
    now = display.clock.moment
    assert display.ppmid.enable_supply(now, GAS_METER).text == "use the button on the gas meter"
    assert display.ppmid.enter_top_up(now, CODE, GAS_METER).text == "not paired with a certificate"


# ------------------------------------------------------------------------------------------ anything

FRAMES = st.builds(
    ZclFrame,
    command=st.integers(0, 11),
    payload=st.binary(max_size=60),
    sequence=st.sampled_from([1, 2, 255]),
    cluster_specific=st.booleans(),
    server_to_client=st.booleans(),
)


@settings(max_examples=40)
@given(frames=st.lists(st.tuples(st.sampled_from([LoadControl.id, Prepayment.id]), FRAMES), max_size=6))
def test_no_frame_of_its_meter_brings_a_device_down(frames: list[tuple[int, ZclFrame]]) -> None:
    with Store() as store:
        for kind in (DeviceType.PPMID, DeviceType.HCALCS):
            bench = Bench(store, kind, ((METER, DeviceType.ESME),))
            if kind is DeviceType.PPMID:
                bench.ppmid.enter_top_up(bench.clock.moment, CODE)
            for cluster, frame in frames:
                bench.core.han_receive(HanFrame(METER, cluster, frame), bench.clock.moment)
            bench.core.inspect(bench.clock.moment)
            bench.power_on()


def test_no_message_brings_a_device_down(store: Store) -> None:
    chance = random.Random(5)
    for kind in (DeviceType.PPMID, DeviceType.HCALCS):
        bench = Bench(store, kind, ((METER, DeviceType.ESME), (GAS_METER, DeviceType.GSME)))
        for _ in range(200):
            bench.core.receive(chance.randbytes(chance.randrange(90)), bench.clock.moment)
        assert bench.trace.find(layer="device", event="MessageDropped")


def test_no_frame_of_the_home_brings_a_meter_down(make_bench: Callable[..., Any]) -> None:
    meter, chance = make_bench(variant="ADE"), random.Random(6)
    kinds = {METER: DeviceType.PPMID, GAS_METER: DeviceType.HCALCS}
    with meter.place.work(meter.now) as work:
        for device, kind in kinds.items():
            meter.core.security.log.add(work, device, kind)
    balance = meter.core.number("meter_balance")
    for _ in range(400):
        frame = ZclFrame(
            cluster_specific=chance.random() < 0.8,
            server_to_client=chance.random() < 0.1,
            sequence=1,
            command=chance.randrange(12),
            payload=chance.randbytes(chance.randrange(40)),
        )
        cluster = chance.choice([LoadControl.id, Prepayment.id, Metering.id])
        peer = chance.choice([METER, GAS_METER, STRANGER])
        meter.core.han.receive(HanFrame(peer, cluster, frame), meter.now)
    assert meter.core.number("meter_balance") == balance
    assert meter.core.han.outbox.take()


def test_a_ppmid_shows_what_its_meter_publishes_and_asks_seldom(store: Store) -> None:
    bench = Bench(store, DeviceType.PPMID, ((METER, DeviceType.ESME), (GAS_METER, DeviceType.GSME)))
    bench.pass_time(timedelta(seconds=1))
    first = [name for name, _ in bench.said()]
    assert first == ["get_current_price", "get_last_message", "get_change_of_tenancy"]
    bench.hear(Messaging.display_message, MESSAGE)
    bench.hear(Messaging.display_message, {**MESSAGE, "message": "FALSE"}, peer=STRANGER)
    [reading] = bench.ppmid.readings.values()
    assert (reading.meter.device, reading.message(NOW + timedelta(minutes=1))) == (METER, "PLEASE CALL")
    bench.pass_time(timedelta(minutes=29))
    assert bench.said() == []
    bench.pass_time(timedelta(minutes=2))
    assert [name for name, _ in bench.said()] == first


def test_a_ppmid_that_its_meter_does_not_know_yet_asks_again_after_five_minutes(store: Store) -> None:
    bench = Bench(store, DeviceType.PPMID, ((METER, DeviceType.ESME),))
    bench.pass_time(timedelta(seconds=1))
    [question] = [one for one in bench.core.han.take() if one.cluster == Messaging.id]
    refusal = default_response(question, Status.NOT_AUTHORIZED)
    bench.core.han_receive(refusal, bench.clock.moment)
    bench.pass_time(timedelta(minutes=6))
    assert "get_last_message" in [name for name, _ in bench.said()]


MESSAGE: dict[str, Any] = {
    "message_id": "2026-03-02T12:00:00Z",
    "message_control": {
        "transmission": "normal",
        "importance": "low",
        "enhanced_confirmation_required": False,
        "message_confirmation_required": False,
    },
    "start_time": "immediate",
    "duration_in_minutes": 60,
    "message": "PLEASE CALL",
}
