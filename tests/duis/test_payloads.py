"""GBCS messages in DUIS documents, whole and damaged."""

from __future__ import annotations

from base64 import b64encode

import pytest

from smetslab.duis.payloads import find_payloads, is_xml

MESSAGE = bytes.fromhex("DF0901")
NAMESPACE = "http://www.dccinterface.co.uk/ServiceUserGateway"
LIMIT = 10_000


def document(*payloads: str) -> bytes:
    inner = "".join(
        f"<sr:PreCommand><sr:GBCSPayload>{one}</sr:GBCSPayload></sr:PreCommand>" for one in payloads
    )
    return f'<?xml version="1.0"?><sr:Response xmlns:sr="{NAMESPACE}">{inner}</sr:Response>'.encode()


def encoded(octets: bytes = MESSAGE) -> str:
    return b64encode(octets).decode()


def test_payloads_are_found_with_their_places() -> None:
    found = find_payloads(document(encoded(), encoded(b"\xdd\x00")), limit=LIMIT)
    assert found.fault is None
    assert [one.octets for one in found.payloads] == [MESSAGE, b"\xdd\x00"]
    assert {one.path for one in found.payloads} == {"Response/PreCommand/GBCSPayload"}
    assert {one.fault for one in found.payloads} == {""}


def test_white_space_in_base64_is_no_fault() -> None:
    text = "\n".join(encoded())
    assert [one.octets for one in find_payloads(document(text), limit=LIMIT).payloads] == [MESSAGE]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("3wk!", "'!' at character 4 is no base64 character"),
        ("3wkB3", "5 characters are no whole base64 text"),
        ("", ""),
    ],
)
def test_damaged_base64_is_told_and_read_as_far_as_it_goes(text: str, fault: str) -> None:
    (payload,) = find_payloads(document(text), limit=LIMIT).payloads
    assert fault in payload.fault
    assert MESSAGE.startswith(payload.octets[:2])


def test_payload_of_a_document_that_is_no_xml_is_found_all_the_same() -> None:
    broken = document(encoded()).replace(b"</sr:Response>", b"")
    found = find_payloads(broken, limit=LIMIT)
    assert found.fault is not None
    assert "not well-formed" in str(found.fault)
    assert [one.octets for one in found.payloads] == [MESSAGE]


def test_document_without_messages_has_none() -> None:
    assert find_payloads(document(), limit=LIMIT).payloads == ()


def test_bounds_of_a_document_are_kept() -> None:
    found = find_payloads(document(encoded()), limit=40)
    assert found.fault is not None
    assert found.payloads == ()


@pytest.mark.parametrize(
    ("given", "expected"), [(b" \n<a/>", True), (b"\xef\xbb\xbf<a/>", True), (b"DF09", False), (b"", False)]
)
def test_xml_is_told_by_its_first_character(given: bytes, expected: bool) -> None:
    assert is_xml(given) is expected
