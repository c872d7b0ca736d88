"""Commands to a meter and what becomes of them: answers, alerts, logs, state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smetslab.devices.payload_engine import Fault
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.security import verify_mac, verify_signature
from smetslab.ids import Eui64

SUPPLIER = Eui64.parse("90B3D51F30010000")
NETWORK_OPERATOR = Eui64.parse("90B3D51F30020000")
BROKER = Eui64.parse("90B3D51F30000002")
TCOS = Eui64.parse("90B3D51F30000004")
STRANGER = Eui64.parse("90B3D51F30030000")
ESME = Eui64.parse("00DB1234567890A0")

MakeBench = Callable[..., Any]


def alerts(bench: Any, sent: list[Any]) -> list[tuple[str, Eui64]]:
    """Code and recipient of the alerts among what was sent."""
    return [
        (bench.head.read(message.data)["alert_code"], decode_message(message.data).business_target_id)
        for message in sent
        if message.event == "AlertSent"
    ]


def codes(log: Any) -> list[str]:
    return [f"{entry.code:04X}" for entry in log.entries]


def wrong_mac(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def test_a_critical_command_is_answered_with_a_signature_and_changes_the_state(bench: Any) -> None:
    (sent,) = bench.send(bench.head.command("ECS43", counter=1001))
    response = decode_message(sent.data)
    ds = bench.head.keystore.find(ESME, KeyUsage.DIGITAL_SIGNATURE).certificate.public_key
    assert (response.cra, response.originator_counter, response.message_mac) == (Cra.RESPONSE, 1001, None)
    assert verify_signature(response, ds)
    assert bench.ask("ECS45") == {"supply_state": "Disabled"}


def test_a_read_is_answered_with_a_mac_for_its_originator(bench: Any) -> None:
    (sent,) = bench.send(bench.head.command("ECS45", originator=NETWORK_OPERATOR))
    response = decode_message(sent.data)
    assert (response.signature, response.date_time) == (b"", None)
    assert verify_mac(response, bench.head.secret(NETWORK_OPERATOR))


def test_register_reads_carry_the_time(bench: Any) -> None:
    (sent,) = bench.send(bench.head.command("ECS17a", originator=NETWORK_OPERATOR))
    assert decode_message(sent.data).date_time == bytes.fromhex("07EA0302FF0C0000008000FF")


def test_a_replay_is_silent_and_logged(bench: Any) -> None:
    command = bench.head.command("ECS43", counter=7)
    assert len(bench.send(command)) == 1
    bench.ask("ECS42", counter=8)
    assert bench.send(command) == []
    assert bench.ask("ECS45") == {"supply_state": "Enabled"}
    assert codes(bench.core.application.security_log) == ["8F53"]


def test_counters_are_kept_for_each_party_and_over_power_cuts(bench: Any) -> None:
    bench.ask("ECS43", counter=50)
    bench.power_cut()
    assert bench.send(bench.head.command("ECS42", counter=50)) == []
    assert bench.ask("ECS42", counter=51) == {}
    assert bench.ask("ECS45", counter=1, originator=NETWORK_OPERATOR) == {"supply_state": "Enabled"}


@pytest.mark.parametrize(
    "refused",
    [
        lambda head: wrong_mac(head.command("ECS43")),
        lambda head: head.protect(head.message("ECS43"), signed=False),
        lambda head: wrong_mac(head.command("ECS45")),
    ],
    ids=["critical", "without signature", "read"],
)
def test_an_unauthentic_command_is_silent_to_its_sender_and_told_to_the_supplier(
    bench: Any, refused: Callable[[Any], bytes]
) -> None:
    sent = bench.send(refused(bench.head))
    assert alerts(bench, sent) == [("8F3D", SUPPLIER)]
    assert [message.event for message in sent] == ["AlertSent"]
    assert codes(bench.core.application.security_log) == ["8F53"]
    assert bench.ask("ECS45") == {"supply_state": "Enabled"}


def test_an_unauthentic_command_does_not_use_up_its_counter(bench: Any) -> None:
    command = bench.head.command("ECS43", counter=9)
    bench.send(wrong_mac(command))
    assert len(bench.send(command)) == 1


def test_a_command_of_the_wrong_role_is_silent_and_told_to_the_supplier(bench: Any) -> None:
    sent = bench.send(bench.head.command("ECS43", originator=NETWORK_OPERATOR))
    assert alerts(bench, sent) == [("8F30", SUPPLIER)]
    assert len(sent) == 1
    assert codes(bench.core.application.security_log) == ["8F3E"]


def test_a_stranger_is_silent_and_logged(bench: Any) -> None:
    assert bench.send(bench.head.command("ECS45", originator=STRANGER)) == []
    assert codes(bench.core.application.security_log) == ["8F3E"]


def test_a_message_for_another_device_leaves_no_trace_in_the_meter(bench: Any) -> None:
    assert bench.send(bench.head.command("ECS45", target=Eui64.parse("00DB1234567890A6"))) == []
    assert codes(bench.core.application.security_log) == []
    (dropped,) = bench.events("MessageDropped")
    assert (dropped.detail["reason"], dropped.detail["step"]) == ("other-recipient", 1)


def test_an_unsupported_command_is_told_to_its_originator(bench: Any) -> None:
    message = bench.head.message("ECS45", originator=NETWORK_OPERATOR, counter=77)
    message = replace(message, other_information=replace(message.other_information, message_code=0x7FFE))
    (sent,) = bench.send(bench.head.protect(message))
    alert = bench.head.read(sent.data)
    assert decode_message(sent.data).business_target_id == NETWORK_OPERATOR
    assert alert["alert_code"] == "8F85"
    assert alert["unsupported_command"] == {"message_code": "0x7FFE", "originator_counter": 77}


def test_an_unsupported_command_on_behalf_of_another_echoes_whom(bench: Any) -> None:
    message = bench.head.message(
        "ECS45",
        originator=BROKER,
        supplementary_remote_party_id=SUPPLIER,
        supplementary_remote_party_counter=200000,
    )
    message = replace(message, other_information=replace(message.other_information, message_code=0x7FFE))
    (sent,) = bench.send(bench.head.protect(message))
    extra = decode_message(sent.data).other_information
    assert decode_message(sent.data).business_target_id == BROKER
    assert (extra.supplementary_remote_party_id, extra.supplementary_remote_party_counter) == (
        SUPPLIER,
        200000,
    )


def test_a_wrong_payload_is_answered_and_changes_nothing(bench: Any) -> None:
    message = bench.head.message("ECS43", counter=30)
    wrong = replace(message, content=message.content[:-1] + b"\x63")
    (sent,) = bench.send(bench.head.protect(wrong))
    assert bench.head.read(sent.data) == {"failures": {"execute_script": "scope-of-access-violated"}}
    assert bench.ask("ECS45") == {"supply_state": "Enabled"}
    assert bench.send(bench.head.protect(wrong)) == [], "its counter is used up"


def test_ten_refusals_within_an_hour_are_unusual(bench: Any) -> None:
    for _ in range(9):
        bench.send(wrong_mac(bench.head.command("ECS45")))
    bench.pass_time(timedelta(minutes=30))
    sent = bench.send(wrong_mac(bench.head.command("ECS45")))
    assert [code for code, _ in alerts(bench, sent)] == ["8F3D", "8F60"]
    assert codes(bench.core.application.security_log)[-1] == "8F60"


def test_ten_refusals_in_more_than_an_hour_are_not(bench: Any) -> None:
    for _ in range(10):
        bench.pass_time(timedelta(minutes=8))
        sent = bench.send(wrong_mac(bench.head.command("ECS45")))
    assert [code for code, _ in alerts(bench, sent)] == ["8F3D"]


def test_a_hardware_fault_hits_one_command_alone(bench: Any) -> None:
    bench.core.application.command_fault = Fault(0)
    assert bench.ask("ECS43", counter=1) == {"failures": {"execute_script": "hardware-fault"}}
    assert bench.ask("ECS45") == {"supply_state": "Enabled"}
    assert bench.ask("ECS43", counter=2) == {}


def test_a_message_to_the_consumer_is_kept(bench: Any) -> None:
    bench.ask("ECS10", {"supplier_message": "Reset"})
    bench.power_cut()
    assert bench.core.inspect(bench.now)["supplier_message"] == "Reset"


def test_an_unknown_remote_party_reads_through_the_broker_with_its_certificate(bench: Any) -> None:
    certificate = bench.head.keystore.find(STRANGER, KeyUsage.KEY_AGREEMENT).certificate
    period = {"start_date_time": "2026-03-02T00:00:00Z", "end_date_time": "2026-03-02T12:00:00Z"}
    (sent,) = bench.send(
        bench.head.command(
            "ECS22b",
            {"read_log_period": period},
            originator=BROKER,
            supplementary_remote_party_id=STRANGER,
            supplementary_remote_party_counter=5,
            key_agreement_certificate=certificate.der,
        )
    )
    response = decode_message(sent.data)
    extra = response.other_information
    assert response.business_target_id == BROKER
    assert (extra.supplementary_remote_party_id, extra.supplementary_remote_party_counter) == (STRANGER, 5)
    assert extra.supplementary_originator_counter == 2000
    assert extra.key_agreement_certificate is None
    assert "active_energy_imported_log" in bench.head.read(sent.data)["read_log_period"]


def test_a_certificate_of_somebody_else_gives_no_answer_to_read(bench: Any) -> None:
    certificate = bench.head.keystore.find(NETWORK_OPERATOR, KeyUsage.KEY_AGREEMENT).certificate
    period = {"start_date_time": "2026-03-02T00:00:00Z", "end_date_time": "2026-03-02T12:00:00Z"}
    answer = bench.ask(
        "ECS22b",
        {"read_log_period": period},
        originator=BROKER,
        supplementary_remote_party_id=STRANGER,
        supplementary_remote_party_counter=5,
        key_agreement_certificate=certificate.der,
    )
    assert answer == {"failures": {"read_log_period": "other-reason"}}


def test_alert_counters_rise_over_power_cuts(bench: Any) -> None:
    counters = []
    for _ in range(3):
        (sent,) = bench.send(wrong_mac(bench.head.command("ECS45")))
        counters.append(decode_message(sent.data).originator_counter)
        bench.power_cut()
    assert counters == [2000, 2002, 2004], "each restoration has an alert of its own"


def test_an_alert_that_had_not_left_is_there_after_a_power_cut(bench: Any) -> None:
    bench.core.receive(wrong_mac(bench.head.command("ECS45")), bench.now)
    bench.power_cut()
    (waiting,) = bench.take()
    assert alerts(bench, [waiting]) == [("8F3D", SUPPLIER)]
    bench.power_cut()
    assert bench.take() == []
