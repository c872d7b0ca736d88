"""GBZ content by name without a use case: what each component says, and that it can be written again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError, GbcsEncodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbz.components import COMPONENTS, sealed_octets
from smetslab.gbcs.gbz.generic import decode_generic, encode_generic
from smetslab.gbcs.gbz.payload import decode_components
from smetslab.gbcs.message import Message, OtherInformation, content_offset
from smetslab.ids import Eui64

SECRET = bytes(range(32))


def message(content: str | bytes = b"", cra: Cra = Cra.RESPONSE) -> Message:
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=Eui64(bytes.fromhex("00DB1234567890A1")),
        business_target_id=Eui64(bytes.fromhex("90B3D51F30010000")),
        other_information=OtherInformation(message_code=0x7FFF),
        content=bytes.fromhex(content) if isinstance(content, str) else content,
    )


def only(octets: str) -> Any:
    """The one component of a content, after a round trip through JSON."""
    parameters = json.loads(json.dumps(decode_generic(message(octets))))
    assert encode_generic(message(), parameters) == bytes.fromhex(octets)
    (component,) = parameters[COMPONENTS]
    return component


@pytest.mark.parametrize(
    ("octets", "component"),
    [
        (
            "010901 01 0702 0007 000000 02031234",
            {
                "cluster": "metering",
                "command": "read_attributes",
                "attributes": ["divisor", "unknown_0x3412"],
            },
        ),
        (
            "010901 01 0705 0005 08000B 0300",
            {
                "cluster": "prepayment",
                "command": "default_response",
                "of": "emergency_credit_setup",
                "status": "success",
            },
        ),
        (
            "010901 01 0705 0005 08000B FF01",
            {
                "cluster": "prepayment",
                "command": "default_response",
                "of": "not_executed",
                "status": "failure",
            },
        ),
        (
            "010901 01 0705 0005 08000B 7777",
            {
                "cluster": "prepayment",
                "command": "default_response",
                "of": "unknown_0x77",
                "status": 0x77,
            },
        ),
        (
            "010901 01 0705 0005 00000B 0600",
            {
                "cluster": "prepayment",
                "command": "default_response",
                "header": {"server_to_client": False},
                "of": "publish_debt_log",
                "status": "success",
            },
        ),
        (
            "010901 11 0705 000C 1C0E6C00 010408 FEFFFFFF05",
            {
                "cluster": "prepayment",
                "command": "get_top_up_log",
                "header": {"sequence": 4},
                "from_date_time": "2014-12-01T00:00:00Z",
                "latest_end_time": "2136-02-07T06:28:14Z",
                "number_of_records": 5,
            },
        ),
        (
            "010901 01 0705 0005 01007E AABB",
            {"cluster": "prepayment", "command": "unknown_0x7E", "payload": "AABB"},
        ),
        (
            "010901 01 0705 0003 08000A",
            {
                "cluster": "prepayment",
                "command": "unknown_0x0A",
                "header": {"server_to_client": True, "cluster_specific": False},
                "payload": "",
            },
        ),
        (
            "010901 01 FC00 0006 FD3412 0007 01",
            {
                "cluster": "unknown_0xFC00",
                "command": "unknown_0x07",
                "header": {
                    "disable_default_response": True,
                    "reserved": 7,
                    "server_to_client": True,
                    "manufacturer_code": 0x1234,
                },
                "payload": "01",
            },
        ),
    ],
)
def test_a_component_by_name(octets: str, component: Any) -> None:
    assert only(octets) == component


def test_results_of_a_read() -> None:
    results = (
        "0003 00 30 01"  # unit_of_measure, as declared
        "0103 C0"  # multiplier, failed
        "0203 77"  # divisor, a status without a name
        "0000 00 20 05"  # current_summation_delivered, of another type
        "3412 00 42 02 6869"  # not declared
        "3512 00 77 0102"  # of a type that is not known: takes the rest
    )
    octets = bytes.fromhex(results)
    header = f"010901 01 0702 {len(octets) + 3:04X} 080001".replace(" ", "")
    assert only(header + octets.hex())["attributes"] == {
        "unit_of_measure": "m3",
        "multiplier": {"status": "hardware_failure"},
        "divisor": {"status": 0x77},
        "current_summation_delivered": {"type": "uint8", "value": 5},
        "unknown_0x1234": {"type": "character string", "value": "hi"},
        "unknown_0x1235": {"type": "unknown_0x77", "value": "0102"},
    }


def test_an_attribute_answered_twice_cannot_be_named() -> None:
    with pytest.raises(GbcsDecodeError, match="answered twice") as caught:
        decode_generic(message("010901 01 0702 0009 080001 0003C0 0003C0"))
    assert caught.value.offset == content_offset(message()) + 14


SNAPSHOT = {
    "cluster": "metering",
    "command": "start_sampling_response",
    "header": {"encrypted": True},
    "sample_id": 5,
}
READ = {
    "cluster": "metering",
    "command": "read_attributes_response",
    "header": {"encrypted": True},
    "attributes": {"multiplier": 1},
}


def test_encrypted_components_open_and_seal_again() -> None:
    header = message()
    content = encode_generic(header, {COMPONENTS: [SNAPSHOT, READ]}, SECRET)
    opened = decode_generic(message(content), SECRET)
    assert [item.get("sample_id") or item["attributes"] for item in opened[COMPONENTS]] == [
        5,
        {"multiplier": 1},
    ]
    assert encode_generic(header, opened, SECRET) == content
    sealed = decode_generic(message(content))
    octets = sealed_octets(decode_components(content))
    assert [item["sealed"] for item in sealed[COMPONENTS]] == [one.hex().upper() for one in octets]
    assert encode_generic(header, sealed) == content
    assert b"\x31\x00\x00\x00\x00" in content
    with pytest.raises(SecurityError):
        decode_generic(message(content), bytes(32))
    with pytest.raises(GbcsEncodeError, match="shared secret"):
        encode_generic(header, opened)


def test_errors_in_sealed_payloads_point_into_the_ciphertext() -> None:
    """The cipher keeps the place of every octet."""
    bad = {
        "cluster": "metering",
        "command": "unknown_0x7E",
        "header": {"encrypted": True},
        "payload": "0203C00103",
    }
    content = bytearray(encode_generic(message(), {COMPONENTS: [bad]}, SECRET))
    content[10], content[12] = 0x08, 0x01  # a Read Attributes Response instead
    with pytest.raises(GbcsDecodeError) as caught:
        decode_generic(message(bytes(content)), SECRET)
    assert caught.value.offset == content_offset(message()) + 15 + 5 + 3


@pytest.mark.parametrize(
    ("component", "path"),
    [
        (5, "components[0]"),
        ({"cluster": "gas", "command": "read_attributes"}, "components[0]"),
        ({"cluster": "price", "command": "guess"}, "components[0]"),
        ({"cluster": "price", "command": "read_attributes"}, "components[0].attributes"),
        ({"cluster": "price", "command": "read_attributes", "attributes": ["x"]}, "components[0]"),
        (
            {"cluster": "price", "command": "read_attributes", "attributes": "currency"},
            "components[0].attributes",
        ),
        ({**READ, "header": {"sequence": 256}}, "components[0].header.sequence"),
        ({**READ, "header": {"encrypted": 1}}, "components[0].header.encrypted"),
        ({**READ, "header": {"frame_counter": 0}}, "components[0].header.frame_counter"),
        ({**READ, "header": {"colour": 0}}, "components[0].header.colour"),
        ({**READ, "header": []}, "components[0].header"),
        ({**READ, "header": {"manufacturer_code": 1}}, "components[0].header"),
        ({**SNAPSHOT, "header": {"server_to_client": False}}, "components[0].header.server_to_client"),
        ({**SNAPSHOT, "sealed": "00"}, "components[0].sealed"),
        ({**SNAPSHOT, "header": {}, "sample_id": 65536}, "components[0].sample_id"),
        (
            {**READ, "header": {}, "attributes": {"multiplier": {"status": "success"}}},
            "components[0].multiplier.status",
        ),
        ({**READ, "header": {}, "attributes": {"multiplier": "x"}}, "components[0].multiplier"),
        ({**READ, "header": {}, "from_date_time": "x"}, "components[0].from_date_time"),
        ({"cluster": "price", "command": "default_response", "status": "success"}, "components[0].of"),
        (
            {"cluster": "price", "command": "default_response", "of": "guess", "status": "success"},
            "components[0]",
        ),
    ],
)
def test_what_is_no_component_is_refused(component: Any, path: str) -> None:
    with pytest.raises(GbcsEncodeError) as caught:
        encode_generic(message(), {COMPONENTS: [component]}, SECRET)
    assert caught.value.path == path


def test_components_are_all_there_is() -> None:
    for parameters in ({}, {COMPONENTS: [], "more": 1}, {COMPONENTS: 5}):
        with pytest.raises(GbcsEncodeError):
            encode_generic(message(), parameters)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0x0000, 0x0700, 0x0702, 0x0705, 0x0707, 0xFC00]),
            st.binary(min_size=3, max_size=30),
        ),
        max_size=3,
    )
)
def test_any_components_come_back(parts: list[tuple[int, bytes]]) -> None:
    body = b"".join(
        bytes((place == len(parts) - 1,)) + cluster.to_bytes(2, "big") + len(frame).to_bytes(2, "big") + frame
        for place, (cluster, frame) in enumerate(parts)
    )
    content = b"\x01\x09" + bytes((len(parts),)) + body
    try:
        parameters = decode_generic(message(content))
    except GbcsDecodeError as error:
        assert error.offset is not None
        return
    assert encode_generic(message(), json.loads(json.dumps(parameters))) == content
