"""Capture files, TAP headers and key files: there and back, and what is none of them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import CaptureError, ZigbeeDecodeError
from smetslab.zigbee.capture.file import Interface, Packet, file_header, packet_block, read_capture
from smetslab.zigbee.capture.keys import CaptureKey, key_file, read_keys
from smetslab.zigbee.capture.tap import LINK_TYPE, Reception, decode_tap, encode_tap

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@given(
    st.lists(
        st.builds(
            Packet,
            time_us=st.integers(0, 2**63),
            interface=st.integers(0, 1),
            link_type=st.just(LINK_TYPE),
            data=st.binary(max_size=150),
            comment=TEXT,
        ),
        max_size=5,
    )
)
def test_packets_are_read_as_they_were_written(packets: list[Packet]) -> None:
    interfaces = [Interface(LINK_TYPE, "2.4 GHz"), Interface(LINK_TYPE, "sub-GHz")]
    octets = file_header(interfaces, application="smetslab") + b"".join(map(packet_block, packets))
    assert list(read_capture(octets)) == packets


@pytest.mark.parametrize(("order", "nano"), [("<", False), (">", False), ("<", True), (">", True)])
def test_the_older_format_is_read_in_either_order_and_resolution(order: str, nano: bool) -> None:
    fraction = 250_000_000 if nano else 250_000
    octets = struct.pack(f"{order}IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, 230)
    octets += struct.pack(f"{order}IIII", 7, fraction, 3, 3) + b"abc"
    assert list(read_capture(octets)) == [Packet(7_250_000, 0, 230, b"abc")]


@given(st.binary(max_size=200))
def test_any_octets_are_a_capture_or_an_error(octets: bytes) -> None:
    header = file_header([Interface(LINK_TYPE)], application="smetslab")
    for data in (octets, header + octets, header[:4] + octets, b"\xd4\xc3\xb2\xa1" + octets):
        try:
            list(read_capture(data))
        except CaptureError as error:
            assert "capture" in str(error)


@pytest.mark.parametrize("size", range(1, 48))
def test_a_file_that_is_cut_short_is_refused(size: int) -> None:
    octets = file_header([Interface(LINK_TYPE)], application="x")
    octets += packet_block(Packet(0, 0, LINK_TYPE, b"abcd", "note"))
    with pytest.raises(CaptureError):
        list(read_capture(octets[:-size]))


@given(
    st.builds(
        Reception,
        channel=st.none() | st.integers(0, 0xFFFF),
        page=st.just(0),
        rssi_dbm=st.none() | st.integers(-120, 0).map(float),
        link_quality=st.none() | st.integers(0, 255),
        fcs=st.booleans(),
    ),
    st.binary(max_size=127),
)
def test_a_reception_is_read_as_it_was_written(reception: Reception, frame: bytes) -> None:
    assert decode_tap(encode_tap(reception, frame)) == (reception, frame)


@given(st.binary(max_size=60))
def test_any_octets_are_a_tap_header_or_an_error(octets: bytes) -> None:
    for data in (octets, bytes((0, 0, len(octets) & 0xFF, 0)) + octets):
        try:
            decode_tap(data)
        except ZigbeeDecodeError as error:
            assert error.path == "TAP header"


@given(st.lists(st.builds(CaptureKey, st.binary(min_size=16, max_size=16), st.text("ab #1", max_size=9))))
def test_keys_are_read_as_they_were_written(keys: list[CaptureKey]) -> None:
    assert read_keys(key_file(keys)) == keys


def test_a_key_in_reverse_order_is_turned() -> None:
    line = '"' + ":".join(f"{octet:02x}" for octet in range(16)) + '","Reverse","x"'
    assert read_keys(f"# comment\n\n{line}\n") == [CaptureKey(bytes(range(15, -1, -1)), "x")]


@pytest.mark.parametrize(
    "line", ['"00","Normal","x"', "rubbish", f'"{"00" * 16}","Sideways","x"', f'"{"0g" * 16}"']
)
def test_a_line_that_is_no_key_is_named(line: str) -> None:
    with pytest.raises(CaptureError, match="in line 2"):
        read_keys(f"# first\n{line}\n")


def test_no_key_shows_in_a_representation() -> None:
    assert repr(CaptureKey(bytes(16), "network key")) == "CaptureKey(network key)"
