"""The JSON of one message: complete, plain, and of the published schema."""

from __future__ import annotations

import json
from dataclasses import replace

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.report import ChecksView, DecodedMessage, decode_schema, report
from smetslab.gbcs.security import with_mac
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.ids import Eui64

USER, DEVICE, PARTY = (Eui64(bytes((n,)) * 8) for n in (0x11, 0x22, 0x33))
SECRET = bytes(range(32))
IMPORT = USE_CASES["ECS17b"]
REGISTERS = {
    "import_registers": {
        "import_register_collection": {
            "active": 10,
            "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
            "reactive": 20,
            "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
        }
    }
}
HEADER = Message(
    cra=Cra.RESPONSE,
    originator_counter=1000,
    business_originator_id=DEVICE,
    business_target_id=USER,
    date_time=bytes.fromhex("07EA0101FF000000008000FF"),
    other_information=OtherInformation(message_code=IMPORT.code),
    content=b"",
)
CONTENT = encode_content(IMPORT, HEADER, REGISTERS, SECRET)  # type: ignore[arg-type]
MESSAGE = with_mac(replace(HEADER, content=CONTENT), SECRET)


def test_message_as_plain_values() -> None:
    made = report(
        encode_message(MESSAGE),
        secret_for=lambda device, party: SECRET,
        checks=ChecksView(mac="verified", signature="absent"),
    )
    plain = json.loads(made.model_dump_json(exclude={"tree"}))
    assert plain == {
        "schema_version": 1,
        "length": len(encode_message(MESSAGE)),
        "message_code": "0x0027",
        "use_case": "ECS17b",
        "title": IMPORT.title,
        "kind": "response",
        "header": {
            "cra": "response",
            "originator_counter": 1000,
            "business_originator_id": "22" * 8,
            "business_target_id": "11" * 8,
            "date_time": "2026-01-01T00:00:00Z",
            "clock_status": None,
            "other_information": {
                "message_code": "0x0027",
                "supplementary_remote_party_id": None,
                "supplementary_remote_party_counter": None,
                "supplementary_originator_counter": None,
                "key_agreement_certificate": None,
            },
        },
        "content": None,
        "parameters": REGISTERS,
        "signature": "",
        "mac": (MESSAGE.message_mac or b"").hex().upper(),
        "checks": {"mac": "verified", "signature": "absent"},
        "error": None,
    }


def test_leaves_of_the_tree_hold_all_octets() -> None:
    def leaves(node: dict[str, object]) -> str:
        children = [child for child in node["children"] if not child["derived"]]  # type: ignore[attr-defined]
        return "".join(map(leaves, children)) if children else str(node["hex"])

    tree = json.loads(report(encode_message(MESSAGE)).model_dump_json())["tree"]
    assert leaves(tree) == encode_message(MESSAGE).hex().upper()
    assert tree["hex"] is None


def test_sealed_parameters_stay_sealed_without_the_right_secret() -> None:
    for secret_for in (None, lambda device, party: bytes(32)):
        made = report(encode_message(MESSAGE), secret_for=secret_for)
        assert made.parameters is not None
        assert list(made.parameters["import_registers"]) == ["protected"]  # type: ignore[arg-type]
        assert made.error is None


def test_supplementary_fields() -> None:
    other = OtherInformation(
        message_code=IMPORT.code,
        supplementary_remote_party_id=PARTY,
        supplementary_remote_party_counter=7,
        key_agreement_certificate=bytes(9),
    )
    made = report(encode_message(replace(HEADER, other_information=other, signature=bytes(64))))
    assert made.header is not None
    view = made.header.other_information
    assert (view.supplementary_remote_party_id, view.supplementary_remote_party_counter) == ("33" * 8, 7)
    assert view.key_agreement_certificate == "00" * 9
    assert made.signature == "00" * 64


def test_undeclared_message_has_no_parameters() -> None:
    plain = replace(
        HEADER, other_information=OtherInformation(message_code=0x7FFF), content=bytes.fromhex("0109")
    )
    made = report(encode_message(plain))
    assert (made.use_case, made.title, made.parameters, made.message_code) == (None, None, None, "0x7FFF")
    assert made.content == {"hex": "0109"}


def test_octets_that_are_no_message_have_an_error() -> None:
    made = report(b"\xdf\x09\x07")
    assert made.error is not None
    assert made.error.model_dump() == {
        "what": "unknown CRA flag",
        "offset": 2,
        "path": "grouping header.CRA flag",
        "expected": "01 command, 02 response or 03 alert",
        "found": "07",
        "spec": "GBCS 7.2.7",
    }
    assert (made.header, made.kind, made.content, made.mac) == (None, None, None, None)


def test_content_of_another_shape_keeps_its_header() -> None:
    made = report(encode_message(replace(MESSAGE, content=bytes.fromhex("DA200003E8000000"))))
    assert made.error is not None
    assert made.header is not None
    assert made.parameters is None


def test_published_schema_names_every_field() -> None:
    schema = decode_schema()
    assert set(schema["properties"]) == set(DecodedMessage.model_fields)  # type: ignore[arg-type]
    assert schema["additionalProperties"] is False
    assert sorted(schema["required"]) == sorted(DecodedMessage.model_fields)  # type: ignore[type-var]
