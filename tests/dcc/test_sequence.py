"""Requests that wait for others, and those that anomaly detection holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from smetslab.dcc import DccRules
from smetslab.dcc.limits import AnomalyLimits, Threshold
from smetslab.duis.codes import CommandVariant
from smetslab.duis.dcc_alerts import read_dcc_alert
from smetslab.duis.document import RequestId, Throttled, parse_request, parse_response, write_request
from smetslab.errors import LocalProtocolError
from smetslab.ids import Eui64

SUPPLIER = Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")


def request_id(counter: int) -> RequestId:
    return RequestId(SUPPLIER, ESME, counter)


def document(bench, counter: int, *, after: int | None = None, first: bool | None = None) -> bytes:
    plain = bench.supplier.document("4.1.1", ESME, None, CommandVariant.SEND, counter=counter)
    request = parse_request(plain)
    header = replace(
        request.header,
        first_in_sequence=first,
        preceding_request_id=None if after is None else request_id(after),
    )
    return write_request(replace(request, header=header))


async def final(bench, counter: int) -> str:
    return parse_response(await bench.dcc.final_response(request_id(counter))).code


def counters(bench) -> list[int]:
    return [message.originator_counter for message in bench.esme.received]


# Sequences --------------------------------------------------------------------------------------------------


def test_a_request_goes_when_the_one_before_has_succeeded(play) -> None:
    async def story(bench) -> None:
        bench.wan.outage(True)
        for counter, after in ((1000, None), (1001, 1000), (1002, 1001)):
            answer = await bench.dcc.receive(
                document(bench, counter, after=after, first=after is None or None)
            )
            assert parse_response(answer).code == "I99"
        await bench.clock.sleep(20)
        bench.wan.outage(False)
        assert [await final(bench, counter) for counter in (1002, 1001, 1000)] == ["I0"] * 3
        assert counters(bench) == [1000, 1001, 1002]

    play(story)


def test_a_request_may_come_before_the_one_it_waits_for(play) -> None:
    async def story(bench) -> None:
        await bench.dcc.receive(document(bench, 1001, after=1000))
        await bench.clock.sleep(600)
        assert bench.esme.received == []
        await bench.dcc.receive(document(bench, 1000))
        assert (await final(bench, 1001), await final(bench, 1000)) == ("I0", "I0")
        assert counters(bench) == [1000, 1001]

    play(story, rules=DccRules(check_counters=False))


def test_the_end_of_the_head_of_a_sequence_is_remembered_over_a_restart(play) -> None:
    async def story(bench) -> None:
        await bench.dcc.receive(document(bench, 1000, first=True))
        assert await final(bench, 1000) == "I0"
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another() as dcc:
            bench.dcc = dcc
            await dcc.receive(document(bench, 1001, after=1000))
            assert await final(bench, 1001) == "I0"

    play(story)


def test_a_request_whose_predecessor_fails_or_does_not_come_is_given_up(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        await bench.dcc.receive(document(bench, 1000, first=True))
        await bench.dcc.receive(document(bench, 1001, after=1000))
        await bench.dcc.receive(document(bench, 1003, after=1002))
        assert (await final(bench, 1000), await final(bench, 1001)) == ("E21", "E40")
        start = bench.clock.time()
        assert await final(bench, 1003) == "E41"
        assert bench.clock.time() - start <= bench.rules.sequence_timeout_s

    play(story)


# Retries ----------------------------------------------------------------------------------------------------


def test_a_command_without_response_is_sent_again_where_the_rules_say_so(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        await bench.dcc.receive(document(bench, 1000))
        await bench.clock.sleep(bench.rules.response_timeout_s + 10)
        bench.esme.silent = False
        assert len(bench.esme.received) == 2
        assert await final(bench, 1000) == "E21"
        bench.esme.silent = True
        await bench.dcc.receive(document(bench, 1001))
        await bench.clock.sleep(bench.rules.response_timeout_s - 10)
        bench.esme.silent = False
        assert await final(bench, 1001) == "I0"

    play(story, rules=DccRules(response_retries=1))


# Anomalies --------------------------------------------------------------------------------------------------

LIMITED = DccRules(anomaly_limits=AnomalyLimits(user={"4.1.1": Threshold(2, 3600)}))


def breaches(bench) -> list[tuple[str, dict[str, object]]]:
    found = []
    for alert in bench.dcc.alerts:
        code, kind, members = read_dcc_alert(parse_response(alert).body.element)
        assert (code, kind) == ("N40", "QuarantinedRequest")
        found.extend(members.items())
    return found


def test_a_request_above_the_threshold_is_quarantined_until_it_is_released(play) -> None:
    async def story(bench) -> None:
        for counter in (1000, 1001, 1002):
            assert parse_response(await bench.dcc.receive(document(bench, counter))).code == "I99"
        await bench.clock.sleep(60)
        assert counters(bench) == [1000, 1001]
        [entry] = bench.dcc.quarantined()
        [(kind, members)] = breaches(bench)
        assert kind == "ADUserThresholdBreach"
        assert members == {"RequestID": str(entry.request_id), "QuarantineEventRef": entry.number}
        bench.dcc.release(entry.number)
        assert await final(bench, 1002) == "I0"
        assert counters(bench) == [1000, 1001, 1002]
        with pytest.raises(LocalProtocolError, match="no request is quarantined"):
            bench.dcc.release(entry.number)

    play(story, rules=LIMITED)


def test_quarantine_outlives_a_restart_and_a_discarded_request_has_its_answer(play) -> None:
    async def story(bench) -> None:
        for counter in (1000, 1001, 1002):
            await bench.dcc.receive(document(bench, counter))
        await bench.clock.sleep(60)
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another() as dcc:
            bench.dcc = dcc
            await bench.clock.sleep(60)
            [entry] = dcc.quarantined()
            dcc.discard(entry.number)
            assert await final(bench, 1002) == "E49"
            assert counters(bench) == [1000, 1001]
            assert parse_response(await dcc.receive(document(bench, 1003))).code == "I99"
            assert [one.request_id.counter for one in dcc.quarantined()] == [1003]

    play(story, rules=LIMITED)


def test_the_window_slides_and_other_users_have_their_own(play) -> None:
    async def story(bench) -> None:
        for counter in (1000, 1001):
            await bench.dcc.receive(document(bench, counter))
        assert (await bench.operator.request("4.1.1", ESME)).code == "I0"
        await bench.clock.sleep(3601)
        await bench.dcc.receive(document(bench, 1002))
        assert await final(bench, 1002) == "I0"
        assert bench.dcc.quarantined() == ()

    play(story, rules=LIMITED)


def test_one_threshold_may_be_for_all_users_together(play) -> None:
    async def story(bench) -> None:
        await bench.dcc.receive(document(bench, 1000))
        other = bench.operator.document("4.1.1", ESME, None, CommandVariant.SEND)
        assert parse_response(await bench.dcc.receive(other)).code == "I99"
        [(kind, _)] = breaches(bench)
        assert kind == "ADDCCThresholdBreach"

    play(story, rules=DccRules(anomaly_limits=AnomalyLimits(dcc={"*": Threshold(1, 60)})))


def test_values_out_of_the_ordinary_are_quarantined(play) -> None:
    limits = {
        "LoadLimitPeriod": 300,
        "LoadLimitPowerThreshold": 6900,
        "LoadLimitRestorationPeriod": 30,
        "LoadLimitSupplyState": "Unchanged",
    }
    rules = AnomalyLimits(attributes={"6.4.1/LoadLimitPowerThreshold": (100, 7000)})

    async def story(bench) -> None:
        assert (await bench.supplier.request("6.4.1", ESME, limits)).code == "I0"
        pre_command = await bench.supplier.pre_command(
            "6.4.1", ESME, {**limits, "LoadLimitPowerThreshold": 7001}
        )
        waiting = asyncio.get_running_loop().create_task(
            bench.supplier.send_signed("6.4.1", bench.supplier.sign(pre_command))
        )
        await bench.clock.sleep(60)
        [(kind, _)] = breaches(bench)
        assert kind == "ADAttributeLimitsBreach"
        [entry] = bench.dcc.quarantined()
        bench.dcc.release(entry.number)
        assert (await waiting).code == "I0"

    play(story, rules=DccRules(anomaly_limits=rules))


def test_numbers_are_found_at_their_names_in_lists_too() -> None:
    from smetslab.dcc.anomaly import _numbers

    elements = {"A": {"B": [{"C": 5}, {"C": 7}, {}]}, "D": True, "E": 3}
    assert _numbers(elements, "A.B.C") == [5, 7]
    assert (_numbers(elements, "D"), _numbers(elements, "E"), _numbers(elements, "F")) == ([], [3], [])


# Alerts -----------------------------------------------------------------------------------------------------


def test_a_device_that_says_the_same_too_often_is_heard_no_more_for_a_while(play) -> None:
    async def story(bench) -> None:
        for _ in range(5):
            await bench.hub.send(bench.esme.generic_alert("8F3E"))
        await bench.hub.send(bench.esme.generic_alert("8F3F"))
        await bench.clock.sleep(10)
        assert len(bench.dcc.alerts) == 3
        assert [seen["count"] for seen in bench.events("AlertThrottled")] == [1, 2, 3]
        await bench.clock.sleep(3600)
        await bench.hub.send(bench.esme.generic_alert("8F3E"))
        await bench.clock.sleep(10)
        assert len(bench.dcc.alerts) == 4
        # Published clients take no document that says how many were held back.
        assert all(parse_response(one).body.throttled is None for one in bench.dcc.alerts)

    play(story, rules=DccRules(alert_threshold=Threshold(2, 3600)))


def test_how_many_alerts_were_held_back_is_said_by_the_next_over_restarts_too(play) -> None:
    async def story(bench) -> None:
        async def raise_alerts(count: int) -> None:
            for _ in range(count):
                await bench.hub.send(bench.esme.generic_alert("8F3E"))
            await bench.clock.sleep(10)

        await raise_alerts(3)
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another() as dcc:
            await raise_alerts(1)
            await bench.clock.sleep(3600)
            await raise_alerts(2)
            await bench.clock.sleep(3600)
            await raise_alerts(1)
            await bench.clock.sleep(3600)
            await raise_alerts(1)
            said = [parse_response(one).body.throttled for one in dcc.alerts]
        assert said == [None, Throttled(1, 3), Throttled(2, 1), None]

    play(story, rules=DccRules(alert_threshold=Threshold(1, 3600), alert_throttle_fields=True))


def test_an_alert_for_the_broker_alone_goes_to_whoever_is_responsible(play) -> None:
    broker = Eui64.parse("90B3D51F30000002")

    async def story(bench) -> None:
        hub = bench.hub.devices[Eui64.parse("00DB1234567890A2")]
        await bench.hub.send(hub.generic_alert("8F3E", recipient=broker))
        await bench.clock.sleep(10)
        targets = {parse_response(one).response_id.target for one in bench.dcc.alerts}
        assert targets == {SUPPLIER, Eui64.parse("90B3D51F30020000")}

    play(story)
