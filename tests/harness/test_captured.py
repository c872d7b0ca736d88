"""GBCS messages out of the frames of a capture: whole, and each once."""

from __future__ import annotations

from collections.abc import Iterable

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbt import BlockRules, segment
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.harness.air import ReadFrame
from smetslab.harness.captured import CapturedMessage, captured_messages
from smetslab.ids import Eui64
from smetslab.zigbee.aps import ApsFrame, ApsFrameType
from smetslab.zigbee.capture.tap import Reception
from smetslab.zigbee.dissect import Dissection
from smetslab.zigbee.mac_layer import MacFrame, MacFrameType
from smetslab.zigbee.nwk import NwkFrame, NwkFrameType
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling

METER, HUB = Eui64(b"A METER "), Eui64(b"THE HUB ")
MESSAGE = encode_message(
    Message(
        cra=Cra.RESPONSE,
        originator_counter=1,
        business_originator_id=METER,
        business_target_id=Eui64(b"SUPPLIER"),
        other_information=OtherInformation(message_code=0x0011),
        content=bytes(range(60)),
    )
)


def frames(*payloads: tuple[int, int, bytes]) -> Iterable[ReadFrame]:
    """Frames of a meter to its hub: each its second, its APS counter and what is in the tunnel."""
    for number, (second, counter, inside) in enumerate(payloads, start=1):
        record = Tunnelling.transfer_data_to_client.record(tunnel_id=1, data=inside)
        message = Tunnelling.transfer_data_to_client.frame(record, sequence=1).encode()
        found = Dissection(
            mac=MacFrame(kind=MacFrameType.DATA, sequence=number),
            nwk=NwkFrame(kind=NwkFrameType.DATA, destination=0, source=0x1234, sequence=number, payload=b""),
            aps=ApsFrame(
                kind=ApsFrameType.DATA,
                counter=counter,
                payload=b"",
                source_endpoint=1,
                destination_endpoint=1,
                profile=0x0109,
                cluster=Tunnelling.id,
            ),
            message=message,
            source=METER,
            destination=HUB,
        )
        yield ReadFrame(number, second * 1_000_000, Reception(), b"", found)


def messages(*payloads: tuple[int, int, bytes]) -> list[CapturedMessage]:
    return list(captured_messages(frames(*payloads)))


def test_a_message_is_told_once_however_often_it_was_sent() -> None:
    found = messages((0, 7, MESSAGE), (1, 7, MESSAGE), (2, 8, MESSAGE), (120, 7, MESSAGE))
    assert [one.frames for one in found] == [(1,), (3,), (4,)]
    assert {(one.source, one.destination, one.octets) for one in found} == {(str(METER), str(HUB), MESSAGE)}


def test_headers_of_a_sleepy_meters_tunnel_are_no_part_of_the_message() -> None:
    found = messages((0, 1, b"\x03" + MESSAGE), (1, 2, b"\x01"), (2, 3, b"\x02\x00" + MESSAGE))
    assert [(one.frames, one.octets) for one in found] == [((1,), MESSAGE), ((3,), MESSAGE)]


def test_blocks_are_put_together_in_whatever_order_they_come() -> None:
    first, second, third, *more = (block.encode() for block in segment(MESSAGE, BlockRules(block_octets=40)))
    rest = ((4, 5, one) for one in more)
    found = messages((0, 1, second), (1, 2, first), (2, 3, second), (3, 4, third), *rest)
    assert [(one.frames, one.octets, one.whole) for one in found] == [((1, 2, 3, 4), MESSAGE, True)]


def test_a_message_that_is_never_whole_is_left_out_and_a_broken_block_is_shown() -> None:
    first, *_ = (block.encode() for block in segment(MESSAGE, BlockRules(block_octets=40)))
    assert messages((0, 1, first)) == []
    [broken] = messages((0, 1, first[:-4]))
    assert (broken.octets, broken.whole) == (first[:-4], False)
