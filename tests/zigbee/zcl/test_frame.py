"""The ZCL header, field by field and as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.zigbee.zcl import ZclFrame, decode_frame

# Frame control bits by hand from ZCL 2.4.1.1.
WIRE = [
    (
        "00 05 00 0000",
        ZclFrame(cluster_specific=False, server_to_client=False, sequence=5, command=0, payload=b"\0\0"),
    ),
    ("01 FF 02", ZclFrame(cluster_specific=True, server_to_client=False, sequence=255, command=2)),
    (
        "19 01 01 0000 DF",
        ZclFrame(
            cluster_specific=True,
            server_to_client=True,
            disable_default_response=True,
            sequence=1,
            command=1,
            payload=b"\0\0\xdf",
        ),
    ),
    (
        "05 F1FF 07 08 AA",
        ZclFrame(
            cluster_specific=True,
            server_to_client=False,
            manufacturer_code=0xFFF1,
            sequence=7,
            command=8,
            payload=b"\xaa",
        ),
    ),
    ("E0 01 02", ZclFrame(cluster_specific=False, server_to_client=False, sequence=1, command=2, reserved=7)),
]


@pytest.mark.parametrize(("wire", "frame"), WIRE)
def test_wire_form(wire: str, frame: ZclFrame) -> None:
    assert decode_frame(bytes.fromhex(wire)) == frame
    assert frame.encode() == bytes.fromhex(wire)
    assert bytes.fromhex(wire)[frame.header_length :] == frame.payload


frames = st.builds(
    ZclFrame,
    cluster_specific=st.booleans(),
    server_to_client=st.booleans(),
    disable_default_response=st.booleans(),
    sequence=st.integers(0, 255),
    command=st.integers(0, 255),
    payload=st.binary(max_size=60),
    manufacturer_code=st.none() | st.integers(0, 65535),
    reserved=st.integers(0, 7),
)


@given(frames)
def test_every_frame_survives_the_wire(frame: ZclFrame) -> None:
    assert decode_frame(frame.encode()) == frame


@given(st.binary(max_size=12))
def test_any_octets_give_the_same_octets_back_or_a_decode_error(octets: bytes) -> None:
    try:
        frame = decode_frame(octets)
    except ZclDecodeError as error:
        assert error.offset is not None
        return
    assert frame.encode() == octets


@pytest.mark.parametrize(
    ("wire", "what"),
    [
        ("", "frame control: truncated at byte 0"),
        ("01 02", "sequence and command: truncated at byte 1"),
        ("04 01", "manufacturer code: truncated at byte 1"),
        ("05 F1FF 07", "sequence and command: truncated at byte 3"),
        ("02 01 02", "frame control: reserved frame type at byte 0"),
        ("03 01 02", "frame control: reserved frame type at byte 0"),
    ],
)
def test_a_broken_header_names_its_field_and_place(wire: str, what: str) -> None:
    with pytest.raises(ZclDecodeError) as caught:
        decode_frame(bytes.fromhex(wire))
    assert str(caught.value).startswith(what)


@pytest.mark.parametrize(
    "change", [{"sequence": 256}, {"command": -1}, {"reserved": 8}, {"manufacturer_code": 65536}]
)
def test_a_field_that_does_not_fit_is_refused(change: dict[str, int]) -> None:
    values = {"cluster_specific": True, "server_to_client": True, "sequence": 1, "command": 1, **change}
    with pytest.raises(ZclEncodeError, match="out of range"):
        ZclFrame(**values).encode()  # type: ignore[arg-type]
