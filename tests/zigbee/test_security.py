"""Keys that follow from others, and sealed frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.crypto import CcmStar
from smetslab.errors import SecurityError, ZigbeeDecodeError
from smetslab.ids import Eui64
from smetslab.zigbee.security import (
    AuxiliaryHeader,
    KeyIdentifier,
    decode_auxiliary,
    install_code_crc,
    install_code_key,
    key_load_key,
    key_transport_key,
    seal,
    unseal,
    verify_key_hash,
)

INSTALL_CODE = bytes.fromhex("83FED3407A939723A5C639B26916D505")
LINK_KEY = "66B6900981E1EE3CA4206B6B861C02BB"


def test_the_published_install_code_gives_its_check_and_its_key() -> None:
    """ZSE 1.4 5.4.8.1."""
    assert install_code_crc(INSTALL_CODE) == bytes.fromhex("C3B5")
    assert install_code_key(INSTALL_CODE) == bytes.fromhex(LINK_KEY)


@pytest.mark.parametrize("size", [0, 5, 7, 15, 17, 18])
def test_an_install_code_of_another_size_gives_no_key(size: int) -> None:
    with pytest.raises(SecurityError, match="install code"):
        install_code_key(bytes(size))


@pytest.mark.parametrize(
    ("link_key", "transport", "load", "verify"),
    [
        (
            b"ZigBeeAlliance09",
            "4BAB0F173E1434A2D572E1C1EF478782",
            "C5A47035C332CCBF251571D8BADED188",
            "1AB128DF1639A1246AABA72A6A559124",
        ),
        (
            bytes.fromhex(LINK_KEY),
            "3C6CCA8977EB189EFD1614C3E7F75989",
            "1177A0EE2600D0020DBA82D7049F53BC",
            "62161E9BE4C0972895860AD568FA8FDD",
        ),
    ],
)
def test_the_keys_of_a_link_key(link_key: bytes, transport: str, load: str, verify: str) -> None:
    assert key_transport_key(link_key) == bytes.fromhex(transport)
    assert key_load_key(link_key) == bytes.fromhex(load)
    assert verify_key_hash(link_key) == bytes.fromhex(verify)


EUI = st.binary(min_size=8, max_size=8).map(Eui64)


@st.composite
def auxiliaries(draw: st.DrawFn) -> AuxiliaryHeader:
    key = draw(st.sampled_from(KeyIdentifier))
    return AuxiliaryHeader(
        key,
        draw(st.integers(0, 2**32 - 1)),
        draw(st.none() | EUI),
        draw(st.integers(0, 255)) if key is KeyIdentifier.NETWORK else 0,
    )


@given(auxiliaries(), st.binary(max_size=4))
def test_an_auxiliary_header_is_read_as_it_was_written(header: AuxiliaryHeader, behind: bytes) -> None:
    octets = header.encode()
    assert decode_auxiliary(b"ab" + octets + behind, 2) == (header, 2 + len(octets))
    for size in range(len(octets)):
        with pytest.raises(ZigbeeDecodeError, match="auxiliary header"):
            decode_auxiliary(octets[:size], 0)


@given(auxiliaries(), EUI, st.binary(max_size=30), st.binary(max_size=60), st.data())
def test_a_sealed_frame_opens_only_unchanged(
    auxiliary: AuxiliaryHeader, source: Eui64, header: bytes, payload: bytes, data: st.DataObject
) -> None:
    cipher = CcmStar(bytes(16))
    frame = seal(cipher, header, auxiliary, source, payload)
    assert frame[: len(header)] == header
    read, position = decode_auxiliary(frame, len(header))
    assert read == auxiliary
    assert unseal(cipher, header, read, source, frame[position:]) == payload
    place = data.draw(st.integers(position, len(frame) - 1))
    changed = frame[:place] + bytes((frame[place] ^ 0x10,)) + frame[place + 1 :]
    with pytest.raises(SecurityError, match="MIC"):
        unseal(cipher, header, read, source, changed[position:])
    with pytest.raises(SecurityError, match="MIC"):
        unseal(cipher, header + b"x", read, source, frame[position:])


def test_the_level_is_not_sent() -> None:
    """Spec: ZigBee 4.5.1.1.1."""
    auxiliary = AuxiliaryHeader(KeyIdentifier.NETWORK, 1, Eui64(bytes(8)), 7)
    assert auxiliary.encode()[0] == 0x28
    assert seal(CcmStar(bytes(16)), b"", auxiliary, Eui64(bytes(8)), b"")[0] == 0x28
