"""A user that reads what it signs, checks what it gets, and counts."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace

import pytest

from smetslab.dcc import ServiceUser
from smetslab.duis.codes import WebService
from smetslab.errors import DuisError, LocalProtocolError, RemoteProtocolError
from smetslab.gbcs.message import Message, decode_message, encode_message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64

ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
SUPPLIER = Eui64.parse("90B3D51F30010000")
LIMITS = {
    "LoadLimitPeriod": 300,
    "LoadLimitPowerThreshold": 6900,
    "LoadLimitRestorationPeriod": 30,
    "LoadLimitSupplyState": "Disable",
}


def test_a_protected_answer_is_opened_with_the_users_own_key(play) -> None:
    async def story(bench) -> None:
        response = await bench.supplier.request("4.1.1", ESME)
        assert (response.code, response.ok, response.authentic) == ("I0", True, True)
        collection = response.parameters["import_registers"]["import_register_collection"]
        assert (collection["active"], collection["active_scaler_unit"]) == (4711, {"scaler": 0, "unit": "Wh"})
        assert response.use_case is USE_CASES["ECS17b"]

    play(story)


def test_an_answer_to_the_broker_is_readable_but_not_for_the_user_to_check(play) -> None:
    async def story(bench) -> None:
        response = await bench.supplier.request("11.2", HUB)
        assert (response.ok, response.authentic) == (True, None)
        assert response.parameters == {"firmware_version": "0123ABCD"}

    play(story)


def test_a_critical_request_is_signed_once_and_answered(play) -> None:
    async def story(bench) -> None:
        response = await bench.supplier.request("6.4.1", ESME, LIMITS, execution="never")
        assert response.ok
        assert response.authentic

    bench = play(story)
    doors = [seen.detail["variant"] for seen in bench.trace.find(layer="duis", event="RequestReceived")]
    assert doors == ["6.4.1", "6.4.1"]
    (command,) = bench.esme.received
    parameters = USE_CASES["ECS28a"].payload.decode(command, None)
    assert parameters["load_limit_period_activation_time"] == "never"


def test_a_failure_of_the_device_is_not_ok(play) -> None:
    async def story(bench) -> None:
        bench.esme.answers["ECS43"] = {"failures": {"execute_script": "hardware-fault"}}
        response = await bench.supplier.request("7.2", ESME)
        assert (response.code, response.ok) == ("I0", False)
        assert response.parameters == {"failures": {"execute_script": "hardware-fault"}}

    play(story)


def test_a_refusal_is_an_answer(play) -> None:
    async def story(bench) -> None:
        for variant in ("7.2", "7.4"):
            response = await bench.stranger.request(variant, ESME)
            assert (response.code, response.ok, response.message) == ("E2", False, None)
        with pytest.raises(RemoteProtocolError, match=r"answers E2 to 7\.2") as refused:
            await bench.stranger.pre_command("7.2", ESME)
        assert refused.value.code == "E2"

    play(story)


class LyingDcc:
    """Hands out another pre-command than the one that was asked for."""

    def __init__(self, dcc, lie) -> None:
        self._dcc = dcc
        self._lie = lie

    async def submit(self, xml: bytes, service: WebService | None = None) -> bytes:
        answer = await self._dcc.submit(xml, service)
        begin = answer.index(b"<sr:GBCSPayload>") + len(b"<sr:GBCSPayload>")
        end = answer.index(b"</sr:GBCSPayload>")
        message = decode_message(b64decode(answer[begin:end]))
        return answer[:begin] + b64encode(encode_message(self._lie(message))) + answer[end:]


def _more_power(message: Message) -> Message:
    return replace(message, content=message.content.replace(b"\x00\x00\x1a\xf4", b"\x7f\xff\xff\xff"))


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (_more_power, "says something else than was asked"),
        (lambda m: replace(m, originator_counter=m.originator_counter + 1), "asked was"),
        (lambda m: replace(m, business_target_id=HUB), "asked was"),
        (lambda m: replace(m, signature=bytes(64)), "asked was"),
        (
            lambda m: replace(m, other_information=replace(m.other_information, message_code=0x0050)),
            "has code 0050, not one of 6.4.1",
        ),
    ],
)
def test_a_pre_command_that_says_something_else_is_never_signed(play, lie, found: str) -> None:
    async def story(bench) -> None:
        user = ServiceUser(SUPPLIER, keystore=bench.keys, dcc=LyingDcc(bench.dcc, lie))
        with pytest.raises(RemoteProtocolError, match=found):
            await user.request("6.4.1", ESME, LIMITS)

    assert play(story).esme.received == []


def test_counters_rise_by_device_and_family_and_go_on_where_they_are_told(play) -> None:
    async def story(bench) -> None:
        user = bench.supplier
        assert user.next_counter("7.4", ESME) == 1000
        await user.request("7.4", ESME)
        assert (user.next_counter("7.4", ESME), user.next_counter("7.4", HUB)) == (1001, 1000)
        assert user.next_counter("2.2", ESME) == 1 << 32
        await user.request("2.2", ESME, {"UTRN": "73946144332040217315"})
        assert (user.next_counter("2.2", ESME), user.next_counter("7.4", ESME)) == (2 << 32, 1001)
        await user.request("7.4", ESME, counter=5000)
        assert user.next_counter("7.4", ESME) == 1001
        later = ServiceUser(SUPPLIER, keystore=bench.keys, dcc=bench.dcc)
        later.counters.update(user.counters)
        assert later.next_counter("7.4", ESME) == 1001

    play(story)


def test_an_alert_is_opened_like_an_answer(play) -> None:
    async def story(bench) -> None:
        await bench.hub.send(
            bench.esme.alert(USE_CASES["GCA"], {"alert_code": "8F3E", "time_stamp": "2026-03-01T00:00:00Z"})
        )
        await bench.dcc.next_alert(lambda _: True, 10)
        opened = bench.supplier.open_response(bench.dcc.alerts[0])
        assert (opened.authentic, opened.parameters["alert_code"]) == (True, "8F3E")

    play(story)


def test_what_does_not_fit_is_refused_before_anything_is_sent(play) -> None:
    async def story(bench) -> None:
        with pytest.raises(DuisError, match="LoadLimitPeriod: element missing"):
            await bench.supplier.request("6.4.1", ESME, {})
        with pytest.raises(DuisError, match="Water: no such element"):
            await bench.supplier.request("7.4", ESME, {"Water": 1})
        with pytest.raises(LocalProtocolError, match=r"variant 99\.9 is not declared"):
            await bench.supplier.request("99.9", ESME)

    assert play(story).trace.find(layer="duis") == []
