"""A hub and a meter on virtual time: messages go down and up, over outages and power cuts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from smetslab.clock import LoopClock, run_virtual
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.message import encode_message
from smetslab.gbcs.values import utc_text
from smetslab.ids import Eui64
from smetslab.trace import where

SUPPLIER = Eui64.parse("90B3D51F30010000")
BROKER = Eui64.parse("90B3D51F30000002")
ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")

MakePremises = Callable[..., Any]


def test_a_read_goes_down_and_its_answer_comes_up(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> object:
        async with make_premises(clock) as premises:
            return await premises.ask("ECS45")

    assert run_virtual(main) == {"supply_state": "Enabled"}


def test_the_hub_answers_for_itself_to_the_broker_on_behalf_of_a_supplier(
    make_premises: MakePremises,
) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            hub_head = type(premises.head)(premises.head.keystore, HUB)
            command = hub_head.command(
                "ECS52",
                counter=1300,
                originator=BROKER,
                supplementary_remote_party_id=SUPPLIER,
                supplementary_remote_party_counter=1000,
            )
            await premises.send(command)
            answer = await premises.answer(1300)
            extra = answer.other_information
            assert answer.business_originator_id == HUB
            assert (extra.supplementary_remote_party_id, extra.supplementary_remote_party_counter) == (
                SUPPLIER,
                1000,
            )
            assert extra.supplementary_originator_counter is None
            assert hub_head.read(encode_message(answer)) == {"firmware_version": "89ABCDEF"}

    run_virtual(main)


def test_a_message_for_an_unknown_device_is_dropped_and_counted(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            stranger = Eui64.parse("00DB1234567890A9")
            await premises.send(premises.head.command("ECS45", target=stranger))
            seen = await premises.trace.wait_for(
                where(event="MessageDropped", source=str(HUB), reason="unknown-target"), 10, since=0
            )
            assert seen.target == str(stranger)
            assert premises.hub.dropped == 1

    run_virtual(main)


def test_a_log_that_is_longer_than_a_window_of_blocks_is_read(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock, {"history_days": 60}) as premises:
            period = {
                "start_date_time": utc_text(clock.now() - timedelta(days=60)),
                "end_date_time": utc_text(clock.now()),
            }
            answer = await premises.ask("ECS21a", {"read_log_period": period})
            assert len(answer["read_log_period"]["daily_read_log"]) == 31
            answer = await premises.ask("ECS22b", {"read_log_period": period}, counter=1001)
            assert len(answer["read_log_period"]["active_energy_imported_log"]) == 60 * 48

    run_virtual(main)


def test_a_long_message_gets_over_losses(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        options = {"wan_options": {"duplicate_probability": 0.3}, "han_options": {"loss_probability": 0.1}}
        async with make_premises(clock, {"history_days": 60}, **options) as premises:
            period = {"start_date_time": "hex:" + "FF" * 9 + "8000FF", "end_date_time": "never"}
            answer = await premises.ask("ECS22b", {"read_log_period": period})
            assert len(answer["read_log_period"]["active_energy_imported_log"]) == 60 * 48

    run_virtual(main)


@pytest.mark.parametrize("days", [45, pytest.param(365, marks=pytest.mark.soak)])
def test_a_long_time_goes_by(make_premises: MakePremises, days: int) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            await clock.sleep(days * 86_400)
            answer = await premises.ask("ECS17b")
            imported = answer["import_registers"]["import_register_collection"]["active"]
            assert 5_500 < imported / days < 24_500

    run_virtual(main)


def test_future_dated_work_is_done_at_its_time_and_told_once(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            at = clock.now() + timedelta(days=3)
            parameters = {
                "load_limit_supply_state": "Disable",
                "load_limit_power_threshold": 5000,
                "load_limit_period": 60,
                "load_limit_restoration_period": 90,
                **dict.fromkeys(
                    (
                        "load_limit_supply_state_activation_time",
                        "load_limit_power_threshold_activation_time",
                        "load_limit_period_activation_time",
                        "load_limit_restoration_period_activation_time",
                    ),
                    utc_text(at),
                ),
            }
            assert await premises.ask("ECS28a", parameters) == {}
            await clock.sleep_until(at - timedelta(seconds=1))
            before = await premises.ask("ECS27", counter=1001)
            assert (before["load_limit_power_threshold"], before["load_limit_period"]) == (6900, 300)
            await clock.sleep(10)
            after = await premises.ask("ECS27", counter=1002)
            assert (after["load_limit_power_threshold"], after["load_limit_period"]) == (5000, 60)
            objects = [alert["instruction"]["logical_name"] for alert in premises.alerts()]
            assert objects == ["0-0:94.44.0.3", "0-0:94.44.128.7", "0-0:94.44.128.6", "0-0:94.44.128.8"]
            assert {alert["time_stamp"] for alert in premises.alerts()} == {utc_text(at)}
            assert {alert["alert_code"] for alert in premises.alerts()} == {"8F66"}

    run_virtual(main)


def test_alerts_wait_in_the_hub_while_the_wan_is_down(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            await premises.ask("ECS43")
            await premises.ask("ECS44", counter=1001)
            await clock.sleep(5)
            premises.wan.outage(True)
            assert premises.esme.press_enable_button()
            await clock.sleep(30)
            assert [alert["alert_code"] for alert in premises.alerts()] == ["8F32"]
            await premises.hub.power_cut()
            await premises.hub.power_restore()
            premises.wan.outage(False)
            await clock.sleep(300)
            assert [alert["alert_code"] for alert in premises.alerts()] == ["8F32", "8161"]

    run_virtual(main)


def test_a_meter_out_of_reach_keeps_its_alert_until_it_can_tell(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            await premises.ask("ECS43")
            await premises.ask("ECS44", counter=1001)
            await clock.sleep(5)
            premises.medium.set_reachable(ESME, False)
            premises.esme.press_enable_button()
            await clock.sleep(120)
            await premises.esme.power_cut()
            await clock.sleep(120)
            await premises.esme.power_restore()
            premises.medium.set_reachable(ESME, True)
            await clock.sleep(600)
            assert [alert["alert_code"] for alert in premises.alerts()] == ["8F32", "8161", "8F35"]
            assert (await premises.ask("ECS45", counter=1002)) == {"supply_state": "Enabled"}

    run_virtual(main)


def test_the_same_seed_gives_the_same_trace(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> list[str]:
        async with make_premises(clock, {"history_days": 2}) as premises:
            await premises.ask("ECS17b")
            await premises.ask("ECS43", counter=1001)
            await premises.esme.power_cut()
            await premises.esme.power_restore()
            await premises.ask("ECS44", counter=1002)
            return [seen.to_json_line() for seen in premises.trace.observations]

    first = run_virtual(main)
    assert len(first) > 30
    assert run_virtual(main) == first


def test_a_use_case_that_the_profile_leaves_out_is_not_supported(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock, conformance={"ECS45": "no"}) as premises:
            await premises.send(premises.head.command("ECS45"))
            assert await premises.answer(1000) is None
            assert [alert["alert_code"] for alert in premises.alerts()] == ["8F85"]

    run_virtual(main)


def test_a_device_that_is_taken_off_the_log_gets_nothing_more(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            await premises.ask("ECS45")
            premises.hub.device_log.remove(ESME)
            await premises.send(premises.head.command("ECS45", counter=1001))
            assert await premises.answer(1001) is None
            premises.hub.device_log.add(ESME, DeviceType.ESME)
            assert await premises.ask("ECS45", counter=1002) == {"supply_state": "Enabled"}

    run_virtual(main)


def test_octets_reach_the_meter_past_the_routing_of_the_hub(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            other = Eui64.parse("00DB1234567890A6")
            premises.hub.deliver(ESME, premises.head.command("ECS45", target=other))
            seen = await premises.trace.wait_for(
                where(event="MessageDropped", source=str(ESME), reason="other-recipient"), 10, since=0
            )
            assert seen.detail["step"] == 1

    run_virtual(main)


def test_a_meter_that_stays_away_is_an_event_of_the_hub(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            premises.medium.set_reachable(ESME, False)
            await premises.send(premises.head.command("ECS45"))
            assert await premises.answer(1000, timeout_s=7200) is None
            logged = premises.trace.find(layer="device", event="EventLogged", source=str(HUB))
            assert [seen.detail["code"] for seen in logged] == ["8F84"]
            premises.medium.set_reachable(ESME, True)
            assert await premises.ask("ECS45", counter=1001) == {"supply_state": "Enabled"}

    run_virtual(main)


def test_losses_and_repeats_on_the_way_change_nothing(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        options = {
            "wan_options": {"loss_probability": 0.2, "duplicate_probability": 0.3},
            "han_options": {"loss_probability": 0.1},
        }
        async with make_premises(clock, **options) as premises:
            for counter in range(1, 21):
                name = "ECS43" if counter % 2 else "ECS42"
                assert await premises.ask(name, counter=counter) == {}
            executed = premises.trace.find(layer="device", event="CommandExecuted")
            assert [seen.detail["counter"] for seen in executed] == list(range(1, 21))

    run_virtual(main)


def test_what_fails_in_the_block_leaves_it_as_it_is(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_virtual(main)


def test_a_device_without_power_hears_nothing_and_shows_nothing(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            await premises.esme.power_cut()
            await premises.esme.power_cut()
            premises.esme.receive(premises.head.command("ECS45"))
            assert premises.esme.press_enable_button() is False
            assert premises.esme.inspect() == {"device": str(ESME), "powered": False}
            assert premises.hub.hub_time() == clock.now()
            await premises.hub.power_cut()
            assert premises.hub.hub_time() is None
            await premises.esme.power_restore()
            await premises.hub.power_restore()
            assert premises.esme.inspect()["supply"] == "Enabled"
            assert json.loads(json.dumps(premises.hub.inspect()))["device_log"] == [
                {"device": str(ESME), "type": "ESME"}
            ]

    run_virtual(main)


def test_a_response_that_cannot_be_handed_over_is_given_up_and_an_alert_is_not(
    make_premises: MakePremises,
) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            await premises.ask("ECS43")
            premises.medium.set_reachable(HUB, False)
            premises.esme.receive(premises.head.command("ECS44", counter=1001))
            await clock.sleep(3600)
            (dropped,) = premises.trace.find(event="MessageDropped", source=str(ESME))
            assert dropped.detail["reason"] == "undeliverable"
            (waiting,) = premises.esme.inspect()["outbox"]
            assert (waiting["event"], waiting["target"]) == ("AlertSent", str(SUPPLIER))
            premises.medium.set_reachable(HUB, True)
            await clock.sleep(1200)
            assert [alert["alert_code"] for alert in premises.alerts()] == ["8F32"]

    run_virtual(main)


def test_blocks_that_nobody_acknowledges_are_sent_again_and_given_up(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock, {"history_days": 40}) as premises:
            period = {"start_date_time": "2000-01-01T00:00:00Z", "end_date_time": "2040-01-01T00:00:00Z"}
            await premises.send(premises.head.command("ECS21a", {"read_log_period": period}))
            await clock.sleep(600)
            blocks = premises.arrived.qsize()
            relayed = premises.trace.find(event="MessageRelayed", source=str(HUB), target="")
            assert blocks > 0
            assert len(relayed) == 3 * 8, "three times a window of eight"
            assert await premises.ask("ECS45", counter=1001) == {"supply_state": "Enabled"}

    run_virtual(main)


def test_what_cannot_be_read_is_dropped_by_hub_and_meter(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            await premises.send(b"\x00")
            premises.hub.deliver(ESME, b"\xdd\x09\x01")
            for device in (HUB, ESME):
                dropped = where(event="MessageDropped", source=str(device), reason="not-a-message")
                await premises.trace.wait_for(dropped, 30, since=0)

    run_virtual(main)


def test_faults_are_injected_from_outside(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock) as premises:
            premises.esme.inject_hardware_fault(0)
            answer = await premises.ask("ECS45")
            assert answer == {"failures": {"supply_state": "hardware-fault"}}
            premises.esme.inject_activation_fault()
            times = {
                f"load_limit_{item}_activation_time": utc_text(clock.now() + timedelta(minutes=1))
                for item in ("supply_state", "power_threshold", "period", "restoration_period")
            }
            values = {
                "load_limit_supply_state": "Disable",
                "load_limit_power_threshold": 1,
                "load_limit_period": 2,
                "load_limit_restoration_period": 3,
            }
            await premises.ask("ECS28a", {**values, **times}, counter=1001)
            await clock.sleep(120)
            assert [alert["alert_code"] for alert in premises.alerts()] == [
                "8F67",
                "8F66",
                "8F66",
                "8F66",
                "8F01",
            ]

    run_virtual(main)
