"""`smetslab gbcs encode`, `verify`, `explain`, `diff` and `usecases`, as a person at a prompt uses them."""

from __future__ import annotations

import io
import json
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from smetslab.cli import main as cli
from smetslab.cli.gbcs_document import Verification
from smetslab.gbcs.catalogue import Catalogue
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.triage.view import DiffReport, ExplainReport
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.pki.files import export_json
from smetslab.rng import RootSeed

BROKER, SUPPLIER = Eui64.parse("90B3D51F30000002"), Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")
RING = Authority(RootSeed(11)).keystore((ESME,))
FIRMWARE = USE_CASES["ECS52"]
BARE = Message(
    cra=Cra.COMMAND,
    originator_counter=1000,
    business_originator_id=SUPPLIER,
    business_target_id=ESME,
    other_information=OtherInformation(message_code=FIRMWARE.code),
    content=b"",
)


def secret(one: Eui64, other: Eui64) -> bytes:
    peer = RING.find(other, KeyUsage.KEY_AGREEMENT).certificate.public_key
    return RING.private_key(one, KeyUsage.KEY_AGREEMENT).exchange(peer)


PRE_COMMAND = replace(BARE, content=encode_content(FIRMWARE, BARE, {}))
COMMAND = encode_message(with_mac(PRE_COMMAND, secret(ESME, BROKER)))
DOCUMENT = {
    "use_case": "ECS52",
    "kind": "command",
    "header": {
        "originator_counter": 1000,
        "business_originator_id": str(SUPPLIER),
        "business_target_id": str(ESME),
    },
    "parameters": {},
}


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@pytest.fixture
def keystore(tmp_path: Path) -> str:
    export_json(RING, tmp_path / "keystore.json")
    return str(tmp_path / "keystore.json")


Gbcs = Callable[..., Result]


@pytest.fixture
def gbcs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Gbcs:
    """Runs one command, with these bytes on standard input."""

    def command(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = cli.main(["gbcs", *arguments])
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return command


# encode -----------------------------------------------------------------------------------------------------


def test_decoded_file_comes_back_byte_for_byte(gbcs: Gbcs, tmp_path: Path) -> None:
    file = tmp_path / "message.HEX"
    file.write_text(COMMAND.hex().upper())
    decoded = gbcs("decode", "--json", str(file))
    assert gbcs("encode", "-", stdin=decoded.out.encode()).out.encode() == file.read_bytes()
    assert gbcs("encode", stdin=decoded.out.encode()).out.encode() == file.read_bytes()


def test_message_is_made_from_a_file_and_keys(gbcs: Gbcs, tmp_path: Path, keystore: str) -> None:
    (tmp_path / "read.json").write_text(json.dumps(DOCUMENT))
    made = gbcs("encode", str(tmp_path / "read.json"), "--keys", keystore)
    assert (made.code, made.out, made.err) == (0, COMMAND.hex().upper(), "")


def test_document_may_be_toml(gbcs: Gbcs, tmp_path: Path) -> None:
    (tmp_path / "read.toml").write_text(
        'use_case = "ECS52"\nkind = "pre-command"\n[parameters]\n[header]\noriginator_counter = 1000\n'
        f'business_originator_id = "{SUPPLIER}"\nbusiness_target_id = "{ESME}"\n'
    )
    assert gbcs("encode", str(tmp_path / "read.toml")).out == encode_message(PRE_COMMAND).hex().upper()


def test_octets_may_be_wanted_as_they_are(capfdbinary: pytest.CaptureFixture[bytes], keystore: str) -> None:
    assert cli.main(["gbcs", "encode", json.dumps(DOCUMENT), "--binary", "--keys", keystore]) == 0
    assert capfdbinary.readouterr().out == COMMAND


def test_what_was_made_can_be_shown(gbcs: Gbcs, keystore: str) -> None:
    shown = json.loads(gbcs("encode", json.dumps(DOCUMENT), "--json", "--keys", keystore).out)
    assert (shown["use_case"], shown["length"], shown["error"]) == ("ECS52", len(COMMAND), None)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (json.dumps(DOCUMENT), "mac: no key to make it with"),
        (json.dumps(DOCUMENT | {"use_case": "ECS5"}), "use_case: no such use case, expected ECS57, ECS52"),
        (json.dumps(DOCUMENT | {"parameters": {"x": 1}}), "parameters.x: no such parameter"),
        ("{", "no JSON"),
        ("read.json", "read.json is no file"),
    ],
)
def test_document_that_makes_no_message_is_one_line(gbcs: Gbcs, document: str, reason: str) -> None:
    said = gbcs("encode", document)
    assert (said.code, said.out) == (2, "")
    assert said.lines[0].startswith("smetslab: ")
    assert reason in said.lines[0]
    assert len(said.lines) <= 2


def test_document_that_is_no_text_is_one_line(gbcs: Gbcs) -> None:
    said = gbcs("encode", "-", stdin=b"{\xff")
    assert (said.code, said.lines) == (2, ["smetslab: the document is no UTF-8 text: byte 1"])


# verify -----------------------------------------------------------------------------------------------------


def test_verified_failed_and_keys_missing_have_codes_of_their_own(gbcs: Gbcs, keystore: str) -> None:
    forged = COMMAND[:-1] + bytes((COMMAND[-1] ^ 1,))
    assert gbcs("verify", COMMAND.hex(), "--keys", keystore).code == 0
    assert gbcs("verify", forged.hex(), "--keys", keystore).code == 1
    missing = gbcs("verify", COMMAND.hex())
    assert (missing.code, missing.lines[-1]) == (4, "  --keys KEYSTORE")


def test_message_without_protection_is_not_verified(gbcs: Gbcs, keystore: str) -> None:
    said = gbcs("verify", encode_message(PRE_COMMAND).hex(), "--keys", keystore)
    assert said.code == 1
    assert "unprotected" in said.out


def test_signature_is_verified_too(gbcs: Gbcs, keystore: str) -> None:
    signed = with_signature(PRE_COMMAND, RING.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
    said = gbcs("verify", encode_message(signed).hex(), "--keys", keystore, "--json")
    result = Verification.model_validate_json(said.out)
    assert (said.code, result.mac, result.signature, result.verdict) == (0, "absent", "verified", "verified")


def test_octets_that_are_no_message_cannot_be_verified(gbcs: Gbcs) -> None:
    said = gbcs("verify", "DF0907")
    assert (said.code, len(said.lines)) == (2, 1)


# explain ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [bytes.hex, lambda octets: b64encode(octets).decode()])
def test_sound_message_is_explained_with_code_0(
    form: Callable[[bytes], str], gbcs: Gbcs, keystore: str
) -> None:
    said = gbcs("explain", form(COMMAND), "--keys", keystore)
    assert said.code == 0
    assert "From 90B3D51F30010000 (test supplier) to 00DB1234567890A0 (test ESME)" in said.out
    assert said.out.endswith("Everything is right.\n")


def test_damaged_message_shows_its_first_wrong_byte(gbcs: Gbcs, keystore: str, tmp_path: Path) -> None:
    place = COMMAND.index(b"\x00\x02\x01") + 5
    damaged = COMMAND[:place] + b"\x77" + COMMAND[place + 1 :]
    (tmp_path / "damaged.hex").write_text(damaged.hex())
    said = gbcs("explain", str(tmp_path / "damaged.hex"), "--keys", keystore)
    assert said.code == 1
    assert f"First wrong byte: {place} in content > " in said.out
    assert "[77]" in said.out
    assert "with this change the MAC verifies" in said.out


def test_explanation_as_json_is_of_its_schema(gbcs: Gbcs) -> None:
    said = gbcs("explain", COMMAND[:-3].hex(), "--json")
    (message,) = ExplainReport.model_validate_json(said.out).messages
    assert (said.code, message.faulty, message.hex) == (1, True, COMMAND[:-3].hex().upper())
    assert message.first_wrong is not None
    assert message.first_wrong.offset == len(COMMAND) - 3


def test_messages_of_a_duis_document_are_explained(gbcs: Gbcs, tmp_path: Path) -> None:
    payload = b64encode(encode_message(PRE_COMMAND)).decode()
    namespace = "http://www.dccinterface.co.uk/ServiceUserGateway"
    body = f"<sr:PreCommand><sr:GBCSPayload>{payload}</sr:GBCSPayload></sr:PreCommand>"
    document = f'<sr:Response xmlns:sr="{namespace}">{body}{body}</sr:Response>'
    (tmp_path / "response.xml").write_text(document)
    said = gbcs("explain", str(tmp_path / "response.xml"), "--json")
    report = ExplainReport.model_validate_json(said.out)
    assert [(one.source, one.title) for one in report.messages] == 2 * [
        ("Response/PreCommand/GBCSPayload", "ECS52 pre-command")
    ]
    broken = gbcs("explain", "-", stdin=document.replace("</sr:Response>", "").encode())
    assert "not well-formed XML" in broken.err
    assert broken.out.count("ECS52 pre-command") == 2
    empty = gbcs("explain", "-", stdin=b"<a/>")
    assert (empty.code, empty.lines[0]) == (2, "smetslab: the document holds no GBCSPayload")


def test_damaged_base64_in_a_document_is_told(gbcs: Gbcs) -> None:
    payload = b64encode(encode_message(PRE_COMMAND)).decode()[:-4] + "?AA="
    said = gbcs("explain", "-", stdin=f"<GBCSPayload>{payload}</GBCSPayload>".encode())
    assert said.code == 1
    assert "is no base64 character" in said.out


def test_lost_hex_digit_is_told(gbcs: Gbcs) -> None:
    text = encode_message(PRE_COMMAND).hex()
    said = gbcs("explain", text[:70] + text[71:])
    assert said.code == 1
    assert "a hex digit is missing" in said.out


@pytest.mark.parametrize("argument", ["nowhere/message.hex", "nothing", ""])
def test_argument_that_is_nothing_is_one_line_and_the_next_step(gbcs: Gbcs, argument: str) -> None:
    for verb in ("explain", "verify"):
        said = gbcs(verb, argument)
        assert (said.code, said.out, len(said.lines)) == (2, "", 2)


# diff -------------------------------------------------------------------------------------------------------


def test_messages_are_compared_by_field(gbcs: Gbcs) -> None:
    other = replace(PRE_COMMAND, business_target_id=Eui64.parse("00DB1234567890A2"))
    left, right = encode_message(PRE_COMMAND).hex(), encode_message(other).hex()
    assert gbcs("diff", left, left).code == 0
    said = gbcs("diff", left, right)
    assert said.code == 1
    assert said.out.splitlines() == [
        "grouping header > business target id",
        "  - 00DB1234567890A0   (byte 21)",
        "  + 00DB1234567890A2   (byte 21)",
    ]
    report = DiffReport.model_validate_json(gbcs("diff", left, right, "--json").out)
    assert [(one.path, one.left) for one in report.differences] == [
        ("grouping header > business target id", "00DB1234567890A0")
    ]


def test_one_of_the_messages_may_come_from_standard_input(gbcs: Gbcs) -> None:
    assert gbcs("diff", "-", COMMAND.hex(), stdin=COMMAND).code == 0
    both = gbcs("diff", "-", "-")
    assert (both.code, both.lines[0]) == (2, "smetslab: standard input can be one of the messages only")


# usecases ---------------------------------------------------------------------------------------------------


def test_use_cases_are_listed_and_searched(gbcs: Gbcs) -> None:
    everything = gbcs("usecases").out.splitlines()
    assert len(everything) == len(USE_CASES) + 2
    assert everything[-1] == f"{len(USE_CASES)} use cases"
    found = Catalogue.model_validate_json(gbcs("usecases", "set", "clock", "--json").out)
    assert [row.name for row in found.use_cases] == ["ECS70", "GCS28"]


def test_one_use_case_is_shown_with_its_content(gbcs: Gbcs) -> None:
    shown = gbcs("usecases", "ECS70").out
    assert "Message Code           0x0062" in shown
    assert "set class 8 0-0:1.0.0.255 attribute 9" in shown


def test_query_that_finds_nothing_is_helped(gbcs: Gbcs) -> None:
    said = gbcs("usecases", "ECS170")
    assert (said.code, len(said.lines)) == (2, 2)
    assert "did you mean" in said.lines[1]


@pytest.mark.parametrize("verb", ["encode", "verify", "explain", "diff", "usecases", "decode"])
def test_schemas_are_published(gbcs: Gbcs, verb: str) -> None:
    said = gbcs(verb, *(["a", "b"] if verb == "diff" else []), "--schema")
    assert "properties" in json.loads(said.out)
