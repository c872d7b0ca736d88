"""Content as JSON without a declaration: every encoding, every type, octet for octet."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import CodecError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataNotification,
    Obis,
    Specification,
)
from smetslab.gbcs.dlms.axdr import (
    ArrayDescription,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DontCare,
    Number,
    Octets,
    StructureDescription,
    Tag,
)
from smetslab.gbcs.generic import content_from_generic, content_to_generic
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64

HEADER = Message(
    cra=Cra.RESPONSE,
    originator_counter=1000,
    business_originator_id=Eui64(b"\x22" * 8),
    business_target_id=Eui64(b"\x11" * 8),
    other_information=OtherInformation(message_code=0x7FFF),
    content=b"",
)


def form_of(content: bytes, cra: Cra = Cra.RESPONSE) -> dict[str, Value]:
    """The form, after a way through text that has to give the octets back."""
    message = replace(HEADER, content=content, cra=cra)
    form = content_to_generic(message)
    assert content_from_generic(json.loads(json.dumps(form)), replace(message, content=b"")) == content
    return form


EVERY_TYPE: tuple[Data, ...] = (
    axdr.null(),
    DontCare(),
    Boolean(0),
    Boolean(0xFF),
    Boolean(7),
    *[Number(tag, 5) for tag in axdr.NUMBER_FORMS],
    Number(Tag.LONG64, -(2**63)),
    BitString(5, b"\xa8"),
    BitString(0, b""),
    axdr.octet_string(b"\x00\xff"),
    axdr.visible_string("ABC"),
    Octets(Tag.UTF8_STRING, "é".encode()),
    Octets(Tag.VISIBLE_STRING, b"\xff"),
    Octets(Tag.FLOAT32, bytes(4)),
    Octets(Tag.DATE_TIME, bytes(12)),
    axdr.array(axdr.unsigned(1), axdr.structure()),
    CompactArray(
        StructureDescription((Tag.UNSIGNED, ArrayDescription(2, Tag.LONG_UNSIGNED))),
        (axdr.structure(axdr.unsigned(1), axdr.array(axdr.long_unsigned(2), axdr.long_unsigned(3))),),
    ),
)


@pytest.mark.parametrize("data", EVERY_TYPE, ids=lambda data: data.tag.name)
def test_every_type_of_data(data: Data) -> None:
    form = form_of(DataNotification(0x200003E8, data).encode())
    assert isinstance(form["dlms"], dict)
    assert set(form["dlms"]) == {"apdu", "long_invoke_id", "body"}


def test_requests_and_responses_with_everything_they_can_have() -> None:
    clock = Obis.parse("0-0:1.0.0.255")
    request = AccessRequest(
        0x200003E8,
        (
            Specification(Choice.GET, 8, clock, 2),
            Specification(Choice.GET_WITH_SELECTION, 7, clock, 2, 1, axdr.null()),
        ),
        (axdr.null(), axdr.null()),
        bytes(12),
    )
    response = AccessResponse(
        7,
        (axdr.unsigned(1), axdr.null()),
        (AccessResult(Choice.GET, 0), AccessResult(Choice.SET, 99)),
        (Specification(Choice.ACTION, 8, clock, 4),),
    )
    assert set(form_of(request.encode(), Cra.COMMAND)) == {"dlms"}
    assert set(form_of(response.encode())) == {"dlms"}


def test_gbz_components_and_alerts() -> None:
    components = bytes.fromhex("010902 00 0705 0005 01 00 99 1234 03 0702 001F 0000 01 00 07 0018")
    components += bytes.fromhex("3100000000") + bytes(19)
    assert set(form_of(components)) == {"gbz"}
    assert form_of(bytes.fromhex("010901 8F66 1C374A80 0E 00"), Cra.ALERT) == {
        "gbz": {"component_count": 1, "alert_code": "8F66", "time_stamp": 473385600, "extra": "0E00"}
    }


def test_asn1_elements_in_any_form_of_length() -> None:
    assert form_of(bytes.fromhex("3003020105")) == {
        "asn1": [{"tag": "30", "elements": [{"tag": "02", "hex": "05"}]}]
    }
    assert form_of(bytes.fromhex("30820003020105")) == {
        "asn1": [{"tag": "30", "length_octets": 3, "elements": [{"tag": "02", "hex": "05"}]}]
    }


@pytest.mark.parametrize("content", ["", "FF", "30", "3080", "D9", "010902", "1F8101"])
def test_what_cannot_be_followed_is_kept_in_hex(content: str) -> None:
    assert form_of(bytes.fromhex(content)) in ({"hex": content}, {"asn1": []})


@given(st.binary(max_size=60), st.sampled_from(Cra))
def test_any_octets_come_back(content: bytes, cra: Cra) -> None:
    form_of(content, cra)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 300) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["dlms", "gbz", "asn1", "hex", "other"]), JSON)
def test_any_json_makes_content_or_an_error_with_its_place(kind: str, value: Value) -> None:
    try:
        content = content_from_generic({kind: value}, HEADER)
    except CodecError as error:
        assert isinstance(error, GbcsEncodeError)
        assert error.path
    else:
        assert isinstance(content, bytes)
