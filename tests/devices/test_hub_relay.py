"""What a hub remembers: its device log, and messages that wait for the WAN."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from smetslab.devices.hub_log import HubDeviceLog
from smetslab.devices.hub_relay import HandHeldTerminal, UpwardBuffer
from smetslab.devices.limits import HUB_BUFFER_MESSAGES
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.gbt import BlockRules, segment
from smetslab.ids import Eui64
from smetslab.store import Nvm, Store

HUB = Eui64.parse("00DB1234567890A2")
ESME = Eui64.parse("00DB1234567890A0")
PPMID = Eui64.parse("00DB1234567890A4")


@pytest.fixture
def nvm() -> Iterator[Nvm]:
    with Store() as store:
        yield store.nvm("hub")


@pytest.fixture
def alert(make_bench: Any) -> bytes:
    bench = make_bench()
    (sent,) = bench.send(bench.head.command("ECS45")[:-1] + b"\x00")
    data: bytes = sent.data
    return data


@pytest.fixture
def command(make_bench: Any) -> bytes:
    data: bytes = make_bench().head.command("ECS45")
    return data


@pytest.fixture
def response(make_bench: Any, command: bytes) -> bytes:
    (sent,) = make_bench().send(command)
    data: bytes = sent.data
    return data


def payloads(buffer: UpwardBuffer) -> list[bytes]:
    found = []
    while (waiting := buffer.first()) is not None:
        found.append(waiting.message.payload)
        buffer.done(waiting)
    return found


def test_the_log_is_kept_and_tells_of_changes_once(nvm: Nvm) -> None:
    changes: list[tuple[Eui64, bool]] = []
    log = HubDeviceLog(nvm, lambda device, added: changes.append((device, added)))
    log.add(ESME, DeviceType.ESME)
    log.add(ESME, DeviceType.ESME)
    log.add(PPMID, DeviceType.PPMID)
    log.remove(PPMID)
    log.remove(PPMID)
    assert changes == [(ESME, True), (PPMID, True), (PPMID, False)]
    assert HubDeviceLog(nvm, lambda *_: None).devices() == {ESME: DeviceType.ESME}


def test_messages_leave_in_order_with_identities_of_their_own(nvm: Nvm) -> None:
    buffer = UpwardBuffer(HUB, nvm)
    for payload in (b"one", b"two", b"two"):
        assert buffer.add(payload) == ()
    first, *_ = [buffer.first()]
    assert first is not None
    assert payloads(buffer) == [b"one", b"two", b"two"]
    buffer.add(b"three")
    again = buffer.first()
    assert again is not None
    assert again.message.identity != first.message.identity


def test_messages_survive_a_power_cut_with_their_identity(
    nvm: Nvm, alert: bytes, response: bytes, command: bytes
) -> None:
    buffer = UpwardBuffer(HUB, nvm)
    for payload in (b"no message", response, command, alert):
        buffer.add(payload)
    identities = [waiting.message.identity for waiting in buffer._waiting]
    after = UpwardBuffer(HUB, nvm)
    kept = [(waiting.message.identity, waiting.message.payload) for waiting in after._waiting]
    assert kept == [(identities[1], response), (identities[3], alert)]
    assert payloads(after) == [response, alert]
    assert len(UpwardBuffer(HUB, nvm)) == 0


def test_blocks_of_alerts_survive_a_power_cut_and_blocks_of_responses_come_again(
    nvm: Nvm, alert: bytes, response: bytes
) -> None:
    rules = BlockRules(block_octets=20)
    blocks = [segment(message, rules)[0].encode() for message in (alert, response)]
    buffer = UpwardBuffer(HUB, nvm)
    for block in blocks:
        buffer.add(block)
    assert payloads(UpwardBuffer(HUB, nvm)) == blocks[:1]


def test_identities_differ_after_a_power_cut(nvm: Nvm) -> None:
    identities = set()
    for _ in range(3):
        buffer = UpwardBuffer(HUB, nvm)
        buffer.add(b"x")
        waiting = buffer.first()
        assert waiting is not None
        identities.add(waiting.message.identity)
    assert len(identities) == 3


def test_when_it_is_full_what_is_no_alert_gives_way_first(nvm: Nvm, alert: bytes) -> None:
    buffer = UpwardBuffer(HUB, nvm)
    buffer.add(alert)
    for number in range(HUB_BUFFER_MESSAGES - 1):
        assert buffer.add(number.to_bytes(2, "big")) == ()
    (dropped,) = buffer.add(b"the last")
    assert dropped.message.payload == bytes(2)
    assert payloads(buffer)[0] == alert


def test_too_many_octets_are_too_much(nvm: Nvm) -> None:
    buffer = UpwardBuffer(HUB, nvm)
    buffer.add(bytes(200_000))
    (dropped,) = buffer.add(bytes(100_000))
    assert len(dropped.message.payload) == 200_000
    assert len(buffer) == 1


def test_a_command_that_is_brought_twice_is_answered_to_who_brought_it_last(
    command: bytes, response: bytes
) -> None:
    async def bring() -> tuple[bool, bytes, bool]:
        terminal = HandHeldTerminal()
        with terminal.expect(command) as first:
            second = terminal.expect(command)
            awaited = second.__enter__()
        taken = terminal.takes(response)
        second.__exit__(None, None, None)
        return taken, awaited.result(), first.done()

    assert asyncio.run(bring()) == (True, response, False)
