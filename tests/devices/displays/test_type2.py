"""An in-home display and a consumer access device beside a live meter; what they may not do."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from lxml import etree

from smetslab.clock import run_virtual
from smetslab.devices.cad_topics import TopicTemplate
from smetslab.devices.display_reading import ShownMeter
from smetslab.devices.profile import load_profile
from smetslab.devices.type2 import Cad, Ihd
from smetslab.gbcs.codes import DeviceType
from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame, ClusterRole
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import CLIENT_TO_SERVER, decode_frame
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.foundation import (
    AttributeValue,
    DefaultResponse,
    Status,
    WriteAttributes,
    general_frame,
)

DISPLAY, DEVICE = Eui64(b"DISPLAY1"), Eui64(b"ACCESS 1")


@pytest.fixture
def run_premises(make_premises):
    """`run_premises(story)`: what a story in premises returns; the meter lives, at a price."""

    def run(story):
        async def main(clock):
            async with make_premises(clock, {"load_scale_percent": 100, "charging": True}) as premises:
                return await story(premises)

        return run_virtual(main)

    return run


def meters(premises) -> tuple[ShownMeter, ...]:
    return (ShownMeter(premises.esme.eui64, DeviceType.ESME),)


def pair(premises, device: Eui64) -> None:
    """Put a Type 2 device on the meter's device log, as its supplier would."""
    core = premises.esme._core
    with core._place.work(premises.clock.now()) as work:
        core.security.log.add(work, device, DeviceType.TYPE_2)


def make(kind, eui64: Eui64, premises, store):
    return kind(
        profile=load_profile("ihd-reference" if kind is Ihd else "cad-reference"),
        eui64=eui64,
        nvm=store.nvm(str(eui64)),
        han=premises.medium.link(eui64),
        hub=premises.hub.eui64,
        clock=premises.clock,
        trace=premises.trace,
        meters=meters(premises),
    )


def test_a_display_shows_what_the_meter_measures(run_premises, store) -> None:
    async def story(premises):
        pair(premises, DISPLAY)
        async with make(Ihd, DISPLAY, premises, store) as display:
            await premises.clock.sleep(3600)
            [reading] = display.readings
            now = premises.clock.now()
            meter = premises.esme._core.meter
            return reading, meter.registers(now), display.screen, display.draw(), reading.ledger.day

    reading, registers, screen, drawing, day = run_premises(story)
    shown = reading.values["current_summation_delivered"]
    assert 0 <= registers.active_import - shown < 50, "ten seconds old at most"
    assert reading.price is not None
    assert reading.price > 0
    assert day.energy_wh > 0
    assert day.cost > 0
    text = "\n".join(screen)
    assert "Electricity" in text
    assert "kW" in text
    assert "p/kWh" in text
    root = etree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert any("Electricity" in (element.text or "") for element in root.iter())


def test_an_hour_of_readings_costs_what_was_used(run_premises, store) -> None:
    async def story(premises):
        pair(premises, DISPLAY)
        async with make(Ihd, DISPLAY, premises, store) as display:
            await premises.clock.sleep(30)
            [reading] = display.readings
            start = reading.values["current_summation_delivered"]
            before = reading.ledger.day.cost
            await premises.clock.sleep(3600)
            used = reading.values["current_summation_delivered"] - start
            return used, reading.price, reading.ledger.day.cost - before

    used, price, cost = run_premises(story)
    assert cost == used * price


def test_a_display_that_the_meter_does_not_know_learns_nothing(run_premises, store) -> None:
    async def story(premises):
        async with make(Ihd, DISPLAY, premises, store) as display:
            await premises.clock.sleep(60)
            [reading] = display.readings
            return reading.values, display.screen, display._core.refusals

    values, screen, refusals = run_premises(story)
    assert values == {}
    assert screen[1] == "Electricity: waiting for the meter"
    assert refusals > 0


def test_a_meter_that_falls_silent_is_shown_as_such(run_premises, store) -> None:
    async def story(premises):
        pair(premises, DISPLAY)
        async with make(Ihd, DISPLAY, premises, store) as display:
            await premises.clock.sleep(60)
            await premises.esme.power_cut()
            await premises.clock.sleep(300)
            return display.screen

    assert "no connection since" in run_premises(story)[1]


def test_sums_survive_a_power_cut_of_the_display(run_premises, store) -> None:
    async def story(premises):
        pair(premises, DISPLAY)
        async with make(Ihd, DISPLAY, premises, store) as display:
            await premises.clock.sleep(3600)
            before = display.readings[0].ledger.day.energy_wh
            await display.power_cut()
            await display.power_restore()
            await premises.clock.sleep(30)
            return before, display.readings[0].ledger.day.energy_wh

    before, after = run_premises(story)
    assert after >= before > 0


WRITE = general_frame(
    WriteAttributes((AttributeValue(Metering.divisor.id, Metering.divisor.type.code, 1),)),
    direction=CLIENT_TO_SERVER,
    sequence=1,
)


@pytest.mark.parametrize(
    ("cluster", "payload", "status"),
    [
        (Metering.id, WRITE.encode(), Status.NOT_AUTHORIZED),
        (
            Prepayment.id,
            Prepayment.consumer_top_up.frame(
                Prepayment.consumer_top_up.from_json(
                    {"originating_device": "in_home_display_device", "top_up_code": "0" * 20}
                ),
                sequence=1,
            ).encode(),
            Status.NOT_AUTHORIZED,
        ),
        (
            Metering.id,
            Metering.local_change_supply.frame(
                Metering.local_change_supply.from_json({"proposed_supply_status": "supply_off"}), sequence=1
            ).encode(),
            Status.NOT_AUTHORIZED,
        ),
        (Metering.id, b"\x01\x01\x7e", Status.UNSUP_CLUSTER_COMMAND),
        (Metering.id, b"\x00\x01\x00\x01", Status.MALFORMED_COMMAND),
    ],
    ids=["write", "top-up", "supply", "unknown command", "malformed read"],
)
def test_a_type_2_device_can_change_nothing(run_premises, cluster: int, payload: bytes, status) -> None:
    async def story(premises):
        pair(premises, DISPLAY)
        answers: list[ApsFrame] = []
        link = premises.medium.link(DISPLAY)
        link.register(2, SMART_ENERGY_PROFILE, cluster, ClusterRole.CLIENT, answers.append)
        before = premises.esme.inspect()
        async with link:
            endpoint = await link.find_endpoint(
                premises.esme.eui64, SMART_ENERGY_PROFILE, cluster, ClusterRole.SERVER
            )
            await link.send(
                ApsFrame(
                    source=DISPLAY,
                    source_endpoint=2,
                    destination=premises.esme.eui64,
                    destination_endpoint=endpoint,
                    profile=SMART_ENERGY_PROFILE,
                    cluster=cluster,
                    payload=payload,
                )
            )
            await premises.clock.sleep(5)
        return answers, before, premises.esme.inspect()

    answers, before, after = run_premises(story)
    [answer] = answers
    frame = decode_frame(answer.payload)
    assert frame.command == DefaultResponse.code
    assert DefaultResponse.decode(frame.payload).status == status
    for kept in ("event_log", "security_log", "pending", "counters"):
        assert before.get(kept) == after.get(kept)


def test_a_cad_publishes_what_its_users_know(run_premises, store) -> None:
    async def story(premises):
        pair(premises, DEVICE)
        async with make(Cad, DEVICE, premises, store) as cad:
            await premises.clock.sleep(3600)
            template = TopicTemplate(mpan="1312345678111", supplier="A supplier")
            return cad.publications(template), cad.announcements(template), cad.readings[0]

    published, announced, reading = run_premises(story)
    topics = {one.topic: json.loads(one.payload) for one in published}
    assert set(topics) == {f"glow/{DEVICE}/STATE", f"glow/{DEVICE}/SENSOR/electricitymeter"}
    body = topics[f"glow/{DEVICE}/SENSOR/electricitymeter"]["electricitymeter"]
    imported = body["energy"]["import"]
    assert imported["cumulative"] == pytest.approx(reading.values["current_summation_delivered"] / 1000)
    assert imported["mpan"] == "1312345678111"
    assert imported["price"]["unitrate"] == reading.price / 100_000
    assert body["power"] == {"value": reading.values["instantaneous_demand"] / 1000, "units": "kW"}
    assert imported["day"] == reading.ledger.day.energy_wh / 1000
    for one in announced:
        config = json.loads(one.payload)
        assert one.retain
        assert config["state_topic"] in topics
        path = config["value_template"].removeprefix("{{ value_json.").removesuffix(" }}").split(".")
        value = topics[config["state_topic"]]
        for name in path:
            value = value[name]
        assert isinstance(value, float)
    assert len({json.loads(one.payload)["unique_id"] for one in announced}) == len(announced) == 4


def test_a_day_of_a_display_is_quick_and_complete(run_premises, store) -> None:
    """The display asks 8 640 times; its sum is the meter's own difference."""

    async def story(premises):
        pair(premises, DISPLAY)
        async with make(Ihd, DISPLAY, premises, store) as display:
            await premises.clock.sleep(20)
            [reading] = display.readings
            start, before = reading.values["current_summation_delivered"], reading.ledger.week.energy_wh
            await premises.clock.sleep(timedelta(hours=3).total_seconds())
            return reading.values[
                "current_summation_delivered"
            ] - start, reading.ledger.week.energy_wh - before

    used, shown = run_premises(story)
    assert used == shown > 0


def test_a_display_knows_the_time_from_the_hub_and_from_nobody_else(run_premises, store) -> None:
    async def story(premises):
        pair(premises, DISPLAY)
        await premises.hub.power_cut()
        async with make(Ihd, DISPLAY, premises, store) as display:
            await premises.clock.sleep(120)
            [reading] = display.readings
            without = display.screen[0], reading.power_w, reading.ledger.day.energy_wh
            await premises.hub.power_restore()
            await premises.clock.sleep(1830)
            with_hub = display.screen[0], reading.ledger.day.energy_wh
            return without, with_hub, premises.clock.now()

    without, with_hub, now = run_premises(story)
    assert without[0] == "waiting for the time"
    assert without[1] is not None
    assert without[2] == 0
    assert with_hub[0] == f"{now:%a %d %b %Y %H:%M}"
    assert with_hub[1] > 0
