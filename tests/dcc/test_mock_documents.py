"""Documents for users: handed out in order, once acknowledged never again, over restarts too."""

from __future__ import annotations

from smetslab.dcc.outbox import Delivery
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import RequestId, parse_request, parse_response
from smetslab.ids import Eui64

SUPPLIER = Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")


def read(bench, counter: int) -> bytes:
    return bench.supplier.document("4.1.1", ESME, None, CommandVariant.SEND, counter=counter)


def test_a_subscriber_gets_responses_and_alerts_but_not_what_somebody_waits_for(play) -> None:
    async def story(bench) -> None:
        seen: list[Delivery] = []
        bench.dcc.subscribe(seen.append)
        await bench.dcc.receive(read(bench, 1000))
        assert parse_response(await bench.dcc.submit(read(bench, 1001))).code == "I0"
        await bench.hub.send(bench.esme.generic_alert("8F3E"))
        await bench.clock.sleep(5)
        assert [(one.kind, one.user, one.device) for one in seen] == [
            ("response", SUPPLIER, ESME),
            ("alert", SUPPLIER, ESME),
        ]
        assert parse_response(seen[0].document).request_id == RequestId(SUPPLIER, ESME, 1000)
        assert seen[0].request == RequestId(SUPPLIER, ESME, 1000).key

    play(story)


def test_a_new_process_hands_out_what_was_not_acknowledged(play) -> None:
    async def story(bench) -> None:
        seen: list[Delivery] = []
        bench.dcc.subscribe(seen.append)
        for counter in (1000, 1001):
            await bench.dcc.receive(read(bench, counter))
            await bench.clock.sleep(5)
        bench.dcc.acknowledge(seen[0].number)
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another() as dcc:
            again: list[Delivery] = []
            dcc.subscribe(again.append)
            assert again == seen[1:]

    play(story)


def test_a_request_that_the_caller_has_parsed_is_not_parsed_again(play) -> None:
    async def story(bench) -> None:
        document = read(bench, 1000)
        request = parse_request(document)
        answer = parse_response(await bench.dcc.receive(b"shown in the trace alone", request=request))
        assert answer.code == "I99"
        final = await bench.dcc.final_response(request.header.request_id)
        assert parse_response(final).code == "I0"

    play(story)
