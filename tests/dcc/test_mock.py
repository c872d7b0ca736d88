"""The life of requests: acknowledged, sent, answered once; and when the world does not play along."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smetslab.dcc import DccRules
from smetslab.duis.codes import CommandVariant, WebService
from smetslab.duis.document import (
    DeviceAlert,
    DeviceResponse,
    LocalCommand,
    PreCommand,
    RequestId,
    Response,
    ResponseMessage,
    parse_response,
)
from smetslab.duis.schema import DuisSchema
from smetslab.errors import DuisError, LocalProtocolError
from smetslab.gbcs.codes import CounterFamily
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.security import verify_mac
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus
from smetslab.rng import RootSeed
from smetslab.wan import WanMessage

SUPPLIER = Eui64.parse("90B3D51F30010000")
BROKER = Eui64.parse("90B3D51F30000002")
ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
LIMITS = {
    "LoadLimitPeriod": 300,
    "LoadLimitPowerThreshold": 6900,
    "LoadLimitRestorationPeriod": 30,
    "LoadLimitSupplyState": "Unchanged",
}
LATER = "2030-01-15T09:00:00Z"


def read(bench, counter=1000, *, variant="4.1.1", command_variant=CommandVariant.SEND, execution=None):
    """The document of a read by the supplier."""
    return bench.supplier.document(variant, ESME, None, command_variant, counter=counter, execution=execution)


def seconds(bench, since: datetime) -> float:
    return (bench.clock.now() - since) / timedelta(seconds=1)


# The ordinary life -----------------------------------------------------------


def test_a_request_is_acknowledged_at_once_and_answered_with_what_the_device_says(play) -> None:
    async def story(bench) -> None:
        start = bench.clock.now()
        acknowledged = parse_response(await bench.dcc.receive(read(bench), WebService.SEND_COMMAND))
        assert bench.clock.now() == start
        request_id = RequestId(SUPPLIER, ESME, 1000)
        assert acknowledged == Response(
            code="I99", date_time=start, request_id=request_id, body=ResponseMessage("4.1", "4.1.1")
        )
        final = parse_response(await bench.dcc.final_response(request_id))
        assert bench.clock.now() > start
        assert (final.code, final.request_id, final.response_id) == ("I0", request_id, request_id.swapped())
        assert isinstance(final.payload, DeviceResponse)
        message = decode_message(final.payload.payload)
        assert (message.business_originator_id, message.originator_counter) == (ESME, 1000)
        with pytest.raises(LocalProtocolError, match=r"no response to .* is expected or kept"):
            await bench.dcc.final_response(request_id)

    play(story)


def test_every_command_bears_the_mac_of_the_broker(play) -> None:
    async def story(bench) -> None:
        await bench.supplier.request("4.1.1", ESME)
        await bench.supplier.request("7.2", ESME)
        secret = bench.dcc.broker.secret(ESME)
        assert [verify_mac(message, secret) for message in bench.esme.received] == [True, True]
        assert [len(message.signature or b"") for message in bench.esme.received] == [0, 64]

    play(story)


def test_the_case_of_a_received_request_id_is_echoed(play) -> None:
    async def story(bench) -> None:
        lower = read(bench).replace(b"90-B3-D5-1F-30-01-00-00", b"90-b3-d5-1f-30-01-00-00")
        answer = await bench.dcc.submit(lower)
        assert b"<sr:RequestID>90-b3-d5-1f-30-01-00-00:00-DB-12-34-56-78-90-A0:1000</sr:RequestID>" in answer

    play(story)


def test_every_answer_is_valid_under_the_published_schema(play, schema_dir: Path) -> None:
    schema = DuisSchema(schema_dir)

    async def story(bench) -> None:
        bench.dcc._validator = schema
        await bench.supplier.request("6.4.1", ESME, LIMITS, execution=LATER)
        await bench.supplier.request("11.2", HUB)
        await bench.dcc.submit(read(bench, 2000, command_variant=CommandVariant.RETURN_LOCALLY))
        await bench.dcc.submit(read(bench, 1))
        await bench.hub.send(bench.esme.outcome("0-0:94.44.0.3", 1000))
        await bench.hub.send(bench.esme.generic_alert("8F3E"))
        await bench.dcc.next_alert(lambda alert: isinstance(alert.body, DeviceAlert), 10)

    bench = play(story)
    documents = [seen.data for seen in bench.trace.observations if seen.layer == "duis" and seen.data]
    for document in documents:
        schema.validate(document)
    kinds = {type(parse_response(data).payload).__name__ for data in documents if b"Response " in data}
    assert kinds == {"NoneType", "PreCommand", "DeviceResponse", "LocalCommand", "FutureDatedDeviceAlert"}


# Doors -----------------------------------------------------------


def test_a_document_that_is_none_is_an_error_and_leaves_no_trace_in_the_memory(play) -> None:
    hostile = b'<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'

    async def story(bench) -> None:
        generation = bench.store.nvm("dcc").generation
        for document in (b"", hostile, b"<a>" * 5000, b"x" * 2_000_000, read(bench)[:-20]):
            with pytest.raises(DuisError):
                await bench.dcc.submit(document)
        broken = read(bench).replace(
            b"ReadInstantaneousImportRegisters/", b"ReadInstantaneousImportRegisters a='1'/"
        )
        with pytest.raises(DuisError, match="unexpected attribute"):
            await bench.dcc.submit(broken)
        assert bench.store.nvm("dcc").generation == generation
        assert len(bench.events("DocumentRefused")) == 6

    play(story)


def test_a_schema_is_asked_where_there_is_one(play) -> None:
    class Picky:
        def validate(self, data: bytes) -> None:
            raise DuisError("not to my taste", path=f"document of {len(data)}")

    async def story(bench) -> None:
        bench.dcc._validator = Picky()
        with pytest.raises(DuisError, match="not to my taste"):
            await bench.dcc.submit(read(bench))

    play(story)


def test_a_refusal_has_one_code_and_nothing_is_sent(play) -> None:
    async def story(bench) -> None:
        answer = parse_response(await bench.dcc.submit(read(bench), WebService.TRANSFORM))
        assert (answer.code, answer.payload, answer.response_id) == ("E13", None, None)
        assert [event["check"] for event in bench.events("RequestRefused")] == ["web service"]

    assert play(story).esme.received == []


def test_a_local_command_is_handed_out_protected_and_not_sent(play) -> None:
    async def story(bench) -> None:
        document = read(bench, command_variant=CommandVariant.RETURN_LOCALLY)
        answer = parse_response(await bench.dcc.submit(document, WebService.NON_DEVICE))
        assert answer.code == "I0"
        assert isinstance(answer.payload, LocalCommand)
        command = decode_message(answer.payload.payload)
        assert verify_mac(command, bench.dcc.broker.secret(ESME))
        # Its counter is used up: the command may reach the device any time.
        again = parse_response(await bench.dcc.submit(document, WebService.NON_DEVICE))
        assert again.code == "E65"

    assert play(story).esme.received == []


def test_a_command_can_be_handed_out_and_sent(play) -> None:
    async def story(bench) -> None:
        document = read(bench, command_variant=CommandVariant.SEND_AND_RETURN_LOCALLY)
        answer = parse_response(await bench.dcc.receive(document, WebService.SEND_COMMAND))
        assert isinstance(answer.payload, LocalCommand)
        final = parse_response(await bench.dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert final.code == "I0"
        assert encode_message(bench.esme.received[0]) == answer.payload.payload

    play(story)


def test_transforming_keeps_nothing_and_may_be_repeated(play) -> None:
    async def story(bench) -> None:
        document = bench.supplier.document("7.2", ESME, None, CommandVariant.TRANSFORM, counter=1000)
        answers = [parse_response(await bench.dcc.submit(document)).payload for _ in range(2)]
        assert answers[0] == answers[1]
        assert isinstance(answers[0], PreCommand)
        assert answers[0].gbcs_version == "4.1"
        assert bench.store.nvm("dcc").generation == 0

    assert play(story).esme.received == []


def test_a_device_without_certificate_gets_no_command(play) -> None:
    async def story(bench) -> None:
        other = replace(bench.inventory.find(ESME), device_id=Eui64.parse("00DB1234567890AF"))
        bench.inventory.add(other)
        document = bench.supplier.document("7.4", other.device_id, None, CommandVariant.SEND)
        assert parse_response(await bench.dcc.submit(document)).code == "E65"
        assert bench.events("RequestRefused")[0]["check"] == "certificate"

    play(story)


# Counters -----------------------------------------------------------


def test_counters_rise_per_user_and_device_and_top_ups_count_apart(play) -> None:
    utrn = {"UTRN": "73946144332040217315"}

    async def story(bench) -> None:
        counters = (1000, 1000, 999, 1001)
        codes = [(await bench.supplier.request("7.4", ESME, counter=counter)).code for counter in counters]
        assert codes == ["I0", "E65", "E65", "I0"]
        assert (await bench.supplier.request("2.2", ESME, utrn)).code == "I0"
        assert bench.supplier.counters[ESME, CounterFamily.UTRN] == 1 << 32
        assert (await bench.supplier.request("7.4", ESME, counter=1002)).code == "I0"
        assert (await bench.operator.request("7.4", ESME, counter=5)).code == "I0"

    play(story)


def test_with_the_check_off_a_counter_may_be_used_again_and_both_are_answered(play) -> None:
    async def story(bench) -> None:
        documents = [await bench.dcc.receive(read(bench)) for _ in range(2)]
        assert [parse_response(document).code for document in documents] == ["I99", "I99"]
        for _ in range(2):
            final = await bench.dcc.final_response(RequestId(SUPPLIER, ESME, 1000))
            assert parse_response(final).code == "I0"

    assert len(play(story, rules=DccRules(check_counters=False)).esme.received) == 2


def test_the_broker_counts_for_itself_and_never_backwards(play) -> None:
    async def story(bench) -> None:
        for user in (bench.supplier, bench.stranger, bench.supplier):
            assert (await user.request("11.2", HUB)).ok
        commands = bench.hub.devices[HUB].received
        counters = [message.originator_counter for message in commands]
        assert counters == sorted(set(counters))
        assert counters[0] >= int(bench.clock.epoch.timestamp() * 1000)
        named = [message.other_information.supplementary_remote_party_counter for message in commands]
        assert named == [1000, 1000, 1001]

    play(story)


# The WAN -----------------------------------------------------------


def test_what_the_wan_repeats_is_taken_once(play) -> None:
    async def story(bench) -> None:
        for _ in range(5):
            assert (await bench.supplier.request("4.1.1", ESME)).ok
        await bench.hub.send(bench.esme.generic_alert("8F3E"))
        await bench.clock.sleep(60)
        assert len(bench.dcc.alerts) == 1
        finals = bench.trace.find(layer="duis", event="ResponseSent", code="I0")
        assert len(finals) == 5
        assert len(bench.esme.received) == 5
        assert "repeated by the WAN" in [event["reason"] for event in bench.events("MessageDropped")]

    play(story, duplicate_probability=0.99)


def test_a_response_that_the_hub_sends_again_under_a_new_name_changes_nothing(play) -> None:
    async def story(bench) -> None:
        response = await bench.supplier.request("4.1.1", ESME)
        await bench.hub.send(encode_message(response.message))
        await bench.clock.sleep(10)
        assert [e["reason"] for e in bench.events("MessageDropped")] == ["no request waits for this response"]

    play(story)


def test_while_the_wan_is_down_the_dcc_tries_again(play) -> None:
    async def story(bench) -> None:
        bench.wan.outage(True)
        await bench.dcc.receive(read(bench))
        await bench.clock.sleep(100)
        assert bench.esme.received == []
        bench.wan.outage(False)
        final = parse_response(await bench.dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert final.code == "I0"
        assert len(bench.esme.received) == 1

    play(story)


def test_a_device_that_cannot_be_reached_is_given_up(play) -> None:
    async def story(bench) -> None:
        bench.wan.outage(True)
        start = bench.clock.now()
        answer = parse_response(await bench.dcc.submit(read(bench)))
        assert (answer.code, answer.payload, answer.response_id) == ("E20", None, None)
        assert seconds(bench, start) == bench.rules.delivery_timeout_s
        bench.wan.outage(False)

    play(story)


def test_a_hub_that_nobody_knows_is_given_up_at_once(play) -> None:
    async def story(bench) -> None:
        bench.inventory.update(replace(bench.inventory.find(ESME), hub=Eui64(bytes(8))))
        start = bench.clock.now()
        assert parse_response(await bench.dcc.submit(read(bench))).code == "E20"
        assert bench.clock.now() == start

    play(story)


def test_a_silent_device_is_given_up_and_its_late_response_dropped(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        start = bench.clock.now()
        answer = parse_response(await bench.dcc.submit(read(bench)))
        assert (answer.code, answer.request_id) == ("E21", RequestId(SUPPLIER, ESME, 1000))
        assert seconds(bench, start) == bench.rules.response_timeout_s
        bench.esme.silent = False
        await bench.hub.send(bench.esme.answer(encode_message(bench.esme.received[0])))
        await bench.clock.sleep(10)
        assert [e["reason"] for e in bench.events("MessageDropped")] == ["no request waits for this response"]
        assert len(bench.trace.find(layer="duis", event="ResponseSent", target=str(SUPPLIER))) == 2

    play(story)


def test_a_response_that_comes_at_its_very_deadline_ends_the_request_once(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        await bench.dcc.receive(read(bench))
        await bench.clock.sleep(5)
        bench.esme.silent = False
        response = bench.esme.answer(encode_message(bench.esme.received[0]))
        [entry] = bench.dcc._ledger.pending()
        moment = (entry.deadline - bench.clock.epoch).total_seconds()
        bench.clock.call_at(moment, bench.dcc._inbound.receive, WanMessage("up-9", HUB, response))
        answer = parse_response(await bench.dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert answer.code == "I0"
        await bench.clock.sleep(10)
        assert bench.dcc._ledger.pending() == ()

    play(story)


# What devices say -----------------------------------------------------------


@pytest.mark.parametrize("variant", ["7.2", "11.2"])
def test_a_response_whose_protection_is_wrong_is_as_good_as_none(play, variant: str) -> None:
    """The DCC checks signatures, and MACs that are for itself."""
    target = ESME if variant == "7.2" else HUB

    async def story(bench) -> None:
        device = bench.hub.devices[target]
        right = device.answer

        def wrong(octets: bytes) -> bytes:
            answer = right(octets)
            return answer[:-1] + bytes((answer[-1] ^ 1,))

        device.answer = wrong
        assert (await bench.supplier.request(variant, target)).code == "E21"
        check = {"7.2": "signature: not that of the originator", "11.2": "MAC: not that of the device"}[
            variant
        ]
        assert bench.events("MessageDropped")[0]["reason"].startswith(check)

    play(story)


def test_what_is_macd_for_a_user_is_for_the_user_to_check(play) -> None:
    async def story(bench) -> None:
        right = bench.esme.answer

        def wrong(octets: bytes) -> bytes:
            answer = right(octets)
            return answer[:-1] + bytes((answer[-1] ^ 1,))

        bench.esme.answer = wrong
        response = await bench.supplier.request("7.4", ESME)
        assert (response.code, response.authentic, response.ok) == ("I0", False, False)

    play(story)


def test_with_verification_off_everything_is_passed_on(play) -> None:
    async def story(bench) -> None:
        right = bench.esme.answer
        bench.esme.answer = lambda octets: right(octets)[:-64] + bytes(64)
        response = await bench.supplier.request("7.2", ESME)
        assert (response.code, response.authentic) == ("I0", False)

    play(story, rules=DccRules(verify_devices=False))


def test_noise_from_a_hub_is_dropped_with_its_reason(play) -> None:
    async def story(bench) -> None:
        command = encode_message(await bench.supplier.pre_command("7.2", ESME))
        for octets in (b"", b"\xdd\x00", command):
            await bench.hub.send(octets)
        await bench.clock.sleep(10)
        reasons = [event["reason"] for event in bench.events("MessageDropped")]
        assert [reason.split(":")[0] for reason in reasons] == [
            "not a GBCS message",
            "not a GBCS message",
            "a command does not come from a hub",
        ]

    play(story)


def test_a_response_of_another_use_case_does_not_answer(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        await bench.dcc.receive(read(bench))
        await bench.clock.sleep(10)
        bench.esme.silent = False
        command = bench.esme.received[0]
        other = replace(command, other_information=replace(command.other_information, message_code=0x0052))
        await bench.hub.send(bench.esme.answer(encode_message(bench.dcc.broker.protect(other))))
        await bench.clock.sleep(10)
        assert [e["reason"] for e in bench.events("MessageDropped")] == ["not a response to ECS17b"]

    play(story)


def test_commissioning_that_succeeds_changes_the_status(play) -> None:
    now = {"CurrentDateTime": "2026-03-01T00:00:00Z", "TolerancePeriod": 60}

    async def commission(bench) -> None:
        bench.inventory.set_status(ESME, DeviceStatus.INSTALLED_NOT_COMMISSIONED)
        assert (await bench.supplier.request("8.1.1", ESME, now)).ok
        assert bench.inventory.find(ESME).status is DeviceStatus.COMMISSIONED

    async def fail(bench) -> None:
        bench.inventory.set_status(ESME, DeviceStatus.INSTALLED_NOT_COMMISSIONED)
        names = ("validity_interval", "adjust_to_preset_time", "device_time", "device_time_status")
        bench.esme.answers["ECS70"] = {"failures": dict.fromkeys(names, "other-reason")}
        assert not (await bench.supplier.request("8.1.1", ESME, now)).ok
        assert bench.inventory.find(ESME).status is DeviceStatus.INSTALLED_NOT_COMMISSIONED

    play(commission)
    play(fail)


# Restarts -----------------------------------------------------------


def test_a_request_under_way_is_answered_by_the_dcc_that_comes_after(play) -> None:
    async def story(bench) -> None:
        await bench.dcc.receive(read(bench))
        await bench.clock.sleep(0.01)
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another() as dcc:
            final = parse_response(await dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert final.code == "I0"
        assert len(bench.esme.received) == 1

    play(story)


def test_a_command_that_was_lost_with_the_last_run_is_sent_once_more_as_itself(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        await bench.dcc.receive(read(bench))
        await bench.clock.sleep(5)
        await bench.dcc.__aexit__(None, None, None)
        bench.esme.silent = False
        # The hub was in the same process, and knows nothing any more.
        bench.hub.identities.clear()
        async with bench.another() as dcc:
            final = parse_response(await dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert final.code == "I0"
        assert len(bench.events("CommandSentAgain")) == 1
        first, second = bench.esme.received
        assert encode_message(first) == encode_message(second)
        sent = bench.trace.find(layer="wan", event="MessageSent", source="dcc")
        assert len({seen.detail["identity"] for seen in sent}) == 1

    play(story)


def test_a_command_whose_time_is_over_is_not_sent_again_by_the_dcc_that_comes_after(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        await bench.dcc.receive(read(bench))
        await bench.clock.sleep(5)
        await bench.dcc.__aexit__(None, None, None)
        await bench.clock.sleep(bench.rules.response_timeout_s)
        async with bench.another() as dcc:
            final = parse_response(await dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert final.code == "E21"
        assert len(bench.esme.received) == 1

    play(story)


def test_what_was_acknowledged_but_not_sent_is_sent_once_by_the_dcc_that_comes_after(play) -> None:
    async def story(bench) -> None:
        bench.wan.outage(True)
        await bench.dcc.receive(read(bench))
        await bench.dcc.receive(read(bench, 1001, execution="2026-03-02T06:00:00Z"))
        await bench.clock.sleep(5)
        await bench.dcc.__aexit__(None, None, None)
        bench.wan.outage(False)
        async with bench.another() as dcc:
            for counter in (1000, 1001):
                final = await dcc.final_response(RequestId(SUPPLIER, ESME, counter))
                assert parse_response(final).code == "I0"
        assert [message.originator_counter for message in bench.esme.received] == [1000, 1001]

    play(story)


def test_counters_alerts_and_repeats_outlive_a_restart(play) -> None:
    async def story(bench) -> None:
        await bench.supplier.request("7.4", ESME)
        alert = bench.esme.generic_alert("8F3E")
        await bench.hub.send(alert, "alert-1")
        await bench.clock.sleep(5)
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another() as dcc:
            assert parse_response(await dcc.submit(read(bench, 1000))).code == "E65"
            await bench.hub.send(alert, "alert-1")
            await bench.clock.sleep(5)
            assert len(dcc.alerts) == 1

    play(story)


def test_who_waits_while_the_dcc_stops_is_told(play) -> None:
    async def story(bench) -> None:
        bench.esme.silent = True
        waiting = asyncio.get_running_loop().create_task(bench.dcc.submit(read(bench)))
        await bench.clock.sleep(5)
        await bench.dcc.__aexit__(None, None, None)
        with pytest.raises(LocalProtocolError, match="stopped while a request was under way"):
            await waiting

    play(story)


def test_a_dcc_that_is_not_running_takes_nothing(play) -> None:
    async def story(bench) -> None:
        await bench.dcc.__aexit__(None, None, None)
        generation = bench.store.nvm("dcc").generation
        with pytest.raises(LocalProtocolError, match="the DCC is not running"):
            await bench.dcc.receive(read(bench))
        assert bench.store.nvm("dcc").generation == generation

    play(story)


def test_no_mutation_of_a_request_gives_anything_but_an_answer_or_a_duis_error(play) -> None:
    async def story(bench) -> None:
        rng = RootSeed(5).stream("mutations")
        answered = 0
        originals = [
            read(bench, 1 << 60),
            bench.supplier.document("7.2", ESME, None, CommandVariant.TRANSFORM),
        ]
        originals.append(
            bench.supplier.document("6.4.1", ESME, LIMITS, CommandVariant.TRANSFORM, execution=LATER)
        )
        for _ in range(1500):
            document = bytearray(rng.choice(originals))
            digits = [place for place, octet in enumerate(document) if chr(octet).isdigit()]
            for _ in range(rng.randint(1, 3)):
                place = rng.randrange(len(document))
                match rng.randrange(8):
                    case 0:
                        document[place] = rng.randrange(256)
                    case 1:
                        del document[place : place + rng.randint(1, 12)]
                        break
                    case 2:
                        document[place:place] = document[: rng.randint(1, 40)]
                        break
                    case _:
                        # Other values in a document that stays well-formed.
                        document[rng.choice(digits)] = rng.choice(b"0123456789ABCDEF")
            try:
                answer = await bench.dcc.receive(bytes(document))
            except DuisError:
                continue
            answered += bool(parse_response(answer).code)
        assert answered > 100

    play(story)
