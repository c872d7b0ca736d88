"""Documents of named values: everything a message says, and nothing else makes its octets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.document_text import MAX_DEPTH, MAX_DOCUMENT_CHARACTERS, read_document
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.named import (
    AUTO,
    HeaderDocument,
    MessageDocument,
    document_schema,
    document_to_message,
    message_to_document,
)
from smetslab.gbcs.report import report
from smetslab.gbcs.security import verify_mac, with_mac
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.pki.lookup import RingLookup
from smetslab.rng import RootSeed

BROKER, SUPPLIER = Eui64.parse("90B3D51F30000002"), Eui64.parse("90B3D51F30010000")
ESME, CHF = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A2")
RING = Authority(RootSeed(99)).keystore((ESME, CHF))
KEYS = RingLookup(RING)
READ: dict[str, object] = {
    "use_case": "ECS52",
    "kind": "command",
    "header": {
        "originator_counter": 1000,
        "business_originator_id": "90B3D51F30010000",
        "business_target_id": "00DB1234567890A0",
    },
    "parameters": {},
}


def document(**changes: object) -> MessageDocument:
    return read_document(json.dumps(READ | changes))


def header(**changes: object) -> dict[str, object]:
    held = READ["header"]
    assert isinstance(held, dict)
    return held | changes


def secret(one: Eui64, other: Eui64) -> bytes:
    peer = RING.find(other, KeyUsage.KEY_AGREEMENT).certificate.public_key
    return RING.private_key(one, KeyUsage.KEY_AGREEMENT).exchange(peer)


def bare(content: bytes = b"\x05\x00", **changes: object) -> Message:
    message = Message(
        cra=Cra.COMMAND,
        originator_counter=1000,
        business_originator_id=SUPPLIER,
        business_target_id=ESME,
        other_information=OtherInformation(message_code=0x7FFF),
        content=content,
    )
    return replace(message, **changes)  # type: ignore[arg-type]


# To a document and back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        bare(),
        bare(signature=b""),
        bare(signature=bytes(64)),
        bare(signature=b"", message_mac=bytes(12)),
        bare(signature=bytes(64), message_mac=bytes(12)),
        bare(cra=Cra.ALERT, originator_counter=2**64 - 1),
        bare(cra=Cra.RESPONSE, date_time=bytes.fromhex("07EA0101FF00000000800002")),
        bare(cra=Cra.RESPONSE, date_time=bytes.fromhex("FFFF0101FF000000FF8000FF")),
        bare(b"\xff\xfe"),
        bare(bytes.fromhex("010901010702000503010100AA")),
        bare(
            other_information=OtherInformation(
                message_code=0x7FFF,
                supplementary_remote_party_id=SUPPLIER,
                supplementary_remote_party_counter=3,
                key_agreement_certificate=bytes(20),
            )
        ),
    ],
)
def test_every_shape_of_message_comes_back(message: Message) -> None:
    text = json.dumps(message_to_document(message).model_dump(mode="json"))
    assert document_to_message(read_document(text)) == message


def test_document_of_a_declared_message_has_names_and_no_octets() -> None:
    made = document_to_message(document(kind="pre-command"))
    again = message_to_document(made)
    assert (again.use_case, again.kind, again.parameters, again.content) == ("ECS52", "pre-command", {}, None)
    assert made.content.hex().upper() not in json.dumps(again.model_dump(mode="json"))


def test_content_of_another_shape_is_kept_without_names() -> None:
    message = bare(
        bytes.fromhex("D9200003E8000000"),
        other_information=OtherInformation(message_code=USE_CASES["ECS52"].code),
    )
    made = message_to_document(message)
    assert made.use_case == "ECS52"
    assert made.parameters is None
    assert made.content == {"dlms": {"apdu": "access-request", "long_invoke_id": "200003E8", "items": []}}


def test_clock_status_is_told_beside_the_time() -> None:
    message = bare(cra=Cra.RESPONSE, date_time=bytes.fromhex("07EA0101FF00000000800002"))
    made = message_to_document(message).header
    assert isinstance(made, HeaderDocument)
    assert (made.date_time, made.clock_status) == ("2026-01-01T00:00:00Z", "02")


def test_what_decode_says_beside_the_message_makes_no_octet() -> None:
    message = with_mac(document_to_message(document(kind="pre-command")), secret(ESME, BROKER))
    decoded = json.loads(report(encode_message(message)).model_dump_json())
    decoded |= {"length": 1, "title": "another", "tree": None, "error": None, "checks": None}
    assert document_to_message(read_document(json.dumps(decoded))) == message


# Signature and MAC ------------------------------------------------------------------------------------------


def test_mac_is_made_as_the_use_case_has_it() -> None:
    made = document_to_message(document(), KEYS)
    assert made.signature == b""
    assert verify_mac(made, secret(ESME, BROKER))


def test_critical_command_is_signed_and_maced_deterministically() -> None:
    wanted = document(use_case="ECS42")
    made = document_to_message(wanted, KEYS)
    assert KEYS.ring is RING
    assert len(made.signature or b"") == 64
    assert verify_mac(made, secret(ESME, BROKER))
    assert document_to_message(wanted, KEYS) == made


def test_pre_command_is_not_protected_though_there_are_keys() -> None:
    made = document_to_message(document(use_case="ECS42", kind="pre-command"), KEYS)
    assert (made.signature, made.message_mac) == (None, None)


def test_given_signature_and_mac_are_taken_as_they_are() -> None:
    made = document_to_message(document(use_case="ECS42", signature="11" * 64, mac="22" * 12))
    assert (made.signature, made.message_mac) == (b"\x11" * 64, b"\x22" * 12)
    with_made_mac = document_to_message(document(use_case="ECS42", signature="11" * 64), KEYS)
    assert verify_mac(with_made_mac, secret(ESME, BROKER))


def test_sealed_values_are_sealed_with_the_keys() -> None:
    values = {
        "import_registers": {
            "import_register_collection": {
                "active": 10,
                "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
                "reactive": 20,
                "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
            }
        }
    }
    wanted = document(
        use_case="ECS17b",
        kind="response",
        parameters=values,
        header=header(
            business_originator_id=str(ESME),
            business_target_id=str(SUPPLIER),
            date_time="2026-01-01T00:00:00Z",
        ),
    )
    made = document_to_message(wanted, KEYS)
    own = secret(ESME, SUPPLIER)
    assert made.content == encode_content(USE_CASES["ECS17b"], made, values, own)  # type: ignore[arg-type]
    assert message_to_document(made, own).parameters == values
    with pytest.raises(GbcsEncodeError, match="shared secret"):
        document_to_message(wanted)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, "mac"),
        ({"use_case": "ECS42"}, "signature"),
        ({"use_case": "CS02b.accessControlBrokerByACB", "mac": None}, "signature, mac"),
    ],
)
def test_what_no_key_can_make_is_told(changes: dict[str, object], path: str) -> None:
    target = header(business_target_id="0011223344556677") if "CS02b" in str(changes) else READ["header"]
    if "CS02b" in str(changes):
        changes = changes | {"parameters": None, "content": {"hex": "0500"}}
    with pytest.raises(GbcsEncodeError) as refused:
        document_to_message(document(header=target, **changes))
    assert refused.value.path == path


# What does not fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"use_case": "ECS25"}, "use_case"),
        ({"use_case": None}, "use_case"),
        ({"message_code": "0x0001"}, "message_code"),
        ({"message_code": "ninety"}, "message_code"),
        ({"kind": None}, "kind"),
        ({"header": None}, "header"),
        ({"header": header(cra="alert")}, "header.cra"),
        ({"header": header(business_target_id="00")}, "header.business_target_id"),
        ({"header": header(clock_status="00")}, "header.clock_status"),
        ({"header": header(date_time="tomorrow")}, "header.date_time"),
        ({"header": header(date_time="2026-01-01T00:00:00Z", clock_status="0000")}, "header.clock_status"),
        (
            {"header": header(other_information={"message_code": "0x0001"})},
            "header.other_information.message_code",
        ),
        ({"parameters": {"nonsense": 1}}, "parameters.nonsense"),
        ({"parameters": None}, "parameters"),
        ({"parameters": {"x": 1.5}}, "parameters.x"),
        ({"content": {"hex": ""}}, "content"),
        ({"parameters": None, "content": {"odd": 1}}, "content"),
        ({"parameters": None, "content": {}}, "content"),
        ({"signature": "zz"}, "signature"),
        ({"use_case": None, "message_code": "0x7FFF"}, "use_case"),
    ],
)
def test_document_that_contradicts_itself_names_the_place(changes: dict[str, object], path: str) -> None:
    with pytest.raises(GbcsEncodeError) as refused:
        document_to_message(document(**changes), KEYS)
    assert refused.value.path == path


def test_misspelt_use_case_is_helped() -> None:
    with pytest.raises(GbcsEncodeError, match="ECS17b"):
        document_to_message(document(use_case="ECS17B"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "nothing to encode"),
        ("{", "no JSON"),
        ('"x"', "neither JSON nor TOML"),
        ('{"kind": "command", "kind": "alert"}', "stands there twice"),
        ('{"kind": "order"}', "kind"),
        ('{"knd": "alert"}', "knd"),
        ('{"header": {"originator_counter": "5"}}', "header.originator_counter"),
        ('{"header": {"originator_counter": -5}}', "header.originator_counter"),
        ('{"parameters": {"x": NaN}}', "NaN"),
        ('{"parameters": {"x": ' + "9" * 5000 + "}}", "no JSON"),
        ('{"parameters": ' + "[" * 50_000 + "]" * 50_000 + "}", "nested too deeply"),
        ('{"parameters": ' + '{"x":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 2), "nested too deeply"),
        ("kind = ", "neither JSON nor TOML"),
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ('{"schema_version": 2}', "schema_version"),
        ('{"header": null, "error": {"what": "truncated"}}', "there is no message in it"),
    ],
)
def test_text_that_is_no_document_names_its_fault(text: str, what: str) -> None:
    with pytest.raises(GbcsEncodeError) as refused:
        read_document(text)
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


def test_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(GbcsEncodeError, match="too long"):
        read_document(" " * (MAX_DOCUMENT_CHARACTERS + 1))


def test_toml_says_the_same_as_json() -> None:
    text = """
        use_case = "ECS70"
        kind = "pre-command"
        [header]
        originator_counter = 1000
        business_originator_id = "90B3D51F30010000"
        business_target_id = "00DB1234567890A0"
        [parameters.validity_interval]
        validity_interval_start = 2030-01-15T09:00:00Z
        validity_interval_end = "2030-01-15T09:00:10Z"
    """
    values = {
        "validity_interval": {
            "validity_interval_start": "2030-01-15T09:00:00Z",
            "validity_interval_end": "2030-01-15T09:00:10Z",
        }
    }
    assert read_document(text) == document(use_case="ECS70", kind="pre-command", parameters=values)


def test_published_schema_names_every_field() -> None:
    schema = document_schema()
    assert set(schema["properties"]) == set(MessageDocument.model_fields)  # type: ignore[arg-type]
    assert schema["additionalProperties"] is False


def test_auto_is_no_hex() -> None:
    with pytest.raises(ValueError, match="non-hexadecimal"):
        bytes.fromhex(AUTO)
