"""Trees: names, places, octets and texts; what could be understood of a broken message is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import Node, content_kind, describe, kind_of_message, title_of
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
from smetslab.gbcs.message import MAX_MESSAGE_BYTES, Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import EncryptionContext, with_mac
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.ids import Eui64

USER, DEVICE, PARTY = (Eui64(bytes((n,)) * 8) for n in (0x11, 0x22, 0x33))
SECRET = bytes(range(32))
FIRMWARE = USE_CASES["ECS52"]
IMPORT = USE_CASES["ECS17b"]
UNDECLARED = 0x7FFF


def message(code: int, cra: Cra = Cra.COMMAND, content: bytes = b"") -> Message:
    down = cra is Cra.COMMAND
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=USER if down else DEVICE,
        business_target_id=DEVICE if down else USER,
        other_information=OtherInformation(message_code=code),
        content=content,
    )


def octets(header: Message) -> bytes:
    return encode_message(with_mac(header, SECRET))


def firmware_response(version: str = "0123ABCD") -> bytes:
    header = message(FIRMWARE.code, Cra.RESPONSE)
    return octets(replace(header, content=encode_content(FIRMWARE, header, {"firmware_version": version})))


def import_response(registers: dict[str, object]) -> bytes:
    header = message(IMPORT.code, Cra.RESPONSE)
    values = {"import_registers": {"import_register_collection": registers}}
    return octets(replace(header, content=encode_content(IMPORT, header, values, SECRET)))  # type: ignore[arg-type]


REGISTERS = {
    "active": 10,
    "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
    "reactive": 20,
    "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
}


def at(root: Node, *names: str) -> Node:
    """The node below `root` that these names lead to."""
    for name in names:
        (root,) = [child for child in root.children if child.name == name]
    return root


def lines(node: Node, depth: int = 0) -> list[str]:
    own = f"{node.offset} {'  ' * depth}{node.name}: {node.text}"
    return [own, *(line for child in node.children for line in lines(child, depth + 1))]


def assert_covers(node: Node) -> None:
    """Children follow each other without a gap and cover their parent; derived ones start anew."""
    parts = [child for child in node.children if not child.derived]
    if parts:
        assert b"".join(child.raw for child in parts) == node.raw
        place = node.offset
        for child in parts:
            assert child.offset == place
            place += child.length
    for child in node.children:
        assert not child.derived or child.offset == 0
        assert_covers(child)


def test_whole_message_is_shown_field_by_field() -> None:
    root = describe(firmware_response())
    assert root.error is None
    assert_covers(root)
    assert lines(root) == [
        f"0 ECS52 response: {FIRMWARE.title}, 2222222222222222 to 1111111111111111, counter 1000",
        "0   MAC header: ",
        "0     tag: general-ciphering",
        "1     empty fields: transaction id to key info, all empty",
        "7     ciphered service length: 69",
        "8     security header: suite 1, authentication only",
        "13   grouping header: ",
        "13     tag: general-signing",
        "14     transaction id length: 9",
        "15     CRA flag: response",
        "16     originator counter: 1000",
        "24     originator length: 8",
        "25     business originator id: 2222222222222222",
        "33     recipient length: 8",
        "34     business target id: 1111111111111111",
        "42     date-time length: 0",
        "43     other information length: 2",
        "44     other information: ",
        "44       message code: 0x0059 ECS52",
        "46   content length: 17",
        "47   content: access-response",
        "47     tag: access-response",
        "48     long-invoke-id-and-priority: break on error, low 24 bits of the counter 1000",
        "52     date-time length: ",
        "53     access list: ",
        "53       count: 0",
        "54     data list: ",
        "54       count: 1",
        "55       firmware_version: 0123ABCD",
        "61     result list: ",
        "61       count: 1",
        "62       firmware_version: success",
        "62         choice: get",
        "63         result: success",
        "64   signature length: 0",
        "65   MAC: GMAC, 96 bits",
    ]


def test_supplementary_fields_are_shown() -> None:
    other = OtherInformation(
        message_code=FIRMWARE.code,
        supplementary_remote_party_id=PARTY,
        supplementary_remote_party_counter=7,
        key_agreement_certificate=bytes(300),
    )
    header = replace(
        message(FIRMWARE.code), other_information=other, date_time=bytes(9) + bytes.fromhex("8000FF")
    )
    root = describe(octets(header))
    assert_covers(root)
    group = at(root, "grouping header", "other information")
    assert [(node.name, node.text) for node in group.children] == [
        ("message code", "0x0059 ECS52"),
        ("supplementary remote party id", "33" * 8),
        ("supplementary remote party counter", "7"),
        ("key agreement certificate", "X.509 in DER"),
    ]
    assert at(root, "grouping header", "date-time").text == "immediate"
    assert at(root, "grouping header", "other information length").raw == bytes.fromhex("82013E")
    counter = replace(other, key_agreement_certificate=None, supplementary_originator_counter=9)
    again = describe(octets(replace(header, other_information=counter)))
    assert at(again, "grouping header", "other information", "supplementary originator counter").text == "9"


def test_protected_content_is_opened_where_the_secret_is_at_hand() -> None:
    asked: list[tuple[Eui64, Eui64]] = []

    def secret_for(device: Eui64, party: Eui64) -> bytes:
        asked.append((device, party))
        return SECRET

    root = describe(import_response(REGISTERS), secret_for=secret_for)
    assert_covers(root)
    assert asked == [(DEVICE, USER)]
    sealed = at(root, "content", "data list", "import_registers", "protected")
    plaintext = at(sealed, "plaintext")
    assert plaintext.derived
    assert lines(plaintext) == [
        "0 plaintext: structure of 1",
        "0   type and count: structure of 1",
        "2   import_register_collection: structure of 4",
        "2     type and count: structure of 4",
        "4     active: 10 Wh",
        "9     active_scaler_unit: structure of 2",
        "9       type and count: structure of 2",
        "11       scaler: 0",
        "13       unit: Wh",
        "15     reactive: 20 varh",
        "20     reactive_scaler_unit: structure of 2",
        "20       type and count: structure of 2",
        "22       scaler: 0",
        "24       unit: varh",
    ]
    opened = EncryptionContext.of(decode_message(import_response(REGISTERS))).decrypt(
        SECRET, b"".join(node.raw for node in sealed.children[1:4])
    )
    assert plaintext.raw == opened


@pytest.mark.parametrize(
    ("secret", "text"),
    [(None, "no key at hand"), (bytes(32), "the key at hand does not open it")],
)
def test_sealed_content_says_why_it_stays_sealed(secret: bytes | None, text: str) -> None:
    root = describe(import_response(REGISTERS), secret_for=lambda device, party: secret)
    assert root.error is None
    sealed = at(root, "content", "data list", "import_registers", "protected")
    assert at(sealed, "ciphertext").text == f"sealed for {USER}: {text}"
    assert not any(node.derived for node in root.walk())


def test_plaintext_of_another_shape_is_an_error_of_the_message() -> None:
    header = message(IMPORT.code, Cra.RESPONSE)
    good = decode_message(import_response(REGISTERS))
    context = EncryptionContext.of(header)
    sealed = context.encrypt(SECRET, bytes.fromhex("0201 0201 0600000001"))
    content = good.content[: good.content.index(bytes.fromhex("3100000000")) - 1]
    content += bytes((len(sealed),)) + sealed + good.content[-3:]
    root = describe(octets(replace(header, content=content)), secret_for=lambda device, party: SECRET)
    assert root.error is not None
    assert root.error.path == "import_registers.import_register_collection"
    assert at(root, "content").error is root.error
    assert_covers(root)


def test_undeclared_request_is_named_by_object_and_attribute() -> None:
    specification = Specification(Choice.SET, 8, Obis.parse("0-0:1.0.0"), 9)
    content = AccessRequest(0x200003E8, (specification,), (axdr.enum(5),)).encode()
    root = describe(encode_message(message(UNDECLARED, content=content)))
    assert root.error is None
    assert (root.name, root.text) == (
        "0x7FFF pre-command",
        "1111111111111111 to 2222222222222222, counter 1000",
    )
    assert at(root, "content", "data list", "set class 8 0-0:1.0.0.255 attribute 9").text == "5 (enum)"
    assert_covers(root)


def test_undeclared_alert_shows_types_texts_and_dates() -> None:
    date = bytes.fromhex("07EA0101FF000000008000FF")
    body = axdr.structure(
        axdr.long_unsigned(0x8F12),
        axdr.octet_string(date),
        axdr.octet_string(b"text"),
        axdr.octet_string(b"\xff"),
        axdr.utf8_string("{}"),
        axdr.boolean(True),
        axdr.BitString(3, b"\xa0"),
        axdr.null(),
        axdr.array(axdr.integer(-1)),
    )
    root = describe(
        encode_message(message(UNDECLARED, Cra.ALERT, DataNotification(0x200003E8, body).encode()))
    )
    items = at(root, "content", "notification body").children
    assert [node.text for node in items] == [
        "structure of 9",
        "36626 (long-unsigned)",
        "2026-01-01T00:00:00Z (octet-string of 12)",
        '"text" (octet-string of 4)',
        "octet-string of 1",
        '"{}" (utf8-string)',
        "true (boolean)",
        "101 (bit-string)",
        "null-data",
        "array of 1",
    ]
    assert_covers(root)


def test_compact_array_is_shown_with_its_description() -> None:
    element = axdr.structure(axdr.double_long_unsigned(1), axdr.array(axdr.unsigned(2), axdr.unsigned(3)))
    log = axdr.compact_array(axdr.describe_type(element), (element, element))
    response = AccessResponse(0x200003E8, (log,), (AccessResult(Choice.GET, 0),)).encode()
    root = describe(encode_message(message(UNDECLARED, Cra.RESPONSE, response)))
    assert_covers(root)
    value = at(root, "content", "data list", "[0]")
    assert at(value, "type description").text == "{double-long-unsigned, array of 2 unsigned}"
    assert [(n.name, n.raw.hex()) for n in at(value, "[1]").leaves()] == [
        ("[0]", "00000001"),
        ("[0]", "02"),
        ("[1]", "03"),
    ]


def test_member_without_octets_is_shown_where_it_would_stand() -> None:
    element = axdr.structure(axdr.unsigned(1), axdr.structure(), axdr.unsigned(2))
    log = axdr.compact_array(axdr.describe_type(element), (element,))
    response = AccessResponse(0x200003E8, (log,), (AccessResult(Choice.GET, 0),)).encode()
    root = describe(encode_message(message(UNDECLARED, Cra.RESPONSE, response)))
    assert_covers(root)
    first, empty, last = at(root, "content", "data list", "[0]", "[0]").children
    assert (empty.length, empty.offset, last.offset) == (0, first.offset + 1, first.offset + 1)


def test_results_are_shown_in_words_or_numbers() -> None:
    results = (AccessResult(Choice.GET, 0), AccessResult(Choice.SET, 250), AccessResult(Choice.ACTION, 99))
    response = AccessResponse(0x000003E8, (axdr.null(),) * 3, results).encode()
    root = describe(encode_message(message(UNDECLARED, Cra.RESPONSE, response)))
    shown = [node.text for node in at(root, "content", "result list").children[1:]]
    assert shown == ["success", "other-reason", "result 99"]
    assert at(root, "content", "long-invoke-id-and-priority").text.startswith("priority octet 00")


def test_selection_and_date_time_are_shown() -> None:
    period = axdr.structure(axdr.double_long_unsigned(1))
    specification = Specification(Choice.GET_WITH_SELECTION, 7, Obis.parse("0-0:99.98.0"), 2, 1, period)
    content = AccessRequest(0x200003E8, (specification,), (axdr.null(),), bytes(12)).encode()
    root = describe(encode_message(message(UNDECLARED, content=content)))
    assert_covers(root)
    item = at(root, "content", "access list", str(specification))
    assert [node.name for node in item.children] == [
        "choice", "class", "logical name", "attribute", "selector", "selection",
    ]  # fmt: skip
    assert at(root, "content", "date-time").length == 12


def test_sealed_octets_of_an_undeclared_message_are_recognised() -> None:
    known = decode_message(import_response(REGISTERS))
    other = replace(known, other_information=OtherInformation(message_code=UNDECLARED))
    root = describe(encode_message(with_mac(other, SECRET)), secret_for=lambda device, party: SECRET)
    assert_covers(root)
    value = at(root, "content", "data list", "[0]")
    assert [node.name for node in value.children] == ["type and count", "protection_parameters", "protected"]
    assert at(value, "protected", "plaintext", "[0]", "[0]").text == "10 (double-long-unsigned)"


def test_protected_octets_that_are_cut_short_are_shown_as_they_are() -> None:
    known = decode_message(import_response(REGISTERS))
    place = known.content.index(bytes.fromhex("3100000000"))
    content = known.content[: place - 1] + b"\x06" + known.content[place : place + 6] + known.content[-3:]
    root = describe(encode_message(replace(known, content=content)), secret_for=lambda device, party: SECRET)
    assert_covers(root)
    assert root.error is None or "protect" in str(root.error)
    assert (
        at(root, "content", "data list", "import_registers", "protected", "octets").text
        == "not protected content"
    )


def test_content_of_no_declared_use_case_is_followed_as_far_as_its_encoding_tells() -> None:
    for content, kind, text in (
        (bytes.fromhex("010900"), "GBZ", "GBZ content"),
        (bytes.fromhex("010901"), "GBZ", "GBZ content, opaque: it cannot be followed"),
        (b"\x05\x00", "ASN.1", "ASN.1 content"),
        (b"\x30\x05\x00", "ASN.1", "ASN.1 content, opaque: it cannot be followed"),
    ):
        root = describe(encode_message(message(UNDECLARED, content=content)))
        assert root.error is None
        assert at(root, "content").text == text
        assert content_kind(content) == kind
        assert_covers(root)
    empty = at(describe(encode_message(message(UNDECLARED))), "content")
    assert (empty.text, empty.length) == ("none", 0)


def test_octets_that_are_no_message_show_how_far_they_could_be_read() -> None:
    whole = encode_message(message(FIRMWARE.code))
    root = describe(whole[:18])
    assert isinstance(root.error, GbcsDecodeError)
    assert root.error.offset == 12
    assert root.text == f"not decodable: {root.error}"
    assert lines(root)[1:] == [
        "0   grouping header: ",
        "0     tag and transaction id length: ",
        "2     CRA flag: ",
        "3     originator counter: ",
        "11     originator length: ",
        "12   not decoded: ",
    ]
    assert_covers(root)


@pytest.mark.parametrize("wrong", [b"", b"\x00", b"\xdd\x09", b"x" * (MAX_MESSAGE_BYTES + 1)])
def test_other_octets_are_not_described_further(wrong: bytes) -> None:
    root = describe(wrong)
    assert root.error is not None
    assert b"".join(node.raw for node in root.leaves()) == wrong
    assert_covers(root)


def test_content_that_is_no_apdu_shows_how_far_it_could_be_read() -> None:
    content = AccessRequest(
        0x200003E8,
        (Specification(Choice.GET, 1, Obis.parse("0-0:0.2.1"), 2),),
        (axdr.array(axdr.unsigned(1)),),
    ).encode()
    broken = content[:-2] + b"\x07\x01"
    root = describe(octets(message(FIRMWARE.code, content=broken)))
    assert root.error is not None
    assert root.error.what == "unknown data type"
    assert "content not decodable" in root.text
    assert_covers(root)
    shown = at(root, "content")
    assert [node.name for node in shown.children] == ["APDU", "access list", "data list", "not decoded"]
    assert shown.children[-1].offset == root.error.offset
    assert at(shown, "data list", "[0]").raw == b"\x01\x01"


def test_content_of_another_shape_is_shown_in_full_with_the_error() -> None:
    content = AccessRequest(
        0x200003E8, (Specification(Choice.GET, 1, Obis.parse("0-0:0.2.9"), 2),), (axdr.null(),)
    ).encode()
    root = describe(octets(message(FIRMWARE.code, content=content)))
    assert root.error is not None
    assert root.error.what == "not the access list of the use case"
    assert at(root, "content").error is root.error
    assert at(root, "content", "data list", "get class 1 0-0:0.2.9.255 attribute 2").text == "null-data"
    assert_covers(root)


def test_value_of_another_type_is_marked_where_it_stands() -> None:
    answer = AccessResponse(0x200003E8, (axdr.enum(1),), (AccessResult(Choice.GET, 0),)).encode()
    root = describe(octets(message(FIRMWARE.code, Cra.RESPONSE, answer)))
    assert at(root, "content", "data list", "firmware_version").text == "1 (enum), expected octet-string"
    assert root.error is not None


def test_packed_octets_of_another_type_are_marked() -> None:
    stamp = axdr.octet_string(bytes.fromhex("07EA0101FF000000008000FF"))
    for value in (axdr.visible_string("x" * 19), axdr.octet_string(bytes(18))):
        body = axdr.structure(axdr.long_unsigned(0x8F66), stamp, value)
        alert = message(USE_CASES["FDEI-DLMS"].code, Cra.ALERT, DataNotification(0x200003E8, body).encode())
        root = describe(encode_message(alert))
        assert root.error is not None
        assert at(root, "content", "alert", "instruction").text.endswith("expected octet-string of 19")
        assert_covers(root)


def test_kinds_and_titles() -> None:
    command = message(FIRMWARE.code)
    protected = with_mac(command, SECRET)
    alert = message(0x1000, Cra.ALERT)
    assert [
        kind_of_message(item) for item in (command, protected, replace(command, signature=bytes(64)), alert)
    ] == [
        "pre-command",
        "command",
        "command",
        "alert",
    ]
    assert title_of(protected) == "ECS52 command"
    assert title_of(message(UNDECLARED, Cra.RESPONSE)) == "0x7FFF response"


def test_same_octets_give_an_equal_tree() -> None:
    assert describe(firmware_response()) == describe(firmware_response())
    assert describe(firmware_response()[:40]) == describe(firmware_response()[:40])
    assert describe(firmware_response()) != describe(firmware_response("00000000"))
