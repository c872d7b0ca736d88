"""The OTA file: what is written is read again, and what is wrong is named with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import FirmwareError
from smetslab.firmware import OtaFile, OtaHeader, decode_file
from smetslab.ids import Eui64

u16 = st.integers(0, 0xFFFF)
headers = st.builds(
    lambda ranged, **fields: OtaHeader(
        **fields,
        minimum_hardware=None if ranged is None else min(ranged),
        maximum_hardware=None if ranged is None else max(ranged),
    ),
    ranged=st.none() | st.tuples(u16, u16),
    manufacturer_code=u16,
    image_type=u16,
    file_version=st.integers(0, 2**32 - 1),
    stack_version=u16,
    text=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=32),
    credential_version=st.none() | st.integers(0, 255),
    destination=st.none() | st.binary(min_size=8, max_size=8).map(Eui64),
)


@given(headers, st.binary(max_size=40))
def test_what_is_written_is_read_again(header: OtaHeader, image: bytes) -> None:
    file = OtaFile(header=header, manufacturer_image=image)
    assert decode_file(file.encode()) == file


@given(st.binary(max_size=120))
def test_any_octets_are_a_file_or_an_error(data: bytes) -> None:
    try:
        assert decode_file(data).encode()
    except FirmwareError as error:
        assert error.offset is not None


def test_header_octets_are_those_of_the_standard() -> None:
    header = OtaHeader(
        manufacturer_code=0x1234,
        image_type=0x5678,
        file_version=0x0123ABCD,
        text="AB",
        minimum_hardware=1,
        maximum_hardware=2,
    )
    expected = "1EF1EE0B00013C00040034127856CDAB230102004142" + "00" * 30 + "3D00000001000200"
    assert header.encode(1).hex().upper() == expected
    assert header.firmware_version.hex().upper() == "0123ABCD"


@pytest.mark.parametrize(
    ("place", "octet", "path"),
    [
        (0, 0x1F, "file identifier"),
        (4, 0x01, "header version"),
        (6, 0x00, "header length"),
        (8, 0x0C, "field control"),
        (52, 0xFF, "total_image_size"),
    ],
)
def test_a_wrong_octet_is_named(place: int, octet: int, path: str) -> None:
    header = OtaHeader(
        manufacturer_code=1, image_type=2, file_version=3, minimum_hardware=1, maximum_hardware=1
    )
    data = bytearray(OtaFile(header=header, manufacturer_image=b"image").encode())
    data[place] = octet
    with pytest.raises(FirmwareError, match=path):
        decode_file(bytes(data))


def test_hardware_versions_come_together_and_in_order() -> None:
    with pytest.raises(FirmwareError, match="without the other"):
        OtaHeader(manufacturer_code=1, image_type=2, file_version=3, minimum_hardware=1)
    reversed_range = OtaHeader(
        manufacturer_code=1, image_type=2, file_version=3, minimum_hardware=2, maximum_hardware=1
    )
    with pytest.raises(FirmwareError, match="hardware versions"):
        decode_file(OtaFile(header=reversed_range, manufacturer_image=b"").encode())


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FirmwareError, match="does not fit"):
        OtaHeader(manufacturer_code=0x10000, image_type=2, file_version=3).encode(0)
    with pytest.raises(FirmwareError, match="string too long"):
        OtaHeader(manufacturer_code=1, image_type=2, file_version=3, text="x" * 33).encode(0)
