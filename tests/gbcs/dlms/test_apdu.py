"""The three APDUs octet for octet, the places of their items, and the first octet that does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    MAX_SPECIFICATIONS,
    AccessRequest,
    AccessResponse,
    AccessResult,
    Apdu,
    Choice,
    DataNotification,
    Obis,
    Specification,
    data_offset,
    decode_apdu,
    is_dlms,
    long_invoke_id,
    result_offset,
    specification_offset,
)

CLOCK = Obis(bytes.fromhex("0000010000FF"))
LOG = Obis(bytes.fromhex("0000620100FF"))
PERIOD = axdr.structure(axdr.double_long_unsigned(1), axdr.double_long_unsigned(2))

REQUEST = AccessRequest(
    0x2000002A,
    (
        Specification(Choice.GET, 8, CLOCK, 2),
        Specification(Choice.SET, 8, CLOCK, 9),
        Specification(Choice.ACTION, 8, CLOCK, 4),
        Specification(Choice.GET_WITH_SELECTION, 7, LOG, 2, 1, PERIOD),
    ),
    (axdr.null(), axdr.enum(5), axdr.integer(0), axdr.null()),
)
REQUEST_OCTETS = (
    "D9 2000002A 00 04"
    " 01 0008 0000010000FF 02"
    " 02 0008 0000010000FF 09"
    " 03 0008 0000010000FF 04"
    " 04 0007 0000620100FF 02 01 02 02 06 00000001 06 00000002"
    " 04 00 16 05 0F 00 00"
)
RESPONSE = AccessResponse(
    0x2000002A,
    (axdr.octet_string(b"\x01"), axdr.null(), axdr.null()),
    (AccessResult(Choice.GET, 0), AccessResult(Choice.SET, 1), AccessResult(Choice.ACTION, 250)),
)
RESPONSE_OCTETS = "DA 2000002A 00 00 03 09 01 01 00 00 03 01 00 02 01 03 FA"
NOTIFICATION = DataNotification(0x20FFFFFF, axdr.structure(axdr.long_unsigned(0x8F66)))
NOTIFICATION_OCTETS = "0F 20FFFFFF 00 02 01 12 8F66"

APDUS: dict[str, tuple[str, Apdu]] = {
    "request": (REQUEST_OCTETS, REQUEST),
    "response": (RESPONSE_OCTETS, RESPONSE),
    "notification": (NOTIFICATION_OCTETS, NOTIFICATION),
    "request without items": ("D9 20000000 00 00 00", AccessRequest(0x20000000, (), ())),
    "response that repeats the request": (
        "DA 20000000 00 01 01 0008 0000010000FF 02 01 00 01 01 04",
        AccessResponse(
            0x20000000,
            (axdr.null(),),
            (AccessResult(Choice.GET, 4),),
            (Specification(Choice.GET, 8, CLOCK, 2),),
        ),
    ),
    "request with a date-time": (
        "D9 20000000 0C 07EA0101FF000000008000FF 00 00",
        AccessRequest(0x20000000, (), (), bytes.fromhex("07EA0101FF000000008000FF")),
    ),
    "long request": (
        "D9 20000000 00 8180" + "010008 0000010000FF 02" * 128 + "8180" + "00" * 128,
        AccessRequest(0x20000000, (Specification(Choice.GET, 8, CLOCK, 2),) * 128, (axdr.null(),) * 128),
    ),
}


@pytest.mark.parametrize("name", APDUS)
def test_apdu_is_read_and_written(name: str) -> None:
    text, apdu = APDUS[name]
    assert decode_apdu(bytes.fromhex(text)) == apdu
    assert apdu.encode() == bytes.fromhex(text)
    assert is_dlms(bytes.fromhex(text))


@pytest.mark.parametrize("name", APDUS)
def test_every_truncation_is_refused(name: str) -> None:
    whole = bytes.fromhex(APDUS[name][0])
    for length in range(len(whole)):
        with pytest.raises(GbcsDecodeError) as caught:
            decode_apdu(whole[:length], base=50)
        assert 50 <= (caught.value.offset or 0) <= 50 + length


SPECIFICATIONS = "access list[0]"
BROKEN = {
    "nothing": ("", 0, "APDU.tag", "1 more byte", "0"),
    "another APDU": ("C0 20000000", 0, "APDU.tag", "D9, DA or 0F", "C0"),
    "cut in the invoke id": ("D9 2000", 1, "APDU.long-invoke-id-and-priority", "4 more bytes", "2"),
    "date-time of 5": ("D9 20000000 05 0000000000", 5, "APDU.date-time length", "00 or 0C", "5"),
    "date-time of 128": ("D9 20000000 8180", 5, "APDU.date-time length", "00 or 0C", "128"),
    "cut in the date-time": ("D9 20000000 0C 07", 6, "APDU.date-time", "12 more bytes", "1"),
    "too many specifications": ("D9 20000000 00 820401", 6, "access list.count", "at most 1024", "1025"),
    "choice 0": (
        "D9 20000000 00 01 00",
        7,
        f"{SPECIFICATIONS}.choice",
        "01 get .. 05 set with selection",
        "00",
    ),
    "choice 6": (
        "D9 20000000 00 01 06",
        7,
        f"{SPECIFICATIONS}.choice",
        "01 get .. 05 set with selection",
        "06",
    ),
    "cut before a choice": ("D9 20000000 00 01", 7, f"{SPECIFICATIONS}.choice", "1 more byte", "0"),
    "cut in the class": ("D9 20000000 00 01 01 00", 8, f"{SPECIFICATIONS}.class", "2 more bytes", "1"),
    "cut in the logical name": (
        "D9 20000000 00 01 01 0008 0000",
        10,
        f"{SPECIFICATIONS}.logical name",
        "6 more bytes",
        "2",
    ),
    "cut before the attribute": (
        "D9 20000000 00 01 01 0008 0000010000FF",
        16,
        f"{SPECIFICATIONS}.attribute or method",
        "1 more byte",
        "0",
    ),
    "cut before the selector": (
        "D9 20000000 00 01 04 0008 0000010000FF 02",
        17,
        f"{SPECIFICATIONS}.selector",
        "1 more byte",
        "0",
    ),
    "cut in the selection": (
        "D9 20000000 00 01 04 0008 0000010000FF 02 01 06 00",
        19,
        f"{SPECIFICATIONS}.selection",
        "4 more bytes",
        "1",
    ),
    "a data item too few": (
        "D9 20000000 00 01 01 0008 0000010000FF 02 00",
        17,
        "data list.count",
        "1, one for each specification",
        "0",
    ),
    "a data item too many": (
        "D9 20000000 00 01 01 0008 0000010000FF 02 02 00 00",
        17,
        "data list.count",
        "1, one for each specification",
        "2",
    ),
    "cut in the data": (
        "D9 20000000 00 01 01 0008 0000010000FF 02 01 02 01 12 00",
        21,
        "data list[0][0]",
        "2 more bytes",
        "1",
    ),
    "octets after the data": ("D9 20000000 00 00 00 00", 8, "APDU", "the end", "1 more bytes"),
    "too many data items": ("DA 20000000 00 00 820401", 7, "data list.count", "at most 1024", "1025"),
    "a result too few": ("DA 20000000 00 00 01 00 00", 9, "result list.count", "1", "0"),
    "a result of choice 4": (
        "DA 20000000 00 00 01 00 01 04 00",
        10,
        "result list[0].choice",
        "01, 02 or 03",
        "04",
    ),
    "cut before the result": (
        "DA 20000000 00 00 01 00 01 01",
        11,
        "result list[0].result",
        "1 more byte",
        "0",
    ),
    "cut in the body": ("0F 20000000 00", 6, "notification body", "1 more byte", "0"),
    "octets after the body": ("0F 20000000 00 00 00", 7, "APDU", "the end", "1 more bytes"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_first_octet_that_does_not_fit_is_named(fault: str) -> None:
    text, offset, path, expected, found = BROKEN[fault]
    with pytest.raises(GbcsDecodeError) as caught:
        decode_apdu(bytes.fromhex(text), base=100)
    error = caught.value
    assert (error.offset, error.path, error.expected, error.found) == (100 + offset, path, expected, found)


def test_items_of_all_data_together_are_bounded() -> None:
    """A thousand data items of 131,070 null-data each would be 134 million values in 13 kB."""
    nulls = "13 02 02 01 FFFF 00 11 02 0102"
    with pytest.raises(GbcsDecodeError, match="too many data items"):
        decode_apdu(bytes.fromhex("DA 20000000 00 00 820400" + nulls * 1024))


def test_places_of_items_are_exact() -> None:
    octets = bytes.fromhex(REQUEST_OCTETS)
    for place in range(4):
        start = specification_offset(REQUEST, place)
        assert octets[start] == REQUEST.specifications[place].choice
        stop = data_offset(REQUEST, place + 1)
        assert octets[data_offset(REQUEST, place) : stop] == axdr.encode_data(REQUEST.data[place])
    assert data_offset(REQUEST, 4) == len(octets)
    assert octets[specification_offset(REQUEST, 4)] == 4  # the count of the data list
    answer = bytes.fromhex(RESPONSE_OCTETS)
    for place in range(3):
        start = result_offset(RESPONSE, place)
        assert answer[start : start + 2] == bytes(
            (RESPONSE.results[place].choice, RESPONSE.results[place].result)
        )
    assert result_offset(RESPONSE, 3) == len(answer)
    assert bytes.fromhex(NOTIFICATION_OCTETS)[data_offset(NOTIFICATION, 0)] == axdr.Tag.STRUCTURE


def test_places_in_a_long_list_count_its_longer_count() -> None:
    text, apdu = APDUS["long request"]
    assert isinstance(apdu, AccessRequest)
    octets = bytes.fromhex(text)
    assert octets[specification_offset(apdu, 1) :][:3] == bytes.fromhex("010008")
    assert data_offset(apdu, 128) == len(octets)


def test_invoke_id_repeats_the_low_bits_of_the_counter() -> None:
    assert long_invoke_id(0x1234_5678_9ABC) == 0x20789ABC


@pytest.mark.parametrize(
    ("text", "raw"),
    [("0-0:1.0.0.255", "0000010000FF"), ("0-0:1.0.0", "0000010000FF"), ("1-0:2.8.0.10", "01000208000A")],
)
def test_logical_name_is_read(text: str, raw: str) -> None:
    assert Obis.parse(text) == Obis(bytes.fromhex(raw))
    assert Obis.parse(str(Obis(bytes.fromhex(raw)))) == Obis(bytes.fromhex(raw))


@pytest.mark.parametrize("text", ["", "0-0:1.0", "0-0:1.0.0.256", "0.0.1.0.0.255", "0-0:1.0.0.255.1"])
def test_anything_else_is_no_logical_name(text: str) -> None:
    with pytest.raises(ValueError, match="not a logical name"):
        Obis.parse(text)


def test_specification_reads_as_what_it_does() -> None:
    assert str(REQUEST.specifications[0]) == "get class 8 0-0:1.0.0.255 attribute 2"
    assert str(REQUEST.specifications[2]) == "action class 8 0-0:1.0.0.255 method 4"


@pytest.mark.parametrize(
    "wrong",
    [
        replace(REQUEST, long_invoke_id=1 << 32),
        replace(NOTIFICATION, long_invoke_id=-1),
        replace(REQUEST, specifications=(Specification(Choice.GET_WITH_SELECTION, 7, LOG, 2),)),
        replace(NOTIFICATION, body=axdr.unsigned(256)),
    ],
)
def test_apdu_that_cannot_be_is_not_written(wrong: Apdu) -> None:
    with pytest.raises(GbcsEncodeError) as caught:
        wrong.encode()
    assert caught.value.spec


def test_longest_access_list_is_read() -> None:
    specification = Specification(Choice.GET, 8, CLOCK, 2)
    apdu = AccessRequest(0, (specification,) * MAX_SPECIFICATIONS, (axdr.null(),) * MAX_SPECIFICATIONS)
    assert decode_apdu(apdu.encode()) == apdu


@pytest.mark.parametrize("content", [b"", b"\x01\x09", b"\x30\x02", b"\x05\x00"])
def test_other_content_is_not_taken_for_dlms(content: bytes) -> None:
    assert not is_dlms(content)
