"""GBZ framing: components and alerts, the quick and the careful reader, and where errors point."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.gbz.payload import (
    Component,
    GbzAlert,
    PlacedComponent,
    _read_carefully,
    _read_usual,
    decode_alert,
    decode_component,
    decode_components,
    encode_alert,
    encode_component,
    encode_components,
    is_gbz,
)
from smetslab.zigbee.zcl import ZclFrame

READ = bytes.fromhex("0109 01 01 0702 000B 000000 0203010300030000")
"""GCS13a: one component, Read Attributes."""

frames = st.builds(
    ZclFrame,
    cluster_specific=st.booleans(),
    server_to_client=st.booleans(),
    disable_default_response=st.booleans(),
    manufacturer_code=st.none() | st.integers(0, 0xFFFF),
    sequence=st.integers(0, 255),
    command=st.integers(0, 255),
    payload=st.binary(max_size=40),
    reserved=st.sampled_from([0, 0, 0, 5]),
)
components = st.lists(
    st.builds(
        Component,
        cluster=st.integers(0, 0xFFFF),
        frame=frames,
        from_date_time=st.none() | st.integers(0, 0xFFFFFFFF),
        frame_counter=st.none() | st.integers(0, 255),
    ),
    max_size=5,
).map(tuple)


def test_a_component_and_where_it_stands() -> None:
    component = Component(
        cluster=0x0702,
        frame=ZclFrame(
            cluster_specific=False,
            server_to_client=False,
            sequence=0,
            command=0,
            payload=bytes.fromhex("0203010300030000"),
        ),
    )
    assert decode_components(READ, base=100) == (PlacedComponent(component, 103, 111),)
    assert encode_components((component,)) == READ
    assert is_gbz(READ)
    assert not is_gbz(READ[1:])


def test_an_encrypted_component_keeps_its_header_in_clear() -> None:
    octets = bytes.fromhex("0109 01 03 0702 000A 00 07 180001 0003 310000")
    (placed,) = decode_components(octets)
    assert placed.component.frame_counter == 7
    assert placed.component.frame.payload == b"\x31\x00\x00"
    assert placed.payload_offset == 15
    assert encode_components((placed.component,)) == octets


@given(components)
def test_components_survive_the_wire(given_components: tuple[Component, ...]) -> None:
    octets = encode_components(given_components)
    assert tuple(placed.component for placed in decode_components(octets)) == given_components


@given(components, st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_the_quick_reader_reads_what_the_careful_one_reads(
    given_components: tuple[Component, ...], place: int, octet: int, cut: bool
) -> None:
    octets = bytearray(encode_components(given_components))
    if place < len(octets):
        octets[place:] = b"" if cut else bytes((octet,)) + octets[place + 1 :]
    data = bytes(octets)
    quick = _read_usual(data, 9)
    try:
        careful = _read_carefully(data, 9)
    except GbcsDecodeError as error:
        assert quick is None
        assert error.offset is not None
        assert 9 <= error.offset <= 9 + len(data)
        return
    assert quick is None or quick == careful


def test_the_quick_reader_takes_ordinary_components() -> None:
    assert _read_usual(READ, 0) is not None
    assert _read_usual(bytes.fromhex("010900"), 0) == ()


@pytest.mark.parametrize(
    ("octets", "offset", "path"),
    [
        ("0108", 1, "GBZ.profile id"),
        ("0109", 2, "GBZ.component count"),
        ("010901", 3, "component[0].control"),
        ("010901 00 0702 0003 000000", 3, "component[0].control"),
        ("010901 05 0702 0003 000000", 3, "component[0].control"),
        ("010902 01 0702 0003 000000", 3, "component[0].control"),
        ("010901 01 0702 0004 000000", 8, "component[0]"),
        ("010901 01 0702 0002 0000", 9, "component[0].ZCL header.sequence and command"),
        ("010901 01 0702 0003 020000", 8, "component[0].ZCL header.frame control"),
        ("010901 03 0702 0007 01 00 180001 0000", 8, "component[0].additional header control"),
        ("010901 03 0702 0007 00 00 180001 0001", 13, "component[0].ciphered length"),
        ("010901 11 0702 0003 000000", 8, "component[0].from date-time"),
        ("010901 01 0702 0003 000000 FF", 11, "GBZ"),
    ],
)
def test_errors_name_the_place(octets: str, offset: int, path: str) -> None:
    with pytest.raises(GbcsDecodeError) as caught:
        decode_components(bytes.fromhex(octets))
    assert (caught.value.offset, caught.value.path) == (offset, path)


def test_one_component_alone() -> None:
    (placed,) = decode_components(READ)
    assert encode_component(placed.component) == READ[3:]
    assert decode_component(READ[3:], base=3) == placed
    with pytest.raises(GbcsDecodeError, match="trailing bytes"):
        decode_component(READ[3:] + b"\x00")


def test_what_does_not_fit_is_not_written() -> None:
    (placed,) = decode_components(READ)
    long = replace(placed.component, frame=replace(placed.component.frame, payload=bytes(0x10000)))
    with pytest.raises(GbcsEncodeError, match="component length"):
        encode_components((long,))
    with pytest.raises(GbcsEncodeError, match="too many components"):
        encode_components((placed.component,) * 256)


def test_alerts() -> None:
    plain = bytes.fromhex("0109 00 8F30 1C374A80")
    assert decode_alert(plain) == GbzAlert(count=0, alert_code=0x8F30, time_stamp=473385600, extra=b"")
    more = bytes.fromhex("0109 01 81A0 1C374A80 0005")
    assert decode_alert(more).extra == b"\x00\x05"
    for octets in (plain, more):
        assert encode_alert(decode_alert(octets)) == octets
    for wrong in ("0109 01 8F30 1C374A80", "0109 00 81A0 1C374A80 0005", "0109 02 81A0 1C374A80 0005"):
        with pytest.raises(GbcsDecodeError) as caught:
            decode_alert(bytes.fromhex(wrong), base=10)
        assert caught.value.offset == 12
