"""What the parts of a meter do: variants, logs, auxiliary controllers, alerts, computed reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from meter_bench import NOW

from smetslab.devices.esme_objects import PARTS, model_of
from smetslab.devices.load import Energies
from smetslab.devices.profile import ESME_VARIANTS
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters, utc_text
from smetslab.ids import Eui64

SUPPLIER = Eui64.parse("90B3D51F30010000")
NETWORK_OPERATOR = Eui64.parse("90B3D51F30020000")
LOAD_CONTROLLER = Eui64.parse("90B3D51F30010008")

DLMS = [
    use_case
    for use_case in USE_CASES.values()
    if DeviceType.ESME in use_case.devices and isinstance(use_case.payload, DlmsAccess)
]
OF_PARTS = {
    "B": {"ECS01c", "ECS01d", "ECS24b"},
    "C": {"ECS23b", "ECS26k", "ECS29b", "ECS29d", "ECS29f"},
    "D": {"ECS15c", "ECS35f", "ECS35g", "ECS46a", "ECS46c", "ECS46d", "ECS47", "ECS47a", "ECS61a", "ECS61d"},
    "E": {"ECS61c", "ECS62"},
    "F": {"ECS47e", "ECS61e"},
}


def supported(variant: str) -> set[str]:
    model = model_of(variant)
    return {use_case.name for use_case in DLMS if model.supports(use_case)}


def test_a_meter_supports_what_its_parts_need_and_nothing_else() -> None:
    everything = {use_case.name for use_case in DLMS}
    optional = set().union(*OF_PARTS.values())
    assert supported("A") == everything - optional
    for letter, names in OF_PARTS.items():
        added = names | (OF_PARTS["D"] if letter == "F" else set())
        assert supported(f"A{letter}") == everything - optional | added


def test_every_variant_can_be_built() -> None:
    for variant in ESME_VARIANTS:
        assert set(variant) <= set(PARTS)
        assert supported("A") <= supported(variant)


@pytest.fixture
def full(make_bench: Callable[..., Any]) -> Any:
    """A meter with every part of a single phase meter."""
    return make_bench(variant="BDEF")


def told(bench: Any) -> list[tuple[Any, Parameters]]:
    bench.take()
    alerts, bench.alerts = bench.alerts, []
    return [(decode_message(alert.data), bench.head.read(alert.data)) for alert in alerts]


def limit(start: str, end: str, level: int = 40) -> Parameters:
    return {
        "auxiliary_controller_2_limit_period_start_date_time": start,
        "auxiliary_controller_2_limit_period_end_date_time": end,
        "auxiliary_proportional_controller_command": {"direction": "output", "slot": 2, "level": level},
    }


def test_a_limit_is_told_when_it_is_set_and_when_it_ends(full: Any) -> None:
    end = full.now + timedelta(hours=2)
    assert full.ask("ECS47e", limit(utc_text(full.now), utc_text(end)), originator=LOAD_CONTROLLER)
    ((header, alert),) = told(full)
    assert (alert["alert_code"], alert["resulting_level"]) == ("8F86", 40)
    assert header.business_target_id == SUPPLIER
    full.power_cut()
    full.pass_time(timedelta(hours=2) - timedelta(minutes=1, seconds=1))
    assert told(full) == []
    full.pass_time(timedelta(seconds=1))
    ((_, alert),) = told(full)
    assert (alert["alert_code"], alert["resulting_level"]) == ("8F87", 0)
    full.pass_time(timedelta(days=1))
    assert told(full) == []


def test_a_limit_holds_a_level_down(full: Any) -> None:
    setting: Parameters = {
        "auxiliary_controller_2_setting_period_start_date_time": utc_text(full.now),
        "auxiliary_controller_2_setting_period_end_date_time": utc_text(full.now + timedelta(days=1)),
        "auxiliary_controller_command": {"direction": "output", "slot": 2, "level": 80},
    }
    full.ask("ECS47a", setting)
    assert full.core.auxiliary.level(0x12, full.now) == 80
    full.ask("ECS47e", limit(utc_text(full.now), "never"), originator=LOAD_CONTROLLER, counter=1)
    assert full.core.auxiliary.level(0x12, full.now) == 40
    full.ask("ECS47e", limit("never", "never"), originator=LOAD_CONTROLLER, counter=2)
    assert [alert["resulting_level"] for _, alert in told(full)] == [40, 80]


def test_a_limit_that_lies_ahead_holds_nothing_down_before_its_time(full: Any) -> None:
    setting: Parameters = {
        "auxiliary_controller_2_setting_period_start_date_time": utc_text(full.now),
        "auxiliary_controller_2_setting_period_end_date_time": "never",
        "auxiliary_controller_command": {"direction": "output", "slot": 2, "level": 80},
    }
    full.ask("ECS47a", setting)
    begin = full.now + timedelta(hours=1)
    full.ask("ECS47e", limit(utc_text(begin), "never"), originator=LOAD_CONTROLLER, counter=1)
    assert full.core.auxiliary.level(0x12, full.now) == 80
    full.pass_time(timedelta(hours=1))
    assert full.core.auxiliary.level(0x12, full.now) == 40


def test_a_switch_command_is_logged_and_shown(full: Any) -> None:
    full.ask("ECS47", {"auxiliary_controller_command": {"slot": 3, "action": "activate"}}, counter=1)
    assert full.core.server.value("auxiliary_controller_3_switch_state") is True
    window = {"start_date_time": utc_text(full.now), "end_date_time": utc_text(full.now)}
    log = full.ask("ECS35g", {"auxiliary_controller_event_log_period": window}, counter=2)
    entries = log["auxiliary_controller_event_log"]
    assert [entry["switch_number_and_action"] for entry in entries] == [{"slot": 3, "action": "activate"}]
    full.ask("ECS15c", counter=3)
    log = full.ask("ECS35g", {"auxiliary_controller_event_log_period": window}, counter=4)
    assert log["auxiliary_controller_event_log"] == []


def test_an_operational_update_names_the_load_controller(full: Any) -> None:
    with full.place.work(full.now) as work:
        full.core.auxiliary.operational_update(work, 3, '{"outputState": 100}')
    ((header, alert),) = told(full)
    assert alert["state_and_associated_information"] == '{"outputState": 100}'
    assert header.other_information.supplementary_remote_party_id == LOAD_CONTROLLER
    assert header.other_information.supplementary_remote_party_counter is None


def test_clearing_the_event_log_leaves_an_entry_in_the_security_log(full: Any) -> None:
    with full.place.work(full.now) as work:
        full.core.application.event_log.append(work, 0x8154, full.now)
    window = {"start_date_time": "2000-01-01T00:00:00Z", "end_date_time": utc_text(full.now)}
    read = full.ask("ECS35a", {"event_log_period": window}, counter=1)
    assert [entry["log_code"] for entry in read["event_log"]] == ["8154"]
    full.ask("ECS15a", counter=2)
    assert full.ask("ECS35a", {"event_log_period": window}, counter=3)["event_log"] == []
    security = full.ask("ECS35b", {"security_log_period": window}, counter=4)["security_log"]
    assert [entry["log_code"] for entry in security] == ["8F52"]


@pytest.mark.parametrize(("minutes", "code"), [(2, "8F35"), (3, "8F36")])
def test_an_outage_is_told_to_the_network_operator(full: Any, minutes: int, code: str) -> None:
    restored: datetime = full.now
    with full.place.work(full.now) as work:
        full.core.alerts.supply_restored(work, restored - timedelta(minutes=minutes), restored)
    (sent,) = full.place.outbox
    header, alert = decode_message(sent.data), full.head.read(sent.data)
    assert header.business_target_id == NETWORK_OPERATOR
    assert (alert["alert_code"], alert["restoration_date_time"]) == (code, utc_text(restored))


def test_billing_without_an_entry_is_not_told(full: Any) -> None:
    with full.place.work(full.now) as work:
        full.core.alerts.billing_updated(work)
    assert told(full) == []


def test_the_randomised_offset_follows_its_limit(full: Any) -> None:
    full.ask("ECS38", {"randomised_offset_limit": 1799}, counter=1)
    read = full.ask("ECS26c", counter=2)
    assert read == {
        "randomised_offset": 360,
        "randomised_offset_number": 2000,
        "randomised_offset_limit": 1799,
    }


def test_settings_of_a_mode_reach_the_account(make_bench: Callable[..., Any]) -> None:
    full = make_bench(state={"payment_mode": "credit"})
    assert full.ask("ECS26j")["account_mode_and_status"]["payment_mode"] == "credit"
    held = full.core.server.value("credit_charge_configuration")
    command: Parameters = {
        "account_mode_and_status": {"payment_mode": "prepayment", "account_status": "new"},
        "disablement_threshold": -7,
        "credit_charge_configuration": held,
        "disablement_threshold_activation_time": "immediate",
        "account_activation_time": "immediate",
    }
    assert full.ask("ECS03", command, counter=2) == {}
    account = full.ask("ECS26j", counter=3)["account_mode_and_status"]
    assert account == {"payment_mode": "prepayment", "account_status": "active"}
    assert full.core.server.value("disablement_threshold") == [-7]


def test_roles_see_what_is_theirs(full: Any) -> None:
    assert RemotePartyRole.NETWORK_OPERATOR not in USE_CASES["ECS61a"].originator_roles
    full.send(full.head.command("ECS61a", originator=NETWORK_OPERATOR))
    assert "8F30" in [alert["alert_code"] for _, alert in told(full)]


def test_the_second_element_of_a_twin_meter_is_read(make_bench: Callable[..., Any]) -> None:
    """SMETS 5 part B: register, half hours and their sum."""
    bench = make_bench(variant="BDEF")
    bench.pass_time(timedelta(minutes=40))
    bench.core.consume(Energies(secondary_import=5_000_000), bench.now)
    bench.pass_time(timedelta(days=1))
    window = {"start_date_time": utc_text(NOW), "end_date_time": utc_text(bench.now)}
    log = bench.ask("ECS22b", {"read_log_period": window}, counter=1)["read_log_period"]
    halves = log["active_energy_imported_log"]
    used = sum(entry["secondary_value"] for entry in halves)
    assert used == bench.core.meter.registers(bench.now).secondary_import == 5_000


@pytest.mark.parametrize(("variant", "phases"), [("A", 1), ("BDE", 1), ("C", 3), ("CDEF", 3)])
def test_a_polyphase_meter_watches_three_phases(
    make_bench: Callable[..., Any], variant: str, phases: int
) -> None:
    bench = make_bench(variant=variant)
    assert len(bench.core.monitors._phases) == phases
