"""Commands for local delivery, and the responses to them that users bring back."""

from __future__ import annotations

from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import LocalCommand, RequestId, parse_response
from smetslab.ids import Eui64

SUPPLIER = Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")


def test_what_a_device_answered_on_the_premises_is_as_if_it_had_come_over_the_wan(play, ask) -> None:
    async def story(bench) -> None:
        document = bench.supplier.document("7.4", ESME, None, CommandVariant.RETURN_LOCALLY)
        local = parse_response(await bench.dcc.receive(document))
        assert isinstance(local.payload, LocalCommand)
        octets = bench.esme.answer(local.payload.payload)
        returned = {"DeviceGBCSResponse": octets.hex()}
        assert (await ask(bench, "8.13", returned)).code == "I0"
        final = parse_response(await bench.dcc.final_response(RequestId(SUPPLIER, ESME, 1000)))
        assert (final.code, final.gbcs) == ("I0", octets)
        # Once is enough.
        assert (await ask(bench, "8.13", returned)).code == "E081302"

    play(story)


def test_a_command_delivered_on_the_premises_is_not_waited_for(play) -> None:
    async def story(bench) -> None:
        document = bench.supplier.document("7.4", ESME, None, CommandVariant.RETURN_LOCALLY)
        await bench.dcc.receive(document)
        await bench.clock.sleep(10 * bench.rules.response_timeout_s)
        assert bench.esme.received == []
        assert bench.trace.find(layer="dcc", event="RequestGivenUp") == []

    play(story)


def test_a_response_that_is_none_or_not_genuine_is_refused(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "8.13", {"DeviceGBCSResponse": "00"})).code == "E081301"
        pre_command = await bench.supplier.pre_command("7.2", ESME)
        signed = bench.supplier.sign(pre_command)
        from smetslab.duis.document import Request, RequestHeader, signed_pre_command_body, write_request
        from smetslab.gbcs.message import encode_message

        header = RequestHeader(
            request_id=RequestId(SUPPLIER, ESME, signed.originator_counter),
            command_variant=CommandVariant.RETURN_SIGNED_LOCALLY,
            service_reference="7.2",
            variant="7.2",
        )
        body = signed_pre_command_body(encode_message(signed))
        answer = parse_response(await bench.dcc.receive(write_request(Request(header=header, body=body))))
        octets = bench.esme.answer(answer.payload.payload)
        damaged = octets[:-1] + bytes((octets[-1] ^ 1,))
        assert (await ask(bench, "8.13", {"DeviceGBCSResponse": damaged.hex()})).code == "E081303"
        other = RequestId(SUPPLIER, SUPPLIER, 1)
        misplaced = {"OriginalRequestID": str(other), "DeviceGBCSResponse": octets.hex()}
        assert (await ask(bench, "8.13", misplaced)).code == "E081301"
        assert (await ask(bench, "8.13", {"DeviceGBCSResponse": octets.hex()})).code == "I0"

    play(story)
