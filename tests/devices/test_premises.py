"""A hub and a meter on virtual time: messages go down and up, over outages and power cuts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from smetslab.clock import LoopClock, run_virtual
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


def test_the_hub_answers_for_itself_to_the_broker_on_behalf_of_a_supplier(make_premises: MakePremises) -> None:
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
            assert (extra.supplementary_remote_party_id, extra.supplementary_remote_party_counter) == (SUPPLIER, 1000)
            assert extra.supplementary_originator_counter is None
            from smetslab.gbcs.message import encode_message

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


def test_a_year_of_half_hours_is_read_in_blocks(make_premises: MakePremises) -> None:
    async def main(clock: LoopClock) -> None:
        async with make_premises(clock, state={"history_days": 60}) as premises:
            start = clock.now() - timedelta(days=10)
            period = {"start_date_time": utc_text(start), "end_date_time": utc_text(clock.now())}
            answer = await premises.ask("ECS22b", {"read_log_period": period})
            entries = answer["read_log_period"]["active_energy_imported_log"]
            assert len(entries) == 10 * 48 + 1
            assert all(entry["primary_value"] > 0 for entry in entries)

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
            assert [alert["alert_code"] for alert in premises.alerts()] == ["8F32", "8161"]
            assert (await premises.ask("ECS45", counter=1002)) == {"supply_state": "Enabled"}

    run_virtual(main)


def test_the_same_seed_gives_the_same_trace(make_premises: MakePremises, head: Any) -> None:
    from smetslab.store import Store

    def once() -> list[str]:
        async def main(clock: LoopClock) -> list[str]:
            with Store() as store:
                from_fixture = make_premises.__closure__  # noqa: F841 - the factory is bound to one store
                premises_type = type(probe)
                premises = premises_type(clock, head, store, probe.esme.profile)
                async with premises:
                    await premises.ask("ECS17b")
                    await premises.ask("ECS43", counter=1001)
                    return [seen.to_json_line() for seen in premises.trace.observations]

        return run_virtual(main)

    async def build(clock: LoopClock) -> Any:
        return make_premises(clock)

    probe = run_virtual(build)
    assert once() == once()
