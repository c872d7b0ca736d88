"""What gas commands do on a meter: answers, order of components, future dating, refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from smetslab.devices.payload_engine import Fault
from smetslab.devices.valve import ValveState

NOW_TEXT = "2026-03-02T12:00:00Z"
LATER = "2026-03-03T00:00:00Z"


def component(cluster: str, command: str, **fields: Any) -> dict[str, Any]:
    return {"cluster": cluster, "command": command, **fields}


def read(cluster: str, *names: str) -> dict[str, Any]:
    return component(cluster, "read_attributes", attributes=list(names))


def done(cluster: str, of: str) -> dict[str, Any]:
    return component(cluster, "default_response", of=of, status="success")


def not_executed(cluster: str) -> dict[str, Any]:
    return component(cluster, "default_response", of="not_executed", status="failure")


def factor(value: int) -> dict[str, Any]:
    return component(
        "price",
        "publish_conversion_factor",
        issuer_event_id=NOW_TEXT,
        start_time="immediate",
        conversion_factor=value,
        conversion_factor_trailing_digit={"trailing_digit": 2},
    )


def calorific_value(value: int) -> dict[str, Any]:
    return component(
        "price",
        "publish_calorific_value",
        issuer_event_id=NOW_TEXT,
        start_time="immediate",
        calorific_value=value,
        calorific_value_unit="MJ/m3",
        calorific_value_trailing_digit={"trailing_digit": 1},
    )


def supply(status: str) -> dict[str, Any]:
    return component(
        "metering",
        "change_supply",
        provider_id=0,
        issuer_event_id=NOW_TEXT,
        request_date_time="not_given",
        implementation_date_time="immediate",
        proposed_supply_status=status,
        supply_control_bits=["acknowledge_required"],
    )


def payment_mode(flags: list[str], when: str = "immediate", cut_off: int = 0) -> dict[str, Any]:
    return component(
        "prepayment",
        "change_payment_mode",
        provider_id=0,
        issuer_event_id=NOW_TEXT,
        implementation_date_time=when,
        proposed_payment_control_configuration=flags,
        cut_off_value=cut_off,
    )


GCS21A = (
    read(
        "price",
        "calorific_value_trailing_digit",
        "calorific_value_unit",
        "calorific_value",
        "conversion_factor_trailing_digit",
        "conversion_factor",
    ),
    read(
        "metering",
        "uncontrolled_flow_divisor",
        "uncontrolled_flow_multiplier",
        "uncontrolled_flow_threshold_unit_of_measure",
        "uncontrolled_flow_threshold",
        "flow_stabilisation_period",
        "flow_measurement_period",
    ),
)


def test_what_a_command_sets_a_read_shows(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    assert bench.ask("GCS23", factor(123), calorific_value(391)) == [
        done("price", "publish_conversion_factor"),
        done("price", "publish_calorific_value"),
    ]
    prices = bench.ask("GCS21a", *GCS21A)[0]["attributes"]
    assert prices["conversion_factor"] == 123
    assert prices["calorific_value"] == 391
    assert prices["calorific_value_trailing_digit"] == {"trailing_digit": 1}


def test_components_after_a_failed_one_are_not_executed(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    bench.core.application.command_fault = Fault(0)
    assert bench.ask("GCS23", factor(500), calorific_value(400)) == [
        component("price", "default_response", of="publish_conversion_factor", status="hardware_failure"),
        not_executed("price"),
    ]
    prices = bench.ask("GCS21a", *GCS21A)[0]["attributes"]
    assert (prices["conversion_factor"], prices["calorific_value"]) == (1, 36)


def test_a_faulty_attribute_is_told_inside_its_read(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    bench.core.application.command_fault = Fault(5 + 3)
    first, second = bench.ask("GCS21a", *GCS21A)
    assert first["attributes"]["calorific_value"] == 36
    assert second["attributes"]["uncontrolled_flow_threshold"] == {"status": "hardware_failure"}
    assert second["attributes"]["flow_measurement_period"] == 120


def test_a_read_is_not_for_everybody(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    balance = [read("metering", "bill_to_date_delivered"), read("prepayment", "credit_remaining")]
    data = bench.head.command("GCS60", balance, originator=bench.network_operator)
    assert [message.event for message in bench.send(data)] == ["AlertSent"]
    assert bench.alert_codes() == ["8F30"]


def test_a_payload_that_is_not_the_use_case_s_changes_nothing(make_gas_bench: Callable[..., Any]) -> None:
    """The components of GCS23 the other way round: refused as a whole, and logged."""
    bench = make_gas_bench()
    wrong = bench.swapped("GCS23", [factor(7), calorific_value(8)])
    [response] = [one for one in bench.send(wrong) if one.event == "ResponseSent"]
    answered = bench.head.read(response.data)["components"]
    assert [one["of"] for one in answered] == ["not_executed", "not_executed"]
    assert answered[0]["status"] == "malformed_command"
    assert bench.core.application.security_log.entries[-1].code == 0x8F1E
    assert bench.ask("GCS21a", *GCS21A)[0]["attributes"]["conversion_factor"] == 1


def test_a_replayed_critical_command_is_dropped(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    data = bench.head.command("GCS32", [supply("supply_off")])
    assert [one.event for one in bench.send(data)] == ["ResponseSent"]
    assert bench.send(data) == []


def test_a_future_dated_mode_waits_for_its_time_over_a_power_cut(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    [answer] = bench.ask("GCS03", payment_mode(["prepayment_enabled"], LATER, cut_off=-500))
    assert answer["command"] == "change_payment_mode_response"
    assert not bench.core.account.state.prepayment
    bench.power_cut()
    bench.pass_time(timedelta(hours=12))
    state = bench.core.account.state
    assert (state.prepayment, bench.core.account.account.rules.disablement_threshold) == (True, -500)
    [alert] = [one for one in bench.alerts if one.detail["code"] == "8F66"]
    assert bench.head.read(alert.data) == {
        "alert_code": "8F66",
        "time_stamp": LATER,
        "instruction": {
            "message_code": "0x006D",
            "originator_counter": bench.head.counter,
            "cluster": "prepayment",
            "command": "change_payment_mode",
        },
    }


def test_a_cancelled_mode_never_comes(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    bench.ask("GCS03", payment_mode(["prepayment_enabled"], LATER))
    bench.ask("GCS03", payment_mode(["prepayment_enabled"], "never"))
    bench.pass_time(timedelta(days=2))
    assert not bench.core.account.state.prepayment
    assert "8F66" not in bench.alert_codes()


def test_a_later_command_takes_the_place_of_an_earlier_one(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    bench.ask("GCS03", payment_mode(["prepayment_enabled"], LATER, cut_off=-1000))
    bench.ask("GCS03", payment_mode(["prepayment_enabled"], LATER, cut_off=-2000))
    bench.pass_time(timedelta(days=1))
    assert bench.core.account.account.rules.disablement_threshold == -2000
    assert bench.alert_codes().count("8F66") == 1


@pytest.mark.parametrize("fault", [None, Fault()])
def test_an_activation_says_whether_it_worked(
    make_gas_bench: Callable[..., Any], fault: Fault | None
) -> None:
    bench = make_gas_bench()
    bench.ask("GCS03", payment_mode(["prepayment_enabled"], LATER))
    bench.core.application.activation_fault = fault
    bench.pass_time(timedelta(days=1))
    assert ("8F66" in bench.alert_codes()) is (fault is None)
    assert ("8F67" in bench.alert_codes()) is (fault is not None)
    assert bench.core.account.state.prepayment is (fault is None)


def test_only_the_event_log_can_be_cleared(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    with bench.place.work(bench.now) as work:
        bench.core.application.raise_event(work, 0x8145)
    refused = bench.ask("CS11", component("events", "clear_event_log_request", log_id="security_event_log"))
    assert refused == [component("events", "clear_event_log_response", cleared_event_logs=[])]
    assert bench.log_codes() == ["8145"]
    cleared = bench.ask("CS11", component("events", "clear_event_log_request", log_id="general_event_log"))
    assert cleared[0]["cleared_event_logs"] == ["general_event_log"]
    assert bench.log_codes() == []
    assert bench.core.application.security_log.entries[-1].code == 0x8F52


def event_setting(log: str, *, wan: bool, events: list[str]) -> dict[str, Any]:
    return component(
        "device_management",
        "set_event_configuration",
        issuer_event_id=NOW_TEXT,
        start_date_time="immediate",
        event_configuration={
            "logging": log,
            "push_event_to_wan": wan,
            "push_event_to_han": False,
            "raise_alarm_zigbee": False,
            "raise_alarm_physical": False,
        },
        configuration_control="apply_by_list",
        event_configuration_payload={"event_ids": events},
    )


def test_event_settings_decide_about_log_and_alert(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()

    def happen() -> tuple[list[str], list[str]]:
        with bench.place.work(bench.now) as work:
            bench.core.application.raise_event(work, 0x81B4)
        return bench.log_codes(), bench.alert_codes()

    assert happen() == (["81B4"], ["81B4"])
    bench.ask("GCS20", event_setting("do_not_log", wan=False, events=["81B4"]))
    assert happen() == (["81B4"], ["81B4"])
    bench.power_cut()
    bench.ask("GCS20", event_setting("log_as_general_event", wan=False, events=["81B4"]))
    assert happen() == (["81B4", "81B4"], ["81B4"])


def test_an_event_that_the_meter_does_not_know_cannot_be_set(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    [answer] = bench.ask("GCS20", event_setting("do_not_log", wan=False, events=["81B4", "8F32"]))
    assert answer["status"] == "invalid_value"
    assert bench.core.event_settings.all()[0x81B4] == 0x0B


def test_a_valve_is_closed_and_armed_but_never_opened_from_afar(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    assert bench.ask("GCS32", supply("supply_off"))[0]["supply_status"] == "supply_off"
    assert bench.ask("GCS39", supply("supply_off_armed"))[0]["supply_status"] == "supply_off_armed"
    assert bench.ask("GCS39", supply("supply_on"))[0]["status"] == "invalid_value"
    assert bench.core.valve.state is ValveState.ARMED


def test_the_site_id_and_the_message_are_kept_over_a_power_cut(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    bench.ask(
        "GCS41",
        component(
            "device_management",
            "update_site_id",
            issuer_event_id=NOW_TEXT,
            site_id_time="immediate",
            provider_id=0,
            site_id="7654321",
        ),
    )
    bench.ask(
        "GCS07",
        component(
            "messaging",
            "display_message",
            message_id=NOW_TEXT,
            message_control={
                "transmission": "normal",
                "importance": "low",
                "enhanced_confirmation_required": False,
                "message_confirmation_required": False,
            },
            start_time="immediate",
            duration_in_minutes=10,
            message="Engineer on Tuesday",
        ),
    )
    bench.power_cut()
    assert bench.ask("GCS46", read("metering", "site_id"))[0]["attributes"] == {"site_id": "7654321"}
    assert bench.core.engine.memory.document("message")["message"] == "Engineer on Tuesday"


def test_the_identity_is_the_profile_s(make_gas_bench: Callable[..., Any]) -> None:
    bench = make_gas_bench()
    identity, states = bench.ask(
        "GCS21m",
        read("basic", "manufacturer_name", "model_identifier"),
        read("metering", "supply_depletion_state", "supply_tamper_state"),
    )
    assert identity["attributes"] == {"manufacturer_name": "FFF1", "model_identifier": "ABCDEFGH"}
    assert set(states["attributes"].values()) == {"supply_unchanged"}
