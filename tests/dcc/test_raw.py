"""Octets past all checks of the DCC: sent as they are, and what counts as the answer to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from smetslab.errors import LocalProtocolError
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64

ESME = Eui64.parse("00DB1234567890A0")


def seconds(bench, since: datetime) -> float:
    return (bench.clock.now() - since) / timedelta(seconds=1)


def test_raw_octets_reach_the_device_and_its_response_comes_back(play) -> None:
    async def story(bench) -> None:
        await bench.supplier.request("7.4", ESME)
        again = encode_message(bench.esme.received[0])
        answer = await bench.dcc.exchange_raw(again, ESME, 10)
        assert answer is not None
        assert answer.message_code == USE_CASES["ECS45"].code
        wrong = again[:-1] + bytes((again[-1] ^ 1,))
        start = bench.clock.now()
        assert await bench.dcc.exchange_raw(wrong, ESME, 10) is None
        assert seconds(bench, start) == 10
        with pytest.raises(LocalProtocolError, match="is not in the inventory"):
            await bench.dcc.send_raw(again, Eui64(bytes(8)))

    play(story)


def test_a_repeat_of_a_raw_response_does_not_answer_the_next_exchange(play) -> None:
    async def story(bench) -> None:
        await bench.supplier.request("7.4", ESME)
        again = encode_message(bench.esme.received[0])
        assert await bench.dcc.exchange_raw(again, ESME, 10) is not None
        bench.esme.silent = True
        assert await bench.dcc.exchange_raw(again, ESME, 10) is None

    play(story, duplicate_probability=0.99)


def test_a_long_message_for_somebody_else_may_go_to_a_device_and_never_be_acknowledged(play) -> None:
    async def story(bench) -> None:
        await bench.supplier.request("7.4", ESME)
        command = bench.esme.received[0]
        bench.hub.on_noise = lambda octets: None
        long = replace(command, business_target_id=Eui64(bytes(8)), content=bytes(3000))
        assert await bench.dcc.exchange_raw(encode_message(long), ESME, 300) is None
        assert (await bench.supplier.request("7.4", ESME)).ok

    play(story)


def test_octets_that_are_no_message_may_be_answered_by_anything(play) -> None:
    async def story(bench) -> None:
        await bench.supplier.request("7.4", ESME)
        response = bench.esme.answer(encode_message(bench.esme.received[0]))
        bench.hub.on_noise = lambda octets: response if octets == b"\x00\x01" else None
        assert await bench.dcc.exchange_raw(b"\x00\x01", ESME, 10) == decode_message(response)
        assert await bench.dcc.exchange_raw(b"\x00\x02", ESME, 10) is None

    play(story)
