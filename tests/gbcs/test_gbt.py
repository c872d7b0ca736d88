"""Block transfer, back to back: two engines and a medium that may lose, repeat and reorder."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbt import (
    Block,
    BlockRules,
    BlockTransfer,
    decode_block,
    is_block,
    routing,
    segment,
)
from smetslab.gbcs.message import MAX_MESSAGE_BYTES, Message, OtherInformation, encode_message
from smetslab.ids import Eui64

USER, DEVICE = Eui64(b"\x11" * 8), Eui64(b"\x22" * 8)
RULES = BlockRules(
    block_octets=100, window=3, resend_after_s=10, attempts=3, reassembly_limit_s=60, concurrent=2
)


def message(size: int, counter: int = 1) -> bytes:
    return encode_message(
        Message(
            cra=Cra.COMMAND,
            originator_counter=counter,
            business_originator_id=USER,
            business_target_id=DEVICE,
            other_information=OtherInformation(message_code=0x0059),
            content=random.Random(counter).randbytes(size),
        )
    )


BLOCK = Block(
    cra=Cra.COMMAND,
    originator_counter=42,
    business_originator_id=USER,
    business_target_id=DEVICE,
    message_code=0x0059,
    number=2,
    acknowledged=1,
    streaming=True,
    window=3,
    data=b"\xaa\xbb",
)
BLOCK_OCTETS = (
    "DD 09 01 000000000000002A 08 1111111111111111 08 2222222222222222 00 02 0059 00"
    " 0E 0000000000 E0 43 0002 0001 02 AABB"
)


def test_block_has_the_published_layout() -> None:
    assert BLOCK.encode() == bytes.fromhex(BLOCK_OCTETS)
    assert decode_block(bytes.fromhex(BLOCK_OCTETS)) == BLOCK
    assert is_block(BLOCK.encode())
    assert not is_block(message(10))


@given(
    st.builds(
        Block,
        cra=st.sampled_from(Cra),
        originator_counter=st.integers(0, 2**64 - 1),
        business_originator_id=st.just(USER),
        business_target_id=st.just(DEVICE),
        message_code=st.integers(0, 0xFFFF),
        number=st.integers(0, 0xFFFF),
        acknowledged=st.integers(0, 0xFFFF),
        last=st.booleans(),
        streaming=st.booleans(),
        window=st.integers(0, 63),
        data=st.binary(max_size=300),
        security_header=st.binary(min_size=5, max_size=5),
    )
)
def test_block_reads_back(block: Block) -> None:
    assert decode_block(block.encode()) == block


@pytest.mark.parametrize(
    ("old", "new", "offset", "path"),
    [
        ("DD 09 01", "DD 09 00", 2, "block.CRA flag"),
        ("DD 09 01", "DD 09 04", 2, "block.CRA flag"),
        ("08 1111", "09 1111", 11, "block.originator length"),
        ("08 2222", "09 2222", 20, "block.recipient length"),
        ("00 02 0059", "00 03 0059", 30, "block.date-time and other information length"),
        ("0059 00", "0059 01", 33, "block.key info"),
        (" 0E ", " 0F ", 35, "block.ciphered service length"),
        ("E0 43", "E1 43", 40, "block.general-block-transfer tag"),
        ("02 AABB", "03 AABB", 47, "block.data"),
        ("02 AABB", "01 AABB", 48, "block"),
    ],
)
def test_first_octet_of_a_block_that_does_not_fit_is_named(
    old: str, new: str, offset: int, path: str
) -> None:
    with pytest.raises(GbcsDecodeError) as caught:
        decode_block(bytes.fromhex(BLOCK_OCTETS.replace(old, new)))
    assert (caught.value.offset, caught.value.path) == (offset, path)


def test_every_truncation_of_a_block_is_refused() -> None:
    whole = BLOCK.encode()
    for length in range(len(whole)):
        with pytest.raises(GbcsDecodeError):
            decode_block(whole[:length])


def test_short_message_goes_as_it_is() -> None:
    sender = BlockTransfer(RULES)
    short = message(20)
    assert sender.send(short, 0) == (short,)
    assert sender.next_deadline() is None
    assert BlockTransfer(RULES).receive(short, 0).message == short


def exchange(octets: bytes, chance: random.Random, loss: float, repeat: float) -> bytes | None:
    """Send `octets` over a medium with faults until the sender has nothing left to do."""
    sender, receiver = BlockTransfer(RULES), BlockTransfer(RULES)
    arrived: list[bytes] = []
    now = 0.0
    under_way = [(receiver, item) for item in sender.send(octets, now)]
    for _ in range(2000):
        chance.shuffle(under_way)
        nxt: list[tuple[BlockTransfer, bytes]] = []
        for target, item in under_way:
            if chance.random() < loss:
                continue
            for _ in range(2 if chance.random() < repeat else 1):
                result = target.receive(item, now)
                if result.message is not None:
                    arrived.append(result.message)
                peer = sender if target is receiver else receiver
                nxt += [(peer, reply) for reply in result.replies]
        under_way = nxt
        if not under_way:
            deadline = sender.next_deadline()
            if deadline is None:
                break
            now = deadline
            under_way = [(receiver, item) for item in sender.expire(now).resend]
    assert len(arrived) <= 1
    return arrived[0] if arrived else None


@settings(max_examples=30)
@given(st.integers(150, 3000), st.integers(0, 2**32))
def test_long_message_arrives_whole_and_once_over_a_perfect_medium(size: int, seed: int) -> None:
    octets = message(size)
    assert exchange(octets, random.Random(seed), 0.0, 0.0) == octets


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_what_arrives_over_a_faulty_medium_is_whole_and_once(seed: int) -> None:
    octets = message(1500)
    assert exchange(octets, random.Random(seed), 0.1, 0.2) in {octets, None}


def test_faulty_medium_is_mostly_overcome() -> None:
    octets = message(1500)
    arrived = [exchange(octets, random.Random(seed), 0.1, 0.2) for seed in range(40)]
    assert arrived.count(octets) >= 35


def test_receiver_that_has_forgotten_its_blocks_gets_them_again() -> None:
    octets = message(1500)
    sender, first = BlockTransfer(RULES), BlockTransfer(RULES)
    answers: list[bytes] = []
    for block in sender.send(octets, 0):
        answers += first.receive(block, 0).replies
    assert sender.is_sending(octets)
    under_way = [block for answer in answers for block in sender.receive(answer, 0).replies]
    second, arrived = BlockTransfer(RULES), []
    while under_way:
        received = second.receive(under_way.pop(0), 0)
        arrived += [] if received.message is None else [received.message]
        for reply in received.replies:
            under_way += sender.receive(reply, 0).replies
    assert arrived == [octets]
    assert not sender.is_sending(octets)


def test_window_streams_all_but_its_last_block() -> None:
    first = [decode_block(item) for item in BlockTransfer(RULES).send(message(1000), 0)]
    assert [(block.number, block.streaming) for block in first] == [(1, True), (2, True), (3, False)]
    assert not any(block.last for block in first)


def test_receiver_names_the_last_block_without_a_gap() -> None:
    receiver = BlockTransfer(RULES)
    blocks = segment(message(1000), RULES)
    assert receiver.receive(replace(blocks[0], streaming=True).encode(), 0).replies == ()
    replies = receiver.receive(blocks[2].encode(), 0).replies
    assert [decode_block(reply).acknowledged for reply in replies] == [1]
    replies = receiver.receive(blocks[1].encode(), 0).replies
    assert [decode_block(reply).acknowledged for reply in replies] == [3]


def test_unanswered_transfer_is_tried_as_often_as_said_then_given_up() -> None:
    sender = BlockTransfer(RULES)
    sender.send(message(1000), 0)
    outcomes = []
    for _ in range(3):
        deadline = sender.next_deadline()
        assert deadline is not None
        assert sender.expire(deadline - 0.1).resend == ()
        outcomes.append(sender.expire(deadline))
    assert [len(outcome.resend) for outcome in outcomes] == [3, 3, 0]
    assert [len(outcome.abandoned) for outcome in outcomes] == [0, 0, 1]
    assert sender.next_deadline() is None


def test_message_that_never_becomes_whole_is_forgotten() -> None:
    receiver = BlockTransfer(RULES)
    receiver.receive(segment(message(1000), RULES)[0].encode(), 5)
    assert receiver.next_deadline() == 65
    assert len(receiver.expire(65).abandoned) == 1
    assert receiver.next_deadline() is None


def test_finished_message_is_not_delivered_again() -> None:
    receiver = BlockTransfer(RULES)
    blocks = segment(message(250), RULES)
    delivered = [receiver.receive(block.encode(), 0).message for block in (*blocks, *blocks)]
    assert [item for item in delivered if item is not None] == [message(250)]


def test_message_of_the_same_name_is_delivered_when_no_block_of_the_first_can_be_under_way() -> None:
    receiver = BlockTransfer(RULES)
    blocks = segment(message(250), RULES)
    delivered = [receiver.receive(block.encode(), now).message for now in (0, 59, 60) for block in blocks]
    assert [item for item in delivered if item is not None] == [message(250)] * 2


def test_messages_under_way_are_bounded() -> None:
    receiver = BlockTransfer(RULES)
    parts = [segment(message(250, counter), RULES) for counter in (1, 2, 3)]
    for blocks in parts:
        receiver.receive(blocks[0].encode(), 0)
    wholes = (message(250, 2), message(250, 3), None)  # the one that waited longest gave way
    for blocks, whole in zip((*parts[1:], parts[0]), wholes, strict=True):
        assert [receiver.receive(block.encode(), 0).message for block in blocks[1:]][-1] == whole


def test_blocks_beyond_the_last_and_of_number_zero_are_not_kept() -> None:
    receiver = BlockTransfer(RULES)
    blocks = segment(message(250), RULES)
    for stray in (replace(blocks[0], number=0), replace(blocks[-1], number=9, last=False)):
        receiver.receive(stray.encode(), 0)
    delivered = [receiver.receive(block.encode(), 0).message for block in reversed(blocks)]
    assert delivered[-1] == message(250)


def test_message_that_is_too_long_never_arrives() -> None:
    receiver = BlockTransfer(replace(RULES, block_octets=65535))
    big = replace(BLOCK, data=bytes(65535), streaming=False)
    for number in range(1, MAX_MESSAGE_BYTES // 65535 + 3):
        result = receiver.receive(replace(big, number=number).encode(), 0)
        assert result.message is None
    assert decode_block(result.replies[0]).acknowledged == MAX_MESSAGE_BYTES // 65535


def test_acknowledgement_that_fits_nothing_is_ignored() -> None:
    sender = BlockTransfer(RULES)
    sender.send(message(1000), 0)
    stray = replace(
        BLOCK,
        originator_counter=1,
        business_originator_id=DEVICE,
        business_target_id=USER,
        data=b"",
        acknowledged=99,
    )
    assert sender.receive(stray.encode(), 0).replies == ()
    assert sender.receive(replace(stray, originator_counter=7).encode(), 0).replies == ()


def test_routing_is_read_without_reassembly() -> None:
    assert routing(message(10)) == routing(BLOCK.encode()) == (USER, DEVICE)
    for wrong in (b"", b"\x00", b"\xdd\x09", b"\xdf\x09\x01"):
        with pytest.raises(GbcsDecodeError):
            routing(wrong)


@pytest.mark.parametrize("wrong", [{"window": 0}, {"window": 64}, {"block_octets": 0}])
def test_impossible_rules_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="window must be"):
        BlockRules(**wrong)  # type: ignore[arg-type]


def test_only_a_message_is_segmented() -> None:
    with pytest.raises(GbcsDecodeError):
        segment(b"no message", RULES)
    with pytest.raises(GbcsDecodeError, match="too many blocks"):
        segment(message(70_000), replace(RULES, block_octets=1))
