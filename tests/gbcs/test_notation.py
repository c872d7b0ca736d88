"""Messages are taken in every notation people paste, and nothing else is."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.notation import MAX_TEXT_BYTES, message_octets

OCTETS = bytes.fromhex("DF0901000000000000002A08")
HEX = OCTETS.hex()


@pytest.mark.parametrize(
    "text",
    [
        HEX,
        HEX.upper(),
        f"  {HEX}\r\n",
        OCTETS.hex(" "),
        OCTETS.hex(":"),
        OCTETS.hex("-"),
        "0x" + HEX,
        ", ".join(f"0x{octet:02X}" for octet in OCTETS),
        "\n".join(OCTETS.hex(" ").split(" ")),
        "\ufeff" + HEX,
    ],
)
def test_hex_in_any_dress(text: str) -> None:
    assert message_octets(text.encode()) == OCTETS


@pytest.mark.parametrize("octets", [OCTETS, b"\xdd\x00", b"\xdf"])
def test_binary_is_taken_as_it_is(octets: bytes) -> None:
    assert message_octets(octets) == octets


@given(st.sampled_from([b"\xdd", b"\xdf"]), st.binary(min_size=1, max_size=100))
def test_base64_of_a_message_is_decoded(first: bytes, rest: bytes) -> None:
    text = b64encode(first + rest)
    assert message_octets(text[:20] + b"\n" + text[20:]) == first + rest


@pytest.mark.parametrize(
    ("text", "what", "found"),
    [
        (b"", "nothing to decode", ""),
        (b" \n", "nothing to decode", ""),
        (b"0x", "nothing to decode", ""),
        (b"DF0", "odd number of hex digits", "3"),
        (b"DF09zz", "neither hex digits nor base64 nor a binary message", "b'z' after 4 digits"),
        (b"message", "neither hex digits nor base64 nor a binary message", "b'm' after 0 digits"),
        (
            b64encode(b"no message here"),
            "neither hex digits nor base64 nor a binary message",
            "b'm' after 1 digits",
        ),
        (b"\xff\xfeD\0F\0", "neither hex digits nor base64 nor a binary message", "b'\\xff' after 0 digits"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(text: bytes, what: str, found: str) -> None:
    with pytest.raises(GbcsDecodeError) as caught:
        message_octets(text)
    assert (caught.value.what, caught.value.path) == (what, "input")
    assert caught.value.found == found or not found


def test_input_is_bounded() -> None:
    with pytest.raises(GbcsDecodeError, match="too long"):
        message_octets(b"0" * (MAX_TEXT_BYTES + 1))
    assert len(message_octets(b"0" * MAX_TEXT_BYTES)) == MAX_TEXT_BYTES // 2
