"""Framing: every shape octet for octet, and the first octet that does not fit is named.

The octets are written out by hand after the published layout, with identifiers of our own.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import (
    MAX_MESSAGE_BYTES,
    Message,
    OtherInformation,
    content_offset,
    decode_message,
    encode_message,
    signed_part,
)
from smetslab.ids import Eui64

USER = Eui64.parse("1112131415161718")
DEVICE = Eui64.parse("2122232425262728")
PARTY = Eui64.parse("3132333435363738")
DATE_TIME = bytes.fromhex("07EA0101FF000000008000FF")
CONTENT = bytes.fromhex("D92000002A00010100010000000201FF020100")
SIGNATURE = bytes(range(64))
MAC = bytes(range(0xA0, 0xAC))

PLAIN = Message(
    cra=Cra.COMMAND,
    originator_counter=42,
    business_originator_id=USER,
    business_target_id=DEVICE,
    other_information=OtherInformation(message_code=0x0059),
    content=CONTENT,
)
HEADER = "DF 09 01 000000000000002A 08 1112131415161718 08 2122232425262728 00"
PRE_COMMAND = f"{HEADER} 02 0059 13 D92000002A00010100010000000201FF020100"


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


SHAPES = {
    "pre-command": (PRE_COMMAND, PLAIN),
    "pre-command with a length": (f"{PRE_COMMAND} 00", replace(PLAIN, signature=b"")),
    "signed": (f"{PRE_COMMAND} 40 {SIGNATURE.hex()}", replace(PLAIN, signature=SIGNATURE)),
    "MACed": (
        f"DD 000000000000 47 1100000000 {PRE_COMMAND} 00 {MAC.hex()}",
        replace(PLAIN, signature=b"", message_mac=MAC),
    ),
    "signed and MACed": (
        f"DD 000000000000 8187 1100000000 {PRE_COMMAND} 40 {SIGNATURE.hex()} {MAC.hex()}",
        replace(PLAIN, signature=SIGNATURE, message_mac=MAC),
    ),
    "response with date-time": (
        "DF 09 02 000000000000002A 08 2122232425262728 08 1112131415161718 "
        f"0C {DATE_TIME.hex()} 02 0059 02 0500 40 {SIGNATURE.hex()}",
        replace(
            PLAIN,
            cra=Cra.RESPONSE,
            business_originator_id=DEVICE,
            business_target_id=USER,
            date_time=DATE_TIME,
            content=b"\x05\x00",
            signature=SIGNATURE,
        ),
    ),
    "alert of the highest counter": (
        "DF 09 03 FFFFFFFFFFFFFFFF 08 2122232425262728 08 1112131415161718 00 02 1000 00 00",
        replace(
            PLAIN,
            cra=Cra.ALERT,
            originator_counter=2**64 - 1,
            business_originator_id=DEVICE,
            business_target_id=USER,
            other_information=OtherInformation(message_code=0x1000),
            content=b"",
            signature=b"",
        ),
    ),
    "long content": (
        f"{HEADER} 02 0059 820100 {'00' * 256}",
        replace(PLAIN, content=bytes(256)),
    ),
}

VARIANTS = {
    "code": ("02 0123", OtherInformation(message_code=0x0123)),
    "party": (
        "0A 0123 3132333435363738",
        OtherInformation(message_code=0x0123, supplementary_remote_party_id=PARTY),
    ),
    "party and counter": (
        "12 0123 3132333435363738 0000000000000007",
        OtherInformation(
            message_code=0x0123, supplementary_remote_party_id=PARTY, supplementary_remote_party_counter=7
        ),
    ),
    "originator counter": (
        "1A 0123 3132333435363738 0000000000000007 0000000000000008",
        OtherInformation(
            message_code=0x0123,
            supplementary_remote_party_id=PARTY,
            supplementary_remote_party_counter=7,
            supplementary_originator_counter=8,
        ),
    ),
    "shortest certificate": (
        f"1B 0123 3132333435363738 0000000000000007 {'30' * 9}",
        OtherInformation(
            message_code=0x0123,
            supplementary_remote_party_id=PARTY,
            supplementary_remote_party_counter=7,
            key_agreement_certificate=b"0" * 9,
        ),
    ),
    "certificate": (
        f"8201A8 0123 3132333435363738 0000000000000007 {'30' * 406}",
        OtherInformation(
            message_code=0x0123,
            supplementary_remote_party_id=PARTY,
            supplementary_remote_party_counter=7,
            key_agreement_certificate=b"0" * 406,
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_is_read_and_written(shape: str) -> None:
    text, message = SHAPES[shape]
    assert decode_message(octets(text)) == message
    assert encode_message(message) == octets(text)


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_information_is_read_and_written(variant: str) -> None:
    text, other_information = VARIANTS[variant]
    message = replace(PLAIN, other_information=other_information, content=b"\x05\x00")
    whole = octets(f"{HEADER} {text} 02 0500")
    assert decode_message(whole) == message
    assert encode_message(message) == whole


@pytest.mark.parametrize("shape", SHAPES)
def test_content_is_where_it_is_said_to_be(shape: str) -> None:
    text, message = SHAPES[shape]
    start = content_offset(message)
    assert octets(text)[start : start + len(message.content)] == message.content
    with pytest.raises(GbcsDecodeError) as caught:
        decode_message(octets(text)[: start - 1])
    assert caught.value.offset is not None


def test_signature_covers_all_after_the_tag_to_the_end_of_the_content() -> None:
    signed_and_maced = SHAPES["signed and MACed"][1]
    assert signed_part(signed_and_maced) == octets(PRE_COMMAND)[1:]


def test_only_an_unprotected_command_is_a_pre_command() -> None:
    found = [name for name, (_, message) in SHAPES.items() if message.is_pre_command]
    assert found == ["pre-command", "pre-command with a length", "long content"]


MACED = SHAPES["MACed"][0]

GROUPING, OTHER, MAC_HEADER = "grouping header", "grouping header.other information", "MAC header"
FIRST, FLAGS = "DD (MAC header) or DF (grouping header)", "01 command, 02 response or 03 alert"
LENGTHS = "2, 10, 18, 26 or more"

BROKEN = {
    "nothing": ("", 0, "message", FIRST, "nothing"),
    "another first octet": ("D9 2000", 0, "message", FIRST, "D9"),
    "a block": ("DD 09 01", 1, f"{MAC_HEADER}.transaction id", "00", "09"),
    "a filled field": (
        MACED.replace("DD 000000000000", "DD 000000010000"),
        4,
        f"{MAC_HEADER}.empty fields",
        "0" * 12,
        "000000010000",
    ),
    "cut in the MAC header": ("DD 0000", 3, f"{MAC_HEADER}.empty fields", "0" * 12, "0000"),
    "MAC header length too small": (
        MACED.replace(" 47 ", " 46 "),
        7,
        f"{MAC_HEADER}.ciphered service length",
        "71",
        "70",
    ),
    "MAC header length too big": (
        MACED.replace(" 47 ", " 48 "),
        7,
        f"{MAC_HEADER}.ciphered service length",
        "71",
        "72",
    ),
    "MAC header length not shortest": (
        MACED.replace(" 47 ", " 8147 "),
        7,
        f"{MAC_HEADER}.ciphered service length",
        "47",
        "8147",
    ),
    "another security control": (
        MACED.replace("1100000000", "3100000000"),
        8,
        f"{MAC_HEADER}.security header",
        "1100000000",
        "3100000000",
    ),
    "an invocation counter": (
        MACED.replace("1100000000", "1100000001"),
        12,
        f"{MAC_HEADER}.security header",
        "1100000000",
        "1100000001",
    ),
    "no room for a MAC": (
        "DD 000000000000 10 1100000000 0102030405060708090A0B",
        13,
        "MAC",
        "12 bytes",
        "11",
    ),
    "no grouping header": (
        f"DD 000000000000 11 1100000000 {MAC.hex()}",
        13,
        f"{GROUPING}.tag and transaction id length",
        "DF09",
        "nothing",
    ),
    "another transaction id length": (
        PRE_COMMAND.replace("DF 09", "DF 08"),
        1,
        f"{GROUPING}.tag and transaction id length",
        "DF09",
        "DF08",
    ),
    "CRA flag 0": (
        PRE_COMMAND.replace("DF 09 01", "DF 09 00"),
        2,
        f"{GROUPING}.CRA flag",
        FLAGS,
        "00",
    ),
    "CRA flag 4": (
        PRE_COMMAND.replace("DF 09 01", "DF 09 04"),
        2,
        f"{GROUPING}.CRA flag",
        FLAGS,
        "04",
    ),
    "cut in the counter": ("DF 09 01 000000", 3, f"{GROUPING}.originator counter", "8 more bytes", "3"),
    "originator of 7 octets": (
        PRE_COMMAND.replace("08 11121314", "07 11121314"),
        11,
        f"{GROUPING}.originator length",
        "08",
        "07",
    ),
    "cut in the originator": (
        "DF 09 01 000000000000002A 08 1112",
        12,
        f"{GROUPING}.business originator id",
        "8 more bytes",
        "2",
    ),
    "recipient of 7 octets": (
        PRE_COMMAND.replace("08 21222324", "07 21222324"),
        20,
        f"{GROUPING}.recipient length",
        "08",
        "07",
    ),
    "cut in the recipient": (
        "DF 09 01 000000000000002A 08 1112131415161718 08 21",
        21,
        f"{GROUPING}.business target id",
        "8 more bytes",
        "1",
    ),
    "date-time of 11 octets": (
        PRE_COMMAND.replace("2728 00 02", "2728 0B 02"),
        29,
        f"{GROUPING}.date-time length",
        "00 or 0C",
        "0B",
    ),
    "cut in the date-time": (
        f"{HEADER.removesuffix('00')} 0C 07EA",
        30,
        f"{GROUPING}.date-time",
        "12 more bytes",
        "2",
    ),
    "other information of 3": (
        f"{HEADER} 03 005900 00",
        30,
        f"{OTHER} length",
        LENGTHS,
        "3",
    ),
    "other information of 25": (
        f"{HEADER} 19 {'00' * 25}",
        30,
        f"{OTHER} length",
        LENGTHS,
        "25",
    ),
    "other information length not shortest": (
        f"{HEADER} 8102 0059 00",
        30,
        f"{OTHER} length",
        "02",
        "8102",
    ),
    "cut in the message code": (f"{HEADER} 02 00", 31, f"{OTHER}.message code", "2 more bytes", "1"),
    "cut in the supplementary party": (
        f"{HEADER} 0A 0059 3132",
        33,
        f"{OTHER}.supplementary remote party id",
        "8 more bytes",
        "2",
    ),
    "cut in the supplementary counter": (
        f"{HEADER} 12 0059 3132333435363738 00",
        41,
        f"{OTHER}.supplementary remote party counter",
        "8 more bytes",
        "1",
    ),
    "cut in the second counter": (
        f"{HEADER} 1A 0059 3132333435363738 0000000000000000 00",
        49,
        f"{OTHER}.supplementary originator counter",
        "8 more bytes",
        "1",
    ),
    "cut in the certificate": (
        f"{HEADER} 1B 0059 3132333435363738 0000000000000000 3030",
        49,
        f"{OTHER}.key agreement certificate",
        "9 more bytes",
        "2",
    ),
    "no content length": (f"{HEADER} 02 0059", 33, "content length", "1 more byte", "0"),
    "content length of 5 octets": (f"{HEADER} 02 0059 85 00", 33, "content length", "00..7F or 81..84", "85"),
    "content longer than the message": (
        f"{HEADER} 02 0059 82FFFF 00",
        36,
        "content",
        "65535 more bytes",
        "1",
    ),
    "signature of 63": (f"{PRE_COMMAND} 3F {'00' * 63}", 53, "signature length", "00 or 40", "63"),
    "signature of 128": (f"{PRE_COMMAND} 8180 {'00' * 128}", 53, "signature length", "00 or 40", "128"),
    "cut in the signature": (f"{PRE_COMMAND} 40 {'00' * 63}", 54, "signature", "64 more bytes", "63"),
    "trailing octet": (f"{PRE_COMMAND} 40 {'00' * 64} 00", 118, "signature", "the end", "1 more bytes"),
    "MAC without a signature part": (
        f"DD 000000000000 46 1100000000 {PRE_COMMAND} {MAC.hex()}",
        66,
        "signature length",
        "1 more byte",
        "0",
    ),
    "octet between signature and MAC": (
        f"DD 000000000000 48 1100000000 {PRE_COMMAND} 00 00 {MAC.hex()}",
        67,
        "signature",
        "the end",
        "1 more bytes",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_first_octet_that_does_not_fit_is_named(fault: str) -> None:
    text, offset, path, expected, found = BROKEN[fault]
    with pytest.raises(GbcsDecodeError) as caught:
        decode_message(octets(text))
    error = caught.value
    assert (error.offset, error.path, error.expected, error.found) == (offset, path, expected, found)


def test_fixed_parts_name_their_clause() -> None:
    specs = {}
    for fault, (text, *_) in BROKEN.items():
        with pytest.raises(GbcsDecodeError) as caught:
            decode_message(octets(text))
        specs[fault] = caught.value.spec
    assert specs["an invocation counter"] == "GBCS 7.2.8"
    assert specs["CRA flag 0"] == specs["signature of 63"] == specs["other information of 3"] == "GBCS 7.2.7"
    assert specs["a block"] == "GBCS 7.2.11"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_truncation_is_refused(shape: str) -> None:
    whole = octets(SHAPES[shape][0])
    refused = 0
    for length in range(len(whole)):
        try:
            decode_message(whole[:length])
        except GbcsDecodeError as error:
            assert error.offset is not None
            assert error.offset <= length
            refused += 1
    # An unprotected message may end after its content: that is a pre-command.
    assert refused == len(whole) - (1 if whole[0] == 0xDF and SHAPES[shape][1].signature is not None else 0)


def test_longest_message_is_read_and_a_longer_one_refused() -> None:
    overhead = len(encode_message(replace(PLAIN, content=bytes(70_000)))) - 70_000
    longest = encode_message(replace(PLAIN, content=bytes(MAX_MESSAGE_BYTES - overhead)))
    assert len(longest) == MAX_MESSAGE_BYTES
    assert len(decode_message(longest).content) == MAX_MESSAGE_BYTES - overhead
    with pytest.raises(GbcsDecodeError, match="message too long") as caught:
        decode_message(longest + b"\x00")
    assert (caught.value.offset, caught.value.path) == (MAX_MESSAGE_BYTES, "message")


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (replace(PLAIN, originator_counter=-1), "originator counter"),
        (replace(PLAIN, originator_counter=2**64), "originator counter"),
        (replace(PLAIN, date_time=bytes(11)), "date-time"),
        (replace(PLAIN, signature=bytes(63)), "signature"),
        (replace(PLAIN, message_mac=MAC), "MAC"),
        (replace(PLAIN, signature=b"", message_mac=bytes(11)), "MAC"),
        (replace(PLAIN, other_information=OtherInformation(message_code=0x10000)), "message code"),
        (
            replace(
                PLAIN,
                other_information=OtherInformation(message_code=1, supplementary_remote_party_counter=1),
            ),
            "other information",
        ),
        (
            replace(
                PLAIN,
                other_information=OtherInformation(
                    message_code=1, supplementary_remote_party_id=PARTY, supplementary_originator_counter=1
                ),
            ),
            "other information",
        ),
        (
            replace(
                PLAIN,
                other_information=replace(
                    VARIANTS["originator counter"][1], key_agreement_certificate=b"0" * 9
                ),
            ),
            "other information",
        ),
        (
            replace(
                PLAIN,
                other_information=replace(VARIANTS["certificate"][1], key_agreement_certificate=b"0" * 8),
            ),
            "other information",
        ),
        (
            replace(
                PLAIN,
                other_information=replace(
                    VARIANTS["party and counter"][1], supplementary_remote_party_counter=2**64
                ),
            ),
            "supplementary remote party counter",
        ),
    ],
)
def test_value_that_no_message_can_carry_is_not_written(wrong: Message, path: str) -> None:
    with pytest.raises(GbcsEncodeError) as caught:
        encode_message(wrong)
    assert caught.value.path == path
