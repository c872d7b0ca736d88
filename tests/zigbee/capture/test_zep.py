"""ZEP there and back, and the frames in whatever a capture was made on."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import CaptureError, ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.zigbee.capture.file import Packet
from smetslab.zigbee.capture.tap import LINK_TYPE, Reception, encode_tap
from smetslab.zigbee.capture.unwrap import READ_LINK_TYPES, unwrap
from smetslab.zigbee.capture.zep import ZepPacket, ZepType, decode_zep, encode_zep

FRAME = bytes.fromhex("0200 2A AAAA")
PACKET = ZepPacket(channel=20, octets=FRAME, device=0x1234, link_quality=200, sequence=7, time_us=1_500_000)
IN_HEX = (
    "4558 02 01 14 1234 01 C8"  # preamble, version, data, channel, device, check sequence, quality
    "83AA7E81 80000000 00000007"  # 1970-01-01 00:00:01.5 as NTP, sequence
    "00 000000000000000000 05 02002AAAAA"
)


def test_a_datagram_is_laid_out_as_wireshark_reads_it() -> None:
    assert encode_zep(PACKET).hex() == "".join(IN_HEX.split()).lower()


@given(
    st.builds(
        ZepPacket,
        channel=st.integers(0, 255),
        octets=st.binary(max_size=127),
        page=st.integers(0, 31),
        device=st.integers(0, 65535),
        link_quality=st.integers(0, 255),
        sequence=st.integers(0, 2**32 - 1),
        time_us=st.none() | st.integers(0, 2_085_000_000 * 1_000_000),
        fcs=st.booleans(),
    )
)
def test_what_is_written_is_read(packet: ZepPacket) -> None:
    assert decode_zep(encode_zep(packet)) == packet


def test_acknowledgements_and_the_older_version_are_read() -> None:
    ack = ZepPacket(channel=0, octets=b"", sequence=9, kind=ZepType.ACKNOWLEDGEMENT)
    assert encode_zep(ack) == bytes.fromhex("4558020200000009")
    assert decode_zep(encode_zep(ack)) == ack
    older = bytes.fromhex("4558 01 0B 0001 00 64 00000000000000 05") + FRAME
    assert decode_zep(older) == ZepPacket(channel=11, octets=FRAME, device=1, link_quality=100, fcs=False)


@pytest.mark.parametrize(
    ("datagram", "what"),
    [
        (b"", "preamble"),
        (b"XE\x02\x01", "preamble"),
        (b"EX\x03\x01", "version 3"),
        (b"EX\x02\x07", "type 7"),
        (b"EX\x02\x01\x14", "cut short"),
        (b"EX\x02\x02\x00", "cut short"),
        (b"EX\x01\x0b", "cut short"),
        (encode_zep(PACKET)[:-1], "4 octets of a frame of 5"),
        (encode_zep(PACKET) + b"!", "6 octets of a frame of 5"),
    ],
)
def test_what_is_no_zep_is_said(datagram: bytes, what: str) -> None:
    with pytest.raises(ZigbeeDecodeError, match=what):
        decode_zep(datagram)


@given(st.binary(max_size=80))
def test_any_octets_are_a_packet_or_an_error(octets: bytes) -> None:
    for data in (octets, b"EX" + octets, b"EX\x02\x01" + octets):
        try:
            assert len(decode_zep(data).octets) <= 127
        except ZigbeeDecodeError as error:
            assert "ZEP" in str(error)


@pytest.mark.parametrize(
    "packet", [ZepPacket(channel=300, octets=b""), ZepPacket(channel=11, octets=bytes(128))]
)
def test_what_has_no_place_is_refused(packet: ZepPacket) -> None:
    with pytest.raises(ZigbeeEncodeError, match="ZEP"):
        encode_zep(packet)


# -------------------------------------------------------------------------------- what captures hold


def udp(payload: bytes) -> bytes:
    return struct.pack(">HHHH", 40000, 17754, 8 + len(payload), 0) + payload


def ipv4(payload: bytes, *, protocol: int = 17, fragment: int = 0) -> bytes:
    body = udp(payload)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, fragment, 64, protocol, 0, b"\x7f\0\0\1", b"\x7f\0\0\1"
    )
    return head + body


def ipv6(payload: bytes) -> bytes:
    body = udp(payload)
    return struct.pack(">IHBB16s16s", 0x60000000, len(body), 17, 64, bytes(16), bytes(16)) + body


def ethernet(kind: int, body: bytes, tags: bytes = b"") -> bytes:
    return bytes(12) + tags + kind.to_bytes(2, "big") + body


DATAGRAM = encode_zep(PACKET)
RECEIVED = Reception(channel=20, link_quality=200, fcs=True)


@pytest.mark.parametrize(
    ("link_type", "data", "reception"),
    [
        (195, FRAME, Reception(fcs=True)),
        (230, FRAME, Reception()),
        (LINK_TYPE, encode_tap(RECEIVED, FRAME), RECEIVED),
        (1, ethernet(0x0800, ipv4(DATAGRAM)), RECEIVED),
        (1, ethernet(0x0800, ipv4(DATAGRAM) + bytes(6)), RECEIVED),
        (1, ethernet(0x0800, ipv4(DATAGRAM), bytes.fromhex("81000005")), RECEIVED),
        (1, ethernet(0x86DD, ipv6(DATAGRAM)), RECEIVED),
        (113, bytes(14) + b"\x08\x00" + ipv4(DATAGRAM), RECEIVED),
        (276, b"\x86\xdd" + bytes(18) + ipv6(DATAGRAM), RECEIVED),
        (101, ipv4(DATAGRAM), RECEIVED),
        (101, ipv6(DATAGRAM), RECEIVED),
        (0, bytes(4) + ipv4(DATAGRAM), RECEIVED),
    ],
)
def test_the_frame_is_found_in_every_link_type(link_type: int, data: bytes, reception: Reception) -> None:
    assert link_type in READ_LINK_TYPES
    assert unwrap(Packet(0, 0, link_type, data)) == (reception, FRAME)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ethernet(0x0806, bytes(28)),
        ethernet(0x0800, ipv4(DATAGRAM, protocol=6)),
        ethernet(0x0800, ipv4(DATAGRAM, fragment=0x2000)),
        ethernet(0x0800, ipv4(b"something else")),
        ethernet(0x0800, ipv4(encode_zep(ZepPacket(channel=20, octets=b"")))),
        ethernet(0x0800, ipv4(encode_zep(ZepPacket(channel=0, octets=b"", kind=ZepType.ACKNOWLEDGEMENT)))),
        ethernet(0x86DD, ipv6(DATAGRAM)[:50]),
    ],
)
def test_packets_of_an_ordinary_network_are_passed_over(data: bytes) -> None:
    assert unwrap(Packet(0, 0, 1, data)) is None


def test_a_chips_own_octets_in_place_of_the_check_sequence_are_cut_off() -> None:
    datagram = encode_zep(ZepPacket(channel=20, octets=b"\x02\x00\x2a\xd0\x80", fcs=False))
    assert unwrap(Packet(0, 0, 101, ipv4(datagram))) == (
        Reception(channel=20, link_quality=0),
        b"\x02\x00\x2a",
    )


def test_a_link_type_of_something_else_is_refused() -> None:
    with pytest.raises(CaptureError, match="link type 105"):
        unwrap(Packet(0, 0, 105, FRAME))


@given(st.sampled_from(READ_LINK_TYPES), st.binary(max_size=80))
def test_any_packet_is_a_frame_nothing_or_an_error(link_type: int, data: bytes) -> None:
    try:
        found = unwrap(Packet(0, 0, link_type, data))
    except ZigbeeDecodeError:
        return
    assert found is None or len(found[1]) <= len(data)
