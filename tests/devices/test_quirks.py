"""Every quirk makes a difference that can be seen from outside; a sound meter shows none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from meter_bench import ESME

from smetslab.devices.payload_engine import Fault
from smetslab.devices.quirks import QUIRKS, Quirks, known_quirks
from smetslab.errors import SecurityError, UsageError
from smetslab.gbcs.codes import KeyUsage
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.values import utc_text
from smetslab.ids import Eui64

NETWORK_OPERATOR = Eui64.parse("90B3D51F30020000")
BROKER = Eui64.parse("90B3D51F30000002")
OTHER_METER = Eui64.parse("00DB1234567890A6")
UNIT = 1 << 32

ITEMS = (
    "load_limit_supply_state",
    "load_limit_power_threshold",
    "load_limit_period",
    "load_limit_restoration_period",
)


def answered(sent: list[Any]) -> bool:
    return any(message.event == "ResponseSent" for message in sent)


def wrong_mac(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def load_limit(time: str) -> dict[str, Any]:
    return {
        "load_limit_supply_state": "Disable",
        "load_limit_power_threshold": 5000,
        "load_limit_period": 60,
        "load_limit_restoration_period": 90,
        **dict.fromkeys([f"{item}_activation_time" for item in ITEMS], time),
    }


def dated(bench: Any) -> dict[str, Any]:
    return load_limit(utc_text(bench.now + timedelta(hours=1)))


def replay(bench: Any) -> object:
    command = bench.head.command("ECS43", counter=5)
    bench.send(command)
    return answered(bench.send(command))


def lower_counter(bench: Any) -> object:
    bench.ask("ECS43", counter=5)
    return answered(bench.send(bench.head.command("ECS42", counter=4)))


def replay_after_power_cut(bench: Any) -> object:
    command = bench.head.command("ECS43", counter=5)
    bench.send(command)
    bench.power_cut()
    return answered(bench.send(command))


def wrong_mac_accepted(bench: Any) -> object:
    bench.send(wrong_mac(bench.head.command("ECS43")))
    return bench.core.supply.state.name


def wrong_signature_accepted(bench: Any) -> object:
    key = bench.head.keystore.private_key(NETWORK_OPERATOR, KeyUsage.DIGITAL_SIGNATURE)
    message = with_signature(bench.head.message("ECS43"), key)
    bench.send(encode_message(with_mac(message, bench.head.secret(BROKER))))
    return bench.core.supply.state.name


def wrong_role(bench: Any) -> object:
    bench.send(bench.head.command("ECS43", originator=NETWORK_OPERATOR))
    return bench.core.supply.state.name


def wrong_recipient(bench: Any) -> object:
    bench.send(bench.head.command("ECS43", target=OTHER_METER))
    return bench.core.supply.state.name


def unauthentic(bench: Any) -> object:
    return answered(bench.send(wrong_mac(bench.head.command("ECS45"))))


def unsupported(bench: Any) -> object:
    message = bench.head.message("ECS45")
    message = replace(message, other_information=replace(message.other_information, message_code=0x7FFE))
    return len(bench.send(bench.head.protect(message)))


def foreign_access_list(bench: Any) -> object:
    """The access list of another use case under the message code of this one."""
    content = bench.head.message("ECS52").content
    (sent,) = bench.send(bench.head.protect(replace(bench.head.message("ECS45"), content=content)))
    return decode_message(sent.data).content[-1]


def error_in_the_middle(bench: Any) -> object:
    bench.core.application.command_fault = Fault(0)
    bench.ask("ECS28a", load_limit("immediate"))
    return bench.ask("ECS27")["load_limit_power_threshold"]


def counter_of_the_answer(bench: Any) -> object:
    (sent,) = bench.send(bench.head.command("ECS45", counter=1000))
    return decode_message(sent.data).originator_counter


def protected(bench: Any) -> object:
    (sent,) = bench.send(bench.head.command("ECS17b"))
    try:
        bench.head.read(sent.data)
    except (SecurityError, ValueError, Exception):  # noqa: BLE001 - plain data opens in no way
        return False
    return True


def missed_interval(bench: Any) -> Any:
    start = bench.now + timedelta(minutes=1)
    interval = {"validity_interval_start": utc_text(start), "validity_interval_end": utc_text(start)}
    sent = bench.send(bench.head.command("ECS70", {"validity_interval": interval}))
    return bench.head.read(sent[0].data)


def status_after_a_missed_interval(bench: Any) -> object:
    return missed_interval(bench)["device_time_status"]


def time_after_a_missed_interval(bench: Any) -> object:
    bench.hub_offset = timedelta(seconds=5)
    return missed_interval(bench)["device_time"] == utc_text(bench.now)


def pending_after_power_cut(bench: Any) -> object:
    bench.ask("ECS28a", dated(bench))
    bench.power_cut()
    return len(bench.core.application.future_dated.waiting)


def cancelled(bench: Any) -> object:
    bench.ask("ECS28a", dated(bench), counter=1)
    bench.ask("ECS28a", load_limit("never"), counter=2)
    bench.pass_time(timedelta(hours=2))
    return bench.ask("ECS27")["load_limit_power_threshold"]


def told_of_activation(bench: Any) -> object:
    bench.ask("ECS28a", dated(bench))
    bench.pass_time(timedelta(hours=2))
    return len(bench.take())


def reused_top_up(bench: Any) -> object:
    command = bench.head.command("CS01a", {"utrn": bench.head.top_up(1, UNIT)}, counter=UNIT)
    bench.send(command)
    before = bench.ask("ECS82")
    bench.send(command)
    return bench.ask("ECS82") == before


def register_scaler(bench: Any) -> object:
    answer = bench.ask("ECS17a", originator=NETWORK_OPERATOR)
    return answer["active_export_register_scaler_unit"]["scaler"]


def alert_counter_after_power_cut(bench: Any) -> object:
    bench.send(wrong_mac(bench.head.command("ECS45")))
    bench.power_cut()
    (sent,) = bench.send(wrong_mac(bench.head.command("ECS45")))
    return decode_message(sent.data).originator_counter


def form_of_lengths(bench: Any) -> object:
    cell = {
        "trust_anchor_cell_remote_party_role": "accessControlBroker",
        "trust_anchor_cell_key_usage": "keyAgreement",
    }
    asked = {
        "authorising_remote_party_ta_cell_identifier": cell,
        "remote_party_roles_credentials_required": ["supplier", "networkOperator"],
    }
    return bench.ask("CS02a", asked, originator=BROKER).get("length_form")


# quirk: what is looked at, what a sound meter shows, what a meter with the quirk shows
def debt_after_top_up(bench: Any) -> object:
    digits = bench.head.top_up(10, 1 << 32)
    bench.ask("CS01a", {"utrn": digits}, counter=1 << 32)
    return bench.core.prepayment.account.state.payment_debt


def top_up_of_nothing(bench: Any) -> object:
    return bench.ask("CS01a", {"utrn": bench.head.top_up(0, 1 << 32)}, counter=1 << 32) == {}


def credit_gone(bench: Any) -> object:
    bench.core.happen(bench.now, lambda work: bench.core.prepayment.adjust(work, -5_000_000))
    return bench.core.supply.state.name


def credit_back(bench: Any) -> object:
    credit_gone(bench)
    bench.core.happen(bench.now, lambda work: bench.core.prepayment.adjust(work, 6_000_000))
    return bench.core.supply.state.name


def debt_after_midnight(bench: Any) -> object:
    core = bench.core
    before = core.prepayment.account.state.time_debt_1

    def midnight(work: Any) -> None:
        core.duties.midnight(work, bench.now, missed=False, charging=True)

    core.happen(bench.now, midnight)
    return before - core.prepayment.account.state.time_debt_1


def rate_of_the_night(bench: Any) -> object:
    bench.pass_time(timedelta(hours=11, minutes=30))
    return bench.settled().life.active_index


def midnights_logged(bench: Any) -> object:
    bench.pass_time(timedelta(days=2))
    return len(bench.settled().logs.daily.entries())


def security_log_after_clearing(bench: Any) -> object:
    bench.core.enter_utrn("1" * 20, bench.now)
    bench.ask("ECS15a")
    return len(bench.core.application.security_log.entries)


def interruptions_told(bench: Any) -> object:
    bench.power_cut()
    bench.take()
    return len(bench.outages)


def certificate_shown(bench: Any) -> object:
    answer = bench.ask("CS02e", {"key_usage": "digitalSignature"})
    held = bench.head.keystore.find(ESME, KeyUsage.DIGITAL_SIGNATURE).certificate.der
    return answer["certificate"] == held.hex().upper()


ROWS: dict[str, tuple[Callable[[Any], object], object, object]] = {
    "accepts-replay": (replay, False, True),
    "accepts-lower-counter": (lower_counter, False, True),
    "forgets-counter-over-power-cut": (replay_after_power_cut, False, True),
    "skips-mac": (wrong_mac_accepted, "ENABLED", "DISABLED"),
    "skips-signature": (wrong_signature_accepted, "ENABLED", "DISABLED"),
    "skips-role-check": (wrong_role, "ENABLED", "DISABLED"),
    "accepts-any-recipient": (wrong_recipient, "ENABLED", "DISABLED"),
    "answers-before-authentication": (unauthentic, False, True),
    "silent-on-unsupported-command": (unsupported, 1, 0),
    "skips-structure-check": (foreign_access_list, 13, 0),
    "continues-after-error": (error_in_the_middle, 6900, 5000),
    "wrong-response-counter": (counter_of_the_answer, 1000, 1001),
    "unprotected-read": (protected, True, False),
    "forgets-clock-status": (status_after_a_missed_interval, "unreliable", "reliable"),
    "ignores-validity-interval": (time_after_a_missed_interval, True, False),
    "loses-pending-over-power-cut": (pending_after_power_cut, 4, 0),
    "ignores-cancellation": (cancelled, 6900, 5000),
    "no-activation-alert": (told_of_activation, 4, 0),
    "accepts-reused-utrn": (reused_top_up, True, False),
    "wrong-register-scaler": (register_scaler, 0, 3),
    "two-octet-lengths": (form_of_lengths, None, "two-octet"),
    "recovers-no-debt": (debt_after_top_up, 36_000, 46_000),
    "refuses-zero-top-up": (top_up_of_nothing, True, False),
    "enables-on-credit": (credit_back, "ARMED", "ENABLED"),
    "never-disables": (credit_gone, "DISABLED", "ENABLED"),
    "skips-time-debts": (debt_after_midnight, 5_000, 0),
    "stuck-rate": (rate_of_the_night, "A2", "A1"),
    "daily-log-stops": (midnights_logged, 2, 0),
    "clears-security-log": (security_log_after_clearing, 2, 1),
    "outage-not-told": (interruptions_told, 1, 0),
    "returns-other-certificate": (certificate_shown, True, False),
    "alert-counter-restarts": (alert_counter_after_power_cut, 2002, 2001),
}


def test_every_quirk_has_a_row() -> None:
    assert set(ROWS) == set(QUIRKS) == known_quirks()
    assert len(QUIRKS) >= 14


@pytest.mark.parametrize("name", ROWS)
def test_quirk(make_bench: Callable[..., Any], name: str) -> None:
    look, sound, wrong = ROWS[name]
    assert look(make_bench()) == sound
    assert look(make_bench(quirks=(name,), owner="other")) == wrong


@pytest.mark.parametrize("name", ROWS)
def test_a_quirk_changes_nothing_else(make_bench: Callable[..., Any], name: str) -> None:
    """An ordinary exchange still works, so that a case catches the quirk and not a broken meter."""
    bench = make_bench(quirks=(name,))
    counter = 1001 if name == "wrong-response-counter" else 1000
    (sent,) = bench.send(bench.head.command("ECS43", counter=1000))
    assert decode_message(sent.data).originator_counter == counter
    assert bench.core.supply.state.name == "DISABLED"


def test_an_unknown_quirk_is_refused() -> None:
    with pytest.raises(UsageError, match="no-such-quirk"):
        Quirks.of(["no-such-quirk"])


def test_each_quirk_says_what_it_does_and_what_it_breaks() -> None:
    for declaration in QUIRKS.values():
        assert declaration.description
        assert declaration.clause.startswith(("GBCS", "IEC", "SMETS"))
