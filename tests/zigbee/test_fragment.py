"""Sender and reassembler back to back, over a way that loses, repeats and re-orders."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.zigbee.aps import ExtendedHeader, FragmentKind
from smetslab.zigbee.fragment import Block, FragmentRules, FragmentSender, Reassembler, Received

FIRST, LATER = FragmentKind.FIRST, FragmentKind.LATER


def carry(
    message: bytes, rules: FragmentRules, *, loss: float = 0.0, duplicate: float = 0.0, seed: int = 0
) -> tuple[FragmentSender, list[bytes]]:
    """Carry a message through a bad channel: the sender as it ended, and every message that came out."""
    rng = random.Random(seed)
    sender, reassembler = FragmentSender(message, rules), Reassembler(rules)
    now, arrived = 0.0, []
    waiting = sender.start(now)
    while not sender.done and not sender.failed:
        replies: list[ExtendedHeader] = []
        copies = [block for block in waiting for _ in range(1 + (rng.random() < duplicate))]
        rng.shuffle(copies)
        for block in copies:
            if rng.random() < loss:
                continue
            received = reassembler.receive(5, block.extended, block.octets, now)
            if received.acknowledge is not None and rng.random() >= loss:
                replies.append(received.acknowledge)
            if received.message is not None:
                arrived.append(received.message)
        waiting = [block for reply in replies for block in sender.acknowledged(reply, now)]
        if not waiting:
            now += rules.ack_timeout_s
            waiting = sender.expire(now)
    return sender, arrived


@given(st.binary(max_size=700), st.integers(1, 8))
def test_a_message_comes_out_once_and_whole(message: bytes, window: int) -> None:
    sender, arrived = carry(message, FragmentRules(window=window))
    assert sender.done
    assert arrived == [message]


@given(st.binary(min_size=200, max_size=700), st.integers(1, 8), st.integers(0, 2**32))
def test_loss_and_repeats_lose_and_double_nothing(message: bytes, window: int, seed: int) -> None:
    rules = FragmentRules(window=window, max_retries=100, reassembly_timeout_s=1000)
    sender, arrived = carry(message, rules, loss=0.3, duplicate=0.3, seed=seed)
    assert sender.done
    assert arrived == [message]


def test_a_dead_way_ends_after_the_retries() -> None:
    sender, arrived = carry(bytes(100), FragmentRules(max_retries=3), loss=1.0)
    assert (sender.failed, sender.done, arrived) == (True, False, [])
    assert sender.next_deadline() is None


def test_blocks_are_numbered_and_the_first_says_how_many() -> None:
    sender = FragmentSender(bytes(130), FragmentRules(window=3))
    blocks = sender.start(0.0)
    assert [(block.extended, len(block.octets)) for block in blocks] == [
        (ExtendedHeader(FIRST, 3), 61),
        (ExtendedHeader(LATER, 1), 61),
        (ExtendedHeader(LATER, 2), 8),
    ]


def test_a_window_is_acknowledged_with_what_is_missing() -> None:
    reassembler = Reassembler(FragmentRules(window=3))
    assert reassembler.receive(1, ExtendedHeader(FIRST, 5), b"a", 0.0) == Received()
    assert reassembler.receive(1, ExtendedHeader(LATER, 2), b"c", 0.0) == Received(
        ExtendedHeader(FIRST, 0, 0b11111101)
    )
    sender = FragmentSender(bytes(61 * 5), FragmentRules(window=3))
    sender.start(0.0)
    again = sender.acknowledged(ExtendedHeader(FIRST, 0, 0b11111101), 0.1)
    assert again == [Block(ExtendedHeader(LATER, 1), bytes(61))]


def test_an_acknowledgement_of_another_window_changes_nothing() -> None:
    sender = FragmentSender(bytes(200), FragmentRules())
    sender.start(0.0)
    assert sender.acknowledged(ExtendedHeader(LATER, 2, 0xFF), 0.1) == []
    assert sender.next_deadline() == 1.6


@pytest.mark.parametrize(
    ("before", "block", "match"),
    [
        ([(ExtendedHeader(FIRST, 2), b"a")], (ExtendedHeader(FIRST, 3), b"a"), "number of blocks"),
        ([(ExtendedHeader(FIRST, 2), b"a")], (ExtendedHeader(LATER, 2), b"c"), "behind the last"),
        ([(ExtendedHeader(LATER, 4), b"e")], (ExtendedHeader(FIRST, 3), b"a"), "number of blocks"),
        ([(ExtendedHeader(FIRST, 3), b"a")], (ExtendedHeader(FIRST, 3), b"b"), "another content"),
        ([], (ExtendedHeader(FIRST, 0), b"a"), "number of blocks"),
        ([], (ExtendedHeader(LATER, 0), b"a"), "no later block"),
        ([], (ExtendedHeader(FragmentKind.WHOLE), b"a"), "no later block"),
    ],
)
def test_a_block_that_contradicts_the_others_is_refused(
    before: list[tuple[ExtendedHeader, bytes]], block: tuple[ExtendedHeader, bytes], match: str
) -> None:
    reassembler = Reassembler(FragmentRules())
    for header, octets in before:
        reassembler.receive(1, header, octets, 0.0)
    with pytest.raises(ZigbeeDecodeError, match=match):
        reassembler.receive(1, *block, 0.0)


def test_what_is_never_whole_is_forgotten_and_counted() -> None:
    reassembler = Reassembler(FragmentRules(reassembly_timeout_s=10))
    reassembler.receive(1, ExtendedHeader(FIRST, 2), b"a", 0.0)
    reassembler.receive(2, ExtendedHeader(FIRST, 1), b"a", 1.0)
    assert reassembler.next_deadline() == 10.0
    assert reassembler.expire(11.0) == 1
    assert reassembler.next_deadline() is None


def test_a_counter_that_has_gone_round_begins_another_message_and_a_repeated_block_does_not() -> None:
    reassembler = Reassembler(FragmentRules())
    came: list[bytes] = []
    for message in (b"a" * 100, b"b" * 150, b"b" * 150, b"c" * 150):
        sender = FragmentSender(message, FragmentRules())
        blocks = sender.start(0.0)
        while blocks:
            received = reassembler.receive(5, blocks[0].extended, blocks[0].octets, 0.0)
            came += [] if received.message is None else [received.message]
            blocks = [] if received.acknowledge is None else sender.acknowledged(received.acknowledge, 0.0)
        assert sender.done
    assert came == [b"a" * 100, b"b" * 150, b"c" * 150]


def test_many_messages_at_once_make_room_for_each_other() -> None:
    reassembler = Reassembler(FragmentRules(concurrent=2))
    for counter in range(100):
        reassembler.receive(counter, ExtendedHeader(FIRST, 2), b"a", 0.0)
    assert reassembler.receive(0, ExtendedHeader(LATER, 1), b"b", 0.0).message is None
    assert reassembler.receive(99, ExtendedHeader(LATER, 1), b"b", 0.0).message == b"ab"


def test_a_message_of_more_than_255_blocks_is_refused() -> None:
    FragmentSender(bytes(61 * 255), FragmentRules())
    with pytest.raises(ZigbeeEncodeError, match="too long"):
        FragmentSender(bytes(61 * 255 + 1), FragmentRules())
