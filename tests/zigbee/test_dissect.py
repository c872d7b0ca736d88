"""A network read from outside: with all keys, with some, with none."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from smetslab.crypto import CcmStar
from smetslab.ids import Eui64
from smetslab.zigbee import aps, zdo
from smetslab.zigbee.aps import ApsFrame, ApsFrameType
from smetslab.zigbee.dissect import Dissection, Dissector
from smetslab.zigbee.fragment import FragmentRules, FragmentSender
from smetslab.zigbee.mac_layer import MacFrame, MacFrameType, frame_check_sequence
from smetslab.zigbee.nwk import NwkFrame, NwkFrameType
from smetslab.zigbee.security import AuxiliaryHeader, KeyIdentifier, key_transport_key

HUB, METER = Eui64(b"HUB 0000"), Eui64(b"METER 00")
NETWORK_KEY, LINK_KEY = bytes(range(16)), bytes(range(16, 32))


def on_air(source: Eui64, payload: bytes, counter: int = 1, *, secured: bool = True) -> bytes:
    """A data frame between the two, with its check sequence."""
    here, there = (0, 0x1234) if source == HUB else (0x1234, 0)
    frame = NwkFrame(
        kind=NwkFrameType.DATA,
        destination=there,
        source=here,
        sequence=counter,
        payload=payload,
        security=AuxiliaryHeader(KeyIdentifier.NETWORK, counter, source) if secured else None,
    )
    mac = MacFrame(
        kind=MacFrameType.DATA,
        sequence=counter,
        destination_pan=1,
        destination=there,
        source=here,
        payload=frame.seal(CcmStar(NETWORK_KEY)) if secured else frame.encode(),
    )
    octets = mac.encode()
    return octets + frame_check_sequence(octets)


def data(payload: bytes, key: bytes | None = LINK_KEY, source: Eui64 = METER, counter: int = 1) -> bytes:
    frame = ApsFrame(
        kind=ApsFrameType.DATA,
        counter=counter,
        payload=payload,
        cluster=0x0702,
        profile=0x0109,
        source_endpoint=1,
        destination_endpoint=1,
    )
    if key is None:
        return frame.encode()
    secured = replace(frame, security=AuxiliaryHeader(KeyIdentifier.DATA, counter))
    return secured.seal(CcmStar(key), source)


def read(dissector: Dissector, octets: bytes) -> Dissection:
    return dissector.dissect(octets, fcs=True)


def test_with_both_keys_the_message_is_read() -> None:
    found = read(Dissector([LINK_KEY, NETWORK_KEY]), on_air(METER, data(b"reading")))
    assert (found.message, found.source, found.problem) == (b"reading", METER, "")


def test_without_the_link_key_the_network_layer_is_read() -> None:
    found = read(Dissector([NETWORK_KEY]), on_air(METER, data(b"reading")))
    assert found.message is None
    assert found.aps is not None
    assert (found.aps.cluster, found.problem) == (0x0702, "no key opens the APS layer")


def test_without_any_key_the_headers_are_read() -> None:
    found = read(Dissector([]), on_air(METER, data(b"reading")))
    assert found.nwk is not None
    assert (found.nwk.source, found.aps, found.problem) == (0x1234, None, "no key opens the network layer")


def test_a_network_key_that_is_transported_opens_what_follows() -> None:
    transport = aps.TRANSPORT_KEY.encode(
        key_type=aps.KeyType.NETWORK,
        key=NETWORK_KEY,
        descriptor={"sequence": 0, "destination": METER, "source": HUB},
    )
    command = ApsFrame(
        kind=ApsFrameType.COMMAND,
        counter=1,
        payload=bytes((aps.TRANSPORT_KEY.id,)) + transport,
        security=AuxiliaryHeader(KeyIdentifier.KEY_TRANSPORT, 1, HUB),
    ).seal(CcmStar(key_transport_key(LINK_KEY)), HUB)
    dissector = Dissector([LINK_KEY])
    assert read(dissector, on_air(METER, data(b"early"))).message is None
    carried = read(dissector, on_air(HUB, command, secured=False))
    assert carried.command is not None
    assert carried.command[0] is aps.TRANSPORT_KEY
    assert read(dissector, on_air(METER, data(b"late"))).message == b"late"


def test_fragments_are_put_together() -> None:
    message = bytes(range(200))
    dissector = Dissector([NETWORK_KEY, LINK_KEY])
    seen = []
    for number, block in enumerate(FragmentSender(message, FragmentRules(window=8)).start(0.0), start=1):
        frame = ApsFrame(
            kind=ApsFrameType.DATA,
            counter=9,
            payload=block.octets,
            cluster=0x0702,
            profile=0x0109,
            extended=block.extended,
            security=AuxiliaryHeader(KeyIdentifier.DATA, number),
        )
        seen.append(read(dissector, on_air(METER, frame.seal(CcmStar(LINK_KEY), METER), number)).message)
    assert seen == [None, None, None, message]


def test_an_announced_address_is_remembered() -> None:
    announce = zdo.DEVICE_ANNOUNCE.encode(short_address=0x7777, ieee_address=METER, capability=0x80)
    frame = ApsFrame(
        kind=ApsFrameType.DATA, counter=1, payload=b"\x01" + announce, cluster=0x0013, profile=0x0000
    )
    dissector = Dissector([NETWORK_KEY])
    found = read(dissector, on_air(METER, frame.encode()))
    assert found.command is not None
    assert found.command[0] is zdo.DEVICE_ANNOUNCE
    assert dissector._addresses[1, 0x7777] == METER


def test_a_wrong_check_sequence_is_said() -> None:
    octets = bytearray(on_air(METER, data(b"reading")))
    octets[-1] ^= 1
    assert "wrong check sequence" in read(Dissector([NETWORK_KEY]), bytes(octets)).problem


@given(st.binary(max_size=127), st.booleans())
def test_any_octets_are_read_or_their_problem_is_said(octets: bytes, fcs: bool) -> None:
    found = Dissector([NETWORK_KEY]).dissect(octets, fcs=fcs)
    assert found.mac is not None or found.problem
